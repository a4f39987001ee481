"""The losses of `first_drafts.py`, repaired: `lossmith check examples/second_drafts.py` finds nothing in them."""

import keras
import torch
import torch.nn as nn
import torch.nn.functional as F
from keras import ops


def same_shape(pred, target):
    if pred.shape != target.shape:
        raise ValueError(f"pred {tuple(pred.shape)} and target {tuple(target.shape)} must have one shape")


def rmse_loss(pred, target):
    same_shape(pred, target)
    return torch.linalg.vector_norm(pred - target) / pred.numel() ** 0.5


class MSEFunction(torch.autograd.Function):
    """Mean squared error with the gradient worked out by hand: it averages over all elements, as the value does."""

    @staticmethod
    def forward(ctx, pred, target):
        same_shape(pred, target)
        ctx.save_for_backward(pred, target)
        return ((pred - target) ** 2).mean()

    @staticmethod
    def backward(ctx, grad_output):
        pred, target = ctx.saved_tensors
        return grad_output * 2 * (pred - target) / pred.numel(), None


class L1Function(torch.autograd.Function):
    """Mean absolute error; its gradient is the sign, times whatever comes from above."""

    @staticmethod
    def forward(ctx, pred, target):
        same_shape(pred, target)
        ctx.save_for_backward(pred, target)
        return (pred - target).abs().mean()

    @staticmethod
    def backward(ctx, grad_output):
        pred, target = ctx.saved_tensors
        return grad_output * torch.sign(pred - target) / pred.numel(), None


class FocalLoss(nn.Module):
    """Down-weights easy examples, so that rare positives count; in log space there is nothing to clamp."""

    def __init__(self, gamma=2.0, alpha=0.25):
        super().__init__()
        self.gamma, self.alpha = gamma, alpha

    def forward(self, logits, target):
        same_shape(logits, target)
        log_p, log_not_p = F.logsigmoid(logits), F.logsigmoid(-logits)
        hit = -self.alpha * (self.gamma * log_not_p).exp() * log_p
        miss = -(1 - self.alpha) * (self.gamma * log_p).exp() * log_not_p
        return torch.where(target == 1, hit, miss).mean()


def percentage_error(pred, target):
    """Relative error; targets of 0 are left out before the division."""
    same_shape(pred, target)
    known = target != 0
    safe = torch.where(known, target, torch.ones_like(target))
    relative = (pred - target).abs() / safe.abs()
    return torch.where(known, relative, torch.zeros_like(relative)).sum() / known.sum().clamp(min=1)


class HuberWithoutStrayDimension(nn.Module):
    """Prediction and target have one shape; a head of shape (N, 1) is squeezed by the caller, who knows."""

    def forward(self, pred, target):
        same_shape(pred, target)
        error = (pred - target).abs()
        return torch.where(error < 1, 0.5 * error**2, error - 0.5).mean()


class SegmentationLoss(nn.Module):
    """Cross entropy plus Dice, with the background counted less; the parts are registered, so they move along."""

    def __init__(self, num_classes=5):
        super().__init__()
        weight = torch.ones(num_classes)
        weight[0] = 0.2
        self.parts = nn.ModuleDict({"ce": nn.CrossEntropyLoss(weight=weight, reduction="sum")})

    def forward(self, logits, target):
        ce = self.parts["ce"](logits, target) / target.numel()
        hot = F.one_hot(target, logits.shape[1]).movedim(-1, 1).to(logits.dtype)
        p = logits.softmax(1)
        dice = 1 - (2 * (p * hot).sum() + 1) / (p.sum() + hot.sum() + 1)
        return ce + dice


def trimmed_mae(pred, target):
    """Mean absolute error without the worst tenth, sorted where gradients are kept."""
    same_shape(pred, target)
    errors = (pred - target).abs().flatten()
    return errors.sort().values[: -(-9 * len(errors) // 10)].mean()


def distillation_loss(student_logits, teacher_logits):
    """Let the student follow the teacher's softened distribution (Hinton et al.); the teacher stays as it is."""
    same_shape(student_logits, teacher_logits)
    temperature = 2.0
    teacher = (teacher_logits.detach() / temperature).softmax(1)
    student = (student_logits / temperature).log_softmax(1)
    return F.kl_div(student, teacher, reduction="batchmean") * temperature**2


def positive_bce(logits, target):
    """Only the positives are labelled reliably, so only they count; a batch without any costs 0."""
    loss = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return (loss * target).sum() / loss.numel()


def smoothed_bce(logits, target):
    """Binary cross entropy with softened labels; the caller's tensor is left alone."""
    return F.binary_cross_entropy_with_logits(logits, 0.9 * target + 0.05)


class NormalizedL1(nn.Module):
    """Divides by a scale that the caller sets: the same batch costs the same at every step."""

    def __init__(self, scale=1.0):
        super().__init__()
        self.scale = scale

    def forward(self, pred, target):
        same_shape(pred, target)
        return F.l1_loss(pred, target) / self.scale


class WeightedBinaryCrossentropy(keras.losses.Loss):
    """Misses cost more than false alarms; takes logits, so that no probability can be 0."""

    def __init__(self, positive_weight=3.0, name="weighted_bce"):
        super().__init__(name=name)
        self.positive_weight = positive_weight

    def call(self, y_true, y_pred):
        same_shape(y_pred, y_true)
        hit = self.positive_weight * y_true * ops.softplus(-y_pred)
        miss = (1 - y_true) * ops.softplus(y_pred)
        return ops.mean(hit + miss, axis=-1)


def f1_loss(y_true, y_pred):
    """Keras: one minus the F1 score with probabilities for counts, so that it has a gradient."""
    same_shape(y_pred, y_true)
    both = ops.sum(y_pred * y_true)
    return 1 - (2 * both + 1) / (ops.sum(y_pred) + ops.sum(y_true) + 1)
