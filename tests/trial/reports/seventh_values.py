# ruff: noqa
# fmt: off
# The seventh round, its numeric half: kinds of public reports (kornia, coqui TTS, pycox, torchsurv, neuraloperator, TRL,
# monodle, mmdetection, nerf) that no earlier round holds, restated before any rule was read. Above each stand the class
# of its defect and the codes that name it rightly; `mend:` is the repaired line.

# non-finite gradient: LS103 LS104 LS202 LS201
class SmallGammaFocal(nn.Module):
    def __init__(self, gamma=0.5, alpha=0.25, reduction="mean"):
        super().__init__()
        self.gamma = gamma
        self.alpha = alpha
        self.reduction = reduction

    def forward(self, x, y):
        assert x.shape == y.shape
        p = torch.sigmoid(x)
        a = -self.alpha * torch.pow(1.0 - p, self.gamma) * y * F.logsigmoid(x)  # mend: a = -self.alpha * torch.pow(torch.sigmoid(-x) + 1e-6, self.gamma) * y * F.logsigmoid(x)
        b = -(1 - self.alpha) * torch.pow(p, self.gamma) * (1 - y) * F.logsigmoid(-x)  # mend: b = -(1 - self.alpha) * torch.pow(p + 1e-6, self.gamma) * (1 - y) * F.logsigmoid(-x)
        out = a + b
        if self.reduction == "mean":
            return out.mean()
        if self.reduction == "sum":
            return out.sum()
        return out


# wrong formula: LS701 LS208
def melgan_adv_losses(scores_real, scores_fake):
    """Discriminator, least squares; scores of real and of generated audio (N, T)."""
    real_loss = torch.mean((1 - scores_real) ** 2)
    fake_loss = torch.mean((1 - scores_fake) ** 2)  # mend: fake_loss = torch.mean(scores_fake ** 2)
    return real_loss + fake_loss


# dead term: LS106 LS105
def multi_period_discriminator_loss(reals, fakes):
    """Lists of scores, one for each discriminator."""
    real_loss, fake_loss = 0.0, 0.0
    for r, f in zip(reals, fakes):
        real_loss = F.relu(1 - r).mean()  # mend: real_loss = real_loss + F.relu(1 - r).mean()
        fake_loss = F.relu(1 + f).mean()  # mend: fake_loss = fake_loss + F.relu(1 + f).mean()
    return real_loss + fake_loss


# wrong formula: LS701 LS205 LS106
def nll_logistic_hazard_like(phi, durations, events):
    """Logits of the hazards (N, K), the bin of each (N,), and 1 where the event was seen."""
    k = torch.arange(phi.shape[1], device=phi.device)
    y = ((k[None] == durations[:, None]) & (events[:, None] > 0)).to(phi.dtype)
    bce = F.binary_cross_entropy_with_logits(phi, y, reduction="none")
    at_risk = k[None] < durations[:, None]  # mend: at_risk = k[None] <= durations[:, None]
    return (bce * at_risk).sum(1).mean()


# wrong direction: LS701 LS208
def nll_surv(hazard_logits, y, c, alpha=0.15):
    """Bins (N,), c is 1 where the patient left the study."""
    h = torch.sigmoid(hazard_logits)
    s = torch.cumprod(1 - h, dim=1)
    s_padded = torch.cat([torch.ones_like(s[:, :1]), s], 1)
    yy = y[:, None]
    s_prev = s_padded.gather(1, yy).clamp(min=1e-7)
    h_this = h.gather(1, yy).clamp(min=1e-7)
    s_this = s_padded.gather(1, yy + 1).clamp(min=1e-7)
    unc = -(1 - c[:, None]) * (torch.log(s_prev) - torch.log(h_this))  # mend: unc = -(1 - c[:, None]) * (torch.log(s_prev) + torch.log(h_this))
    cens = -c[:, None] * torch.log(s_this)
    return ((1 - alpha) * (unc + cens) + alpha * unc).mean()


# wrong formula: LS701 LS404 LS208
class PoissonEquationLoss(nn.Module):
    """Residual inside the domain and on its edge."""

    def __init__(self, interior_weight=0.5, boundary_weight=2.0):
        super().__init__()
        self.interior_weight = interior_weight
        self.boundary_weight = boundary_weight

    def forward(self, lap_u, source, u_edge, g_edge):
        assert lap_u.shape == source.shape and u_edge.shape == g_edge.shape
        inside = (lap_u - source).mean() ** 2  # mend: inside = ((lap_u - source) ** 2).mean()
        edge = ((u_edge - g_edge) ** 2).mean()
        return self.interior_weight * inside + self.boundary_weight * edge


# wrong formula: LS208 LS701
def orpo_objective(chosen_logps, rejected_logps, beta=0.1):
    """Mean log-probabilities of the answers, all below zero."""
    log_odds = (chosen_logps - rejected_logps) - (torch.log1p(-chosen_logps.exp()) - torch.log1p(-rejected_logps.exp()))
    ratio = F.logsigmoid(log_odds)
    return (chosen_logps - beta * ratio).mean()  # mend: return (-chosen_logps - beta * ratio).mean()


# wrong direction: LS701 LS208 LS106
def kto_like(policy_logps, ref_logps, is_desirable, beta=0.1):
    """is_desirable is 1 for answers that are wanted."""
    r = beta * (policy_logps - ref_logps)
    good = 1 - torch.sigmoid(r)
    bad = 1 - torch.sigmoid(r)  # mend: bad = 1 - torch.sigmoid(-r)
    return torch.where(is_desirable > 0.5, good, bad).mean()


# wrong direction: LS701 LS208
def simpo_hinge(chosen_logps, rejected_logps, gamma=1.0):
    assert chosen_logps.shape == rejected_logps.shape
    return F.relu(gamma - (rejected_logps - chosen_logps)).mean()  # mend: return F.relu(gamma - (chosen_logps - rejected_logps)).mean()


# wrong direction: LS701 LS208
class GumbelNLL(nn.Module):
    """Likelihood of extreme values."""

    def forward(self, loc, log_beta, y):
        assert loc.shape == log_beta.shape == y.shape
        z = (y - loc) * torch.exp(-log_beta)
        return (log_beta + z - torch.exp(-z)).mean()  # mend: return (log_beta + z + torch.exp(-z)).mean()


# wrong formula: LS701
def label_relaxed_kl(logits, labels, alpha=0.1):
    c = logits.shape[1]
    one = F.one_hot(labels, c).to(logits.dtype)
    soft = (1 - one) * (1 - alpha) / (c - 1) + one * alpha  # mend: soft = one * (1 - alpha) + (1 - one) * alpha / (c - 1)
    return -(soft * F.log_softmax(logits, 1)).sum(1).mean()


# wrong formula: LS208 LS701
def relative_l2_operator(out, y):
    """Neural operators: the norm of the error, divided by a norm. (N, D)."""
    assert out.shape == y.shape
    diff = (out - y).square().sum(1)
    return (diff / (out.square().sum(1) + 1e-6)).mean()  # mend: return (diff / (y.square().sum(1) + 1e-6)).mean()


# logits and probabilities: LS801 LS803
class CrfFreeTagger(nn.Module):
    def __init__(self, pad=-100, label_smoothing=0.0):
        super().__init__()
        self.pad = pad
        self.label_smoothing = label_smoothing

    def forward(self, emissions, tags):
        """(B, T, C) and (B, T)."""
        lp = F.log_softmax(emissions, -1)
        return F.cross_entropy(lp.softmax(-1).transpose(1, 2), tags, ignore_index=self.pad, label_smoothing=self.label_smoothing)  # mend: return F.cross_entropy(lp.transpose(1, 2), tags, ignore_index=self.pad, label_smoothing=self.label_smoothing)


# logits and probabilities: LS801 LS803 LS201 LS208 LS701
def transducer_nll(net_out, target):
    return F.nll_loss(F.softmax(net_out, dim=1), target)  # mend: return F.nll_loss(F.log_softmax(net_out, dim=1), target)


# logits and probabilities: LS801 LS803
def jax_twice_sigmoid(logits, labels):
    p = jax.nn.sigmoid(logits)
    return (jax.nn.softplus(p) - p * labels).mean()  # mend: return (jax.nn.softplus(logits) - logits * labels).mean()


# argument order: LS802 LS803 LS201
def teacher_student_kl(student_logits, teacher_logits, T=3.0):
    s = F.log_softmax(student_logits / T, dim=-1)
    t = F.softmax(teacher_logits.detach() / T, dim=-1)
    return F.kl_div(t, s, reduction="batchmean") * T * T  # mend: return F.kl_div(s, t, reduction="batchmean") * T * T


# index semantics: LS701
def one_based_labels_ce(logits, classes):
    """classes are 0 ... C-1."""
    return F.cross_entropy(logits, (classes - 1).clamp(min=0))  # mend: return F.cross_entropy(logits, classes)


# wrong gradient: LS101
class RoundedSTE(torch.autograd.Function):
    """Quantised error, squared: the rounding passes the gradient on."""

    @staticmethod
    def forward(ctx, a, b):
        ctx.save_for_backward(a, b)
        return ((a - b) ** 4).sum()

    @staticmethod
    def backward(ctx, g):
        a, b = ctx.saved_tensors
        d = 4 * (a - b) ** 2 * g  # mend: d = 4 * (a - b) ** 3 * g
        return d, -d


# wrong gradient: LS101
class FusedLabelSmoothing(torch.autograd.Function):
    @staticmethod
    def forward(ctx, scores, idx, smooth=0.1):
        lp = torch.log_softmax(scores, -1)
        ctx.save_for_backward(lp, idx)
        ctx.smooth = smooth
        return -((1 - smooth) * lp.gather(-1, idx[:, None]).squeeze(-1) + smooth * lp.mean(-1)).mean()

    @staticmethod
    def backward(ctx, grad):
        lp, idx = ctx.saved_tensors
        n, c = lp.shape
        q = torch.full_like(lp, ctx.smooth / c)
        q.scatter_(-1, idx[:, None], 1 - ctx.smooth)  # mend: q.scatter_(-1, idx[:, None], 1 - ctx.smooth + ctx.smooth / c)
        return grad * (lp.exp() - q) / n, None, None


# missing gradient: LS105
def perceptual_quantised_l1(img, ref):
    """Images in 0..1, (N, C, H, W), compared as bytes."""
    assert img.shape == ref.shape
    a = (img * 255).to(torch.uint8).float() / 255  # mend: a = img
    return (a - ref).abs().mean()


# missing gradient: LS105
class WordTimingLoss(nn.Module):
    def forward(self, log_durations, durations):
        assert log_durations.shape == durations.shape
        est = torch.tensor(log_durations.exp().tolist(), device=log_durations.device)  # mend: est = log_durations.exp()
        return F.l1_loss(est, durations)


# dead gradient: LS207 LS105 LS706
def hard_threshold_iou(prob, mask):
    assert prob.shape == mask.shape
    b = (prob > 0.5).to(prob.dtype) * prob  # mend: b = prob
    inter = (b * mask).sum()
    return 1 - (inter + 1) / (b.sum() + mask.sum() - inter + 1)


# leak into target: LS107
class MomentumPredictor(nn.Module):
    def __init__(self, temperature=0.2, weight=1.0):
        super().__init__()
        self.t = temperature
        self.weight = weight

    def forward(self, online_proj, target_proj):
        p = F.normalize(online_proj, dim=-1)
        z = F.normalize(target_proj, dim=-1)  # mend: z = F.normalize(target_proj.detach(), dim=-1)
        return self.weight * (2 - 2 * (p * z).sum(-1)).mean() / self.t


# nan hidden: LS103 LS104 LS201 LS202
def safe_log_ratio(y_pred, y_true):
    assert y_pred.shape == y_true.shape
    r = torch.log(y_pred / y_true) ** 2  # mend: r = (torch.log(y_pred.clamp(min=1e-3)) - torch.log(y_true.clamp(min=1e-3))) ** 2
    r[torch.isnan(r)] = 0  # mend: pass
    return r.mean()


# non-finite value: LS201 LS103 LS202 LS302 LS307
class NakedSoftmaxNCE(nn.Module):
    def __init__(self, tau=0.07):
        super().__init__()
        self.tau = tau

    def forward(self, anchor, positive):
        a = F.normalize(anchor, dim=1)
        p = F.normalize(positive, dim=1)
        e = torch.exp(anchor @ positive.T / self.tau)  # mend: e = torch.exp(a @ p.T / self.tau - 1 / self.tau)
        return -torch.log(e.diagonal() / e.sum(1)).mean()


# low precision: LS301 LS302 LS303
def mined_similarity_loss(emb, labels):
    """Hardest positive and negative by cosine."""
    f = F.normalize(emb, dim=1)
    sim = f @ f.T
    same = labels[:, None] == labels[None]
    pos = sim.masked_fill(~same, 1e9).amin(1)  # mend: pos = torch.where(same, sim, 2.0).amin(1)
    neg = sim.masked_fill(same, -1e9).amax(1)  # mend: neg = torch.where(same, -2.0, sim).amax(1)
    return F.relu(neg - pos + 0.2).mean()


# dtype promotion: LS306
class RayDistortion(nn.Module):
    """Weights (N, S) of the samples of a ray."""

    def __init__(self, samples=8):
        super().__init__()
        self.register_buffer("t", torch.linspace(0, 1, samples, dtype=torch.float64))  # mend: self.register_buffer("t", torch.linspace(0, 1, samples))

    def forward(self, w, w_true):
        """(N, 8), (N, 8)."""
        return (((w - w_true) * self.t).sum(1) ** 2).mean()
