"""Lovász losses with one sort of as few pixels as matter, and the gradient written by hand.

    value      sum_i m_i s_i over the pixels of one class, sorted by error; the steps s are those of `formulas.lovasz`
    gradient   +-s at the place that the pixel came from, then through the softmax, the sigmoid or the hinge

A pixel outside whose error is below that of every pixel inside comes after all of them, where its step is 0: it is not
sorted. An error of 0 or more has bits that are ordered as it is, so that error, place and side of a pixel are one
integer of 64 bits: what is sorted are numbers alone, equal errors stay as they stand, and nothing is gathered after.


Memory     the steps, and the probabilities of a softmax; one class of what is sorted
Numerics   those of the formula; counts are integers
Judge      `formulas.lovasz_softmax` and `formulas.lovasz_hinge`, and the textbook: `tests/kernels`, `test_eager.py`
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from lossmith import formulas
from lossmith.formulas.pixels import Presence, judged
from lossmith.kernels.by_hand import Job, Made, by_hand
from lossmith.kernels.regions import are_classes, columns, large, through_softmax
from lossmith.ops import reader_of
from lossmith.spec import Outcome

LARGEST = 2**31 - 1  # of what 32 bits hold of a place and its side
Back = Callable[[Tensor, slice], Tensor]  # from the slope by each error of some pixels to that by pred
Kind = Callable[[Tensor, Tensor], tuple[Tensor, Back]]  # (x, sides), both (C, P), to the errors and the way back


@by_hand(formulas.lovasz_softmax)
def lovasz_softmax(job: Job) -> Made | None:
    return _of_images(job, _probabilities(job.settings["pred_is"], job.settings["activation"]))


@by_hand(formulas.lovasz_hinge)
def lovasz_hinge(job: Job) -> Made | None:
    return _of_images(job, _margins)


def _of_images(job: Job, kind: Kind) -> Made | None:
    """Each image by itself, with the classes before the pixels, and only the pixels that are kept."""
    pred, target = job.arrays
    if 1 in job.moved or not large(pred):
        return None
    ops = reader_of(pred)
    settings, (*batch, pixels, classes) = job.settings, pred.shape
    preds, targets = pred.reshape(-1, pixels, classes), target.reshape(-1, *target.shape[len(batch) :])
    masks = [None] * len(preds) if job.kept is None else list(job.kept.reshape(-1, pixels))
    values, extents = pred.new_zeros(len(preds), classes), pred.new_zeros(len(preds), classes)
    images: list[_Image] = []
    for number, mask in enumerate(masks):
        x, truth = preds[number], targets[number]
        sides = _sides(truth if mask is None else truth[mask], classes, single=settings.get("activation") == "softmax")
        if sides is None:
            return None
        image = _Image(kind, (x if mask is None else x[mask]).mT, sides, settings["classes"] == "present")
        values[number], extents[number] = image.values, image.extents
        images.append(image)
    presence = Presence(extents.reshape(*batch, 1, classes), None, None)
    outcome: Outcome[Tensor] = judged(
        ops, values.reshape(*batch, classes), presence, settings["classes"], settings["background"]
    )

    def pull(upstream: Tensor) -> list[Tensor]:
        if outcome.counts is not None:
            upstream = torch.where(outcome.counts != 0.0, upstream, 0.0)
        found = torch.empty_like(preds) if job.kept is None else torch.zeros_like(preds)
        for image, mask, slope, to in zip(images, masks, upstream.reshape(-1, classes, 1), found, strict=True):
            if mask is None:
                image.pull(slope, to.mT)
            else:
                to.mT[:, mask] = image.pull(slope, image.steps)
        return [found.reshape(pred.shape)]

    return Made(outcome.values, outcome.counts, pull)


def _sides(truth: Tensor, classes: int, single: bool) -> Tensor | None:
    """Which pixels are inside of each class, (C, P). None where a label is no class, or a share neither 0 nor 1.

    single    None as well where a pixel is not inside of just one class
    """
    if not truth.is_floating_point():
        names = torch.arange(classes) if classes > 1 else torch.ones(1)
        return truth == names.to(truth.dtype).unsqueeze(1) if are_classes(truth, classes) else None
    sides = truth.mT > 0.5
    hard = torch.equal(sides, truth.mT) and not (single and classes > 1 and (sides.sum(0) != 1).any())
    return sides if hard else None


class _Image:
    """The values of one image, (C,), how many pixels each class has, and the way back to (C, P)."""

    def __init__(self, kind: Kind, x: Tensor, sides: Tensor, present: bool) -> None:
        costs, self.back = kind(x, sides)
        self.steps = torch.zeros_like(costs)
        self.extents, self.values = costs.new_zeros(len(costs)), costs.new_zeros(len(costs))
        for c, (errors, inside) in enumerate(zip(costs, sides, strict=True)):
            self.extents[c] = size = int(inside.count_nonzero())
            if size:
                self.values[c] = extended(errors, inside, size, self.steps[c])
            elif len(errors) and not present:  # the largest error alone
                place = errors.argmax()
                self.values[c], self.steps[c, place] = errors[place], 1.0

    def pull(self, slope: Tensor, to: Tensor) -> Tensor:
        """The gradient of the sum of slope times values, written to `to`."""
        for some in columns(to):
            to[:, some] = self.back(self.steps[:, some] * slope, some)
        return to


def extended(errors: Tensor, inside: Tensor, size: int, steps: Tensor) -> Tensor:
    """The Lovász extension at these errors, (P,), of which `size` are inside.

    Writes to `steps` its slope by the probability, or by the logit of a hinge, whose error falls inside.
    """
    least = float(errors.numpy()[inside.numpy()].min())
    wanted = (errors < least).logical_not_()  # NaN as well
    ordered, places, hits = _sorted(errors, inside, wanted.numpy().nonzero()[0])
    missed = hits.cumsum(0)
    union = torch.arange(size + 1, size + 1 + len(hits), dtype=errors.dtype).sub_(missed)  # counts itself if outside
    outside = missed.neg_().add_(size).div_(union).div_(union - 1.0)
    here = torch.where(hits > 0.0, -1.0 / union, outside)
    steps.scatter_(0, places, here)
    return ordered.dot(here.abs_())


def _sorted(errors: Tensor, inside: Tensor, wanted: Any) -> tuple[Tensor, Tensor, Tensor]:
    """Errors from the largest down, where they come from, and 1 for those inside; equal ones by place."""
    chosen, sides, places = (torch.from_numpy(x) for x in (errors.numpy()[wanted], inside.numpy()[wanted], wanted))
    if errors.dtype != torch.float32 or len(errors) > LARGEST // 2:
        ordered, order = chosen.sort(descending=True, stable=True)
        return ordered, places[order], sides[order].to(errors.dtype)
    keys = torch.add(sides, places, alpha=2).sub_(chosen.view(torch.int32), alpha=2**32)
    keys.numpy().sort()  # of 64-bit integers many times faster than torch's sort of float32 with its indices
    bits = (keys >> 32).neg_().to(torch.int32)
    hits = (keys & 1).to(errors.dtype)
    return bits.view(torch.float32), keys.bitwise_and_(2**32 - 1).bitwise_right_shift_(1), hits


def _probabilities(pred_is: str, activation: str) -> Kind:
    """p outside, 1 - p inside."""
    if pred_is == "prob":
        return lambda x, sides: (torch.where(sides, 1.0 - x, x), lambda v, _: v)
    return _by_sigmoid if activation == "sigmoid" else _by_softmax


def _by_sigmoid(x: Tensor, sides: Tensor) -> tuple[Tensor, Back]:
    p, rest = x.sigmoid(), x.neg().sigmoid_()
    slope = p * rest
    return torch.where(sides, rest, p), lambda v, some: v.mul_(slope[:, some])


def _by_softmax(x: Tensor, sides: Tensor) -> tuple[Tensor, Back]:
    if len(x) == 1:
        return _by_sigmoid(x, sides)
    p, costs = torch.empty(2, *x.shape, dtype=x.dtype)
    for some in columns(x):
        share = sides[:, some].to(x.dtype)  # where a mask would do: products cost a fraction of branches
        p[:, some] = here = x[:, some].softmax(0)
        here = here.sub_(here * share)
        costs[:, some] = torch.addcmul(here, share, here.sum(0))
    return costs, lambda v, some: through_softmax(v, p[:, some])


def _margins(x: Tensor, sides: Tensor) -> tuple[Tensor, Back]:
    """max(0, 1 - x y)."""
    margin = 1.0 - torch.where(sides, x, -x)
    wrong = margin > 0
    return margin.clamp_(min=0.0), lambda v, some: v.mul_(wrong[:, some])
