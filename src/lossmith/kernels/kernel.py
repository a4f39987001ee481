"""How a formula comes to its kernel: a kernel is the formula with another body.

    @computes(formulas.nt_xent)
    def nt_xent(ops, first, second, *, temperature): ...

`kernel_of(formula)` is that formula where it has one, else the formula itself: shapes, claims, checks, masks, weights
and reductions are the same code for both. The body of a kernel knows no masks: entries that are ignored are taken out
of the batch before, which is what "ignored = removed" says. And it gets half precision as it was given, not widened.

The formula's own body runs where a kernel cannot: under `torch.func`, forward-mode derivatives, tracing, compilation
and export, on subclasses of tensors, and on problems with leading axes.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any

import torch
from torch import _C, Tensor, nn
from torch.autograd import forward_ad
from torch.fx.experimental.proxy_tensor import get_proxy_mode

from lossmith.criterion import have_entries
from lossmith.domains import KINDS
from lossmith.kernels import totals
from lossmith.kernels.blocks import InBlocks, in_blocks
from lossmith.kernels.boxes import BOXES
from lossmith.kernels.by_hand import BY_HAND, COMPILED, LONG, asking
from lossmith.kernels.rows import ROWS
from lossmith.kernels.slopes import FUSED, KNOWN, PLACES, WRITTEN
from lossmith.spec import Formula, Outcome

PLAIN = (Tensor, nn.Parameter)
ALL_WRITTEN = BOXES | WRITTEN
WIDE = (torch.float32, torch.float64)
_KERNELS: dict[str, Formula] = {}
_EAGER: dict[Formula, Formula] = {}  # a user's formula may have the name of another
_BLOCKS: dict[Formula, InBlocks | None] = {}
_WRITTEN: dict[tuple[Formula, str], Formula] = {}


class Kernel(Formula):
    """A formula whose body widens half precision itself."""

    def outcome(self, ops: Any, *arrays: Tensor, kept: Tensor | None = None, **settings: Any) -> Outcome[Tensor]:
        wide = torch.promote_types(arrays[0].dtype, torch.float32)
        as_given = (torch.float16, torch.bfloat16) if wide == torch.float32 else ()
        given = [x.to(wide) if x.is_floating_point() and x.dtype not in as_given else x for x in arrays]
        made = self.body(ops, *given, kept=kept, **settings)
        return made if isinstance(made, Outcome) else Outcome(made)


def computes(formula: Formula) -> Callable[[Callable[..., Any]], Formula]:
    """Enter the decorated function as the kernel of a formula: its body without `kept`, on torch tensors."""

    def enter(body: Callable[..., Any]) -> Formula:
        _KERNELS[formula.name] = _with_body(Kernel, formula, _of_kept(formula, body))
        return _KERNELS[formula.name]

    return enter


def _with_body(kind: type[Formula], formula: Formula, body: Callable[..., Any]) -> Formula:
    made = object.__new__(kind)  # a formula is copied by name, as itself
    vars(made).update(vars(formula), body=_guarded(formula, body))
    return made


def kernel_of(formula: Formula) -> Formula:
    """The formula as its kernel computes it, where it has one."""
    return _KERNELS.get(formula.name, formula)


def eager_of(formula: Formula) -> Formula:
    """The formula as it is best computed without a compiler: by its kernel, by hand, by torch's, or in blocks."""
    if formula.name in _KERNELS:
        return _KERNELS[formula.name]
    if formula not in _EAGER:
        body = BY_HAND.get(formula) or _blocks_of(formula)
        _EAGER[formula] = formula if body is None else _with_body(Formula, formula, body)
    return _EAGER[formula]


def compiles(formula: Formula) -> bool:
    """Whether one compiled pass of the formula is better than what `eager_of` gives, at least on some device."""
    return kernel_of(formula) is formula and formula not in LONG and formula not in BOXES


def stays(formula: Formula, device: torch.device) -> bool:
    """Whether there `eager_of`, or the written slope, is faster than one compiled pass of the formula."""
    return device.type == "cpu" and (formula in BY_HAND or formula in ALL_WRITTEN)


def rows_stay(formula: Formula, arrays: Sequence[Tensor], settings: Mapping[str, Any]) -> bool:
    """Whether rows with labels are faster by hand: compiled they took 2.7 times as long, twice with weights."""
    labels = len(arrays) == 2 and not arrays[1].is_floating_point() and arrays[0].device.type == "cpu"
    known = settings.get("class_weight") is None or not settings.get("label_smoothing")
    return formula in ROWS and labels and known


def written_of(formula: Formula, **options: Any) -> Formula | None:
    """The formula with what is written for it compiled, a slope or a body by hand, where all of it is too much work."""
    key = (formula, repr(sorted(options.items())))
    if key in _WRITTEN:
        return _WRITTEN[key]
    if formula in ALL_WRITTEN:
        _WRITTEN[key] = made = _with_body(Formula, formula, formula.body)
        _BLOCKS[made] = InBlocks(formula, ALL_WRITTEN[formula].compiled(**options))
    elif formula in COMPILED:
        made = _with_body(Formula, formula, asking(formula, COMPILED[formula](**options)))
        _WRITTEN[key], _EAGER[made], _BLOCKS[made] = made, made, None
    return _WRITTEN.get(key)


def _blocks_of(formula: Formula) -> InBlocks | None:
    """The formula a block at a time, where its samples do not interact."""
    if formula not in _BLOCKS:
        body = (
            InBlocks(
                formula, KNOWN.get(formula) or ALL_WRITTEN.get(formula), FUSED.get(formula), PLACES.get(formula, (0,))
            )
            if in_blocks(formula) and formula not in BY_HAND
            else None
        )
        _BLOCKS[formula] = body
    return _BLOCKS[formula]


def body_for(formula: Formula, arrays: Sequence[Tensor], kinds: Sequence[str]) -> InBlocks | None:
    """The body that adds up the values of arrays of these shapes and kinds in one go (`totals`), if one can.

    None for what is widened first, for nothing, and for labels on a device that would have to be waited for.
    """
    body, first = None if formula.name in _KERNELS else _blocks_of(formula), arrays[0]
    integer = [KINDS[kind].integer for kind in kinds]
    alike = all(each or x.dtype == first.dtype for x, each in zip(arrays, integer, strict=True))
    waits = any(integer) and first.device.type != "cpu"
    return body if first.dtype in WIDE and alike and first.numel() and not waits else None


def freely(arrays: Sequence[object]) -> bool:
    """Whether these are plain tensors and nothing looks on: no mode, transform, trace or autocast.

    What is asked of every plain call, before anything else: cheap questions alone.
    """
    if torch.compiler.is_compiling() or _C._is_any_autocast_enabled() or _C._len_torch_function_stack():
        return False
    if forward_ad._current_level >= 0 or _C._are_functorch_transforms_active():
        return False
    for x in arrays:
        if type(x) not in PLAIN:
            return False
    return not _C._len_torch_dispatch_stack() or get_proxy_mode() is None


def ignored_in(labels: Tensor, ignored: int) -> int | None:
    """The ignored label, unless these labels cannot hold it, so that no mask is made for it; no device is asked."""
    plain = labels.device.type == "cpu" and not labels.is_floating_point() and labels.numel()
    if not plain or _C._len_torch_function_stack() or not runs(labels):
        return ignored
    return totals.ignored_in(labels, ignored)


def kernels() -> Mapping[str, Formula]:
    """Every kernel, by the name of its formula."""
    return dict(_KERNELS)


def runs(*arrays: Tensor) -> bool:
    """Whether kernels may run on these tensors, here."""
    if torch.compiler.is_compiling() or _C._are_functorch_transforms_active() or get_proxy_mode() is not None:
        return False
    for x in arrays:
        if type(x) not in PLAIN or x.is_meta:
            return False
    moving = forward_ad._current_level >= 0
    return not (moving and any(forward_ad.unpack_dual(x).tangent is not None for x in arrays if x.is_floating_point()))


def _guarded(formula: Formula, body: Callable[..., Any]) -> Callable[..., Any]:
    """The body where kernels may run, else the formula's."""

    @wraps(formula.body)
    def run(ops: Any, *arrays: Tensor, kept: Tensor | None = None, **settings: Any) -> Any:
        settings = {**formula.keywords, **settings}
        more = {} if kept is None else {"kept": kept}
        tensors = [x for x in settings.values() if isinstance(x, Tensor)]
        return (body if runs(*arrays, *tensors) else formula.outcome)(ops, *arrays, **more, **settings)

    return run


def _of_kept(formula: Formula, body: Callable[..., Any]) -> Callable[..., Any]:
    """A body without `kept` on what is kept of one problem."""

    def run(ops: Any, *arrays: Tensor, kept: Tensor | None = None, **settings: Any) -> Any:
        if formula.coupled and arrays[0].ndim != 2:
            more = {} if kept is None else {"kept": kept}
            return formula.outcome(ops, *arrays, **more, **settings)
        if kept is None:
            return body(ops, *arrays, **settings)
        own = have_entries(ops, formula, arrays)
        left = [array[kept] if each else array for array, each in zip(arrays, own, strict=True)]
        made = body(ops, *left, **settings)
        return _put_back(made, kept) if set(formula.coupled) <= set(formula.shapes.result) else made

    return run


def _put_back(made: Any, kept: Tensor) -> Outcome[Tensor]:
    """The values of the samples that are left at their places, 0 at the others."""
    outcome: Outcome[Tensor] = made if isinstance(made, Outcome) else Outcome(made)

    def spread(part: Tensor) -> Tensor:
        if part.ndim == 0:  # a count over the batch
            return part
        return part.new_zeros(kept.shape).masked_scatter(kept, part)

    counts = None if outcome.counts is None else spread(outcome.counts)
    return Outcome(spread(outcome.values), counts, {name: spread(term) for name, term in outcome.terms.items()})
