"""From a user's own loss to the expression that it computes: traced in a child process, read here as plain data.

What the child says passes the same door as what a person types: `parse`, with its closed list. Then the original's
own values and slopes are compared with fifty digits of the expression, before anything is written.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import indent
from typing import Any

import numpy as np

from lossmith.checker.process import Options, study_target
from lossmith.errors import LossmithError, SettingError, TargetError, message
from lossmith.forging import tree
from lossmith.forging.differentiate import derivative
from lossmith.forging.domain import PREDS, ROWS, TARGET_ROWS, TARGETS, said
from lossmith.forging.facts import exactly
from lossmith.forging.names import require_params
from lossmith.forging.parse import LONGEST, parse
from lossmith.forging.reading import in_digits
from lossmith.forging.row_slopes import gradient
from lossmith.forging.rows import is_of_rows
from lossmith.forging.spell import text_of
from lossmith.forging.tree import PRED, TARGET, Node, args_of, walk
from lossmith.forging.written import Words, Written
from lossmith.forging.written_rows import RowWords
from lossmith.ops.digits import context
from lossmith.trace.graph import TraceError
from lossmith.trace.plain import from_data
from lossmith.trace.rows import CLASSES

RTOL, ATOL = 1e-9, 1e-11
ROUGH = 1e-5  # keras computes in float32 on the way
KINKS = 0.01  # of the points may lie on one, where a slope is a convention


@dataclass(frozen=True)
class Original:
    """A traced loss as an expression; `notes` say what became of its settings, and what was compared."""

    name: str
    expression: str
    params: Mapping[str, float]
    kinds: tuple[str, str]
    notes: tuple[str, ...]


def read(
    target: str, settings: Mapping[str, Any] | None = None, pred: str | None = None, goal: str | None = None
) -> Original:
    """The expression of one loss of a file or a module.

    settings    what it is built with
    pred, goal  the kinds of its prediction and target, where they are not to be found out
    Errors      TargetError for a target that is not one loss; LossmithError, with the user's line, for a loss that is
                not one of single numbers, or that uses what is no word of an expression
    """
    told = {"pred": pred, "target": goal}
    flags = {name: f"{kind}{'[N]' if kind == 'index' else '[N,C]'}" for name, kind in told.items() if kind is not None}
    if len(flags) == 1:
        raise SettingError(message("--pred and --target go together for a loss of your own", {"given": flags}))
    found = study_target(target, Options(work="original", settings=settings or {}, flags=flags))
    if len(found) != 1:
        names = ", ".join(str(one["name"]) for one in found[:6])
        raise TargetError(
            message(f"{target} has {len(found)} losses", {"losses": names}, fix=f"name one: {target}:NAME")
        )
    return expressed(found[0])


def expressed(told: Mapping[str, Any]) -> Original:
    """The expression of what a child process told: `lossmith.checker.original.Original` as data."""
    name = str(told["name"])
    if told.get("problem"):
        raise _refused(name, str(told["problem"]))
    of_rows = not told["graph"]["single"]
    kinds = _kinds(name, told["kinds"], of_rows)
    try:
        expression, params, lost = _expression(told)
    except TraceError as error:
        raise _refused(name, _nearer(str(error))) from None
    root = parse(expression, params)
    compared = _require_parity(name, root, params, kinds, told["points"], ROUGH if told["rough"] else RTOL)
    notes = [f"traced as {expression}", f"{compared} values and slopes of {name} itself agree with fifty digits of it"]
    notes += [f"the setting {one} is {text}" for one, text in {**told["fixed"], **lost}.items()]
    if told["total"] != "mean":
        notes.append(f"{name} gives the {told['total']} of a batch; the mean is what is written")
    return Original(name, expression, params, kinds, tuple(notes))


def _kinds(name: str, kinds: Any, of_rows: bool) -> tuple[str, str]:
    pred, goal = map(str, kinds)
    if of_rows:
        goal = "dist" if goal in ("simplex", "onehot") else goal
    if pred not in (ROWS if of_rows else PREDS) or goal not in (TARGET_ROWS if of_rows else TARGETS):
        given = {"pred": pred, "target": goal}
        fix = f"--pred {'logits --target index' if of_rows else 'real --target real'}, if it takes them"
        raise LossmithError(message(f"{name} cannot be forged: not for such arguments", given, fix=fix))
    return pred, goal


def _expression(told: Mapping[str, Any]) -> tuple[str, dict[str, float], dict[str, str]]:
    """The text, the settings that stand in it, and those that could not."""
    params = {str(one): float(value) for one, value in told["params"].items()}
    try:
        require_params(params)
        return _text(told["graph"], params), params, {}
    except (TraceError, SettingError) as error:
        if not params:
            raise
        why = str(error).splitlines()[0]
        numbers = {name: f"{value:g}: it could not be written by name ({why})" for name, value in params.items()}
        return _text(told["graph"], params, as_numbers=True), {}, numbers


def _text(graph: Mapping[str, Any], params: Mapping[str, float], *, as_numbers: bool = False) -> str:
    forms = _Forms(params, as_numbers)
    shape, words = ((), Words()) if graph["single"] else ((1, CLASSES), RowWords())
    known = from_data(graph, forms)  # of a label, which was looked up while it was traced, pred alone
    found = known.replay(words, *(Written(one, shape) for one in (PRED, TARGET)[: known.inputs]))
    node = found.number
    if _length(node) > LONGEST:
        raise LossmithError(message("its expression is too long", {"most": f"{LONGEST} characters"}))
    text = text_of(node)
    used = tree.names_in(node)
    return text if used >= set(params) or as_numbers else _text(graph, params, as_numbers=True)


def _length(root: Node) -> int:
    """Characters of the text, counted without writing it: shared parts are written out each time."""
    size: dict[Node, int] = {}
    for node in walk(root):
        size[node] = 6 + sum(size[arg] for arg in args_of(node))
    return size[root] // 2


class _Forms(Mapping[str, Any]):
    """What a setting is called in the graph (`1 - alpha`), as a node."""

    def __init__(self, params: Mapping[str, float], as_numbers: bool) -> None:
        self.params, self.as_numbers = params, as_numbers

    def __getitem__(self, form: str) -> Any:
        node = parse_form(form, self.params)
        if not self.as_numbers:
            return Written(node)
        by: dict[Node, Node] = {tree.Name(name): tree.Number(value) for name, value in self.params.items()}
        made = tree.replace(node, by)
        assert isinstance(made, tree.Number)
        return made.value

    def __iter__(self) -> Any:
        return iter(self.params)

    def __len__(self) -> int:
        return len(self.params)


def parse_form(form: str, params: Mapping[str, float]) -> Node:
    """A short expression in one setting; `pred` is added to pass the door and taken off again."""
    found = parse(f"pred * ({form})", [name for name in params if re.search(rf"\b{re.escape(name)}\b", form)])
    return tree.replace(found, {PRED: tree.ONE})


def _require_parity(
    name: str, root: Node, params: Mapping[str, float], kinds: tuple[str, str], points: Any, rtol: float
) -> int:
    """The original's own numbers against fifty digits of the expression and of its derivative.

    Errors    LossmithError where they differ
    """
    columns = [np.array(column, float) for column in zip(*points, strict=True)]
    arrays = {word: exactly(column) for word, column in zip(("pred", "target"), columns, strict=False)}
    slope = gradient(root, PRED, kinds[1]) if is_of_rows(root) else derivative(root, PRED)
    beside, compared = 0, 0
    for which, column, tree_of in (("value", columns[2], root), ("slope", columns[3], slope)):
        truth = in_digits(tree_of, arrays, params)
        compared += truth.size
        for index, (got, true) in enumerate(zip(column.ravel().tolist(), truth.ravel(), strict=True)):
            size, row = abs(true), index * len(truth) // truth.size
            if not context.isfinite(true) or not np.isfinite(got):  # a defect of the original, which forge mends
                continue
            if abs(got - true) <= rtol * size + max(ATOL, rtol * 1e-2):
                continue
            beside += 1
            if which == "value" or beside > KINKS * truth.size + 1:
                given = {"pred": said(columns[0][row]), "target": said(columns[1][row])}
                given |= {f"its {which}": f"{got:.9g}", "expression": f"{float(true):.9g}"}
                what = f"{name} cannot be forged: what was traced is not what it computes"
                among = f"it was traced among {CLASSES} classes with one label: it depends on them, or on the largest"
                raise LossmithError(message(what, given, why=among if is_of_rows(root) else None))
    return compared


def _refused(name: str, why: str) -> LossmithError:
    return LossmithError(f"{name} cannot be forged\n{indent(why, '    ')}")


def _nearer(text: str) -> str:
    return text.replace(f"{Path.cwd()}/", "")
