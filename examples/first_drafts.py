"""Fourteen losses as a capable newcomer writes them on a first afternoon. Each runs, and each is wrong somewhere.

    lossmith check examples/first_drafts.py

says where. `second_drafts.py` beside this file has the same losses, repaired.
"""

import keras
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from keras import ops


def rmse_loss(pred, target):
    return torch.sqrt(((pred - target) ** 2).mean())


class MSEFunction(torch.autograd.Function):
    """Mean squared error with the gradient worked out by hand."""

    @staticmethod
    def forward(ctx, pred, target):
        ctx.save_for_backward(pred, target)
        return ((pred - target) ** 2).mean()

    @staticmethod
    def backward(ctx, grad_output):
        pred, target = ctx.saved_tensors
        return grad_output * 2 * (pred - target) / pred.shape[0], None


class L1Function(torch.autograd.Function):
    """Mean absolute error; its gradient is just the sign."""

    @staticmethod
    def forward(ctx, pred, target):
        ctx.save_for_backward(pred, target)
        return (pred - target).abs().mean()

    @staticmethod
    def backward(ctx, grad_output):
        pred, target = ctx.saved_tensors
        return torch.sign(pred - target) / pred.numel(), None


class FocalLoss(nn.Module):
    """Down-weights easy examples, so that rare positives count."""

    def __init__(self, gamma=2.0, alpha=0.25):
        super().__init__()
        self.gamma, self.alpha = gamma, alpha

    def forward(self, logits, target):
        p = torch.sigmoid(logits).clamp(1e-8, 1 - 1e-8)
        hit = -self.alpha * (1 - p) ** self.gamma * torch.log(p)
        miss = -(1 - self.alpha) * p**self.gamma * torch.log(1 - p)
        return torch.where(target == 1, hit, miss).mean()


def percentage_error(pred, target):
    """Relative error; targets of 0 are left out."""
    relative = (pred - target).abs() / target.abs()
    return torch.where(target != 0, relative, torch.zeros_like(relative)).mean()


class HuberWithStrayDimension(nn.Module):
    """Expects targets of shape (N,) and predictions of shape (N, 1), like most of our heads."""

    def forward(self, pred, target):
        error = (pred - target.unsqueeze(1)).abs()
        return torch.where(error < 1, 0.5 * error**2, error - 0.5).mean()


class SegmentationLoss(nn.Module):
    """Cross entropy plus Dice, with the background counted less."""

    def __init__(self, num_classes=5):
        super().__init__()
        weight = torch.ones(num_classes)
        weight[0] = 0.2
        self.parts = {"ce": nn.CrossEntropyLoss(weight=weight, reduction="sum")}

    def forward(self, logits, target):
        ce = self.parts["ce"](logits, target) / target.numel()
        hot = F.one_hot(target, logits.shape[1]).movedim(-1, 1).to(logits.dtype)
        p = logits.softmax(1)
        dice = 1 - (2 * (p * hot).sum() + 1) / (p.sum() + hot.sum() + 1)
        return ce + dice


def trimmed_mae(pred, target):
    """Mean absolute error without the worst tenth."""
    errors = np.abs(pred.detach().numpy() - target.numpy()).ravel()
    kept = np.sort(errors)[: int(np.ceil(0.9 * len(errors)))]
    return torch.tensor(kept.mean(), dtype=pred.dtype, requires_grad=True)


def distillation_loss(student_logits, teacher_logits):
    """Let the student follow the teacher's softened distribution (Hinton et al.)."""
    temperature = 2.0
    teacher = (teacher_logits / temperature).softmax(1)
    student = (student_logits / temperature).log_softmax(1)
    return F.kl_div(student, teacher, reduction="batchmean") * temperature**2


def positive_bce(logits, target):
    """Only the positives are labelled reliably, so only they count."""
    loss = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return loss[target == 1].mean()


def smoothed_bce(logits, target):
    """Binary cross entropy with softened labels."""
    target *= 0.9
    target += 0.05
    return F.binary_cross_entropy_with_logits(logits, target)


class NormalizedL1(nn.Module):
    """Divides by a running mean of the loss, so that the learning rate need not change."""

    def __init__(self):
        super().__init__()
        self.scale = 1.0

    def forward(self, pred, target):
        loss = F.l1_loss(pred, target)
        self.scale = 0.9 * self.scale + 0.1 * loss.item()
        return loss / self.scale


class WeightedBinaryCrossentropy(keras.losses.Loss):
    """Misses cost more than false alarms."""

    def __init__(self, positive_weight=3.0, name="weighted_bce"):
        super().__init__(name=name)
        self.positive_weight = positive_weight

    def call(self, y_true, y_pred):
        hit = self.positive_weight * y_true * ops.log(y_pred)
        miss = (1 - y_true) * ops.log(1 - y_pred)
        return -ops.mean(hit + miss, axis=-1)


def f1_loss(y_true, y_pred):
    """Keras: one minus the F1 score, which is what the project is judged by."""
    hit = ops.round(y_pred)
    both = ops.sum(hit * y_true)
    return 1 - 2 * both / (ops.sum(hit) + ops.sum(y_true) + 1e-7)
