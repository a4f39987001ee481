"""What a formula may claim about itself. The claims are data: tests measure each, docs and the checker read them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any


@dataclass(frozen=True)
class Claims:
    """What is true of a formula, at every keyword inside its range unless a line says otherwise.

    range              the smallest and largest value on valid arguments
    zero_at_match      the value is exactly 0 where pred equals target
    even               over- and under-shooting cost the same: the value depends on |pred - target| only
    convex             convex in the prediction (in all of its entries together)
    smooth             the gradient with respect to the prediction has no jump
    monotone           the value never falls as the prediction moves away from a hard target; at default keywords
    proper             the prediction that costs least on average is the true probability; at default keywords
    shift_invariant    the same number added to all logits of a row changes nothing
    scale_invariant    an embedding multiplied by a positive number costs the same; for boxes: all of them multiplied
    grad_bound         no entry of the gradient is larger: a number, or a function of the keywords (None: no bound)
    grad_without_overlap   for boxes: disjoint ones still have a gradient
    """

    range: tuple[float, float] = (0.0, inf)
    zero_at_match: bool = False
    even: bool = False
    convex: bool = False
    smooth: bool = False
    monotone: bool = False
    proper: bool = False
    shift_invariant: bool = False
    scale_invariant: bool = False
    grad_bound: float | Callable[..., float | None] | None = None
    grad_without_overlap: bool = False

    def bound_at(self, settings: Mapping[str, Any]) -> float | None:
        """The gradient bound at these keywords (all of them), or None where none is claimed."""
        return self.grad_bound(**settings) if callable(self.grad_bound) else self.grad_bound

    def made(self) -> tuple[str, ...]:
        """The names of the claims that say something, `range` left out."""
        return tuple(name for name in self.__dataclass_fields__ if name != "range" and getattr(self, name))
