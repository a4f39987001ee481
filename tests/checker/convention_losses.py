"""Losses with a defect of direction, link, order, labels, joints or type, each beside its repaired twin; and innocents.

Restated from memory of public reports of these classes, before the rules for them were written. `names` are the codes
that name the defect for the right reason.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from keras import losses as keras_losses
from keras import ops
from torch import nn


@dataclass(frozen=True)
class Pair:
    """A loss with a defect, its twin without, and the codes that name the defect."""

    wrong: Any
    right: Any
    names: tuple[str, ...]

    @property
    def name(self) -> str:
        return getattr(self.wrong, "__name__", type(self.wrong).__name__)


# --- wrong direction or sign -----------------------------------------------------------------------------------


def nll_without_minus(logits, target):
    return logits.log_softmax(1).gather(1, target[:, None]).mean()


def nll_with_minus(logits, target):
    return -logits.log_softmax(1).gather(1, target[:, None]).mean()


class DiceLossReturnsScore(nn.Module):
    def forward(self, logits, target):
        p = logits.sigmoid()
        return (2 * (p * target).sum() + 1) / (p.sum() + target.sum() + 1)


class DiceLoss(nn.Module):
    def forward(self, logits, target):
        p = logits.sigmoid()
        return 1 - (2 * (p * target).sum() + 1) / (p.sum() + target.sum() + 1)


def bce_polarity_swapped(pred, target):
    return -(target * torch.log(1 - pred + 1e-7) + (1 - target) * torch.log(pred + 1e-7)).mean()


def bce_polarity(pred, target):
    return -(target * torch.log(pred + 1e-7) + (1 - target) * torch.log(1 - pred + 1e-7)).mean()


def hinge_wrong_sign(output, y):
    return F.relu(1 + y * output).mean()


def hinge_right_sign(output, y):
    return F.relu(1 - y * output).mean()


def triplet_swapped(anchor, positive, negative):
    return F.relu(F.pairwise_distance(anchor, negative) - F.pairwise_distance(anchor, positive) + 0.5).mean()


def triplet(anchor, positive, negative):
    return F.relu(F.pairwise_distance(anchor, positive) - F.pairwise_distance(anchor, negative) + 0.5).mean()


def bpr_swapped(pos_scores, neg_scores):
    return -F.logsigmoid(neg_scores - pos_scores).mean()


def bpr(pos_scores, neg_scores):
    return -F.logsigmoid(pos_scores - neg_scores).mean()


def cosine_loss_wrong(pred, target):
    return F.cosine_similarity(pred, target, dim=-1).mean()


def cosine_loss(pred, target):
    return 1 - F.cosine_similarity(pred, target, dim=-1).mean()


def negative_mse_loss(pred, target):
    return -((pred - target) ** 2).mean()


def mse_loss(pred, target):
    return ((pred - target) ** 2).mean()


# --- logits and probabilities ----------------------------------------------------------------------------------


class CESoftmaxTwice(nn.Module):
    def __init__(self):
        super().__init__()
        self.ce = nn.CrossEntropyLoss()

    def forward(self, outputs, labels):
        return self.ce(torch.softmax(outputs, dim=1), labels)


class CEOnce(nn.Module):
    def __init__(self):
        super().__init__()
        self.ce = nn.CrossEntropyLoss()

    def forward(self, outputs, labels):
        return self.ce(outputs, labels)


def bce_sigmoid_twice(inputs, targets):
    return F.binary_cross_entropy_with_logits(torch.sigmoid(inputs), targets)


def bce_sigmoid_once(inputs, targets):
    return F.binary_cross_entropy(torch.sigmoid(inputs), targets)


def focal_sigmoid_twice(inputs, targets, gamma=2.0):
    p = torch.sigmoid(inputs)
    bce = F.binary_cross_entropy_with_logits(p, targets, reduction="none")
    hit = p * targets + (1 - p) * (1 - targets)
    return ((1 - hit) ** gamma * bce).mean()


def focal_sigmoid_once(inputs, targets, gamma=2.0):
    p = torch.sigmoid(inputs)
    bce = F.binary_cross_entropy_with_logits(inputs, targets, reduction="none")
    hit = p * targets + (1 - p) * (1 - targets)
    return ((1 - hit) ** gamma * bce).mean()


def logits_loss_on_probs(probs, target):
    return F.binary_cross_entropy_with_logits(probs, target)


def probs_loss_on_probs(probs, target):
    return F.binary_cross_entropy(probs, target)


def nll_of_softmax(logits, target):
    return F.nll_loss(F.softmax(logits, dim=1), target)


def nll_of_log_softmax(logits, target):
    return F.nll_loss(F.log_softmax(logits, dim=1), target)


def kl_of_softmax(student_logits, teacher_logits, T=2.0):
    p, q = F.softmax(student_logits / T, 1), F.softmax(teacher_logits / T, 1)
    return F.kl_div(p, q, reduction="batchmean") * T * T


def kl_of_log_softmax(student_logits, teacher_logits, T=2.0):
    p, q = F.log_softmax(student_logits / T, 1), F.softmax(teacher_logits / T, 1)
    return F.kl_div(p, q, reduction="batchmean") * T * T


def kl_log_target(student_logits, teacher_logits):
    return F.kl_div(student_logits.log_softmax(1), teacher_logits.log_softmax(1), reduction="batchmean")


def kl_log_target_said(student_logits, teacher_logits):
    return F.kl_div(
        student_logits.log_softmax(1), teacher_logits.log_softmax(1), reduction="batchmean", log_target=True
    )


def log_of_logits(logits, target):
    return -(target * torch.log(logits + 1e-8) + (1 - target) * torch.log(1 - logits + 1e-8)).mean()


def log_of_sigmoid(logits, target):
    p = torch.sigmoid(logits)
    return -(target * torch.log(p + 1e-8) + (1 - target) * torch.log(1 - p + 1e-8)).mean()


def keras_softmax_twice(y_true, y_pred):
    return keras_losses.categorical_crossentropy(y_true, ops.softmax(y_pred), from_logits=True)


def keras_softmax_once(y_true, y_pred):
    return keras_losses.categorical_crossentropy(y_true, y_pred, from_logits=True)


# --- order of arguments ----------------------------------------------------------------------------------------


def pinball_turned(pred, target, tau=0.9):
    e = pred - target
    return torch.maximum(tau * e, (tau - 1) * e).mean()


def pinball(pred, target, tau=0.9):
    e = target - pred
    return torch.maximum(tau * e, (tau - 1) * e).mean()


def keras_turned(y_pred, y_true):
    y_pred = ops.clip(y_pred, 1e-7, 1 - 1e-7)
    return -ops.mean(y_true * ops.log(y_pred) + (1 - y_true) * ops.log(1 - y_pred), axis=-1)


def keras_in_order(y_true, y_pred):
    y_pred = ops.clip(y_pred, 1e-7, 1 - 1e-7)
    return -ops.mean(y_true * ops.log(y_pred) + (1 - y_true) * ops.log(1 - y_pred), axis=-1)


def bce_handed_turned(prob, target):
    return F.binary_cross_entropy(target, prob)


def bce_handed_straight(prob, target):
    return F.binary_cross_entropy(prob, target)


# --- labels and axes -------------------------------------------------------------------------------------------


def label_off_by_one(logits, labels):
    log_p = F.log_softmax(logits, dim=1)
    return -log_p[torch.arange(len(labels)), labels - 1].mean()


def label_in_place(logits, labels):
    log_p = F.log_softmax(logits, dim=1)
    return -log_p[torch.arange(len(labels)), labels].mean()


def softmax_over_batch(logits, labels):
    log_p = F.log_softmax(logits, dim=0)
    return -log_p.gather(1, labels.unsqueeze(1)).mean()


def softmax_over_classes(logits, labels):
    log_p = F.log_softmax(logits, dim=1)
    return -log_p.gather(1, labels.unsqueeze(1)).mean()


def columns_instead_of_entries(logits, labels):
    return -F.log_softmax(logits, dim=1)[:, labels].mean()


def rows_instead_of_entries(logits, labels):
    return -F.log_softmax(logits, dim=1)[labels].mean()


# --- joints of pieces ------------------------------------------------------------------------------------------


def huber_with_a_jump(pred, target, delta=1.5):
    e = (pred - target).abs()
    return torch.where(e < delta, 0.5 * e**2, delta * (e - delta)).mean()


def huber_joined(pred, target, delta=1.5):
    e = (pred - target).abs()
    return torch.where(e < delta, 0.5 * e**2, delta * (e - 0.5 * delta)).mean()


def smooth_l1_beta_forgotten(pred, target, beta=1.0):
    e = (pred - target).abs()
    return torch.where(e < beta, 0.5 * e**2, e - 0.5 * beta).mean()  # right for beta = 1 alone


def smooth_l1_with_beta(pred, target, beta=1.0):
    e = (pred - target).abs()
    return torch.where(e < beta, 0.5 * e**2 / beta, e - 0.5 * beta).mean()


def hinge_of_a_split_score(scores, y):
    split = F.relu(scores) - F.relu(-scores)  # scores again, with a slope of 0 at 0
    return F.relu(1 - y * split).mean()


# --- what is returned ------------------------------------------------------------------------------------------


def returns_a_float(pred, target):
    return ((pred - target) ** 2).mean().item()


def returns_a_number_made_anew(pred, target):
    return torch.tensor(float(((pred - target) ** 2).mean()), requires_grad=True)


PAIRS = (
    Pair(nll_without_minus, nll_with_minus, ("LS701",)),
    Pair(DiceLossReturnsScore(), DiceLoss(), ("LS701",)),
    Pair(bce_polarity_swapped, bce_polarity, ("LS701",)),
    Pair(hinge_wrong_sign, hinge_right_sign, ("LS701",)),
    Pair(triplet_swapped, triplet, ("LS701",)),
    Pair(bpr_swapped, bpr, ("LS701",)),
    Pair(cosine_loss_wrong, cosine_loss, ("LS701",)),
    Pair(negative_mse_loss, mse_loss, ("LS701",)),
    Pair(CESoftmaxTwice(), CEOnce(), ("LS801",)),
    Pair(bce_sigmoid_twice, bce_sigmoid_once, ("LS801",)),
    Pair(focal_sigmoid_twice, focal_sigmoid_once, ("LS801",)),
    Pair(logits_loss_on_probs, probs_loss_on_probs, ("LS801",)),
    Pair(nll_of_softmax, nll_of_log_softmax, ("LS803",)),
    Pair(kl_of_softmax, kl_of_log_softmax, ("LS803",)),
    Pair(kl_log_target, kl_log_target_said, ("LS803",)),
    Pair(log_of_logits, log_of_sigmoid, ("LS803",)),
    Pair(keras_softmax_twice, keras_softmax_once, ("LS801",)),
    Pair(pinball_turned, pinball, ("LS802",)),
    Pair(keras_turned, keras_in_order, ("LS802",)),
    Pair(bce_handed_turned, bce_handed_straight, ("LS802",)),
    Pair(label_off_by_one, label_in_place, ("LS701",)),
    Pair(softmax_over_batch, softmax_over_classes, ("LS701",)),
    Pair(columns_instead_of_entries, label_in_place, ("LS701",)),
    Pair(rows_instead_of_entries, label_in_place, ("LS701",)),
    Pair(huber_with_a_jump, huber_joined, ("LS704",)),
    Pair(smooth_l1_beta_forgotten, smooth_l1_with_beta, ("LS704",)),
    Pair(hinge_of_a_split_score, hinge_right_sign, ("LS108",)),
    Pair(returns_a_float, mse_loss, ("LS804",)),
    Pair(returns_a_number_made_anew, mse_loss, ("LS804",)),
)


# --- unusual and right -----------------------------------------------------------------------------------------


class _Straight(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return (x > 0).to(x.dtype)

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output


def binarised_loss(pred, target):
    """A surrogate gradient on purpose."""
    return ((_Straight.apply(pred) - target) ** 2).mean()


def hinge_loss(scores, y):
    return F.relu(1 - y * scores).mean()


def batch_dice_loss(logits, target):
    p = logits.sigmoid()
    return 1 - (2 * (p * target).sum() + 1) / (p.sum() + target.sum() + 1)


def dropout_consistency_loss(pred, target):
    return F.mse_loss(F.dropout(pred, 0.1), target)


def total_and_parts(pred, target):
    mse, l1 = F.mse_loss(pred, target), F.l1_loss(pred, target)
    return mse + l1, {"mse": mse, "l1": l1}


def in_a_dict(logits, labels):
    ce = F.cross_entropy(logits, labels)
    return {"loss": ce, "ce": ce.detach()}


class LearnedScale(nn.Module):
    def __init__(self):
        super().__init__()
        self.log_s = nn.Parameter(torch.zeros(()))

    def forward(self, pred, target):
        return (pred - target).abs().mean() * torch.exp(-self.log_s) + self.log_s


def dice_coefficient(pred, target):
    return (2 * (pred * target).sum() + 1) / (pred.sum() + target.sum() + 1)


def log_likelihood_reward(pred, target):
    return -((pred - target) ** 2).mean()


def complementary_label_loss(logits, complementary_labels):
    p = logits.softmax(1).gather(1, complementary_labels[:, None])
    return -torch.log(1 - p + 1e-6).mean()


def orthogonality_penalty(z1, z2):
    return F.cosine_similarity(z1, z2, dim=-1).square().mean()


def focal_alpha(logits, target, alpha=0.25, gamma=2.0):
    bce = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    hit = torch.exp(-bce)
    return ((alpha * target + (1 - alpha) * (1 - target)) * (1 - hit) ** gamma * bce).mean()


def epsilon_insensitive(pred, target, eps=0.1):
    return F.relu((pred - target).abs() - eps).mean()


def wing_loss(pred, target, w=10.0, epsilon=2.0):
    c = w - w * math.log(1 + w / epsilon)
    e = (pred - target).abs()
    return torch.where(e < w, w * torch.log(1 + e / epsilon), e - c).mean()


def quantile_over(pred, target, q=0.1):
    e = target - pred
    return torch.where(e >= 0, q * e, (q - 1) * e).mean()


def smoothed_ce(logits, labels, smoothing=0.1):
    log_p = F.log_softmax(logits, -1)
    nll = -log_p.gather(-1, labels[:, None]).squeeze(1)
    return ((1 - smoothing) * nll - smoothing * log_p.mean(-1)).mean()


def temperature_twice(logits, labels):
    return F.cross_entropy(F.log_softmax(logits / 2.0, 1), labels)


def attention_pooled(pred, target):
    w = torch.softmax((pred - target).abs().detach(), dim=-1)
    return (w * (pred - target) ** 2).sum(-1).mean()


def lsgan_on_sigmoid(logits, target):
    return ((logits.sigmoid() - target) ** 2).mean()


def generalised_ce(logits, labels, q=0.7):
    p = logits.softmax(1).gather(1, labels[:, None])
    return ((1 - p**q) / q).mean()


def mae_of_probabilities(prob, target):
    return (prob - target).abs().mean()


def reverse_kl(student_logits, teacher_logits):
    return F.kl_div(teacher_logits.log_softmax(1), student_logits.softmax(1), reduction="batchmean")


class HandWrittenMSE(torch.autograd.Function):
    @staticmethod
    def forward(ctx, pred, target):
        difference = pred - target
        ctx.save_for_backward(difference)
        return difference.square().mean()

    @staticmethod
    def backward(ctx, grad_output):
        (difference,) = ctx.saved_tensors
        return grad_output * 2 * difference / difference.numel(), None


def keras_scalar_loss(y_true, y_pred):
    return ops.mean(ops.square(y_true - y_pred))


def mape_loss(pred, target):
    return ((pred - target).abs() / target.abs().clamp(min=1e-3)).mean()


def exponential_loss(scores, y):
    return torch.exp(-y * scores).mean()


INNOCENTS = (
    binarised_loss,
    hinge_loss,
    batch_dice_loss,
    dropout_consistency_loss,
    total_and_parts,
    in_a_dict,
    LearnedScale(),
    dice_coefficient,
    log_likelihood_reward,
    complementary_label_loss,
    orthogonality_penalty,
    focal_alpha,
    epsilon_insensitive,
    wing_loss,
    quantile_over,
    smoothed_ce,
    temperature_twice,
    attention_pooled,
    lsgan_on_sigmoid,
    generalised_ce,
    mae_of_probabilities,
    reverse_kl,
    HandWrittenMSE,
    keras_scalar_loss,
    mape_loss,
    exponential_loss,
    nn.BCEWithLogitsLoss(),
    nn.CrossEntropyLoss(),
    nn.SmoothL1Loss(),
    nn.KLDivLoss(reduction="batchmean"),
)
