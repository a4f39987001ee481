"""The share of each term, and of each task, in value and in gradient, step by step.

    with plots.record(criterion) as r:
        for images, labels in loader:
            criterion(model(images), labels).backward()
    r.draw()

What is recorded of term i, with its weight w_i already in it:

    value      |w_i L_i|, and its share in the sum over the terms
    gradient   the norm of w_i dL_i / d prediction, and its share; several predictions count as one vector

A criterion is a sum of losses (`0.8 * HuberLoss() + 0.2 * L1Loss()`), a `MultiTaskLoss`, or a loss with named terms.
The recorder asks the same call for its terms (`return_terms=True`) and hands on what the caller asked for: nothing is
computed twice but the gradients of the terms by the predictions, which do not go through the model. Calls without
gradients, as in validation, are not recorded.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from lossmith.errors import SettingError, message, missing_extra

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from torch import Tensor, nn


@dataclass
class Record:
    """One row a recorded step: sizes of the values and norms of the gradients, by term, weights included."""

    values: list[dict[str, float]] = field(default_factory=list[dict[str, float]])
    gradients: list[dict[str, float]] = field(default_factory=list[dict[str, float]])

    def __len__(self) -> int:
        return len(self.values)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for row in self.values for name in row))

    def shares(self, what: str = "value") -> dict[str, Any]:
        """By term, its share at each step: of the "value", or of the "gradient". Shares of a step sum to 1."""
        if what not in ("value", "gradient"):
            raise SettingError(message(f"{what!r} is not recorded", {"recorded": "value, gradient"}))
        rows = self.values if what == "value" else self.gradients
        sizes = np.array([[abs(row.get(name, 0.0)) for name in self.names] for row in rows]).reshape(len(rows), -1)
        whole = sizes.sum(1, keepdims=True)
        with np.errstate(invalid="ignore", divide="ignore"):
            parts = np.where(whole > 0, sizes / whole, 1.0 / max(1, sizes.shape[1]))
        return {name: parts[:, number] for number, name in enumerate(self.names)}

    def draw(self, axes: "tuple[Axes, Axes] | None" = None) -> "tuple[Axes, Axes]":
        """Stacked shares over the steps, of the value above and of the gradient below; returns the two axes."""
        from lossmith.plots import style

        if not self.values:
            raise SettingError(
                message("nothing was recorded", why="the criterion was not called with gradients inside `record`")
            )
        chosen: Any = tuple(style.figure(6.4, 5.2).subplots(2, 1, sharex=True)) if axes is None else axes
        steps = np.arange(1, len(self) + 1)
        for one, what in zip(chosen, ("value", "gradient"), strict=True):
            shares = self.shares(what)
            colours = [style.COLOURS[number % len(style.COLOURS)] for number in range(len(shares))]
            one.stackplot(steps, *shares.values(), labels=list(shares), colors=colours, alpha=0.85)
            one.set(ylabel=f"share of the {what}", ylim=(0.0, 1.0), xlim=(1, max(2, len(self))))
            style.plain(one)
        chosen[0].legend(loc="upper right", framealpha=0.85)
        chosen[1].set_xlabel("step")
        return chosen


@contextmanager
def record(criterion: "nn.Module", *, every: int = 1, wrt: "Iterable[Tensor] | None" = None) -> Iterator[Record]:
    """Record the terms of a torch criterion at every `every`-th call inside the block.

    wrt   the gradients are by these tensors, such as the shared weights of several tasks: the whole model is gone
          back through once a term. Without it they are by the floating-point arguments that have a gradient
    """
    try:
        from torch import is_grad_enabled, nn
    except ModuleNotFoundError:
        raise missing_extra("plots.record", "torch", "torch") from None
    if not isinstance(criterion, nn.Module) or every < 1:
        given = {"criterion": type(criterion).__name__, "every": every}
        raise SettingError(message("record takes a torch criterion, and `every` of 1 or more", given))
    made, shared = Record(), None if wrt is None else list(wrt)
    calls, asked = [0], [False]

    def before(_: Any, args: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        asked[0] = bool(keywords.get("return_terms", False))
        return args, {**keywords, "return_terms": True}

    def after(_: Any, args: tuple[Any, ...], keywords: dict[str, Any], output: Any) -> Any:
        total, terms = output
        calls[0] += 1
        if is_grad_enabled() and total.requires_grad and (calls[0] - 1) % every == 0:
            _write(made, _weighted(criterion, total, terms), shared or _predictions(args, keywords))
        return output if asked[0] else total

    hooks = [
        criterion.register_forward_pre_hook(before, with_kwargs=True),
        criterion.register_forward_hook(after, with_kwargs=True),
    ]
    try:
        yield made
    finally:
        for hook in hooks:
            hook.remove()


def _weighted(criterion: Any, total: Any, terms: "Mapping[str, Tensor]") -> "dict[str, Tensor]":
    """The terms that add up to the total, times their weights; what is only counted is left out."""
    from lossmith.torch.combined import Combined
    from lossmith.torch.several import MultiTaskLoss

    if isinstance(criterion, MultiTaskLoss):
        return {task: terms[f"{task}.weight"] * terms[f"{task}.loss"] for task in criterion.tasks}
    if isinstance(criterion, Combined):
        from lossmith.balance.sums import named

        names = named(criterion.losses)
        return {name: weight * terms[name].sum() for name, weight in zip(names, criterion.weights, strict=True)}
    made = {name: term.sum() for name, term in terms.items() if term.is_floating_point() and term.requires_grad}
    if not made:
        given = {"terms": ", ".join(terms) or "none"}
        fix = "a sum of losses, a MultiTaskLoss, or a loss with named terms"
        raise SettingError(message(f"{type(criterion).__name__} has no terms to record", given, fix=fix))
    return made


def _predictions(*given: Any) -> "list[Tensor]":
    """Every tensor among the arguments that has a gradient, in dicts and tuples too."""
    from torch import Tensor

    found: list[Tensor] = []
    for one in given:
        if isinstance(one, Tensor):
            found += [one] if one.requires_grad else []
        elif isinstance(one, Mapping):
            found += _predictions(*one.values())
        elif isinstance(one, (tuple, list)):
            found += _predictions(*one)
    return found


def _write(made: Record, terms: "Mapping[str, Tensor]", by: "list[Tensor]") -> None:
    import torch

    values: dict[str, float] = {}
    norms: dict[str, float] = {}
    for name, term in terms.items():
        values[name] = float(term.detach().abs())
        if not by or not term.requires_grad:
            norms[name] = 0.0
            continue
        found = torch.autograd.grad(term, by, retain_graph=True, allow_unused=True)
        squares = [grad.detach().double().square().sum() for grad in found if grad is not None]
        norms[name] = float(sum(squares, torch.zeros(())).sqrt())
    made.values.append(values)
    made.gradients.append(norms)
