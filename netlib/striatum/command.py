"""The command ``netlib striatum``: options of the published program under their names, and the article's grids."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from netlib.base.checks import check_integer
from netlib.base.command import refused
from netlib.base.provenance import inside
from netlib.striatum.options import ARTICLE, PUBLISHED, article, default_n_patterns, from_options

__all__ = ["add_to", "make_app"]


def _option(name: str, meaning: str) -> Any:
    value = f"{PUBLISHED[name]}; {ARTICLE[name]} with --article" if name in ARTICLE else PUBLISHED[name]
    return typer.Option(f"--{name}", help=f"{meaning} Default: {value}.", show_default=False)


def _flag(name: str, meaning: str) -> Any:
    return typer.Option(f"--{name}", help=meaning)


Seed = Annotated[int, _flag("random_seed", "Master seed.")]
Simulations = Annotated[int, _flag("num_simu", "Simulations, each with patterns, weights and noise of its own.")]
Workers = Annotated[int, _flag("workers", "Threads; results do not depend on them.")]
Legacy = Annotated[bool, _flag("legacy", "Do as the published program where ours differs on purpose.")]
Quiet = Annotated[bool, _flag("quiet", "No progress bars.")]


def run(
    P: Annotated[int | None, _option("P", "Cortical neurons.")] = None,
    stim_by_pattern: Annotated[int | None, _option("stim_by_pattern", "Active neurons in a pattern.")] = None,
    n_pattern: Annotated[
        list[int] | None, _flag("n_pattern", "Patterns to learn; may be repeated. By default those of the article.")
    ] = None,
    Apostpre: Annotated[float | None, _option("Apostpre", "Post-pre amplitude, in epsilon.")] = None,
    Aprepost: Annotated[float | None, _option("Aprepost", "Pre-post amplitude, in epsilon.")] = None,
    homeostasy: Annotated[float | None, _option("homeostasy", "Reward amplitude in (re)learning, in epsilon.")] = None,
    homeostasy_post: Annotated[float | None, _option("homeostasy_post", "The same in the other phases.")] = None,
    epsilon: Annotated[float | None, _option("epsilon", "Learning rate.")] = None,
    noise_pattern: Annotated[float | None, _option("noise_pattern", "SD of spike times in a pattern (ms).")] = None,
    noise_input: Annotated[float | None, _option("noise_input", "Background rate (per ms).")] = None,
    stop_learning: Annotated[
        str | None, _option("stop_learning", "Gate of plasticity: None, exponential_trace or number_success.")
    ] = None,
    num_success_params: Annotated[int | None, _option("num_success_params", "For number_success.")] = None,
    p_reward: Annotated[float | None, _option("p_reward", "Probability that a pattern is rewarded.")] = None,
    stim_duration: Annotated[float | None, _option("stim_duration", "Length of a trial (ms).")] = None,
    stim_offset: Annotated[float | None, _option("stim_offset", "Time of the pattern in a trial (ms).")] = None,
    stim_recall: Annotated[
        float | None,
        _option("stim_recall", "Probability that patterns are shown in the initial and maintenance phases."),
    ] = None,
    dt: Annotated[float | None, _option("dt", "Time step (ms).")] = None,
    num_training_initial: Annotated[int | None, _option("num_training_initial", "Trials.")] = None,
    num_training_learning: Annotated[int | None, _option("num_training_learning", "Trials.")] = None,
    num_training_maintenance: Annotated[int | None, _option("num_training_maintenance", "Trials.")] = None,
    num_training_recall: Annotated[int | None, _option("num_training_recall", "Trials.")] = None,
    new_set: Annotated[int | None, _option("new_set", "1: relearning is of new patterns.")] = None,
    num_simu: Simulations = 500,
    random_seed: Seed = 0,
    save: Annotated[bool, _flag("save", "Write the results, one NetCDF file for each number of patterns.")] = False,
    save_dir: Annotated[Path, _flag("save_dir", "Folder for what is written; made if missing.")] = Path(
        "netlib_striatum"
    ),
    name: Annotated[str, _flag("name", "Name of the files, folders allowed.")] = "local/test",
    plot: Annotated[bool, _flag("plot", "Write figures: learning curves, one simulation in detail.")] = False,
    use_article: Annotated[bool, _flag("article", "The article's values for options not given.")] = False,
    legacy: Legacy = False,
    workers: Workers = 1,
    quiet: Quiet = False,
) -> None:
    """Learning, forgetting and relearning in many simulations of one setting."""
    given = {key: value for key, value in locals().items() if key in PUBLISHED and value is not None}
    make = article if use_article else from_options
    with refused(ValueError, TypeError):
        check_integer("num_simu", num_simu, 1)
        check_integer("random_seed", random_seed, 0, 2**63 - 1)
        check_integer("workers", workers, 1, 1024)
        folder = inside(save_dir, name)
        numbers = n_pattern or default_n_patterns(given.get("P", PUBLISHED["P"]))
        settings = {n: make(n_pattern=n, legacy=legacy, **given) for n in numbers}
    from netlib.striatum.analysis import checkpoint_table
    from netlib.striatum.experiment import run_simulations

    results = {}
    for n, parameters in settings.items():
        progress = False if quiet else None
        results[n] = run_simulations(parameters, random_seed, num_simu, workers=workers, progress=progress)
        table = checkpoint_table(results[n]).groupby("checkpoint", sort=False)
        means = table[["accuracy", "balanced_accuracy", "success", "w_mean"]].mean()
        typer.echo(f"{n} patterns, {num_simu} simulations, means:\n{means.to_string(float_format='{:.3f}'.format)}")
        if save:
            typer.echo(f"Wrote {results[n].save(folder.with_name(f'{folder.name}_n{n}.nc'))}")
    if plot:
        from netlib.striatum.figures import draw_run

        for file in draw_run(results, folder):
            typer.echo(f"Wrote {file}")


def grid(
    save_dir: Annotated[Path, _flag("save_dir", "Folder for the files; made if missing.")] = Path(
        "netlib_striatum_grid"
    ),
    block: Annotated[list[str] | None, _flag("block", "main, control or noise; may be repeated.")] = None,
    num_simu: Simulations = 200,
    random_seed: Seed = 0,
    legacy: Legacy = False,
    workers: Workers = 1,
    quiet: Quiet = False,
) -> None:
    """The article's grids: 416 settings, one NetCDF file each, and a table of all; started again, it goes on."""
    from netlib.base.provenance import atomic_write, provenance
    from netlib.striatum.grid import BLOCKS, article_grid, run_grid, summary_table

    with refused(ValueError, TypeError):
        settings = article_grid(block or tuple(BLOCKS), legacy)
        progress = False if quiet else None
        paths = run_grid(settings, save_dir, random_seed, num_simu, workers=workers, progress=progress)
    facts = provenance({"blocks": block or list(BLOCKS), "num_simu": num_simu, "legacy": legacy}, random_seed)
    del facts["date"]  # the same grid makes the same files
    text = f"# {json.dumps(facts)}\n" + summary_table(paths).to_csv(index=False, float_format="%.5g")
    summary = atomic_write(save_dir / "summary.csv", lambda file: file.write(text.encode()))
    typer.echo(f"Wrote {len(paths)} files and {summary}")


def make_app() -> typer.Typer:
    """The sub-command.

    Examples
    --------
    >>> [command.callback.__name__ for command in make_app().registered_commands]
    ['run', 'grid']
    """
    app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)

    @app.callback()
    def striatum() -> None:
        """A striatal neuron that learns, keeps and forgets rewarded patterns by STDP."""

    app.command()(run)
    app.command()(grid)
    return app


def add_to(netlib: typer.Typer) -> None:
    """Add the sub-command to ``netlib``."""
    netlib.add_typer(make_app(), name="striatum")
