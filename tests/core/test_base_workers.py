"""Workers: results in order, errors told, deaths survived, none left behind."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from netlib.base.workers import WorkerDied, Workers, run_jobs


def square(x):
    return x * x


def fails_at_two(x):
    if x == 2:
        raise ZeroDivisionError("two")
    return x


@pytest.mark.parametrize("n", [1, 3])
def test_results_come_in_order(n):
    told = []
    assert run_jobs(square, [(k,) for k in range(20)], n, lambda: told.append(1)) == [k * k for k in range(20)]
    assert len(told) == 20
    offset = 5
    assert run_jobs(lambda x: x + offset, [(1,), (2,)], n) == [6, 7]  # no module holds it
    assert run_jobs(square, [], n) == []


@pytest.mark.parametrize("n", [1, 2])
def test_the_first_error_is_raised(n):
    with pytest.raises(ZeroDivisionError, match="two"):
        run_jobs(fails_at_two, [(k,) for k in range(6)], n)


def test_deaths_are_told_and_the_others_go_on():
    def deadly(x):
        if x == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        if x == 2:
            os._exit(3)
        return x

    with Workers(2) as workers:
        found = dict(workers.outcomes(deadly, [(k,) for k in range(5)]))
        assert isinstance(found[1], WorkerDied) and "SIGKILL, for want of memory perhaps" in str(found[1])
        assert isinstance(found[2], WorkerDied) and "exit status 3" in str(found[2])
        assert [found[k] for k in (0, 3, 4)] == [0, 3, 4]
        assert workers.run(square, [(3,)]) == [9]  # the pool lives on


def test_what_cannot_be_sent_back_is_an_error():
    def generator():
        return (k for k in range(3))

    with Workers(2) as workers:
        (_, found), _ = workers.outcomes(generator, [(), ()])
    assert isinstance(found, RuntimeError) and "generator cannot be sent back" in str(found)


def test_more_than_fits_in_a_pipe_is_sent_both_ways():
    text = "x" * 5_000_000
    assert run_jobs(str.upper, [(text,)] * 3, 2) == [text.upper()] * 3


def alive(marker):
    """Processes whose command line or environment holds a word."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                if marker.encode() in file.read():
                    found.append(int(pid))
        except OSError:
            continue
    return found


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="reads /proc to count processes")
def test_no_worker_outlives_its_parent(tmp_path):
    (tmp_path / "job.py").write_text(
        textwrap.dedent(
            """
            import time
            from netlib.base.workers import run_jobs
            run_jobs(time.sleep, [(60,)] * 4, 2)
            """
        )
    )
    marker = f"MARK_OF_{tmp_path.name}"
    parent = subprocess.Popen([sys.executable, "job.py"], cwd=tmp_path, env=os.environ | {"MARK": marker})
    deadline = time.monotonic() + 60
    while len(alive(marker)) < 3 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert len(alive(marker)) == 3
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    deadline = time.monotonic() + 5
    while alive(marker) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert alive(marker) == []


def test_a_program_needs_no_guard(tmp_path):
    (tmp_path / "job.py").write_text(
        "from netlib.base.workers import run_jobs\nprint(run_jobs(abs, [(-1,), (2,)], 2))\n"
    )
    done = subprocess.run([sys.executable, "job.py"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "[1, 2]\n"


def forks(x):
    if os.fork() == 0:
        return -x
    os.wait()
    return x


def leaves_a_fork(_):
    if os.fork() == 0:
        time.sleep(5)
        os._exit(0)
    os._exit(1)


class TwoArguments(Exception):
    def __init__(self, a, b):
        super().__init__(f"{a} {b}")


def raises_of_two(_):
    raise TwoArguments("hello", "world")


def test_a_fork_of_a_worker_does_not_answer_for_it():
    with Workers(2) as workers:
        assert workers.run(forks, [(k,) for k in range(1, 7)]) == [1, 2, 3, 4, 5, 6]


def test_a_dead_worker_is_told_though_its_fork_lives():
    start = time.time()
    with Workers(2) as workers:
        assert isinstance(dict(workers.outcomes(leaves_a_fork, [(1,)]))[0], WorkerDied)
    assert time.time() - start < 4


def test_an_error_of_two_arguments_keeps_its_text():
    with Workers(2) as workers, pytest.raises(RuntimeError, match=r"TwoArguments.*hello world"):
        workers.run(raises_of_two, [(1,)])
