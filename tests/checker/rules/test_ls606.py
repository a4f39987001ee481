"""LS606 on losses that keep their graphs, and on their nearest innocent neighbours."""

from pathlib import Path

import pytest
import torch
from reproducing import run_reproducer
from ruletest import answer, printed
from torch import Tensor, nn

from lossmith.checker.rules import ls606_retains_memory as rule

REAL = {"pred": "real[N,C]", "target": "real[N,C]"}
SEEN: list[Tensor] = []
NUMBERS: list[float] = []


class History(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.history: list[Tensor] = []

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        loss = (pred - target).square().mean()
        self.history.append(loss)
        return loss


class HistoryOfNumbers(History):
    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        loss = (pred - target).square().mean()
        self.history.append(loss.detach())
        return loss


class RunningMean(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.mean = torch.ones(())

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        loss = (pred - target).abs().mean()
        self.mean = 0.9 * self.mean + 0.1 * loss
        return loss / self.mean


class RunningMeanDetached(RunningMean):
    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        loss = (pred - target).abs().mean()
        self.mean = 0.9 * self.mean + 0.1 * loss.detach()
        return loss / self.mean


class Total(nn.Module):
    """For the printout at the end of an epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.total = torch.zeros(())

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        loss = (pred - target).abs().mean()
        self.total = self.total + loss
        return loss


def global_list(pred: Tensor, target: Tensor) -> Tensor:
    loss = (pred - target).abs().mean()
    SEEN.append(loss)
    return loss


def global_numbers(pred: Tensor, target: Tensor) -> Tensor:
    loss = (pred - target).abs().mean()
    NUMBERS.append(loss.item())
    return loss


class Last(nn.Module):
    """Keeps the parts of the last call only, to be read by who logs them."""

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        self.last = (pred - target).abs().mean()
        return self.last


class Queue(nn.Module):
    """A memory bank of detached embeddings, of a fixed length."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("bank", torch.zeros(8, 5))

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        loss = (pred - target).square().mean() + 0.0 * torch.cdist(pred, self.bank).mean()
        self.bank = torch.cat([self.bank, pred.detach()])[-8:]
        return loss


@pytest.mark.parametrize(
    ("loss", "message", "holder"),
    [
        (History(), "the graphs of 4 of 4 calls outlive their values", "history"),
        (Total(), "the graphs of 4 of 4 calls outlive their values", "total"),
        (global_list, "the graphs of 4 of 4 calls outlive their values", ""),
        (RunningMean(), "the graphs of 4 of 4 calls outlive their values", "mean"),
    ],
)
def test_what_keeps_its_graphs_is_found_and_the_keeper_named(loss, message, holder) -> None:
    _, (found,) = answer(rule, loss, **REAL)
    assert (found.severity, found.code) == ("error", "LS606")
    assert found.message.startswith(message)
    assert found.evidence.get("changes from call to call", "") == holder  # a list of values cannot be copied back


@pytest.mark.parametrize(
    "loss", [HistoryOfNumbers(), RunningMeanDetached(), global_numbers, Last(), Queue(), nn.L1Loss()]
)
def test_repaired_twins_and_innocents_pass(loss) -> None:
    status, findings = answer(rule, loss, **REAL)
    assert (status.status, findings) == ("passed", [])


def test_the_loss_is_left_as_it_was() -> None:
    loss = History()
    answer(rule, loss, **REAL)
    assert loss.history == []


def test_the_printed_text_is_stable() -> None:
    lines = printed(rule, Total(), **REAL).splitlines()
    assert lines[3:6] == [
        "    the graphs of 4 of 4 calls outlive their values: memory grows with each step",
        "      changes from call to call  total",
        "    fix     keep numbers and not values with a graph in total: loss.item() or loss.detach()",
    ]


def test_the_reproducer_counts_them(tmp_path: Path) -> None:
    source = """\
        KEPT = []

        def keeps(pred, target):
            KEPT.append((pred - target).square().mean())
            return KEPT[-1]
    """
    _, lines = run_reproducer(tmp_path, rule, source, "keeps", **REAL)
    counts = [int(line.split()[0]) for line in lines]
    assert counts[2] > counts[0]
