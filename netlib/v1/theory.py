"""The spiking ring in the situations where theories of the ring disagree: contrast, input width, two gratings, a jump.

Every network sees the same frozen input twice: with its recurrence and, as a control, without. Singles are gratings of
two orientations at four contrasts; some at full contrast come from inputs of other bandwidths. Pairs are the two
orthogonal gratings, whose evoked input rates add, and jumps are changes of orientation by 60 degrees without a gap.
:func:`mean_field` is what :class:`netlib.theory.LIFRing` predicts for them, without a free parameter.
"""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pandas as pd

from netlib.base.checks import check_type
from netlib.base.orientation import preferred_orientations, von_mises
from netlib.base.seeds import stream
from netlib.lgn import ChannelRates
from netlib.networks import RingParameters, preset, rate_drive, run_ring
from netlib.theory import LIFCell, LIFRing, RandomConnection
from netlib.tuning import fit_tuning

__all__ = ["CONTRASTS", "INPUT_WIDTHS", "lif_ring", "mean_field", "theory_vs_spiking"]

CONTRASTS = (0.05, 0.1, 0.3, 1.0)
#: Bandwidths of the input (deg), besides the preset's own.
INPUT_WIDTHS = (10.0, 15.0, 28.0, 36.0)
ORIENTATIONS = (22.5, 112.5)
SHOWN, GAP, START = 300.0, 80.0, 100.0  # ms; counts begin START after onset
N_JUMPS, JUMP, STAY, BIN = 9, 60.0, 200.0, 10.0


def input_rates_at(
    parameters: RingParameters, place: np.ndarray, contrast: float, B_theta: float, *orientations: float
) -> np.ndarray:
    """Rates (Hz) of input cells that prefer ``place`` (deg): pedestal and the sum of what each grating evokes."""
    tuning = parameters.input_tuning
    level = contrast if tuning.contrast_response is None else float(tuning.contrast_response(contrast))
    profile = sum(np.asarray(von_mises(place, theta, B_theta)) for theta in orientations)
    return tuning.peak * ((1 - tuning.pedestal) * level * profile + tuning.pedestal)


def _schedule(parameters: RingParameters, seed: int) -> list[dict]:
    """Presentations in random order, then the jumps."""
    own = parameters.input_tuning.B_theta
    shows = [("single", c, own, (theta,)) for c in CONTRASTS for theta in ORIENTATIONS]
    shows += [("single", 1.0, B, ORIENTATIONS[:1]) for B in INPUT_WIDTHS]
    shows += [("pair", c, own, ORIENTATIONS) for c in CONTRASTS] + [("blank", 0.0, own, (0.0,))]
    order = stream(seed, "order").permutation(len(shows))
    jumps = [("jump", 1.0, own, (JUMP * k % 180.0,)) for k in range(N_JUMPS + 1)]
    names = ("kind", "contrast", "B_theta", "orientations")
    rows = [dict(zip(names, show, strict=True)) for show in [shows[i] for i in order] + jumps]
    onset = GAP
    for row in rows:
        row["onset"], row["stop"] = onset, onset + (STAY if row["kind"] == "jump" else SHOWN)
        onset = row["stop"] + (0.0 if row["kind"] == "jump" else GAP)
    return rows


def theory_vs_spiking(seed: int, preset_name: str = "v1") -> pd.DataFrame:
    """Responses of one network, with and without recurrence.

    Parameters
    ----------
    seed : int
        Of connections, initial potentials, input spikes and the order of presentations.
    preset_name : str
        Name of the network.

    Returns
    -------
    DataFrame
        ``network`` ("recurrent" or "feed-forward"), ``measure``, ``population``, ``contrast``, ``B_theta`` (of the
        input, deg), ``time`` (ms) and ``value``. Measures: ``rate`` (Hz, mean over the population), ``hwhh`` (deg; of
        baseline + amplitude x von Mises fitted to the profile of activity around the shown orientation, all its
        presentations together; NaN where the fit fails), ``weight_of_sum`` (response to a pair over the sum of the
        responses to each, least squares over orientations, blank subtracted) and, by time after a jump, ``jump_cos``
        and ``jump_sin``, the components of the population vector in double angle from the orientation before (Hz).
    """
    parameters = preset(preset_name)
    rows = _schedule(parameters, seed)
    drive = rate_drive(_rates(parameters, rows), parameters.n_input, seed)
    tables = []
    for name, network in (("recurrent", parameters), ("feed-forward", parameters.without_recurrence())):
        activity = run_ring(network, drive, seed)
        found = []
        for population in ("input", "E", "I"):
            spikes = activity.spikes[population]
            found += _steady(rows, spikes, parameters.size(population), population)
        found += _after_jump(rows, activity.spikes["E"], parameters.size("E"))
        tables.append(pd.DataFrame(found).assign(network=name))
    table = pd.concat(tables, ignore_index=True)
    return table[["network", "measure", "population", "contrast", "B_theta", "time", "value"]]


def _rates(parameters: RingParameters, rows: list[dict]) -> ChannelRates:
    place = preferred_orientations(parameters.n_input)
    blank = input_rates_at(parameters, place, 0.0, 1.0, 0.0)
    rates = np.tile(blank[:, None], round(rows[-1]["stop"]))
    for row in rows:
        now = input_rates_at(parameters, place, row["contrast"], row["B_theta"], *row["orientations"])
        rates[:, round(row["onset"]) : round(row["stop"])] = now[:, None]
    return ChannelRates(rates, 1.0, place)


def _counts(spikes: tuple[np.ndarray, np.ndarray], n_cells: int, start: float, stop: float) -> np.ndarray:
    index, time = spikes
    first, last = np.searchsorted(time, (start, stop))
    return np.bincount(index[first:last], minlength=n_cells)


def _steady(rows: list[dict], spikes: tuple[np.ndarray, np.ndarray], n_cells: int, population: str) -> list[dict]:
    place, seconds = preferred_orientations(n_cells), (SHOWN - START) / 1000.0
    responses: dict[tuple, list] = {}
    for row in rows:
        if row["kind"] != "jump":
            counts = _counts(spikes, n_cells, row["onset"] + START, row["stop"])
            aligned = np.roll(counts, -round(row["orientations"][0] / 180.0 * n_cells))
            responses.setdefault((row["kind"], row["contrast"], row["B_theta"]), []).append(aligned)
    blank = np.mean(next(r for key, r in responses.items() if key[0] == "blank")) / seconds
    found = []
    for (kind, contrast, B_theta), counts in responses.items():
        label = {"population": population, "contrast": contrast, "B_theta": B_theta}
        counts = np.array(counts)
        if kind == "single":
            fit = fit_tuning(place, counts.sum(0)[None], seconds * 1000.0 * len(counts), progress=False).iloc[0]
            found.append(label | {"measure": "rate", "value": counts.mean() / seconds})
            found.append(label | {"measure": "hwhh", "value": fit["hwhh"] if fit["success"] else np.nan})
        elif kind == "pair":
            alone = np.mean(responses["single", contrast, B_theta], axis=0) / seconds - blank
            both = np.mean(counts, axis=0) / seconds - blank
            found.append(label | {"measure": "weight_of_sum", "value": _weight_of_sum(both, alone)})
        else:
            found.append(label | {"measure": "rate", "value": blank})
    return found


def _weight_of_sum(both: np.ndarray, alone: np.ndarray, bins: int = 9) -> float:
    """Least squares over ``bins`` of 90 degrees, after which both the pair and the sum repeat."""
    total = alone + np.roll(alone, len(alone) // 2)
    edge = np.arange(len(both)) % (len(both) // 2) * bins // (len(both) // 2)
    both, total = (np.bincount(edge, x) / np.bincount(edge) for x in (both, total))
    return float(both @ total / (total @ total))


def _after_jump(rows: list[dict], spikes: tuple[np.ndarray, np.ndarray], n_cells: int) -> list[dict]:
    jumps = [row for row in rows if row["kind"] == "jump"]
    edges = np.arange(-50.0, STAY - BIN / 2, BIN)
    vectors = np.zeros(len(edges), complex)
    for before, row in itertools.pairwise(jumps):
        phase = np.exp(2j * np.radians(preferred_orientations(n_cells) - before["orientations"][0]))
        for k, edge in enumerate(edges + row["onset"]):
            vectors[k] += _counts(spikes, n_cells, edge, edge + BIN) @ phase
    vectors *= 1000.0 / (BIN * n_cells * (len(jumps) - 1))
    return [
        {"measure": name, "population": "E", "time": edge + BIN / 2, "value": part}
        for edge, vector in zip(edges, vectors, strict=True)
        for name, part in (("jump_cos", vector.real), ("jump_sin", vector.imag))
    ]


def lif_ring(parameters: RingParameters, n: int = 60) -> LIFRing:
    """Mean-field theory of a network of integrate-and-fire cells with randomly drawn von Mises connections.

    Raises
    ------
    ValueError
        If its cells are not ``IF_cond_exp`` or a kernel is not a von Mises with an in-degree.
    """
    check_type("parameters", parameters, RingParameters)
    cells = {}
    for name in ("E", "I"):
        cell = parameters.cell(name)
        if cell.model != "IF_cond_exp":
            raise ValueError(f"cell model {cell.model!r} of {name} has no mean field here: it must be 'IF_cond_exp'")
        cells[name] = LIFCell(**{f.name: getattr(cell, f.name) for f in dataclasses.fields(LIFCell)})
    connections = {}
    for name, connection in parameters.projections().items():
        if getattr(connection.kernel, "in_degree", None) is None:
            raise ValueError(f"kernel of {name} = {connection.kernel!r}: the theory needs a VonMises with an in_degree")
        connections[name] = RandomConnection(connection.kernel.B_theta, connection.kernel.in_degree, connection.weight)
    sizes = {name: parameters.size(name) for name in ("input", "E", "I")}
    return LIFRing(cells, sizes, connections, n)


def mean_field(preset_name: str = "v1", n: int = 40) -> pd.DataFrame:
    """What the mean field predicts for the measures of :func:`theory_vs_spiking`, with the same fit of the width.

    One measure more: ``turning_gain``, see :meth:`netlib.theory.LIFRing.turning_gain`.
    """
    parameters = preset(preset_name)
    own = parameters.input_tuning.B_theta
    conditions = [(c, own) for c in CONTRASTS] + [(1.0, B) for B in INPUT_WIDTHS]
    found = []
    for name, network in (("recurrent", parameters), ("feed-forward", parameters.without_recurrence())):
        theory, place = lif_ring(network, n), preferred_orientations(n)
        blank = theory.steady_state(input_rates_at(parameters, place, 0.0, own, 0.0))
        for contrast, B_theta in conditions:
            label = {"network": name, "contrast": contrast, "B_theta": B_theta}
            feed = input_rates_at(parameters, place, contrast, B_theta, 0.0)
            rates = theory.steady_state(feed)
            gain = theory.turning_gain(feed)
            found.append(label | {"measure": "turning_gain", "population": "E", "value": gain})
            pair = theory.steady_state(input_rates_at(parameters, place, contrast, B_theta, 0.0, 90.0))
            for population, rate in rates.items():
                counts = np.round(rate[None] * 1e4)  # in 10,000 s: the noise of the fit is nil
                fit = fit_tuning(place, counts, 1e7, progress=False)
                weight = _weight_of_sum(pair[population] - blank[population], rate - blank[population], n // 2)
                values = {"rate": rate.mean(), "hwhh": fit["hwhh"][0], "weight_of_sum": weight}
                label["population"] = population
                found += [label | {"measure": key, "value": value} for key, value in values.items()]
    return pd.DataFrame(found)[["network", "measure", "population", "contrast", "B_theta", "value"]]
