"""Losses that return several terms and no total: what an argument or a setting does may show in a later one alone.

(pull, push)    two terms that whoever trains weighs and adds, or gives to two optimizers
(total, parts)  a total and what it is made of: the parts add nothing, and the total is judged
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isclose
from typing import Any

from torch import Tensor

from lossmith.checker.frameworks import SUM, TOTALS, path_of
from lossmith.checker.subject import Subject


@dataclass
class Summed(Subject):
    """A loss as the sum of the terms that it returns."""

    def call(self, loss: Any, inputs: Sequence[Any]) -> Any:
        found = super().call(loss, inputs)
        terms = _terms(found)
        return sum(terms[1:], terms[0]) if terms else found


def with_all_terms(subject: Subject) -> Subject:
    """The loss as the sum of its terms, or as it is if it returns one value, or a total of them."""
    if subject.bridged:
        return subject
    inputs = subject.draw(0)
    try:
        terms = _terms(subject.call(subject.twin(inputs[subject.contract.preds[0]].dtype), _live(subject, inputs)))
    except Exception:  # what it raises is reported from a trial
        return subject
    values = [float(term.detach()) for term in terms]
    if len(terms) < 2 or (len(terms) > 2 and isclose(values[0], sum(values[1:]), rel_tol=1e-4)):
        return subject
    known = {name: value for name, value in vars(subject).items() if name != "cache"}
    return Summed(**known, cache={})


def _live(subject: Subject, inputs: Sequence[Any]) -> list[Any]:
    preds = subject.contract.preds
    return [
        value.detach().clone().requires_grad_(index in preds and value.is_floating_point())
        if isinstance(value, Tensor)
        else value
        for index, value in enumerate(inputs)
    ]


def _terms(returned: Any) -> list[Tensor]:
    """The numbers side by side that have a gradient; none if one of them is called the total."""
    if isinstance(returned, Mapping):
        if any(key in returned for key in TOTALS) or path_of(returned) == (SUM,):
            return []
        parts = list(returned.values())
    elif isinstance(returned, (tuple, list)) and not hasattr(returned, "_fields"):
        parts = list(returned)
    else:
        return []
    numbers = [part for part in parts if isinstance(part, Tensor) and part.numel() == 1]
    return [part.reshape(()) for part in numbers if part.requires_grad]
