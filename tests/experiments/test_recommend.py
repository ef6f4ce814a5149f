"""The latent space that the verdict on K recommends can be fitted; where there is none, a sentence says why."""

import math

import numpy as np
import pytest
import torch

from dynred.data.storage import save_trajectories
from dynred.data.trajectories import Trajectories
from dynred.errors import InputError
from dynred.experiments import recommend
from dynred.experiments.choose_experiment import choose_recommended
from dynred.geometry.piece import Piece
from dynred.geometry.verdict import Verdict
from dynred.numerics.latent_space import LatentSpace


def told(monkeypatch, dim, *pieces, projects_from=99):
    """Lets the verdict be on these pieces, in R^dim."""
    verdict = Verdict(pieces, len(pieces), 1000, 1000, 2.0, dim, projects_from)
    monkeypatch.setattr(recommend, "inspect", lambda data, **options: verdict)
    return verdict


def piece(m, betti, closed=True):
    return Piece(1000, float(m), (m, m), m, closed, betti=betti, reach=1.0, orientable=True)


def data(tmp_path, dim, n=12):
    t = torch.arange(60, dtype=torch.float64) * math.pi / 10
    s = t + torch.linspace(0, 3, n, dtype=torch.float64)[:, None]
    states = torch.stack([torch.cos((j // 2 + 1) * s - j % 2 * math.pi / 2) for j in range(dim)], -1)
    save_trajectories(Trajectories.from_stacked(states, t), tmp_path / "data.npz")
    return str(tmp_path / "data.npz")


@pytest.mark.parametrize("dim", [1, 2])
def test_data_that_cannot_be_reduced_are_refused_with_the_reason(tmp_path, dim, monkeypatch):
    told(monkeypatch, dim, Piece(1000, 2.0, (2.0, 2.1), 2, False))
    with pytest.raises(InputError, match="No reduction found: .* (delayed values|choose a number yourself)"):
        choose_recommended(data(tmp_path, dim))


def test_a_reducer_without_angles_gets_lines_instead(tmp_path, monkeypatch):
    told(monkeypatch, 4, piece(1, (1, 1, 0)))
    source = data(tmp_path, 4)
    assert choose_recommended(source)[0].reducer.latent_space == LatentSpace(angles=1, lines=0)
    assert choose_recommended(source, reducer="pod")[0].reducer.latent_space == LatentSpace(lines=2)


def test_a_circle_in_the_plane_has_no_lines_for_a_reducer_without_angles(tmp_path, monkeypatch):
    told(monkeypatch, 2, piece(1, (1, 1, 0)))
    with pytest.raises(InputError, match="No reduction found that these settings can fit"):
        choose_recommended(data(tmp_path, 2), reducer="pod")


@pytest.mark.parametrize("dim", range(2, 8))
def test_what_is_recommended_is_accepted(tmp_path, monkeypatch, dim):
    source = data(tmp_path, dim)
    for known in (piece(1, (1, 1, 0)), piece(2, (1, 2, 1)), piece(2, (1, 0, 1)), piece(2, (1, 0, 0), False)):
        verdict = told(monkeypatch, dim, known)
        if verdict.recommended is None:
            continue
        spec, _ = choose_recommended(source)
        spec.open()
        assert 1 <= spec.latent_dim < dim


def test_a_signal_is_told_to_be_delayed_without_being_trained_on(tmp_path):
    pytest.importorskip("skdim")
    t = np.arange(2000) * 0.1
    np.savez(tmp_path / "signal.npz", states=np.sin(t)[:, None], t=t)
    with pytest.raises(InputError, match="no autonomous ODE exists in them. States with delays may: `--delays auto`"):
        choose_recommended(str(tmp_path / "signal.npz"))
