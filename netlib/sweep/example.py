"""A function to try a sweep on: the sum of a sine and noise."""

from __future__ import annotations

import numpy as np

from netlib.seeds import stream

__all__ = ["wave"]


def wave(seed: int, frequency: float = 1.0, noise: float = 0.1) -> dict[str, float]:
    """Largest value of a sine of ``frequency`` (Hz) in a second, with noise (mV), and its mean.

    Examples
    --------
    >>> found = wave(1, frequency=2.0, noise=0.0)
    >>> round(float(found["height"]), 2), wave.units["height"]
    (1.0, 'mV')
    """
    t = np.linspace(0, 1, 100)
    values = np.sin(2 * np.pi * frequency * t) + noise * stream(seed, "wave").standard_normal(len(t))
    return {"height": values.max(), "mean": values.mean()}


wave.units = {"height": "mV", "mean": "mV"}
