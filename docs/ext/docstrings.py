"""What docstrings need on their way to the site, beyond what napoleon does with their sections."""

import re

_kept: dict[str, list[str]] = {}


def before(app, what, name, obj, options, lines):
    """Escape bars, which are absolute values in our docstrings; keep the text of what has no sections.

    Napoleon reads ``Length of a slot (ms): ...`` of a constant or a property as a type and a text.
    """
    lines[:] = _escape_bars("\n".join(lines)).split("\n")
    if what in ("attribute", "data", "property") and not any(re.fullmatch(r"\s*-{3,}", line) for line in lines):
        _kept[name] = list(lines)


def after(app, what, name, obj, options, lines):
    """Put back what was kept."""
    if name in _kept:
        lines[:] = _kept.pop(name)


def _escape_bars(text: str) -> str:
    literal = r"(``.*?``|:math:`.*?`|^ *(?:>>>|\.\.\. ).*?$|^ *\|.*?$)"
    parts = re.split(literal, text, flags=re.DOTALL | re.MULTILINE)
    return "".join(part if n % 2 else part.replace("|", "\\|") for n, part in enumerate(parts))


def skip(app, what, name, obj, skipped, options):
    """Leave out what other packages add to our classes, such as ``set`` of matplotlib's figures."""
    module = getattr(obj, "__module__", None)
    return True if isinstance(module, str) and module.split(".")[0] == "matplotlib" else None


def setup(app):
    """Connect the handlers around napoleon's own, which has the priority 500."""
    app.connect("autodoc-process-docstring", before, priority=400)
    app.connect("autodoc-process-docstring", after, priority=600)
    app.connect("autodoc-skip-member", skip)
