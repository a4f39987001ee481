"""Losses of what a frozen network computes of two images; the mathematics is in `lossmith.formulas.features`.

Images are (N, C, H, W) with values in [0, 1]; there is a value for each image. The network is a copy of the one that
is given, in eval mode whatever `.train()` says. It moves with the loss, is pickled and copied with it, and has no
part in `parameters()` or `state_dict()`: an optimiser never sees it, and a checkpoint does not hold it.
"""

import os
from collections.abc import Callable, Sequence
from typing import Any, final

import torch
from torch import Tensor, nn

from lossmith import formulas
from lossmith.criterion import Evaluated, summarise
from lossmith.errors import DtypeError, SettingError, ShapeError, message
from lossmith.ops import Ops, reader_of
from lossmith.ops.torch import under_autocast
from lossmith.reduction import guard
from lossmith.spec import Outcome
from lossmith.torch.backbone import IMAGENET_MEAN, IMAGENET_STD, Features, features
from lossmith.torch.loss import Loss, Total, require_tensors

LAYERS = ("relu1_2", "relu2_2", "relu3_3", "relu4_3")
FACTORS = ("pixel_weight", "feature_weight")
OWN = ("backbone", "weights", "layers", "layer_weights", "mean", "std")


class NetworkLoss(Loss):
    """The base of a loss of features.

    backbone        "vgg16", or a module; the attribute is its name
    weights         a file in place of torchvision's public weights, or of the state dict of the module
    layers          which layers are compared, by name; layer_weights: a factor for each, 1 where none are given
    mean, std       of each channel, taken off and out before the network sees an image: ImageNet's; None: as they are
    """

    backbone: str | nn.Module = "vgg16"
    weights: str | os.PathLike[str] | None = None
    layers: Sequence[str] = LAYERS
    layer_weights: Sequence[float] | None = None
    mean: Sequence[float] | None = IMAGENET_MEAN
    std: Sequence[float] | None = IMAGENET_STD

    def __init__(self, *positional: object, **settings: Any) -> None:
        given: Any = settings.get("backbone", "vgg16")
        if isinstance(given, nn.Module):
            settings = {**settings, "backbone": type(given).__name__}
        super().__init__(*positional, **settings)
        caller = type(self).__name__
        if not self.layers or (self.layer_weights is not None and len(self.layer_weights) != len(self.layers)):
            counts = {"layers": self.layers, "layer_weights": self.layer_weights}
            raise SettingError(message(f"{caller}: layers must name some, and layer_weights one number each", counts))
        # not a submodule: its weights belong neither to an optimiser nor into a checkpoint
        self.__dict__["_network"] = features(given, self.weights, self.layers, caller)

    @property
    def _features(self) -> Features:
        return self.__dict__["_network"]

    @property
    def domains(self) -> dict[str, str]:
        return dict.fromkeys(self.takes, "prob[N,3,16,16]")

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "NetworkLoss":
        self._features._apply(fn)
        return super()._apply(fn, recurse)

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
        """The total; the keywords as in `Loss.forward`. weight, mask: one number for each image."""
        caller = type(self).__name__
        require_tensors(caller, self.takes, (input, target))
        self._require_images(caller, input, target)
        ops = reader_of(input)
        kept = None if mask is None else torch.as_tensor(mask, device=input.device).bool()
        images = guard(ops, (input, target), ("real", "real"), kept, caller=caller)
        made = Evaluated(self._outcome(ops, *(ops.widen(image) for image in images)), kept, images, ("real", "real"))
        total, terms = summarise(
            ops, made, reduction=self.reduction, weight=weight, denominator=denominator, caller=caller
        )
        if not under_autocast(input.device.type):
            total, terms = ops.astype(total, input), {name: ops.astype(x, input) for name, x in terms.items()}
        return (total, terms) if return_terms else total

    def _outcome(self, ops: Ops[Tensor], input: Tensor, target: Tensor) -> Outcome[Tensor]:
        raise NotImplementedError

    def _same_size(self) -> bool:
        return True

    def _require_images(self, caller: str, input: Tensor, target: Tensor) -> None:
        given = dict(zip(self.takes, (tuple(input.shape), tuple(target.shape)), strict=True))
        axes = 4 if self._same_size() else 2
        if input.ndim != 4 or target.ndim != 4 or input.shape[:axes] != target.shape[:axes]:
            alike = "of one shape" if self._same_size() else "of as many images and channels"
            raise ShapeError(message(f"{caller}: input and target must be (N, C, H, W), {alike}", given))
        least = self._features.least
        if min(*input.shape[2:], *target.shape[2:]) < least:
            headline = f"{caller}: images must be at least {least} x {least} pixels for {' '.join(self.layers)}"
            raise ShapeError(message(headline, given))
        if not (input.is_floating_point() and target.is_floating_point()):
            raise DtypeError(message(f"{caller}: images must be floating-point numbers in [0, 1]"))
        if self.mean is not None and input.shape[1] not in (1, len(self.mean)):
            raise ShapeError(message(f"{caller}: images must have {len(self.mean)} channels, or one", given))

    def _compared(self, input: Tensor, target: Tensor) -> list[tuple[float, Tensor, Tensor]]:
        """The factor and the features of both images, of each layer, in the dtype of the network or a wider one."""
        factors = self.layer_weights or [1.0] * len(self.layers)
        both = [self._seen_by_network(image) for image in (input, target)]
        wide = [[torch.promote_types(f.dtype, torch.float32) for f in each] for each in both]
        both = [[f.to(dtype) for f, dtype in zip(*pair, strict=True)] for pair in zip(both, wide, strict=True)]
        return list(zip(factors, *both, strict=True))

    def _seen_by_network(self, image: Tensor) -> list[Tensor]:
        if not under_autocast(image.device.type):
            return self._features(self._normalised(image))
        with torch.autocast(image.device.type, enabled=False):  # which would round the features to half precision
            return self._features(self._normalised(image))

    def _normalised(self, image: Tensor) -> Tensor:
        """What the network is given: a grey image counts as three equal channels."""
        image = image.to(self._features.dtype(image.dtype))
        for values, take in ((self.mean, torch.sub), (self.std, torch.div)):
            if values is not None:
                image = take(image, torch.tensor(values, dtype=image.dtype, device=image.device)[:, None, None])
        return image


@final
class PerceptualLoss(NetworkLoss, formula=formulas.feature_reconstruction, own=(*OWN, *FACTORS)):
    """Mean squared error of the pixels, and of the features at chosen layers of VGG-16 or another network.

    Terms: "pixel" and "features", before `pixel_weight` and `feature_weight`. The weights of VGG-16 are torchvision's
    (528 MB, once, by torch.hub); without a network `weights=` names the file. Inputs are in [0, 1].

    >>> network = nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU())
    >>> loss = PerceptualLoss(backbone=network, layers=["0"])
    >>> image = torch.rand(1, 3, 8, 8)
    >>> loss(image, image)
    tensor(0.)
    """

    pixel_weight: float = 1.0
    feature_weight: float = 1.0

    def _outcome(self, ops: Ops[Tensor], input: Tensor, target: Tensor) -> Outcome[Tensor]:
        pixel = formulas.feature_reconstruction.values(ops, input.flatten(1), target.flatten(1))
        apart: Tensor = torch.zeros_like(pixel)
        for factor, f, g in self._compared(input, target):
            apart = apart + factor * formulas.feature_reconstruction.values(ops, f.flatten(1), g.flatten(1))
        values = self.pixel_weight * pixel + self.feature_weight * apart
        return Outcome(values, terms={"pixel": pixel, "features": apart})


@final
class StyleLoss(NetworkLoss, formula=formulas.style_reconstruction, own=OWN):
    """Squared distance of the Gram matrices at chosen layers of VGG-16 or another network.

    Input and target may differ in height and width. Each layer is a term, by its name and before its factor. The
    weights of VGG-16 are loaded as by `PerceptualLoss`. Inputs are in [0, 1].

    >>> network = nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU())
    >>> loss = StyleLoss(backbone=network, layers=["0"])
    >>> image = torch.rand(1, 3, 8, 8)
    >>> loss(image, image)
    tensor(0.)
    """

    def _same_size(self) -> bool:
        return False

    def _outcome(self, ops: Ops[Tensor], input: Tensor, target: Tensor) -> Outcome[Tensor]:
        values, terms = input.new_zeros(len(input)), {}
        for name, (factor, f, g) in zip(self.layers, self._compared(input, target), strict=True):
            rows = [x.flatten(2).transpose(1, 2) for x in (f, g)]
            terms[name] = formulas.style_reconstruction.values(ops, *rows)
            values = values + factor * terms[name]
        return Outcome(values, terms=terms)
