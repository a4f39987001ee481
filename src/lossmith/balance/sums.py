"""Sums of losses: `0.8 * one + 0.2 * other` is a loss that is called as its parts are.

    total = sum_i w_i L_i(...)

A sum is a flat list of weights and losses, however it was written: 0.5 * (a + 2 * b) has the terms (0.5, a) and
(1.0, b). Each part is reduced by itself, so that parts of different reductions do not add up to anything; they are
refused.
"""

from collections.abc import Iterable
from math import isfinite
from typing import Any

from lossmith.errors import SettingError, message

Terms = tuple[tuple[float, Any], ...]


class Arithmetic:
    """What makes a loss one that can be multiplied by a number and added. A framework says how in `_combine`."""

    def _parts(self) -> Terms:
        """The terms of a sum; any other loss is its own only term."""
        return ((1.0, self),)

    def _combine(self, terms: Terms) -> Any:
        """The loss that is the sum of the terms."""
        raise NotImplementedError

    def _is_loss(self, other: object) -> bool:
        """Whether something foreign can be a term."""
        raise NotImplementedError

    def __mul__(self, factor: float) -> Any:
        _require_number(self, factor)
        return self._combine(tuple((factor * weight, loss) for weight, loss in self._parts()))

    def __rmul__(self, factor: float) -> Any:
        return self * factor

    def __truediv__(self, divisor: float) -> Any:
        _require_number(self, divisor)
        if divisor == 0:
            raise SettingError(f"{type(self).__name__}: a loss cannot be divided by 0")
        return self * (1.0 / divisor)

    def __neg__(self) -> Any:
        return self * -1.0

    def __add__(self, other: Any) -> Any:
        return self._combine((*self._parts(), *self._terms_of(other)))

    def __radd__(self, other: Any) -> Any:
        if isinstance(other, int) and other == 0:  # the start of Python's sum()
            return self
        return self._combine((*self._terms_of(other), *self._parts()))

    def __sub__(self, other: Any) -> Any:
        return self._combine((*self._parts(), *((-weight, loss) for weight, loss in self._terms_of(other))))

    def __rsub__(self, other: Any) -> Any:
        return -self + other

    def _terms_of(self, other: Any) -> Terms:
        if isinstance(other, Arithmetic):
            return other._parts()
        if self._is_loss(other):
            return ((1.0, other),)
        given = {"given": f"{other!r}" if isinstance(other, (int, float)) else type(other).__name__}
        raise SettingError(message(f"{type(self).__name__}: only a loss can be added to a loss", given))


def _require_number(loss: object, factor: object) -> None:
    if not isinstance(factor, (int, float)) or isinstance(factor, bool) or not isfinite(factor):
        given = {"given": repr(factor) if isinstance(factor, float) else type(factor).__name__}
        raise SettingError(message(f"{type(loss).__name__}: a loss is multiplied by a finite number", given))


def common_reduction(losses: Iterable[Any]) -> Any:
    """The reduction of all parts that have one; None where none has.

    Errors    SettingError where two differ: a mean and a sum add up to neither
    """
    found = {
        name: loss.reduction for name, loss in zip(named(losses), losses, strict=True) if hasattr(loss, "reduction")
    }
    each = list(found.values())
    if any(one != each[0] for one in each):
        raise SettingError(message("the parts of a sum of losses must have one reduction", found))
    return each[0] if each else None


def named(losses: Iterable[Any]) -> list[str]:
    """A name for each part: its class, with a number from the second of a class on."""
    names: list[str] = []
    for loss in losses:
        name = type(loss).__name__
        count = 1 + sum(other.partition("_")[0] == name for other in names)
        names.append(name if count == 1 else f"{name}_{count}")
    return names


def shown(terms: Terms) -> str:
    """How a sum is written: `0.8 * HuberLoss(...) - 0.2 * L1Loss(...)`."""
    text = ""
    for weight, loss in terms:
        sign = (" - " if text else "-") if weight < 0 else " + " if text else ""
        size = "" if abs(weight) == 1 else f"{abs(weight):.12g} * "
        text += f"{sign}{size}{loss!r}"
    return text
