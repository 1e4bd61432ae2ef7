"""Panels of the analysis paper (Gillon, Pina et al. 2024, J Neurosci 44(5) e1009232023), with its parameters."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from netlib.openscope.parameters import (
    ALL_ORIENTATIONS,
    COMMON_ORIENTATIONS,
    DIRECTIONS,
    EXPECTED_ORIENTATIONS,
    PAPER_SEED,
    UNEXPECTED_ORIENTATIONS,
    AnalysPar,
    BasePar,
    IdxPar,
    LogRegPar,
    Parameters,
    PermPar,
    SessPar,
    StimPar,
)
from netlib.openscope.registry import Panel

__all__ = ["PANELS"]

SEED = ("seed", PAPER_SEED)
SESSION_1 = SessPar(sess_n=(1,))
RAW = AnalysPar(scale=False)
BEHAVIOUR = AnalysPar(rem_bad=False, scale=False)
SEQUENCE = StimPar()
D_AND_U = StimPar(pre=0)
FRAMES = StimPar(gabfr=((0, 1, 2), (3, 4)), pre=0, post=0.3)
FLOW = StimPar("none", "none", "none", 2, 2, "visflow", DIRECTIONS, 128)
BOTH = StimPar(stimtype=("gabors", "visflow"), visflow_dir=DIRECTIONS, visflow_size=128)
PERMUTED = PermPar(multcomp=24)
ROI_PERMUTED = PermPar(n_perms=5_000)
GABOR_USI, FLOW_USI = IdxPar(), IdxPar("unexp_lock")
LOW, DECODER_LOW, TIMECOURSE_LOW = 1_000, 2_500, 350


def _panel(
    place: str, title: str, compute: str = "", draw: str = "", low: int = 0, parallel: bool = False, **parameters: Any
) -> Panel:
    """A panel of this paper at ``place``, such as ``"4D"``."""
    extra = tuple(sorted(parameters.pop("extra", ())))
    made = Parameters(**parameters, extrapar=extra)
    return Panel("analysis", place[:-1], place[-1], title, compute, draw, made, low, parallel)


def _traces(place: str, title: str, stimpar: StimPar, split: str, thirds: bool = False) -> Panel:
    extra = [("split", split), *([("thirds", True)] if thirds else [])]
    return _panel(
        place, title, "panels_traces.sequence_traces", "two_photon_traces.draw_traces",
        analyspar=AnalysPar(), basepar=BasePar(), stimpar=stimpar, extra=extra,
    )  # fmt: skip


def _differences(place: str, title: str, stimpar: StimPar, split: str) -> Panel:
    return _panel(
        place, title, "panels_traces.differences", "two_photon_points.draw_points", LOW,
        analyspar=AnalysPar(), basepar=BasePar(), stimpar=stimpar, permpar=PERMUTED, extra=[SEED, ("split", split)],
    )  # fmt: skip


def _relative(place: str, title: str, stimpar: StimPar, tracked: bool = False) -> Panel:
    return _panel(
        place, title, "panels_relative.relative_responses", "two_photon_points.draw_points", LOW,
        analyspar=replace(RAW, tracked=tracked), stimpar=stimpar, permpar=PERMUTED, extra=[SEED, ("rel_sess", 1)],
    )  # fmt: skip


def _usi(
    place: str, title: str, function: str, draw: str, *, low: int = LOW, error: str = "sem", tracked: bool = False,
    flow: bool = False, stimpar: StimPar | None = None, **parameters: Any,
) -> Panel:  # fmt: skip
    return _panel(
        place, title, function, draw, low if parameters.get("permpar") else 0,
        analyspar=AnalysPar(error=error, tracked=tracked), basepar=BasePar(), idxpar=FLOW_USI if flow else GABOR_USI,
        stimpar=stimpar or (FLOW if flow else D_AND_U), **parameters,
    )  # fmt: skip


def _correlation(place: str, title: str, sessions: tuple[int, ...], flow: bool) -> Panel:
    extra = [SEED, ("permute", "tracking"), ("sig_only", False)]
    both = len(sessions) == 3
    return _panel(
        place, title, f"panels_correlation.{'correlations' if both else 'scatter'}",
        "two_photon_points.draw_correlations" if both else "two_photon_usi.draw_usi_scatter", LOW,
        sesspar=SessPar(sess_n=sessions), analyspar=AnalysPar(error="std", tracked=True), basepar=BasePar(),
        idxpar=FLOW_USI if flow else GABOR_USI, stimpar=FLOW if flow else D_AND_U, permpar=PermPar(8, tails="lo"),
        extra=[*extra, ("consec_only", True), ("corr_type", "corr")] if both else extra,
    )  # fmt: skip


def _decoding(letter: str, frame: str) -> Panel:
    unexpected = frame == "U"
    return _panel(
        f"10{letter}", f"decoding of the mean orientation of {frame}", "panels_decoding.scores",
        "two_photon_decoding.draw_scores", DECODER_LOW, True,
        analyspar=AnalysPar(), logregpar=LogRegPar(comp=f"{frame}ori", ctrl=not unexpected),
        stimpar=StimPar(
            UNEXPECTED_ORIENTATIONS if unexpected else EXPECTED_ORIENTATIONS,
            3 if unexpected else "ABCD".index(frame), 16, 0.45, 0,
        ),
        permpar=PermPar(60, tails="hi"), extra=[SEED, ("n_splits", 100)],
    )  # fmt: skip


def _timecourse(letter: str, session: int) -> Panel:
    return _panel(
        f"11{letter}", f"decoding of D and U frame by frame, session {session}", "panels_decoding.timecourses",
        "two_photon_decoding.draw_score_timecourses", TIMECOURSE_LOW, True,
        sesspar=SessPar(sess_n=(session,)), analyspar=AnalysPar(), logregpar=LogRegPar(comp=("Dori", "Uori")),
        stimpar=SEQUENCE, permpar=PermPar(8, 10_000, tails="hi"), extra=[SEED, ("n_splits", 100)],
    )  # fmt: skip


def _significant(place: str, title: str, multcomp: int, stimpar: StimPar = D_AND_U, **extra: bool) -> Panel:
    return _usi(
        place, title, "panels_usi.percent_significant", "two_photon_points.draw_percent_significant", error="std",
        stimpar=stimpar, sesspar=SESSION_1, permpar=PermPar(multcomp, 10_000), extra=[SEED, *extra.items()],
    )  # fmt: skip


def _mean_usi(place: str, title: str, **kind: Any) -> Panel:
    return _usi(
        place, title, "panels_usi.index_statistics", "two_photon_points.draw_points", tracked=True, permpar=PermPar(12),
        flow=kind.pop("flow", False), error=kind.pop("error", "sem"), extra=[SEED, ("by_mouse", False), *kind.items()],
    )  # fmt: skip


def _tracked_usis(place: str, title: str, flow: bool) -> Panel:
    return _usi(place, title, "panels_usi.tracked_usis", "two_photon_usi.draw_tracked", tracked=True, flow=flow)


PANELS: tuple[Panel, ...] = (
    _panel("1A", "the two stimuli"),
    _panel(
        "1B", "example imaging planes, one per group", "panels_imaging.imaging_planes",
        "two_photon_imaging.draw_imaging_planes", sesspar=SessPar(sess_n=(1,), mouse_n=(1, 4, 6, 11)),
    ),
    _panel("1C", "the experiment and its sessions"),
    _panel(
        "1D", "tracked ROIs over the imaging planes of three sessions", "panels_imaging.overlays_with_planes",
        "two_photon_imaging.draw_overlays", sesspar=SessPar(mouse_n=(3, 4, 6, 11)), analyspar=AnalysPar(tracked=True),
    ),
    _panel("1E", "expected and unexpected Gabor sequences"),
    _panel("1F", "hypotheses on learning"),
    _traces("2A", "traces around expected D and unexpected U, sessions 1 to 3", SEQUENCE, "by_exp"),
    _differences("2B", "difference of the responses to U and D, sessions 1 to 3", SEQUENCE, "by_exp"),
    _relative("2C", "responses relative to session 1: expected frames, unexpected U and G", FRAMES),
    _traces("3A", "traces in the early and the late third of each session", SEQUENCE, "by_exp", thirds=True),
    _panel(
        "3B", "difference of U and D, early against late third", "panels_traces.thirds_differences",
        "two_photon_points.draw_thirds", LOW, analyspar=AnalysPar(), basepar=BasePar(), stimpar=SEQUENCE,
        permpar=PermPar(12), extra=[SEED, ("split", "by_exp"), ("thirds", True)],
    ),
    _usi(
        "4A", "traces of example ROIs with high, no and low USI", "panels_example_rois.example_rois",
        "two_photon_traces.draw_example_rois",
        sesspar=SESSION_1, stimpar=StimPar(pre=(0, 0.9)), permpar=ROI_PERMUTED, extra=[SEED],
    ),
    _usi(
        "4B", "USI of one ROI over its null distribution", "panels_example_rois.example_null",
        "two_photon_usi.draw_null",
        sesspar=SessPar(line="L23", mouse_n=1, plane="soma", sess_n=(1,)), permpar=ROI_PERMUTED, extra=[SEED],
    ),
    _usi(
        "4C", "distributions of USIs and of their percentiles", "panels_usi.index_distributions",
        "two_photon_usi.draw_percentiles", sesspar=SESSION_1, permpar=ROI_PERMUTED, extra=[SEED, ("n_bins", 40)],
    ),
    _significant("4D", "percent of ROIs with a significant USI", 8, by_mouse=False, common_oris=False),
    _significant(
        "4E", "percent of ROIs with a significant USI, orientations common to D and U", 8,
        replace(D_AND_U, gab_ori=COMMON_ORIENTATIONS), by_mouse=False, common_oris=True,
    ),
    _tracked_usis("4F", "USI of each tracked ROI over the sessions", flow=False),
    _mean_usi("4G", "mean |USI| of tracked ROIs", absolute=True),
    _mean_usi("4H", "variance of the USIs of tracked ROIs", error="std", absolute=False, stat="var"),
    _significant("5A", "percent of ROIs with a significant USI, by mouse", 22, by_mouse=True),
    _relative("5B", "relative responses of tracked ROIs", FRAMES, tracked=True),
    _usi(
        "5C", "mean |USI| of tracked ROIs, by mouse", "panels_usi.index_statistics", "two_photon_points.draw_points",
        tracked=True, extra=[("absolute", True), ("by_mouse", True)],
    ),
    _panel("6A", "the visual flow stimulus"),
    _traces("6B", "traces around the onset of unexpected visual flow", FLOW, "unexp_lock"),
    _differences("6C", "difference of responses around the onset of unexpected flow", FLOW, "unexp_lock"),
    _relative("7A", "responses to visual flow relative to session 1", replace(FLOW, pre=0, post=1)),
    _panel(
        "7B", "change of unexpected responses, Gabors against visual flow", "panels_change.response_changes",
        "two_photon_points.draw_changes", LOW, analyspar=replace(RAW, error="std"), permpar=PermPar(5),
        stimpar=replace(BOTH, gabfr=((0, 1, 2), (3, 4)), pre=(0, 0), post=(0.3, 1)),
        extra=[SEED, ("comp_sess", (1, 3)), ("datatype", "rel_unexp_resp"), ("pop_stats", True), ("rel_sess", 1)],
    ),
    _tracked_usis("7C", "USI to visual flow of each tracked ROI over the sessions", flow=True),
    _mean_usi("7D", "mean |USI| to visual flow of tracked ROIs", flow=True, absolute=True),
    _panel(
        "7E", "change of |USI|, Gabors against visual flow", "panels_change.index_changes",
        "two_photon_points.draw_changes", LOW, analyspar=AnalysPar(error="std", tracked=True), basepar=BasePar(),
        idxpar=IdxPar(("by_exp", "unexp_lock")), permpar=PermPar(5), stimpar=replace(BOTH, pre=(0, 2), post=(0.6, 2)),
        extra=[SEED, ("comp_sess", (1, 3)), ("datatype", "usis"), ("pop_stats", True)],
    ),
    _panel(
        "8A", "running and pupil around D and U", "panels_behaviour.behaviour_traces",
        "two_photon_traces.draw_behaviour_traces", sesspar=SESSION_1, analyspar=BEHAVIOUR, basepar=BasePar(),
        stimpar=SEQUENCE, extra=[("split", "by_exp")],
    ),
    _panel(
        "8B", "difference of running and pupil between U and D, by block", "panels_behaviour.block_differences",
        "two_photon_quality.draw_blocks", LOW, sesspar=SESSION_1, analyspar=BEHAVIOUR, stimpar=D_AND_U,
        permpar=PermPar(n_perms=10_000), extra=[SEED],
    ),
    _correlation("9A", "Gabor USIs in sessions 1 and 2", (1, 2), flow=False),
    _correlation("9B", "Gabor USIs in sessions 2 and 3", (2, 3), flow=False),
    _correlation("9C", "correlation of Gabor USIs between sessions", (1, 2, 3), flow=False),
    _correlation("9D", "visual flow USIs in sessions 1 and 2", (1, 2), flow=True),
    _correlation("9E", "visual flow USIs in sessions 2 and 3", (2, 3), flow=True),
    _correlation("9F", "correlation of visual flow USIs between sessions", (1, 2, 3), flow=True),
    *(_decoding(letter, frame) for letter, frame in zip("ABCDE", "ABCDU", strict=True)),
    *(_timecourse(letter, session) for letter, session in zip("ABC", (1, 2, 3), strict=True)),
)  # fmt: skip

# The orientations of both frames are those of the whole stimulus.
assert SEQUENCE.gab_ori == ALL_ORIENTATIONS
