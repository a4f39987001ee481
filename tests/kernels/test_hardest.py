"""The hardest pairs, tile by tile, against the whole matrix."""

from math import inf

import pytest
import torch
from on_device import DEVICE, randint, randn

from lossmith.kernels import All, Labelled, Others, devices, hardest
from lossmith.kernels.walk import belong


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch):
    monkeypatch.setattr(devices, "TILES", {DEVICE: (4, 3)})
    with torch.device(DEVICE):
        yield


def require_hardest(u, v, rule, bias, found) -> None:
    x = u @ v.T + (0.0 if bias is None else bias)
    x = x.masked_fill(~belong(rule, len(u), len(v), u.device), -inf)
    value, place = x.max(1)
    torch.testing.assert_close(found.value, value, equal_nan=True)
    assert torch.equal(found.place, torch.where(value == -inf, 0, place))


@pytest.mark.parametrize(("n", "m"), [(9, 7), (1, 5), (5, 1), (8, 6)])
@pytest.mark.parametrize("biased", [False, True])
def test_the_largest_entry_of_each_row_is_found_with_its_place(n, m, biased):
    u, v, bias = randn(n, 4), randn(m, 4, seed=1), randn(m, seed=2) if biased else None
    for rule in (All(), Others(), Labelled(randint(3, n, seed=1), randint(3, m, seed=2), same=True)):
        require_hardest(u, v, rule, bias, hardest(u, v, rule=rule, bias=bias))


def test_the_test_above_can_fail():
    u, v = randn(9, 4), randn(7, 4, seed=1)
    with pytest.raises(AssertionError):
        require_hardest(u, v, All(), None, hardest(u, v, rule=Others()))


def test_the_first_of_equals_is_taken_and_nan_is_the_largest():
    u, v = torch.ones(5, 2, dtype=torch.float64), torch.ones(9, 2, dtype=torch.float64)
    require_hardest(u, v, Others(), None, hardest(u, v, rule=Others()))
    v[7] = torch.nan
    require_hardest(u, v, All(), None, hardest(u, v, rule=All()))


def test_no_rows_have_no_hardest():
    assert hardest(randn(0, 2), randn(3, 2), rule=All()).value.shape == (0,)
    assert (hardest(randn(3, 2), randn(0, 2), rule=All()).value == -inf).all()
