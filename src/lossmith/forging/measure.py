"""What a rewrite was worth: the largest error before and after, in ulps of float32, against fifty digits.

The inputs of a form are what stands in its holes at every point of the grid, rounded to float32 first, so that only
the form itself is judged. A true value that float32 cannot hold is left out.
"""

from dataclasses import dataclass

import numpy as np

from lossmith.forging.differentiate import derivative
from lossmith.forging.domain import grid, said
from lossmith.forging.guard import SQRT
from lossmith.forging.reading import in_digits, value_of
from lossmith.forging.rewrite import Rewrite
from lossmith.forging.row_slopes import gradient
from lossmith.forging.spell import text_of
from lossmith.forging.tree import PRED, Node
from lossmith.ops import numpy as numpy_ops
from lossmith.ops.digits import context

EPS, TINY, LARGEST = (float(getattr(np.finfo(np.float32), name)) for name in ("eps", "smallest_normal", "max"))


@dataclass(frozen=True)
class Measured:
    """A rewrite in words: the forms, the input where the first is worst, and what is there before and after."""

    before: str
    after: str
    at: str
    was: str
    now: str
    reason: str

    def __str__(self) -> str:
        place = f"  at {self.at}" if self.at else ""
        return f"{self.before} -> {self.after}: {self.was} -> {self.now}{place}"


def measured(rewrite: Rewrite, kinds: tuple[str, str], params: dict[str, float], of_rows: bool = False) -> Measured:
    """Measure one rewrite on the grid."""
    points = grid(kinds, far=True, of_rows=of_rows)
    if not rewrite.bound:
        return _guard(rewrite, points, params, kinds[1] if of_rows else "")
    holes = {}
    for name, node in rewrite.bound.items():
        exact = in_digits(node, points, params)
        exact = exact[..., None] if exact.ndim < points["pred"].ndim else exact
        holes[name] = np.broadcast_to(exact, points["pred"].shape).astype(np.float32)
    keep = np.all([np.isfinite(hole).all(axis=tuple(range(1, hole.ndim))) for hole in holes.values()], axis=0)
    holes = {name: hole[keep] for name, hole in holes.items()}
    truth = in_digits(rewrite.before, {name: hole.astype(float) for name, hole in holes.items()}, {})
    limit = in_digits(rewrite.after, {name: hole.astype(float) for name, hole in holes.items()}, {})
    finite = np.vectorize(context.isfinite, otypes=[bool])(truth)
    truth = np.where(finite, truth, limit)  # 0 * log 0 has no value of its own
    forms = (_in_float32(form, holes) for form in (rewrite.before, rewrite.after))
    before, after = (_of_rows(form, truth) if truth.ndim > 1 else ulps(form, truth) for form in forms)
    worst = int(np.argmax(before))
    at = ", ".join(f"{name} = {_place(hole[worst])}" for name, hole in holes.items())
    return Measured(
        text_of(rewrite.before), text_of(rewrite.after), at, _words(before.max()), _words(after.max()), rewrite.reason
    )


def _place(x: np.ndarray) -> str:
    """What stands in a hole: where it is one number for a row, that."""
    return said(x.flat[0] if np.ndim(x) and (x == x.flat[0]).all() else x)


def _guard(rewrite: Rewrite, points: dict[str, np.ndarray], params: dict[str, float], rows_of: str) -> Measured:
    """A guard changes no value: the slopes are counted that are not finite."""
    if rewrite.reason == SQRT:  # put the grid where the root is 0, should it not be there
        points = {name: np.append(array, array[:1] * 0.0, axis=0) for name, array in points.items()}

    def slope(form: Node) -> Node:
        return gradient(form, PRED, rows_of) if rows_of else derivative(form, PRED)

    slopes = [_in_float32(slope(form), points, params) for form in (rewrite.before, rewrite.after)]
    bad = [int(np.count_nonzero(~np.isfinite(slope))) for slope in slopes]
    words = [f"{count} slopes not finite" if count else "every slope finite" for count in bad]
    at = ""
    if bad[0]:
        first = int(np.argmax(~np.isfinite(slopes[0]))) // (slopes[0].size // len(slopes[0]))
        at = ", ".join(f"{name} = {said(array[first])}" for name, array in points.items())
    return Measured(text_of(rewrite.before), text_of(rewrite.after), at, words[0], words[1], rewrite.reason)


def _in_float32(root: Node, arrays: dict[str, np.ndarray], params: dict[str, float] | None = None) -> np.ndarray:
    given = {name: array.astype(np.float32) for name, array in arrays.items()}
    with np.errstate(all="ignore"):
        return np.asarray(value_of(root, numpy_ops, given, params or {}))


def ulps(got: np.ndarray, want: np.ndarray) -> np.ndarray:
    """The error of each entry in ulps of float32; inf where a finite number is missed altogether."""
    errors = np.zeros(len(got))
    for index, (one, true) in enumerate(zip(got, want, strict=True)):
        if not context.isfinite(true) or abs(true) > LARGEST:
            continue
        if not np.isfinite(one):
            errors[index] = np.inf
            continue
        missed = max(abs(context.mpf(float(one)) - true) - TINY, 0)
        errors[index] = float(missed / (EPS * max(abs(true), TINY)))
    return errors


def _of_rows(got: np.ndarray, want: np.ndarray) -> np.ndarray:
    """The largest error of each row, in ulps of its largest entry: no sum of exponentials knows the others better."""
    found = []
    for row, true in zip(got, want, strict=True):
        largest = max((abs(x) for x in true if context.isfinite(x)), default=0)
        errors = zip(ulps(row, true), true, strict=True)
        sizes = [e * float(max(abs(x), TINY) / max(largest, TINY)) for e, x in errors if context.isfinite(x)]
        found.append(max(sizes, default=0.0))
    return np.array(found)


def _words(error: float) -> str:
    return "not finite" if error == np.inf else f"{error:.2g} ulp" if error < 1000 else f"{error:.1e} ulp"
