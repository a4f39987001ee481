"""A graph of numbers or of a row as plain data, so that it can leave the process that traced a stranger's code.

Arguments are numbers, words, None, lists, or one of four objects: {"ref": 3}, {"constant": 0.5}, {"param": "gamma"},
{"array": [[0.9, 0.05, 0.05]]}.
What comes back is read as data: anything else is refused.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from lossmith.trace.graph import Call, Graph, Ref, TraceError

LARGEST = 64  # numbers of a constant
MOST = 400  # calls; a loss that a person wrote has fewer than 50


def as_data(graph: Graph, of_rows: bool = False) -> dict[str, Any]:
    """Errors: TraceError for a graph with a constant of many numbers."""
    return {
        "single": not of_rows,
        "inputs": graph.inputs,
        "calls": [
            {
                "name": one.name,
                "args": _out(one.args, not of_rows),
                "kwargs": _out(dict(one.kwargs), not of_rows),
                "place": one.place,
            }
            for one in graph.calls
        ],
        "output": _out(graph.output, not of_rows),
    }


def _out(arg: Any, single: bool) -> Any:
    if isinstance(arg, Ref):
        return {"ref": arg.index}
    if isinstance(arg, np.ndarray):
        if arg.size > LARGEST or arg.dtype.kind not in "fiub":
            raise TraceError("a constant of the trace holds many numbers")
        return {"constant": arg.reshape(-1)[0].item()} if arg.size == 1 and single else {"array": arg.tolist()}
    if isinstance(arg, dict):
        return {"words": {str(key): _out(one, single) for key, one in arg.items()}}
    if isinstance(arg, (list, tuple)):
        return [_out(one, single) for one in arg]
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
        return Graph(int(data["inputs"]), calls, _in(data["output"], params), single=bool(data["single"]))
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
    if kind == "array":
        return np.array(held)
    return Ref(int(held)) if kind == "ref" else params[held] if kind == "param" else float(held)
