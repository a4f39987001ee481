"""A report as SARIF 2.1.0, for code scanning: each rule with its help, each finding at its file and line.

    lossmith check losses.py --sarif lossmith.sarif

A finding without a line of its own stands at the line of its loss; paths are relative to the working directory, as a
repository's own checks see them. A loss that could not be checked is a notification, and the run was not successful.
"""

import hashlib
import inspect
import json
from importlib import import_module
from pathlib import PurePath
from typing import Any

from lossmith.checker import explain
from lossmith.checker.facts import every_code
from lossmith.checker.finding import Finding, LossReport, Report
from lossmith.report import words

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
LEVELS = {"error": "error", "warning": "warning", "info": "note"}


def dump(report: Report) -> str:
    """The report as indented ASCII without a last newline."""
    return json.dumps(as_log(report), indent=2, allow_nan=False)


def as_log(report: Report) -> dict[str, Any]:
    found = sorted({finding.code for finding in report.findings})
    driver = {
        "name": "lossmith",
        "version": import_module("lossmith").__version__,
        "informationUri": "https://pypi.org/project/lossmith/",
        "rules": [_rule(code) for code in found],
    }
    problems = [loss for loss in report if loss.problem]
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "invocations": [
            {
                "executionSuccessful": not problems,
                "toolExecutionNotifications": [_notification(loss) for loss in problems],
            }
        ],
        "results": [_result(loss, finding, found) for loss in report for finding in loss.findings],
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(code: str) -> dict[str, Any]:
    documentation = inspect.cleandoc(explain(code))
    parts = documentation.split("\n\n")
    about = next((part for part in parts[1:] if part.startswith("What")), parts[0])
    return {
        "id": code,
        "name": _pascal(every_code()[code]),
        "shortDescription": {"text": f"{code} {every_code()[code]}"},
        "fullDescription": {"text": " ".join(about.split("\n", 1)[-1].split())[:1000]},
        "help": {"text": documentation, "markdown": f"```text\n{documentation}\n```"},
        "defaultConfiguration": {"level": "warning"},
        "properties": {"tags": ["loss", "numerics"]},
    }


def _pascal(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("-"))


def _result(loss: LossReport, finding: Finding, found: list[str]) -> dict[str, Any]:
    lines = [f"{loss.name}: {finding.message}"]
    lines += [f"{label}: {value}" for label, value in finding.evidence.items()]
    lines += [f"{label}: {text}" for label, text in (("why", finding.why), ("fix", finding.fix)) if text]
    return {
        "ruleId": finding.code,
        "ruleIndex": found.index(finding.code),
        "level": LEVELS[finding.severity],
        "message": {"text": words.visible("\n".join(lines))},
        "locations": [_location(finding.location or loss.location)],
        "partialFingerprints": {"lossmith/v1": _fingerprint(loss, finding)},
        "properties": {"grade": finding.grade, "loss": words.inline(loss.name)},
    }


def _location(text: str) -> dict[str, Any]:
    """ "losses.py:12" as a place; the first line where there is none."""
    file, colon, line = text.rpartition(":")
    number = int(line) if colon and line.isdigit() else 1
    uri = PurePath(file if colon and line.isdigit() else text).as_posix() or "unknown"
    artifact: dict[str, Any] = {"uri": _escaped(uri)}
    if not uri.startswith("/"):
        artifact["uriBaseId"] = "%SRCROOT%"
    return {"physicalLocation": {"artifactLocation": artifact, "region": {"startLine": max(number, 1)}}}


def _escaped(path: str) -> str:
    from urllib.parse import quote

    return quote(words.inline(path), safe="/.-_~")


def _fingerprint(loss: LossReport, finding: Finding) -> str:
    """The same for the same fault of the same loss when lines above it move."""
    file = loss.location.rpartition(":")[0]
    return hashlib.sha256(f"{file}\0{loss.name}\0{finding.code}".encode()).hexdigest()[:32]


def _notification(loss: LossReport) -> dict[str, Any]:
    return {
        "level": "error",
        "message": {"text": words.visible(f"{loss.name}: {loss.problem}")},
        "locations": [_location(loss.location)],
    }
