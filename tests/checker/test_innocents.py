"""What is unusual and right is not accused, and what it takes is read; the same rule accuses its guilty neighbour."""

import pytest
from ruletest import answer, subject_of
from test_unseen import missed
from unseen_innocents import PAIRS, TAKES

from lossmith.checker.rules import all_rules


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


@pytest.mark.parametrize(("code", "innocent", "guilty"), PAIRS, ids=named)
def test_a_rule_tells_an_unusual_loss_from_a_wrong_one(code, innocent, guilty):
    assert severities(code, innocent) == set()
    assert severities(code, guilty) != set()


def test_what_unusual_losses_take_is_read():
    assert missed(TAKES, most=1) == []
