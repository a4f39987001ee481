"""Facts of a user's own loss: each with its certificate, and an error where the loss declares the contrary."""

import json

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import lossmith
from lossmith.checker import explain, facts
from lossmith.checker.build import subject_of_object
from lossmith.checker.facts import DECLARED, every_code, fact_codes
from lossmith.checker.learned import Learned, Unknown
from lossmith.checker.resolve import Declared, resolve
from lossmith.cli import app
from lossmith.errors import ContractError
from lossmith.report import json as json_report

REAL = {"pred": "real[N]", "target": "real[N]"}
LOGITS = {"pred": "logits[N]", "target": "binary[N]"}


def huber(pred, target, delta=1.0):
    error = (pred - target).abs()
    return torch.where(error < delta, 0.5 * error**2, delta * (error - 0.5 * delta)).mean()


def huber_with_a_gap(pred, target):
    error = (pred - target).abs()
    return torch.where(error < 1, 0.5 * error**2, error - 0.4999).mean()


def dipped(pred, target):
    """Convex but for a bump of height 3e-3."""
    r = pred - target
    return (r**2 + 0.003 * torch.exp(-(((r - 2) / 0.03) ** 2))).mean()


def pinball(pred, target):
    error = target - pred
    return torch.maximum(0.9 * error, -0.1 * error).mean()


def focal(pred, target):
    p = torch.sigmoid(pred)
    hit = (1 - p) ** 2 * F.softplus(-pred)
    return (target * hit + (1 - target) * p**2 * F.softplus(pred)).mean()


class Sorted(nn.Module):
    def forward(self, pred, target):
        return (pred - target).abs().sort().values.mean()


def facts_of(loss, contract):
    """Without the formula, which takes sympy seconds."""
    made = subject_of_object(loss)
    learned = Learned(made.with_contract(resolve(made, Declared(contract))[0]))
    learned.mathematics = Unknown(learned.numbers.why if isinstance(learned.numbers, Unknown) else "not asked for")
    return {(fact.code, fact.name): fact for fact in facts.facts_of(learned)}


@pytest.fixture(scope="module")
def of_huber():
    return lossmith.check(huber, contract=REAL, select="F", deep=True)


def test_every_fact_of_a_loss_is_told_with_its_certificate(of_huber):
    (loss,) = of_huber
    told = {(fact.code, fact.name): (fact.verdict, fact.grade) for fact in loss.facts}
    assert told["F1", "formula"] == ("r - 1/2  for 1 < r", "measured")
    assert told["F2", "convex"] == ("convex", "proved")
    assert told["F3", "smooth"] == ("one continuous derivative", "proved")
    assert told["F4", "slope"] == ("from -1 to 1", "proved")
    assert told["F5", "value"] == ("from 0 to 49.5", "proved")
    assert told["F6", "symmetry"] == ("over- and undershooting cost the same", "measured")
    assert "estimate of location" in told["F7", "predicts"][0]
    assert "the size of the slope levels off at 1" in told["F8", "influence"][0]
    assert told["F10", "cost"][1] == "measured"
    assert loss.ok


def test_the_terminal_and_json_say_them_too(of_huber):
    assert "F2 convex" in str(of_huber)
    assert "convex  (proved; for -50 <= r <= 50)" in str(of_huber)
    told = json.loads(json_report.dump(of_huber))["losses"][0]["facts"]
    slope = {"code": "F4", "name": "slope", "verdict": "from -1 to 1", "grade": "proved"}
    assert any(slope.items() <= one.items() for one in told)


def test_no_fact_is_looked_for_unless_it_is_asked_for():
    assert lossmith.check(huber, contract=REAL, select="LS605").losses[0].facts == ()


@pytest.mark.parametrize(
    ("loss", "contract", "key", "words"),
    [
        (dipped, REAL, ("F2", "convex"), "not convex"),
        (focal, LOGITS, ("F2", "convex"), "not convex"),
        (huber_with_a_gap, REAL, ("F3", "smooth"), "the value jumps"),
        (pinball, REAL, ("F7", "predicts"), "the 0.9 quantile"),
        (pinball, REAL, ("F6", "symmetry"), "over- and undershooting cost differently"),
        (
            focal,
            LOGITS,
            ("F7", "predicts"),
            "not proper: a distorted probability",
        ),
    ],
)
def test_what_looks_right_and_is_not_is_told(loss, contract, key, words):
    assert words in facts_of(loss, contract)[key].verdict


def test_a_loss_that_is_not_traced_says_why_with_its_line():
    told = facts_of(Sorted(), REAL)
    assert list(told) == [("F1-F8", "mathematics"), ("F10", "cost")]
    assert "sort cannot be replayed" in told["F1-F8", "mathematics"].detail
    assert "test_known_facts.py:" in told["F1-F8", "mathematics"].detail
    assert told["F1-F8", "mathematics"].grade == "open"


BROKEN = {
    "convex": (dipped, REAL, True),
    "smooth": (pinball, REAL, True),
    "grad_bound": (huber, REAL, 0.9),
    "range": (huber, REAL, (0.1, 60.0)),
    "monotone": (lambda pred, target: ((pred - target).abs() * (2 - (pred - target).abs()) + 1).mean(), REAL, True),
    "even": (pinball, REAL, True),
    "proper": (focal, LOGITS, True),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_declared_fact_that_is_not_so_is_an_error(name):
    loss, contract, value = BROKEN[name]
    report = lossmith.check(loss, contract={**contract, name: value}, select="F")
    (found,) = report.findings
    assert (found.code, found.severity) == (DECLARED[name], "error")
    assert f"{name}=" in found.message
    assert found.evidence["because"]
    assert report.statuses[found.code].status == "failed"


@pytest.mark.parametrize(
    ("loss", "contract", "claims"),
    [
        (
            huber,
            REAL,
            {"convex": True, "smooth": True, "grad_bound": 1.0, "range": (0, 60), "monotone": True, "even": True},
        ),
        (F.binary_cross_entropy_with_logits, LOGITS, {"proper": True, "convex": True, "grad_bound": 1, "even": True}),
    ],
)
def test_a_declared_fact_that_is_so_passes(loss, contract, claims):
    report = lossmith.check(loss, contract={**contract, **claims}, select="F")
    assert report.ok
    assert {report.statuses[DECLARED[name]].status for name in claims} == {"passed"}


def test_every_declaration_has_a_loss_that_breaks_it():
    assert set(BROKEN) == set(DECLARED)


def test_a_declaration_beside_the_loss_holds_whatever_says_what_it_takes():
    made = lossmith.contract(convex=True)(lambda pred, target: dipped(pred, target))
    assert [one.code for one in lossmith.check(made, contract=REAL, select="F").findings] == ["F2"]
    assert lossmith.check(made, contract=REAL, select="F", allow={"F2": "the bump is meant"}).ok


def test_a_declared_fact_of_a_loss_that_is_not_traced_is_open_not_passed():
    report = lossmith.check(Sorted(), contract={**REAL, "convex": True}, select="F")
    assert report.ok
    assert report.statuses["F2"].status == "skipped"
    assert "cannot be replayed" in report.statuses["F2"].reason


@pytest.mark.parametrize("said", [{"convex": False}, {"convexx": True}, {"grad_bound": -1.0}, {"range": (2, 1)}])
def test_a_declaration_that_means_nothing_is_refused(said):
    with pytest.raises(ContractError, match="declares nothing"):
        lossmith.contract(pred="real[N]", **said)


def test_every_fact_is_explained(capsys):
    for code in fact_codes():
        assert explain(code).startswith(f"{code} ")
        assert "How it is found" in explain(code)
    app(["explain", "F2"], standalone_mode=False)
    assert "branch and bound" in capsys.readouterr().out.lower()
    assert set(fact_codes()) < set(every_code())
