"""Losses for noisy labels; the mathematics is in `lossmith.formulas.noise`."""

from typing import final

from lossmith import formulas
from lossmith.face import leading
from lossmith.keras.classes import ClassesLoss
from lossmith.keras.loss import Loss


@final
class CategoricalGeneralizedCrossEntropy(
    Loss,
    formula=formulas.generalized_cross_entropy,
    fixed={"pred_is": "prob", "truncation": None},
    differs=("q",),
    labels=True,
):
    """`keras.losses.CategoricalGeneralizedCrossEntropy` on class numbers and probabilities, with `q` up to 1.

    A label outside 0 ... C - 1 gives NaN. `GeneralizedCrossEntropy` takes logits and truncates too.

    >>> float(CategoricalGeneralizedCrossEntropy()([1], [[0.75, 0.25]]))
    1.0
    """

    q: float = leading(default=0.5)


@final
class GeneralizedCrossEntropy(ClassesLoss, formula=formulas.generalized_cross_entropy):
    """Generalised cross-entropy, (1 - p^q) / q; labels of probability `truncation` or less are let go.

    >>> float(GeneralizedCrossEntropy(q=1.0, from_logits=True)([1], [[0.0, 0.0]]))
    0.5
    """

    q: float = leading(default=0.7)
    truncation: float | None = None
    from_logits: bool = False


@final
class SymmetricCrossEntropy(ClassesLoss, formula=formulas.symmetric_cross_entropy):
    """Cross-entropy times `alpha` and its reverse times `beta`; `log_zero` stands for log 0. Keras has none.

    >>> round(float(SymmetricCrossEntropy(from_logits=True)([1], [[0.0, 0.0]])), 4)
    2.0693
    """

    alpha: float = 0.1
    beta: float = 1.0
    log_zero: float = -4.0
    from_logits: bool = False
