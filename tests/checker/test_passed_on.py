"""Losses that are passed from hand to hand, in the words that they have there, are read as they are meant."""

import math

import jax
import pytest
import torch
from ruletest import answer
from torch import nn
from torch.nn import functional as F

from lossmith.checker.infer import infer
from lossmith.checker.rules import ls102_ignores_grad_output as ls102
from lossmith.checker.subject import Subject


def taken(loss):
    return [str(one.domain) for one in infer(Subject.of("loss", loss))[0].arguments]


def siamese(output1, output2, label):
    distance = F.pairwise_distance(output1, output2)
    return ((1 - label) * distance.square() + label * (2.0 - distance).clamp(min=0).square()).mean()


def siamese_by_choice(out1, out2, label):
    apart = (out1 - out2).square().sum(1)
    return torch.where(label == 1, apart, (2.0 - (apart + 1e-6).sqrt()).clamp(min=0).square()).mean()


def two_passes_of_jax(logits1, logits2, labels):
    """jax looks up past the end, and a label that is no class is a row of zeros."""
    chosen = jax.nn.one_hot(labels, logits1.shape[-1])
    return -sum((chosen * jax.nn.log_softmax(each)).sum(-1).mean() for each in (logits1, logits2))


def two_passes_compared(logits1, logits2, labels):
    chosen = (labels[:, None] == torch.arange(logits1.shape[1], device=labels.device)).to(logits1.dtype)
    return -sum((chosen * each.log_softmax(1)).sum(1).mean() for each in (logits1, logits2))


def vae(recon_x, x, mu, logvar):
    kld = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
    return F.binary_cross_entropy(recon_x, x, reduction="sum") + kld


def dice_and_bce(inputs, targets):
    p = torch.sigmoid(inputs)
    overlap = 1 - (2 * (p * targets).sum() + 1) / (p.sum() + targets.sum() + 1)
    return F.binary_cross_entropy(p, targets) + overlap


class Centers(nn.Module):
    """Labels are only compared with the classes."""

    def __init__(self):
        super().__init__()
        self.centers = nn.Parameter(torch.randn(5, 8, generator=torch.Generator().manual_seed(0)))

    def forward(self, x, labels):
        mine = labels[:, None].eq(torch.arange(5, device=x.device))
        return ((torch.cdist(x, self.centers) ** 2) * mine).clamp(min=1e-12).sum() / len(x)


class Contrast(nn.Module):
    """Several views of each sample, of which it flattens what is behind two axes."""

    def forward(self, features, labels):
        features = F.normalize(features.view(features.shape[0], features.shape[1], -1), dim=2)
        n, v, _ = features.shape
        rows = torch.cat(torch.unbind(features, 1), 0)
        similar = rows @ rows.T / 0.07
        similar = similar - similar.max(1, keepdim=True)[0].detach()
        others = 1 - torch.eye(n * v, device=rows.device)
        alike = (labels[:, None] == labels[None]).to(rows.dtype).repeat(v, v) * others
        log_p = similar - (similar.exp() * others).sum(1, keepdim=True).log()
        return -((alike * log_p).sum(1) / alike.sum(1)).mean()


def with_a_queue(q, k, queue):
    q, k = F.normalize(q, dim=1), F.normalize(k, dim=1)
    logits = torch.cat([(q * k).sum(1, keepdim=True), torch.einsum("nc,ck->nk", q, queue)], 1) / 0.07
    return F.cross_entropy(logits, torch.zeros(len(q), dtype=torch.long, device=q.device))


def slopes_of_frames(gen_frames, gt_frames):
    def both(x):
        return (x[..., 1:, :-1] - x[..., :-1, :-1]).abs(), (x[..., :-1, 1:] - x[..., :-1, :-1]).abs()

    return sum((a - b).abs() for a, b in zip(both(gen_frames), both(gt_frames), strict=True)).mean()


def two_critics(current_q1, current_q2, target_q):
    return F.mse_loss(current_q1, target_q) + F.mse_loss(current_q2, target_q)


def mixture(pi, sigma, mu, target):
    each = torch.exp(-0.5 * ((target[:, None] - mu) / sigma) ** 2) / (sigma * math.sqrt(2 * math.pi))
    return -((pi * each.prod(2)).sum(1) + 1e-8).log().mean()


def more_zeros(x, mean, disp, pi):
    none = disp * (disp.log() - (disp + mean).log())
    some = torch.lgamma(disp) + torch.lgamma(x + 1) - torch.lgamma(x + disp) - none - x * (mean / (disp + mean)).log()
    return torch.where(x < 1e-8, -(pi + (1 - pi) * none.exp()).log(), some - (1 - pi).log()).mean()


def self_distilled(student_out, teacher_out, center):
    share = F.softmax((teacher_out - center) / 0.04, dim=-1).detach()
    return -(share * F.log_softmax(student_out / 0.1, dim=-1)).sum(-1).mean()


def ranknet(s1, s2, t):
    return F.binary_cross_entropy_with_logits(s1 - s2, t)


def orthogonal(trans):
    eye = torch.eye(trans.shape[1], device=trans.device)
    return torch.linalg.matrix_norm(trans @ trans.transpose(2, 1) - eye).mean()


def of_noise(eps_pred, eps, snr):
    return ((snr.clamp(max=5.0) / snr) * (eps_pred - eps).square().mean(dim=(1, 2, 3))).mean()


READ = [
    (siamese, ["embedding[N,D]", "embedding[N,D]", "binary[N]"]),
    (siamese_by_choice, ["embedding[N,D]", "embedding[N,D]", "binary[N]"]),
    (two_passes_of_jax, ["logits[N,C]", "logits[N,C]", "index[N]"]),
    (two_passes_compared, ["logits[N,C]", "logits[N,C]", "index[N]"]),
    (vae, ["prob[N,C]", "binary[N,C]", "real[N,C]", "real[N,C]"]),
    (dice_and_bce, ["logits[N,C]", "binary[N,C]"]),
    (Centers(), ["embedding[N,D]", "index[N]"]),
    (Contrast(), ["embedding[N,T,D]", "index[N]"]),
    (with_a_queue, ["embedding[N,D]", "embedding[N,D]", "embedding[D,K]"]),
    (slopes_of_frames, ["real[N,1,H,W]", "real[N,1,H,W]"]),
    (two_critics, ["real[N]", "real[N]", "real[N]"]),
    (mixture, ["simplex[N,C]", "positive[N,C,D]", "real[N,C,D]", "real[N,D]"]),
    (more_zeros, ["count[N,C]", "positive[N,C]", "positive[N,C]", "prob[N,C]"]),
    (self_distilled, ["logits[N,C]", "logits[N,C]", "real[1,C]"]),
    (ranknet, ["real[N]", "real[N]", "binary[N]"]),
    (orthogonal, ["real[N,D,D]"]),
    (of_noise, ["real[N,1,H,W]", "real[N,1,H,W]", "positive[N]"]),
]


@pytest.mark.parametrize(("loss", "takes"), READ, ids=lambda one: getattr(one, "__name__", type(one).__name__))
def test_it_is_read_as_it_is_meant(loss, takes):
    assert taken(loss) == takes


def by_views(features, labels):
    return Contrast()(features, labels)


class Halved(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.sum()

    @staticmethod
    def backward(ctx, *grads):
        return torch.full((6, 8), 1e-9, dtype=torch.float64)


def test_a_gradient_of_rounding_alone_is_not_asked_for_proportion():
    status, _ = answer(ls102, by_views, features="embedding[N,D]", labels="index[N]")
    assert (status.status, status.reason) == ("skipped", "the gradient is nothing but rounding")
    assert answer(ls102, lambda x: Halved.apply(x), x="real[N,D]")[0].status == "failed"
