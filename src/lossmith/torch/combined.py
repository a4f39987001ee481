"""Sums of losses, `0.8 * HuberLoss() + 0.2 * L1Loss()`; how they are added is in `lossmith.balance.sums`."""

from collections.abc import Sequence
from typing import Any, final

from torch import Tensor, nn

from lossmith import balance
from lossmith.balance.sums import common_reduction, named, shown
from lossmith.errors import SettingError, ShapeError, message


class Arithmetic(balance.Arithmetic):
    """What makes a torch face one that can be multiplied by a number and added to any loss module."""

    def _combine(self, terms: balance.Terms) -> "Combined":
        return Combined(terms)

    def _is_loss(self, other: object) -> bool:
        return isinstance(other, nn.Module)


@final
class Combined(Arithmetic, nn.Module):
    """A weighted sum of losses that are called alike: what `0.8 * HuberLoss() + 0.2 * L1Loss()` makes.

    It is called as its parts are, hands every keyword on to all of them, and adds up their totals. A loss of torch.nn
    or of your own can be a part; to weigh one alone, `Combined([(0.5, nn.L1Loss())])`. The parts reduce each by itself
    and must have one reduction; with "none" their values must have one shape.

    return_terms   (total, {"HuberLoss": ..., "L1Loss": ...}): the total of each part, before its weight

    >>> loss = 0.5 * HuberLoss() + 2 * L1Loss()
    >>> loss(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 0.0]))
    tensor(2.3750)
    """

    def __init__(self, terms: Sequence[tuple[float, nn.Module]]) -> None:
        super().__init__()
        if not terms or not all(isinstance(loss, nn.Module) for _, loss in terms):
            raise SettingError(message("Combined takes (weight, loss) pairs", fix="Combined([(0.8, HuberLoss())])"))
        self.losses = nn.ModuleList(loss for _, loss in terms)
        self.weights = tuple(float(weight) for weight, _ in terms)
        common_reduction(self.losses)

    @property
    def reduction(self) -> Any:
        """That of the parts."""
        return common_reduction(self.losses)

    @property
    def domains(self) -> dict[str, str]:
        """What the arguments may hold, by the first part that says it: the checker reads it."""
        each = (getattr(loss, "domains", None) for loss in self.losses)
        return next((dict(domains) for domains in each if isinstance(domains, dict)), {})

    @property
    def coupled(self) -> bool:
        """Whether the samples of a batch interact in one of the parts."""
        return any(bool(getattr(loss, "coupled", False)) for loss in self.losses)

    def forward(self, *inputs: Tensor, return_terms: bool = False, **keywords: Any) -> Any:
        """The weighted sum; the arguments and keywords are those of the parts."""
        terms: dict[str, Tensor] = {}
        parts: list[Tensor] = []
        for name, loss in zip(named(self.losses), self.losses, strict=True):
            if return_terms and isinstance(loss, Arithmetic):
                part, inner = loss(*inputs, return_terms=True, **keywords)
                terms |= {f"{name}.{key}": term for key, term in inner.items()}
            else:
                part = loss(*inputs, **keywords)
            terms[name] = part
            parts.append(part)
        if any(part.shape != parts[0].shape for part in parts):
            shapes = {name: tuple(part.shape) for name, part in zip(named(self.losses), parts, strict=True)}
            raise ShapeError(message("Combined: the values of the parts must have one shape", shapes))
        total = sum(weight * part for weight, part in zip(self.weights, parts, strict=True))
        return (total, terms) if return_terms else total

    def _parts(self) -> balance.Terms:
        return tuple(zip(self.weights, self.losses, strict=True))

    def __repr__(self) -> str:
        return shown(self._parts())
