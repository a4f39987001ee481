"""Losses for noisy labels, on logits; the mathematics is in `lossmith.formulas.noise`. torch.nn has none of them."""

from typing import final

from lossmith import formulas
from lossmith.torch.loss import Loss


@final
class GeneralizedCrossEntropyLoss(Loss, formula=formulas.generalized_cross_entropy, fixed={"pred_is": "logit"}):
    """Generalised cross-entropy, (1 - p^q) / q, on logits; labels of probability `truncation` or less are let go.

    >>> GeneralizedCrossEntropyLoss(q=1.0)(torch.tensor([[0.0, 0.0]]), torch.tensor([1]))
    tensor(0.5000)
    """

    q: float = 0.7
    truncation: float | None = None
    ignore_index: int = -100


@final
class SymmetricCrossEntropyLoss(Loss, formula=formulas.symmetric_cross_entropy, fixed={"pred_is": "logit"}):
    """Cross-entropy times `alpha` and its reverse times `beta`, on logits; `log_zero` stands for log 0.

    >>> SymmetricCrossEntropyLoss()(torch.tensor([[0.0, 0.0]]), torch.tensor([1]))
    tensor(2.0693)
    """

    alpha: float = 0.1
    beta: float = 1.0
    log_zero: float = -4.0
    ignore_index: int = -100
