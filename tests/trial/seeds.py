"""Correct losses as people write them by hand, into which `faults.py` plants defects. None of them has an error."""

import torch
import torch.nn.functional as F
from torch import nn


def mse_loss(pred, target):
    assert pred.shape == target.shape
    return ((pred - target) ** 2).mean()


def huber_loss(pred, target, delta=1.0):
    assert pred.shape == target.shape
    error = (pred - target).abs()
    return torch.where(error < delta, 0.5 * error**2, delta * (error - 0.5 * delta)).mean()


def wing_loss(pred, target, width=5.0, curvature=2.0):
    assert pred.shape == target.shape
    error = (pred - target).abs()
    offset = width - width * torch.log1p(torch.tensor(width / curvature))
    return torch.where(error < width, width * torch.log1p(error / curvature), error - offset).mean()


def pinball_loss(pred, target, quantile=0.3):
    assert pred.shape == target.shape
    error = target - pred
    return torch.maximum(quantile * error, (quantile - 1) * error).mean()


def masked_l1_loss(pred, target, mask):
    assert pred.shape == target.shape == mask.shape
    return ((pred - target).abs() * mask).sum() / mask.sum().clamp(min=1)


def weighted_mse_loss(pred, target, weight):
    assert pred.shape == target.shape == weight.shape
    return ((pred - target) ** 2 * weight).mean()


def rmse_loss(pred, target, eps=1e-8):
    assert pred.shape == target.shape
    return torch.sqrt(((pred - target) ** 2).mean() + eps)


def gaussian_nll_loss(mean, log_var, target):
    assert mean.shape == log_var.shape == target.shape
    return 0.5 * (log_var + (target - mean) ** 2 * torch.exp(-log_var)).mean()


def bce_loss(logits, target):
    assert logits.shape == target.shape
    return -(target * F.logsigmoid(logits) + (1 - target) * F.logsigmoid(-logits)).mean()


def probability_bce_loss(prob, target, eps=1e-7):
    assert prob.shape == target.shape
    prob = prob.clamp(eps, 1 - eps)
    return -(target * torch.log(prob) + (1 - target) * torch.log(1 - prob)).mean()


class FocalLoss(nn.Module):
    def __init__(self, gamma=2.0, alpha=0.25):
        super().__init__()
        self.gamma = gamma
        self.alpha = alpha

    def forward(self, logits, target):
        assert logits.shape == target.shape
        ce = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
        p = torch.sigmoid(logits)
        miss = target * (1 - p) + (1 - target) * p
        alpha = target * self.alpha + (1 - target) * (1 - self.alpha)
        return (alpha * miss**self.gamma * ce).mean()


class DiceLoss(nn.Module):
    def __init__(self, smooth=1.0):
        super().__init__()
        self.smooth = smooth

    def forward(self, logits, target):
        assert logits.shape == target.shape
        p = torch.sigmoid(logits).flatten(1)
        t = target.flatten(1)
        overlap = (p * t).sum(dim=1)
        dice = (2 * overlap + self.smooth) / (p.sum(dim=1) + t.sum(dim=1) + self.smooth)
        return (1 - dice).mean()


class TverskyLoss(nn.Module):
    def __init__(self, alpha=0.3, beta=0.7, smooth=1.0):
        super().__init__()
        self.alpha, self.beta, self.smooth = alpha, beta, smooth

    def forward(self, logits, target):
        assert logits.shape == target.shape
        p = torch.sigmoid(logits).flatten(1)
        t = target.flatten(1)
        hit = (p * t).sum(dim=1)
        wrong = (p * (1 - t)).sum(dim=1)
        missed = ((1 - p) * t).sum(dim=1)
        score = (hit + self.smooth) / (hit + self.alpha * wrong + self.beta * missed + self.smooth)
        return (1 - score).mean()


def softmax_ce_loss(logits, target):
    shifted = logits - logits.amax(dim=1, keepdim=True)
    log_prob = shifted - torch.log(torch.exp(shifted).sum(dim=1, keepdim=True))
    return -log_prob.gather(1, target[:, None]).mean()


class IgnoringCrossEntropyLoss(nn.Module):
    def __init__(self, ignore_index=-100):
        super().__init__()
        self.ignore_index = ignore_index

    def forward(self, logits, target):
        kept = target != self.ignore_index
        total = F.cross_entropy(logits, target, ignore_index=self.ignore_index, reduction="sum")
        return total / kept.sum().clamp(min=1)


class WeightedCrossEntropyLoss(nn.Module):
    def __init__(self, num_classes=5):
        super().__init__()
        self.register_buffer("weight", torch.linspace(0.5, 1.5, num_classes))

    def forward(self, logits, target):
        return F.cross_entropy(logits, target, weight=self.weight, reduction="sum") / target.shape[0]


class LabelSmoothingLoss(nn.Module):
    def __init__(self, smoothing=0.1):
        super().__init__()
        self.smoothing = smoothing

    def forward(self, logits, target):
        log_prob = F.log_softmax(logits, dim=1)
        right = -log_prob.gather(1, target[:, None])[:, 0]
        uniform = -log_prob.mean(dim=1)
        return ((1 - self.smoothing) * right + self.smoothing * uniform).mean()


def sequence_ce_loss(logits, tokens, mask):
    value = F.cross_entropy(logits.transpose(1, 2), tokens, reduction="none")
    return (value * mask).sum() / mask.sum().clamp(min=1)


def triplet_loss(anchor, positive, negative, margin=0.5):
    near = (anchor - positive).pow(2).sum(dim=1)
    far = (anchor - negative).pow(2).sum(dim=1)
    return F.relu(near - far + margin).mean()


class ContrastiveLoss(nn.Module):
    def __init__(self, margin=2.0):
        super().__init__()
        self.margin = margin

    def forward(self, out1, out2, same):
        distance = torch.sqrt((out1 - out2).pow(2).sum(dim=1) + 1e-6)
        return (same * distance**2 + (1 - same) * F.relu(self.margin - distance) ** 2).mean()


def nt_xent_loss(z1, z2, temperature=0.5):
    z = F.normalize(torch.cat([z1, z2]), dim=1)
    similarity = z @ z.T / temperature
    itself = torch.eye(z.shape[0], dtype=torch.bool, device=z.device)
    similarity = similarity.masked_fill(itself, float("-inf"))
    other = torch.arange(z.shape[0], device=z.device).roll(z1.shape[0])
    return F.cross_entropy(similarity, other)


def distillation_loss(student_logits, teacher_logits, temperature=2.0):
    teacher = F.softmax(teacher_logits.detach() / temperature, dim=1)
    student = F.log_softmax(student_logits / temperature, dim=1)
    return F.kl_div(student, teacher, reduction="batchmean") * temperature**2


def giou_loss(boxes, target):
    left, right = torch.maximum(boxes[:, :2], target[:, :2]), torch.minimum(boxes[:, 2:], target[:, 2:])
    overlap = (right - left).clamp(min=0).prod(dim=1)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(dim=1) + (target[:, 2:] - target[:, :2]).prod(dim=1)
    union = area - overlap
    low, high = torch.minimum(boxes[:, :2], target[:, :2]), torch.maximum(boxes[:, 2:], target[:, 2:])
    hull = (high - low).prod(dim=1)
    iou = overlap / (union + 1e-7)
    return (1 - iou + (hull - union) / (hull + 1e-7)).mean()


def ssim_loss(image, target):
    assert image.shape == target.shape
    mean_x, mean_y = F.avg_pool2d(image, 3, 1), F.avg_pool2d(target, 3, 1)
    var_x = F.avg_pool2d(image**2, 3, 1) - mean_x**2
    var_y = F.avg_pool2d(target**2, 3, 1) - mean_y**2
    cov = F.avg_pool2d(image * target, 3, 1) - mean_x * mean_y
    top = (2 * mean_x * mean_y + 1e-4) * (2 * cov + 9e-4)
    return (1 - top / ((mean_x**2 + mean_y**2 + 1e-4) * (var_x + var_y + 9e-4))).mean()


def vae_loss(reconstruction, target, mu, log_var):
    error = ((reconstruction - target) ** 2).sum(dim=1)
    divergence = -0.5 * (1 + log_var - mu**2 - torch.exp(log_var)).sum(dim=1)
    return (error + divergence).mean()


class MultiTaskLoss(nn.Module):
    def __init__(self):
        super().__init__()
        self.log_vars = nn.Parameter(torch.zeros(2))

    def forward(self, depth, depth_target, logits, labels):
        tasks = torch.stack([((depth - depth_target) ** 2).mean(), F.cross_entropy(logits, labels)])
        return (torch.exp(-self.log_vars) * tasks + self.log_vars).sum()


def cosine_loss(pred, target):
    assert pred.shape == target.shape
    return (1 - F.cosine_similarity(pred, target, dim=-1)).mean()


def hinge_loss(scores, target):
    assert scores.shape == target.shape
    return F.relu(1 - target * scores).mean()


class CenterLoss(nn.Module):
    def __init__(self, num_classes=5, feat_dim=8):
        super().__init__()
        self.centers = nn.Parameter(torch.randn(num_classes, feat_dim))

    def forward(self, features, labels):
        return (features - self.centers[labels]).pow(2).sum(dim=1).mean()


def poisson_loss(log_rate, counts):
    assert log_rate.shape == counts.shape
    return (torch.exp(log_rate) - counts * log_rate).mean()
