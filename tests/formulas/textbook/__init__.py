"""Each loss as its paper prints it, one family a file. Slow, unguarded and obviously right.

`DIGITS` digits: 1 - p at p = 1 - 1e-300 still keeps a hundred, so that no trick is needed anywhere. A gradient is a
central difference with a step far below every point of the grid but 0; at a symmetric kink (|r| at 0, the distance
of two equal points) it gives 0, which is the convention of the library.

An argument is a number, or a list (of lists) of numbers; class numbers are ints. A result is a number or a list.
"""

import importlib
import pkgutil
from functools import partial

from textbook.numbers import DIGITS, STEP, mp

__all__ = ["DIGITS", "gradient", "mp", "named"]


def named(name):
    """The textbook form of a formula: the function of that name in one of the files of this folder."""
    for module in pkgutil.iter_modules(__path__):
        found = getattr(importlib.import_module(f"{__name__}.{module.name}"), name, None)
        if found is not None:
            return found
    raise LookupError(f"no textbook form of {name}: write it as its paper prints it, in tests/formulas/textbook/")


def total(result):
    return sum(map(total, result)) if isinstance(result, list) else result


def gradient(function, arguments, index=0):
    """The gradient of a textbook loss with respect to one argument, in the form of that argument.

    A loss in which a factor counts as a constant has an attribute `constants`: a function of the same arguments that
    gives the factor's value by its keyword.
    """
    constants = getattr(getattr(function, "func", function), "constants", None)
    if constants is not None:
        keywords = getattr(function, "keywords", {})
        function = partial(function, **constants(*arguments, **keywords))

    def moved(x, path, step):
        if not path:
            return x + step
        return [moved(v, path[1:], step) if i == path[0] else v for i, v in enumerate(x)]

    def slope(path):
        ends = [
            total(function(*arguments[:index], moved(arguments[index], path, step), *arguments[index + 1 :]))
            for step in (STEP, -STEP)
        ]
        return (ends[0] - ends[1]) / (2 * STEP)

    def along(x, path):
        return [along(v, (*path, i)) for i, v in enumerate(x)] if isinstance(x, list) else slope(path)

    return along(arguments[index], ())
