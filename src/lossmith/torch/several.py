"""Several tasks at once: a loss for each, and weights between them; the mathematics is in `lossmith.balance`."""

from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any, final

import torch
from torch import Tensor, nn

from lossmith import balance
from lossmith.errors import DtypeError, SettingError, ShapeError, message
from lossmith.ops.torch import under_autocast, widen
from lossmith.torch.loss import Total
from lossmith.torch.weighting import FixedWeights, Weighting

Loss = nn.Module | Callable[..., Tensor]


@final
class MultiTaskLoss(nn.Module):
    """A loss for each task, weighed against each other. Inputs, targets, masks and weights are dicts by task.

    A task's loss is any module or function that gives a total: ours, one of torch.nn, your own. An input that is a
    tuple is handed over as several arguments; a task whose loss takes no target has the target None.

    losses      by task; modules among them are submodules, so that their parameters are found
    weighting   `FixedWeights`, `UncertaintyWeighting`, `DynamicWeightAverage`, `RandomWeights`, or a `Weighting` of
                your own; None gives every task the weight 1

    >>> loss = MultiTaskLoss({"x": MSELoss(), "y": L1Loss()}, weighting=FixedWeights({"x": 1.0, "y": 0.5}))
    >>> one, zero = torch.tensor([1.0, 3.0]), torch.tensor([0.0, 0.0])
    >>> loss({"x": one, "y": one}, {"x": zero, "y": zero})
    tensor(6.)
    """

    def __init__(self, losses: Mapping[str, Loss], weighting: Weighting | None = None) -> None:
        super().__init__()
        balance.require_names("MultiTaskLoss", losses, taken=dir(nn.ModuleDict))
        self.losses = nn.ModuleDict({task: _module(task, loss) for task, loss in losses.items()})
        if weighting is not None and not isinstance(weighting, Weighting):
            given = {"weighting": type(weighting).__name__}
            fix = "FixedWeights({...}), for numbers" if isinstance(weighting, Mapping) else None
            raise SettingError(message("MultiTaskLoss: weighting must be a Weighting", given, fix=fix))
        self.weighting = weighting or FixedWeights()
        self.weighting.start(tuple(losses))

    @property
    def tasks(self) -> tuple[str, ...]:
        """Their names, in the order in which they were given."""
        return tuple(self.losses)

    def forward(
        self,
        inputs: Mapping[str, Any],
        targets: Mapping[str, Any],
        *,
        weight: Mapping[str, Any] | None = None,
        mask: Mapping[str, Any] | None = None,
        denominator: Mapping[str, Any] | None = None,
        return_terms: bool = False,
    ) -> Total:
        """The total.

        weight, mask, denominator   for the tasks that are named in them, handed on to their losses
        return_terms                (total, {"seg.loss": ..., "seg.weight": ...}) for every task
        """
        for what, given in (("inputs", inputs), ("targets", targets)):
            balance.require_tasks("MultiTaskLoss", what, self.tasks, given)
        options = {"weight": weight, "mask": mask, "denominator": denominator}
        named = {what: given for what, given in options.items() if given is not None}
        for what, given in named.items():
            balance.require_known("MultiTaskLoss", what, self.tasks, given)
        each: dict[str, Tensor] = {}
        for task, loss in self.losses.items():
            arguments = [*_several(inputs[task]), *([] if targets[task] is None else [targets[task]])]
            keywords = {what: given[task] for what, given in named.items() if task in given}
            each[task] = _total(task, loss(*arguments, **keywords))
        return self._weighed(each, return_terms)

    def _weighed(self, each: dict[str, Tensor], return_terms: bool) -> Total:
        losses = list(each.values())
        dtype = reduce(torch.promote_types, [loss.dtype for loss in losses])
        wide = torch.stack([widen(loss.to(losses[0].device, dtype)) for loss in losses])
        weights, offset = self.weighting(wide)
        total = (weights * wide).sum() + offset
        total = total if under_autocast(total.device.type) else total.to(dtype)
        if not return_terms:
            return total
        terms = {f"{task}.loss": loss for task, loss in each.items()}
        return total, terms | {f"{t}.weight": w for t, w in zip(each, weights.detach(), strict=True)}


class _Function(nn.Module):
    """A function that stands among modules."""

    def __init__(self, function: Callable[..., Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *arguments: Any, **keywords: Any) -> Tensor:
        return self.function(*arguments, **keywords)

    def extra_repr(self) -> str:
        return getattr(self.function, "__name__", repr(self.function))


def _module(task: str, loss: Loss) -> nn.Module:
    if isinstance(loss, nn.Module):
        return loss
    if callable(loss) and not isinstance(loss, type):
        return _Function(loss)
    given = {task: loss.__name__ if isinstance(loss, type) else repr(loss)}
    fix = f"{loss.__name__}()" if isinstance(loss, type) else None
    raise SettingError(message(f"MultiTaskLoss: the loss of {task!r} must be a module or a function", given, fix=fix))


def _several(given: Any) -> tuple[Any, ...]:
    return tuple(given) if isinstance(given, (tuple, list)) else (given,)


def _total(task: str, result: Any) -> Tensor:
    if not isinstance(result, Tensor):
        given = {"gives": type(result).__name__}
        raise DtypeError(message(f"MultiTaskLoss: the loss of {task!r} must give a tensor", given))
    if result.ndim:
        given = {"gives": tuple(result.shape)}
        raise ShapeError(message(f"MultiTaskLoss: the loss of {task!r} must give one number", given))
    return result
