"""The loss that a forged one is to equal: its trace, the settings that show in it, and its values at many numbers.

A setting shows where the trace is the same with two other values of it but for constants, and each of these is
a x + b or a / x of it with a short a and b. A setting that decides something (a branch, an exponent of 1) stays what
it is, and is said to.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from math import isclose
from typing import Any

import torch

from lossmith.checker.options import numbers
from lossmith.checker.resolve import Declared, resolve
from lossmith.checker.subject import Subject
from lossmith.checker.traced import function_of, kinds_of, traced
from lossmith.errors import LossmithError, message

OTHERS = (1.3717, 0.6431)  # times its value
SHORT = (0.25, 0.5, 1.0, 2.0, 3.0, 4.0)
DRAWS, MOST = 4, 60  # numbers that are compared
CLOSE = 1e-12
ROW = 5  # classes of a row that is compared: not the three that are traced


@dataclass(frozen=True)
class Original:
    """`graph` holds {"param": name} where a setting shows; `points` are rows of pred, target, value and slope.

    Of a loss of rows a pred is a row of more classes than were traced, and a target one too, 0 and 1 for a label.

    fixed   settings that are constants in the graph, with the reason
    total   what the loss makes of a batch: values, mean or sum
    rough   its framework computes in float32 on the way, whatever it is given
    """

    name: str
    location: str
    kinds: tuple[str, str] = ("", "")
    graph: Mapping[str, Any] = field(default_factory=dict[str, Any])
    params: Mapping[str, float] = field(default_factory=dict[str, float])
    fixed: Mapping[str, str] = field(default_factory=dict[str, str])
    points: list[list[Any]] = field(default_factory=list[list[Any]])
    total: str = ""
    rough: bool = False
    problem: str = ""


def original(subject: Subject, declared: Declared) -> dict[str, Any]:
    """Everything that is needed to write the loss anew; what cannot be done becomes its `problem`."""
    try:
        subject = subject.with_contract(resolve(subject, declared)[0])
        return asdict(_original(subject))
    except LossmithError as error:
        return asdict(Original(subject.name, subject.location, problem=str(error)))


def _original(subject: Subject) -> Original:
    from lossmith.trace.plain import as_data

    found = traced(subject)
    if found.graph is None:
        made = found.formula.name
        raise LossmithError(message(f"{subject.name} is lossmith's own already", fix=f"lossmith show {made}"))
    if found.stopped:
        given = {"line": found.stopped}
        why = "what is forged has the gradient of its value"
        raise LossmithError(message(f"{subject.name}: a part is detached from the gradient", given, why=why))
    graph = as_data(found.graph, found.of_rows)
    params: dict[str, float] = {}
    fixed: dict[str, str] = {}
    for name, value in numbers(subject).items():
        shown, why = _shown(subject, graph, name, float(value))
        if shown is None:
            fixed[name] = f"{value!r}: {why}"
        else:
            graph, params[name] = shown, float(value)
    points, total = _points(subject, found.of_rows)
    kinds, rough = kinds_of(subject), subject.framework == "keras"
    return Original(subject.name, subject.location, kinds, graph, params, fixed, points, total, rough)


def _shown(subject: Subject, graph: Mapping[str, Any], name: str, value: float) -> tuple[Any, str]:
    """The graph with the setting by name where it stands; or None, and why."""
    from lossmith.trace.plain import as_data

    others: list[Any] = []
    values = [value, *(factor * value if value else factor for factor in OTHERS)]
    for other in values[1:]:
        made = subject.with_settings(**{name: other})
        if made is None:
            return None, "the loss cannot be built with another number"
        try:
            other_trace = traced(made)
            others.append(as_data(other_trace.graph, other_trace.of_rows))  # type: ignore[arg-type]
        except (LossmithError, TypeError, ValueError, RuntimeError):  # a class number is no 137.17
            return None, "with another number it is not traced"
    try:
        changed = _with_name(graph, others, name, values)
    except _Otherwise as error:
        return None, str(error)
    return (changed, "") if changed != graph else (None, "nothing in the trace depends on it")


class _Otherwise(Exception):
    """Why a setting cannot be told in a graph."""


def _with_name(one: Any, others: list[Any], name: str, values: list[float]) -> Any:
    """Walk graphs side by side; where only numbers differ, what they are of the setting."""
    if isinstance(one, dict) and "param" in one:
        return one  # of a setting before: it did not depend on this one, or it would not have been told
    if isinstance(one, dict) and set(one) == {"constant"}:
        found = _with_name(one["constant"], [other.get("constant") for other in others], name, values)
        return found if isinstance(found, dict) else one
    if isinstance(one, dict):
        if any(not isinstance(other, dict) or other.keys() != one.keys() for other in others):
            raise _Otherwise("it decides what is computed")
        return {key: _with_name(value, [other[key] for other in others], name, values) for key, value in one.items()}
    if isinstance(one, list):
        if any(not isinstance(other, list) or len(other) != len(one) for other in others):
            raise _Otherwise("it decides what is computed")
        columns = zip(one, *others, strict=True)
        return [_with_name(first, list(rest), name, values) for first, *rest in columns]
    if all(other == one for other in others):
        return one
    if any(isinstance(number, bool) or not isinstance(number, (int, float)) for number in (one, *others)):
        raise _Otherwise("it decides what is computed")
    return {"param": _form([float(one), *map(float, others)], name, values)}


def _form(found: list[float], name: str, values: list[float]) -> str:
    """`name`, or what is computed of it: `1 - alpha`, `2 * gamma`, `1 / scale`."""
    slope = (found[1] - found[0]) / (values[1] - values[0])
    shift = found[0] - slope * values[0]
    for a, b in ((_short(slope), 0.0 if abs(shift) < CLOSE else _short(shift)),):
        if a is not None and b is not None and _fits([a * x + b for x in values], found):
            return _affine(a, b, name)
    over = _short(found[0] * values[0])
    if over is not None and all(values) and _fits([over / x for x in values], found):
        return f"{over:g} / {name}"
    raise _Otherwise("a constant of the trace depends on it in no simple way")


def _affine(a: float, b: float, name: str) -> str:
    size = name if abs(a) == 1 else f"{abs(a):g} * {name}"
    if not b:
        return size if a > 0 else f"-{size}"
    return f"{size} {'+' if b > 0 else '-'} {abs(b):g}" if a > 0 else f"{b:g} - {size}"


def _short(x: float) -> float | None:
    return next((one * sign for one in SHORT for sign in (1, -1) if abs(x - one * sign) < CLOSE * max(1, abs(x))), None)


def _fits(made: list[float], found: list[float]) -> bool:
    return all(abs(a - b) <= CLOSE * max(1.0, abs(b)) for a, b in zip(made, found, strict=True))


def _points(subject: Subject, of_rows: bool) -> tuple[list[list[Any]], str]:
    """Value and slope of single predictions, and what a batch of two of them comes to."""
    loss, contract = function_of(subject), subject.contract
    shape = (1,) * max(1, len(contract.pred.domain.axes))
    by_label = kinds_of(subject)[1] == "index"

    def at(pred: list[Any], target: list[Any]) -> tuple[Any, Any]:
        x, t = (torch.tensor(one, dtype=torch.float64) for one in (pred, target))
        if by_label:
            t = t.argmax(dim=-1)
        elif not of_rows:
            x, t = (one.reshape(-1, *shape[1:]) for one in (x, t))
        x.requires_grad_()
        try:
            made = loss(x, t)
        except (RuntimeError, ValueError, IndexError) as error:
            if not of_rows:
                raise
            why = "a row of an expression has any number of classes"
            given = {"it says": str(error).splitlines()[0][:120]}
            raise LossmithError(message(f"{subject.name} does not take {ROW} classes", given, why=why)) from None
        return made.detach(), torch.autograd.grad(made.sum(), x)[0]

    pairs = list(_pairs_of_rows(subject, by_label) if of_rows else _pairs(subject))[:MOST]
    rows = []
    for pred, target in pairs:
        value, slope = at([pred], [target])
        rows.append([pred, target, float(value.sum()), slope[0].tolist() if of_rows else float(slope.sum())])
    both, _ = at(*map(list, zip(*pairs[:2], strict=True)))
    values = [row[2] for row in rows[:2]]
    if both.numel() > 1:
        return rows, "values"
    return rows, "mean" if isclose(float(both), sum(values) / 2, rel_tol=1e-5) else "sum"


def _pairs_of_rows(subject: Subject, by_label: bool) -> Iterator[tuple[list[float], list[float]]]:
    """Each label with rows near and far; or distributions with them."""
    made = torch.Generator().manual_seed(0)
    for size in (1.0, 3.0, 10.0):
        for label in range(ROW):
            pred, goal = (torch.randn(ROW, generator=made, dtype=torch.float64) for _ in range(2))
            hot = torch.nn.functional.one_hot(torch.tensor(label), ROW).double()
            target = hot if by_label else goal.softmax(-1)
            yield _of_kind(pred * size, kinds_of(subject)[0]).tolist(), target.tolist()


def _of_kind(row: torch.Tensor, kind: str) -> torch.Tensor:
    return row.softmax(-1) if kind in ("simplex", "prob") else row.log_softmax(-1) if kind == "logprob" else row


def _pairs(subject: Subject) -> Iterator[tuple[float, float]]:
    where, goal = subject.contract.preds[0], subject.contract.target
    far = 10.0 if kinds_of(subject)[0] in ("real", "logits") else 1.0
    for seed in range(DRAWS):
        given = subject.draw(seed)
        preds, targets = (given[index].double().flatten().tolist() for index in (where, goal or 0))
        for pred, target in list(zip(preds, targets, strict=True))[: MOST // DRAWS]:
            yield pred * (far if seed == DRAWS - 1 else 1.0), target
