"""From values (a loss before reduction) to a total, once, for every framework.

    none            w_i v_i
    sum             sum w_i c_i v_i
    mean            sum w_i c_i v_i / sum c_i
    weighted_mean   sum w_i c_i v_i / sum w_i c_i

c_i is how many terms a value stands for: 1, but for a loss that says otherwise, such as the mean over the active
triplets of an anchor; 0 where a value is not defined. `mean` without counts divides by the number of values.

Masked means removed: a masked entry counts in no sum and no divisor, whatever it holds. That takes two steps.
`guard` replaces what masked entries hold before the formula runs, because `where` after it would still multiply
a NaN slope by 0; `reduce` leaves their values out.
"""

from collections.abc import Sequence
from typing import Literal, get_args

from lossmith.domains import KINDS
from lossmith.errors import SettingError, ShapeError, message
from lossmith.ops import A, Ops
from lossmith.settings import require_word

Reduction = Literal["none", "sum", "mean", "weighted_mean"]
_WORDS = get_args(Reduction)


def guard(
    ops: Ops[A], arrays: Sequence[A], kinds: Sequence[str], mask: A | None, *, caller: str = "guard"
) -> tuple[A, ...]:
    """Replace the masked entries of every array by a value on which each formula is finite.

    Shapes    each array: (..., more); mask: the leading part of each array's shape, True where an entry counts
    Kinds     one name of `lossmith.domains.KINDS` for each array
    Gradient  0 in every masked entry, exactly
    Errors    ShapeError when the mask is not a leading part of an array's shape
    """
    if mask is None:
        return tuple(arrays)
    return tuple(
        ops.where(
            ops.truth(align(ops, caller, "mask", mask, array)), array, ops.full_like(array, _inside(ops, array, kind))
        )
        for array, kind in zip(arrays, kinds, strict=True)
    )


def _inside(ops: Ops[A], array: A, kind: str) -> float:
    """The value that replaces a masked entry; 0 in an integer array, which cannot hold one half."""
    return KINDS[kind].inside if ops.number_kind(array) == "float" else 0


def reduce(
    ops: Ops[A],
    values: A,
    *,
    reduction: Reduction,
    weight: object = None,
    mask: object = None,
    denominator: object = None,
    normaliser: A | None = None,
    counts: A | None = None,
    caller: str = "reduce",
) -> A:
    """Reduce values to a total, in the dtype of the values.

    Shapes       values: (...); weight, mask, normaliser: that shape or a leading part of it (one for each sample);
                 counts: that shape
    weight       multiplies the values; a weight of 0 does not hide a NaN: that is what a mask is for
    mask         True or nonzero where an entry counts
    normaliser   weights that the values already hold, such as class weights: `weighted_mean` divides by their sum
    counts       how many terms each value stands for
    denominator  replaces the divisor of `mean` and `weighted_mean`, so that micro-batches add up to the batch
    Limits       nothing left (an empty batch, all masked, all weights 0) gives 0 with gradient 0
    Errors       ShapeError for a weight or mask of another shape, SettingError for an unknown reduction or for a
                 denominator that would not be used
    """
    _require(caller, reduction, denominator)
    kept = None if mask is None else ops.truth(align(ops, caller, "mask", ops.asarray(mask), values))
    factor = _factor(ops, caller, "weight", weight, kept, values)
    if kept is not None:
        values = ops.where(kept, values, 0.0)
    weighted = values if factor is None else values * factor
    if reduction == "none":
        return weighted
    terms = _factor(ops, caller, "counts", counts, kept, values)
    total = ops.sum(weighted if terms is None else weighted * terms)
    if reduction == "sum":
        return total
    if denominator is not None:
        return _divide(ops, total, ops.asarray(denominator, like=values))
    inner = _factor(ops, caller, "normaliser", normaliser, kept, values)
    factors = [terms] if reduction == "mean" else [factor, inner, terms]
    return _divide(ops, total, _weight_sum(ops, values, [f for f in factors if f is not None], kept))


def _require(caller: str, reduction: str, denominator: object) -> None:
    if reduction not in _WORDS:
        require_word(caller, "reduction", reduction, Reduction)
    if denominator is not None and reduction in ("none", "sum"):
        raise SettingError(
            message(
                f"{caller}: a denominator needs a reduction that divides",
                {"reduction": repr(reduction)},
                fix="reduction='mean', or leave the denominator out",
            )
        )


def align(ops: Ops[A], caller: str, name: str, array: A, like: A) -> A:
    """Give `array` as many axes as `like` has; its own must be the leading ones."""
    own, full = ops.shape(array), ops.shape(like)
    if own is None or full is None:
        return array
    fits = len(own) <= len(full) and all(a == b or a is None or b is None for a, b in zip(own, full, strict=False))
    if not fits:
        raise ShapeError(
            message(
                f"{caller}: {name} must have the shape of the values, or the leading part of it",
                {"values": full, name: own},
            )
        )
    for _ in range(len(full) - len(own)):
        array = ops.expand_dims(array, axis=-1)
    return array


def _factor(ops: Ops[A], caller: str, name: str, weight: object, kept: A | None, values: A) -> A | None:
    """A weight that multiplies the values: aligned, in their dtype, 0 where masked (a masked weight may be NaN)."""
    if weight is None:
        return None
    factor = align(ops, caller, name, ops.asarray(weight, like=values), values)
    return factor if kept is None else ops.where(kept, factor, 0.0)


def _count(ops: Ops[A], values: A, kept: A | None) -> float | A:
    if kept is None:
        return ops.size(values)
    return ops.count_nonzero(ops.where(kept, ops.full_like(values, 1.0), 0.0), values)


def _weight_sum(ops: Ops[A], values: A, factors: Sequence[A], kept: A | None) -> float | A:
    """The sum of the weights over the values: a weight for each sample counts once for each of its values."""
    if not factors:
        return _count(ops, values, kept)
    weights = ops.full_like(values, 1.0)
    for factor in factors:
        weights = weights * factor
    return ops.sum(weights)


def _divide(ops: Ops[A], total: A, divisor: float | A) -> A:
    """total / divisor. A divisor of 0 means that nothing is left: the total is 0 too, and 0 / 1 keeps it so."""
    if isinstance(divisor, (int, float)):
        return total / (divisor or 1.0)
    return total / ops.where(ops.truth(divisor), divisor, 1.0)
