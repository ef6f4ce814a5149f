"""The benchmark of rollouts and the comparison of devices run, and give a row for everything that they promise."""

import math
import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))  # scripts, which import each other as siblings
import device
import rollouts


def test_a_part_of_the_benchmark_gives_its_rows(capsys):
    found = rollouts.main(["--small", "--only", "training"])
    assert len(found) == 2
    assert all(0 < value < math.inf for _, value, _ in found)
    assert found[0][0][:20] in capsys.readouterr().out


@pytest.mark.slow
def test_the_whole_small_benchmark_gives_a_row_for_every_target():
    found = rollouts.main(["--small"])
    assert len(found) >= 11
    assert all(0 < value < math.inf for _, value, _ in found)


@pytest.mark.slow
def test_devices_are_compared_where_there_are_two_and_one_is_said_to_be_alone(capsys):
    rows = device.main(["--small"])
    assert [row[0] for row in rows] == ["reduction", "large", "ensemble"]
    assert ("no CUDA device" in capsys.readouterr().out) == (not torch.cuda.is_available())
    assert device.alike(1.0, 1.2)
    assert not device.alike(1.0, 3.0)
