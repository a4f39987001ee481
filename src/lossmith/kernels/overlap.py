"""Dice, Jaccard and Tversky losses from one pass of sums, and their gradient from another.

    forward    right, over and under of `formulas.overlap`, a block of pixels at a time; the loss is a formula of them
    backward   dp = (right' - under') t + over' (1 - t), then through the softmax or the sigmoid, in the same blocks

Memory     the gradient, where the probabilities of a softmax wait for the backward, and one block
Numerics   1 - p of a class with more than half is the sum of the others, or the sigmoid of -x
Judge      the formulas, and the textbook: `tests/kernels`, `tests/formulas/test_eager.py`
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lossmith import formulas
from lossmith.formulas.overlap import Overlap, dice_of, jaccard_of
from lossmith.formulas.pixels import Presence, judged
from lossmith.formulas.tversky import focal_tversky_of, tversky_of
from lossmith.kernels.by_hand import Job, Made, by_hand
from lossmith.kernels.regions import are_classes, chances, columns, large, shares_of, through_softmax
from lossmith.ops import reader_of
from lossmith.spec import Outcome

Settings = Mapping[str, Any]
Loss = Callable[..., Tensor]


def _by_sums(loss: Loss, *names: str) -> Callable[[Job], Made | None]:
    """A loss of the sums and of the settings of these names."""

    def body(job: Job) -> Made | None:
        pred, target = job.arrays
        ops = reader_of(pred)
        *batch, pixels, classes = pred.shape
        if job.settings["form"] != "product" or 1 in job.moved or not large(pred):
            return None
        if not target.is_floating_point() and not are_classes(
            target if job.kept is None else target[job.kept], classes
        ):
            return None
        kept = None if job.kept is None else job.kept.reshape(-1, pixels)
        preds, targets = pred.reshape(-1, pixels, classes), target.reshape(-1, *target.shape[len(batch) :])
        room = (torch.empty_like if kept is None else torch.zeros_like)(preds if job.moved else preds[..., :0])
        masks = [None] * len(preds) if kept is None else list(kept)
        images = [
            _Image(x, truth, mask, to, bool(job.moved), job.settings)
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


by_hand(formulas.dice)(_by_sums(dice_of, "smooth", "log"))
by_hand(formulas.jaccard)(_by_sums(jaccard_of, "smooth", "log"))
by_hand(formulas.tversky)(_by_sums(tversky_of, "alpha", "beta", "smooth"))
by_hand(formulas.focal_tversky)(_by_sums(focal_tversky_of, "alpha", "beta", "gamma", "smooth"))


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
            under = over.sum(0).mul(share) if rest is None else rest.mul_(share)
            total += torch.stack([x.sum(1) for x in (right, over, under, share)])
        return total

    def pull(self, slopes: Tensor) -> None:
        """Write the gradient, from the slopes by the sums, (3, C, 1)."""
        right, over, under = slopes
        for some, share in self._blocks():
            v = torch.addcmul(over, share, right - under - over)
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

    def _chances(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """p and 1 - p; for labels None, since there 1 - p of the label is the sum of the others."""
        if self.settings["pred_is"] == "prob":
            return x.clone(), 1.0 - x
        if not self._softmax:
            return x.sigmoid(), x.neg().sigmoid_()
        return (x.softmax(0), None) if self.truth.ndim == 1 else chances(x)

    @property
    def _softmax(self) -> bool:
        return (
            self.settings["pred_is"] == "logit" and self.settings["activation"] == "softmax" and self.pred.shape[1] > 1
        )
