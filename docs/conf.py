"""The site: `make docs` builds it, and takes every warning for an error."""

import os
import re
from pathlib import Path

from dynred import __version__
from dynred.ode.catalogue import list_systems

ROOT = Path(__file__).parent.parent

project = "dynred"
author = "the dynred developers"
release = version = __version__
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx.ext.mathjax",
    "sphinx_design",
]
exclude_patterns = ["_build", "_generated"]
html_theme = "pydata_sphinx_theme"
html_title = "dynred"
html_static_path = ["_static"]
html_css_files = ["dynred.css"]
html_show_sourcelink = False
ALONE = ("choose", "systems", "results", "benchmarks", "architecture", "contributing", "changelog")
html_sidebars = {page: [] for page in ALONE}  # pages without a section need no list of it
html_theme_options = {
    "navigation_with_keys": False,
    "show_nav_level": 2,
    "navbar_align": "left",
    "header_links_before_dropdown": 6,
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
}

myst_enable_extensions = ["dollarmath", "colon_fence", "deflist"]
myst_heading_anchors = 3

# A docstring sets names in single backticks, as Markdown does.
default_role = "code"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
napoleon_preprocess_types = False
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_class_signature = "separated"
autodoc_default_options = {"members": True, "inherited-members": False, "undoc-members": False}
python_maximum_signature_line_length = 88

# Where there is a network, `make docs LINKS=1` links names of other libraries, too.
if os.environ.get("LINKS"):
    extensions.append("sphinx.ext.intersphinx")
intersphinx_mapping = {
    "python": ("https://docs.python.org/3", None),
    "numpy": ("https://numpy.org/doc/stable", None),
    "scipy": ("https://docs.scipy.org/doc/scipy", None),
    "torch": ("https://docs.pytorch.org/docs/stable", None),
}

MARKUP = re.compile(r"[|*]|(?<=\w)_(?!\w)")
LITERAL = re.compile(r"(``[^`]+``|`[^`]+`)")


def setup(app):
    """Docstrings are plain English with formulas: |x| and a*b are mathematics in them, not markup."""
    app.connect("builder-inited", lambda app: write_systems())
    app.connect("autodoc-process-docstring", lambda app, what, name, obj, options, lines: escape(lines))


def write_systems():
    """The table of the catalogue, from the catalogue."""
    rows = ["| system | D | dimension of K | time scale | equation |", "|---|---|---|---|---|"]
    for entry in list_systems():
        dimension = entry["K"]["dimension"]
        known, scale = "" if dimension is None else dimension, f"{entry['time_scale']:.4g}"
        rows.append(f"| `{entry['name']}` | {entry['dim']} | {known} | {scale} | `{entry['equation']}` |")
    path = Path(__file__).parent / "_generated" / "systems.md"
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(rows).replace("|A|", "\\|A\\|") + "\n", encoding="utf-8")


def escape(lines):
    """Escapes, in place and outside of backticks, what reStructuredText would take for markup."""
    for i, line in enumerate(lines):
        parts = LITERAL.split(line)
        lines[i] = "".join(p if p.startswith("`") else MARKUP.sub(r"\\\g<0>", p) for p in parts)
