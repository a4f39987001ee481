"""What is done with a tile of products, as Triton kernels: each reads it once. `lossmith.kernels.fused` calls them.

A program takes BI rows and BJ columns of a tile. It reads numbers for its rows and columns, whose tensors begin where
the tile does, makes t out of u_i . v_j, and writes either the sums of its rows and columns, a number for each program
that a row or a column passes through, or what the pairs weigh in the gradient. No two programs write to one place, so
that the same tile always gives the same bits. What is None is left out.
"""

import triton
import triton.language as tl

# pyright: reportMissingImports=false, reportMissingParameterType=false


@triton.jit
def sum_block(
    x, stride, rows, columns, bias, above, row_keys, column_keys, shift, cap,
    of_rows, of_columns, of_totals,
    SAME: tl.constexpr, ITSELF: tl.constexpr, CAPPED: tl.constexpr,
    BOUNDED: tl.constexpr, BI: tl.constexpr, BJ: tl.constexpr,
):  # fmt: skip
    """Sums of e^t where it is bounded, or their logarithms where not."""
    i, j, there = _places(rows, columns, BI, BJ)
    t, belongs = _pairs(
        x, stride, i, j, there, rows, columns, bias, above, row_keys, column_keys, shift, cap,
        SAME, ITSELF, CAPPED,
    )  # fmt: skip
    row = tl.program_id(0).to(tl.int64) * rows + i  # programs side by side write one under the other
    if of_totals is not None:
        tl.store(of_totals + row, tl.sum(tl.where(there, t, 0.0), 1), mask=i < rows)
    tl.store(of_rows + row, _summed(t, belongs, 1, BOUNDED), mask=i < rows)
    if of_columns is not None:
        column = tl.program_id(1).to(tl.int64) * columns + j
        tl.store(of_columns + column, _summed(t, belongs, 0, BOUNDED), mask=j < columns)


@triton.jit
def weigh_block(
    x, stride, rows, columns, bias, above, row_keys, column_keys, shift, cap,
    row_slopes, row_logs, column_slopes, column_logs, total_slopes, out, of_columns,
    SAME: tl.constexpr, ITSELF: tl.constexpr, CAPPED: tl.constexpr,
    BI: tl.constexpr, BJ: tl.constexpr,
):  # fmt: skip
    """g_i e^(t - r_i) + h_j e^(t - c_j), times the slope of the cap; `out` may be x."""
    i, j, there = _places(rows, columns, BI, BJ)
    t, belongs = _pairs(
        x, stride, i, j, there, rows, columns, bias, above, row_keys, column_keys, shift, cap,
        SAME, ITSELF, CAPPED,
    )  # fmt: skip
    weight = tl.load(row_slopes + i, mask=i < rows, other=0.0)[:, None]
    weight = weight * tl.exp(t - tl.load(row_logs + i, mask=i < rows, other=0.0)[:, None])
    if column_slopes is not None:
        back = tl.exp(t - tl.load(column_logs + j, mask=j < columns, other=0.0)[None, :])
        weight += tl.load(column_slopes + j, mask=j < columns, other=0.0)[None, :] * back
    weight = tl.where(belongs, weight, 0.0)
    if total_slopes is not None:
        weight += tl.load(total_slopes + i, mask=i < rows, other=0.0)[:, None]
    if CAPPED:
        weight *= 1.0 - (t / cap) * (t / cap)
    place = i.to(tl.int64)[:, None] * columns + j[None, :]
    tl.store(out + place, weight.to(out.dtype.element_ty), mask=there)
    if of_columns is not None:
        column = tl.program_id(1).to(tl.int64) * columns + j
        tl.store(of_columns + column, tl.sum(tl.where(there, weight, 0.0), 0), mask=j < columns)


@triton.jit
def _places(rows, columns, BI: tl.constexpr, BJ: tl.constexpr):
    """The rows and columns of this program, and which of its pairs are in the tile."""
    i = tl.program_id(1) * BI + tl.arange(0, BI)
    j = tl.program_id(0) * BJ + tl.arange(0, BJ)
    return i, j, (i < rows)[:, None] & (j < columns)[None, :]


@triton.jit
def _pairs(
    x, stride, i, j, there, rows, columns, bias, above, row_keys, column_keys, shift, cap,
    SAME: tl.constexpr, ITSELF: tl.constexpr, CAPPED: tl.constexpr,
):  # fmt: skip
    """t of each pair, and whether it belongs."""
    t = tl.load(x + i.to(tl.int64)[:, None] * stride + j[None, :], mask=there, other=0.0)
    if bias is not None:
        t += tl.load(bias + j, mask=j < columns, other=0.0).to(tl.float32)[None, :]
    if CAPPED:
        t = cap * _tanh(t / cap)
    belongs = there
    if row_keys is not None:
        one = tl.load(row_keys + i, mask=i < rows, other=0)[:, None]
        other = tl.load(column_keys + j, mask=j < columns, other=0)[None, :]
        if SAME:
            belongs = belongs & (one == other)
        else:
            belongs = belongs & (one != other)
    if not ITSELF:
        belongs = belongs & (i[:, None] + shift != j[None, :])
    if above is not None:
        belongs = belongs & (t > tl.load(above + i, mask=i < rows, other=0.0)[:, None])
    return t, belongs


@triton.jit
def _summed(t, belongs, AXIS: tl.constexpr, BOUNDED: tl.constexpr):
    if BOUNDED:
        total = tl.sum(tl.where(belongs, tl.exp(t), 0.0), AXIS)
    else:
        t = tl.where(belongs, t, float("-inf"))
        top = tl.max(t, AXIS)
        top = tl.where(tl.abs(top) == float("inf"), 0.0, top)  # inf - inf would be NaN
        total = top + tl.log(tl.sum(tl.exp(t - tl.expand_dims(top, AXIS)), AXIS))
    return total


@triton.jit
def _tanh(y):
    e = tl.exp(-2.0 * tl.abs(y))
    size = (1.0 - e) / (1.0 + e)
    return tl.where(y < 0.0, -size, size)
