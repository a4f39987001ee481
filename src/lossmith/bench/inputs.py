"""A batch for any formula, made from the shapes and kinds that it declares."""

from collections.abc import Mapping

import torch
from torch import Tensor

from lossmith.spec import Formula

# The length of each axis, by its letter; "..." is one axis of samples.
ELEMENTWISE, ROWS = 2**20, 2**12
LENGTHS = {"C": 100, "D": 128, "N": 1024, "M": 1024, "P": 2**14, "Q": 2**14, "H": 128, "W": 128}
HEAD = {"...": 512, "C": 50_000, "D": 256}
OWN = {
    "nt_xent": {"N": 4096},
    "dice": {"P": 2**16, "C": 4, "...": 8},
    "lovasz_softmax": {"P": 2**16, "C": 19, "...": 4},
    "ssim": {"H": 256, "W": 256, "...": 24},
    "ms_ssim": {"H": 256, "W": 256, "...": 24},
}


def lengths_of(formula: Formula, size: int | None) -> dict[str, int]:
    """The length of each axis of a formula; `size` is the number of samples."""
    used = {axis for patterns in formula.shapes.arguments for axis in patterns[0]}
    if {"C", "D"} <= used and not formula.coupled:
        found = {**LENGTHS, **HEAD}
    else:
        plain = not used - {"...", "4"}
        few = 8 if used & {"P", "Q", "H"} else ROWS
        found = {**LENGTHS, "...": ELEMENTWISE if plain else few}
    found |= OWN.get(formula.name, {})
    if formula.coupled and "N" in used:
        found["..."] = 1
    if "P" not in used:
        found["Q"] = 3  # the quantiles of a forecast
    if size is not None:
        found["N" if "N" in used else "..."] = size
    return {axis: length for axis, length in found.items() if axis in used}


def batch(formula: Formula, lengths: Mapping[str, int], dtype: torch.dtype, seed: int = 0) -> list[Tensor]:
    """The arguments, of which those with a gradient require it: the first, and every embedding."""
    g = torch.Generator().manual_seed(seed)
    made: list[Tensor] = []
    for place, (kind, patterns) in enumerate(zip(formula.kinds, formula.shapes.arguments, strict=True)):
        axes = [axis for axis in patterns[0] if not (axis == "..." and "N" in formula.coupled)]
        shape = [lengths.get(axis, 4) for axis in axes]
        name = kind.partition("|")[0]
        classes = lengths.get("C", max(2, lengths.get("N", 4) // 4))
        array = _drawn(name, shape, classes, g)
        array = array.to(dtype) if array.is_floating_point() else array
        if axes[-2:] == ["P", "C"]:  # the classes of an image lie before its pixels in memory
            array = array.mT.contiguous().mT
        learns = array.is_floating_point() and (place == 0 or name in ("embedding", "unit"))
        made.append(array.requires_grad_() if learns else array)
    return _alike(made) if "H" in lengths and len(made) > 1 else made


def _alike(images: list[Tensor]) -> list[Tensor]:
    """Images in [0, 1], of which the second looks like the first: those of opposed contrast all cost 1."""
    first, second = (image.detach().sigmoid() for image in images)
    return [first.requires_grad_(), 0.8 * first.detach() + 0.2 * second]


def _drawn(kind: str, shape: list[int], classes: int, g: torch.Generator) -> Tensor:
    if kind in ("index", "labels", "lengths"):
        return torch.randint(0, classes, shape, generator=g)
    x = torch.randn(shape, generator=g)
    if kind in ("prob", "mask"):
        return torch.rand(shape, generator=g)
    if kind in ("binary", "soft", "onehot", "pm1"):  # what may be soft seldom is, and some peers know no other
        drawn = (x > 1.0).float()
        return 2.0 * drawn - 1.0 if kind == "pm1" else drawn
    if kind in ("simplex", "dist"):
        return x.softmax(-1)
    if kind == "logprob":
        return x.log_softmax(-1)
    if kind in ("positive", "weight", "count"):
        return (x.abs() + 0.1).ceil() if kind == "count" else x.abs() + 0.1
    if kind in ("boxes", "cxcywh"):
        corner, size = torch.rand(*shape[:-1], 2, generator=g), torch.rand(*shape[:-1], 2, generator=g) + 0.1
        return torch.cat([corner, corner + size if kind == "boxes" else size], -1)
    return x / x.norm(dim=-1, keepdim=True) if kind == "unit" else x
