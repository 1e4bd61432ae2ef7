"""Series of ROI responses and tables of ROIs in NWB files: samples on a regular clock, names, centroids."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from netlib.units import check_array, check_number

if TYPE_CHECKING:
    from pynwb.ophys import RoiResponseSeries

__all__ = ["frame_clock", "plain_columns", "roi_columns", "series_samples", "trace_names"]

#: What the name of a series, or of its container, says of it.
KINDS = (
    ("dff", ("dfoverf", "df_over_f", "dff")),
    ("neuropil", ("neuropil",)),
    ("events", ("deconv", "event", "spike")),
    ("denoised", ("denoised",)),
)


def frame_clock(
    name: str, n: int, rate: float | None, start: float | None, timestamps: Any, tolerance: float = 0.1
) -> tuple[float, float, np.ndarray | None]:
    """Regular clock of a series, from its rate or its timestamps.

    Parameters
    ----------
    name : str
        Name of the series, for messages.
    n : int
        Number of frames.
    rate, start : float or None
        Frames per second (Hz) and time of the first (s), where there are no timestamps.
    timestamps : array_like, shape (n,), or None
        Time of each frame (s).
    tolerance : float
        By how many frames a timestamp may miss the regular grid.

    Returns
    -------
    start, rate : float
        Time of the first frame (s) and frames per second (Hz).
    irregular : ndarray or None
        The timestamps, where they miss the grid by more than that.

    Raises
    ------
    ValueError
        If there is neither, or the timestamps are too few, not finite or not increasing.

    Examples
    --------
    >>> frame_clock("dff", 4, None, None, [1.0, 1.25, 1.5, 1.75])[:2]
    (1.0, 4.0)
    """
    if timestamps is None:
        if rate is None:
            raise ValueError(f"series {name!r} has neither a rate nor timestamps")
        return float(start or 0.0), check_number(f"rate of {name}", float(rate), "Hz", 0, low_open=True), None
    times = check_array(f"timestamps of {name}", timestamps, "s", ndim=1)
    if len(times) != n or n < 2:
        raise ValueError(
            f"series {name!r} has {len(times)} timestamps for {n} frames: it must have one each, at least 2"
        )
    steps = np.diff(times)
    if (steps <= 0).any():
        k = int(np.argmax(steps <= 0))
        raise ValueError(f"timestamps of {name}[{k + 1}] = {times[k + 1]:g} s does not come after {times[k]:g} s")
    mean = (times[-1] - times[0]) / (n - 1)
    miss = np.abs(times - times[0] - mean * np.arange(n)).max() / mean
    if miss <= tolerance:
        return float(times[0]), float(1.0 / mean), None
    return float(times[0]), 1.0 / float(np.median(steps)), times


def series_samples(
    place: str, series: RoiResponseSeries, tolerance: float, resample: bool
) -> tuple[np.ndarray, float, float, str]:
    """Samples (rois, frames) of a series, time of the first (s), rate (Hz) and unit."""
    values = np.asarray(series.data[:])
    n_rois = len(series.rois.data)
    values = values[:, None] if values.ndim == 1 else values
    if values.shape[1] != n_rois and values.shape[0] == n_rois:
        values = values.T  # some programs write ROIs first
    if values.shape[1] != n_rois:
        raise ValueError(f"series {place!r} has the shape {values.shape}: it must be (frames, {n_rois} ROIs)")
    if series.conversion not in (None, 1.0) or getattr(series, "offset", 0.0):
        values = values * series.conversion + series.offset
    timestamps = None if series.timestamps is None else np.asarray(series.timestamps[:])
    start, rate, irregular = frame_clock(place, len(values), series.rate, series.starting_time, timestamps, tolerance)
    values = values.T
    if irregular is not None:
        if not resample:
            gap = np.diff(irregular).max()
            raise ValueError(
                f"timestamps of {place} are irregular (steps of {1 / rate:.6g} s, the longest {gap:.6g} s): "
                "pass resample=True to interpolate them"
            )
        grid = np.arange(start, irregular[-1] + 1e-9, 1.0 / rate)
        values = np.stack([np.interp(grid, irregular, row) for row in values])
    return values, start, rate, series.unit


def trace_names(places: list[str], containers: list[str]) -> list[str]:
    """Name of the trace of each series by what it is, or its place in the file where several are the same.

    Examples
    --------
    >>> trace_names(["ophys/DfOverF/RoiResponseSeries", "ophys/Neuropil/plane0"], ["DfOverF", "Fluorescence"])
    ['dff', 'neuropil']
    """
    kinds = []
    for place, container in zip(places, containers, strict=True):
        text = f"{container}/{place}".lower()
        kinds.append(next((kind for kind, words in KINDS if any(word in text for word in words)), "fluorescence"))
    return [kind if kinds.count(kind) == 1 else place for kind, place in zip(kinds, places, strict=True)]


def roi_columns(table: Any, rows: np.ndarray, centroids: bool) -> dict[str, np.ndarray]:
    """Columns of the neurons: id, centroid, and the plain columns of the ROI table."""
    neurons = {"id": np.asarray(table.id[:])[rows]}
    if centroids:
        x, y = _centroids(table, rows)
        neurons |= {"x": x, "y": y}
    for name, values in plain_columns(table).items():
        taken = name in neurons or name in ("population", "orientation")
        neurons[f"{name}_file" if taken else name] = values[rows]
    return neurons


def _centroids(table: Any, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    centre = np.full((len(rows), 2), np.nan)
    kind = next((name for name in ("pixel_mask", "voxel_mask", "image_mask") if name in table.colnames), None)
    for k, row in enumerate(rows if kind else []):
        mask = table[kind][int(row)]
        if kind == "image_mask":
            y, x = np.nonzero(np.asarray(mask) if np.ndim(mask) == 2 else np.max(mask, axis=-1))
            weight = np.asarray(mask)[y, x] if np.ndim(mask) == 2 else np.ones(len(x))
        else:
            pixels = np.array([tuple(pixel) for pixel in mask], dtype=float).reshape(len(mask), -1)
            x, y, weight = pixels[:, 0], pixels[:, 1], pixels[:, -1]
        if np.sum(weight) > 0:
            centre[k] = np.average(x, weights=weight), np.average(y, weights=weight)
    return centre[:, 0], centre[:, 1]


def plain_columns(table: Any) -> dict[str, np.ndarray]:
    """Columns of a table of NWB that hold one number, boolean or text per row."""
    plain = {}
    for name in table.colnames:
        column = table[name]
        if type(column).__name__ not in ("VectorData", "EnumData") or len(np.shape(column.data)) != 1:
            continue
        values = np.asarray(column.data[:])
        if values.dtype.kind in "biufUS" or all(isinstance(value, str) for value in values):
            plain[name] = values
    return plain
