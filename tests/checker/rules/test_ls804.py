"""LS804: what a loss returns, and what it may return."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from keras import ops
from reproducing import run_reproducer
from ruletest import answer, printed

from lossmith.checker.rules import ls804_return_type as rule


def number(pred, target):
    return F.mse_loss(pred, target).item()


def array(pred, target):
    return ((pred - target) ** 2).mean().detach().numpy()


def made_anew(pred, target):
    return torch.tensor(F.mse_loss(pred, target).item(), requires_grad=True)


def wants_a_gradient(pred, target):
    return F.mse_loss(pred, target).detach().requires_grad_()


@pytest.mark.parametrize(
    ("loss", "says"),
    [
        (number, "it returns a float, which has no backward()"),
        (array, "which has no backward()"),
        (made_anew, "it returns a tensor made anew"),
        (wants_a_gradient, "it returns a tensor made anew"),
    ],
)
def test_what_carries_no_gradient_is_told(loss, says):
    _, (found,) = answer(rule, loss)
    assert (found.severity, found.grade) == ("error", "measured")
    assert says in found.message


def per_sample(pred, target):
    return ((pred - target) ** 2).mean(1)


def with_parts(pred, target):
    total = F.mse_loss(pred, target)
    return total, {"mse": total.detach()}


def in_a_dictionary(pred, target):
    return {"mse": 0.0, "loss": F.mse_loss(pred, target)}


def accuracy(logits, target):
    return (logits.argmax(1) == target).float().mean().item()


def each_of_keras(y_true, y_pred):
    return ops.mean(ops.square(y_true - y_pred), axis=-1)


@pytest.mark.parametrize("loss", [per_sample, with_parts, in_a_dictionary, accuracy, each_of_keras])
def test_samples_tuples_dictionaries_and_metrics_are_innocent(loss):
    assert answer(rule, loss)[1] == []


def test_one_number_for_keras_is_information():
    def total(y_true, y_pred):
        return ops.mean(ops.square(y_true - y_pred))

    _, (found,) = answer(rule, total)
    assert found.severity == "info"


def test_what_is_printed():
    text = printed(rule, number)
    assert "LS804 return-type  error, measured" in text
    assert "    fix     return the tensor itself, without item(), float() or numpy()\n" in text


def test_the_reproducer_shows_that_no_gradient_comes(tmp_path: Path):
    source = """
    def anew(pred, target):
        return torch.tensor(F.mse_loss(pred, target).item(), requires_grad=True)
    """
    _, lines = run_reproducer(tmp_path, rule, source, "anew", pred="real[N,C]", target="real[N,C]")
    assert lines[-1] == "None"
