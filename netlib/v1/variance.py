"""Orientation variance: MotionClouds of 12 orientations x 8 bandwidths through LGN and ring, with three recurrences."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from lazyarray import larray

from netlib.base.checks import check_choice, check_integer, check_number, check_type
from netlib.base.orientation import preferred_orientations
from netlib.base.seeds import stream
from netlib.networks import RingParameters, preset, rate_drive
from netlib.networks.kernels import Kernel, connection_mask
from netlib.recordings import Recording, record_ring
from netlib.stimuli import B_THETAS, variance_protocol
from netlib.tuning import fit_tuning, response_counts
from netlib.tuning.decoding import held_out_labels, rise_time, sliding_counts
from netlib.tuning.naka_rushton import fit_naka_rushton
from netlib.tuning.selectivity import circular_variance_of_counts, squared_resultant

__all__ = [
    "CLASSES",
    "NETWORKS",
    "Expected",
    "classify",
    "record_variance",
    "recurrences",
    "variance",
    "variance_curves",
]

#: Boxes of the Naka-Rushton parameters that name a cell's class, as in the public notebook of Ladret et al. 2023
#: (Commun Biol 6:667): B50 as a fraction of the largest bandwidth, n itself. There "tuned" is resilient, "untuned"
#: vulnerable.
CLASSES = {
    "resilient": {"f_max": (0.0, 0.7), "f0": (0.4, 0.5), "n": (0.0, 5.0)},
    "vulnerable": {"B50": (0.5, 0.8), "f0": (0.2, 0.6)},
    "ultratuned": {"f0": (0.0, 0.25), "n": (0.0, 3.0)},
}
NETWORKS = ("random", "dense", "none")

#: Windows of the decoder: starts from onset and length (ms). At -100 it sees the previous stimulus alone.
STARTS = tuple(np.arange(-100.0, 201.0, 25.0))
WIDTH = 100.0
#: Counts for tuning are taken from here (ms after onset) to the end.
START = 50.0
#: Every so many-th cell is fitted with curves.
EVERY = 4


def record_variance(
    seed: int,
    parameters: RingParameters | None = None,
    networks: Sequence[str] = NETWORKS,
    trials: int = 2,
    timestep: float = 0.25,
    orientations: int = 12,
    B_thetas: Sequence[float] = B_THETAS,
    duration: float = 300.0,
) -> dict[str, Recording]:
    """Show the same clouds, through the LGN, and so the same input spikes, to each of the networks.

    The step is longer than the preset's 0.1 ms to save half of the time: it changes rates by 1 % (measured: 8.41
    against 8.43 Hz) and the median circular variance by 0.01.

    Returns
    -------
    dict of Recording, by network
    """
    networks = [check_choice("networks", name, NETWORKS) for name in networks]
    base = dataclasses.replace(parameters or preset("v1"), timestep=timestep)
    made = recurrences(base)
    protocol = variance_protocol(None, orientations, B_thetas, check_integer("trials", trials, 1), duration, seed=seed)
    drive = rate_drive(base.lgn.respond(protocol.movie()), base.n_input, seed)
    return {name: record_ring(made[name], protocol, seed, drive=drive) for name in networks}


def variance(
    seed: int,
    parameters: RingParameters | None = None,
    networks: Sequence[str] = NETWORKS,
    trials: int = 2,
    orientations: int = 12,
    B_thetas: Sequence[float] = B_THETAS,
) -> pd.DataFrame:
    """Tuning, Naka-Rushton fits and decoding against the orientation variance of MotionClouds.

    Parameters
    ----------
    seed : int
        Master seed: clouds, their order, input spikes, connections.
    parameters : RingParameters, optional
        The network; by default the preset ``v1``.
    networks : sequence of str
        Of :data:`NETWORKS`: "random" recurrence (the preset), "dense" (its expectation) and "none".
    trials : int
        Presentations of each condition, 2 or more; one is held out at a time for decoding.
    orientations : int
        Number of orientations, 5 or more.
    B_thetas : sequence of float
        Bandwidths (deg), 5 or more.

    Returns
    -------
    DataFrame, one row per network, ``cells``, ``measure``, ``B_theta`` (deg) and ``time`` (ms; end of the window)
        ``value`` is the median over cells with quartiles ``low`` and ``high`` and number ``n``, or one number.
        Measures: "cv" (circular variance), "hwhh" (deg; n cells with a fit), "rate" (Hz, mean); "log_n", "B50", "f0",
        "f_max" of fits that did not fail, their number over all in "fitted", shares of all in "share" (class in
        ``cells``); "f0_plain" and "f0_real_part": f0 of unweighted fits to ``1 - |R|`` and to the published ``1 - |Re
        R|``; "score_sd": spread between cells of the squared resultant at the three largest bandwidths, noise taken
        out, "score_mean" its mean, "reliability" its correlation between trials, ``r_...`` its correlation with the
        connections of the cell; "accuracy" of decoding orientation, "joint" of orientation and bandwidth together,
        "shuffled" the control of the first, "rise_time" (ms). ``cells``: "all", or the third that is "resilient",
        "vulnerable" or drawn ("third"), "matched" (all, as few spikes as the least active network), "over time".
    """
    check_integer("trials", trials, 2)
    seen = record_variance(seed, parameters, networks, trials, orientations=orientations, B_thetas=B_thetas)
    parts = []
    least = min(_counts(recording)[0].mean() for recording in seen.values())
    for name, recording in seen.items():
        rows = _tuning(recording) + _scores(recording) + _over_time(recording, seed) + _groups(recording, seed, least)
        if name == "random":
            rows += _published_f0(recording)
        if name != "none":
            rows += _connections(recording, seed, recurrences(parameters)[name])
        parts.append(pd.DataFrame(rows).assign(network=name))
    parts.append(pd.DataFrame(_widths(seen[networks[0]], "input", every=16)).assign(network="input"))
    table = pd.concat(parts, ignore_index=True)
    return table[["network", "cells", "measure", "B_theta", "time", "value", "low", "high", "n"]]


def variance_curves(
    recording: Recording, every: int = EVERY
) -> tuple[np.ndarray, np.ndarray, np.ndarray, pd.DataFrame]:
    """Circular variance against bandwidth of every so many-th E cell, and its Naka-Rushton fit.

    Returns
    -------
    B_thetas : ndarray, shape (m,)
        Bandwidths (deg).
    cv, error : ndarray, shape (n_cells, m)
        Corrected for the number of spikes, and standard error.
    fits : DataFrame
        As of :func:`netlib.tuning.naka_rushton.fit_naka_rushton`.
    """
    counts, theta, B, _ = _counts(recording)
    levels = np.unique(B)
    found = [circular_variance_of_counts(theta[w == B], counts[::every, w == B])[:2] for w in levels]
    cv, error = (np.stack([pair[k] for pair in found], axis=1) for k in (0, 1))
    return levels, cv, error, fit_naka_rushton(levels, cv, error, progress=False)


def classify(fits: pd.DataFrame, largest: float) -> pd.Series:
    """Class of each cell by :data:`CLASSES`; "failed" where the fit failed, "other" outside all boxes.

    Parameters
    ----------
    fits : DataFrame
        From :func:`netlib.tuning.naka_rushton.fit_naka_rushton`, on circular variance.
    largest : float
        Largest bandwidth (deg).
    """
    check_type("fits", fits, pd.DataFrame)
    check_number("largest", largest, "deg", 0, low_open=True)
    scaled = fits.assign(B50=fits["B50"] / largest)
    found = pd.Series("other", index=fits.index)
    for name, box in CLASSES.items():
        inside = np.logical_and.reduce([scaled[key].between(*ends) for key, ends in box.items()])
        found[inside & (found == "other")] = name
    return found.where(fits["success"], "failed")


@dataclass(frozen=True)
class Expected(Kernel):
    """All pairs connected, each with the weight that a random kernel gives it on average.

    Attributes
    ----------
    drawn : Kernel
        The random kernel, of equal weights.
    """

    drawn: Kernel

    def factor(self, n_pre: int, n_post: int) -> larray | None:
        """Probability of each connection, shape (n_pre, n_post); the kernel's own factor if it is not random."""
        probability = self.drawn.probability(n_pre, n_post)
        return self.drawn.factor(n_pre, n_post) if probability is None else probability


def recurrences(parameters: RingParameters | None = None) -> dict[str, RingParameters]:
    """The ring with its random recurrence, with the mean of that recurrence for all its cells, and with none.

    All have the same random feed-forward connections. Without recurrence inhibitory cells reach nobody: one is kept.
    """
    parameters = check_type("parameters", parameters or preset("v1"), RingParameters)
    recurrent = {name: c for name, c in parameters.projections().items() if not name.startswith("input")}
    dense = {name: dataclasses.replace(c, kernel=Expected(c.kernel)) for name, c in recurrent.items()}
    none = dataclasses.replace(parameters.without_recurrence(), n_inhibitory=1, input_to_I=None)
    return {"random": parameters, "dense": dataclasses.replace(parameters, **dense), "none": none}


def _row(measure: str, values: np.ndarray | float, cells: str = "all", B: float = np.nan, time: float = np.nan) -> dict:
    """A row of the table: median and quartiles of several values, or one number."""
    head = {"cells": cells, "measure": measure, "B_theta": B, "time": time}
    if np.ndim(values) == 0:
        return head | {"value": float(values), "n": 1}
    values = np.asarray(values, float)
    values = values[np.isfinite(values)]
    low, middle, high = np.percentile(values, (25, 50, 75)) if len(values) else (np.nan,) * 3
    return head | {"value": middle, "low": low, "high": high, "n": len(values)}


def _counts(recording: Recording, population: str = "E") -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Counts (n_cells, n_presentations) after START, and orientation, bandwidth and trial of the presentations."""
    counts, _ = response_counts(recording.population(population), START)
    table = recording.protocol.table
    return counts, *(table[name].to_numpy() for name in ("orientation", "B_theta", "trial"))


def _widths(recording: Recording, population: str = "E", every: int = EVERY) -> list[dict]:
    counts, theta, B, _ = _counts(recording, population)
    seconds = (recording.protocol.table["duration"].iloc[0] - START) / 1000.0
    rows = []
    for width in np.unique(B):
        at = width == B
        cv, _, _ = circular_variance_of_counts(theta[at], counts[:, at])
        fit = fit_tuning(theta[at], counts[::every, at], 1000.0 * seconds, progress=False)
        rows += [_row("cv", cv, B=width), _row("hwhh", fit["hwhh"].where(fit["success"]), B=width)]
        rows.append(_row("rate", counts[:, at].mean() / seconds, B=width))
    return rows


def _tuning(recording: Recording) -> list[dict]:
    """Width against bandwidth, and the Naka-Rushton curves of single cells."""
    levels, _, _, fits = variance_curves(recording)
    good = fits[fits["success"]]
    rows = _widths(recording) + [_row(name, good[name].to_numpy()) for name in ("log_n", "B50", "f0", "f_max")]
    rows.append(_row("fitted", len(good) / len(fits)))
    found = classify(fits, levels.max())
    return rows + [_row("share", (found == name).mean(), name) for name in (*CLASSES, "other", "failed")]


def _published_f0(recording: Recording) -> list[dict]:
    """f0 with the real part of the resultant alone, as in the published code, and with its whole length."""
    counts, theta, B, _ = _counts(recording)
    phase, levels = np.exp(2j * np.radians(theta)), np.unique(B)
    cells = counts[::EVERY]
    sums = np.array([cells[:, w == B] @ phase[w == B] / np.maximum(cells[:, w == B].sum(1), 1) for w in levels])
    rows = []
    for measure, length in (("f0_plain", np.abs(sums)), ("f0_real_part", np.abs(sums.real))):
        fits = fit_naka_rushton(levels, np.clip(1 - length.T, 0, 1), progress=False)
        rows.append(_row(measure, fits["f0"].to_numpy()))
    return rows


def _score(counts: np.ndarray, theta: np.ndarray, B: np.ndarray) -> np.ndarray:
    """Squared resultant of each cell, mean over the three largest bandwidths (silent cells count as 0)."""
    squares = [squared_resultant(theta[w == B], counts[:, w == B]) for w in np.unique(B)[-3:]]
    return np.nan_to_num(np.mean(squares, axis=0))


def _by_trial(recording: Recording) -> np.ndarray:
    """Score from each trial alone, shape (n_trials, n_cells): independent noise, no bias."""
    counts, theta, B, trial = _counts(recording)
    return np.array([_score(counts[:, trial == t], theta[trial == t], B[trial == t]) for t in np.unique(trial)])


def _scores(recording: Recording) -> list[dict]:
    scores = _by_trial(recording)
    pairs = np.triu_indices(len(scores), 1)
    between = np.cov(scores)[pairs].mean()
    return [
        _row("score_mean", scores.mean()),
        _row("score_sd", np.sqrt(max(between, 0.0))),
        _row("reliability", np.corrcoef(scores)[pairs].mean()),
    ]


def _connections(recording: Recording, seed: int, network: RingParameters) -> list[dict]:
    """Correlation over cells of the score with the number of inputs of each kind, and with their spread."""
    score = _by_trial(recording).mean(0)
    rows = []
    for name, connection in network.projections().items():
        source, target = name.split("_to_")
        if target != "E" or connection.kernel.probability(network.size(source), 1) is None:
            continue
        sizes = network.size(source), network.size(target)
        mask = connection_mask(connection.kernel, *sizes, seed, name, connection.self_connections or source != target)
        linked = np.asarray(mask.evaluate(), float)
        degree = linked.sum(0)
        length = np.abs(np.exp(2j * np.radians(preferred_orientations(sizes[0]))) @ linked) / np.maximum(degree, 1)
        rows += [_row(f"r_{source}_number", np.corrcoef(score, degree)[0, 1])]
        rows += [_row(f"r_{source}_spread", np.corrcoef(score, 1 - length)[0, 1])]
    return rows


def _over_time(recording: Recording, seed: int) -> list[dict]:
    """Decoding in windows: orientation at the three smallest and three largest bandwidths, and both together."""
    counts = sliding_counts(recording, STARTS, WIDTH)
    _, theta, B, trial = _counts(recording)
    levels = np.unique(B)
    both = np.unique(np.stack([theta, B], 1), axis=0, return_inverse=True)[1].ravel()
    groups = {w.mean(): np.isin(B, w) for w in (levels[:3], levels[-3:])}
    rows, curves = [], {w: [] for w in groups}
    for start, block in zip(STARTS, counts, strict=True):
        time = start + WIDTH
        right = held_out_labels(block, theta, trial) == theta
        for width, at in groups.items():
            curves[width].append(right[at].mean())
            rows.append(_row("accuracy", right[at].mean(), "over time", width, time))
        rows.append(_row("joint", (held_out_labels(block, both, trial) == both).mean(), time=time))
        rows.append(
            _row("shuffled", (held_out_labels(block, theta, trial, shuffle_seed=seed) == theta).mean(), time=time)
        )
    floor = 1 / len(np.unique(theta))
    rows += [_row("rise_time", rise_time(np.array(STARTS) + WIDTH, c, floor), B=w) for w, c in curves.items()]
    return rows


def _groups(recording: Recording, seed: int, spikes: float) -> list[dict]:
    """Orientation decoded in the whole response from all cells and from thirds: best, worst and random by score.

    Cells are chosen by trials other than the one held out, and the counts of the thirds are thinned to the same mean;
    those of "matched", all cells, to a mean of ``spikes`` per cell, the same for all networks.
    """
    counts, theta, B, trial = _counts(recording)
    third = len(counts) // 3
    given = {name: np.full(len(theta), np.nan) for name in ("all", "matched", "resilient", "vulnerable", "third")}
    for t in np.unique(trial):
        out = trial == t
        rng = stream(seed, "groups", int(t))
        order = np.argsort(_score(counts[:, ~out], theta[~out], B[~out]))
        chosen = {"resilient": order[-third:], "vulnerable": order[:third], "third": rng.permutation(order)[:third]}
        least = min(counts[cells].mean() for cells in chosen.values())
        mean = dict.fromkeys(chosen, least) | {"all": counts.mean(), "matched": min(spikes, counts.mean())}
        for name, labels in given.items():
            cells = chosen.get(name, order)
            thinned = rng.binomial(counts[cells], min(1.0, mean[name] / counts[cells].mean()))
            labels[out] = held_out_labels(thinned, theta, trial)[out]
    return [
        _row("accuracy", (labels == theta)[w == B].mean(), name, w)
        for name, labels in given.items()
        for w in np.unique(B)
    ]
