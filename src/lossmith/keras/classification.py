"""Losses for classes; the mathematics is in `lossmith.formulas`: binary, softmax, smoothing, poly, multilabel.

Keras moves probabilities by 1e-7 before their logarithm and divides each row by its sum. Here they are taken as they
are: sure and wrong costs inf, and the gradient is that of -log p. `from_logits=True` has no such ends.
"""

from collections.abc import Sequence
from typing import Literal, final

from lossmith import formulas
from lossmith.face import leading
from lossmith.keras.classes import ClassesLoss
from lossmith.keras.loss import Loss
from lossmith.settings import Fraction


@final
class BinaryCrossentropy(Loss, formula=formulas.binary_cross_entropy, fixed={"pos_weight": None}):
    """`keras.losses.BinaryCrossentropy`, averaged over `axis`, with exact probabilities.

    >>> round(float(BinaryCrossentropy(from_logits=True)([[1.0, 1.0]], [[0.0, 100.0]])), 4)
    0.3466
    """

    from_logits: bool = leading(default=False)
    label_smoothing: Fraction = leading(default=0.0)
    axis: int = -1


@final
class CategoricalCrossentropy(Loss, formula=formulas.softmax_cross_entropy, fixed={"class_weight": None}):
    """`keras.losses.CategoricalCrossentropy` on distributions, with exact probabilities.

    >>> round(float(CategoricalCrossentropy()([[0.0, 1.0]], [[0.25, 0.75]])), 4)
    0.2877
    """

    from_logits: bool = leading(default=False)
    label_smoothing: Fraction = leading(default=0.0)
    axis: int = -1


@final
class SparseCategoricalCrossentropy(
    Loss,
    formula=formulas.softmax_cross_entropy,
    fixed={"class_weight": None, "label_smoothing": 0.0},
    labels=True,
):
    """`keras.losses.SparseCategoricalCrossentropy` on class numbers, with exact probabilities.

    A label outside 0 ... C - 1 that is not `ignore_class` gives NaN on every back end.

    >>> round(float(SparseCategoricalCrossentropy(ignore_class=-1)([1, -1], [[0.25, 0.75], [0.5, 0.5]])), 4)
    0.2877
    """

    from_logits: bool = leading(default=False)
    ignore_class: int | None = leading(default=None)
    axis: int = -1


@final
class BinaryFocalCrossentropy(Loss, formula=formulas.binary_focal, differs=("alpha",)):
    """`keras.losses.BinaryFocalCrossentropy`, averaged over `axis`, with exact probabilities.

    `alpha` counts only with `apply_class_balancing`, as in keras. A soft target, from `label_smoothing` too, mixes
    the costs of 0 and 1 in proportion; keras mixes the probabilities inside the focusing factor.

    >>> round(float(BinaryFocalCrossentropy()([[1.0]], [[0.5]])), 4)
    0.1733
    """

    apply_class_balancing: bool = leading(default=False)
    alpha: float = leading(default=0.25)
    gamma: float = leading(default=2.0)
    from_logits: bool = leading(default=False)
    label_smoothing: Fraction = leading(default=0.0)
    axis: int = -1


@final
class CategoricalFocalCrossentropy(Loss, formula=formulas.softmax_focal, differs=("alpha",)):
    """`keras.losses.CategoricalFocalCrossentropy` on distributions, with exact probabilities.

    `alpha` is one factor, or one for each class.

    >>> round(float(CategoricalFocalCrossentropy(alpha=1.0)([[0.0, 1.0]], [[0.5, 0.5]])), 4)
    0.1733
    """

    alpha: float | Sequence[float] = leading(default=0.25)
    gamma: float = leading(default=2.0)
    from_logits: bool = leading(default=False)
    label_smoothing: Fraction = leading(default=0.0)
    axis: int = -1


@final
class LabelSmoothing(ClassesLoss, formula=formulas.smoothed_cross_entropy):
    """Cross-entropy with `smoothing` of the target spread evenly, over "all" classes or the "others".

    `over="all"` is `keras.losses.CategoricalCrossentropy(label_smoothing=...)`. Keras has no "others".

    >>> round(float(LabelSmoothing(smoothing=0.5, over="others", from_logits=True)([1], [[0.0, 2.0]])), 4)
    1.1269
    """

    smoothing: float = 0.1
    over: Literal["all", "others"] = "all"
    from_logits: bool = False


@final
class Poly(ClassesLoss, formula=formulas.poly_cross_entropy):
    """Poly-1: cross-entropy and `epsilon` times the probability that misses the label. Keras has none.

    >>> round(float(Poly(epsilon=2.0)([1], [[0.5, 0.5]])), 4)
    1.6931
    """

    epsilon: float = 1.0
    from_logits: bool = False


@final
class AsymmetricMultiLabel(Loss, formula=formulas.asymmetric_multilabel):
    """Asymmetric loss (ASL) on the logits of many labels, each 0 or 1, averaged over the last axis. Keras has none.

    The focusing factor of the authors' code has no gradient by default: that is `stop_focusing=True`.

    >>> round(float(AsymmetricMultiLabel()([[1.0, 0.0]], [[0.0, 2.0]])), 4)
    0.5965
    """

    gamma_pos: float = 1.0
    gamma_neg: float = 4.0
    clip: float = 0.05
    stop_focusing: bool = False
