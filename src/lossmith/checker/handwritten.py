"""Hand-written `autograd.Function`s on the way from the prediction to the value: which, and what their forward does.

A Function whose forward changes nothing (gradient reversal, clipping) or is flat (a straight-through estimator) exists
to give another gradient than the derivative. That is a decision, not a mistake, and is told apart here by calling it.
"""

import functools
import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import BackwardCFunction

from lossmith.checker.subject import Subject, Trial, as_tensor, cast
from lossmith.checker.watch import _nodes, shown

JITTER = 1e-6
STEP = 1e-5
SINGLE = 8  # numbers of an argument that are moved alone: a fault may be in one branch


@dataclass(frozen=True)
class HandWritten:
    """One Function class, with the arguments and the result of a call of it."""

    cls: Any
    args: tuple[Any, ...] = ()
    output: Any = None

    @property
    def name(self) -> str:
        return str(self.cls.__name__)

    @property
    def line(self) -> str:
        """Where its backward is written, for people; empty if that is not known."""
        try:
            backward = inspect.unwrap(self.cls.backward)
            return f"{shown(inspect.getsourcefile(backward) or '')}:{inspect.getsourcelines(backward)[1]}"
        except (TypeError, OSError, AttributeError):
            return ""

    @property
    def changes_only_the_gradient(self) -> bool:
        return self.identity or self.flat

    @property
    def identity(self) -> bool:
        """Its forward returns its input."""
        return isinstance(self.output, Tensor) and any(
            value.shape == self.output.shape and torch.equal(value, self.output) for value in self._floats()
        )

    @property
    def flat(self) -> bool:
        """Its forward does not move when its inputs do, by a millionth in three random directions."""
        if not isinstance(self.output, Tensor) or not self._floats():
            return False
        g = torch.Generator().manual_seed(0)
        try:
            with torch.no_grad():
                moved = [self.cls.apply(*(_jittered(value, g) for value in self.args)) for _ in range(3)]
        except Exception:  # it takes its arguments only as they were
            return False
        return sum(torch.equal(value, self.output) for value in moved) >= 2

    @property
    def exact(self) -> bool | None:
        """True if its backward is the derivative of its forward, as a whole and for single numbers; None if unknown."""
        whole, finer = self._slopes(1.0), self._slopes(1.0, step=STEP / 8)
        pairs = [whole, *(self._slopes(1.0, only) for only in range(SINGLE))]
        known = [pair for pair in pairs if pair is not None]
        if not known:
            return None
        steady = whole and finer and abs(whole[1] - finer[1]) <= 1e-5 * abs(whole[1])  # no kink near: one in many shows
        if whole and steady and abs(whole[0] - whole[1]) > 1e-3 * max(abs(whole[0]), abs(whole[1])):
            return False
        return all(abs(a - b) <= 0.05 * max(abs(a), abs(b), 1e-3 * abs(known[0][1])) for a, b in known)

    @property
    def ignores_grad_output(self) -> bool:
        """Its backward gives the same for another incoming gradient."""
        once, twice = self._slopes(1.0), self._slopes(2.0)
        return once is not None and twice is not None and once[0] != 0.0 and once[0] == twice[0]

    def _slopes(self, factor: float, only: int | None = None, step: float = STEP) -> tuple[float, float] | None:
        """The derivative along one direction, by its backward and by differences, for a random incoming gradient.

        `only`: of each argument a single number moves, the one at this place or as many times round.
        """
        g = torch.Generator().manual_seed(1)
        away = [_like(value, g) if _is_float(value) else None for value in self.args]
        if only is not None:
            away = [None if value is None else _single(value, only) for value in away]
        try:
            live = [value.clone().requires_grad_() if _is_float(value) else value for value in self.args]
            output = self.cls.apply(*live)
            incoming = factor * (1.5 + torch.rand(output.shape, generator=g)).to(output.dtype)
            leaves = [value for value in live if _is_float(value)]
            grads = torch.autograd.grad(output, leaves, incoming, allow_unused=True)
            given = iter(grads)  # what its backward returns None for is not differentiated: a target, a label
            away = [None if d is None or next(given) is None else d for d in away]
            with torch.no_grad():
                up, down = (self.cls.apply(*_moved(self.args, away, by)) for by in (step, -step))
        except Exception:  # it cannot be called alone
            return None
        directions = [value for value in away if value is not None]
        returned = [grad for grad in grads if grad is not None]
        along = sum(float((g * d).sum()) for g, d in zip(returned, directions, strict=True))
        return along, float(((up - down) * incoming).sum()) / (2 * step)

    def _floats(self) -> list[Tensor]:
        return [value for value in self.args if _is_float(value)]


def _is_float(value: Any) -> bool:
    return isinstance(value, Tensor) and value.is_floating_point()


def _like(value: Tensor, g: torch.Generator) -> Tensor:
    return torch.randn(value.shape, generator=g, dtype=torch.float32).to(value.dtype)


def _single(away: Tensor, place: int) -> Tensor:
    """The same direction, all 0 but at one place."""
    kept = torch.zeros_like(away).flatten()
    if kept.numel():
        kept[place % kept.numel()] = away.flatten()[place % kept.numel()]
    return kept.reshape(away.shape)


def _moved(args: Sequence[Any], away: Sequence[Tensor | None], step: float) -> list[Any]:
    return [value if d is None else value + step * d for value, d in zip(args, away, strict=True)]


def _jittered(value: Any, g: torch.Generator) -> Any:
    if not _is_float(value):
        return value
    noise = _like(value, g)
    return value * (1 + JITTER * noise) + JITTER * noise


def hand_written(subject: Subject, inputs: Sequence[Any], dtype: torch.dtype) -> list[HandWritten]:
    """The Functions in the graph of the total, each with what it was called with; none for a bridged framework."""
    if subject.bridged:
        return []
    total = graph_of(subject, inputs, dtype)
    classes = {node._forward_cls: None for node in _nodes(total.grad_fn) if isinstance(node, BackwardCFunction)}  # type: ignore[attr-defined]
    found: list[HandWritten] = []
    for cls in classes:
        if cls.__module__.startswith("torch."):  # a compiled loss is a Function of torch's own
            continue
        with _recorded(cls) as calls:
            graph_of(subject, inputs, dtype)
        found.append(HandWritten(cls, *calls[0]) if calls else HandWritten(cls))
    return found


def graph_of(subject: Subject, inputs: Sequence[Any], dtype: torch.dtype) -> Tensor:
    """The total with its autograd graph, on the predictions as leaves. Raises what the loss raises."""
    live = [cast(value.detach().clone(), dtype) if isinstance(value, Tensor) else value for value in inputs]
    for index in subject.contract.preds:
        if live[index].is_floating_point():
            live[index].requires_grad_()
    torch.manual_seed(0)
    output, _ = as_tensor(subject.call(subject.twin(dtype), live))
    return output.sum()


@contextmanager
def _recorded(cls: Any) -> Iterator[list[tuple[tuple[Any, ...], Any]]]:
    """Note arguments and results of a Function while it runs. `apply` looks `forward` up at each call."""
    calls: list[tuple[tuple[Any, ...], Any]] = []
    plain: Callable[..., Any] = cls.forward
    own = cls.__dict__.get("forward")
    takes_ctx = cls.setup_context is torch.autograd.Function.setup_context

    @functools.wraps(plain)
    def forward(*args: Any) -> Any:
        kept = tuple(value.detach().clone() if isinstance(value, Tensor) else value for value in args[takes_ctx:])
        output = plain(*args)
        calls.append((kept, output.detach().clone() if isinstance(output, Tensor) else output))
        return output

    cls.forward = staticmethod(forward)
    try:
        yield calls
    finally:
        if own is None:
            del cls.forward
        else:
            cls.forward = own


def surrounding(subject: Subject, trial: Trial) -> list[HandWritten]:
    """`hand_written` for the inputs of a trial, empty where the graph cannot be had."""
    floats = [value.dtype for value in trial.inputs if isinstance(value, Tensor) and value.is_floating_point()]
    try:
        return hand_written(subject, trial.inputs, floats[0] if floats else torch.float32)
    except Exception:  # a loss that raises has no graph; the trial says so
        return []
