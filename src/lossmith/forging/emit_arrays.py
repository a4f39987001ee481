"""Source for JAX, whose losses are unreduced functions, and for numpy, with the gradient beside the value."""

from collections.abc import Sequence

from lossmith.forging.plan import Plan
from lossmith.forging.prose import facts, keywords, module_docstring, notes, spoken, wrapped
from lossmith.forging.source import computed, defaults, file_of, signature
from lossmith.forging.spell import JAX, NUMPY
from lossmith.forging.statements import RETURN
from lossmith.forging.tree import Node

_FITTING = """\
def _require_one_shape(pred{type}, target{type}) -> None:
    if pred.shape != target.shape:
        raise ValueError(
            f"pred and target must have one shape, got {{pred.shape}} and "
            f"{{target.shape}}: they would broadcast and pair what does not belong"
        )"""
_LABELS = """\
def _require_labels(pred{type}, target{type}) -> None:
    if target.dtype.kind not in "iu" or target.shape != pred.shape[:-1]:
        raise ValueError(
            f"target must be one class number a row of pred {{pred.shape}}, "
            f"got {{target.dtype}} {{target.shape}}"
        )"""
_IN_RANGE = """\
    if target.size and not 0 <= target.min() <= target.max() < pred.shape[-1]:
        raise ValueError(
            f"labels go from 0 to {pred.shape[-1] - 1}, "
            f"got {target.min()} to {target.max()}"
        )"""  # indexing takes -1 for the last class


def jax(plan: Plan) -> str:
    """A function for `jax.grad`, `jit` and `vmap`, unreduced."""
    body = [
        *signature(f"def {plan.function}", ["pred: Array", "target: Array", *_after_star(plan)], " -> Array"),
        *_docstring(plan, f"{plan.each}; reduce it where it is called, such as `.mean()`"),
        "    pred = jnp.asarray(pred)",
        *_checked(plan, "jnp"),
        *computed(plan, [(RETURN, plan.value)], JAX, 4),
    ]
    fitting = _fitting(plan, ": Array")
    imports = ["import jax.numpy as jnp", "from jax import Array"]
    if "jax.nn." in "\n".join(body):
        imports.insert(0, "import jax")
    return file_of(module_docstring(plan, f"{plan.called} for JAX"), imports, [body, fitting], JAX)


def numpy(plan: Plan) -> str:
    """The loss and its gradient in the prediction, unreduced."""
    parts = [
        _of_numpy(plan, plan.function, plan.value, _docstring(plan, f"{plan.each}, unreduced")),
        _of_numpy(
            plan,
            f"{plan.function}_gradient",
            plan.slopes["pred"],
            [
                f'    """The derivative by pred, {plan.each}. At a kink it is that of one side."""',
            ],
        ),
        _fitting(plan, ": np.ndarray"),
    ]
    return file_of(module_docstring(plan, f"{plan.called} for numpy"), ["import numpy as np"], parts, NUMPY)


def _of_numpy(plan: Plan, name: str, root: Node, docstring: Sequence[str]) -> list[str]:
    return [
        *signature(f"def {name}", ["pred: np.ndarray", "target: np.ndarray", *_after_star(plan)], " -> np.ndarray"),
        *docstring,
        "    pred = np.asarray(pred)",
        *_checked(plan, "np"),
        *computed(plan, [(RETURN, root)], NUMPY, 4),
    ]


def _checked(plan: Plan, module: str) -> list[str]:
    if plan.by_label:
        return [f"    target = {module}.asarray(target)", "    _require_labels(pred, target)"]
    return [f"    target = {module}.asarray(target, dtype=pred.dtype)", "    _require_one_shape(pred, target)"]


def _fitting(plan: Plan, of: str) -> list[str]:
    lines = (_LABELS if plan.by_label else _FITTING).format(type=of).splitlines()
    if plan.by_label and "np." in of:  # jax may be tracing, and holds no numbers then
        lines += _IN_RANGE.splitlines()
    return lines


def _after_star(plan: Plan) -> list[str]:
    return ["*", *defaults(plan.params)] if plan.params else []


def _docstring(plan: Plan, what: str) -> list[str]:
    told = [("Shapes", f"{plan.shapes[0]}; result: {plan.shapes[1]}"), *facts(plan), *keywords(plan)]
    head = wrapped(f'"""{spoken(plan.given)}, {what}.', "    ", "    ")
    return [*head, "", *notes(plan, 4, told), '    """']
