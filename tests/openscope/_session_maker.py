"""A small synthetic session, made without the simulator: for tests of sessions and their files."""

import numpy as np
import pandas as pd

from netlib.openscope.session import Session

STIM_FPS, TWOP_FPS, LEAD = 60.0, 30.0, 5.0
METADATA = {
    "sessid": 758519303,
    "mouseid": 408021,
    "mouse_n": 1,
    "sess_n": 1,
    "line": "L23-Cux2",
    "plane": "soma",
    "depth": 175.0,
    "sex": "M",
    "DOB": "20180623",
    "start_time": "2018-09-26T17:29:17+00:00",
}


def sequences(n, unexpected, orientations, kappa=16.0):
    """Rows of n Gabor sequences A-B-C-D/U-G."""
    rows = []
    for k in range(n):
        odd = k in unexpected
        mean = orientations[k % len(orientations)]
        for letter in "ABC" + ("U" if odd else "D") + "G":
            rows.append(
                {
                    "stimulus_type": "gabors",
                    "stimulus_template_name": "gabors",
                    "unexpected": float(odd),
                    "gabor_frame": letter,
                    "gabor_kappa": kappa,
                    "gabor_mean_orientation": mean + (90.0 if letter == "U" else 0.0),
                    "gabor_number": 30.0,
                    "num_frames_stim": 18,
                }
            )
    return rows


def flow(n, unexpected, direction):
    return [
        {
            "stimulus_type": "visflow",
            "stimulus_template_name": "visflow_" + direction.split()[0],
            "unexpected": float(k in unexpected),
            "main_flow_direction": direction,
            "square_size": 128.0,
            "square_number": 105.0,
            "square_proportion_flipped": 0.25 * (k in unexpected),
            "num_frames_stim": 60,
        }
        for k in range(n)
    ]


def gray(seconds=4):
    return [{"stimulus_type": "grayscreen", "unexpected": np.nan, "num_frames_stim": int(60 * seconds)}]


def trials_table(rows, seed=0, ragged=True):
    """Complete rows with frames and times on both clocks, and patches."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(rows)
    for name in ("gabor_frame", "main_flow_direction", "stimulus_template_name"):
        table[name] = table[name].where(table[name].notna(), "").astype(str) if name in table else ""
    stop = table["num_frames_stim"].cumsum()
    table["start_frame_stim"], table["stop_frame_stim"] = stop - table["num_frames_stim"], stop
    for edge in ("start", "stop"):
        time = LEAD + table[f"{edge}_frame_stim"] / STIM_FPS
        table[f"{edge}_time_sec"] = time
        table[f"{edge}_frame_twop"] = np.round(time * TWOP_FPS).astype(int)
    if ragged:
        n_patches = [30 if kind == "gabors" else 0 for kind in table["stimulus_type"]]
        for name in ("gabor_locations_x", "gabor_locations_y", "gabor_sizes", "gabor_orientations"):
            table[name] = pd.Series([rng.normal(0, 90, n) for n in n_patches], dtype=object)
        facts = zip(table["stimulus_type"], table["num_frames_stim"], strict=True)
        shapes = [(5, n) if kind == "visflow" else (0, 0) for kind, n in facts]
        for name in ("square_locations_x", "square_locations_y"):
            table[name] = pd.Series([rng.normal(0, 300, shape) for shape in shapes], dtype=object)
    return table


def default_rows():
    """Gray, 40 sequences (unexpected: 10-12, 25-26), gray, two directions of flow of 30 rows each, gray."""
    return [
        *gray(),
        *sequences(40, {10, 11, 12, 25, 26}, [0.0, 45.0, 90.0, 135.0]),
        *gray(),
        *flow(30, {12, 13, 14}, "right (temp)"),
        *gray(),
        *flow(30, {8, 9, 20, 21, 22}, "left (nasal)"),
        *gray(),
    ]


def make_arrays(n_rois=12, seed=0, *, rows=None, jitter=True, ragged=True, **changes):
    rng = np.random.default_rng(seed)
    trials = trials_table(rows or default_rows(), seed, ragged)
    n_stim = int(trials["stop_frame_stim"].iloc[-1]) + 30
    n_twop = int(trials["stop_frame_twop"].iloc[-1]) + 45
    noise = 1e-4 if jitter else 0.0
    values = {
        "dff": rng.gamma(1.0, 0.2, (n_twop, n_rois)).astype(np.float32),
        "twop_times": np.arange(n_twop) / TWOP_FPS + noise * rng.uniform(-1, 1, n_twop),
        "stim_times": LEAD + np.arange(n_stim) / STIM_FPS + noise * rng.uniform(-1, 1, n_stim),
        "trials": trials,
        "running": 10 + rng.normal(0, 3, n_stim),
        "pupil": {name: 1 + 0.1 * rng.normal(size=n_twop) for name in ("diameter", "x", "y")},
        "roi_ids": 759_000_000 + rng.permutation(1000)[:n_rois],
        "tracking_ids": np.where(np.arange(n_rois) % 3 == 0, np.nan, rng.permutation(n_rois)),
        "masks": rng.uniform(0, 1, (n_rois, 16, 16)) * (rng.uniform(size=(n_rois, 16, 16)) < 0.1),
        "max_projection": rng.integers(0, 255, (16, 16)).astype(np.uint8),
        "metadata": METADATA,
    }
    return {**values, **changes}


def make_session(n_rois=12, seed=0, *, rows=None, jitter=True, ragged=True, **changes):
    return Session.from_arrays(**make_arrays(n_rois, seed, rows=rows, jitter=jitter, ragged=ragged, **changes))
