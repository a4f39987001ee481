# ruff: noqa
# fmt: off
# The ninth round: defects of public issues, restated before the rules were read. Above each stand the class of its
# defect and the codes that name it rightly; `mend:` is the repaired line. Those without a class are innocent.

# wrong gradient: LS101
class SmoothAbsolute(torch.autograd.Function):
    @staticmethod
    def forward(ctx, pred, target, beta=0.5):
        diff = pred - target
        ctx.save_for_backward(diff)
        ctx.beta = beta
        n = diff.abs()
        return torch.where(n < beta, 0.5 * n * n / beta, n - 0.5 * beta).mean()

    @staticmethod
    def backward(ctx, grad_output):
        (diff,) = ctx.saved_tensors
        inner = diff  # mend: inner = diff / ctx.beta
        grad = torch.where(diff.abs() < ctx.beta, inner, diff.sign()) / diff.numel()
        return grad_output * grad, -grad_output * grad, None


# wrong gradient: LS101 LS102
class TverskyFn(torch.autograd.Function):
    @staticmethod
    def forward(ctx, probs, mask):
        ctx.save_for_backward(probs, mask)
        tp = (probs * mask).sum()
        fp = (probs * (1 - mask)).sum()
        fn = ((1 - probs) * mask).sum()
        return 1 - (tp + 1) / (tp + 0.3 * fp + 0.7 * fn + 1)

    @staticmethod
    def backward(ctx, grad_out):
        probs, mask = ctx.saved_tensors
        tp = (probs * mask).sum()
        fp = (probs * (1 - mask)).sum()
        fn = ((1 - probs) * mask).sum()
        den = tp + 0.3 * fp + 0.7 * fn + 1
        d_den = mask + 0.3 * (1 - mask) - 0.7 * mask
        grad = -(mask * den - (tp + 1) * d_den) / den ** 2
        return grad, None  # mend: return grad_out * grad, None


# non-finite value: LS201 LS104 LS202 LS204
def si_sdr(estimate, reference):
    ref_energy = (reference ** 2).sum(-1, keepdim=True)  # mend: ref_energy = (reference ** 2).sum(-1, keepdim=True) + 1e-8
    scale = (estimate * reference).sum(-1, keepdim=True) / ref_energy
    projection = scale * reference
    noise = estimate - projection
    ratio = (projection ** 2).sum(-1) / (noise ** 2).sum(-1)  # mend: ratio = ((projection ** 2).sum(-1) + 1e-8) / ((noise ** 2).sum(-1) + 1e-8)
    return -10 * torch.log10(ratio).mean()


# non-finite gradient: LS104 LS202 LS103
class JointPositionError(nn.Module):
    """Mean distance per joint of (B, J, 3) poses."""

    def forward(self, pred, gt):
        squared = ((pred - gt) ** 2).sum(dim=-1)  # mend: squared = ((pred - gt) ** 2).sum(dim=-1) + 1e-8
        return torch.sqrt(squared).mean()


# nan hidden: LS103 LS104 LS202
def attention_js(p, q):
    """Jensen-Shannon divergence of two attention maps, rows of probabilities."""
    m = 0.5 * (p + q)
    log_m = m.log()  # mend: log_m = m.clamp(min=1e-8).log()
    left = (p * (p.log() - log_m)).nan_to_num(0.0).sum(-1)  # mend: left = (p * (p.clamp(min=1e-8).log() - log_m)).sum(-1)
    right = (q * (q.log() - log_m)).nan_to_num(0.0).sum(-1)  # mend: right = (q * (q.clamp(min=1e-8).log() - log_m)).sum(-1)
    return 0.5 * (left + right).mean()


# missing gradient: LS105 LS804
def per_image_dice(logits, masks):
    scores = []
    for p, m in zip(torch.sigmoid(logits), masks):
        inter = (p * m).sum()
        scores.append(1 - (2 * inter + 1) / (p.sum() + m.sum() + 1))
    return torch.tensor(scores).mean()  # mend: return torch.stack(scores).mean()


# missing gradient: LS105 LS106
def soft_target_distill(logits, teacher_logits, labels, temperature=4.0):
    teacher = F.softmax(teacher_logits.detach() / temperature, dim=-1)
    student = F.log_softmax(teacher_logits.detach() / temperature, dim=-1)  # mend: student = F.log_softmax(logits / temperature, dim=-1)
    soft = F.kl_div(student, teacher, reduction="batchmean") * temperature ** 2
    return soft  # mend: return soft + F.cross_entropy(logits, labels)


# dead gradient: LS207 LS105
class RestorationLoss(nn.Module):
    def __init__(self, eps=1e-3):
        super().__init__()
        self.eps = eps

    def forward(self, restored, clean):
        restored = restored.clamp(0.0, 1.0)  # mend: restored = restored + 0.0
        return torch.sqrt((restored - clean) ** 2 + self.eps ** 2).mean()


# gradient leaking into target: LS107
def dino_head_loss(student_out, teacher_out, center, temp=0.1, teacher_temp=0.04):
    teacher = F.softmax((teacher_out - center) / teacher_temp, dim=-1)  # mend: teacher = F.softmax((teacher_out - center) / teacher_temp, dim=-1).detach()
    student = F.log_softmax(student_out / temp, dim=-1)
    return -(teacher * student).sum(dim=-1).mean()


# wrong formula: LS201 LS701
def latent_kl(mu, log_var):
    var = log_var ** 2  # mend: var = torch.exp(log_var)
    return 0.5 * (mu ** 2 + var - torch.log(var) - 1).sum(dim=1).mean()


# wrong formula: LS701 LS208
def box_iou_loss(pred_boxes, gt_boxes):
    """1 - IoU of aligned (N, 4) boxes x1 y1 x2 y2."""
    lt = torch.maximum(pred_boxes[:, :2], gt_boxes[:, :2])
    rb = torch.minimum(pred_boxes[:, 2:], gt_boxes[:, 2:])
    wh = (rb - lt).clamp(min=0)
    inter = wh[:, 0] * wh[:, 1]
    area_p = (pred_boxes[:, 2] - pred_boxes[:, 0]) * (pred_boxes[:, 3] - pred_boxes[:, 0])  # mend: area_p = (pred_boxes[:, 2] - pred_boxes[:, 0]) * (pred_boxes[:, 3] - pred_boxes[:, 1])
    area_g = (gt_boxes[:, 2] - gt_boxes[:, 0]) * (gt_boxes[:, 3] - gt_boxes[:, 1])
    return (1 - inter / (area_p + area_g - inter + 1e-7)).mean()


# wrong formula: LS701 LS802
def list_mle(scores, relevance):
    """Likelihood of the ranking by relevance, (B, L) scores."""
    order = relevance.argsort(dim=1, descending=True)
    ranked = scores.gather(1, order)
    rest = torch.logcumsumexp(ranked, dim=1)  # mend: rest = torch.logcumsumexp(ranked.flip(1), dim=1).flip(1)
    return (rest - ranked).sum(1).mean()


# wrong direction or sign: LS701 LS702 LS703 LS802
class PinballForecast(nn.Module):
    def __init__(self, quantiles=(0.1, 0.5, 0.9)):
        super().__init__()
        self.quantiles = quantiles

    def forward(self, forecast, actual):
        """forecast (B, T, Q), actual (B, T)."""
        total = 0.0
        for i, q in enumerate(self.quantiles):
            err = forecast[..., i] - actual  # mend: err = actual - forecast[..., i]
            total = total + torch.maximum(q * err, (q - 1) * err).mean()
        return total / len(self.quantiles)


# mask not removed: LS205 LS507
def sequence_vae_kl(mean, logvar, seq_mask):
    """KL per step of (B, T, D) latents, over the steps that the (B, T) mask keeps."""
    kl = -0.5 * torch.sum(1 + logvar - mean.pow(2) - logvar.exp()) * seq_mask  # mend: kl = -0.5 * torch.sum(1 + logvar - mean.pow(2) - logvar.exp(), dim=-1) * seq_mask
    return kl.sum() / seq_mask.sum().clamp(min=1)


# wrong reduction: LS505
class PolyOne(nn.Module):
    def __init__(self, epsilon=1.0, reduction="mean"):
        super().__init__()
        self.epsilon = epsilon
        self.reduction = reduction

    def forward(self, logits, labels):
        ce = F.cross_entropy(logits, labels)  # mend: ce = F.cross_entropy(logits, labels, reduction="none")
        pt = F.softmax(logits, dim=-1).gather(1, labels[:, None]).squeeze(1)
        loss = ce + self.epsilon * (1 - pt)
        if self.reduction == "mean":
            return loss.mean()
        if self.reduction == "sum":
            return loss.sum()
        return loss


# not additive over micro-batches: LS501 LS502
def spectral_convergence(x_mag, y_mag):
    """Relative error of (B, T, F) magnitudes."""
    top = torch.norm(y_mag - x_mag, p="fro")  # mend: top = torch.norm(y_mag - x_mag, p="fro", dim=(1, 2))
    return top / torch.norm(y_mag, p="fro")  # mend: return (top / torch.norm(y_mag, p="fro", dim=(1, 2)).clamp(min=1e-7)).mean()


# ignore-index not removed: LS205
class SmoothedTokens(nn.Module):
    def __init__(self, smoothing=0.1, ignore_index=-100):
        super().__init__()
        self.smoothing = smoothing
        self.ignore_index = ignore_index

    def forward(self, logits, target):
        logp = F.log_softmax(logits, dim=-1)
        keep = target != self.ignore_index
        safe = target.masked_fill(~keep, 0)
        nll = -logp.gather(-1, safe.unsqueeze(-1)).squeeze(-1) * keep
        uniform = -logp.mean(dim=-1)  # mend: uniform = -logp.mean(dim=-1) * keep
        loss = (1 - self.smoothing) * nll + self.smoothing * uniform
        return loss.sum() / keep.sum().clamp(min=1)


# mask not removed: LS205 LS106
def speech_dpo(chosen_logits, chosen_ids, rejected_logits, rejected_ids, pad=-100, beta=0.1):
    def score(logits, ids):
        kept = ids == pad  # mend: kept = ids != pad
        logp = logits.log_softmax(-1).gather(2, ids.masked_fill(ids == pad, 0).unsqueeze(-1)).squeeze(-1)
        return (logp * kept).sum(-1) / kept.sum(-1).clamp(min=1)

    return -F.logsigmoid(beta * (score(chosen_logits, chosen_ids) - score(rejected_logits, rejected_ids))).mean()


# mask not removed: LS205 LS507 LS501 LS204
def grpo_step(logp, old_logp, ref_logp, advantages, mask, beta=0.04, clip=0.2):
    """Token-level (B, T) log-probabilities, advantages (B,), mask of the answer's tokens."""
    ratio = torch.exp(logp - old_logp.detach())
    adv = advantages.unsqueeze(1)
    surrogate = torch.min(ratio * adv, ratio.clamp(1 - clip, 1 + clip) * adv)
    kl = torch.exp(ref_logp - logp) - (ref_logp - logp) - 1
    policy = -(surrogate * mask).sum() / mask.sum().clamp(min=1)
    return policy + beta * kl.mean()  # mend: return policy + beta * (kl * mask).sum() / mask.sum().clamp(min=1)


# weights ignored: LS106
def weighted_boundary_bce(logits, target, weight):
    loss = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    loss.mul(weight)  # mend: loss = loss.mul(weight)
    return loss.mean()


# weights applied twice: LS404 LS504 LS501
class BalancedCrossEntropy(nn.Module):
    def __init__(self, class_weight=(1.0, 4.0, 2.0)):
        super().__init__()
        self.register_buffer("class_weight", torch.tensor(class_weight))

    def forward(self, logits, target):
        ce = F.cross_entropy(logits, target, weight=self.class_weight, reduction="none")  # mend: ce = F.cross_entropy(logits, target, reduction="none")
        w = self.class_weight[target]
        return (ce * w).sum() / w.sum()


# empty selection: LS204
class EdgeAttention(nn.Module):
    """Cross entropy over the pixels of an edge map."""

    def forward(self, logits, labels, edges):
        ce = F.cross_entropy(logits, labels, reduction="none")
        at = ce * edges
        at = at[edges > 0]
        return at.mean()  # mend: return at.sum() / (edges > 0).sum().clamp(min=1)


# silent broadcast: LS401 LS502 LS501
def double_dqn(q_values, actions, rewards, next_q_values, done, gamma=0.99):
    q = q_values.gather(1, actions.unsqueeze(1))  # mend: q = q_values.gather(1, actions.unsqueeze(1)).squeeze(1)
    with torch.no_grad():
        target = rewards + gamma * (1 - done) * next_q_values.max(dim=1).values
    return F.smooth_l1_loss(q, target)


# axis: LS502 LS501 LS506
def byol_regression(prediction, projection):
    p = F.normalize(prediction, dim=0)  # mend: p = F.normalize(prediction, dim=1)
    z = F.normalize(projection.detach(), dim=0)  # mend: z = F.normalize(projection.detach(), dim=1)
    return (2 - 2 * (p * z).sum(dim=1)).mean()


# low precision: LS301 LS201 LS202
def saliency_bce(saliency, ground_truth):
    p = torch.clamp(saliency, 1e-8, 1 - 1e-8)  # mend: p = torch.clamp(saliency, 1e-6, 1 - 1e-6)
    return -(ground_truth * torch.log(p) + (1 - ground_truth) * torch.log(1 - p)).mean()


# low precision: LS207 LS307 LS303 LS706
class MixtureDensity(nn.Module):
    def forward(self, pi_logits, mu, log_sigma, y):
        """K Gaussians per row: (N, K) parameters, y (N,)."""
        z = (y.unsqueeze(1) - mu) * torch.exp(-log_sigma)
        log_prob = F.log_softmax(pi_logits, dim=1) - 0.5 * z ** 2 - log_sigma - 0.9189385
        return -torch.log(torch.exp(log_prob).sum(dim=1) + 1e-8).mean()  # mend: return -torch.logsumexp(log_prob, dim=1).mean()


# dtype promotion: LS306
class BinExpectation(nn.Module):
    """Age as the expectation over bins."""

    def __init__(self, bins=101):
        super().__init__()
        self.register_buffer("ages", torch.from_numpy(numpy.linspace(0.0, 100.0, bins)))  # mend: self.register_buffer("ages", torch.linspace(0.0, 100.0, bins))

    def forward(self, logits, age):
        expected = (F.softmax(logits, dim=1) * self.ages).sum(dim=1)
        return (expected - age).abs().mean()


# logits and probabilities confused: LS801 LS803 LS208 LS701
def target_adaptation_kd(student_map, teacher_map):
    student = F.softmax(student_map, dim=1)  # mend: student = F.log_softmax(student_map, dim=1)
    teacher = F.softmax(teacher_map, dim=1).detach()
    return F.kl_div(student, teacher, reduction="none").sum(1).mean()


# logits and probabilities confused: LS801 LS803 LS208 LS701
class TextRecognitionCTC(nn.Module):
    def __init__(self, blank=0):
        super().__init__()
        self.ctc = nn.CTCLoss(blank=blank, zero_infinity=True)

    def forward(self, logits, targets, input_lengths, target_lengths):
        """logits (B, T, C)."""
        frames = logits.permute(1, 0, 2).softmax(dim=-1)  # mend: frames = logits.permute(1, 0, 2).log_softmax(dim=-1)
        return self.ctc(frames, targets, input_lengths, target_lengths)


# wrong direction or sign: LS701 LS802
def preference_dpo(chosen_logps, rejected_logps, ref_chosen_logps, ref_rejected_logps, beta=0.1):
    chosen = chosen_logps - ref_chosen_logps
    rejected = rejected_logps - ref_rejected_logps
    return -F.logsigmoid(beta * (rejected - chosen)).mean()  # mend: return -F.logsigmoid(beta * (chosen - rejected)).mean()


# dead hyper-parameter: LS805
class ArcHead(nn.Module):
    def __init__(self, dim=16, classes=5, s=30.0, m=0.5):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(classes, dim))
        self.s = s
        self.m = m

    def forward(self, feats, label):
        cosine = F.linear(F.normalize(feats), F.normalize(self.weight)).clamp(-1 + 1e-6, 1 - 1e-6)
        phi = torch.cos(torch.acos(cosine) + self.m)
        one_hot = F.one_hot(label, cosine.shape[1]).to(cosine.dtype)
        output = self.s * (one_hot * phi + (1 - one_hot) * cosine)
        return F.cross_entropy(cosine, label)  # mend: return F.cross_entropy(output, label)


# index semantics: LS106 LS506 LS205 LS701
def cox_partial(log_hazard, event, time):
    order = torch.argsort(time)
    hazard, observed = log_hazard[order], event[order].long()
    risk = torch.logcumsumexp(hazard.flip(0), dim=0).flip(0)
    return -(hazard - risk)[observed].mean()  # mend: return -((hazard - risk) * observed).sum() / observed.sum().clamp(min=1)


# state not registered: LS604
class UncertaintyWeighted(nn.Module):
    """Two regression tasks weighed by their learned uncertainty."""

    def __init__(self):
        super().__init__()
        self.log_vars = [nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(1))]  # mend: self.log_vars = nn.ParameterList([nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(1))])

    def forward(self, depth, depth_gt, normal, normal_gt):
        first = torch.exp(-self.log_vars[0]) * F.l1_loss(depth, depth_gt) + self.log_vars[0]
        second = torch.exp(-self.log_vars[1]) * F.mse_loss(normal, normal_gt) + self.log_vars[1]
        return (first + second).mean()


# stateful across calls: LS607
class RampedConsistency(nn.Module):
    def __init__(self, ramp=100, weight=0.5):
        super().__init__()
        self.ramp = ramp
        self.weight = weight
        self.calls = 0

    def forward(self, logits, labels, ema_logits):  # mend: def forward(self, logits, labels, ema_logits, step=50):
        self.calls += 1  # mend: self.calls = step
        w = self.weight * min(1.0, self.calls / self.ramp)
        gap = F.mse_loss(logits.softmax(1), ema_logits.detach().softmax(1))
        return F.cross_entropy(logits, labels) + w * gap


# global rng: LS607
def shuffled_negative_triplet(anchor, positive, margin=0.3):
    other = positive[torch.randperm(len(positive))]  # mend: other = positive.roll(1, dims=0)
    return F.relu((anchor - positive).pow(2).sum(1) - (anchor - other).pow(2).sum(1) + margin).mean()


# input mutation: LS605
def xywh_giou(pred, target):
    """Boxes as x, y, width, height; widths are positive."""
    target[:, 2:] += target[:, :2]  # mend: target = torch.cat([target[:, :2], target[:, :2] + target[:, 2:]], 1)
    pred = torch.cat([pred[:, :2], pred[:, :2] + pred[:, 2:]], 1)
    wh = (torch.minimum(pred[:, 2:], target[:, 2:]) - torch.maximum(pred[:, :2], target[:, :2])).clamp(min=0)
    inter = wh[:, 0] * wh[:, 1]
    union = (pred[:, 2:] - pred[:, :2]).prod(1) + (target[:, 2:] - target[:, :2]).prod(1) - inter
    hull = (torch.maximum(pred[:, 2:], target[:, 2:]) - torch.minimum(pred[:, :2], target[:, :2])).prod(1)
    return (1 - inter / (union + 1e-7) + (hull - union) / (hull + 1e-7)).mean()


# device hard-coded: LS603
def image_text_contrastive(image_feats, text_feats, temperature=0.07):
    image_feats, text_feats = F.normalize(image_feats, dim=-1), F.normalize(text_feats, dim=-1)
    logits = image_feats @ text_feats.t() / temperature
    device = "cuda" if torch.cuda.is_available() else "cpu"  # mend: device = logits.device
    labels = torch.arange(len(logits), device=device)
    return (F.cross_entropy(logits, labels) + F.cross_entropy(logits.t(), labels)) / 2


# batch size hard-coded: LS616
class SimCLRPairs(nn.Module):
    def __init__(self, batch_size=16, temperature=0.5):  # mend: def __init__(self, temperature=0.5):
        super().__init__()
        self.batch_size = batch_size  # mend: self.views = 2
        self.temperature = temperature

    def forward(self, z_i, z_j):
        n = self.batch_size  # mend: n = z_i.shape[0]
        z = F.normalize(torch.cat([z_i, z_j]), dim=1)
        sim = z @ z.t() / self.temperature
        sim = sim.masked_fill(torch.eye(2 * n, dtype=torch.bool, device=z.device), -1e9)
        pos = torch.cat([torch.arange(n, 2 * n, device=z.device), torch.arange(n, device=z.device)])
        return F.cross_entropy(sim, pos)


# host sync: LS601 LS602 LS610
def scale_invariant_depth(log_depth, gt):
    if gt.max().item() > 0:  # mend: if gt.numel() > 0:
        valid = (gt > 0).to(log_depth.dtype)
        d = (log_depth - torch.log(gt.clamp(min=1e-3))) * valid
        n = valid.sum().clamp(min=1)
        return (d ** 2).sum() / n - 0.5 * (d.sum() / n) ** 2
    return log_depth.sum() * 0


# memory blow-up: LS608
def gaussian_mmd(x, y, sigma=1.0):
    def kernel(a, b):
        gap = ((a.unsqueeze(1) - b.unsqueeze(0)) ** 2).sum(-1)  # mend: gap = (a ** 2).sum(1, keepdim=True) + (b ** 2).sum(1) - 2 * a @ b.t()
        return torch.exp(-gap / (2 * sigma ** 2))

    return kernel(x, x).mean() + kernel(y, y).mean() - 2 * kernel(x, y).mean()


# memory kept: LS606
class LoggedError(nn.Module):
    def __init__(self):
        super().__init__()
        self.logged = []

    def forward(self, pred, target):
        loss = F.mse_loss(pred, target)
        self.logged.append(loss)  # mend: self.last = loss.detach()
        return loss


# wrong direction or sign: LS802 LS208 LS701 LS201
def keras_cross_entropy(y_true, y_pred):
    y_pred = ops.clip(y_pred, 1e-7, 1.0)
    y_true = ops.clip(y_true, 1e-7, 1.0)
    return -ops.sum(y_pred * ops.log(y_true), axis=-1)  # mend: return -ops.sum(y_true * ops.log(y_pred), axis=-1)


# mask not removed: LS205
class MaskedForecast(keras.losses.Loss):
    """Squared error where the truth is not -1."""

    def call(self, y_true, y_pred):
        known = ops.cast(ops.not_equal(y_true, -1.0), y_pred.dtype)
        error = ops.square(y_true - y_pred)  # mend: error = ops.square(y_true - y_pred) * known
        return ops.sum(error, axis=-1) / ops.maximum(ops.sum(known, axis=-1), 1.0)


# axis: LS501 LS502 LS506 LS701
def keras_soft_labels(y_true, y_pred):
    """Cross entropy of logits with soft labels."""
    log_p = ops.log_softmax(y_pred, axis=0)  # mend: log_p = ops.log_softmax(y_pred, axis=-1)
    return -ops.sum(y_true * log_p, axis=-1)


# dead gradient: LS105
class KerasF1(keras.losses.Loss):
    def call(self, y_true, y_pred):
        hard = ops.cast(y_pred > 0.5, "float32")  # mend: hard = y_pred
        tp = ops.sum(hard * y_true, axis=-1)
        return 1.0 - (2.0 * tp + 1e-6) / (ops.sum(hard, axis=-1) + ops.sum(y_true, axis=-1) + 1e-6)


# wrong reduction: LS503 LS501 LS505 LS804
def tf_focal(y_true, y_pred, gamma=2.0, alpha=0.25):
    p = tf.clip_by_value(y_pred, 1e-6, 1.0 - 1e-6)
    pos = alpha * y_true * (1.0 - p) ** gamma * tf.math.log(p)
    neg = (1.0 - alpha) * (1.0 - y_true) * p ** gamma * tf.math.log(1.0 - p)
    return -tf.reduce_sum(pos + neg)  # mend: return -tf.reduce_mean(pos + neg, axis=-1)


# non-finite gradient: LS202 LS209 LS103 LS104
def jax_sigmoid_focal(logits, labels, gamma=0.5):
    p = jax.nn.sigmoid(logits)
    pt = p * labels + (1 - p) * (1 - labels)
    ce = jnp.logaddexp(0.0, logits) - logits * labels
    return jnp.mean((1 - pt) ** gamma * ce)  # mend: return jnp.mean(jnp.maximum(1 - pt, 1e-6) ** gamma * ce)


# non-finite gradient: LS104 LS202
def jax_direction(prediction, velocity):
    """One minus the cosine between flow vectors."""
    norms = jnp.sqrt(jnp.sum(prediction ** 2, -1)) * jnp.sqrt(jnp.sum(velocity ** 2, -1))  # mend: norms = jnp.sqrt(jnp.sum(prediction ** 2, -1) + 1e-6) * jnp.sqrt(jnp.sum(velocity ** 2, -1) + 1e-6)
    return jnp.mean(1.0 - jnp.sum(prediction * velocity, -1) / (norms + 1e-8))


# non-finite value: LS201 LS204 LS202
def jax_min_snr(pred_noise, noise, snr, gamma=5.0):
    weight = jnp.minimum(snr, gamma) / snr  # mend: weight = gamma / jnp.maximum(snr, gamma)
    return jnp.mean(weight * jnp.mean((pred_noise - noise) ** 2, axis=-1))


class BarlowTwins(nn.Module):
    def __init__(self, lambd=5e-3):
        super().__init__()
        self.lambd = lambd

    def forward(self, z_a, z_b):
        z_a = (z_a - z_a.mean(0)) / (z_a.var(0) + 1e-5).sqrt()
        z_b = (z_b - z_b.mean(0)) / (z_b.var(0) + 1e-5).sqrt()
        c = z_a.t() @ z_b / len(z_a)
        on = (c.diagonal() - 1).pow(2).sum()
        off = c.pow(2).sum() - c.diagonal().pow(2).sum()
        return on + self.lambd * off


def complete_iou(pred, gt):
    """CIoU of aligned x1 y1 x2 y2 boxes; the trade-off is a constant to the gradient, as its authors do."""
    wh = (torch.minimum(pred[:, 2:], gt[:, 2:]) - torch.maximum(pred[:, :2], gt[:, :2])).clamp(min=0)
    inter = wh[:, 0] * wh[:, 1]
    pw, ph = (pred[:, 2:] - pred[:, :2]).clamp(min=1e-6).unbind(1)
    gw, gh = (gt[:, 2:] - gt[:, :2]).clamp(min=1e-6).unbind(1)
    iou = inter / (pw * ph + gw * gh - inter + 1e-7)
    hull = torch.maximum(pred[:, 2:], gt[:, 2:]) - torch.minimum(pred[:, :2], gt[:, :2])
    centre = ((pred[:, :2] + pred[:, 2:] - gt[:, :2] - gt[:, 2:]) ** 2).sum(1) / 4
    v = 4 / 3.141592653589793 ** 2 * (torch.atan(gw / gh) - torch.atan(pw / ph)) ** 2
    with torch.no_grad():
        alpha = v / (1 - iou + v + 1e-7)
    return (1 - iou + centre / ((hull ** 2).sum(1) + 1e-7) + alpha * v).mean()


def mode_seeking_distill(student_logits, teacher_logits):
    """Reverse KL: the student's distribution first."""
    student = F.log_softmax(student_logits, dim=-1)
    teacher = F.log_softmax(teacher_logits.detach(), dim=-1)
    return (student.exp() * (student - teacher)).sum(-1).mean()


def codebook_commitment(latents, codes, commitment=0.25):
    """VQ-VAE: the codes move to the latents, and the latents are held to the codes."""
    return F.mse_loss(codes, latents.detach()) + commitment * F.mse_loss(latents, codes.detach())


def critic_wasserstein(real_scores, fake_scores):
    return fake_scores.mean() - real_scores.mean()


class RDrop(nn.Module):
    """Two passes of one model are both trained."""

    def __init__(self, alpha=0.5):
        super().__init__()
        self.alpha = alpha

    def forward(self, logits_a, logits_b, labels):
        ce = F.cross_entropy(logits_a, labels) + F.cross_entropy(logits_b, labels)
        a, b = F.log_softmax(logits_a, -1), F.log_softmax(logits_b, -1)
        sym = F.kl_div(a, b, reduction="batchmean", log_target=True) + F.kl_div(b, a, reduction="batchmean", log_target=True)
        return ce + self.alpha * sym / 2


def heteroscedastic_nll(mean, log_var, target):
    return 0.5 * (log_var + (target - mean) ** 2 * torch.exp(-log_var)).mean()


class MaskedPatches(nn.Module):
    """Squared error of the hidden patches, (B, L, P), against patches of unit variance."""

    def forward(self, pred, patches, hidden):
        mean = patches.mean(-1, keepdim=True)
        var = patches.var(-1, keepdim=True)
        target = (patches - mean) / (var + 1e-6).sqrt()
        loss = ((pred - target) ** 2).mean(-1)
        return (loss * hidden).sum() / hidden.sum().clamp(min=1)


def top_one_listnet(scores, gains):
    return -(F.softmax(gains, dim=1) * F.log_softmax(scores, dim=1)).sum(1).mean()


def keras_log_cosh(y_true, y_pred):
    x = y_pred - y_true
    return ops.mean(x + ops.softplus(-2.0 * x) - 0.6931471805599453, axis=-1)
