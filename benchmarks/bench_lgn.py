"""One second of a 64 x 64 movie into 16 orientation channels."""

from timing import Clock, measure, show  # before NumPy and NEST: it sets their threads

# isort: split

import numpy as np

from netlib.lgn import LGN
from netlib.stimuli import Movie

if __name__ == "__main__":
    frames = np.random.default_rng(1).uniform(0, 1, (100, 64, 64)).astype(np.float32)
    movie = Movie(frames, 10.0)
    lgn = LGN(n_orientations=16)

    def respond(clock: Clock) -> None:
        with clock:
            lgn.respond(movie)

    print("1 s of a 64 x 64 movie at 100 Hz into 16 channels, bins of 1 ms")
    times = measure({"LGN.respond": respond}, 7)
    show(times)
    cpu = np.median(times["LGN.respond"][:, 1])
    print(f"bar: at most 1 s of processor time, {'met' if cpu <= 1 else 'MISSED'}")
