"""Run every benchmark and write what it measured into docs/performance.md, between its marks, with plots.

``python benchmarks/report.py`` runs them all (about 20 minutes); with names, such as ``networks sweep``, only those,
and the results of the others are those of the run before, in ``build/benchmarks``.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from datetime import date
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import pandas as pd

from netlib.figures import save
from netlib.figures.style import PALETTE

HERE = Path(__file__).parent
DOCS, KEPT = HERE.parent / "docs", HERE.parent / "build" / "benchmarks"
PAGE, START, END = DOCS / "performance.md", "<!-- measured: begin -->\n", "<!-- measured: end -->"
WAYS = ("PyNN", "netlib on NEST", "PyNEST by hand", "compiled engine")

SIZES = """Dense: a synapse between any two cells; sparse: 100 afferents of each kind per cell; 500 ms of model time;
memory is what building and running added to the process. Conductance cells (for current cells see the plot)."""
SWEEPS = "The plastic ring of 120 cells, 6 s per point, compiled engine, wall time."


def main(names: list[str]) -> None:
    scripts = [
        path for path in sorted(HERE.glob("bench_*.py")) if not names or path.stem.removeprefix("bench_") in names
    ]
    for script in scripts:
        folder = KEPT / script.stem
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("*.csv"):
            old.unlink()
        print(f"== {script.name}", flush=True)
        subprocess.run([sys.executable, script], check=True, env=os.environ | {"NETLIB_BENCHMARKS": str(folder)})
    text = PAGE.read_text(encoding="utf-8")
    before, after = text.split(START)[0], text.split(END)[1]
    PAGE.write_text(before + START + "\n" + "\n\n".join(sections()) + "\n\n" + END + after, encoding="utf-8")
    print(f"wrote {PAGE}")


def table(name: str) -> pd.DataFrame:
    """The rows that all benchmarks kept under a name."""
    found = [pd.read_csv(path) for path in sorted(KEPT.glob(f"*/{name}.csv"))]
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame()


def sections() -> list[str]:
    cores, system = os.cpu_count(), f"{platform.system()}, Python {platform.python_version()}"
    parts = [f"Measured {date.today()} on {cores} cores ({system}), processor time unless said otherwise."]
    ratios = table("ratios")
    if len(ratios):
        parts.append(f"### Ratios\n\n{markdown(shown_ratios(ratios))}")
    networks = table("networks")
    if len(networks):
        plot_networks(networks, DOCS / "performance_networks.svg")
        parts.append(
            f"### Networks by size\n\n{SIZES}\n\n"
            f"{markdown(shown_networks(networks[networks['cells'] == 'cond']))}\n\n"
            "![Time to build and to simulate, and memory, against the number of synapses](performance_networks.svg)\n\n"
            "Exponents of a power law in the number of synapses (1,000 cells and more):\n\n"
            f"{markdown(table('network_exponents').round(2))}"
        )
    sweep = table("sweep")
    if len(sweep):
        parts.append(f"### Sweeps\n\n{SWEEPS}\n\n{markdown(sweep)}")
    times = table("times")
    if len(times):
        compared = set() if ratios.empty else {*ratios["slow"], *ratios["fast"]}
        times = times[~times["what"].isin(compared)]
        median = times.groupby(["bench", "what"], sort=False)[["wall", "cpu"]].median().round(3).reset_index()
        median = median.rename(columns={"wall": "wall (s)", "cpu": "processor (s)"})
        parts.append(f"### Times\n\n{markdown(median)}")
    return parts


def shown_ratios(ratios: pd.DataFrame) -> pd.DataFrame:
    seconds = [f"{r['slow (s)']:.3g} / {r['fast (s)']:.3g}" for _, r in ratios.iterrows()]
    spread = [f"{low:.2f} to {high:.2f}" for low, high in zip(ratios["low"], ratios["high"], strict=True)]
    return pd.DataFrame(
        {
            "benchmark": ratios["what"],
            "ratio of": ratios["slow"] + " / " + ratios["fast"],
            "median": ratios["ratio"].map("{:.2f}".format),
            "least to most": spread,
            "seconds": seconds,
            "bar": ratios["bar"] + ": " + ratios["verdict"],
        }
    )


def shown_networks(networks: pd.DataFrame) -> pd.DataFrame:
    keys = ["n", "connectivity", "synapses", "way"]
    middle = networks.groupby(keys)[["build", "run", "memory"]].median().reset_index()
    columns = {"n": "cells", "build": "build (s)", "run": "simulate (s)", "memory": "memory (MB)"}
    for name, form in (("build", "{:.2f}"), ("run", "{:.2f}"), ("memory", "{:.0f}"), ("synapses", "{:,.0f}")):
        middle[name] = middle[name].map(form.format)
    return middle.rename(columns=columns)


def plot_networks(networks: pd.DataFrame, path: Path) -> None:
    measures = {"build": "time to build (s)", "run": "time to simulate 500 ms (s)", "memory": "memory added (MB)"}
    colours = dict(zip(WAYS, (PALETTE[0], PALETTE[6], PALETTE[1], PALETTE[5]), strict=True))
    figure, axes = plt.subplots(2, 3, figsize=(9.5, 5.6), sharex="row", layout="constrained")
    for row, connectivity in zip(axes, ("dense", "sparse"), strict=True):
        chosen = networks[networks["connectivity"] == connectivity]
        for ax, (measure, label) in zip(row, measures.items(), strict=True):
            for (way, cells), group in chosen.groupby(["way", "cells"]):
                middle = group.groupby("synapses")[measure].median()
                ax.loglog(
                    middle.index, middle, "o-" if cells == "cond" else "s:", color=colours[way], ms=3.5, lw=1.2,
                    label=way if cells == "cond" else None,
                )  # fmt: skip
            ax.set(xlabel="synapses", ylabel=label, title=connectivity)
    handles = dict(zip(*axes[0, 0].get_legend_handles_labels()[::-1], strict=True))
    handles = [handles[way] for way in WAYS if way in handles]
    title = "solid: conductance cells, dotted: current cells"
    figure.legend(handles=handles, loc="outside lower center", ncols=4, frameon=False, title=title)
    save(figure, path)
    plt.close(figure)


def markdown(frame: pd.DataFrame) -> str:
    rows = [frame.columns, ["---"] * len(frame.columns), *frame.astype(str).to_numpy()]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


if __name__ == "__main__":
    main(sys.argv[1:])
