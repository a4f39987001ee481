"""Losses between embeddings; the mathematics is in `lossmith.formulas.contrastive`."""

from typing import final

from lossmith import formulas
from lossmith.torch.loss import PairLoss


@final
class ContrastiveLoss(PairLoss, formula=formulas.contrastive):
    """Pairwise contrastive loss with margin: target 1 draws a pair together, 0 pushes it `margin` apart.

    Shapes: inputs (N, D) or (D,), target (N,) or (). torch.nn has none; its CosineEmbeddingLoss compares angles.

    >>> ContrastiveLoss()(torch.tensor([[0.0, 0.5]]), torch.tensor([[0.0, 0.0]]), torch.tensor([0.0]))
    tensor(0.1250)
    """

    margin: float = 1.0
