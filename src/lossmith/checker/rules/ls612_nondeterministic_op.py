"""LS612 nondeterministic-op

What it checks
    Whether forward and backward use an operation that has no deterministic implementation on an accelerator: torch
    raises on those under `torch.use_deterministic_algorithms(True)`.

Why it matters
    Their sums are made in whatever order threads come, so that two runs with one seed differ in the last digits, and
    after some epochs in the first. With determinism switched on, the loss raises instead.

Example
    F.nll_loss(log_prob, labels)      # of images: (N, C, H, W) with (N, H, W)

Write instead
    F.nll_loss(log_prob.flatten(2).transpose(1, 2).flatten(0, 1), labels.flatten())

When to allow it
    Runs need not be the same bit by bit. It is information, read off a list and not measured: this machine may have no
    accelerator.
"""

import sys
from collections.abc import Iterator
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from lossmith.checker.evidence import finding
from lossmith.checker.finding import Finding
from lossmith.checker.subject import Subject
from lossmith.checker.watch import user_line

CODE, NAME, SINCE = "LS612", "nondeterministic-op", "0.1"
# By the list at torch.use_deterministic_algorithms: what raises on CUDA, forward or backward.
FORWARD = ("nll_loss2d_forward", "histc", "kthvalue", "put", "cumsum")
BACKWARD = (
    *("avg_pool3d", "_adaptive_avg_pool2d", "_adaptive_avg_pool3d", "max_pool3d_with_indices", "adaptive_max_pool2d"),
    *("upsample_linear1d", "upsample_bilinear2d", "upsample_bicubic2d", "upsample_trilinear3d"),
    *("reflection_pad1d", "reflection_pad2d", "reflection_pad3d"),
    *("replication_pad1d", "replication_pad2d", "replication_pad3d"),
    *("_ctc_loss", "grid_sampler_2d", "grid_sampler_3d", "_embedding_bag", "fractional_max_pool2d"),
)


class _Listed(TorchDispatchMode):
    """The operations of a call that are on the list, each with the user's line where it was first met."""

    def __init__(self, file: str) -> None:
        super().__init__()
        self.file, self.found = file, dict[str, str]()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = func(*args, **(kwargs or {}))
        name = func.__name__.partition(".")[0]
        floating = isinstance(output, torch.Tensor) and output.is_floating_point()
        if name in BACKWARD or (name in FORWARD and (floating or name != "cumsum")):
            self.found.setdefault(name.strip("_"), user_line(self.file))
        return output


def applies(subject: Subject) -> str:
    return "the operations of another framework are not seen" if subject.bridged else ""


def check(subject: Subject) -> Iterator[Finding]:
    watch = _Listed(subject.file)
    if not subject.run(subject.draw(1), watch=watch).ok or not watch.found:
        return
    names = ", ".join(watch.found)
    yield finding(
        sys.modules[__name__],
        subject,
        severity="info",
        grade="heuristic",
        message=f"no deterministic implementation on an accelerator: {names}",
        evidence={name: line or "inside the loss" for name, line in watch.found.items()},
        fix="torch.use_deterministic_algorithms(True) raises there; write it with sums, products or gathers instead",
        line=next(iter(watch.found.values())),
    )
