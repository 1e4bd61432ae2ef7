"""What surrounds the traces of a simulated session: running, pupil, outlines of the cells, numbers."""

from __future__ import annotations

import numpy as np

from netlib.seeds import stream

__all__ = ["pupil_traces", "roi_masks", "roi_numbers", "running_speed", "session_numbers"]


def running_speed(
    seed: int, times: np.ndarray, bout: float = 8.0, rest: float = 20.0, speed: float = 15.0
) -> np.ndarray:
    """Running velocity (cm/s) at regular times (s): bouts and rests of exponential lengths (s), smoothed, and noise.

    Bouts have a velocity each, ``speed`` on average.
    """
    from scipy.ndimage import gaussian_filter1d

    rng = stream(seed, "running")
    fps = (len(times) - 1) / (times[-1] - times[0])
    n = int((times[-1] - times[0]) / (bout + rest) * 2) + 50
    lengths = rng.exponential(np.tile([rest, bout], n))
    edges = times[0] + np.cumsum(lengths)
    running = np.searchsorted(edges, times, side="right") % 2 == 1
    level = np.repeat(rng.gamma(9.0, speed / 9.0, n), 2)[np.minimum(np.searchsorted(edges, times), 2 * n - 1)]
    smooth = gaussian_filter1d(np.where(running, level, 0.0), 0.4 * fps)
    return smooth + 0.3 * rng.standard_normal(len(times))


def pupil_traces(seed: int, times: np.ndarray, speed: np.ndarray) -> dict[str, np.ndarray]:
    """Pupil diameter, x and y (mm) at the times (s) of frames, given the running velocity (cm/s) then.

    The pupil follows running with 1.5 s of delay, and wanders slowly.
    """
    from scipy.signal import lfilter

    rng = stream(seed, "pupil")
    step = (times[-1] - times[0]) / (len(times) - 1)

    def slow(values: np.ndarray, tau: float) -> np.ndarray:
        keep = np.exp(-step / tau)
        return lfilter([1 - keep], [1, -keep], values, axis=-1)

    wander = slow(rng.standard_normal((3, len(times))), 10.0)
    wander /= np.sqrt(step / 20.0)  # to standard deviation 1
    diameter = 1.4 + 0.02 * slow(speed, 1.5) + 0.08 * wander[0]
    noise = 0.005 * rng.standard_normal((3, len(times)))
    return {
        "diameter": np.maximum(diameter + noise[0], 0.2),
        "x": 0.05 * wander[1] + noise[1],
        "y": 0.05 * wander[2] + noise[2],
    }


def roi_masks(seed: int, n_rois: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Outlines of cells, one in each place of a grid, and the image of the plane.

    Returns
    -------
    masks : ndarray of float32, shape (n_rois, size, size)
        Weights in [0, 1].
    projection : ndarray of uint8, shape (size, size)
    """
    rng = stream(seed, "masks")
    side = int(np.ceil(np.sqrt(n_rois)))
    pitch = size / side
    rows, columns = np.mgrid[:size, :size]
    masks = np.zeros((n_rois, size, size), np.float32)
    for mask, place in zip(masks, rng.permutation(side**2)[:n_rois], strict=True):
        row, column = (np.array(divmod(place, side)) + 0.5 + rng.uniform(-0.08, 0.08, 2)) * pitch
        radius = pitch * rng.uniform(0.3, 0.4)
        away = np.hypot(rows + 0.5 - row, columns + 0.5 - column) / radius
        mask[:] = np.where(away < 1, 1 - 0.7 * away**2, 0)
    brightness = rng.uniform(80, 220, n_rois)
    image = 15 + np.tensordot(brightness, masks, axes=1) + 5 * rng.standard_normal((size, size))
    return masks, np.clip(image, 0, 255).astype(np.uint8)


def roi_numbers(seed: int, n: int) -> np.ndarray:
    """Identifiers of ROIs: distinct numbers of 9 digits."""
    return np.sort(stream(seed, "roi ids").choice(100_000_000, n, replace=False)) + 900_000_000


def session_numbers(seed: int, sess_n: int = 1, mouse_seed: int | None = None) -> dict[str, int]:
    """Identifiers like those of the published sessions: ``sessid`` of 9 digits, ``mouseid`` of 6."""
    mouse = seed if mouse_seed is None else mouse_seed
    return {
        "sessid": 700_000_000 + int(stream(seed, "session id", sess_n).integers(100_000_000)),
        "mouseid": 400_000 + int(stream(mouse, "mouse id").integers(100_000)),
        "sess_n": sess_n,
    }
