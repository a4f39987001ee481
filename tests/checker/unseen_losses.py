"""Losses as strangers spell them, each with what it takes: none was looked at while the inference was written.

`takes` is in the order of the arguments; "|" separates readings that are right alike. A star stands for any axes.
"""

import torch
import torch.nn.functional as F
from torch import nn


def triplet_margin(a, p, n):
    return torch.clamp((a - p).pow(2).sum(1) - (a - n).pow(2).sum(1) + 0.3, min=0).mean()


def query_pos_neg(query, pos, neg):
    q, p, n = (F.normalize(v, dim=-1) for v in (query, pos, neg))
    logits = torch.stack([(q * p).sum(-1), (q * n).sum(-1)], 1) / 0.07
    return F.cross_entropy(logits, torch.zeros(len(q), dtype=torch.long))


def soft_triplet(anc, pos, neg):
    return F.softplus(F.pairwise_distance(anc, pos) - F.pairwise_distance(anc, neg)).mean()


def ranking(x1, x2, y):
    return F.relu(-y * (x1 - x2) + 0.1).mean()


def bpr(pos_scores, neg_scores):
    return -F.logsigmoid(pos_scores - neg_scores).mean()


def cosine_pairs(u, v, label):
    c = F.cosine_similarity(u, v)
    return torch.where(label > 0, 1 - c, F.relu(c - 0.2)).mean()


def siamese(out1, out2, same):
    d = F.pairwise_distance(out1, out2)
    return (same * d**2 + (1 - same) * F.relu(1.0 - d) ** 2).mean()


def masked_l1(pred, target, mask):
    return ((pred - target).abs() * mask).sum() / mask.sum().clamp(min=1)


def masked_bce(logits, labels, valid):
    value = F.binary_cross_entropy_with_logits(logits, labels, reduction="none")
    return (value * valid).sum() / valid.sum().clamp(min=1)


def masked_tokens(logits, tokens, mask):
    value = F.cross_entropy(logits.flatten(0, 1), tokens.flatten(), reduction="none").view(tokens.shape)
    return (value * mask).sum() / mask.sum().clamp(min=1)


def sequence_ce(logits, tokens):
    return F.cross_entropy(logits.transpose(1, 2), tokens)


def by_lengths(output, target, lengths):
    inside = torch.arange(output.shape[1])[None] < lengths[:, None]
    return ((output - target) ** 2 * inside).sum() / inside.sum()


def tokens_by_lengths(logits, targets, lengths):
    inside = torch.arange(logits.shape[1])[None] < lengths[:, None]
    value = F.cross_entropy(logits.transpose(1, 2), targets, reduction="none")
    return (value * inside).sum() / inside.sum()


def weighted_mse(y_hat, y, w):
    return (w * (y_hat - y) ** 2).mean()


def weighted_ce(scores, classes, sample_weight):
    return (F.cross_entropy(scores, classes, reduction="none") * sample_weight).mean()


def class_weighted(logits, target, class_weight):
    return F.cross_entropy(logits, target, weight=class_weight)


def gaussian_nll(mu, log_var, y):
    return 0.5 * (log_var + (y - mu) ** 2 / log_var.exp()).mean()


def gaussian_nll_var(mean, target, var):
    return F.gaussian_nll_loss(mean, target, var)


def kl_normal(mu, logvar):
    return -0.5 * (1 + logvar - mu**2 - logvar.exp()).sum(1).mean()


def vae(recon, x, mu, logvar):
    kl = -0.5 * (1 + logvar - mu**2 - logvar.exp()).sum(1).mean()
    return F.mse_loss(recon, x, reduction="sum") / len(x) + kl


def distil_hard(student_logits, teacher_logits, labels):
    soft = F.kl_div(F.log_softmax(student_logits / 2, 1), F.softmax(teacher_logits / 2, 1), reduction="batchmean")
    return 0.5 * F.cross_entropy(student_logits, labels) + 0.5 * soft


def quadruplet(anchor, positive, negative1, negative2):
    d = F.pairwise_distance
    near = d(anchor, positive)
    return (F.relu(near - d(anchor, negative1) + 1) + F.relu(near - d(negative1, negative2) + 0.5)).mean()


def weighted_masked(pred, target, mask, weight):
    return ((pred - target) ** 2 * mask * weight).sum() / (mask * weight).sum().clamp(min=1e-6)


def dpo(policy_chosen_logps, policy_rejected_logps, reference_chosen_logps, reference_rejected_logps):
    policy = policy_chosen_logps - policy_rejected_logps
    return -F.logsigmoid(0.1 * (policy - (reference_chosen_logps - reference_rejected_logps))).mean()


def ppo(new_logp, old_logp, advantages):
    ratio = (new_logp - old_logp).exp()
    return -torch.min(ratio * advantages, ratio.clamp(0.8, 1.2) * advantages).mean()


def supcon(features, labels):
    z = F.normalize(features, dim=1)
    s = z @ z.T / 0.2
    eye = torch.eye(len(z), dtype=torch.bool)
    same = (labels[:, None] == labels[None]) & ~eye
    log_p = s - torch.logsumexp(s.masked_fill(eye, -1e9), 1, keepdim=True)
    return -((log_p * same).sum(1) / same.sum(1).clamp(min=1)).mean()


def batch_hard(emb, y):
    d = torch.cdist(emb, emb)
    same = y[:, None] == y[None]
    return F.relu((d * same).max(1).values - d.masked_fill(same, 1e9).min(1).values + 0.2).mean()


class CenterLoss(nn.Module):
    def __init__(self, num_classes=5, feat_dim=8):
        super().__init__()
        self.centers = nn.Parameter(torch.randn(num_classes, feat_dim))

    def forward(self, x, labels):
        return (x - self.centers[labels]).pow(2).sum(1).mean()


class ArcMargin(nn.Module):
    def __init__(self, in_features=8, out_features=5):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_features, in_features))

    def forward(self, x, label):
        cos = F.linear(F.normalize(x), F.normalize(self.weight))
        theta = torch.acos(cos.clamp(-1 + 1e-6, 1 - 1e-6))
        hot = F.one_hot(label, cos.shape[1])
        return F.cross_entropy(30 * torch.cos(theta + 0.3 * hot), label)


class Learned(nn.Module):
    def __init__(self):
        super().__init__()
        self.log_alpha = nn.Parameter(torch.zeros(()))

    def forward(self, prediction, truth):
        return (prediction - truth).pow(2).mean() * torch.exp(-self.log_alpha) + self.log_alpha


def with_parts(pred, target):
    mse, l1 = F.mse_loss(pred, target), F.l1_loss(pred, target)
    return mse + l1, {"mse": mse, "l1": l1}


def as_dict(logits, target):
    ce = F.cross_entropy(logits, target)
    return {"ce": ce, "loss": ce}


def two_tasks(outputs, targets):
    box = F.smooth_l1_loss(outputs["boxes"], targets["boxes"])
    return box + F.cross_entropy(outputs["logits"], targets["labels"])


def list_of_scales(preds, target):
    return sum(F.mse_loss(each, target) for each in preds) / len(preds)


def seg_ce(input, target):
    return F.cross_entropy(input, target.squeeze(1).long()) if target.ndim == 4 else F.cross_entropy(input, target)


def pixel_dice(logits, masks):
    p = logits.sigmoid().flatten(1)
    m = masks.flatten(1)
    return (1 - (2 * (p * m).sum(1) + 1) / (p.sum(1) + m.sum(1) + 1)).mean()


def charbonnier(sr, hr):
    return torch.sqrt((sr - hr) ** 2 + 1e-6).mean()


def evidential(alpha, y):
    total = alpha.sum(1, keepdim=True)
    hot = F.one_hot(y, alpha.shape[1])
    return (hot * (total.digamma() - alpha.digamma())).sum(1).mean()


def wgan(real_scores, fake_scores):
    return fake_scores.mean() - real_scores.mean()


def hinge_gan(real, fake):
    return F.relu(1 - real).mean() + F.relu(1 + fake).mean()


def cox(risk, time, event):
    order = time.argsort(descending=True)
    risk, event = risk[order], event[order]
    return -((risk - risk.logcumsumexp(0)) * event).sum() / event.sum().clamp(min=1)


def keras_like(y_true, y_pred):
    return -(y_true * torch.log(y_pred + 1e-7)).sum(-1).mean()


def sparse_order(y_true, y_pred):
    return F.nll_loss(y_pred.clamp(1e-7, 1).log(), y_true)


def masked_optional(pred, target, mask=None):
    value = (pred - target) ** 2
    return value.mean() if mask is None else (value * mask).sum() / mask.sum()


def focal(inputs, targets, alpha=0.25, gamma=2.0):
    p = inputs.sigmoid()
    ce = F.binary_cross_entropy_with_logits(inputs, targets, reduction="none")
    hit = p * targets + (1 - p) * (1 - targets)
    return ((alpha * targets + (1 - alpha) * (1 - targets)) * (1 - hit) ** gamma * ce).mean()


EMB3 = "embedding, embedding, embedding"
UNSEEN = [
    (triplet_margin, EMB3),
    (query_pos_neg, EMB3),
    (soft_triplet, EMB3),
    (ranking, "real, real, pm1"),
    (bpr, "real, real"),
    (cosine_pairs, "embedding, embedding, pm1 | embedding, embedding, binary"),
    (siamese, "embedding, embedding, binary"),
    (masked_l1, "real, real, mask"),
    (masked_bce, "logits, binary, mask"),
    (masked_tokens, "logits, index, mask"),
    (sequence_ce, "logits, index"),
    (by_lengths, "real, real, lengths"),
    (tokens_by_lengths, "logits, index, lengths"),
    (weighted_mse, "real, real, weight"),
    (weighted_ce, "logits, index, weight"),
    (class_weighted, "logits, index, weight"),
    (gaussian_nll, "real, real, real"),
    (gaussian_nll_var, "real, real, positive"),
    (kl_normal, "real, real"),
    (vae, "real, real, real, real"),
    (distil_hard, "logits, logits, index"),
    (quadruplet, f"{EMB3}, embedding"),
    (weighted_masked, "real, real, mask, weight"),
    (dpo, "real, real, real, real | logprob, logprob, logprob, logprob"),
    (ppo, "real, real, real"),
    (supcon, "embedding, index"),
    (batch_hard, "embedding, index"),
    (CenterLoss(), "embedding, index"),
    (ArcMargin(), "embedding, index"),
    (Learned(), "real, real"),
    (with_parts, "real, real"),
    (as_dict, "logits, index"),
    (seg_ce, "logits, index"),
    (pixel_dice, "logits, binary"),
    (charbonnier, "real, real"),
    (evidential, "positive, index"),
    (wgan, "real, real"),
    (hinge_gan, "real, real"),
    (cox, "real, positive, binary"),
    (keras_like, "onehot, simplex | dist, simplex"),
    (sparse_order, "index, simplex"),
    (masked_optional, "real, real"),
    (focal, "logits, binary"),
]
DICTIONARIES = [two_tasks, list_of_scales]
