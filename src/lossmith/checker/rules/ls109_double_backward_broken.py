"""LS109 double-backward-broken

What it checks
    A gradient taken with `create_graph=True` has the derivative that its own differences have. Only losses with a
    hand-written `autograd.Function` are asked: the rest is torch's own.

Why it matters
    What a forward computes and saves for its backward is a constant to a second derivative, which then is wrong and
    says nothing: gradient penalties, Hessian tools and meta-learning read it. It is information, since a loss that is
    only trained with never asks for it.

Example
    p = torch.sigmoid(x); ctx.save_for_backward(p)      # p has no graph: its derivative is lost

Write instead
    ctx.save_for_backward(x)                            # and take the sigmoid in the backward

When to allow it
    The loss is only trained with. Decorate the backward with `once_differentiable`, which says so and refuses the rest.
"""

import sys
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from lossmith.checker.evidence import SkipRule, finding, show
from lossmith.checker.finding import Finding
from lossmith.checker.handwritten import hand_written
from lossmith.checker.sample import generator
from lossmith.checker.subject import Subject, as_tensor, cast

CODE, NAME, SINCE = "LS109", "double-backward-broken", "0.1"
STEPS = (1e-3, 1e-4)
SURE, DIFFERS = 0.01, 0.05


def applies(subject: Subject) -> str:
    return "the bridge to its framework has no second derivative" if subject.bridged else ""


def check(subject: Subject) -> Iterator[Finding]:
    inputs = subject.draw(1)
    trial = subject.run(inputs, dtype=torch.float64)
    where = subject.contract.preds[0] if subject.contract.preds else None
    if where is None or not trial.ok or trial.grad is None:
        raise SkipRule("there is no gradient on ordinary inputs in float64")
    functions = hand_written(subject, inputs, torch.float64)
    if not functions or any(function.changes_only_the_gradient for function in functions):
        return
    if not _first_is_right(subject, trial.inputs, trial.grad, where):
        raise SkipRule("the first derivative is another one than that of its value (LS101)")
    pairs = [_second(subject, subject.draw(seed), where) for seed in (1, 2, 3)]
    if all(pair is not None and _differ(*pair) for pair in pairs) and pairs[0] is not None:
        given, expected = pairs[0]
        yield finding(
            sys.modules[__name__],
            subject,
            severity="info",
            message=f"the second derivative is {show(given)} where the gradient changes by {show(expected)}",
            trial=trial,
            why=f"{functions[0].name} saves what its forward computed, which is a constant to a second derivative",
            fix="save the inputs and compute from them in the backward, or mark the backward with once_differentiable",
            line=functions[0].line,
        )


def _first_is_right(subject: Subject, inputs: Sequence[Any], grad: Tensor, where: int) -> bool:
    v = torch.randn(grad.shape, generator=generator(3), dtype=torch.float64)
    above, below = (
        subject.values((*inputs[:where], inputs[where] + h * v, *inputs[where + 1 :]), dtype=torch.float64)
        for h in (1e-4, -1e-4)
    )
    return not _differ(float((grad * v).sum()), (above - below) / 2e-4)


def _differ(given: float, expected: float) -> bool:
    return abs(given - expected) > DIFFERS * max(abs(given), abs(expected))


def _second(subject: Subject, inputs: Sequence[Any], where: int) -> tuple[float, float] | None:
    """v'Hv by autograd, and by the differences of the gradient; None where one of them is refused or unsure."""
    pred: Tensor = inputs[where].double()
    v = torch.randn(pred.shape, generator=generator(3), dtype=torch.float64)

    def gradient(x: Tensor) -> Tensor:
        moved = (*inputs[:where], x, *inputs[where + 1 :])
        trial = subject.run(moved, dtype=torch.float64)
        return torch.full_like(x, torch.nan) if trial.grad is None else trial.grad

    slopes = [float(((gradient(pred + h * v) - gradient(pred - h * v)) * v).sum()) / (2 * h) for h in STEPS]
    if not abs(slopes[0] - slopes[1]) <= SURE * max(map(abs, slopes)):
        return None
    live = [cast(value, torch.float64) for value in inputs]
    live[where] = pred.clone().requires_grad_()
    try:
        output = as_tensor(subject.call(subject.twin(torch.float64), live))[0]
        (first,) = torch.autograd.grad(output.sum(), live[where], create_graph=True)
        if not first.requires_grad:
            return None
        (second,) = torch.autograd.grad((first * v).sum(), live[where], allow_unused=True)
    except Exception:  # a backward that refuses a second derivative says so itself
        return None
    return (0.0 if second is None else float((second * v).sum())), slopes[1]
