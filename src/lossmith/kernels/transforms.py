"""What a kernel makes of a similarity before it is summed: a function of each entry, and its slope."""

from dataclasses import dataclass
from math import inf
from typing import Protocol

import torch
from torch import Tensor


class Transform(Protocol):
    """An elementwise function of similarities.

    limit     a bound on its absolute value, inf for none
    steepest  a bound on that of its slope
    """

    @property
    def limit(self) -> float: ...

    @property
    def steepest(self) -> float: ...

    def __call__(self, x: Tensor) -> Tensor:
        """The transformed similarities, by differentiable operations."""
        ...

    def slope(self, x: Tensor, made: Tensor) -> Tensor:
        """What a gradient is multiplied by, given what the transform made of x.

        Where a factor counts as constant, it is not the whole derivative.
        """
        ...


@dataclass(frozen=True)
class Cap:
    """c tanh(x / c): logits stay inside -c and c."""

    cap: float

    @property
    def limit(self) -> float:
        return abs(self.cap)

    @property
    def steepest(self) -> float:
        return 1.0

    def __call__(self, x: Tensor) -> Tensor:
        return self.cap * torch.tanh(x / self.cap)

    def slope(self, x: Tensor, made: Tensor) -> Tensor:
        return 1.0 - (made / self.cap).square()


@dataclass(frozen=True)
class Pull:
    """-gamma max(0, 1 + m - c) (c - 1 + m) of cosines c: what circle loss makes of a positive pair."""

    gamma: float
    margin: float
    constant: bool  # whether the weight, the first factor, counts as constant
    limit: float = inf

    @property
    def steepest(self) -> float:
        return self.gamma * (2.0 + max(2.0, self.margin))

    def __call__(self, x: Tensor) -> Tensor:
        c = _cosine(x)
        weight = (1.0 + self.margin - (c.detach() if self.constant else c)).clamp(min=0.0)
        return -self.gamma * weight * (c - (1.0 - self.margin))

    def slope(self, x: Tensor, made: Tensor) -> Tensor:
        c = x.clamp(-1.0, 1.0)
        weight = (1.0 + self.margin - c).clamp_(min=0.0)
        return weight.mul_(-self.gamma) if self.constant else (2.0 * c - 2.0).where(weight > 0, 0.0).mul_(self.gamma)


@dataclass(frozen=True)
class Push:
    """gamma max(0, c + m) (c - m) of cosines c: what circle loss makes of a negative pair."""

    gamma: float
    margin: float
    constant: bool
    limit: float = inf

    @property
    def steepest(self) -> float:
        return self.gamma * (2.0 + max(2.0, self.margin))

    def __call__(self, x: Tensor) -> Tensor:
        c = _cosine(x)
        weight = ((c.detach() if self.constant else c) + self.margin).clamp(min=0.0)
        return self.gamma * weight * (c - self.margin)

    def slope(self, x: Tensor, made: Tensor) -> Tensor:
        c = x.clamp(-1.0, 1.0)
        weight = (c + self.margin).clamp_(min=0.0)
        return weight.mul_(self.gamma) if self.constant else (2.0 * c).where(weight > 0, 0.0).mul_(self.gamma)


def _cosine(x: Tensor) -> Tensor:
    """Rounding beyond 1 is taken off, but not its gradient."""
    return x + (x.clamp(-1.0, 1.0) - x).detach()
