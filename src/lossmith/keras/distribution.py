"""Losses between distributions; the mathematics is in `lossmith.formulas.divergence` and `.distillation`."""

from typing import final

from lossmith import formulas
from lossmith.face import leading
from lossmith.keras.loss import Loss


@final
class KLDivergence(Loss, formula=formulas.kl_divergence, fixed={"log_target": False}, own=("reverse",)):
    """`keras.losses.KLDivergence` on probabilities over the last axis, which keras moves to 1e-7 or more.

    Here a class with y_true 0 costs exactly 0, and y_pred 0 where y_true is not costs inf. `from_logits` and `reverse`,
    which is KL(y_pred || y_true), are further settings.

    >>> round(float(KLDivergence()([[1.0, 0.0]], [[0.5, 0.5]])), 4)
    0.6931
    """

    from_logits: bool = False
    reverse: bool = False

    def _set_up(self) -> None:
        if self.reverse:
            vars(self)["formula"] = formulas.reverse_kl_divergence


@final
class JensenShannon(Loss, formula=formulas.jensen_shannon, fixed={"log_target": False}):
    """Jensen-Shannon divergence of two distributions over the last axis, from 0 to log 2. Keras has none.

    >>> round(float(JensenShannon()([[1.0, 0.0]], [[0.0, 1.0]])), 4)
    0.6931
    """

    from_logits: bool = leading(default=False)


@final
class Distillation(Loss, formula=formulas.distillation, labels=True):
    """Hinton's distillation: (1 - alpha) T^2 KL(teacher || student) at temperature T, plus alpha cross-entropy.

    Both networks' logits come as one tensor y_pred (N, 2, C), the student's first: end the model with
    `keras.ops.stack([student, teacher], axis=1)`. y_true holds class numbers, (N,) or (N, 1). The teacher gets no
    gradient. Keras has none.

    >>> round(float(Distillation(temperature=2.0, alpha=0.5)([0], [[[1.0, 0.0], [3.0, 0.0]]])), 4)
    0.3371
    """

    temperature: float = 4.0
    alpha: float = 0.1
    ignore_class: int | None = None
