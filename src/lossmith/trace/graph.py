"""What a trace gives: a list of calls, each with the user's line, and their replay on a reader.

    graph = record(loss, [(pred, target), ...])       by `lossmith.trace.torch`
    graph.replay(digits.ops, x, t)                    the same computation in another number system

Numbers that do not depend on the inputs were computed by the framework while it was traced, and are constants here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lossmith.errors import LossmithError, message

LOOKED_UP = ("index", "gather", "index_select", "positions", "scatter")


class TraceError(LossmithError, ValueError):
    """A callable that cannot be told as a list of operations; the message names the user's line."""


@dataclass(frozen=True)
class Ref:
    """The result of an input (first) or of a call before."""

    index: int


@dataclass(frozen=True)
class Call:
    """One operation of the framework. `name` is ATen's, without the overload; arguments may be nested lists."""

    name: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    place: str


@dataclass(frozen=True)
class Graph:
    """Calls in order.

    single   every result was one number: axes and reductions then say nothing, and a replay takes arrays of any shape,
             entry by entry
    stopped  the line of a `detach` or of a region without gradients, empty where there is none
    """

    inputs: int
    calls: tuple[Call, ...]
    output: Any
    single: bool = False
    stopped: str = ""

    def replay(self, ops: Any, *arrays: Any) -> Any:
        """The output in the numbers of a reader, which may have `rules` of its own."""
        import lossmith.trace.aten_rows  # noqa: F401  (enters its rules)
        from lossmith.trace.aten import FORM, RULES

        known, on = list[Any](arrays), Reading(ops, arrays[0])
        rules = {**RULES, **getattr(ops, "rules", {})}
        for call in self.calls:
            rule = RULES["clone"] if self.single and call.name in FORM else rules.get(call.name)
            if rule is None:
                raise unknown(call, "it is not among the operations that are replayed")
            if call.name in LOOKED_UP and _moves(call.args[1:]):
                raise unknown(call, "which entries it takes depends on the inputs")
            args = tuple(resolved(arg, known) for arg in call.args)
            kwargs = {name: resolved(arg, known) for name, arg in call.kwargs.items()}
            try:
                known.append(rule(on, *(args[:1] if self.single and call.name in FORM else args), **kwargs))
            except (NotImplementedError, TypeError, ValueError, IndexError) as error:
                raise unknown(call, str(error) or type(error).__name__) from None
        return on.array(resolved(self.output, known))


@dataclass(frozen=True)
class Reading:
    """A reader with an array of it, which says what constants become."""

    ops: Any
    like: Any

    def array(self, x: Any) -> Any:
        """An array of the reader from one, a number, or a constant of numpy; booleans stay booleans."""
        if isinstance(x, type(self.like)):
            return x
        found = np.asarray(x)
        if found.dtype.kind == "b":
            return found.view(type(self.like)) if isinstance(self.like, np.ndarray) else found
        return self.ops.asarray(found, like=self.like)


def _moves(arg: Any) -> bool:
    return any(map(_moves, arg)) if isinstance(arg, (list, tuple)) else isinstance(arg, Ref)


def resolved(arg: Any, known: list[Any]) -> Any:
    if isinstance(arg, Ref):
        return known[arg.index]
    if isinstance(arg, (list, tuple)):
        return type(arg)(resolved(one, known) for one in arg)
    return arg


def unknown(call: Call, why: str) -> TraceError:
    return TraceError(message(f"aten.{call.name} cannot be replayed", {"line": call.place or "not known"}, why=why))
