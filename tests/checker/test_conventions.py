"""Defects of direction, link, order, labels, joints and type are named; twins and innocents are not accused."""

import pytest
from convention_losses import INNOCENTS, PAIRS
from ruletest import subject_of

from lossmith.checker.rules import all_rules
from lossmith.checker.runner import Answers, _run_rule, sweep
from lossmith.checker.selection import Selection
from lossmith.checker.subject import one_thread

CODES = ("LS108", "LS701", "LS704", "LS801", "LS802", "LS803", "LS804")


def accusations(loss):
    """The codes of these rules that are more than information, in the loss's own configuration and in the others."""
    answers, subject, rules = Answers(), subject_of(loss), all_rules()
    with one_thread():
        for code in CODES:
            _run_rule(rules[code], subject, answers, {})
        sweep(subject, answers, Selection(CODES))
    assert [s.reason for s in answers.statuses.values() if "the rule itself failed" in s.reason] == []
    return {finding.code for finding in answers.findings if finding.severity != "info"}


def named(loss):
    return getattr(loss, "__name__", type(loss).__name__)


@pytest.mark.parametrize("pair", PAIRS, ids=[pair.name for pair in PAIRS])
def test_a_defect_is_named_for_the_right_reason(pair):
    assert set(pair.names) <= accusations(pair.wrong)


RIGHT = list({id(loss): loss for loss in (*(pair.right for pair in PAIRS), *INNOCENTS)}.values())


@pytest.mark.parametrize("loss", RIGHT, ids=[named(loss) for loss in RIGHT])
def test_a_twin_or_an_innocent_is_not_accused(loss):
    assert accusations(loss) == set()
