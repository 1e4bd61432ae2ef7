"""Sessions and stimuli under the names that users of the published analysis code know.

``PublishedSession(session)`` wraps a :class:`~netlib.openscope.session.Session`: the published names are here, every
other name is the session's own.

The code that belongs to Gillon, Pina et al. 2024, J Neurosci 44(5), doi:10.1523/JNEUROSCI.1009-23.2023. Where
that returned tables with seven levels of labels, these return arrays; time axes are right (see
:func:`netlib.openscope.windows.window_times`). Of dF/F there is one kind, so there is no ``fluor`` to
choose.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from netlib.base.checks import check_choice, check_type
from netlib.openscope.session import Gabors, Grayscr, Session, Stim, Visflow
from netlib.openscope.tracking import register_masks
from netlib.openscope.windows import inside, window_size, window_times

if TYPE_CHECKING:
    import xarray

__all__ = ["PublishedGabors", "PublishedGrayscr", "PublishedSession", "PublishedStim", "PublishedVisflow"]


PUPIL_TYPES = {"pup_diam": "diameter", "pup_center_x": "x", "pup_center_y": "y"}
CLOCKS = ("stim", "twop")


class PublishedSession:
    """A session under its published names.

    Attributes
    ----------
    session : Session
        The session; every name that is not here is looked up there, then in its metadata (``mouse_n``).
    """

    def __init__(self, session: Session) -> None:
        self.session = check_type("session", session, Session)

    stim_df = property(lambda self: self.trials)
    twop_fps = property(lambda self: self.fps)
    tot_twop_fr = property(lambda self: len(self.twop_times))
    tot_stim_fr = property(lambda self: len(self.stim_times))
    stim2twopfr = property(lambda self: self.stim_to_twop)
    twop2stimfr = property(lambda self: self.twop_to_stim)
    nrois = property(lambda self: self.n_rois)
    roi_names = property(lambda self: self.roi_ids)
    roi_masks = property(lambda self: self.masks())
    max_proj = property(lambda self: self.max_projection)
    tracked_rois = property(lambda self: self.tracked_order())
    only_tracked_rois = property(lambda self: self.tracked_only)
    n_stims = property(lambda self: len(self.stims))
    stimtypes = property(lambda self: [stim.stimtype for stim in self.stims])

    def __getattr__(self, name: str) -> Any:
        if name == "session":  # not yet set, as in a copy
            raise AttributeError(name)
        metadata = self.session.metadata
        return getattr(metadata if name in type(metadata).names() else self.session, name)

    @property
    def stims(self) -> list[PublishedStim]:
        """Gabors and visual flow, those shown."""
        shown = set(self.trials["stimulus_type"])
        return [self.get_stim(name) for name in ("gabors", "visflow") if name in shown]

    @property
    def roi_facts_df(self) -> pd.DataFrame:
        """Median and range (p95 - p5) of each ROI."""
        median, spread = self.scale_factors()
        return pd.DataFrame({"roi_id": self.roi_ids, "median": median, "range": spread})

    def extract_info(self, *_: Any, **__: Any) -> None:
        """Does nothing: everything is there once the session is open, and read when it is asked for."""

    load_roi_info = load_run_data = load_pup_data = extract_info

    def data_loaded(self) -> tuple[bool, bool, bool]:
        """Whether there are ROIs, running and pupil."""
        return True, self._parts.running is not None, bool(self._parts.pupil)

    def get_stim(self, stimtype: str = "gabors") -> PublishedStim:
        """The stimulus "gabors", "visflow" or "grayscr" under its published names."""
        stim = self.session.stim(stimtype)
        return STIMULI[type(stim)](self, stim)

    def get_nrois(self, rem_bad: bool = True) -> int:
        return int((~self.nan_rois()).sum()) if rem_bad else self.n_rois

    def get_bad_rois(self) -> np.ndarray:
        """Numbers of the ROIs with NaN in their traces; files leave other bad ROIs out."""
        return np.flatnonzero(self.nan_rois())

    def get_roi_traces(
        self, frames: ArrayLike | None = None, *, rem_bad: bool = True, scale: bool = False
    ) -> np.ndarray:
        """Traces (n_rois, n_frames), whole or at some frames."""
        traces = self.traces(np.flatnonzero(~self.nan_rois()) if rem_bad else None, scale=scale)
        return traces if frames is None else traces[:, np.asarray(frames)]

    def get_single_roi_trace(self, roi: int, *, scale: bool = False) -> np.ndarray:
        return self.traces([roi], scale=scale)[0]

    def get_roi_masks(self, raw: bool = False) -> np.ndarray:
        return self.masks(raw=raw)

    def get_registered_roi_masks(self, matrix: ArrayLike) -> np.ndarray:
        """Masks moved by a matrix of :attr:`netlib.openscope.tracking.RoiTracking.transforms`."""
        return register_masks(self.masks(), matrix)

    def set_only_tracked_rois(self, only_tracked_rois: bool = True) -> None:
        self.session.tracked_only = only_tracked_rois

    def get_active_rois(self, stimtype: str | None = None) -> np.ndarray:
        """Numbers of the ROIs whose trace, median filtered over 5 frames, exceeds its median + 3 sd."""
        from scipy.ndimage import median_filter

        rows = self.trials if stimtype is None else self.stim(stimtype).rows
        shown = np.concatenate([np.arange(*edge) for edge in rows[["start_frame_twop", "stop_frame_twop"]].to_numpy()])
        traces = median_filter(self.traces()[:, np.unique(shown)], (1, 5))
        limit = np.median(traces, axis=1) + 3 * np.std(traces, axis=1)
        return np.flatnonzero(traces.max(axis=1) > limit)

    def get_run_velocity(self, *, rem_bad: bool = True, scale: bool = False) -> np.ndarray:
        return self.running(interpolate=rem_bad, scale=scale)

    def get_run_velocity_by_fr(self, fr: ArrayLike, fr_type: str = "stim", **options: Any) -> np.ndarray:
        """Running velocity at frames of either clock, whatever the shape of ``fr``; NaN outside the stimuli."""
        frames = self.convert_frames(fr, fr_type, "stim")
        known = ~np.isnan(frames)
        values = np.full(frames.shape, np.nan)
        values[known] = self.get_run_velocity(**options)[frames[known].astype(int)]
        return values

    def get_pup_data(self, datatype: str = "pup_diam", *, rem_bad: bool = True, scale: bool = False) -> np.ndarray:
        name = PUPIL_TYPES[check_choice("datatype", datatype, PUPIL_TYPES)]
        return self.pupil(name, interpolate=rem_bad, scale=scale)

    def convert_frames(self, fr: ArrayLike, src: str = "twop", targ: str = "stim") -> np.ndarray:
        """Frames of one clock as the nearest of the other, as floats: NaN stays NaN, outside becomes NaN."""
        for name, clock in (("src", src), ("targ", targ)):
            check_choice(name, clock, CLOCKS)
        frames = np.array(fr, float)
        table = {"stim": self.stim_to_twop, "twop": self.twop_to_stim}[src]
        known = ~np.isnan(frames)
        if ((frames[known] < 0) | (frames[known] >= len(table))).any():
            raise ValueError(f"fr holds frames outside the {src} clock's [0, {len(table)})")
        if src != targ:
            frames[known] = table[frames[known].astype(int)]
        return frames

    def get_frames_timestamps(self, pre: float, post: float, fr_type: str = "twop") -> np.ndarray:
        fps = self.fps if check_choice("fr_type", fr_type, CLOCKS) == "twop" else self.stim_fps
        return window_times(*window_size(pre, post, fps), fps)

    def get_fr_ran(self, ref_fr: ArrayLike, pre: float, post: float, fr_type: str = "twop") -> np.ndarray:
        """Frames around each reference frame, (n_events, n_frames), without windows that leave the recording."""
        frames = self.check_flanks(ref_fr, (pre, post), fr_type)
        n_pre, n_post = window_size(pre, post, self.fps if fr_type == "twop" else self.stim_fps)
        return frames[:, None] + np.arange(-n_pre, n_post)

    def check_flanks(
        self, frs: ArrayLike, ch_fl: Sequence[float], fr_type: str = "twop", ret_idx: bool = False
    ) -> np.ndarray:
        """Those frames whose window of ``ch_fl`` = (pre, post) seconds is inside the recording, or their places."""
        check_choice("fr_type", fr_type, CLOCKS)
        fps, n = (self.fps, len(self.twop_times)) if fr_type == "twop" else (self.stim_fps, len(self.stim_times))
        frames = np.atleast_1d(np.asarray(frs, np.int64))
        keep = inside(frames, *window_size(*ch_fl, fps), n)
        return np.flatnonzero(keep) if ret_idx else frames[keep]


#: Codes of the Gabor frames.
GABFR = {0: ["A"], 1: ["B"], 2: ["C"], 3: ["D", "U"], 4: ["G"]}
#: Degrees of visual angle per pixel of the screen.
DEG_PER_PIX = 0.06251912565744862


class PublishedStim:
    """A stimulus under its published names; "any" means no restriction.

    Attributes
    ----------
    sess : PublishedSession
    stim : Stim
        The stimulus; every name that is not here is looked up there.
    """

    deg_per_pix = DEG_PER_PIX
    stim_fps = property(lambda self: self.session.stim_fps)
    stim_params = property(lambda self: self.parameters)
    seg_len_s = property(lambda self: self.parameters["segment_s"])

    def __init__(self, sess: PublishedSession, stim: Stim) -> None:
        self.sess, self.stim = sess, stim

    def __getattr__(self, name: str) -> Any:
        if name == "stim":  # not yet set, as in a copy
            raise AttributeError(name)
        return getattr(self.stim, name)

    def __len__(self) -> int:
        return len(self.stim)

    def get_stim_df_by_criteria(
        self,
        *,
        unexp: Any = "any",
        stim_seg: Any = "any",
        gabfr: Any = "any",
        gabk: Any = "any",
        gab_ori: Any = "any",
        visflow_size: Any = "any",
        visflow_dir: Any = "any",
        start_frame_twop: Any = "any",
    ) -> pd.DataFrame:
        """Rows that meet the criteria. ``gabfr``: letters, or 0 A, 1 B, 2 C, 3 D and U, 4 G."""
        criteria = {"rows": stim_seg, "frame": _letters(gabfr), "kappa": gabk, "orientation": gab_ori}
        criteria |= {"size": visflow_size, "direction": visflow_dir, "frames_twop": start_frame_twop}
        unexp = unexp[0] if isinstance(unexp, (list, tuple)) and len(unexp) == 1 else unexp
        if unexp in (0, 1):
            criteria["unexpected"] = bool(unexp)
        return self.select(**{k: v for k, v in criteria.items() if not (isinstance(v, str) and v == "any")})

    def get_segs_by_criteria(self, *, remconsec: bool = False, by: str = "seg", **criteria: Any) -> Any:
        """Numbers of the segments; ``remconsec``: the first of consecutive ones; ``by="block"``: one array each."""
        segs = self.get_stim_df_by_criteria(**criteria).index.to_numpy()
        segs = segs[np.diff(segs, prepend=-9) != 1] if remconsec else segs
        return self._by(segs, by)

    def get_frames_by_criteria(
        self, *, start_fr: bool = True, fr_type: str = "twop", by: str = "frame", **criteria: Any
    ) -> Any:
        """First frames of the segments, or all their frames; ``by="block"``: one array each."""
        segs = self.get_segs_by_criteria(by="block" if by == "block" else "seg", **criteria)
        if by == "block":
            return [self._frames(part, fr_type, start_fr) for part in segs]
        return self._frames(segs, fr_type, start_fr)

    def get_segs_by_frame(self, fr: ArrayLike, fr_type: str = "twop") -> np.ndarray:
        """Number of the segment shown at each frame, -1 where this stimulus was not shown."""
        start, stop = (self.rows[f"{edge}_frame_{fr_type}"].to_numpy() for edge in ("start", "stop"))
        fr = np.asarray(fr)
        place = np.searchsorted(start, fr, side="right") - 1
        return np.where((place >= 0) & (fr < stop[place]), self.rows.index.to_numpy()[place], -1)

    def get_fr_by_seg(
        self, segs: ArrayLike, fr_type: str = "twop", *, start: bool = True, stop: bool = True, ch_fl: Any = None
    ) -> pd.DataFrame:
        """First frames and frames after the last of segments; ``ch_fl`` (pre, post) drops those near the ends."""
        names = [f"{edge}_frame_{fr_type}" for edge, asked in (("start", start), ("stop", stop)) if asked]
        rows = self.rows.loc[np.asarray(segs)]
        if ch_fl is not None:
            rows = rows.iloc[self.sess.check_flanks(rows[f"start_frame_{fr_type}"], ch_fl, fr_type, ret_idx=True)]
        return rows[names]

    def get_n_fr_by_seg(self, segs: ArrayLike, fr_type: str = "twop") -> np.ndarray:
        return self.rows.loc[np.asarray(segs), f"num_frames_{fr_type}"].to_numpy()

    def get_start_unexp_segs(self, by: str = "seg") -> Any:
        """First segment of each unexpected run."""
        runs = self.runs()
        return self._by(runs.loc[runs["unexpected"], "start_seg"].to_numpy(), by)

    def get_all_unexp_segs(self, by: str = "seg") -> Any:
        return self._by(self.select(unexpected=True).index.to_numpy(), by)

    def get_start_unexp_stim_fr_trans(self, by: str = "frame") -> Any:
        """First stimulus frame of each unexpected run."""
        segs = self.get_start_unexp_segs("block" if by == "block" else "seg")
        return (
            [self._frames(part, "stim", True) for part in segs] if by == "block" else self._frames(segs, "stim", True)
        )

    def get_all_unexp_stim_fr(self) -> np.ndarray:
        return self._frames(self.get_all_unexp_segs(), "stim", False)

    def get_roi_data(
        self,
        ref_fr: ArrayLike,
        pre: float,
        post: float,
        *,
        integ: bool = False,
        rem_bad: bool = True,
        scale: bool = False,
    ) -> xarray.DataArray:
        """dF/F (trial, roi, time) around two-photon frames or rows, or its integral over the window."""
        data = self.session.dff(ref_fr, pre, post, scale=scale, nan="drop" if rem_bad else "flag")
        return data.sum("time", skipna=False) / self.session.fps if integ else data

    def get_run_data(
        self, ref_fr: ArrayLike, pre: float, post: float, *, rem_bad: bool = True, scale: bool = False
    ) -> xarray.DataArray:
        """Running velocity (trial, time) around stimulus frames or rows."""
        return self.session.running_around(ref_fr, pre, post, interpolate=rem_bad, scale=scale)

    def get_pup_diam_data(
        self, ref_fr: ArrayLike, pre: float, post: float, *, rem_bad: bool = True, scale: bool = False
    ) -> xarray.DataArray:
        """Diameter of the pupil (trial, time), mm, around two-photon frames or rows."""
        return self.session.pupil_around(ref_fr, pre, post, interpolate=rem_bad, scale=scale)

    def _by(self, segs: np.ndarray, by: str) -> Any:
        if check_choice("by", by, ("seg", "block")) == "seg":
            return segs
        block = self.structure["block"].loc[segs].to_numpy()
        return [segs[block == k] for k in np.unique(block)]

    def _frames(self, segs: np.ndarray, clock: str, first_only: bool) -> np.ndarray:
        check_choice("fr_type", clock, CLOCKS)
        rows = self.rows.loc[segs]
        start, stop = (rows[f"{edge}_frame_{clock}"].to_numpy() for edge in ("start", "stop"))
        return start if first_only else np.concatenate([np.arange(a, b) for a, b in zip(start, stop, strict=True)])


class PublishedGabors(PublishedStim):
    """The Gabor sequences under their published names."""

    n_segs_per_seq = 5
    n_patches = property(lambda self: int(self.rows["gabor_number"].max()))
    kappas = property(lambda self: self.parameters["kappa"])

    def get_A_segs(self, by: str = "seg") -> Any:
        return self.get_segs_by_criteria(gabfr=0, by=by)

    def get_A_frame_1s(self, by: str = "frame") -> Any:
        return self.get_frames_by_criteria(gabfr=0, fr_type="stim", by=by)

    def get_stim_par_by_seg(self, segs: ArrayLike, *, pos: bool = True, ori: bool = True, size: bool = True) -> dict:
        """Places and sizes (pixels) and orientations (degrees) of the patches of segments: arrays per segment."""
        wanted = {"gabor_locations_x": pos, "gabor_locations_y": pos, "gabor_orientations": ori, "gabor_sizes": size}
        found = {name: self.session.ragged(name) for name, asked in wanted.items() if asked}
        return {name: [rows[seg] for seg in np.asarray(segs)] for name, rows in found.items()}


class PublishedVisflow(PublishedStim):
    """The visual flow under its published names."""

    main_flow_direcs = property(lambda self: self.parameters["direction"])
    square_sizes = property(lambda self: self.parameters["size"])
    n_squares = property(lambda self: sorted(self.rows["square_number"].dropna().unique()))
    prop_flipped = property(lambda self: float(self.rows["square_proportion_flipped"].max()))

    def get_dir_segs_exp(self, by: str = "seg") -> dict[str, Any]:
        """Expected segments of each direction."""
        return {name: self.get_segs_by_criteria(visflow_dir=name, unexp=0, by=by) for name in self.main_flow_direcs}


class PublishedGrayscr(PublishedStim):
    """The gray screen under its published names."""

    def get_all_fr(self, fr_type: str = "stim") -> np.ndarray:
        return self._frames(self.rows.index, fr_type, False)

    def get_start_fr(self, fr_type: str = "stim") -> np.ndarray:
        return self.rows[f"start_frame_{fr_type}"].to_numpy()

    def get_stop_fr(self, fr_type: str = "stim") -> np.ndarray:
        return self.rows[f"stop_frame_{fr_type}"].to_numpy()


STIMULI = {Gabors: PublishedGabors, Visflow: PublishedVisflow, Grayscr: PublishedGrayscr}


def _letters(gabfr: Any) -> Any:
    if isinstance(gabfr, str):
        return gabfr
    codes = gabfr if isinstance(gabfr, (list, tuple, np.ndarray)) else [gabfr]
    return [letter for code in codes for letter in GABFR.get(code, [code])]
