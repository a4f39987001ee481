"""What several processes send, hold and wait for, worked out on paper; and, with --measure, two processes here.

python benchmarks/scaling.py             the tables of docs/scaling.md
python benchmarks/scaling.py --measure   one process beside two that talk through gloo, on this machine
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FLOAT = 4  # bytes: embeddings are compared in float32
PEAK, LINK = 100e12, 50e9  # of a rank: multiply-adds count twice, per second; bytes per second, each way


@dataclass(frozen=True)
class Cost:
    """Of one rank, forward and backward: bytes sent (as many arrive), those of them sent while nothing is computed,
    bytes held beside its own rows and their gradients, operations."""

    sent: float
    waited: float
    held: float
    operations: float

    @property
    def seconds(self) -> float:
        """No step is faster: products at full speed, bytes at the full speed of the link, latency left out."""
        return max(self.operations / PEAK, (self.sent - self.waited) / LINK) + self.waited / LINK


def gather(ranks: int, rows: int, width: int) -> Cost:
    """All-gather of the columns, reduce-scatter of their gradient: a rank sends (P - 1) / P of either."""
    whole = ranks * rows * width * FLOAT
    sent = 2 * whole * (ranks - 1) / ranks
    return Cost(sent, sent, 2 * whole, products(rows, ranks * rows, width))


def ring(ranks: int, rows: int, width: int) -> Cost:
    """The columns make P - 1 hops, twice, while others are looked at; then their gradient makes P, the last one home.

    Held are the visiting columns, those that arrive, their gradient, and what one block adds to either side's.
    """
    block = rows * width * FLOAT
    waited = ranks * block if ranks > 1 else 0
    return Cost(2 * (ranks - 1) * block + waited, waited, 5 * block, products(rows, ranks * rows, width))


def head(ranks: int, rows: int, width: int, classes: int) -> Cost:
    """Rows are gathered, their gradient is scattered. Four numbers a row are added up: the largest logit, the log-sum,
    the logit of the class, and whether there is one; two of them again in the backward."""
    whole, numbers = ranks * rows * width * FLOAT, ranks * rows * FLOAT
    sent = (2 * whole + 2 * 6 * numbers) * (ranks - 1) / ranks
    return Cost(sent, sent, 2 * whole, products(ranks * rows, classes / ranks, width))


def products(rows: float, columns: float, width: int) -> float:
    """Four matrix products: the tiles, the tiles again in the backward, and the gradient of both sides."""
    return 4 * 2 * rows * columns * width


def size(number: float) -> str:
    for unit, scale in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if number >= scale:
            return f"{number / scale:.3g} {unit}"
    return f"{number / 1e3:.3g} kB"


def duration(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds >= 1 else f"{seconds * 1e3:.3g} ms"


def pair_rows() -> Iterator[tuple[str, ...]]:
    yield "ranks", "pairs of a rank", "pairs", "form", "sent", "held", "matrix, not held", "products", "floor"
    for ranks, rows, width in ((8, 4096, 512), (64, 4096, 512), (1024, 4096, 512), (8, 524_288, 768)):
        for form in (gather, ring):
            cost = form(ranks, rows, width)
            matrix = (ranks * rows) ** 2 * FLOAT
            numbers = size(cost.sent), size(cost.held), size(matrix), duration(cost.operations / PEAK)
            yield f"{ranks}", f"{rows}", f"{ranks * rows:,}", form.__name__, *numbers, duration(cost.seconds)


def head_rows() -> Iterator[tuple[str, ...]]:
    yield "ranks", "rows of a rank", "classes", "sent", "held", "vectors", "logits, not held", "products", "floor"
    for ranks, rows, width, classes in (
        (8, 512, 512, 1_000_000),
        (64, 512, 512, 10_000_000),
        (1024, 512, 512, 100_000_000),
    ):
        cost = head(ranks, rows, width, classes)
        own, logits = classes / ranks * width * FLOAT, ranks * rows * classes / ranks * FLOAT
        numbers = size(cost.sent), size(cost.held), size(own), size(logits), duration(cost.operations / PEAK)
        yield f"{ranks}", f"{rows}", f"{classes:,}", *numbers, duration(cost.seconds)


def table(rows: Iterator[tuple[str, ...]]) -> str:
    header, *body = rows
    lines = [header, ("---:",) * len(header), *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def measured(repeats: int = 5) -> Iterator[tuple[str, ...]]:
    """NT-Xent and CLIP of 2048 pairs, D = 128, forward and backward: medians of rounds in which each has its turn."""
    import torch
    import torch.multiprocessing as started

    yield "loss", "one process", "two, gather", "two, ring"
    with tempfile.TemporaryDirectory() as folder:
        started.spawn(_rank, (folder, repeats), nprocs=2)
        for name, times in torch.load(Path(folder) / "times", weights_only=True).items():
            yield name, *(duration(statistics.median(each)) for each in times)


def _rank(rank: int, folder: str, repeats: int) -> None:
    import torch
    import torch.distributed as dist

    from lossmith.torch import CLIPLoss, NTXentLoss

    torch.set_num_threads(1)
    torch.manual_seed(0)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    pairs, found = torch.randn(2, 2048, 128), {}

    def step(criterion: Any, views: torch.Tensor) -> float:
        leaf = views.clone().requires_grad_()
        start = time.perf_counter()
        criterion(*leaf).backward()
        return time.perf_counter() - start

    for make in (NTXentLoss, CLIPLoss):
        alone, shared = make(), [make(group=True, exchange=form) for form in ("gather", "ring")]
        times = [[], [], []]
        for _ in range(repeats + 1):
            dist.barrier()
            times[0] += [step(alone, pairs)] if rank == 0 else []
            for criterion, each in zip(shared, times[1:], strict=True):
                dist.barrier()
                each.append(step(criterion, pairs[:, 1024 * rank : 1024 * (rank + 1)]))
        found[make.__name__] = [each[1:] for each in times]
    if rank == 0:
        torch.save(found, f"{folder}/times")
    dist.destroy_process_group()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measure", action="store_true")
    if parser.parse_args().measure:
        sys.stdout.write(table(measured()) + "\n")
    else:
        sys.stdout.write(table(pair_rows()) + "\n\n" + table(head_rows()) + "\n")


if __name__ == "__main__":
    main()
