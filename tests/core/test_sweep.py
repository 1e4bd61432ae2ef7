"""Sweeps: points, keys, cache, resume, workers, failures, kills, clusters."""

import functools
import json
import os
import resource
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest

from netlib import sweep as sweeps
from netlib.base.fingerprint import fingerprint
from netlib.base.seeds import stream
from netlib.networks import use_backend
from netlib.sweep import grid, listed, load_sweep, save_sweep, sweep, zipped
from netlib.sweep.run import context_name, keys_of

POINTS = grid(frequency=[1.0, 2.0, 3.0], noise=[0.0, 0.5])


def wave(seed, frequency=1.0, noise=0.1):
    """Largest value of a sine of ``frequency`` (Hz) in a second, with noise (mV), and its mean."""
    t = np.linspace(0, 1, 100)
    values = np.sin(2 * np.pi * frequency * t) + noise * stream(seed, "wave").standard_normal(len(t))
    return {"height": values.max(), "mean": values.mean()}


wave.units = {"height": "mV", "mean": "mV"}


def counted(seed, folder, x=0.0):
    """Leaves a file for each time it runs."""
    with open(os.path.join(folder, f"{x}_{seed}"), "a") as file:
        file.write("1")
    return {"y": x + seed}


def fails_at_two(seed, x):
    if x == 2:
        raise ZeroDivisionError("no network at 2")
    return {"y": x, "curve": np.arange(3) * x}


def ragged(seed, x):
    return {"y": np.zeros(x)}


# ---------------------------------------------------------------- points and data sets


def test_grid_is_every_combination_in_order():
    found = sweep(wave, POINTS, seeds=[4, 7])
    assert found["height"].dims == ("frequency", "noise", "seed")
    for i, frequency in enumerate([1.0, 2.0, 3.0]):
        for j, noise in enumerate([0.0, 0.5]):
            for k, seed in enumerate([4, 7]):
                assert found["height"].values[i, j, k] == wave(seed, frequency, noise)["height"]
    assert found["height"].attrs["unit"] == "mV"
    facts = json.loads(found.attrs["provenance"])
    assert facts["function"] == "test_sweep.wave" and facts["seeds"] == [4, 7]
    assert "numpy" in facts["versions"]


def test_other_sets_of_points():
    together = zipped(frequency=[1.0, 2.0], noise=[0.1, 0.2])
    assert together.settings == ({"frequency": 1.0, "noise": 0.1}, {"frequency": 2.0, "noise": 0.2})
    found = sweep(wave, listed([{"frequency": 1.0}, {"noise": 0.3}]))
    assert found.sizes == {"point": 2, "seed": 1}
    assert np.isnan(found["noise"].values[0]) and found["noise"].values[1] == 0.3
    drawn = sweeps.called(lambda k: {"frequency": k + 1.0}, 3)
    assert [s["frequency"] for s in drawn.settings] == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: grid(x=[]), "x has no values"),
        (lambda: grid(x=[1, 2, 1]), "x has the value 1 twice"),
        (lambda: grid(x="abc"), "x = 'abc' is no series"),
        (lambda: zipped(x=[1], y=[1, 2]), "different numbers of values"),
        (lambda: listed([]), "settings is empty"),
        (lambda: sweep(wave, POINTS, seeds=[1, 1]), "each once"),
        (lambda: sweep(wave, POINTS, seeds=0), "seeds = 0"),
        (lambda: sweep(ragged, grid(x=[1, 2])), r"shapes \[\(1,\), \(2,\)\]"),
    ],
)
def test_refusals(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_file_round_trip(tmp_path):
    found = sweep(
        fails_at_two,
        grid(
            x=[1, 2, 3],
        ),
    )
    back = load_sweep(save_sweep(found, tmp_path / "a.nc"))
    for name in ("y", "curve", "x", "seed"):
        np.testing.assert_array_equal(back[name].values, found[name].values)
    assert back["error"].values.ravel().tolist() == found["error"].values.ravel().tolist()
    (tmp_path / "b.nc").write_bytes((tmp_path / "a.nc").read_bytes()[:200])
    with pytest.raises(ValueError, match="not a whole sweep"):
        load_sweep(tmp_path / "b.nc")


def test_failures_are_kept_as_rows_and_tried_again(tmp_path):
    for _ in range(2):
        found = sweep(fails_at_two, grid(x=[1, 2, 3]), cache=tmp_path)
        assert found["error"].values.ravel().tolist() == ["", "ZeroDivisionError: no network at 2", ""]
        np.testing.assert_array_equal(found["y"].values.ravel(), [1, np.nan, 3])
        np.testing.assert_array_equal(found["curve"].values[2, 0], [0, 3, 6])
    assert len(list(tmp_path.glob("*/*.result"))) == 2


# ---------------------------------------------------------------- keys and cache


def key_of(function, setting, seed, context=None):
    return keys_of(fingerprint(function, context), [setting], [seed])[0]


def test_key_depends_on_everything():
    base = key_of(wave, {"noise": 0.1}, 1)
    others = [
        key_of(wave, {"noise": 0.2}, 1),
        key_of(wave, {"noise": 0.1}, 2),
        key_of(wave, {"noise": 0.1}, 1, functools.partial(use_backend, "nest")),
        key_of(wave, {"noise": 0.1}, 1, functools.partial(use_backend, "auto")),
        key_of(functools.partial(wave, frequency=2.0), {"noise": 0.1}, 1),
        key_of(fails_at_two, {"noise": 0.1}, 1),
    ]
    assert len({base, *others}) == 7
    assert key_of(wave, {"noise": 0.1}, 1) == base
    assert key_of(wave, {"a": 1, "b": 2}, 1) == key_of(wave, {"b": 2, "a": 1}, 1)
    assert key_of(wave, {"x": "inf"}, 1) != key_of(wave, {"x": float("inf")}, 1)
    assert context_name(functools.partial(use_backend, "auto")) == "netlib.networks.ring.use_backend(auto)"


def test_a_function_that_cannot_be_told_is_refused_with_the_way_out(tmp_path):
    with open(tmp_path / "log", "w") as file:
        with pytest.raises(
            TypeError, match=r"file, which .* closes over, is _io.TextIOWrapper.*: give its numbers instead"
        ):
            sweep(lambda seed: {"y": file.fileno()}, grid(), cache=tmp_path)
        assert sweep(lambda seed: {"y": 1.0}, grid(x=[1]), cache=None)["error"].size == 1


def test_second_run_runs_nothing(tmp_path):
    (tmp_path / "ran").mkdir()
    function = functools.partial(counted, folder=str(tmp_path / "ran"))
    first = sweep(function, grid(x=[1.0, 2.0]), seeds=2, cache=tmp_path / "cache")
    second = sweep(function, grid(x=[1.0, 2.0, 3.0]), seeds=2, cache=tmp_path / "cache")
    assert sorted(p.read_text() for p in (tmp_path / "ran").iterdir()) == ["1"] * 6
    np.testing.assert_array_equal(second["y"].values[:2], first["y"].values)


def test_damaged_files_are_made_again(tmp_path):
    whole = sweep(wave, POINTS, cache=tmp_path)
    a, b, c = sorted(tmp_path.glob("*/*.result"))[:3]
    a.write_bytes(a.read_bytes()[:-20])
    b.write_bytes(b"")
    c.write_bytes(b"not a result at all")
    again = sweep(wave, POINTS, cache=tmp_path)
    assert again.drop_attrs(deep=False).identical(whole.drop_attrs(deep=False))


def test_full_disk_is_said_and_spares_the_cache(tmp_path):
    """A limit on file sizes stands for the full disk: the kernel refuses the write."""
    sweep(wave, grid(frequency=[1.0]), cache=tmp_path)
    before = {p: p.read_bytes() for p in tmp_path.glob("*/*")}
    code = f"""
        import resource, signal
        from netlib.sweep import grid, sweep
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
        sweep(lambda seed, x: {{'y': x}}, grid(x=[2.0]), cache={str(tmp_path)!r})
    """
    ran = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False)
    assert ran.returncode and "the store cannot be written" in ran.stderr
    assert {p: p.read_bytes() for p in tmp_path.glob("*/*")} == before
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 100


# ---------------------------------------------------------------- processes


def test_workers_change_nothing():
    one, two = (sweep(wave, POINTS, seeds=3, workers=n) for n in (1, 2))
    assert one.drop_attrs(deep=False).identical(two.drop_attrs(deep=False))


KILLED = """
    import sys
    from netlib.sweep import grid, save_sweep, sweep
    from tests_sweep_slow import slow
    points = grid(x=list(range(30)))
    save_sweep(sweep(slow, points, workers=2, cache=sys.argv[1], progress=False), sys.argv[2])
"""
SLOW = """
    import time
    def slow(seed, x):
        time.sleep(0.1)
        return {"y": x * 1.5 + seed}
"""


def deadly(seed, x):
    if x == 1:
        os.kill(os.getpid(), signal.SIGSEGV)
    if x == 2:
        os._exit(7)
    if x == 3:
        sys.exit("no more")
    if x == 4:
        raise MemoryError("none left")
    return {"y": float(x)}


def test_a_point_that_kills_its_process_is_a_row_and_the_others_go_on(tmp_path):
    found = sweep(deadly, grid(x=[0, 1, 2, 3, 4, 5]), workers=2, cache=tmp_path)
    errors = found["error"].values.ravel().tolist()
    assert errors[0] == errors[5] == ""
    assert errors[1].startswith("WorkerDied: the process that ran it ended (SIGSEGV") and "x = 1, seed 1" in errors[1]
    assert "exit status 7" in errors[2] and "x = 2" in errors[2]
    assert errors[3] == "SystemExit: no more" and errors[4] == "MemoryError: none left"
    np.testing.assert_array_equal(found["y"].values.ravel(), [0, *[np.nan] * 4, 5])


@pytest.mark.slow
def test_killed_twenty_times(tmp_path):
    """SIGKILL of the whole process group at random moments: what is finished stays, the end is the same."""
    (tmp_path / "tests_sweep_slow.py").write_text(textwrap.dedent(SLOW))
    (tmp_path / "job.py").write_text(textwrap.dedent(KILLED))
    rng = np.random.default_rng(1)
    for trial in range(20):
        cache, out = tmp_path / f"cache{trial % 4}", tmp_path / f"{trial}.nc"
        command = [sys.executable, "job.py", str(cache), str(out)]
        process = subprocess.Popen(command, cwd=tmp_path, start_new_session=True, stderr=subprocess.DEVNULL)
        time.sleep(rng.uniform(1.0, 3.5))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    expected = np.arange(30) * 1.5 + 1
    for which in range(4):
        out = tmp_path / f"last{which}.nc"
        command = [sys.executable, "job.py", str(tmp_path / f"cache{which}"), str(out)]
        subprocess.run(command, cwd=tmp_path, check=True)
        np.testing.assert_array_equal(load_sweep(out)["y"].values.ravel(), expected)


@pytest.mark.slow
def test_two_sweeps_share_a_cache(tmp_path):
    (tmp_path / "tests_sweep_slow.py").write_text(textwrap.dedent(SLOW))
    (tmp_path / "job.py").write_text(textwrap.dedent(KILLED))
    jobs = [
        subprocess.Popen([sys.executable, "job.py", str(tmp_path / "cache"), str(tmp_path / f"{k}.nc")], cwd=tmp_path)
        for k in range(2)
    ]
    assert [job.wait(120) for job in jobs] == [0, 0]
    a, b = (load_sweep(tmp_path / f"{k}.nc") for k in range(2))
    np.testing.assert_array_equal(a["y"].values, b["y"].values)
    assert len(list((tmp_path / "cache").glob("*/*"))) == 30


@pytest.mark.slow
def test_no_scheduler_is_said():
    with pytest.raises(OSError, match="does not answer"):
        sweep(wave, POINTS, scheduler="tcp://127.0.0.1:1")


class Model:
    def __call__(self, seed, x):
        return {"y": x}


def test_an_object_that_is_called_is_swept():
    assert sweep(Model(), grid(x=[1.0, 2.0]))["y"].values.ravel().tolist() == [1.0, 2.0]


def test_a_module_changed_in_memory_is_refused_where_workers_would_not_see_it(tmp_path, monkeypatch):
    (tmp_path / "constant_of_mine.py").write_text("K = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    import constant_of_mine

    def times(seed, x):
        return {"y": constant_of_mine.K * x}

    points = grid(x=[1.0, 2.0])
    assert sweep(times, points, workers=2, cache=tmp_path / "c")["y"].values.ravel().tolist() == [1.0, 2.0]
    monkeypatch.setattr(constant_of_mine, "K", 7)
    found = sweep(times, points, workers=2, cache=tmp_path / "c")
    assert all("workers=1" in text for text in found["error"].values.ravel())
    assert sweep(times, points, cache=tmp_path / "c")["y"].values.ravel().tolist() == [7.0, 14.0]
