"""Losses of embeddings and proxies, one for each class. s_c is the cosine of an embedding with the proxy of class c.

    proxy_nca      -log (e^(-scale d_y) / sum_{c != y} e^(-scale d_c)),    d_c = |x - p_c|^2 = 2 - 2 s_c
    proxy_anchor   the mean over the classes that occur of log(1 + sum over its samples of e^(-alpha (s - m)))
                   + the mean over all classes of log(1 + sum over the other samples of e^(alpha (s + m)))

The paper of proxy_nca leaves the embedding's own class out of the sum, so that the value may be negative, and has no
lower bound but -4 scale - log(C - 1). With contrast="all" it is in: that is the cross-entropy of ProxyNCA++.
"""

from math import inf, nan
from typing import Literal

from lossmith.formulas.batch import counted, log_sum, number
from lossmith.formulas.margins import KINDS, PROXIES, labelled_cost, nearness
from lossmith.formulas.terms import unit
from lossmith.ops import A, Ops
from lossmith.settings import NonNegative, Positive
from lossmith.spec import Claims, Outcome, formula


@formula(
    shapes=PROXIES,
    kinds=KINDS,
    source="Movshovitz-Attias et al. 2017, https://arxiv.org/abs/1703.07464; contrast='all': Teh et al. 2020, "
    "https://arxiv.org/abs/2004.01113",
    claims=Claims(range=(-inf, inf), scale_invariant=True),
)
def proxy_nca(
    ops: Ops[A],
    embedding: A,
    target: A,
    proxies: A,
    *,
    scale: Positive = 1.0,
    contrast: Literal["others", "all"] = "others",
) -> A:
    """Proxy-NCA: an embedding is nearer to the proxy of its class than to the other proxies.

    Shapes    embedding: (..., D); target: labels (...) of an integer dtype; proxies: (C, D); result: (...)
    Unit      nats
    Range     (-inf, inf); with contrast="all" [0, inf)
    Gradient  in a cosine at most 2 scale in size; across the embedding, so that it goes as 1 / its length
    Limits    a zero embedding has cosine 0 to all, with gradient 0; a label out of range gives NaN; with one class
              there is nothing to compare with, and the value is 0
    Keywords  scale > 0: of the distances, the inverse of a temperature; contrast: the sum is over the other classes,
              as in the paper, or over all, as in ProxyNCA++
    Source    Movshovitz-Attias et al. 2017, https://arxiv.org/abs/1703.07464; contrast='all': Teh et al. 2020,
              https://arxiv.org/abs/2004.01113

    >>> import numpy as np
    >>> proxies = np.array([[1.0, 0.0], [0.0, 1.0]])
    >>> proxy_nca(np.array([[0.6, 0.8], [2.0, 0.0]]), np.array([0, 0]), proxies).round(6)
    array([ 0.4, -2. ])
    """
    near = nearness(ops, unit(ops, embedding), unit(ops, proxies))
    hot, logits = ops.one_hot(target, near), 2.0 * scale * near
    if contrast == "all":
        return labelled_cost(ops, logits, hot)
    own = ops.sum(ops.where(hot, logits, 0.0), axis=-1, keepdims=True)
    cost = log_sum(ops, logits - own, ~hot)
    cost = ops.where(ops.truth(counted(ops, ~hot, near)), cost, 0.0)
    return ops.where(ops.truth(counted(ops, hot, near)), cost, nan)


@formula(
    shapes="... N D, ... N, C D -> ...",
    kinds=KINDS,
    source="Kim et al. 2020, https://arxiv.org/abs/2003.13911",
    claims=Claims(scale_invariant=True),
    coupled="N",
)
def proxy_anchor(
    ops: Ops[A],
    embedding: A,
    target: A,
    proxies: A,
    *,
    alpha: Positive = 32.0,
    margin: NonNegative = 0.1,
    kept: A | None = None,
) -> Outcome[A]:
    """Proxy-anchor loss: each proxy draws the samples of its class and pushes the others, the hard ones most.

    Shapes    embedding: (..., N, D); target: labels (..., N) of an integer dtype; proxies: (C, D); result: (...)
    Unit      nats
    Range     [0, inf)
    Gradient  in a cosine at most 2 alpha in size; across the embedding, so that it goes as 1 / its length
    Limits    a zero embedding has cosine 0 to all, with gradient 0; an empty batch costs 0; a label out of range
              gives NaN. The terms `positive` and `negative` are the two means
    Keywords  alpha > 0: the scale; margin >= 0: a difference of cosines
    Source    Kim et al. 2020, https://arxiv.org/abs/2003.13911

    >>> import numpy as np
    >>> proxies = np.array([[1.0, 0.0], [0.0, 1.0]])
    >>> proxy_anchor(np.array([[0.6, 0.8], [2.0, 0.0]]), np.array([0, 0]), proxies, alpha=4.0).round(6)
    np.float64(1.983644)
    """
    near = ops.matrix_transpose(nearness(ops, unit(ops, embedding), unit(ops, proxies)))
    hot = ops.matrix_transpose(ops.one_hot(target, ops.matrix_transpose(near)))
    own, others = hot, ~hot
    if kept is not None:
        row = ops.expand_dims(kept, axis=-2)
        own, others = own & row, others & row
    pull = ops.softplus(log_sum(ops, -alpha * (near - margin), own))
    push = ops.softplus(log_sum(ops, alpha * (near + margin), others))
    occurs = number(ops, ops.truth(counted(ops, own, near)), pull)
    positive = ops.sum(pull, axis=-1) / ops.maximum(ops.sum(occurs, axis=-1), 1.0)
    negative = ops.sum(push, axis=-1) / ops.sum(ops.full_like(push, 1.0), axis=-1)
    known = ops.sum(ops.where(hot, ops.full_like(near, 1.0), 0.0), axis=-2)
    lost = ~ops.truth(known) if kept is None else ~ops.truth(known) & kept
    positive = ops.where(ops.truth(counted(ops, lost, known)), ops.full_like(positive, nan), positive)
    return Outcome(positive + negative, terms={"positive": positive, "negative": negative})
