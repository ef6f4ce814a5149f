"""README and site: commands exist as they are written, names are documented, the first pages run as they are."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import dynred
from dynred.cli.app import build

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.S | re.M)
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def blocks(page, language):
    return [text for name, text in BLOCK.findall(page.read_text(encoding="utf-8")) if name == language]


def commands(page):
    """Every `dynred ...` of a page, in blocks and in lines, without comments."""
    text = page.read_text(encoding="utf-8")
    inline = [line.replace("\n", " ") for line in re.findall(r"`(dynred [^`]+)`", text)]
    block = [line.partition("#")[0] for part in blocks(page, "") for line in part.splitlines()]
    return [line for line in (*inline, *block) if line.startswith("dynred ")]


def options():
    """The options of every command."""
    app = build()
    names = [name for name in app if not name.startswith("-")]
    return {name: {n for each in app[name].assemble_argument_collection() for n in each.names} for name in names}


@pytest.fixture(scope="module")
def known():
    return options()


@each_page
def test_commands_and_their_options_exist(page, known):
    for line in commands(page):
        name, *words = line.split()[1:]
        if name in ("COMMAND", "--install-completion", "--version", "--help"):
            continue
        assert name in known, line
        unknown = {word.partition("=")[0] for word in words if word.startswith("--")} - known[name] - {"--help"}
        assert not unknown, line


@each_page
def test_python_is_python(page):
    for text in blocks(page, "python"):
        ast.parse(text)


@each_page
def test_links_to_files_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    if page.name == "contributing.md":
        return
    assert not missing


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 120


def test_every_public_name_stands_in_the_reference_once():
    text = "\n".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs" / "reference").glob("*.md"))
    listed = re.findall(r"\.\. auto(?:class|function):: (\w+)", text)
    assert sorted(listed) == sorted(dynred._HOMES)


@pytest.mark.slow
@pytest.mark.parametrize("page", ["own_ode", "own_data"])
def test_the_first_pages_run_as_they_are_written(page, tmp_path):
    path = ROOT / "docs" / "start" / f"{page}.md"
    first, *scripts = blocks(path, "python")
    assert sum(len(part.splitlines()) for part in (first, *scripts)) <= 40
    if page == "own_ode":
        (tmp_path / "my_system.py").write_text(first, encoding="utf-8")
    else:
        scripts = [first, *scripts]
    lines = [line for line in commands(path) if " --out " in line and line.startswith("dynred reduce")]
    assert lines
    run = dict(cwd=tmp_path, check=True, timeout=900)
    if page == "own_data":
        subprocess.run([sys.executable, "-c", scripts.pop(0)], **run)
    for line in lines:
        subprocess.run([sys.executable, "-m", *line.split()], **run)
    for script in scripts:
        subprocess.run([sys.executable, "-c", script], **run)
    folders = list((tmp_path / "runs").iterdir())
    assert folders
    assert all((folder / "report.html").exists() for folder in folders)  # of the command, and of Python
