# ruff: noqa
# fmt: off
# The fourth round, of structure: reduction, masks, weights, axes, state, devices, and losses of Keras, JAX and TensorFlow.
# Restated from public trackers before any rule was read. Above each stand the class of its defect and the codes that
# name it rightly; `mend:` is what the line says once it is repaired. Those without a class are innocent.

# wrong reduction: LS505
class ElementLoss(nn.Module):
    def __init__(self, p=2, reduction="mean"):
        super().__init__()
        self.p = p
        self.reduction = reduction

    def forward(self, output, gt):
        assert output.shape == gt.shape
        err = (output - gt).abs().pow(self.p)
        if self.reduction == "none":
            return err
        if self.reduction == "sum":
            return err.sum() / output.size(0)  # mend: return err.sum()
        return err.mean()


# wrong reduction: LS501 LS505 LS506
def chunked_ce(hidden_logits, labels, chunk=4):
    parts = []
    for lo, y in zip(hidden_logits.split(chunk), labels.split(chunk)):
        parts.append(F.cross_entropy(lo, y))  # mend: parts.append(F.cross_entropy(lo, y, reduction="sum") / len(labels))
    return torch.stack(parts).mean()  # mend: return torch.stack(parts).sum()


# wrong reduction: LS501 LS505 LS106 LS805
def trainer_lm_loss(logits, labels, num_items_in_batch=None):
    logits = logits[:, :-1].float().contiguous()
    labels = labels[:, 1:].contiguous()
    loss = F.cross_entropy(logits.view(-1, logits.size(-1)), labels.view(-1), ignore_index=-100)  # mend: loss = F.cross_entropy(logits.view(-1, logits.size(-1)), labels.view(-1), ignore_index=-100, reduction="mean" if num_items_in_batch is None else "sum")
    if num_items_in_batch is not None:
        loss = loss * 1.0  # mend: loss = loss / num_items_in_batch
    return loss


# not additive: LS501 LS502 LS204 LS201
class AutoBalancedBCE(nn.Module):
    def __init__(self, pos_weight=3.0):
        super().__init__()
        self.pos_weight = pos_weight

    def forward(self, logits, labels):
        labels = labels.float()
        pw = (1 - labels).sum() / labels.sum()  # mend: pw = self.pos_weight
        weight = 1 + labels * (pw - 1)
        return F.binary_cross_entropy_with_logits(logits, labels, weight=weight)


# ignored labels: LS205 LS501 LS503 LS504 LS505
class TokenSmoother(nn.Module):
    def __init__(self, epsilon=0.1, ignore_index=-100):
        super().__init__()
        self.epsilon, self.ignore_index = epsilon, ignore_index

    def forward(self, logits, labels):
        logp = F.log_softmax(logits, dim=-1)
        pad = labels.eq(self.ignore_index)
        nll = -logp.gather(-1, labels.clamp(min=0).unsqueeze(-1)).squeeze(-1)
        smooth = -logp.mean(-1)
        nll = nll.masked_fill(pad, 0.0)
        smooth = smooth.clone()  # mend: smooth = smooth.masked_fill(pad, 0.0)
        n = (~pad).sum().clamp(min=1)
        return (1 - self.epsilon) * nll.sum() / n + self.epsilon * smooth.sum() / n


# ignored labels: LS205 LS501 LS503 LS504 LS505
class SegFocal(nn.Module):
    def __init__(self, gamma=2.0, ignore_lb=255):
        super().__init__()
        self.gamma = gamma
        self.ignore_lb = ignore_lb

    def forward(self, logits, target):
        ce = F.cross_entropy(logits, target, ignore_index=self.ignore_lb, reduction="none")
        fl = (1 - torch.exp(-ce)) ** self.gamma * ce
        return fl.mean()  # mend: return fl.sum() / (target != self.ignore_lb).sum().clamp(min=1)


# mask not removed: LS205 LS507 LS501 LS503 LS504 LS505
def token_kd(student_logits, teacher_logits, attention_mask, T=2.0):
    p = F.softmax(teacher_logits.detach() / T, -1)
    q = F.log_softmax(student_logits / T, -1)
    kl = F.kl_div(q, p, reduction="none").sum(-1)
    return (kl * attention_mask).mean() * T * T  # mend: return (kl * attention_mask).sum() / attention_mask.sum().clamp(min=1) * T * T


# mask not removed: LS205 LS507
class RankMLE(nn.Module):
    """List-wise ranking; items whose mask is 0 only fill the list."""

    def forward(self, scores, relevance, mask):
        mask = mask.bool()
        scores = scores.masked_fill(~mask, 0.0)  # mend: scores = scores.masked_fill(~mask, -1e9)
        gain = relevance.masked_fill(~mask, -1e9).softmax(dim=1)
        logp = scores.log_softmax(dim=1).masked_fill(~mask, 0.0)
        return -(gain * logp).sum(1).mean()


# weights applied twice: LS404
def pixel_weighted_bce(pred_logits, gt, weight_map):
    assert pred_logits.shape == gt.shape == weight_map.shape
    loss = F.binary_cross_entropy_with_logits(pred_logits, gt, weight=weight_map, reduction="none")
    return (loss * weight_map).mean()  # mend: return loss.mean()


# weights ignored: LS805 LS106 LS404 LS504
class DiceCEWeighted(nn.Module):
    def __init__(self, ce_weight=1.0, dice_weight=0.5):
        super().__init__()
        self.ce_weight = ce_weight
        self.dice_weight = dice_weight

    def forward(self, net_output, target):
        p = net_output.softmax(1)
        y = F.one_hot(target, net_output.shape[1]).movedim(-1, 1).to(p)
        dims = tuple(range(2, p.dim()))
        dice = (2 * (p * y).sum(dims) + 1) / (p.sum(dims) + y.sum(dims) + 1)
        return F.cross_entropy(net_output, target) + 1 - dice.mean()  # mend: return self.ce_weight * F.cross_entropy(net_output, target) + self.dice_weight * (1 - dice.mean())


# empty batch: LS204
def rpn_regression(deltas, target_deltas, anchor_labels):
    fg = anchor_labels == 1
    return F.smooth_l1_loss(deltas[fg], target_deltas[fg])  # mend: return F.smooth_l1_loss(deltas[fg], target_deltas[fg], reduction="sum") / fg.sum().clamp(min=1)


# empty batch: LS204
class HardNegativeBCE(nn.Module):
    def __init__(self, ratio=3):
        super().__init__()
        self.ratio = ratio

    def forward(self, conf, truth):
        loss = F.binary_cross_entropy_with_logits(conf, truth.float(), reduction="none").flatten()
        pos = truth.flatten() > 0.5
        n_pos = pos.sum()
        hard = loss[~pos].sort(descending=True).values[: int(self.ratio * n_pos)]
        return (loss[pos].sum() + hard.sum()) / n_pos  # mend: return (loss[pos].sum() + hard.sum()) / n_pos.clamp(min=1)


# silent broadcast: LS401
def clipped_value_loss(values, old_values, returns, clip=0.2):
    values = values * 1.0  # mend: values, old_values, returns = values.flatten(), old_values.flatten(), returns.flatten()
    clipped = old_values + (values - old_values).clamp(-clip, clip)
    return 0.5 * torch.max((values - returns) ** 2, (clipped - returns) ** 2).mean()


# wrong axis: LS701 LS502 LS506 LS403 LS205
class FrameClassifierLoss(nn.Module):
    def forward(self, frame_logits, frame_labels):
        b, t, c = frame_logits.shape
        return F.cross_entropy(frame_logits.reshape(b, c, t), frame_labels)  # mend: return F.cross_entropy(frame_logits.transpose(1, 2), frame_labels)


# wrong axis: LS502 LS506 LS402 LS701 LS106
def attention_transfer(student_attn, teacher_attn):
    s = F.log_softmax(student_attn, dim=0)  # mend: s = F.log_softmax(student_attn, dim=-1)
    t = F.softmax(teacher_attn.detach(), dim=0)  # mend: t = F.softmax(teacher_attn.detach(), dim=-1)
    return F.kl_div(s, t, reduction="batchmean")


# wrong axis: LS701 LS403 LS502
class OneHotJaccard(nn.Module):
    def forward(self, prediction, mask):
        n, c, h, w = prediction.shape
        onehot = F.one_hot(mask, c).view(n, c, h, w).float()  # mend: onehot = F.one_hot(mask, c).permute(0, 3, 1, 2).float()
        prob = prediction.softmax(1)
        inter = (prob * onehot).sum((2, 3))
        union = (prob + onehot - prob * onehot).sum((2, 3))
        return 1 - ((inter + 1) / (union + 1)).mean()


# index semantics: LS502 LS506 LS701 LS106 LS608 LS402
def td_loss(q_values, actions, td_target):
    chosen = q_values[:, actions]  # mend: chosen = q_values[torch.arange(len(actions)), actions]
    return F.smooth_l1_loss(chosen, td_target.expand_as(chosen))


# index semantics: LS205 LS106 LS105
class VisibleKeypoints(nn.Module):
    def forward(self, joints_pred, joints_gt, visible):
        err = ((joints_pred - joints_gt) ** 2).sum(-1).flatten()
        keep = visible.flatten().long()  # mend: keep = visible.flatten().bool()
        return err[keep].sum() / visible.sum().clamp(min=1)


# state not registered: LS604 LS617
class HeadLosses(nn.Module):
    def __init__(self, n_heads=2):
        super().__init__()
        self.criteria = [nn.CrossEntropyLoss(weight=torch.tensor([0.5, 1.0, 2.0])) for _ in range(n_heads)]  # mend: self.criteria = nn.ModuleList([nn.CrossEntropyLoss(weight=torch.tensor([0.5, 1.0, 2.0])) for _ in range(n_heads)])

    def forward(self, logits, labels):
        return sum(c(logits, labels) for c in self.criteria) / len(self.criteria)


# state not registered: LS604 LS617
class EMDOrdinal(nn.Module):
    def __init__(self, n_levels=5):
        super().__init__()
        self.levels = torch.linspace(0, 1, n_levels)  # mend: self.register_buffer("levels", torch.linspace(0, 1, n_levels))

    def forward(self, logits, score):
        expected = (logits.softmax(-1) * self.levels).sum(-1)
        return F.l1_loss(expected, score)


# stateful: LS607 LS606
class ScaledByHistory(nn.Module):
    def __init__(self, decay=0.9):
        super().__init__()
        self.decay = decay
        self.scale = None

    def forward(self, input, target):
        loss = F.mse_loss(input, target.reshape(input.shape))
        with torch.no_grad():
            old = loss if self.scale is None else self.scale  # mend: old = loss.new_ones(())
            self.scale = self.decay * old + (1 - self.decay) * loss
        return loss / (self.scale + 1e-3)


# memory blow-up: LS606 LS607
class MeterLoss(nn.Module):
    def __init__(self):
        super().__init__()
        self.total, self.count = 0.0, 0

    def forward(self, logits, target):
        loss = F.cross_entropy(logits, target)
        self.total = self.total + loss  # mend: self.total = self.total + loss.detach()
        self.count += 1
        return loss


# memory blow-up: LS608
def mmd_rbf(source, target, sigma=1.0):
    def k(a, b):
        return torch.exp(-((a[:, None] - b[None]) ** 2).sum(-1) / (2 * sigma**2)).mean()  # mend: return torch.exp(-(a.pow(2).sum(1)[:, None] + b.pow(2).sum(1) - 2 * a @ b.T).clamp(min=0) / (2 * sigma**2)).mean()
    return k(source, source) + k(target, target) - 2 * k(source, target)


# global random numbers: LS607
class PointSampledBCE(nn.Module):
    def forward(self, mask_logits, masks):
        torch.manual_seed(0)  # mend: gen = torch.Generator().manual_seed(0)
        flat, gt = mask_logits.flatten(1), masks.flatten(1).float()
        idx = torch.randint(flat.size(1), (8,)).to(flat.device)  # mend: idx = torch.randint(flat.size(1), (8,), generator=gen).to(flat.device)
        return F.binary_cross_entropy_with_logits(flat[:, idx], gt[:, idx])


# input mutated: LS605
class VoidAwareDice(nn.Module):
    def forward(self, pred, label):
        valid = label != 255
        label[~valid] = 0  # mend: label = label.masked_fill(~valid, 0)
        n = pred.shape[1]
        v = valid.unsqueeze(1)
        p = pred.softmax(1) * v
        y = F.one_hot(label, n).movedim(-1, 1) * v
        return 1 - ((2 * (p * y).sum((2, 3)) + 1) / (p.sum((2, 3)) + y.sum((2, 3)) + 1)).mean()


# input mutated: LS605
def grpo_like_loss(logps, advantages, completion_mask):
    advantages -= advantages.mean()  # mend: advantages = advantages - advantages.mean()
    per_token = -torch.exp(logps - logps.detach()) * advantages.unsqueeze(1)
    return (per_token * completion_mask).sum() / completion_mask.sum().clamp(min=1)


# device hard-coded: LS603
class PairContrast(nn.Module):
    def __init__(self, tau=0.2):
        super().__init__()
        self.tau = tau
        self.device = torch.device("cuda:0")

    def forward(self, view1, view2):
        z = F.normalize(torch.cat([view1, view2]), dim=1)
        n = len(view1)
        sim = z @ z.T / self.tau
        eye = torch.eye(2 * n, dtype=torch.bool, device=self.device)  # mend: eye = torch.eye(2 * n, dtype=torch.bool, device=z.device)
        sim = sim.masked_fill(eye, -1e9)
        target = torch.arange(2 * n, device=z.device).roll(n)
        return F.cross_entropy(sim, target)


# device hard-coded: LS603
def multitask_sum(outputs, targets):
    total = torch.zeros(1)  # mend: total = outputs["depth"].new_zeros(())
    for k in ("depth", "normal"):
        diff = (outputs[k] - targets[k]).abs()
        total = torch.cat([total, diff.mean().reshape(1)]).sum().reshape(1)  # mend: total = total + diff.mean()
    return total.sum()


# batch size hard-coded: LS616 LS402
class SimCLRHead(nn.Module):
    def __init__(self, batch_size=16, temperature=0.5):
        super().__init__()
        self.batch_size = batch_size
        self.temperature = temperature

    def forward(self, emb_i, emb_j):
        n = self.batch_size  # mend: n = emb_i.shape[0]
        z = F.normalize(torch.cat([emb_i, emb_j]), dim=1)
        sim = z @ z.T / self.temperature
        pos = torch.cat([sim.diag(n), sim.diag(-n)])
        mask = (~torch.eye(2 * n, dtype=torch.bool, device=z.device)).to(z)
        return (-pos + torch.log((mask * sim.exp()).sum(1))).sum() / (2 * n)


# batch size hard-coded: LS616 LS505 LS503
def elbo_loss(x_hat, x, mean, log_variance):
    recon = F.mse_loss(x_hat, x, reduction="sum")
    kld = -0.5 * torch.sum(1 + log_variance - mean**2 - log_variance.exp())
    return (recon + kld) / 128  # mend: return (recon + kld) / x.size(0)


# host sync: LS601 LS610
def per_class_mse(pred, target, cls):
    total, n = pred.new_zeros(()), 0
    for i in range(pred.shape[0]):
        if cls[i].item() > 0:  # mend: if True:
            total = total + (pred[i] - target[i]).pow(2).mean()  # mend: total = total + (pred[i] - target[i]).pow(2).mean() * (cls[i] > 0)
            n += 1
    return total / max(n, 1)


# non-determinism: LS607 LS201 LS205
def scatter_regression(pred, target, observed):
    assert pred.shape == target.shape == observed.shape
    keep = observed.bool()
    buffer = torch.empty_like(pred)  # mend: buffer = torch.zeros_like(pred)
    buffer[keep] = (pred[keep] - target[keep]) ** 2
    return buffer.sum() / keep.sum().clamp(min=1)


# argument order: LS802 LS803 LS201 LS701 LS208 LS202 LS105
class SmoothedCategorical(keras.losses.Loss):
    def __init__(self, smoothing=0.1, name="smoothed"):
        super().__init__(name=name)
        self.smoothing = smoothing

    def call(self, y_true, y_pred):
        k = y_pred.shape[-1]
        y_true = y_true * (1 - self.smoothing) + self.smoothing / k
        return keras.losses.categorical_crossentropy(y_pred, y_true)  # mend: return keras.losses.categorical_crossentropy(y_true, y_pred)


# mask not removed: LS205 LS501 LS503 LS505
def masked_forecast_loss(y_true, y_pred):
    """Missing observations are -1."""
    present = ops.cast(y_true >= 0, y_pred.dtype)
    error = ops.square(y_true - y_pred) * present
    return ops.mean(error)  # mend: return ops.sum(error) / ops.maximum(ops.sum(present), 1.0)


# logits and probabilities: LS803 LS201 LS202 LS208 LS701 LS801 LS207
def focal_binary_keras(y_true, y_pred):
    """For the raw outputs of a Dense(1) without activation."""
    bce = keras.losses.binary_crossentropy(y_true, y_pred, from_logits=True)
    p = ops.sigmoid(y_pred)
    p = ops.sigmoid(p)  # mend: p = ops.clip(p, 0.0, 1.0)
    pt = ops.mean(y_true * p + (1 - y_true) * (1 - p), axis=-1)
    return ops.mean((1 - pt) ** 2 * bce)


# memory blow-up: LS606 LS607
class HistoryMAE(keras.losses.Loss):
    def __init__(self, name="history_mae"):
        super().__init__(name=name)
        self.history = []

    def call(self, y_true, y_pred):
        loss = ops.mean(ops.abs(y_true - y_pred), axis=-1)
        self.history.append(loss)  # mend: self.history = [0.0]
        return loss


# wrong axis: LS701 LS502 LS506 LS402
def jax_retrieval_loss(logits, labels):
    logp = jax.nn.log_softmax(logits, axis=0)  # mend: logp = jax.nn.log_softmax(logits, axis=-1)
    return -jnp.mean(jnp.take_along_axis(logp, labels[:, None], axis=-1))


# padding counted: LS205 LS507 LS501 LS503 LS504 LS505
def jax_lm_loss(logits, tokens, mask):
    logp = jax.nn.log_softmax(logits, axis=-1)
    nll = -jnp.take_along_axis(logp, tokens[..., None], axis=-1)[..., 0]
    return jnp.mean(nll * mask)  # mend: return jnp.sum(nll * mask) / jnp.maximum(jnp.sum(mask), 1)


# global random numbers: LS607
def jax_noisy_regression(preds, targets):
    noise = numpy.random.normal(size=targets.shape) * 0.1  # mend: noise = numpy.random.RandomState(0).normal(size=targets.shape) * 0.1
    return jnp.mean((preds - targets - noise) ** 2)


# non-finite gradient: LS103 LS104 LS202
def jax_triplet(anchor, positive, negative, margin=1.0):
    d_ap = jnp.linalg.norm(anchor - positive, axis=-1)  # mend: d_ap = jnp.sqrt(jnp.sum((anchor - positive) ** 2, axis=-1) + 1e-9)
    d_an = jnp.linalg.norm(anchor - negative, axis=-1)  # mend: d_an = jnp.sqrt(jnp.sum((anchor - negative) ** 2, axis=-1) + 1e-9)
    return jnp.mean(jnp.maximum(d_ap - d_an + margin, 0.0))


# empty batch: LS204
def tf_positive_box_loss(true_boxes, pred_boxes, objectness):
    per_box = tf.reduce_sum(tf.abs(true_boxes - pred_boxes), axis=-1)
    hit = objectness > 0.5
    return tf.reduce_mean(tf.boolean_mask(per_box, hit))  # mend: return tf.reduce_sum(tf.boolean_mask(per_box, hit)) / tf.maximum(tf.reduce_sum(tf.cast(hit, tf.float32)), 1.0)


# missing gradient: LS105 LS106
def tf_soft_f1(y_true, y_pred):
    y_hat = tf.round(y_pred)  # mend: y_hat = y_pred
    tp = tf.reduce_sum(y_true * y_hat, axis=-1)
    denom = tf.reduce_sum(y_true + y_hat, axis=-1)
    return tf.reduce_mean(1 - (2 * tp + 1) / (denom + 1))


# silent broadcast: LS401
def tf_quantile(y_true, y_pred, q=0.8):
    y_pred = tf.identity(y_pred)  # mend: y_pred = tf.reshape(y_pred, tf.shape(y_true))
    e = y_true - y_pred
    return tf.reduce_mean(tf.maximum(q * e, (q - 1) * e))


class QueueContrast(nn.Module):
    """Negatives are kept from earlier batches: stateful by design."""

    def __init__(self, dim=8, size=32, T=0.2):
        super().__init__()
        self.T = T
        self.register_buffer("queue", F.normalize(torch.randn(size, dim, generator=torch.Generator().manual_seed(0)), dim=1))

    def forward(self, query, key):
        query, key = F.normalize(query, dim=1), F.normalize(key.detach(), dim=1)
        pos = (query * key).sum(1, keepdim=True)
        neg = query @ self.queue.clone().T
        loss = F.cross_entropy(torch.cat([pos, neg], 1) / self.T, torch.zeros(len(query), dtype=torch.long, device=query.device))
        if self.training:
            self.queue = torch.cat([self.queue, key])[-len(self.queue):]
        return loss


class LearnedTemperatureCLIP(nn.Module):
    def __init__(self):
        super().__init__()
        self.logit_scale = nn.Parameter(torch.tensor(2.6))

    def forward(self, image_emb, text_emb):
        i, t = F.normalize(image_emb, dim=-1), F.normalize(text_emb, dim=-1)
        logits = self.logit_scale.exp().clamp(max=100) * i @ t.T
        y = torch.arange(len(i), device=i.device)
        return (F.cross_entropy(logits, y) + F.cross_entropy(logits.T, y)) / 2


def detection_losses(outputs, targets):
    """A dictionary in, a dictionary out."""
    cls = F.cross_entropy(outputs["logits"], targets["labels"])
    box = F.l1_loss(outputs["boxes"], targets["boxes"])
    return {"loss": cls + 5 * box, "cls": cls.detach(), "box": box.detach()}


def clipped_policy_loss(logp, old_logp, adv, eps=0.2):
    """Flat, on purpose, where the step has gone far enough."""
    ratio = (logp - old_logp.detach()).exp()
    return -torch.min(ratio * adv, ratio.clamp(1 - eps, 1 + eps) * adv).mean()


class MonteCarloDropoutLoss(nn.Module):
    """Stochastic while it trains."""

    def __init__(self, p=0.3):
        super().__init__()
        self.drop = nn.Dropout(p)

    def forward(self, features, target):
        assert features.shape == target.shape
        return F.mse_loss(self.drop(features), target)


def sinkhorn_distance(x, y, eps=0.1, iters=20):
    cost = (x[:, None] - y[None]).pow(2).sum(-1)
    f, g = torch.zeros_like(cost[:, 0]), torch.zeros_like(cost[0])
    for _ in range(iters):
        f = -eps * torch.logsumexp((g - cost) / eps - cost.new_tensor(float(len(y))).log(), 1)
        g = -eps * torch.logsumexp((f[:, None] - cost) / eps - cost.new_tensor(float(len(x))).log(), 0)
    return f.mean() + g.mean()


def quality_focal(pred_logits, quality):
    """The weight is not differentiated."""
    assert pred_logits.shape == quality.shape
    w = (quality - pred_logits.sigmoid()).abs().detach() ** 2
    return (w * F.binary_cross_entropy_with_logits(pred_logits, quality, reduction="none")).mean()


class KerasCoupledDice(keras.losses.Loss):
    """One overlap for the whole batch."""

    def call(self, y_true, y_pred):
        inter = ops.sum(y_true * y_pred)
        return 1 - (2 * inter + 1) / (ops.sum(y_true) + ops.sum(y_pred) + 1)


def jax_byol(online, target_net):
    """The target is another network's, and is not to learn."""
    t = jax.lax.stop_gradient(target_net)
    o = online * jax.lax.rsqrt(jnp.sum(online**2, -1, keepdims=True) + 1e-8)
    t = t * jax.lax.rsqrt(jnp.sum(t**2, -1, keepdims=True) + 1e-8)
    return jnp.mean(2 - 2 * jnp.sum(o * t, axis=-1))


def tf_squared_hinge(y_true, y_pred):
    """Targets are -1 and 1."""
    return tf.reduce_mean(tf.square(tf.maximum(1.0 - y_true * y_pred, 0.0)), axis=-1)
