"""What is masked, ignored, empty or split: for every torch face, over every reduction."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch_cases import CASES
from torch_cases.data import Case, N, close, gradients

import lossmith.torch as faces
from lossmith.errors import SettingError, ShapeError


def _labels(case: Case) -> bool:
    return not case.arrays()[-1].is_floating_point()


def by_sample(case: Case) -> bool:
    """Whether there is a value, or a row of them, for each sample."""
    return case.make(reduction="none")(*case.arrays()).shape[:1] == (N,)


KEEP = torch.tensor([True, False, True, True, False, True])
WEIGHT = torch.tensor([1.0, 2.0, 0.5, 3.0, 1.5, 0.25], dtype=torch.float64)
POISON = (torch.nan, torch.inf, -torch.inf, 1e300)
REDUCTIONS = ("none", "sum", "mean", "weighted_mean")
LABELLED = [case for case in CASES if "ignore_index" in case.make().declaration.defaults and _labels(case)]
# whose samples do not interact, so that a batch may be cut in parts
SEPARATE = [case for case in CASES if not case.make().coupled]
# whose entries do not interact at all, so that a mask may have the shape of the values
FREE = [case for case in CASES if not case.make().formula.coupled]
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
every_separate_case = pytest.mark.parametrize("case", SEPARATE, ids=lambda case: case.name)
every_free_case = pytest.mark.parametrize("case", FREE, ids=lambda case: case.name)
every_labelled_case = pytest.mark.parametrize("case", LABELLED, ids=lambda case: case.name)
every_poison = pytest.mark.parametrize("bad", POISON)
# every reduction with NaN, and every other poison with the mean
PAIRS = [*((reduction, torch.nan) for reduction in REDUCTIONS), *(("mean", bad) for bad in POISON[1:])]
every_reduction_with_poison = pytest.mark.parametrize(("reduction", "bad"), PAIRS)


def spoiled(array: Tensor, keep: Tensor, bad: float) -> Tensor:
    """A copy with nonsense where `keep` is False; labels become a class that does not exist."""
    copy = array.clone()
    leading = copy.shape[: keep.ndim] == keep.shape
    rows = copy if leading else copy.movedim(1, -1)  # else the classes, axis 1, are no axis of the values
    rows[~keep] = bad if array.is_floating_point() else 10**6
    return copy


def require_removed(make: Callable[..., Any], case: Case, reduction: str, bad: float, weight: Tensor | None) -> None:
    """Masking samples gives what the batch without them gives, and the masked get no gradient at all."""
    arrays = case.arrays()
    less = None if weight is None else weight[KEEP]
    left = tuple(a[KEEP] for a in arrays)
    want, *want_grads = gradients(make(reduction=reduction), left, case.targets, weight=less)
    full = None if weight is None else spoiled(weight, KEEP, bad)
    broken = tuple(spoiled(array, KEEP, bad) for array in arrays)
    got, *grads = gradients(make(reduction=reduction), broken, case.targets, mask=KEEP, weight=full)
    if reduction == "none" and got.shape[:1] == (N,):
        assert not got[~KEEP].any()
        got = got[KEEP]
    close(got, want)
    for grad, wanted in zip(grads, want_grads, strict=True):
        assert not grad[~KEEP].any()
        close(grad[KEEP], wanted)


@every_case
@every_reduction_with_poison
def test_a_masked_sample_is_removed_whatever_it_holds(case, reduction, bad):
    require_removed(case.make, case, reduction, bad, None)
    if by_sample(case):
        require_removed(case.make, case, reduction, bad, WEIGHT)


class Multiplied:
    """What a mask usually is: a factor after the loss."""

    def __init__(self, face: Any) -> None:
        self.face = face

    def __call__(self, *arrays: Tensor, mask: Tensor | None = None, weight: Tensor | None = None) -> Tensor:
        values = self.face(*arrays, weight=weight)
        return (values if mask is None else values * mask.reshape(-1, *[1] * (values.ndim - 1))).sum()


@every_free_case
def test_the_test_of_masks_can_fail(case):
    multiplied = lambda reduction: Multiplied(case.make(reduction="none"))
    with pytest.raises(AssertionError):
        require_removed(multiplied, case, "sum", torch.nan, None)


@every_free_case
@every_poison
def test_a_mask_may_have_the_shape_of_the_values(case, bad):
    arrays = case.arrays()
    values = case.make(reduction="none")
    keep = torch.rand(values(*arrays).shape, generator=torch.Generator().manual_seed(3)) < 0.6
    want = gradients(lambda *given: values(*given)[keep].mean(), arrays, case.targets)
    broken = tuple(spoiled(array, keep, bad) for array in arrays)
    for got, wanted in zip(gradients(case.make(), broken, case.targets, mask=keep), want, strict=True):
        close(got, wanted)


@every_labelled_case
@every_reduction_with_poison
def test_an_ignored_label_is_a_masked_entry(case, reduction, bad):
    *preds, target = case.arrays()
    keep = torch.arange(target.numel()).reshape(target.shape) % 3 != 1
    want = gradients(case.make(reduction=reduction), (*preds, target), case.targets, mask=keep)
    ignored = torch.where(keep, target, 7)
    preds = [spoiled(pred, keep, bad) for pred in preds]
    got = gradients(case.make(reduction=reduction, ignore_index=7), (*preds, ignored), case.targets)
    for one, other in zip(got, want, strict=True):
        close(one, other)


@every_labelled_case
def test_a_mask_and_an_ignored_label_add_up(case):
    *preds, target = case.arrays()
    ignored = target.clone()
    ignored[0] = -100
    both = torch.ones(len(target), dtype=torch.bool)
    both[:2] = False
    one = both.clone()
    one[0] = True
    close(case.make()(*preds, ignored, mask=one), case.make()(*preds, target, mask=both))


@every_case
@pytest.mark.parametrize("reduction", ["sum", "mean", "weighted_mean"])
def test_nothing_left_gives_zero_with_a_zero_gradient(case, reduction):
    arrays, nothing = case.arrays(), torch.zeros(N, dtype=torch.bool)
    everything_bad = tuple(spoiled(array, nothing, torch.nan) for array in arrays)
    for given, mask in ((tuple(array[:0] for array in arrays), None), (everything_bad, nothing)):
        total, *grads = gradients(case.make(reduction=reduction), given, case.targets, mask=mask)
        assert total == 0
        assert all(torch.equal(grad, torch.zeros_like(grad)) for grad in grads)


@every_labelled_case
def test_all_labels_ignored_gives_zero_with_a_zero_gradient(case):
    *preds, target = case.arrays()
    total, *grads = gradients(case.make(), (*preds, torch.full_like(target, -100)), case.targets)
    assert total == 0
    assert not any(grad.any() for grad in grads)


@every_separate_case
@pytest.mark.parametrize("reduction", ["mean", "weighted_mean"])
def test_parts_with_the_denominator_of_the_whole_add_up_to_it(case, reduction):
    arrays = case.arrays()
    criterion = case.make(reduction=reduction)
    whole = gradients(criterion, arrays, case.targets, weight=WEIGHT)
    divisor = case.make(reduction="sum")(*arrays, weight=WEIGHT) / whole[0]
    parts = [
        gradients(criterion, tuple(a[part] for a in arrays), case.targets, weight=WEIGHT[part], denominator=divisor)
        for part in (slice(0, 2), slice(2, 6))
    ]
    close(parts[0][0] + parts[1][0], whole[0])
    for first, second, full in zip(parts[0][1:], parts[1][1:], whole[1:], strict=True):
        close(torch.cat([first, second]), full)


def test_parts_without_it_do_not_add_up():
    x, t = CASES[0].arrays()
    criterion = faces.MSELoss()
    assert abs(criterion(x[:2], t[:2]) + criterion(x[2:], t[2:]) - criterion(x, t)) > 0.1


@pytest.mark.parametrize("reduction", ["none", "sum"])
def test_a_denominator_that_would_not_be_used_is_refused(reduction):
    with pytest.raises(SettingError, match="a denominator needs a reduction that divides"):
        faces.MSELoss(reduction=reduction)(torch.ones(2), torch.ones(2), denominator=2)


@every_separate_case
def test_a_weight_of_one_number_a_sample_scales_its_values(case):
    arrays = case.arrays()
    values = case.make(reduction="none")
    plain = values(*arrays)
    close(values(*arrays, weight=WEIGHT), plain * WEIGHT.reshape(-1, *[1] * (plain.ndim - 1)))


@pytest.mark.parametrize("name", ["weight", "mask"])
def test_a_weight_or_mask_that_would_broadcast_is_refused(name):
    for shape in ((3,), (1, 3), (6, 1), (6, 3, 1)):
        with pytest.raises(ShapeError, match=f"{name} must have the shape of the values"):
            faces.MSELoss()(torch.ones(6, 3), torch.zeros(6, 3), **{name: torch.ones(shape)})
