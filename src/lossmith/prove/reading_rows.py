"""Readings of a loss of rows of classes, with three of them: in the shares p = softmax(z), if all can be said in p."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import sympy

from lossmith.domains import KINDS
from lossmith.ops.digits import context
from lossmith.ops.symbols import Sample
from lossmith.prove.evaluate import Expr, Symbol, number
from lossmith.prove.offsets import offsets
from lossmith.prove.reading import LETTERS, Reading, near, read, with_letters
from lossmith.prove.shares import Family, families_of, in_shares
from lossmith.shapes import batched, letters
from lossmith.spec import Formula

CLASSES = 3
SHARES = (0.236328125, 0.451171875, 0.3125)  # a target distribution, and class counts: exactly 1 together
ROWS = [
    (2.9417, 0.1173, -0.3171),
    (0.7193, 1.0371, -2.1137),
    (-1.1173, -0.3171, 1.4139),
    (0.1171, 0.2273, -0.0931),
]


def rows(made: Formula, kinds: Sequence[str], settings: Mapping[str, Any]) -> Iterator[tuple[str, list[Reading]]]:
    """Readings of a loss of rows, with three classes, the first of which is right."""

    patterns = [axes[0] for axes in made.shapes.arguments]

    def arrays(row: Sequence[float], sample: Sample | None, moved: Mapping[int, Any]) -> Iterator[Any]:
        for index, (name, kind, pattern) in enumerate(zip(made.arguments, kinds, patterns, strict=True)):
            values = row if index == 0 else SHARES if letters(pattern) else SHARES[:1]
            if KINDS[kind.partition("|")[0]].integer:
                yield [0]
                continue
            if sample is None:
                found = [
                    context.mpf(value) + (moved.get(place, 0) if index == 0 else 0)
                    for place, value in enumerate(values)
                ]
            else:
                letter = "z" if index == 0 else LETTERS.get(name, name)
                found = [
                    sample.symbol(f"{letter}{place + 1}", value, fixed=index > 0) for place, value in enumerate(values)
                ]
            yield [found] if batched(pattern) and letters(pattern) else found

    def at(row: Sequence[float]) -> Reading:
        return read(made, settings, lambda *how: list(arrays(row, *how)), range(CLASSES))

    def beside(reading: Reading) -> dict[str, tuple[Symbol, ...]]:
        """The rows of other logits and of a target distribution."""
        by_name = {str(one): one for one in reading.point}
        return {
            kind: tuple(by_name.get(f"{LETTERS.get(name, name)}{place + 1}") for place in range(CLASSES))
            for name, kind in zip(made.arguments[1:], kinds[1:], strict=True)
            if kind in ("logits", "dist")
        }

    plain = np.array(ROWS)
    if kinds[0] != "logits":
        plain = np.exp(plain) / np.exp(plain).sum(-1, keepdims=True)
        plain = np.log(plain) if kinds[0] == "logprob" else plain
    given = f"{CLASSES} classes, the first is right" if any("index" in kind for kind in kinds) else f"{CLASSES} classes"
    readings = [at([float(z) for z in row]) for row in plain]
    named = beside(readings[0])
    spread = tuple(Family(sympy.S.One, (), row, moves=False) for kind, row in named.items() if kind == "dist")
    others = [row for kind, row in named.items() if kind == "logits"]
    readings = with_letters(readings, {one for row in named.values() for one in row})
    first = _in_shares(readings[0], others, spread)
    yield given, [first, *(_alike(first, one) or _in_shares(one, others, spread) for one in readings[1:])]


def _in_shares(reading: Reading, others: Sequence[tuple[Symbol, ...]], given: tuple[Family, ...]) -> Reading:
    """A reading of a row of logits in p = softmax(z), if everything can be said in p; `given` are distributions."""
    plain = reading.sample.revealed(reading.expr)
    if shift := offsets(plain, reading.vary):
        moved = sympy.expand_mul(plain.subs({z: z - added for z, added in shift.items()}, simultaneous=True), deep=True)
        at = {z: reading.point[z] + number(added, reading.point) for z, added in shift.items()}
        sample = replace(reading.sample, at={**reading.point, **at})
        found = _shared(replace(reading, sample=sample, expr=moved), others, given, tuple(shift.values()))
        if found is not None:
            return found
    return _shared(replace(reading, expr=plain), others, given) or replace(reading, families=given)


def _shared(
    reading: Reading, others: Sequence[tuple[Symbol, ...]], given: tuple[Family, ...], added: tuple[Expr, ...] = ()
) -> Reading | None:
    plain = reading.expr
    families = tuple(families_of(plain, [(reading.vary, True), *((row, False) for row in others)]))
    families = tuple(replace(one, added=added) if one.moves else one for one in families)
    expr = in_shares(plain, families) if families else plain
    if not any({*family.shares} & expr.free_symbols for family in families):
        return None
    for family in families:
        reading.sample.at.update(family.at(reading.point))
    return replace(reading, expr=expr, families=(*families, *given))


def _alike(first: Reading, one: Reading) -> Reading | None:
    """A reading by the expression in shares of the first, where that has its value: a body may ask who leads."""
    if not any(family.logits for family in first.families):
        return None
    at = dict(one.point)
    for z, added in {
        z: plus for family in first.families for z, plus in zip(family.logits, family.added, strict=False)
    }.items():
        at[z] = one.point[z] + number(added, one.point)
    for family in first.families:
        at.update(family.at(at) if family.logits else {})
    if not near(number(first.sample.revealed(first.expr), at), one.values[0]):
        return None
    return replace(one, sample=replace(one.sample, at=at), expr=first.expr, families=first.families)
