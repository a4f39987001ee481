# ruff: noqa
# fmt: off
# The seventh round's innocents: unusual, and right.


def nerf_distortion(weights, midpoints):
    """Mip-NeRF 360: samples of a ray are to lie together. Both (N, S)."""
    gap = (midpoints[:, :, None] - midpoints[:, None, :]).abs()
    return (weights[:, :, None] * weights[:, None, :] * gap).sum((1, 2)).mean()


class EikonalSdf(nn.Module):
    """Signed distances, and gradients of length one."""

    def __init__(self, lam=0.1):
        super().__init__()
        self.lam = lam

    def forward(self, sdf, sdf_gt, normals):
        """(N,), (N,), (N, 3)."""
        return (sdf - sdf_gt).abs().mean() + self.lam * ((normals.square().sum(-1) + 1e-9).sqrt() - 1).square().mean()


def burgers(u, u_t, u_x, u_xx, nu=0.01):
    """A residual: nothing is predicted, it is to be zero."""
    return (u_t + u * u_x - nu * u_xx).square().mean()


def causal_pinn(residuals, eps=1.0):
    """(N, T): later times count once earlier ones are solved."""
    l = residuals.square().mean(0)
    w = torch.exp(-eps * (l.cumsum(0) - l)).detach()
    return (w * l).mean()


def cox_breslow(risk, time, event):
    order = time.argsort(descending=True)
    r, e = risk[order], event[order].to(risk.dtype)
    return -((r - torch.logcumsumexp(r, 0)) * e).sum() / e.sum().clamp(min=1)


def bpr_max(pos, negs, reg=1.0):
    """A positive (N,), and its sampled negatives (N, K)."""
    w = negs.softmax(1)
    return (-torch.log((w * torch.sigmoid(pos[:, None] - negs)).sum(1) + 1e-9) + reg * (w * negs.square()).sum(1)).mean()


def top1_ranking(pos, negs):
    """Hidasi et al.: negatives are pressed to zero as well."""
    return (torch.sigmoid(negs - pos[:, None]) + torch.sigmoid(negs.square())).mean()


def warp_like(pos, negs, margin=1.0):
    """Weights of the rank are counted, not learnt."""
    v = (margin - pos[:, None] + negs).clamp(min=0)
    rank = (v > 0).sum(1).to(pos.dtype)
    return (torch.log1p(rank) * v.mean(1)).mean()


class AdaptiveWingHeatmap(nn.Module):
    def __init__(self, omega=14.0, theta=0.5, epsilon=1.0, alpha=2.1):
        super().__init__()
        self.omega, self.theta, self.epsilon, self.alpha = omega, theta, epsilon, alpha

    def forward(self, heat, heat_gt):
        """Heat maps in 0..1, (N, K, H, W)."""
        assert heat.shape == heat_gt.shape
        d = (heat - heat_gt).abs()
        p = self.alpha - heat_gt
        t = (self.theta / self.epsilon) ** p
        a = self.omega / (1 + t) * p * (self.theta / self.epsilon) ** (p - 1) / self.epsilon
        c = self.theta * a - self.omega * torch.log1p(t)
        small = self.omega * torch.log1p((d.clamp(max=self.theta) / self.epsilon + 1e-6) ** p)
        return torch.where(d < self.theta, small, a * d - c).mean()


class LogCoshDice(nn.Module):
    def __init__(self, smooth=1.0):
        super().__init__()
        self.smooth = smooth

    def forward(self, logits, mask):
        assert logits.shape == mask.shape
        p = torch.sigmoid(logits).flatten(1)
        m = mask.flatten(1)
        d = 1 - (2 * (p * m).sum(1) + self.smooth) / (p.sum(1) + m.sum(1) + self.smooth)
        return torch.log(torch.cosh(d)).mean()


def unlikelihood(logits, target, alpha=1.0):
    """Tokens that came before are to be unlikely: (B, T, V), (B, T)."""
    lp = logits.log_softmax(-1)
    v = logits.shape[-1]
    seen = F.one_hot(target, v).cumsum(1) - F.one_hot(target, v)
    cand = (seen > 0) & (F.one_hot(target, v) == 0)
    unl = -torch.log((1 - lp.exp()).clamp(min=1e-5))
    return -lp.gather(-1, target[..., None]).mean() + alpha * torch.where(cand, unl, 0.0).sum(-1).mean()


def zloss_lm(logits, labels, z=1e-4):
    """PaLM: the normaliser stays near zero."""
    lse = logits.logsumexp(-1)
    return (lse - logits.gather(-1, labels[..., None]).squeeze(-1) + z * lse.square()).mean()


def ppo_dual_clip(logp, old_logp, adv, clip=0.2, dual=3.0):
    ratio = torch.exp(logp - old_logp.detach())
    low = torch.min(ratio * adv, ratio.clamp(1 - clip, 1 + clip) * adv)
    return -torch.where(adv < 0, torch.max(low, dual * adv), low).mean()


def vtrace_critic(values, vs, rhos):
    """Targets do not learn."""
    return (rhos.detach() * (vs.detach() - values).square()).mean()


def awac_actor(log_prob, adv, lam=1.0):
    w = torch.softmax(adv.detach() / lam, 0) * len(adv)
    return -(w * log_prob).mean()


class CategoricalDQN(nn.Module):
    """Logits of atoms (N, K) and the projected target distribution (N, K)."""

    def forward(self, atom_logits, target_dist):
        return -(target_dist.detach() * atom_logits.log_softmax(1)).sum(1).mean()


def iqn_huber(theta, target_theta, taus, kappa=1.0):
    """(N, K), (N, K), (N, K) in 0..1."""
    td = target_theta.detach()[:, None, :] - theta[:, :, None]
    h = torch.where(td.abs() <= kappa, 0.5 * td.square(), kappa * (td.abs() - 0.5 * kappa))
    return ((taus[:, :, None] - (td.detach() < 0).to(td.dtype)).abs() * h).mean()


def minmax_snr(eps_pred, eps, snr, gamma=5.0):
    """(N, D), (N, D), (N,)."""
    w = snr.clamp(max=gamma) / snr.clamp(min=1e-3)
    return (w * (eps_pred - eps).square().mean(1)).mean()


class HingeGenerator(nn.Module):
    """Unbounded below on purpose."""

    def forward(self, fake_scores):
        return -fake_scores.mean()


def wgan_critic(real_score, fake_score):
    """Without bound until a penalty is added to it."""
    return fake_score.mean() - real_score.mean()


def tts_guided_attention(att, text_lens, mel_lens, g=0.2):
    """Attention (B, T, S) far from the diagonal costs."""
    t = torch.arange(att.shape[1], device=att.device).to(att.dtype)[None, :, None] / mel_lens.to(att.dtype)[:, None, None].clamp(min=1)
    s = torch.arange(att.shape[2], device=att.device).to(att.dtype)[None, None, :] / text_lens.to(att.dtype)[:, None, None].clamp(min=1)
    ok = (t < 1) & (s < 1)
    return torch.where(ok, att * (1 - torch.exp(-(t - s).square() / (2 * g * g))), 0.0).sum() / ok.sum().clamp(min=1)


def log_stft_l1(spec, spec_gt):
    """Magnitudes (N, F, T), none negative."""
    assert spec.shape == spec_gt.shape
    return (torch.log(spec.clamp(min=1e-5)) - torch.log(spec_gt.clamp(min=1e-5))).abs().mean() + (spec - spec_gt).abs().mean()


class PolarityFreeSdr(nn.Module):
    """A recording may be inverted."""

    def forward(self, wav, wav_ref):
        assert wav.shape == wav_ref.shape
        return torch.minimum((wav - wav_ref).square().mean(-1), (wav + wav_ref).square().mean(-1)).mean()


def laplacian_smoothness(verts):
    """(B, V, 3), neighbours are next to each other."""
    return (verts[:, 2:] - 2 * verts[:, 1:-1] + verts[:, :-2]).square().sum(-1).mean()


class MaskedPatchMSE(nn.Module):
    """MAE: each patch of the target is whitened."""

    def __init__(self, norm_pix=True):
        super().__init__()
        self.norm_pix = norm_pix

    def forward(self, pred, patches, mask):
        """(B, L, P), (B, L, P), (B, L)."""
        if self.norm_pix:
            m, v = patches.mean(-1, keepdim=True), patches.var(-1, keepdim=True)
            patches = (patches - m) / (v + 1e-6).sqrt()
        return (((pred - patches) ** 2).mean(-1) * mask).sum() / mask.sum().clamp(min=1)


def tf_pairwise_hinge(y_true, y_pred):
    """Scores of one list (N,), all pairs."""
    dt = y_true[:, None] - y_true[None, :]
    dp = y_pred[:, None] - y_pred[None, :]
    w = tf.cast(dt > 0, y_pred.dtype)
    return tf.reduce_sum(w * tf.nn.relu(1.0 - dp)) / tf.maximum(tf.reduce_sum(w), 1.0)


class KerasSoftF1(keras.losses.Loss):
    """Per class over the batch, on purpose."""

    def call(self, y_true, y_pred):
        tp = ops.sum(y_true * y_pred, axis=0)
        return 1 - ops.mean((2 * tp + 1e-3) / (ops.sum(y_true, axis=0) + ops.sum(y_pred, axis=0) + 1e-3))


def jax_safe_norm_loss(pred, target):
    d2 = ((pred - target) ** 2).sum(-1)
    safe = jnp.where(d2 > 0, d2, 1.0)
    return jnp.where(d2 > 0, jnp.sqrt(safe), 0.0).mean()


def jax_smooth_rank(scores, relevance):
    """ListNet with temperature."""
    return -(jax.nn.softmax(relevance, -1) * jax.nn.log_softmax(scores, -1)).sum(-1).mean()


class OrthogonalExperts(nn.Module):
    """Returns a tuple: the total, then what it is made of."""

    def __init__(self, w=0.1):
        super().__init__()
        self.w = w

    def forward(self, a, b, y):
        """Two opinions (N,), and the truth (N,)."""
        fit = ((a + b) / 2 - y).square().mean()
        alike = (a * b).mean().square()
        return fit + self.w * alike, fit.detach(), alike.detach()
