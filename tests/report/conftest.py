import pytest


@pytest.fixture(scope="module", autouse=True)
def with_figures(figures):
    """The tests of this folder look at figures."""
