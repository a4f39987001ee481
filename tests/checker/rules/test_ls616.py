"""LS616 on losses that are made for one batch size, and on their nearest innocent neighbours."""

from pathlib import Path
from typing import Any

import pytest
import torch
from reproducing import run_reproducer
from ruletest import answer, printed
from torch import Tensor, nn
from torch.nn import functional as F

from lossmith.checker.rules import ls402_batch_of_one
from lossmith.checker.rules import ls616_fixed_batch_size as rule

REAL = {"pred": "real[N,C]", "target": "real[N,C]"}
PAIRS = {"z1": "embedding[N,D]", "z2": "embedding[N,D]"}


class MadeForSix(nn.Module):
    def __init__(self, batch_size: int = 6) -> None:
        super().__init__()
        self.register_buffer("eye", torch.eye(batch_size))

    def forward(self, z1: Tensor, z2: Tensor) -> Tensor:
        return (F.normalize(z1) @ F.normalize(z2).T - self.eye).square().mean()


class MadeEachTime(nn.Module):
    def forward(self, z1: Tensor, z2: Tensor) -> Tensor:
        return (F.normalize(z1) @ F.normalize(z2).T - torch.eye(len(z1))).square().mean()


class KeepsTheFirst(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.eye = None

    def forward(self, z1: Tensor, z2: Tensor) -> Tensor:
        if self.eye is None or self.renew(z1):
            self.eye = torch.eye(len(z1))
        return (F.normalize(z1) @ F.normalize(z2).T - self.eye).square().mean()

    def renew(self, z1: Tensor) -> bool:
        return False


class RenewsIt(KeepsTheFirst):
    def renew(self, z1: Tensor) -> bool:
        return len(self.eye) != len(z1)


class Divides(nn.Module):
    def __init__(self, batch_size: int = 32) -> None:
        super().__init__()
        self.batch_size = batch_size

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        return (pred - target).square().sum() / self.divisor(pred)

    def divisor(self, pred: Tensor) -> int:
        return self.batch_size


class DividesByWhatItGets(Divides):
    def divisor(self, pred: Tensor) -> int:
        return len(pred)


def two_views(features: Tensor) -> Tensor:
    pairs = features.reshape(-1, 2, 8)
    return (1 - F.cosine_similarity(pairs[:, 0], pairs[:, 1])).mean()


def refuses(pred: Tensor, target: Tensor) -> Tensor:
    if len(pred) != 6:
        raise ValueError("six samples, please")
    return F.mse_loss(pred, target)


def test_a_table_for_one_size_is_an_error_that_lists_what_was_tried() -> None:
    status, (found,) = answer(rule, MadeForSix(), **PAIRS)
    assert (status.status, found.severity) == ("failed", "error")
    assert {"a batch of 5", "a batch of 2", "a batch of 12"} < set(found.evidence)
    assert answer(ls402_batch_of_one, MadeForSix(), **PAIRS)[0].status == "skipped"


def test_what_is_kept_of_the_first_batch_is_found_though_a_fresh_loss_takes_any_size() -> None:
    _, (found,) = answer(rule, KeepsTheFirst(), **PAIRS)
    assert found.message.startswith("after a batch of 6, a batch of 5 raises")


def test_a_divisor_from_the_settings_is_a_warning() -> None:
    _, (found,) = answer(rule, Divides(), **REAL)
    assert found.severity == "warning"
    assert float(found.evidence["value"]) == pytest.approx(
        2 * float(found.evidence["value with batch_size=64"]), rel=1e-4
    )


def test_a_refusal_on_purpose_is_a_warning() -> None:
    assert [found.severity for found in answer(rule, refuses, **REAL)[1]] == ["warning"]


@pytest.mark.parametrize(
    ("loss", "takes"),
    [
        (MadeEachTime(), PAIRS),
        (RenewsIt(), PAIRS),
        (DividesByWhatItGets(), REAL),
        (two_views, {"features": "embedding[N,D]"}),
    ],
)
def test_losses_for_any_size_and_for_even_sizes_pass(loss, takes) -> None:
    assert answer(rule, loss, **takes)[0].status == "passed"


def test_two_views_need_an_even_batch_and_are_not_asked_for_one_sample() -> None:
    assert answer(ls402_batch_of_one, two_views, features="embedding[N,D]")[0].status == "skipped"


def test_the_printed_text_is_stable() -> None:
    lines = printed(rule, MadeForSix(), **PAIRS).splitlines()
    assert lines[3].strip() == "only batches of 6 are accepted: the last batch of an epoch is smaller"
    assert lines[4].split() == ["batches", "that", "work", "6"]


def test_the_reproducer_shows_the_second_batch_raise(tmp_path: Path) -> None:
    source = """
        class Keeps(nn.Module):
            eye = None

            def forward(self, z1, z2):
                if self.eye is None:
                    self.eye = torch.eye(len(z1))
                return (F.normalize(z1) @ F.normalize(z2).T - self.eye).square().mean()
    """
    with pytest.raises(RuntimeError, match="must match the size"):
        run_reproducer(tmp_path, rule, source, "Keeps", **PAIRS)


BATCH_SIZE = 100


def by_a_number(pred: Tensor, target: Tensor) -> Tensor:
    return (pred - target).square().sum() / 32


def by_a_constant(pred: Tensor, target: Tensor) -> Tensor:
    loss = (pred - target).square().sum()
    loss /= BATCH_SIZE
    return loss


def by_what_there_is(pred: Tensor, target: Tensor) -> Tensor:
    return (pred - target).square().sum() / len(pred)


def half_of_a_sum(pred: Tensor, target: Tensor) -> Tensor:
    return (pred - target).square().sum() / 2


def mean_of_a_scale(pred: Tensor, target: Tensor) -> Tensor:
    return (pred - target).square().mean() / 32


@pytest.mark.parametrize(("loss", "divisor"), [(by_a_number, "32"), (by_a_constant, "BATCH_SIZE")])
def test_a_sum_divided_by_a_batch_size_in_the_code_is_told(loss: Any, divisor: str) -> None:
    _, (found,) = answer(rule, loss, **REAL)
    assert found.severity == "warning"
    assert found.message == f"a sum over the batch is divided by {divisor}, whatever batch is given"


@pytest.mark.parametrize("loss", [by_what_there_is, half_of_a_sum, mean_of_a_scale])
def test_other_divisors_are_innocent(loss: Any) -> None:
    assert answer(rule, loss, **REAL)[1] == []


def of_pairs(scores: Tensor, gains: Tensor, n: int | None = None) -> Tensor:
    i, j = torch.triu_indices(n or len(scores), n or len(scores), 1)
    return F.softplus(-torch.sign(gains[i] - gains[j]) * (scores[i] - scores[j])).mean()


def test_indices_made_for_one_batch_size_are_told() -> None:
    flags = {"scores": "real[N]", "gains": "real[N]"}
    _, (found,) = answer(rule, lambda scores, gains: of_pairs(scores, gains, 6), **flags)
    assert found.message.startswith("it is made for batches of 6: of a larger one the first 6 samples count")
    assert answer(rule, of_pairs, **flags)[1] == []
