"""How the memory of one call grows with the batch: counted at a few small sizes, told as a polynomial in bytes.

Every storage that an operation of the call makes is counted while it lives, what is saved for the backward included,
and the largest sum is the peak. Through the peaks at five sizes goes the polynomial a + bN + cN^2 + dN^3 with no
negative coefficient that fits best. A square or a cube is believed if it still holds at a larger batch: a loss that
compares a chunk of rows at a time looks like a table of pairs as long as one chunk holds them all.
"""

import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from lossmith.checker.subject import Subject
from lossmith.checker.watch import user_line

SIZES = (12, 24, 36, 48, 60)
LARGER, MOST = 2048, 3e8  # samples, and bytes, of the batch that must still lie on the polynomial


@dataclass
class Peak(TorchDispatchMode):
    """Bytes that live at once, and the operation that made the largest tensor."""

    file: str = ""
    live: int = 0
    peak: int = 0
    largest: int = 0
    operation: str = ""
    shape: tuple[int, ...] = ()
    line: str = ""
    calls: int = 0
    seen: dict[int, Any] = field(default_factory=dict[int, Any])

    def __post_init__(self) -> None:
        super().__init__()

    def __hash__(self) -> int:
        return id(self)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = func(*args, **(kwargs or {}))
        self.calls += 1
        for value in tree_leaves(output):
            if isinstance(value, Tensor):
                self._count(value)
                if value.numel() > self.largest:
                    self.largest, self.shape = value.numel(), tuple(value.shape)
                    self.operation, self.line = func.__name__.partition(".")[0].strip("_"), user_line(self.file)
        return output

    def _count(self, value: Tensor) -> None:
        storage = value.untyped_storage()
        key = storage._cdata
        if key in self.seen:
            return
        size = storage.nbytes()
        self.live += size
        self.peak = max(self.peak, self.live)

        def gone(_: Any, key: int = key, size: int = size) -> None:
            self.seen.pop(key, None)
            self.live -= size

        self.seen[key] = weakref.ref(storage, gone)


@dataclass(frozen=True)
class Growth:
    """`coefficients` of 1, N, N^2, N^3 in bytes; the operation that makes the largest tensor at the largest size.

    bounded    a larger batch takes far less than the polynomial says
    """

    coefficients: tuple[float, ...]
    peaks: tuple[int, ...]
    operation: str
    shape: tuple[int, ...]
    line: str
    bounded: bool = False

    @property
    def order(self) -> int:
        """The highest power that holds a tenth of the peak at the largest size."""
        shares = [c * SIZES[-1] ** k / self.peaks[-1] for k, c in enumerate(self.coefficients)]
        return max((k for k, share in enumerate(shares) if share > 0.1), default=0)

    def at(self, n: int) -> float:
        return sum(c * float(n) ** k for k, c in enumerate(self.coefficients))


def growth(subject: Subject) -> Growth | None:
    """None if the loss does not take batches of these sizes, or its peaks lie on no polynomial."""
    watches: list[Peak] = []
    for n in SIZES:
        watch = _peak(subject, n)
        if watch is None:
            return None
        watches.append(watch)
    coefficients = fitted(SIZES, [watch.peak for watch in watches])
    if coefficients is None:
        return None
    last = watches[-1]
    found = Growth(coefficients, tuple(watch.peak for watch in watches), last.operation, last.shape, last.line)
    looped = last.calls != watches[-2].calls  # a loop over samples, which could take minutes over many
    return found if found.order < 2 or looped else replace(found, bounded=_bounded(subject, found))


def _peak(subject: Subject, n: int) -> Peak | None:
    watch = Peak(subject.file)
    return watch if subject.run(subject.draw(1, n), dtype=torch.float32, watch=watch).ok else None


def _bounded(subject: Subject, found: Growth) -> bool:
    n = LARGER
    while found.at(n) > MOST:
        n //= 2
    watch = _peak(subject, n)
    return watch is not None and watch.peak < 0.7 * found.at(n)


def fitted(sizes: Sequence[int], peaks: Sequence[int]) -> tuple[float, ...] | None:
    """The best polynomial without negative coefficients, None if none is within 5 % of every peak."""
    n, y = np.array(sizes, dtype=float), np.array(peaks, dtype=float)
    if not (y > 0).all():
        return None
    best, error = None, 0.05
    for chosen in product((False, True), repeat=4):
        powers = [k for k, used in enumerate(chosen) if used]
        if not powers:
            continue
        columns = np.stack([n**k for k in powers], 1) / y[:, None]
        scale = columns.max(0)
        found = np.linalg.lstsq(columns / scale, np.ones_like(y), rcond=None)[0] / scale
        left = float(np.abs(columns @ found - 1).max())
        # One power more must be worth it: else rounding of small peaks is told as a cube.
        if (found >= 0).all() and left < error * (0.9 if best is not None else 1.0):
            coefficients = [0.0] * 4
            for k, c in zip(powers, found, strict=True):
                coefficients[k] = float(c)
            best, error = tuple(coefficients), left
    return best


def readable(count: float) -> str:
    for unit in ("B", "KB", "MB", "GB", "TB"):
        if count < 1000 or unit == "TB":
            return f"{count:.3g} {unit}"
        count /= 1000
    return ""
