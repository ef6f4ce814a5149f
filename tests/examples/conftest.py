"""Examples import what they share from the folder in which they lie, as when they are run."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def beside_the_examples(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "examples")
