"""Sweeps of ring networks: the answers are those of a run by hand; the command; a cluster whose worker dies."""

import functools
import os

import numpy as np
import pytest
from typer.testing import CliRunner

from netlib.cli import app
from netlib.networks import use_backend
from netlib.sweep import grid, load_sweep, sweep
from netlib.v1.sweeps import ring_response

POINTS = grid(frequency=[1.0, 2.0, 3.0], noise=[0.0, 0.5])


def test_ring_has_the_same_answer_as_by_hand():
    context = functools.partial(use_backend, "compiled")
    function = functools.partial(ring_response, preset="internship2019_final", orientations=2, duration=500.0)
    found = sweep(function, grid(**{"input_to_E.weight": [0.2, 0.4]}), seeds=[3], context=context)
    with context():
        alone = function(3, **{"input_to_E.weight": 0.4})
    assert alone["rate_E"] > 0
    for name, value in alone.items():
        np.testing.assert_array_equal(found[name].sel({"input_to_E.weight": 0.4, "seed": 3}).values, value)
    assert found["rate_E"].attrs["unit"] == "Hz"


def test_command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = ["sweep", "ring", "--set", "preset=internship2019_final", "--set", "orientations=2", "--quiet"]
    arguments += ["--set", "duration=200", "--grid", "contrast=0:1:2", "--grid", "input_to_E.weight=0.2,0.4"]
    ran = CliRunner().invoke(app, [*arguments, "--out", "a.nc"])
    assert ran.exit_code == 0, ran.output
    found = load_sweep("a.nc")
    assert found["rate_E"].shape == (2, 2, 1)
    assert (found["rate_E"].sel(contrast=1.0) >= found["rate_E"].sel(contrast=0.0)).all()
    assert len(list((tmp_path / "netlib_cache").glob("*/*.result"))) == 4
    ran = CliRunner().invoke(app, ["sweep", "ring", "--grid", "E_to_F.weight=1", "--out", "b.nc", "--quiet"])
    assert ran.exit_code == 1 and "did you mean" in ran.output
    ran = CliRunner().invoke(app, ["sweep", "rings", "--grid", "contrast=1"])
    assert ran.exit_code == 2 and "did you mean 'ring'" in ran.output


@pytest.mark.slow
def test_dask_and_the_death_of_a_worker(tmp_path):
    from distributed import Client, LocalCluster

    points = grid(**{"E_to_E.weight": [0.05, 0.1, 0.15, 0.2]})
    function = functools.partial(ring_response, preset="internship2019_final", orientations=2, duration=300.0)
    context = functools.partial(use_backend, "compiled")
    here = sweep(function, points, seeds=2, context=context)
    with LocalCluster(2, threads_per_worker=1, dashboard_address=None, local_directory=tmp_path) as cluster:
        there = sweep(function, points, seeds=2, context=context, scheduler=cluster.scheduler_address)
        assert there.drop_attrs(deep=False).identical(here.drop_attrs(deep=False))
        with Client(cluster) as client:
            future = client.submit(kill_worker_once, str(tmp_path / "killed"), retries=3)
            assert future.result(60) == "lived"
        # The cluster has replaced the dead worker, and the sweep runs on.
        again = sweep(function, points, seeds=2, context=context, scheduler=cluster.scheduler_address)
        assert again.drop_attrs(deep=False).identical(here.drop_attrs(deep=False))
        marked = functools.partial(dies_once, folder=str(tmp_path))
        found = sweep(marked, grid(x=[1.0, 2.0, 3.0]), scheduler=cluster.scheduler_address)
        assert found["y"].values.ravel().tolist() == [1.0, 2.0, 3.0]
        assert (tmp_path / "died").exists()


def kill_worker_once(path):
    if not os.path.exists(path):
        open(path, "w").close()
        os._exit(1)
    return "lived"


def dies_once(seed, x, folder):
    path = os.path.join(folder, "died")
    if x == 2.0 and not os.path.exists(path):
        open(path, "w").close()
        os._exit(1)
    return {"y": x}
