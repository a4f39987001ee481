"""Losses of several quantiles at once: a column of the prediction for each level, and one target for all."""

import functools
import inspect
import re
from collections.abc import Sequence
from typing import Any

from lossmith.checker.options import is_function
from lossmith.checker.subject import Subject
from lossmith.checker.templates import Template

LEVELS = re.compile(r"^(?:quantiles?|quantile_levels|taus?|levels|percentiles|qs)$")


def levels_of(subject: Subject) -> tuple[str, tuple[float, ...]]:
    """The setting or attribute that lists two or more levels between 0 and 1, and the levels; "" if there is none."""
    held = {**settings_of(subject), **getattr(subject.loss, "__dict__", {})}
    for name, value in held.items():
        listed = value.tolist() if hasattr(value, "tolist") else value
        if LEVELS.match(name) and isinstance(listed, (list, tuple)) and _are_levels(listed):
            return name, tuple(listed)
    return "", ()


def _are_levels(listed: Sequence[Any]) -> bool:
    return len(listed) > 1 and all(isinstance(level, float) and 0 < level < 1 for level in listed)


def settings_of(subject: Subject) -> dict[str, Any]:
    """Everything that a loss is built or called with, as it is set now."""
    thing: Any = subject.build if not is_function(subject.loss) and subject.build is not None else subject.loss
    while isinstance(thing, functools.partial):
        thing = thing.func
    try:
        parameters = inspect.signature(thing).parameters.values()
    except (TypeError, ValueError):
        return {}
    return {p.name: subject.settings.get(p.name, p.default) for p in parameters}


def templates_of(subject: Subject) -> tuple[Template, ...]:
    """A column for each level, if the loss takes two arrays and lists its levels."""
    _, levels = levels_of(subject)
    if not levels or len(subject.parameters) != 2:
        return ()
    return tuple(Template(9.0, (f"real[N,{len(levels)}]", f"real[{axes}]")) for axes in ("N", "N,1"))
