"""Every formula, in every reader, against its textbook form: value and gradient, over the whole grid.

Tolerances are in ulps of the dtype; beside each the worst that was measured, with the reader and where. They are
relative: a value of 1e-25 is held to as many digits as one of 1, up to numbers too small for the dtype.

The focal losses lose log2(gamma |log(1 - p)|) bits by nature: (1 - p)^gamma is an exponential of a large number.
"""

from types import SimpleNamespace

import numpy as np
import pytest
from cases import CASES, Case, truth, value_scale

from judge import assert_close, worst
from lossmith.formulas import __all__ as NAMES
from lossmith.spec import FORMULAS
from readers import DIFFERENTIABLE, READERS

# formula: ulps allowed in value and gradient, float32 then float64
VALUE = {
    "squared_error": (1, 1),  # 0.39, 0.37 numpy, (1.001, 0)
    "absolute_error": (0.5, 0.5),  # 0, 0
    "huber": (1, 1),  # 0.64, 0.47 numpy, delta 0.01
    "asymmetric_squared_error": (1, 1),  # 0.39, 0.37
    "log_cosh": (4, 3),  # 2.9, 1.7 jax, (0.01, 0)
    "binary_cross_entropy": (2, 2),  # 0.97 logit -1, 1.3 probability 0.999999
    "binary_focal": (8, 128),  # 5.4, 69 at gamma 5, logit 16.5
    "softmax_cross_entropy": (8, 16),  # 4.8 leader by 20, 8.6 leader by 104
    "softmax_focal": (20, 320),  # 12.5, 205 at gamma 5, leader by 104
    "kl_divergence": (8, 8),  # 4.8, 5.3 logits, leader by 20
    "contrastive": (10, 6),  # 6.4, 3.2 near the margin, from 1.3 - 1.0
}
GRADIENT = {
    "squared_error": (0.5, 0.5),  # 0, 0
    "absolute_error": (0.5, 0.5),  # 0, 0
    "huber": (0.5, 0.5),  # 0.19, 0
    "asymmetric_squared_error": (0.5, 0.5),  # 0, 0
    "log_cosh": (3, 3),  # 1.9 tensorflow, 1.8 jax, (1e-6, 0)
    "binary_cross_entropy": (12, 16),  # 7.3 torch, 10.5 jax, p - t at p 0.33, t 0.3
    "binary_focal": (32, 128),  # 20.7 jax, soft target; 69 tensorflow, gamma 5
    "softmax_cross_entropy": (8, 20),  # 4.6 tensorflow, even row; 13.6 jax, leader by 20
    "softmax_focal": (20, 320),  # 10.7 torch, 205 torch, gamma 5, leader by 104
    "kl_divergence": (2, 2),  # 1.2 tensorflow, 0.64
    "contrastive": (10, 8),  # 5.8, 4.1 torch, near the margin
}
DTYPES = ("float32", "float64")
case_by_case = pytest.mark.parametrize("case", CASES, ids=[f"{i}-{case}" for i, case in enumerate(CASES)])


def values(reader, case: Case, dtype: str, formula=None):
    formula = formula or FORMULAS[case.name]
    function = reader.prepare(lambda *x: formula.values(reader.ops, *x, **case.settings))
    return reader.read(function(*map(reader.make, case.held(dtype))))


def gradient(reader, case: Case, dtype: str, wrt: int):
    arrays = [reader.make(a) for a in case.held(dtype)]

    def function(x, *rest):
        return FORMULAS[case.name].values(reader.ops, *rest[:wrt], x, *rest[wrt:], **case.settings)

    (slope,) = reader.gradient(function, arrays[wrt], *arrays[:wrt], *arrays[wrt + 1 :])
    return reader.read(slope)


@case_by_case
def test_values_agree_with_the_textbook_in_every_reader(case):
    for index, dtype in enumerate(DTYPES):
        want, scale = truth(case), value_scale(case)
        for reader in READERS:
            if dtype in reader.dtypes:
                with reader.scope():
                    got = values(reader, case, dtype)
                label = f"{reader} {case}"
                assert_close(got, want, dtype, VALUE[case.name][index], label, scale)


@case_by_case
def test_gradients_agree_with_the_textbook_in_every_reader(case):
    for index, dtype in enumerate(DTYPES):
        for wrt in case.wrt:
            want = truth(case, wrt)
            for reader in READERS:
                if reader.gradient:
                    with reader.scope():
                        got = gradient(reader, case, dtype, wrt)
                    label = f"{reader} {case} by argument {wrt}"
                    assert_close(got, want, dtype, GRADIENT[case.name][index], label, case.slope_scale)


def test_every_formula_is_on_the_grid_with_every_keyword():
    settings = {name: {key for case in CASES if case.name == name for key in case.settings} for name in NAMES}
    assert settings == {name: set(FORMULAS[name].keywords) for name in NAMES}


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
    assert error > 1000 * VALUE[name][0]


HALF_FOCAL = (1 + 2 * np.log(2)) / 8  # p (1 - p)^2 (1 / p + 2 (-log p) / (1 - p)) (1 - p) at p = 1/2

LIMITS = [
    # formula, arguments, value, gradient by the first argument: what the docstrings say of the ends
    ("huber", [np.inf, 0.0], np.inf, 1.0),
    ("huber", [-np.inf, 0.0], np.inf, -1.0),
    ("log_cosh", [np.inf, 0.0], np.inf, 1.0),
    ("absolute_error", [-np.inf, 0.0], np.inf, -1.0),
    ("squared_error", [-np.inf, 0.0], np.inf, -np.inf),
    ("binary_cross_entropy", [np.inf, 1.0], 0.0, 0.0),
    ("binary_cross_entropy", [np.inf, 0.0], np.inf, 1.0),
    ("binary_cross_entropy", [-np.inf, 0.0], 0.0, 0.0),
    ("binary_focal", [np.inf, 1.0], 0.0, 0.0),
    ("binary_focal", [-np.inf, 1.0], np.inf, None),
    ("binary_focal", [-np.inf, 0.0], 0.0, 0.0),
    ("softmax_cross_entropy", [[1.0, -np.inf, -np.inf], 0], 0.0, [0.0, 0.0, 0.0]),
    ("softmax_cross_entropy", [[1.0, 1.0, -np.inf], 0], np.log(2), [-0.5, 0.5, 0.0]),
    ("softmax_cross_entropy", [[-np.inf, 0.0, -np.inf], 0], np.inf, [-1.0, 1.0, 0.0]),
    ("softmax_cross_entropy", [[1.0, 1.0, -np.inf], [1.0, 0.0, 0.0]], np.log(2), [-0.5, 0.5, 0.0]),
    ("softmax_cross_entropy", [[7.0], 0], 0.0, [0.0]),
    ("softmax_focal", [[1.0, -np.inf, -np.inf], 0], 0.0, [0.0, 0.0, 0.0]),
    ("softmax_focal", [[0.0, 0.0, -np.inf], 0], np.log(2) / 4, [-HALF_FOCAL, HALF_FOCAL, 0.0]),
    ("softmax_focal", [[0.0, -np.inf, 5.0], 1], np.inf, None),
    ("softmax_focal", [[7.0], 0], 0.0, [0.0]),
    ("kl_divergence", [[0.0, -np.inf], [1.0, 0.0]], 0.0, [-1.0, 0.0]),
    ("kl_divergence", [[-np.inf, 0.0], [1.0, 0.0]], np.inf, [-1.0, 0.0]),
    ("contrastive", [[1.0, 2.0], [1.0, 2.0], 0.0], 0.5, [0.0, 0.0]),
    ("contrastive", [[1.0, 2.0], [1.0, 2.0], 1.0], 0.0, [0.0, 0.0]),
    ("contrastive", [[np.inf, 0.0], [0.0, 0.0], 1.0], np.inf, None),
    ("contrastive", [[1e300, 0.0], [0.0, 0.0], 0.0], 0.0, [0.0, 0.0]),
    ("contrastive", [[np.nan, 0.0], [0.0, 0.0], 0.0], np.nan, None),
]  # fmt: skip


@pytest.mark.parametrize(("name", "arguments", "value", "slope"), LIMITS)
def test_values_and_gradients_at_the_ends_are_those_of_the_docstring(name, arguments, value, slope):
    for reader in READERS:
        with reader.scope(), np.errstate(invalid="ignore", over="ignore"):
            arrays = [reader.make(np.asarray(a)[None]) for a in arguments]
            function = reader.prepare(lambda *x, r=reader: FORMULAS[name].values(r.ops, *x))
            got = reader.read(function(*arrays)).astype(float)
            np.testing.assert_allclose(got, [value], rtol=1e-14, err_msg=str(reader))
            if reader.gradient and slope is not None:
                (got,) = reader.gradient(lambda *x, r=reader: FORMULAS[name].values(r.ops, *x), *arrays)
                np.testing.assert_allclose(reader.read(got), [slope], rtol=1e-14, err_msg=str(reader))


@pytest.mark.parametrize("name", ["softmax_cross_entropy", "softmax_focal"])
def test_a_label_out_of_range_gives_nan_in_every_reader(name):
    logits, labels = np.zeros((4, 3)), np.array([-1, 3, -100, 2])
    for reader in READERS:
        with reader.scope():
            got = reader.read(FORMULAS[name].values(reader.ops, reader.make(logits), reader.make(labels)))
        assert np.isnan(got.astype(float)).tolist() == [True, True, True, False], reader


# the way through half precision is the same at every keyword: one case for each kind of prediction
HALF = list({(c.name, c.settings.get("pred_is"), len(c.arrays[1].shape)): c for c in reversed(CASES)}.values())
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
        function = reader.prepare(lambda *x: formula(*x, **case.settings))
        for dtype in {"float16", "bfloat16"} & set(reader.dtypes):
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
