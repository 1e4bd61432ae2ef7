"""Times of things to compare: in turns in one process, so that what else the machine does hits all alike."""

from __future__ import annotations

import os

os.environ.update(PYNEST_QUIET="1", OPENBLAS_NUM_THREADS="1", OMP_WAIT_POLICY="passive")

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["Clock", "flashed", "keep", "measure", "ratio", "show"]

#: Where the tables of a run are kept, for the report; nowhere by default.
RESULTS = os.environ.get("NETLIB_BENCHMARKS")


class Clock:
    """Wall and processor time (s) spent inside its ``with`` blocks."""

    def __init__(self) -> None:
        self.wall = self.cpu = 0.0

    def __enter__(self) -> Clock:
        self._start = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *error: Any) -> None:
        self.wall += time.perf_counter() - self._start[0]
        self.cpu += time.process_time() - self._start[1]


def measure(functions: dict[str, Callable[[Clock], Any]], repeats: int, warm_up: bool = True) -> dict[str, np.ndarray]:
    """Time functions in turns, the order reversed every other round.

    Each gets a Clock, which it starts around what is to be timed. The first round may be a warm-up, which does
    not count.

    Returns
    -------
    dict of ndarray (repeats, 2)
        Wall and processor time (s) of each round, by name.
    """
    times = {name: [] for name in functions}
    for turn in range(-1 if warm_up else 0, repeats):
        for name in list(functions)[:: -1 if turn % 2 else 1]:
            clock = Clock()
            functions[name](clock)
            if turn >= 0:
                times[name].append((clock.wall, clock.cpu))
    return {name: np.array(rounds) for name, rounds in times.items()}


def show(times: dict[str, np.ndarray]) -> None:
    """Print the median and the least time of each function."""
    rows = [{"what": name, "wall": w, "cpu": c} for name, rounds in times.items() for w, c in rounds]
    keep("times", pd.DataFrame(rows).assign(bench=Path(sys.argv[0]).stem))
    width = max(map(len, times))
    print(f"{'':{width}}  {'wall (s)':>18}  {'processor (s)':>18}")
    print(f"{'':{width}}  {'median':>9}{'least':>9}  {'median':>9}{'least':>9}")
    for name, rounds in times.items():
        (wall, cpu), (wall_least, cpu_least) = np.median(rounds, axis=0), rounds.min(axis=0)
        print(f"{name:{width}}  {wall:9.3f}{wall_least:9.3f}  {cpu:9.3f}{cpu_least:9.3f}")


def ratio(
    times: dict[str, np.ndarray], slow: str, fast: str, *, least: float = 0.0, most: float = np.inf, what: str = ""
) -> None:
    """Print the median over rounds of the time of ``slow`` over that of ``fast``, and whether it is within its bar.

    The bar is held against processor time: all of this runs in one thread, so that on an idle machine the two
    times are the same, and on a busy one wall time says more of the other programs.
    """
    wall, cpu = np.median(times[slow] / times[fast], axis=0)
    bar = f"at least {least:g}" if least else f"at most {most:g}"
    verdict = "met" if least <= cpu <= most else "MISSED"
    each = times[slow][:, 1] / times[fast][:, 1]
    row = {
        "slow": slow,
        "fast": fast,
        "ratio": cpu,
        "low": each.min(),
        "high": each.max(),
        "bar": bar,
        "verdict": verdict,
    }
    seconds = {f"{name} (s)": np.median(times[key][:, 1]) for name, key in (("slow", slow), ("fast", fast))}
    keep("ratios", pd.DataFrame([{"what": what or Path(sys.argv[0]).stem} | row | seconds]))
    print(f"{slow} / {fast}: {cpu:.2f} in processor time, {wall:.2f} in wall time; bar: {bar}, {verdict}")


def keep(name: str, table: pd.DataFrame) -> None:
    """Add rows to the table of this name, where ``make bench`` asked for it."""
    if RESULTS:
        path = Path(RESULTS) / f"{name}.csv"
        table.to_csv(path, mode="a", header=not path.exists(), index=False)


def flashed(duration: float, orientation: float = 45.0) -> Any:
    """Protocol of one full-contrast stimulus that lasts ``duration`` (ms)."""
    from netlib.stimuli import Protocol

    row = {"onset": 0.0, "duration": duration, "orientation": orientation, "contrast": 1.0}
    return Protocol.from_table(pd.DataFrame([row]), duration)
