"""LS608 on losses whose memory outgrows the batch, and on their nearest innocent neighbours."""

import pytest
import torch
from ruletest import answer, printed
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from lossmith.checker.growth import fitted
from lossmith.checker.rules import ls608_superlinear_memory as rule

PAIRS = {"a": "embedding[N,D]", "b": "embedding[N,D]"}
REAL = {"pred": "real[N]", "target": "real[N]"}
LABELLED = {"pred": "embedding[N,D]", "target": "index[N]"}


def diagonal(a: Tensor, b: Tensor) -> Tensor:
    return 1 - (F.normalize(a, dim=1) @ F.normalize(b, dim=1).T).diagonal().mean()


def rows_only(a: Tensor, b: Tensor) -> Tensor:
    return 1 - (F.normalize(a, dim=1) * F.normalize(b, dim=1)).sum(1).mean()


class TableOfResiduals(nn.Module):
    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        table = (pred[:, None] - target[None, :]).square()
        return (table * torch.eye(len(pred))).sum() / len(pred)


class Residuals(nn.Module):
    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        return (pred - target).square().mean()


def one_hot_of_samples(a: Tensor, b: Tensor) -> Tensor:
    return torch.stack([(a - b).square().sum(1)[i] * torch.ones(len(a))[i] for i in range(len(a))]).mean() + (
        0.0 * torch.einsum("nd,md->nm", a, b).diagonal().mean()
    )


def contrastive(a: Tensor, b: Tensor) -> Tensor:
    return F.cross_entropy(F.normalize(a, dim=1) @ F.normalize(b, dim=1).T / 0.1, torch.arange(len(a)))


def all_triplets(pred: Tensor, target: Tensor) -> Tensor:
    d = torch.cdist(pred, pred)
    return F.relu(d[:, :, None] - d[:, None, :] + 1).mean()


@pytest.mark.parametrize(
    ("loss", "contract"), [(diagonal, PAIRS), (TableOfResiduals(), REAL), (one_hot_of_samples, PAIRS)]
)
def test_a_table_of_pairs_for_unrelated_samples_is_found(loss, contract) -> None:
    _, (found,) = answer(rule, loss, **contract)
    assert found.severity == "warning"
    assert found.message.startswith("memory grows with N^2, for samples that have nothing to do with each other")


@pytest.mark.parametrize(("loss", "contract", "order"), [(contrastive, PAIRS, 2), (all_triplets, LABELLED, 3)])
def test_what_compares_samples_is_told_as_an_info(loss, contract, order) -> None:
    _, (found,) = answer(rule, loss, **contract)
    assert found.severity == "info"
    assert found.message.startswith(f"memory grows with N^{order}, for samples that are compared")


def _chunk(rows: Tensor, b: Tensor, labels: Tensor) -> Tensor:
    return F.cross_entropy(rows @ b.T / 0.1, labels, reduction="sum")


def contrastive_by_chunks(a: Tensor, b: Tensor) -> Tensor:
    """The repaired twin of `contrastive`: small batches are one chunk, and look like a table."""
    a, b, labels = F.normalize(a, dim=1), F.normalize(b, dim=1), torch.arange(len(a))
    parts = [
        checkpoint(_chunk, a[i : i + 64], b, labels[i : i + 64], use_reentrant=False) for i in range(0, len(a), 64)
    ]
    return torch.stack(parts).sum() / len(a)


@pytest.mark.parametrize(
    ("loss", "contract"),
    [
        (rows_only, PAIRS),
        (contrastive_by_chunks, PAIRS),
        (Residuals(), REAL),
        (nn.CrossEntropyLoss(), {"pred": "logits[N,C]", "target": "index[N]"}),
        (nn.CrossEntropyLoss(label_smoothing=0.1), {"pred": "logits[N,C,H,W]", "target": "index[N,H,W]"}),
    ],
)
def test_memory_in_proportion_passes(loss, contract) -> None:
    assert answer(rule, loss, **contract)[0].status == "passed"


def test_a_polynomial_is_recovered_and_noise_is_refused() -> None:
    sizes = (12, 24, 36, 48, 60)
    assert fitted(sizes, [100 + 8 * n + 20 * n * n for n in sizes]) == pytest.approx((100, 8, 20, 0), abs=1.0)
    assert fitted(sizes, [10, 9000, 20, 8000, 30]) is None


def test_the_printed_text_is_stable() -> None:
    lines = printed(rule, contrastive, **PAIRS).splitlines()
    assert lines[3].startswith("    memory grows with N^2, for samples that are compared: ")
    assert [line.split()[0] for line in lines[4:7]] == ["peak", "at", "largest"]
