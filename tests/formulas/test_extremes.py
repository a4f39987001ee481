"""Every formula at the ends of what a dtype can hold: no NaN, and no inf where the true value is a number.

A grid made from what a formula declares, so that a new formula is tested without a line here. The truth is the
textbook's; where its expression has no value (0 / 0), or one that the dtype cannot hold, only NaN is refused.
"""

from itertools import cycle, islice

import numpy as np
import pytest
import textbook
from grid import exactly
from inputs import alternatives, sized

from judge import DTYPES
from lossmith import formulas
from lossmith.domains import KINDS
from lossmith.shapes import batched
from lossmith.spec import FORMULAS, Formula
from readers import DIFFERENTIABLE

CASES = [(name, i) for name in formulas.__all__ for i in range(len(alternatives(FORMULAS[name])))]
TORCH = next(reader for reader in DIFFERENTIABLE if reader.name == "torch")
COUNT = 24


def points(kind: str, dtype: str) -> list[float]:
    """Extreme numbers that a kind allows."""
    info = np.finfo(DTYPES[dtype])
    tiny, eps, large = float(info.tiny), float(info.eps), float(info.max)
    reach = [0.0, tiny, 1e-6, 1.0, 100.0, 1e4, large**0.5 / 4, large / 16]
    if kind == "embedding":  # a slope through a direction grows as 1 / length, beyond what the dtype holds
        reach[1] = 64 * tiny
    low, high = KINDS[kind].low, KINDS[kind].high
    if high == 1.0 and low == 0.0:
        return [0.0, tiny, eps, 0.3, 0.5, 1 - eps, 1.0]
    if kind == "count":
        return [0.0, 1.0, 5.0, 1e4]
    if kind == "pm1":
        return [-1.0, 1.0]
    if kind == "logprob":
        return [0.0, -tiny, -1.0, -100.0, -1e4]
    if low == 0.0:
        return reach[1:]
    return [*reach, *(-x for x in reach[1:])]


def filled(kind: str, shape: tuple[int, ...], value: float, pattern: int) -> np.ndarray:
    """One argument of one sample: even, one entry large, or signs in turn."""
    out = np.full(shape, value)
    if pattern == 1 and out.size > 1:
        out.flat[1:] = KINDS[kind].inside
    if pattern == 2 and KINDS[kind].low < 0:
        out.flat[1::2] *= -1
    if kind in ("simplex", "dist"):
        out = np.zeros(shape) if pattern else np.full(shape, 1 / shape[-1])
        if pattern:
            out[..., pattern % shape[-1]] = 1.0
    if kind == "boxes":
        out = (
            np.zeros(shape)
            + np.array([[0, 0, value, value], [-value, 0, 0, value], [value, value, value, value]])[pattern]
        )
    if kind == "cxcywh":
        out = np.zeros(shape) + np.array([[0, 0, value, value], [value, 0, value, 1], [value, value, 0, 0]])[pattern]
    return out


def drawn(kind: str, shape: tuple[int, ...], dtype: str, stride: int) -> np.ndarray:
    """COUNT extreme arguments of one kind, in an order of their own."""
    if KINDS[kind].integer:
        return np.arange(COUNT * int(np.prod(shape))).reshape(COUNT, *shape) % 3
    each = [filled(kind, shape, value, pattern) for value in points(kind, dtype) for pattern in range(3)]
    return np.array(list(islice(cycle(each[::stride] + each[1::stride]), COUNT)))


def faults(made: Formula, choice: int, dtype: str, form=None) -> list[str]:
    """What is not finite and should be."""
    arrays = []
    for i, (kind, axes) in enumerate(alternatives(made)[choice]):
        array = drawn(kind, sized(made, axes, ()), dtype, stride=2 * i + 1)
        array = array if batched(axes) else array[9]
        arrays.append(array.astype(DTYPES[dtype]) if array.dtype.kind == "f" else array)
    tensors = [TORCH.make(a) for a in arrays]
    values = TORCH.read(made.values(TORCH.ops, *tensors))
    (slopes,) = TORCH.gradient(lambda *x: made.values(TORCH.ops, *x), *tensors)
    slopes, own = TORCH.read(slopes), [batched(axes) for _, axes in alternatives(made)[choice]]
    found = []
    for i in range(COUNT):
        sample = [a[i] if each else a for a, each in zip(arrays, own, strict=True)]
        if not (np.isfinite(values[i]).all() and np.isfinite(slopes[i]).all()):
            held = representable(made.name if form is None else form, sample, dtype)
            if held or np.isnan(values[i]).any():
                found.append(f"{sample}: value {values[i]}, gradient {slopes[i]}")
    return found


def representable(name, sample, dtype) -> bool:
    """Whether the paper's expression has a value that the dtype can hold."""
    try:
        truth = (textbook.named(name) if isinstance(name, str) else name)(*map(exactly, sample))
    except (ZeroDivisionError, ValueError, OverflowError):
        return False
    largest = float(np.finfo(DTYPES[dtype]).max)
    return all(isinstance(v, textbook.mp.mpf) and abs(v) <= largest for v in np.array(truth, dtype=object).flat)


@pytest.mark.parametrize(("name", "choice"), CASES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_value_that_the_dtype_can_hold_is_finite_and_so_is_its_gradient(name, choice, dtype):
    assert faults(FORMULAS[name], choice, dtype) == []


def test_a_formula_that_overflows_on_the_way_is_caught():
    def body(ops, pred, target):
        return ops.log(ops.exp(pred - target) + 1.0)

    naive = Formula(body, shapes="..., ... -> ...", kinds=("real", "real"), source="planted")
    softplus = lambda pred, target: textbook.mp.log(textbook.mp.exp(pred - target) + 1)
    assert faults(naive, 0, "float32", form=softplus)
