"""Weights that are large at the edges of the regions or shapes of an image, and 1 where it is even.

    weight = 1 + (max_weight - 1) s / max s,    s = sqrt(gx^2 + gy^2)

s is the magnitude of the Sobel operator: gx is the 3 x 3 correlation with (-1 0 1) across and (1 2 1) down, gy that of
its transpose. The largest s is that of the whole image, over all of its channels; an even image weighs 1 everywhere.
Beyond the border the image goes on with its last row and column.

Class numbers have no order and no distance: there s is the largest over the classes of the magnitude of "is this
class", 0 or 1. Only the classes among the eight neighbours can have one, so the number of classes is not needed, and
no array is larger than the labels.

A pixel that is not kept has no influence: to each neighbour it looks like that neighbour itself. Its own weight is 1.
A weight is a constant to differentiation.
"""

from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

from lossmith.ops import A, Ops
from lossmith.settings import AtLeastOne

MAX_WEIGHT = 10.0
_FLAT = (1, 2, 1)


class _Neighbour(NamedTuple):
    """Where a neighbour stands, and what it counts in gx and gy."""

    down: int
    right: int

    @property
    def across(self) -> int:
        return self.right * _FLAT[self.down + 1]

    @property
    def along(self) -> int:
        return self.down * _FLAT[self.right + 1]


NEIGHBOURS = [_Neighbour(i, j) for i, j in product((-1, 0, 1), repeat=2) if i or j]


def edge_weights(ops: Ops[A], image: A, like: A, *, max_weight: AtLeastOne, channels: int, kept: A | None = None) -> A:
    """The weight of each pixel of images (..., H, W), in the shape of `image` and the (widened) dtype of `like`.

    channels  how many axes before H and W belong to one image
    kept      True where a pixel counts, in the shape of `image`
    """
    like = ops.widen(like)
    labels = ops.number_kind(image) == "integer"
    image = image if labels else ops.astype(image, like)
    if kept is not None:
        image = ops.where(kept, image, ops.full_like(image, 0))
    around = [_moved(ops, image, step) for step in NEIGHBOURS]
    if kept is not None:
        there = [ops.truth(_moved(ops, ops.astype(kept, like), step)) for step in NEIGHBOURS]
        around = [ops.where(t & kept, x, image) for t, x in zip(there, around, strict=True)]
    strength = ops.stop_gradient(_of_labels(ops, around, like) if labels else _of_numbers(ops, around, channels))
    largest = _largest(ops, strength, channels)
    share = strength / ops.where(ops.truth(largest), largest, 1.0)
    return 1.0 + (max_weight - 1.0) * share


def _moved(ops: Ops[A], image: A, step: _Neighbour) -> A:
    """The neighbour of each pixel; the last row and column go on beyond the border."""
    if step.down:
        ends = [image[..., 1:, :], image[..., -1:, :]] if step.down > 0 else [image[..., :1, :], image[..., :-1, :]]
        image = ops.concat(ends, axis=-2)
    if step.right:
        ends = [image[..., 1:], image[..., -1:]] if step.right > 0 else [image[..., :1], image[..., :-1]]
        image = ops.concat(ends, axis=-1)
    return image


def _of_numbers(ops: Ops[A], around: Sequence[A], channels: int) -> A:
    """The magnitude, over the largest slope of its image: squares neither over- nor underflow."""
    across, along = _slopes(around)
    both = _largest(ops, ops.maximum(ops.abs(across), ops.abs(along)), channels)
    scale = ops.where(ops.truth(both), both, 1.0)
    return _length(ops, across / scale, along / scale)


def _of_labels(ops: Ops[A], around: Sequence[A], like: A) -> A:
    """The largest magnitude of the classes around each pixel."""
    found = None
    for centre in around:
        same = [ops.astype(ops.equal(other, centre), like) for other in around]
        one = _length(ops, *_slopes(same))
        found = one if found is None else ops.maximum(found, one)
    assert found is not None
    return found


def _slopes(around: Sequence[A]) -> tuple[A, A]:
    """gx and gy: the differences of opposite neighbours, so that an even image gives exactly 0."""
    pairs = [(x, step) for x, step in zip(around, NEIGHBOURS, strict=True)]
    opposite = {step: x for x, step in pairs}
    across = [(x - opposite[_Neighbour(s.down, -1)]) * s.across for x, s in pairs if s.right == 1]
    along = [(x - opposite[_Neighbour(-1, s.right)]) * s.along for x, s in pairs if s.down == 1]
    return across[0] + across[1] + across[2], along[0] + along[1] + along[2]


def _length(ops: Ops[A], across: A, along: A) -> A:
    squares = ops.square(across) + ops.square(along)
    some = ops.truth(squares)
    return ops.where(some, ops.sqrt(ops.where(some, squares, 1.0)), 0.0)


def _largest(ops: Ops[A], strength: A, channels: int) -> A:
    """The largest entry of each image, with its axes kept."""
    for axis in range(2 + channels):
        strength = ops.max(strength, axis=-1 - axis, keepdims=True)
    return strength
