"""How far a result is from the truth, in units of what its dtype can hold. One definition for all tests.

The error of `got` against the true `want`, in ulps of a dtype with precision eps and smallest normal number tiny:

    (|got - want| - tiny) / (eps max(|want|, scale, tiny))

The `- tiny` allows a result to be flushed to zero. `scale` is the size of the terms that a sum was made of, where
they cancel; it is 0 unless a test says why. A NaN or inf agrees only with itself.
"""

from math import inf, isnan, nan

import ml_dtypes
import numpy as np
from mpmath import mp, mpf

mp.dps = 60  # for the truth; the digits reader has a context of its own
DTYPES = {name: np.dtype(name) for name in ("float16", "float32", "float64")} | {
    "bfloat16": np.dtype(ml_dtypes.bfloat16)
}


def ulps(got, want, dtype, scale=0):
    """The error of one number, in ulps of the dtype: 0 is exact, inf is wrong beyond measure."""
    info = ml_dtypes.finfo(DTYPES[dtype])
    got, want = float(got), as_held(want, info)
    if isnan(got) or want != want:
        return 0.0 if isnan(got) and want != want else inf
    if abs(got) == inf or abs(want) == inf:
        return 0.0 if got == want else inf
    tiny = mpf(float(info.smallest_normal))
    error = max(mpf(0), abs(mpf(got) - want) - tiny)
    return float(error / (mpf(float(info.eps)) * max(abs(want), abs(mpf(scale)), tiny)))


def as_held(want, info):
    """The true number, as inf where the dtype cannot hold it."""
    want = mpf(want)
    largest = mpf(float(info.max))
    if want == want and abs(want) > largest * (1 + mpf(float(info.eps)) / 4):
        return mpf(inf) if want > 0 else mpf(-inf)
    return want


def worst(got, want, dtype, scale=None):
    """The largest error of arrays of one shape, and where it is. No entries at all is a mistake of the test."""
    got, want = np.asarray(got, dtype=float), np.asarray(want, dtype=object)
    if got.shape != want.shape:
        raise AssertionError(f"shapes {got.shape} and {want.shape}")
    if got.size == 0:
        raise AssertionError("nothing to compare")
    scale = np.broadcast_to(np.asarray(0 if scale is None else scale, dtype=object), got.shape)
    errors = {index: ulps(got[index], want[index], dtype, scale[index]) for index in np.ndindex(got.shape)}
    index = max(errors, key=lambda i: errors[i])
    return errors[index], index


def assert_close(got, want, dtype, tolerance, label="", scale=None):
    """Refuse arrays that differ by more than `tolerance` ulps anywhere; says where and by how much."""
    error, index = worst(got, want, dtype, scale)
    got, want = np.asarray(got), np.asarray(want, dtype=object)
    assert error <= tolerance, (
        f"{label}: {error:.3g} ulps of {dtype} at {index}: {got[index]!r} in place of {float(want[index])!r}"
    )


NAN = mpf(nan)
INF = mpf(inf)
