"""Valid inputs for a contract, and the prediction that is perfect for a given target.

Sizes are small and pairwise different, so that a reproducer fits on a screen and nothing lines up by accident.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from lossmith.checker.contract import Contract
from lossmith.domains import Domain

if TYPE_CHECKING:
    from lossmith.spec import Formula

SIZES = {"N": 6, "C": 5, "D": 8, "H": 3, "W": 4, "T": 7}
FEW = {"N": 3, "C": 2, "D": 2, "H": 4, "W": 4}  # for what takes long for each number
FAR = 12.0  # a logit that settles the matter without saturating float16


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def class_axis(axes: Sequence[str]) -> int:
    return list(axes).index("C") if "C" in axes else -1


def shape_of(domain: Domain, sizes: Mapping[str, int]) -> tuple[int, ...]:
    return tuple(int(axis) if axis.isdigit() else sizes.get(axis, 3) for axis in domain.axes)


def _boxes(shape: tuple[int, ...], g: torch.Generator) -> Tensor:
    corner = torch.rand((*shape[:-1], 2), generator=g)
    return torch.cat([corner, corner + 0.2 + torch.rand((*shape[:-1], 2), generator=g)], -1)


def _centred(boxes: Tensor) -> Tensor:
    return torch.cat([(boxes[..., :2] + boxes[..., 2:]) / 2, boxes[..., 2:] - boxes[..., :2]], -1)


def _index(shape: tuple[int, ...], g: torch.Generator, sizes: Mapping[str, int]) -> Tensor:
    return torch.randint(sizes["C"], shape, generator=g)


def _pairs(shape: tuple[int, ...], g: torch.Generator, sizes: Mapping[str, int]) -> Tensor:
    """Labels of which every one occurs twice as far as possible: losses on embeddings need positives."""
    n = shape[0] if shape else 1
    labels = torch.arange(n) // 2 % sizes["C"]
    return labels[torch.randperm(n, generator=g)].reshape(shape)


def _labels(shape: tuple[int, ...], g: torch.Generator, sizes: Mapping[str, int]) -> Tensor:
    width = shape[-1]
    rows = [torch.randperm(width, generator=g)[:2] for _ in range(shape[0])]
    return torch.stack([torch.cat([row, -torch.ones(width - 2, dtype=torch.long)]) for row in rows])


def sample(domain: Domain, g: torch.Generator, sizes: Mapping[str, int], paired_labels: bool = False) -> Tensor:
    """One valid array of this domain, in float32 or int64."""
    shape, kind = shape_of(domain, sizes), domain.kind.name
    axis = class_axis(domain.axes)

    def normal() -> Tensor:
        return torch.randn(shape, generator=g)

    def one_hot() -> Tensor:
        rest = [size for i, size in enumerate(shape) if i != axis % len(shape)]
        labels = torch.randint(shape[axis], tuple(rest), generator=g)
        return torch.movedim(F.one_hot(labels, shape[axis]).float(), -1, axis)

    def uniform() -> Tensor:
        return torch.rand(shape, generator=g)

    make: dict[str, Callable[[], Tensor]] = {
        "real": normal,
        "logits": normal,
        "embedding": normal,
        "unit": lambda: F.normalize(normal(), dim=-1),
        "positive": lambda: uniform() * 3 + 0.1,
        "prob": lambda: uniform() * 0.9 + 0.05,
        "soft": lambda: uniform() * 0.9 + 0.05,
        "simplex": lambda: normal().softmax(axis),
        "dist": lambda: (1.5 * normal()).softmax(axis),
        "logprob": lambda: normal().log_softmax(axis),
        "onehot": one_hot,
        "binary": lambda: _both_classes(shape, g).float(),
        "mask": lambda: _both_classes(shape, g).float(),
        "pm1": lambda: _both_classes(shape, g).float() * 2 - 1,
        "index": lambda: (_pairs if paired_labels else _index)(shape, g, sizes),
        "labels": lambda: _labels(shape, g, sizes),
        "count": lambda: torch.poisson(uniform() * 4 + 1, generator=g) + 1,
        "boxes": lambda: _boxes(shape, g),
        "cxcywh": lambda: _centred(_boxes(shape, g)),
        "weight": lambda: uniform() * 2 + 0.5,
        "lengths": lambda: torch.randint(1, sizes["T"] + 1, shape, generator=g),
    }
    return make[kind]()


def of_formula(made: "Formula", **settings: Any) -> list[np.ndarray]:
    """One valid small array for each argument of a formula."""
    domains, g = [Domain.parse(text) for text in made.domains_for(**settings)], generator(0)
    paired = domains[0].kind.name in ("embedding", "unit")
    drawn = [sample(domain, g, FEW, paired) for domain in domains]
    return [one.double().numpy() if one.is_floating_point() else one.numpy() for one in drawn]


def _both_classes(shape: tuple[int, ...], g: torch.Generator) -> Tensor:
    """0s and 1s with both present in every batch of two or more, so that no half of a loss stays unseen."""
    count = torch.Size(shape).numel()
    values = torch.arange(count) % 2
    return values[torch.randperm(count, generator=g)].reshape(shape)


def sizes_for(contract: Contract, n: int | None = None) -> dict[str, int]:
    sizes = {**SIZES, **(contract.sizes or {})}
    return sizes if n is None else {**sizes, "N": n}


def draw(contract: Contract, seed: int, n: int | None = None) -> tuple[Tensor, ...]:
    """One valid set of arguments; the same seed gives the same values. `n` sets the batch size."""
    if contract.draw is not None:
        arguments = contract.draw(seed)
        return arguments if n is None else head(contract, arguments, n)
    g, sizes = generator(seed), sizes_for(contract, n)
    paired = contract.pred.kind in ("embedding", "unit")
    drawn = (sample(argument.domain, g, sizes, paired) for argument in contract.arguments)
    flagged = (contract.flags and argument.kind == "mask" for argument in contract.arguments)
    return tuple(value.bool() if flag else value for value, flag in zip(drawn, flagged, strict=True))


def enlarged(contract: Contract, drawn: Sequence[Any], times: float = 20.0) -> tuple[Any, ...]:
    """The same arguments with logits and numbers that are surer of themselves, as some time into training."""
    wide = [argument.kind in ("real", "logits", "embedding") for argument in contract.arguments]
    return tuple(times * value if wider else value for value, wider in zip(drawn, wide, strict=True))


def head(contract: Contract, arguments: tuple[Tensor, ...], n: int) -> tuple[Tensor, ...]:
    rows = batched(contract, arguments)
    return tuple(value[:n] if row else value for value, row in zip(arguments, rows, strict=True))


def batched(contract: Contract, arguments: Sequence[Tensor]) -> tuple[bool, ...]:
    """Which arguments have the batch as their first axis: those as long as the first prediction."""
    n = len(arguments[contract.preds[0]]) if arguments[contract.preds[0]].ndim else -1
    return tuple(isinstance(a, Tensor) and a.ndim > 0 and len(a) == n for a in arguments)


def one_hot_like(index: Tensor, like: Tensor, axis: int) -> Tensor:
    """Labels of shape (N, ...) as 0 and 1 in the shape of (N, C, ...)."""
    classes = like.shape[axis]
    return torch.movedim(F.one_hot(index.long().clamp(0, classes - 1), classes).to(like.dtype), -1, axis)


_SAME = {
    ("real", "real"), ("positive", "positive"), ("prob", "soft"), ("prob", "binary"), ("simplex", "dist"),
    ("simplex", "onehot"), ("boxes", "boxes"), ("embedding", "embedding"), ("unit", "unit"), ("logits", "logits"),
    ("positive", "count"), ("real", "positive"), ("prob", "prob"), ("simplex", "simplex"), ("real", "binary"),
    ("logits", "real"), ("cxcywh", "cxcywh"),
}  # fmt: skip
# Kinds whose best prediction is a finite point inside their domain; for the others more is always (a little) better.
_AT_THE_EDGE = {("real", "binary"), ("prob", "binary"), ("simplex", "onehot")}
FINITE_OPTIMUM = (_SAME - _AT_THE_EDGE) | {
    ("logits", "soft"),
    ("logits", "dist"),
    ("logprob", "dist"),
    ("real", "count"),
}


def perfect(contract: Contract, arguments: tuple[Tensor, ...], far: float = FAR) -> tuple[Tensor, ...] | None:
    """The same arguments with the best prediction for their target, or None where that is not known."""
    for pred, target in contract.pairs:
        found = perfect(one_task(contract, pred, target), arguments, far)
        if found is None:
            return None
        arguments = found
    if contract.pairs:
        return arguments
    several = len(contract.preds) > 1
    if contract.pred.kind in ("embedding", "unit") and several:
        if len(contract.preds) == 2:
            return _perfect_pair(contract, arguments)
        return (arguments[1].clone(), *arguments[1:])  # anchor, positive, negative
    if contract.target is None or (several and contract.target_kind() == "pm1"):
        return None  # a ranking of two scores: the further apart the better
    where = contract.preds[0]
    best = _best(contract, arguments[where], _met(contract, arguments[contract.target]), far)
    return None if best is None else (*arguments[:where], best, *arguments[where + 1 :])


def one_task(contract: Contract, pred: int, target: int) -> Contract:
    """The same arguments, of which those of the other tasks are neither prediction nor target."""
    every = enumerate(contract.arguments)
    arguments = tuple(one if i in (pred, target) else replace(one, role="other") for i, one in every)
    return replace(contract, arguments=arguments, pairs=())


def _met(contract: Contract, target: Tensor) -> Tensor:
    """The target that each prediction is for: its own, or that of a later step."""
    axes = contract.arguments[contract.target or 0].domain.axes
    return target.roll(-contract.ahead, axes.index("T")) if contract.ahead and "T" in axes else target


def _perfect_pair(contract: Contract, arguments: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
    first, second = contract.preds
    best = arguments[second].clone()
    if contract.target_kind() in ("pm1", "binary"):
        similar = arguments[contract.target or 0] > 0
        best = torch.where(similar.reshape(-1, *[1] * (best.ndim - 1)), best, -best)
    elif contract.target is not None:
        return None
    return tuple(best if i == first else value for i, value in enumerate(arguments))


def _best(contract: Contract, pred: Tensor, target: Tensor, far: float) -> Tensor | None:
    kinds = (contract.pred.kind, contract.target_kind())
    axis = class_axis(contract.pred.domain.axes)
    if kinds in _SAME:
        return target.to(pred.dtype).clone() if target.shape == pred.shape else None
    tiny = 1e-4

    def hot() -> Tensor:
        return one_hot_like(target, pred, axis if pred.ndim > target.ndim else -1)

    rules: dict[tuple[str, str], Callable[[], Tensor]] = {
        ("logits", "binary"): lambda: (2 * target - 1) * far,
        ("logits", "onehot"): lambda: (2 * target - 1) * far,
        ("logits", "soft"): lambda: torch.logit(target),
        ("logits", "pm1"): lambda: target * far,
        ("real", "pm1"): lambda: target * far,
        ("logits", "index"): lambda: hot() * far,
        ("simplex", "index"): hot,
        ("prob", "index"): hot,
        ("positive", "index"): lambda: 100 * hot() + 0.01,
        ("logprob", "index"): lambda: (hot() * (1 - tiny * pred.shape[axis]) + tiny).log(),
        ("logprob", "onehot"): lambda: (target * (1 - tiny * pred.shape[axis]) + tiny).log(),
        ("logits", "dist"): lambda: target.log(),
        ("logprob", "dist"): lambda: target.log(),
        ("real", "count"): lambda: target.log(),
        ("logits", "labels"): lambda: _many_hot(target, pred) * far,
        ("embedding", "index"): lambda: 6 * _spread(target, pred),
        ("unit", "index"): lambda: _spread(target, pred),
    }
    found = rules.get(kinds)
    try:
        return None if found is None else found().to(pred.dtype)
    except (RuntimeError, IndexError):  # shapes that do not pair up, such as labels of another rank
        return None


def _many_hot(labels: Tensor, pred: Tensor) -> Tensor:
    chosen = torch.zeros_like(pred).scatter_(1, labels.clamp(min=0), 1.0)
    first_is_chosen = (labels == 0).any(1)
    chosen[:, 0] = first_is_chosen.to(pred.dtype)
    return 2 * chosen - 1


def _spread(labels: Tensor, pred: Tensor) -> Tensor:
    return F.one_hot(labels.long() % pred.shape[-1], pred.shape[-1]).to(pred.dtype)
