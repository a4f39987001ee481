"""Every formula, in every reader, against its textbook form: value and gradient, over the whole grid.

How far each may be off is recorded in `docs/accuracy.md`, in ulps of the dtype: `make accuracy` measures and writes it.
A test allows twice what is recorded and one ulp more, since another processor rounds otherwise. The numbers are
relative: a value of 1e-25 is held to as many digits as one of 1, up to numbers too small for the dtype.
"""

from types import SimpleNamespace

import numpy as np
import pytest
from accuracy import DTYPES, LARGEST, errors, recorded, values
from grid import CASES, LIMITS, ROUGH, truth
from grid.points import Case

from judge import worst
from lossmith.formulas import __all__ as NAMES
from lossmith.shapes import batched
from lossmith.spec import FORMULAS
from readers import DIFFERENTIABLE, READERS

ACCURACY = recorded()
case_by_case = pytest.mark.parametrize("case", CASES, ids=[f"{i}-{case}" for i, case in enumerate(CASES)])


def allowed(case: Case, what: str, dtype: str) -> float:
    return 2 * ACCURACY[case.name][what, dtype] + 1


# jax takes a second to compile each: one case of each formula in float32, of each module in float64 and in half
# precision; all in `make accuracy`
FIRST = {case.name: case for case in reversed(CASES)}
OF_MODULE = {FORMULAS[name].body.__module__: case for name, case in FIRST.items()}


@case_by_case
def test_values_and_gradients_agree_with_the_textbook_in_every_reader(case):
    for dtype in DTYPES:
        for reader in (reader for reader in READERS if dtype in reader.dtypes):
            if reader.name == "jax" and case not in (FIRST if dtype == "float32" else OF_MODULE).values():
                continue
            for what, error, where in errors(reader, case, dtype):
                assert error <= allowed(case, what, dtype), f"{what} in {reader}: {error:.3g} ulps, {case} {where}"


def test_every_formula_is_on_the_grid_with_every_keyword():
    settings = {name: {key for case in CASES if case.name == name for key in case.settings} for name in NAMES}
    assert settings == {name: set(FORMULAS[name].keywords) for name in NAMES}
    assert {case.name for case in CASES} == set(NAMES)


def test_the_record_names_every_formula_and_a_large_error_has_its_reason():
    assert list(ACCURACY) == sorted(NAMES)
    assert {name for name, row in ACCURACY.items() if max(row.values()) > LARGEST} <= set(ROUGH)


def far_branch_only(ops, pred, target):
    a = ops.abs(pred - target)
    return a + ops.log1p(ops.exp(-2.0 * a)) - 0.6931471805599453


def with_an_epsilon(ops, pred, target):
    p = 1.0 / (1.0 + np.exp(-np.clip(pred, -80, 80)))
    return -(target * np.log(p + 1e-7) + (1 - target) * np.log(1 - p + 1e-7))


def log_softmax_of_all(ops, pred, target):
    shifted = pred - pred.max(-1, keepdims=True)
    return np.log(np.exp(shifted).sum(-1)) - np.take_along_axis(shifted, target[:, None], -1)[:, 0]


@pytest.mark.parametrize(
    ("name", "naive"),
    [
        ("log_cosh", far_branch_only),
        ("binary_cross_entropy", with_an_epsilon),
        ("softmax_cross_entropy", log_softmax_of_all),
    ],
)
def test_a_formula_as_it_is_often_written_fails_the_tests_above(name, naive):
    case = next(case for case in CASES if case.name == name and not case.settings)
    formula = SimpleNamespace(values=naive)
    error, _ = worst(values(READERS[0], case, "float32", formula), truth(case), "float32")
    assert error > 1000 * allowed(case, "value", "float32")


def by_shape(limits):
    """The limits of each formula whose arguments have the same shapes, and what a batch shares: one batch."""
    groups = {}
    for name, arguments, value, slope in limits:
        shared = tuple(np.asarray(a).tobytes() for a, own in zip(arguments, own_of(name), strict=True) if not own)
        key = (name, *(np.shape(a) for a in arguments), *(np.asarray(a).dtype.kind for a in arguments), *shared)
        groups.setdefault(key, []).append((arguments, value, slope))
    return [(key[0], own_of(key[0]), group) for key, group in groups.items()]


def own_of(name):
    return [batched(patterns[0]) for patterns in FORMULAS[name].shapes.arguments]


@pytest.mark.parametrize(("name", "own", "limits"), by_shape(LIMITS))
def test_values_and_gradients_at_the_ends_are_those_of_the_docstring(name, own, limits):
    columns = zip(*(arguments for arguments, _, _ in limits), strict=True)
    held = [np.stack(column) if o else np.asarray(column[0]) for column, o in zip(columns, own, strict=True)]
    values = [value for _, value, _ in limits]
    for reader in READERS:
        with reader.scope(), np.errstate(invalid="ignore", over="ignore"):
            arrays = list(map(reader.make, held))
            function = lambda *x, r=reader: FORMULAS[name].values(r.ops, *x)
            if reader.both:
                got, slopes = map(reader.read, reader.both(function, *arrays))
                for (_, _, slope), found in zip(limits, slopes, strict=True):
                    if slope is not None:
                        np.testing.assert_allclose(found, slope, rtol=1e-14, err_msg=str(reader))
            else:
                got = reader.read(function(*arrays))
            np.testing.assert_allclose(got.astype(float), values, rtol=1e-14, err_msg=str(reader))


OF_LABELS = [name for name in NAMES if FORMULAS[name].kinds == ("logits", "index|dist")]


@pytest.mark.parametrize("name", OF_LABELS)
def test_a_label_out_of_range_gives_nan_in_every_reader(name):
    logits, labels = np.zeros((4, 3)), np.array([-1, 3, -100, 2])
    for reader in READERS:
        with reader.scope():
            got = reader.read(FORMULAS[name].values(reader.ops, reader.make(logits), reader.make(labels)))
        assert np.isnan(got.astype(float)).tolist() == [True, True, True, False], reader


# the way through half precision is the same at every keyword: one case for each kind of prediction
HALF = list({(c.name, c.settings.get("pred_is"), c.arrays[-1].ndim): c for c in reversed(CASES)}.values())
half_cases = pytest.mark.parametrize("case", HALF, ids=str)


def held_in_half(case: Case, dtype: str):
    """The arguments as a half-precision dtype holds them, and the same numbers in float32; too large ones as 0."""
    with np.errstate(over="ignore"):
        half = case.held(dtype)
    half = [np.where(np.isfinite(a.astype(float)), a, np.zeros_like(a)) for a in half]
    return half, [a if a.dtype.kind in "iu" else a.astype("float32") for a in half]


@half_cases
def test_half_precision_is_the_float32_result_rounded(case):
    formula = FORMULAS[case.name]
    for reader in READERS:
        if reader.name == "jax" and case not in OF_MODULE.values():
            continue
        function = reader.prepare(lambda *x: formula(*x, **case.settings))
        # one conversion serves all formulas in a reader: jax compiles it for one of the two
        for dtype in {"float16", "bfloat16"} & set(reader.dtypes) - ({"float16"} if reader.name == "jax" else set()):
            half, wide = ([reader.make(a) for a in arrays] for arrays in held_in_half(case, dtype))
            got = function(*half)
            assert got.dtype == half[0].dtype
            want = reader.ops.astype(function(*wide), half[0])
            np.testing.assert_array_equal(reader.read(got), reader.read(want))


@half_cases
def test_a_gradient_in_half_precision_is_the_float32_one_rounded(case):
    (reader,) = (reader for reader in DIFFERENTIABLE if reader.name == "torch")
    for dtype in ("float16", "bfloat16"):
        half, wide = ([reader.make(a) for a in arrays] for arrays in held_in_half(case, dtype))
        slopes = [
            reader.gradient(lambda *x: FORMULAS[case.name].values(reader.ops, *x, **case.settings), *arrays)[0]
            for arrays in (half, wide)
        ]
        assert slopes[0].dtype == half[0].dtype
        np.testing.assert_array_equal(reader.read(slopes[0]), reader.read(reader.ops.astype(slopes[1], half[0])))
