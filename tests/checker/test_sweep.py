"""What only shows in another configuration: reported there, with the configuration named; repaired twins are clean."""

import contextlib
import io
import sys

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lossmith.checker import check
from lossmith.checker.build import subject_of_object
from lossmith.checker.load import load
from lossmith.checker.place import Place
from lossmith.checker.resolve import Declared, resolve
from lossmith.checker.runner import examine
from lossmith.checker.selection import Selection
from lossmith.checker.sweep import variants

REAL = {"pred": "real[N,C]", "target": "real[N,C]"}
CLASSES = {"pred": "logits[N,C]", "target": "index[N]"}
BINARY = {"pred": "logits[N,C]", "target": "binary[N,C]"}
SELECT = ("LS101", "LS102", "LS103", "LS105", "LS202", "LS605")


class Squares(torch.autograd.Function):
    """Its backward is that of the mean, whatever the forward was."""

    @staticmethod
    def forward(ctx, pred, target, reduction, right):
        ctx.save_for_backward(pred, target)
        ctx.divisor = pred.numel() if reduction == "mean" or not right else 1
        value = (pred - target).square()
        return value if reduction == "none" else value.sum() if reduction == "sum" else value.mean()

    @staticmethod
    def backward(ctx, grad_output):
        pred, target = ctx.saved_tensors
        return grad_output * 2 * (pred - target) / ctx.divisor, None, None, None


class MeanBackward(nn.Module):
    right = False

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__()
        self.reduction = reduction

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        return Squares.apply(pred, target, self.reduction, self.right)


class RepairedBackward(MeanBackward):
    right = True


class PerSample(torch.autograd.Function):
    @staticmethod
    def forward(ctx, pred, target, right):
        ctx.save_for_backward(pred, target)
        ctx.right = right
        return (pred - target).square().sum(-1)

    @staticmethod
    def backward(ctx, grad_output):
        pred, target = ctx.saved_tensors
        upstream = grad_output[:, None] if ctx.right else grad_output.mean()
        return upstream * 2 * (pred - target), None, None


def averages_what_comes_in(pred, target):
    return PerSample.apply(pred, target, False)


def passes_what_comes_in(pred, target):
    return PerSample.apply(pred, target, True)


def weight_from_no_grad(logits, target, weight=None):
    value = F.cross_entropy(logits, target, reduction="none")
    if weight is not None:
        with torch.no_grad():
            value = value * weight[target]
    return value.mean()


def weight_in_the_graph(logits, target, weight=None):
    value = F.cross_entropy(logits, target, reduction="none")
    return (value if weight is None else value * weight[target]).mean()


class Focused(torch.autograd.Function):
    """The derivative in the logits is written out for an exponent of 2."""

    @staticmethod
    def forward(ctx, logits, target, gamma, right):
        ctx.save_for_backward(logits, target)
        ctx.gamma = gamma if right else 2.0
        return focal_value(logits, target, gamma)

    @staticmethod
    def backward(ctx, grad_output):
        logits, target = ctx.saved_tensors
        with torch.enable_grad():
            x = logits.detach().requires_grad_()
            (grad,) = torch.autograd.grad(focal_value(x, target, ctx.gamma), x)
        return grad_output * grad, None, None, None


def focal_value(logits, target, gamma):
    log_p = F.logsigmoid(torch.where(target == 1, logits, -logits))
    return -((1 - log_p.exp()) ** gamma * log_p).mean()


def fixed_exponent(logits, target, gamma=2.0):
    return Focused.apply(logits, target, gamma, False)


def free_exponent(logits, target, gamma=2.0):
    return Focused.apply(logits, target, gamma, True)


def writes_when_clipped(pred, target, mode="plain"):
    if mode == "clipped":
        residual = torch.sigmoid(pred - target)
        return (Squares.apply(residual, target, "sum", False) * 0.5).mean()
    return (pred - target).square().mean()


def said(loss, contract):
    report = check(loss, contract=contract, select=SELECT)
    assert report.problem == ""
    assert [s.reason for s in report.statuses.values() if "itself" in s.reason] == []
    return [(found.code, found.message) for found in report.findings if found.severity != "info"]


@pytest.mark.parametrize(
    ("loss", "contract", "code", "configuration"),
    [
        (MeanBackward, REAL, "LS101", "with reduction='none': "),
        (averages_what_comes_in, REAL, "LS101", "with a gradient that comes in unevenly: "),
        (weight_from_no_grad, CLASSES, "LS105", "with weight=[0.5, 2.0, 1.0, 3.0, 0.25]: "),
        (fixed_exponent, BINARY, "LS101", "with gamma="),
        (writes_when_clipped, REAL, "LS101", "with mode='clipped': "),
    ],
)
def test_a_fault_of_another_configuration_is_found_and_the_configuration_named(loss, contract, code, configuration):
    ((found, message),) = said(loss, contract)
    assert found == code
    assert message.startswith(configuration)


@pytest.mark.parametrize(
    ("loss", "contract"),
    [
        (RepairedBackward, REAL),
        (passes_what_comes_in, REAL),
        (weight_in_the_graph, CLASSES),
        (free_exponent, BINARY),
        (nn.CrossEntropyLoss, CLASSES),
        (nn.BCEWithLogitsLoss, BINARY),
    ],
)
def test_the_repaired_twins_and_losses_with_many_settings_are_clean(loss, contract):
    assert said(loss, contract) == []


class Metric(nn.Module):
    """In eval mode it counts errors, which has no gradient and needs none."""

    def forward(self, pred, target):
        return (pred - target).square().mean() if self.training else (pred - target).abs().round().mean()


def test_a_metric_in_eval_mode_is_innocent():
    assert said(Metric, REAL) == []


class MaskBesides(nn.Module):
    """The mask may be left out; what it leaves out still counts in one of the two."""

    def __init__(self, right: bool = True) -> None:
        super().__init__()
        self.right = right

    def forward(self, pred: Tensor, target: Tensor, valid_mask: Tensor | None = None) -> Tensor:
        error = (pred - target).square()
        if valid_mask is None:
            return error.mean()
        kept = error[valid_mask]
        return kept.sum() / (max(len(kept), 1) if self.right else error.numel())


def test_a_mask_that_may_be_left_out_is_given_too():
    for right, found in ((False, ["LS205"]), (True, [])):
        report = examine(subject_of_object(MaskBesides(right)), Declared(REAL), Selection(("LS205",)))
        assert [each.code for each in report.findings] == found
        assert all(each.message.startswith("with valid_mask given: what valid_mask") for each in report.findings)


def test_what_varies_is_what_the_signature_offers():
    subject = subject_of_object(nn.CrossEntropyLoss)
    subject = subject.with_contract(resolve(subject, Declared())[0])
    names = [variant.name for variant in variants(subject)]
    assert names == [
        *("reduction='none'", "reduction='sum'", "weight=[0.5, 2.0, 1.0, 3.0, 0.25]", "ignore_index=1"),
        *("label_smoothing=0.5", "label_smoothing=1.0", "reduction='none' and a gradient that comes in unevenly"),
    ]


SOURCE = """\
import torch

class Half(torch.autograd.Function):
    @staticmethod
    def forward(ctx, pred, target):
        ctx.save_for_backward(pred, target)
        return (pred - target).square()

    @staticmethod
    def backward(ctx, grad_output):
        pred, target = ctx.saved_tensors
        return grad_output.mean() * 2 * (pred - target), None

def half_loss(pred, target, reduction="sum"):
    value = Half.apply(pred, target)
    return value if reduction == "none" else value.sum()
"""


def test_the_reproducer_builds_the_configuration(tmp_path):
    path = tmp_path / "drafts_of_sweep.py"
    path.write_text(SOURCE, encoding="utf-8")
    before = list(sys.path)
    try:
        from lossmith.checker.build import make

        place = Place.parse(f"{path}:half_loss")
        module = load(place)
        report = examine(make(place, module, "half_loss", module.half_loss, {}), Declared(REAL))
        (found,) = [one for one in report.findings if one.code == "LS101"]
        assert found.message.startswith("with reduction='none' and a gradient that comes in unevenly: ")
        assert "half_loss(*inputs, reduction='none')" in found.reproducer
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            exec(compile(found.reproducer, "reproducer", "exec"), {})
        autograd, differences = (float(line.split()[-1]) for line in said.getvalue().splitlines())
        assert abs(autograd - differences) > 0.05 * abs(differences)
    finally:
        sys.path[:] = before
