"""Losses between embeddings; the mathematics is in `lossmith.formulas.contrastive`."""

from typing import final

from lossmith import formulas
from lossmith.keras.loss import Loss


@final
class Contrastive(Loss, formula=formulas.contrastive):
    """Pairwise contrastive loss with margin: y_true 1 draws a pair together, 0 pushes it `margin` apart.

    Both embeddings of a pair come as one tensor y_pred (N, 2, D), since keras gives each output of a model a loss of
    its own: end the model with `keras.ops.stack([z1, z2], axis=1)`. y_true is (N,) or (N, 1). Keras has none.

    >>> float(Contrastive()([0.0], [[[0.0, 0.5], [0.0, 0.0]]]))
    0.125
    """

    margin: float = 1.0
