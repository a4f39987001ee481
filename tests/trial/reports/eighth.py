# ruff: noqa
# fmt: off
# The eighth round: written when the seventh was mended, by the one who mended it. Above each defect stand its class and
# the codes that name it rightly; those without a class are innocent.

# logits and probabilities: LS801 LS803
class LabelNoiseRobust(nn.Module):
    def __init__(self, num_classes=5, alpha=1.0, beta=0.5):
        super().__init__()
        self.num_classes = num_classes
        self.alpha = alpha
        self.beta = beta

    def forward(self, outs, labels):
        p = F.softmax(outs, dim=1)
        centred = p - p.mean(0, keepdim=True).detach()
        ce = F.cross_entropy(p, labels)  # mend: ce = F.cross_entropy(outs, labels)
        one = F.one_hot(labels, p.shape[1]).to(p.dtype)
        mae = (1 - (p * one).sum(1)).mean()
        return self.alpha * ce + self.beta * mae + 0.0 * centred.sum()


# logits and probabilities: LS801 LS803
def aux_head_bce(main, aux, gt):
    """Maps of logits (N, H, W), twice, and 0 and 1."""
    a = F.binary_cross_entropy_with_logits(main, gt)
    b = F.binary_cross_entropy_with_logits(torch.sigmoid(aux) - 0.0, gt)  # mend: b = F.binary_cross_entropy_with_logits(aux, gt)
    return a + 0.4 * b


# wrong direction: LS701 LS208
def rank_hinge(sim_pos, sim_neg, m=0.2):
    assert sim_pos.shape == sim_neg.shape
    return (m + sim_pos - sim_neg).clamp(min=0).mean()  # mend: return (m + sim_neg - sim_pos).clamp(min=0).mean()


# wrong direction: LS701 LS106
def churn_hazard_nll(hazard, month, churned):
    """Logits (N, K), the month (N,) and whether the client left then."""
    keep = F.logsigmoid(-hazard)
    alive = torch.cat([torch.zeros_like(keep[:, :1]), keep.cumsum(1)], 1).gather(1, month[:, None]).squeeze(1)
    gone = F.logsigmoid(hazard).gather(1, month[:, None]).squeeze(1)
    stay = keep.gather(1, month[:, None]).squeeze(1)
    return -(alive + torch.where(churned > 0, stay, stay)).mean()  # mend: return -(alive + torch.where(churned > 0, gone, stay)).mean()


# wrong direction: LS701 LS208
class RelativisticD(nn.Module):
    def forward(self, d_real, d_fake):
        return F.softplus(d_real - d_fake).mean()  # mend: return F.softplus(d_fake - d_real).mean()


# wrong formula: LS208 LS701
def vmf_like_nll(mu_hat, log_kappa, y):
    """Directions in the plane as angles."""
    assert mu_hat.shape == log_kappa.shape == y.shape
    k = log_kappa.exp()
    return (-k * torch.cos(y - mu_hat) - log_kappa).mean()  # mend: return (k * (1 - torch.cos(y - mu_hat)) - 0.5 * log_kappa + 0.05 * k.square()).mean()


# empty batch: LS204
def matched_l1(box_pred, box_gt, matched):
    """(N, 4) twice, and 1 where an anchor has a box."""
    on = matched == 1
    d = (box_pred - box_gt).abs().sum(1)
    return d[on].sum() / on.sum()  # mend: return d[on].sum() / on.sum().clamp(min=1)


# empty batch: LS204
class ForegroundCE(nn.Module):
    def __init__(self, bg=0, scale=1.0):
        super().__init__()
        self.bg, self.scale = bg, scale

    def forward(self, cls_logits, cls_ids):
        """(N, C) and (N,): only what is no background counts."""
        fg = cls_ids != self.bg
        return self.scale * F.cross_entropy(cls_logits[fg], cls_ids[fg])  # mend: return self.scale * F.cross_entropy(cls_logits[fg], cls_ids[fg], reduction="sum") / fg.sum().clamp(min=1)


# mask: LS205 LS507
def padded_token_entropy(logits, attn_mask):
    """Entropy of (B, T, V), where attn_mask (B, T) is 1."""
    lp = logits.log_softmax(-1)
    h = -(lp.exp() * lp).sum(-1)
    return (h * attn_mask).sum() / attn_mask.numel()  # mend: return (h * attn_mask).sum() / attn_mask.sum().clamp(min=1)


# weights: LS404 LS106
def click_loss(score, clicked, propensity_weight):
    assert score.shape == clicked.shape
    l = F.binary_cross_entropy_with_logits(score, clicked)  # mend: l = F.binary_cross_entropy_with_logits(score, clicked, reduction="none")
    return (l * propensity_weight).mean()


# axis or layout: LS701 LS502
class AttentionOverKeys(nn.Module):
    def forward(self, scores, right_key):
        e = torch.exp(scores - scores.max(0, keepdim=True).values)  # mend: e = torch.exp(scores - scores.max(1, keepdim=True).values)
        p = e / e.sum(0, keepdim=True)  # mend: p = e / e.sum(1, keepdim=True)
        return -torch.log(p.gather(1, right_key[:, None]) + 1e-9).mean()


# dead hyper-parameter: LS805
class Bootstrapped(nn.Module):
    def __init__(self, beta=0.95, hard=False):
        super().__init__()
        self.beta = beta
        self.hard = hard

    def forward(self, logits, labels):
        ce = F.cross_entropy(logits, labels)
        p = logits.softmax(1).detach()
        boot = -(p * logits.log_softmax(1)).sum(1).mean()
        beta = 0.95  # mend: beta = self.beta
        return beta * ce + (0.0 if self.hard else 1 - beta) * boot


# wrong gradient: LS101
class PowerLoss(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, y):
        d = x - y
        ctx.save_for_backward(d)
        return d.abs().pow(1.5).mean()

    @staticmethod
    def backward(ctx, g):
        d, = ctx.saved_tensors
        gx = 1.5 * d.abs().sqrt() * g / d.numel()  # mend: gx = 1.5 * d.abs().sqrt() * d.sign() * g / d.numel()
        return gx, -gx


# missing gradient: LS105
def soft_count(pred_prob, truth):
    n = (pred_prob > 0.5).sum(1).to(pred_prob.dtype)  # mend: n = pred_prob.sum(1)
    return (n - truth.sum(1)).abs().mean()


# leak into target: LS107
def vicreg_like_predictor(online_feat, ema_feat):
    a, b = F.normalize(online_feat, dim=1), F.normalize(ema_feat, dim=1)  # mend: a, b = F.normalize(online_feat, dim=1), F.normalize(ema_feat.detach(), dim=1)
    return (a - b).square().sum(1).mean()


# input mutation: LS605
def centred_returns_loss(value, ret):
    assert value.shape == ret.shape
    ret -= ret.mean()  # mend: ret = ret - ret.mean()
    return (value - ret).square().mean()


# batch size hard-coded: LS616
class FixedPairs(nn.Module):
    def __init__(self, n=4):  # mend: def __init__(self):
        super().__init__()
        self.n = n  # mend: pass

    def forward(self, left, right):
        d = torch.cdist(left, right)
        return F.cross_entropy(-d, torch.arange(self.n, device=d.device))  # mend: return F.cross_entropy(-d, torch.arange(len(d), device=d.device))


# non-finite gradient: LS104 LS103 LS202
def unit_vector_angle(n_pred, n_gt):
    a, b = F.normalize(n_pred, dim=-1), F.normalize(n_gt, dim=-1)
    return torch.acos((a * b).sum(-1).clamp(-1, 1)).mean()  # mend: return torch.atan2(((a - b).square().sum(-1) + 1e-9).sqrt(), ((a + b).square().sum(-1) + 1e-9).sqrt()).mean()


# wrong reduction: LS505
class Quantised(nn.Module):
    def __init__(self, reduction="mean", w=1.0):
        super().__init__()
        self.reduction = reduction
        self.w = w

    def forward(self, a, b):
        assert a.shape == b.shape
        l = self.w * (a - b).abs()
        if self.reduction == "sum":
            return l.sum() / l.shape[0]  # mend: return l.sum()
        return l.mean() if self.reduction == "mean" else l


# stateful across calls: LS607
class Curriculum(nn.Module):
    def __init__(self, keep=0.5):
        super().__init__()
        self.keep = keep

    def forward(self, logits, labels):
        l = F.cross_entropy(logits, labels, reduction="none")
        self.keep = min(1.0, self.keep + 0.1)  # mend: pass
        k = max(int(self.keep * len(l)), 1)
        return l.sort().values[:k].mean()


def desirable_or_not(logp, ref_logp, wanted, beta=0.1):
    """1 where an answer is wanted."""
    r = beta * (logp - ref_logp)
    return torch.where(wanted > 0, 1 - torch.sigmoid(r), 1 - torch.sigmoid(-r)).mean()


def tobit_nll(mean, y, at_limit):
    """Observations at a limit are only known to be above it; the width is 1."""
    inside = 0.5 * (y - mean).square()
    above = -torch.special.log_ndtr(mean - y)
    return torch.where(at_limit > 0, above, inside).mean()


def inverse_propensity(outcome, observed_outcome, treated):
    assert outcome.shape == observed_outcome.shape
    return ((1 + treated) * (outcome - observed_outcome).square()).mean()


class PerDomainTemperature(nn.Module):
    """A flag chooses one of two temperatures."""

    def __init__(self, cold=0.5, warm=2.0):
        super().__init__()
        self.cold, self.warm = cold, warm

    def forward(self, logits, labels, domain):
        t = torch.where(domain > 0, self.warm, self.cold)[:, None]
        return F.cross_entropy(logits / t, labels)


def sigmoid_margin(score, y):
    """Ramp loss: outliers cost no more than one."""
    s = 2 * y - 1
    return torch.sigmoid(-4 * s * score).mean()


def softmax_over_batch_attention(scores, value):
    """Attention over the batch on purpose: what is attended to is averaged, and compared with the mean."""
    return ((scores.softmax(0) * value).sum(0) - value.mean(0)).square().mean()


def in_batch_correct(logits, labels):
    """Logits that are corrected by how often a class is predicted in the batch."""
    prior = logits.softmax(1).mean(0).detach().clamp(min=1e-4).log()
    return F.cross_entropy(logits - prior, labels)


def w_distance(critic_real, critic_fake):
    return critic_fake.mean() - critic_real.mean()


def feature_gap(real_scores, fake_scores):
    """Moments are matched."""
    return (real_scores.mean(0) - fake_scores.mean(0)).square().sum() + (real_scores.std(0) - fake_scores.std(0)).square().sum()


class SoftTopK(nn.Module):
    def __init__(self, k=2, tau=1.0):
        super().__init__()
        self.k = k
        self.tau = tau

    def forward(self, x, y):
        """(N, C) and (N,): the label is to be among the best k."""
        others = x.masked_fill(F.one_hot(y, x.shape[1]).bool(), float("-inf"))
        kth = others.topk(self.k, dim=1).values[:, -1]
        return F.softplus((kth - x.gather(1, y[:, None]).squeeze(1) + 1.0) / self.tau).mean()


def probabilities_then_nll(x, y):
    p = x.softmax(1) - 1e-7
    return F.nll_loss((p + 2e-7).log(), y)


def distil_centred(student, teacher):
    s = student - student.mean(1, keepdim=True)
    t = (teacher - teacher.mean(1, keepdim=True)).detach()
    return (s - t).square().mean()


def gap_to_oracle(q, q_star, chosen):
    """Q values (N, A), those of an oracle, and which action was chosen (N,)."""
    return (q - q_star.detach()).square().gather(1, chosen[:, None]).mean()


class SpectrumWithPhase(nn.Module):
    def forward(self, wave, clean):
        assert wave.shape == clean.shape
        a, b = torch.fft.rfft(wave), torch.fft.rfft(clean)
        return ((a.real - b.real).square() + (a.imag - b.imag).square()).mean()


def log_sum_penalty(x):
    return torch.log1p(x.abs() / 0.1).mean()


def gaussian_kl_between(mu1, logvar1, mu2, logvar2):
    return 0.5 * (logvar2 - logvar1 + (logvar1 - logvar2).exp() + (mu1 - mu2).square() / logvar2.exp() - 1).sum(1).mean()


def bounded_kl_penalty(logp, logp_old):
    """k3 of Schulman: never below zero."""
    d = logp_old.detach() - logp
    return (d.exp() - 1 - d).mean()


def spo_like(logp, old_logp, advantages, eps=0.2):
    ratio = (logp - old_logp).exp()
    return -(ratio * advantages - advantages.abs() / (2 * eps) * (ratio - 1).square()).mean()


class TwoStageDetector(nn.Module):
    """Returns a dictionary."""

    def forward(self, scores, labels, deltas, targets):
        """(N, C), (N,), (N, 4), (N, 4)."""
        cls = F.cross_entropy(scores, labels)
        reg = F.smooth_l1_loss(deltas, targets, beta=0.1)
        return {"loss_cls": cls, "loss_reg": reg}


def ordinal_squared(logits, grade):
    """The expected grade against the grade, with cross-entropy beside it."""
    p = logits.softmax(1)
    steps = torch.arange(p.shape[1], device=p.device, dtype=p.dtype)
    return ((p * steps).sum(1) - grade).square().mean() + F.cross_entropy(logits, grade)


def jax_censored(mean, y, cens):
    e = 0.5 * (y - mean) ** 2
    return jnp.where(cens > 0, jax.nn.softplus(y - mean), e).mean()


def keras_sym_kl(y_true, y_pred):
    p, q = ops.clip(y_true, 1e-6, 1.0), ops.clip(y_pred, 1e-6, 1.0)
    return ops.sum((p - q) * (ops.log(p) - ops.log(q)), axis=-1)
