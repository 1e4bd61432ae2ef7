"""Names that users of the published analysis code know, each a line or two over the methods of this library.

The code that belongs to Gillon, Pina et al. 2024, J Neurosci 44(5), doi:10.1523/JNEUROSCI.1009-23.2023. Where
that returned tables with seven levels of labels, these return arrays; time axes are right (see
:func:`netlib.recordings.two_photon.windows.window_times`). Of dF/F there is one kind, so there is no ``fluor`` to
choose.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from netlib.recordings.two_photon.tracking import register_masks
from netlib.recordings.two_photon.windows import inside, window_size, window_times
from netlib.units import check_choice

if TYPE_CHECKING:
    from netlib.recordings.two_photon.stim import Stim

__all__ = ["SessionNames"]

PUPIL_TYPES = {"pup_diam": "diameter", "pup_center_x": "x", "pup_center_y": "y"}
CLOCKS = ("stim", "twop")


class SessionNames:
    """Published names on :class:`~netlib.recordings.two_photon.session.Session`."""

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
        """Facts of the session, such as ``mouse_n``, are those of ``metadata``."""
        if name != "metadata" and name in type(self.metadata).names():
            return getattr(self.metadata, name)
        raise AttributeError(f"{type(self).__name__!r} has no attribute {name!r}")

    @property
    def stims(self) -> list[Stim]:
        """Gabors and visual flow, those shown."""
        shown = set(self.trials["stimulus_type"])
        return [self.stim(name) for name in ("gabors", "visflow") if name in shown]

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

    def get_stim(self, stimtype: str = "gabors") -> Stim:
        return self.stim(stimtype)

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
        """Masks moved by a matrix of :attr:`netlib.recordings.two_photon.tracking.RoiTracking.transforms`."""
        return register_masks(self.masks(), matrix)

    def set_only_tracked_rois(self, only_tracked_rois: bool = True) -> None:
        self.tracked_only = only_tracked_rois

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
