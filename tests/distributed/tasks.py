"""What a rank does in the tests: a task gets the process groups by their size, and returns plain tensors."""

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


def part_of(arrays: list[Any], sizes: list[int], rank: int) -> list[Any]:
    """The rows of this rank."""
    return [x.split(sizes)[rank] if isinstance(x, Tensor) and x.ndim else x for x in arrays]


def gradients(face: Any, given: list[Any], more: dict[str, Any], factor: float = 1.0) -> dict[str, Any]:
    """The total with its terms, and the gradient of `factor` times it in every input and parameter."""
    leaves = [x.clone().requires_grad_() if x.is_floating_point() else x for x in given]
    total, terms = face(*leaves, **more, return_terms=True)
    (factor * total.sum()).backward()
    return {
        "total": total.detach(),
        "terms": {name: term.detach() for name, term in terms.items()},
        "inputs": [x.grad for x in leaves if x.is_floating_point()],
        "learned": {name: p.grad for name, p in face.named_parameters()},
    }


def value_and_gradients(
    groups: Any, world: int, make: Any, arrays: list[Any], sizes: list[int], more: dict[str, Any], factor: float = 1.0
) -> Any:
    """The loss of this rank's rows in the group of the first `world` processes."""
    if dist.get_rank() >= world:
        return None
    rank = dist.get_rank()
    given = part_of(arrays, sizes, rank)
    keywords = {name: x.split(sizes)[rank] if isinstance(x, Tensor) else x for name, x in more.items()}
    return gradients(make(group=groups[world]), given, keywords, factor)
