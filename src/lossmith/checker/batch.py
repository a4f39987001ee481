"""The batch as a set of samples: take some of them, put them in another order, ask what a part contributes.

For rows cut into a first and a second part, a total L and its gradient G are explained by weights (w1, w2) if
L = w1*L1 + w2*L2 and G = (w1*G1, w2*G2). A sum has weights (1, 1), a mean (n1/n, n2/n); a mean over a count that
depends on the data has other weights that add up to 1; where no weights fit, the samples of a batch interact.
"""

import re
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lossmith.checker.evidence import SkipRule
from lossmith.checker.sample import batched
from lossmith.checker.subject import Subject, Trial

# Far above the rounding of a few hundred additions, far below any fault that these rules look for.
TOLERANCE = {torch.float64: 1e-6, torch.float32: 1e-4}


def no_batch(subject: Subject) -> str:
    """Empty if predictions and target share a first axis N, else why the rule does not apply."""
    contract = subject.contract
    if contract.pred.domain.axes[:1] != ("N",):
        return f"{contract.pred.name} has no batch axis N"
    inputs = subject.draw(0)
    rows = batched(contract, inputs)
    for index, argument in enumerate(contract.arguments):
        if argument.role != "other" and not rows[index]:
            return f"{argument.name} does not have the batch axis of {contract.pred.name}"
        value = inputs[index]
        if argument.role == "other" and rows[index] and value.ndim == 1 and len(value) in _inner(subject, inputs):
            return f"{argument.name} may belong to the batch or to another axis of the same length"
    return ""


def _inner(subject: Subject, inputs: Sequence[Any]) -> tuple[int, ...]:
    return tuple(inputs[subject.contract.preds[0]].shape[1:])


def size(subject: Subject, inputs: Sequence[Any]) -> int:
    return len(inputs[subject.contract.preds[0]])


def take(subject: Subject, inputs: Sequence[Any], rows: Sequence[int]) -> tuple[Any, ...]:
    """These samples, in this order; an argument without the batch axis stays as it is."""
    has = batched(subject.contract, inputs)
    return tuple(value[list(rows)] if row else value for value, row in zip(inputs, has, strict=True))


def orders(n: int, count: int, seed: int = 0) -> list[list[int]]:
    """Some orders of n samples: reversed, then at random, none of them the identity."""
    g = torch.Generator().manual_seed(seed)
    found = [list(reversed(range(n)))] + [torch.randperm(n, generator=g).tolist() for _ in range(4 * count)]
    return [order for order in found if order != list(range(n))][:count]


def precise(subject: Subject, inputs: Sequence[Any]) -> torch.dtype:
    """float64, or float32 for a loss that refuses float64. Skips a loss that no comparison can judge.

    That is one that raises or is not finite on these inputs, or that differs from call to call or seed to seed.
    """
    trial = subject.run(inputs, dtype=torch.float64)
    dtype = torch.float64 if trial.ok else torch.float32
    first = trial if trial.ok else subject.run(inputs, dtype=dtype)
    if first.error is not None:
        raise SkipRule(f"the loss raises {type(first.error).__name__} on ordinary inputs")
    if not first.finite_value:
        raise SkipRule("the loss is not finite on ordinary inputs (LS201)")
    for seed in (0, 1):
        again = subject.run(inputs, dtype=dtype, seed=seed)
        if again.total is None or first.total is None or not torch.equal(first.total, again.total):
            raise SkipRule("the loss does not give the same answer twice (LS607)")
    return dtype


def same(a: Trial, b: Trial) -> bool:
    """True if two totals agree but for rounding."""
    return near(a.value, b.value, tolerance(a, b))


def tolerance(*trials: Trial) -> float:
    """What rounding explains, for the coarsest precision that any of these totals has."""
    return max(TOLERANCE.get(trial.total.dtype, 0.05) for trial in trials if trial.total is not None)


def near(a: float, b: float, relative: float) -> bool:
    return abs(a - b) <= relative * max(abs(a), abs(b)) + 1e-12


def near_tensors(a: Tensor, b: Tensor, relative: float) -> bool:
    """Equal in each element, measured on the largest of them."""
    if a.shape != b.shape:
        return False
    largest = max(float(a.abs().max()), float(b.abs().max())) if a.numel() else 0.0
    return bool(((a - b).abs() <= relative * largest + 1e-12).all())


def refused(trial: Trial) -> bool:
    """True if a `raise` or an `assert` of the loss itself says no."""
    if trial.error is None:
        return False
    frames = traceback.extract_tb(trial.error.__traceback__)
    last = frames[-1] if frames else None
    if last is None or {"torch", "keras", "tensorflow", "jax"} & set(Path(last.filename).parts):
        return False
    return re.search(r"(?:^|:)\s*(?:raise|assert)\b", last.line or "") is not None


@dataclass(frozen=True)
class Split:
    """A batch, and its first `cut` samples and the rest as batches of their own."""

    whole: Trial
    first: Trial
    second: Trial
    cut: int
    n: int

    @property
    def ok(self) -> bool:
        """True if all three have a finite value and gradient."""
        return all(t.ok and t.finite_value and t.finite_grad for t in (self.whole, self.first, self.second))

    @property
    def shares(self) -> tuple[float, float]:
        """The weights of a plain mean."""
        return self.cut / self.n, 1 - self.cut / self.n

    def fits(self, weights: tuple[float, float]) -> bool:
        """True if these weights explain the total and every gradient of the whole batch."""
        relative = tolerance(self.whole, self.first, self.second)
        parts = weights[0] * self.first.value, weights[1] * self.second.value
        room = relative * max(abs(self.whole.value), abs(parts[0]), abs(parts[1])) + 1e-12
        if abs(sum(parts) - self.whole.value) > room:
            return False
        return all(
            near_tensors(whole, torch.cat([weights[0] * first, weights[1] * second]), relative)
            for whole, first, second in self._gradients()
        )

    def plain(self) -> str:
        """The law that explains the batch, `sum` or `mean`; empty if neither does."""
        return "sum" if self.fits((1.0, 1.0)) else "mean" if self.fits(self.shares) else ""

    def weights(self) -> tuple[float, float] | None:
        """The one pair (w, 1 - w) with both parts above 0 that explains total and gradients; None if there is none."""
        top = sum(float((whole[: self.cut] * first).sum()) for whole, first, _ in self._gradients())
        bottom = sum(float((first * first).sum()) for _, first, _ in self._gradients())
        weight = top / bottom if bottom > 0 else 0.0
        return (weight, 1 - weight) if 1e-3 < weight < 1 - 1e-3 and self.fits((weight, 1 - weight)) else None

    def _gradients(self) -> list[tuple[Tensor, Tensor, Tensor]]:
        rows = zip(self.whole.grads, self.first.grads, self.second.grads, strict=True)
        return [(w, a, b) for w, a, b in rows if w is not None and a is not None and b is not None]


def split(subject: Subject, inputs: Sequence[Any], cut: int, dtype: torch.dtype) -> Split:
    n = size(subject, inputs)
    first, second = take(subject, inputs, range(cut)), take(subject, inputs, range(cut, n))
    return Split(*(subject.run(part, dtype=dtype) for part in (inputs, first, second)), cut=cut, n=n)


def splits(subject: Subject, seeds: int = 3) -> list[Split]:
    """Several batches, each cut after two rows and in the middle."""
    found: list[Split] = []
    for seed in range(seeds):
        inputs = subject.draw(seed)
        dtype, n = precise(subject, inputs), size(subject, inputs)
        found += [split(subject, inputs, cut, dtype) for cut in sorted({2, n // 2})]
    return found


def interact(parts: Sequence[Split]) -> bool:
    """True if no weights explain any of them. A part that breaks is another matter (LS402, LS204)."""
    return bool(parts) and all(part.ok and not part.plain() and part.weights() is None for part in parts)
