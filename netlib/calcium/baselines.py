"""Fluorescence to dF/F: running baseline, neuropil subtraction, and the standard measure of noise."""

from __future__ import annotations

import math

import numpy as np

from netlib.base.checks import check_array, check_number

__all__ = ["dff", "noise_level", "running_baseline"]

#: Median of |x| for x the difference of two independent standard normal numbers: 0.6745 · sqrt(2).
MEDIAN_STEP = 0.6744897501960817 * math.sqrt(2.0)


def dff(
    fluorescence: np.ndarray,
    rate: float,
    window: float = 60_000.0,
    percentile: float = 20.0,
    *,
    neuropil: np.ndarray | None = None,
    contamination: float = 0.7,
) -> np.ndarray:
    """dF/F = (F - F0) / F0, F0 being the running percentile of F (see :func:`running_baseline`).

    Parameters
    ----------
    fluorescence : array_like, shape (n_frames,) or (n_cells, n_frames)
        Raw fluorescence, any unit.
    rate : float
        Frame rate (Hz).
    window, percentile : float
        Baseline (ms, %).
    neuropil : array_like, the shape of ``fluorescence``, optional
        Fluorescence around each cell; ``contamination`` times it is taken away first.
    contamination : float
        Share of the neuropil within the cell's outline (0.7 is the custom).

    Raises
    ------
    ValueError
        If the shapes differ, a value is NaN, or the baseline is not above 0, so that dF/F has no meaning.

    Examples
    --------
    >>> dff(np.full(100, 5.0), rate=10).tolist() == [0.0] * 100
    True
    """
    values = check_array("fluorescence", fluorescence)
    if neuropil is not None:
        around = check_array("neuropil", neuropil)
        if around.shape != values.shape:
            raise ValueError(f"neuropil has shape {around.shape}: it must have that of fluorescence, {values.shape}")
        values = values - check_number("contamination", contamination, "", 0) * around
    baseline = running_baseline(values, rate, window, percentile)
    if baseline.min() <= 0:
        raise ValueError(
            f"the baseline of the fluorescence falls to {baseline.min():g}: it must stay above 0 to divide by "
            "(the neuropil subtraction may be too strong, or fluorescence may already be dF/F)"
        )
    return (values - baseline) / baseline


def running_baseline(
    values: np.ndarray, rate: float, window: float = 60_000.0, percentile: float = 20.0, block: float = 1000.0
) -> np.ndarray:
    """Running percentile of traces, quick and with little bias: the percentile of means over blocks of time.

    Means over ``block`` ms take most of the noise away; the percentile of what is left lies z(percentile) · sd
    below the middle of the noise, which is added back, sd being that of the block means of the frame noise.

    Parameters
    ----------
    values : array_like, shape (n_frames,) or (n_cells, n_frames)
    rate : float
        Frame rate (Hz).
    window : float
        Width of the running window (ms), at least three blocks; longer than the trace, it is all of it.
    percentile : float
        0 to 50 %.
    block : float
        Length of a block (ms).

    Returns
    -------
    ndarray, the shape of ``values``

    Examples
    --------
    >>> trace = 2.0 + 0.1 * np.random.default_rng(1).standard_normal(3000)
    >>> trace[1000:1100] += 1.0
    >>> baseline = running_baseline(trace, rate=30.0)
    >>> round(float(baseline.mean()), 2)
    2.0
    """
    from scipy.ndimage import percentile_filter
    from scipy.special import ndtri

    traces = np.atleast_2d(check_array("values", values))
    check_number("rate", rate, "Hz", 0, low_open=True)
    check_number("block", block, "ms", 0, low_open=True)
    check_number("window", window, "ms", 3 * block)
    check_number("percentile", percentile, "%", 0, 50, low_open=True)
    n_frames = traces.shape[1]
    size = min(max(round(block * rate / 1000.0), 1), n_frames)
    starts = np.arange(0, n_frames - size + 1, size)
    means = np.add.reduceat(traces[:, : starts[-1] + size], starts, axis=1) / size
    width = min(round(window / block), 2 * len(starts)) | 1
    low = percentile_filter(means, percentile, size=(1, width), mode="nearest")
    if n_frames > 1:
        steps = np.median(np.abs(np.diff(traces, axis=1)), axis=1)
        low = low - ndtri(percentile / 100.0) * (steps / MEDIAN_STEP / math.sqrt(size))[:, None]
    centres = starts + (size - 1) / 2
    result = np.array([np.interp(np.arange(n_frames), centres, row) for row in low])
    return result.reshape(np.shape(values))


def noise_level(dff: np.ndarray, rate: float) -> np.ndarray | float:
    """Noise in the standard unit: 100 · median |dF/F(t+1) - dF/F(t)| / sqrt(rate), in % Hz^-1/2.

    Rupprecht et al. 2021, Nat Neurosci 24:1324, doi:10.1038/s41593-021-00895-5. White noise of one brightness has
    the same level at any frame rate; transients, being rare and slow, hardly touch the median.

    Parameters
    ----------
    dff : array_like, shape (n_frames,) or (n_cells, n_frames)
        dF/F (1 = 100 %); NaN frames are left out.
    rate : float
        Frame rate (Hz).

    Returns
    -------
    float, or ndarray of shape (n_cells,)

    Examples
    --------
    >>> noise = np.random.default_rng(1).standard_normal((2, 20_000)) * [[0.05], [0.1]]
    >>> noise_level(noise, rate=30.0).round(2).tolist()
    [0.87, 1.71]
    """
    check_number("rate", rate, "Hz", 0, low_open=True)
    values = np.asarray(dff, float)
    if values.ndim not in (1, 2) or values.shape[-1] < 2:
        raise ValueError(f"dff has shape {values.shape}: it must be ([n_cells,] n_frames), with two frames or more")
    level = 100.0 * np.nanmedian(np.abs(np.diff(values, axis=-1)), axis=-1) / math.sqrt(rate)
    return level if values.ndim == 2 else float(level)
