"""From values to a total: every reduction, weight, mask and divisor, in every reader that differentiates."""

import numpy as np
import pytest

from lossmith import formulas
from lossmith.domains import KINDS
from lossmith.errors import SettingError, ShapeError
from lossmith.reduction import Reduction, guard, reduce
from lossmith.settings import require_word
from readers import DIFFERENTIABLE, READERS

REDUCTIONS = ("none", "sum", "mean", "weighted_mean")
TOTALS = REDUCTIONS[1:]
VALUES = np.array([[1.0, 2.0, 4.0], [8.0, 16.0, 32.0]])
ROW_WEIGHT = np.array([0.5, 3.0])
MASK = np.array([[True, False, True], [True, True, False]])

readers = pytest.mark.parametrize("reader", READERS, ids=str)
differentiable = pytest.mark.parametrize("reader", DIFFERENTIABLE, ids=str)


def total(reader, values, **options):
    """`reduce` on one reader's arrays, back in numpy."""
    with reader.scope():
        arrays = {k: reader.make(v) for k, v in options.items() if isinstance(v, np.ndarray)}
        fixed = {k: v for k, v in options.items() if k not in arrays}
        function = reader.prepare(lambda v, given: reduce(reader.ops, v, **given, **fixed))
        return reader.read(function(reader.make(values), arrays)).astype(float)


def expected(reduction, values, weight=None, mask=None):
    """The definition, by removing the masked entries from the arrays."""
    weight = np.ones_like(values) if weight is None else np.broadcast_to(weight[:, None], values.shape)
    kept = np.ones(values.shape, bool) if mask is None else mask
    w, v = weight[kept], values[kept]
    if reduction == "none":
        return np.where(kept, weight * values, 0.0)
    return {"sum": (w * v).sum(), "mean": (w * v).sum() / v.size, "weighted_mean": (w * v).sum() / w.sum()}[reduction]


@readers
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weight", [None, ROW_WEIGHT], ids=["plain", "weighted"])
@pytest.mark.parametrize("mask", [None, MASK], ids=["whole", "masked"])
def test_each_reduction_is_its_definition(reader, reduction, weight, mask):
    got = total(reader, VALUES, reduction=reduction, weight=weight, mask=mask)
    np.testing.assert_allclose(got, expected(reduction, VALUES, weight, mask), rtol=1e-15)


def test_the_reductions_are_those_that_the_literal_lists():
    for name in REDUCTIONS:
        require_word("a test", "reduction", name, Reduction)
    with pytest.raises(SettingError, match=r"'none' or 'sum' or 'mean' or 'weighted_mean'"):
        total(READERS[0], VALUES, reduction="average")


@readers
def test_a_mask_for_each_sample_removes_whole_samples(reader):
    mask = np.array([False, True])
    for reduction in TOTALS:
        assert total(reader, VALUES, reduction=reduction, mask=mask) == expected(reduction, VALUES[1:])


@readers
@pytest.mark.parametrize("hidden", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_what_a_masked_entry_or_its_weight_holds_does_not_matter(reader, hidden, reduction):
    values, weight = VALUES.copy(), np.array([[1.0, hidden, 2.0], [3.0, 1.0, hidden]])
    values[~MASK] = hidden
    got = total(reader, values, reduction=reduction, weight=weight, mask=MASK)
    clean = total(reader, VALUES, reduction=reduction, weight=np.where(MASK, weight, 1.0), mask=MASK)
    np.testing.assert_array_equal(got, clean)


@readers
def test_a_weight_of_zero_does_not_hide_a_nan(reader):
    values, weight = np.array([np.nan, 1.0]), np.array([0.0, 1.0])
    assert np.isnan(total(reader, values, reduction="sum", weight=weight))


@readers
@pytest.mark.parametrize("reduction", TOTALS)
def test_nothing_left_gives_zero(reader, reduction):
    assert total(reader, np.zeros((0, 3)), reduction=reduction) == 0.0
    assert total(reader, VALUES, reduction=reduction, mask=np.zeros((2, 3), bool)) == 0.0
    assert total(reader, VALUES, reduction=reduction, weight=np.zeros(2)) == 0.0
    assert total(reader, VALUES, reduction=reduction, mask=np.zeros(2), weight=np.array([np.nan, 1.0])) == 0.0


@differentiable
@pytest.mark.parametrize("reduction", TOTALS)
def test_nothing_left_gives_a_zero_gradient(reader, reduction):
    with reader.scope():
        mask = reader.make(np.zeros((2, 3), bool))
        for values, kept in ((VALUES, mask), (np.zeros((0, 3)), None)):
            (slope,) = reader.gradient(
                lambda v, kept=kept: reduce(reader.ops, v, reduction=reduction, mask=kept), reader.make(values)
            )
            assert reader.read(slope).tolist() == np.zeros(values.shape).tolist()


@differentiable
def test_the_gradient_of_each_total_is_its_weights(reader):
    weight = ROW_WEIGHT[:, None] * MASK
    divisors = {"sum": 1.0, "mean": MASK.sum(), "weighted_mean": weight.sum()}
    with reader.scope():
        for reduction, divisor in divisors.items():
            (slope,) = reader.gradient(
                lambda v, how=reduction: reduce(
                    reader.ops, v, reduction=how, weight=reader.make(ROW_WEIGHT), mask=reader.make(MASK)
                ),
                reader.make(VALUES),
            )
            np.testing.assert_allclose(reader.read(slope), weight / divisor, rtol=1e-15)


@readers
@pytest.mark.parametrize("reduction", ["mean", "weighted_mean"])
def test_micro_batches_with_the_divisor_of_the_batch_add_up_to_it(reader, reduction):
    whole = total(reader, VALUES, reduction=reduction, weight=ROW_WEIGHT, mask=MASK)
    divisor = float(MASK.sum() if reduction == "mean" else (ROW_WEIGHT[:, None] * MASK).sum())
    for given in (divisor, np.array(divisor)):
        parts = [
            total(reader, VALUES[i : i + 1], reduction=reduction, weight=ROW_WEIGHT[i : i + 1], mask=MASK[i : i + 1],
                  denominator=given)
            for i in range(2)
        ]  # fmt: skip
        np.testing.assert_allclose(sum(parts), whole, rtol=1e-15)


@readers
def test_a_divisor_of_zero_counts_as_nothing_left(reader):
    assert total(reader, np.zeros((0, 3)), reduction="mean", denominator=0) == 0.0


@pytest.mark.parametrize("reduction", ["none", "sum"])
def test_a_divisor_that_would_not_be_used_is_refused(reduction):
    with pytest.raises(SettingError, match="a denominator needs a reduction that divides"):
        total(READERS[0], VALUES, reduction=reduction, denominator=2.0)


@readers
def test_weights_inside_the_values_divide_a_weighted_mean_and_nothing_else(reader):
    inner = np.array([[1.0, 2.0, 1.0], [4.0, 1.0, 1.0]])
    options = {"normaliser": inner, "mask": MASK, "weight": ROW_WEIGHT}
    weights = (inner * ROW_WEIGHT[:, None])[MASK].sum()
    summed = (VALUES * ROW_WEIGHT[:, None])[MASK].sum()
    assert total(reader, VALUES, reduction="weighted_mean", **options) == pytest.approx(summed / weights, rel=1e-15)
    assert total(reader, VALUES, reduction="mean", **options) == pytest.approx(summed / MASK.sum(), rel=1e-15)


@pytest.mark.parametrize("name", ["weight", "mask"])
@pytest.mark.parametrize("shape", [(3,), (1, 3), (2, 1), (2, 3, 1)])
def test_a_weight_or_mask_that_would_broadcast_is_refused(name, shape):
    with pytest.raises(ShapeError, match=f"{name} must have the shape of the values, or the leading part of it"):
        total(READERS[0], VALUES, reduction="mean", **{name: np.ones(shape)})


@readers
def test_a_count_beyond_what_the_dtype_can_count_in_ones_is_exact(reader):
    if reader.name == "digits":  # 2^24 objects would only test patience
        values = np.ones(10)
    else:
        values = np.ones(2**24 + 8, "float32")
    mask = np.ones(values.shape, bool)
    mask[0] = False
    got = total(reader, values, reduction="mean", mask=mask)
    assert got == pytest.approx(1.0, rel=1e-6)


GUARDED = [
    (formulas.binary_cross_entropy, ("float", "float")),
    (formulas.softmax_cross_entropy, ("row", "label")),
    (formulas.softmax_cross_entropy, ("row", "row")),
    (formulas.kl_divergence, ("row", "row")),
    (formulas.contrastive, ("row", "row", "float")),
    (formulas.log_cosh, ("float", "float")),
]
RUBBISH = {"float": [np.nan, np.inf, -np.inf, 1e30], "label": [-100, 10**6, -1, 7]}


def arguments(forms, rubbish):
    """Six samples, of which the mask keeps two; the others hold what `rubbish` says, or something harmless."""
    rng = np.random.default_rng(5)
    made = []
    for form in forms:
        x = rng.integers(0, 3, 6) if form == "label" else rng.uniform(0.1, 0.9, (6, 3) if form == "row" else 6)
        holes = RUBBISH["label" if form == "label" else "float"] if rubbish else [0] * 4
        x[2:] = np.array(holes).reshape(-1, *[1] * (x.ndim - 1))
        made.append(x)
    return made


def guarded_total(reader, formula, arrays, kept, reduction="mean", step=guard):
    def function(*tensors):
        kinds = formula.kinds_of(reader.ops, *tensors)
        tensors = step(reader.ops, tensors, kinds, kept)
        return reduce(reader.ops, formula.values(reader.ops, *tensors), reduction=reduction, mask=kept)

    tensors = [reader.make(a) for a in arrays]
    value = reader.read(function(*tensors))
    (slope,) = reader.gradient(function, *tensors)
    return value, reader.read(slope)


@differentiable
@pytest.mark.parametrize(("formula", "forms"), GUARDED)
def test_masked_is_removed_in_value_and_gradient_whatever_is_masked(reader, formula, forms):
    arrays, kept = arguments(forms, rubbish=True), np.array([True, True, False, False, False, False])
    with reader.scope():
        value, slope = guarded_total(reader, formula, arrays, reader.make(kept))
        alone, slope_alone = guarded_total(reader, formula, [a[:2] for a in arrays], None)
    np.testing.assert_allclose(value, alone, rtol=1e-15)
    np.testing.assert_allclose(slope[:2], slope_alone, rtol=1e-14)
    assert np.array_equal(slope[2:], np.zeros_like(slope[2:]))


@differentiable
def test_without_the_guard_the_gradient_is_nan(reader):
    """The test above can fail: a mask after the formula still multiplies NaN by 0."""
    arrays, kept = arguments(("float", "float"), rubbish=True), np.array([True, True, False, False, False, False])
    with reader.scope():
        _, slope = guarded_total(
            reader, formulas.binary_cross_entropy, arrays, reader.make(kept), step=lambda ops, arrays, *_: arrays
        )
    assert np.isnan(slope[2:]).any()


@readers
@pytest.mark.parametrize("kind", KINDS)
def test_the_guard_puts_in_a_value_that_the_kind_allows(reader, kind):
    dtype = "int32" if KINDS[kind].integer else "float64"
    with reader.scope():
        x, kept = reader.make(np.full((2, 3), 5, dtype)), reader.make(np.array([True, False]))
        (got,) = guard(reader.ops, [x], [kind], kept)
        got = reader.read(got).astype(float)
    assert got[0].tolist() == [5.0] * 3
    assert KINDS[kind].low <= got[1, 0] <= KINDS[kind].high


def test_a_mask_that_is_not_a_leading_part_of_an_argument_is_refused():
    ops = READERS[0].ops
    with pytest.raises(ShapeError, match="CrossEntropyLoss: mask must have the shape of the values"):
        guard(ops, [np.ones((4, 3)), np.ones(4, int)], ["logits", "index"], np.ones((4, 3)), caller="CrossEntropyLoss")
