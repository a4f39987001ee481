"""Negative log-likelihoods of a target under a distribution whose parameters are predicted, entry by entry.

    poisson_nll    rate - t log rate,   rate = e^x               gradient in x: rate - t, in the rate: 1 - t / rate
                   full: + t log t - t + log(2 pi t) / 2 for t > 1       Stirling's log t!
    gaussian_nll   (log v + r^2 / v) / 2,   r = pred - target    gradient in pred: r / v
                   full: + log(2 pi) / 2                         in v: (1 - r^2 / v) / (2 v)
                   beta: times v^beta, held constant             beta 1 is the gradient of the squared error / 2

torch.nn adds 1e-8 to the rate and moves a variance to 1e-6 or more, keras adds 1e-7 to the rate: that moves the minimum
to another rate, and no variance below 1e-6 can be learned. Here 0 log 0 is 0, and a variance is taken as it is.
"""

from math import inf, log, pi

from lossmith.formulas.terms import share
from lossmith.ops import A, Ops
from lossmith.settings import Fraction
from lossmith.spec import By, Claims, formula


@formula(
    shapes="..., ... -> ...",
    kinds=(By("log_input", {True: "real", False: "positive"}), "count"),
    source="Nelder and Wedderburn 1972, https://doi.org/10.2307/2344614",
    claims=Claims(range=(-inf, inf), convex=True, smooth=True),
)
def poisson_nll(ops: Ops[A], pred: A, target: A, *, log_input: bool = True, full: bool = False) -> A:
    """Negative log-likelihood of a count under a Poisson distribution, elementwise.

    Shapes    pred, target: (...) equal; result: (...)
    Unit      nats
    Range     (-inf, inf], least at rate == target; full: 0 or more, but for the error of Stirling's formula
    Gradient  in a logarithm of the rate e^x - t; in a rate 1 - t / rate
    Limits    a rate of 0 costs 0 for a count of 0, else inf; a logarithm that overflows gives inf
    Keywords  log_input: pred is the logarithm of the rate, not the rate; full: with log t!, by Stirling's formula
              above t = 1: it is short of it by 1 / (12 t) at most, and changes no gradient
    Source    Nelder and Wedderburn 1972, https://doi.org/10.2307/2344614

    >>> import numpy as np
    >>> poisson_nll(np.array([0.0, 3.0]), np.array([0.0, 2.0]), log_input=False).round(6)
    array([0.      , 0.802775])
    """
    if log_input:
        # no rate is finite from 1e4 on: held there, the product cannot become inf - inf
        value = ops.exp(pred) - share(ops, target, ops.minimum(pred, 1e4))
    else:
        value = pred + share(ops, target, -ops.log(ops.where(ops.truth(target), pred, 1.0)))
    if not full:
        return value
    many = target > 1.0
    t = ops.where(many, target, 1.0)
    return value + ops.where(many, t * (ops.log(t) - 1.0) + 0.5 * ops.log(2.0 * pi * t), 0.0)


@formula(
    shapes="..., ..., ... -> ...",
    kinds=("real", "real", "positive"),
    source="Nix and Weigend 1994, https://doi.org/10.1109/ICNN.1994.374138; beta: Seitzer et al. 2022, "
    "https://arxiv.org/abs/2203.09168",
    claims=Claims(range=(-inf, inf), smooth=True, monotone=True),
)
def gaussian_nll(ops: Ops[A], pred: A, target: A, variance: A, *, full: bool = False, beta: A | Fraction = 0.0) -> A:
    """Negative log-likelihood of a target under a normal distribution of predicted mean and variance, elementwise.

    Shapes    pred, target, variance: (...) equal; result: (...)
    Unit      nats; with beta, times the unit of variance^beta
    Range     (-inf, inf): at r = 0 it falls without bound as the variance does
    Gradient  in pred r / v, in the variance (1 - r^2 / v) / (2 v), both times v^beta
    Limits    a variance of 0 is outside, and gives NaN or inf, as below 0; r = +-inf gives inf
    Keywords  full: with log(2 pi) / 2; beta in [0, 1]: the value is multiplied by v^beta without gradient, so that
              points of large variance keep their pull on the mean (0.5 is advised); 0 is the likelihood
    Source    Nix and Weigend 1994, https://doi.org/10.1109/ICNN.1994.374138; beta: Seitzer et al. 2022,
              https://arxiv.org/abs/2203.09168

    >>> import numpy as np
    >>> gaussian_nll(np.array([1.0, 0.0]), np.array([0.0, 0.0]), np.array([1.0, 4.0])).round(6)
    array([0.5     , 0.693147])
    """
    value = 0.5 * (ops.log(variance) + ops.square((pred - target) / ops.sqrt(variance)))
    if full:
        value = value + 0.5 * log(2.0 * pi)
    if isinstance(beta, (int, float)) and beta == 0:
        return value
    return value * ops.exp(beta * ops.log(ops.stop_gradient(variance)))
