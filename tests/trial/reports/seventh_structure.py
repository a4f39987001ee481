# ruff: noqa
# fmt: off
# The seventh round, of structure: reduction, masks, weights, axes, state, cost. Kinds of public reports (mmdetection,
# mmsegmentation, coqui TTS, TRL, pytorch-metric-learning, keras, optax, WeatherGenerator) that no earlier round holds.

# weights: LS404 LS106 LS805
class BinaryWithClassWeight(nn.Module):
    """class_weight is to scale every entry of its column."""

    def __init__(self, reduction="mean", class_weight=None, loss_weight=1.0):
        super().__init__()
        self.reduction = reduction
        self.class_weight = class_weight
        self.loss_weight = loss_weight

    def forward(self, cls_score, label, weight=None):
        """Scores and multi-hot labels (N, C); weight (N,)."""
        assert cls_score.shape == label.shape
        loss = F.binary_cross_entropy_with_logits(cls_score, label, reduction="none")
        if self.class_weight is not None:
            loss = loss * torch.as_tensor(self.class_weight, dtype=loss.dtype, device=loss.device)
        if weight is not None:
            loss = loss * weight  # mend: loss = loss * weight[:, None]
        if self.reduction == "mean":
            loss = loss.mean()
        elif self.reduction == "sum":
            loss = loss.sum()
        return self.loss_weight * loss


# weights ignored: LS106 LS404 LS805
def fovea_smooth_l1(pred, target, weight=None, beta=1.0):
    diff = (pred - target).abs()
    loss = torch.where(diff < beta, 0.5 * diff * diff / beta, diff - 0.5 * beta)
    if weight is not None:
        weight = weight.to(loss.dtype)
    return loss.mean()  # mend: return loss.mean() if weight is None else (loss * weight).mean()


# mask: LS205 LS103 LS202 LS507
def ssl_token_l1(student_tokens, teacher_tokens, mask):
    """Tokens (B, T, D), mask (B, T): what is left out may hold anything, NaN too."""
    per = (student_tokens - teacher_tokens.detach()).abs().mean(-1)
    per = per * mask  # mend: per = (torch.where(mask.bool()[..., None], student_tokens, 0.0) - torch.where(mask.bool()[..., None], teacher_tokens.detach(), 0.0)).abs().mean(-1)
    return per.sum() / mask.sum().clamp(min=1)


# mask: LS205 LS507
class DurationLoss(nn.Module):
    """Log durations of phonemes (B, T) against frames (B, T); lens says how many are real."""

    def __init__(self, offset=1.0):
        super().__init__()
        self.offset = offset

    def forward(self, log_d, d, lens):
        m = torch.arange(d.shape[1], device=d.device)[None] < lens[:, None]
        err = (log_d - torch.log(d + self.offset)) ** 2
        return err.mean()  # mend: return (torch.where(m, err, 0.0)).sum() / m.sum().clamp(min=1)


# mask: LS205 LS507
def completion_nll(logits, labels, prompt_mask):
    """Logits (B, T, V), labels (B, T); prompt_mask is 1 where the model speaks itself."""
    lp = logits.log_softmax(-1).gather(-1, labels.unsqueeze(-1)).squeeze(-1)
    keep = prompt_mask.roll(1, dims=1)  # mend: keep = prompt_mask
    return -(lp * keep).sum() / keep.sum().clamp(min=1)


# ignore-index: LS205 LS507
class ValidDice(nn.Module):
    def __init__(self, ignore_index=255, smooth=1.0, exponent=2):
        super().__init__()
        self.ignore_index, self.smooth, self.exponent = ignore_index, smooth, exponent

    def forward(self, seg_logit, seg_label):
        """(N, C, H, W) and (N, H, W)."""
        c = seg_logit.shape[1]
        p = seg_logit.softmax(1)
        valid = (seg_label != self.ignore_index)
        hot = F.one_hot(torch.where(valid, seg_label, 0), c).movedim(-1, 1).to(p.dtype)
        v = valid[:, None].to(p.dtype)
        num = (p * hot * v).sum((2, 3))
        den = (p ** self.exponent + hot ** self.exponent).sum((2, 3))  # mend: den = ((p ** self.exponent + hot ** self.exponent) * v).sum((2, 3))
        return (1 - (2 * num + self.smooth) / (den + self.smooth)).mean()


# empty batch: LS204
def batch_logps_average(logits, labels, beta=0.1):
    """Answers of which every token may be -100: (B, T, V), (B, T)."""
    keep = labels != -100
    lp = logits.log_softmax(-1).gather(-1, torch.where(keep, labels, 0).unsqueeze(-1)).squeeze(-1)
    avg = (lp * keep).sum(-1) / keep.sum(-1)  # mend: avg = (lp * keep).sum(-1) / keep.sum(-1).clamp(min=1)
    return -F.logsigmoid(beta * avg).mean()


# empty batch: LS204
class PositivesOnlyGIoU(nn.Module):
    def __init__(self, weight=2.0):
        super().__init__()
        self.weight = weight

    def forward(self, boxes, gt, is_pos):
        """Boxes (N, 4) as x1 y1 x2 y2; is_pos (N,) of 0 and 1."""
        keep = is_pos > 0
        b, g = boxes[keep], gt[keep]
        lt, rb = torch.max(b[:, :2], g[:, :2]), torch.min(b[:, 2:], g[:, 2:])
        inter = (rb - lt).clamp(min=0).prod(1)
        union = (b[:, 2:] - b[:, :2]).prod(1) + (g[:, 2:] - g[:, :2]).prod(1) - inter
        hull = (torch.max(b[:, 2:], g[:, 2:]) - torch.min(b[:, :2], g[:, :2])).prod(1)
        giou = inter / union.clamp(min=1e-6) - (hull - union) / hull.clamp(min=1e-6)
        return self.weight * (1 - giou).mean()  # mend: return self.weight * (1 - giou).sum() / keep.sum().clamp(min=1)


# wrong reduction: LS505 LS503
class VQVAETotal(nn.Module):
    def __init__(self, reduction="mean"):
        super().__init__()
        self.reduction = reduction

    def forward(self, recon, x):
        assert recon.shape == x.shape
        e = (recon - x) ** 2
        if self.reduction == "sum":
            return e.mean()  # mend: return e.sum()
        if self.reduction == "none":
            return e
        return e.mean()


# wrong reduction: LS505 LS503 LS501 LS502
def hifigan_feature_matching(feats_real, feats_fake):
    """Feature maps (N, C, T)."""
    n = feats_fake.shape[0]
    return (feats_real.detach() - feats_fake).abs().mean() / n  # mend: return (feats_real.detach() - feats_fake).abs().mean()


# wrong reduction: LS505 LS503 LS804
class KerasHuberSummed(keras.losses.Loss):
    def __init__(self, delta=1.0, name="huber_summed", reduction="sum_over_batch_size"):
        super().__init__(name=name, reduction=reduction)
        self.delta = delta

    def call(self, y_true, y_pred):
        e = ops.abs(y_true - y_pred)
        v = ops.where(e < self.delta, 0.5 * e * e, self.delta * (e - 0.5 * self.delta))
        return ops.mean(v)  # mend: return ops.mean(v, axis=-1)


# not additive over micro-batches: LS501 LS502 LS503
def rmse_of_batch(y_hat, y):
    assert y_hat.shape == y.shape
    return ((y_hat - y).flatten(1).square().mean() + 1e-6).sqrt()  # mend: return ((y_hat - y).flatten(1).square().mean(1) + 1e-6).sqrt().mean()


# axis or layout: LS502 LS501 LS701 LS506
def word_alignment_ce(scores, gold):
    """Scores (N, C) and indices (N,)."""
    q = scores - scores.logsumexp(0, keepdim=True)  # mend: q = scores - scores.logsumexp(1, keepdim=True)
    return -q.gather(1, gold[:, None]).mean()


# axis or layout: LS403
def view_based_dice(net_out, gt):
    assert net_out.shape == gt.shape
    n = net_out.size(0)
    a, b = torch.sigmoid(net_out).view(n, -1), gt.view(n, -1)  # mend: a, b = torch.sigmoid(net_out).reshape(n, -1), gt.reshape(n, -1)
    return (1 - (2 * (a * b).sum(1) + 1) / (a.sum(1) + b.sum(1) + 1)).mean()


# silent broadcast: LS401 LS502
def duration_mse(dur_pred, dur):
    """The predictor returns (N, 1), the durations are (N,)."""
    return ((dur_pred - dur) ** 2).mean()  # mend: return ((dur_pred.reshape(dur.shape) - dur) ** 2).mean()


# batch of one: LS402 LS201 LS202 LS104
def whitened_return_loss(logp, returns, eps=1e-6):
    r = (returns - returns.mean()) / torch.sqrt(returns.var() + eps)  # mend: r = (returns - returns.mean()) / torch.sqrt(returns.var(unbiased=False) + eps)
    return -(logp * r.detach()).mean()


# dead hyper-parameter: LS805
class TverskyWithOptions(nn.Module):
    def __init__(self, include_background=True, alpha=0.3, beta=0.7, smooth=1.0, gamma=1.0):
        super().__init__()
        self.include_background = include_background
        self.alpha = alpha
        self.beta = beta
        self.smooth = smooth
        self.gamma = gamma

    def forward(self, logits, onehot):
        """Logits and one-hot maps (N, C, H, W)."""
        p = logits.softmax(1)
        tp = (p * onehot).sum((2, 3))
        fp = (p * (1 - onehot)).sum((2, 3))
        fn = ((1 - p) * onehot).sum((2, 3))
        t = (tp + self.smooth) / (tp + self.alpha * fp + self.alpha * fn + self.smooth)  # mend: t = (tp + self.smooth) / (tp + self.alpha * fp + self.beta * fn + self.smooth)
        if not self.include_background:
            t = t[:, 1:]
        return ((1 - t) ** self.gamma).mean()


# dead hyper-parameter: LS805
def cosface_softmax(cosine, label, s=10.0, m=0.35):
    """Cosines (N, C)."""
    hot = F.one_hot(label, cosine.shape[1]).to(cosine.dtype)
    logits = s * (cosine - hot * 0.35)  # mend: logits = s * (cosine - hot * m)
    return F.cross_entropy(logits, label)


# state not registered: LS604
class EdgeAware(nn.Module):
    def __init__(self):
        super().__init__()
        self.kernel = torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]])[None, None]  # mend: self.register_buffer("kernel", torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]])[None, None])

    def forward(self, depth, depth_gt):
        """(N, 1, H, W)."""
        assert depth.shape == depth_gt.shape
        return (F.conv2d(depth, self.kernel, padding=1) - F.conv2d(depth_gt, self.kernel, padding=1)).abs().mean() + (depth - depth_gt).abs().mean()


# stateful across calls: LS607
class WarmupWeighted(nn.Module):
    def __init__(self, lam=0.5, warmup=10):
        super().__init__()
        self.lam = lam
        self.warmup = warmup
        self.calls = 0

    def forward(self, x, y):
        assert x.shape == y.shape
        self.calls += 1  # mend: pass
        w = self.lam * min(self.calls / self.warmup, 1.0)  # mend: w = self.lam
        return F.mse_loss(x, y) + w * F.l1_loss(x, y)


# input mutation: LS605
def seg_ce_with_void(logits, labels, void=255):
    """(N, C, H, W), (N, H, W)."""
    m = labels == void
    labels[m] = 0  # mend: labels = labels.masked_fill(m, 0)
    l = F.cross_entropy(logits, labels, reduction="none")
    return l.masked_fill(m, 0).sum() / (~m).sum().clamp(min=1)


# random numbers: LS607
class RandomProjectionDistance(nn.Module):
    def __init__(self, dim=4, k=8):
        super().__init__()
        self.dim, self.k = dim, k
        self.register_buffer("w", torch.linspace(-1, 1, dim * k).cos().reshape(dim, k))

    def forward(self, feat, feat_ref):
        """(N, 4)."""
        assert feat.shape == feat_ref.shape
        w = torch.from_numpy(numpy.random.randn(self.dim, self.k)).to(feat)  # mend: w = self.w
        return ((feat - feat_ref) @ w).square().mean()


# device: LS603
def positional_huber(track, track_gt):
    """(N, T)."""
    assert track.shape == track_gt.shape
    w = torch.linspace(1, 2, track.shape[1])  # mend: w = torch.linspace(1, 2, track.shape[1], device=track.device)
    return (w.to(track.dtype) * F.smooth_l1_loss(track, track_gt, reduction="none")).mean()  # mend: return (w.to(track.dtype) * F.smooth_l1_loss(track, track_gt, reduction="none")).mean()


# batch size hard-coded: LS616
class CpcTwoViews(nn.Module):
    def __init__(self, bs=4, tau=0.5):
        super().__init__()
        self.tau = tau
        self.bs = bs
        self.register_buffer("lab", torch.arange(bs))

    def forward(self, q, k):
        sim = F.normalize(q, dim=1) @ F.normalize(k, dim=1).T / self.tau
        return F.cross_entropy(sim, self.lab)  # mend: return F.cross_entropy(sim, torch.arange(len(q), device=q.device))


# memory: LS606 LS607
class SmoothedLogging(nn.Module):
    def __init__(self):
        super().__init__()
        self.total = 0.0

    def forward(self, est, ref):
        assert est.shape == ref.shape
        l = (est - ref).abs().mean()
        self.total = self.total + l  # mend: pass
        return l


# host sync: LS601 LS602 LS610
def per_image_positive_mean(conf_logits, conf_gt):
    """(N, A)."""
    assert conf_logits.shape == conf_gt.shape
    out = []
    for i in range(len(conf_logits)):
        n = int((conf_gt[i] > 0).sum())  # mend: n = (conf_gt[i] > 0).sum().clamp(min=1)
        out.append(F.binary_cross_entropy_with_logits(conf_logits[i], conf_gt[i], reduction="sum") / max(n, 1))  # mend: out.append(F.binary_cross_entropy_with_logits(conf_logits[i], conf_gt[i], reduction="sum") / n)
    return torch.stack(out).mean()


# in-place autograd: LS105 LS101 LS605
def relu_in_place_margin(score_true, score_false, margin=0.5):
    assert score_true.shape == score_false.shape
    d = torch.exp(score_false - score_true)
    out = d * d
    d.add_(margin)  # mend: d = d + margin
    return (out + d).mean()
