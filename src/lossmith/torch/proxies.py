"""Losses with a learned vector for each class; the mathematics is in `lossmith.formulas.margins` and `proxies`.

    criterion = ArcFaceLoss(num_classes=1000, embedding_dim=512)
    optimizer = torch.optim.SGD([*model.parameters(), *criterion.parameters()], lr=0.1)

`criterion.weight`, (num_classes, embedding_dim), is a parameter: hand it to the optimizer, move the criterion to the
device of the model, save its `state_dict`. It need not be normalised, only its directions count. It starts as
`nn.Linear` of a classifier often does, by `nn.init.xavier_uniform_`; `reset_parameters` starts it again.
"""

from math import sqrt
from typing import Any, ClassVar, Literal, final

import torch
from torch import Tensor, nn

from lossmith import formulas
from lossmith.errors import SettingError, ShapeError, message
from lossmith.formulas.margins import plain_logits
from lossmith.ops import reader_of
from lossmith.torch.loss import Loss
from lossmith.torch.sharded import Sharded

OWN = ("num_classes", "embedding_dim")
PARTIAL = (*OWN, "sample_rate")


def class_vectors(face: Any) -> nn.Parameter:
    """Room for one vector for each class of a face that has OWN among its settings, or for those that are here."""
    for name in OWN:
        size = getattr(face, name)
        if not isinstance(size, int) or size < 1:
            raise SettingError(
                message(f"{type(face).__name__}: {name} must be an integer, 1 or more", {name: repr(size)})
            )
    here = face.classes if isinstance(face, Sharded) else range(face.num_classes)
    return nn.Parameter(torch.empty(len(here), face.embedding_dim))


class ProxyLoss(Loss):
    """The base of a face that holds one vector for each class. Input (N, D) or (D,), target: labels (N,) or ().

    scaled_by   the setting that multiplies the cosines in `logits`; empty: the length of the embedding does
    """

    scaled_by: ClassVar[str] = "scale"
    num_classes: int
    embedding_dim: int
    ignore_index: int = -100

    def _set_up(self) -> None:
        self.weight = class_vectors(self)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new vectors."""
        nn.init.xavier_uniform_(self.weight)

    def logits(self, input: Tensor) -> Tensor:
        """What the loss compares, (..., num_classes), without the margin: for inference, argmax is the class."""
        if input.shape[-1:] != (self.embedding_dim,):
            wanted = {"embedding_dim": self.embedding_dim, "input": tuple(input.shape)}
            raise ShapeError(message(f"{type(self).__name__}.logits: input must be (..., embedding_dim)", wanted))
        scale = getattr(self, self.scaled_by) if self.scaled_by else None
        return plain_logits(reader_of(input), input, self.weight, scale)


class ShardedProxyLoss(Sharded, ProxyLoss):
    """The base of a face whose vectors may be dealt out to several processes, and of which a share may be drawn."""

    sample_rate: float = 1.0

    def _set_up(self) -> None:
        if not 0.0 < self.sample_rate <= 1.0:
            given = {"sample_rate": repr(self.sample_rate)}
            raise SettingError(message(f"{type(self).__name__}: sample_rate must be above 0 and at most 1", given))
        super()._set_up()

    def reset_parameters(self) -> None:
        """Draw new vectors, with the spread that those of all classes have."""
        spread = sqrt((len(self.weight) + self.embedding_dim) / (self.num_classes + self.embedding_dim))
        nn.init.xavier_uniform_(self.weight, gain=spread, generator=self._generator())


@final
class ArcFaceLoss(ShardedProxyLoss, formula=formulas.arc_face, own=PARTIAL, held={"proxies": "weight"}):
    """ArcFace: the embedding of a face is nearer to the vector of its class than to all others, by an angle.

    `margin` is in radians. Where the angle and the margin together pass pi the loss goes on rising, and its gradient
    is finite at cosines of 1 and -1. `logits` are the scaled cosines, for inference. `group` deals the classes out to
    several processes, `sample_rate` draws a share of them (`lossmith.torch.sharded`). torch.nn has none.

    >>> criterion = ArcFaceLoss(2, 2, scale=4.0)
    >>> _ = criterion.load_state_dict({"weight": torch.eye(2)})
    >>> criterion(torch.tensor([[0.6, 0.8], [2.0, 0.0]]), torch.tensor([0, 0])).detach()
    tensor(1.3636)
    >>> criterion.logits(torch.tensor([2.0, 0.0])).detach()
    tensor([4., 0.])
    """

    margin: float = 0.5
    scale: float = 64.0


@final
class CosFaceLoss(ShardedProxyLoss, formula=formulas.cos_face, own=PARTIAL, held={"proxies": "weight"}):
    """CosFace (AM-softmax): as `ArcFaceLoss`, with its `group` and `sample_rate`, by a difference of cosines.

    >>> criterion = CosFaceLoss(2, 2, scale=4.0)
    >>> _ = criterion.load_state_dict({"weight": torch.eye(2)})
    >>> criterion(torch.tensor([[0.6, 0.8], [2.0, 0.0]]), torch.tensor([0, 0])).detach()
    tensor(1.1884)
    """

    margin: float = 0.35
    scale: float = 64.0


@final
class SphereFaceLoss(ProxyLoss, formula=formulas.sphere_face, own=OWN, held={"proxies": "weight"}):
    """SphereFace (A-softmax): the angle to the vector of the class counts `margin` times, an integer from 1 to 4.

    The length of the embedding is the scale of its logits: it is not normalised. The annealing of the authors' code
    (lambda from 1000 to 5) is not part of the loss.

    >>> criterion = SphereFaceLoss(2, 2)
    >>> _ = criterion.load_state_dict({"weight": torch.eye(2)})
    >>> criterion(torch.tensor([[0.6, 0.8], [2.0, 0.0]]), torch.tensor([0, 0])).detach()
    tensor(1.1080)
    """

    scaled_by = ""
    margin: int = 4


@final
class ProxyNCALoss(ProxyLoss, formula=formulas.proxy_nca, own=OWN, held={"proxies": "weight"}):
    """Proxy-NCA: an embedding is nearer to the proxy of its class than to the other proxies.

    As in the paper the class itself is not in the sum that it is compared with, so that the loss may be negative;
    `contrast="all"` puts it in: that is ProxyNCA++, and what pytorch-metric-learning has.

    >>> criterion = ProxyNCALoss(2, 2)
    >>> _ = criterion.load_state_dict({"weight": torch.eye(2)})
    >>> criterion(torch.tensor([[0.6, 0.8], [2.0, 0.0]]), torch.tensor([0, 0])).detach()
    tensor(-0.8000)
    """

    scale: float = 1.0
    contrast: Literal["others", "all"] = "others"


@final
class ProxyAnchorLoss(ProxyLoss, formula=formulas.proxy_anchor, own=OWN, held={"proxies": "weight"}):
    """Proxy-anchor: each proxy draws the samples of its class and pushes the others, the hard ones most.

    The loss is one number a batch: reduction "none" gives it too, and `weight` is one number. `return_terms` gives
    `positive` and `negative`, which add up to it.

    >>> criterion = ProxyAnchorLoss(2, 2, alpha=4.0)
    >>> _ = criterion.load_state_dict({"weight": torch.eye(2)})
    >>> criterion(torch.tensor([[0.6, 0.8], [2.0, 0.0]]), torch.tensor([0, 0])).detach()
    tensor(1.9836)
    """

    scaled_by = "alpha"
    alpha: float = 32.0
    margin: float = 0.1
