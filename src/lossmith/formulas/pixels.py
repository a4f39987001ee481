"""What the losses of segmented images share: probabilities, the class of each pixel, and which classes there are.

The pixels of an image are one axis P, the classes the last axis C. A target is one label for each pixel, or its share
of each class. With one class that is the foreground: label 1 is inside, label 0 outside, and the activation is the
sigmoid, since a softmax over one class is 1.

p and 1 - p are computed apart, so that neither is a rounded difference from 1:

    sigmoid   z = e^(-|x|),  p and 1 - p are 1 / (1 + z) and z / (1 + z), in the order that the sign of x says
    softmax   p = e^(-surprisal),  1 - p = e^(log complement), both from `terms.standing`
"""

from dataclasses import dataclass
from math import nan
from typing import Generic, Literal

from lossmith.formulas.terms import log_complement, standing
from lossmith.ops import A, Ops, across
from lossmith.spec import By, Outcome

SHAPES = "... P C, ... P | ... P C -> ... C"
PRED = By("pred_is", {"logit": "logits", "prob": "prob"})
PredIs = Literal["logit", "prob"]
Activation = Literal["softmax", "sigmoid"]
Classes = Literal["all", "present"]


@dataclass(frozen=True)
class Presence(Generic[A]):
    """Where each class is: its share of each pixel, which pixels have a label that is a class, and which are kept."""

    share: A
    valid: A | None
    kept: A | None


def chances(ops: Ops[A], pred: A, pred_is: PredIs, activation: Activation) -> tuple[A, A]:
    """p and 1 - p of each pixel and class."""
    if pred_is == "prob":
        return pred, 1.0 - pred
    if activation == "softmax" and not _single(ops, pred):
        row = standing(ops, pred)
        return ops.exp(-row.surprisal), ops.exp(log_complement(ops, row))
    likely = pred > 0
    z = ops.exp(ops.where(likely, -pred, pred))  # -|x|, but with a slope at 0
    near, far = 1.0 / (1.0 + z), z / (1.0 + z)
    return ops.where(likely, near, far), ops.where(likely, far, near)


def membership(ops: Ops[A], pred: A, target: A) -> tuple[A, A | None]:
    """The share of each class in each pixel; for labels also where they name a class."""
    if ops.number_kind(target) != "integer":
        return target, None
    if _single(ops, pred):
        inside = ops.equal(target, 1)
        return ops.astype(ops.expand_dims(inside, axis=-1), pred), inside | ops.equal(target, 0)
    hot = ops.astype(ops.one_hot(target, pred), pred)
    return hot, ops.truth(ops.sum(hot, axis=-1))


def over_pixels(ops: Ops[A], entries: A, kept: A | None) -> A:
    """The sum over the pixels that are kept."""
    return across(ops, ops.sum(only(ops, entries, kept), axis=-2))


def only(ops: Ops[A], entries: A, kept: A | None) -> A:
    """The entries of the pixels that are kept, 0 in the others."""
    return entries if kept is None else ops.where(ops.expand_dims(kept, axis=-1), entries, 0.0)


def judged(ops: Ops[A], values: A, presence: Presence[A], classes: Classes, background: bool) -> Outcome[A]:
    """The values; NaN where a label is no class. A class that is left out is 0 and not counted.

    Of the classes "present" each counts for its share of those that are left out, so that every image weighs the same.
    """
    share, valid, kept = presence.share, presence.valid, presence.kept
    if valid is not None:
        wrong = ~valid if kept is None else ~valid & kept
        faults = across(ops, ops.sum(ops.astype(wrong, values), axis=-1, keepdims=True))
        values = ops.where(~ops.truth(faults), values, nan)
    counts = ops.full_like(values, 1.0)
    if not background and not _single(ops, share):
        counts = ops.where(ops.positions(values, axis=-1) > 0, counts, 0.0)
    if classes == "present":
        wanted = ops.sum(counts, axis=-1, keepdims=True)
        counts = ops.where(ops.truth(over_pixels(ops, share, kept)), counts, 0.0)
        found = ops.sum(counts, axis=-1, keepdims=True)
        counts = counts * (wanted / ops.where(ops.truth(found), found, 1.0))
    if classes == "all" and background:
        return Outcome(values)
    return Outcome(ops.where(ops.truth(counts), values, 0.0), counts=counts)


def _single(ops: Ops[A], pred: A) -> bool:
    shape = ops.shape(pred)
    return shape is not None and shape[-1] == 1
