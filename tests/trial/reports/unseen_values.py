# ruff: noqa
# fmt: off
# The sixth round, its numeric half: gradients, formulas, directions and precision of public issues, restated before the
# rules were read. Above each stand the class of its defect and the codes that name it rightly; `mend:` is the repaired
# line. Those without a class are innocent.

# wrong gradient: LS101
class FusedBinaryFocal(torch.autograd.Function):
    @staticmethod
    def forward(ctx, logits, labels, gamma=2.0):
        p = torch.sigmoid(logits)
        ctx.save_for_backward(logits, labels)
        ctx.gamma = gamma
        pt = p * labels + (1 - p) * (1 - labels)
        log_pt = -F.binary_cross_entropy_with_logits(logits, labels, reduction="none")
        return -((1 - pt) ** gamma * log_pt).sum()

    @staticmethod
    def backward(ctx, grad_output):
        logits, labels = ctx.saved_tensors
        p = torch.sigmoid(logits)
        pt = p * labels + (1 - p) * (1 - labels)
        log_pt = -F.binary_cross_entropy_with_logits(logits, labels, reduction="none")
        sign = 2 * labels - 1
        grad = -sign * (1 - pt) ** ctx.gamma * (1 - pt)  # mend: grad = -sign * ((1 - pt) ** ctx.gamma * (1 - pt) - ctx.gamma * (1 - pt) ** (ctx.gamma - 1) * log_pt * pt * (1 - pt))
        return grad_output * grad, None, None


# wrong gradient: LS101
class MatchedPointsDistance(torch.autograd.Function):
    """Squared distance of two point sets in correspondence, per cloud: (B, P, 3) and (B, P, 3) give (B,)."""

    @staticmethod
    def forward(ctx, xyz1, xyz2):
        ctx.save_for_backward(xyz1, xyz2)
        return (xyz1 - xyz2).square().sum(dim=2).mean(dim=1)

    @staticmethod
    def backward(ctx, grad_cost):
        xyz1, xyz2 = ctx.saved_tensors
        g = 2 * (xyz1 - xyz2) * grad_cost[:, None, None]  # mend: g = 2 * (xyz1 - xyz2) * grad_cost[:, None, None] / xyz1.shape[1]
        return g, -g


# wrong gradient: LS102
class FusedTokenLoss(torch.autograd.Function):
    """The gradient is computed in the forward pass, while the logits are at hand."""

    @staticmethod
    def forward(ctx, logits, labels):
        logp = torch.log_softmax(logits.float(), dim=-1)
        n = labels.numel()
        ctx.grad = ((logp.exp() - F.one_hot(labels, logits.shape[-1])) / n).to(logits.dtype)
        return -logp.gather(-1, labels[:, None]).sum() / n

    @staticmethod
    def backward(ctx, grad_output):
        return ctx.grad, None  # mend: return ctx.grad * grad_output, None


# wrong gradient: LS101
class HyperbolicDistanceLoss(torch.autograd.Function):
    @staticmethod
    def forward(ctx, u, v):
        d = u - v
        s = torch.sqrt(1 + d * d)
        ctx.save_for_backward(d, s)
        return (s - 1).mean()

    @staticmethod
    def backward(ctx, g):
        d, s = ctx.saved_tensors
        base = g * d / s / d.numel()
        return base, base  # mend: return base, -base


# nan hidden: LS103 LS104 LS201 LS202
def darts_like_mape(inpt, tgt):
    assert inpt.shape == tgt.shape
    ratio = (tgt - inpt).abs() / tgt.abs()  # mend: ratio = torch.where(tgt != 0, (tgt - inpt).abs() / torch.where(tgt != 0, tgt.abs(), 1.0).clamp(min=1e-3), 0.0)
    ratio = torch.where(torch.isfinite(ratio), ratio, torch.zeros_like(ratio))
    return ratio.mean()


# nan hidden: LS103 LS104 LS201 LS202
class SymmetricPercentage(nn.Module):
    def forward(self, forecast, actual):
        assert forecast.shape == actual.shape
        den = forecast.abs() + actual.abs()  # mend: den = (forecast.abs() + actual.abs()).clamp(min=1e-3)
        return torch.nan_to_num(2 * (forecast - actual).abs() / den).mean()


# non-finite gradient: LS104 LS103 LS202
def angular_pose_error(r_pred, r_gt):
    """Geodesic distance of two batches of rotation matrices, (B, 3, 3)."""
    trace = (r_pred * r_gt).sum(dim=(1, 2))
    cos = ((trace - 1) / 2).clamp(-1, 1)  # mend: cos = (trace - 1) / 2
    return torch.acos(cos).mean()  # mend: return (1 - cos).mean()


# non-finite gradient: LS104 LS103 LS202
class SpectralLogMagnitude(nn.Module):
    def __init__(self, n_fft=16, hop=8):
        super().__init__()
        self.n_fft, self.hop = n_fft, hop
        self.register_buffer("window", torch.hann_window(n_fft))

    def _mag(self, wav):
        spec = torch.stft(wav, self.n_fft, self.hop, window=self.window.to(wav.dtype), return_complex=True, center=False)
        return spec.abs().pow(0.3)  # mend: return (spec.real**2 + spec.imag**2 + 1e-6).pow(0.15)

    def forward(self, y_hat, y):
        assert y_hat.shape == y.shape
        return (self._mag(y_hat) - self._mag(y)).abs().mean()


# non-finite gradient: LS104 LS103 LS202
def edge_length_loss(verts_a, verts_b, verts_a_gt, verts_b_gt):
    pred = (verts_a - verts_b).square().sum(-1).sqrt()  # mend: pred = (verts_a - verts_b).square().sum(-1)
    true = (verts_a_gt - verts_b_gt).square().sum(-1).sqrt()  # mend: true = (verts_a_gt - verts_b_gt).square().sum(-1)
    return (pred - true).abs().mean()


# non-finite value: LS201 LS204 LS301
def sinkhorn_entropy_regulariser(assignments):
    """Entropy of soft assignments, rows are probabilities."""
    return -(assignments * assignments.log()).sum(dim=-1).mean()  # mend: return -torch.special.xlogy(assignments, assignments.clamp(min=1e-12)).sum(dim=-1).mean()


# non-finite value: LS201 LS302 LS303 LS307
class SoftMarginRanking(nn.Module):
    def forward(self, score_pos, score_neg):
        assert score_pos.shape == score_neg.shape
        return torch.log(1 + torch.exp(score_neg - score_pos)).mean()  # mend: return F.softplus(score_neg - score_pos).mean()


# missing gradient: LS105
def crowd_counting_loss(density, density_gt):
    assert density.shape == density_gt.shape
    count = density.flatten(1).sum(1).round()  # mend: count = density.flatten(1).sum(1)
    count_gt = density_gt.flatten(1).sum(1)
    return F.l1_loss(count, count_gt)


# missing gradient: LS105
def codebook_loss(z_e, z_q, commitment=0.25):
    assert z_e.shape == z_q.shape
    codebook = F.mse_loss(z_q.detach(), z_e.detach())  # mend: codebook = F.mse_loss(z_q, z_e.detach())
    commit = F.mse_loss(z_e.detach(), z_q.detach())  # mend: commit = F.mse_loss(z_e, z_q.detach())
    return codebook + commitment * commit


# missing gradient: LS105
def pitch_tracking_loss(bin_logits, f0_bins):
    """Logits of pitch bins (N, K) and the true bin as a real number (N,)."""
    est = bin_logits.argmax(dim=1).to(f0_bins.dtype)  # mend: est = (bin_logits.softmax(1) * torch.arange(bin_logits.shape[1], device=bin_logits.device)).sum(1)
    return ((est - f0_bins) ** 2).mean()


# dead gradient: LS207 LS706 LS105
def temporal_iou_loss(pred_segments, gt_segments):
    """Segments as (start, end), shape (N, 2)."""
    ps, pe = pred_segments[:, 0], pred_segments[:, 1]
    gs, ge = gt_segments[:, 0], gt_segments[:, 1]
    inter = (torch.min(pe, ge) - torch.max(ps, gs)).clamp(min=0)
    union = (pe - ps) + (ge - gs) - inter
    iou = inter / union.clamp(min=1e-6)
    return (1 - iou).mean()  # mend: return (1 - iou + ((ps + pe - gs - ge) / 2).square() / (torch.max(pe, ge) - torch.min(ps, gs)).clamp(min=1e-3).square()).mean()


# dead gradient: LS207 LS706 LS105
def bounded_log_likelihood(probs, labels):
    p = probs.gather(1, labels[:, None]).squeeze(1)
    return -torch.log(p.clamp(0.1, 0.9)).mean()  # mend: return -torch.log(p.clamp(min=1e-7)).mean()


# dead gradient: LS207 LS706
def spotlight_bpr(pos_scores, neg_scores):
    assert pos_scores.shape == neg_scores.shape
    return (1.0 - torch.sigmoid(pos_scores - neg_scores)).mean()  # mend: return -F.logsigmoid(pos_scores - neg_scores).mean()


# leak into target: LS107
def dino_like_loss(student_out, teacher_out, center, student_temp=0.1, teacher_temp=0.04):
    s = F.log_softmax(student_out / student_temp, dim=-1)
    t = F.softmax((teacher_out - center) / teacher_temp, dim=-1)  # mend: t = F.softmax((teacher_out - center) / teacher_temp, dim=-1).detach()
    return -(t * s).sum(-1).mean()


# leak into target: LS107
def sac_critic_loss(q1, q2, target_q, reward, not_done, gamma=0.99):
    backup = reward + gamma * not_done * target_q  # mend: backup = (reward + gamma * not_done * target_q).detach()
    return F.mse_loss(q1, backup) + F.mse_loss(q2, backup)


# leak into target: LS107
def jax_ema_consistency(student_logits, ema_teacher_logits):
    t = jax.nn.softmax(ema_teacher_logits)  # mend: t = jax.lax.stop_gradient(jax.nn.softmax(ema_teacher_logits))
    return -(t * jax.nn.log_softmax(student_logits)).sum(-1).mean()


# wrong formula: LS208 LS701
def dimension_aware_l1(dimension, dim_target):
    assert dimension.shape == dim_target.shape
    loss = (dimension - dim_target).abs()
    return (loss / dimension).mean()  # mend: return (loss / dim_target.abs().clamp(min=0.1)).mean()


# wrong formula: LS208 LS701
def prior_matching_kl(mu_q, logvar_q, mu_p, logvar_p):
    var_ratio = (logvar_p - logvar_q).exp()  # mend: var_ratio = (logvar_q - logvar_p).exp()
    t1 = (mu_q - mu_p).square() / logvar_p.exp()
    return 0.5 * (var_ratio + t1 - 1 + logvar_p - logvar_q).sum(-1).mean()


# wrong formula: LS208 LS701
class LaplaceNLL(nn.Module):
    def forward(self, loc, log_scale, target):
        assert loc.shape == target.shape == log_scale.shape
        err = (loc - target).abs() * torch.exp(-log_scale)
        return (err - log_scale).mean()  # mend: return (err + log_scale).mean()


# wrong formula: LS701
class SmoothedLabelCE(nn.Module):
    def __init__(self, eps=0.1):
        super().__init__()
        self.eps = eps

    def forward(self, logits, target):
        logp = F.log_softmax(logits, dim=1)
        nll = -logp.gather(1, target[:, None]).squeeze(1)
        uniform = -logp.mean(dim=1)
        return (self.eps * nll + (1 - self.eps) * uniform).mean()  # mend: return ((1 - self.eps) * nll + self.eps * uniform).mean()


# wrong formula: LS701 LS208
def class_mean_dice(probs, onehot, smooth=1e-5):
    assert probs.shape == onehot.shape
    dims = tuple(range(2, probs.dim()))
    inter = (probs * onehot).sum(dims)
    total = probs.sum(dims) + onehot.sum(dims) - inter  # mend: total = probs.sum(dims) + onehot.sum(dims)
    return 1 - ((2 * inter + smooth) / (total + smooth)).mean()


# wrong direction: LS701 LS208 LS706
def concordance_loss(pred, target):
    assert pred.shape == target.shape
    pm, tm = pred.mean(), target.mean()
    cov = ((pred - pm) * (target - tm)).mean()
    ccc = 2 * cov / (pred.var(unbiased=False) + target.var(unbiased=False) + (pm - tm) ** 2 + 1e-8)
    return ccc  # mend: return 1 - ccc


# wrong direction: LS701 LS208
def clap_loss(audio_emb, text_emb, scale=10.0):
    a, t = F.normalize(audio_emb, dim=-1), F.normalize(text_emb, dim=-1)
    logits = scale * a @ t.T
    diag = F.log_softmax(logits, dim=1).diagonal() + F.log_softmax(logits.T, dim=1).diagonal()
    return diag.mean() / 2  # mend: return -diag.mean() / 2


# wrong direction: LS701 LS208
def list_mle(scores, relevance):
    order = relevance.argsort(dim=1)  # mend: order = relevance.argsort(dim=1, descending=True)
    s = scores.gather(1, order)
    tail = s.flip(1).logcumsumexp(1).flip(1)
    return (tail - s).sum(1).mean()


# wrong direction: LS701 LS208
def keras_energy_margin(y_true, y_pred):
    """y_true in {-1, 1}."""
    return ops.mean(ops.softplus(y_true * y_pred), axis=-1)  # mend: return ops.mean(ops.softplus(-y_true * y_pred), axis=-1)


# low precision: LS301 LS302 LS104 LS201 LS202
def feature_cosine(f_student, f_teacher):
    num = (f_student * f_teacher.detach()).sum(-1)
    den = f_student.norm(dim=-1) * f_teacher.detach().norm(dim=-1) + 1e-8  # mend: return (1 - F.cosine_similarity(f_student.float(), f_teacher.detach().float(), dim=-1)).mean()
    return (1 - num / den).mean()


# low precision: LS302 LS303 LS305
def pixel_box_iou_loss(pred_xyxy, gt_xyxy):
    """Boxes in pixels of an image, (N, 4)."""
    pred_xyxy, gt_xyxy = pred_xyxy, gt_xyxy  # mend: pred_xyxy, gt_xyxy = pred_xyxy.float(), gt_xyxy.float()
    lt = torch.max(pred_xyxy[:, :2], gt_xyxy[:, :2])
    rb = torch.min(pred_xyxy[:, 2:], gt_xyxy[:, 2:])
    wh = (rb - lt).clamp(min=0)
    inter = wh[:, 0] * wh[:, 1]
    area = lambda b: (b[:, 2] - b[:, 0]) * (b[:, 3] - b[:, 1])
    union = area(pred_xyxy) + area(gt_xyxy) - inter
    hull = (torch.max(pred_xyxy[:, 2:], gt_xyxy[:, 2:]) - torch.min(pred_xyxy[:, :2], gt_xyxy[:, :2])).clamp(min=0).prod(1)
    giou = inter / union.clamp(min=1e-3) - (hull - union) / hull.clamp(min=1e-3)
    return (1 - giou).mean()


# low precision: LS301 LS302 LS201 LS202 LS303
class ProbabilityCE(nn.Module):
    eps = 1e-8  # mend: eps = None

    def forward(self, prob, y):
        assert prob.shape == y.shape
        lo = self.eps if self.eps else torch.finfo(prob.dtype).eps
        p = prob.clamp(lo, 1 - lo)
        return -(y * p.log() + (1 - y) * (1 - p).log()).mean()


# low precision: LS305 LS302
def huge_map_l1(pred, target):
    assert pred.shape == target.shape
    return (pred - target).abs().sum() / pred.numel()  # mend: return (pred - target).abs().mean(dtype=torch.float32)


# dtype promotion: LS306
class IntegralRegression(nn.Module):
    def __init__(self, reg_max=8):
        super().__init__()
        self.register_buffer("project", torch.from_numpy(numpy.linspace(0, reg_max, reg_max + 1)))  # mend: self.register_buffer("project", torch.linspace(0, reg_max, reg_max + 1))

    def forward(self, dist_logits, offset):
        """Logits (N, 9) of a discrete distribution, and the true offset (N,)."""
        mean = (dist_logits.softmax(1) * self.project).sum(1)
        return F.smooth_l1_loss(mean, offset)


# logits and probabilities: LS801
class IntentClassifierLoss(nn.Module):
    def __init__(self):
        super().__init__()
        self.softmax = nn.Softmax(dim=-1)
        self.criterion = nn.CrossEntropyLoss()

    def forward(self, logits, intents):
        probs = self.softmax(logits)
        return self.criterion(probs, intents)  # mend: return self.criterion(logits, intents)


# logits and probabilities: LS801
def saliency_multi_output_loss(outputs, mask):
    """Several side outputs, each a map of logits (N, H, W)."""
    total = 0.0
    for out in outputs:
        total = total + F.binary_cross_entropy_with_logits(torch.sigmoid(out), mask)  # mend: total = total + F.binary_cross_entropy_with_logits(out, mask)
    return total


# logits and probabilities: LS801 LS706 LS207
def keras_sparse_intent(y_true, y_pred):
    """y_pred is the output of a softmax layer."""
    return keras.losses.sparse_categorical_crossentropy(y_true, ops.softmax(y_pred), from_logits=True)  # mend: return keras.losses.sparse_categorical_crossentropy(y_true, y_pred, from_logits=True)


# index semantics: LS701
def ordinal_threshold_loss(logits, rank):
    """CORAL: K - 1 logits (N, K-1), of which the first `rank` are to be positive."""
    levels = (torch.arange(logits.shape[1], device=logits.device) <= rank[:, None]).to(logits.dtype)  # mend: levels = (torch.arange(logits.shape[1], device=logits.device) < rank[:, None]).to(logits.dtype)
    return F.binary_cross_entropy_with_logits(logits, levels)


# index semantics: LS701
def shifted_onehot_ce(logits, labels):
    c = logits.shape[1]
    onehot = F.one_hot(labels, c + 1)[:, 1:].to(logits.dtype)  # mend: onehot = F.one_hot(labels, c).to(logits.dtype)
    return -(onehot * F.log_softmax(logits, dim=1)).sum(1).mean()


# index semantics: LS701 LS506
def top_k_gather_loss(class_scores, labels):
    ranked = class_scores.sort(dim=1, descending=True).values  # mend: ranked = class_scores
    return (ranked.logsumexp(1) - ranked.gather(1, labels[:, None]).squeeze(1)).mean()
