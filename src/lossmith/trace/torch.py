"""A torch callable as a graph: `make_fx` on three sets of inputs, functionalised, down to core operations.

A trace follows one way through the Python of the loss. Three traces must be the same graph; where they are not, the
way depends on the numbers, and the first line that differs is named. `make_fx` leaves no line numbers: a dispatch
mode of our own notes for each operation the innermost line that is not torch's.
"""

import functools
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
import torch.fx.traceback
from torch import Tensor, fx
from torch._decomp import _core_aten_decompositions_post_autograd as core_aten_decompositions
from torch._guards import TracingContext, tracing
from torch._subclasses import FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx
from torch.fx.node import map_arg
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from lossmith.errors import message
from lossmith.trace.graph import Call, Graph, Ref, TraceError

CUT = " (cut)"  # behind a line whose operation has no gradient
KEPT = ("softplus.default", "log_sigmoid_forward.default")  # stable as they are, and less so when decomposed
LIBRARIES = ("/torch/", "/keras/", "/lossmith/trace/", "<")


def record(function: Callable[..., Any], inputs: Sequence[Sequence[Tensor]]) -> Graph:
    """The one graph of a callable on several sets of inputs.

    Errors    TraceError where a trace fails, or where two of them differ
    """
    graphs = [_traced(function, given) for given in inputs]
    for other in graphs[1:]:
        _require_same(graphs[0], other)
    if not _moves(graphs[0].output):  # through numpy, say: a traced tensor holds no numbers there
        why = "its numbers leave torch on the way, or it is a constant"
        raise TraceError(message("the loss cannot be traced: nothing of its inputs reaches its value", why=why))
    return graphs[0]


class _Lines(TorchDispatchMode):
    """Notes the user's line for every operation, and whether it is cut from the gradient."""

    def __init__(self, single: bool) -> None:
        super().__init__()
        self.last = ""
        self.single = single

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.last = place = _line()
        cut = func.__name__.startswith("detach") or not torch.is_grad_enabled()
        torch.fx.traceback.current_meta["stack_trace"] = place + CUT if cut else place
        found = func(*args, **(kwargs or {}))
        self.single &= all(one.numel() == 1 for one in tree_leaves(found) if isinstance(one, Tensor))
        return found


def _line() -> str:
    frame: Any = sys._getframe(2)
    while frame is not None and any(part in frame.f_code.co_filename for part in LIBRARIES):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame is not None else ""


class _Context:
    """What a hand-written forward writes its notes on, here read by nobody."""

    def __init__(self, arguments: int) -> None:
        self.needs_input_grad = (False,) * arguments

    def save_for_backward(self, *tensors: Any) -> None:
        self.saved_tensors = tensors

    def mark_dirty(self, *tensors: Any) -> None: ...
    def mark_non_differentiable(self, *tensors: Any) -> None: ...
    def set_materialize_grads(self, value: bool) -> None: ...


def _forward(cls: Any, *args: Any, **kwargs: Any) -> Any:
    """An `autograd.Function` as its forward alone, which is all that a value is made of."""
    if cls.setup_context is not torch.autograd.Function.setup_context:
        return cls.forward(*args, **kwargs)
    return cls.forward(_Context(len(args)), *args, **kwargs)


@contextmanager
def _forwards() -> Iterator[None]:
    own = vars(torch.autograd.Function)["apply"]
    torch.autograd.Function.apply = classmethod(_forward)  # type: ignore[assignment]
    try:
        yield
    finally:
        torch.autograd.Function.apply = own


@contextmanager
def _as_written(given: Sequence[Tensor]) -> Iterator[None]:
    """In float64 a number without a dtype, as in `torch.where(x > 0, 0.8, 0.2)`, is the decimal that was written."""
    own = torch.get_default_dtype()
    if any(one.dtype == torch.float64 for one in given):
        torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(own)


def _one_fake_mode() -> Any:
    """Each node is noted as a fake tensor: of one mode, since making a mode for each takes half of a trace's time."""
    return tracing(TracingContext(FakeTensorMode(allow_fallback_kernels=True)))


def _traced(function: Callable[..., Any], given: Sequence[Tensor]) -> Graph:
    lines = _Lines(all(one.numel() == 1 for one in given))  # an operation may be whole here, and many below

    def body(*tensors: Any) -> Any:  # make_fx refuses a function with defaults
        with lines:
            return function(*tensors)

    plain = torch.func.functionalize(body, remove="mutations_and_views")
    try:
        with (
            torch.fx.traceback.preserve_node_meta(),
            warnings.catch_warnings(),
            _one_fake_mode(),
            _forwards(),
            _as_written(given),
        ):
            warnings.simplefilter("ignore")
            made = make_fx(plain, decomposition_table=_table(), _error_on_data_dependent_ops=False)(*given)
    except Exception as error:  # a stranger's code and torch's tracing of it: whatever is raised is the answer
        said = f"{type(error).__name__}: {error}".splitlines()[0][:200]
        raise TraceError(message("the loss cannot be traced", {"line": lines.last or "not known"}, why=said)) from None
    made.graph.eliminate_dead_code()
    return _graph(made, lines)


@functools.cache
def _table() -> Any:
    """What an operation is made of; the public table takes 0.2 s to list the composite ones, which no trace sees."""
    return {key: value for key, value in core_aten_decompositions().items() if _name(key) not in KEPT}


def _name(target: Any) -> str:
    return getattr(target, "__name__", str(target))


def _graph(made: fx.GraphModule, lines: _Lines) -> Graph:
    """The nodes as calls. What depends on no input is computed here."""
    values: dict[fx.Node, Any] = {}
    calls: list[Call] = []
    inputs = [node for node in made.graph.nodes if node.op == "placeholder"]
    values.update({node: Ref(index) for index, node in enumerate(inputs)})
    output, stopped = None, ""
    for node in made.graph.nodes:
        if node.op == "get_attr":
            values[node] = getattr(made, str(node.target))
        elif node.op == "output":
            output = _plain(map_arg(node.args[0], lambda one: values[one]), lines.single)
        elif node.op == "call_function":
            args = map_arg(node.args, lambda one: values[one])
            kwargs = map_arg(node.kwargs, lambda one: values[one])
            if not _moves((args, kwargs)):
                values[node] = node.target(*args, **kwargs)
                continue
            name = _name(node.target).partition(".")[0]
            noted = str(node.meta.get("stack_trace") or "")
            place = noted.removesuffix(CUT)
            stopped = stopped or (place if place != noted else "")  # of a constant nothing is cut off
            calls.append(Call(name, _plain(tuple(args), lines.single), _plain(dict(kwargs), lines.single), place))
            values[node] = Ref(len(inputs) + len(calls) - 1)
            if name == "copy_":  # what was written into is what was written, from here on
                values[node.args[0]] = values[node]
    return Graph(len(inputs), tuple(calls), output, lines.single, stopped)


def _moves(arg: Any) -> bool:
    if isinstance(arg, (list, tuple)):
        return any(_moves(one) for one in arg)
    return any(_moves(one) for one in arg.values()) if isinstance(arg, dict) else isinstance(arg, Ref)


def _plain(arg: Any, single: bool) -> Any:
    """Constants as numpy arrays, so that a graph holds nothing of torch; of a graph of single numbers without axes."""
    if isinstance(arg, Tensor):
        found = (arg.double() if arg.is_floating_point() else arg).detach().numpy()
        return found.reshape(()) if single and found.size == 1 else found
    if isinstance(arg, dict):
        return {key: _plain(one, single) for key, one in arg.items()}
    if isinstance(arg, (list, tuple)):
        return type(arg)(_plain(one, single) for one in arg)
    return arg


def _require_same(first: Graph, other: Graph) -> None:
    for one, two in zip(first.calls, other.calls, strict=False):
        if one.name != two.name or one.place != two.place or not _alike((one.args, one.kwargs), (two.args, two.kwargs)):
            raise _depends(one.place)
    if len(first.calls) != len(other.calls) or not _alike(first.output, other.output):
        raise _depends(first.calls[-1].place if first.calls else "")


def _depends(place: str) -> TraceError:
    why = "a trace follows one way: what is proved about it would not hold for the other"
    return TraceError(message("what the loss computes depends on the numbers it is given", {"line": place}, why=why))


def _alike(one: Any, two: Any) -> bool:
    if type(one) is not type(two):
        return False
    if isinstance(one, np.ndarray):
        return one.shape == two.shape and bool(np.array_equal(one, two, equal_nan=one.dtype.kind == "f"))
    if isinstance(one, dict):
        return one.keys() == two.keys() and all(_alike(one[key], two[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(two) and all(map(_alike, one, two))
    return bool(one == two)
