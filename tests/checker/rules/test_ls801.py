"""LS801: what is squashed twice, and what only looks like it."""

from pathlib import Path

import jax
import pytest
import torch
import torch.nn.functional as F
from reproducing import run_reproducer
from ruletest import answer, printed

from lossmith.checker.rules import ls801_double_activation as rule

CLASSES = {"pred": "logits[N,C]", "target": "index[N]"}
LABELS = {"pred": "logits[N,C]", "target": "binary[N,C]"}


def softmax_twice(logits, target):
    return F.cross_entropy(F.softmax(logits, 1), target)


def softmax_of_a_view(logits, target):
    return F.cross_entropy(logits.softmax(-1).clamp(1e-7, 1).view(len(logits), -1), target)


def log_softmax_of_softmax(logits, target):
    return F.nll_loss(torch.log_softmax(torch.softmax(logits, 1) + 1e-8, 1), target)


def both_columns(logits, target):
    p = logits.sigmoid()
    return F.binary_cross_entropy_with_logits(torch.stack([p, 1 - p]), torch.stack([target, 1 - target]))


def beside_a_difference(logits, target):
    gap = (logits - logits.mean()).square().mean()  # two arrays are subtracted: the watch goes on
    return F.cross_entropy(F.softmax(logits, 1), target) + gap


def declared(score, target):
    return F.binary_cross_entropy_with_logits(score, target)


@pytest.mark.parametrize(
    ("loss", "flags"),
    [
        (softmax_twice, CLASSES),
        (softmax_of_a_view, CLASSES),
        (log_softmax_of_softmax, CLASSES),
        (both_columns, LABELS),
        (beside_a_difference, CLASSES),
        (declared, {"pred": "prob[N,C]", "target": "binary[N,C]"}),
    ],
)
def test_what_is_squashed_twice_is_told(loss, flags):
    _, (found,) = answer(rule, loss, **flags)
    assert (found.severity, found.grade) == ("error", "measured")


def focal(logits, target):
    hit = torch.softmax(logits, 1).gather(1, target[:, None]).squeeze(1)
    return ((1 - hit) ** 2 * F.cross_entropy(logits, target, reduction="none")).mean()


def calibrated(logits, target):
    return F.cross_entropy(torch.log(logits.softmax(1) + 1e-9), target)


def soft_labels(logits, target):
    return F.cross_entropy(logits, F.one_hot(target, logits.shape[1]) * 0.9 + 0.1 * logits.detach().softmax(1))


def sharpened(logits, target):
    return F.cross_entropy(torch.softmax(logits, 1) / 0.05, target)


def weighted_by_confidence(logits, target):
    weight = torch.softmax(torch.sigmoid(logits.detach()).amax(1), 0)
    return (weight * F.cross_entropy(logits, target, reduction="none")).sum()


def gated(logits, target):
    weight = torch.softmax(torch.sigmoid(logits.detach()), 1)
    return F.cross_entropy(logits + weight, target)


@pytest.mark.parametrize(
    "loss", [focal, calibrated, soft_labels, sharpened, weighted_by_confidence, gated, F.cross_entropy]
)
def test_a_weight_a_logarithm_a_target_and_a_temperature_are_innocent(loss):
    assert answer(rule, loss, **CLASSES)[1] == []


def twice_in_jax(logits, labels):
    log_p = jax.nn.log_softmax(jax.nn.softmax(logits))
    return -jax.numpy.take_along_axis(log_p, labels[:, None], 1).mean()


def once_in_jax(logits, labels):
    return -jax.numpy.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], 1).mean()


def test_across_a_bridge_the_floor_says_it():
    said = {"pred": "logits[N,C]", "target": "index[N]"}
    (found,) = answer(rule, twice_in_jax, **said)[1]
    assert found.message == "a cross entropy of probabilities: softmax is applied twice"
    assert answer(rule, once_in_jax, **said)[1] == []


def test_a_kind_that_was_only_inferred_is_no_reason():
    def loss(pred, target):
        return F.binary_cross_entropy_with_logits(pred, target)

    assert answer(rule, loss)[1] == []


def test_what_is_printed():
    text = printed(rule, softmax_twice, **CLASSES)
    assert "LS801 double-activation  error, measured" in text
    assert "    cross_entropy takes logits and is given probabilities: the output of softmax\n" in text
    assert "    why     with every logit 60 on the right side it still costs 0.904832\n" in text


def test_the_reproducer_shows_the_floor(tmp_path: Path):
    source = """
    def twice(logits, target):
        return F.cross_entropy(logits.softmax(1), target)
    """
    _, lines = run_reproducer(tmp_path, rule, source, "twice", **CLASSES)
    assert "0.904" in lines[0]


def test_a_sigmoid_of_a_sigmoid_is_told_wherever_it_is_used():
    def weighed(logits, target, twice=True):
        p = logits.sigmoid().sigmoid() if twice else logits.sigmoid()
        weight = (target * (1 - p) + (1 - target) * p).square()
        return (weight * F.binary_cross_entropy_with_logits(logits, target, reduction="none")).mean()

    (found,) = answer(rule, weighed, **LABELS)[1]
    assert found.message == "sigmoid takes logits and is given probabilities: the output of sigmoid"
    assert answer(rule, lambda logits, target: weighed(logits, target, twice=False), **LABELS)[1] == []
