"""Nulls of the selectivity index by one matrix product against a loop over shuffles; deconvolution of a session."""

from timing import Clock, measure, ratio, show  # before NumPy: it sets its threads

# isort: split

import numpy as np
from scipy.signal import lfilter

from netlib.calcium import deconvolve_trace
from netlib.openscope.usi import usi, usi_null

TRIALS, ROIS, SHUFFLES, FEW = 1360, 1600, 10_000, 20
PRODUCT, LOOP, DECONVOLUTION = (
    "usi_null, 20 shuffles",
    "loop, 20 shuffles",
    "deconvolution, 10 cells of 40 min at 30 Hz",
)

if __name__ == "__main__":
    rng = np.random.default_rng(1)
    responses, unexpected = rng.normal(size=(TRIALS, ROIS)), np.arange(TRIALS) % 11 == 0
    traces = lfilter([1.0], [1.0, -0.95], rng.poisson(0.02, (10, 72_000))) + rng.normal(0, 0.1, (10, 72_000))

    def whole(clock: Clock) -> None:
        with clock:
            usi_null(responses, unexpected, SHUFFLES, seed=1)

    def product(clock: Clock) -> None:
        with clock:
            usi_null(responses, unexpected, FEW, seed=1)

    def loop(clock: Clock) -> None:
        with clock:
            for _ in range(FEW):
                usi(responses, rng.permutation(unexpected))

    def events_of(clock: Clock) -> None:
        with clock:
            for trace in traces:
                deconvolve_trace(trace, 30.0)

    print(f"{TRIALS:,} trials, {ROIS:,} ROIs; {SHUFFLES:,} shuffles, bar: under 10 s on two cores")
    show(measure({f"usi_null, {SHUFFLES:,} shuffles": whole, DECONVOLUTION: events_of}, 1))
    ratio(measure({PRODUCT: product, LOOP: loop}, 5), LOOP, PRODUCT, least=1)
