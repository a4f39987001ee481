"""The kernels on one device: are they right, how fast are they, and how much memory do they take?

    PYTHONPATH=src python benchmarks/device.py [--device cuda] [--only nt_xent] [--small] [--profile]
        [--tiles 2048x4096 ...] [--blocks 32x128x4 ...] [--entries 25 ...] [--kept 28 ...]

Right: values and gradients of every pair kernel, and of one-pass losses, against float64 on the CPU.
Fast: forward and backward, with Triton's kernels where there are and without, and with other sizes of tiles (of rows
and columns; of entries at most, of bytes kept at most, powers of two) and of blocks (rows, columns, warps), in turns
with plain torch, `torch.compile` of it, `linear_cross_entropy` where torch has it,
and the matrix products alone; milliseconds, the ratio to the products within a round, and the peak of extra memory.

Needs torch and nothing else; prints tables and writes `device.csv` to the folder $OUT, or to the one it is called in.
"""
# ruff: noqa: T201

import argparse
import contextlib
import csv
import itertools
import os
import random
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cache, partial
from importlib.metadata import version
from importlib.util import find_spec
from math import inf
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.autograd import DeviceType
from torch.nn import functional as fn
from torch.profiler import ProfilerActivity, profile

import lossmith.torch as faces
from lossmith.kernels import devices, fused, kernels, pairs
from lossmith.spec import FORMULAS

BEGAN, SEEDS = time.perf_counter(), itertools.count()
Variant = Callable[[], AbstractContextManager[None]]


@dataclass
class Job:
    """One loss at one size: its arguments, and the ways to compute it. The first argument and all `learned` learn."""

    name: str
    arrays: tuple[Tensor, ...]
    learned: int  # how many of the arguments have gradients
    ways: dict[str, Callable[..., Tensor]]
    products: tuple[int, int, int]  # N, M, D of the matrix of similarities
    rounds: int = 10
    symmetric: bool = False
    tiles: tuple[str, ...] = ()
    rows: list[dict[str, Any]] = field(default_factory=list)


def main() -> None:
    options = _options()
    device = torch.device(options.device)
    print(
        f"torch {torch.__version__}, {_named(device)}, {_driver(device)}, products in half precision: {_halves(device)}"
    )
    if not options.only or "correctness" in options.only:
        _correctness(device, compiled=not options.plain)
    rows: list[dict[str, Any]] = []
    out = Path(os.environ.get("OUT", ".")) / "device.csv"
    for make in (nt_xent, linear_cross_entropy, arc_face, clip, sig_lip, sup_con, elementwise):
        if options.only and make.__name__ not in options.only:
            continue
        for job in make(device, options.small):
            if time.perf_counter() - BEGAN > options.seconds:
                print(f"{job.name}: left out, {options.seconds} s are over")
                continue
            if options.plain:
                job.ways.pop("torch.compile", None)
            rows += _measured(job, device, _variants(options, device) if job.products[0] else {})
            if options.profile:
                _profiled(job)
            _write(rows, out)
            del job
            _emptied(device)
    print(f"{time.perf_counter() - BEGAN:.0f} s, {out}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--small", action="store_true", help="tiny sizes, to see that it runs")
    parser.add_argument("--tiles", nargs="*", default=[], help="rows x columns of tiles")
    parser.add_argument("--entries", nargs="*", default=[], type=int, help="of a tile, powers of two")
    parser.add_argument("--kept", nargs="*", default=[], type=int, help="bytes for the backward, powers of two")
    parser.add_argument("--blocks", nargs="*", default=[], help="rows x columns x warps of Triton's programs")
    parser.add_argument("--profile", action="store_true", help="what a step of the first way spends its time on")
    parser.add_argument("--only", nargs="*", help="names of losses, or correctness")
    parser.add_argument("--plain", action="store_true", help="nothing is compiled")
    parser.add_argument("--seconds", type=float, default=200.0, help="no further loss begins after so long")
    return parser.parse_args()


def _named(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)


@cache
def _driver(device: torch.device) -> str:
    """Its version, and that of Triton, which compiles for it."""
    if device.type != "cuda":
        return ""
    asked = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        found = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.split()
        return f"driver {found[0]}, Triton {version('triton') if find_spec('triton') else 'none'}"
    return ""


def _halves(device: torch.device) -> list[str]:
    found = [devices.product_dtype(torch.empty(0, dtype=d, device=device)) for d in (torch.bfloat16, torch.float16)]
    return [str(dtype) for dtype in found if dtype is not None]


# Right?


def _correctness(device: torch.device, compiled: bool) -> None:
    """Each kernel in several dtypes, and under autocast: the largest error, in units of the largest gradient."""
    print(f"\n{'error against float64 on the CPU':34}{'value':>10}{'gradient':>10}   worst allowed")
    allowed = {"float64": 1e-11, "float32": 2e-5, "bfloat16": 6e-2, "float16": 2e-2, "autocast": 6e-2}
    for name, kernel in kernels().items():
        arrays = _arguments(kernel)
        for kind, most in allowed.items():
            with _tiles("128x96", device):
                _told(f"{name} {kind}", most, *_error(kernel.total, arrays, kind, device, FORMULAS[name].total))
    for face, arrays in _elementwise_cases() if compiled else ():
        fast = type(face)().to(device)
        fast.compile()
        _told(f"{type(face).__name__} one pass", allowed["float32"], *_error(fast, arrays, "float32", device, face))
    print(f"{time.perf_counter() - BEGAN:.0f} s")


def _told(what: str, most: float, value: float | str, gradient: float = 0.0) -> None:
    if isinstance(value, str):
        print(f"{what:34}FAILED  {value}")
    else:
        good = value <= most and gradient <= most
        print(f"{what:34}{value:10.1e}{gradient:10.1e}   {most:.0e}{'' if good else '   WRONG'}")


def _arguments(formula: Any) -> list[Tensor]:
    g = torch.Generator().manual_seed(0)
    lengths = {"N": 300, "D": 24, "C": 500, "M": 50}
    made = []
    for kind, patterns in zip(formula.kinds, formula.shapes.arguments, strict=True):
        shape = [lengths[axis] for axis in patterns[0] if axis != "..."]
        if "..." in patterns[0] and not formula.coupled:
            shape = [300, *shape]
        labels = kind.partition("|")[0] == "index"
        made.append(torch.randint(0, 100, shape, generator=g) if labels else torch.randn(shape, generator=g))
    return made


def _elementwise_cases() -> Iterator[tuple[Any, list[Tensor]]]:
    g = torch.Generator().manual_seed(1)
    x, t = torch.randn(3001, 7, generator=g), torch.rand(3001, 7, generator=g)
    yield faces.HuberLoss(), [x, t]
    yield faces.BinaryFocalLoss(), [x, (t > 0.5).float()]
    yield faces.CrossEntropyLoss(), [x, torch.randint(0, 7, (3001,), generator=g)]


def _error(
    loss: Callable[..., Tensor],
    arrays: list[Tensor],
    kind: str,
    device: torch.device,
    judge: Callable[..., Tensor],
) -> tuple[float | str, float]:
    dtype = torch.float32 if kind == "autocast" else getattr(torch, kind)
    given = [x.to(dtype) if x.is_floating_point() else x for x in arrays]
    exact = [x.double() if x.is_floating_point() else x for x in given]
    want, slopes = _slopes(judge, exact)
    try:
        got, found = _slopes(loss, [x.to(device) for x in given], autocast=kind == "autocast")
    except Exception as error:  # the others are still to be seen
        return f"{type(error).__name__}: {str(error).splitlines()[0][:150]}", 0.0
    worst = max(float((a.double().cpu() - b).abs().max() / b.abs().max()) for a, b in zip(found, slopes, strict=True))
    rounded = 0.0 if dtype in (torch.float32, torch.float64) else torch.finfo(dtype).eps
    return max(0.0, float(abs(got.double().cpu() - want) / abs(want)) - rounded), worst


def _slopes(loss: Callable[..., Tensor], arrays: list[Tensor], autocast: bool = False) -> tuple[Tensor, list[Tensor]]:
    leaves = [x.detach().clone().requires_grad_() if x.is_floating_point() else x for x in arrays]
    with torch.autocast(leaves[0].device.type, torch.bfloat16, enabled=autocast):
        total = loss(*leaves)
    wanted = [x for x in leaves if x.is_floating_point()]
    grads = torch.autograd.grad(3.0 * total, wanted, allow_unused=True)
    return total.detach(), [g for g in grads if g is not None]


# What is measured


def nt_xent(device: torch.device, small: bool) -> Iterator[Job]:
    for n, dtype in ((4096, torch.float32), (4096, torch.bfloat16), (65536, torch.float32), (65536, torch.bfloat16)):
        n = n // 1024 if small else n
        pair = _normal(device, dtype, n, 128), _normal(device, dtype, n, 128)
        ways: dict[str, Callable[..., Tensor]] = {"lossmith": faces.NTXentLoss(temperature=0.5)}
        if n <= 4096:
            ways |= {"torch": _nt_xent}
        if n <= 4096 and dtype == torch.float32:
            ways |= {"torch.compile": torch.compile(_nt_xent)}
        yield Job(f"nt_xent {n}x128", pair, 2, ways, (2 * n, 2 * n, 128), rounds=10 if n <= 4096 else 3, symmetric=True)


def clip(device: torch.device, small: bool) -> Iterator[Job]:
    n = 64 if small else 16384
    pair = _normal(device, torch.bfloat16, n, 512), _normal(device, torch.bfloat16, n, 512)
    ways = {"lossmith": faces.CLIPLoss().to(device), "torch": _clip}
    yield Job(f"clip {n}x512", pair, 2, ways, (n, n, 512), rounds=8)


def sig_lip(device: torch.device, small: bool) -> Iterator[Job]:
    n = 64 if small else 16384
    pair = _normal(device, torch.bfloat16, n, 512), _normal(device, torch.bfloat16, n, 512)
    ways = {"lossmith": faces.SigLIPLoss().to(device), "torch": _sig_lip}
    yield Job(f"sig_lip {n}x512", pair, 2, ways, (n, n, 512), rounds=8)


def sup_con(device: torch.device, small: bool) -> Iterator[Job]:
    n = 64 if small else 16384
    z, label = _normal(device, torch.bfloat16, n, 128), torch.arange(n, device=device) % (n // 16)
    ways = {"lossmith": faces.SupConLoss(), "torch": _sup_con}
    yield Job(f"sup_con {n}x128", (z, label), 1, ways, (n, n, 128), rounds=8, symmetric=True)


def arc_face(device: torch.device, small: bool) -> Iterator[Job]:
    n, c = (16, 300) if small else (512, 50_000)
    for dtype in (torch.float32, torch.bfloat16):
        one, label = _normal(device, dtype, n, 256), torch.arange(n, device=device) * 7 % c
        each = _normal(device, dtype, c, 256)
        ways: dict[str, Callable[..., Tensor]] = {
            "lossmith": kernels()["arc_face"].total,
            "torch": _arc_face,
        }
        if dtype == torch.bfloat16:
            ways["torch.compile"] = torch.compile(_arc_face)
        yield Job(f"arc_face {n}x256x{c}", (one, label, each), 3, ways, (n, c, 256))


def linear_cross_entropy(device: torch.device, small: bool) -> Iterator[Job]:
    n, d, c = (32, 16, 300) if small else (8192, 4096, 128_256)
    hidden, label = _normal(device, torch.bfloat16, n, d), torch.arange(n, device=device) * 7 % c
    classes = _normal(device, torch.bfloat16, c, d) / d**0.5
    ways: dict[str, Callable[..., Tensor]] = {"lossmith": kernels()["linear_cross_entropy"].total, "torch": _linear}
    ways["torch.compile"] = torch.compile(_linear)
    fused = getattr(fn, "linear_cross_entropy", None)
    if fused is not None:
        ways["fn.linear_cross_entropy"] = lambda h, t, w: fused(h, w, t)
        options = getattr(torch.nn, "LinearCrossEntropyOptions", None)
        if options is not None:
            ways["fn.linear_cross_entropy chunked"] = lambda h, t, w: fused(h, w, t, options=options())
    yield Job(f"linear_cross_entropy {n}x{d}x{c}", (hidden, label, classes), 3, ways, (n, c, d), rounds=4)


def elementwise(device: torch.device, small: bool) -> Iterator[Job]:
    n = 4096 if small else 2**25
    x, t = _normal(device, torch.float32, n), (torch.arange(n, device=device) % 3 == 0).float()
    eager, fast = faces.BinaryFocalLoss(), faces.BinaryFocalLoss()
    fast.compile()
    yield Job(f"binary_focal {n}", (x, t), 1, {"lossmith": fast, "eager": eager}, (0, n, 0))


def _normal(device: torch.device, dtype: torch.dtype, *shape: int) -> Tensor:
    g = torch.Generator(device).manual_seed(next(SEEDS))
    return torch.randn(*shape, generator=g, device=device).to(dtype)


# Plain torch


def _nt_xent(first: Tensor, second: Tensor) -> Tensor:
    z = torch.cat([fn.normalize(first, dim=1), fn.normalize(second, dim=1)])
    itself = torch.eye(len(z), dtype=torch.bool, device=z.device)
    partner = torch.arange(len(z), device=z.device).roll(len(z) // 2)
    return fn.cross_entropy((z @ z.T / 0.5).masked_fill(itself, -inf), partner)


def _clip(first: Tensor, second: Tensor) -> Tensor:
    logits = fn.normalize(first, dim=1) @ fn.normalize(second, dim=1).T / 0.07
    own = torch.arange(len(first), device=first.device)
    return 0.5 * (fn.cross_entropy(logits, own) + fn.cross_entropy(logits.T, own))


def _sig_lip(first: Tensor, second: Tensor) -> Tensor:
    logits = fn.normalize(first, dim=1) @ fn.normalize(second, dim=1).T * 10.0 - 10.0
    sign = 2.0 * torch.eye(len(first), device=first.device) - 1.0
    return -fn.logsigmoid(sign * logits).sum() / len(first)


def _sup_con(z: Tensor, label: Tensor) -> Tensor:
    u = fn.normalize(z, dim=1)
    itself = torch.eye(len(z), dtype=torch.bool, device=z.device)
    logp = (u @ u.T / 0.1).masked_fill(itself, -inf).log_softmax(1)
    same = (label[:, None] == label) & ~itself
    return -(torch.where(same, logp, 0.0).sum(1) / same.sum(1)).mean()


def _arc_face(embedding: Tensor, target: Tensor, proxies: Tensor) -> Tensor:
    near = fn.linear(fn.normalize(embedding), fn.normalize(proxies))
    worse = torch.cos(torch.acos(near.clamp(-1.0 + 1e-7, 1.0 - 1e-7)) + 0.5)
    own = target[:, None] == torch.arange(len(proxies), device=target.device)
    return fn.cross_entropy(64.0 * torch.where(own, worse, near), target)


def _linear(hidden: Tensor, target: Tensor, classes: Tensor) -> Tensor:
    return fn.cross_entropy(fn.linear(hidden, classes), target)


# How fast?


def _measured(job: Job, device: torch.device, variants: dict[str, Variant]) -> list[dict[str, Any]]:
    leaves = [x.detach().requires_grad_(x.is_floating_point() and k < job.learned) for k, x in enumerate(job.arrays)]
    steps: dict[str, Callable[[], Any]] = {name: _step(way, leaves) for name, way in job.ways.items()}
    first = next(iter(job.ways.values()))
    steps |= {f"lossmith {name}": _within(_step(first, leaves), variant) for name, variant in variants.items()}
    steps["floor"] = _floor(job, leaves)
    totals, peaks = {}, {}
    for name in list(steps):
        try:
            steps[name]()
            totals[name], peaks[name] = _peak(steps[name], device)
        except Exception as error:
            print(f"  {name}: {type(error).__name__}: {str(error).splitlines()[0][:150]}")
            del steps[name]
            _emptied(device)
    times: dict[str, list[float]] = {name: [] for name in steps}
    order = list(steps)
    for number in range(job.rounds):
        random.Random(number).shuffle(order)
        for name in order:
            times[name].append(_seconds(steps[name], device))
    dtype = str(leaves[0].dtype).removeprefix("torch.")
    print(f"\n{job.name} {dtype:12}{'ms':>10}{'/ floor':>9}{'extra MiB':>11}   total")
    made = []
    for name, taken in times.items():
        ratio = statistics.median(a / b for a, b in zip(taken, times["floor"], strict=True))
        row = {
            "device": _named(device),
            "driver": _driver(device),
            "torch": torch.__version__,
            "job": job.name,
            "dtype": dtype,
            "way": name,
        }
        row |= {"median_ms": statistics.median(taken) * 1e3, "ratio_to_floor": ratio}
        row |= {"extra_mib": peaks[name] / 2**20, "total": totals[name]}
        print(f"  {name:32}{row['median_ms']:10.3f}{ratio:9.2f}{row['extra_mib']:11.1f}   {totals[name]:.6g}")
        made.append(row)
    return made


def _step(way: Callable[..., Tensor], leaves: list[Tensor]) -> Callable[[], Tensor]:
    def step() -> Tensor:
        for leaf in leaves:
            leaf.grad = None
        total = way(*leaves)
        total.backward()
        return total.detach()

    return step


def _within(step: Callable[[], Tensor], variant: Variant) -> Callable[[], Tensor]:
    def run() -> Tensor:
        with variant():
            return step()

    return run


def _variants(options: argparse.Namespace, device: torch.device) -> dict[str, Variant]:
    """Other settings of the kernels, and the kernels without Triton where that has a part in them."""
    made: dict[str, Variant] = {}
    if fused.available(device):
        made["without Triton"] = lambda: _environment("LOSSMITH_TRITON", "0")
    made |= {shape: partial(_tiles, shape, device) for shape in options.tiles}
    made |= {f"2^{power} entries": partial(_set, devices, ENTRIES=2**power) for power in options.entries}
    made |= {f"2^{power} bytes kept": partial(_set, pairs, KEPT=2**power) for power in options.kept}
    for block in options.blocks:
        *shape, warps = map(int, block.split("x"))
        made[f"blocks {block}"] = partial(_set, fused, BLOCK=tuple(shape), WARPS=warps)
    return made


def _tiles(shape: str, device: torch.device) -> AbstractContextManager[None]:
    height, _, width = shape.partition("x")
    return _set(devices, TILES={device.type: (int(height), int(width))})


@contextlib.contextmanager
def _set(module: Any, **values: Any) -> Iterator[None]:
    before = {name: getattr(module, name) for name in values}
    vars(module).update(values)
    try:
        yield
    finally:
        vars(module).update(before)


@contextlib.contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        del os.environ[name]
        os.environ.update({} if before is None else {name: before})


def _profiled(job: Job) -> None:
    """The operations of one step of the first way, by the time that they take on the device."""
    leaves = [x.detach().requires_grad_(x.is_floating_point() and k < job.learned) for k, x in enumerate(job.arrays)]
    step = _step(next(iter(job.ways.values())), leaves)
    step()
    on_cuda = leaves[0].device.type == "cuda"
    kinds = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_cuda else [])]
    with profile(activities=kinds) as found:
        step()
        _wait(leaves[0].device)
    of_kernels = (
        [e for e in found.key_averages() if e.device_type != DeviceType.CPU] if on_cuda else found.key_averages()
    )
    spent = [(e.self_device_time_total if on_cuda else e.self_cpu_time_total, e.count, e.key) for e in of_kernels]
    print(f"  {sum(count for _, count, _ in spent)} kernels, {sum(time for time, _, _ in spent) / 1e3:.3f} ms in them")
    for micros, count, key in sorted(spent, reverse=True)[:14]:
        print(f"    {micros / 1e3:9.3f} ms {count:5}  {key[:110]}")


def _floor(job: Job, leaves: list[Tensor]) -> Callable[[], Any]:
    """Three products of (N, M, D), in blocks, in the dtype of the loss; of a symmetric loss half of them."""
    n, m, d = job.products
    if not n:
        to = torch.empty_like(leaves[0])
        return lambda: to.copy_(leaves[0])
    left, right = (_normal(leaves[0].device, leaves[0].dtype, k, d) for k in (n, m))
    height, width = min(n, 8192), min(m, 4096)
    room = left.new_empty(height, width)
    pairs = [(i, j) for i in range(0, n, height) for j in range(0, m, width)]
    pairs = pairs[: (len(pairs) + 1) // 2] if job.symmetric else pairs

    def products() -> None:
        for i, j in pairs:
            one, other = left[i : i + height], right[j : j + width]
            tile = room[: len(one), : len(other)]
            torch.mm(one, other.T, out=tile)
            torch.mm(tile, other)
            torch.mm(tile.T, one)

    return products


def _peak(step: Callable[[], Any], device: torch.device) -> tuple[float, int]:
    if device.type != "cuda":
        total = step()
        return float("nan" if total is None or total.ndim else total), 0
    _emptied(device)
    before = torch.cuda.memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    total = step()
    torch.cuda.synchronize(device)
    return float("nan" if total is None or total.ndim else total), torch.cuda.max_memory_allocated(device) - before


def _seconds(step: Callable[[], Any], device: torch.device) -> float:
    """The time of one step, the shortest of which are repeated."""
    _wait(device)
    start, count = time.perf_counter(), 0
    while count < 1 or (time.perf_counter() - start < 0.01 and count < 50):
        step()
        count += 1
        _wait(device)
    return (time.perf_counter() - start) / count


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _emptied(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.empty_cache()


def _write(rows: list[dict[str, Any]], out: Path) -> None:
    with out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows({k: f"{v:.5g}" if isinstance(v, float) else v for k, v in row.items()} for row in rows)


if __name__ == "__main__":
    main()
