"""Losses a block at a time, against the formula as it is: what is not seen where the textbook is the judge."""

import pytest
import torch
from torch.utils.checkpoint import checkpoint

from lossmith import formulas
from lossmith.kernels import blocks, eager_of
from lossmith.ops import torch as ops

G = torch.Generator().manual_seed(0)
X, T = torch.randn(6, 5, 7, generator=G, dtype=torch.float64), torch.rand(6, 5, 7, generator=G, dtype=torch.float64)
LABELS = torch.randint(0, 7, (6, 5), generator=G)
CASES = {
    "binary_cross_entropy": (X, T, {}),
    "binary_focal": (X, T.round(), {"alpha": 0.25}),
    "binary_focal soft": (X, T, {}),
    "softmax_cross_entropy": (X, LABELS, {"label_smoothing": 0.1}),
    "softmax_cross_entropy soft": (X, T.softmax(-1), {"label_smoothing": 0.1}),
    "softmax_cross_entropy log": (X.log_softmax(-1), LABELS, {"pred_is": "log_prob"}),
    "softmax_focal": (X, LABELS, {"alpha": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]}),
    "log_cosh": (X, T, {}),
    "box_ciou": (X[..., :4], T[..., :4], {}),
}
every_case = pytest.mark.parametrize("case", CASES)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(blocks, "ON_CPU", 20)


def both(case):
    """The values of a case as functions of its prediction: by blocks, and by the formula; and its prediction."""
    pred, target, settings = CASES[case]
    formula = getattr(formulas, case.split()[0])
    fast = eager_of(formula)
    assert fast is not formula
    return lambda x: fast.values(ops, x, target, **settings), lambda x: formula.values(ops, x, target, **settings), pred


def gradients(function, pred, again: bool = False):
    """Values, gradient for an upstream gradient that varies, and the gradient of its square."""
    x = pred.detach().clone().requires_grad_()
    values = function(x)
    upstream = torch.linspace(-1.0, 2.0, values.numel(), dtype=x.dtype).reshape(values.shape)
    (first,) = torch.autograd.grad(values, x, upstream, create_graph=again, retain_graph=True)
    (more,) = torch.autograd.grad((first * x).square().sum() if again else values, x, None if again else 2.0 * upstream)
    return values.detach(), first.detach(), more


@every_case
def test_gradients_are_the_formulas_once_twice_and_of_the_second_order(case):
    fast, formula, pred = both(case)
    for again in (False, True):
        for got, want in zip(gradients(fast, pred, again), gradients(formula, pred, again), strict=True):
            torch.testing.assert_close(got, want, rtol=1e-9, atol=1e-11)


@every_case
def test_what_is_not_finite_is_the_formulas_too(case):
    fast, formula, pred = both(case)
    for entry in (torch.nan, torch.inf, -torch.inf):
        spoiled = pred.clone()
        spoiled[1, 2, 3] = entry
        for got, want in zip(gradients(fast, spoiled), gradients(formula, spoiled), strict=True):
            torch.testing.assert_close(got, want, rtol=1e-9, atol=1e-11, equal_nan=True)


@every_case
def test_strides_transforms_and_checkpoints_do_not_matter(case):
    fast, formula, pred = both(case)
    want = gradients(formula, pred)
    strided = pred.movedim(-1, 0).contiguous().movedim(0, -1)
    assert not strided.is_contiguous()
    for function in (fast, lambda x: checkpoint(fast, x, use_reentrant=False)):
        for got, each in zip(gradients(function, strided)[:2], want, strict=False):
            torch.testing.assert_close(got, each, rtol=1e-9, atol=1e-11)
    slope = torch.func.grad(lambda x: fast(x).sum())(pred)
    torch.testing.assert_close(slope, torch.func.grad(lambda x: formula(x).sum())(pred))


def test_blocks_cover_every_sample_once():
    for lengths, rest, limit in (((3, 5, 7), 2, 20), ((100,), 1, 7), ((2, 3), 50, 7), ((4, 0), 1, 2)):
        seen = torch.zeros(lengths)
        for index in blocks.blocks(lengths, rest, limit):
            assert seen[index].numel() * rest <= max(limit, rest)
            seen[index] += 1
        assert (seen == 1).all()


def test_the_tests_above_can_fail(monkeypatch):
    fast, formula, pred = both("log_cosh")
    monkeypatch.setattr(blocks.InBlocks, "both", lambda self, arrays, *_: (formula(arrays[0]), [arrays[0].clone()]))
    with pytest.raises(AssertionError):
        torch.testing.assert_close(gradients(fast, pred)[1], gradients(formula, pred)[1])
