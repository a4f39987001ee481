"""The global random generators of a program, torch's, numpy's and Python's: what a call does to them."""

import random
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.overrides import TorchFunctionMode

from lossmith.checker.subject import Subject
from lossmith.checker.watch import user_line


@dataclass(frozen=True)
class Source:
    """A generator: what it is called, how it is seeded, what state it is in, and both in Python as it is pasted."""

    name: str
    seed: Callable[[int], Any]
    state: Callable[[], Any]
    seeding: str
    drawing: str
    needs: str = ""


TORCH = Source(
    "the global random generator",
    torch.manual_seed,
    lambda: torch.get_rng_state().tolist(),
    "torch.manual_seed(seed)",
    "torch.rand(1)",
)
NUMPY = Source(
    "numpy's global generator",
    np.random.seed,
    lambda: [part.tolist() if isinstance(part, np.ndarray) else part for part in np.random.get_state()],
    "np.random.seed(seed)",
    "np.random.rand()",
    "import numpy as np",
)
PYTHON = Source(
    "Python's `random`", random.seed, random.getstate, "random.seed(seed)", "random.random()", "import random"
)


@contextmanager
def kept() -> Iterator[None]:
    """Puts numpy's and Python's back; a trial seeds torch's itself."""
    python, numbers = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numbers)


def seeds_beside_torch() -> Mapping[str, Callable[[int], Any]]:
    """How the others are seeded, by name; TensorFlow's too, where it is imported."""
    known: dict[str, Callable[[int], Any]] = {source.name: source.seed for source in (PYTHON, NUMPY)}
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is not None:
        known["TensorFlow's global generator"] = tensorflow.random.set_seed
    return known


def reseeded(subject: Subject, inputs: Sequence[Any]) -> Source | None:
    """The generator that is in one and the same state after every call, however it was before: its seed is set."""
    after: list[list[Any]] = []
    for seed in (3, 4, 5):
        for source in (NUMPY, PYTHON):
            source.seed(seed)
        subject.run(inputs, seed=seed)
        after.append([source.state() for source in (TORCH, NUMPY, PYTHON)])
    alike = (all(state == states[0] for state in states) for states in zip(*after, strict=True))
    return next((source for source, same in zip((TORCH, NUMPY, PYTHON), alike, strict=True) if same), None)


class Draws(TorchFunctionMode):
    """The first call that moves torch's."""

    def __init__(self, file: str) -> None:
        super().__init__()
        self.file, self.name, self.line = file, "", ""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        before = torch.get_rng_state()
        result = func(*args, **(kwargs or {}))
        if not self.name and not torch.equal(before, torch.get_rng_state()):
            self.name, self.line = getattr(func, "__name__", ""), user_line(self.file)
        return result
