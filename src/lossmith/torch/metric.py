"""Losses between embeddings; the mathematics is in `lossmith.formulas.contrastive`, `triplet`, `pairs`, `similarity`.

A batch of embeddings is (N, D), its labels are (N,); the samples interact, so a mask removes a sample as a partner of
the others too. The labels of one batch decide what there is to compare: draw several samples of each class.
"""

from typing import Any, Literal, final

import torch
from torch import Tensor

from lossmith import formulas
from lossmith.errors import SettingError, message
from lossmith.torch.group import SumGrouped
from lossmith.torch.loss import Face, Loss, PairLoss, Reduction, Total


@final
class ContrastiveLoss(PairLoss, formula=formulas.contrastive):
    """Pairwise contrastive loss with margin: target 1 draws a pair together, 0 pushes it `margin` apart.

    Shapes: inputs (N, D) or (D,), target (N,) or (). torch.nn has none; its CosineEmbeddingLoss compares angles.

    >>> ContrastiveLoss()(torch.tensor([[0.0, 0.5]]), torch.tensor([[0.0, 0.0]]), torch.tensor([0.0]))
    tensor(0.1250)
    """

    margin: float = 1.0


@final
class TripletMarginLoss(Face, formula=formulas.triplet_margin, own=("mining",)):
    """`torch.nn.TripletMarginLoss`, without its eps; with `mining` it takes embeddings and labels.

    Without mining: anchor, positive, negative, each (N, D) or (D,); p is 1 or 2. torch.nn adds its eps to every
    difference of coordinates, so that equal points are not at distance 0; here they are, with gradient 0.

    With mining ("batch_all", "batch_hard", "semi_hard"): embeddings (N, D) and labels (N,), Euclidean distances. The
    mean is over the triplets that cost something, over the anchors, over the pairs of anchor and positive. An anchor
    without a positive or a negative counts in none.

    `return_terms` gives `active`, the number of triplets that cost something.

    >>> a, p, n = torch.tensor([[0.0, 0.0]]), torch.tensor([[0.3, 0.4]]), torch.tensor([[0.0, 1.25]])
    >>> TripletMarginLoss()(a, p, n)
    tensor(0.2500)
    >>> points = torch.tensor([[0.0], [0.5], [1.0], [3.0]])
    >>> TripletMarginLoss(mining="batch_hard")(points, torch.tensor([0, 0, 1, 1]), return_terms=True)
    (tensor(1.1250), {'active': tensor(4)})
    """

    takes = ("anchor", "positive", "negative")
    reduction: Reduction = "mean"
    margin: float = 1.0
    p: float = 2.0
    swap: bool = False
    mining: Literal["batch_all", "batch_hard", "semi_hard"] | None = None
    ignore_index: int = -100

    def _set_up(self) -> None:
        if self.mining is None:
            return
        if self.swap or self.p != 2:
            given = {"mining": repr(self.mining), "swap": self.swap, "p": self.p}
            raise SettingError(message("TripletMarginLoss: mining is without swap, and with p = 2", given))
        vars(self).update(formula=formulas.triplet_mined, takes=("input", "target"))

    def _keywords(self) -> dict[str, Any]:
        if self.mining is None:
            return super()._keywords()
        return {"margin": self.margin, "mining": self.mining}

    def forward(
        self,
        anchor: Tensor,
        positive: Tensor,
        negative: Tensor | None = None,
        *,
        weight: Tensor | float | None = None,
        mask: Tensor | None = None,
        denominator: Tensor | float | None = None,
        return_terms: bool = False,
    ) -> Total:
        """The total, of (anchor, positive, negative), or with mining of (embeddings, labels).

        The keywords are those of `Loss.forward`.
        """
        given = (anchor, positive) if negative is None else (anchor, positive, negative)
        if len(given) != len(self.takes):
            wanted = ", ".join(self.takes)
            shown = {"mining": repr(self.mining), "given": f"{len(given)} tensors"}
            raise SettingError(message(f"TripletMarginLoss takes {wanted} with these settings", shown))
        return self._total(given, weight, mask, denominator, return_terms)


@final
class NPairLoss(Face, formula=formulas.n_pair):
    """N-pair loss: each anchor, a row of input1, is told its positive, that row of input2, from those of other classes.

    Inputs (N, D) and (N, D), not normalised; target: labels (N,), or None where every pair is a class of its own.
    Sohn adds a penalty on the squared length of the embeddings: `+ 0.002 * (z1.square().sum(1).mean() + ...)`.

    >>> NPairLoss()(torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([[2.0, 0.0], [0.0, 0.0]]))
    tensor(0.4100)
    """

    takes = ("input1", "input2", "target")
    reduction: Reduction = "mean"
    ignore_index: int = -100

    def forward(
        self,
        input1: Tensor,
        input2: Tensor,
        target: Tensor | None = None,
        *,
        weight: Tensor | float | None = None,
        mask: Tensor | None = None,
        denominator: Tensor | float | None = None,
        return_terms: bool = False,
    ) -> Total:
        """The total; the keywords as in `Loss.forward`."""
        if target is None:
            target = torch.arange(len(input1), device=input1.device)
        return self._total((input1, input2, target), weight, mask, denominator, return_terms)


@final
class MultiSimilarityLoss(Loss, formula=formulas.multi_similarity):
    """Multi-similarity loss of embeddings (N, D) and labels (N,); cosines are taken inside.

    `epsilon` chooses the pairs that count, as the authors do; None counts all, as pytorch-metric-learning does without
    its miner. An anchor without a positive or without a negative is left out of the mean.

    >>> points = torch.tensor([[1.0, 0.0], [0.6, 0.8], [0.8, 0.6]])
    >>> MultiSimilarityLoss()(points, torch.tensor([0, 0, 1]))
    tensor(0.6791)
    """

    alpha: float = 2.0
    beta: float = 50.0
    base: float = 0.5
    epsilon: float | None = 0.1
    ignore_index: int = -100


@final
class CircleLoss(Loss, formula=formulas.circle):
    """Circle loss of embeddings (N, D) and labels (N,); cosines are taken inside.

    `constant_weights=True` gives the gradient of the paper's Eq. 9, whose weights have none, as pytorch-metric-learning
    has it. An anchor without a positive or without a negative is left out of the mean.

    >>> points = torch.tensor([[1.0, 0.0], [0.6, 0.8], [0.8, 0.6]])
    >>> CircleLoss(gamma=4.0)(points, torch.tensor([0, 0, 1]))
    tensor(2.5748)
    """

    gamma: float = 80.0
    margin: float = 0.4
    constant_weights: bool = False
    remove_diagonal: bool = True
    normalise: bool = True
    ignore_index: int = -100


@final
class BatchSimilarityLoss(SumGrouped, Face, formula=formulas.batch_similarity):
    """Cross-entropy of logits, and the mean squared difference of the batch's cosines from its same-class matrix.

    Input (N, C): logits; embedding (N, D); target: labels (N,). No N x N matrix is made, so that the batch may be
    large. `return_terms` gives `classification` and `similarity`, the latter without its strength.

    >>> logits, points = torch.zeros(3, 2), torch.tensor([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]])
    >>> BatchSimilarityLoss(strength=0.5)(logits, points, torch.tensor([0, 0, 1]))
    tensor(0.8265)
    """

    takes = ("input", "embedding", "target")
    reduction: Reduction = "mean"
    strength: float = 1.0
    ignore_index: int = -100

    def forward(
        self,
        input: Tensor,
        embedding: Tensor,
        target: Tensor,
        *,
        weight: Tensor | float | None = None,
        mask: Tensor | None = None,
        denominator: Tensor | float | None = None,
        return_terms: bool = False,
    ) -> Total:
        """The total; the keywords as in `Loss.forward`."""
        return self._total((input, embedding, target), weight, mask, denominator, return_terms)
