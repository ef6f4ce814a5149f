"""What is published is the same everywhere: one version, one list of requirements, all files that the tests need."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import dynred

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CONDA = {"torch": "pytorch", "matplotlib": "matplotlib-base"}


def test_the_version_is_the_same_everywhere():
    def number(pattern, path):
        return re.search(pattern, (ROOT / path).read_text(), re.M)[1]

    assert number(r"^version: (.+)$", "CITATION.cff") == dynred.__version__
    assert number(r'^  version: "(.+)"$', ".ci/conda/recipe.yaml") == dynred.__version__
    assert number(r"^## (\d[\d.]*)", "CHANGELOG.md") == dynred.__version__


def test_the_conda_recipe_requires_what_pyproject_requires():
    recipe = (ROOT / ".ci/conda/recipe.yaml").read_text()
    block = recipe.partition("  run:\n")[2].partition("\n\n")[0]
    required = [line.strip("- ").replace(" ", "") for line in block.splitlines()]
    python, *rest = required
    assert python == "python" + PROJECT["requires-python"]
    assert rest == [re.sub(r"^\w+", lambda name: CONDA.get(name[0], name[0]), each) for each in PROJECT["dependencies"]]


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="needs the repository, to know its files")
def test_the_source_archive_holds_every_file_of_the_repository(tmp_path):
    pytest.importorskip("setuptools", minversion="77")
    git = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    command = [sys.executable, "setup.py", "--quiet", "egg_info", "--egg-base", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    listed = (tmp_path / "dynred.egg-info" / "SOURCES.txt").read_text().splitlines()
    assert set(git.stdout.splitlines()) <= set(listed)
