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
from lossmith.kernels import OnePass, body_for, compiles, eager_of, kernel_of, planned, stays, written_of
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
    """As monai writes it: the classes before the pixels, labels scattered into a tensor of zeros."""
    prob = logits.mT.softmax(1)
    hot = torch.zeros_like(prob).scatter_(1, target.unsqueeze(1), 1.0)
    return (1.0 - 2.0 * (prob * hot).sum(-1) / (prob.sum(-1) + hot.sum(-1)).clamp(min=1e-7)).mean()


def _lovasz_by_hand(logits: Tensor, target: Tensor) -> Tensor:
    """As the authors write it, image by image and class by class; smp and kornia carry their code on."""

    def of_class(probability: Tensor, truth: Tensor) -> Tensor:
        errors, order = (truth - probability).abs().sort(descending=True)
        inside = truth[order]
        missed, union = inside.sum() - inside.cumsum(0), inside.sum() + (1.0 - inside).cumsum(0)
        jaccard = 1.0 - missed / union
        return errors.dot(torch.cat([jaccard[:1], jaccard[1:] - jaccard[:-1]]))

    images = []
    for prob, labels in zip(logits.softmax(-1), target, strict=True):
        each = [of_class(prob[:, c], (labels == c).to(prob.dtype)) for c in labels.unique().tolist()]
        images.append(torch.stack(each).mean())
    return torch.stack(images).mean()


def _ssim_parts(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Similarity and contrast of each plane with a separable window, as pytorch-msssim computes them."""
    taps = torch.exp(-((torch.arange(11.0) - 5.0) ** 2) / 4.5).to(x)
    taps = (taps / taps.sum()).expand(x.shape[1], 1, 1, 11)

    def under_window(z: Tensor) -> Tensor:
        groups = z.shape[1]
        return fn.conv2d(fn.conv2d(z, taps.mT, groups=groups), taps, groups=groups)

    means = under_window(x), under_window(y)
    squares, product = means[0] ** 2 + means[1] ** 2, means[0] * means[1]
    variances = under_window(x * x) + under_window(y * y) - squares
    contrast = (2.0 * (under_window(x * y) - product) + 9e-4) / (variances + 9e-4)
    return ((2.0 * product + 1e-4) / (squares + 1e-4) * contrast).mean((-1, -2)), contrast.mean((-1, -2))


def _ssim_by_hand(pred: Tensor, target: Tensor) -> Tensor:
    return 1.0 - _ssim_parts(_with_channels(pred), _with_channels(target))[0].mean()


def _ms_ssim_by_hand(pred: Tensor, target: Tensor) -> Tensor:
    x, y, scales = _with_channels(pred), _with_channels(target), []
    for weight in (0.0448, 0.2856, 0.3001, 0.2363, 0.1333):
        whole, contrast = _ssim_parts(x, y)
        scales.append((whole if len(scales) == 4 else contrast).relu() ** weight)
        x, y = (fn.avg_pool2d(z, 2) for z in (x, y))
    return 1.0 - torch.stack(scales).prod(0).mean()


def _with_channels(planes: Tensor) -> Tensor:
    return planes.unflatten(0, (-1, 3)) if len(planes) % 3 == 0 else planes.unsqueeze(1)


def _images_of(loss: Way) -> Way:
    """A loss of (N, C, H, W) from (N, P, C)."""
    return lambda logits, target: loss(logits.mT.unsqueeze(-1), target.unsqueeze(-1))


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
    "lovasz_softmax": (
        Peer("torch", lambda _: _lovasz_by_hand),
        Peer("smp", lambda smp: _images_of(smp.losses.LovaszLoss("multiclass", per_image=True))),
    ),
    "ssim": (Peer("torch", lambda _: _ssim_by_hand),),
    "ms_ssim": (Peer("torch", lambda _: _ms_ssim_by_hand),),
    "binary_focal": (
        Peer("torch", lambda _: _focal_by_hand),
        Peer("torchvision", lambda tv: lambda x, t: tv.ops.sigmoid_focal_loss(x, t, alpha=-1.0, reduction="mean")),
    ),
    "box_giou": (Peer("torchvision", lambda tv: lambda a, b: tv.ops.generalized_box_iou_loss(a, b, "mean")),),
    "box_diou": (Peer("torchvision", lambda tv: lambda a, b: tv.ops.distance_box_iou_loss(a, b, "mean")),),
    "box_ciou": (Peer("torchvision", lambda tv: lambda a, b: tv.ops.complete_box_iou_loss(a, b, "mean")),),
}


def _as_in_a_face(formula: Formula, fast: Formula) -> Way:
    """The mean as a plain call of a face takes it: in one go where that can be, else from the values."""

    def total(*arrays: Tensor) -> Tensor:
        body = body_for(formula, arrays, formula.check("bench", *arrays))
        at_once = None if body is None else planned(body, arrays, formula.keywords, reduction="mean")
        whole = None if at_once is None else at_once(*arrays)
        return fast.total(*arrays) if whole is None else whole

    return total


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
            try:
                found[library] = peers[library].make(importlib.import_module(_MODULE.get(library, library)))
            except ImportError as error:  # what it needs itself is missing, or does not fit this torch
                absent.append(f"{library} is installed and cannot be imported: {error}")
    found["eager"] = formula.total
    fast = eager_of(formula)
    if fast is not formula:
        found["kernel"] = _as_in_a_face(formula, fast)
    written = written_of(formula) if compiled else None
    if written is not None:
        found["one pass"] = _as_in_a_face(written, eager_of(written))
    elif compiled and (compiles(formula) or kernel_of(formula) is not formula):
        found["torch.compile"] = torch.compile(formula.total)
        if compiles(formula) and not stays(formula, torch.device("cpu")):
            found["one pass"] = OnePass(formula.total)
    return found, absent
