"""The grids of the article, and any list of settings, run into one file each; what is there is not run again."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from netlib.base.checks import check_choice, check_integer
from netlib.base.fields import Declared, part
from netlib.striatum.analysis import checkpoint_table
from netlib.striatum.experiment import Result, run_simulations
from netlib.striatum.forgetting import forgetting_table
from netlib.striatum.model import Parameters
from netlib.striatum.options import article, default_n_patterns

__all__ = ["BLOCKS", "Setting", "article_grid", "run_grid", "summary_table"]

TASKS = ((10, 3), (10, 5), (20, 3))
APOSTPRE = (-1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0)
#: Parts of the article's grid: tasks (P, stim_by_pattern), and values of options, of which all products are run.
BLOCKS = {
    "main": (TASKS, {"Apostpre": APOSTPRE, "stim_recall": (0.0, 0.01, 0.02, 0.1, 0.2, 1.0)}),
    "control": (
        TASKS,
        {"Apostpre": (-1.0, 0.0, 1.0, 1.5), "Aprepost": (0.0, 1.0), "homeostasy": (0.0, 0.95), "stim_recall": (1.0,)},
    ),
    "noise": (TASKS[:1], {"Apostpre": APOSTPRE, "noise_input": (0.0, 0.001, 0.005, 0.01, 0.05, 0.1)}),
}


@dataclass(frozen=True)
class Setting(Declared):
    """One cell of a grid: the name of its file, without ending, and its parameters.

    Examples
    --------
    >>> Setting("main/DLS", article(Apostpre=1.0)).parameters.Apostpre
    1.0
    """

    name: str = part(..., str)
    parameters: Parameters = part(..., Parameters)


def article_grid(blocks: Sequence[str] = tuple(BLOCKS), legacy: bool = False) -> list[Setting]:
    """Settings of the article: 240 in ``main``, 80 in ``control``, 96 in ``noise``.

    Examples
    --------
    >>> len(article_grid())
    416
    >>> article_grid(["noise"])[0].name
    'noise/P10_s3_n10_Apostpre-1.5_noise_input0'
    """
    settings = []
    for block in blocks:
        tasks, axes = BLOCKS[check_choice("block", block, BLOCKS)]
        for (P, s), values in itertools.product(tasks, itertools.product(*axes.values())):
            options = dict(zip(axes, values, strict=True))
            varied = "_".join(f"{name}{value:g}" for name, value in options.items() if len(axes[name]) > 1)
            for n in default_n_patterns(P):
                parameters = article(P=P, stim_by_pattern=s, n_pattern=n, legacy=legacy, **options)
                settings.append(Setting(f"{block}/P{P}_s{s}_n{n}_{varied}", parameters))
    return settings


def run_grid(
    settings: Iterable[Setting],
    folder: str | os.PathLike,
    seed: int = 0,
    simulations: int = 200,
    *,
    workers: int = 1,
    progress: bool | None = None,
) -> list[Path]:
    """Run the settings whose file is not there yet, one after the other; stopped, it loses only the one at hand.

    Parameters
    ----------
    settings : iterable of Setting
    folder : path
        Where the files ``<name>.nc`` go; see :meth:`netlib.striatum.Result.save`.
    seed : int
        Master seed, the same for all settings.
    simulations : int
        Simulations of each.
    workers : int
        Threads, over the simulations of a setting.
    progress : bool or None
        Show a progress bar with the time left; None shows it on a terminal only.

    Returns
    -------
    list of Path
        The files, in the order of the settings.

    Raises
    ------
    ValueError
        If a file of another seed, other parameters or another number of simulations is in the way, or two settings
        have one name; nothing is run then.

    Examples
    --------
    >>> import tempfile
    >>> short = article(num_training_initial=0, num_training_learning=20, num_training_maintenance=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     paths = run_grid([Setting("short/DMS", short)], folder, simulations=2, progress=False)
    ...     print(paths[0].relative_to(folder), Result.load(paths[0]).accuracy.shape)
    short/DMS.nc (2, 24)
    """
    settings = list(settings)
    check_integer("simulations", simulations, 1)
    if len({setting.name for setting in settings}) < len(settings):
        raise ValueError("settings hold a name twice: each needs a file of its own")
    paths = [Path(folder) / f"{setting.name}.nc" for setting in settings]
    done = [_is_done(path, s.parameters, seed, simulations) for path, s in zip(paths, settings, strict=True)]
    bar = tqdm(
        total=len(settings), initial=sum(done), unit="setting", desc="grid",
        disable=None if progress is None else not progress,
    )  # fmt: skip
    with bar:
        for setting, path, there in zip(settings, paths, done, strict=True):
            if not there:
                run_simulations(setting.parameters, seed, simulations, workers=workers).save(path)
                bar.update()
    return paths


def _is_done(path: Path, parameters: Parameters, seed: int, simulations: int) -> bool:
    """Whether the file holds what is asked; one that cannot be read is made again."""
    if not path.exists():
        return False
    try:
        found = Result.load(path)
    except ValueError:
        return False
    if (found.parameters, found.seed, len(found.simulation)) != (parameters, seed, simulations):
        raise ValueError(
            f"folder holds {str(path)!r} of another run (seed {found.seed}, {len(found.simulation)} simulations, "
            f"{'the same' if found.parameters == parameters else 'other'} parameters): give another folder"
        )
    return True


def summary_table(paths: Iterable[str | os.PathLike], group: int = 20) -> pd.DataFrame:
    """One row for each file of a grid: its options, accuracy (mean and SD) at the checkpoints, weights, forgetting.

    Parameters
    ----------
    paths : iterable of path
        Files of :func:`run_grid`, all with the four phases of the article.
    group : int
        Simulations in a group of :func:`netlib.striatum.forgetting_table`.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     table = summary_table(run_grid([Setting("main/DMS", article())], folder, simulations=2, progress=False))
    >>> table[["block", "Apostpre", "n_simulations"]].to_numpy().tolist()
    [['main', -1.0, 2]]
    """
    rows = []
    for path in paths:
        result = Result.load(path)
        p, accuracy = result.parameters, result.accuracy
        phases = {phase.name: phase for phase in p.phases}
        row = {
            "block": Path(path).parent.name,
            "P": p.P,
            "stim_by_pattern": p.stim_by_pattern,
            "n_pattern": p.n_pattern,
        }
        row |= {"Apostpre": p.Apostpre, "Aprepost": p.Aprepost, "homeostasy": phases["learning"].reward}
        row |= {"stim_recall": phases["maintenance"].presentation, "noise_input": p.noise_input}
        row |= {"n_simulations": len(result.simulation)}
        table = checkpoint_table(result).groupby("checkpoint")[["w_mean", "similarity", "cosine"]].mean()
        for name, test in result.checkpoints.items():
            row |= {name: accuracy[:, test].mean(), f"{name}_sd": accuracy[:, test].std(ddof=1)}
            row |= {
                f"{name}_balanced": np.nanmean(result.balanced_accuracy[:, test]),
                f"{name}_w": table.loc[name, "w_mean"],
            }
        row |= {f"{name}_cosine": table.loc[name, "cosine"] for name in ("maintenance", "recall")}
        times = forgetting_table(result, min(group, len(result.simulation)))
        row |= {"tau": times["tau_capped"].mean(), "tau_sd": times["tau_capped"].std(), "fits": times["success"].mean()}
        rows.append(row)
    return pd.DataFrame(rows)
