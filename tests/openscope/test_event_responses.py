"""Responses around events: windows, statistics, differences, ratios to session 1, running and pupil."""

import json

import numpy as np
import pytest

from netlib.base.seeds import stream
from netlib.openscope.changes import flow_means, frame_means, reference_responses, relative_responses
from netlib.openscope.responses import (
    block_differences,
    block_test,
    early_and_late,
    integrated_response,
    roi_differences,
    run_numbers,
    summarise,
    third_differences,
)
from netlib.openscope.windows import window_size, window_times
from netlib.statistics.permutation import compare_samples, joint_difference_test

# ---------------------------------------------------------------- windows and traces


def published_stretched_times(pre, post, fps):
    """Time axis of the published figures (s): its last label is a frame late."""
    return np.linspace(-pre, post, sum(window_size(pre, post, fps)))


@pytest.mark.parametrize("fps", [30.0, 30.08, 30.15])
def test_window_times_are_frames_from_the_event_and_published_ones_stretched(fps):
    n_pre, n_post = window_size(0.9, 0.6, fps)
    assert (n_pre, n_post) == (27, 18)
    times = window_times(n_pre, n_post, fps)
    assert times[n_pre] == 0 and len(times) == 45
    np.testing.assert_allclose(np.diff(times), 1 / fps)
    wrong = published_stretched_times(0.9, 0.6, fps)
    assert 0.9 / fps < wrong[-1] - times[-1] < 1.1 / fps  # a frame late at the end


def test_integral_is_the_sum_over_frames_divided_by_the_rate():
    windows = stream(3, "windows").normal(size=(4, 3, 18))
    windows[1, 2, 5] = np.nan
    got = integrated_response(windows, 30.0, frames=slice(2, 11))
    for i in range(4):
        for j in range(3):
            plain = sum(windows[i, j, k] for k in range(2, 11)) / 30.0
            assert got[i, j] == pytest.approx(plain, abs=1e-14, nan_ok=True)
    assert np.isnan(got[1, 2]) and np.isnan(got).sum() == 1
    with pytest.raises(ValueError, match="holds no frame"):
        integrated_response(windows, 30.0, frames=slice(20, 30))
    with pytest.raises(ValueError, match="fps = 0 Hz"):
        integrated_response(windows, 0)


def test_statistics_against_plain_formulas():
    x = np.array([1.0, 5.0, np.nan, 2.0, 9.0, 4.0])
    known = np.array([1.0, 5.0, 2.0, 9.0, 4.0])
    assert float(summarise(x).error) == pytest.approx(known.std(ddof=1) / np.sqrt(5))
    assert float(summarise(x, error="std").error) == pytest.approx(known.std())
    assert float(summarise(x, stats="median").error) == np.median(np.abs(known - 4.0))
    assert summarise(x, stats="median", error="std").error.tolist() == np.percentile(known, [25, 75]).tolist()
    lone = summarise(np.array([[1.0, np.nan]]))
    assert np.isnan(lone.error).all() and np.isnan(lone.center[1]) and lone.n.tolist() == [1, 0]
    assert np.isnan(summarise(np.array([[1.0, np.nan]]), stats="median").center[1])
    with pytest.raises(ValueError, match="infinite"):
        summarise(np.full((2, 2), np.inf))


# ---------------------------------------------------------------- differences


def test_differences_against_loops_and_without_nan():
    rng = stream(5, "differences")
    responses, unexpected = rng.normal(size=(40, 6)), rng.random(40) < 0.3
    responses[rng.random(responses.shape) < 0.1] = np.nan
    got = roi_differences(responses, unexpected)
    for k in range(6):
        u = [x for x, flag in zip(responses[:, k], unexpected, strict=True) if flag and not np.isnan(x)]
        e = [x for x, flag in zip(responses[:, k], unexpected, strict=True) if not flag and not np.isnan(x)]
        assert got[k] == pytest.approx(sum(u) / len(u) - sum(e) / len(e), abs=1e-14)
    with pytest.raises(ValueError, match="both kinds must occur"):
        roi_differences(responses, np.zeros(40, bool))
    with pytest.raises(ValueError, match=r"\(40,\), one per trial"):
        roi_differences(responses, unexpected[:-1])


def test_a_planted_difference_is_found_and_its_size_recovered():
    rng = stream(6, "planted")
    sessions = []
    for n_rois in (20, 30):
        unexpected = rng.permutation(np.arange(300) < 30)
        shared = rng.normal(size=(300, 1))  # noise common to all ROIs, as on a running mouse
        sessions.append((0.3 * shared + rng.normal(size=(300, n_rois)) + 0.4 * unexpected[:, None], unexpected))
    summary = summarise(np.concatenate([roi_differences(*session) for session in sessions]))
    test = joint_difference_test(sessions, n_permutations=2000, seed=1)
    assert summary.n == 50 and float(summary.center) == pytest.approx(test.value, abs=1e-12)
    assert float(summary.center) == pytest.approx(0.4, abs=0.15) and test.p_exact < 0.01


def test_labels_without_effect_give_the_error_rate_they_promise_and_joint_noise_does_not_matter():
    rng, n, below = stream(8, "null"), 100, 0
    for k in range(n):
        unexpected = rng.permutation(np.arange(120) < 20)
        responses = rng.normal(size=(120, 1)) + 0.2 * rng.normal(size=(120, 15))
        below += joint_difference_test([(responses, unexpected)], n_permutations=99, seed=k).p_exact <= 0.1
    assert 3 <= below <= 19  # 99.7 % of Binomial(100, 0.1)


def test_thirds():
    rng = stream(9, "thirds")
    segments = np.sort(rng.choice(6800, 90, replace=False))
    early, late = early_and_late(segments)
    assert early.sum() == late.sum() == 30 and early[:30].all() and late[-30:].all()
    unexpected = np.arange(90) % 3 == 0
    responses = rng.normal(size=(90, 400)) + 1.0 * (unexpected & late)[:, None]
    first, last, change = third_differences(responses, unexpected, segments)
    np.testing.assert_array_equal(first, roi_differences(responses[:30], unexpected[:30]))
    np.testing.assert_array_equal(change, last - first)
    assert change.mean() == pytest.approx(1.0, abs=0.1) and first.mean() == pytest.approx(0.0, abs=0.1)
    assert compare_samples(first, last, paired=True, n_permutations=999).p_exact < 0.005
    with pytest.raises(ValueError, match="early third"):
        third_differences(responses, ~early & unexpected, segments)


# Published (Gillon et al. 2024, Figure 2): traces (panel A) and integrated differences (panel B) of 12 groups.


def test_published_differences_are_integrals_of_the_published_traces_over_the_whole_window(reference_folder):
    traces = json.loads((reference_folder / "openscope/analysis_Fig2_panel_A.json").read_text())["trace_df"]
    rows = json.loads((reference_folder / "openscope/analysis_Fig2_panel_B.json").read_text())["diffs_df"]["diff_stats"]
    for row, (published, sem) in rows.items():
        rate, n = np.array(traces["twop_fps"][row]), np.array(traces["nrois"][row])
        expected, unexpected = np.array(traces["trace_stats"][row])[:, :, 0]
        assert len(expected) == sum(window_size(0.9, 0.6, rate.mean()))
        np.testing.assert_allclose(published_stretched_times(0.9, 0.6, rate[0]), traces["time_values"][row])
        ours = integrated_response(unexpected - expected, rate @ n / n.sum())
        # The traces pool mice, which the published integral divided by each mouse's own frame rate: they agree up to
        # the spread of these rates times the difference of a mouse (below 0.02 dF/F s).
        assert ours == pytest.approx(published, abs=0.02 * np.ptp(rate) / rate.mean())
        assert abs(ours - published) < 0.02 * sem


# ---------------------------------------------------------------- relative responses


def segments_of_gabors(rng, n_rois, gain=1.0, n=40):
    """Responses to sequences, one in four unexpected; D has 2, the others 1, U 3 (dF/F s), before ``gain``."""
    letters, flags, rows = [], [], []
    for k in range(n):
        odd = k % 4 == 0
        for letter in "ABC" + ("U" if odd else "D") + "G":
            letters.append(letter)
            flags.append(odd)
            rows.append({"D": 2.0, "U": 3.0}.get(letter, 1.0) * gain * np.ones(n_rois))
    return np.array(rows) + 0.01 * rng.normal(size=(len(rows), n_rois)), letters, flags


def test_relative_responses_against_loops():
    rng = stream(10, "relative")
    one, two = segments_of_gabors(rng, 7), segments_of_gabors(rng, 5, gain=1.5)
    tables = [frame_means(*s) for s in (one, two)]
    reference = reference_responses(tables[0])
    relative = relative_responses(tables[1], reference)
    responses, letters, flags = (np.array(x) for x in two)
    base, base_letters, base_flags = (np.array(x) for x in one)

    def mean(r, ls, fs, letter, odd):
        return r[(ls == letter) & (fs == odd)].mean(0)

    for roi in range(5):
        regular = np.mean(
            [
                mean(responses, letters, flags, x, False)[roi] / mean(base, base_letters, base_flags, x, False).mean()
                for x in "ABC"
            ]
        )
        odd = np.mean(
            [
                mean(responses, letters, flags, x, True)[roi] / mean(base, base_letters, base_flags, y, False).mean()
                for x, y in ("UD", "GG")
            ]
        )
        assert relative.loc[roi, "rel_reg"] == pytest.approx(regular)
        assert relative.loc[roi, "rel_unexp"] == pytest.approx(odd)
    own = relative_responses(tables[0], reference)
    assert own["rel_reg"].mean() == pytest.approx(1.0, abs=1e-12)  # the published 1.0 of session 1
    assert relative["rel_reg"].mean() == pytest.approx(1.5, abs=0.02)
    assert relative["rel_unexp"].mean() == pytest.approx(1.5 * (3 / 2 + 1) / 2, abs=0.02)


def test_denominators_near_zero_are_said_marked_or_refused():
    rng = stream(11, "zero")
    responses, letters, flags = segments_of_gabors(rng, 30)
    b = np.array(letters) == "B"
    responses[b] -= 1.0
    responses[b] += 5.0 * rng.normal(size=30) * np.ones((b.sum(), 1))
    responses[b] -= np.mean(responses[b]) - 0.1
    table = frame_means(responses, letters, flags)
    reference = reference_responses(table)
    with pytest.warns(UserWarning, match=r"within 2 standard errors of zero .* B "):
        relative_responses(table, reference)
    with pytest.raises(ValueError, match="within 2 standard errors"):
        relative_responses(table, reference, unstable="raise")
    marked = relative_responses(table, reference, unstable="nan")
    assert marked[["B", "rel_reg"]].isna().to_numpy().all() and marked["rel_unexp"].notna().all()
    assert relative_responses(table, reference, unstable="keep")["B"].mean() == pytest.approx(1.0)
    reference.loc["C", "mean"] = 0.0
    with pytest.raises(ValueError, match="response to C is 0 dF/F s"):
        relative_responses(table, reference, unstable="keep")


def test_flow_and_frames_that_do_not_fit():
    rng = stream(12, "flow")
    odd = np.arange(60) % 5 == 0
    table = flow_means(1.0 + odd[:, None] + 0.01 * rng.normal(size=(60, 9)), odd)
    relative = relative_responses(table, reference_responses(table))
    assert relative["rel_unexp"].mean() == pytest.approx(2.0, abs=0.02)
    responses, letters, flags = segments_of_gabors(rng, 3)
    with pytest.raises(ValueError, match="a U in no unexpected sequence"):
        frame_means(responses, letters, ~np.array(flags))
    keep = np.array(letters) != "C"
    with pytest.raises(ValueError, match="no segment of frame C"):
        frame_means(responses[keep], np.array(letters)[keep], np.array(flags)[keep])
    with pytest.raises(ValueError, match="same stimulus"):
        relative_responses(table, reference_responses(frame_means(responses, letters, flags)))


# ---------------------------------------------------------------- running and pupil


def test_blocks_against_a_plain_loop():
    rng = stream(13, "blocks")
    flags = np.repeat(np.arange(21) % 2 == 0, rng.integers(2, 9, 21))  # begins and ends unexpected
    values = rng.normal(size=(len(flags), 6))
    values[rng.random(values.shape) < 0.1] = np.nan
    expected, blocks, k = [], [], 0
    level = np.array([np.nanmean(v) for v in values])
    while k < len(flags):
        if not flags[k]:
            expected.append(level[k])
            k += 1
            continue
        odd = []
        while k < len(flags) and flags[k]:
            odd.append(level[k])
            k += 1
        if expected:
            blocks.append(np.mean(odd) - np.mean(expected))
        expected = []
    table = block_differences(values, flags)
    np.testing.assert_allclose(table["difference"], blocks)
    assert len(table) == 10 and (table["first_trial"].diff().dropna() > 0).all()


def test_blocks_do_not_cross_parts_and_survive_nan():
    flags = [0, 0, 1, 0, 0, 1]
    assert run_numbers(flags).tolist() == [0, 0, 1, 2, 2, 3]
    whole = block_differences(np.arange(6.0), flags)
    parted = block_differences(np.arange(6.0), flags, part=["l", "l", "l", "l", "r", "r"])
    assert len(whole) == len(parted) == 2
    assert whole["n_expected"].tolist() == [2, 2] and parted["n_expected"].tolist() == [2, 1]
    gone = block_differences([0.0, 1, np.nan, 3, 4, 5], flags)
    assert np.isnan(gone["difference"][0]) and block_test(gone)[0].n == 1
    with pytest.raises(ValueError, match="there is no block"):
        block_differences([1.0, 2.0], [1, 0])


def test_block_test_finds_a_planted_change_and_no_other():
    rng, flags = stream(14, "block test"), np.tile(np.r_[np.zeros(12), np.ones(3)], 30)
    slow = np.repeat(rng.normal(size=30) * 5, 15)  # speed drifts from block to block, which pairing removes
    quick = block_differences(slow + rng.normal(size=450) + 2.0 * flags, flags)
    summary, test = block_test(quick, seed=2)
    assert float(summary.center) == pytest.approx(2.0, abs=0.4) and summary.n == 30 and test.p_exact < 0.001
    assert block_test(block_differences(slow + rng.normal(size=450), flags), seed=2)[1].p_exact > 0.01
