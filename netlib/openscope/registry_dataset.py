"""Panels of the dataset paper (Gillon, Lecoq et al. 2023, Sci Data 10:287), with its parameters."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from netlib.openscope.parameters import DIRECTIONS, PAPER_SEED, AnalysPar, BasePar, Parameters, SessPar, StimPar
from netlib.openscope.registry import Panel

__all__ = ["PANELS"]

TRACKED = AnalysPar(tracked=True)
RAW = AnalysPar(scale=False)
BEHAVIOUR = AnalysPar(rem_bad=False, scale=False)
EXAMPLES = SessPar(mouse_n=(3, 4, 6, 11))
FLOW = StimPar("none", "none", "none", 2, 2, "visflow", DIRECTIONS, 128)


def _panel(place: str, title: str, compute: str = "", draw: str = "", **parameters: Any) -> Panel:
    extra = tuple(sorted(parameters.pop("extra", ())))
    return Panel("dataset", place[:-1], place[-1], title, compute, draw, Parameters(**parameters, extrapar=extra))


def _examples(letter: str, title: str, stimpar: StimPar, *extra: tuple[str, Any]) -> Panel:
    return _panel(
        f"5{letter}", title, "panels_examples.example_responses", "two_photon_traces.draw_example_responses",
        sesspar=SessPar(sess_n=(1,)), analyspar=AnalysPar(), basepar=BasePar(), stimpar=stimpar,
        extra=[("n_ex", 6), ("rolling_win", 4), ("seed", PAPER_SEED), *extra],
    )  # fmt: skip


def _tracking(letter: str, mouse: int, plane: str) -> Panel:
    return _panel(
        f"8{letter}", f"tracking of {'dendritic' if plane == 'dend' else 'somatic'} ROIs by the order of sessions",
        "panels_imaging.tracking_examples", "two_photon_imaging.draw_tracking_examples",
        sesspar=SessPar(mouse_n=mouse, plane=plane), analyspar=TRACKED,
    )  # fmt: skip


def _edges(letter: str, title: str, split: str) -> Panel:
    return _panel(
        f"9{letter}", title, "panels_traces.sequence_traces", "two_photon_traces.draw_traces",
        analyspar=AnalysPar(), basepar=BasePar(), extra=[("split", split)],
        stimpar=StimPar(pre=2, post=2, stimtype="both", visflow_dir=DIRECTIONS, visflow_size=128),
    )  # fmt: skip


PANELS: tuple[Panel, ...] = (
    _panel("1A", "the experiment"),
    _panel(
        "1B", "example imaging planes, one per group", "panels_imaging.imaging_planes",
        "two_photon_imaging.draw_imaging_planes", sesspar=SessPar(sess_n=(1,), mouse_n=(1, 4, 6, 11)),
    ),
    _panel("1C", "the sessions"),
    _panel("2A", "how ROIs are matched across sessions"),
    _panel(
        "2B", "tracked ROIs over the imaging planes of three sessions", "panels_imaging.overlays_with_planes",
        "two_photon_imaging.draw_overlays", sesspar=EXAMPLES, analyspar=TRACKED,
    ),
    _panel(
        "2C", "overlays of tracked ROIs", "panels_imaging.overlays", "two_photon_imaging.draw_overlays",
        sesspar=EXAMPLES, analyspar=TRACKED, extra=[("mark_crop_only", True)],
    ),
    _panel(
        "2D", "close-ups of the overlays", "panels_imaging.overlays", "two_photon_imaging.draw_close_ups",
        sesspar=EXAMPLES, analyspar=TRACKED,
    ),
    _panel("3A", "the Gabor sequences"),
    _panel("3B", "the visual flow"),
    _panel("4A", "image of a running mouse"),
    _panel("4B", "image of a pupil"),
    _examples("A", "example ROIs, expected Gabor sequences", StimPar(), ("unexp", 0)),
    _examples("B", "example ROIs, unexpected Gabor sequences", StimPar(), ("unexp", 1)),
    _examples("C", "example ROIs, onset of unexpected nasal flow", replace(FLOW, visflow_dir="nasal")),
    _examples("D", "example ROIs, onset of unexpected temporal flow", replace(FLOW, visflow_dir="temp")),
    _panel(
        "6A", "running and pupil over a whole session", "panels_behaviour.full_session",
        "two_photon_quality.draw_full_session", sesspar=SessPar(sess_n=(1,), mouse_n=1), analyspar=BEHAVIOUR,
    ),
    _panel(
        "6B", "histograms of running and pupil", "panels_behaviour.histograms",
        "two_photon_quality.draw_behaviour_histograms", analyspar=BEHAVIOUR,
    ),
    _panel(
        "7A", "signal-to-noise ratio of ROIs", "panels_quality.signal_to_noise_ratios",
        "two_photon_quality.draw_roi_values", analyspar=RAW,
    ),
    _panel(
        "7B", "mean signal of ROIs", "panels_quality.mean_signals", "two_photon_quality.draw_roi_values", analyspar=RAW,
    ),
    _panel(
        "7C", "correlations of pairs of ROIs", "panels_quality.roi_correlations",
        "two_photon_quality.draw_roi_correlations", analyspar=RAW, extra=[("rolling_win", 4)],
    ),
    _tracking("A", 6, "dend"),
    _tracking("B", 4, "soma"),
    _edges("A", "traces around the onset of the stimuli", "stim_onset"),
    _edges("B", "traces around the end of the stimuli", "stim_offset"),
)  # fmt: skip
