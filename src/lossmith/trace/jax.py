"""A JAX callable as a graph: its jaxpr, inlined, in the operations that a trace of torch has.

A jaxpr is traced on shapes alone: code whose way depends on numbers cannot be traced, and JAX says so. What only moves
entries (gather, reshape, broadcast) is run once on the places 0, 1, 2, ... and kept as the places that it gives.
`log_softmax` and `logaddexp` stay whole, if what was traced is what JAX itself has under these names.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import jax
import numpy as np

from lossmith.errors import message
from lossmith.trace.graph import Call, Graph, Ref, TraceError

LIBRARIES = ("/jax/", "/jaxlib/", "/keras/", "/optax/", "/lossmith/", "<frozen")
# A JAX primitive as the operation of the same meaning.
SAME: Mapping[str, str] = dict.fromkeys(
    "abs add sub mul div neg exp exp2 expm1 log log1p sqrt rsqrt square tanh cosh sinh asinh atanh erf sin cos sign lt "
    "le gt ge eq ne clone".split(),
    "",
) | {
    "max": "maximum",
    "min": "minimum",
    "logistic": "sigmoid",
    "and": "logical_and",
    "or": "logical_or",
    "not": "logical_not",
    "copy": "clone",
    "copy_p": "clone",
    "stop_gradient": "detach",
    "atan": "atan",
    "is_finite": "isfinite",
}
REDUCED = {"reduce_sum": "sum", "reduce_max": "amax", "reduce_min": "amin"}
MOVED = frozenset("broadcast_in_dim reshape transpose squeeze expand_dims gather slice dynamic_slice rev".split())
INNER = ("jaxpr", "call_jaxpr", "fun_jaxpr")


def record(function: Callable[..., Any], inputs: Sequence[Any]) -> Graph:
    """The graph of a callable on arrays of these shapes and dtypes.

    Errors    TraceError where it cannot be traced, or holds an operation that is not known
    """
    try:
        with jax.enable_x64(True):
            closed = jax.make_jaxpr(function)(*(jax.numpy.asarray(one) for one in inputs))
            return _Walk(len(inputs)).graph(closed)
    except TraceError:
        raise
    except Exception as error:  # a stranger's code and JAX's tracing of it: whatever is raised is the answer
        said = f"{type(error).__name__}: {error}".splitlines()[0][:200]
        raise TraceError(message("the loss cannot be traced", why=said)) from None


class _Walk:
    def __init__(self, inputs: int) -> None:
        self.inputs, self.calls = inputs, list[Call]()
        self.single, self.stopped = True, ""

    def graph(self, closed: Any) -> Graph:
        found = self.inlined(closed, [Ref(index) for index in range(self.inputs)], "")
        if not isinstance(found[0], Ref):
            why = "its numbers leave JAX on the way, or it is a constant"
            raise TraceError(message("the loss cannot be traced: nothing of its inputs reaches its value", why=why))
        self.single &= all(np.prod(one.aval.shape) == 1 for one in closed.jaxpr.invars)
        return Graph(self.inputs, tuple(map(self._plain, self.calls)), found[0], self.single, self.stopped)

    def inlined(self, closed: Any, given: Sequence[Any], place: str) -> list[Any]:
        """What a jaxpr gives for these values: references, or numpy arrays where nothing moves."""
        jaxpr = getattr(closed, "jaxpr", closed)
        known: dict[Any, Any] = dict(zip(jaxpr.constvars, map(np.asarray, getattr(closed, "consts", ())), strict=True))
        known.update(zip(jaxpr.invars, given, strict=True))

        def of(atom: Any) -> Any:
            return np.asarray(atom.val) if hasattr(atom, "val") else known[atom]

        for eqn in jaxpr.eqns:
            found = self.step(eqn, [of(one) for one in eqn.invars], place or _line(eqn))
            known.update(zip(eqn.outvars, found, strict=True))
        return [of(one) for one in jaxpr.outvars]

    def step(self, eqn: Any, args: list[Any], place: str) -> list[Any]:
        self.single &= all(np.prod(one.aval.shape) == 1 for one in eqn.outvars)
        inner = next((eqn.params[name] for name in INNER if name in eqn.params), None)
        if inner is not None and eqn.primitive.name not in ("while", "scan", "cond"):
            return self.whole(eqn, inner, args, place) or self.inlined(inner, args, place)
        if not any(isinstance(one, Ref) for one in args):
            found = eqn.primitive.bind(*(jax.numpy.asarray(one) for one in args), **eqn.params)
            return [np.asarray(one) for one in (found if eqn.primitive.multiple_results else [found])]
        return [self.call(*_translated(eqn, args, place), place)]

    def call(self, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], place: str) -> Ref:
        if name == "detach" and not self.stopped:
            self.stopped = place
        self.calls.append(Call(name, args, kwargs, place))
        return Ref(self.inputs + len(self.calls) - 1)

    def whole(self, eqn: Any, inner: Any, args: list[Any], place: str) -> list[Any]:
        """A function of JAX that is stable as it is, and less so in pieces; empty for any other."""
        name, aval = str(eqn.params.get("name", "")), eqn.invars[0].aval
        if name == "log_softmax" and isinstance(args[0], Ref):
            for axis in range(len(aval.shape)):
                if _text(inner) == _text(_own(partial(jax.nn.log_softmax, axis=axis), aval)):
                    return [self.call("_log_softmax", (args[0], axis, False), {}, place)]
        if name == "logaddexp" and _text(inner) == _text(_own(jax.numpy.logaddexp, *(one.aval for one in eqn.invars))):
            difference = self.call("sub", (args[0], args[1]), {}, place)
            return [self.call("add", (args[1], self.call("softplus", (difference,), {}, place)), {}, place)]
        return []

    def _plain(self, call: Call) -> Call:
        """Of a graph of single numbers without axes."""
        if not self.single:
            return call
        args = tuple(one.reshape(()) if isinstance(one, np.ndarray) and one.size == 1 else one for one in call.args)
        return Call(call.name, args, call.kwargs, call.place)


def _translated(eqn: Any, args: list[Any], place: str) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
    name, params = eqn.primitive.name, eqn.params
    if name in SAME:
        return SAME[name] or name, tuple(args), {}
    if name in REDUCED:
        return REDUCED[name], (args[0], list(params["axes"])), {}
    if name in MOVED and not any(isinstance(one, Ref) for one in args[1:]):
        return "positions", (args[0], _places(eqn, args)), {}
    if name == "integer_pow":
        return "pow", (args[0], params["y"]), {}
    if name == "pow":
        return "pow", (args[0], float(args[1]) if not isinstance(args[1], Ref) and args[1].size == 1 else args[1]), {}
    if name == "select_n" and len(args) == 3:
        return "where", (args[0], args[2], args[1]), {}
    if name == "clamp":
        return "clamp", (args[1], args[0], args[2]), {}
    if name == "convert_element_type":
        return "_to_copy", (args[0],), {"dtype": str(params["new_dtype"])}
    if name == "concatenate":
        return "cat", (args, params["dimension"]), {}
    if name == "cumsum" and not params["reverse"]:
        return "cumsum", (args[0], params["axis"]), {}
    why = "it is not among the operations that are replayed"
    raise TraceError(message(f"jax.{name} cannot be replayed", {"line": place or "not known"}, why=why))


def _places(eqn: Any, args: list[Any]) -> np.ndarray:
    """Where each entry of the result stood before."""
    shape = eqn.invars[0].aval.shape
    before = jax.numpy.arange(int(np.prod(shape)), dtype=jax.numpy.float64).reshape(shape)
    after = np.asarray(eqn.primitive.bind(before, *(jax.numpy.asarray(one) for one in args[1:]), **eqn.params))
    if not np.isfinite(after).all():
        raise TraceError(message("an index is out of range", {"line": _line(eqn) or "not known"}))
    return after.astype(np.intp)


def _own(function: Callable[..., Any], *avals: Any) -> Any:
    """The inside of a function of JAX itself, on arguments of these shapes."""
    made = jax.make_jaxpr(function)(*(jax.ShapeDtypeStruct(one.shape, one.dtype) for one in avals))
    eqn = made.jaxpr.eqns[0]
    return next((eqn.params[name] for name in INNER if name in eqn.params), made)


def _text(inner: Any) -> str:
    return str(getattr(inner, "jaxpr", inner))


def _line(eqn: Any) -> str:
    trace = getattr(eqn.source_info, "traceback", None)
    for frame in getattr(trace, "frames", ()):
        if not any(part in frame.file_name for part in LIBRARIES):
            return f"{frame.file_name}:{frame.line_num}"
    return ""
