"""LS101 wrong-gradient

What it checks
    The gradient that autograd gives is the derivative of what the forward computes. The forward is traced and its
    derivative enclosed with every digit; where it cannot be traced, and at further points, autograd in float64 is held
    against the loss's own differences, element by element, at several steps from both sides. At a kink, or where the
    differences are not sure of themselves, nothing is said. A term that is added as a number (`+ dice.item()`) has no
    gradient, and is told as a warning. Of a hand-written backward the gradient of the target is asked too, if it gives
    one.

Why it matters
    A hand-written backward that is off by a factor, a sign or a term still trains, only worse: every step is of the
    wrong size or in the wrong direction, and the loss that is printed does not show it.

Example
    def forward(ctx, pred, target):
        ctx.save_for_backward(pred, target)
        return ((pred - target) ** 2).mean()

    def backward(ctx, grad):
        pred, target = ctx.saved_tensors
        return grad * 2 * (pred - target) / len(pred), None      # the mean is over all elements, not over samples

Write instead
        return grad * 2 * (pred - target) / pred.numel(), None

When to allow it
    The gradient is meant to be another one than the derivative (a surrogate) and the checker could not see it.
    A detach(), a straight-through estimator and a gradient reversal are seen, and are information, never an error.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from lossmith.checker.conditions import conditions
from lossmith.checker.cuts import Cut, lost_term
from lossmith.checker.evidence import SkipRule, evidence_of, finding, reproduce, show, shrink
from lossmith.checker.factor import STEADY, Factor, factor_of, near
from lossmith.checker.finding import Finding
from lossmith.checker.handwritten import HandWritten, surrounding
from lossmith.checker.slopes import Point, Sample, look, narrowed, repeatable
from lossmith.checker.subject import Subject
from lossmith.checker.surrogates import deliberate
from lossmith.domains import Domain

CODE, NAME, SINCE = "LS101", "wrong-gradient", "0.1"
LARGE = 2000  # numbers in the inputs, beyond which (and across a bridge) fewer elements are looked at


def applies(subject: Subject) -> str:
    return "" if subject.contract.preds else "the contract names no prediction"


def check(subject: Subject) -> Iterator[Finding]:
    dtype = _precision(subject)
    found = list(_wrong(subject, dtype))
    for view in () if found else _views(subject, dtype):  # what is meant there concerns nobody who trains
        found += [each for each in _wrong(view, dtype) if each.severity != "info"]
    yield from found[:1]


def _views(subject: Subject, dtype: torch.dtype) -> Iterator[Subject]:
    """What a hand-written backward may hide: a factor that is 1 on an axis of one, and the gradient of the target."""
    contract, inputs = subject.contract, subject.draw(1)
    if contract.draw is not None or not surrounding(subject, subject.run(inputs, dtype=dtype)):
        return
    if "1" in contract.pred.domain.axes:
        domains = [Domain.parse(str(one.domain).replace(",1,", ",C,")) for one in contract.arguments]
        wide = tuple(replace(one, domain=domain) for one, domain in zip(contract.arguments, domains, strict=True))
        wider = subject.with_contract(replace(contract, arguments=wide))
        if wider.run(wider.draw(1), dtype=dtype).ok:
            yield wider
    floats = tuple(i for i, value in enumerate(inputs) if isinstance(value, Tensor) and value.is_floating_point())
    grads = subject.run(inputs, dtype=dtype, wrt=floats).grads
    asked = [i for i in floats if i not in contract.preds and grads and grads[i] is not None]
    if asked:
        both = tuple(replace(one, role="pred") if i in asked else one for i, one in enumerate(contract.arguments))
        yield subject.with_contract(replace(contract, arguments=both, pairs=()))


def _wrong(subject: Subject, dtype: torch.dtype) -> Iterator[Finding]:
    points = _points(subject, dtype)
    wrong = [point for point in points if point.wrong]
    if len(wrong) < 2:
        return
    functions = surrounding(subject, wrong[0].trial)
    if not functions and (lost := lost_term(subject, wrong[0].trial.inputs)) is not None:
        yield _without_gradient(subject, _smallest(subject, wrong[0], dtype), lost)
        return
    if reason := deliberate(subject, wrong, functions):
        yield _surrogate(subject, _smallest(subject, wrong[0], dtype), reason)
        return
    yield _accusation(subject, wrong, dtype, functions)


def _precision(subject: Subject) -> torch.dtype:
    """float64 if the loss takes it, else float32. Raises `SkipRule` where differences cannot judge."""
    inputs = subject.draw(1)
    trials = {dtype: subject.run(inputs, dtype=dtype) for dtype in (torch.float64, torch.float32)}
    dtype = next((dtype for dtype, trial in trials.items() if trial.ok), None)
    if dtype is None:
        raise SkipRule("the loss raises on valid inputs")
    first = trials[dtype].grads[subject.contract.preds[0]]
    if first is None:
        raise SkipRule("there is no gradient at all (LS105)")
    if not bool((first != 0).any()):
        raise SkipRule("the gradient is 0 on ordinary inputs (LS105)")
    if not repeatable(subject, inputs, dtype):
        raise SkipRule("the loss does not give the same answer twice (LS607)")
    if narrow := narrowed(subject, inputs, dtype):
        raise SkipRule(f"the loss computes in {narrow} inside: too coarse for differences")
    return dtype


def _points(subject: Subject, dtype: torch.dtype) -> list[Point]:
    if subject.brief:
        return _few_points(subject, dtype)
    first = subject.draw(1)
    slow = subject.bridged or sum(value.numel() for value in first if isinstance(value, Tensor)) > LARGE
    # the forward itself, traced, judges the first; differences see what a trace would not (another way through it)
    places = [(subject.draw(seed), 3 if slow else 6, seed == 1) for seed in (1, 2, 3)]
    if not slow:
        places += [(condition.inputs, 3, False) for condition in conditions(subject)[1:] if _moderate(condition)][:4]
    found = (look(subject, inputs, dtype, most, traced=traced) for inputs, most, traced in places)
    return [point for point in found if point is not None]


def _few_points(subject: Subject, dtype: torch.dtype) -> list[Point]:
    """Differences at two draws, and at a third that could decide: two must be wrong for a finding.

    A trace takes as long as all of them, and is taken only where they are not sure.
    """
    points = _looked(subject, dtype, (1, 2))
    if any(point.wrong for point in points) or not any(point.sure for point in points):
        points += _looked(subject, dtype, (3,))
    return points if any(point.sure for point in points) else _looked(subject, dtype, (1, 2), traced=True)


def _looked(subject: Subject, dtype: torch.dtype, seeds: Sequence[int], traced: bool = False) -> list[Point]:
    found = (look(subject, subject.draw(seed), dtype, 3, traced=traced) for seed in seeds)
    return [point for point in found if point is not None]


def _moderate(condition: Any) -> bool:
    floats = [value for value in condition.inputs if isinstance(value, Tensor) and value.is_floating_point()]
    return not condition.match and all(1e-2 < float(value.abs().max()) <= 200 for value in floats)


def _smallest(subject: Subject, point: Point, dtype: torch.dtype) -> Point:
    def still(part: tuple[Any, ...]) -> bool:
        small = look(subject, part, dtype, 12)
        return small is not None and bool(small.wrong)

    small = look(subject, shrink(subject, point.trial.inputs, still), dtype, 12)
    return small if small is not None and small.wrong else point


def _surrogate(subject: Subject, point: Point, reason: str) -> Finding:
    sample = point.wrong[0]
    return finding(
        sys.modules[__name__],
        subject,
        severity="info",
        message=f"a surrogate gradient: autograd gives {sample.autograd:.4g} where the derivative of the value is "
        f"{sample.slope.value:.4g}",
        trial=point.trial,
        evidence=_evidence(subject, point),
        why=reason,
    )


def _without_gradient(subject: Subject, point: Point, cut: Cut) -> Finding:
    sample = point.wrong[0]
    return finding(
        sys.modules[__name__],
        subject,
        severity="warning",
        message=f"a term of the value has no gradient: autograd gives {sample.autograd:.4g} where the derivative is "
        f"{sample.slope.value:.4g}",
        trial=point.trial,
        evidence=_evidence(subject, point),
        why=f"{cut.shown} leaves autograd; another number from it changes the value and leaves the gradient as it is",
        fix=f"add the tensor itself, without {cut.shown}",
        line=cut.line,
        reproducer=reproduce(subject, point.trial.inputs, _ending(subject, sample)),
    )


def _accusation(
    subject: Subject, wrong: Sequence[Point], dtype: torch.dtype, functions: Sequence[HandWritten]
) -> Finding:
    point = _smallest(subject, wrong[0], dtype)
    factor = factor_of(subject, wrong, dtype)
    culprit = next((function for function in functions if function.exact is not True), None)
    return finding(
        sys.modules[__name__],
        subject,
        message=_message(point, factor),
        trial=point.trial,
        evidence=_evidence(subject, point),
        why=_why(culprit, factor),
        fix=_fix(culprit, factor),
        line=culprit.line if culprit else "",
        reproducer=reproduce(subject, point.trial.inputs, _ending(subject, point.wrong[0])),
    )


def _message(point: Point, factor: Factor | None) -> str:
    if factor is None:
        sample = max(point.wrong, key=lambda sample: abs(sample.autograd - sample.slope.value))
        return f"autograd gives {sample.autograd:.4g} where the derivative of the forward is {sample.slope.value:.4g}"
    if near(factor.ratio, -1.0):
        return "autograd gives the derivative of the forward with the opposite sign"
    if abs(factor.ratio) < STEADY:
        return "autograd gives 0 where the derivative of the forward is not 0"
    return f"autograd gives {factor.ratio:.4g} times the derivative of the forward"


def _why(culprit: HandWritten | None, factor: Factor | None) -> str:
    parts: list[str] = []
    if culprit is not None and culprit.exact is False:
        parts.append(f"the backward of {culprit.name}, called alone, is not the derivative of its forward")
        if culprit.ignores_grad_output:
            parts.append("it gives the same for any grad_output")
    if factor is not None and factor.tested:
        size = f"1 / {factor.tested}" if factor.inverse else f"the {factor.tested}"
        parts.append(f"the factor is {size} ({factor.example})")
    return "; ".join(parts)


def _fix(culprit: HandWritten | None, factor: Factor | None) -> str:
    place = f"{culprit.name}.backward" if culprit else "the backward"
    if culprit is not None and culprit.ignores_grad_output:
        return f"multiply what {place} returns by its grad_output"
    if factor is None or abs(factor.ratio) < STEADY:
        return f"return the derivative of the forward from {place}, or leave it out and let autograd differentiate"
    if factor.tested:
        return f"{'multiply' if factor.inverse else 'divide'} what {place} returns by the {factor.tested}"
    if near(factor.ratio, -1.0):
        return f"return the negative of what {place} returns"
    if abs(factor.ratio) < 1:
        return f"multiply what {place} returns by {1 / factor.ratio:.4g}"
    return f"divide what {place} returns by {factor.ratio:.4g}"


def _evidence(subject: Subject, point: Point) -> Mapping[str, str]:
    rows = evidence_of(subject, point.trial)
    for argument in sorted({sample.argument for sample in point.wrong}):
        base: Tensor = point.trial.inputs[argument]
        samples = [sample for sample in point.samples if sample.argument == argument]
        label = f"differences {subject.contract.arguments[argument].name}"
        if base.numel() <= 12:
            slopes = torch.full((base.numel(),), torch.nan, dtype=torch.float64)
            for sample in samples:
                slopes[sample.element] = sample.slope.value
            rows[label] = show(slopes.reshape(base.shape))
        else:
            wrong = [sample for sample in samples if sample.wrong][:4]
            rows[label] = ", ".join(f"{s.slope.value:.6g} at {s.element} (autograd {s.autograd:.6g})" for s in wrong)
    return rows


def _ending(subject: Subject, sample: Sample) -> list[str]:
    names = [argument.name for argument in subject.contract.arguments]
    pred = names[sample.argument]
    called = ", ".join("moved" if name == pred else name for name in names)
    step = f"1e-4 * max(1.0, abs({pred}.flatten()[{sample.element}].item()))"
    return [
        *(["loss_fn = loss_fn.double()"] if isinstance(subject.loss, nn.Module) else []),
        f"{pred}.requires_grad_()",
        f"(grad,) = torch.autograd.grad(loss_fn({called.replace('moved', pred)}).sum(), {pred})",
        f"step = {step}",
        f"one = torch.zeros_like({pred}).flatten()",
        f"one[{sample.element}] = step",
        f"one = one.reshape({pred}.shape)",
        f"total = lambda moved: loss_fn({called}).sum()",
        f"print('autograd   ', grad.flatten()[{sample.element}].item())",
        f"print('differences', ((total({pred} + one) - total({pred} - one)) / (2 * step)).item())",
    ]
