"""What passes from two-photon sessions to the tables of the papers' panels: which rows, which clock, which sample."""

import json

import numpy as np
import pandas as pd
import pytest
from _session_maker import METADATA, flow, gray, make_arrays, make_session, sequences

from netlib.openscope.events import locked_events
from netlib.openscope.nwb_writing import write_session
from netlib.openscope.panel_data import (
    full_session,
    histograms,
    index_statistics,
    percent_significant,
    scores,
    thirds_differences,
    tracked_usis,
)
from netlib.openscope.panel_examples import example_rois, mean_signals, overlays, signal_to_noise_ratios
from netlib.openscope.panels import panel
from netlib.openscope.parameters import StimPar
from netlib.openscope.ring import two_photon
from netlib.openscope.session import Session

FLOW = StimPar("none", "none", "none", 2, 2, "visflow", ("right (temp)", "left (nasal)"), 128)


def table_of(compute, sessions, parameters) -> list[dict]:
    """Rows of the table that a panel makes."""
    (table,) = compute(sessions, parameters, 905).values()
    return [{name: column[str(k)] for name, column in table.items()} for k in range(len(table["sess_ns"]))]


def numbered(mouse: int, number: int = 1, **changes):
    facts = {"sessid": 1000 * mouse + number, "mouseid": 400000 + mouse, "mouse_n": mouse, "sess_n": number}
    return make_session(seed=10 * mouse + number, metadata={**METADATA, **facts}, **changes)


# ---------------------------------------------------------------- events


def test_the_flow_turns_expected_only_where_unexpected_flow_came_before():
    """The first run of either direction follows gray: it is no turn, in the second direction as in the first."""
    session, first, second = make_session(), 202, 233
    back = locked_events(session, FLOW, "exp_lock")
    assert back.index.tolist() == [first + 15, second + 10, second + 23]
    turned = locked_events(session, FLOW, "unexp_lock")
    assert turned.index.tolist() == [first + 12, second + 8, second + 20]


def test_flow_that_opens_unexpectedly_is_no_turn_in_either_direction():
    rows = [*gray(), *flow(10, {0, 1, 6}, "right (temp)"), *gray(), *flow(10, {0, 4, 5}, "left (nasal)"), *gray()]
    assert locked_events(make_session(rows=rows), FLOW, "unexp_lock").index.tolist() == [7, 16]


# ---------------------------------------------------------------- behaviour


def test_stretches_of_running_and_pupil_are_in_frames_of_their_own_clock():
    """Running is sampled 60 times a second from the first image on, the pupil 30 times a second from 5 s before."""
    one = panel("dataset", "6", "A")
    session = make_session(rows=[*gray(4), *sequences(10, {3}, [0.0, 45.0]), *gray(2)])
    (row,) = table_of(full_session, [session], one.parameters)
    assert row["stims"] == ["grayscreen", "gabors", "grayscreen"]
    # 4 s of gray, ten sequences of 1.5 s, 2 s of gray.
    assert row["run_frames"] == [[0, 240], [240, 1140], [1140, 1260]]
    assert row["pupil_frames"] == [[150, 270], [270, 720], [720, 780]]
    assert (len(row["run_data"]), len(row["pupil_data"])) == (len(session.stim_times), len(session.twop_times))


def test_each_histogram_is_of_the_session_that_its_row_names():
    """Constant velocities, other in each session, and sessions given in another order than that of their numbers."""
    n = len(make_session().stim_times)
    sessions = [
        numbered(mouse, number, running=np.full(n, 10.0 * mouse + 3 * number)) for mouse in (5, 2) for number in (2, 1)
    ]
    rows = table_of(histograms, sessions, panel("dataset", "6", "B").parameters)
    assert [row["sess_ns"] for row in rows] == [1, 2]
    for row in rows:
        edges = np.linspace(*row["run_bin_edges"], 41)
        for mouse, counts in zip(row["mouse_ns"], row["run_vals_binned"], strict=True):
            (filled,) = np.flatnonzero(counts)
            assert edges[filled] <= 10 * mouse + 3 * row["sess_ns"] < edges[filled + 1]
            assert counts[filled] == n


# ---------------------------------------------------------------- selectivity


def answering(letters: dict[str, slice], mouse: int = 1, rows=None, size: float = 1.0, n_rois: int = 6) -> Session:
    """Quiet ROIs, of which some answer to every frame of a letter for as long as it is shown."""
    facts = {"sessid": 1000 * mouse + 1, "mouseid": 400000 + mouse, "mouse_n": mouse, "sess_n": 1}
    values = make_arrays(n_rois=n_rois, rows=rows, metadata={**METADATA, **facts})
    values["dff"] = np.random.default_rng(mouse).normal(1.0, 0.01, values["dff"].shape)
    for letter, rois in letters.items():
        rows = values["trials"]["gabor_frame"] == letter
        for start in values["trials"].loc[rows, "start_frame_twop"]:
            values["dff"][start : start + 9, rois] += size
    return Session.from_arrays(**values)


def test_percents_of_low_and_of_high_rois_are_told_apart():
    """Of six ROIs four answer to U, which is high, and two to D, which is low; none is in doubt."""
    parameters = panel("analysis", "4", "D").run_parameters(n_permutations=1000)
    session = answering({"U": slice(0, 4), "D": slice(4, 6)})
    (row,) = table_of(percent_significant, [session], parameters)
    found = {
        name: (row[column], row[f"perc_{name}_idxs"])
        for name, column in (("sig_lo", "n_signif_lo"), ("sig_hi", "n_signif_hi"), ("pos", "n_pos"))
    }
    assert found == {
        "sig_lo": (2, pytest.approx(100 / 3)),
        "sig_hi": (4, pytest.approx(200 / 3)),
        "pos": (4, pytest.approx(200 / 3)),
    }


def plain_index(session: Session) -> np.ndarray:
    """d' of the ROIs that the session shows, trial by trial from the traces."""
    rows = session.trials[session.trials["gabor_frame"].isin(["D", "U"])]
    surprise, length = (rows["gabor_frame"] == "U").to_numpy(), round(0.6 * session.fps)
    x = np.array([session.traces()[:, k : k + length].sum(1) for k in rows["start_frame_twop"]])
    # d' does not change with the scale of a ROI.
    return (x[surprise].mean(0) - x[~surprise].mean(0)) / np.sqrt((x[surprise].var(0) + x[~surprise].var(0)) / 2)


def test_example_rois_are_labelled_with_their_own_mouse():
    """All ROIs of mouse 2 answer to D, which is low, all of mouse 4 to U, which is high: there is none without."""
    mice = {2: answering({"D": slice(0, 6)}, mouse=2), 4: answering({"U": slice(0, 6)}, mouse=4)}
    parameters = panel("analysis", "4", "A").run_parameters(n_permutations=1000)
    rows = {row["target_idxs"]: row for row in table_of(example_rois, list(mice.values()), parameters)}
    assert {name: (row["mouse_ns"], row["sessids"]) for name, row in rows.items()} == {
        "0.5_sig": (4, 4001),
        "-0.5_sig": (2, 2001),
    }
    for row in rows.values():
        assert row["roi_idxs"] == pytest.approx(plain_index(mice[row["mouse_ns"]])[row["roi_ns"]])


def test_each_mouse_has_a_mean_index_of_its_own_tracked_rois():
    sessions = [numbered(mouse, number) for mouse in (4, 2) for number in (1, 2)]
    for session in sessions:
        session.tracked_only = True
    own = {(s.metadata.mouse_n, s.metadata.sess_n): np.abs(plain_index(s)) for s in sessions}
    parameters = panel("analysis", "4", "G").run_parameters(n_permutations=960)
    rows = table_of(index_statistics, sessions, parameters)
    assert [(row["sess_ns"], row["mouse_ns"]) for row in rows] == [(1, [2, 4]), (2, [2, 4])]
    for row in rows:
        each = [own[mouse, row["sess_ns"]] for mouse in (2, 4)]
        assert row["mouse_idx_stats"] == pytest.approx([values.mean() for values in each])
        assert row["nrois"] == [len(values) for values in each]
        assert row["abs_roi_idx_stats"][0] == pytest.approx(np.concatenate(each).mean())
    alone = table_of(index_statistics, sessions, panel("analysis", "5", "C").parameters)
    assert [(row["mouse_ns"], row["sess_ns"]) for row in alone] == [(2, 1), (2, 2), (4, 1), (4, 2)]
    for row in alone:
        assert row["abs_roi_idx_stats"][0] == pytest.approx(own[row["mouse_ns"], row["sess_ns"]].mean())


# ---------------------------------------------------------------- decoding


def test_the_control_of_the_decoder_counts_unexpected_sequences_of_the_same_kind():
    """Two U follow each orientation at kappa 4, but at kappa 16, which is decoded, only one follows 45 deg."""
    oris = [0.0, 45.0, 90.0, 135.0]
    rows = [
        *(*gray(), *sequences(40, set(range(10, 18)), oris, kappa=4.0)),
        *(*gray(), *sequences(40, {9, 12, 16, 22, 26, 31, 35}, oris), *gray()),  # 45 deg at 9; 0, 90, 135 twice
    ]
    parameters = panel("analysis", "10", "D").run_parameters(n_permutations=2400)
    with pytest.raises(ValueError, match=r"has 1 U in sequences of 45 deg: the control needs 2"):
        scores([make_session(rows=rows, n_rois=4)], parameters, 905)


# ---------------------------------------------------------------- thirds, quality, masks


def test_differences_of_the_first_third_stand_under_its_name():
    """U is answered four times as strongly in the last third of the session as in the first."""
    rows = [*gray(), *sequences(42, {3, 4, 20, 36, 37}, [0.0, 45.0]), *gray()]
    values = make_arrays(n_rois=4, rows=rows)
    values["dff"] = np.random.default_rng(1).normal(1.0, 0.001, values["dff"].shape)
    starts = values["trials"].loc[values["trials"]["gabor_frame"] == "U", "start_frame_twop"]
    for start, size in zip(starts, (0.2, 0.2, 0.5, 0.8, 0.8), strict=True):
        values["dff"][start : start + 9] += size
    parameters = panel("analysis", "3", "B").run_parameters(n_permutations=960)
    (row,) = table_of(thirds_differences, [Session.from_arrays(**values)], parameters)
    assert row["third_0_diff_stats"][0] > 0
    assert row["third_2_diff_stats"][0] / row["third_0_diff_stats"][0] == pytest.approx(4.0, rel=0.02)


def test_signals_grow_with_the_traces_and_their_ratio_to_the_noise_does_not():
    dff = make_arrays()["dff"].astype(float)
    facts = {"sessid": 2001, "mouseid": 400002, "mouse_n": 2}
    sessions = [make_session(dff=dff), make_session(dff=8 * dff, metadata={**METADATA, **facts})]
    ratios = table_of(signal_to_noise_ratios, sessions, panel("dataset", "7", "A").parameters)
    signals = table_of(mean_signals, sessions, panel("dataset", "7", "B").parameters)
    assert [row["mouse_ns"] for row in (*ratios, *signals)] == [1, 2, 1, 2]
    np.testing.assert_allclose(ratios[1]["snrs"], ratios[0]["snrs"], rtol=1e-5)
    np.testing.assert_allclose(signals[1]["signal_means"], 8 * np.array(signals[0]["signal_means"]), rtol=1e-5)


def test_pixels_of_masks_are_listed_by_session_row_and_column():
    """Two tracked ROIs in a plane that is wider than high."""
    masks = np.zeros((2, 20, 30))
    masks[0, 2:6, 10:16] = masks[1, 12:18, 22:28] = 1.0
    session = make_session(
        n_rois=2, masks=masks, max_projection=np.zeros((20, 30), np.uint8), tracking_ids=np.array([0.0, 1.0])
    )
    session.tracked_only = True
    (row,) = table_of(overlays, [session], panel("dataset", "2", "C").parameters)
    assert row["roi_mask_shapes"] == [1, 20, 30]
    found = set(zip(*row["registered_roi_mask_idxs"], strict=True))
    wanted = {(0, r, c) for r in range(2, 6) for c in range(10, 16)}
    assert found == wanted | {(0, r, c) for r in range(12, 18) for c in range(22, 28)}


def test_masks_of_a_later_session_are_moved_onto_the_first(tmp_path):
    """The tracking file of session 1 says where in session 2 its places are: 4 px to the right and 2 px up."""
    pytest.importorskip("pynwb")
    masks = np.zeros((1, 24, 30))
    masks[0, 4:10, 12:20] = 1.0
    (tmp_path / "roi_tracking").mkdir()
    opened = []
    for number, other, shift in ((1, 2, (4.0, -2.0)), (2, 1, (-4.0, 2.0))):
        facts = {"sessid": 10 + number, "mouseid": 7, "mouse_n": 1, "sess_n": number}
        one = make_session(
            n_rois=1, masks=masks, max_projection=np.zeros((24, 30), np.uint8), tracking_ids=np.array([0.0]),
            metadata={**METADATA, **facts},
        )  # fmt: skip
        path = write_session(one, tmp_path / f"sub-7_ses-{10 + number}_ophys.nwb")
        content = {
            "rois": {f"sess_{number}_roi_id": {"0": 70}, "dff-ordered_roi_index": {"0": 0}},
            "bad_rois": {f"sess_{number}_bad_roi_id": {}, "dff_local_bad_roi_idx": {}},
            "metadata": {
                "minimum_iou": {"0": 0.0}, "sess_ns": {"0": [1, 2]}, "sess_ids": {"0": [11, 12]},
                f"sess_{other}_to_sess_{number}_transformation_matrix": {
                    "0": [[1, 0, shift[0]], [0, 1, shift[1]], [0, 0, 1]]
                },
            },
        }  # fmt: skip
        name = f"mouse_7__session_{10 + number}__nway_matched_rois.json"
        (tmp_path / "roi_tracking" / name).write_text(json.dumps(content))
        opened.append(Session.open(path, tracked_only=True))
    (row,) = table_of(overlays, opened, panel("dataset", "2", "C").parameters)
    for session in opened:
        session.close()
    found = np.array(row["registered_roi_mask_idxs"])
    spans = {k: [(part.min(), part.max() + 1) for part in found[1:, found[0] == k]] for k in (0, 1)}
    assert spans == {0: [(4, 10), (12, 20)], 1: [(6, 12), (8, 16)]}  # 2 px down, 4 px to the left


def test_a_tracked_roi_without_an_index_in_one_session_is_left_out_of_all():
    """Of four tracked ROIs the second by tracking number never varies in session 1; their order differs by session."""
    sessions, own = [], {}
    for number, order in ((1, [2, 0, 3, 1]), (2, [1, 3, 0, 2])):
        facts = {"sessid": number, "sess_n": number}
        values = make_arrays(n_rois=4, seed=number, tracking_ids=np.array(order, float), metadata={**METADATA, **facts})
        if number == 1:
            values["dff"][:, order.index(1)] = 1.0
        session = Session.from_arrays(**values)
        with np.errstate(invalid="ignore"):
            own[number] = plain_index(session)[[order.index(k) for k in (0, 2, 3)]]
        session.tracked_only = True
        sessions.append(session)
    rows = table_of(tracked_usis, sessions, panel("analysis", "4", "F").parameters)
    for row in rows:
        assert row["nrois"] == 3
        np.testing.assert_allclose(row["roi_idxs"], own[row["sess_ns"]], rtol=1e-5)


def answer_by(monkeypatch, experiment, name: str, function) -> None:
    """Let an experiment get its spikes from ``function``, in the place of the simulation that it calls ``name``."""
    assert name in experiment.__globals__
    monkeypatch.setitem(experiment.__globals__, name, function)


def test_cells_whose_drive_grows_are_those_called_up(monkeypatch):
    """Three cells answer to U and two to D; of seven others nothing is known."""
    group = np.array([1, 1, 1, -1, -1, 0, 0, 0, 0, 0, 0, 0])
    values = make_arrays(n_rois=12, spikes=[np.array([1.0])] * 12, truth=pd.DataFrame({"group": group, "gain": 0.0}))
    for letter, kind in (("U", 1), ("D", -1)):
        for start in values["trials"].loc[values["trials"]["gabor_frame"] == letter, "start_frame_twop"]:
            values["dff"][start : start + 9, group == kind] += 3.0
    session = Session.from_arrays(**values)

    def answer(seed, *, gain, **_):
        return session, session.truth().assign(gain=gain * group)

    answer_by(monkeypatch, two_photon, "ring_session", answer)
    found = two_photon(1, n_permutations=400, n_splits=1).set_index(["condition", "measure"])
    value, number = found["value"]["surprise"], found["n"]["surprise"]
    assert number[["usi_up", "usi_down", "usi_rest"]].tolist() == [3, 2, 7]
    assert value[["high_up", "low_up", "high_down", "low_down"]].tolist() == [1.0, 0.0, 0.0, 1.0]
    assert value["usi_up"] > 1 and value["usi_down"] < -1 and abs(value["usi_rest"]) < 0.5
    assert value["r_gain"] > 0.9
