"""LS403 on losses that read memory in its order, and on their nearest innocent neighbours."""

from pathlib import Path

import pytest
import torch
from reproducing import run_reproducer
from ruletest import answer, printed
from torch import Tensor, nn
from torch.nn import functional as F

from lossmith.checker.rules import ls403_layout_dependent as rule

REAL = {"pred": "real[N,C]", "target": "real[N,C]"}
IMAGES = {"pred": "logits[N,C,H,W]", "target": "index[N,H,W]"}


def flat_dice(pred: Tensor, target: Tensor) -> Tensor:
    p, t = pred.view(-1).sigmoid(), target.view(-1)
    return 1 - (2 * (p * t).sum() + 1) / (p.sum() + t.sum() + 1)


def flat_dice_repaired(pred: Tensor, target: Tensor) -> Tensor:
    p, t = pred.reshape(-1).sigmoid(), target.reshape(-1)
    return 1 - (2 * (p * t).sum() + 1) / (p.sum() + t.sum() + 1)


class FocalOfPixels(nn.Module):
    """Flattens each map, and brings the classes to the back afterwards."""

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        n, c = logits.shape[:2]
        flat = logits.view(n, -1).reshape(n, c, -1).transpose(1, 2).reshape(-1, c)
        return F.cross_entropy(flat, target.reshape(-1))


class FocalOfPixelsRepaired(FocalOfPixels):
    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(logits.movedim(1, -1).reshape(-1, logits.shape[1]), target.reshape(-1))


def as_stored(pred: Tensor, target: Tensor) -> Tensor:
    """Reads both as they lie in memory, so that unrelated elements meet."""
    n = pred.numel()
    return (pred.as_strided((n,), (1,)) - target.as_strided((n,), (1,))).square().mean()


def as_stored_repaired(pred: Tensor, target: Tensor) -> Tensor:
    return (pred.flatten() - target.flatten()).square().mean()


def refuses(pred: Tensor, target: Tensor) -> Tensor:
    if not pred.is_contiguous():
        raise ValueError("pred must be contiguous")
    return (pred - target).square().mean()


def test_a_view_of_a_prediction_is_found() -> None:
    _, (found,) = answer(rule, flat_dice, pred="logits[N,C]", target="binary[N,C]")
    assert (found.severity, found.message) == (
        "info",
        "the loss raises RuntimeError if pred is not contiguous in memory",
    )


def test_a_view_inside_a_module_is_found() -> None:
    _, (found,) = answer(rule, FocalOfPixels(), **IMAGES)
    assert "raises RuntimeError if logits is not contiguous" in found.message


def test_another_value_for_the_same_numbers_is_found() -> None:
    _, (found,) = answer(rule, as_stored, **REAL)
    assert found.message == "the value changes if pred is not contiguous in memory, with the same numbers in it"


def test_a_refusal_in_words_is_no_more_than_an_info() -> None:
    _, (found,) = answer(rule, refuses, **REAL)
    assert found.severity == "info"


@pytest.mark.parametrize(
    ("loss", "contract"),
    [
        (flat_dice_repaired, {"pred": "logits[N,C]", "target": "binary[N,C]"}),
        (FocalOfPixelsRepaired(), IMAGES),
        (as_stored_repaired, REAL),
        (nn.CrossEntropyLoss(), IMAGES),
        (lambda pred, target: torch.cdist(pred, target).mean(), REAL),
    ],
)
def test_repaired_twins_and_innocents_pass(loss, contract) -> None:
    assert answer(rule, loss, **contract)[0].status == "passed"


def test_vectors_have_one_layout() -> None:
    assert answer(rule, flat_dice, pred="logits[N]", target="binary[N]")[0].status == "not applicable"


def test_the_printed_text_is_stable() -> None:
    lines = printed(rule, as_stored, **REAL).splitlines()
    assert lines[3:6] == [
        "    the value changes if pred is not contiguous in memory, with the same numbers in it",
        "      shape of pred          (6, 5)",
        "      strides of pred        (1, 6)",
    ]
    assert "    fix     reshape() in place of view(), and no reading of storage, strides or data_ptr()" in lines


def test_the_reproducer_shows_two_values(tmp_path: Path) -> None:
    source = """\
        def stored(pred, target):
            n = pred.numel()
            return (pred.as_strided((n,), (1,)) - target.flatten()).square().mean()
    """
    _, lines = run_reproducer(tmp_path, rule, source, "stored", **REAL)
    assert len(set(lines)) == 2
