"""Networks whose layers are compared: VGG-16 as torchvision publishes it, or any module with the names of its layers.

VGG-16 is built here from the file of its weights: thirteen 3 x 3 convolutions in five blocks, each followed by a ReLU,
a 2 x 2 maximum after each block. Layers are called conv1_1, relu1_1, ..., relu5_3, pool5; what lies behind the last
layer that is asked for is not built. In torchvision's file they are features.0, features.1, ... in this order.
"""

import copy
import os
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from lossmith.errors import SettingError, message

CONVOLUTIONS = (2, 2, 3, 3, 3)
FILE = "vgg16-397923af.pth"  # the digits are the beginning of its SHA-256, which torch.hub compares
URL = f"https://download.pytorch.org/models/{FILE}"
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Features(nn.Module):
    """A frozen network that returns what some of its layers give; `least` is the smallest side of an image."""

    def __init__(self, network: nn.Module, layers: Sequence[str], caller: str, least: int = 1) -> None:
        super().__init__()
        self.least = least
        self.network, self.layers = network.requires_grad_(False).eval(), tuple(layers)
        self._seen: dict[str, Tensor] = {}
        for module in network.modules():
            if getattr(module, "inplace", False):  # it would overwrite what the layer before it gave
                setattr(module, "inplace", False)  # noqa: B010  (to a type checker it is a submodule)
        for name in self.layers:
            _layer(network, name, caller).register_forward_hook(partial(_remember, self._seen, name))

    def forward(self, image: Tensor) -> list[Tensor]:
        self.network(image)
        found = [self._seen[name] for name in self.layers]
        self._seen.clear()
        return found

    def dtype(self, other: torch.dtype) -> torch.dtype:
        """That of the weights; `other` where there are none."""
        return next((p.dtype for p in self.network.parameters() if p.is_floating_point()), other)


def features(
    backbone: str | nn.Module, weights: str | os.PathLike[str] | None, layers: Sequence[str], caller: str
) -> Features:
    """The layers of VGG-16, or of a copy of a module, which stays as it is.

    weights   for "vgg16" a file to load instead of torchvision's; for a module a file of its state dict
    """
    if isinstance(backbone, nn.Module):
        network = copy.deepcopy(backbone)
        if weights is not None:
            network.load_state_dict(_read(weights, caller))
        return Features(network, layers, caller)
    if backbone != "vgg16":
        raise SettingError(message(f"{caller}: backbone must be 'vgg16' or a module", {"backbone": repr(backbone)}))
    if unknown := [name for name in layers if name not in vgg16_names()]:
        raise SettingError(message(f"{caller}: vgg16 has no layer {unknown[0]!r}", {"layers": " ".join(vgg16_names())}))
    state = _public_weights(caller) if weights is None else _read(weights, caller)
    network = vgg16(state, layers, caller)
    return Features(network, layers, caller, least=2 ** sum(isinstance(layer, nn.MaxPool2d) for layer in network))


def vgg16_names() -> list[str]:
    """The layers in order: the place of each is its number in torchvision's file."""
    names: list[str] = []
    for block, count in enumerate(CONVOLUTIONS, 1):
        names += [f"{kind}{block}_{i}" for i in range(1, count + 1) for kind in ("conv", "relu")]
        names.append(f"pool{block}")
    return names


def vgg16(state: Mapping[str, Tensor], layers: Sequence[str], caller: str) -> nn.Sequential:
    """VGG-16 up to the last of the layers, with the weights, and so the widths, of a state dict."""
    names, network, channels = vgg16_names(), nn.Sequential(), 3
    for place, name in enumerate(names[: 1 + max(map(names.index, layers))]):
        if name.startswith("conv"):
            weight, bias = (_entry(state, f"features.{place}.{part}", caller) for part in ("weight", "bias"))
            _require_shape(caller, f"features.{place}", weight, bias, channels)
            layer: nn.Module = nn.Conv2d(channels, len(weight), 3, padding=1, device="meta")
            layer.load_state_dict({"weight": weight.contiguous(), "bias": bias.contiguous()}, assign=True)
            channels = len(weight)
        else:
            layer = nn.ReLU() if name.startswith("relu") else nn.MaxPool2d(2)
        network.add_module(name, layer)
    return network


def _entry(state: Mapping[str, Tensor], key: str, caller: str) -> Tensor:
    if key in state:
        return state[key]
    raise SettingError(message(f"{caller}: the weights of vgg16 have no {key!r}", {"keys": ", ".join([*state][:4])}))


def _require_shape(caller: str, key: str, weight: Tensor, bias: Tensor, channels: int) -> None:
    wanted = (len(weight), channels, 3, 3)
    if tuple(weight.shape) == wanted and tuple(bias.shape) == wanted[:1]:
        return
    given = {"weight": tuple(weight.shape), "bias": tuple(bias.shape)}
    raise SettingError(message(f"{caller}: {key} of vgg16 must have the shape {wanted}", given))


def _public_weights(caller: str) -> Mapping[str, Tensor]:
    """torchvision's ImageNet weights: from torch.hub's folder, or from the network, where their hash is compared."""
    try:
        return torch.hub.load_state_dict_from_url(
            URL, map_location="cpu", progress=False, check_hash=True, weights_only=True
        )
    except (OSError, RuntimeError) as error:
        folder = os.path.join(torch.hub.get_dir(), "checkpoints")
        given = {"address": URL, "folder": folder, "error": f"{type(error).__name__}: {error}"}
        fix = f"put {FILE} into the folder, or name the file: {caller}(weights='.../{FILE}')"
        raise SettingError(message(f"{caller}: {FILE} could not be loaded", given, fix=fix)) from error


def _read(path: str | os.PathLike[str], caller: str) -> Mapping[str, Tensor]:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise SettingError(message(f"{caller}: there is no file of weights", {"weights": os.fspath(path)})) from error


def _layer(network: nn.Module, name: str, caller: str) -> nn.Module:
    try:
        return network.get_submodule(name)
    except AttributeError:
        have = " ".join(known for known, _ in network.named_modules() if known)
        raise SettingError(message(f"{caller}: the backbone has no layer {name!r}", {"layers": have})) from None


def _remember(seen: dict[str, Tensor], name: str, module: nn.Module, given: Any, result: Tensor) -> None:
    seen[name] = result
