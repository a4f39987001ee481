"""The report as JSON: the promised keys, strict numbers, and back again."""

import json
from dataclasses import replace
from math import inf, nan

import pytest
from report_samples import CLEAN, EVERY_CASE, RMSE, UNCHECKED, hostile

from lossmith.checker.finding import LossReport, Report
from lossmith.report.json import dump

LOSS = {"name", "location", "contract", "findings", "statuses", "seconds"}
FINDING = {
    "code",
    "name",
    "severity",
    "grade",
    "message",
    "evidence",
    "why",
    "fix",
    "location",
    "reproducer",
}


def strict(document: str) -> object:
    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is not JSON")

    return json.loads(document, parse_constant=refuse)


def test_the_keys_are_the_promised_ones():
    report = json.loads(dump(EVERY_CASE))
    assert list(report) == ["losses"]
    for loss in report["losses"]:
        assert set(loss) == LOSS | {"problem", "notes", "facts"}
        assert all(set(fact) == {"code", "name", "verdict", "grade", "detail"} for fact in loss["facts"])
        assert all(set(finding) == FINDING for finding in loss["findings"])
        assert all(set(status) == {"status", "reason"} for status in loss["statuses"].values())


def test_the_values_are_those_of_the_report():
    loss = json.loads(dump(EVERY_CASE))["losses"][0]
    assert loss["name"] == "RMSE"
    assert loss["seconds"] == 1.26
    assert loss["contract"]["arguments"] == {"pred": "real[N]", "target": "real[N]"}
    assert list(loss["findings"][0]["evidence"].items())[-1] == ("grad", "[nan, nan]")
    assert loss["statuses"]["LS607"] == {"status": "allowed", "reason": "dropout is meant"}
    assert loss["findings"][0]["reproducer"].startswith("import torch\n")


@pytest.mark.parametrize("report", [EVERY_CASE, hostile(), Report(())], ids=["full", "hostile", "empty"])
def test_what_was_written_reads_back_the_same_but_for_the_pictures(report):
    back = Report(tuple(LossReport.from_json(loss) for loss in json.loads(dump(report))["losses"]))
    assert back == Report(tuple(replace(loss, pictures=None) for loss in report))


def test_a_difference_would_be_noticed():
    altered = json.loads(dump(EVERY_CASE))["losses"][0] | {"seconds": 2.0}
    assert LossReport.from_json(altered) != replace(RMSE, pictures=None)


@pytest.mark.parametrize("seconds", [nan, inf, -inf])
def test_a_number_that_is_not_finite_is_null(seconds):
    report = Report((replace(CLEAN, seconds=seconds),))
    with pytest.raises(ValueError, match="is not JSON"):
        strict(json.dumps(report.as_json()))
    assert strict(dump(report))["losses"][0]["seconds"] is None


def test_any_pipe_can_hold_it():
    assert dump(hostile("\N{GREEK SMALL LETTER LAMDA}\ud800")).isascii()


def test_a_loss_that_could_not_be_checked_has_its_problem_and_no_contract():
    (loss,) = json.loads(dump(Report((UNCHECKED,))))["losses"]
    assert loss["contract"] is None
    assert loss["problem"] == UNCHECKED.problem
