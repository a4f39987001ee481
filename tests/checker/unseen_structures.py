"""Losses that take or return more than arrays, as strangers spell them, each with what it takes.

None was looked at while the inference was written. `takes` maps a name, or its beginning and a star, to the kinds that
are right for it; an entry of a dictionary, a tuple or a list is called after its argument and its key or place.
"""

import torch
import torch.nn.functional as F
from torch import nn


def detection(outputs, targets):
    cls = F.cross_entropy(outputs["logits"], targets["labels"])
    box = F.smooth_l1_loss(outputs["boxes"], targets["boxes"])
    return cls + 5.0 * box


def depth_and_segmentation(preds, gt):
    seg = F.cross_entropy(preds["seg"], gt["seg"].long(), ignore_index=255)
    depth = F.l1_loss(preds["depth"], gt["depth"])
    return seg + 0.5 * depth


class MultiHead(nn.Module):
    def __init__(self, w_age=0.1, w_gender=1.0):
        super().__init__()
        self.w_age, self.w_gender = w_age, w_gender
        self.mse, self.bce = nn.MSELoss(), nn.BCEWithLogitsLoss()

    def forward(self, output, target):
        age = self.mse(output["age"], target["age"])
        gender = self.bce(output["gender"], target["gender"])
        return {"loss": self.w_age * age + self.w_gender * gender, "age": age, "gender": gender}


class Kendall(nn.Module):
    def __init__(self):
        super().__init__()
        self.log_vars = nn.Parameter(torch.zeros(2))

    def forward(self, preds, targets):
        total = 0
        for i, key in enumerate(("reg", "aux")):
            loss = F.mse_loss(preds[key], targets[key])
            total = total + torch.exp(-self.log_vars[i]) * loss + self.log_vars[i]
        return total


def every_task(predictions, targets):
    return sum(F.mse_loss(predictions[task], targets[task]) for task in targets)


def named_tasks(outputs, labels):
    loss = 0.0
    for name, out in outputs.items():
        loss = loss + F.binary_cross_entropy_with_logits(out, labels[name])
    return loss / len(outputs)


class Criterion(nn.Module):
    def loss_labels(self, outputs, targets):
        return F.cross_entropy(outputs["pred_logits"], targets["classes"])

    def loss_offsets(self, outputs, targets):
        return (outputs["pred_offsets"] - targets["offsets"]).abs().mean()

    def forward(self, outputs, targets):
        losses = {"ce": self.loss_labels(outputs, targets), "l1": self.loss_offsets(outputs, targets)}
        return sum(losses.values())


def vae_dict(out, x):
    kl = -0.5 * torch.mean(1 + out["logvar"] - out["mu"].pow(2) - out["logvar"].exp())
    return F.mse_loss(out["recon"], x) + kl


def vae_tuple(outputs, x):
    recon, mu, logvar = outputs
    kl = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp(), dim=1).mean()
    return F.mse_loss(recon, x) + 1e-3 * kl


def two_heads(preds, targets):
    logits, offset = preds
    labels, delta = targets
    return F.cross_entropy(logits, labels) + F.smooth_l1_loss(offset, delta)


def gaussian_head(y_pred, y):
    mean, log_var = y_pred
    return (0.5 * torch.exp(-log_var) * (y - mean) ** 2 + 0.5 * log_var).mean()


def siamese_pair(outputs, label):
    a, b = outputs
    d = F.pairwise_distance(a, b)
    return (label * d**2 + (1 - label) * F.relu(1 - d) ** 2).mean()


def triplet_tuple(embeddings):
    anchor, positive, negative = embeddings
    return F.triplet_margin_loss(anchor, positive, negative)


def deep_supervision(outputs, target):
    weights = [1.0, 0.5, 0.25]
    return sum(w * F.binary_cross_entropy_with_logits(o, target) for w, o in zip(weights, outputs, strict=False))


class DeepSupervision(nn.Module):
    def __init__(self, loss=None):
        super().__init__()
        self.loss = loss or nn.CrossEntropyLoss()

    def forward(self, x, y):
        if isinstance(x, (list, tuple)):
            return sum(self.loss(each, y) for each in x) / len(x)
        return self.loss(x, y)


def pyramid(preds, targets):
    total = 0
    for p, t in zip(preds, targets, strict=False):
        total = total + (p - t).abs().mean()
    return total


def multi_exit(logits_list, labels):
    loss = 0
    for i, logits in enumerate(logits_list):
        loss = loss + (i + 1) * F.cross_entropy(logits, labels)
    return loss


def inception(outputs, target):
    return F.cross_entropy(outputs[0], target) + 0.4 * F.cross_entropy(outputs[1], target)


def feature_matching(real_features, fake_features):
    loss = 0
    for r, f in zip(real_features, fake_features, strict=False):
        loss += F.l1_loss(f, r.detach())
    return loss


def raft(flow_preds, flow_gt, gamma=0.8):
    n = len(flow_preds)
    return sum(gamma ** (n - i - 1) * (flow_preds[i] - flow_gt).abs().mean() for i in range(n))


def multiscale_hinge_d(outputs_real, outputs_fake):
    return sum(F.relu(1 - r).mean() + F.relu(1 + f).mean() for r, f in zip(outputs_real, outputs_fake, strict=False))


def model_output(outputs, batch):
    return F.cross_entropy(outputs.logits, batch["labels"])


def causal_lm(output, labels):
    logits = output["logits"][:, :-1]
    return F.cross_entropy(logits.reshape(-1, logits.size(-1)), labels[:, 1:].reshape(-1), ignore_index=-100)


def batch_first(batch, pred):
    return ((pred - batch["target"]) ** 2 * batch["mask"]).sum() / batch["mask"].sum().clamp(min=1)


def returns_tuple(logits, target):
    ce = F.cross_entropy(logits, target)
    acc = (logits.argmax(1) == target).float().mean()
    return ce, acc


def returns_log(pred, target):
    l1, l2 = F.l1_loss(pred, target), F.mse_loss(pred, target)
    loss = l1 + 0.1 * l2
    return loss, {"l1": l1.item(), "l2": l2.item()}


def returns_losses(pred_logits, target):
    probs = pred_logits.sigmoid()
    dice = 1 - (2 * (probs * target).sum() + 1) / (probs.sum() + target.sum() + 1)
    bce = F.binary_cross_entropy_with_logits(pred_logits, target)
    return {"total": dice + bce, "dice": dice, "bce": bce}


class CosFace(nn.Module):
    def __init__(self, embedding_size=8, num_classes=5, s=30.0, m=0.35):
        super().__init__()
        self.W = nn.Parameter(torch.randn(num_classes, embedding_size))
        self.s, self.m = s, m

    def forward(self, embeddings, labels):
        cosine = F.linear(F.normalize(embeddings), F.normalize(self.W))
        return F.cross_entropy(self.s * (cosine - self.m * F.one_hot(labels, len(self.W))), labels)


class ProxyNCA(nn.Module):
    def __init__(self, nb_classes=5, sz_embed=8):
        super().__init__()
        self.proxies = nn.Parameter(torch.randn(nb_classes, sz_embed))

    def forward(self, X, T):
        d = torch.cdist(3 * F.normalize(X), 3 * F.normalize(self.proxies)) ** 2
        return F.cross_entropy(-d, T)


class ClipLoss(nn.Module):
    def __init__(self):
        super().__init__()
        self.logit_scale = nn.Parameter(torch.tensor(2.6593))

    def forward(self, image_features, text_features):
        a, b = F.normalize(image_features, dim=-1), F.normalize(text_features, dim=-1)
        logits = self.logit_scale.exp() * a @ b.t()
        labels = torch.arange(len(a))
        return (F.cross_entropy(logits, labels) + F.cross_entropy(logits.t(), labels)) / 2


class AdaptiveWeights(nn.Module):
    def __init__(self):
        super().__init__()
        self.alpha = nn.Parameter(torch.zeros(()))

    def forward(self, pred, gt):
        a = torch.sigmoid(self.alpha)
        return a * F.l1_loss(pred, gt) + (1 - a) * F.mse_loss(pred, gt)


STRUCTURES = [
    (detection, {"outputs_logits": "logits", "targets_labels": "index", "*_boxes": "real boxes"}),
    (depth_and_segmentation, {"preds_seg": "logits", "gt_seg": "index", "*_depth": "real"}),
    (MultiHead(), {"*_age": "real", "output_gender": "logits", "target_gender": "binary soft"}),
    (Kendall(), {"preds_*": "real", "targets_*": "real"}),
    (every_task, {"predictions_*": "real", "targets_*": "real"}),
    (named_tasks, {"outputs_*": "logits", "labels_*": "binary soft"}),
    (Criterion(), {"outputs_pred_logits": "logits", "targets_classes": "index", "*_offsets": "real boxes"}),
    (vae_dict, {"out_recon": "real", "x": "real", "out_mu": "real", "out_logvar": "real"}),
    (vae_tuple, {"outputs_recon": "real", "x": "real", "outputs_mu": "real", "outputs_logvar": "real"}),
    (two_heads, {"*_logits": "logits", "*_labels": "index", "*_offset": "real boxes", "*_delta": "real boxes"}),
    (gaussian_head, {"y_pred_mean": "real", "y_pred_log_var": "real", "y": "real"}),
    (siamese_pair, {"outputs_a": "embedding", "outputs_b": "embedding", "label": "binary"}),
    (triplet_tuple, {"embeddings_*": "embedding"}),
    (deep_supervision, {"outputs_*": "logits", "target": "binary soft"}),
    (DeepSupervision(), {"x*": "logits", "y": "index"}),
    (pyramid, {"preds_*": "real", "targets_*": "real"}),
    (multi_exit, {"logits_list_*": "logits", "labels": "index"}),
    (inception, {"outputs_*": "logits", "target": "index"}),
    (feature_matching, {"real_features_*": "real embedding", "fake_features_*": "real embedding"}),
    (raft, {"flow_preds_*": "real", "flow_gt": "real"}),
    (multiscale_hinge_d, {"outputs_real_*": "real", "outputs_fake_*": "real"}),
    (model_output, {"outputs_logits": "logits", "batch_labels": "index"}),
    (causal_lm, {"output_logits": "logits", "labels": "index"}),
    (batch_first, {"batch_target": "real", "batch_mask": "mask", "pred": "real"}),
    (returns_tuple, {"logits": "logits", "target": "index"}),
    (returns_log, {"pred": "real", "target": "real"}),
    (returns_losses, {"pred_logits": "logits", "target": "binary"}),
    (CosFace(), {"embeddings": "embedding", "labels": "index"}),
    (ProxyNCA(), {"X": "embedding", "T": "index"}),
    (ClipLoss(), {"image_features": "embedding", "text_features": "embedding"}),
    (AdaptiveWeights(), {"pred": "real", "gt": "real"}),
]
