"""Losses that are right and unusual, as strangers spell them, each beside the rule that once accused it and a loss
that the same rule must accuse. None was looked at while the rules were written.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

# --- a surrogate gradient, and what a threshold forgets ----------------------------------------------------------


def straight_through(logits, target):
    soft = torch.sigmoid(logits)
    p = (soft > 0.5).float() - soft.detach() + soft
    return ((p - target) ** 2).mean()


def clamped_logits(logits, target):
    return ((logits.clamp(0, 1) - target) ** 2).mean()


# --- labels on a scale -------------------------------------------------------------------------------------------


def coral(logits, labels):
    beyond = (labels[:, None] > torch.arange(logits.shape[1], device=logits.device)).to(logits.dtype)
    return F.binary_cross_entropy_with_logits(logits, beyond, reduction="none").sum(1).mean()


def labels_without_minus(logits, labels):
    return logits.log_softmax(1).gather(1, labels[:, None]).mean()


# --- stopped on purpose ------------------------------------------------------------------------------------------


def simsiam(p1, p2, z1, z2):
    def away(p, z):
        return -F.cosine_similarity(p, z.detach(), dim=-1).mean()

    return 0.5 * away(p1, z2) + 0.5 * away(p2, z1)


def one_view_forgotten(z1, z2, z3):
    return F.relu(F.pairwise_distance(z1, z2.detach()) - F.pairwise_distance(z1, z3) + 1).mean()


# --- coupled and drawn by design ---------------------------------------------------------------------------------


class SampledNegatives(nn.Module):
    def __init__(self, negatives=4, seed=0):
        super().__init__()
        self.negatives, self.g = negatives, torch.Generator().manual_seed(seed)

    def forward(self, user_emb, item_emb):
        positive = (user_emb * item_emb).sum(1, keepdim=True)
        drawn = torch.randint(0, len(item_emb), (len(item_emb), self.negatives), generator=self.g)
        return F.softplus((user_emb[:, None] * item_emb[drawn]).sum(-1) - positive).mean()


def spectral(recon, orig):
    a, b = torch.fft.rfft2(recon, norm="ortho"), torch.fft.rfft2(orig, norm="ortho")
    d = (a - b).abs().detach()
    weight = d / d.amax(dim=(-2, -1), keepdim=True).clamp(min=1e-12)
    return (weight * ((a - b).real ** 2 + (a - b).imag ** 2)).mean()


def against_the_first(pred, target):
    return ((pred - pred[:1]) - (target - target[:1])).square().mean()


def vicreg(x, y):
    std = [torch.sqrt(z.var(dim=0) + 1e-4) for z in (x, y)]
    spread = sum(F.relu(1 - each).mean() for each in std)
    centred = x - x.mean(0)
    cov = centred.T @ centred / (len(x) - 1)
    return 25 * F.mse_loss(x, y) + 25 * spread + (cov - torch.diag(torch.diag(cov))).pow(2).sum() / x.shape[1]


def standardised(pred, target):
    return ((pred - target) / target.std(0)).square().mean()


# --- settings ----------------------------------------------------------------------------------------------------


class Temperature(nn.Module):
    """`init` is where what it learns begins."""

    def __init__(self, init=1.0):
        super().__init__()
        self.log_t = nn.Parameter(torch.tensor(math.log(init)))

    def forward(self, logits, y):
        return F.cross_entropy(logits * torch.exp(-self.log_t), y)


class Forgotten(nn.Module):
    def __init__(self, strength=1.0):
        super().__init__()
        self.strength = strength

    def forward(self, logits, y):
        return F.cross_entropy(logits, y)


def softest(pred, target, gamma=1.0):
    return gamma * torch.logsumexp((pred - target).abs() / gamma, 1).mean()


def smoothed(logits, target, smoothing=0.1):
    t = (1 - smoothing) * F.one_hot(target, logits.shape[1]) + smoothing / logits.shape[1]
    return (t * (t.log() - logits.log_softmax(-1))).sum(-1).mean()


# --- devices -----------------------------------------------------------------------------------------------------


def _beside(x, other):
    return x if x.device == other.device else x.to(other.device)


def moved_if_elsewhere(pred, target):
    return (_beside(torch.arange(1.0, pred.shape[1] + 1), pred) * (pred - target) ** 2).mean()


def never_moved(pred, target):
    return (torch.arange(1.0, pred.shape[1] + 1) * (pred - target) ** 2).mean()


class BroughtAlong(nn.Module):
    def __init__(self, angle=40.0):
        super().__init__()
        self.steps = torch.arange(5.0) * angle

    def forward(self, pred, target):
        return (_beside(self.steps, pred) * (pred - target) ** 2).mean()


class LeftBehind(BroughtAlong):
    def forward(self, pred, target):
        return (self.steps * (pred - target) ** 2).mean()


# --- half precision ----------------------------------------------------------------------------------------------


class BatchDiceLoss(nn.Module):
    def forward(self, x, y):
        p, hot = x.softmax(1), F.one_hot(y, x.shape[1]).to(x.dtype)
        return 1 - ((2 * (p * hot).sum(0) + 1e-5) / (p.sum(0) + hot.sum(0) + 1e-5)).mean()


def softplus_by_hand(logits, target):
    """Runs in half precision."""
    return ((1 + logits.exp()).log() - target * logits).mean()


# The rule, who is innocent of it, and who is not.
# --- as well-known repositories ship them ------------------------------------------------------------------------


def consistency_of_views(logits, labels, views=3):
    """The clean batch and two augmented ones, one after another."""
    parts = torch.split(logits, len(logits) // views)
    logp = [F.log_softmax(part, 1) for part in parts]
    mixed = torch.logsumexp(torch.stack(logp), 0) - math.log(len(parts))
    js = sum(F.kl_div(mixed, each, reduction="batchmean", log_target=True) for each in logp)
    return F.cross_entropy(parts[0], labels[: len(parts[0])]) + js


def short_spectrum(audio_hat, audio):
    """Takes one wave, or a batch of them."""
    window = torch.hann_window(8, dtype=audio.dtype)
    pair = [torch.stft(x, 8, 2, window=window, return_complex=True).abs() for x in (audio_hat, audio)]
    return F.mse_loss(*pair)


def heat_map_focal(pred, heat, alpha=2.0, gamma=4.0):
    """Only what lies between 0 and 1 in the target feels gamma."""
    pred, hit = pred.clamp(1e-6, 1 - 1e-6), heat.eq(1).to(pred)
    near = (1 - pred).log() * pred**alpha * (1 - heat) ** gamma
    return -(pred.log() * (1 - pred) ** alpha * hit + near * (1 - hit)).sum() / hit.sum().clamp(min=1)


def scale_invariant_log(depth, truth, variance_focus=0.85):
    d = depth.clamp(min=1e-6).log() - truth.clamp(min=1e-6).log()
    return torch.sqrt((d**2).mean() - variance_focus * d.mean() ** 2 + 1e-8)


def chamfer(x, y):
    d = (x[:, :, None] - y[:, None]).square().sum(-1)
    return d.min(2).values.mean() + d.min(1).values.mean()


def summed_pixels(pred, target):
    return (pred - target).square().sum((1, 2, 3)).mean()


def objectness(pred_logits, true_obj, ignore_mask):
    """Cells near an object, but not responsible for it, do not count."""
    kept = true_obj + (1 - true_obj) * ignore_mask
    loss = F.binary_cross_entropy_with_logits(pred_logits, true_obj, reduction="none")
    return (loss * kept).sum() / kept.sum().clamp(min=1)


def one_term_masked(logits, labels, mask):
    hit, miss = labels * F.softplus(-logits), (1 - labels) * F.softplus(logits)
    return (hit + miss * mask).sum() / mask.sum().clamp(min=1)


PAIRS = [
    ("LS402", consistency_of_views, standardised),
    ("LS506", consistency_of_views, against_the_first),
    ("LS506", short_spectrum, against_the_first),
    ("LS805", heat_map_focal, Forgotten()),
    ("LS209", scale_invariant_log, smoothed),
    ("LS503", chamfer, summed_pixels),
    ("LS205", objectness, one_term_masked),
    ("LS803", straight_through, clamped_logits),
    ("LS701", coral, labels_without_minus),
    ("LS105", simsiam, one_view_forgotten),
    ("LS506", SampledNegatives(), against_the_first),
    ("LS506", spectral, against_the_first),
    ("LS402", vicreg, standardised),
    ("LS805", Temperature(), Forgotten()),
    ("LS209", softest, smoothed),
    ("LS603", moved_if_elsewhere, never_moved),
    ("LS604", BroughtAlong(), LeftBehind()),
    ("LS302", BatchDiceLoss(), softplus_by_hand),
]

# --- what they take ----------------------------------------------------------------------------------------------

FREQUENCIES = torch.tensor([100.0, 50.0, 10.0, 5.0, 2.0, 1.0, 1.0])


class ClassBalanced(nn.Module):
    """Of seven classes."""

    def __init__(self, beta=0.999):
        super().__init__()
        weight = (1 - beta) / (1 - beta**FREQUENCIES)
        self.register_buffer("weight", weight / weight.sum() * len(weight))

    def forward(self, logits, labels):
        return F.cross_entropy(logits, labels, weight=self.weight)


def packed_gaussian(y_pred, y_true):
    mean, log_var = y_pred[..., 0], y_pred[..., 1]
    return (0.5 * torch.exp(-log_var) * (y_true - mean) ** 2 + 0.5 * log_var).mean()


def cut_gaussian(y_pred, y_true):
    mean, log_var = y_pred.chunk(2, dim=-1)
    return (0.5 * torch.exp(-log_var) * (y_true - mean) ** 2 + 0.5 * log_var).mean()


class TwoHeads(nn.Module):
    def __init__(self):
        super().__init__()
        self.log_sigma = nn.Parameter(torch.zeros(2))

    def forward(self, preds, targets):
        ce, l2 = F.cross_entropy(preds["cls"], targets["cls"]), F.mse_loss(preds["reg"], targets["reg"])
        parts = torch.stack([ce, l2]) * torch.exp(-2 * self.log_sigma) + self.log_sigma
        return parts.sum(), {"ce": ce.detach(), "l2": l2.detach()}


def temporal_difference(q_values, actions, rewards, next_q, done, gamma=0.99):
    taken = q_values.gather(1, actions[:, None]).squeeze(1)
    with torch.no_grad():
        goal = rewards + gamma * (1 - done) * next_q.max(1)[0]
    return F.smooth_l1_loss(taken, goal)


def actor_critic(logits, values, actions, returns):
    policy = torch.distributions.Categorical(logits=logits)
    advantage = returns - values
    return (-policy.log_prob(actions) * advantage.detach() + 0.5 * advantage**2 - 0.01 * policy.entropy()).mean()


def views_of_each(features, labels):
    z = F.normalize(torch.cat(torch.unbind(features, dim=1)), dim=1)
    logits, eye = z @ z.T / 0.1, torch.eye(len(z), device=z.device)
    same = (labels[:, None] == labels[None]).float().repeat(features.shape[1], features.shape[1]) * (1 - eye)
    log_p = logits - torch.logsumexp(logits - 1e9 * eye, 1, keepdim=True)
    return -((same * log_p).sum(1) / same.sum(1)).mean()


TAKES = [
    (ClassBalanced(), {"logits": "logits", "labels": "index"}),
    (packed_gaussian, {"y_pred": "real", "y_true": "real"}),
    (cut_gaussian, {"y_pred": "real", "y_true": "real"}),
    (TwoHeads(), {"preds_cls": "logits", "targets_cls": "index", "*_reg": "real"}),
    (temporal_difference, {"q_values": "real", "actions": "index", "[rn]*": "real", "done": "binary mask"}),
    (actor_critic, {"logits": "logits", "values": "real", "actions": "index", "returns": "real"}),
    (views_of_each, {"features": "embedding", "labels": "index"}),
    (BatchDiceLoss(), {"x": "logits", "y": "index"}),
]
