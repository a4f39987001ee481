"""Formulas as the torch faces compute them without a compiler, against the textbook, as far as the formula itself."""

import accuracy
import pytest
import torch
from grid import CASES
from test_textbook import allowed

from lossmith.kernels import blocks, eager_of, kernel_of, regions
from lossmith.spec import FORMULAS
from readers import READERS

TORCH = next(reader for reader in READERS if reader.name == "torch")
EAGER = {name: eager_of(formula) for name, formula in FORMULAS.items() if kernel_of(formula) is formula}
OTHERS = [case for case in CASES if case.name in EAGER and EAGER[case.name] is not FORMULAS[case.name]]
WHOLE = {case.name: case for case in OTHERS}


def losses_of(case) -> list[str]:
    """What is further from the textbook than the formula may be."""
    return [
        f"{what} {dtype}: {error:.3g} ulps {where}"
        for dtype in accuracy.DTYPES
        for what, error, where in accuracy.errors(TORCH, case, dtype)
        if not error <= allowed(case, what, dtype)
    ]


@pytest.mark.parametrize("case", OTHERS, ids=[f"{i}-{case}" for i, case in enumerate(OTHERS)])
def test_the_eager_path_has_the_digits_of_the_formula(case, monkeypatch):
    monkeypatch.setattr(accuracy, "FORMULAS", EAGER)
    monkeypatch.setattr(regions, "SMALL", 0)
    # in blocks of seven entries, and one case of each formula in one block too
    for entries in (7, blocks.ON_CPU) if case is WHOLE[case.name] else (7,):
        monkeypatch.setattr(blocks, "ON_CPU", entries)
        assert not losses_of(case)


def test_the_test_above_can_fail(monkeypatch):
    case = next(case for case in OTHERS if case.name == "softmax_cross_entropy" and not case.settings)
    body = lambda ops, x, t, **settings: torch.nn.functional.cross_entropy(x, t, reduction="none")
    monkeypatch.setattr(EAGER["softmax_cross_entropy"], "body", body)
    monkeypatch.setattr(accuracy, "FORMULAS", EAGER)
    assert losses_of(case)
