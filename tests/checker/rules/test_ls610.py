"""LS610 on losses that loop over the batch, and on their nearest innocent neighbours."""

import torch
from ruletest import answer, printed
from torch import Tensor

from lossmith.checker.rules import ls610_python_loop as rule

REAL = {"pred": "real[N,C]", "target": "real[N,C]"}


def rows(pred: Tensor, target: Tensor) -> Tensor:
    return sum((pred[i] - target[i]).square().mean() for i in range(len(pred))) / len(pred)


def pairs(pred: Tensor, target: Tensor) -> Tensor:
    total = torch.zeros(())
    for i in range(len(pred)):
        for j in range(i):
            total = total + (pred[i] - pred[j] - target[i] + target[j]).square().mean()
    return total


def channels(pred: Tensor, target: Tensor) -> Tensor:
    return sum((pred[:, c] - target[:, c]).square().mean() for c in range(pred.shape[1]))


def test_a_loop_over_rows_is_information_with_its_counts() -> None:
    status, (found,) = answer(rule, rows, **REAL)
    assert (status.status, found.severity) == ("failed", "info")
    counts = [int(text) for text in found.evidence.values()]
    assert counts[2] - counts[1] == 2 * (counts[1] - counts[0])
    assert "with the square of them" in answer(rule, pairs, **REAL)[1][0].message


def test_a_loop_over_channels_and_one_operation_for_all_pass() -> None:
    assert answer(rule, channels, **REAL)[0].status == "passed"
    assert answer(rule, lambda pred, target: (pred - target).square().mean(), **REAL)[0].status == "passed"


def test_the_printed_text_is_stable() -> None:
    lines = printed(rule, rows, **REAL).splitlines()
    assert lines[3].strip() == (
        "the number of operations grows with the samples, 6 a sample: a Python loop runs over the batch"
    )
