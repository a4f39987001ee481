"""Lengths that a loss insists on: a number of classes it was built with, a batch size written into its code.

Inputs are drawn with small lengths of our own. A loss that refuses them all may have others in mind; those that its
attributes and its code mention are tried then: an attribute as the number of classes first, as `num_classes` is, a
number in the code as that of samples, as in `view(32, -1)`.
"""

import ast
import functools
import inspect
import re
from collections.abc import Iterator, Mapping
from typing import Any

from lossmith.checker.sample import SIZES
from lossmith.checker.signature import source_of, tree_of
from lossmith.checker.subject import Subject

_SOUNDS = re.compile(r"\bstft\(|Spectrogram")
_LONG = (64, 1024, 4096)  # a window of sound, and what a model hears
_IMAGES = re.compile(r"conv2d|Conv2d|pool2d|Pool2d|interpolate|unfold|fft")  # a window, a pyramid
MOST = {"C": 128, "D": 128, "N": 64}
TRIED = 6  # lengths, so that a loss that no length helps is not tried for minutes


def other_sizes(subject: Subject) -> Iterator[Mapping[str, int]]:
    """Sizes of axes to draw with instead, the likeliest first."""
    if _SOUNDS.search(source_of(subject.loss)):
        yield from ({"C": length} for length in _LONG)
    if _IMAGES.search(source_of(subject.loss)):
        yield from ({"H": side, "W": side + 4} for side in (16, 64))
    yield from ({"C": rows, "D": width} for rows, width in held_matrices(subject.loss))
    held, written = dict.fromkeys(_attributes(subject.loss)), dict.fromkeys(_literals(subject.loss))
    for numbers, axes in ((held, "CDN"), (written, "NCD")):
        for axis in axes:
            for number in list(numbers)[:TRIED]:
                if 1 < number <= MOST[axis] and number != SIZES[axis]:
                    yield {axis: number}


def held_vectors(loss: Any, learned: bool = False) -> list[int]:
    """The lengths of the vectors that a loss holds, or finds beside it: a weight for each class.

    A learned one may be a weight for each task instead; `learned` counts it too.
    """
    function = inspect.unwrap(loss) if inspect.isroutine(loss) else None
    code, spaces = getattr(function, "__code__", None), getattr(function, "__globals__", {})
    values = _held(loss, "__dict__", "_buffers", *(["_parameters"] if learned else []))
    values += [spaces[name] for name in code.co_names if name in spaces] if code else []
    return list(dict.fromkeys(len(value) for value in values if getattr(value, "ndim", 0) == 1 and len(value) > 1))


def held_matrices(loss: Any) -> list[tuple[int, int]]:
    """The shapes of the matrices that a loss holds: a centre, a proxy or a row of weights for each class."""
    values = _held(loss, "__dict__", "_buffers", "_parameters")
    shapes = [tuple(value.shape) for value in values if getattr(value, "ndim", 0) == 2]
    return [(rows, width) for rows, width in dict.fromkeys(shapes) if 1 < rows != width > 1][:TRIED]


def _held(loss: Any, *places: str) -> list[Any]:
    return [value for part in _parts(loss) for place in places for value in getattr(part, place, {}).values()]


def _attributes(loss: Any) -> Iterator[int]:
    """Whole numbers that the loss and its parts hold, and the lengths of what they hold."""
    if isinstance(loss, functools.partial):
        yield from (value for value in loss.keywords.values() if type(value) is int)
        return
    for part in _parts(loss):
        for value in getattr(part, "__dict__", {}).values():
            if type(value) is int:
                yield value
            elif isinstance(value, (list, tuple)):
                yield len(value)
        for value in (*getattr(part, "_parameters", {}).values(), *getattr(part, "_buffers", {}).values()):
            yield from () if value is None else value.shape


def _parts(loss: Any, depth: int = 2) -> Iterator[Any]:
    """The loss and the modules in it, registered or in a plain list."""
    yield loss
    values = [*getattr(loss, "__dict__", {}).values(), *getattr(loss, "_modules", {}).values()]
    for value in values if depth else ():
        inside = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else (value,)
        for part in inside:
            if hasattr(part, "_buffers"):
                yield from _parts(part, depth - 1)


def _literals(loss: Any) -> Iterator[int]:
    tree = tree_of(loss)
    if tree is None:
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and type(node.value) is int:
            yield node.value
        elif isinstance(node, ast.List) and all(isinstance(one, ast.Constant) for one in node.elts):
            yield len(node.elts)  # a level, or a weight, for each class
