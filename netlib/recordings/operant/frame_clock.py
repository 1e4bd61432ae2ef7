"""The clock of an imaging microscope: times of frames as a regular grid from the start of the session."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netlib.units import check_array

__all__ = ["FrameClock", "frame_clock"]


@dataclass(frozen=True, eq=False)
class FrameClock:
    """When frames were taken, and the regular grid that stands for them.

    Attributes
    ----------
    ends : ndarray, shape (n_frames,)
        End of each recorded frame (ms).
    dt : float
        Frame interval of the grid (ms).
    n : int
        Frames of the grid: frame k is [k dt, (k + 1) dt).
    regular : bool
        Whether each recorded frame is that of the grid, to half a frame; if not, activity must be laid on the grid.
    """

    ends: np.ndarray
    dt: float
    n: int
    regular: bool

    @property
    def duration(self) -> float:
        """Length of the session (ms)."""
        return self.n * self.dt

    def traces(self, values: np.ndarray) -> np.ndarray:
        """Sampled signals (n_cells, n_frames) on the grid, by linear interpolation where frames are not regular."""
        if self.regular:
            return values
        grid, centres = (np.arange(self.n) + 0.5) * self.dt, self.ends - self.dt / 2
        return np.stack([np.interp(grid, centres, row) for row in values])

    def counts(self, values: np.ndarray) -> np.ndarray:
        """Counts (n_cells, n_frames) on the grid: each goes to the frame that holds it, and none is lost."""
        if self.regular:
            return values
        frame = np.clip(((self.ends - self.dt / 2) // self.dt).astype(int), 0, self.n - 1)
        return np.stack([np.bincount(frame, row, self.n) for row in values])


def frame_clock(times: np.ndarray, source: str = "times") -> FrameClock:
    """Clock from the times of the frames.

    The last time is the length of the session, as in the published files, where each time ends a frame; times that
    begin at 0 are starts of frames, and the session lasts a frame longer.

    Parameters
    ----------
    times : ndarray, shape (n_frames,)
        Times (ms) from the start of the session.
    source : str
        What errors call them.

    Raises
    ------
    ValueError
        If there are fewer than two, or they are negative or not in order.
    """
    times = check_array(source, times, "ms", 0, ndim=1)
    if len(times) < 2:
        raise ValueError(f"{source} holds {len(times)} frame: truncated, a clock needs at least 2")
    steps = np.diff(times)
    if (steps <= 0).any():
        k = int(np.argmax(steps <= 0)) + 1
        raise ValueError(
            f"{source}: frame {k} at {times[k]:g} ms comes after one at {times[k - 1]:g} ms: "
            "frames are shuffled or damaged, times must rise"
        )
    typical, mean = float(np.median(steps)), float(steps.mean())
    dt = round(mean if abs(mean / typical - 1) < 0.001 else typical, 6)
    ends = times + (dt if times[0] < dt / 2 else 0.0)
    regular = bool(np.abs(ends - (np.arange(len(ends)) + 1) * dt).max() <= dt / 2)
    return FrameClock(ends, dt, len(ends) if regular else max(round(ends[-1] / dt), 1), regular)
