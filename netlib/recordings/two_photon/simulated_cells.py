"""Cells that answer to a two-photon session by a formula, no network: rates per segment, spikes, planted surprise."""

from __future__ import annotations

import numpy as np
import pandas as pd

from netlib.orientation import von_mises
from netlib.recordings.fluorescence.calcium import Indicator
from netlib.recordings.two_photon.windows import window_size
from netlib.seeds import stream
from netlib.stimuli.schedule import Schedule
from netlib.units import check_integer

__all__ = ["add_surprise", "draw_cells", "draw_spikes", "epochs", "segment_rates", "slow_noise", "surprise_epochs"]

#: Window of the response from the onset of D or U (s): the frame itself and the gray after it.
WINDOW = 0.6


def draw_cells(seed: int, n: int, orientation_tuned: bool = True) -> pd.DataFrame:
    """Draw cells: how much each fires, to what.

    The distributions are assumptions of the order of what layer 2/3 shows; nothing is fitted.

    Returns
    -------
    DataFrame, one row per cell
        ``preferred`` (deg; NaN where untuned), ``B_theta`` (deg), ``baseline`` (Hz), ``amplitude`` (Hz; added by a
        frame of the preferred orientation), ``flow`` (Hz; added by visual flow), and one factor on the amplitude per
        letter, ``A`` to ``D``: the patches of a letter fall well or badly on a receptive field. U shares the factor
        of D, so that nothing but the planted surprise tells them apart.
    """
    n = check_integer("n", n, 1, unit="cells")
    rng = stream(seed, "simulated cells")
    cells = pd.DataFrame(
        {
            "preferred": rng.uniform(0, 180, n) if orientation_tuned else np.full(n, np.nan),
            "B_theta": rng.uniform(15.0, 35.0, n),
            "baseline": rng.gamma(4.0, 0.25, n),
            "amplitude": rng.gamma(4.0, 1.0, n),
            "flow": rng.gamma(2.0, 0.5, n),
        }
    )
    for letter in "ABCD":
        cells[letter] = rng.lognormal(-0.08, 0.4, n)
    return cells


def epochs(schedule: Schedule) -> np.ndarray:
    """Edges of the rows of a schedule (s after its first two-photon frame), and of the time before and after them.

    Epoch 0 comes before the first row, epoch k + 1 is row k, the last comes after the last row: shape (n_rows + 3,).
    """
    starts = schedule.trials["start_time_sec"].to_numpy() - schedule.twop_times[0]
    stop = schedule.trials["stop_time_sec"].iloc[-1] - schedule.twop_times[0]
    inner = np.clip(np.append(starts, stop), 0, schedule.duration)
    return np.concatenate([[0.0], inner, [schedule.duration]])


def surprise_epochs(schedule: Schedule) -> np.ndarray:
    """Whether each epoch is a U or the G after it, bool (n_rows + 2,)."""
    rows = schedule.trials
    flags = (rows["unexpected"] == 1) & rows["gabor_frame"].isin(["U", "G"])
    return np.concatenate([[False], flags.to_numpy(), [False]])


def segment_rates(cells: pd.DataFrame, schedule: Schedule, flow_surprise: float = 0.0) -> np.ndarray:
    """Rates (Hz) of the cells in each epoch, without surprise but for ``flow_surprise``, a fraction of ``flow``.

    Returns
    -------
    ndarray, shape (n_cells, n_rows + 2)
    """
    rows = schedule.trials
    rates = np.repeat(cells["baseline"].to_numpy()[:, None], len(rows) + 2, axis=1)
    inner = rates[:, 1:-1]
    letters, theta = rows["gabor_frame"].to_numpy(), rows["gabor_mean_orientation"].to_numpy()
    for letter in "ABCDU":
        factor = cells["D" if letter == "U" else letter].to_numpy() * cells["amplitude"].to_numpy()
        for angle in np.unique(theta[letters == letter]):
            # A cell without tuning answers to all orientations as much as a tuned one does on average.
            tuning = von_mises(angle, cells["preferred"].to_numpy(), cells["B_theta"].to_numpy())
            inner[:, (letters == letter) & (theta == angle)] += (factor * np.nan_to_num(tuning, nan=0.35))[:, None]
    moving = (rows["stimulus_type"] == "visflow").to_numpy()
    gain = 1 + flow_surprise * (rows["unexpected"].to_numpy()[moving] == 1)
    inner[:, moving] += cells["flow"].to_numpy()[:, None] * gain
    return np.maximum(rates, 0.0)


def slow_noise(rng: np.random.Generator, times: np.ndarray, sd: float, tau: float, n: int) -> np.ndarray:
    """Factors exp(x - sd²/2), of mean 1, x an Ornstein-Uhlenbeck process of that sd and time constant (s).

    Returns
    -------
    ndarray, shape (n, n_times)
    """
    from scipy.signal import lfilter

    step = min(0.5, tau / 10)
    grid = np.arange(times[0], times[-1] + 2 * step, step)
    keep = np.exp(-step / tau)
    kicks = rng.standard_normal((n, len(grid))) * sd
    kicks[:, 1:] *= np.sqrt(1 - keep**2)
    slow = lfilter([1.0], [1.0, -keep], kicks, axis=1)
    return np.exp(np.array([np.interp(times, grid, row) for row in slow]) - sd**2 / 2)


def draw_spikes(rng: np.random.Generator, rates: np.ndarray, edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Poisson spikes of rates (Hz) constant between edges (s): cell and time (s) of each, unordered."""
    lengths = np.diff(edges)
    counts = rng.poisson(rates * lengths)
    cell, epoch = (np.repeat(i, counts.ravel()) for i in (a.ravel() for a in np.indices(counts.shape)))
    return cell, edges[epoch] + lengths[epoch] * rng.random(len(cell))


def add_surprise(
    rng: np.random.Generator,
    schedule: Schedule,
    spikes: tuple[np.ndarray, np.ndarray],
    dff: np.ndarray,
    wanted: np.ndarray,
    indicator: Indicator,
) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
    """Change the spikes of U and the G after it, so that the responses to U and D differ by a wanted d'.

    The response is the sum of dF/F over 0.6 s from the onset of D (see :data:`WINDOW`). A spike adds s w to it, w being
    the integral of the kernel from the spike to the end of the window, and s the slope of the responses on the sums of
    w (within each orientation: what C leaves behind depends on it too). The variance v of the responses is known. x
    more spikes shift the mean by s <w> x and, being Poisson, add s² <w²> x to the variance: x solves
    ``d' = s <w> x / sqrt(v + s² <w²> x / 2)``. Added spikes fall anywhere in the window; a negative x deletes spikes at
    random, all of them at most.

    Parameters
    ----------
    rng : Generator
    schedule : Schedule
    spikes : tuple
        Cell and time (s) of each spike without surprise.
    dff : ndarray, shape (n_cells, n_frames)
        What they look like under the microscope.
    wanted : ndarray, shape (n_cells,)
        d' to plant.
    indicator : Indicator
        The kernel gives q.

    Returns
    -------
    spikes : tuple
        With surprise.
    planted : ndarray, shape (n_cells,)
        The d' to expect: ``wanted``, or less where a cell has not enough spikes to lose.
    """
    cell, time = spikes
    rows, edges = schedule.trials, epochs(schedule)
    d = (rows["gabor_frame"] == "D").to_numpy()
    frames = rows["start_frame_twop"].to_numpy()[d]
    length = window_size(0.0, WINDOW, schedule.twop_fps)[1]
    total = np.cumsum(np.pad(dff.astype(float), ((0, 0), (1, 0))), axis=1)
    response = (total[:, frames + length] - total[:, frames]) / schedule.twop_fps
    kernel = np.cumsum(indicator.kernel(np.arange(0.0, 1000 * WINDOW)))  # w by the ms that are left
    count, first, second = _window_sums(cell, time, edges[1:-2][d], kernel, len(dff))
    theta = rows["gabor_mean_orientation"].to_numpy()[d]
    slope = _slope(response, first, theta)

    extra, planted = np.zeros(len(dff)), np.zeros(len(dff))
    natural = np.maximum(count.sum(axis=1), 1)
    for sign, w, w2 in (
        (1, kernel.mean(), (kernel**2).mean()),
        (-1, first.sum(axis=1) / natural, second.sum(axis=1) / natural),
    ):
        shift, spread = slope * w, slope**2 * w2
        half, safe = wanted**2 * spread / 4, np.maximum(shift**2, 1e-30)
        x = (half + sign * np.sqrt(half**2 + wanted**2 * response.var(axis=1) * shift**2)) / safe
        x = np.maximum(x, -count.mean(axis=1))
        index = shift * x / np.sqrt(np.maximum(response.var(axis=1) + spread * x / 2, 1e-30))
        extra, planted = (np.where(np.sign(wanted) == sign, new, old) for new, old in ((x, extra), (index, planted)))

    surprising = surprise_epochs(schedule)
    in_surprise = surprising[np.clip(np.searchsorted(edges, time, side="right") - 1, 0, len(surprising) - 1)]
    lose = np.maximum(-extra, 0) / np.maximum(count.mean(axis=1), 1e-12)
    keep = ~in_surprise | (rng.random(len(time)) >= lose[cell])
    rates = np.zeros((len(dff), len(surprising)))
    rates[:, surprising] = np.maximum(extra, 0)[:, None] / WINDOW
    new_cell, new_time = draw_spikes(rng, rates, edges)
    return (np.append(cell[keep], new_cell), np.append(time[keep], new_time)), planted


def _window_sums(
    cell: np.ndarray, time: np.ndarray, onsets: np.ndarray, kernel: np.ndarray, n_cells: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Number of spikes, sums of w and of w² in the window after each onset (s), each (n_cells, n_onsets)."""
    window = np.searchsorted(onsets, time, side="right") - 1
    inside = (window >= 0) & (time - onsets[window] < WINDOW)
    left = (1000 * (WINDOW - time[inside] + onsets[window[inside]])).astype(int)
    w = kernel[np.clip(left, 0, len(kernel) - 1)]
    flat = cell[inside] * len(onsets) + window[inside]
    sums = (np.bincount(flat, weights, n_cells * len(onsets)) for weights in (np.ones(len(w)), w, w**2))
    return tuple(s.reshape(n_cells, len(onsets)) for s in sums)


def _slope(response: np.ndarray, drive: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Least-squares slope of responses on drive, row by row, both less their means in each group; at least 0."""
    residuals = []
    for values in (response, drive):
        rest = values.copy()
        for value in np.unique(group):
            rest[:, group == value] -= rest[:, group == value].mean(axis=1, keepdims=True)
        residuals.append(rest)
    y, x = residuals
    return np.maximum((x * y).sum(axis=1) / np.maximum((x * x).sum(axis=1), 1e-12), 0.0)
