"""Every panel of the two papers: what it shows, with which parameters, what computes it and what draws it.

Panels of the analysis paper (Gillon, Pina et al. 2024, J Neurosci 44(5) e1009232023) and of the dataset paper
(Gillon, Lecoq et al. 2023, Sci Data 10:287). A panel is named by paper, figure and letter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from netlib.base.checks import check_choice
from netlib.openscope import figures, figures_examples, panel_data, panel_examples
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

__all__ = ["PAPERS", "Panel", "find_panels", "panel", "panels_of"]


# -------------------- Every panel of the two papers: what it shows, with which parameters, what computes it and ...


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


# -------------------- Panels of the analysis paper (Gillon, Pina et al. 2024, J Neurosci 44(5) e1009232023), with ...


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


def _analysis_panel(
    place: str,
    title: str,
    compute: Compute = None,
    draw: Draw = None,
    low: int = 0,
    parallel: bool = False,
    **parameters: Any,
) -> Panel:
    """A panel of this paper at ``place``, such as ``"4D"``."""
    extra = tuple(sorted(parameters.pop("extra", ())))
    made = Parameters(**parameters, extrapar=extra)
    return Panel("analysis", place[:-1], place[-1], title, compute, draw, made, low, parallel)


def _traces(place: str, title: str, stimpar: StimPar, split: str, thirds: bool = False) -> Panel:
    extra = [("split", split), *([("thirds", True)] if thirds else [])]
    return _analysis_panel(
        place, title, panel_data.sequence_traces, figures_examples.draw_traces,
        analyspar=AnalysPar(), basepar=BasePar(), stimpar=stimpar, extra=extra,
    )  # fmt: skip


def _differences(place: str, title: str, stimpar: StimPar, split: str) -> Panel:
    return _analysis_panel(
        place, title, panel_data.differences, figures.draw_points, LOW,
        analyspar=AnalysPar(), basepar=BasePar(), stimpar=stimpar, permpar=PERMUTED, extra=[SEED, ("split", split)],
    )  # fmt: skip


def _relative(place: str, title: str, stimpar: StimPar, tracked: bool = False) -> Panel:
    return _analysis_panel(
        place, title, panel_data.relative_responses, figures.draw_points, LOW,
        analyspar=replace(RAW, tracked=tracked), stimpar=stimpar, permpar=PERMUTED, extra=[SEED, ("rel_sess", 1)],
    )  # fmt: skip


def _usi(
    place: str, title: str, function: Compute, draw: Draw, *, low: int = LOW, error: str = "sem", tracked: bool = False,
    flow: bool = False, stimpar: StimPar | None = None, **parameters: Any,
) -> Panel:  # fmt: skip
    return _analysis_panel(
        place, title, function, draw, low if parameters.get("permpar") else 0,
        analyspar=AnalysPar(error=error, tracked=tracked), basepar=BasePar(), idxpar=FLOW_USI if flow else GABOR_USI,
        stimpar=stimpar or (FLOW if flow else D_AND_U), **parameters,
    )  # fmt: skip


def _correlation(place: str, title: str, sessions: tuple[int, ...], flow: bool) -> Panel:
    extra = [SEED, ("permute", "tracking"), ("sig_only", False)]
    both = len(sessions) == 3
    return _analysis_panel(
        place, title, panel_data.correlations if both else panel_data.scatter,
        figures.draw_correlations if both else figures.draw_usi_scatter, LOW,
        sesspar=SessPar(sess_n=sessions), analyspar=AnalysPar(error="std", tracked=True), basepar=BasePar(),
        idxpar=FLOW_USI if flow else GABOR_USI, stimpar=FLOW if flow else D_AND_U, permpar=PermPar(8, tails="lo"),
        extra=[*extra, ("consec_only", True), ("corr_type", "corr")] if both else extra,
    )  # fmt: skip


def _decoding(letter: str, frame: str) -> Panel:
    unexpected = frame == "U"
    return _analysis_panel(
        f"10{letter}", f"decoding of the mean orientation of {frame}", panel_data.scores,
        figures.draw_scores, DECODER_LOW, True,
        analyspar=AnalysPar(), logregpar=LogRegPar(comp=f"{frame}ori", ctrl=not unexpected),
        stimpar=StimPar(
            UNEXPECTED_ORIENTATIONS if unexpected else EXPECTED_ORIENTATIONS,
            3 if unexpected else "ABCD".index(frame), 16, 0.45, 0,
        ),
        permpar=PermPar(60, tails="hi"), extra=[SEED, ("n_splits", 100)],
    )  # fmt: skip


def _timecourse(letter: str, session: int) -> Panel:
    return _analysis_panel(
        f"11{letter}", f"decoding of D and U frame by frame, session {session}", panel_data.timecourses,
        figures.draw_score_timecourses, TIMECOURSE_LOW, True,
        sesspar=SessPar(sess_n=(session,)), analyspar=AnalysPar(), logregpar=LogRegPar(comp=("Dori", "Uori")),
        stimpar=SEQUENCE, permpar=PermPar(8, 10_000, tails="hi"), extra=[SEED, ("n_splits", 100)],
    )  # fmt: skip


def _significant(place: str, title: str, multcomp: int, stimpar: StimPar = D_AND_U, **extra: bool) -> Panel:
    return _usi(
        place, title, panel_data.percent_significant, figures.draw_percent_significant, error="std",
        stimpar=stimpar, sesspar=SESSION_1, permpar=PermPar(multcomp, 10_000), extra=[SEED, *extra.items()],
    )  # fmt: skip


def _mean_usi(place: str, title: str, **kind: Any) -> Panel:
    return _usi(
        place, title, panel_data.index_statistics, figures.draw_points, tracked=True, permpar=PermPar(12),
        flow=kind.pop("flow", False), error=kind.pop("error", "sem"), extra=[SEED, ("by_mouse", False), *kind.items()],
    )  # fmt: skip


def _tracked_usis(place: str, title: str, flow: bool) -> Panel:
    return _usi(place, title, panel_data.tracked_usis, figures.draw_tracked, tracked=True, flow=flow)


ANALYSIS_PANELS: tuple[Panel, ...] = (
    _analysis_panel("1A", "the two stimuli"),
    _analysis_panel(
        "1B", "example imaging planes, one per group", panel_examples.imaging_planes,
        figures_examples.draw_imaging_planes, sesspar=SessPar(sess_n=(1,), mouse_n=(1, 4, 6, 11)),
    ),
    _analysis_panel("1C", "the experiment and its sessions"),
    _analysis_panel(
        "1D", "tracked ROIs over the imaging planes of three sessions", panel_examples.overlays_with_planes,
        figures_examples.draw_overlays, sesspar=SessPar(mouse_n=(3, 4, 6, 11)), analyspar=AnalysPar(tracked=True),
    ),
    _analysis_panel("1E", "expected and unexpected Gabor sequences"),
    _analysis_panel("1F", "hypotheses on learning"),
    _traces("2A", "traces around expected D and unexpected U, sessions 1 to 3", SEQUENCE, "by_exp"),
    _differences("2B", "difference of the responses to U and D, sessions 1 to 3", SEQUENCE, "by_exp"),
    _relative("2C", "responses relative to session 1: expected frames, unexpected U and G", FRAMES),
    _traces("3A", "traces in the early and the late third of each session", SEQUENCE, "by_exp", thirds=True),
    _analysis_panel(
        "3B", "difference of U and D, early against late third", panel_data.thirds_differences,
        figures.draw_thirds, LOW, analyspar=AnalysPar(), basepar=BasePar(), stimpar=SEQUENCE,
        permpar=PermPar(12), extra=[SEED, ("split", "by_exp"), ("thirds", True)],
    ),
    _usi(
        "4A", "traces of example ROIs with high, no and low USI", panel_examples.example_rois,
        figures_examples.draw_example_rois,
        sesspar=SESSION_1, stimpar=StimPar(pre=(0, 0.9)), permpar=ROI_PERMUTED, extra=[SEED],
    ),
    _usi(
        "4B", "USI of one ROI over its null distribution", panel_examples.example_null,
        figures.draw_null,
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
    _tracked_usis("4F", "USI of each tracked ROI over the sessions", flow=False),
    _mean_usi("4G", "mean |USI| of tracked ROIs", absolute=True),
    _mean_usi("4H", "variance of the USIs of tracked ROIs", error="std", absolute=False, stat="var"),
    _significant("5A", "percent of ROIs with a significant USI, by mouse", 22, by_mouse=True),
    _relative("5B", "relative responses of tracked ROIs", FRAMES, tracked=True),
    _usi(
        "5C", "mean |USI| of tracked ROIs, by mouse", panel_data.index_statistics, figures.draw_points,
        tracked=True, extra=[("absolute", True), ("by_mouse", True)],
    ),
    _analysis_panel("6A", "the visual flow stimulus"),
    _traces("6B", "traces around the onset of unexpected visual flow", FLOW, "unexp_lock"),
    _differences("6C", "difference of responses around the onset of unexpected flow", FLOW, "unexp_lock"),
    _relative("7A", "responses to visual flow relative to session 1", replace(FLOW, pre=0, post=1)),
    _analysis_panel(
        "7B", "change of unexpected responses, Gabors against visual flow", panel_data.response_changes,
        figures.draw_changes, LOW, analyspar=replace(RAW, error="std"), permpar=PermPar(5),
        stimpar=replace(BOTH, gabfr=((0, 1, 2), (3, 4)), pre=(0, 0), post=(0.3, 1)),
        extra=[SEED, ("comp_sess", (1, 3)), ("datatype", "rel_unexp_resp"), ("pop_stats", True), ("rel_sess", 1)],
    ),
    _tracked_usis("7C", "USI to visual flow of each tracked ROI over the sessions", flow=True),
    _mean_usi("7D", "mean |USI| to visual flow of tracked ROIs", flow=True, absolute=True),
    _analysis_panel(
        "7E", "change of |USI|, Gabors against visual flow", panel_data.index_changes,
        figures.draw_changes, LOW, analyspar=AnalysPar(error="std", tracked=True), basepar=BasePar(),
        idxpar=IdxPar(("by_exp", "unexp_lock")), permpar=PermPar(5), stimpar=replace(BOTH, pre=(0, 2), post=(0.6, 2)),
        extra=[SEED, ("comp_sess", (1, 3)), ("datatype", "usis"), ("pop_stats", True)],
    ),
    _analysis_panel(
        "8A", "running and pupil around D and U", panel_data.behaviour_traces,
        figures_examples.draw_behaviour_traces, sesspar=SESSION_1, analyspar=BEHAVIOUR, basepar=BasePar(),
        stimpar=SEQUENCE, extra=[("split", "by_exp")],
    ),
    _analysis_panel(
        "8B", "difference of running and pupil between U and D, by block", panel_data.block_differences,
        figures_examples.draw_blocks, LOW, sesspar=SESSION_1, analyspar=BEHAVIOUR, stimpar=D_AND_U,
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


# -------------------- Panels of the dataset paper (Gillon, Lecoq et al. 2023, Sci Data 10:287), with its parameters


TRACKED = AnalysPar(tracked=True)
EXAMPLES = SessPar(mouse_n=(3, 4, 6, 11))


def _dataset_panel(place: str, title: str, compute: Compute = None, draw: Draw = None, **parameters: Any) -> Panel:
    extra = tuple(sorted(parameters.pop("extra", ())))
    return Panel("dataset", place[:-1], place[-1], title, compute, draw, Parameters(**parameters, extrapar=extra))


def _examples(letter: str, title: str, stimpar: StimPar, *extra: tuple[str, Any]) -> Panel:
    return _dataset_panel(
        f"5{letter}", title, panel_examples.example_responses, figures_examples.draw_example_responses,
        sesspar=SessPar(sess_n=(1,)), analyspar=AnalysPar(), basepar=BasePar(), stimpar=stimpar,
        extra=[("n_ex", 6), ("rolling_win", 4), ("seed", PAPER_SEED), *extra],
    )  # fmt: skip


def _tracking(letter: str, mouse: int, plane: str) -> Panel:
    return _dataset_panel(
        f"8{letter}", f"tracking of {'dendritic' if plane == 'dend' else 'somatic'} ROIs by the order of sessions",
        panel_examples.tracking_examples, figures_examples.draw_tracking_examples,
        sesspar=SessPar(mouse_n=mouse, plane=plane), analyspar=TRACKED,
    )  # fmt: skip


def _edges(letter: str, title: str, split: str) -> Panel:
    return _dataset_panel(
        f"9{letter}", title, panel_data.sequence_traces, figures_examples.draw_traces,
        analyspar=AnalysPar(), basepar=BasePar(), extra=[("split", split)],
        stimpar=StimPar(pre=2, post=2, stimtype="both", visflow_dir=DIRECTIONS, visflow_size=128),
    )  # fmt: skip


DATASET_PANELS: tuple[Panel, ...] = (
    _dataset_panel("1A", "the experiment"),
    _dataset_panel(
        "1B", "example imaging planes, one per group", panel_examples.imaging_planes,
        figures_examples.draw_imaging_planes, sesspar=SessPar(sess_n=(1,), mouse_n=(1, 4, 6, 11)),
    ),
    _dataset_panel("1C", "the sessions"),
    _dataset_panel("2A", "how ROIs are matched across sessions"),
    _dataset_panel(
        "2B", "tracked ROIs over the imaging planes of three sessions", panel_examples.overlays_with_planes,
        figures_examples.draw_overlays, sesspar=EXAMPLES, analyspar=TRACKED,
    ),
    _dataset_panel(
        "2C", "overlays of tracked ROIs", panel_examples.overlays, figures_examples.draw_overlays,
        sesspar=EXAMPLES, analyspar=TRACKED, extra=[("mark_crop_only", True)],
    ),
    _dataset_panel(
        "2D", "close-ups of the overlays", panel_examples.overlays, figures_examples.draw_close_ups,
        sesspar=EXAMPLES, analyspar=TRACKED,
    ),
    _dataset_panel("3A", "the Gabor sequences"),
    _dataset_panel("3B", "the visual flow"),
    _dataset_panel("4A", "image of a running mouse"),
    _dataset_panel("4B", "image of a pupil"),
    _examples("A", "example ROIs, expected Gabor sequences", StimPar(), ("unexp", 0)),
    _examples("B", "example ROIs, unexpected Gabor sequences", StimPar(), ("unexp", 1)),
    _examples("C", "example ROIs, onset of unexpected nasal flow", replace(FLOW, visflow_dir="nasal")),
    _examples("D", "example ROIs, onset of unexpected temporal flow", replace(FLOW, visflow_dir="temp")),
    _dataset_panel(
        "6A", "running and pupil over a whole session", panel_data.full_session,
        figures_examples.draw_full_session, sesspar=SessPar(sess_n=(1,), mouse_n=1), analyspar=BEHAVIOUR,
    ),
    _dataset_panel(
        "6B", "histograms of running and pupil", panel_data.histograms,
        figures_examples.draw_behaviour_histograms, analyspar=BEHAVIOUR,
    ),
    _dataset_panel(
        "7A", "signal-to-noise ratio of ROIs", panel_examples.signal_to_noise_ratios,
        figures_examples.draw_roi_values, analyspar=RAW,
    ),
    _dataset_panel(
        "7B", "mean signal of ROIs", panel_examples.mean_signals, figures_examples.draw_roi_values, analyspar=RAW,
    ),
    _dataset_panel(
        "7C", "correlations of pairs of ROIs", panel_examples.roi_correlations,
        figures_examples.draw_roi_correlations, analyspar=RAW, extra=[("rolling_win", 4)],
    ),
    _tracking("A", 6, "dend"),
    _tracking("B", 4, "soma"),
    _edges("A", "traces around the onset of the stimuli", "stim_onset"),
    _edges("B", "traces around the end of the stimuli", "stim_offset"),
)  # fmt: skip
