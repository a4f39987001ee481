"""Arguments for any formula, made from what it declares: its shapes and its kinds. Nothing here knows a formula."""

import numpy as np

from lossmith.domains import KINDS
from lossmith.spec import Formula

LENGTHS = {"C": 4, "D": 3}
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


def arguments(formula: Formula, batch: tuple[int, ...], seed: int = 0, choice: int = 0, **settings: object):
    """One set of arguments of a formula, in float64."""
    rng = np.random.default_rng(seed)
    chosen = alternatives(formula, **settings)[choice]
    return [draw(kind, (*batch, *(LENGTHS[letter] for letter in axes[1:])), rng) for kind, axes in chosen]
