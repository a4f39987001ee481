"""Softmax losses with a margin between an embedding and the proxy of its class, on the sphere.

c are the cosines of the embedding with the proxies, theta = arccos c_y its angle to the one of its class. The value is
the cross-entropy of logits in which that class has its cosine made worse:

    arc_face      scale cos(theta + m)      where theta + m < pi, else scale (cos theta - m sin m)
    cos_face      scale (cos theta - m)
    sphere_face   |x| psi(theta),  psi = (-1)^k cos(m theta) - 2 k,  k pi / m <= theta <= (k + 1) pi / m

No angle is computed: arccos has slope -1 / sin theta, inf at a cosine of +-1. cos(theta + m) = c cos m - sin theta
sin m, and with u, w of length 1

    sin theta = |u - w| |u + w| / 2

is as accurate at a cosine of 1, where sqrt(1 - c^2) would hold half the digits, as elsewhere. At theta = 0 and pi the
direction of sin theta is undefined, and its gradient 0. cos(m theta) is the Chebyshev polynomial T_m(c).

Beyond theta + m = pi, cos(theta + m) would rise again and reward what is worse. The line that stands there instead
falls, and begins lower: -cos m - m sin m <= -1 for m up to pi / 2.
"""

from math import cos, nan, pi, sin
from typing import Annotated, Literal

from lossmith.formulas.batch import cosines
from lossmith.formulas.contrastive import distance
from lossmith.formulas.terms import standing, unit
from lossmith.ops import A, Ops
from lossmith.settings import Interval, NonNegative, Positive
from lossmith.spec import Claims, formula

PROXIES = "... D, ..., C D -> ..."
KINDS = ("embedding", "index", "embedding")
Acute = Annotated[float, Interval("an angle from 0 to pi / 2", low=0.0, high=pi / 2)]


@formula(
    shapes=PROXIES,
    kinds=KINDS,
    source="Deng et al. 2019, https://arxiv.org/abs/1801.07698",
    claims=Claims(scale_invariant=True),
)
def arc_face(ops: Ops[A], embedding: A, target: A, proxies: A, *, margin: Acute = 0.5, scale: Positive = 64.0) -> A:
    """ArcFace: an embedding is nearer to the proxy of its class than to all others by an angle.

    Shapes    embedding: (..., D); target: labels (...) of an integer dtype; proxies: (C, D); result: (...)
    Unit      nats
    Range     [0, inf); never falls as the angle grows, with a jump upwards at pi - margin
    Gradient  finite everywhere, at cosines of +-1 too; across the embedding, so that it goes as 1 / its length
    Limits    a zero embedding is at a right angle to all, with gradient 0; a label out of range gives NaN
    Keywords  margin: an angle from 0 to pi / 2, in radians; scale > 0: of the logits
    Source    Deng et al. 2019, https://arxiv.org/abs/1801.07698

    >>> import numpy as np
    >>> proxies = np.array([[1.0, 0.0], [0.0, 1.0]])
    >>> arc_face(np.array([[0.6, 0.8], [2.0, 0.0]]), np.array([0, 0]), proxies, scale=4.0).round(6)
    array([2.6977  , 0.029449])
    """
    one, each = unit(ops, embedding), unit(ops, proxies)
    near = nearness(ops, one, each)
    hot = ops.one_hot(target, near)
    worse = turned_away(ops, _at(ops, near, hot), one, _row(ops, each, hot), margin)
    return _cost(ops, near, worse, hot, scale)


@formula(
    shapes=PROXIES,
    kinds=KINDS,
    source="Wang et al. 2018, https://arxiv.org/abs/1801.09414",
    claims=Claims(scale_invariant=True),
)
def cos_face(
    ops: Ops[A], embedding: A, target: A, proxies: A, *, margin: NonNegative = 0.35, scale: Positive = 64.0
) -> A:
    """CosFace: an embedding is nearer to the proxy of its class than to all others by a difference of cosines.

    Shapes    embedding: (..., D); target: labels (...) of an integer dtype; proxies: (C, D); result: (...)
    Unit      nats
    Range     [0, inf)
    Gradient  in a cosine at most scale in size; across the embedding, so that it goes as 1 / its length
    Limits    a zero embedding has cosine 0 to all, with gradient 0; a label out of range gives NaN
    Keywords  margin >= 0: a difference of cosines; scale > 0: of the logits
    Source    Wang et al. 2018, https://arxiv.org/abs/1801.09414

    >>> import numpy as np
    >>> proxies = np.array([[1.0, 0.0], [0.0, 1.0]])
    >>> cos_face(np.array([[0.6, 0.8], [2.0, 0.0]]), np.array([0, 0]), proxies, scale=4.0).round(6)
    array([2.305083, 0.071645])
    """
    near = nearness(ops, unit(ops, embedding), unit(ops, proxies))
    hot = ops.one_hot(target, near)
    return _cost(ops, near, _at(ops, near, hot) - margin, hot, scale)


@formula(
    shapes=PROXIES,
    kinds=KINDS,
    source="Liu et al. 2017, https://arxiv.org/abs/1704.08063",
    claims=Claims(),
)
def sphere_face(ops: Ops[A], embedding: A, target: A, proxies: A, *, margin: Literal[1, 2, 3, 4] = 4) -> A:
    """SphereFace (A-softmax): the angle to the proxy of the class counts `margin` times.

    Shapes    embedding: (..., D); target: labels (...) of an integer dtype; proxies: (C, D); result: (...)
    Unit      nats
    Range     [0, inf); never falls as the angle grows, without a jump
    Gradient  in a logit at most 1 in size, in a cosine at most margin^2 times the length of the embedding
    Limits    only the proxies are normalised: the length of the embedding is the scale. A zero embedding costs log C,
              with gradient 0 by convention; a label out of range gives NaN
    Keywords  margin: 1 (a softmax on cosines), 2, 3 or 4
    Source    Liu et al. 2017, https://arxiv.org/abs/1704.08063

    >>> import numpy as np
    >>> proxies = np.array([[1.0, 0.0], [0.0, 1.0]])
    >>> sphere_face(np.array([[0.6, 0.8], [2.0, 0.0]]), np.array([0, 0]), proxies).round(6)
    array([2.088977, 0.126928])
    """
    near = nearness(ops, unit(ops, embedding), unit(ops, proxies))
    hot = ops.one_hot(target, near)
    length = distance(ops, embedding, ops.full_like(embedding, 0.0))
    return _cost(ops, near, multiplied(ops, _at(ops, near, hot), margin), hot, ops.expand_dims(length, axis=-1))


def turned_away(ops: Ops[A], own: A, one: A, other: A, margin: float) -> A:
    """cos(theta + margin) of two unit vectors whose cosine is `own`, and the line beyond pi."""
    beside = own * cos(margin) - _sine(ops, one, other) * sin(margin)
    return ops.where(own > -cos(margin), beside, own - margin * sin(margin))


def multiplied(ops: Ops[A], c: A, margin: int) -> A:
    """psi, by the cosine: one more half-turn of cos(m theta) for each joint cos(k pi / m) that c lies below."""
    one = ops.full_like(c, 1.0)
    before, now = one, c
    for _ in range(margin - 1):
        before, now = now, 2.0 * c * now - before
    sign, turns = one, ops.full_like(c, 0.0)
    for k in range(1, margin):
        below = c < cos(k * pi / margin)
        sign, turns = ops.where(below, -sign, sign), ops.where(below, turns + 1.0, turns)
    return sign * now - 2.0 * turns


def _sine(ops: Ops[A], one: A, other: A) -> A:
    """The sine of the angle of two unit vectors; 1 where one of them is 0."""
    some = ops.truth(_length(ops, one) * _length(ops, other))
    return ops.where(some, 0.5 * distance(ops, one, other) * distance(ops, one, -other), 1.0)


def _length(ops: Ops[A], one: A) -> A:
    return ops.max(ops.abs(ops.stop_gradient(one)), axis=-1)


def plain_logits(ops: Ops[A], embedding: A, proxies: A, scale: float | None) -> A:
    """scale times the cosines (..., C), without a margin, for inference; None: times the length of the embedding."""
    wide = ops.widen(embedding)
    near = nearness(ops, unit(ops, wide), unit(ops, ops.astype(proxies, wide)))
    if scale is not None:
        return ops.astype(scale * near, embedding)
    length = distance(ops, wide, ops.full_like(wide, 0.0))
    return ops.astype(ops.expand_dims(length, axis=-1) * near, embedding)


def nearness(ops: Ops[A], one: A, each: A) -> A:
    """The cosines (..., C) of unit vectors (..., D) with the proxies (C, D)."""
    return ops.sum(cosines(ops, ops.expand_dims(one, axis=-2), each), axis=-2)


def _row(ops: Ops[A], each: A, hot: A) -> A:
    """The proxy (..., D) of the class that is True in `hot` (..., C)."""
    chosen = ops.expand_dims(ops.astype(hot, each), axis=-2)
    return ops.sum(ops.matmul(chosen, each), axis=-2)


def _at(ops: Ops[A], near: A, hot: A) -> A:
    return ops.sum(ops.where(hot, near, 0.0), axis=-1)


def _cost(ops: Ops[A], near: A, worse: A, hot: A, scale: A | float) -> A:
    """The cross-entropy of scale * near in which the class of the label has `worse` in place of its cosine."""
    logits = scale * ops.where(hot, ops.expand_dims(worse, axis=-1), near)
    return labelled_cost(ops, logits, hot)


def labelled_cost(ops: Ops[A], logits: A, hot: A) -> A:
    """-log p of the class that is True in `hot`; NaN where none is."""
    cost = ops.sum(ops.where(hot, standing(ops, logits).surprisal, 0.0), axis=-1)
    return ops.where(ops.truth(ops.sum(ops.astype(hot, logits), axis=-1)), cost, nan)
