"""Visual flow: squares that all move one way, until some turn round."""

from __future__ import annotations

import numpy as np
import pandas as pd

from netlib.seeds import stream
from netlib.stimuli.schedule import block_table, draw_runs

__all__ = ["DIRECTIONS", "N_SQUARES", "PROPORTION_FLIPPED", "SPEED", "SQUARE_SIZE", "flow_block", "square_positions"]

#: Directions of the flow, by what they are called in the files: to the right of the screen (temporal), to the left.
DIRECTIONS = {"right (temp)": 1, "left (nasal)": -1}
#: Number of squares, their side (pixels), their speed (pixels/s, 50 deg/s), and the proportion that turns round
#: (Gillon, Lecoq et al. 2023, Sci Data 10:287).
N_SQUARES, SQUARE_SIZE, SPEED, PROPORTION_FLIPPED = 105, 128.0, 799.755, 0.25
#: Shortest and longest run (s).
EXPECTED_RUN, UNEXPECTED_RUN = (30, 90), (2, 4)
#: Unexpected runs per second of published sessions: 14 to 18 in 17 minutes.
ONSETS_PER_SECOND = (14 / 1020, 18 / 1020)
#: Half the width and height of the screen (pixels).
HALF_SCREEN = (960.0, 600.0)


def flow_block(
    seed: int, direction: str, seconds: int, frames: int = 60, unexpected: bool = True, light: bool = True
) -> pd.DataFrame:
    """Rows of one block of visual flow, one per second.

    Parameters
    ----------
    seed : int
        Master seed.
    direction : str
        "right (temp)" or "left (nasal)".
    seconds : int
        Number of rows.
    frames : int
        Stimulus frames per row.
    unexpected : bool
        Let a quarter of the squares turn round for 2-4 s, after 30-90 s.
    light : bool
        Leave the positions of the squares out.

    Examples
    --------
    >>> block = flow_block(1, "right (temp)", seconds=300, unexpected=True)
    >>> len(block), sorted(block["square_proportion_flipped"].unique().tolist())
    (300, [0.0, 0.25])
    """
    rng = stream(seed, "visual flow", direction)
    flags = np.zeros(seconds, bool)
    if unexpected:
        flags = draw_runs(rng, seconds, EXPECTED_RUN, UNEXPECTED_RUN, ONSETS_PER_SECOND, count_runs=True)
    places = {}
    if not light:
        x, y = square_positions(rng, flags, DIRECTIONS[direction], frames)
        places = {"square_locations_x": list(x), "square_locations_y": list(y)}
    return block_table(
        seconds,
        stimulus_type="visflow",
        stimulus_template_name=f"visflow_{direction.split()[0]}",
        unexpected=flags.astype(float),
        main_flow_direction=direction,
        square_size=SQUARE_SIZE,
        square_number=float(N_SQUARES),
        square_proportion_flipped=np.where(flags, PROPORTION_FLIPPED, 0.0),
        start_frame_stim_template=np.arange(seconds) * frames,
        num_frames_stim=frames,
        **places,
    )


def square_positions(
    rng: np.random.Generator, flags: np.ndarray, direction: int, frames: int
) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the squares (pixels from the middle of the screen), two arrays (n_rows, n_squares, frames).

    A square that leaves on one side comes back on the other. In each unexpected run other squares turn round.

    Examples
    --------
    >>> x, y = square_positions(np.random.default_rng(0), np.array([False, True]), 1, frames=10)
    >>> x.shape, round(float(x[0, 0, 1] - x[0, 0, 0]), 1)
    ((2, 105, 10), 80.0)
    """
    width = HALF_SCREEN[0] + SQUARE_SIZE / 2
    x = rng.uniform(-width, width, N_SQUARES)
    y = rng.uniform(-HALF_SCREEN[1], HALF_SCREEN[1], N_SQUARES)
    sign = np.full((len(flags), N_SQUARES), float(direction))
    onsets = np.diff(flags, prepend=False) & flags
    for row in np.flatnonzero(onsets):
        stop = row + np.argmin(np.append(flags[row:], False))
        turned = rng.choice(N_SQUARES, round(PROPORTION_FLIPPED * N_SQUARES), replace=False)
        sign[row:stop, turned] = -direction
    before = np.cumsum(sign, axis=0) - sign
    moved = SPEED * (before[:, :, None] + sign[:, :, None] * np.arange(frames) / frames)
    xs = np.mod(x[None, :, None] + moved + width, 2 * width) - width
    ys = np.broadcast_to(y[None, :, None], xs.shape)
    return xs.astype(np.float32), ys.astype(np.float32)
