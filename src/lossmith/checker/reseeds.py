"""Which global random generators a call leaves in the same state, however they were before: it sets their seed."""

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from lossmith.checker.subject import Subject

STATES: Mapping[str, Callable[[], Any]] = {
    "torch": lambda: torch.get_rng_state().tolist(),
    "numpy.random": lambda: [part.tolist() if isinstance(part, np.ndarray) else part for part in np.random.get_state()],
    "random": random.getstate,
}


def reseeded(subject: Subject, inputs: Sequence[Any]) -> list[str]:
    """The names of the generators whose seed the call sets. The caller keeps the states of numpy's and Python's."""
    after: list[dict[str, Any]] = []
    for seed in (3, 4, 5):
        random.seed(seed)
        np.random.seed(seed)
        subject.run(inputs, seed=seed)
        after.append({name: state() for name, state in STATES.items()})
    return [name for name in STATES if all(after[0][name] == other[name] for other in after[1:])]
