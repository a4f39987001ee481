"""Every operation means the same in every reader: at 0, +-inf, NaN, tiny and huge numbers, in each dtype.

The truth is mpmath, on the very numbers that the dtype holds. Where a reader is known to differ, DISAGREEMENTS says
where and why; a row there that is no longer needed fails, so that the table stays true.
"""

from types import SimpleNamespace

import keras
import mpmath
import numpy as np
import pytest
from mpmath import mpf

from judge import DTYPES, INF, NAN, assert_close, ulps
from readers import DIFFERENTIABLE, READERS, Reader

POINTS = [
    0.0,
    3e-38,
    1e-30,
    1e-9,
    1e-4,
    0.01,
    0.3,
    0.5,
    1.0,
    1.5,
    3.0,
    17.0,
    20.5,
    50.0,
    87.0,
    700.0,
    1e4,
    1e30,
    np.inf,
]
POINTS = [sign * x for x in POINTS for sign in (1, -1)] + [np.nan]

# The largest error of each dtype in ulps, over readers, operations and points; beside it the worst that was measured.
VALUE_ULPS = {
    "float16": 0.5,  # 0.46 torch, sqrt
    "bfloat16": 1.0,  # 0.52 tensorflow, softplus at 0.01
    "float32": 2.0,  # 1.1 jax, expm1 at -0.01
    "float64": 2.0,  # 1.3 jax, expm1 at 0.01
}
# formulas widen half precision before they compute, so that no gradient is taken in it
GRADIENT_ULPS = {
    "float32": 2.0,  # 1.5 tensorflow, softplus at -0.3
    "float64": 12.0,  # 8.0 jax, softplus at 17, which is e^(x - softplus x)
}


def real(function, low=-mpmath.inf):
    """mpmath's function where it is real, NaN elsewhere and at NaN."""
    return lambda x: NAN if x != x or x < low else function(x)


def softplus(x):
    if abs(x) == INF:
        return max(x, mpf(0))
    return mpmath.log1p(mpmath.exp(x)) if x < 100 else x + mpmath.log1p(mpmath.exp(-x))


TRUTH = {
    "abs": real(abs),
    "exp": real(mpmath.exp),
    "expm1": real(lambda x: mpmath.expm1(x) if abs(x) < INF else mpmath.exp(x) - 1),
    "log": real(lambda x: mpmath.log(x) if x else -INF, 0),
    "log1p": real(lambda x: (mpmath.log1p(x) if x > -1 else -INF) if x < INF else INF, -1),
    "sqrt": real(mpmath.sqrt, 0),
    "square": real(lambda x: x * x),
    "softplus": real(softplus),
    "arctan": real(lambda x: mpmath.atan(x)),
}
SLOPE = {
    "abs": real(lambda x: mpmath.sign(x)),
    "exp": real(mpmath.exp),
    "expm1": real(mpmath.exp),
    "log": real(lambda x: 1 / x if x else INF, 0),
    "log1p": real(lambda x: 1 / (1 + x) if x > -1 else INF, -1),
    "sqrt": real(lambda x: 1 / (2 * mpmath.sqrt(x)) if x else INF, 0),
    "square": real(lambda x: 2 * x),
    "softplus": real(lambda x: 1 / (1 + mpmath.exp(-x))),
    "arctan": real(lambda x: 1 / (1 + x * x)),
}
# (reader, operation, dtype, point): what the reader does there, and why it is accepted
COARSE = "tensorflow's softplus works in bfloat16 itself, 3 ulps off; formulas widen before they compute"
ON_TENSORFLOW = ("tensorflow", "keras") if keras.backend.backend() == "tensorflow" else ("tensorflow",)
DISAGREEMENTS = {
    (reader, "softplus", "bfloat16", point): COARSE for reader in ON_TENSORFLOW for point in ("3.0", "-3.0")
}


def cases(readers, dtypes=tuple(VALUE_ULPS)):
    found = [(reader, dtype) for reader in readers for dtype in reader.dtypes if dtype in dtypes]
    assert found, "no reader: this test would pass by testing nothing"
    return pytest.mark.parametrize(("reader", "dtype"), found, ids=[f"{r}-{d}" for r, d in found])


def held(points, dtype):
    """The points as the dtype holds them, each once."""
    with np.errstate(over="ignore"):
        return np.array(sorted(set(np.array(points).astype(DTYPES[dtype]).tolist()), key=str), DTYPES[dtype])


def faults(got, want, dtype, tolerance):
    """The points where a result is wrong: (index, got, want, error in ulps)."""
    errors = [ulps(g, w, dtype) for g, w in zip(got, want, strict=True)]
    return {i: (float(got[i]), float(want[i]), e) for i, e in enumerate(errors) if e > tolerance}


def measure(reader: Reader, name: str, dtype: str, tolerance: float):
    """Run one elementwise operation at every point; the faults by point."""
    points = held(POINTS, dtype)
    with reader.scope():
        got = reader.read(getattr(reader.ops, name)(reader.make(points)))
    found = faults(got, [TRUTH[name](mpf(float(x))) for x in points], dtype, tolerance)
    return {float(points[i]): fault for i, fault in found.items()}


def unexpected(found, table, *key):
    """Faults that the table of disagreements does not name, and rows of the table that nothing needs."""
    known = {point for (*head, point) in table if tuple(head) == key}
    return {x: f for x, f in found.items() if str(x) not in known}, known - {str(x) for x in found}


@cases(READERS)
@pytest.mark.parametrize("name", TRUTH)
def test_each_operation_is_right_at_every_point(reader, dtype, name):
    found, idle = unexpected(measure(reader, name, dtype, VALUE_ULPS[dtype]), DISAGREEMENTS, reader.name, name, dtype)
    assert not found
    assert not idle, "rows of DISAGREEMENTS that are no longer needed"


@cases(DIFFERENTIABLE, GRADIENT_ULPS)
@pytest.mark.parametrize("name", SLOPE)
def test_each_gradient_is_right_at_every_point(reader, dtype, name):
    points = held(POINTS, dtype)
    points = points[[TRUTH[name](mpf(float(x))) == TRUTH[name](mpf(float(x))) for x in points]]  # where it has a value
    with reader.scope():
        (got,) = reader.gradient(getattr(reader.ops, name), reader.make(points))
        got = reader.read(got)
    # value + 1 is how the readers know the slope of expm1: right to an ulp of 1
    scale = 1 if name == "expm1" else 0
    want = [SLOPE[name](mpf(float(x))) for x in points]
    assert_close(got, want, dtype, GRADIENT_ULPS[dtype], f"{name} at {points}", scale)


PAIRS = [(x, y) for x in (-INF, -1.5, 0.0, 2.0, INF, NAN) for y in (-INF, -1.5, 0.5, 2.0, INF, NAN)]
CHOICES = {
    "minimum": lambda x, y: NAN if x != x or y != y else min(x, y),
    "maximum": lambda x, y: NAN if x != x or y != y else max(x, y),
}


@cases(READERS)
@pytest.mark.parametrize("name", CHOICES)
def test_the_smaller_and_the_larger_are_right_for_arrays_and_for_numbers(reader, dtype, name):
    x, y = (np.array([float(pair[i]) for pair in PAIRS], DTYPES[dtype]) for i in (0, 1))
    want = [CHOICES[name](a, b) for a, b in PAIRS]
    operation = getattr(reader.ops, name)
    with reader.scope():
        assert_close(reader.read(operation(reader.make(x), reader.make(y))), want, dtype, 0)
        for number in (-1.5, 0.0, 2.0):
            result = operation(reader.make(x), number)
            assert result.dtype == reader.make(x).dtype
            got = reader.read(result)
            assert_close(got, [CHOICES[name](a, mpf(number)) for a, _ in PAIRS], dtype, 0)


ROWS = [
    [0.0, 0.0, 0.0],
    [1.0, -2.0, 0.5],
    [1e4, 1e4, -1e4],
    [-np.inf, 3.0, 2.0],
    [-np.inf, -np.inf, -1.0],
    [-np.inf, -np.inf, -np.inf],
    [60.0, -60.0, 0.0],
    [1e-30, 3e-38, 0.0],
]


def log_sum(row):
    total = sum(mpmath.exp(x) for x in row)
    return mpmath.log(total) if total else -INF


def softmax(row):
    total = sum(mpmath.exp(x) for x in row)
    return [mpmath.exp(x) / total if total else mpf(0) for x in row]


ALONG = {"sum": sum, "max": max, "logsumexp": log_sum}


@cases(READERS)
@pytest.mark.parametrize("name", ALONG)
@pytest.mark.parametrize("keepdims", [False, True])
def test_each_row_is_summed_up_right(reader, dtype, name, keepdims):
    rows = np.array(ROWS, DTYPES[dtype])
    exact = [[mpf(float(x)) for x in row] for row in rows]
    want = np.array([ALONG[name](row) for row in exact], dtype=object)
    scale = [max(abs(x) if abs(x) < INF else 0 for x in row) for row in exact]
    with reader.scope():
        got = reader.read(getattr(reader.ops, name)(reader.make(rows), axis=-1, keepdims=keepdims))
        assert got.shape == ((len(ROWS), 1) if keepdims else (len(ROWS),))
        assert_close(got.reshape(-1), want, dtype, 2 if dtype in ("float16", "bfloat16") else 1, name, scale)
        turned = reader.read(getattr(reader.ops, name)(reader.make(rows.T.copy()), axis=0))
    assert_close(turned, got.reshape(-1).tolist(), dtype, 1, scale=scale)


@cases(READERS)
def test_a_nan_in_a_row_reaches_its_sum_and_its_largest(reader, dtype):
    rows = np.array([[1.0, np.nan], [np.nan, 1.0], [1.0, 2.0]], DTYPES[dtype])
    with reader.scope():
        for name in ALONG:
            got = reader.read(getattr(reader.ops, name)(reader.make(rows), axis=-1)).astype(float)
            assert np.isnan(got).tolist() == [True, True, False], name


@cases(DIFFERENTIABLE, GRADIENT_ULPS)
def test_the_gradient_of_logsumexp_is_softmax_and_zero_where_nothing_is_left(reader, dtype):
    rows = np.array(ROWS, DTYPES[dtype])
    with reader.scope():
        (got,) = reader.gradient(lambda x: reader.ops.logsumexp(x, axis=-1), reader.make(rows))
        got = reader.read(got)
    want = [softmax([mpf(float(x)) for x in row]) for row in rows]
    # e^(x - lse): an ulp of x = 60 is 60 ulps of the result
    assert_close(got, want, dtype, 64, scale=0)


@cases(READERS)
def test_the_sum_over_everything_and_of_nothing(reader, dtype):
    with reader.scope():
        rows = reader.make(np.array([[1.0, 2.0], [3.0, 4.5]], DTYPES[dtype]))
        assert float(reader.read(reader.ops.sum(rows))) == 10.5
        assert float(reader.read(reader.ops.sum(reader.make(np.zeros((0, 2), DTYPES[dtype]))))) == 0.0


def test_a_reader_with_a_naive_softplus_is_caught():
    naive = SimpleNamespace(softplus=lambda x: np.log(1 + np.exp(x)))
    reader = Reader("naive", naive, np.asarray, np.asarray)
    with np.errstate(over="ignore"):
        found = measure(reader, "softplus", "float32", VALUE_ULPS["float32"])
    assert -17.0 in found, "e^-17 is lost beside 1"
    assert 1e4 in found, "e^10000 overflows"
