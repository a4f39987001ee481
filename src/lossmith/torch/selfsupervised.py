"""Losses that learn without labels, from two views of a sample, and supervised contrast beside them.

The mathematics is in `lossmith.formulas.infonce`, `siglip`, `redundancy` and `byol`. Embeddings come as they leave the
network: the losses that compare directions divide by the length themselves. torch.nn has none of these losses.

In a distributed run `group` makes the batches of all processes one (`lossmith.torch.group`); without it each process
compares the embeddings of its own batch alone.
"""

from math import log
from typing import Any, ClassVar, final

import torch
from torch import Tensor, nn

from lossmith import formulas
from lossmith.errors import SettingError, ShapeError, message
from lossmith.torch.group import PairGrouped, SumGrouped
from lossmith.torch.loss import Face, Loss, Reduction, Total, ViewsLoss


@final
class NTXentLoss(PairGrouped, ViewsLoss, formula=formulas.nt_xent):
    """SimCLR: each of the 2N embeddings of a batch is told from the others; its partner is of its own sample.

    Inputs (N, D) and (N, D), in the same order. No embedding is compared with itself.

    >>> NTXentLoss(temperature=0.5)(torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([[2.0, 0.0], [0.0, 3.0]]))
    tensor(0.2395)
    """

    temperature: float = 0.5


@final
class InfoNCELoss(Face, formula=formulas.info_nce):
    """InfoNCE in one direction: each row of input1 (a query) is told which row of input2 is its own.

    Inputs (N, D) and (N, D). `negatives`, where given, are further wrong answers: (M, D) for all queries, as a queue
    of MoCo, or (N, M, D) for each. `in_batch=False` compares with these alone.

    >>> pairs = torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([[2.0, 0.0], [0.0, 3.0]])
    >>> InfoNCELoss(temperature=0.5)(*pairs), InfoNCELoss(temperature=0.5)(*pairs, torch.tensor([[1.0, 0.0]]))
    (tensor(0.1269), tensor(0.4991))
    """

    takes = ("input1", "input2", "negatives")
    reduction: Reduction = "mean"
    temperature: float = 0.1
    in_batch: bool = True

    @property
    def domains(self) -> dict[str, str]:
        """Those of the arguments that must be given."""
        return {name: domain for name, domain in super().domains.items() if name != "negatives"}

    def forward(
        self,
        input1: Tensor,
        input2: Tensor,
        negatives: Tensor | None = None,
        *,
        weight: Tensor | float | None = None,
        mask: Tensor | None = None,
        denominator: Tensor | float | None = None,
        return_terms: bool = False,
    ) -> Total:
        """The total; the keywords as in `Loss.forward`. The second of a masked pair is no negative either."""
        if negatives is None:
            if not self.in_batch:
                raise SettingError(message("InfoNCELoss: in_batch=False leaves only `negatives`", {"negatives": None}))
            negatives = torch.as_tensor(input1)[..., :0, :]
        return self._total((input1, input2, negatives), weight, mask, denominator, return_terms)


class _Learning(ViewsLoss):
    """A face with settings that are learned: they become parameters of the module."""

    learned: ClassVar[tuple[str, ...]] = ()

    def __init__(self, *positional: object, **settings: Any) -> None:
        super().__init__(*positional, **settings)
        for name in self.learned:
            start = torch.as_tensor(getattr(self, name), dtype=torch.get_default_dtype())
            setattr(self, name, nn.Parameter(start.detach().clone()))


@final
class CLIPLoss(PairGrouped, _Learning, formula=formulas.clip):
    """CLIP: each image is told its caption among those of the batch, and each caption its image.

    Inputs (N, D) and (N, D). `log_scale` is a parameter: hand `criterion.parameters()` to the optimizer too, without
    weight decay. The scale it stands for is at most 100, and keeps its gradient there, so that it finds back.
    `return_terms` gives both directions.

    >>> CLIPLoss(log_scale=0.0)(torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([[2.0, 0.0], [0.0, 3.0]]))
    tensor(0.3133, grad_fn=<DivBackward0>)
    """

    learned = ("log_scale",)
    log_scale: Tensor | float = log(1 / 0.07)


@final
class SigLIPLoss(PairGrouped, _Learning, formula=formulas.sig_lip):
    """SigLIP: for each of the N * N pairs of a batch, do this image and this caption belong together?

    Inputs (N, D) and (N, D). `log_scale` and `bias` are parameters: hand `criterion.parameters()` to the optimizer
    too. `mean` divides by N, as the paper does, not by N * N. `return_terms` gives the pairs that belong together and
    those that do not.

    >>> SigLIPLoss()(torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([[2.0, 0.0], [0.0, 3.0]]))
    tensor(0.6932, grad_fn=<DivBackward0>)
    """

    learned = ("log_scale", "bias")
    log_scale: Tensor | float = log(10.0)
    bias: Tensor | float = -10.0


@final
class SupConLoss(PairGrouped, Loss, formula=formulas.sup_con):
    """Supervised contrast (its L_out): the samples of a class are drawn together, out of all others of the batch.

    Input (N, D), or V views of each sample, (N, V, D), where each view is an anchor and the other views of its sample
    are of its class too; target: labels (N,). Values are (N,) or (N, V). An anchor without another of its class has
    value 0 and is left out of the mean; in `weight` and `mask` one number stands for all views of a sample.

    >>> views = torch.tensor([[[1.0, 0.0], [1.0, 0.0]], [[0.0, 1.0], [0.0, 2.0]]])
    >>> SupConLoss(temperature=0.5)(views, torch.tensor([0, 1]))
    tensor(0.2395)
    """

    temperature: float = 0.1
    ignore_index: int = -100

    def forward(
        self,
        input: Tensor,
        target: Tensor,
        *,
        weight: Tensor | float | None = None,
        mask: Tensor | None = None,
        denominator: Tensor | float | None = None,
        return_terms: bool = False,
    ) -> Total:
        """The total; the keywords as in `Loss.forward`."""
        if getattr(input, "ndim", 0) != 3:
            return self._total((input, target), weight, mask, denominator, return_terms)
        views = tuple(input.shape[:2])
        given = {"input": tuple(input.shape), "target": tuple(target.shape)}
        if tuple(target.shape) != views[:1]:
            raise ShapeError(message("SupConLoss: input (N, V, D) needs one label for each sample, (N,)", given))
        if isinstance(weight, Tensor) and weight.ndim:
            weight = _for_each_view("weight", weight, views)
        if mask is not None:
            mask = _for_each_view("mask", torch.as_tensor(mask, device=input.device), views)
        target = _for_each_view("target", target, views)
        made = self._total((input.flatten(0, 1), target), weight, mask, denominator, return_terms)
        total, terms = made if isinstance(made, tuple) else (made, {})
        total = total.unflatten(0, views) if self.reduction == "none" else total
        return (total, terms) if return_terms else total


def _for_each_view(name: str, array: Tensor, views: tuple[int, ...]) -> Tensor:
    """(N,) or (N, V) as (N * V,)."""
    if tuple(array.shape) not in (views, views[:1]):
        given = {"samples and views": views, name: tuple(array.shape)}
        raise ShapeError(
            message(f"SupConLoss: {name} must have the shape of the values, or one number a sample", given)
        )
    return (array if array.ndim == 2 else array.unsqueeze(1)).expand(views).flatten()


@final
class BarlowTwinsLoss(SumGrouped, ViewsLoss, formula=formulas.barlow_twins):
    """Barlow Twins: the cross-correlation of the two views over the batch is drawn to the identity.

    Inputs (N, D) and (N, D). The loss is one number a batch: reduction "none" gives it too, and `weight` is one number.
    `return_terms` gives `on_diagonal` and `off_diagonal`, which add up to it.

    >>> BarlowTwinsLoss()(torch.tensor([[1.0, 0.0], [-1.0, 0.0]]), torch.tensor([[3.0, 1.0], [1.0, -1.0]]))
    tensor(1.0050)
    """

    off_diagonal_weight: float = 0.005


@final
class VICRegLoss(SumGrouped, ViewsLoss, formula=formulas.vicreg):
    """VICReg: the views of a sample alike, every dimension spread out over the batch, no two dimensions correlated.

    Inputs (N, D) and (N, D). The loss is one number a batch, as that of `BarlowTwinsLoss`. `return_terms` gives
    `invariance`, `variance` and `covariance`, with their weights: they add up to it. The variance term is the sum over
    both views, as the paper has it; the authors' code halves it.

    >>> views = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
    >>> VICRegLoss()(views, views, return_terms=True)
    (tensor(24.7500), {'invariance': tensor(0.), 'variance': tensor(24.7500), 'covariance': tensor(0.)})
    """

    invariance_weight: float = 25.0
    variance_weight: float = 25.0
    covariance_weight: float = 1.0
    gamma: float = 1.0
    eps: float = 1e-4


@final
class BYOLLoss(Loss, formula=formulas.byol):
    """BYOL: 2 - 2 cos between the prediction from one view and the target network's projection of the other.

    Input and target (N, D); the target gets no gradient. The paper's loss is symmetric, over both views:
    `criterion(prediction1, projection2) + criterion(prediction2, projection1)`.

    >>> BYOLLoss()(torch.tensor([[2.0, 0.0], [1.0, 1.0]]), torch.tensor([[1.0, 0.0], [1.0, 0.0]]))
    tensor(0.2929)
    """
