"""What every test of a rule needs: one rule, run on one loss, with its answer and its printed text."""

import inspect
from types import ModuleType
from typing import Any

from lossmith.checker.build import locate
from lossmith.checker.finding import Finding, LossReport, Report, Status
from lossmith.checker.resolve import Declared, resolve
from lossmith.checker.runner import Answers, _run_rule
from lossmith.checker.subject import Subject, one_thread
from lossmith.report.text import render


def subject_of(loss: Any, *, example: Any = None, build: Any = None, **flags: str) -> Subject:
    """The loss with its contract: declared by `pred=`, `target=` or `example=`, inferred otherwise."""
    location, file = locate(loss)
    if build is None and inspect.isclass(type(loss)) and hasattr(loss, "forward"):
        build = type(loss)
    subject = Subject.of(
        getattr(loss, "__name__", type(loss).__name__), loss, location=location, file=file, build=build
    )
    with one_thread():
        return subject.with_contract(resolve(subject, Declared(flags, example))[0])


def answer(rule: ModuleType, loss: Any, **known: Any) -> tuple[Status, list[Finding]]:
    """The status and the findings of one rule for one loss."""
    subject = loss if isinstance(loss, Subject) else subject_of(loss, **known)
    answers = Answers()
    with one_thread():
        _run_rule(rule, subject, answers, {})
    return answers.statuses[rule.CODE], answers.findings


def printed(rule: ModuleType, loss: Any, **known: Any) -> str:
    """The finding as the terminal shows it, without its location line (line numbers move)."""
    _, findings = answer(rule, loss, **known)
    return render(Report((LossReport("loss", "losses.py:1", findings=tuple(findings)),)))
