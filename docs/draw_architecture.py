"""Draws docs/architecture.svg from the imports of the code: `python docs/draw_architecture.py`.

A design structure matrix: a row for each folder, the highest at the top, and a dot in the column of each folder that it
imports, the larger the more of its modules do. Imports go down where no dot lies right of the diagonal.
"""

import ast
import sys
from collections import Counter
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))  # the order of the folders stands in the test that holds it

from test_architecture import FOLDERS, folder, imports, module_of  # noqa: E402

BLUE, GREY = "#0072B2", "#999999"


def title(name: str) -> str:
    """The first sentence of a folder's docstring."""
    text = ast.get_docstring(ast.parse((ROOT / "dynred" / name / "__init__.py").read_text())) or ""
    return "errors, checks, files, settings, plug-ins, runtime" if not name else text.splitlines()[0].rstrip(".")


def counted() -> tuple[Counter[str], Counter[tuple[str, str]]]:
    """Modules in each folder; modules of one folder that import another one."""
    modules: Counter[str] = Counter()
    arrows: Counter[tuple[str, str]] = Counter()
    for path in sorted((ROOT / "dynred").rglob("*.py")):
        own = folder(module_of(path))
        modules[own] += path.stem != "__init__"
        used = {folder(module) for module in imports(path) if module.startswith("dynred.")}
        arrows.update((low, own) for low in used if low != own)
    return modules, arrows


def draw(path: Path) -> None:
    """Writes the picture."""
    modules, arrows = counted()
    count = len(FOLDERS)
    figure = Figure(figsize=(10, 4.6))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(-19.1, count + 0.2), ylim=(-0.3, count + 2.1))
    axes.axis("off")
    for level, name in enumerate(FOLDERS):
        axes.add_patch(Rectangle((level, level), 1, 1, fc=BLUE, ec="white"))
        axes.text(level + 0.5, level + 0.5, modules[name], size=6.5, ha="center", va="center", color="white")
        axes.plot([-18.9, level], [level, level], color="#E5E5E5", lw=0.6, zorder=0)
        axes.plot([level + 0.5] * 2, [-0.1, level], color="#E5E5E5", lw=0.6, zorder=0)
        axes.text(-18.9, level + 0.5, f"{name or 'dynred'}/", weight="bold", size=8, va="center", color=BLUE)
        axes.text(-15.1, level + 0.5, title(name), size=6.8, va="center")
    for (low, high), importers in sorted(arrows.items()):
        place = FOLDERS.index(low) + 0.5, FOLDERS.index(high) + 0.5
        axes.scatter(*place, s=5 + 55 * importers / modules[high], color=GREY, lw=0)
    axes.text(-18.9, count + 1.3, "A folder (number of its modules), and the lower folders that it imports:", size=8)
    axes.text(-18.9, count + 0.5, "the larger the dot, the more of its modules do", size=8, color=GREY)
    with matplotlib.rc_context({"svg.hashsalt": "dynred"}):  # the same imports are the same file
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None, dpi=150)


if __name__ == "__main__":
    draw(Path(__file__).with_name("architecture.svg"))
