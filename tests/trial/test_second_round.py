"""Classes of defects that the second round showed, each told in words of its own, and its repaired twin not accused."""

import re

import pytest
from mutation import HEAD, module_of
from reported import ROUNDS, reports

from lossmith.checker.build import subject_of_object
from lossmith.checker.runner import examine
from lossmith.checker.selection import Selection

REPORTS = {report.name: report for table in ROUNDS["second"] for report in reports(table)}
TOLD = [
    ("SCELoss", "LS201", "the value is inf on all ordinary inputs"),
    ("guarded_log_loss", "LS201", "a value that is not finite is replaced by 0"),
    ("box_reg_loss", "LS204", "does not depend on pred_deltas: backward() raises there"),
    ("TextDiceLoss", "LS204", "without positives every prediction costs 1, right or wrong"),
    ("nan_safe_mse", "LS205", "target may be NaN where it is not known: the value is NaN then"),
    ("reg_l1_loss", "LS205", "what mask leaves out still counts in the divisor"),
    ("act_l1_loss", "LS205", "what is_pad leaves out still counts in the divisor"),
    ("cox_ph_sorted", "LS205", "event, which is 0 and 1, is used as an index"),
    ("vae_loss", "LS505", "the terms of mu, logvar are summed over the batch, those of recon_x averaged"),
    ("dice_of_volumes", "LS505", "it is a sum over the batch, but 1.0 comes once"),
    ("SoftIoU", "LS616", "a batch of 6 is viewed as 4 rows"),
    ("simsiam_loss", "LS107", "the loss sends a gradient into z1"),
    ("dqn_loss", "LS107", "the loss sends a gradient into next_q_values"),
    ("CoxLoss", "LS701", "it falls as risk falls for the one whose event came first"),
    ("kl_divergence", "LS701", "it costs more than elsewhere"),
    ("ranknet_loss", "LS701", "it falls as score_i falls below score_j"),
    ("negative_sampling_loss", "LS701", "it falls as neg_score rises"),
    ("moco_loss", "LS701", "it is lowest where q lies on an entry of queue"),
    ("WeightedFocalLoss", "LS106", "sample_weight changes neither the value nor the gradient"),
]


def said(name, code, side, folder):
    file = folder / f"{name}_{side}.py"
    file.write_text(f"{HEAD}\n\n{getattr(REPORTS[name], side).strip()}\n", encoding="utf-8")
    report = examine(subject_of_object(getattr(module_of(file), name)), None, Selection((code,)))
    assert report.problem == ""
    return [found.message for found in report.findings if found.severity != "info"]


@pytest.mark.parametrize(("name", "code", "words"), TOLD)
def test_a_class_is_told_in_its_own_words_and_its_twin_is_not_accused(name, code, words, tmp_path):
    assert any(words in message for message in said(name, code, "wrong", tmp_path))
    assert said(name, code, "right", tmp_path) == []


def test_the_words_are_of_these_reports():
    assert {name for name, _, _ in TOLD} <= REPORTS.keys()
    assert all(re.fullmatch(r"LS\d{3}", code) for _, code, _ in TOLD)
