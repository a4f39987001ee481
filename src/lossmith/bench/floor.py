"""What this machine needs at least for one forward and backward.

copy       the arguments read once and the gradients written once, as one copy of as many bytes
matmul     for losses of all pairs: one product for the similarities and one for the gradient of each side
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from lossmith.spec import Formula


def least_bytes(arrays: Sequence[Tensor]) -> int:
    """Every argument read, every gradient written."""
    return sum(x.numel() * x.element_size() * (2 if x.requires_grad else 1) for x in arrays)


def floors(formula: Formula, arrays: Sequence[Tensor]) -> dict[str, Callable[[], object]]:
    """Each floor by its name."""
    count = max(1, least_bytes(arrays) // 8)  # a float32 is read and written
    source, to = torch.ones(count), torch.empty(count)
    found: dict[str, Callable[[], object]] = {"floor: copy": lambda: to.copy_(source)}
    pair = _sides(formula, arrays)
    if pair is not None:
        left, right = pair
        weights = torch.empty(len(left), min(len(right), 2048), dtype=left.dtype)
        found["floor: matmul"] = lambda: _products(left, right, weights)
    return found


def matrix_bytes(formula: Formula, arrays: Sequence[Tensor]) -> int:
    """What the matrix of similarities takes, in the dtype of its sides; 0 for a loss that has none."""
    pair = _sides(formula, arrays)
    return 0 if pair is None else len(pair[0]) * len(pair[1]) * pair[0].element_size()


def _products(left: Tensor, right: Tensor, room: Tensor) -> None:
    """Three products of (N, M, D), a block of columns at a time."""
    for block in right.split(room.shape[1]):
        tile = room[:, : len(block)]
        torch.mm(left, block.T, out=tile)
        torch.mm(tile, block)
        torch.mm(tile.T, left)


def _sides(formula: Formula, arrays: Sequence[Tensor]) -> tuple[Tensor, Tensor] | None:
    """The two sides of the matrix of similarities; None for a loss that has no such matrix."""
    points = [x.detach() for x, kind in zip(arrays, formula.kinds, strict=True) if kind.startswith("embedding")]
    named = {"info_nce", "clip", "sig_lip", "sup_con", "n_pair", "multi_similarity", "circle"}
    named |= {"triplet_mined", "proxy_anchor"}
    if formula.name == "nt_xent":
        both = torch.cat(points)
        return both, both
    if formula.name in named:
        return points[0], torch.cat(points[1:]) if points[1:] else points[0]
    classes = [x for x in points[1:] if len(x) != len(points[0])]
    return (points[0], classes[0]) if classes and not formula.coupled else None
