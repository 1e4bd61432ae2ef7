"""Running and pupil of a session: whole traces, and windows around events."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from netlib.recordings.two_photon import behaviour_signals as signals
from netlib.recordings.two_photon.session_parts import PUPIL
from netlib.recordings.two_photon.windows import read_windows
from netlib.units import check_choice

if TYPE_CHECKING:
    import xarray

__all__ = ["SessionBehaviour"]


class SessionBehaviour:
    """The part of :class:`~netlib.recordings.two_photon.session.Session` about running and pupil."""

    def running(self, *, interpolate: bool = True, scale: bool = False) -> np.ndarray:
        """Running velocity on the stimulus clock, without jumps of more than 50 cm/s in a frame.

        Parameters
        ----------
        interpolate : bool
            Bridge lost frames linearly; else they are NaN.
        scale : bool
            (x - median) / (p75 - p25) over the session.

        Returns
        -------
        ndarray, shape (n_stim_frames,)
            In cm/s. A warning says if more than 0.03 % of the frames are lost.

        Raises
        ------
        KeyError
            If the session has no running velocity.
        """
        if "running" not in self._signals and self._parts.running is not None:
            self._check_open()
            self._signals["running"] = signals.remove_jumps(self._parts.running[:])
        # A file without running still has the series, of NaN: its times are the stimulus clock.
        if "running" not in self._signals or np.isnan(self._signals["running"]).all():
            raise KeyError(f"running_velocity: {self} has no running velocity")
        return self._signal("running", interpolate, scale)

    def pupil(self, name: str = "diameter", *, interpolate: bool = True, scale: bool = False) -> np.ndarray:
        """Pupil ``diameter`` or position ``x`` or ``y`` (mm) on the two-photon clock; see :meth:`running`.

        Raises
        ------
        KeyError
            If the session has no such series; older files have no positions.
        """
        check_choice("pupil", name, PUPIL)
        if name not in self._parts.pupil:
            raise KeyError(f"{PUPIL[name]}: {self} has only {list(self._parts.pupil) or 'no pupil data'}")
        if name not in self._signals:
            self._check_open()
            self._signals[name] = np.array(self._parts.pupil[name][:], float)
        return self._signal(name, interpolate, scale)

    def running_around(
        self,
        events: pd.DataFrame | ArrayLike,
        pre: float,
        post: float,
        *,
        interpolate: bool = True,
        scale: bool = False,
    ) -> xarray.DataArray:
        """Running velocity around events, like :meth:`~netlib.recordings.two_photon.session.Session.dff` does.

        Parameters
        ----------
        events : DataFrame or array_like of int
            Rows of the trials table, or stimulus frames.
        pre, post : float
            Time before and after each event (s).
        interpolate, scale
            As in :meth:`running`.

        Returns
        -------
        DataArray, dims (trial, time)
        """
        values = self.running(interpolate=interpolate, scale=scale)
        return self._around(values, events, pre, post, "stim", self.stim_fps, "running")

    def pupil_around(
        self,
        events: pd.DataFrame | ArrayLike,
        pre: float,
        post: float,
        *,
        name: str = "diameter",
        interpolate: bool = True,
        scale: bool = False,
    ) -> xarray.DataArray:
        """Pupil around events (rows of the trials table, or two-photon frames); see :meth:`running_around`."""
        values = self.pupil(name, interpolate=interpolate, scale=scale)
        return self._around(values, events, pre, post, "twop", self.fps, PUPIL[name])

    def _around(self, values, events, pre, post, clock, fps, name) -> xarray.DataArray:
        starts, length, coords, attrs = self._window(events, pre, post, clock, fps)
        return self._labelled(read_windows(values, starts, length), ("trial", "time"), coords, attrs, name)

    def _signal(self, name: str, interpolate: bool, scale: bool) -> np.ndarray:
        values = self._signals[name]
        signals.nan_fraction(values, f"{name} of {self}")
        if interpolate:
            values = signals.bridge_nan(values, f"{name} of {self}")
        return signals.robust_scale(values) if scale else values.copy()
