"""A card for each network: summary, populations, connections, equations, input, and all parameters with their sources.

The tables are those of Nordlie, Gewaltig & Plesser (2009, PLoS Comput Biol 5(8):e1000456). They are made from the
presets at each build, so that they cannot say anything else than what is simulated.
"""

import dataclasses
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ext import model_text
from netlib import striatum
from netlib.networks import PRESETS, DistanceDecay, RingParameters, TwoRings, VonMises, preset
from netlib.networks.parameters import CELL_MODELS

CARDS = (*PRESETS, "striatum")
#: Where the values come from: the first pattern that matches a parameter's name decides; else the preset's source.
_OURS = "netlib, chosen"
_LGN = (
    (r"lgn\.(B_theta|spontaneous|peak_rate)$", "netlib, chosen to drive the ring as the rates above do"),
    (r"lgn\.temporal", "shape after Cai, DeAngelis & Freeman 1997"),
    (r"lgn\.(c50|exponent)", "form of Bonin, Mante & Carandini 2005; c50 chosen"),
    (r"lgn\.", "netlib's default"),
    (r"timestep|v_init", _OURS),
)
_SEARCHED = "random search on physiological targets ({doc}`v1 </v1_preset>`)"
_V1 = (
    (r"(kernel\.|\.weight$|tau_syn)", _SEARCHED),
    (r"input_tuning", _SEARCHED),
    (r"(cm|tau_m|tau_refrac|v_\w+|e_rev_\w+|model|n_\w+|delay|self_connections|normalise|plasticity)", _OURS),
)
_INTERNSHIP = "Ladret & Perrinet, InternshipM2 (2018-2019)"
SOURCES = {
    "v1": (*_LGN, *_V1),
    "v1_two_rings": (
        *_LGN,
        (r"(E_to_E2|E_to_I2|I_to_E2)\.(kernel|weight)", "random search on the rate of the second ring"),
        (r"2\.|2$", "as in the first ring"),
        *_V1,
    ),
    "bump": (
        (r"excitatory\.tau_syn_E|E_to_E", "after Compte et al. 2000; values found by hand"),
        (r"lgn\.", "netlib's default; not used unless a movie is shown"),
        (r".", "netlib, found by hand"),
    ),
    "internship2019": (
        (r"lgn\.", "netlib's default; the source has no LGN"),
        (r"kernel\.B_theta|input_tuning\.B", f"{_INTERNSHIP}, Ring.py, as a standard deviation"),
        (r"input_tuning", f"{_INTERNSHIP}, Ring.py; the peak from its mean rate of 10 Hz"),
        (r"kernel\.normalise|timestep", _OURS),
        (r".", f"{_INTERNSHIP}, Ring.py, recurrent"),
    ),
    "striatum": (
        (r"^(R|tau_m|E_L|V_th|V_reset)$", "Yim, Aertsen & Kumar 2011"),
        (r"^(test_|error_memory|legacy|nearest)", "the published program"),
        (r".", "Perez et al. 2022"),
    ),
}
for _name in ("internship2019_final", "internship2019_learning", "internship2019_two_rings"):
    SOURCES[_name] = (
        (r"lgn\.", "netlib's default; the source has no LGN"),
        (r"plasticity\.(mu|dendritic)", "NEST's rule, as the source used it"),
        (r"timestep", _OURS),
        (r".", f"{_INTERNSHIP}, FINAL notebooks"),
    )


def parameters_of(card: str) -> Any:
    """Parameters of the model of a card."""
    return striatum.article() if card == "striatum" else preset(card)


def leaves(node: Any, path: str = "") -> Iterator[tuple[str, str, str, Any]]:
    """Every parameter that has a value of its own: (dotted name, class, field, value); what does not exist is None."""
    used = used_fields(node)
    for field in dataclasses.fields(node):
        value, name = getattr(node, field.name), f"{path}{field.name}"
        owner = next(c.__name__ for c in type(node).__mro__[::-1] if field.name in getattr(c, "__annotations__", {}))
        if field.name not in used or (not path and field.name in ("name", "source")):
            continue
        if dataclasses.is_dataclass(value) and dataclasses.fields(value):
            yield from leaves(value, f"{name}.")
        elif isinstance(value, tuple) and value and dataclasses.is_dataclass(value[0]):
            for number, part in enumerate(value):
                yield from leaves(part, f"{name}[{number}].")
        else:
            yield name, owner, field.name, value


def used_fields(node: Any) -> set[str]:
    """Names of the fields that the model of ``node`` uses: a cell has fields for other models too."""
    names = {field.name for field in dataclasses.fields(node)}
    if hasattr(node, "pynn_parameters"):
        return names & {"model", *node.pynn_parameters()}
    return names


def source_of(card: str, name: str) -> str:
    """Where the value of a parameter comes from."""
    for pattern, source in SOURCES[card]:
        if re.search(pattern, name):
            return source
    raise KeyError(f"{card}: no source for {name}")


def unit_of(parameters: Any, name: str, owner: str, field: str) -> str:
    """Unit of a parameter; that of a weight is decided by the cell that it reaches."""
    unit, _ = model_text.FIELDS[owner, field]
    if unit != "w":
        return unit
    return parameters.cell(name.partition(".")[0].split("_to_")[1]).weight_unit.replace("uS", "µS")


def pages(folder: Path) -> dict[str, str]:
    """Text of each card by its path, and of their index; pictures are drawn into ``folder`` where a card is new."""
    made = {f"models/{card}": (_striatum() if card == "striatum" else _ring(card)) for card in CARDS}
    (folder / "models").mkdir(parents=True, exist_ok=True)
    for card in PRESETS:
        page, picture = (folder / "models" / f"{card}.{ending}" for ending in ("md", "png"))
        old = page.read_text(encoding="utf-8") if page.exists() else ""
        if old != made[f"models/{card}"] or not picture.exists():
            _draw(preset(card), picture)
    return made | {"models/index": _index()}


def write(folder: Path, texts: dict[str, str]) -> None:
    """Write pages; leave one that says the same alone, so that Sphinx reads it only once; remove those of before."""
    for path in folder.rglob("*.md"):
        if str(path.relative_to(folder).with_suffix("")) not in texts:
            path.unlink()
    for name, text in texts.items():
        path = folder / f"{name}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def _draw(parameters: RingParameters, path: Path) -> None:
    from netlib.figures import plot_schematic, save

    save(plot_schematic(parameters), path)


def _index() -> str:
    lines = ["# Model cards", "", inspect.cleandoc(__doc__.partition("\n\n")[2]), ""]
    lines += ["| network | cells | what it is |", "|---|---|---|"]
    for card in CARDS:
        p = parameters_of(card)
        cells = "1" if card == "striatum" else " + ".join(str(p.size(name)) for name in p.populations)
        what = "A striatal neuron that learns, keeps and forgets rewarded patterns."
        what = what if card == "striatum" else _summary(card)[0]
        lines.append(f"| [`{card}`]({card}.md) | {cells} | {what} |")
    entries = "\n".join(CARDS)
    return "\n".join([*lines, "", f"```{{toctree}}\n:hidden:\n\n{entries}\n```", ""])


def _summary(card: str) -> list[str]:
    """Paragraphs of the docstring of a preset, first its line."""
    return [_markdown(" ".join(part.split())) for part in inspect.getdoc(PRESETS[card]).split("\n\n")]


def _markdown(text: str) -> str:
    """From the mark-up of docstrings to that of these pages."""
    text = text.replace("``docs/v1_preset.md``", "{doc}`/v1_preset`")
    return re.sub(r":(\w+):`", r"{py:\1}`", text).replace("``", "`")


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    return [*lines, *(f"| {' | '.join(str(cell) for cell in row)} |" for row in rows), ""]


def _ring(card: str) -> str:
    p = preset(card)
    first, *more = _summary(card)
    lines = [f"# `{card}`", "", first, "", "```python", "from netlib.networks import preset", ""]
    lines += [f'network = preset("{card}")', "```", ""]
    lines += [f"![The network {card}, drawn from its parameters]({card}.png)", ""]
    for paragraph in more:
        lines += [paragraph, ""]
    lines += ["## Summary", "", *_table(["", ""], _overview(p))]
    lines += ["## Populations", "", *_table(["name", "cells", "model", "number is called"], _populations(p))]
    head = ["name", "from", "to", "pattern", "weight", "delay (ms)", "plasticity"]
    lines += ["## Connections", "", *_table(head, _connections(p))]
    lines += ["## Equations", "", *_equations(p)]
    lines += ["## Input", "", model_text.INPUT, ""]
    lines += ["## Measurements", "", _measurements(p), ""]
    lines += ["## Parameters", "", f"Source of the network: {p.source}.", ""]
    lines += ["Any value is changed by its name: `set_values(network, {name: value})`, or `--set name=value`.", ""]
    return "\n".join([*lines, *_parameter_table(card, p)])


def _measurements(p: RingParameters) -> str:
    what = "Spikes of all cells; membrane potential of chosen cells"
    plastic = any(c.plasticity for c in p.projections().values())
    return what + ("; weights of the plastic projections." if plastic else ".")


def _overview(p: RingParameters) -> list[list[str]]:
    kernels = {_kernel_kind(c.kernel) for c in p.projections().values()}
    models = sorted({p.cell(name).model for name in p.populations})
    plastic = [name for name, c in p.projections().items() if c.plasticity]
    rings = "two rings of orientations; the first drives the second"
    return [
        ["Populations", ", ".join(["input", *p.populations])],
        ["Topology", rings if isinstance(p, TwoRings) else "a ring of orientations"],
        ["Connectivity", ", ".join(_KINDS[kind] for kind in sorted(kernels))],
        ["Neuron model", ", ".join(f"`{model}`" for model in models)],
        ["Synapse model", "exponential conductances" if p.excitatory.conductance_based else "exponential currents"],
        ["Plasticity", f"STDP of {', '.join(f'`{name}`' for name in plastic)}" if plastic else "none"],
        ["Input", "independent Poisson spikes, tuned to orientation"],
        ["Measurements", _measurements(p).rstrip(".")],
    ]


def _populations(p: RingParameters) -> list[list[str]]:
    names = {"input": "n_input", "E": "n_excitatory", "I": "n_inhibitory", "E2": "n_excitatory2", "I2": "n_inhibitory2"}
    rows = [["input", str(p.n_input), "Poisson spikes", "`n_input`"]]
    return rows + [[n, str(p.size(n)), f"`{p.cell(n).model}`", f"`{names[n]}`"] for n in p.populations]


_KINDS = {
    "VonMises drawn": "drawn at random, von Mises in the difference of orientation",
    "VonMises dense": "dense, von Mises in the difference of orientation",
    "DistanceDecay": "drawn at random, less likely with distance",
    "OneToOne": "one to one",
    "Uniform": "all to all",
}


def _kernel_kind(kernel: Any) -> str:
    if isinstance(kernel, VonMises):
        return "VonMises dense" if kernel.in_degree is None else "VonMises drawn"
    return type(kernel).__name__


def _connections(p: RingParameters) -> list[list[str]]:
    rows = []
    for name, c in p.projections().items():
        pre, post = name.split("_to_")
        unit = p.cell(post).weight_unit.replace("uS", "µS")
        weight = f"{c.weight:g} {unit}" + (" in all" if c.kernel.weight_is_total else "")
        delay = f"{c.delay.mean:g}" if c.delay.sd == 0 else (
            f"{c.delay.mean:g} ± {c.delay.sd:g}, in [{c.delay.low:g}, {c.delay.high:g}]"
        )  # fmt: skip
        learns = "none" if c.plasticity is None else f"STDP, w_max {c.plasticity.w_max:g} {unit}"
        rows.append([f"`{name}`", pre, post, _pattern(c.kernel), weight, delay, learns])
    return rows


def _pattern(kernel: Any) -> str:
    if isinstance(kernel, VonMises):
        drawn = "dense" if kernel.in_degree is None else f"drawn, {kernel.in_degree:g} onto a cell"
        return f"von Mises, $B_\\theta$ = {kernel.B_theta:g}°, {drawn}"
    if isinstance(kernel, DistanceDecay):
        return f"$\\exp(-{kernel.decay:g} \\, d)$"
    return {"OneToOne": "one to one", "Uniform": "all to all"}[type(kernel).__name__]


def _equations(p: RingParameters) -> list[str]:
    lines = [model_text.RING, ""]
    for kind in sorted({_kernel_kind(c.kernel) for c in p.projections().values()}):
        lines += [model_text.KERNEL_EQUATIONS[kind], ""]
    for model in CELL_MODELS:
        if model in {p.cell(name).model for name in p.populations}:
            lines += [model_text.CELL_EQUATIONS[model], ""]
    if any(c.plasticity for c in p.projections().values()):
        lines += [model_text.STDP, ""]
    return lines


def _striatum() -> str:
    p = parameters_of("striatum")
    lines = [
        "# `striatum`",
        "",
        "A striatal neuron that learns, keeps and forgets rewarded cortical patterns (Perez et",
    ]
    lines += [
        "al. 2022). {doc}`/striatum` says how it was checked; the question is in `FINAL_10_striatal_learning`.",
        "",
    ]
    lines += ["```python", "from netlib import striatum", "", "dms = striatum.article()"]
    lines += ["dls = striatum.article(Apostpre=1.0)", "```", "", "## Summary", ""]
    overview = [
        ["Populations", f"{p.P} cortical neurons, one medium spiny neuron, one background input"],
        ["Connectivity", "all cortical neurons onto the one neuron"],
        ["Neuron model", "leaky integrate-and-fire, jumps of potential"],
        ["Plasticity", "pair-based STDP and a reward term, additive, hard bounds"],
        ["Input", "patterns of synchronous spikes; Bernoulli noise; background spikes that force the neuron"],
        ["Measurements", "spikes, weights, and which patterns fire the neuron in tests without noise"],
    ]
    lines += [*_table(["", ""], overview), "## Equations", "", model_text.STRIATUM_EQUATIONS, "", "## Parameters", ""]
    lines += ["Defaults are those of the article for the dorsomedial striatum.", ""]
    return "\n".join([*lines, *_parameter_table("striatum", p)])


def _parameter_table(card: str, p: Any) -> list[str]:
    rows, front_end = [], []
    for name, owner, field, value in leaves(p):
        meaning = "a projection that does not exist here" if value is None and "_to_" in field else None
        meaning = meaning or model_text.FIELDS[owner, field][1]
        unit = "" if value is None else unit_of(p, name, owner, field)
        row = [f"`{name}`", _shown(value), unit, meaning, source_of(card, name)]
        (front_end if name.startswith("lgn.") else rows).append(row)
    head = ["name", "value", "unit", "meaning", "source"]
    lines = _table(head, rows)
    if front_end:
        lines += [":::{solution} Retina and LGN, used when a movie is shown", "", *_table(head, front_end), ":::", ""]
    return lines


def _shown(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, tuple):
        return ", ".join(_shown(part) for part in value)
    if isinstance(value, float):
        return f"{value:.6g}".replace("-", "−")
    if dataclasses.is_dataclass(value):
        return f"`{type(value).__name__}`"
    return str(value)
