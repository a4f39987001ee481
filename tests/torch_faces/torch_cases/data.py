"""A torch face with data that it takes, in float64, one sample an entry of axis 0."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

N, C = 6, 4


@dataclass(frozen=True)
class Case:
    """One face with some settings. `data` makes (predictions..., targets...), `targets` says how many of the latter."""

    name: str
    make: Callable[..., Any]
    data: Callable[[torch.Generator], tuple[Tensor, ...]]
    targets: int = 1

    def arrays(self, seed: int = 0, dtype: torch.dtype = torch.float64) -> tuple[Tensor, ...]:
        made = self.data(torch.Generator().manual_seed(seed))
        return tuple(array.to(dtype) if array.is_floating_point() else array for array in made)


def normal(g: torch.Generator, *shape: int) -> Tensor:
    return 3.0 * torch.randn(*shape, generator=g, dtype=torch.float64)


def uniform(g: torch.Generator, *shape: int) -> Tensor:
    return torch.rand(*shape, generator=g, dtype=torch.float64)


def labels(g: torch.Generator, *shape: int) -> Tensor:
    return torch.randint(0, C, shape, generator=g)


def real(g: torch.Generator) -> tuple[Tensor, ...]:
    return normal(g, N, 3), normal(g, N, 3)


def binary(g: torch.Generator) -> tuple[Tensor, ...]:
    return normal(g, N, C), uniform(g, N, C)


def probability(g: torch.Generator) -> tuple[Tensor, ...]:
    return uniform(g, N, C), uniform(g, N, C)


def classes(g: torch.Generator) -> tuple[Tensor, ...]:
    return normal(g, N, C), labels(g, N)


def pixels(g: torch.Generator) -> tuple[Tensor, ...]:
    return normal(g, N, C, 2, 3), labels(g, N, 2, 3)


def soft_classes(g: torch.Generator) -> tuple[Tensor, ...]:
    return normal(g, N, C), normal(g, N, C).softmax(1)


def soft_pixels(g: torch.Generator) -> tuple[Tensor, ...]:
    return normal(g, N, C, 2), normal(g, N, C, 2).softmax(1)


def log_classes(g: torch.Generator) -> tuple[Tensor, ...]:
    return normal(g, N, C).log_softmax(1), labels(g, N)


def distributions(g: torch.Generator) -> tuple[Tensor, ...]:
    return normal(g, N, C).log_softmax(1), normal(g, N, C).softmax(1)


def log_distributions(g: torch.Generator) -> tuple[Tensor, ...]:
    return normal(g, N, C).log_softmax(1), normal(g, N, C).log_softmax(1)


def views(g: torch.Generator) -> tuple[Tensor, ...]:
    return normal(g, N, C), normal(g, N, C)


def grouped(g: torch.Generator) -> tuple[Tensor, ...]:
    """Embeddings of two or three classes, every class at least twice among those that tests keep."""
    return normal(g, N, C), torch.tensor([0, 1, 0, 1, 1, 0])


def pairs(g: torch.Generator) -> tuple[Tensor, ...]:
    return 0.3 * normal(g, N, C), 0.3 * normal(g, N, C), torch.randint(0, 2, (N,), generator=g).double()


WEIGHT = torch.tensor([0.5, 2.0, 1.0, 0.25], dtype=torch.float64)


def with_settings(face: Callable[..., Any], **settings: Any) -> Callable[..., Any]:
    return lambda **more: face(**settings, **more)


def gradients(
    criterion: Callable[..., Tensor], arrays: tuple[Tensor, ...], targets: int = 1, **given: Any
) -> tuple[Tensor, ...]:
    """The total, then its gradient with respect to every prediction (all arrays but the last ones, the targets)."""
    first = len(arrays) - targets
    preds = [array.detach().clone().requires_grad_() for array in arrays[:first]]
    total = criterion(*preds, *arrays[first:], **given)
    return total.detach(), *torch.autograd.grad(total.sum(), preds)


def close(got: Tensor, want: Tensor, rtol: float = 1e-12) -> None:
    """Equal up to float64 rounding; the sums of two ways to the same number are ordered differently."""
    torch.testing.assert_close(got, want, rtol=rtol, atol=1e-14, equal_nan=False)
