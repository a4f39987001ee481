"""Cross-entropy with its linear layer; the mathematics is in `lossmith.formulas.linear`."""

from math import sqrt
from typing import final

import torch
from torch import Tensor, nn

from lossmith import formulas
from lossmith.formulas.linear import linear_logits
from lossmith.ops import reader_of
from lossmith.torch.loss import Loss
from lossmith.torch.proxies import OWN, class_vectors
from lossmith.torch.sharded import Sharded


@final
class LinearCrossEntropyLoss(Sharded, Loss, formula=formulas.linear_cross_entropy, own=OWN, held={"classes": "weight"}):
    """`CrossEntropyLoss` of `nn.Linear(embedding_dim, num_classes)`, without ever holding the logits (N, num_classes).

    Input (N, embedding_dim), or with more axes before the last one; target: labels. `weight`, and `offset` with
    `bias=True`, are parameters that start as those of `nn.Linear`: hand them to the optimizer. To share the weights of
    an embedding, assign them: `criterion.weight = embedding.weight`. `logits` are for inference. `group` deals the
    classes out to several processes (`lossmith.torch.sharded`).

    >>> criterion = LinearCrossEntropyLoss(2, 2)
    >>> _ = criterion.load_state_dict({"weight": torch.eye(2)})
    >>> criterion(torch.tensor([[2.0, 0.0], [1.0, 1.0]]), torch.tensor([0, 1])).detach()
    tensor(0.4100)
    """

    num_classes: int
    embedding_dim: int
    bias: bool | None = None
    label_smoothing: float = 0.0
    z_weight: float = 0.0
    soft_cap: float | None = None
    ignore_index: int = -100

    def _set_up(self) -> None:
        self.weight = class_vectors(self)
        self.offset = nn.Parameter(torch.empty(len(self.weight))) if self.bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new weights, as `nn.Linear` does."""
        generator = self._generator()
        nn.init.kaiming_uniform_(self.weight, a=sqrt(5.0), generator=generator)
        if self.offset is not None:
            bound = 1.0 / sqrt(self.embedding_dim)
            nn.init.uniform_(self.offset, -bound, bound, generator=generator)

    def logits(self, input: Tensor) -> Tensor:
        """What the loss compares, (..., num_classes)."""
        return linear_logits(reader_of(input), input, self.weight.to(input), self.offset, self.soft_cap)

    def _keywords(self) -> dict[str, object]:
        return {**super()._keywords(), "bias": self.offset}
