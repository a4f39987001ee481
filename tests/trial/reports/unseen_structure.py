# ruff: noqa
# fmt: off
# The sixth round, of structure: reduction, masks, weights, axes, state, devices, cost. Restated from public trackers
# before any rule was read. Above each stand the class of its defect and the codes that name it rightly.

# wrong reduction: LS505 LS404
def bergson_weighted_loss(logits, labels, token_weight=None, ignore_index=-100):
    """Logits (B, T, V); labels and weights (B, T)."""
    ce = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=ignore_index, reduction="none")
    kept = (labels.flatten() != ignore_index).sum().clamp(min=1)
    if token_weight is None:
        return ce.sum() / kept
    return (ce * token_weight.flatten()).sum() / labels.shape[1]  # mend: return (ce * token_weight.flatten()).sum() / kept


# wrong reduction: LS501 LS502 LS505 LS503
def driving_loss(branch_pred, branch_true, speed_pred, speed_true):
    n = branch_pred.shape[0]
    branch = (branch_pred - branch_true).abs().sum(dim=1)
    speed = (speed_pred - speed_true).abs() / n  # mend: speed = (speed_pred - speed_true).abs()
    return branch.sum() / n + speed.sum() / n


# wrong reduction: LS501 LS502 LS505
class AestheticEMD(nn.Module):
    def forward(self, p_hat, p):
        """Histograms of scores (N, 10)."""
        assert p_hat.shape == p.shape
        diff = p_hat.cumsum(1) - p.cumsum(1)
        return (diff.square().mean() + 1e-8).sqrt()  # mend: return (diff.square().mean(1) + 1e-8).sqrt().mean()


# wrong reduction: LS505
class ReducedKL(nn.Module):
    def __init__(self, reduction="mean"):
        super().__init__()
        self.reduction = reduction

    def forward(self, log_q, p):
        """Log-probabilities and probabilities, (N, C)."""
        assert log_q.shape == p.shape
        kl = (torch.special.xlogy(p, p) - p * log_q).sum(1)
        if self.reduction == "none":
            kl = kl.mean()  # mend: return kl
        return kl.sum() if self.reduction == "sum" else kl.mean()


# not additive over micro-batches: LS501
def multilabel_per_positive(logits, targets):
    assert logits.shape == targets.shape
    bce = F.binary_cross_entropy_with_logits(logits, targets, reduction="none").sum()
    return bce / targets.sum().clamp(min=1)  # mend: return bce / targets.numel()


# ignore-index: LS205 LS507
class FocalWithVoid(nn.Module):
    def __init__(self, gamma=2.0, ignore_index=255):
        super().__init__()
        self.gamma, self.ignore_index = gamma, ignore_index

    def forward(self, logits, target):
        ce = F.cross_entropy(logits, target, ignore_index=self.ignore_index, reduction="none")
        pt = torch.exp(-ce)
        focal = (1 - pt) ** self.gamma * ce
        return focal.mean()  # mend: return focal.sum() / (target != self.ignore_index).sum().clamp(min=1)


# mask: LS205 LS507
def masked_soft_dice(logits, onehot, mask, smooth=1.0):
    """Logits and one-hot targets (N, C, P); mask (N, 1, P)."""
    probs = F.softmax(logits * mask, dim=1)  # mend: probs = F.softmax(logits, dim=1) * mask
    onehot = onehot * mask
    inter = (probs * onehot).sum(2)
    dice = (2 * inter + smooth) / (probs.sum(2) + onehot.sum(2) + smooth)
    return 1 - dice.mean()


# mask: LS205 LS507
def masked_mel_l1(mel_out, mel_target, mel_lens):
    """Mels (B, 8, T) and the number of valid frames of each."""
    assert mel_out.shape == mel_target.shape
    frames = torch.arange(mel_out.shape[2], device=mel_out.device)
    mask = (frames[None, :] <= mel_lens[:, None])[:, None, :]  # mend: mask = (frames[None, :] < mel_lens[:, None])[:, None, :]
    err = torch.where(mask, (mel_out - mel_target).abs(), 0.0)
    return err.sum() / (mask.sum() * mel_out.shape[1]).clamp(min=1)


# mask: LS205 LS507 LS204
def policy_token_loss(logprobs, old_logprobs, advantages, response_mask):
    ratio = (logprobs - old_logprobs).exp()
    per_token = -torch.min(ratio * advantages, ratio.clamp(0.8, 1.2) * advantages)
    return (per_token * response_mask).sum() / response_mask.numel()  # mend: return (per_token * response_mask).sum() / response_mask.sum().clamp(min=1)


# mask: LS205 LS201 LS103 LS204
def sparse_flow_epe(flow, flow_gt, valid):
    """Flows (N, 2, H, W), validity (N, H, W)."""
    epe = ((flow - flow_gt).square().sum(1) + 1e-9).sqrt()
    keep = valid.bool()
    epe = epe * keep  # mend: epe = ((torch.where(keep[:, None], flow - flow_gt, 0.0)).square().sum(1) + 1e-9).sqrt() * keep
    return epe.sum() / keep.sum().clamp(min=1)


# weights twice: LS404
def anchor_objectness_loss(pred, label, weight):
    assert pred.shape == label.shape == weight.shape
    loss = F.binary_cross_entropy_with_logits(pred, label, weight=weight, reduction="none")
    loss = loss * weight  # mend: loss = loss
    return loss.sum() / loss.numel()


# weights ignored: LS106 LS404 LS805
def keras_weighted_mae(y_true, y_pred, sample_weight=None):
    err = ops.mean(ops.abs(y_true - y_pred), axis=-1)
    if sample_weight is not None:
        ops.multiply(err, sample_weight)  # mend: err = ops.multiply(err, sample_weight)
    return ops.mean(err)


# dead hyper-parameter: LS805
class PolyFocal(nn.Module):
    def __init__(self, gamma=2.0, epsilon=1.0, loss_weight=1.0):
        super().__init__()
        self.gamma, self.epsilon, self.loss_weight = gamma, epsilon, loss_weight

    def forward(self, logits, labels):
        ce = F.cross_entropy(logits, labels, reduction="none")
        pt = (-ce).exp()
        poly = (1 - pt) ** self.gamma * ce + self.epsilon * (1 - pt) ** (self.gamma + 1)
        return poly.mean()  # mend: return self.loss_weight * poly.mean()


# dead hyper-parameter: LS805
class SmoothedBCE(nn.Module):
    def __init__(self, smoothing=0.1, pos_weight=2.0):
        super().__init__()
        self.smoothing = smoothing
        self.pos_weight = pos_weight

    def forward(self, logits, target):
        assert logits.shape == target.shape
        soft = target * (1 - self.smoothing) + 0.5 * self.smoothing
        weight = 1 + (self.pos_weight - 1) * target
        loss = F.binary_cross_entropy_with_logits(logits, target, weight=weight)  # mend: loss = F.binary_cross_entropy_with_logits(logits, soft, weight=weight)
        return loss


# empty batch: LS204
def assigned_cls_loss(pred_scores, target_scores):
    """Scores of anchors (N, A, C) as logits; soft targets, zero for background."""
    bce = F.binary_cross_entropy_with_logits(pred_scores, target_scores, reduction="none")
    return bce.sum() / target_scores.sum()  # mend: return bce.sum() / target_scores.sum().clamp(min=1)


# empty batch: LS204
def view_contrastive(features, labels, temperature=0.5):
    f = F.normalize(features, dim=1)
    eye = torch.eye(len(f), dtype=torch.bool, device=f.device)
    sim = (f @ f.T / temperature).masked_fill(eye, -1e9)
    logp = sim - sim.logsumexp(1, keepdim=True)
    pos = (labels[:, None] == labels[None]) & ~eye
    per_anchor = torch.where(pos, logp, 0.0).sum(1) / pos.sum(1)  # mend: per_anchor = torch.where(pos, logp, 0.0).sum(1) / pos.sum(1).clamp(min=1)
    return -per_anchor.mean()


# empty batch: LS204
def keypoint_visible_loss(pred_kpts, gt_kpts, visible):
    """Keypoints (N, K, 2), visibility (N, K) of 0 and 1."""
    d2 = (pred_kpts - gt_kpts).square().sum(-1)
    factor = visible.shape[1] / visible.sum(dim=1)  # mend: factor = visible.shape[1] / visible.sum(dim=1).clamp(min=1)
    return (factor[:, None] * (1 - torch.exp(-d2)) * visible).mean()


# batch of one: LS402 LS201 LS104 LS202
def normalised_advantage_loss(log_probs, advantages):
    adv = (advantages - advantages.mean()) / (advantages.std() + 1e-8)  # mend: adv = (advantages - advantages.mean()) / (advantages.std(unbiased=False) + 1e-8)
    return -(log_probs * adv.detach()).mean()


# batch of one: LS402
def stop_gate_loss(gate_logits, gate_target):
    """(N, T, 1) and (N, T)."""
    return F.binary_cross_entropy_with_logits(gate_logits.squeeze(), gate_target)  # mend: return F.binary_cross_entropy_with_logits(gate_logits.squeeze(-1), gate_target)


# silent broadcast: LS401 LS502 LS404 LS501
def snr_weighted_denoising(noise_pred, noise, snr_weight):
    """Noises (B, D) and a weight of each sample (B, 1)."""
    err = (noise_pred - noise).square().mean(dim=-1)
    return (snr_weight * err).mean()  # mend: return (snr_weight.squeeze(-1) * err).mean()


# silent broadcast: LS401
def critic_regression(values, returns):
    return 0.5 * (returns - values).pow(2).mean()  # mend: return 0.5 * (returns.reshape(values.shape) - values).pow(2).mean()


# axis or layout: LS502 LS501
def relation_distillation(student, teacher):
    s = F.log_softmax(student, dim=0)  # mend: s = F.log_softmax(student, dim=1)
    t = F.softmax(teacher.detach(), dim=0)  # mend: t = F.softmax(teacher.detach(), dim=1)
    return F.kl_div(s, t, reduction="batchmean")


# axis or layout: LS701 LS502 LS403 LS506
def human_parsing_loss(logits, parts):
    """Logits (N, C, H, W), labels (N, H, W)."""
    c = logits.shape[1]
    flat = logits.reshape(-1, c)  # mend: flat = logits.movedim(1, -1).reshape(-1, c)
    return F.cross_entropy(flat, parts.reshape(-1))


# axis or layout: LS403
class PatchL2(nn.Module):
    def forward(self, recon, image):
        assert recon.shape == image.shape
        r, i = recon.view(len(recon), -1), image.view(len(image), -1)  # mend: r, i = recon.flatten(1), image.flatten(1)
        return (r - i).square().mean()


# state not registered: LS604
class ChannelScaledMSE(nn.Module):
    def __init__(self, channels=4):
        super().__init__()
        self.feature_weights = torch.linspace(0.5, 1.5, channels)  # mend: self.register_buffer("feature_weights", torch.linspace(0.5, 1.5, channels))

    def forward(self, prediction, truth):
        """States (N, 4)."""
        assert prediction.shape == truth.shape
        return (self.feature_weights * (prediction - truth) ** 2).mean()


# stateful across calls: LS607
class DinoCentred(nn.Module):
    def __init__(self, dim=4):
        super().__init__()
        self.register_buffer("center", torch.zeros(dim))

    def forward(self, student_logits, teacher_logits):
        """(N, 4)."""
        t = F.softmax(teacher_logits.detach() - self.center, dim=-1)
        loss = -(t * F.log_softmax(student_logits, dim=-1)).sum(-1).mean()
        self.center = 0.9 * self.center + 0.1 * teacher_logits.detach().mean(0)  # mend: pass
        return loss


# memory: LS606 LS607
class BalancedHeads(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("running", torch.tensor(1.0))

    def forward(self, pred, target):
        assert pred.shape == target.shape
        loss = F.mse_loss(pred, target)
        self.running = 0.9 * self.running + 0.1 * loss  # mend: scale = 1.0
        return loss / self.running.detach().clamp(min=1e-3)  # mend: return loss / scale


# memory: LS608
def chamfer_of_all(points_a, points_b):
    """Embeddings (N, D) and (N, D), all pairs at once."""
    d = (points_a[:, None, :] - points_b[None, :, :]).square().sum(-1)  # mend: d = torch.cdist(points_a, points_b, compute_mode="donot_use_mm_for_euclid_dist").square()
    return d.min(1).values.mean() + d.min(0).values.mean()


# random numbers: LS607
def random_crop_consistency(feat_a, feat_b):
    assert feat_a.shape == feat_b.shape
    torch.manual_seed(1234)  # mend: pass
    keep = torch.rand_like(feat_a) > 0.5  # mend: keep = torch.rand(feat_a.shape, generator=torch.Generator().manual_seed(1234)).to(feat_a) > 0.5
    return ((feat_a - feat_b) ** 2 * keep).mean()


# random numbers: LS607
def shuffled_negatives(query, key, margin=0.5):
    perm = numpy.random.permutation(len(key))  # mend: perm = numpy.roll(numpy.arange(len(key)), 1)
    neg = key[torch.as_tensor(perm, device=key.device)]
    pos_sim = F.cosine_similarity(query, key)
    neg_sim = F.cosine_similarity(query, neg)
    return F.relu(neg_sim - pos_sim + margin).mean()


# input mutation: LS605
def inplace_smoothing_bce(logits, target, smooth_eps=0.1):
    assert logits.shape == target.shape
    target.mul_(1 - smooth_eps).add_(smooth_eps / 2)  # mend: target = target * (1 - smooth_eps) + smooth_eps / 2
    return F.binary_cross_entropy_with_logits(logits, target)


# input mutation: LS605
def pad_zeroed_mse(predicted, expected, pad):
    """(N, T) thrice; pad is True where a step is padding."""
    expected[pad] = 0  # mend: expected = expected.masked_fill(pad, 0)
    err = (predicted.masked_fill(pad, 0) - expected) ** 2
    return err.sum() / (~pad).sum().clamp(min=1)


# in-place autograd: LS105 LS101 LS605
def clipped_sigmoid_dice(logits, mask, threshold=0.02):
    assert logits.shape == mask.shape
    p = torch.sigmoid(logits)
    p[p < threshold] *= 0.0  # mend: p = p * (p >= threshold)
    inter = (p * mask).sum()
    return 1 - (2 * inter + 1) / (p.square().sum() + mask.square().sum() + 1)


# device: LS603
def relative_position_loss(offsets, target_offsets):
    """(N, K) and (N, K): later positions weigh more."""
    assert offsets.shape == target_offsets.shape
    ramp = torch.arange(offsets.shape[1], dtype=offsets.dtype)  # mend: ramp = torch.arange(offsets.shape[1], dtype=offsets.dtype, device=offsets.device)
    return ((ramp + 1) * (offsets - target_offsets).abs()).mean()


# device: LS603
class TeacherMatching(nn.Module):
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")

    def forward(self, student_feat, teacher_feat):
        w = torch.ones(student_feat.shape[1]).to(self.device)  # mend: w = student_feat.new_ones(student_feat.shape[1])
        return (w * (student_feat - teacher_feat.detach()) ** 2).mean()


# batch size hard-coded: LS616
class SwappedViews(nn.Module):
    def __init__(self, batch_size=8, temperature=0.5):
        super().__init__()
        self.batch_size, self.temperature = batch_size, temperature

    def forward(self, z_i, z_j):
        n = self.batch_size  # mend: n = len(z_i)
        z = F.normalize(torch.cat([z_i, z_j]), dim=1)
        sim = z @ z.T / self.temperature
        sim = sim.masked_fill(torch.eye(2 * n, dtype=torch.bool, device=z.device), -1e4)
        labels = torch.arange(2 * n, device=z.device).roll(n)
        return F.cross_entropy(sim, labels)


# host sync: LS601 LS602
def active_region_loss(pred_sdf, true_sdf, band=1.0):
    assert pred_sdf.shape == true_sdf.shape
    active = true_sdf.abs() < band
    err = (pred_sdf - true_sdf).abs() * active
    return err.sum() / max(active.sum().item(), 1)  # mend: return err.sum() / active.sum().clamp(min=1)


# host sync: LS601 LS602 LS610
def per_class_centre_loss(embeddings, labels):
    same = (labels[:, None] == labels[None]).to(embeddings)
    centre = torch.stack([embeddings[labels == c].mean(0) for c in labels.tolist()])  # mend: centre = same @ embeddings / same.sum(1, keepdim=True).clamp(min=1)
    return (embeddings - centre).square().sum(1).mean()


# non-determinism: LS607
class DropoutConsistency(nn.Module):
    def forward(self, emb, emb_true):
        assert emb.shape == emb_true.shape
        noisy = F.dropout(emb, 0.2)  # mend: noisy = F.dropout(emb, 0.2, training=False)
        return F.mse_loss(noisy, emb_true)


# leak into target: LS107
def tf_td_loss(q_taken, q_next_target, rewards, dones):
    target = rewards + 0.99 * (1.0 - dones) * q_next_target  # mend: target = tf.stop_gradient(rewards + 0.99 * (1.0 - dones) * q_next_target)
    return tf.reduce_mean(tf.square(q_taken - target))


# wrong reduction: LS505 LS503 LS804
class KerasPixelLoss(keras.losses.Loss):
    """Images (N, H, W, 1): one number for each image."""

    def call(self, y_true, y_pred):
        err = ops.square(y_true - y_pred)
        return ops.sum(err)  # mend: return ops.mean(err, axis=(1, 2, 3))


# empty batch: LS204
def jax_masked_lm(logits, labels, mask):
    """Logits (B, T, V), labels and mask (B, T)."""
    logp = jax.nn.log_softmax(logits)
    nll = -jnp.take_along_axis(logp, labels[..., None], -1)[..., 0]
    return (nll * mask).sum() / mask.sum()  # mend: return (nll * mask).sum() / jnp.maximum(mask.sum(), 1)
