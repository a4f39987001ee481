"""Operations that choose, count and shape rather than compute: exact in every reader and dtype."""

import numpy as np
import pytest

from judge import DTYPES
from readers import DIFFERENTIABLE, READERS


def cases(readers):
    found = [(reader, dtype) for reader in readers for dtype in reader.dtypes]
    return pytest.mark.parametrize(("reader", "dtype"), found, ids=[f"{r}-{d}" for r, d in found])


@cases(READERS)
def test_conditions_choose_and_count(reader, dtype):
    ops = reader.ops
    with reader.scope():
        x = reader.make(np.array([0.0, 1.0, -np.inf, np.nan], DTYPES[dtype]))
        assert reader.read(ops.isfinite(x)).tolist() == [True, True, False, False]
        assert reader.read(ops.truth(x)).tolist() == [False, True, True, True]
        assert reader.read(~(x < 0.5)).tolist() == [False, True, False, True]
        assert reader.read((x <= 1.0) & (x >= 0.0)).tolist() == [True, True, False, False]
        assert reader.read(ops.where(ops.isfinite(x), x, 7.0)).astype(float).tolist() == [0.0, 1.0, 7.0, 7.0]
        assert float(reader.read(ops.count_nonzero(x, x))) == 3.0
        assert float(ops.size(x)) == 4.0
        column = reader.make(np.array([[True], [False]]))
        wide = ops.where(column, x, ops.full_like(x, -1.0))
        assert ops.shape(wide) == (2, 4)
        assert reader.read(wide)[1].astype(float).tolist() == [-1.0] * 4


@cases(READERS)
def test_labels_become_booleans_and_a_label_out_of_range_none(reader, dtype):
    ops = reader.ops
    with reader.scope():
        like = reader.make(np.zeros((4, 3), DTYPES[dtype]))
        for integer in ("int32", "int64", "uint8"):
            labels = reader.make(np.array([0, 2, 3, 200], integer))
            got = reader.read(ops.one_hot(labels, like))
            assert got.tolist() == [[True, False, False], [False, False, True], [False] * 3, [False] * 3]
        negative = reader.read(ops.one_hot(reader.make(np.array([-1, -100, 1, 1])), like))
        assert negative.sum(-1).tolist() == [0, 0, 1, 1]
        top = reader.read(ops.argmax(reader.make(np.array([[1, 3, 3], [-1, -2, -3]], DTYPES[dtype])), axis=-1))
        assert top.tolist() == [1, 0]


@cases(READERS)
def test_forms_and_dtypes_are_kept_or_changed_as_asked(reader, dtype):
    ops = reader.ops
    with reader.scope():
        x = reader.make(np.array([[0.5, 2.0]], DTYPES[dtype]))
        counts = reader.make(np.array([1, 2]))
        assert ops.shape(ops.expand_dims(x, axis=-1)) == (1, 2, 1)
        assert [ops.number_kind(y) for y in (x, counts, x < 1.0)] == ["float", "integer", "bool"]
        assert ops.astype(counts, x).dtype == x.dtype
        assert ops.full_like(x, 3.0).dtype == x.dtype
        assert ops.asarray([1.0, 2.0], like=x).dtype == x.dtype
        assert ops.asarray(2.5, like=x).dtype == x.dtype
        for number in (0.1, [0.1]):  # which float32 would round
            assert np.all(reader.read(ops.asarray(number, like=reader.make(np.zeros(1)))).astype(float) == 0.1)
        assert ops.asarray(x) is x or reader.read(ops.asarray(x)).tolist() == reader.read(x).tolist()
        assert ops.where(x < 1.0, x, 0.0).dtype == x.dtype
        assert ops.count_nonzero(x, x).dtype == x.dtype
        wide = ops.widen(x)
        assert (wide.dtype == x.dtype) == (dtype not in ("float16", "bfloat16"))
        assert reader.read(wide).astype(float).tolist() == [[0.5, 2.0]]
        assert ops.widen(counts).dtype == counts.dtype


@cases(DIFFERENTIABLE)
def test_a_stopped_gradient_is_zero(reader, dtype):
    with reader.scope():
        x = reader.make(np.array([1.0, 2.0], DTYPES[dtype]))
        (got,) = reader.gradient(lambda x: x * reader.ops.stop_gradient(x), x)
        assert reader.read(got).tolist() == [1.0, 2.0]


def test_complex_numbers_are_of_another_kind():
    x = np.array([1.0 + 2.0j])
    kinds = {reader.name: reader.ops.number_kind(reader.make(x)) for reader in READERS if reader.name != "digits"}
    assert set(kinds.values()) == {"other"}, kinds


@cases(READERS)
def test_matrices_are_multiplied_and_turned(reader, dtype):
    ops = reader.ops
    with reader.scope():
        x = reader.make(np.array([[[1.0, 2.0, 0.5]], [[0.0, -1.0, 4.0]]], DTYPES[dtype]))
        y = reader.make(np.array([[1.0, 0.0], [2.0, -1.0], [4.0, 0.25]], DTYPES[dtype]))
        got = ops.matmul(x, y)
        assert got.dtype == x.dtype
        assert reader.read(got).astype(float).tolist() == [[[7.0, -1.875]], [[14.0, 2.0]]]
        assert reader.read(ops.matrix_transpose(y)).astype(float).tolist() == [[1.0, 2.0, 4.0], [0.0, -1.0, 0.25]]


@cases(READERS)
def test_entries_are_sorted_taken_summed_up_and_joined(reader, dtype):
    ops = reader.ops
    with reader.scope():
        rows = np.array([[3.0, -1.0, 2.0, -1.0], [0.0, 0.5, 0.25, -4.0]], DTYPES[dtype])
        x = reader.make(rows)
        for axis in (-1, 0):
            order = ops.argsort(x, axis=axis)
            assert reader.read(order).tolist() == np.argsort(rows, axis=axis, kind="stable").tolist()
            assert reader.read(ops.take_along_axis(x, order, axis=axis)).tolist() == np.sort(rows, axis).tolist()
            assert reader.read(ops.cumulative_sum(x, axis=axis)).tolist() == np.cumsum(rows, axis).tolist()
            joined = reader.read(ops.concat([x, x], axis=axis))
            assert joined.tolist() == np.concatenate([rows, rows], axis).tolist()
        assert reader.read(ops.positions(x, axis=-1)).tolist() == [0, 1, 2, 3]
        assert reader.read(x[..., 1:-1]).tolist() == rows[:, 1:-1].tolist()


@cases(READERS)
def test_equal_numbers_are_told_and_nan_is_none(reader, dtype):
    ops = reader.ops
    with reader.scope():
        x = reader.make(np.array([[0.0], [2.0], [np.nan]], DTYPES[dtype]))
        y = reader.make(np.array([0.0, 2.0, np.nan], DTYPES[dtype]))
        want = [[True, False, False], [False, True, False], [False, False, False]]
        assert reader.read(ops.equal(x, y)).tolist() == want
        labels = reader.make(np.array([3, -100, 0]))
        assert reader.read(ops.equal(labels, -100)).tolist() == [False, True, False]


@cases(READERS)
def test_windows_are_stretches_of_neighbours(reader, dtype):
    with reader.scope():
        x = reader.make(np.arange(12.0).reshape(2, 6).astype(DTYPES[dtype]))
        for size in (1, 3, 6):
            got = reader.read(reader.ops.windows(x, size)).astype(float)
            want = [[[6.0 * row + i + j for j in range(size)] for i in range(7 - size)] for row in range(2)]
            assert got.tolist() == want


@pytest.mark.parametrize("reader", DIFFERENTIABLE, ids=str)
def test_an_entry_in_several_windows_gets_the_slope_of_each(reader):
    with reader.scope():
        x = reader.make(np.arange(6.0))
        (slope,) = reader.gradient(lambda x: reader.ops.windows(x, 3), x)
        assert reader.read(slope).tolist() == [1.0, 2.0, 3.0, 3.0, 2.0, 1.0]
