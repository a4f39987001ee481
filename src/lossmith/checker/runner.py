"""Run every rule on one loss and collect the answers. No rule stops another, and none is left out in silence."""

import time
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from lossmith.checker.contract import Contract
from lossmith.checker.drawn import pictures_of
from lossmith.checker.evidence import SkipRule
from lossmith.checker.excuses import Excuses, settle
from lossmith.checker.facts import facts_of, judged
from lossmith.checker.finding import Finding, LossReport, Status
from lossmith.checker.hints import contradicts
from lossmith.checker.known import reviewed
from lossmith.checker.learned import Learned, known
from lossmith.checker.resolve import Declared, resolve
from lossmith.checker.rules import all_rules
from lossmith.checker.selection import Selection
from lossmith.checker.subject import Subject, one_thread
from lossmith.checker.sweep import SWEPT, variants
from lossmith.errors import LossmithError

# What these say depends on what the contract calls valid, or a sample.
DOMAIN_RULES = frozenset(("LS104", "LS201", "LS202", "LS204", "LS208", "LS301", "LS302", "LS506"))
# And what these say, on which axis is the batch.
BATCH_RULES = frozenset(("LS402", "LS502", "LS503", "LS506", "LS616"))
WORST = ("failed", "skipped", "passed")


@dataclass
class Answers:
    findings: list[Finding] = field(default_factory=list[Finding])
    statuses: dict[str, Status] = field(default_factory=dict[str, Status])


def examine(
    subject: Subject,
    declared: Declared | None = None,
    selection: Selection | None = None,
    pictures: bool = False,
    on_rule: Callable[[str], None] | None = None,
    excuses: Excuses | None = None,
    deep: bool = False,
) -> LossReport:
    """Find the contract of a loss, run the rules, and report. A contract that cannot be found becomes the `problem`.

    pictures   measure what a page shows beside the findings, which takes longer than the rules do
    deep       ask the rules that take long, and run every rule on three draws of the inputs
    Facts come with either of the two.
    """
    started = time.perf_counter()
    with one_thread():
        try:
            contracts = resolve(subject, declared or Declared())
        except LossmithError as error:
            spent = time.perf_counter() - started
            return LossReport(subject.name, subject.location, seconds=spent, problem=str(error))
        subject = replace(subject.with_contract(contracts[0]), deep=deep)
        learned = Learned(subject)
        answers = _all_answers(learned, contracts, selection or Selection(), on_rule)
        facts = facts_of(learned) if pictures or deep else ()
        drawn = pictures_of(subject, known(learned.mathematics), known(learned.cost)) if pictures else None
    found, statuses = settle(answers.findings, answers.statuses, excuses or Excuses(), subject.location)
    return LossReport(
        subject.name,
        subject.location,
        contracts[0].note(),
        tuple(found),
        statuses,
        round(time.perf_counter() - started, 3),
        notes=tuple(subject.notes),
        facts=facts,
        pictures=drawn,
    )


def came_again(
    subject: Subject,
    declared: Declared,
    codes: Sequence[str],
    on_rule: Callable[[str], None] | None = None,
    deep: bool = False,
) -> list[str]:
    """Which of these rules find something when they alone are asked, on the same inputs. Errors as of `resolve`."""
    with one_thread():
        contracts = resolve(subject, declared)
        learned = Learned(replace(subject.with_contract(contracts[0]), deep=deep))
        answers = _all_answers(learned, contracts, Selection(tuple(codes)), on_rule)
    return sorted({finding.code for finding in answers.findings if finding.severity != "info"})


def _all_answers(
    learned: Learned, contracts: Sequence[Contract], selection: Selection, on_rule: Callable[[str], None] | None
) -> Answers:
    """The rules on the loss as it is, in its other configurations, under its other contract, and on other draws."""
    subject = learned.subject
    answers = run_rules(subject, selection, on_rule=on_rule)
    sweep(subject, answers, selection)
    if contracts[0].confidence == "unsure" and contradicts(contracts[0].names(), contracts[0].kinds()):
        answers.findings = [_in_doubt(found) if found.code in BATCH_RULES else found for found in answers.findings]
    if len(contracts) > 1:
        answers = _only_common(answers, subject, contracts[1], selection)
    for further in (1, 2) if subject.deep else ():
        again = replace(subject, seed=subject.seed + further, cache={})
        answers = _joined(answers, run_rules(again, selection, on_rule=on_rule))
    hold_to_claims(learned, answers, selection)
    return answers


def run_rules(
    subject: Subject,
    selection: Selection,
    only: Collection[str] | None = None,
    on_rule: Callable[[str], None] | None = None,
) -> Answers:
    """Every rule in order; `on_rule` hears the code of each before it runs."""
    answers = Answers()
    excused = reviewed(subject)
    for code, rule in all_rules().items():
        if only is not None and code not in only:
            continue
        if on_rule is not None:
            on_rule(code)
        if selection.ignored(code):
            answers.statuses[code] = Status("allowed", "--ignore")
        elif not selection.wants(code):
            answers.statuses[code] = Status("skipped", "not selected")
        else:
            _run_rule(rule, subject, answers, excused)
    return answers


def _run_rule(rule: Any, subject: Subject, answers: Answers, excused: Mapping[str, str]) -> None:
    try:
        if reason := rule.applies(subject):
            answers.statuses[rule.CODE] = Status("not applicable", reason)
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what a loss warns of is no failure of a rule
            found = list(rule.check(subject))
    except SkipRule as skip:
        answers.statuses[rule.CODE] = Status("skipped", str(skip))
        return
    except Exception as error:  # a rule that fails is not a verdict on the loss; it must be seen all the same
        answers.statuses[rule.CODE] = Status(
            "skipped", f"the rule itself failed: {type(error).__name__}: {error}"[:300]
        )
        return
    if found and rule.CODE in excused:
        answers.statuses[rule.CODE] = Status("allowed", excused[rule.CODE])
        return
    answers.findings.extend(found)
    answers.statuses[rule.CODE] = Status("failed") if found else Status("passed")


def hold_to_claims(learned: Learned, answers: Answers, selection: Selection) -> None:
    """A declared fact that is refuted is a finding; of several claims on one fact the worst answer counts."""
    for code, status, found in judged(learned, learned.subject.contract.claims):
        if selection.ignored(code):
            answers.statuses[code] = Status("allowed", "--ignore")
        elif selection.wants(code):
            before = answers.statuses.get(code, status)
            answers.statuses[code] = min(before, status, key=lambda one: WORST.index(one.status))
            answers.findings += [found] if found is not None else []


def _joined(first: Answers, second: Answers) -> Answers:
    """The answers of two runs: a rule that fails in one of them has failed, and is told once."""
    for code, status in second.statuses.items():
        if status.status == "failed" and first.statuses[code].status in ("passed", "not applicable", "skipped"):
            first.statuses[code] = status
            first.findings += [found for found in second.findings if found.code == code]
    return first


def sweep(subject: Subject, answers: Answers, selection: Selection) -> None:
    """Ask some rules again of the loss in its other configurations; the first finding of a rule there is added."""
    excused = reviewed(subject)
    rules = all_rules()
    open_ = {code for code, status in answers.statuses.items() if status.status not in ("failed", "allowed")}
    if not any(code in SWEPT and selection.wants(code) for code in open_):
        return  # building the variants costs as much as asking them
    for variant in variants(subject):
        asked = replace(variant.subject, brief=not subject.deep)
        for code in variant.rules:
            status = answers.statuses.get(code)
            if status is None or status.status in ("failed", "allowed") or not selection.wants(code):
                continue
            there = Answers()
            _run_rule(rules[code], asked, there, excused)
            if there.statuses[code].status == "allowed":
                answers.statuses[code] = there.statuses[code]
            found = [finding for finding in there.findings if finding.severity != "info"]
            if found:
                told = [replace(one, message=f"with {variant.name}: {one.message}") for one in found]
                answers.findings.extend(told)
                answers.statuses[code] = Status("failed")


def _in_doubt(found: Finding) -> Finding:
    """What is said of samples under a reading that no prediction confirms and the arguments' own names deny."""
    note = "only if the contract is right, which the names of the arguments deny; pin it to be sure"
    return replace(found, severity="info", grade="heuristic", why=f"{found.why}; {note}" if found.why else note)


def _only_common(answers: Answers, subject: Subject, second: Contract, selection: Selection) -> Answers:
    """An unsure contract: a finding that depends on it stays an error only if the other reading has it too."""
    doubtful = {f.code for f in answers.findings if f.severity == "error" and f.code in DOMAIN_RULES}
    if not doubtful:
        return answers
    other = run_rules(subject.with_contract(second), selection, only=doubtful)
    kept = {f.code for f in other.findings if f.severity == "error"}
    for position, found in enumerate(answers.findings):
        if found.code in doubtful - kept:
            note = f"only if the contract is right ({', '.join(subject.contract.kinds())}); pin it to be sure"
            why = f"{found.why}; {note}" if found.why else note
            answers.findings[position] = replace(found, severity="warning", grade="heuristic", why=why)
    return answers
