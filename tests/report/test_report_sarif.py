"""SARIF has the structure that code scanning asks for: rules with help, results with a rule, a level, a place."""

import json

from lossmith.checker.finding import Finding, LossReport, Report, Status
from lossmith.report.sarif import dump

FOUND = Finding(
    "LS104",
    "nan-at-perfect-prediction",
    "error",
    "measured",
    "not finite\x1b[31m",
    {"pred": "[1.0]"},
    "sqrt",
    "vector_norm",
    "a folder/losses.py:15",
)
INFO = Finding("LS501", "micro-batch-not-additive", "info", "measured", "weights", location="")
REPORT = Report(
    (
        LossReport("RMSE", "a folder/losses.py:12", findings=(FOUND, INFO), statuses={"LS104": Status("failed")}),
        LossReport("Other", "/elsewhere/other.py:3", problem="what it takes could not be found out"),
    )
)


def faults(log):
    """What code scanning would refuse in a log, as words."""
    found = [] if log["version"] == "2.1.0" and "sarif-schema-2.1.0" in log["$schema"] else ["version"]
    for run in log["runs"]:
        rules = run["tool"]["driver"]["rules"]
        ids = [rule["id"] for rule in rules]
        found += [] if run["tool"]["driver"]["name"] and len(ids) == len(set(ids)) else ["driver"]
        found += [f"help of {rule['id']}" for rule in rules if not rule["help"]["text"].strip()]
        found += [f"description of {r['id']}" for r in rules if not r["shortDescription"]["text"]]
        for result in run["results"]:
            place = result["locations"][0]["physicalLocation"]
            found += [] if ids[result["ruleIndex"]] == result["ruleId"] else ["ruleIndex"]
            found += [] if result["level"] in ("error", "warning", "note", "none") else ["level"]
            found += [] if result["message"]["text"] else ["message"]
            found += [] if place["region"]["startLine"] >= 1 else ["line"]
            uri = place["artifactLocation"]["uri"]
            found += [] if not uri.startswith("/") and " " not in uri and "\\" not in uri else [f"uri {uri}"]
            found += [] if result["partialFingerprints"] else ["fingerprint"]
    return found


def test_it_is_what_code_scanning_needs():
    log = json.loads(dump(REPORT))
    assert faults(log) == []
    run = log["runs"][0]
    assert [result["ruleId"] for result in run["results"]] == ["LS104", "LS501"]
    assert [result["level"] for result in run["results"]] == ["error", "note"]
    place = run["results"][0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"] == {"uri": "a%20folder/losses.py", "uriBaseId": "%SRCROOT%"}
    assert place["region"]["startLine"] == 15
    assert run["results"][1]["locations"][0]["physicalLocation"]["region"]["startLine"] == 12
    assert "Why it matters" in run["tool"]["driver"]["rules"][0]["help"]["text"]


def test_the_test_above_can_fail():
    log = json.loads(dump(REPORT))
    log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] = "/a/losses.py"
    log["runs"][0]["tool"]["driver"]["rules"][0]["help"]["text"] = ""
    assert len(faults(log)) == 2


def test_a_loss_that_was_not_checked_is_a_notification():
    (invocation,) = json.loads(dump(REPORT))["runs"][0]["invocations"]
    assert invocation["executionSuccessful"] is False
    assert "Other" in invocation["toolExecutionNotifications"][0]["message"]["text"]


def test_nothing_hidden_passes():
    text = json.loads(dump(REPORT))["runs"][0]["results"][0]["message"]["text"]
    assert "\x1b" not in text


def test_two_runs_give_the_same_bytes():
    assert dump(REPORT) == dump(REPORT)


def test_a_notebook_shows_the_page_in_a_frame_that_runs_nothing():
    page = Report((LossReport("<script>alert(1)</script>", "x.py:1"),))._repr_html_()
    assert page.startswith('<iframe sandbox="" srcdoc="')
    assert "<script" not in page
    assert page.count("<") == 2
