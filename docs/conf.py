"""The site: `make docs` builds it, and takes every warning for an error."""

import os
import re
import shutil
import sys
from pathlib import Path

from docutils import nodes
from latex2mathml.converter import convert

from dynred import __version__
from dynred.ode.catalogue import list_systems

DOCS = Path(__file__).parent
ROOT = DOCS.parent
sys.path.insert(0, str(DOCS))
import reproduce  # noqa: E402 # beside this file

project = "dynred"
author = "the dynred developers"
release = version = __version__
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "sphinxcontrib.bibtex",
]
exclude_patterns = ["_build", "_generated", "sg_execution_times.rst", "gallery/sg_execution_times.rst"]
html_math_renderer = "mathml"
html_theme = "pydata_sphinx_theme"
html_title = "dynred"
html_static_path = ["_static"]
html_css_files = ["dynred.css"]
html_show_sourcelink = False
ALONE = ("choose", "references", "systems", "results", "benchmarks", "architecture", "contributing", "changelog")
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

# Examples take minutes to hours: pages show what `make reproduce` found, and run nothing.
sphinx_gallery_conf = {
    "examples_dirs": str(ROOT / "examples"),
    "gallery_dirs": "gallery",
    "plot_gallery": False,
    "ignore_pattern": rf"^(?:{'|'.join(path.stem for path in reproduce.parts())})\.py$",
    "within_subsection_order": "ExampleTitleSortKey",
    "download_all_examples": False,
    "show_signature": False,
    "remove_config_comments": True,
}
# Pictures of other pages, for examples that have none of their own.
SHOWN = {
    "default_reduction": "front-light.png",
    "local_model": "local-squares.png",
    "why_autoencoders_work": "linked_circles.png",
}
bibtex_bibfiles = ["references.bib"]
bibtex_default_style = "unsrt"

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
UNBROKEN = re.compile(r"([\d.]+e-\d+|\S+ -> \S+)")  # a browser would break the line after a hyphen
LITERAL = re.compile(r"(``[^`]+``|`[^`]+`)")


def setup(app):
    """Docstrings are plain English with formulas: |x| and a*b are mathematics in them, not markup."""
    app.connect("builder-inited", lambda app: write_systems())
    app.connect("builder-inited", lambda app: show_pictures(), priority=900)  # after the gallery is made
    app.connect("source-read", lambda app, name, source: show_results(name, source))
    renderers = [(lambda page, node, show=show: formula(page, node, show), None) for show in ("inline", "block")]
    app.add_html_math_renderer("mathml", *renderers)
    app.connect("doctree-resolved", lambda app, doctree, name: keep_together(doctree))
    app.connect("autodoc-process-docstring", lambda app, what, name, obj, options, lines: escape(lines))


def write_systems():
    """The table of the catalogue, from the catalogue."""
    rows = ["| system | D | dimension of K | time scale | equation |", "|---|---|---|---|---|"]
    for entry in list_systems():
        dimension = entry["K"]["dimension"]
        known, scale = "" if dimension is None else dimension, f"{entry['time_scale']:.4g}"
        rows.append(f"| `{entry['name']}` | {entry['dim']} | {known} | {scale} | `{entry['equation']}` |")
    path = DOCS / "_generated" / "systems.md"
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(rows).replace("|A|", "\\|A\\|") + "\n", encoding="utf-8")


def formula(page, node, show):
    """A formula as MathML, which browsers set by themselves: pages need no network and no script."""
    page.body.append(convert(node.astext(), display=show))
    raise nodes.SkipNode


def keep_together(doctree):
    """Has numbers like 1e-6, and sizes before and after a reduction, stand on one line in tables."""
    for text in [text for entry in doctree.findall(nodes.entry) for text in entry.findall(nodes.Text)]:
        parts = UNBROKEN.split(text.astext())
        if len(parts) > 1 and not isinstance(text.parent, nodes.literal):
            new = [
                nodes.inline("", part, classes=["unbroken"]) if i % 2 else nodes.Text(part)
                for i, part in enumerate(parts)
            ]
            text.parent.replace(text, new)


def show_pictures():
    """Puts the picture of an example's first command in the place of its thumbnail."""
    thumbs = DOCS / "gallery" / "images" / "thumb"
    for name, picture in SHOWN.items():
        shutil.copyfile(DOCS / "_static" / picture, thumbs / f"sphx_glr_{name}_thumb.png")
    for entry in reversed(reproduce.stored().values()):
        picture = reproduce.PICTURES / f"{reproduce.picture_of(entry)}.png"
        if picture.exists():
            shutil.copyfile(picture, thumbs / f"sphx_glr_{entry['script']}_thumb.png")


def show_results(name, source):
    """Adds to the page of an example, after what it says of itself, the results of its commands and their pictures."""
    folder, _, stem = name.partition("/")
    entries = [entry for entry in reproduce.stored().values() if entry["script"] == stem]
    if folder == "gallery" and entries:
        said, mark, code = source[0].partition(".. GENERATED FROM PYTHON SOURCE LINES")
        source[0] = said + "\n".join(map(results_of, entries)) + mark + code


def results_of(entry):
    """The results of a command, in reStructuredText."""
    took = (
        "measured with an earlier version" if entry["minutes"] is None else f"{entry['minutes']:g} minutes of one core"
    )
    lines = [f"``{reproduce.command(entry)}``: {took}.", "", ".. list-table::"]
    lines += ["   :header-rows: 1", "", "   * -", "     - published", "     - here"]
    for row in entry["rows"]:
        case, *values = (value.replace("\\|", "|") for value in reproduce.cells(entry, row)[:3])
        escape(told := [case])
        lines += [f"   * - {told[0]}", *(f"     - {value}".rstrip() for value in values)]
    picture = f"{reproduce.picture_of(entry)}.png"
    if (reproduce.PICTURES / picture).exists():
        lines += ["", f".. image:: /_static/gallery/{picture}", f"   :alt: {reproduce.command(entry)}"]
    return "\n".join([*lines, "", ""])


def escape(lines):
    """Escapes, in place and outside of backticks, what reStructuredText would take for markup."""
    for i, line in enumerate(lines):
        parts = LITERAL.split(line)
        lines[i] = "".join(p if p.startswith("`") else MARKUP.sub(r"\\\g<0>", p) for p in parts)
