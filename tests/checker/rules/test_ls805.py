"""LS805 on settings that do nothing, on their repaired twins, and on settings that only seem to do nothing."""

from inspect import Parameter, Signature
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
import torch.nn.functional as F
from reproducing import run_reproducer
from ruletest import answer, printed
from torch import Tensor, nn

from lossmith.checker.rules import ls805_hyperparameter_without_effect as rule

REAL = {"pred": "real[N]", "target": "real[N]"}


class Focal(nn.Module):
    """Takes gamma, and forgets it."""

    def __init__(self, alpha: float = 0.25, gamma: float = 2.0) -> None:
        super().__init__()
        self.alpha, self.gamma = alpha, gamma

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        ce = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
        weight = self.alpha * target + (1 - self.alpha) * (1 - target)
        return (weight * (1 - torch.exp(-ce)) ** 2 * ce).mean()


class Repaired(Focal):
    def __init__(self, alpha: float = 0.25, gamma: float = 2.0) -> None:
        super().__init__(alpha, gamma)

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        ce = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
        weight = self.alpha * target + (1 - self.alpha) * (1 - target)
        return (weight * (1 - torch.exp(-ce)) ** self.gamma * ce).mean()


class Overwritten(nn.Module):
    """A report: `loss = loss * self.beta` on a name that is not returned."""

    def __init__(self, beta: float = 0.5) -> None:
        super().__init__()
        self.beta = beta

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        loss = (pred - target).abs().mean()
        scaled = loss * self.beta  # noqa: F841
        return loss


class OtherMode(nn.Module):
    """A setting of a mode that is not on."""

    def __init__(self, mode: str = "l2", delta: float = 1.0) -> None:
        super().__init__()
        self.mode, self.delta = mode, delta

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        if self.mode == "huber":
            return F.huber_loss(pred, target, delta=self.delta)
        return F.mse_loss(pred, target)


class OnlyFar(nn.Module):
    """A cap that ordinary residuals do not reach."""

    def __init__(self, cap: float = 50.0) -> None:
        super().__init__()
        self.cap = cap

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        return (pred - target).abs().clamp(max=self.cap).mean()


class ByName(nn.Module):
    """A base that takes and computes with whatever settings its subclass has named."""

    defaults: ClassVar[dict[str, Any]] = {}

    def __init_subclass__(cls) -> None:
        ways = [Parameter(name, Parameter.KEYWORD_ONLY, default=value) for name, value in cls.defaults.items()]
        cls.__signature__ = Signature(ways)

    def __init__(self, **given: Any) -> None:
        super().__init__()
        vars(self).update({**self.defaults, **given})

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        settings = {name: getattr(self, name) for name in self.defaults}
        x = pred - target
        return x.abs().mean() if settings["mode"] == "l1" else F.huber_loss(x, 0 * x, delta=settings["width"])


class Named(ByName):
    defaults: ClassVar[dict[str, Any]] = {"mode": "l1", "width": 1.0}


class StartsAt(nn.Module):
    """What it learns begins at a setting; a module built anew keeps what was learned."""

    def __init__(self, scale: float = 0.5) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(scale))

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        return ((pred - target).square() * torch.exp(-self.scale) + self.scale).mean()


class OnlyInTraining(nn.Module):
    def __init__(self, scale: float = 2.0) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        value = (pred - target).square().mean()
        return self.scale * value if self.training else value


class Guarded(nn.Module):
    def __init__(self, eps: float = 1e-12) -> None:
        super().__init__()
        self.eps = eps

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        return (pred - target).square().mean()


class Refuses(nn.Module):
    def __init__(self, power: int = 2) -> None:
        super().__init__()
        if power != 2:
            raise ValueError("only 2 is supported")

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        return (pred - target).square().mean()


class Shadowed(nn.Module):
    """A variable of its own has the name of the setting."""

    def __init__(self, beta: float = 0.5, hard: bool = False) -> None:
        super().__init__()
        self.beta, self.hard = beta, hard

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        beta = 0.5
        return beta * (pred - target).abs().mean() + (0.0 if self.hard else 1 - beta) * (pred - target).square().mean()


class Copied(Shadowed):
    def __init__(self, beta: float = 0.5, hard: bool = False) -> None:
        super().__init__(beta, hard)

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        beta = self.beta
        return beta * (pred - target).abs().mean() + (0.0 if self.hard else 1 - beta) * (pred - target).square().mean()


def test_a_variable_of_the_same_name_is_no_reading() -> None:
    assert [each.message.split()[0] for each in answer(rule, Shadowed(), **REAL)[1]] == ["beta"]
    assert answer(rule, Copied(), **REAL)[0].status == "passed"


@pytest.mark.parametrize(
    ("loss", "name", "takes"),
    [(Focal(), "gamma", {"logits": "logits[N]", "target": "binary[N]"}), (Overwritten(), "beta", REAL)],
)
def test_a_setting_without_effect_is_named(loss: nn.Module, name: str, takes: dict[str, str]) -> None:
    status, found = answer(rule, loss, **takes)
    assert status.status == "failed"
    assert [each.message.split()[0] for each in found] == [name]
    assert found[0].severity == "warning"


@pytest.mark.parametrize(
    "loss", [OnlyFar(), OnlyInTraining(), Named(), StartsAt()], ids=lambda loss: type(loss).__name__
)
def test_a_setting_that_shows_elsewhere_is_innocent(loss: nn.Module) -> None:
    assert answer(rule, loss, **REAL)[0].status == "passed"


def test_a_setting_of_another_mode_is_innocent() -> None:
    assert answer(rule, OtherMode(), **REAL)[0].status == "passed"


def test_the_repaired_twin_passes() -> None:
    assert answer(rule, Repaired(), logits="logits[N]", target="binary[N]")[0].status == "passed"


def test_a_guard_is_not_asked_and_a_setting_that_refuses_others_is_not_judged() -> None:
    assert answer(rule, Guarded(), **REAL)[0].status == "not applicable"
    assert answer(rule, Refuses(), **REAL)[0].status == "skipped"


def test_the_printed_text_is_stable() -> None:
    lines = printed(rule, Overwritten(), pred="real[N]", target="real[N]").splitlines()
    assert lines[2].startswith("  LS805 hyperparameter-without-effect  warning, measured")
    assert lines[3].startswith("    beta changes neither the value nor the gradient: ")
    assert any(
        line.split() == ["beta", "tried", *"0.5, 0.25, 0.75, 2.0, 0.05, 0.4, 1.7, 20.0".split()] for line in lines
    )
    assert "    fix     use beta in the formula, or take it out of the signature" in lines


def test_functions_are_judged_by_their_keywords_and_the_reproducer_runs(tmp_path: Path) -> None:
    source = "def unused(pred, target, delta=1.0):\n    return F.huber_loss(pred, target)\n"
    found, lines = run_reproducer(tmp_path, rule, source, "unused", **REAL)
    assert found.message.startswith("delta changes neither")
    assert len({line.split(" ", 1)[1] for line in lines}) == 1 < len(lines)


class Unsmoothed(nn.Module):
    def __init__(self, smooth: float = 1.0) -> None:
        super().__init__()
        self.smooth = smooth

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        return (pred - target).square().mean()


class Unguarded(Unsmoothed):
    def __init__(self, smooth: float = 1e-12) -> None:
        super().__init__(smooth)

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        return super().forward(pred, target)


def test_a_vanishing_number_is_a_guard_whatever_it_is_called() -> None:
    assert answer(rule, Unguarded(), **REAL)[0].status == "not applicable"
    assert answer(rule, Unsmoothed(), **REAL)[0].status == "failed"
