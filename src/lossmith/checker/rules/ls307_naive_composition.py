"""LS307 naive-composition

What it checks
    log(softmax(x)), log(sigmoid(x)), log(1 - sigmoid(x)), log(1 + exp(x)), log(sum(exp(x))) and log(cosh(x)) are not
    computed one after the other. It is reported only with inputs at which the detour shows: a value or gradient that
    is not finite up to 100, or a value off by more than 1 % up to 10. What is off beyond that, or because a guard such
    as `+ 1e-8` or `clamp(1e-4, ...)` bounds it, is information; but not where all terms of a sum of exponentials have
    vanished beside the guard, and the gradient with them: a density that is far from what it is to explain.

Why it matters
    The exponential overflows or vanishes where its logarithm is an ordinary number. A guard keeps the value finite and
    puts a ceiling on it: a confidently wrong prediction costs 18 instead of 50, and its gradient is gone.

Example
    return -(target * torch.log(logits.softmax(-1))).sum(-1).mean()

Write instead
    return -(target * logits.log_softmax(-1)).sum(-1).mean()

When to allow it
    The logits are bounded, by a tanh or a temperature.
"""

import sys
from collections.abc import Iterator

import torch

from lossmith.checker.batch import precise
from lossmith.checker.conditions import conditions
from lossmith.checker.ends import Condition
from lossmith.checker.evidence import SkipRule, evidence_of, finding, show, shrink
from lossmith.checker.finding import Finding, Severity
from lossmith.checker.stable import Rewrite, Stable
from lossmith.checker.subject import Subject, Trial

CODE, NAME, SINCE = "LS307", "naive-composition", "0.1"
ORDINARY, REACHABLE = 10.0, 128.0
OFF = 0.01
SUM = "log(sum(exp(x)))"
LEFT = 1e-3
INSTEAD = {
    "log(softmax(x))": "log_softmax(x)",
    "log(sigmoid(x))": "logsigmoid(x)",
    "log(1 - sigmoid(x))": "logsigmoid(-x)",
    "log(1 - softmax(x))": "the log_softmax of the others, by logsumexp",
    "log(exp(x) / sum(exp(x)))": "log_softmax(x)",
    "log(1 + exp(x))": "softplus(x)",
    "log(sum(exp(x)))": "logsumexp(x)",
    "log(cosh(x))": "abs(x) + softplus(-2 * abs(x)) - log(2)",
}


def applies(subject: Subject) -> str:
    if subject.bridged:
        return "what is computed across a bridge cannot be seen"
    return "" if subject.contract.pred.kind in ("real", "logits", "embedding", "unit") else "it takes no logits"


def check(subject: Subject) -> Iterator[Finding]:
    listed = _rewrites(subject)
    if not listed:
        return
    mildest: tuple[Condition, Severity, str] | None = None
    for condition in conditions(subject):
        if condition.finite and (size := _size(subject, condition)) <= REACHABLE:
            found = _shows(subject, condition, size, listed)
            if found is not None and (mildest is None or (found[0] == "warning" and mildest[1] == "info")):
                mildest = (condition, *found)
    if mildest is not None:
        yield _told(subject, *mildest, listed)


def _rewrites(subject: Subject) -> list[Rewrite]:
    """What is composed, if in float64 both forms agree on ordinary inputs: else the rewriting was no rewriting."""
    inputs = subject.draw(1)
    watch = Stable(subject.file)
    there = subject.run(inputs, dtype=torch.float64, watch=watch)
    plain = subject.run(inputs, dtype=torch.float64)
    if not watch.rewrites:
        return []
    precise(subject, inputs)
    if not (plain.ok and there.ok) or abs(plain.value - there.value) > 0.02 * (1e-3 + abs(plain.value)):
        raise SkipRule("the logarithms could not be rewritten without another result")
    return list({(r.source, r.line): r for r in watch.rewrites}.values())


def _size(subject: Subject, condition: Condition) -> float:
    pred = condition.inputs[subject.contract.preds[0]]
    return float(pred.abs().max()) if pred.numel() else 0.0


def _pair(subject: Subject, inputs: tuple[object, ...]) -> tuple[Trial, Trial]:
    return subject.run(inputs), subject.run(inputs, dtype=torch.float64, watch=Stable(subject.file))


def _shows(subject: Subject, condition: Condition, size: float, listed: list[Rewrite]) -> tuple[Severity, str] | None:
    """How grave the fault is there and what shows it; None if nothing does."""
    naive, stable = _pair(subject, condition.inputs)
    what = _fault(subject, naive, stable)
    if what == "digits":
        mild = size > ORDINARY or any(rewrite.guarded for rewrite in listed)
        return ("info" if mild and not _vanished(naive, stable, listed) else "warning"), what
    return None if what is None else ("warning", what)


def _vanished(naive: Trial, stable: Trial, listed: list[Rewrite]) -> bool:
    """True if a sum of exponentials is nothing beside its guard: hardly any of the gradient is left."""
    pairs = [(a, b) for a, b in zip(naive.grads, stable.grads, strict=True) if a is not None and b is not None]
    left, whole = (max((float(pair[i].abs().max()) for pair in pairs), default=0.0) for i in (0, 1))
    return left < LEFT * whole and all(rewrite.source == SUM for rewrite in listed)


def _fault(subject: Subject, naive: Trial, stable: Trial) -> str | None:
    """`value` or `gradient` if it is not finite, `digits` if the value is off by what matters."""
    if not (naive.ok and stable.ok and stable.finite_value and stable.finite_grad):
        return None
    if not naive.finite_value:
        return "value"
    if not naive.finite_grad:
        return "gradient"
    room = OFF * max(abs(stable.value), 0.1 * abs(subject.values(subject.draw(1))))
    return "digits" if abs(naive.value - stable.value) > room else None


def _told(subject: Subject, condition: Condition, severity: Severity, what: str, listed: list[Rewrite]) -> Finding:
    small = shrink(subject, condition.inputs, lambda part: _fault(subject, *_pair(subject, part)) == what)
    naive, stable = _pair(subject, small)
    first = listed[0]
    sources = ", ".join(dict.fromkeys(rewrite.source for rewrite in listed))
    said = "gradient is not finite" if what == "gradient" else f"value is {show(naive.value)} instead of "
    said += "" if what == "gradient" else show(stable.value)
    name = subject.contract.pred.name
    rows = evidence_of(subject, naive) | {"value in log space": show(stable.value)}
    if stable.grad is not None:
        rows[f"grad {name} then"] = show(stable.grad)
    return finding(
        sys.modules[__name__],
        subject,
        severity=severity,
        message=f"{sources} is computed step by step: the {said}, {condition.name}",
        trial=naive,
        evidence=rows,
        why="a constant keeps it finite, and bounds it" if first.guarded and naive.finite_value else "",
        fix="; ".join(
            dict.fromkeys(f"{INSTEAD.get(r.source, 'its stable form')} in place of {r.source}" for r in listed)
        ),
        line=first.line,
    )
