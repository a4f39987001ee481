# ruff: noqa
# fmt: off
# A second look, written when the table of `fresh_structure` had been mended, and asked once before anything else was.

# wrong reduction: LS505 LS503
class PinballSum(nn.Module):
    def __init__(self, quantile=0.9, reduction="mean"):
        super().__init__()
        self.quantile, self.reduction = quantile, reduction

    def forward(self, forecast, actual):
        assert forecast.shape == actual.shape
        e = actual - forecast
        loss = torch.maximum(self.quantile * e, (self.quantile - 1) * e)
        if self.reduction == "none":
            return loss.mean()  # mend: return loss
        return loss.sum() if self.reduction == "sum" else loss.mean()


# padding counted: LS205 LS507 LS501 LS503 LS504 LS505
class SequenceTagging(nn.Module):
    def __init__(self, pad_id=0):
        super().__init__()
        self.pad_id = pad_id

    def forward(self, scores, gold):
        flat, gold = scores.flatten(0, 1), gold.flatten()
        nll = -F.log_softmax(flat, -1).gather(1, gold[:, None]).squeeze(1)
        keep = (gold != self.pad_id).float()
        return (nll * keep).mean()  # mend: return (nll * keep).sum() / keep.sum().clamp(min=1)


# mask not removed: LS205 LS507 LS201 LS202
def masked_contrastive_tokens(hidden, target_hidden, mask):
    sim = F.cosine_similarity(hidden, target_hidden, dim=-1)
    dist = (1 - sim)
    return (dist.sum() / mask.sum().clamp(min=1))  # mend: return (dist * mask).sum() / mask.sum().clamp(min=1)


# weights ignored: LS404 LS106 LS805
def weighted_huber(prediction, observation, sample_weight=None):
    loss = F.huber_loss(prediction, observation, reduction="none")
    if sample_weight is not None:
        loss = loss * (sample_weight / sample_weight)  # mend: loss = loss * sample_weight
    return loss.mean()


# empty batch: LS204
class CentreNetOffset(nn.Module):
    def forward(self, offset, gt_offset, ind_mask):
        sel = ind_mask > 0
        d = (offset - gt_offset).abs().sum(-1)
        return d[sel].mean()  # mend: return (d * sel).sum() / sel.sum().clamp(min=1)


# silent broadcast: LS401
class SurvivalMSE(nn.Module):
    def forward(self, risk_score, survival_time):
        err = risk_score - survival_time  # mend: err = risk_score.reshape(-1) - survival_time.reshape(-1)
        return (err ** 2).mean()


# state not registered: LS604 LS617
class PrototypeLoss(nn.Module):
    def __init__(self, n_classes=5, dim=8):
        super().__init__()
        g = torch.Generator().manual_seed(1)
        self.prototypes = {"main": torch.randn(n_classes, dim, generator=g)}  # mend: self.register_buffer("main", torch.randn(n_classes, dim, generator=g))

    def forward(self, feats, labels):
        protos = self.prototypes["main"]  # mend: protos = self.main
        d = torch.cdist(feats, protos)
        return F.cross_entropy(-d, labels)


# stateful: LS607 LS606
class CurriculumCE(nn.Module):
    def __init__(self):
        super().__init__()
        self.calls = 0

    def forward(self, logits, labels):
        self.calls += 1  # mend: pass
        w = min(1.0, 0.1 + 0.1 * self.calls)  # mend: w = 1.0
        return w * F.cross_entropy(logits, labels)


# input mutated: LS605
def normalised_flow_loss(flow_pred, flow_gt):
    for k in range(2):
        flow_gt[:, k] /= 20.0  # mend: flow_gt = flow_gt.clone() / (20.0 if k == 0 else 1.0)
    return ((flow_pred - flow_gt) ** 2 + 1e-6).sqrt().mean()


# device hard-coded: LS603
class GaussianWindowLoss(nn.Module):
    def forward(self, sr, hr):
        k = torch.tensor([[1.0, 2.0, 1.0], [2.0, 4.0, 2.0], [1.0, 2.0, 1.0]]) / 16  # mend: k = sr.new_tensor([[1.0, 2.0, 1.0], [2.0, 4.0, 2.0], [1.0, 2.0, 1.0]]) / 16
        w = k.expand(sr.shape[1], 1, 3, 3)
        return F.l1_loss(F.conv2d(sr, w, groups=sr.shape[1]), F.conv2d(hr, w, groups=hr.shape[1]))


# batch size hard-coded: LS616 LS402
def pairwise_rank(scores, gains):
    i, j = torch.triu_indices(6, 6, 1)  # mend: i, j = torch.triu_indices(len(scores), len(scores), 1)
    sign = torch.sign(gains[i] - gains[j])
    return F.softplus(-sign * (scores[i] - scores[j])).mean()


# wrong axis: LS701 LS502 LS506 LS402
class KerasSoftLabels(keras.losses.Loss):
    """For raw scores."""

    def call(self, y_true, y_pred):
        logp = ops.log_softmax(y_pred, axis=0)  # mend: logp = ops.log_softmax(y_pred, axis=-1)
        return -ops.sum(y_true * logp, axis=-1)


# mask not removed: LS205 LS501 LS503 LS505 LS507
def tf_masked_tokens(y_true, y_pred):
    """Label 0 is padding."""
    loss = tf.keras.losses.sparse_categorical_crossentropy(y_true, y_pred, from_logits=True)
    mask = tf.cast(y_true != 0, loss.dtype)
    return tf.reduce_mean(loss * mask)  # mend: return tf.reduce_sum(loss * mask) / tf.maximum(tf.reduce_sum(mask), 1.0)


# weights applied twice: LS404
def jax_weighted_mse(preds, targets, weights):
    err = weights * (preds - targets) ** 2
    return jnp.sum(weights * err) / preds.size  # mend: return jnp.sum(err) / preds.size


def crf_like_margin(emission_scores, tag_ids):
    """Structured hinge, flat where the gold tag leads."""
    gold = emission_scores.gather(-1, tag_ids.unsqueeze(-1))
    margin = 1.0 - F.one_hot(tag_ids, emission_scores.shape[-1]).to(emission_scores)
    return (emission_scores + margin - gold).max(-1).values.clamp(min=0).mean()


class EWMANormalised(nn.Module):
    """A running scale, kept in a buffer and documented: it remembers earlier batches by design."""

    def __init__(self, momentum=0.9):
        super().__init__()
        self.momentum = momentum
        self.register_buffer("running_scale", torch.ones(()))

    def forward(self, pred, target):
        assert pred.shape == target.shape
        err = (pred - target).abs().mean()
        if self.training:
            self.running_scale = self.momentum * self.running_scale + (1 - self.momentum) * err.detach()
        return err / self.running_scale.clamp(min=1e-3)


def next_step_forecast(predictions, series):
    """Each step predicts the next one."""
    return F.mse_loss(predictions[:, :-1], series[:, 1:])


def keras_vae_kl(z_mean, z_log_var):
    return -0.5 * ops.mean(ops.sum(1 + z_log_var - ops.square(z_mean) - ops.exp(z_log_var), axis=-1))


def jax_dpo(policy_chosen, policy_rejected, ref_chosen, ref_rejected, beta=0.1):
    margin = (policy_chosen - policy_rejected) - jax.lax.stop_gradient(ref_chosen - ref_rejected)
    return -jnp.mean(jax.nn.log_sigmoid(beta * margin))
