"""Every loss that torch.nn or torchvision has too: time of theirs, forward and backward, and of ours beside it.

    PYTHONPATH=src python benchmarks/peers.py [NAME...] [--small 64] [--large 4194304] [--compiled] [--threads 1]

One run, all ways in turns, in rounds; a ratio is the median over the rounds of ours / theirs, so that a busy machine
widens it and does not move it. `--compiled` also times `criterion.compile()`, beside theirs and beside a copy of as
many bytes as the loss must read and write.
"""
# ruff: noqa: T201

import argparse
import random
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

import lossmith.torch as faces
from lossmith.bench.floor import least_bytes

try:
    from torchvision import ops as vision
except (ImportError, RuntimeError) as absent:
    vision = None
    print(f"torchvision is left out: {str(absent).splitlines()[0]}")

G, CLASSES = torch.Generator(), {False: 10, True: 1000}


@dataclass
class Pair:
    """One loss, its counterpart, and data for both: `data(n, c)` makes about n entries, of c classes."""

    ours: Callable[[], nn.Module]
    theirs: Callable[..., Tensor]
    data: Callable[[int, int], tuple[Tensor, ...]]


def normal(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=G)


def real(n: int, _: int) -> tuple[Tensor, ...]:
    return normal(n), normal(n)


def binary(n: int, _: int) -> tuple[Tensor, ...]:
    return normal(n), (normal(n) > 0.0).float()


def labels(n: int, c: int) -> tuple[Tensor, ...]:
    rows = max(1, n // c)
    return normal(rows, c), torch.randint(c, (rows,), generator=G)


def shares(n: int, c: int) -> tuple[Tensor, ...]:
    return labels(n, c)[0], normal(max(1, n // c), c).softmax(1)


def boxes(n: int, _: int) -> tuple[Tensor, ...]:
    corners = torch.rand(2, n // 4, 2, generator=G)
    return tuple(torch.cat([corners, corners + torch.rand(2, n // 4, 2, generator=G) + 0.1], -1))


def pair(name: str, data: Any, theirs: Any = None, **settings: Any) -> Pair:
    return Pair(lambda: getattr(faces, name)(**settings), theirs or getattr(nn, name)(**settings), data)


PAIRS = {
    "l1": pair("L1Loss", real),
    "mse": pair("MSELoss", real),
    "huber": pair("HuberLoss", real),
    "smooth_l1": pair("SmoothL1Loss", real),
    "bce_logits": pair("BCEWithLogitsLoss", binary),
    "bce": pair("BCELoss", lambda n, c: (normal(n).sigmoid(), binary(n, c)[1])),
    "ce": pair("CrossEntropyLoss", labels),
    "ce ignored": pair("CrossEntropyLoss", labels, ignore_index=1),
    "ce smoothed": pair("CrossEntropyLoss", labels, label_smoothing=0.1),
    "ce shares": pair("CrossEntropyLoss", shares),
    "nll": pair("NLLLoss", lambda n, c: (labels(n, c)[0].log_softmax(1), labels(n, c)[1])),
    "kl": pair("KLDivLoss", lambda n, c: (shares(n, c)[0].log_softmax(1), shares(n, c)[1]), reduction="batchmean"),
    "poisson": pair("PoissonNLLLoss", lambda n, _: (normal(n), normal(n).abs().ceil())),
    "gaussian": pair("GaussianNLLLoss", lambda n, _: (normal(n), normal(n), normal(n).abs() + 0.1)),
    "triplet": pair("TripletMarginLoss", lambda n, _: tuple(normal(3, max(1, n // 128), 128))),
}
if vision is not None:
    focal, giou, diou, ciou = (
        vision.sigmoid_focal_loss,
        vision.generalized_box_iou_loss,
        vision.distance_box_iou_loss,
        vision.complete_box_iou_loss,
    )
    PAIRS |= {
        "focal": pair("BinaryFocalLoss", binary, lambda x, t: focal(x, t, alpha=-1.0, reduction="mean")),
        "giou": pair("GIoULoss", boxes, lambda x, t: giou(x, t, reduction="mean")),
        "diou": pair("DIoULoss", boxes, lambda x, t: diou(x, t, reduction="mean")),
        "ciou": pair("CIoULoss", boxes, lambda x, t: ciou(x, t, reduction="mean")),
    }


WIDTH: dict[Any, int] = {boxes: 4, labels: 10, shares: 10}  # `--small` counts samples


def timed(step: Callable[[], object], calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        step()
    return (time.perf_counter() - start) / calls


def measured(chosen: Pair, n: int, large: bool, compiled: bool) -> dict[str, list[float]]:
    """Seconds of each way, by round."""
    G.manual_seed(0)
    arrays = chosen.data(n, CLASSES[large])
    x = arrays[0].requires_grad_()
    ways: dict[str, Callable[..., Tensor]] = {"theirs": chosen.theirs, "ours": chosen.ours()}
    if compiled:
        fast = chosen.ours()
        fast.compile()
        ways["compiled"] = fast

    def step(way: Callable[..., Tensor]) -> None:
        x.grad = None
        way(*arrays).backward()

    source = torch.ones(max(1, least_bytes(arrays) // 8))
    room = torch.empty_like(source)
    steps: dict[str, Callable[[], object]] = {name: lambda way=way: step(way) for name, way in ways.items()}
    steps["copy"] = lambda: room.copy_(source)
    calls, rounds = (1, 9) if large else (20, 60)
    times: dict[str, list[float]] = {name: [] for name in steps}
    for one in steps.values():
        timed(one, 1 + calls)
    for number in range(rounds):
        for name in random.Random(number).sample(list(steps), len(steps)):
            times[name].append(timed(steps[name], calls))
    return times


def ratio(times: dict[str, list[float]], name: str, other: str) -> str:
    return f"{statistics.median(a / b for a, b in zip(times[name], times[other], strict=True)):.2f}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help=", ".join(PAIRS))
    parser.add_argument("--small", type=int, default=64)
    parser.add_argument("--large", type=int, default=2**22)
    parser.add_argument("--compiled", action="store_true")
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    print(f"{'loss':<12} {'entries':>8} {'eager / theirs':>15}" + "  compiled / theirs, / copy" * asked.compiled)
    for name in asked.names or PAIRS:
        for entries, large in ((asked.small * WIDTH.get(PAIRS[name].data, 1), False), (asked.large, True)):
            got = measured(PAIRS[name], entries, large, asked.compiled and large)
            more = (
                f"  {ratio(got, 'compiled', 'theirs')}, {ratio(got, 'compiled', 'copy')}" if "compiled" in got else ""
            )
            print(f"{name:<12} {entries:>8} {ratio(got, 'ours', 'theirs'):>15}{more}", flush=True)
