# ruff: noqa
# fmt: off
# Right losses that look odd, as strangers write them: surrogate gradients, flat halves, samples that are compared, noise,
# several terms, dictionaries, learned parameters. Written before the checker was asked, by one who knew the rules.


class SignSurrogate(torch.autograd.Function):
    """Binarised activations: the derivative is that of a clipped identity, on purpose."""

    @staticmethod
    def forward(ctx, logits, target):
        ctx.save_for_backward(logits, target)
        return (torch.sign(logits) - target).pow(2).mean()

    @staticmethod
    def backward(ctx, grad):
        logits, target = ctx.saved_tensors
        inside = (logits.abs() <= 1).to(logits)
        return grad * 2 * (torch.sign(logits) - target) * inside / logits.numel(), None


def soft_threshold_ste(scores, labels, temperature=5.0):
    hard = (scores > 0).float()
    soft = torch.sigmoid(temperature * scores)
    decided = hard.detach() + soft - soft.detach()
    return (decided - labels).abs().mean()


def gumbel_hard_choice(logits, costs):
    """Straight-through Gumbel: a hard choice forward, its soft probabilities backward, drawn anew each call."""
    choice = F.gumbel_softmax(logits, tau=1.0, hard=True, dim=-1)
    return (choice * costs).sum(-1).mean()


def svm_multiclass(scores, y, margin=1.0):
    right = scores.gather(1, y.view(-1, 1))
    slack = F.relu(scores - right + margin)
    return (slack.sum(1) - margin).mean()


def one_class_hinge(outputs, nu=0.1):
    """Deep one-class: nothing is asked of what lies inside."""
    return F.relu(1 - outputs).mean() / nu


def pessimistic_ranking(pos_scores, neg_scores, margin=0.5):
    return F.relu(margin + neg_scores.max(dim=-1).values - pos_scores.min(dim=-1).values).mean()


class SlicedWassersteinNoise(nn.Module):
    """Random directions in each call."""

    def __init__(self, projections=16):
        super().__init__()
        self.projections = projections

    def forward(self, samples, reference):
        theta = F.normalize(torch.randn(samples.shape[1], self.projections, device=samples.device), dim=0)
        a, b = (samples @ theta).sort(0).values, (reference @ theta).sort(0).values
        return (a - b).pow(2).mean()


def dropout_consistency(features, weight=0.5):
    a, b = F.dropout(features, 0.5, True), F.dropout(features, 0.5, True)
    return weight * (a - b).pow(2).mean()


def energy_distance(x, y):
    """Two samples of two distributions, any order of either."""
    n, m = len(x), len(y)
    cross = (x[:, None] - y[None]).abs().mean()
    return 2 * cross - (x[:, None] - x[None]).abs().mean() - (y[:, None] - y[None]).abs().mean()


def concordance_ccc(pred, gold, eps=1e-8):
    mp, mg = pred.mean(), gold.mean()
    cov = ((pred - mp) * (gold - mg)).mean()
    return 1 - 2 * cov / (pred.var(unbiased=False) + gold.var(unbiased=False) + (mp - mg).pow(2) + eps)


def spearman_soft(pred, target, tau=0.1):
    def rank(v):
        return torch.sigmoid((v[:, None] - v[None]) / tau).sum(1)

    a, b = rank(pred), rank(target).detach()
    a, b = a - a.mean(), b - b.mean()
    return 1 - (a * b).sum() / (a.norm() * b.norm() + 1e-8)


class ProtoEpisode(nn.Module):
    """Few-shot: the first half of the batch makes the prototypes, the second half is asked."""

    def __init__(self, ways=2):
        super().__init__()
        self.ways = ways

    def forward(self, support, query, query_labels):
        prototypes = support.reshape(self.ways, -1, support.shape[-1]).mean(1)
        logits = -(query[:, None] - prototypes[None]).pow(2).sum(-1)
        return F.cross_entropy(logits, query_labels)


class ArcWithLearnedCentres(nn.Module):
    def __init__(self, dim=8, classes=5, s=16.0, m=0.3):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(classes, dim))
        self.s, self.m = s, m

    def forward(self, emb, y):
        cos = F.normalize(emb) @ F.normalize(self.weight).T
        theta = torch.acos(cos.clamp(-1 + 1e-6, 1 - 1e-6))
        hot = F.one_hot(y, cos.shape[1]).bool()
        return F.cross_entropy(self.s * torch.where(hot, torch.cos(theta + self.m), cos), y)


class TemperatureLearned(nn.Module):
    def __init__(self):
        super().__init__()
        self.log_t = nn.Parameter(torch.zeros(()))

    def forward(self, a, b):
        sim = F.normalize(a, dim=-1) @ F.normalize(b, dim=-1).T * self.log_t.exp().clamp(max=100.0)
        y = torch.arange(len(a), device=a.device)
        return (F.cross_entropy(sim, y) + F.cross_entropy(sim.T, y)) / 2


class HomoscedasticThree(nn.Module):
    """Three tasks with learned variances; terms in a dictionary."""

    def __init__(self):
        super().__init__()
        self.log_vars = nn.Parameter(torch.zeros(3))

    def forward(self, preds, targets):
        depth = (preds["depth"] - targets["depth"]).abs().mean()
        seg = F.cross_entropy(preds["seg"], targets["seg"])
        edge = F.binary_cross_entropy_with_logits(preds["edge"], targets["edge"])
        terms = torch.stack((depth, seg, edge))
        return (torch.exp(-self.log_vars) * terms + self.log_vars).sum()


def generator_and_critic(real_logits, fake_logits):
    """Both sides of the game, each for its own optimiser."""
    critic = F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()
    generator = F.softplus(-fake_logits).mean()
    return {"critic": critic, "generator": generator}


def actor_and_value(log_probs, values, returns):
    advantage = (returns - values).detach()
    return -(log_probs * advantage).mean(), 0.5 * (returns - values).pow(2).mean()


def loss_and_metrics(logits, labels):
    loss = F.cross_entropy(logits, labels)
    with torch.no_grad():
        accuracy = (logits.argmax(-1) == labels).float().mean()
    return {"loss": loss, "accuracy": accuracy}


def named_outputs(output, batch):
    loss = F.mse_loss(output["mel"], batch["mel"]) + F.mse_loss(output["mel_post"], batch["mel"])
    stop = F.binary_cross_entropy_with_logits(output["stop"], batch["stop"])
    return loss + stop, {"mel": loss.detach(), "stop": stop.detach()}


def entropy_bonus_policy(logits, actions, advantages, ent=0.01):
    dist = torch.distributions.Categorical(logits=logits)
    return -(dist.log_prob(actions) * advantages.detach()).mean() - ent * dist.entropy().mean()


def soft_actor_value(q1, q2, log_pi, alpha=0.2):
    """The actor climbs the lower critic; there is no target."""
    return (alpha * log_pi - torch.min(q1, q2)).mean()


def self_critical(sample_logprobs, sample_reward, greedy_reward, mask):
    gain = (sample_reward - greedy_reward).detach()[:, None]
    return -(sample_logprobs * gain * mask).sum() / mask.sum().clamp(min=1)


def complementary_label_loss(logits, not_labels):
    """Each label says which class it is not."""
    p = logits.softmax(1).gather(1, not_labels[:, None]).squeeze(1)
    return -torch.log((1 - p).clamp(min=1e-6)).mean()


def partial_labels(logits, candidates):
    """Any of several candidate classes may be the right one."""
    logp = logits.log_softmax(-1)
    return -torch.logsumexp(logp.masked_fill(candidates == 0, -1e9), -1).mean()


def bag_of_instances(instance_logits, bag_label):
    """A bag is positive if any instance is."""
    bag = torch.logsumexp(instance_logits, dim=1) - numpy.log(instance_logits.shape[1])
    return F.binary_cross_entropy_with_logits(bag, bag_label)


def censored_rank(risk, durations, observed):
    """Pairs whose order is known; a pair without an event says nothing."""
    earlier = (durations[:, None] < durations[None]) & (observed[:, None] > 0)
    gap = F.softplus(risk[None] - risk[:, None])
    return (gap * earlier).sum() / earlier.sum().clamp(min=1)


def interval_score(lower, upper, y, alpha=0.1):
    return ((upper - lower) + 2 / alpha * F.relu(lower - y) + 2 / alpha * F.relu(y - upper)).mean()


def pinball_many(preds, target, taus=(0.1, 0.5, 0.9)):
    r = target.unsqueeze(-1) - preds
    t = torch.tensor(taus, device=preds.device, dtype=preds.dtype)
    return torch.maximum(t * r, (t - 1) * r).mean()


def log_cosh_stable(y_hat, y):
    d = y_hat - y
    return (d + F.softplus(-2 * d) - numpy.log(2.0)).mean()


def welsch_bounded(pred, target, c=2.0):
    """Far outliers have no pull at all."""
    return (1 - torch.exp(-0.5 * ((pred - target) / c).pow(2))).mean()


def robust_trimmed(pred, target, keep=0.8):
    err = (pred - target).abs().flatten()
    return err.sort().values[: max(int(keep * err.numel()), 1)].mean()


def periodic_angle(pred, target):
    return (1 - torch.cos(pred - target)).mean()


def quaternion_double_cover(q_pred, q_true):
    """q and -q are the same rotation."""
    return (1 - (F.normalize(q_pred, dim=-1) * F.normalize(q_true, dim=-1)).sum(-1).pow(2)).mean()


def permutation_free_pairs(est, ref):
    straight = (est - ref).pow(2).mean((1, 2))
    crossed = (est.flip(1) - ref).pow(2).mean((1, 2))
    return torch.min(straight, crossed).mean()


def scale_free_depth(pred, gt, valid):
    """Median scaling without gradient, as depth from video is trained."""
    m = valid.bool()
    if m.sum() == 0:
        return (pred * 0).sum()
    with torch.no_grad():
        s = gt[m].median() / pred[m].median().clamp(min=1e-6)
    return (s * pred - gt)[m].abs().mean()


class WarmUp(nn.Module):
    """A second term comes in with the number of calls."""

    def __init__(self, steps=10):
        super().__init__()
        self.steps = steps
        self.register_buffer("seen", torch.zeros((), dtype=torch.long))

    def forward(self, pred, target):
        share = (self.seen.float() / self.steps).clamp(max=1.0)
        if self.training:
            self.seen += 1
        return F.l1_loss(pred, target) + share * F.mse_loss(pred, target)


class RunningScale(nn.Module):
    """Divided by a running scale of the target, which has no gradient."""

    def __init__(self, momentum=0.99):
        super().__init__()
        self.momentum = momentum
        self.register_buffer("scale", torch.ones(()))

    def forward(self, pred, target):
        if self.training:
            with torch.no_grad():
                self.scale.mul_(self.momentum).add_((1 - self.momentum) * target.abs().mean())
        return F.smooth_l1_loss(pred / self.scale, target / self.scale)


def masked_nan_targets(pred, target):
    known = ~torch.isnan(target)
    safe = torch.where(known, target, torch.zeros_like(target))
    return ((pred - safe).pow(2) * known).sum() / known.sum().clamp(min=1)


def packed_padding(logits, labels, attention_mask):
    flat = F.cross_entropy(logits.transpose(1, 2), labels, reduction="none")
    keep = attention_mask.to(flat)
    return (flat * keep).sum() / keep.sum().clamp(min=1)


def shifted_lm(logits, input_ids, pad_token_id=0):
    shift, gold = logits[:, :-1], input_ids[:, 1:]
    return F.cross_entropy(shift.reshape(-1, shift.shape[-1]), gold.reshape(-1), ignore_index=pad_token_id, reduction="sum") / (gold != pad_token_id).sum().clamp(min=1)


def feature_reconstruction(x_hat, x, mu, logvar):
    kl = 0.5 * (mu.pow(2) + logvar.exp() - 1 - logvar).sum(1).mean()
    return F.mse_loss(x_hat, x) + 1e-2 * kl


def mutual_learning(logits_a, logits_b, labels):
    """Two students teach each other; each side is fixed for the other."""
    a, b = F.log_softmax(logits_a, 1), F.log_softmax(logits_b, 1)
    la = F.nll_loss(a, labels) + F.kl_div(a, b.detach(), log_target=True, reduction="batchmean")
    lb = F.nll_loss(b, labels) + F.kl_div(b, a.detach(), log_target=True, reduction="batchmean")
    return la, lb


def keras_hinge_flat(y_true, y_pred):
    """Signs."""
    return ops.mean(ops.maximum(1.0 - y_true * y_pred, 0.0), axis=-1)


class KerasLearnedScale(keras.losses.Loss):
    """Label smoothing that is asked for by the caller."""

    def __init__(self, smoothing=0.1, name="smoothed"):
        super().__init__(name=name)
        self.smoothing = smoothing

    def call(self, y_true, y_pred):
        k = y_pred.shape[-1]
        soft = y_true * (1 - self.smoothing) + self.smoothing / k
        return -ops.sum(soft * ops.log_softmax(y_pred, axis=-1), axis=-1)


def keras_negative_cosine(y_true, y_pred):
    a = y_true / ops.sqrt(ops.sum(ops.square(y_true), -1, keepdims=True) + 1e-12)
    b = y_pred / ops.sqrt(ops.sum(ops.square(y_pred), -1, keepdims=True) + 1e-12)
    return -ops.sum(a * b, -1)


def jax_surrogate_spike(v, target):
    """A step forward, a sigmoid backward."""
    soft = jax.nn.sigmoid(4 * v)
    spike = soft + jax.lax.stop_gradient((v > 0).astype(v.dtype) - soft)
    return jnp.mean((spike - target) ** 2)


def jax_loss_with_aux(logits, labels):
    logp = jax.nn.log_softmax(logits)
    loss = -jnp.mean(jnp.take_along_axis(logp, labels[:, None], axis=1))
    return loss, {"entropy": -jnp.mean(jnp.sum(jnp.exp(logp) * logp, -1))}


def jax_barlow(za, zb, lam=5e-3):
    # First it divided by std() + 1e-5, and was accused (LS104): the root has no slope at a column that is constant.
    def standard(z):
        z = z - z.mean(0)
        return z / jnp.sqrt((z**2).mean(0) + 1e-5)

    c = standard(za).T @ standard(zb) / za.shape[0]
    on = jnp.sum((1 - jnp.diag(c)) ** 2)
    return on + lam * (jnp.sum(c**2) - jnp.sum(jnp.diag(c) ** 2))


def tf_wasserstein(y_true, y_pred):
    """Signs of real and fake, scores of a critic."""
    return tf.reduce_mean(y_true * y_pred)


def tf_margin_capsule(y_true, lengths):
    """Capsules: a margin on either side."""
    present = y_true * tf.square(tf.maximum(0.0, 0.9 - lengths))
    absent = 0.5 * (1 - y_true) * tf.square(tf.maximum(0.0, lengths - 0.1))
    return tf.reduce_mean(tf.reduce_sum(present + absent, -1))
