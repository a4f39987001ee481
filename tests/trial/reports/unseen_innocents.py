# ruff: noqa
# fmt: off
# The sixth round's innocents: unusual, and right. Nothing may be said of them that is more than information, but that a
# shape which does not belong there is accepted (LS401) and that a mean over what counts does not add up (LS501).


class CentredDistillation(nn.Module):
    """A teacher that is sharpened and centred, and learns nothing."""

    def __init__(self, dim=4, teacher_temp=0.5):
        super().__init__()
        self.teacher_temp = teacher_temp
        self.register_buffer("centre", torch.linspace(-0.1, 0.1, dim))

    def forward(self, student_logits, teacher_logits):
        t = F.softmax((teacher_logits.detach() - self.centre) / self.teacher_temp, dim=-1)
        return -(t * F.log_softmax(student_logits, dim=-1)).sum(-1).mean()


def uniformity_loss(x, t=2.0):
    """Embeddings are to spread over the sphere."""
    x = F.normalize(x, dim=-1)
    sq = (2 - 2 * x @ x.T).clamp(min=0)
    off = ~torch.eye(len(x), dtype=torch.bool, device=x.device)
    return (torch.where(off, (-t * sq).exp(), 0.0).sum() / max(len(x) * (len(x) - 1), 1) + 1e-6).log()


def permutation_invariant_l1(estimates, sources):
    """Two speakers, in whichever order costs less: (B, 2, T)."""
    assert estimates.shape == sources.shape
    straight = (estimates - sources).abs().mean(dim=(1, 2))
    crossed = (estimates.flip(1) - sources).abs().mean(dim=(1, 2))
    return torch.minimum(straight, crossed).mean()


def wasserstein_1d(samples, reference):
    """Earth mover's distance of two samples of equal size along the last axis: what is sorted is compared."""
    assert samples.shape == reference.shape
    return (samples.sort(-1).values - reference.sort(-1).values).abs().mean()


def chamfer_sets(cloud, cloud_true):
    """Point clouds (B, P, 3)."""
    d = torch.cdist(cloud, cloud_true).square()
    return d.min(2).values.mean() + d.min(1).values.mean()


class SlicedDistance(nn.Module):
    """Projections that are drawn once, and kept."""

    def __init__(self, dim=4, slices=16):
        super().__init__()
        directions = torch.randn(dim, slices, generator=torch.Generator().manual_seed(0))
        self.register_buffer("directions", F.normalize(directions, dim=0))

    def forward(self, fake, real):
        """(N, 4) and (N, 4)."""
        assert fake.shape == real.shape
        a, b = (fake @ self.directions).sort(0).values, (real @ self.directions).sort(0).values
        return (a - b).square().mean()


def student_t_nll(loc, log_scale, target, df=4.0):
    assert loc.shape == log_scale.shape == target.shape
    z = (target - loc) * torch.exp(-log_scale)
    return (log_scale + 0.5 * (df + 1) * torch.log1p(z * z / df)).mean()


def negative_binomial_nll(log_mean, counts, dispersion=2.0):
    assert log_mean.shape == counts.shape
    log_total = torch.logaddexp(log_mean, torch.full_like(log_mean, dispersion).log())
    return ((counts + dispersion) * log_total - counts * log_mean).mean()


def quantiles_without_crossing(quantiles, target):
    """Three quantiles (N, 3) that are to be in order, and the truth (N,)."""
    q = torch.tensor([0.1, 0.5, 0.9], dtype=quantiles.dtype, device=quantiles.device)
    err = target[:, None] - quantiles
    crossing = F.relu(quantiles[:, :-1] - quantiles[:, 1:]).sum(1).mean()
    return torch.maximum(q * err, (q - 1) * err).mean() + 0.5 * crossing


def trimmed_squared_error(pred, target):
    """The worst fifth of a batch are taken as outliers."""
    assert pred.shape == target.shape
    per_sample = (pred - target).square().flatten(1).mean(1) if pred.dim() > 1 else (pred - target).square()
    keep = max(int(0.8 * len(per_sample)), 1)
    return per_sample.sort().values[:keep].mean()


def robust_group_loss(logits, labels, temperature=1.0):
    """Distributionally robust: the hard samples weigh more."""
    ce = F.cross_entropy(logits, labels, reduction="none")
    n = torch.tensor(max(len(ce), 1), dtype=ce.dtype, device=ce.device)
    return temperature * (torch.logsumexp(ce / temperature, dim=0) - n.log())


def conservative_q_penalty(q_values, actions):
    """Offline RL: all actions are pressed down, the one that was taken is held up."""
    return (q_values.logsumexp(1) - q_values.gather(1, actions[:, None]).squeeze(1)).mean()


def expectile_value_loss(value, q_value, tau=0.7):
    assert value.shape == q_value.shape
    diff = q_value.detach() - value
    return (torch.where(diff > 0, tau, 1 - tau) * diff.square()).mean()


class ReversedDomainLoss(nn.Module):
    """The domain classifier learns, and what is before it unlearns."""

    class Reverse(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.view_as(x)

        @staticmethod
        def backward(ctx, g):
            return -g

    def forward(self, domain_logits, domain):
        return F.cross_entropy(self.Reverse.apply(domain_logits), domain)


def tacotron_losses(outputs, targets):
    """Dictionaries of mels (N, T, 4) and gate logits (N, T)."""
    mel = F.mse_loss(outputs["mel"], targets["mel"]) + F.mse_loss(outputs["mel_postnet"], targets["mel"])
    gate = F.binary_cross_entropy_with_logits(outputs["gate"], targets["gate"])
    return {"mel": mel, "gate": gate, "loss": mel + gate}


def spectral_contrastive(z1, z2):
    """HaoChen et al.: alignment is linear, repulsion is squared."""
    sim = z1 @ z2.T
    off = 1 - torch.eye(len(z1), dtype=sim.dtype, device=sim.device)
    return -2 * sim.diagonal().mean() + (sim.square() * off).sum() / max(len(z1) * (len(z1) - 1), 1)


def monotone_penalty(logits, labels, slope=0.1):
    """Cross-entropy, and the logits of neighbouring classes are not to jump."""
    jumps = (logits[:, 1:] - logits[:, :-1]).square().mean()
    return F.cross_entropy(logits, labels) + slope * jumps


def focal_frequency(fake, real):
    """Frequencies that are hard weigh more; the weight is not learnt. (N, H, W)."""
    assert fake.shape == real.shape
    diff = torch.fft.fft2(fake, norm="ortho") - torch.fft.fft2(real, norm="ortho")
    dist = diff.real.square() + diff.imag.square()
    weight = (dist / dist.amax(dim=(-2, -1), keepdim=True).clamp(min=1e-6)).detach()
    return (weight * dist).mean()


class MixtureOfExpertsBalance(nn.Module):
    """Cross-entropy with an auxiliary loss of the router, as a tuple."""

    def __init__(self, aux_weight=0.01):
        super().__init__()
        self.aux_weight = aux_weight

    def forward(self, logits, labels, router_logits):
        gates = router_logits.softmax(-1)
        load = F.one_hot(router_logits.argmax(-1), router_logits.shape[-1]).to(gates).mean(0)
        aux = router_logits.shape[-1] * (load * gates.mean(0)).sum()
        ce = F.cross_entropy(logits, labels)
        return ce + self.aux_weight * aux, {"ce": ce.detach(), "aux": aux.detach()}


class LearnedMarginContrast(nn.Module):
    """The boundary between alike and unlike is learned."""

    def __init__(self):
        super().__init__()
        self.boundary = nn.Parameter(torch.tensor(1.0))

    def forward(self, emb_a, emb_b, same):
        """Embeddings (N, D), and 1 where they are of one class."""
        d = ((emb_a - emb_b).square().sum(1) + 1e-6).sqrt()
        y = 2 * same.to(d.dtype) - 1
        return F.softplus(y * (d - self.boundary)).mean()


def sparsemax_loss(z, labels):
    """Martins and Astudillo: many probabilities are exactly zero."""
    s = z.sort(dim=1, descending=True).values
    k = torch.arange(1, z.shape[1] + 1, device=z.device, dtype=z.dtype)
    support = (1 + k * s > s.cumsum(1)).sum(1, keepdim=True)
    tau = (s.cumsum(1).gather(1, support - 1) - 1) / support
    p_sq = torch.where(z > tau, z.square() - tau.square(), 0.0).sum(1)
    return (0.5 * (p_sq + 1) - z.gather(1, labels[:, None]).squeeze(1)).mean()


def soft_dynamic_time_warping(a, b, gamma=0.5):
    """Cuturi and Blondel, of two sequences (N, T)."""
    cost = (a[:, :, None] - b[:, None, :]).square()
    rows = [[None] * cost.shape[2] for _ in range(cost.shape[1])]
    for i in range(cost.shape[1]):
        for j in range(cost.shape[2]):
            before = [rows[i - 1][j - 1]] if i and j else []
            before += [rows[i - 1][j]] if i else []
            before += [rows[i][j - 1]] if j else []
            soft = -gamma * torch.logsumexp(-torch.stack(before) / gamma, 0) if before else 0.0
            rows[i][j] = cost[:, i, j] + soft
    return rows[-1][-1].mean()


def keras_ranking_pairs(y_true, y_pred):
    """Within a batch, every pair that differs in truth is to differ in score. One number for each sample."""
    sign = ops.sign(y_true[:, None] - y_true[None, :])
    diff = y_pred[:, None] - y_pred[None, :]
    return ops.mean(ops.where(sign != 0, ops.softplus(-sign * diff), 0.0), axis=1)


def jax_evidence_lower_bound(recon_logits, pixels, mu, log_var):
    """Bernoulli pixels and a Gaussian code."""
    nll = (jax.nn.softplus(recon_logits) - pixels * recon_logits).sum(-1)
    kl = 0.5 * (jnp.exp(log_var) + mu**2 - 1 - log_var).sum(-1)
    return (nll + kl).mean()


def intrinsic_curiosity(pred_feature, next_feature, action_logits, action, beta=0.2):
    forward_term = 0.5 * (pred_feature - next_feature.detach()).square().mean()
    return beta * forward_term + (1 - beta) * F.cross_entropy(action_logits, action)


def evidential_dirichlet(evidence_logits, labels):
    """Sensoy et al.: expected squared error under a Dirichlet."""
    alpha = F.softplus(evidence_logits) + 1
    total = alpha.sum(1, keepdim=True)
    mean = alpha / total
    onehot = F.one_hot(labels, alpha.shape[1]).to(alpha.dtype)
    return ((onehot - mean).square() + mean * (1 - mean) / (total + 1)).sum(1).mean()
