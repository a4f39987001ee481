"""What is unusual and right is not accused, and what it takes is read; the same rule accuses its guilty neighbour."""

import jax
import pytest
import torch
from ruletest import answer, subject_of
from shipped_innocents import PAIRS as SHIPPED
from shipped_innocents import TAKES as TAKEN
from test_unseen import missed
from unseen_innocents import PAIRS, TAKES

from lossmith.checker.abroad import changes_only_the_gradient
from lossmith.checker.build import subject_of_object
from lossmith.checker.rules import all_rules
from lossmith.checker.runner import examine
from lossmith.checker.selection import Selection
from lossmith.checker.subject import Subject


def named(value):
    return getattr(value, "__name__", type(value).__name__) if not isinstance(value, str) else value


def severities(code, loss):
    subject = subject_of(loss)
    rule = all_rules()[code]
    if rule.applies(subject):
        return set()
    status, found = answer(rule, subject)
    assert "the rule itself failed" not in status.reason
    return {each.severity for each in found} - {"info"}


@pytest.mark.parametrize(("code", "innocent", "guilty"), [*PAIRS, *SHIPPED], ids=named)
def test_a_rule_tells_an_unusual_loss_from_a_wrong_one(code, innocent, guilty):
    assert severities(code, innocent) == set()
    assert severities(code, guilty) != set()


def test_what_unusual_losses_take_is_read():
    assert missed([*TAKES, *TAKEN], most=1) == []


@jax.custom_vjp
def reversed_by_hand(x):
    return x


reversed_by_hand.defvjp(lambda x: (x, None), lambda _, g: (-g,))


def confused(pred, target):
    return ((reversed_by_hand(pred) - target) ** 2).mean()


def test_a_function_of_another_framework_that_only_changes_the_gradient_is_known_by_its_forward(monkeypatch):
    assert "returns its input" in changes_only_the_gradient(Subject.of("confused", confused))
    squared = jax.custom_vjp(lambda x: x**2)
    squared.defvjp(lambda x: (x**2, x), lambda x, g: (3 * x * g,))
    monkeypatch.setitem(globals(), "reversed_by_hand", squared)
    assert changes_only_the_gradient(Subject.of("confused", confused)) == ""


def of_prototypes(support, query, query_labels):
    """The support holds both classes, one after the other."""
    classes = support.reshape(2, -1, support.shape[-1]).mean(1)
    return torch.nn.functional.cross_entropy(-torch.cdist(query, classes).square(), query_labels % 2)


def of_pairs_in_a_row(pred, target):
    return (pred.reshape(2, -1, pred.shape[-1]) - target.reshape(2, -1, target.shape[-1])).square().mean()


def test_what_is_said_of_samples_is_in_doubt_where_names_deny_what_was_read():
    def severity(loss):
        report = examine(subject_of_object(loss), None, Selection(("LS616",)))
        return [found.severity for found in report.findings]

    assert severity(of_prototypes) == ["info"]
    assert severity(of_pairs_in_a_row) == ["warning"]
