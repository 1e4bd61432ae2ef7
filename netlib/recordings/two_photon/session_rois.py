"""ROIs of a session: dF/F around events in one read, scale factors, masks, the order of tracked cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from netlib.recordings.two_photon.tracking import threshold_masks, tracked_order
from netlib.recordings.two_photon.windows import (
    inside,
    read_block,
    read_columns,
    read_windows,
    window_size,
    window_times,
)
from netlib.units import check_choice

if TYPE_CHECKING:
    import xarray

__all__ = ["SessionRois"]


class SessionRois:
    """The part of :class:`~netlib.recordings.two_photon.session.Session` about ROIs and their traces.

    Attributes
    ----------
    columns : ndarray of int, shape (n_rois,)
        Place of each ROI in the file.
    """

    @property
    def tracked_only(self) -> bool:
        """Whether only tracked ROIs are seen, in the order of tracking."""
        return self._tracked_only

    @tracked_only.setter
    def tracked_only(self, value: bool) -> None:
        self.columns = self.tracked_order() if value else np.arange(self._parts.dff.shape[1])
        self._tracked_only = bool(value)

    @property
    def n_rois(self) -> int:
        """Number of ROIs."""
        return len(self.columns)

    @property
    def roi_ids(self) -> np.ndarray:
        """Identifier of each ROI."""
        return self._parts.roi_ids[self.columns]

    @property
    def tracking_ids(self) -> np.ndarray | None:
        """Tracking number of each ROI, NaN where untracked; None if the session was not tracked."""
        return None if self._parts.tracking_ids is None else self._parts.tracking_ids[self.columns]

    def tracked_order(self) -> np.ndarray:
        """Indices in the file of the tracked ROIs: entry k is the same cell in each session of the mouse.

        Raises
        ------
        KeyError
            If the session was not tracked.
        """
        if self._parts.tracking_ids is None:
            raise KeyError(f"tracking_id: the ROIs of {self} are not tracked over sessions")
        return tracked_order(self._parts.tracking_ids)

    def dff(
        self,
        events: pd.DataFrame | ArrayLike,
        pre: float,
        post: float,
        *,
        rois: ArrayLike | None = None,
        scale: bool = False,
        nan: str = "flag",
        dtype: Any = np.float64,
    ) -> xarray.DataArray:
        """dF/F around events, in one read of just the frames that it takes.

        The window of an event at frame ``ref`` is ``ref - round(pre * fps)`` up to, without,
        ``ref + round(post * fps)``. Events whose window leaves the recording are dropped.

        Parameters
        ----------
        events : DataFrame or array_like of int
            Rows of the trials table (``stim.select(...)``), or two-photon frames.
        pre, post : float
            Time before and after each event (s).
        rois : array_like of int, optional
            Numbers of the ROIs, by default all.
        scale : bool
            (x - median) / (p95 - p5) of each ROI over the whole session (see :meth:`scale_factors`).
        nan : {"flag", "drop", "raise"}
            What to do about ROIs with NaN in a window: keep them, with the coordinate ``has_nan`` true; leave
            them out; or raise a ValueError.
        dtype : data type
            float32 takes half the memory.

        Returns
        -------
        DataArray, dims (trial, roi, time)
            Coordinates: ``trial`` (index of the table, or place in ``events``), ``roi``, ``roi_id``,
            ``has_nan``, ``time`` (s), and with a table ``unexpected`` and ``orientation``. The attribute
            ``dropped`` lists the trials left out, ``dropped_rois`` the ROIs.

        Raises
        ------
        ValueError
            If no event is left, or a number is out of range.
        """
        check_choice("nan", nan, ("flag", "drop", "raise"))
        self._check_open()
        places = self._places(rois)
        starts, length, coords, attrs = self._window(events, pre, post, "twop", self.fps)
        values = read_windows(self._parts.dff, starts, length, self.columns[places], dtype)
        if scale:
            median, spread = self.scale_factors(places)
            with np.errstate(divide="ignore", invalid="ignore"):
                values -= median[:, None]
                values /= spread[:, None]
        has_nan = np.isnan(values).any(axis=(0, 2))
        if nan == "raise" and has_nan.any():
            raise ValueError(f"dff of {self} holds NaN around these events in ROIs {places[has_nan].tolist()}")
        keep = ~has_nan if nan == "drop" else slice(None)
        coords |= {
            "roi": places[keep],
            "roi_id": ("roi", self.roi_ids[places][keep]),
            "has_nan": ("roi", has_nan[keep]),
        }
        attrs |= {"dropped_rois": places[has_nan].tolist() if nan == "drop" else [], "scaled": scale}
        values = values[:, keep] if nan == "drop" else values
        return self._labelled(values, ("trial", "roi", "time"), coords, attrs, "dff")

    def traces(self, rois: ArrayLike | None = None, frames: slice = slice(None), *, scale: bool = False) -> np.ndarray:
        """Whole dF/F traces, or a stretch of them, as float64 (n_rois, n_frames)."""
        self._check_open()
        places = self._places(rois)
        n_frames = len(self.twop_times)
        first, last, step = frames.indices(n_frames)
        if step != 1 or last <= first:
            raise ValueError(f"frames = {frames}: it must be a slice of step 1, not empty, of {n_frames} frames")
        values = read_block(self._parts.dff, slice(first, last), self.columns[places]).T.astype(np.float64)
        if scale:
            median, spread = self.scale_factors(places)
            values = (values - median[:, None]) / spread[:, None]
        return values

    def scale_factors(self, rois: ArrayLike | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Median and p95 - p5 of the dF/F of each ROI over the whole session, NaN left out.

        Traces are read some at a time, once.

        Returns
        -------
        tuple of ndarray, shape (n_rois,)
            NaN for a ROI of nothing but NaN; the range of a flat trace is 0.
        """
        median, spread, _ = self._whole_session(rois)
        return median, spread

    def nan_rois(self, rois: ArrayLike | None = None) -> np.ndarray:
        """Tell for each ROI whether its trace has a NaN anywhere in the session."""
        return self._whole_session(rois)[2] > 0

    def masks(self, *, raw: bool = False) -> np.ndarray:
        """Masks of the ROIs (n_rois, height, width): boolean (weights of 0.1 up), or the ``raw`` weights.

        Raises
        ------
        KeyError
            If the session has none.
        """
        if self._parts.masks is None:
            raise KeyError(f"image_mask: {self} has no masks of its ROIs")
        self._check_open()
        weights = self._parts.masks[:][self.columns]
        return weights if raw else threshold_masks(weights)

    @property
    def max_projection(self) -> np.ndarray:
        """Maximum projection of the plane (0 to 255), shape (height, width)."""
        if self._parts.max_projection is None:
            raise KeyError(f"max_projection: {self} has none")
        self._check_open()
        return self._parts.max_projection[:]

    def spikes(self) -> list[np.ndarray] | None:
        """True spike times (s) of simulated cells, or None."""
        self._check_open()
        return self._parts.read_spikes()

    def truth(self) -> pd.DataFrame | None:
        """What the simulation knows of its cells, or None."""
        self._check_open()
        return self._parts.read_truth()

    def _places(self, rois: ArrayLike | None) -> np.ndarray:
        if rois is None:
            return np.arange(self.n_rois)
        places = np.atleast_1d(np.asarray(rois))
        if places.dtype == bool and places.shape == (self.n_rois,):
            return np.flatnonzero(places)
        if places.ndim != 1 or places.dtype.kind not in "iu" or not places.size:
            raise ValueError(f"rois = {rois!r}: it must be a list of numbers of ROIs in [0, {self.n_rois})")
        bad = places[(places < 0) | (places >= self.n_rois)]
        if bad.size:
            raise ValueError(f"rois holds {bad[0]}: {self} has ROIs in [0, {self.n_rois})")
        return places

    def _whole_session(self, rois: ArrayLike | None) -> np.ndarray:
        columns = self.columns[self._places(rois)]
        new = np.unique(columns[np.isnan(self._scale[2, columns])])
        if new.size:
            self._check_open()
        for place, block in read_columns(self._parts.dff, new):
            low, median, high = np.full((3, len(block)), np.nan)
            holed = np.isnan(block).any(axis=1)
            for roi, trace in enumerate(block):
                good = trace[~np.isnan(trace)] if holed[roi] else trace
                if good.size:
                    low[roi], median[roi], high[roi] = np.percentile(good, [5, 50, 95])
            self._scale[:, new[place]] = median, high - low, holed
        return self._scale[:, columns]

    def _window(
        self, events: pd.DataFrame | ArrayLike, pre: float, post: float, clock: str, fps: float
    ) -> tuple[np.ndarray, int, dict, dict]:
        """Starts and length of the windows inside the recording; coordinates and attributes of what is read."""
        frames, labels, facts = self._events(events, clock)
        n_pre, n_post = window_size(pre, post, fps)
        n_frames = len(self.twop_times if clock == "twop" else self.stim_times)
        keep = inside(frames, n_pre, n_post, n_frames)
        if not keep.any():
            raise ValueError(
                f"none of {len(frames)} events has its window of {n_pre} + {n_post} {clock} frames inside the "
                f"recording's {n_frames} frames: shorten pre = {pre:g} s or post = {post:g} s"
            )
        coords = {"trial": labels[keep], "time": ("time", window_times(n_pre, n_post, fps), {"units": "s"})}
        coords |= {name: ("trial", values[keep]) for name, values in facts.items()}
        attrs = {"dropped": labels[~keep].tolist(), "fps": fps, "n_pre": n_pre, "n_post": n_post}
        return frames[keep] - n_pre, n_pre + n_post, coords, attrs

    def _events(self, events: pd.DataFrame | ArrayLike, clock: str) -> tuple[np.ndarray, np.ndarray, dict]:
        if isinstance(events, pd.DataFrame):
            column = f"start_frame_{clock}"
            if column not in events:
                raise KeyError(f"events lacks the column {column!r}: give rows of session.trials")
            names = {"unexpected": "unexpected", "orientation": "gabor_mean_orientation"}
            facts = {name: events[c].to_numpy() for name, c in names.items() if c in events}
            frames, labels = events[column].to_numpy(), events.index.to_numpy()
        else:
            frames, facts = np.atleast_1d(np.asarray(events)), {}
            labels = np.arange(len(frames))
        if frames.ndim != 1 or not frames.size or frames.dtype.kind not in "iu":
            raise ValueError(
                f"events has shape {frames.shape} and type {frames.dtype}: it must be rows of session.trials or "
                "a list of whole frames, not empty"
            )
        return frames.astype(np.int64), labels, facts

    @staticmethod
    def _labelled(values: np.ndarray, dims: tuple, coords: dict, attrs: dict, name: str) -> xarray.DataArray:
        import xarray

        return xarray.DataArray(values, dims=dims, coords=coords, attrs=attrs, name=name)
