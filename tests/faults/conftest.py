"""How large the campaign is, and what all its tests need."""

import os

import pytest
import torch

from dynred.data.storage import SUFFIXES, load_trajectories, save_trajectories
from faults.children import in_child
from faults.material import make_run, result, small_data, store, trained_spec

collect_ignore_glob = [] if hasattr(os, "fork") else ["test_*.py"]  # children are forked


class Share:
    """How much of the full campaign is tried."""

    def __init__(self, share: float | None):
        self.share = share

    def of(self, full: int, few: int) -> int:
        """A number of tries: `few` by default, else the share of the full number, at least one."""
        return few if self.share is None else max(1, round(self.share * full))

    def some(self, items, few: int) -> list:
        """So many of the items, evenly spread over all of them, first and last among them."""
        items = list(items)
        count = min(len(items), self.of(len(items), few))
        if count < 2:
            return items[:count]
        return [items[round(i * (len(items) - 1) / (count - 1))] for i in range(count)]


def pytest_configure(config):
    config.addinivalue_line("markers", "few(count): so many of the test's cases run by default, all with --faults 1")


def pytest_collection_modifyitems(config, items):
    """Of tests with a table, leaves some cases, evenly spread; the others wait for the full campaign."""
    share, tables, left_out = Share(config.getoption("--faults")), {}, set()
    for item in items:
        if mark := item.get_closest_marker("few"):
            tables.setdefault((item.fspath, item.originalname), (mark.args[0], []))[1].append(item)
    for few, cases in tables.values():
        left_out |= set(cases) - set(share.some(cases, few))
    if left_out:
        config.hook.pytest_deselected(items=[item for item in items if item in left_out])
        items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session")
def share(request):
    return Share(request.config.getoption("--faults"))


@pytest.fixture(scope="package", autouse=True)
def workplace(tmp_path_factory):
    """One thread, since children would wait for others that they lack; a state folder that is not the user's."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        warm_up(tmp_path_factory.mktemp("warm"))
        yield
    torch.set_num_threads(threads)


def warm_up(folder):
    """Does once what most children do, so that all that is imported late is imported before they are forked."""
    make_run(trained_spec(), folder / "run")
    for suffix in SUFFIXES:
        save_trajectories(small_data(), folder / f"data{suffix}")
        load_trajectories(folder / f"data{suffix}")
    store(folder / "store.zarr").load()


@pytest.fixture(scope="package")
def whole(workplace, tmp_path_factory):
    """The result of the small trained run that nothing disturbed."""
    out = tmp_path_factory.mktemp("whole") / "run"
    in_child(make_run, trained_spec(), out).returned()
    return result(out)
