import numpy as np
import pytest

from dynred.data.method_rows import row_errors


@pytest.mark.parametrize("rate", [0.05, 0.3, 1.0, 3.0])
def test_errors_that_fall_or_grow_by_a_factor_are_met_whatever_their_signs(rate):
    true = 0.1 * rate ** np.arange(7.0)
    for seed in range(5):
        errors = true[:, None] * np.random.default_rng(seed).standard_normal((7, 40)) / np.sqrt(40)
        squares = ((errors[:, None] - errors[None]) ** 2).sum(2)
        found = np.sqrt(row_errors(squares))
        best = int(true.argmin())
        assert np.all(found / true < 2.5)
        assert np.all(np.delete(found / true, best) > 0.4)


def test_distances_that_noise_hides_are_left_out():
    errors = 0.1 * 0.2 ** np.arange(6.0)[:, None] * np.random.default_rng(0).standard_normal((6, 40))
    squares = ((errors[:, None] - errors[None]) ** 2).sum(2)
    whole = row_errors(squares)
    squares[4:, 4:] = 0.0
    assert np.allclose(np.log(row_errors(squares)[:4]), np.log(whole[:4]), atol=0.2)
