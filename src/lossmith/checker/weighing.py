"""Where a loss takes weights, and how they enter it.

The gradient of a sample with weight w is c * w^k times what it is without, with one c for the whole batch: a sum has
c = 1, a mean over the weights c = n / sum(w). Between two samples c cancels, and k is what is measured: 1 for a weight
that is applied once, 2 for one that is applied twice, 0 for one that multiplies the total.
"""

import functools
import inspect
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from lossmith.checker.evidence import literal
from lossmith.checker.options import CLASS_WEIGHTS, class_weights, is_function, options
from lossmith.checker.sample import batched
from lossmith.checker.side import side_of
from lossmith.checker.subject import Subject, Trial

SAMPLE_WEIGHTS = ("sample_weight", "sample_weights", "weight", "weights", "w")


@dataclass(frozen=True)
class Weighing:
    """A loss with weights to choose: one for each sample, for each entry of the prediction, or for each class."""

    name: str
    per: str  # "sample", "entry" or "class"
    count: int
    optional: bool
    run: Callable[[Sequence[Any], Tensor, torch.dtype], Trial]
    registered: bool = False  # a buffer of the module, which nothing sets
    call: str = ""  # the same as Python: a call with the weights in a variable of this name

    def rows(self, subject: Subject, inputs: Sequence[Any]) -> list[int]:
        """Which weight belongs to each row of the batch."""
        if self.per != "class":
            return list(range(self.count))
        target = inputs[subject.contract.target or 0]
        return (target if target.ndim == 1 else target.argmax(1)).tolist()


def weighings(subject: Subject) -> list[Weighing]:
    inputs = subject.draw(0)
    known = [*_arguments(subject, inputs), *_keywords(subject, inputs), *_classes(subject, inputs)]
    return known or list(_registered(subject, inputs))


def _arguments(subject: Subject, inputs: Sequence[Any]) -> list[Weighing]:
    """Arguments that the contract calls a weight, one for each sample or each entry of the prediction."""
    rows = batched(subject.contract, inputs)
    found: list[Weighing] = []
    for index, argument in enumerate(subject.contract.arguments):
        shape, count = getattr(inputs[index], "shape", ()), len(inputs[subject.contract.preds[0]])
        by_entry = shape == inputs[subject.contract.preds[0]].shape and len(shape) == 2
        if argument.kind != "weight" or not rows[index] or not (by_entry or inputs[index].numel() == count):
            continue

        def run(values: Sequence[Any], w: Tensor, dtype: torch.dtype, i: int = index, shape: Any = shape) -> Trial:
            return subject.run((*values[:i], w.reshape(shape), *values[i + 1 :]), dtype=dtype)

        call = f"loss_fn({', '.join(each.name for each in subject.contract.arguments)})"
        per = "sample" if inputs[index].numel() == count else "entry"
        found.append(Weighing(argument.name, per, inputs[index].numel(), False, run, call=call))
    return found


def _keywords(subject: Subject, inputs: Sequence[Any]) -> list[Weighing]:
    """Optional keywords of the call that take one weight for each sample, or else for each entry."""
    function: Any = subject.loss if is_function(subject.loss) else getattr(subject.loss, "forward", None)
    if function is None or subject.framework not in ("torch", "keras") or not inspect.isroutine(function):
        return []
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return []
    offered = {option.name for option in options(subject) if option.kind == "weight"}
    pred = inputs[subject.contract.preds[0]]
    goal = pred if subject.contract.target is None else inputs[subject.contract.target]
    shapes = dict.fromkeys(((len(pred),), (len(pred), *[1] * (pred.ndim - 1)), tuple(pred.shape), tuple(goal.shape)))
    found: list[Weighing] = []
    others = [name for name in parameters if name.endswith(("_weight", "_weights")) and _of_samples(name)]
    for name in dict.fromkeys((*SAMPLE_WEIGHTS, *others)):
        if name not in parameters or parameters[name].default is not None or name in offered & {"weight", "weights"}:
            continue
        for shape in shapes:
            weighing = _keyword(subject, name, shape)
            if weighing.run(inputs, torch.ones(weighing.count), torch.float32).ok:
                found.append(weighing)
                break
    return found


def _of_samples(name: str) -> bool:
    side = side_of(name)
    return side is not None and (side.kind, side.shape) == ("weight", "any")


def _keyword(subject: Subject, name: str, shape: Sequence[int]) -> Weighing:
    count = math.prod(shape)

    def run(values: Sequence[Any], w: Tensor, dtype: torch.dtype) -> Trial:
        bound = functools.partial(subject.loss, **{name: w.to(torch.float32).reshape(tuple(shape))})
        return replace(subject, loss=bound, build=None, _twins={}, cache={}).run(values, dtype=dtype)

    given = name if len(shape) == 1 else f"{name}.reshape{tuple(shape)}"
    call = f"loss_fn({_names(subject)}, {name}={given})"
    return Weighing(name, "sample" if count == shape[0] else "entry", count, True, run, call=call)


def _classes(subject: Subject, inputs: Sequence[Any]) -> list[Weighing]:
    """Settings that take one weight for each class, where the target says which row has which class."""
    if subject.contract.target_kind() not in ("index", "onehot") or inputs[subject.contract.preds[0]].ndim != 2:
        return []
    found: list[Weighing] = []
    for option in options(subject):
        weights = class_weights(subject, option.name)
        if option.kind != "weight" or weights is None or option.name == "pos_weight":
            continue

        def run(values: Sequence[Any], w: Tensor, dtype: torch.dtype, name: str = option.name) -> Trial:
            build = subject.build
            if build is None:
                build = functools.partial(functools.partial, subject.loss)
            made = replace(subject, build=build).with_settings(**{name: w.to(torch.float32)})
            return Trial(tuple(values)) if made is None else made.run(values, dtype=dtype)

        if run(inputs, torch.ones(len(weights)), torch.float32).ok:
            found.append(Weighing(option.name, "class", len(weights), True, run, call=_rebuilt(subject, option.name)))
    return found


def _registered(subject: Subject, inputs: Sequence[Any]) -> Iterator[Weighing]:
    """Weights of classes that a module holds as a buffer, and that no setting gives."""
    if subject.module is None or subject.contract.target_kind() not in ("index", "onehot"):
        return
    pred = inputs[subject.contract.preds[0]]
    for name, held in subject.module.named_buffers():
        if name not in CLASS_WEIGHTS or name == "pos_weight" or pred.ndim != 2 or held.shape != pred.shape[1:]:
            continue

        def run(values: Sequence[Any], w: Tensor, dtype: torch.dtype, name: str = name) -> Trial:
            made = subject.twin(dtype)
            made.get_buffer(name).copy_(w)
            return subject.run(values, dtype=dtype, loss=made)

        yield Weighing(name, "class", len(held), True, run, registered=True)


def _names(subject: Subject) -> str:
    return ", ".join(argument.name for argument in subject.contract.arguments)


def _rebuilt(subject: Subject, name: str) -> str:
    """A call of the loss that is built with weights; empty for one that has no name of its own."""
    kept = {key: value for key, value in subject.settings.items() if key != name}
    settings = ", ".join([*(f"{key}={literal(value)}" for key, value in kept.items()), f"{name}={name}"])
    if subject.contract.fold is not None or not subject.recipe:
        return ""
    if is_function(subject.loss):
        return f"{subject.name}({_names(subject)}, {settings})"
    return f"{subject.name}({settings})({_names(subject)})"


def powers(subject: Subject, weighing: Weighing, inputs: Sequence[Any], dtype: torch.dtype) -> list[float]:
    """k for one weight that is doubled, between rows that have it and rows that do not."""
    plain = weighing.run(inputs, torch.ones(weighing.count, dtype=torch.float64), dtype)
    rows = weighing.rows(subject, inputs)
    found: list[float] = []
    for chosen in sorted(set(rows))[:3]:
        w = torch.ones(weighing.count, dtype=torch.float64)
        w[chosen] = 2.0
        other = weighing.run(inputs, w, dtype)
        if plain.grad is None or other.grad is None or not plain.finite_grad or not other.finite_grad:
            return []
        one, two = plain.grad.reshape(len(rows), -1), other.grad.reshape(len(rows), -1)
        sizes = [(_size(one[i]), _size(two[i]), which == chosen) for i, which in enumerate(rows)]
        inside = [after / before for before, after, mine in sizes if mine and before > 0 and after > 0]
        outside = [after / before for before, after, mine in sizes if not mine and before > 0 and after > 0]
        if inside and outside:
            found += [math.log2(a / b) for a in inside for b in outside]
    return found


def _size(grad: Tensor) -> float:
    return float(grad.double().norm())
