"""What is imported from `dynred` itself: all that the documentation uses, in a form that type checkers accept."""

import ast
import re
from pathlib import Path

import pytest

import dynred
from dynred.spec import Spec

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def declared():
    """The names that type checkers see, each with the module that it is imported from."""
    tree = ast.parse((ROOT / "dynred" / "__init__.py").read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    return {alias.name: (node.module, alias.asname) for node in block.body for alias in node.names}


def test_every_name_is_re_exported_explicitly_from_where_it_is_loaded():
    seen = declared()
    assert all(asname == name for name, (_, asname) in seen.items())
    assert {name: module for name, (module, _) in seen.items()} == dynred._HOMES | {"testing": "dynred"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_names_that_a_page_uses_are_there(page):
    text = page.read_text()
    for name in re.findall(r"\bdynred\.([A-Za-z_]\w*)(?![\w/]*\.(?:py|md))", text):
        package = ROOT / "dynred" / name
        assert name in dir(dynred) or package.is_dir() or package.with_suffix(".py").is_file(), name
    for name in re.findall(r"(?<![:\w])[A-Z]\w*Spec\b", text):  # after a colon: of a package of somebody else
        assert name in dynred.__all__, name


def test_code_of_the_pages_imports_names_of_the_top_alone():
    for page in PAGES:
        for block in re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL):
            for node in ast.walk(ast.parse(block)):
                if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "dynred":
                    assert hasattr(dynred, node.attr), f"{page.name}: dynred.{node.attr}"


def test_all_settings_that_a_user_can_choose_are_there():
    [getattr(dynred, name) for name in dynred.__all__]
    waiting, concrete = [Spec], set()
    while waiting:
        cls = waiting.pop()
        waiting += cls.__subclasses__()
        if cls.__module__.startswith("dynred.") and cls.__name__.endswith("Spec"):
            concrete.add(cls.__name__)
    assert concrete - {"Spec"} <= set(dynred.__all__)
