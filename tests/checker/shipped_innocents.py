"""Right losses as repositories ship them, each beside the rule that once accused it and a loss that it must accuse."""

import tensorflow as tf
import torch
import torch.nn.functional as F
from torch import nn

# --- several terms and no total ----------------------------------------------------------------------------------


def of_two_networks(out_1, out_2, labels):
    return F.cross_entropy(out_1, labels), F.cross_entropy(out_2, labels)


def total_without_a_part(out_1, out_2, labels):
    """The parts are for the log, and the total has lost the second."""
    one, two = F.cross_entropy(out_1, labels), F.cross_entropy(out_2, labels)
    return one + two.detach(), one, two


class PullAndPush(nn.Module):
    def __init__(self, push_factor=0.5):
        super().__init__()
        self.push_factor = push_factor

    def forward(self, tags, visible):
        weight = visible.float()
        mean = (tags * weight).sum(-1, keepdim=True) / weight.sum(-1, keepdim=True).clamp(min=1)
        gap = mean - mean.T
        return ((tags - mean).square() * weight).sum(-1).mean(), self.push_factor * torch.exp(-gap.square()).mean()


class PullAlone(PullAndPush):
    def forward(self, tags, visible):
        pull, _ = super().forward(tags, visible)
        return pull, torch.exp(-(tags.mean(-1) - tags.mean()).square()).mean()


class WithTable(nn.Module):
    """A table of all samples that ends up on its diagonal, in both terms."""

    def forward(self, tags, visible):
        table = tags @ visible.T
        return table.diagonal().mean(), table.diagonal().square().mean()


# --- settings that show later -------------------------------------------------------------------------------------


class Hardest(nn.Module):
    """At least sixteen samples count."""

    def __init__(self, threshold=0.7, least=16):
        super().__init__()
        self.threshold, self.least = threshold, least

    def forward(self, logits, labels):
        losses = F.cross_entropy(logits, labels, reduction="none")
        hard = losses[losses > self.threshold]
        return (losses.topk(min(self.least, len(losses))).values if len(hard) < self.least else hard).mean()


class HardestWithout(Hardest):
    def forward(self, logits, labels):
        losses = F.cross_entropy(logits, labels, reduction="none")
        hard = losses[losses > 0.7]
        self.threshold * losses
        return (losses.topk(min(self.least, len(losses))).values if len(hard) < self.least else hard).mean()


class Dual(nn.Module):
    """A multiplier that begins at 0."""

    def __init__(self, margin=1.0):
        super().__init__()
        self.margin, self.multiplier = margin, nn.Parameter(torch.zeros(()))

    def forward(self, pred, target):
        return (pred - target).square().mean() + self.multiplier * (pred.mean() - self.margin)


class DualWithout(Dual):
    def forward(self, pred, target):
        self.margin * pred
        return (pred - target).square().mean() + self.multiplier * pred.mean()


# --- labels that only say what is left out, and that are summed ------------------------------------------------------


def kept_tokens(student_logits, teacher_logits, labels):
    gap = F.kl_div(student_logits.log_softmax(-1), teacher_logits.detach().softmax(-1), reduction="none").sum(-1)
    kept = labels != -100
    return (gap * kept).sum() / kept.sum().clamp(min=1)


def every_token(student_logits, teacher_logits, labels):
    return F.kl_div(student_logits.log_softmax(-1), teacher_logits.detach().softmax(-1), reduction="batchmean")


# --- what is stopped in so many words --------------------------------------------------------------------------------


def mapped(feat_s, feat_t):
    return (F.normalize(feat_s, dim=1) - F.normalize(feat_t.detach(), dim=1)).square().mean()


def mapped_of_two_views(feat_a, feat_b):
    return (F.normalize(feat_a, dim=1) - F.normalize(feat_b.detach(), dim=1)).square().mean()


def above_a_reference(policy_chosen_logps, policy_rejected_logps, policy_kl_logps):
    floor = policy_kl_logps.mean().detach().clamp(min=0)
    return torch.cat([policy_rejected_logps - floor, floor - policy_chosen_logps]).sigmoid().mean()


def above_a_step(policy_chosen_logps, policy_rejected_logps, policy_kl_logps):
    floor = (policy_kl_logps > 0).float().mean()
    return torch.cat([policy_rejected_logps - floor, floor - policy_chosen_logps]).sigmoid().mean()


def sure_of_the_weak_view(logits_weak, logits_strong):
    with torch.no_grad():
        sure, label = logits_weak.softmax(-1).max(-1)
    return (F.cross_entropy(logits_strong, label, reduction="none") * (sure > 0.95)).mean()


def counted(logits_weak, logits_strong):
    return (logits_weak.argmax(-1) != logits_strong.argmax(-1)).float().mean()


# --- what a label leaves out ----------------------------------------------------------------------------------------


def beside_a_teacher(student_logits, teacher_logits, labels):
    kept = labels != -1
    known = F.cross_entropy(student_logits, labels, ignore_index=-1, reduction="sum") / kept.sum().clamp(min=1)
    return known + (student_logits.softmax(1) - teacher_logits.detach().softmax(1)).square().mean()


def beside_a_smoothing(student_logits, teacher_logits, labels):
    kept = labels != -1
    known = F.cross_entropy(student_logits, labels, ignore_index=-1, reduction="sum") / kept.sum().clamp(min=1)
    gap = (student_logits.softmax(1) - teacher_logits.detach().softmax(1)).square().mean(1)
    return known + (gap * kept).mean() - 0.1 * student_logits.log_softmax(1).mean()


class Transcribed(nn.Module):
    def forward(self, logits, targets, target_lengths):
        steps = torch.full((len(logits),), logits.shape[1], dtype=torch.long)
        log_p = logits.log_softmax(-1).transpose(0, 1)
        return F.ctc_loss(log_p, targets, steps, target_lengths, zero_infinity=True)


def beyond_the_target(logits, targets, target_lengths):
    mask = torch.arange(targets.shape[1])[None] < target_lengths[:, None]
    ce = F.cross_entropy(logits.transpose(1, 2), targets, reduction="none")
    return (ce * mask).sum() / mask.sum() + ce.mean()


# --- a table of the batch, a spread of two sets, a distance -----------------------------------------------------------


def alike(feat_s, feat_t):
    a, b = F.normalize(feat_s @ feat_s.T, dim=1), F.normalize(feat_t @ feat_t.T, dim=1)
    return (a - b).square().sum() / len(feat_s) ** 2


def divided_again(feat_s, feat_t):
    a, b = feat_s @ feat_s.T, feat_t @ feat_t.T
    return (a - b).square().mean() / len(feat_s)


def moments(real_scores, fake_scores):
    return (real_scores.mean(0) - fake_scores.mean(0)).square().sum() + (
        real_scores.std(0) - fake_scores.std(0)
    ).square().sum()


def standardised(preds, truth):
    return ((preds - preds.mean(0)) / preds.std(0) - (truth - truth.mean(0)) / truth.std(0)).square().mean()


def of_pairs(y_true, y_pred):
    return (y_true * y_pred.square() + (1 - y_true) * (1 - y_pred).clamp(min=0).square()).mean()


def turned(y_true, y_pred):
    return (y_true * y_pred.square() + (1 - y_true) * (1 - y_pred).square()).mean()


def above_in_pairs(y_true, y_pred):
    apart = y_true[:, None] - y_true[None, :] > 0
    gap = tf.nn.relu(1.0 - (y_pred[:, None] - y_pred[None, :])) * tf.cast(apart, y_pred.dtype)
    return tf.reduce_sum(gap) / tf.maximum(tf.reduce_sum(tf.cast(apart, y_pred.dtype)), 1.0)


def along_the_batch(y_true, y_pred):
    return -tf.reduce_mean(tf.reduce_sum(y_true * tf.nn.log_softmax(y_pred, axis=0), -1))


PAIRS = [
    ("LS105", of_two_networks, total_without_a_part),
    ("LS805", PullAndPush(), PullAlone()),
    ("LS608", PullAndPush(), WithTable()),
    ("LS805", Hardest(), HardestWithout()),
    ("LS805", Dual(), DualWithout()),
    ("LS106", kept_tokens, every_token),
    ("LS105", mapped, mapped_of_two_views),
    ("LS105", above_a_reference, above_a_step),
    ("LS105", sure_of_the_weak_view, counted),
    ("LS106", sure_of_the_weak_view, every_token),
    ("LS205", beside_a_teacher, beside_a_smoothing),
    ("LS205", Transcribed(), beyond_the_target),
    ("LS503", alike, divided_again),
    ("LS402", moments, standardised),
    ("LS701", of_pairs, turned),
    ("LS701", above_in_pairs, along_the_batch),
]


def of_queries(inputs, targets, num_masks):
    p, t = inputs.sigmoid().flatten(1), targets.flatten(1)
    dice = (2 * (p * t).sum(-1) + 1) / (p.sum(-1) + t.sum(-1) + 1)
    return (1 - dice).sum() / max(float(num_masks), 1.0)


TAKES = [
    (of_queries, {"inputs": "logits", "targets": "binary", "num_masks": "count"}),
    (of_two_networks, {"out_*": "logits", "labels": "index"}),
]
