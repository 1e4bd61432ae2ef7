"""Many simulations of one setting, and the file that holds them."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.io import netcdf_file
from tqdm.auto import tqdm

from netlib.base.checks import check_array, check_integer, check_type
from netlib.base.provenance import atomic_write, jsonable, versions
from netlib.striatum.engine import simulate
from netlib.striatum.model import Parameters, Phase, draw_plan

__all__ = ["Result", "run_simulations"]

#: What a file holds: name, dimensions, type, unit or meaning.
VARIABLES = (
    ("simulation", ("simulation",), "i4", "number of the simulation, which with the seed decides what it is fed"),
    ("trial", ("test",), "i4", "training trials done before the test"),
    ("weights", ("simulation", "test", "neuron"), "f4", "synaptic weights at the test (dimensionless)"),
    ("fired", ("simulation", "test", "pattern"), "i1", "1 if the pattern made the neuron fire in the test"),
    ("patterns", ("simulation", "pattern_set", "pattern", "member"), "i4", "cortical neurons active in the pattern"),
    ("rewarded", ("simulation", "pattern_set", "pattern"), "i1", "1 if the pattern is rewarded"),
)


@dataclass(frozen=True)
class Result:
    """Simulations of one setting.

    Parameters
    ----------
    parameters : Parameters
    seed : int
        Master seed.
    simulation : ndarray of int, shape (n_simulations,)
        Numbers of the simulations.
    trial : ndarray of int, shape (n_tests,)
        Training trials done before each test.
    weights : ndarray, shape (n_simulations, n_tests, P)
        Weights at the tests.
    fired : ndarray of bool, shape (n_simulations, n_tests, n_pattern)
        Answers in the tests.
    patterns : ndarray of int, shape (n_simulations, n_sets, n_pattern, stim_by_pattern)
        Neurons active in each pattern.
    rewarded : ndarray of bool, shape (n_simulations, n_sets, n_pattern)
        Whether each pattern is rewarded.

    Examples
    --------
    >>> from netlib.striatum import Phase
    >>> result = run_simulations(Parameters(phases=(Phase("learning", 200),)), seed=1, simulations=20)
    >>> result.checkpoints, result.accuracy.mean(axis=0)[[0, -1]].round(1).tolist()
    ({'start': 0, 'learning': 13}, [0.5, 0.8])
    """

    parameters: Parameters
    seed: int
    simulation: np.ndarray
    trial: np.ndarray
    weights: np.ndarray
    fired: np.ndarray
    patterns: np.ndarray
    rewarded: np.ndarray

    @property
    def expected(self) -> np.ndarray:
        """Right answers in the tests, shape (n_simulations, n_tests, n_pattern)."""
        return self.rewarded[:, self.parameters.test_sets()]

    @property
    def accuracy(self) -> np.ndarray:
        """Fraction of right answers, (n_simulations, n_tests); silence is right for unrewarded patterns."""
        return (self.fired == self.expected).mean(-1)

    @property
    def balanced_accuracy(self) -> np.ndarray:
        """Mean of the fractions right among rewarded and among unrewarded patterns; 0.5 for a silent neuron.

        NaN in simulations that draw only one kind.
        """
        expected, right = self.expected, self.fired == self.expected
        with np.errstate(invalid="ignore"):
            hits = (right & expected).sum(-1) / expected.sum(-1)
            rejections = (right & ~expected).sum(-1) / (~expected).sum(-1)
        return (hits + rejections) / 2

    @property
    def success(self) -> np.ndarray:
        """Whether all answers of a test were right, shape (n_simulations, n_tests)."""
        return (self.fired == self.expected).all(-1)

    def test_at(self, trial: int) -> int:
        """Position of the test made after ``trial`` training trials."""
        (found,) = np.nonzero(self.trial == trial)
        if not len(found):
            raise ValueError(f"trial = {trial} has no test: tests are after {self.trial.tolist()} trials")
        return int(found[0])

    @property
    def checkpoints(self) -> dict[str, int]:
        """Position of the test at the start and at the end of each phase."""
        names = [phase.name for phase in self.parameters.phases]
        ends = zip(names, self.parameters.phase_ends, strict=True)
        return {"start": 0} | {name: self.test_at(end) for name, end in ends}

    def save(self, path: str | os.PathLike) -> Path:
        """Write a NetCDF file (classic format, readable by xarray), whole or not at all.

        It says what made it, in the attributes ``parameters``, ``seed`` and ``versions`` (JSON), and holds no date:
        the same run makes the same file. Weights are kept in single precision, answers as they were.
        """
        buffer = io.BytesIO()
        file = netcdf_file(buffer, "w")
        file.title = "Learning of rewarded patterns by a striatal neuron"
        file.parameters = json.dumps(jsonable(self.parameters))
        file.seed = str(self.seed)
        file.versions = json.dumps(versions())
        lengths = dict(zip(("simulation", "pattern_set", "pattern", "member"), self.patterns.shape, strict=True))
        for name, length in (lengths | {"test": len(self.trial), "neuron": self.parameters.P}).items():
            file.createDimension(name, length)
        for name, dimensions, kind, meaning in VARIABLES:
            variable = file.createVariable(name, kind, dimensions)
            variable[:] = getattr(self, name)
            variable.long_name = meaning
        file.flush()
        data = buffer.getvalue()
        return atomic_write(path, lambda out: out.write(data))

    @classmethod
    def load(cls, path: str | os.PathLike) -> Result:
        """Read a file written by :meth:`save`.

        Raises
        ------
        ValueError
            If it is not one, or not a whole one.
        """
        try:
            with netcdf_file(os.fspath(path), "r", mmap=False) as file:
                facts = json.loads(file.parameters)
                seed = int(file.seed)
                arrays = {name: file.variables[name][:].copy() for name, *_ in VARIABLES}
            phases = tuple(_without_class(Phase, phase) for phase in facts.pop("phases"))
            parameters = _without_class(Parameters, facts | {"phases": phases})
        except FileNotFoundError:
            raise
        except Exception as error:
            raise ValueError(f"path = {str(path)!r} is not a whole file of striatal simulations: {error}") from error
        native = {name: a.astype(a.dtype.newbyteorder("=")) for name, a in arrays.items()}
        return cls(parameters, seed, **native | {name: native[name].astype(bool) for name in ("fired", "rewarded")})


def _without_class(kind: type, facts: dict):
    return kind(**{name: value for name, value in facts.items() if name != "class"})


def run_simulations(
    parameters: Parameters,
    seed: int,
    simulations: int | Iterable[int] = 200,
    *,
    workers: int = 1,
    progress: bool | None = False,
) -> Result:
    """Simulate one setting many times.

    Parameters
    ----------
    parameters : Parameters
    seed : int
        Master seed.
    simulations : int or iterable of int
        How many, or which: each has patterns, weights and noise of its own, whichever others are run.
    workers : int
        Threads; the result does not depend on them.
    progress : bool or None
        Show a progress bar; None shows it on a terminal only.

    Examples
    --------
    >>> from netlib.striatum import article
    >>> short = article(num_training_initial=0, num_training_learning=20, num_training_maintenance=0)
    >>> run_simulations(short, 1, [7]).accuracy.shape
    (1, 24)
    """
    check_type("parameters", parameters, Parameters)
    check_integer("seed", seed, 0, 2**63 - 1)
    check_integer("workers", workers, 1, 1024)
    if isinstance(simulations, (int, np.integer)) and not isinstance(simulations, bool):
        check_integer("simulations", simulations, 1)
        simulations = range(simulations)
    numbers = check_array("simulations", list(simulations), "", 0, ndim=1, dtype=int)

    def one(number: int):
        plan = draw_plan(parameters, seed, int(number))
        run = simulate(parameters, plan)
        return run.weights, run.fired, plan.patterns, plan.rewarded

    disable = None if progress is None else not progress
    with ThreadPoolExecutor(workers) as pool:
        runs = list(tqdm(pool.map(one, numbers), total=len(numbers), unit="simulation", disable=disable))
    weights, fired, patterns, rewarded = (np.stack(arrays) for arrays in zip(*runs, strict=True))
    trial = np.array(parameters.test_trials())
    return Result(parameters, seed, numbers, trial, weights, fired, patterns, rewarded)
