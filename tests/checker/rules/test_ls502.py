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


def cosine_to(pred, target):
    return (1 - (F.normalize(pred, dim=0) * F.normalize(target, dim=0)).sum(1)).mean()


def soft_labels(pred, target):
    return -(target * pred.log_softmax(0)).sum(1).mean()


class Distilled(torch.nn.Module):
    def __init__(self, temperature=4.0):
        super().__init__()
        self.register_buffer("temperature", torch.tensor(temperature))

    def forward(self, pred, target):
        teacher = F.softmax(target / self.temperature, dim=-2)
        return F.kl_div(F.log_softmax(input=pred / self.temperature, dim=0), teacher, reduction="batchmean")


ROWS = {"pred": "real[N,C]", "target": "real[N,C]"}


@pytest.mark.parametrize(
    ("loss", "name"), [(cosine_to, "normalize"), (soft_labels, "log_softmax"), (Distilled(), "softmax")]
)
def test_an_operation_along_the_batch_that_alone_couples_samples_is_a_warning(loss, name) -> None:
    (found,) = answer(rule, loss, **ROWS)[1]
    assert found.severity == "warning"
    assert found.message == f"{name} runs along the batch: what a sample costs depends on the others"
    function = loss.forward if isinstance(loss, torch.nn.Module) else loss
    first = function.__code__.co_firstlineno
    assert int(found.location.rpartition(":")[2]) in range(first + 1, first + 4)


def barlow(pred, target):
    table = F.normalize(pred, dim=0).T @ F.normalize(target, dim=0)
    return (table - torch.eye(len(table), dtype=table.dtype)).square().sum()


def both_relations(pred, target):
    within = (F.softmax(pred, dim=1) - F.softmax(target, dim=1)).square().mean()
    return within + (F.softmax(pred, dim=0) - F.softmax(target, dim=0)).square().mean()


def similarities(pred, target):
    return (F.softmax(pred @ pred.T, dim=0) - F.softmax(target @ target.T, dim=0)).square().mean()


def attention_over_a_bag(pred, target):
    share = F.softmax(pred.sum(1, keepdim=True), dim=0)
    return ((share * pred).sum(0) - target.mean(0)).square().mean()


@pytest.mark.parametrize("loss", [barlow, both_relations, similarities, attention_over_a_bag])
def test_samples_that_are_compared_on_purpose_are_information(loss) -> None:
    assert [found.severity for found in answer(rule, loss, **ROWS)[1]] == ["info"]
