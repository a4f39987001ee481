"""All ways in turns, in one run: a ratio within a round is of two times a moment apart, on an equally busy machine."""

import os
import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from lossmith.bench.floor import floors, least_bytes, matrix_bytes
from lossmith.bench.inputs import batch, lengths_of
from lossmith.bench.rows import Row
from lossmith.bench.ways import ways
from lossmith.spec import Formula

Step = Callable[[], Any]
MATRIX = 2**30  # bytes of a matrix of pairs, beyond which only a kernel is measured


@dataclass(frozen=True)
class Options:
    """size: samples; rounds: how often each way runs; against: libraries, None for all that are known."""

    size: int | None = None
    dtype: torch.dtype = torch.float32
    rounds: int = 9
    against: Sequence[str] | None = None
    compiled: bool = True


def bench(
    formula: Formula, options: Options, told: Callable[[str, float], None] = lambda text, share: None
) -> tuple[list[Row], list[str]]:
    """A row for each way, and what was left out. `told` hears what is being done, and which share is behind."""
    lengths = lengths_of(formula, options.size)
    arrays = batch(formula, lengths, options.dtype)
    chosen, absent = ways(formula, options.against, options.compiled)
    size = matrix_bytes(formula, arrays)
    if size > MATRIX and "kernel" in chosen:
        dense = ", ".join(name for name in chosen if name != "kernel")
        absent.append(f"{dense}: the matrix of pairs alone would take {size / 2**30:.0f} GiB")
        chosen = {"kernel": chosen["kernel"]}
    steps: dict[str, Step] = {}
    totals: dict[str, float] = {}
    work = len(chosen) + options.rounds + 1
    for number, (name, way) in enumerate(chosen.items()):
        told(f"{formula.name}: {name}, first call", number / work)
        step = _step(way, arrays)
        try:
            totals[name] = float(step())
        except Exception as error:  # a peer that fails is a row less, not the end
            absent.append(f"{name} fails here: {type(error).__name__}: {str(error).splitlines()[0][:120]}")
            continue
        steps[name] = step
    sizes = " ".join(f"{'N' if axis == '...' else axis}={n}" for axis, n in lengths.items() if (axis, n) != ("...", 1))
    steps |= floors(formula, arrays)
    for step in steps.values():
        step()
    times: dict[str, list[float]] = {name: [] for name in steps}
    order = list(steps)
    for number in range(options.rounds):
        told(f"{formula.name}: round {number + 1} of {options.rounds}", (len(chosen) + number) / work)
        random.Random(number).shuffle(order)
        for name in order:
            start = time.perf_counter()
            steps[name]()
            times[name].append(time.perf_counter() - start)
    told(f"{formula.name}: memory", (work - 1) / work)
    least, first = least_bytes(arrays), next(iter(steps))
    made = [_row(formula, sizes, options.dtype, name, times, first, steps[name], least, totals) for name in steps]
    return made, absent


def _step(way: Callable[..., Tensor], arrays: Sequence[Tensor]) -> Step:
    leaves = [x for x in arrays if x.requires_grad]

    def step() -> Tensor:
        for leaf in leaves:
            leaf.grad = None
        total = way(*arrays)
        total.backward()
        return total.detach()

    return step


def _row(
    formula: Formula,
    sizes: str,
    dtype: torch.dtype,
    name: str,
    times: dict[str, list[float]],
    baseline: str,
    step: Step,
    least: int,
    totals: dict[str, float],
) -> Row:
    ratios = [mine / other for mine, other in zip(times[name], times[baseline], strict=True)]
    low, middle, high = _quantiles(ratios)
    floor = name.startswith("floor")
    return Row(
        formula.name,
        sizes,
        str(dtype).removeprefix("torch."),
        name,
        statistics.median(times[name]) * 1e3,
        middle,
        low,
        high,
        0 if floor else peak_bytes(step),
        least if floor else None if name in ("torch.compile", "one pass") else moved_bytes(step),
        totals.get(name),
    )


def _quantiles(values: Sequence[float]) -> tuple[float, float, float]:
    ordered = sorted(values)
    return ordered[len(ordered) // 5], statistics.median(ordered), ordered[-1 - len(ordered) // 5]


def peak_bytes(step: Step) -> int:
    """The most memory that a step holds beyond what was held before it, by torch's own record of allocations."""
    with _silent(), torch.profiler.profile(profile_memory=True, acc_events=True) as record:
        kept = step()
    del kept
    return max(_held(record), default=0)


@contextmanager
def _silent() -> Iterator[None]:
    """Without what the profiler, in C++, says of its own start and stop."""
    saved, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nowhere)


def _held(record: Any) -> Iterator[int]:
    events = [event for event in record.profiler.kineto_results.events() if event.name() == "[memory]"]
    held = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        held += event.nbytes()
        yield held


class Traffic(TorchDispatchMode):
    """Adds up the bytes that each operation reads and writes; views move none."""

    moved = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = function(*args, **(kwargs or {}))
        if not function.is_view:
            tensors = [x for x in tree_leaves((args, kwargs, out)) if isinstance(x, Tensor)]
            self.moved += sum(x.numel() * x.element_size() for x in tensors if 0 not in x.stride())
        return out


def moved_bytes(step: Step) -> int:
    """What the operations of a step read and write, each for itself."""
    with Traffic() as traffic:
        step()
    return traffic.moved
