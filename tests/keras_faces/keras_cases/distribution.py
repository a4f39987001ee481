"""Losses between distributions."""

from dataclasses import replace

import numpy as np

from keras_cases.data import Arrays, C, N, case, distributions, normal, softmax


def logit_rows(g: np.random.Generator) -> Arrays:
    return softmax(normal(g, N, C)), normal(g, N, C)


def taught(g: np.random.Generator) -> Arrays:
    return g.integers(0, C, N), normal(g, N, 2, C)


def ours(*arguments, **settings):
    """A case with settings that keras does not have."""
    made = {"from_logits": False, "reverse": False} | settings
    base = case(*arguments)
    return replace(base, make=lambda **more: base.make(**made, **more), keras=None)


CASES = [
    case("kl", "KLDivergence", distributions),
    ours("kl reverse", "KLDivergence", distributions, reverse=True),
    ours("kl logits", "KLDivergence", logit_rows, from_logits=True),
    case("js", "JensenShannon", distributions),
    case("js logits", "JensenShannon", logit_rows, from_logits=True),
    case("distillation", "Distillation", taught, temperature=2.0, alpha=0.4),
]
