"""Losses of what a network computes, with small networks through the code that loads the large one."""

import tempfile
from pathlib import Path

import torch

import lossmith.torch as faces
from torch_cases.data import Case, N, uniform, with_settings

CONVOLUTIONS = {0: 0, 2: 0, 5: 1, 7: 1, 10: 2, 12: 2, 14: 2, 17: 3, 19: 3, 21: 3, 24: 4, 26: 4, 28: 4}  # place: block


def vgg_state(widths, make):
    """A state dict as torchvision's vgg16 has it, of other widths; a key of the classifier stands for all of them."""
    state, channels = {"classifier.0.bias": torch.zeros(1)}, 3
    for place, block in CONVOLUTIONS.items():
        state[f"features.{place}.weight"] = make(widths[block], channels, 3, 3)
        state[f"features.{place}.bias"] = make(widths[block])
        channels = widths[block]
    return state


_FOLDER = tempfile.TemporaryDirectory(prefix="lossmith-vgg-")
SMALL = Path(_FOLDER.name) / "small.pth"
_G = torch.Generator().manual_seed(0)
torch.save(vgg_state((3, 4, 5, 4, 3), lambda *shape: 0.4 * torch.randn(*shape, generator=_G).double()), SMALL)


def images(g: torch.Generator) -> tuple[torch.Tensor, ...]:
    return uniform(g, N, 3, 8, 9), uniform(g, N, 3, 8, 9)


CASES = [
    Case("perceptual", with_settings(faces.PerceptualLoss, weights=SMALL, feature_weight=0.5), images),
    Case("style", with_settings(faces.StyleLoss, weights=SMALL, layers=["relu1_2", "conv3_1"]), images),
]
