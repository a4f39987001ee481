"""Values and slopes of a formula, a block of samples at a time: what lies between stays in the cache, and is then gone.

    forward    for each block: values, and their derivative in what has a gradient
    backward   slope * upstream

Where samples do not interact, the derivative of each value is known in the forward already: nothing of the chain of
operations is kept for the backward. It comes from the formula itself, by autograd on the block, or from `known`, a
function that writes both in a few operations (`slopes`).

Memory     the slopes, and one block of what lies between; eager torch keeps every operation's result
Numerics   the formula's own, but for `known`, which gives way to the formula where a block is not finite
Again      a second backward computes the slopes again; a graph of the gradient is the formula's
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import isfinite, prod
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from lossmith.kernels.written import Written
from lossmith.ops import torch as ops
from lossmith.spec import Formula, Outcome

ON_CPU, ON_DEVICE = 2**17, 2**23  # entries of a block: of the size of a cache, or of what a device does at once
Index = tuple[slice, ...]
Both = Callable[..., tuple[Tensor, ...] | None]


class InBlocks:
    """The body of a formula whose samples do not interact.

    known   gives (value, slopes in the arguments at `places`), or None for settings or arrays that it does not know
    fused   gives the values by a kernel of torch's, or None likewise
    """

    def __init__(
        self,
        formula: Formula,
        known: Both | None = None,
        fused: Callable[..., Tensor | None] | None = None,
        places: Sequence[int] = (0,),
    ) -> None:
        self.formula, self.known, self.fused, self.places = formula, known, fused, places
        self.plain = True  # until the formula returns more than values
        self.labels = formula.arguments.index("target") if "target" in formula.arguments else None
        self._trailing = sum(axis != "..." for axis in formula.shapes.arguments[0][0])

    def __call__(self, reader: Any, *arrays: Tensor, **settings: Any) -> Any:
        # a mode that follows operations, such as one that counts waits for a device, is shown the formula: what is
        # known here looks at numbers, on the CPU alone
        if torch._C._len_torch_function_stack():
            return self.formula.body(reader, *arrays, **settings)
        made = None if self.fused is None else self.fused(*arrays, **settings)
        if made is not None:
            return made
        wanted = torch.is_grad_enabled() and any(x.requires_grad for x in arrays)
        moved = [place for place, x in enumerate(arrays) if wanted and x.requires_grad]
        if not self.plain or learns(settings) or not self.pays(arrays, settings, moved):
            return self.formula.body(reader, *arrays, **settings)
        try:
            return _Blocks.apply(self, settings, *arrays)
        except MoreThanValues:
            self.plain = False
            return self.formula.body(reader, *arrays, **settings)

    def pays(self, arrays: Sequence[Tensor], settings: Mapping[str, Any], moved: Sequence[int]) -> bool:
        """Whether this is better than the formula: its slope is known, or the batch is larger than a cache."""
        return self._knows(moved) or not self.alone(arrays, settings)

    def alone(self, arrays: Sequence[Tensor], settings: Mapping[str, Any]) -> bool:
        """Whether one block is enough."""
        return self._in_turn(arrays, settings) is None

    def count(self, arrays: Sequence[Tensor]) -> int:
        """How many values there are."""
        return arrays[0].numel() if not self._trailing else prod(self._batch(arrays))

    def both(
        self, arrays: Sequence[Tensor], settings: Mapping[str, Any], moved: Sequence[int]
    ) -> tuple[Tensor, list[Tensor]]:
        """The values, and their slopes in the arguments at these places."""
        turns = self._in_turn(arrays, settings)
        if turns is None:
            return self._of_block(arrays, settings, moved)
        values = arrays[0].new_empty(self._batch(arrays))
        slopes = [torch.empty_like(arrays[place]) for place in moved]
        for index in turns:
            value, parts = self._of_block([x[index] for x in arrays], settings, moved)
            values[index] = value
            for slope, part in zip(slopes, parts, strict=True):
                slope[index] = part
        return values, slopes

    def summed(
        self,
        arrays: Sequence[Tensor],
        settings: Mapping[str, Any],
        moved: Sequence[int],
        scale: float,
        keep: Tensor | None = None,
    ) -> tuple[Tensor, list[Tensor]]:
        """The sum of the values that are kept, times `scale`, and its slopes in the arguments at these places."""
        if isinstance(self.known, Written) and keep is None and self._knows(moved) and _on_cpu(arrays):
            found = self.known.summed(arrays, scale, settings)
            if found is not None:
                return found[0], [found[1]]
        turns = self._in_turn(arrays, settings)
        if turns is None:
            value, found = self._kept_sum(arrays, settings, moved, keep)
            return value.mul_(scale), [slope * scale for slope in found]
        slopes = [torch.empty_like(arrays[place]) for place in moved]
        parts: list[Tensor] = []
        for index in turns:
            here = None if keep is None else keep[index]
            value, found = self._kept_sum([x[index] for x in arrays], settings, moved, here)
            parts.append(value)
            for slope, part in zip(slopes, found, strict=True):
                torch.mul(part, scale, out=slope[index])
        return torch.stack(parts).sum().mul_(scale), slopes

    def _kept_sum(
        self, arrays: Sequence[Tensor], settings: Mapping[str, Any], moved: Sequence[int], keep: Tensor | None
    ) -> tuple[Tensor, list[Tensor]]:
        """The sum of the values of a block that are kept, and its slopes."""
        found = self._known(arrays, settings, moved)
        if found is not None:
            total = _where_kept(keep, found[0]).sum()
            if isfinite(total.item()):
                return total, [_where_kept(keep, slope) for slope in found[1]]
        values, slopes = self._by_formula(arrays, settings, moved, terms=False)
        return _where_kept(keep, values).sum(), [_where_kept(keep, slope) for slope in slopes]

    def _of_block(
        self, arrays: Sequence[Tensor], settings: Mapping[str, Any], moved: Sequence[int]
    ) -> tuple[Tensor, list[Tensor]]:
        found = self._known(arrays, settings, moved)
        if found is not None and isfinite(found[0].sum().item()):
            return found
        return self._by_formula(arrays, settings, moved)

    def _known(
        self, arrays: Sequence[Tensor], settings: Mapping[str, Any], moved: Sequence[int]
    ) -> tuple[Tensor, list[Tensor]] | None:
        """By the function that writes both, which is right where the values are finite."""
        # a device would have to be waited for, to see whether they are
        if self.known is None or not self._knows(moved) or not _on_cpu(arrays):
            return None
        found = self.known(*arrays, **settings)
        return None if found is None else (found[0], [found[1 + self.places.index(place)] for place in moved])

    def _knows(self, moved: Sequence[int]) -> bool:
        return self.known is not None and bool(moved) and all(place in self.places for place in moved)

    def _by_formula(
        self, arrays: Sequence[Tensor], settings: Mapping[str, Any], moved: Sequence[int], *, terms: bool = True
    ) -> tuple[Tensor, list[Tensor]]:
        """By autograd on the block. Without `terms` nobody asks for more than the values."""
        leaves = [x.detach().requires_grad_(place in moved) for place, x in enumerate(arrays)]
        # the hooks of a caller (checkpoints) are for what is kept, and this is not
        with torch.set_grad_enabled(bool(moved)), saved_tensors_hooks(_itself, _itself):
            value = self.formula.body(ops, *leaves, **settings)
            if isinstance(value, Outcome) and (terms or value.counts is not None):
                raise MoreThanValues
            value = value.values if isinstance(value, Outcome) else value
            chosen = [leaves[place] for place in moved]
            if not (moved and value.requires_grad):
                return value, [torch.zeros_like(x) for x in chosen]
            return value.detach(), list(torch.autograd.grad(value.sum(), chosen, materialize_grads=True))

    def _batch(self, arrays: Sequence[Tensor]) -> torch.Size:
        return arrays[0].shape[: arrays[0].ndim - self._trailing]

    def _in_turn(self, arrays: Sequence[Tensor], settings: Mapping[str, Any]) -> Iterator[Index] | None:
        """The blocks; None where one is enough. Axes that a setting has values for stay whole."""
        most = limit(arrays[0])
        if arrays[0].numel() <= most:
            return None
        batch = self._batch(arrays)
        axes = max((_axes(value) for value in settings.values()), default=0)
        free = len(batch) if not axes else min(len(batch), arrays[0].ndim - axes)
        return blocks(batch[:free], prod(arrays[0].shape[free:]), most) if free > 0 else None


def in_blocks(formula: Formula) -> bool:
    """Whether each value of a formula is its own sample's alone."""
    shapes = formula.shapes
    own = all("..." in pattern for patterns in shapes.arguments for pattern in patterns)
    return own and not formula.coupled and shapes.result == ("...",)


class MoreThanValues(Exception):
    """A body returned counts or terms as well."""


class _Blocks(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, body: InBlocks, settings: Mapping[str, Any], *arrays: Tensor) -> Tensor:
        ctx.body, ctx.settings = body, settings
        ctx.moved = [place for place in range(len(arrays)) if ctx.needs_input_grad[2 + place]]
        values, ctx.slopes = body.both(arrays, settings, ctx.moved)
        ctx.save_for_backward(*arrays)
        return values

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        (weight,), arrays = upstream, ctx.saved_tensors
        gradients: list[Tensor | None] = [None] * (2 + len(arrays))
        if torch.is_grad_enabled():
            values = ctx.body.formula.body(ops, *arrays, **ctx.settings)
            chosen = [arrays[place] for place in ctx.moved]
            found = torch.autograd.grad(values, chosen, weight, create_graph=True, materialize_grads=True)
        else:
            # handed over and not kept, so that they can be scaled in place
            found, ctx.slopes = ctx.slopes, None
            if found is None:
                _, found = ctx.body.both(arrays, ctx.settings, ctx.moved)
            found = [slope.mul_(weight[(..., *(None,) * (slope.ndim - weight.ndim))]) for slope in found]
        for place, gradient in zip(ctx.moved, found, strict=True):
            gradients[2 + place] = gradient
        return tuple(gradients)


def slices(shape: Sequence[int], axis: int, limit: int) -> Iterator[Index]:
    """Blocks of about `limit` entries that leave one axis whole, the last or the second."""
    batch = [length for place, length in enumerate(shape) if place != axis]
    for index in blocks(batch, shape[axis], limit):
        yield index if axis == len(shape) - 1 else (index[0], slice(None), *index[1:])


def blocks(lengths: Sequence[int], rest: int, limit: int) -> Iterator[Index]:
    """Slices of the leading axes that hold about `limit` entries, where an index holds `rest` more."""
    axis, inner = len(lengths) - 1, rest
    while axis > 0 and inner * lengths[axis] <= limit:
        inner *= lengths[axis]
        axis -= 1
    step = max(1, limit // max(1, inner))
    outer = [()] if axis == 0 else blocks(lengths[:axis], limit, limit)
    for before in outer:
        for start in range(0, lengths[axis], step):
            yield (*before, slice(start, start + step))


def _where_kept(keep: Tensor | None, x: Tensor) -> Tensor:
    """x, and 0 where a sample is not kept, whatever it holds."""
    return x if keep is None else torch.where(keep[(..., *(None,) * (x.ndim - keep.ndim))], x, 0.0)


def _on_cpu(arrays: Sequence[Tensor]) -> bool:
    return arrays[0].device.type == "cpu"


def limit(x: Tensor) -> int:
    """How many entries a block has."""
    return ON_CPU if x.device.type == "cpu" else ON_DEVICE


def _axes(value: object) -> int:
    """How many of the last axes a setting has values for."""
    return value.ndim if isinstance(value, Tensor) else int(isinstance(value, (list, tuple)))


def learns(settings: Mapping[str, Any]) -> bool:
    """Whether a setting has a gradient, which is not asked of a body."""
    return bool(settings) and any(isinstance(x, Tensor) and x.requires_grad for x in settings.values())


def _itself(x: Tensor) -> Tensor:
    return x
