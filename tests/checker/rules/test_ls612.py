"""LS612 on operations of torch's list, and on their nearest innocent neighbours."""

import pytest
from ruletest import answer
from torch import Tensor
from torch.nn import functional as F

from lossmith.checker.rules import ls612_nondeterministic_op as rule

IMAGES = {"pred": "logits[N,C,H,W]", "target": "index[N,H,W]"}
REAL = {"pred": "real[N,C,H,W]", "target": "real[N,C,H,W]"}


def of_images(pred: Tensor, target: Tensor) -> Tensor:
    return F.cross_entropy(pred, target)


def of_pixels(pred: Tensor, target: Tensor) -> Tensor:
    return F.cross_entropy(pred.flatten(2).transpose(1, 2).flatten(0, 1), target.flatten())


def half_size(pred: Tensor, target: Tensor) -> Tensor:
    sizes = {"scale_factor": 0.5, "mode": "bilinear"}
    return (F.interpolate(pred, **sizes) - F.interpolate(target, **sizes)).abs().mean()


def running_counts(pred: Tensor, target: Tensor) -> Tensor:
    """A running sum of whole numbers is the same in any order."""
    place = (target > 0).cumsum(1)
    return ((pred - target).abs() * place).mean()


@pytest.mark.parametrize(
    ("loss", "takes", "operation"),
    [
        (of_images, IMAGES, "nll_loss2d_forward"),
        (half_size, REAL, "upsample_bilinear2d"),
    ],
)
def test_an_operation_of_the_list_is_information(loss, takes, operation) -> None:
    _, (found,) = answer(rule, loss, **takes)
    assert (found.severity, found.grade) == ("info", "heuristic")
    assert operation in found.evidence


def test_the_same_loss_over_rows_and_running_counts_pass() -> None:
    assert answer(rule, of_pixels, **IMAGES)[0].status == "passed"
    assert answer(rule, running_counts, **REAL)[0].status == "passed"
