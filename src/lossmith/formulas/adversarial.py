"""Losses of a discriminator and a generator. x is the score of one sample, high where it looks real.

    gan_discriminator   t = 1 for a real sample, 0 for a generated one; the losses of both add up
        vanilla, non_saturating   t softplus(-x) + (1 - t) softplus(x)
        least_squares             (x - t)^2 / 2
        wasserstein               (1 - 2 t) x
        hinge                     max(0, 1 - (2 t - 1) x)
    gan_generator       of a generated sample, which the discriminator should give the label l = 1
        vanilla                   -softplus(x) = log(1 - sigmoid x)
        non_saturating            l softplus(-x) + (1 - l) softplus(x)
        least_squares             (x - l)^2 / 2
        wasserstein, hinge        -x
    gan_relativistic    t softplus(y - x) + (1 - t) softplus(x - y)
        y is the score of a sample of the other side, or the mean of its scores

The generator of "vanilla" minimises the negative of what the discriminator pays for its samples, whose slope fades
where the discriminator is sure; "non_saturating" differs in the generator alone. The two sides are two formulas, so
that a sign is chosen by a name and not by an argument.
"""

from collections.abc import Mapping
from math import inf, isfinite
from typing import Literal

from lossmith.errors import SettingError, message
from lossmith.formulas.terms import share
from lossmith.ops import A, Ops
from lossmith.spec import By, Claims, formula

Mode = Literal["vanilla", "non_saturating", "least_squares", "wasserstein", "hinge"]
SCORE = By(
    "mode",
    {"vanilla": "logits", "non_saturating": "logits", "least_squares": "real", "wasserstein": "real", "hinge": "real"},
)
LABEL = By(
    "mode",
    {"vanilla": "soft", "non_saturating": "soft", "least_squares": "real", "wasserstein": "binary", "hinge": "binary"},
)
SOURCES = (
    "Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661; least squares: Mao et al. 2017, "
    "https://arxiv.org/abs/1611.04076; Wasserstein: Arjovsky et al. 2017, https://arxiv.org/abs/1701.07875; hinge: "
    "Lim and Ye 2017, https://arxiv.org/abs/1705.02894"
)


def _bound(mode: Mode, **_: object) -> float | None:
    """One score moves its loss by at most as much as itself; the parabola has no bound."""
    return None if mode == "least_squares" else 1.0


def _logistic(ops: Ops[A], score: A, label: A) -> A:
    return share(ops, label, ops.softplus(-score)) + share(ops, 1.0 - label, ops.softplus(score))


@formula(
    shapes="..., ... -> ...",
    kinds=(SCORE, LABEL),
    source=SOURCES,
    claims=Claims(range=(-inf, inf), convex=True, monotone=True, proper=True, grad_bound=_bound),
)
def gan_discriminator(ops: Ops[A], pred: A, target: A, *, mode: Mode = "non_saturating") -> A:
    """The discriminator's loss of its score of a sample, real (1) or generated (0), elementwise.

    Shapes    pred, target: (...) equal; result: (...)
    Unit      nats; the squared unit of pred for least squares, its unit for Wasserstein and hinge
    Range     [0, inf); (-inf, inf) for Wasserstein
    Gradient  sigmoid x - t; x - t for least squares; 1 - 2 t for Wasserstein, and for hinge where the margin is not
              kept, else 0. At the hinge itself 0
    Limits    a score of +-inf for a sample of the other label gives inf, for one of its own 0 (Wasserstein -inf)
    Keywords  mode: vanilla and non_saturating are the same here. A target between 0 and 1 is a smoothed label: the
              two costs in proportion. Wasserstein and hinge have none
    Source    Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661; least squares: Mao et al. 2017,
              https://arxiv.org/abs/1611.04076; Wasserstein: Arjovsky et al. 2017, https://arxiv.org/abs/1701.07875;
              hinge: Lim and Ye 2017, https://arxiv.org/abs/1705.02894

    >>> import numpy as np
    >>> gan_discriminator(np.array([2.0, 0.5]), np.array([1.0, 0.0]), mode="hinge")
    array([0. , 1.5])
    """
    if mode == "least_squares":
        return 0.5 * ops.square(pred - target)
    if mode == "wasserstein":
        return (1.0 - 2.0 * target) * pred
    if mode == "hinge":
        missing = 1.0 - (2.0 * target - 1.0) * pred
        return ops.where(~(missing <= 0.0), missing, 0.0)  # at a tie each reader's maximum has a slope of its own
    return _logistic(ops, pred, target)


@formula(
    shapes="... -> ...",
    kinds=(SCORE,),
    source=SOURCES,
    claims=Claims(range=(-inf, inf), smooth=True, grad_bound=_bound),
)
def gan_generator(ops: Ops[A], pred: A, *, mode: Mode = "non_saturating", label: A | float = 1.0) -> A:
    """The generator's loss of the discriminator's score of a generated sample, elementwise.

    Shapes    pred: (...); result: (...)
    Unit      nats; the squared unit of pred for least squares, its unit for Wasserstein and hinge
    Range     [0, inf) for non_saturating and least_squares; (-inf, 0] for vanilla; (-inf, inf) for the others
    Gradient  vanilla -sigmoid x, which fades for a sample that is found out; non_saturating sigmoid x - l;
              least_squares x - l; -1 for Wasserstein and hinge
    Limits    a score of -inf gives 0 for vanilla and inf for the others; of inf, 0 for non_saturating and -inf for
              vanilla, Wasserstein and hinge
    Keywords  mode; label: what the discriminator should say, a number from 0 to 1 for non_saturating, any for
              least_squares (c in Mao et al.); the other modes have none
    Source    Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661; least squares: Mao et al. 2017,
              https://arxiv.org/abs/1611.04076; Wasserstein: Arjovsky et al. 2017, https://arxiv.org/abs/1701.07875;
              hinge: Lim and Ye 2017, https://arxiv.org/abs/1705.02894

    >>> import numpy as np
    >>> gan_generator(np.array([0.0, -3.0])).round(6)
    array([0.693147, 3.048587])
    """
    if not (isinstance(label, (int, float)) and label == 1.0):
        require_label("gan_generator", mode, "label", label, GENERATOR_LABELS.get(mode, "none"))
    if mode == "least_squares":
        return 0.5 * ops.square(pred - label)
    if mode == "non_saturating":
        return _logistic(ops, pred, ops.full_like(pred, 0.0) + label)
    return -ops.softplus(pred) if mode == "vanilla" else -pred


@formula(
    shapes="..., ..., ... -> ...",
    kinds=("logits", "logits", "soft"),
    source="Jolicoeur-Martineau 2018, https://arxiv.org/abs/1807.00734",
    claims=Claims(convex=True, smooth=True, grad_bound=1.0),
)
def gan_relativistic(ops: Ops[A], pred: A, other: A, target: A) -> A:
    """How far a score should lead (1) or trail (0) that of the other side, elementwise; for both players.

    The discriminator wants real samples to lead, the generator its own: each is the other with the sides exchanged.

    Shapes    pred, other, target: (...) equal; result: (...)
    Unit      nats
    Range     [0, inf)
    Gradient  in pred sigmoid(x - y) - t, in other its negative
    Limits    a lead of inf gives 0 for t = 1 and inf for t = 0; two infinite scores of one sign give NaN
    Source    Jolicoeur-Martineau 2018, https://arxiv.org/abs/1807.00734

    >>> import numpy as np
    >>> real, fake = np.array([2.0, 0.0]), np.array([0.0, 0.0])
    >>> gan_relativistic(real, fake, np.array([1.0, 1.0])).round(6)
    array([0.126928, 0.693147])
    """
    return _logistic(ops, pred - other, target)


LabelKind = Literal["number", "probability", "none"]
GENERATOR_LABELS: Mapping[str, LabelKind] = {"least_squares": "number", "non_saturating": "probability"}


def require_label(caller: str, mode: str, name: str, label: object, kind: LabelKind) -> None:
    """Refuse a label that a mode does not have, or that is no probability where it must be one.

    An array passes unread, like any keyword that is one.
    """
    given: dict[str, object] = {"mode": repr(mode), name: repr(label)}
    if kind == "none":
        raise SettingError(message(f"{caller}: this mode has no {name}", given))
    if isinstance(label, (int, float)):
        if kind == "probability" and not 0.0 <= label <= 1.0:
            raise SettingError(message(f"{caller}: {name} must be a number from 0 to 1", given))
        if not isfinite(label):
            raise SettingError(message(f"{caller}: {name} must be a finite number", given))
