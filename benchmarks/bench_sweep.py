"""Sweeps of the plastic ring (120 cells, 6 s): points per second with one worker and with two; memory over 500 runs."""

from timing import Clock, keep  # before NumPy: it sets its threads

# isort: split

import resource
from functools import partial

import pandas as pd

from netlib.networks import use_backend
from netlib.sweep import grid, sweep
from netlib.v1.sweeps import ring_response

POINTS, WHOLE, RUNS = 64, 4096, 500

if __name__ == "__main__":
    weights = [0.05 + 0.1 * k / POINTS for k in range(POINTS)]
    ring = partial(ring_response, preset="internship2019_learning", orientations=3, duration=2000.0)
    settings = {"context": partial(use_backend, "compiled"), "progress": False}
    sweep(ring, grid(**{"E_to_E.weight": weights[:2]}), workers=2, **settings)  # the workers start, and compile
    wall, rows = {}, []
    for workers in (1, 2):
        with Clock() as clock:
            sweep(ring, grid(**{"E_to_E.weight": weights}), workers=workers, **settings)
        wall[workers] = clock.wall
        print(
            f"{workers} worker{'s'[: workers - 1]}: {POINTS / clock.wall:.2f} points/s; "
            f"a grid of {WHOLE:,} takes {clock.wall / POINTS * WHOLE / 60:.1f} min"
        )
    print(f"two workers over one: {wall[1] / wall[2]:.2f} x; bar: at least 1.8")
    for workers, seconds in wall.items():
        row = {"workers": workers, "points per second": round(POINTS / seconds, 2)}
        row |= {
            f"{WHOLE:,} points (min)": round(seconds / POINTS * WHOLE / 60, 1),
            "speed-up": round(wall[1] / seconds, 2),
        }
        rows.append(row)
    keep("sweep", pd.DataFrame(rows))
    short = partial(ring, orientations=1, duration=200.0, fits=False)
    with use_backend("compiled"):
        for run in range(RUNS):
            short(run)
            if run in (19, RUNS - 1):
                resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
                print(f"after {run + 1} runs in one process: {resident:.0f} MB at most")
