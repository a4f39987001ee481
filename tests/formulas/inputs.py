"""Arguments for any formula, made from what it declares: its shapes and its kinds. Nothing here knows a formula."""

import numpy as np
from grid import SIZES

from lossmith.domains import KINDS
from lossmith.shapes import batched, letters
from lossmith.spec import Formula

LENGTHS = {"C": 4, "D": 3, "N": 5, "M": 2, "P": 6, "Q": 3, "H": 5, "W": 6}
REALS = ("real", "logits", "embedding")


def draw(kind: str, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Values that the kind allows; rows of a distribution sum to 1."""
    if kind == "index":
        return rng.integers(0, LENGTHS["C"], shape)
    if kind in ("simplex", "dist", "logprob"):
        rows = rng.dirichlet(np.ones(shape[-1]), shape[:-1])
        return np.log(rows) if kind == "logprob" else rows
    if kind == "binary":
        return rng.integers(0, 2, shape).astype(float)
    if kind in REALS:
        return rng.normal(0.0, 2.0, shape)
    if kind == "unit":
        rows = rng.normal(0.0, 1.0, shape)
        return rows / np.linalg.norm(rows, axis=-1, keepdims=True)
    if kind == "positive":
        return rng.gamma(2.0, 1.0, shape) + 0.1
    if kind == "count":
        return rng.poisson(3.0, shape).astype(float)
    if kind == "pm1":
        return rng.choice([-1.0, 1.0], shape)
    if kind == "cxcywh":
        return np.concatenate([rng.normal(0.0, 1.0, (*shape[:-1], 2)), rng.gamma(2.0, 1.0, (*shape[:-1], 2))], -1)
    if kind == "boxes":
        corner, size = rng.normal(0.0, 1.0, (*shape[:-1], 2)), rng.gamma(2.0, 1.0, (*shape[:-1], 2))
        return np.concatenate([corner, corner + size], -1)
    low, high = KINDS[kind].low, KINDS[kind].high
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ValueError(f"no way to draw {kind!r} is known: add one here")
    return rng.uniform(low, high, shape)


def alternatives(formula: Formula, **settings: object) -> list[tuple[tuple[str, tuple[str, ...]], ...]]:
    """Every way to choose a kind and its axes for each argument, such as labels and distributions."""
    kinds = [kind.split("|") for kind in formula.kinds_for(**settings)]
    count = max(map(len, kinds))
    return [
        tuple(
            (kind[min(i, len(kind) - 1)], patterns[min(i, len(patterns) - 1)])
            for kind, patterns in zip(kinds, formula.shapes.arguments, strict=True)
        )
        for i in range(count)
    ]


def lengths(formula: Formula) -> dict[str, int]:
    """The length of every named axis of a formula."""
    return {**LENGTHS, **SIZES.get(formula.name, {})}


def sized(formula: Formula, axes: tuple[str, ...], batch: tuple[int, ...]) -> tuple[int, ...]:
    """A shape for a pattern of the formula."""
    named = [int(name) if name.isdecimal() else lengths(formula)[name] for name in letters(axes)]
    return (*(batch if batched(axes) else ()), *named)


def arguments(formula: Formula, batch: tuple[int, ...], seed: int = 0, choice: int = 0, **settings: object):
    """One set of arguments of a formula, in float64."""
    rng = np.random.default_rng(seed)
    chosen = alternatives(formula, **settings)[choice]
    return [draw(kind, sized(formula, axes, batch), rng) for kind, axes in chosen]
