"""Dice, Jaccard and Tversky losses from one pass of sums, and their gradient from another.

    forward    right, over and under of `formulas.overlap`, a block of pixels at a time; the loss is a formula of them
    backward   dp = (right' - under') t + over' (1 - t), then through the softmax or the sigmoid, in the same blocks

Of a softmax and labels all three are in one small matrix, of the probabilities (C, P) times the labels' shares (P, C):
what the pixels of one class give to another. Right is its diagonal, over its rows and under its columns without that.

Memory     the gradient, where the probabilities of a softmax wait for the backward, and one block
Numerics   1 - p of a class with more than half is the sum of the others, or the sigmoid of -x
Judge      the formulas, and the textbook: `tests/kernels`, `tests/formulas/test_eager.py`
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import torch
from torch import Tensor

from lossmith import formulas
from lossmith.formulas.overlap import Overlap, dice_of, jaccard_of
from lossmith.formulas.pixels import Presence, judged
from lossmith.formulas.tversky import focal_tversky_of, tversky_of
from lossmith.kernels.by_hand import Body, Job, Made, by_hand
from lossmith.kernels.overlap_loops import Loops, loops_for
from lossmith.kernels.regions import are_classes, chances, columns, large, shares_of, through_softmax
from lossmith.ops import reader_of
from lossmith.spec import Formula, Outcome

FEW = 24  # classes, beyond which the small matrix costs more than the passes that it spares
Settings = Mapping[str, Any]
Loss = Callable[..., Tensor]


def _by_sums(loss: Loss, *names: str) -> Callable[..., Made | None]:
    """A loss of the sums and of the settings of these names."""

    def body(job: Job, compiled: bool = False) -> Made | None:
        pred, target = job.arrays
        ops = reader_of(pred)
        *batch, pixels, classes = pred.shape
        if job.settings["form"] != "product" or 1 in job.moved or not large(pred):
            return None
        labelled = not target.is_floating_point()
        softmax = _is_softmax(job.settings, classes)
        loops = loops_for(pred) if compiled and labelled and softmax else None
        looked_at = loops is not None and job.kept is None  # by the loops
        if labelled and not looked_at and not are_classes(target if job.kept is None else target[job.kept], classes):
            return None
        kept = None if job.kept is None else job.kept.reshape(-1, pixels)
        preds, targets = pred.reshape(-1, pixels, classes), target.reshape(-1, *target.shape[len(batch) :])
        room = (torch.empty_like if kept is None else torch.zeros_like)(preds if job.moved else preds[..., :0])
        masks = [None] * len(preds) if kept is None else list(kept)
        image_of: Callable[..., _Image] = _Labelled if labelled and softmax else _Image
        image_of = image_of if loops is None else partial(_Looped, loops=loops)
        images = [
            image_of(x, truth, mask, to, bool(job.moved), job.settings)
            for x, truth, mask, to in zip(preds, targets, masks, room, strict=True)
        ]
        sums = torch.stack([image.sums() for image in images], 1) if images else pred.new_zeros(4, 0, classes)
        *three, extents = sums.reshape(4, *batch, classes)
        settings = job.settings

        def judge(right: Tensor, over: Tensor, under: Tensor) -> Outcome[Tensor]:
            regions = Overlap(right, over, under, Presence(extents.unsqueeze(-2), None, None))
            values = loss(ops, regions, *(settings[name] for name in names))
            return judged(ops, values, regions.presence, settings["classes"], settings["background"])

        outcome = judge(*three)

        def pull(upstream: Tensor) -> list[Tensor]:
            with torch.enable_grad():
                leaves = [x.clone().requires_grad_() for x in three]
                slopes = torch.autograd.grad(judge(*leaves).values, leaves, upstream, materialize_grads=True)
            for image, slope in zip(images, torch.stack(slopes).reshape(3, -1, classes, 1).unbind(1), strict=True):
                image.pull(slope)
            return [room.reshape(pred.shape)]

        return Made(outcome.values, outcome.counts, pull)

    return body


def _enter(formula: Formula, body: Callable[..., Made | None]) -> None:
    def compiled(*, backend: str = "inductor", **options: Any) -> Body:
        return partial(body, compiled=True) if backend == "inductor" else body

    by_hand(formula, compiled=compiled)(body)


_enter(formulas.dice, _by_sums(dice_of, "smooth", "log"))
_enter(formulas.jaccard, _by_sums(jaccard_of, "smooth", "log"))
_enter(formulas.tversky, _by_sums(tversky_of, "alpha", "beta", "smooth"))
_enter(formulas.focal_tversky, _by_sums(focal_tversky_of, "alpha", "beta", "gamma", "smooth"))


@dataclass(frozen=True)
class _Image:
    """The pixels of one image: pred (P, C), truth labels (P,) or shares (P, C), kept (P,) or None.

    room    where the gradient will be, (P, C), and until then the probabilities of a softmax; if it is `sloped`
    """

    pred: Tensor
    truth: Tensor
    kept: Tensor | None
    room: Tensor
    sloped: bool
    settings: Settings

    def sums(self) -> Tensor:
        """right, over, under and the extent of each class, (4, C)."""
        total = self.pred.new_zeros(4, self.pred.shape[1])
        for some, share in self._blocks():
            p, rest = self._chances(self.pred[some].mT)
            if self.sloped and self._softmax:
                self.room.mT[:, some] = p
            right = p * share
            over = p.sub_(right)
            total += torch.stack([x.sum(1) for x in (right, over, rest.mul_(share), share)])
        return total

    def pull(self, slopes: Tensor) -> None:
        """Write the gradient, from the slopes by the sums, (3, C, 1)."""
        right, over, under = slopes
        for some, share in self._blocks():
            v = (share * (right - under - over)).add_(over)
            if self._softmax:
                v = through_softmax(v, self.room.mT[:, some])
            elif self.settings["pred_is"] == "logit":
                x = self.pred[some].mT
                v = v.mul_(x.sigmoid()).mul_(x.neg().sigmoid_())
            self.room.mT[:, some] = v

    def _blocks(self) -> Iterator[tuple[Any, Tensor]]:
        """Some pixels, and the share of each class in them, (C, B)."""
        for some in columns(self.pred.mT):
            here: Any = some if self.kept is None else some.start + self.kept[some].nonzero().squeeze(1)
            yield here, shares_of(self.truth[here], self.pred.shape[1], self.pred.dtype)

    def _chances(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """p and 1 - p."""
        if self.settings["pred_is"] == "prob":
            return x.clone(), 1.0 - x
        return chances(x) if self._softmax else (x.sigmoid(), x.neg().sigmoid_())

    @property
    def _softmax(self) -> bool:
        return _is_softmax(self.settings, self.pred.shape[1])


class _Labelled(_Image):
    """An image of logits for a softmax, with labels: a pixel that is not kept has the share 0 in every class."""

    def sums(self) -> Tensor:
        total = self.pred.new_zeros(4, self.pred.shape[1])
        whole = torch.softmax(self.pred.mT, 0, out=self.room.mT if self.sloped else None)
        for some, share in self._blocks():
            p = whole[:, some]
            three = self._by_matrix(p, share) if len(p) <= FEW else self._by_entries(p, share, some)
            total += torch.stack((*three, share.sum(1)))
        return total

    def _by_matrix(self, p: Tensor, share: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        given = p @ share.mT
        right = given.diagonal().clone()
        given.fill_diagonal_(0.0)
        return right, given.sum(1), given.sum(0)

    def _by_entries(self, p: Tensor, share: Tensor, some: slice) -> tuple[Tensor, Tensor, Tensor]:
        right = p * share
        over = p - right
        if self.kept is not None:
            over.mul_(self.kept[some])
        return right.sum(1), over.sum(1), over.sum(0).mul(share).sum(1)

    def pull(self, slopes: Tensor) -> None:
        right, over, under = slopes
        for some, share in self._blocks():
            p = self.room.mT[:, some]
            v = share.mul_(right - under - over).add_(over)
            if self.kept is not None:
                v.mul_(self.kept[some])
            through_softmax(v, p, out=p)

    def _blocks(self) -> Iterator[tuple[slice, Tensor]]:
        truth = self.truth if self.kept is None else torch.where(self.kept, self.truth, -1)
        classes = torch.arange(self.pred.shape[1], dtype=self.pred.dtype).unsqueeze(1)
        for some in columns(self.pred.mT):
            labels = truth[some].to(classes.dtype)
            # into numbers: booleans would have to be turned into them, at the price of the comparison
            yield some, torch.eq(labels, classes, out=classes.new_empty(len(classes), len(labels)))


@dataclass(frozen=True)
class _Looped(_Image):
    """The same by compiled loops."""

    loops: Loops

    def sums(self) -> Tensor:
        least = 0 if self.kept is None else -1
        return self.loops.sums(self.pred, self._labels, self.room, least=least, sloped=self.sloped)

    def pull(self, slopes: Tensor) -> None:
        self.loops.pull(slopes, self._labels, self.room)

    @cached_property
    def _labels(self) -> Tensor:
        truth = self.truth if self.kept is None else torch.where(self.kept, self.truth, -1)
        return truth.to(torch.int64).contiguous()


def _is_softmax(settings: Settings, classes: int) -> bool:
    return settings["pred_is"] == "logit" and settings["activation"] == "softmax" and classes > 1
