"""Where a name in a docstring leads: to the page of the module that defines it, by whatever name it was called."""

import importlib
import re
from typing import Any

#: Packages that docstrings name; without a network there is no index of their pages to link to.
OTHERS = (
    *("numpy", "pandas", "xarray", "matplotlib", "scipy", "skimage", "sklearn", "statsmodels", "lazyarray", "lmfit"),
    *("neo", "pynwb", "h5py", "nest", "pyNN", "brian2", "ipywidgets", "panel", "param", "abc"),
)


def find(name: str) -> tuple[Any, str] | None:
    """What a dotted name of netlib means: the object and its canonical name; None if there is no such thing."""
    parts = name.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:cut]))
        except ImportError:
            continue
        for place, part in enumerate(parts[cut:], start=cut):
            if not hasattr(found, part):
                fields = getattr(found, "__dataclass_fields__", {})
                return (None, ".".join([_canonical(found, parts[:place]), part])) if part in fields else None
            found = getattr(found, part)
        return found, _canonical(found, parts)
    return None


def _canonical(found: Any, parts: list[str]) -> str:
    module, name = getattr(found, "__module__", None), getattr(found, "__qualname__", None)
    if isinstance(module, str) and module.startswith("netlib") and isinstance(name, str):
        return f"{module}.{name}"
    return ".".join(parts)


def resolve(app, env, node, content):
    """Handler of Sphinx's event ``missing-reference``; returns None for a name that does not exist: a warning."""
    if node.get("refdomain") != "py":
        return None
    domain, target = env.get_domain("py"), node["reftarget"]
    module, inside = node.get("py:module"), node.get("py:class")
    tried = [target, f"{module}.{target}", f"{module}.{inside}.{target}"]
    if inside and node["reftype"] == "attr":  # set when an instance is made: described with its class
        tried.append(f"{module}.{inside}")
    for name in tried:
        found = find(name) if name.startswith("netlib") else None
        if found is None:
            continue
        # An attribute that has no entry of its own is described in its class, a constant in its module.
        place = found[1]
        while place:
            if place in domain.objects:
                entry = domain.objects[place]
                return _link(app, node, entry.docname, entry.node_id, content)
            if place in domain.modules:
                entry = domain.modules[place]
                return _link(app, node, entry.docname, entry.node_id, content)
            place = place.rpartition(".")[0]
    # `Connection.plasticity`, written in another module than that of the class
    ends = [name for name in domain.objects if name.endswith((f".{target}", f".{target.partition('.')[0]}"))]
    if len({name.rpartition(f".{target.partition('.')[0]}")[0] for name in ends}) == 1:
        entry = domain.objects[max(ends, key=len)]
        return _link(app, node, entry.docname, entry.node_id, content)
    return content if _elsewhere(target) else None


def _link(app, node, document, anchor, content):
    from sphinx.util.nodes import make_refnode

    return make_refnode(app.builder, node["refdoc"], document, anchor, content)


def _elsewhere(target: str) -> bool:
    """Whether every part of ``A, B or C`` is a built-in name, or a name of another package."""
    import builtins

    names = [part for part in re.split(r"\s*(?:,|\bor\b)\s*", target) if part]
    known = (hasattr(builtins, name) or name.split(".")[0] in OTHERS for name in names)
    return bool(names) and all(known)
