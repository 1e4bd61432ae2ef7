"""Sequences of Gabor frames A-B-C-D, in which U now and then takes the place of D, and the session made of them.

Timing and statistics are those of the published experiment: Gillon, Pina et al. 2024, J Neurosci 44(5) e1009232023;
Gillon, Lecoq et al. 2023, Sci Data 10:287.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from netlib.seeds import stream
from netlib.stimuli.schedule import GRAY, Schedule, block_table, draw_runs, place_rows
from netlib.stimuli.visual_flow import DIRECTIONS, flow_block
from netlib.units import check_choice, check_integer, check_number

__all__ = ["LETTERS", "ORIENTATIONS", "U_ROTATION", "credit_assignment_schedule", "gabor_block"]

#: Frames of a sequence, G being gray; U takes the place of D.
LETTERS = ("A", "B", "C", "D", "G")
#: Mean orientations of a sequence (deg), and what U adds to them.
ORIENTATIONS, U_ROTATION = (0.0, 45.0, 90.0, 135.0), 90.0
#: Patches per frame, bounds of their sizes (pixels), half the width and height of the screen (pixels).
N_PATCHES, SIZES, HALF_SCREEN = 30, (204, 408), (960.0, 600.0)
#: Length of a frame (s), of a sequence (s), shortest and longest runs (sequences: 30-90 s and 3-6 s).
SEGMENT, SEQUENCE, EXPECTED_RUN, UNEXPECTED_RUN = 0.3, 1.5, (20, 60), (2, 4)
#: Share of unexpected sequences in published sessions: 82 to 105 of 1360.
UNEXPECTED_SHARE = (82 / 1360, 105 / 1360)
#: First frame of the stimulus and of the microscope in a published session, and what the latter records after (s).
STIM_START, TWOP_START, TAIL = 14.306, 9.552, 10.0


def credit_assignment_schedule(
    seed: int,
    *,
    gabor_minutes: float = 34.0,
    flow_minutes: float = 17.0,
    gray: float = 30.0,
    kappa: float = 16.0,
    unexpected: str | bool = "published",
    stim_fps: float = 59.95,
    twop_fps: float = 30.08,
    order: Sequence[str] | None = None,
    light: bool = True,
) -> Schedule:
    """Schedule of a session: gray, Gabor sequences, gray, visual flow one way, gray, the other way, gray.

    Lengths count stimulus frames as the experiment did, 60 to a second, so that 34 min at 59.95 frames/s last 1.7 s
    longer. A block starts with an expected run. Expected runs last 30-90 s, unexpected ones 3-6 s (Gabors) and 2-4 s
    (flow); all are whole but for the last of a block, where it is expected, and that lasts at least 30 s. Runs are
    drawn again until the share of unexpected sequences lies in the published 82-105 of 1360, and the number of flow
    onsets in the published 14-18 per 17 min (in blocks of few minutes, as near to that as runs allow).

    Parameters
    ----------
    seed : int
        Master seed.
    gabor_minutes : float
        Length of the Gabor block (min), rounded to sequences of 1.5 s; 0 leaves it out.
    flow_minutes : float
        Length of the visual flow in each direction (min), rounded to seconds; 0 leaves it out.
    gray : float
        Gray before, between and after the blocks (s).
    kappa : float
        Concentration of the orientations of patches around the mean of their frame. As in the experiment, the von Mises
        has a period of 360 deg of orientation angle: standard deviation about 1 / sqrt(kappa), 14.3 deg for 16.
    unexpected : "published" or False
        Unexpected events with the published statistics, or none.
    stim_fps, twop_fps : float
        Frames per second of stimulus and microscope (Hz).
    order : sequence of str, optional
        The blocks, of "gabors", "right (temp)", "left (nasal)"; by default the Gabors come first or last and the
        directions in either order, at random.
    light : bool
        Leave out the positions of the squares of the flow (about 100 MB for a whole session).

    Returns
    -------
    Schedule
        By default 8844 rows: 4 gray, 6800 Gabor frames, 2040 s of flow.

    Raises
    ------
    ValueError
        If a parameter is out of range, or nothing but gray is left.

    Examples
    --------
    >>> credit_assignment_schedule(1)
    Schedule(8844 rows: 4 grayscreen, 2040 visflow, 6800 gabors; 4218.2 s)
    """
    n_sequences = round(60 * check_number("gabor_minutes", gabor_minutes, "min", 0, 600) / SEQUENCE)
    seconds = round(60 * check_number("flow_minutes", flow_minutes, "min", 0, 600))
    check_number("gray", gray, "s", 0, 600)
    check_number("kappa", kappa, "", 0, low_open=True)
    check_number("stim_fps", stim_fps, "Hz", 10, 480)
    check_number("twop_fps", twop_fps, "Hz", 1, 480)
    if unexpected not in ("published", False):
        raise ValueError(f"unexpected = {unexpected!r} is unknown: it must be 'published' or False")
    blocks = _blocks(seed, order, n_sequences, seconds)
    nominal, surprise = round(stim_fps), unexpected == "published"
    rest = block_table(1, stimulus_type=GRAY, stimulus_template_name=GRAY, num_frames_stim=round(gray * nominal))
    parts = []
    for name in blocks:
        parts.append(rest)
        if name == "gabors":
            parts.append(gabor_block(seed, n_sequences, round(SEGMENT * nominal), kappa, surprise))
        else:
            parts.append(flow_block(seed, name, seconds, nominal, surprise, light))
    parts = [part for part in [*parts, rest] if part["num_frames_stim"].iloc[0]]
    table = pd.concat(parts, ignore_index=True)
    stim_times = STIM_START + np.arange(table["num_frames_stim"].sum()) / stim_fps
    stop = stim_times[-1] + TAIL - TWOP_START
    twop_times = TWOP_START + np.arange(int(stop * twop_fps)) / twop_fps
    parameters = {
        "gabor_minutes": gabor_minutes,
        "flow_minutes": flow_minutes,
        "gray": gray,
        "kappa": kappa,
        "unexpected": unexpected,
        "stim_fps": stim_fps,
        "twop_fps": twop_fps,
        "order": blocks,
        "light": light,
    }
    return Schedule(place_rows(table, stim_times, stim_fps, twop_times), stim_times, twop_times, seed, parameters)


def gabor_block(
    seed: int, n_sequences: int, frames: int = 18, kappa: float = 16.0, unexpected: bool = True
) -> pd.DataFrame:
    """Rows of one block of Gabor sequences.

    Parameters
    ----------
    seed : int
        Master seed.
    n_sequences : int
        Sequences of five rows A, B, C, D or U, G.
    frames : int
        Stimulus frames per row.
    kappa : float
        Concentration of the orientations of the patches.
    unexpected : bool
        Let U take the place of D in runs of 2-4 sequences, after 20-60 expected ones.

    Returns
    -------
    DataFrame
        ``unexpected`` is 1 in all rows of a sequence with U, and ``gabor_mean_orientation`` of U is the sequence's
        + 90 deg, not wrapped. G, which shows nothing, carries the orientation of its sequence and no patches. Places
        and sizes of patches belong to the letter; their orientations are drawn anew in each frame.

    Examples
    --------
    >>> block = gabor_block(1, n_sequences=200)
    >>> "".join(block["gabor_frame"][:10]), int(block["unexpected"].sum())
    ('ABCDGABCDG', 65)
    """
    check_integer("n_sequences", n_sequences, 1, unit="sequences")
    flags = np.zeros(n_sequences, bool)
    if unexpected:
        rng = stream(seed, "gabors", "runs")
        flags = draw_runs(rng, n_sequences, EXPECTED_RUN, UNEXPECTED_RUN, UNEXPECTED_SHARE)
    letters = np.tile(np.array(LETTERS), (n_sequences, 1))
    letters[flags, 3] = "U"
    mean = np.repeat(stream(seed, "gabors", "orientations").choice(ORIENTATIONS, n_sequences)[:, None], 5, axis=1)
    mean[letters == "U"] += U_ROTATION
    letters, mean = letters.ravel(), mean.ravel()
    shown = letters != "G"
    spread = np.degrees(stream(seed, "gabors", "patches").vonmises(0.0, kappa, (len(mean), N_PATCHES)))
    image = np.where(shown, np.cumsum(shown) - 1, 0)
    return block_table(
        len(letters),
        stimulus_type="gabors",
        stimulus_template_name=np.where(shown, "gabors", GRAY),
        unexpected=np.repeat(flags, 5).astype(float),
        gabor_frame=letters,
        gabor_kappa=float(kappa),
        gabor_mean_orientation=mean,
        gabor_number=np.where(shown, float(N_PATCHES), 0.0),
        gabor_orientations=_where(shown, mean[:, None] + spread),
        start_frame_stim_template=image,
        num_frames_stim=frames,
        **_patches(seed, letters),
    )


def _patches(seed: int, letters: np.ndarray) -> dict[str, list[np.ndarray]]:
    """Places and sizes of the patches of each row, the same in every frame of a letter."""
    found = {}
    for letter in "ABCDU":
        rng = stream(seed, "gabors", "letter", letter)
        x, y = (rng.uniform(-half, half, N_PATCHES) for half in HALF_SCREEN)
        found[letter] = (x, y, rng.integers(SIZES[0], SIZES[1] + 1, N_PATCHES).astype(float))
    found["G"] = (np.empty(0),) * 3
    names = ("gabor_locations_x", "gabor_locations_y", "gabor_sizes")
    return {name: [found[letter][k] for letter in letters] for k, name in enumerate(names)}


def _where(shown: np.ndarray, values: np.ndarray) -> list[np.ndarray]:
    return [row if show else np.empty(0) for show, row in zip(shown, values, strict=True)]


def _blocks(seed: int, order: Sequence[str] | None, n_sequences: int, seconds: int) -> tuple[str, ...]:
    """Names of the blocks, in order."""
    if order is None:
        rng = stream(seed, "order")
        flow = [str(name) for name in rng.permutation(list(DIRECTIONS))]
        order = ["gabors", *flow] if rng.random() < 0.5 else [*flow, "gabors"]
    order = [check_choice("order", name, ("gabors", *DIRECTIONS)) for name in order]
    if len(set(order)) < len(order):
        raise ValueError(f"order = {order} names a block twice: each may come once")
    kept = tuple(name for name in order if (n_sequences if name == "gabors" else seconds))
    if not kept:
        raise ValueError(
            f"nothing is shown: gabor_minutes gives {n_sequences} sequences, flow_minutes {seconds} s, order is {order}"
        )
    return kept
