"""A graph of single numbers as plain data, so that it can leave the process that traced a stranger's code, and back.

Arguments are numbers, words, None, lists, or one of three objects: {"ref": 3}, {"constant": 0.5}, {"param": "gamma"}.
What comes back is read as data: anything else is refused.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from lossmith.trace.graph import Call, Graph, Ref, TraceError

MOST = 400  # calls; a loss that a person wrote has fewer than 50


def as_data(graph: Graph) -> dict[str, Any]:
    """Errors: TraceError for a graph with a constant of several numbers."""
    return {
        "inputs": graph.inputs,
        "calls": [
            {"name": one.name, "args": _out(one.args), "kwargs": _out(dict(one.kwargs)), "place": one.place}
            for one in graph.calls
        ],
        "output": _out(graph.output),
    }


def _out(arg: Any) -> Any:
    if isinstance(arg, Ref):
        return {"ref": arg.index}
    if isinstance(arg, np.ndarray):
        if arg.size != 1 or arg.dtype.kind not in "fiub":
            raise TraceError("a constant of the trace holds several numbers")
        return {"constant": arg.reshape(-1)[0].item()}
    if isinstance(arg, dict):
        return {"words": {str(key): _out(one) for key, one in arg.items()}}
    if isinstance(arg, (list, tuple)):
        return [_out(one) for one in arg]
    return arg if arg is None or isinstance(arg, (bool, int, float, str)) else str(arg)  # a dtype, a device


def from_data(data: Mapping[str, Any], params: Mapping[str, Any]) -> Graph:
    """The graph with `params` in place of what is called so.

    Errors    TraceError for what is no graph
    """
    try:
        if len(data["calls"]) > MOST:
            raise TraceError(f"a trace of more than {MOST} operations")
        calls = tuple(
            Call(str(one["name"]), tuple(_in(one["args"], params)), _in(one["kwargs"], params), str(one["place"]))
            for one in data["calls"]
        )
        return Graph(int(data["inputs"]), calls, _in(data["output"], params), single=True)
    except (KeyError, TypeError, ValueError, RecursionError):
        raise TraceError("what came back from the trace is no graph") from None


def _in(arg: Any, params: Mapping[str, Any]) -> Any:
    if isinstance(arg, list):
        return [_in(one, params) for one in arg]
    if not isinstance(arg, dict):
        return arg
    (kind, held), *more = arg.items()
    if more:
        raise ValueError(kind)
    if kind == "words":
        return {str(key): _in(one, params) for key, one in held.items()}
    return Ref(int(held)) if kind == "ref" else params[held] if kind == "param" else float(held)
