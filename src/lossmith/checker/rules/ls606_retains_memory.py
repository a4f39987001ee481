"""LS606 retains-memory

What it checks
    Nothing of one call's graph outlives the call: after the value is dropped, the graph behind it is freed, and the
    backward of a second call does not run into the graph of the first.

Why it matters
    A loss that appends its value to a history, or adds it to a running total, keeps every graph with all activations of
    the model below it: memory grows with each step until it is used up, long after the line that caused it. A running
    mean with a graph raises at the second backward.

Example
    self.history.append(loss)
    self.mean = 0.9 * self.mean + 0.1 * loss

Write instead
    self.history.append(loss.item())
    self.mean = 0.9 * self.mean + 0.1 * loss.detach()

When to allow it
    The sum over several calls is differentiated once, on purpose (then retain it outside of the loss).
"""

import gc
import sys
import weakref
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from lossmith.checker.evidence import SkipRule, finding, reproduce
from lossmith.checker.finding import Finding
from lossmith.checker.limits import limited_call
from lossmith.checker.memory import Snapshot
from lossmith.checker.subject import Subject, as_tensor

CODE, NAME, SINCE = "LS606", "retains-memory", "0.1"
CALLS = 4


class _Alive:
    """Held by the graph of one call; gone when that graph is."""


class _Mark(torch.autograd.Function):
    """Between the prediction and the loss: what its context holds lives as long as the graph."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, alive: _Alive) -> Tensor:
        ctx.alive = alive
        return value.clone()

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        return grad_outputs[0], None


def applies(subject: Subject) -> str:
    return "the graph of another framework is not seen" if subject.bridged else ""


def check(subject: Subject) -> Iterator[Finding]:
    inputs = subject.draw(1)
    if not subject.run(inputs).ok:
        raise SkipRule("the loss raises on valid inputs")
    for backward in (False, True):
        one = subject.twin(torch.float32)
        kept = Snapshot(one)
        try:
            alive, error = _calls(subject, one, backward)
            holders = kept.changed()
        finally:
            kept.restore(*kept.changed())
        if error is not None:
            yield _raises(subject, error, holders)
            return
        if alive >= CALLS - 1:
            yield _grows(subject, alive, holders)
            return


def _calls(subject: Subject, loss: Any, backward: bool) -> tuple[int, Exception | None]:
    """Several calls as a training loop makes them; how many of their graphs are left, or what a later one raised."""
    marks: list[weakref.ref[_Alive]] = []
    for call in range(CALLS):
        alive = _Alive()
        marks.append(weakref.ref(alive))
        try:
            with limited_call():
                _step(subject, loss, subject.draw(call + 1), alive, backward)
        except Exception as error:  # the first call is the same for every loss: it must work
            if call == 0 or "backward through the graph a second time" not in str(error):
                return 0, None
            return 0, error
        del alive
    if any(mark() is not None for mark in marks):  # in a cycle, perhaps; collecting takes half a second
        gc.collect()
    return sum(mark() is not None for mark in marks), None


def _step(subject: Subject, loss: Any, inputs: Sequence[Any], alive: _Alive, backward: bool) -> None:
    torch.default_generator.manual_seed(0)
    live = [
        _Mark.apply(value.detach().clone().requires_grad_(), alive)
        if i in subject.contract.preds and isinstance(value, Tensor) and value.is_floating_point()
        else value
        for i, value in enumerate(inputs)
    ]
    total = as_tensor(subject.call(loss, live))[0].sum()
    if backward and total.requires_grad:
        total.backward()


def _kept_in(holders: Sequence[str]) -> str:
    return ", ".join(holders) if holders else ""


def _raises(subject: Subject, error: Exception, holders: Sequence[str]) -> Finding:
    where = _kept_in(holders)
    return finding(
        sys.modules[__name__],
        subject,
        message="the backward of the second call runs into the graph of the first, and raises",
        evidence={"raises": f"{type(error).__name__}: {str(error).splitlines()[0][:120]}"}
        | ({"changes from call to call": where} if where else {}),
        fix=f"detach what is kept for the next call{f' in {where}' if where else ''}: loss.detach()",
        reproducer=reproduce(subject, subject.draw(1), _ending(subject, True)),
    )


def _grows(subject: Subject, alive: int, holders: Sequence[str]) -> Finding:
    where = _kept_in(holders)
    return finding(
        sys.modules[__name__],
        subject,
        message=f"the graphs of {alive} of {CALLS} calls outlive their values: memory grows with each step",
        evidence={"changes from call to call": where} if where else {},
        fix=f"keep numbers and not values with a graph{f' in {where}' if where else ''}: loss.item() or loss.detach()",
        reproducer=reproduce(subject, subject.draw(1), _ending(subject, False)),
    )


def _ending(subject: Subject, backward: bool) -> list[str]:
    names = [argument.name for argument in subject.contract.arguments]
    pred = subject.contract.pred.name
    call = f"loss_fn({', '.join(names)}).sum()"
    if backward:
        return [f"{pred}.requires_grad_()", "for call in range(3):", f"    {call}.backward()"]
    return [
        "import gc",
        f"{pred}.requires_grad_()",
        "for call in range(3):",
        f"    {call}.backward()",
        "    values = [o for o in gc.get_objects() if type(o) is torch.Tensor and o.grad_fn is not None]",
        "    print(len(values), 'values with a graph')",
        "    del values",
    ]
