"""From arrays to a total, in the two steps that every face and `Formula.total` share.

    evaluate    take out what is ignored, compute the values
    summarise   weights, reduction, terms

Ignored means removed. For a formula whose entries do not interact, an ignored entry is replaced by something harmless
before, and its value is left out after. Where entries interact (the pixels of a Dice loss, the samples of a
contrastive batch) the formula removes them itself: it is told which are kept. A value is left out where none of its
entries is kept.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol

from lossmith.ops import A, Ops, across
from lossmith.reduction import Reduction, align, guard, reduce
from lossmith.shapes import Shapes, batched, letters


class Result(Protocol):
    """What `lossmith.spec.Outcome` holds."""

    @property
    def values(self) -> Any: ...
    @property
    def counts(self) -> Any: ...
    @property
    def terms(self) -> Mapping[str, Any]: ...


class Evaluable(Protocol):
    """What is asked of a formula here."""

    shapes: Shapes
    coupled: tuple[str, ...]
    arguments: tuple[str, ...]

    def kinds_of(self, ops: Ops[Any], *arrays: Any, **settings: Any) -> tuple[str, ...]: ...
    def outcome(self, ops: Ops[Any], *arrays: Any, kept: Any = None, **settings: Any) -> Any: ...


@dataclass(frozen=True)
class Evaluated(Generic[A]):
    """The outcome, the mask of the values that count (None: all), and the arguments that were used."""

    outcome: Any
    counted: A | None
    arrays: tuple[A, ...]
    kinds: tuple[str, ...]


def evaluate(
    ops: Ops[A],
    formula: Evaluable,
    arrays: Sequence[A],
    *,
    mask: object = None,
    ignored: int | None = None,
    caller: str,
    settings: Mapping[str, Any],
) -> Evaluated[A]:
    """Compute the values of checked arrays without what is masked, or labelled `ignored`.

    mask     True or nonzero where an entry counts; its axes are the leading ones of the entries
    """
    kinds = formula.kinds_of(ops, *arrays, **settings)
    kept = _kept(ops, formula, arrays, kinds, mask, ignored, caller)
    if kept is None:
        return Evaluated(formula.outcome(ops, *arrays, **settings), None, tuple(arrays), kinds)
    arrays = tuple(
        guard(ops, (array,), (kind,), kept, caller=caller)[0] if own else array
        for array, kind, own in zip(arrays, kinds, have_entries(ops, formula, arrays), strict=True)
    )
    if not formula.coupled:
        return Evaluated(formula.outcome(ops, *arrays, **settings), kept, arrays, kinds)
    made = formula.outcome(ops, *arrays, kept=kept, **settings)
    return Evaluated(made, _values_kept(ops, formula, kept, arrays[0]), arrays, kinds)


def summarise(
    ops: Ops[A],
    made: Evaluated[A],
    *,
    reduction: Reduction,
    weight: object = None,
    denominator: object = None,
    normaliser: A | None = None,
    values: A | None = None,
    caller: str,
) -> tuple[A, dict[str, A]]:
    """The total and the terms. `values` stand in for those of the outcome where a face weighted them."""

    def reduced(part: A) -> A:
        return reduce(
            ops,
            part,
            reduction=reduction,
            weight=weight,
            mask=made.counted,
            denominator=denominator,
            normaliser=normaliser,
            counts=made.outcome.counts,
            caller=caller,
        )

    whole: A = made.outcome.values if values is None else values
    full = ops.shape(whole)

    def told(term: A) -> A:
        if ops.number_kind(term) == "bool":
            held = term if made.counted is None else ops.truth(align(ops, caller, "mask", made.counted, term)) & term
            return ops.count_nonzero(held, ops.positions(ops.expand_dims(term, axis=-1), axis=-1))
        return ops.stop_gradient(term) if ops.shape(term) == () and full != () else reduced(term)

    return reduced(whole), {name: told(term) for name, term in made.outcome.terms.items()}


def in_dtype(ops: Ops[A], terms: Mapping[str, A], like: A) -> dict[str, A]:
    """The terms in the dtype of `like`, but for counts, which are integers: float16 ends at 65504."""
    return {name: x if ops.number_kind(x) == "integer" else ops.astype(x, like) for name, x in terms.items()}


def _kept(
    ops: Ops[A],
    formula: Evaluable,
    arrays: Sequence[A],
    kinds: Sequence[str],
    mask: object,
    ignored: int | None,
    caller: str,
) -> A | None:
    """One mask out of the given one and of the labels that are ignored; over all coupled axes where there are some."""
    kept = None if mask is None else ops.truth(ops.asarray(mask))
    where = formula.arguments.index("target") if "target" in formula.arguments else -1
    if ignored is not None and kinds[where] == "index":
        label = arrays[where]
        counted = ~ops.equal(label, ignored)
        kept = counted if kept is None else counted & align(ops, caller, "mask", kept, counted)
    if kept is None or not formula.coupled:
        return kept
    entries = _entries(ops, formula, arrays[0])
    return ops.truth(ops.where(align(ops, caller, "mask", kept, entries), entries, 0.0))


def have_entries(ops: Ops[A], formula: Evaluable, arrays: Sequence[A]) -> list[bool]:
    """Which arguments have the axes of the mask: not what the batch shares, nor negatives that are nobody's own."""
    shapes = [shape for shape in map(ops.shape, arrays) if shape is not None]
    fit = formula.shapes.fit(shapes) if len(shapes) == len(arrays) else None
    chosen = fit.alternatives if fit is not None else (0,) * len(arrays)
    patterns = [each[index] for each, index in zip(formula.shapes.arguments, chosen, strict=True)]
    return [batched(pattern) and set(formula.coupled) <= set(letters(pattern)) for pattern in patterns]


def _entries(ops: Ops[A], formula: Evaluable, pred: A) -> A:
    """Ones, one for each entry of the coupled axes: the prediction without the axes behind them."""
    names = letters(formula.shapes.arguments[0][0])
    ones = ops.full_like(pred, 1.0)
    for _ in names[1 + max(names.index(name) for name in formula.coupled) :]:
        ones = ops.sum(ones, axis=-1)
    return ones


def _values_kept(ops: Ops[A], formula: Evaluable, kept: A, like: A) -> A:
    """Which values have a kept entry: the coupled axes that the values do not have are summed over."""
    gone = [name for name in formula.coupled if name not in formula.shapes.result]
    counted = ops.astype(kept, like)
    for _ in gone:
        counted = across(ops, ops.sum(counted, axis=-1))
    return ops.truth(counted)
