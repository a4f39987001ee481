"""LS803: probabilities in place of their logarithms, logits in place of probabilities."""

import pytest
import torch
import torch.nn.functional as F
from ruletest import answer, printed

from lossmith.checker.rules import ls803_accepts_logits_and_probs as rule

CLASSES = {"pred": "logits[N,C]", "target": "index[N]"}


def nll_of_softmax(logits, target):
    return F.nll_loss(logits.softmax(1), target)


def kl_of_softmax(student, teacher):
    return F.kl_div(student.softmax(1), teacher.softmax(1), reduction="batchmean")


def clamped_logits(logits, target):
    p = logits.clamp(0, 1)
    return ((p - target) ** 2).mean()


def log_of_logits(logits, target):
    return -(target * torch.log(logits) + (1 - target) * torch.log1p(-logits)).mean()


@pytest.mark.parametrize(
    ("loss", "says"),
    [
        (nll_of_softmax, "nll_loss takes log-probabilities as its input and is given probabilities"),
        (kl_of_softmax, "kl_div takes log-probabilities as its input and is given probabilities"),
        (clamped_logits, "logits is clamped to [0, 1], as a probability is"),
        (log_of_logits, "logits is read as a probability"),
    ],
)
def test_one_taken_for_the_other_is_told(loss, says):
    _, (found,) = answer(rule, loss)
    assert (found.severity, found.grade) == ("error", "measured")
    assert says in found.message


def js(p, q):
    m = (0.5 * (p + q)).log()
    return 0.5 * (F.kl_div(m, p, reduction="batchmean") + F.kl_div(m, q, reduction="batchmean"))


def kl(student, teacher):
    return F.kl_div(student.log_softmax(1), teacher.log_softmax(1), log_target=True, reduction="batchmean")


def probabilities(prob, target):
    return -(target * torch.log(prob + 1e-8) + (1 - target) * torch.log(1 - prob + 1e-8)).mean()


def expected_accuracy(logits, target):
    return -logits.softmax(1).gather(1, target[:, None]).mean()


@pytest.mark.parametrize("loss", [js, kl, probabilities, expected_accuracy])
def test_the_right_one_is_innocent(loss):
    assert answer(rule, loss)[1] == []


def test_what_is_printed():
    text = printed(rule, nll_of_softmax, **CLASSES)
    assert "LS803 accepts-logits-and-probs  error, measured" in text
    assert "    fix     use log_softmax in place of softmax\n" in text


def test_logits_that_happen_to_lie_between_0_and_1_prove_nothing():
    def policy(action_logits, sampled, reward):
        likely = sampled * F.logsigmoid(action_logits) + (1 - sampled) * F.logsigmoid(-action_logits)
        return -((reward - reward.mean()).detach() * likely).mean()

    assert answer(rule, policy)[1] == []
