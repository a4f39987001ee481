"""LS604 on tensors that a module hides from itself, and on their nearest innocent neighbours."""

from typing import Any

import keras
import pytest
import torch
from reproducing import HEAD, run_reproducer
from ruletest import answer, printed
from shipped import each_shipped, shipped
from torch import Tensor, nn
from torch.nn import functional as F

from lossmith.checker.hidden import hidden
from lossmith.checker.rules import ls604_unregistered_tensor as rule

REAL = {"pred": "real[N,C]", "target": "real[N,C]"}
CLASSES = {"pred": "logits[N,C]", "target": "index[N]"}
WEIGHT = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0])


class Weighted(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = WEIGHT.clone()

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        return (self.weight * (pred - target).square()).mean()


class WeightedCrossEntropy(Weighted):
    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(pred, target, weight=self.weight)


class InAChild(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = Weighted()

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        return self.inner(pred, target)


class Parts(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.parts = {"ce": nn.CrossEntropyLoss(weight=WEIGHT.clone()), "margin": nn.MultiMarginLoss()}

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        return self.parts["ce"](pred, target) + self.parts["margin"](pred, target)


class LearnedInAList(nn.Module):
    """Two log-variances in a list: no optimizer ever sees them."""

    def __init__(self) -> None:
        super().__init__()
        self.log_var = [nn.Parameter(torch.zeros(())) for _ in range(2)]

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        terms = F.mse_loss(pred, target), F.l1_loss(pred, target)
        return sum((-s).exp() * term + s for s, term in zip(self.log_var, terms, strict=True))


class ValueDependent(Weighted):
    """Branches on values, so that no device without values can run it."""

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        if bool((target > 1e9).any()):
            return pred.sum()
        return super().forward(pred, target)


class ValueDependentMoved(Weighted):
    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        return (self.weight.to(pred) * (pred - target).square())[target > 0].mean()


class Moved(Weighted):
    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        return (self.weight.to(pred.device) * (pred - target).square()).mean()


class Cached(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.last = torch.zeros(5)

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        self.last = (pred - target).detach().mean(0)
        return (pred - target).square().mean()


class Registered(nn.Module):
    """A buffer, a child, and plain names for what is registered already."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("weight", WEIGHT.clone())
        self.layer = nn.Linear(5, 5)
        self.layers = [self.layer]
        self.matrix = self.layer.weight

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        return (self.weight * (self.layers[0](pred) - target).square()).mean() + self.matrix.square().sum()


class FrozenTeacher(nn.Module):
    """Kept out of the checkpoint on purpose, and brought along by the forward."""

    def __init__(self) -> None:
        super().__init__()
        self.teacher = [nn.Linear(5, 5)]

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        with torch.no_grad():
            wanted = self.teacher[0].to(pred.device)(target)
        return (pred - wanted).square().mean()


class Columns(nn.Module):
    """Indices may stay on the CPU."""

    def __init__(self) -> None:
        super().__init__()
        self.columns = torch.tensor([0, 2])

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        return (pred - target)[:, self.columns].square().mean()


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.eps = torch.tensor(0.1)

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        return ((pred - target).square() + self.eps).sqrt().mean()


class Parameterless(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.parts = [nn.MSELoss(), nn.L1Loss()]

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        return self.parts[0](pred, target) + self.parts[1](pred, target)


@pytest.mark.parametrize(
    ("loss", "contract", "path"),
    [
        (Weighted(), REAL, "weight"),
        (WeightedCrossEntropy(), CLASSES, "weight"),
        (InAChild(), REAL, "inner.weight"),
        (Parts(), CLASSES, "parts['ce']"),
    ],
)
def test_a_hidden_tensor_is_proved_by_another_device(loss: nn.Module, contract: dict[str, str], path: str) -> None:
    status, findings = answer(rule, loss, **contract)
    found = findings[0]
    assert (status.status, found.code, found.severity) == ("failed", "LS604", "error")
    assert found.message == f"{path} is used by forward but hidden from .to() and state_dict()"
    assert "device" in found.evidence["on another device"]
    assert f"meets {path} on the cpu; moved along, it runs" in found.why


def test_what_is_learned_but_not_listed_is_an_error() -> None:
    _, (found,) = answer(rule, LearnedInAList(), **REAL)
    assert found.severity == "error"
    assert found.message.endswith("hidden from .to(), state_dict() and parameters()")
    assert found.evidence["log_var[1]"] == "parameter, float32 of shape (), in a list"
    assert found.fix == "self.log_var = nn.ParameterList(...)"


def test_where_no_device_can_be_tried_other_numbers_prove_the_use() -> None:
    _, (found,) = answer(rule, ValueDependent(), **REAL)
    assert found.severity == "error"
    assert found.why == "with other numbers in it the value changes, so forward uses it"


@pytest.mark.parametrize(
    "loss",
    [Moved(), ValueDependentMoved(), Cached(), Registered(), FrozenTeacher(), Columns()],
    ids=lambda m: type(m).__name__,
)
def test_what_follows_the_loss_or_is_not_used_is_innocent(loss: nn.Module) -> None:
    assert answer(rule, loss, **REAL)[0].status == "passed"


def test_a_single_number_and_empty_modules_are_warnings() -> None:
    _, (small,) = answer(rule, Small(), **REAL)
    _, (bare,) = answer(rule, Parameterless(), **REAL)
    assert (small.severity, bare.severity) == ("warning", "warning")
    assert bare.message == "parts[0] and parts[1] are used by forward but hidden from .to(), .train() and modules()"
    assert bare.fix == "self.parts = nn.ModuleList(...)"


def test_one_loss_may_have_both() -> None:
    _, findings = answer(rule, Parts(), **CLASSES)
    assert [found.severity for found in findings] == ["error", "warning"]


def test_the_repair_is_clean() -> None:
    class Repaired(Parts):
        def __init__(self) -> None:
            super().__init__()
            self.parts: Any = nn.ModuleDict(self.parts)

    class Buffered(Weighted):
        def __init__(self) -> None:
            super().__init__()
            del self.weight
            self.register_buffer("weight", WEIGHT.clone())

    class Listed(LearnedInAList):
        def __init__(self) -> None:
            super().__init__()
            self.log_var: Any = nn.ParameterList(self.log_var)

    assert answer(rule, Repaired(), **CLASSES)[0].status == "passed"
    assert answer(rule, Buffered(), **REAL)[0].status == "passed"
    assert answer(rule, Listed(), **REAL)[0].status == "passed"


def test_the_users_own_module_stays_where_it_is() -> None:
    loss = Parts()
    answer(rule, loss, **CLASSES)
    assert loss.parts["ce"].weight.device.type == "cpu"
    assert torch.equal(loss.parts["ce"].weight, WEIGHT)


def test_the_walk_finds_nested_containers_and_no_registered_thing() -> None:
    module = Registered()
    module.nested = {"a": [torch.ones(2), (nn.ReLU(),)]}
    assert [entry.path for entry in hidden(module)] == ["nested['a'][0]", "nested['a'][1][0]"]


def test_only_modules_can_register() -> None:
    assert answer(rule, lambda pred, target: (pred - target).square().mean(), **REAL)[0].status == "not applicable"
    keras_loss = keras.losses.MeanSquaredError()
    assert answer(rule, keras_loss, y_true="real[N,C]", y_pred="real[N,C]")[0].status == "not applicable"


def test_the_printed_text_is_stable() -> None:
    lines = printed(rule, WeightedCrossEntropy(), **CLASSES).splitlines()
    assert [line for line in lines[3:10] if "on another device " not in line] == [
        "    weight is used by forward but hidden from .to() and state_dict()",
        "      weight             float32 of shape (5,), in a plain attribute",
        "      state_dict()       empty",
        "    why     once the loss is on another device, nll_loss_forward meets weight on the cpu; "
        "moved along, it runs",
        "    fix     self.register_buffer('weight', weight) in place of self.weight = weight",
        "    allow   --ignore LS604",
    ]


def test_the_reproducer_raises_on_another_device(tmp_path) -> None:
    source = """
        class Masked(nn.Module):
            def __init__(self):
                super().__init__()
                self.scale = torch.ones(5)

            def forward(self, pred, target):
                return (self.scale * (pred - target)).square().mean()
    """
    assert "nn" in HEAD
    with pytest.raises(RuntimeError, match="device"):
        run_reproducer(tmp_path, rule, source, "Masked", **REAL)


@each_shipped
def test_shipped_losses_hide_nothing(family: str) -> None:
    wanted = "passed" if family.startswith("torch") else "not applicable"
    assert answer(rule, shipped(family))[0].status == wanted
