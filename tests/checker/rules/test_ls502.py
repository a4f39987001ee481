"""LS502 on losses whose samples interact, and on their nearest innocent neighbours."""

import pytest
import torch
from ruletest import answer, printed
from torch import Tensor
from torch.nn import functional as F

from lossmith.checker.rules import ls502_batch_coupled as rule

BINARY = {"pred": "logits[N,C]", "target": "binary[N,C]"}
REAL = {"pred": "real[N,C]", "target": "real[N,C]"}


def batch_dice(pred: Tensor, target: Tensor) -> Tensor:
    p = pred.sigmoid()
    return 1 - 2 * (p * target).sum() / (p.sum() + target.sum())


def sample_dice(pred: Tensor, target: Tensor) -> Tensor:
    p = pred.sigmoid()
    return (1 - 2 * (p * target).sum(1) / (p.sum(1) + target.sum(1))).mean()


def root_mean_square(pred: Tensor, target: Tensor) -> Tensor:
    return (pred - target).square().mean().sqrt()


def positives(pred: Tensor, target: Tensor) -> Tensor:
    """A mean over a count: weights explain it, and LS501 tells them."""
    value = F.binary_cross_entropy_with_logits(pred, target, reduction="none")
    return (value * target).sum() / target.sum()


def infonce(z1: Tensor, z2: Tensor) -> Tensor:
    return F.cross_entropy(F.normalize(z1) @ F.normalize(z2).T, torch.arange(len(z1)))


def test_a_dice_of_the_batch_is_information_with_its_bias() -> None:
    status, (found,) = answer(rule, batch_dice, **BINARY)
    assert (status.status, found.code, found.severity) == ("failed", "LS502", "info")
    whole, mean = float(found.evidence["value"]), float(found.evidence["their mean"])
    assert f"{abs(mean - whole) / whole:.1%} off" in found.message


def test_a_root_of_a_mean_is_found() -> None:
    assert [found.code for found in answer(rule, root_mean_square, **REAL)[1]] == ["LS502"]


@pytest.mark.parametrize("loss", [sample_dice, positives])
def test_means_over_samples_and_over_counts_pass(loss) -> None:
    assert answer(rule, loss, **BINARY)[0].status == "passed"


def test_embeddings_are_compared_by_what_they_are() -> None:
    assert answer(rule, infonce, z1="embedding[N,D]", z2="embedding[N,D]")[0].status == "not applicable"


def test_the_printed_text_is_stable() -> None:
    lines = printed(rule, root_mean_square, pred="real[N]", target="real[N]").splitlines()
    assert lines[2].strip().startswith("LS502 batch-coupled  info, measured")
    assert lines[3].strip().startswith("samples of a batch interact: accumulated over micro-batches it is another loss")
    assert "    fix     reduce over each sample first, then average; or keep the batch whole" in lines


def test_an_entry_of_each_sample_taken_from_all_is_a_warning() -> None:
    def columns(q_values: Tensor, actions: Tensor, td_target: Tensor) -> Tensor:
        return (q_values[:, actions] - td_target).square().mean()

    def entries(q_values: Tensor, actions: Tensor, td_target: Tensor) -> Tensor:
        return (q_values[torch.arange(len(actions)), actions] - td_target).square().mean()

    flags = {"q_values": "real[N,C]", "actions": "index[N]", "td_target": "real[N]"}
    _, (found,) = answer(rule, columns, **flags)
    assert found.severity == "warning"
    assert found.message.startswith("each entry of actions is taken from every sample")
    assert answer(rule, entries, **flags)[1] == []
