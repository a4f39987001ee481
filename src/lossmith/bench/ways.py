"""The ways to compute one total: lossmith's own, torch.compile, and other libraries by name.

A library that is not installed, or has no such loss, is told by name, with the line that installs it.
"""

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as fn

from lossmith.errors import SettingError, message
from lossmith.kernels import OnePass, eager_of, kernel_of
from lossmith.spec import Formula

Way = Callable[..., Tensor]
INSTALL = {
    "torch": "torch",
    "torchvision": "torchvision",
    "monai": "monai",
    "kornia": "kornia",
    "smp": "segmentation-models-pytorch",
    "pml": "pytorch-metric-learning",
    "lightly": "lightly",
}
_MODULE = {"smp": "segmentation_models_pytorch", "pml": "pytorch_metric_learning"}


@dataclass(frozen=True)
class Peer:
    """The total of a formula in another library, from the arguments of the formula."""

    library: str
    make: Callable[[Any], Way]  # of the imported library


def _nt_xent_by_hand(first: Tensor, second: Tensor) -> Tensor:
    z = torch.cat([fn.normalize(first, dim=1), fn.normalize(second, dim=1)])
    itself = torch.eye(len(z), dtype=torch.bool, device=z.device)
    return fn.cross_entropy((z @ z.T / 0.5).masked_fill(itself, -torch.inf), torch.arange(len(z)).roll(len(z) // 2))


def _arc_face_by_hand(embedding: Tensor, target: Tensor, proxies: Tensor) -> Tensor:
    near = fn.linear(fn.normalize(embedding), fn.normalize(proxies))
    worse = torch.cos(torch.acos(near.clamp(-1.0 + 1e-7, 1.0 - 1e-7)) + 0.5)
    return fn.cross_entropy(64.0 * torch.where(fn.one_hot(target, len(proxies)).bool(), worse, near), target)


def _clip_by_hand(first: Tensor, second: Tensor) -> Tensor:
    logits, own = fn.normalize(first, dim=1) @ fn.normalize(second, dim=1).T / 0.07, torch.arange(len(first))
    return 0.5 * (fn.cross_entropy(logits, own) + fn.cross_entropy(logits.T, own))


def _info_nce_by_hand(first: Tensor, second: Tensor, negatives: Tensor) -> Tensor:
    columns = torch.cat([fn.normalize(second, dim=1), fn.normalize(negatives, dim=1)])
    return fn.cross_entropy(fn.normalize(first, dim=1) @ columns.T / 0.1, torch.arange(len(first)))


def _focal_by_hand(logit: Tensor, target: Tensor) -> Tensor:
    prob = logit.sigmoid()
    cost = fn.binary_cross_entropy_with_logits(logit, target, reduction="none")
    return (cost * (1.0 - (prob * target + (1.0 - prob) * (1.0 - target))) ** 2).mean()


def _dice_by_hand(logits: Tensor, target: Tensor) -> Tensor:
    prob, hot = logits.softmax(-1), fn.one_hot(target, logits.shape[-1]).to(logits.dtype)
    common = (prob * hot).sum(-2)
    return (1.0 - 2.0 * common / (prob.sum(-2) + hot.sum(-2)).clamp(min=1e-7)).mean()


def _lightly(name: str, **settings: Any) -> Callable[[Any], Way]:
    return lambda _: getattr(importlib.import_module("lightly.loss"), name)(**settings)


PEERS: dict[str, tuple[Peer, ...]] = {
    "squared_error": (Peer("torch", lambda _: fn.mse_loss),),
    "absolute_error": (Peer("torch", lambda _: fn.l1_loss),),
    "huber": (Peer("torch", lambda _: fn.huber_loss),),
    "smooth_l1": (Peer("torch", lambda _: fn.smooth_l1_loss),),
    "binary_cross_entropy": (Peer("torch", lambda _: fn.binary_cross_entropy_with_logits),),
    "softmax_cross_entropy": (Peer("torch", lambda _: fn.cross_entropy),),
    "poisson_nll": (Peer("torch", lambda _: fn.poisson_nll_loss),),
    "triplet_margin": (Peer("torch", lambda _: fn.triplet_margin_loss),),
    "linear_cross_entropy": (
        Peer("torch", lambda _: lambda hidden, target, classes: fn.cross_entropy(hidden @ classes.T, target)),
    ),
    "nt_xent": (Peer("torch", lambda _: _nt_xent_by_hand), Peer("lightly", _lightly("NTXentLoss", temperature=0.5))),
    "clip": (Peer("torch", lambda _: _clip_by_hand),),
    "info_nce": (Peer("torch", lambda _: _info_nce_by_hand),),
    "arc_face": (Peer("torch", lambda _: _arc_face_by_hand),),
    "kl_divergence": (Peer("torch", lambda _: lambda x, t: fn.kl_div(x, t, reduction="batchmean")),),
    "gaussian_nll": (Peer("torch", lambda _: fn.gaussian_nll_loss),),
    "dice": (Peer("torch", lambda _: _dice_by_hand),),
    "binary_focal": (
        Peer("torch", lambda _: _focal_by_hand),
        Peer("torchvision", lambda tv: lambda x, t: tv.ops.sigmoid_focal_loss(x, t, alpha=-1.0, reduction="mean")),
    ),
    "box_giou": (Peer("torchvision", lambda tv: lambda a, b: tv.ops.generalized_box_iou_loss(a, b, "mean")),),
    "box_diou": (Peer("torchvision", lambda tv: lambda a, b: tv.ops.distance_box_iou_loss(a, b, "mean")),),
    "box_ciou": (Peer("torchvision", lambda tv: lambda a, b: tv.ops.complete_box_iou_loss(a, b, "mean")),),
}


def ways(formula: Formula, against: Sequence[str] | None, compiled: bool = True) -> tuple[dict[str, Way], list[str]]:
    """Every way by its name, the baseline first, and what was left out, with the reason."""
    libraries = tuple(against) if against is not None else tuple(INSTALL)
    found: dict[str, Way] = {}
    absent: list[str] = []
    peers = {peer.library: peer for peer in PEERS.get(formula.name, ())}
    for library in libraries:
        if library not in INSTALL:
            known = {"libraries": ", ".join(INSTALL)}
            raise SettingError(message(f"--against {library}: not a library that bench knows", known))
        if library not in peers:
            absent += [f"{library}: no counterpart of {formula.name} is known here"] if against else []
        elif find_spec(_MODULE.get(library, library)) is None:
            absent.append(f"{library} is not installed: pip install {INSTALL[library]}")
        else:
            found[library] = peers[library].make(importlib.import_module(_MODULE.get(library, library)))
    found["eager"] = formula.total
    fast = eager_of(formula)
    if fast is not formula:
        found["kernel"] = fast.total
    if compiled:
        found["torch.compile"] = torch.compile(formula.total)
        if kernel_of(formula) is formula:
            found["one pass"] = OnePass(formula.total)
    return found, absent
