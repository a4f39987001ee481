"""LS404 weight-or-mask-rank

What it checks
    A weight for each sample, entry or class is a factor of what it belongs to: doubled, it doubles the gradient of its
    own samples against the others, once and not twice; twice all weights are a factor of the whole, or none. A buffer
    of class weights has an effect. Optional weights of 1 give what no weights give.

Why it matters
    A weight of shape (N,) times values of shape (N, 1) is an (N, N) table: every sample is weighted by all weights,
    and the weights only rescale the total. A weight that goes into cross_entropy and then multiplies its result counts
    squared. One inside `exp(-loss)` of a focal loss makes a rare class look like a hard one.

Example
    return (loss.unsqueeze(1) * weight).mean()
    ce = F.cross_entropy(logits, target, weight=weight, reduction="none"); pt = torch.exp(-ce)

Write instead
    return (loss * weight).mean()
    ce = F.cross_entropy(logits, target, reduction="none"); pt = torch.exp(-ce); ce = weight[target] * ce

When to allow it
    The number is no weight but a scale of the whole, or enters somewhere else on purpose.
"""

import inspect
import re
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import torch

from lossmith.checker.batch import near, near_tensors, no_batch, precise, tolerance
from lossmith.checker.evidence import evidence_of, finding, reproduce, show
from lossmith.checker.finding import Finding, Severity
from lossmith.checker.signature import source_of
from lossmith.checker.subject import Subject, Trial
from lossmith.checker.weighing import Weighing, powers, weighings

CODE, NAME, SINCE = "LS404", "weight-or-mask-rank", "0.1"
SEEDS = 3


def applies(subject: Subject) -> str:
    if reason := no_batch(subject):
        return reason
    if subject.draw(0)[subject.contract.preds[0]].shape[0] < 3:
        return "the example has fewer than three samples"
    return "" if weighings(subject) else "it takes no weights"


def check(subject: Subject) -> Iterator[Finding]:
    dtype = precise(subject, subject.draw(0))
    for weighing in weighings(subject):
        for message, why, fix, severity in _faults(subject, weighing, dtype):
            inputs = subject.draw(0)
            ones, doubled = _one(weighing, 1.0), _one(weighing, 2.0)
            plain, other = weighing.run(inputs, ones, dtype), weighing.run(inputs, doubled, dtype)
            rows = {k: v for k, v in evidence_of(subject, plain).items() if k != weighing.name}
            rows[f"{weighing.name} then"] = show(doubled)
            rows |= {"value then": show(other.value), "grad then": show(other.grad)}
            yield finding(
                sys.modules[__name__],
                subject,
                severity=severity,
                message=message,
                evidence=rows,
                why=why,
                fix=fix,
                reproducer=_script(subject, weighing, inputs),
            )
            return


def _script(subject: Subject, weighing: Weighing, inputs: Sequence[Any]) -> str:
    """The value and the gradient for all weights 1, one of them 2, and all of them 2."""
    if not weighing.call:
        return ""
    pred, n = subject.contract.pred.name, weighing.count
    index = next((i for i, each in enumerate(subject.contract.arguments) if each.name == weighing.name), None)
    shape = f".reshape{tuple(inputs[index].shape)}" if index is not None and inputs[index].ndim > 1 else ""
    tables = f"torch.ones({n}), torch.tensor([2.0] + {n - 1} * [1.0]), torch.full(({n},), 2.0)"
    ending = [
        f"{pred}.requires_grad_()",
        f"for {weighing.name} in ({tables}):",
        *([f"    {weighing.name} = {weighing.name}{shape}"] if shape else []),
        f"    loss = {weighing.call}.sum()",
        f"    print(loss.item(), torch.autograd.grad(loss, {pred})[0])",
    ]
    return reproduce(subject, inputs, ending)


def _one(weighing: Weighing, first: float) -> torch.Tensor:
    w = torch.ones(weighing.count, dtype=torch.float64)
    w[0] = first
    return w


def _faults(subject: Subject, weighing: Weighing, dtype: torch.dtype) -> Iterator[tuple[str, str, str, Any]]:
    drawn = [subject.draw(seed) for seed in range(SEEDS)]
    measured = [powers(subject, weighing, inputs, dtype) for inputs in drawn]
    found = [k for each in measured for k in each]
    if len(found) < 2 * SEEDS or not all(measured):
        return
    name, per = weighing.name, weighing.per
    if all(abs(k - 1) < 1e-3 for k in found):
        if weighing.optional and per != "class" and (factor := _ones(subject, weighing, drawn, dtype)) is not None:
            yield (
                f"with {name} of 1 throughout the loss is {factor:.4g} times what it is without {name}",
                "value and gradient are another by the same factor, on every draw",
                "divide by the same count in both branches",
                "warning",
            )
        return
    if all(abs(k - 2) < 1e-3 for k in found):
        yield (
            f"{name} counts squared: twice the weight of one {per} is four times its gradient against the others",
            f"the same power of 2 for all {len(found)} pairs of samples that were tried",
            "apply it once: in the loss of torch or after it, not in both; outside the square, not in it",
            _of_a_square(subject, weighing),  # inside a square it may be a residual's scale on purpose
        )
    elif per != "class" and all(abs(k) < 1e-3 for k in found) and _moves(weighing, drawn, dtype):
        yield (
            f"{name} does not weigh its own sample: twice the weight of one changes the gradients of all alike",
            "the weights meet the values only after they are averaged, or in a table of all samples by all weights",
            f"give {name} the shape of the unreduced values, and multiply before the reduction",
            "error",
        )
    elif per != "class" and all(abs(k) < 1e-3 for k in found) and all(_idle(weighing, i, dtype) for i in drawn):
        yield (
            f"{name} cancels: other weights give the same value",
            "what multiplies a mean and is divided by its own sum is gone, as is a product that nothing keeps",
            f"multiply the unreduced values by {name}, and divide by {name}.sum() then",
            "error",
        )
    elif weighing.registered and all(_idle(weighing, inputs, dtype) for inputs in drawn):
        yield (
            f"{name} is held and has no effect: other weights give the same value",
            "the buffer is moved and saved with the module, and never multiplies anything",
            f"pass it on (weight=self.{name}), or multiply by self.{name}[target]",
            "warning",
        )
    elif per == "class" and all(_leaks(weighing, inputs, dtype) for inputs in drawn):
        yield (
            f"{name} is no factor of the loss: the same weight for every class changes its shape, not only its size",
            "twice and three times all weights give values that are on no line, and gradients of another direction",
            "compute what depends on the probability (exp(-ce), p_t) without the weights, and multiply at the end",
            "warning",
        )


def _of_a_square(subject: Subject, weighing: Weighing) -> Severity:
    """What stands once in the code and counts squared is a residual's scale, where every entry has its own."""
    if weighing.per == "class":
        return "error"
    written = len(re.findall(rf"\b{re.escape(weighing.name)}\b(?!\s*[:.])", _body(subject)))
    return "info" if weighing.per == "entry" and written == 1 else "warning"


def _body(subject: Subject) -> str:
    """The code of the call, without its signature and its checks."""
    function = subject.loss if inspect.isroutine(subject.loss) else getattr(subject.loss, "forward", None)
    source = source_of(function) if function is not None else ""
    return re.sub(r"^\s*assert [^\n]*", "", source.partition("):")[2], flags=re.M)


def _ones(subject: Subject, weighing: Weighing, drawn: Sequence[Sequence[Any]], dtype: torch.dtype) -> float | None:
    """The factor by which weights of 1 change value and gradient; None if they change nothing, or more than that."""
    factors: list[float] = []
    for inputs in drawn:
        ones = weighing.run(inputs, torch.ones(weighing.count, dtype=torch.float64), dtype)
        none = subject.run(inputs, dtype=dtype)
        if not ones.ok or not none.ok or ones.grad is None or none.grad is None or not none.value:
            return None
        factors.append(ones.value / none.value)
        if not near_tensors(factors[-1] * none.grad, ones.grad, 100 * tolerance(ones, none)):
            return None
    steady = all(near(factor, factors[0], 1e-4) for factor in factors)
    return factors[0] if steady and not near(factors[0], 1.0, 1e-3) else None


def _moves(weighing: Weighing, drawn: Sequence[Sequence[Any]], dtype: torch.dtype) -> bool:
    """True if the weights change anything, and a sample of weight 0 still has a gradient in each draw."""
    for inputs in drawn:
        plain = weighing.run(inputs, _one(weighing, 1.0), dtype)
        other, none = (weighing.run(inputs, _one(weighing, value), dtype) for value in (2.0, 0.0))
        if plain.grad is None or none.grad is None or near(plain.value, other.value, 1e-6):
            return False
        if not bool((none.grad.reshape(weighing.count, -1)[0] != 0).any()) or not none.finite_grad:
            return False
    return True


def _idle(weighing: Weighing, inputs: Sequence[Any], dtype: torch.dtype) -> bool:
    """The same value for all weights, near 1 and far from it: what is clipped counts beyond a threshold."""
    w = torch.linspace(0.5, 2.0, weighing.count, dtype=torch.float64)
    one, *others = (weighing.run(inputs, each, dtype) for each in (_one(weighing, 1.0), w, 0.01 * w, 1e2 * w))
    return all(near(one.value, other.value, 1e-9) for other in others)


def _leaks(weighing: Weighing, inputs: Sequence[Any], dtype: torch.dtype) -> bool:
    """True if all weights times 1, 2 and 3 give values on no line, and gradients of another direction."""
    trials = [weighing.run(inputs, torch.full((weighing.count,), c, dtype=torch.float64), dtype) for c in (1, 2, 3)]
    first, second, third = trials
    if not all(t.ok and t.finite_value and t.finite_grad and t.grad is not None for t in trials):
        return False
    bend = third.value - 2 * second.value + first.value
    if abs(bend) <= 1e-3 * max(abs(t.value) for t in trials):
        return False
    return not _proportional(first, second)


def _proportional(a: Trial, b: Trial) -> bool:
    if a.grad is None or b.grad is None or not bool((a.grad != 0).any()):
        return True
    factor = float((a.grad * b.grad).sum() / (a.grad * a.grad).sum())
    return near_tensors(factor * a.grad, b.grad, 100 * tolerance(a, b))
