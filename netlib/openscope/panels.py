"""Every panel of the two papers: what it shows, what computes it and what draws it, with which parameters.

Panels of the analysis paper (Gillon, Pina et al. 2024, J Neurosci 44(5) e1009232023) and of the dataset paper
(Gillon, Lecoq et al. 2023, Sci Data 10:287), with their published parameters. A panel is named by paper, figure and
letter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from netlib.base.checks import check_choice
from netlib.openscope import figures, figures_examples, panel_data, panel_examples
from netlib.openscope.parameters import (
    COMMON_ORIENTATIONS,
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
from netlib.openscope.schedule import DIRECTIONS

__all__ = ["PAPERS", "Panel", "find_panels", "panel", "panels_of"]

PAPERS = ("analysis", "dataset")
Compute = Callable[..., dict[str, Any]] | None
Draw = Callable[..., Any] | None


@dataclass(frozen=True)
class Panel:
    """One panel of a paper.

    Parameters
    ----------
    paper : {"analysis", "dataset"}
    figure : str
        Number of the figure.
    letter : str
        Letter of the panel.
    title : str
        What it shows, in one line.
    compute : callable or None
        (sessions, parameters) -> tables in the published layout. None for drawings that no data make.
    draw : callable or None
        data -> Figure.
    parameters : Parameters
        The published ones.
    low_power : int
        Permutations when not at full power; 0 for a panel without permutations.
    parallel : bool
        The function takes ``workers``, a number of processes.
    """

    paper: str
    figure: str
    letter: str
    title: str
    compute: Compute = None
    draw: Draw = None
    parameters: Parameters = field(default_factory=Parameters)
    low_power: int = 0
    parallel: bool = False

    @property
    def name(self) -> str:
        """Name for messages, such as ``"analysis Fig 4D"``."""
        return f"{self.paper} Fig {self.figure}{self.letter}"

    @property
    def computable(self) -> bool:
        """Whether data make this panel; others are drawn by hand in the paper."""
        return self.compute is not None

    @property
    def reason(self) -> str:
        """Why the panel cannot be made; empty if it can."""
        return "" if self.computable else f"{self.name} is not computable: schematic ({self.title})"

    def run_parameters(
        self, *, full_power: bool = False, seed: int = PAPER_SEED, n_permutations: int | None = None
    ) -> Parameters:
        """The parameters of one run: the published ones at full power and the papers' seed."""
        if n_permutations is None and not full_power and self.low_power:
            n_permutations = self.low_power
        return self.parameters.with_run(n_permutations, seed)


def panels_of(paper: str) -> tuple[Panel, ...]:
    """All panels of one paper, in its order.

    Raises
    ------
    ValueError
        If the paper is unknown.
    """
    check_choice("paper", paper, PAPERS)
    return ANALYSIS_PANELS if paper == "analysis" else DATASET_PANELS


def panel(paper: str, figure: str, letter: str) -> Panel:
    """One panel by name.

    Raises
    ------
    ValueError
        If there is none of that name; the message suggests the nearest.

    Examples
    --------
    >>> panel("analysis", "4", "D").name
    'analysis Fig 4D'
    """
    return find_panels(paper, [figure], [letter])[0]


def find_panels(
    paper: str, figures: str | int | Iterable[str | int] = "all", letters: str | Iterable[str] = "all"
) -> list[Panel]:
    """Panels of some figures of a paper.

    Parameters
    ----------
    paper : {"analysis", "dataset"}
    figures : str, int or several
        Numbers of figures, or ``"all"``.
    letters : str or several
        Letters, as ``"BC"`` or ``["B", "C"]``, or ``"all"``. Of several figures, those that have them.

    Returns
    -------
    list of Panel

    Raises
    ------
    ValueError
        If a figure or a letter does not exist; the message suggests the nearest.

    Examples
    --------
    >>> [p.letter for p in find_panels("analysis", 2)]
    ['A', 'B', 'C']
    """
    known = panels_of(paper)
    numbers = list(dict.fromkeys(p.figure for p in known))
    wanted = numbers if figures == "all" else [_figure(paper, f, numbers) for f in _several(figures)]
    there = [p for p in known if p.figure in wanted]
    if letters == "all":
        return there
    asked = [str(letter).upper() for one in _several(letters) for letter in str(one).replace(",", "").split()]
    asked = [letter for word in asked for letter in word]
    for letter in asked:
        check_choice(f"panel of {paper} figure {', '.join(wanted)}", letter, {p.letter for p in there})
    return [p for p in there if p.letter in asked]


def _several(value: Any) -> Sequence[Any]:
    return value.split(",") if isinstance(value, str) else [value] if isinstance(value, int) else list(value)


def _figure(paper: str, value: Any, numbers: Sequence[str]) -> str:
    text = str(value).strip().lower().removeprefix("fig").removeprefix("ure").strip(" .")
    return check_choice(f"figure of the {paper} paper", text, numbers)


# ---------------------------------------------------------------- shared parameters


SEED = ("seed", PAPER_SEED)
SESSION_1, EXAMPLE_PLANES, EXAMPLES = SessPar(sess_n=(1,)), SessPar(sess_n=(1,), mouse_n=(1, 4, 6, 11)), (3, 4, 6, 11)
SCALED, RAW, TRACKED, BASE = AnalysPar(), AnalysPar(scale=False), AnalysPar(tracked=True), BasePar()
BEHAVIOUR = AnalysPar(rem_bad=False, scale=False)
SEQUENCE, D_AND_U, FRAMES = StimPar(), StimPar(pre=0), StimPar(gabfr=((0, 1, 2), (3, 4)), pre=0, post=0.3)
SHOWN_FLOW = {"visflow_dir": tuple(DIRECTIONS), "visflow_size": 128}
FLOW = StimPar("none", "none", "none", 2, 2, "visflow", **SHOWN_FLOW)
BOTH = StimPar(stimtype=("gabors", "visflow"), **SHOWN_FLOW)
PERMUTED, ROI_PERMUTED = PermPar(multcomp=24), PermPar(n_perms=5_000)
GABOR_USI, FLOW_USI = IdxPar(), IdxPar("unexp_lock")
LOW, DECODER_LOW, TIMECOURSE_LOW = 1_000, 2_500, 350


# ---------------------------------------------------------------- kinds of panels


def _panel(
    paper: str,
    place: str,
    title: str,
    compute: Compute = None,
    draw: Draw = None,
    low: int = 0,
    *,
    parallel: bool = False,
    extra: Iterable[tuple[str, Any]] = (),
    **parameters: Any,
) -> Panel:
    """A panel at ``place``, such as ``"4D"``."""
    made = Parameters(**parameters, extrapar=tuple(sorted(extra)))
    return Panel(paper, place[:-1], place[-1], title, compute, draw, made, low, parallel)


_analysis, _dataset = partial(_panel, "analysis"), partial(_panel, "dataset")


def _traces(place: str, title: str, stimpar: StimPar, split: str, paper: str = "analysis", **extra: bool) -> Panel:
    return _panel(
        paper, place, title, panel_data.sequence_traces, figures_examples.draw_traces,
        analyspar=SCALED, basepar=BASE, stimpar=stimpar, extra=[("split", split), *extra.items()],
    )  # fmt: skip


def _differences(place: str, title: str, stimpar: StimPar, split: str) -> Panel:
    return _analysis(
        place, title, panel_data.differences, figures.draw_points, LOW,
        analyspar=SCALED, basepar=BASE, stimpar=stimpar, permpar=PERMUTED, extra=[SEED, ("split", split)],
    )  # fmt: skip


def _relative(place: str, title: str, stimpar: StimPar, tracked: bool = False) -> Panel:
    return _analysis(
        place, title, panel_data.relative_responses, figures.draw_points, LOW,
        analyspar=replace(RAW, tracked=tracked), stimpar=stimpar, permpar=PERMUTED, extra=[SEED, ("rel_sess", 1)],
    )  # fmt: skip


def _usi(
    place: str, title: str, compute: Compute, draw: Draw, *, low: int = LOW, error: str = "sem", tracked: bool = False,
    flow: bool = False, stimpar: StimPar | None = None, **parameters: Any,
) -> Panel:  # fmt: skip
    return _analysis(
        place, title, compute, draw, low if parameters.get("permpar") else 0,
        analyspar=AnalysPar(error=error, tracked=tracked), basepar=BASE, idxpar=FLOW_USI if flow else GABOR_USI,
        stimpar=stimpar or (FLOW if flow else D_AND_U), **parameters,
    )  # fmt: skip


def _significant(place: str, title: str, multcomp: int, stimpar: StimPar = D_AND_U, **extra: bool) -> Panel:
    return _usi(
        place, title, panel_data.percent_significant, figures.draw_percent_significant, error="std",
        stimpar=stimpar, sesspar=SESSION_1, permpar=PermPar(multcomp, 10_000), extra=[SEED, *extra.items()],
    )  # fmt: skip


def _tracked_usis(place: str, title: str, flow: bool = False) -> Panel:
    return _usi(place, title, panel_data.tracked_usis, figures.draw_tracked, tracked=True, flow=flow)


def _mean_usi(place: str, title: str, *, flow: bool = False, error: str = "sem", **kind: Any) -> Panel:
    return _usi(
        place, title, panel_data.index_statistics, figures.draw_points, tracked=True, permpar=PermPar(12),
        flow=flow, error=error, extra=[SEED, ("by_mouse", False), *kind.items()],
    )  # fmt: skip


def _correlated(
    place: str, title: str, compute: Compute, draw: Draw, sessions: tuple[int, ...], flow: bool, **extra: Any
) -> Panel:
    return _usi(
        place, title, compute, draw, error="std", tracked=True, flow=flow, sesspar=SessPar(sess_n=sessions),
        permpar=PermPar(8, tails="lo"), extra=[SEED, ("permute", "tracking"), ("sig_only", False), *extra.items()],
    )  # fmt: skip


def _scatter(place: str, title: str, sessions: tuple[int, int], flow: bool = False) -> Panel:
    return _correlated(place, title, panel_data.scatter, figures.draw_usi_scatter, sessions, flow)


def _correlations(place: str, title: str, flow: bool = False) -> Panel:
    return _correlated(
        place, title, panel_data.correlations, figures.draw_correlations, (1, 2, 3), flow,
        consec_only=True, corr_type="corr",
    )  # fmt: skip


def _decoding(place: str, letter: str) -> Panel:
    unexpected = letter == "U"
    orientations = UNEXPECTED_ORIENTATIONS if unexpected else EXPECTED_ORIENTATIONS
    return _analysis(
        place, f"decoding of the mean orientation of {letter}", panel_data.scores, figures.draw_scores, DECODER_LOW,
        parallel=True, analyspar=SCALED, logregpar=LogRegPar(comp=f"{letter}ori", ctrl=not unexpected),
        stimpar=StimPar(orientations, 3 if unexpected else "ABCD".index(letter), 16, 0.45, 0),
        permpar=PermPar(60, tails="hi"), extra=[SEED, ("n_splits", 100)],
    )  # fmt: skip


def _timecourse(place: str, session: int) -> Panel:
    return _analysis(
        place, f"decoding of D and U frame by frame, session {session}", panel_data.timecourses,
        figures.draw_score_timecourses, TIMECOURSE_LOW, parallel=True,
        sesspar=SessPar(sess_n=(session,)), analyspar=SCALED, logregpar=LogRegPar(comp=("Dori", "Uori")),
        stimpar=SEQUENCE, permpar=PermPar(8, 10_000, tails="hi"), extra=[SEED, ("n_splits", 100)],
    )  # fmt: skip


def _single_trials(place: str, title: str, stimpar: StimPar, **extra: int) -> Panel:
    return _dataset(
        place, title, panel_examples.example_responses, figures_examples.draw_example_responses,
        sesspar=SESSION_1, analyspar=SCALED, basepar=BASE, stimpar=stimpar,
        extra=[SEED, ("n_ex", 6), ("rolling_win", 4), *extra.items()],
    )  # fmt: skip


def _tracking(place: str, kind: str, mouse: int, plane: str) -> Panel:
    return _dataset(
        place, f"tracking of {kind} ROIs by the order of sessions",
        panel_examples.tracking_examples, figures_examples.draw_tracking_examples,
        sesspar=SessPar(mouse_n=mouse, plane=plane), analyspar=TRACKED,
    )  # fmt: skip


def _edges(place: str, title: str, split: str) -> Panel:
    return _traces(place, title, StimPar(pre=2, post=2, stimtype="both", **SHOWN_FLOW), split, "dataset")


# ---------------------------------------------------------------- the analysis paper


ANALYSIS_PANELS: tuple[Panel, ...] = (
    _analysis("1A", "the two stimuli"),
    _analysis(
        "1B", "example imaging planes, one per group",
        panel_examples.imaging_planes, figures_examples.draw_imaging_planes, sesspar=EXAMPLE_PLANES,
    ),
    _analysis("1C", "the experiment and its sessions"),
    _analysis(
        "1D", "tracked ROIs over the imaging planes of three sessions",
        panel_examples.overlays_with_planes, figures_examples.draw_overlays,
        sesspar=SessPar(mouse_n=EXAMPLES), analyspar=TRACKED,
    ),
    _analysis("1E", "expected and unexpected Gabor sequences"),
    _analysis("1F", "hypotheses on learning"),
    _traces("2A", "traces around expected D and unexpected U, sessions 1 to 3", SEQUENCE, "by_exp"),
    _differences("2B", "difference of the responses to U and D, sessions 1 to 3", SEQUENCE, "by_exp"),
    _relative("2C", "responses relative to session 1: expected frames, unexpected U and G", FRAMES),
    _traces("3A", "traces in the early and the late third of each session", SEQUENCE, "by_exp", thirds=True),
    _analysis(
        "3B", "difference of U and D, early against late third",
        panel_data.thirds_differences, figures.draw_thirds, LOW, analyspar=SCALED, basepar=BASE, stimpar=SEQUENCE,
        permpar=PermPar(12), extra=[SEED, ("split", "by_exp"), ("thirds", True)],
    ),
    _usi(
        "4A", "traces of example ROIs with high, no and low USI",
        panel_examples.example_rois, figures_examples.draw_example_rois,
        sesspar=SESSION_1, stimpar=StimPar(pre=(0, 0.9)), permpar=ROI_PERMUTED, extra=[SEED],
    ),
    _usi(
        "4B", "USI of one ROI over its null distribution", panel_examples.example_null, figures.draw_null,
        sesspar=SessPar(line="L23", mouse_n=1, plane="soma", sess_n=(1,)), permpar=ROI_PERMUTED, extra=[SEED],
    ),
    _usi(
        "4C", "distributions of USIs and of their percentiles", panel_data.index_distributions,
        figures.draw_percentiles, sesspar=SESSION_1, permpar=ROI_PERMUTED, extra=[SEED, ("n_bins", 40)],
    ),
    _significant("4D", "percent of ROIs with a significant USI", 8, by_mouse=False, common_oris=False),
    _significant(
        "4E", "percent of ROIs with a significant USI, orientations common to D and U", 8,
        replace(D_AND_U, gab_ori=COMMON_ORIENTATIONS), by_mouse=False, common_oris=True,
    ),
    _tracked_usis("4F", "USI of each tracked ROI over the sessions"),
    _mean_usi("4G", "mean |USI| of tracked ROIs", absolute=True),
    _mean_usi("4H", "variance of the USIs of tracked ROIs", error="std", absolute=False, stat="var"),
    _significant("5A", "percent of ROIs with a significant USI, by mouse", 22, by_mouse=True),
    _relative("5B", "relative responses of tracked ROIs", FRAMES, tracked=True),
    _usi(
        "5C", "mean |USI| of tracked ROIs, by mouse", panel_data.index_statistics, figures.draw_points,
        tracked=True, extra=[("absolute", True), ("by_mouse", True)],
    ),
    _analysis("6A", "the visual flow stimulus"),
    _traces("6B", "traces around the onset of unexpected visual flow", FLOW, "unexp_lock"),
    _differences("6C", "difference of responses around the onset of unexpected flow", FLOW, "unexp_lock"),
    _relative("7A", "responses to visual flow relative to session 1", replace(FLOW, pre=0, post=1)),
    _analysis(
        "7B", "change of unexpected responses, Gabors against visual flow",
        panel_data.response_changes, figures.draw_changes, LOW, analyspar=replace(RAW, error="std"),
        permpar=PermPar(5), stimpar=replace(BOTH, gabfr=((0, 1, 2), (3, 4)), pre=(0, 0), post=(0.3, 1)),
        extra=[SEED, ("comp_sess", (1, 3)), ("datatype", "rel_unexp_resp"), ("pop_stats", True), ("rel_sess", 1)],
    ),
    _tracked_usis("7C", "USI to visual flow of each tracked ROI over the sessions", flow=True),
    _mean_usi("7D", "mean |USI| to visual flow of tracked ROIs", flow=True, absolute=True),
    _analysis(
        "7E", "change of |USI|, Gabors against visual flow",
        panel_data.index_changes, figures.draw_changes, LOW, analyspar=replace(TRACKED, error="std"), basepar=BASE,
        idxpar=IdxPar(("by_exp", "unexp_lock")), permpar=PermPar(5), stimpar=replace(BOTH, pre=(0, 2), post=(0.6, 2)),
        extra=[SEED, ("comp_sess", (1, 3)), ("datatype", "usis"), ("pop_stats", True)],
    ),
    _analysis(
        "8A", "running and pupil around D and U",
        panel_data.behaviour_traces, figures_examples.draw_behaviour_traces,
        sesspar=SESSION_1, analyspar=BEHAVIOUR, basepar=BASE, stimpar=SEQUENCE, extra=[("split", "by_exp")],
    ),
    _analysis(
        "8B", "difference of running and pupil between U and D, by block",
        panel_data.behaviour_blocks, figures_examples.draw_blocks, LOW,
        sesspar=SESSION_1, analyspar=BEHAVIOUR, stimpar=D_AND_U, permpar=PermPar(n_perms=10_000), extra=[SEED],
    ),
    _scatter("9A", "Gabor USIs in sessions 1 and 2", (1, 2)),
    _scatter("9B", "Gabor USIs in sessions 2 and 3", (2, 3)),
    _correlations("9C", "correlation of Gabor USIs between sessions"),
    _scatter("9D", "visual flow USIs in sessions 1 and 2", (1, 2), flow=True),
    _scatter("9E", "visual flow USIs in sessions 2 and 3", (2, 3), flow=True),
    _correlations("9F", "correlation of visual flow USIs between sessions", flow=True),
    _decoding("10A", "A"),
    _decoding("10B", "B"),
    _decoding("10C", "C"),
    _decoding("10D", "D"),
    _decoding("10E", "U"),
    _timecourse("11A", 1),
    _timecourse("11B", 2),
    _timecourse("11C", 3),
)  # fmt: skip


# ---------------------------------------------------------------- the dataset paper


DATASET_PANELS: tuple[Panel, ...] = (
    _dataset("1A", "the experiment"),
    _dataset(
        "1B", "example imaging planes, one per group",
        panel_examples.imaging_planes, figures_examples.draw_imaging_planes, sesspar=EXAMPLE_PLANES,
    ),
    _dataset("1C", "the sessions"),
    _dataset("2A", "how ROIs are matched across sessions"),
    _dataset(
        "2B", "tracked ROIs over the imaging planes of three sessions",
        panel_examples.overlays_with_planes, figures_examples.draw_overlays,
        sesspar=SessPar(mouse_n=EXAMPLES), analyspar=TRACKED,
    ),
    _dataset(
        "2C", "overlays of tracked ROIs", panel_examples.overlays, figures_examples.draw_overlays,
        sesspar=SessPar(mouse_n=EXAMPLES), analyspar=TRACKED, extra=[("mark_crop_only", True)],
    ),
    _dataset(
        "2D", "close-ups of the overlays", panel_examples.overlays, figures_examples.draw_close_ups,
        sesspar=SessPar(mouse_n=EXAMPLES), analyspar=TRACKED,
    ),
    _dataset("3A", "the Gabor sequences"),
    _dataset("3B", "the visual flow"),
    _dataset("4A", "image of a running mouse"),
    _dataset("4B", "image of a pupil"),
    _single_trials("5A", "example ROIs, expected Gabor sequences", SEQUENCE, unexp=0),
    _single_trials("5B", "example ROIs, unexpected Gabor sequences", SEQUENCE, unexp=1),
    _single_trials("5C", "example ROIs, onset of unexpected nasal flow", replace(FLOW, visflow_dir="nasal")),
    _single_trials("5D", "example ROIs, onset of unexpected temporal flow", replace(FLOW, visflow_dir="temp")),
    _dataset(
        "6A", "running and pupil over a whole session", panel_data.full_session, figures_examples.draw_full_session,
        sesspar=SessPar(sess_n=(1,), mouse_n=1), analyspar=BEHAVIOUR,
    ),
    _dataset(
        "6B", "histograms of running and pupil", panel_data.histograms, figures_examples.draw_behaviour_histograms,
        analyspar=BEHAVIOUR,
    ),
    _dataset(
        "7A", "signal-to-noise ratio of ROIs", panel_examples.signal_to_noise_ratios, figures_examples.draw_roi_values,
        analyspar=RAW,
    ),
    _dataset(
        "7B", "mean signal of ROIs", panel_examples.mean_signals, figures_examples.draw_roi_values, analyspar=RAW,
    ),
    _dataset(
        "7C", "correlations of pairs of ROIs", panel_examples.roi_correlations, figures_examples.draw_roi_correlations,
        analyspar=RAW, extra=[("rolling_win", 4)],
    ),
    _tracking("8A", "dendritic", 6, "dend"),
    _tracking("8B", "somatic", 4, "soma"),
    _edges("9A", "traces around the onset of the stimuli", "stim_onset"),
    _edges("9B", "traces around the end of the stimuli", "stim_offset"),
)  # fmt: skip
