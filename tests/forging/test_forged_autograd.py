"""The `autograd.Function` of a loss: first and second derivatives, both arguments, upstream gradients, torch.func."""

import pytest
import torch
from emitting import forged, load, planned, write
from forged_losses import CASES
from torch.autograd.gradcheck import GradcheckError

from lossmith.forging.verify import points_of


def inside(name, count=14):
    """Points inside the pieces of a loss, in float64."""
    points = points_of(planned(name))
    near = [
        i for i, x in enumerate(points["pred"]) if abs(x) < 8 and not (CASES[name].kinds[0] == "prob" and x in (0, 1))
    ]
    chosen = near[:: max(1, len(near) // count)]
    return [torch.tensor(points[key][chosen], requires_grad=True) for key in ("pred", "target")]


def values_of(loss):
    return lambda pred, target: loss(pred, target, reduction="none")


@pytest.mark.parametrize("name", CASES)
def test_both_derivatives_agree_with_differences(name, tmp_path):
    loss = values_of(forged(tmp_path, name, "torch-autograd"))
    pred, target = inside(name)
    if CASES[name].kinds[1] not in ("real", "positive"):
        target = target.detach()
    near_edge = name in ("Probability", "Gamma")
    pred = pred.detach().clamp(min=0.2, max=0.9).requires_grad_() if near_edge else pred
    assert torch.autograd.gradcheck(loss, (pred, target))
    assert torch.autograd.gradgradcheck(loss, (pred, target))


@pytest.mark.parametrize("name", CASES)
def test_it_is_the_function_that_autograd_differentiates(name, tmp_path):
    own, plain = (values_of(forged(tmp_path, name, to)) for to in ("torch-autograd", "torch-function"))
    weight = torch.linspace(-1.0, 3.0, len(inside(name)[0]), dtype=torch.float64)
    found = []
    for loss in (own, plain):
        pred, target = inside(name)
        first = torch.autograd.grad((weight * loss(pred, target)).sum(), (pred, target), create_graph=True)
        second = None
        if first[0].requires_grad:  # the slope of a quantile is constant
            second = torch.autograd.grad((weight * first[0]).sum(), pred, allow_unused=True)[0]
        found.append([*(one.detach() for one in first), second if second is not None else torch.zeros_like(pred)])
    for one, two in zip(*found, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-9, atol=1e-11)


def test_the_tests_above_can_fail(tmp_path):
    file = write(tmp_path, planned("Welsch"), "torch-autograd")
    file.write_text(file.read_text().replace("grad_output * by_pred", "grad_output * by_pred.detach()"))
    loss = values_of(load(file, "welsch_loss"))
    assert torch.autograd.gradcheck(loss, inside("Welsch"))
    with pytest.raises(GradcheckError):
        torch.autograd.gradgradcheck(loss, inside("Welsch"))


def test_vmap_and_func_see_through_it(tmp_path):
    loss = forged(tmp_path, "PseudoHuber", "torch-autograd")
    pred, target = (one.detach() for one in inside("PseudoHuber"))
    slopes = torch.func.vmap(torch.func.grad(lambda x, t: loss(x, t, delta=0.7)))(pred, target)
    residual = (pred - target) / 0.7
    torch.testing.assert_close(slopes, 0.7 * residual / (1 + residual**2).sqrt())


def test_no_slope_is_nan_at_a_root_or_in_a_branch_not_taken(tmp_path):
    from lossmith.forging.plan import plan

    for index, text in enumerate(
        ("sqrt(abs(pred - target))", "where(pred > target, expm1(pred - target), abs(pred - target))")
    ):
        made = plan(text, f"Guarded{index}", {}, pred="real", target="real")
        loss = values_of(load(write(tmp_path, made, "torch-function"), made.function))
        pred = torch.tensor([0.0, -2000.0, 3.0, 0.0], dtype=torch.float64, requires_grad=True)
        slopes = torch.autograd.grad(loss(pred, torch.zeros(4, dtype=torch.float64)).sum(), pred)[0]
        assert slopes.isfinite().all()


def test_the_nan_test_can_fail(tmp_path):
    from lossmith.forging.plan import plan

    made = plan("sqrt(abs(pred - target))", "Bare", {}, rewrite=False, pred="real", target="real")
    loss = values_of(load(write(tmp_path, made, "torch-function"), made.function))
    pred = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.grad(loss(pred, torch.zeros(1)).sum(), pred)[0].isnan().all()


def test_modules_keep_their_settings_and_refuse_wrong_ones(tmp_path):
    cls = forged(tmp_path, "Asymmetric", "torch-module")
    assert repr(cls(under=3.0)) == "AsymmetricLoss(under=3.0, over=1.0, reduction='mean')"
    assert cls(under=3.0, reduction="sum")(torch.zeros(2), torch.ones(2)).item() == 6.0
    assert cls()(torch.zeros(2), torch.ones(2, dtype=torch.long)).item() == 2.0
    with pytest.raises(ValueError, match="reduction"):
        cls(reduction="average")
    with pytest.raises(ValueError, match="one shape"):
        cls()(torch.zeros(3, 1), torch.zeros(3))


def test_the_dtype_is_that_of_the_prediction(tmp_path):
    for name in ("Quantile", "Asymmetric", "Wing"):
        loss = forged(tmp_path, name, "torch-function")
        for dtype in (torch.float16, torch.float32, torch.float64):
            assert loss(torch.ones(3, dtype=dtype), torch.zeros(3)).dtype == dtype
