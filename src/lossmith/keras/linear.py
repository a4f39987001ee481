"""Cross-entropy with its linear layer; the mathematics is in `lossmith.formulas.linear`."""

from typing import Any, final

from lossmith import formulas
from lossmith.keras.proxies import ProxyLoss


@final
class LinearCrossEntropy(
    ProxyLoss, formula=formulas.linear_cross_entropy, labels=True, own=("proxies",), held={"classes": "vectors"}
):
    """Cross-entropy of the logits y_pred . w_c, for rows y_pred (N, D) and one vector for each class: an array, or the
    `Proxies` layer that holds them.

    >>> loss = LinearCrossEntropy([[1.0, 0.0], [0.0, 1.0]])
    >>> round(float(loss([0, 1], [[2.0, 0.0], [1.0, 1.0]])), 4)
    0.41
    """

    bias: Any = None
    label_smoothing: float = 0.0
    z_weight: float = 0.0
    soft_cap: float | None = None
