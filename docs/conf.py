"""The documentation site: hand-written pages in Markdown, and pages that are made anew from the code at each build."""

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
os.environ.setdefault("PYNEST_QUIET", "1")

from ext import api_pages, command_pages, docstrings, mathml, model_cards, references, solutions  # noqa: E402

import netlib  # noqa: E402

project = "netlib"
author = "The netlib authors"
copyright = "The netlib authors, GPL-2.0-or-later"
version = release = netlib.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build", "ext"]
nitpicky = True
html_math_renderer = "mathml"

# Types are in the docstrings, with shapes and units: a signature names parameters and defaults.
autodoc_typehints = "none"
autodoc_preserve_defaults = True
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "show-inheritance": True}
napoleon_google_docstring = False
napoleon_use_param = False
napoleon_use_rtype = False
napoleon_custom_sections = [("Attributes", "params_style")]

html_theme = "furo"
html_title = f"netlib {release}"
html_static_path = ["_static"]
html_css_files = ["netlib.css"]
html_show_sourcelink = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#0072B2", "color-brand-content": "#0072B2"},
    "dark_css_variables": {"color-brand-primary": "#56B4E9", "color-brand-content": "#56B4E9"},
}


def make_pages(app):
    """Write the pages that follow from the code, before Sphinx looks for pages."""
    folder = Path(app.srcdir) / "generated"
    pages = model_cards.pages(folder) | api_pages.pages() | command_pages.pages()
    model_cards.write(folder, pages)


def setup(app):
    docstrings.setup(app)
    mathml.setup(app)
    solutions.setup(app)
    app.connect("builder-inited", make_pages)
    app.connect("missing-reference", references.resolve)
