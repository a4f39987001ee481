"""LS617 on modules that keep what a move leaves behind, and on their nearest innocent neighbours."""

from pathlib import Path

import pytest
import torch
from reproducing import run_reproducer
from ruletest import answer, printed
from torch import Tensor, nn

from lossmith.checker.rules import ls617_stale_after_move as rule

REAL = {"pred": "real[N,C]", "target": "real[N,C]"}


class Keeps(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = None

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        if self.scale is None or self.renew(pred):
            self.scale = torch.linspace(1, 2, pred.shape[1], dtype=pred.dtype, device=pred.device)
        return ((pred - target).square() @ self.scale).mean()

    def renew(self, pred: Tensor) -> bool:
        return False


class Renews(Keeps):
    def renew(self, pred: Tensor) -> bool:
        return self.scale.dtype != pred.dtype or self.scale.device != pred.device


class Registers(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("scale", torch.linspace(1, 2, 5))

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        return ((pred - target).square() @ self.scale).mean()


class LeftBehind(nn.Module):
    """It does not work there in the first place: LS604 says why."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = torch.linspace(1, 2, 5)

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        return ((pred - target).square() @ self.scale).mean()


def test_what_the_first_call_made_is_found_by_a_move() -> None:
    status, (found,) = answer(rule, Keeps(), **REAL)
    assert (status.status, found.severity) == ("failed", "error")
    assert found.evidence["moved, then called"] == "works"
    assert "RuntimeError" in found.evidence["called, moved, called"]


@pytest.mark.parametrize("loss", [Renews(), Registers(), LeftBehind()])
def test_what_moves_along_is_renewed_or_never_worked_there_passes(loss: nn.Module) -> None:
    assert answer(rule, loss, **REAL)[0].status == "passed"


def test_a_function_is_not_moved() -> None:
    assert answer(rule, lambda pred, target: (pred - target).abs().mean(), **REAL)[0].status == "not applicable"


def test_the_printed_text_is_stable() -> None:
    lines = printed(rule, Keeps(), **REAL).splitlines()
    assert lines[3].strip() == (
        "once it has been called, it raises after double(): something that the first call made is not moved"
    )


def test_the_reproducer_shows_it_raise(tmp_path: Path) -> None:
    source = """
        class Keeps(nn.Module):
            scale = None

            def forward(self, pred, target):
                if self.scale is None:
                    self.scale = torch.linspace(1, 2, pred.shape[1], dtype=pred.dtype)
                return ((pred - target).square() @ self.scale).mean()
    """
    with pytest.raises(RuntimeError, match="dtype"):
        run_reproducer(tmp_path, rule, source, "Keeps", **REAL)
