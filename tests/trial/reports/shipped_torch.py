# ruff: noqa
# fmt: off
# Right losses as well-known repositories ship them, restated; guarded where a demanding engineer would. Written before
# the checker was asked, by one who had not read the rules. Nothing may be said of them that is more than information.


def sigmoid_focal_loss(inputs, targets, alpha=0.25, gamma=2.0, reduction="mean"):
    """Focal loss on logits, as detectors ship it."""
    ce = F.binary_cross_entropy_with_logits(inputs, targets, reduction="none")
    p = torch.sigmoid(inputs)
    p_t = p * targets + (1 - p) * (1 - targets)
    loss = ce * (1 - p_t) ** gamma
    if alpha >= 0:
        loss = (alpha * targets + (1 - alpha) * (1 - targets)) * loss
    if reduction == "mean":
        return loss.mean()
    return loss.sum() if reduction == "sum" else loss


class AsymmetricLossMultiLabel(nn.Module):
    """Asymmetric focusing with a probability margin for negatives, as image classifiers ship it."""

    def __init__(self, gamma_neg=4, gamma_pos=1, clip=0.05):
        super().__init__()
        self.gamma_neg, self.gamma_pos, self.clip = gamma_neg, gamma_pos, clip

    def forward(self, x, y):
        log_pos = F.logsigmoid(x)
        p = torch.sigmoid(x)
        q = (1 - p + self.clip).clamp(max=1)
        log_neg = torch.log(q.clamp(min=1e-8))
        pos = y * log_pos * (1 - p) ** self.gamma_pos
        neg = (1 - y) * log_neg * (1 - q) ** self.gamma_neg
        return -(pos + neg).sum(dim=1).mean()


class LabelSmoothingCrossEntropy(nn.Module):
    def __init__(self, smoothing=0.1):
        super().__init__()
        assert smoothing < 1.0
        self.smoothing = smoothing
        self.confidence = 1.0 - smoothing

    def forward(self, x, target):
        logprobs = F.log_softmax(x, dim=-1)
        nll = -logprobs.gather(dim=-1, index=target.unsqueeze(1)).squeeze(1)
        smooth = -logprobs.mean(dim=-1)
        return (self.confidence * nll + self.smoothing * smooth).mean()


class SoftTargetCrossEntropy(nn.Module):
    def forward(self, x, target):
        return torch.sum(-target * F.log_softmax(x, dim=-1), dim=-1).mean()


class JsdCrossEntropy(nn.Module):
    """Clean and two augmented views stacked along the batch; consistency between the three (AugMix)."""

    def __init__(self, num_splits=3, alpha=12.0):
        super().__init__()
        self.num_splits, self.alpha = num_splits, alpha

    def forward(self, output, target):
        split = output.shape[0] // self.num_splits
        logits = torch.split(output, split)
        loss = F.cross_entropy(logits[0], target[:split])
        logp = [F.log_softmax(each, dim=1) for each in logits]
        log_mix = torch.logsumexp(torch.stack(logp), 0) - math.log(len(logp))
        js = sum(F.kl_div(log_mix, each, reduction="batchmean", log_target=True) for each in logp) / len(logp)
        return loss + self.alpha * js

import math


def mixup_criterion(pred, y_a, y_b, lam=0.3):
    return lam * F.cross_entropy(pred, y_a) + (1 - lam) * F.cross_entropy(pred, y_b)


def knowledge_distillation_loss(student_logits, teacher_logits, labels, T=4.0, alpha=0.9):
    soft = F.kl_div(
        F.log_softmax(student_logits / T, dim=1), F.softmax(teacher_logits.detach() / T, dim=1), reduction="batchmean"
    ) * (T * T)
    return alpha * soft + (1 - alpha) * F.cross_entropy(student_logits, labels)


class DINOLoss(nn.Module):
    """Cross entropy between a centred, sharpened teacher and the student; the centre is a running mean by design."""

    def __init__(self, out_dim=10, student_temp=0.1, teacher_temp=0.04, center_momentum=0.9):
        super().__init__()
        self.student_temp, self.teacher_temp, self.center_momentum = student_temp, teacher_temp, center_momentum
        self.register_buffer("center", torch.zeros(1, out_dim))

    def forward(self, student_output, teacher_output):
        teacher = F.softmax((teacher_output - self.center) / self.teacher_temp, dim=-1).detach()
        loss = torch.sum(-teacher * F.log_softmax(student_output / self.student_temp, dim=-1), dim=-1).mean()
        self.update_center(teacher_output)
        return loss

    @torch.no_grad()
    def update_center(self, teacher_output):
        batch_center = teacher_output.mean(dim=0, keepdim=True)
        self.center = self.center * self.center_momentum + batch_center * (1 - self.center_momentum)


class NTXentLoss(nn.Module):
    """Two views against all other samples of both."""

    def __init__(self, temperature=0.5):
        super().__init__()
        self.temperature = temperature

    def forward(self, out0, out1):
        n = out0.shape[0]
        z = F.normalize(torch.cat([out0, out1]), dim=1)
        sim = z @ z.T / self.temperature
        eye = torch.eye(2 * n, dtype=torch.bool, device=sim.device)
        sim = sim.masked_fill(eye, float("-inf"))
        labels = torch.arange(2 * n, device=sim.device).roll(n)
        return F.cross_entropy(sim, labels)


class MemoryBankInfoNCE(nn.Module):
    """Negatives from a queue kept in a buffer: stateful by design, enqueued while training."""

    def __init__(self, dim=8, size=32, temperature=0.2):
        super().__init__()
        self.temperature = temperature
        generator = torch.Generator().manual_seed(0)
        self.register_buffer("queue", F.normalize(torch.randn(size, dim, generator=generator), dim=1))
        self.register_buffer("pointer", torch.zeros((), dtype=torch.long))

    def forward(self, query, key):
        q, k = F.normalize(query, dim=1), F.normalize(key.detach(), dim=1)
        pos = (q * k).sum(1, keepdim=True)
        neg = q @ self.queue.clone().T
        logits = torch.cat([pos, neg], 1) / self.temperature
        loss = F.cross_entropy(logits, torch.zeros(len(q), dtype=torch.long, device=q.device))
        if self.training:
            self.enqueue(k)
        return loss

    @torch.no_grad()
    def enqueue(self, keys):
        size = self.queue.shape[0]
        index = (self.pointer + torch.arange(len(keys), device=keys.device)) % size
        self.queue[index] = keys.to(self.queue)
        self.pointer = (self.pointer + len(keys)) % size


class NegativeCosineSimilarity(nn.Module):
    def __init__(self, dim=1, eps=1e-8):
        super().__init__()
        self.dim, self.eps = dim, eps

    def forward(self, x0, x1):
        return -F.cosine_similarity(x0, x1, self.dim, self.eps).mean()


def byol_loss_func(p, z, simplified=True):
    if simplified:
        return 2 - 2 * F.cosine_similarity(p, z.detach(), dim=-1).mean()
    p, z = F.normalize(p, dim=-1), F.normalize(z, dim=-1)
    return 2 - 2 * (p * z.detach()).sum(dim=1).mean()


class SwaVPrototypeLoss(nn.Module):
    """Swapped prediction with Sinkhorn codes, which are targets and get no gradient."""

    def __init__(self, temperature=0.1, iterations=3, epsilon=0.05):
        super().__init__()
        self.temperature, self.iterations, self.epsilon = temperature, iterations, epsilon

    @torch.no_grad()
    def sinkhorn(self, scores):
        log_q = scores / self.epsilon
        for _ in range(self.iterations):
            log_q = log_q - torch.logsumexp(log_q, dim=0, keepdim=True)
            log_q = log_q - torch.logsumexp(log_q, dim=1, keepdim=True)
        return log_q.exp()

    def forward(self, scores_a, scores_b):
        q_a, q_b = self.sinkhorn(scores_a), self.sinkhorn(scores_b)
        loss_a = -(q_b * F.log_softmax(scores_a / self.temperature, dim=1)).sum(1).mean()
        loss_b = -(q_a * F.log_softmax(scores_b / self.temperature, dim=1)).sum(1).mean()
        return 0.5 * (loss_a + loss_b)


class SupConLoss(nn.Module):
    """Supervised contrastive; anchors without a positive are left out."""

    def __init__(self, temperature=0.1):
        super().__init__()
        self.temperature = temperature

    def forward(self, features, labels):
        features = F.normalize(features, dim=1)
        sim = features @ features.T / self.temperature
        eye = torch.eye(len(sim), dtype=torch.bool, device=sim.device)
        positive = (labels[:, None] == labels[None, :]) & ~eye
        log_prob = sim - torch.logsumexp(sim.masked_fill(eye, float("-inf")), dim=1, keepdim=True)
        count = positive.sum(1)
        per_anchor = -(log_prob * positive).sum(1) / count.clamp(min=1)
        return per_anchor[count > 0].sum() / (count > 0).sum().clamp(min=1)


class CenterLoss(nn.Module):
    def __init__(self, num_classes=10, feat_dim=8):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.centers = nn.Parameter(torch.randn(num_classes, feat_dim, generator=generator))

    def forward(self, features, labels):
        return 0.5 * (features - self.centers[labels]).pow(2).sum(dim=1).mean()


class ArcMarginProduct(nn.Module):
    """Additive angular margin with an easy branch past pi - m."""

    def __init__(self, in_features=8, out_features=10, s=30.0, m=0.5):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.weight = nn.Parameter(torch.randn(out_features, in_features, generator=generator))
        self.s, self.cos_m, self.sin_m = s, math.cos(m), math.sin(m)
        self.th, self.mm = math.cos(math.pi - m), math.sin(math.pi - m) * m

    def forward(self, embeddings, labels):
        cosine = F.linear(F.normalize(embeddings), F.normalize(self.weight))
        sine = (1.0 - cosine.pow(2)).clamp(min=1e-7).sqrt()
        phi = cosine * self.cos_m - sine * self.sin_m
        phi = torch.where(cosine > self.th, phi, cosine - self.mm)
        one_hot = F.one_hot(labels, cosine.shape[1]).to(cosine)
        return F.cross_entropy(self.s * (one_hot * phi + (1 - one_hot) * cosine), labels)

import math


def batch_hard_triplet_loss(embeddings, labels, margin=0.3):
    """Hardest positive and hardest negative of each anchor."""
    square = (embeddings[:, None] - embeddings[None]).pow(2).sum(-1)
    distance = (square + 1e-12).sqrt()
    same = labels[:, None] == labels[None]
    hardest_positive = distance.masked_fill(~same, 0.0).max(1).values
    hardest_negative = distance.masked_fill(same, float("inf")).min(1).values
    valid = torch.isfinite(hardest_negative)
    gap = hardest_positive - hardest_negative.masked_fill(~valid, 0.0) + margin
    return (F.relu(gap) * valid).sum() / valid.sum().clamp(min=1)


class DiceLossFromLogits(nn.Module):
    """Multiclass soft Dice; classes absent from the batch are left out."""

    def __init__(self, smooth=0.0, eps=1e-7):
        super().__init__()
        self.smooth, self.eps = smooth, eps

    def forward(self, y_pred, y_true):
        num_classes = y_pred.shape[1]
        prob = y_pred.log_softmax(dim=1).exp().flatten(2)
        onehot = F.one_hot(y_true.flatten(1), num_classes).permute(0, 2, 1).to(prob)
        inter = (prob * onehot).sum((0, 2))
        cardinality = (prob + onehot).sum((0, 2))
        score = (2 * inter + self.smooth) / (cardinality + self.smooth).clamp(min=self.eps)
        present = (onehot.sum((0, 2)) > 0).to(score)
        return ((1 - score) * present).mean()


def tversky_focal_loss(pred, target, alpha=0.7, beta=0.3, gamma=0.75, eps=1.0):
    """Binary masks, sigmoid inside, one score for each image."""
    p = torch.sigmoid(pred).flatten(1)
    t = target.flatten(1)
    tp, fn, fp = (p * t).sum(1), ((1 - p) * t).sum(1), (p * (1 - t)).sum(1)
    index = (tp + eps) / (tp + alpha * fn + beta * fp + eps)
    return ((1 - index).clamp(min=1e-6) ** gamma).mean()


class BoundaryAwareBCE(nn.Module):
    """Structure loss of salient object detection: BCE and IoU, weighted near edges of the mask."""

    def forward(self, pred, mask):
        weit = 1 + 5 * (F.avg_pool2d(mask, kernel_size=3, stride=1, padding=1) - mask).abs()
        wbce = F.binary_cross_entropy_with_logits(pred, mask, reduction="none")
        wbce = (weit * wbce).sum(dim=(2, 3)) / weit.sum(dim=(2, 3))
        p = torch.sigmoid(pred)
        inter = ((p * mask) * weit).sum(dim=(2, 3))
        union = ((p + mask) * weit).sum(dim=(2, 3))
        wiou = 1 - (inter + 1) / (union - inter + 1)
        return (wbce + wiou).mean()


def giou_loss(boxes1, boxes2, eps=1e-7):
    """Boxes as x1, y1, x2, y2."""
    x1, y1, x2, y2 = boxes1.unbind(-1)
    x1g, y1g, x2g, y2g = boxes2.unbind(-1)
    w = (torch.min(x2, x2g) - torch.max(x1, x1g)).clamp(min=0)
    h = (torch.min(y2, y2g) - torch.max(y1, y1g)).clamp(min=0)
    inter = w * h
    union = (x2 - x1) * (y2 - y1) + (x2g - x1g) * (y2g - y1g) - inter
    iou = inter / (union + eps)
    hull = (torch.max(x2, x2g) - torch.min(x1, x1g)) * (torch.max(y2, y2g) - torch.min(y1, y1g))
    giou = iou - (hull - union) / (hull + eps)
    return (1 - giou).mean()


def smooth_l1_with_beta(input, target, beta=1.0 / 9):
    if beta < 1e-5:
        loss = (input - target).abs()
    else:
        n = (input - target).abs()
        loss = torch.where(n < beta, 0.5 * n**2 / beta, n - 0.5 * beta)
    return loss.mean()


class GaussianFocalLoss(nn.Module):
    """CenterNet's heat-map loss on probabilities: hard ones, soft gaussian neighbours."""

    def __init__(self, alpha=2.0, gamma=4.0):
        super().__init__()
        self.alpha, self.gamma = alpha, gamma

    def forward(self, pred, gaussian_target):
        eps = 1e-6
        pred = pred.clamp(eps, 1 - eps)
        positive = gaussian_target.eq(1).to(pred)
        pos = -pred.log() * (1 - pred).pow(self.alpha) * positive
        neg = -(1 - pred).log() * pred.pow(self.alpha) * (1 - gaussian_target).pow(self.gamma)
        return (pos + neg).sum() / positive.sum().clamp(min=1)


def quality_focal_loss(pred, score, beta=2.0):
    """Soft labels: the quality of the box is what the logit should say."""
    p = pred.sigmoid()
    loss = F.binary_cross_entropy_with_logits(pred, score, reduction="none")
    return (loss * (p - score).abs().pow(beta)).mean()


def distribution_focal_loss(pred, label):
    """A box side as a distribution over integers; the label lies between two of them."""
    top = pred.shape[1] - 1
    label = label.clamp(0, top - 1e-3)
    left = label.floor().long()
    right = left + 1
    weight_left = right.to(label) - label
    weight_right = label - left.to(label)
    ce = F.cross_entropy(pred, left, reduction="none") * weight_left
    return (ce + F.cross_entropy(pred, right, reduction="none") * weight_right).mean()


def masked_lm_loss(prediction_scores, labels):
    """-100 is ignored, and no label at all costs nothing."""
    vocab = prediction_scores.shape[-1]
    loss = F.cross_entropy(prediction_scores.view(-1, vocab), labels.view(-1), ignore_index=-100, reduction="sum")
    return loss / (labels != -100).sum().clamp(min=1)


def causal_lm_loss(logits, labels):
    """Tokens before n predict n."""
    shift_logits = logits[..., :-1, :].contiguous()
    shift_labels = labels[..., 1:].contiguous()
    return F.cross_entropy(shift_logits.view(-1, shift_logits.size(-1)), shift_labels.view(-1))


def label_smoothed_nll_loss(lprobs, target, epsilon=0.1, ignore_index=1):
    """Sequence-to-sequence, log-probabilities in, summed over the tokens that are no padding."""
    target = target.unsqueeze(-1)
    nll = -lprobs.gather(dim=-1, index=target)
    smooth = -lprobs.sum(dim=-1, keepdim=True)
    pad = target.eq(ignore_index)
    nll, smooth = nll.masked_fill(pad, 0.0).sum(), smooth.masked_fill(pad, 0.0).sum()
    eps_i = epsilon / (lprobs.size(-1) - 1)
    return (1.0 - epsilon - eps_i) * nll + eps_i * smooth


def dpo_loss(policy_chosen_logps, policy_rejected_logps, reference_chosen_logps, reference_rejected_logps, beta=0.1, label_smoothing=0.0):
    pi = policy_chosen_logps - policy_rejected_logps
    ref = reference_chosen_logps - reference_rejected_logps
    logits = pi - ref
    losses = -F.logsigmoid(beta * logits) * (1 - label_smoothing) - F.logsigmoid(-beta * logits) * label_smoothing
    chosen_rewards = beta * (policy_chosen_logps - reference_chosen_logps).detach()
    rejected_rewards = beta * (policy_rejected_logps - reference_rejected_logps).detach()
    return losses.mean(), chosen_rewards, rejected_rewards


def grpo_loss(per_token_logps, old_per_token_logps, ref_per_token_logps, advantages, completion_mask, epsilon=0.2, beta=0.04):
    ratio = torch.exp(per_token_logps - old_per_token_logps)
    clipped = ratio.clamp(1 - epsilon, 1 + epsilon)
    per_token = -torch.min(ratio * advantages[:, None], clipped * advantages[:, None])
    gap = ref_per_token_logps - per_token_logps
    per_token = per_token + beta * (gap.exp() - gap - 1)
    return (per_token * completion_mask).sum() / completion_mask.sum().clamp(min=1)


def ppo_clipped_loss(new_logprob, old_logprob, advantages, clip_coef=0.2):
    log_ratio = new_logprob - old_logprob
    ratio = log_ratio.exp()
    advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
    return torch.max(-advantages * ratio, -advantages * ratio.clamp(1 - clip_coef, 1 + clip_coef)).mean()


def clipped_value_loss(newvalue, values, returns, clip_coef=0.2):
    unclipped = (newvalue - returns) ** 2
    clipped = values + (newvalue - values).clamp(-clip_coef, clip_coef)
    return 0.5 * torch.max(unclipped, (clipped - returns) ** 2).mean()


def sac_actor_loss(log_pi, min_qf_pi, alpha=0.2):
    return (alpha * log_pi - min_qf_pi).mean()


def quantile_huber_loss(current_quantiles, target_quantiles):
    """Distributional Q-learning: every predicted quantile against every target sample."""
    n = current_quantiles.shape[1]
    tau = (torch.arange(n, device=current_quantiles.device, dtype=current_quantiles.dtype) + 0.5) / n
    delta = target_quantiles.detach()[:, None, :] - current_quantiles[:, :, None]
    huber = torch.where(delta.abs() <= 1, 0.5 * delta**2, delta.abs() - 0.5)
    return ((tau[None, :, None] - (delta.detach() < 0).to(delta)).abs() * huber).sum(1).mean()


def bpr_loss(pos_score, neg_score):
    """Pairwise ranking of recommenders; log of a sigmoid, without its guard."""
    return -F.logsigmoid(pos_score - neg_score).mean()


def in_batch_softmax_loss(user_emb, item_emb, temperature=0.1):
    logits = F.normalize(user_emb, dim=-1) @ F.normalize(item_emb, dim=-1).T / temperature
    return F.cross_entropy(logits, torch.arange(len(logits), device=logits.device))


def listnet_loss(scores, relevance):
    return -(F.softmax(relevance, dim=1) * F.log_softmax(scores, dim=1)).sum(1).mean()


class MultiQuantileLoss(nn.Module):
    """Several quantiles at once, as forecasters ship it: the last axis has one output for each."""

    def __init__(self, quantiles=(0.1, 0.5, 0.9)):
        super().__init__()
        self.register_buffer("quantiles", torch.tensor(quantiles))

    def forward(self, y_pred, target):
        error = target.unsqueeze(-1) - y_pred
        q = self.quantiles.to(y_pred)
        return torch.maximum(q * error, (q - 1) * error).sum(-1).mean()


def negative_binomial_nll(mean, dispersion, target, eps=1e-8):
    """Counts: mean and total count are positive."""
    log_p = torch.log(mean + eps) - torch.log(mean + dispersion + eps)
    log_q = torch.log(dispersion + eps) - torch.log(mean + dispersion + eps)
    unnormalised = dispersion * log_q + target * log_p
    normaliser = torch.lgamma(target + dispersion) - torch.lgamma(dispersion) - torch.lgamma(target + 1)
    return -(unnormalised + normaliser).mean()


def mdn_loss(pi_logits, mu, log_sigma, target):
    """Mixture density of one number, by logsumexp."""
    z = (target[:, None] - mu) * torch.exp(-log_sigma)
    component = -0.5 * z**2 - log_sigma - 0.5 * math.log(2 * math.pi)
    return -torch.logsumexp(F.log_softmax(pi_logits, dim=1) + component, dim=1).mean()

import math


def vae_elbo(recon_logits, x, mu, logvar, beta=1.0):
    recon = F.binary_cross_entropy_with_logits(recon_logits, x, reduction="none").flatten(1).sum(1)
    kl = -0.5 * (1 + logvar - mu.pow(2) - logvar.exp()).flatten(1).sum(1)
    return (recon + beta * kl).mean()


class VQCommitmentLoss(nn.Module):
    """Codebook and commitment terms: each side is pulled to the other's detached value on purpose."""

    def __init__(self, beta=0.25):
        super().__init__()
        self.beta = beta

    def forward(self, z_e, z_q):
        return F.mse_loss(z_q, z_e.detach()) + self.beta * F.mse_loss(z_e, z_q.detach())


def min_snr_diffusion_loss(model_output, noise, snr, gamma=5.0):
    """Noise prediction with min-SNR weights."""
    weight = snr.clamp(max=gamma) / snr.clamp(min=1e-8)
    per_sample = F.mse_loss(model_output, noise, reduction="none").flatten(1).mean(1)
    return (per_sample * weight).mean()


def flow_matching_loss(velocity_pred, x0, x1):
    """Conditional flow matching along straight paths."""
    return ((velocity_pred - (x1 - x0)) ** 2).mean()


def hinge_d_loss(logits_real, logits_fake):
    return 0.5 * (F.relu(1.0 - logits_real).mean() + F.relu(1.0 + logits_fake).mean())


def wgan_gp_penalty(gradients, target_norm=1.0):
    """The penalty itself, from gradients by the interpolates."""
    norm = (gradients.flatten(1).pow(2).sum(1) + 1e-12).sqrt()
    return ((norm - target_norm) ** 2).mean()


class FeatureMatchingLoss(nn.Module):
    """L1 of the discriminator's features, real side without gradient."""

    def forward(self, fake_features, real_features):
        return sum(F.l1_loss(f, r.detach()) for f, r in zip(fake_features, real_features)) / len(fake_features)


class MultiScaleSpectralLoss(nn.Module):
    """Log and linear magnitudes of two short Fourier transforms."""

    def __init__(self, sizes=(16, 8)):
        super().__init__()
        self.sizes = sizes

    def magnitude(self, x, n):
        window = torch.hann_window(n, device=x.device, dtype=x.dtype)
        spec = torch.stft(x, n, n // 4, window=window, return_complex=True)
        return (spec.real.pow(2) + spec.imag.pow(2) + 1e-7).sqrt()

    def forward(self, audio_hat, audio):
        total = 0.0
        for n in self.sizes:
            a, b = self.magnitude(audio_hat, n), self.magnitude(audio, n)
            total = total + (a - b).abs().mean() + (a.log() - b.log()).abs().mean()
        return total / len(self.sizes)


def si_snr_loss(est, ref, eps=1e-8):
    """Negative scale-invariant signal-to-noise ratio, in decibel."""
    est = est - est.mean(-1, keepdim=True)
    ref = ref - ref.mean(-1, keepdim=True)
    scale = (est * ref).sum(-1, keepdim=True) / (ref.pow(2).sum(-1, keepdim=True) + eps)
    signal = scale * ref
    noise = est - signal
    ratio = (signal.pow(2).sum(-1) + eps) / (noise.pow(2).sum(-1) + eps)
    return -10 * torch.log10(ratio).mean()


def total_variation_l1(img):
    dh = (img[..., 1:, :] - img[..., :-1, :]).abs().mean()
    dw = (img[..., :, 1:] - img[..., :, :-1]).abs().mean()
    return dh + dw


def cox_ph_loss(log_h, durations, events):
    """Negative log partial likelihood, Breslow, any order of the samples."""
    order = durations.argsort(descending=True)
    log_h, events = log_h[order], events[order].to(log_h)
    log_risk = torch.logcumsumexp(log_h, dim=0)
    return -((log_h - log_risk) * events).sum() / events.sum().clamp(min=1)


def deep_hit_nll(pmf_logits, idx_durations, events):
    """Discrete survival: the mass at the event, or what is left after the last time seen."""
    log_pmf = F.log_softmax(pmf_logits, dim=1)
    here = log_pmf.gather(1, idx_durations[:, None]).squeeze(1)
    steps = torch.arange(log_pmf.shape[1], device=log_pmf.device)
    later = log_pmf.masked_fill(steps[None] < idx_durations[:, None], float("-inf"))
    after = torch.logsumexp(later, dim=1)
    events = events.to(here)
    return -(events * here + (1 - events) * after).mean()


def nnpu_loss(scores, labels, prior=0.3):
    """Non-negative PU risk with the sigmoid loss; 1 is positive, the rest unlabelled."""
    positive = (labels == 1).to(scores)
    unlabelled = 1 - positive
    n_p, n_u = positive.sum().clamp(min=1), unlabelled.sum().clamp(min=1)
    risk_p = (positive * torch.sigmoid(-scores)).sum() / n_p
    risk_pn = (positive * torch.sigmoid(scores)).sum() / n_p
    risk_u = (unlabelled * torch.sigmoid(scores)).sum() / n_u
    return prior * risk_p + F.relu(risk_u - prior * risk_pn)


class HuberFunctionLoss(nn.Module):
    """A written backward, and a right one."""

    def forward(self, pred, target):
        return HuberOfResidual.apply(pred - target).mean()

class HuberOfResidual(torch.autograd.Function):
    @staticmethod
    def forward(ctx, r):
        ctx.save_for_backward(r)
        return torch.where(r.abs() < 1, 0.5 * r * r, r.abs() - 0.5)

    @staticmethod
    def backward(ctx, grad_output):
        (r,) = ctx.saved_tensors
        return grad_output * r.clamp(-1, 1)


def entmax_like_sparsemax_loss(logits, target):
    """Sparsemax loss of Martins and Astudillo."""
    z, _ = logits.sort(dim=1, descending=True)
    k = torch.arange(1, z.shape[1] + 1, device=z.device, dtype=z.dtype)
    support = 1 + k * z > z.cumsum(1)
    size = support.sum(1, keepdim=True)
    tau = (z.cumsum(1).gather(1, size - 1) - 1) / size.to(z)
    inside = (logits > tau).to(logits)
    regulariser = 0.5 * (inside * (logits**2 - tau**2)).sum(1)
    right = logits.gather(1, target[:, None]).squeeze(1)
    return (regulariser - right + 0.5).mean()


class UncertaintyToHeteroscedastic(nn.Module):
    """Predicted log-variance, as depth networks ship it."""

    def forward(self, mean, log_var, target):
        return (0.5 * torch.exp(-log_var) * (target - mean) ** 2 + 0.5 * log_var).mean()


def chamfer_distance(x, y):
    """Squared distances to the nearest point of the other cloud, both ways."""
    d = (x[:, :, None] - y[:, None]).pow(2).sum(-1)
    return d.min(2).values.mean() + d.min(1).values.mean()


def edge_length_smoothness(depth, image):
    """Edge-aware smoothness of a normalised inverse depth, as monocular depth ships it."""
    depth = depth / (depth.mean((2, 3), keepdim=True) + 1e-7)
    dx = (depth[..., :, 1:] - depth[..., :, :-1]).abs()
    dy = (depth[..., 1:, :] - depth[..., :-1, :]).abs()
    wx = torch.exp(-(image[..., :, 1:] - image[..., :, :-1]).abs().mean(1, keepdim=True))
    wy = torch.exp(-(image[..., 1:, :] - image[..., :-1, :]).abs().mean(1, keepdim=True))
    return (dx * wx).mean() + (dy * wy).mean()


def silog_loss(depth_est, depth_gt, variance_focus=0.85):
    """Scale-invariant logarithmic error of positive depths."""
    d = torch.log(depth_est.clamp(min=1e-6)) - torch.log(depth_gt.clamp(min=1e-6))
    return torch.sqrt((d**2).mean() - variance_focus * d.mean() ** 2 + 1e-8) * 10.0


def pinn_burgers_residual(u_t, u, u_x, u_xx, nu=0.01):
    """Physics residual and nothing to compare with."""
    return (u_t + u * u_x - nu * u_xx).pow(2).mean()


def heteroscedastic_beta_nll(mean, variance, target, beta=0.5):
    """Beta-NLL: the weight is the detached variance, on purpose."""
    variance = variance.clamp(min=1e-6)
    nll = 0.5 * ((target - mean) ** 2 / variance + variance.log())
    return (nll * variance.detach() ** beta).mean()


class DetrCriterion(nn.Module):
    """Queries that are matched already: classes with a light background, boxes by L1, of the matched ones only."""

    def __init__(self, num_classes=4, eos_coef=0.1):
        super().__init__()
        weight = torch.ones(num_classes + 1)
        weight[-1] = eos_coef
        self.register_buffer("empty_weight", weight)

    def forward(self, pred_logits, pred_boxes, target_classes, target_boxes):
        ce = F.cross_entropy(pred_logits.transpose(1, 2), target_classes, self.empty_weight)
        matched = (target_classes != len(self.empty_weight) - 1).to(pred_boxes)
        l1 = (pred_boxes - target_boxes).abs().sum(-1) * matched
        return {"loss_ce": ce, "loss_bbox": 5 * l1.sum() / matched.sum().clamp(min=1)}


def ohem_cross_entropy(logits, labels, keep=0.5):
    """Only the hardest half of the samples learns."""
    loss = F.cross_entropy(logits, labels, reduction="none")
    return loss.topk(max(1, int(keep * loss.numel()))).values.mean()


def mmd_rbf(source, target, bandwidths=(0.5, 1.0, 2.0)):
    """Biased maximum mean discrepancy."""
    def gram(a, b):
        d = (a[:, None] - b[None]).pow(2).sum(-1)
        return sum(torch.exp(-d / (2 * s * s)) for s in bandwidths)
    return gram(source, source).mean() + gram(target, target).mean() - 2 * gram(source, target).mean()


def coral_loss(source, target):
    """Covariances of two domains."""
    d = source.shape[1]
    def cov(x):
        x = x - x.mean(0, keepdim=True)
        return x.T @ x / max(len(x) - 1, 1)
    return (cov(source) - cov(target)).pow(2).sum() / (4 * d * d)


def ordinal_coral_loss(logits, levels):
    """Rank-consistent ordinal regression: cumulative binary tasks."""
    return -(F.logsigmoid(logits) * levels + (F.logsigmoid(logits) - logits) * (1 - levels)).sum(1).mean()


def evidential_nig_loss(gamma, nu, alpha, beta, y, lam=0.01):
    """Deep evidential regression: nu, beta > 0, alpha > 1."""
    two_b = 2 * beta * (1 + nu)
    nll = (
        0.5 * torch.log(math.pi / nu) - alpha * torch.log(two_b)
        + (alpha + 0.5) * torch.log(nu * (y - gamma) ** 2 + two_b) + torch.lgamma(alpha) - torch.lgamma(alpha + 0.5)
    )
    return (nll + lam * (y - gamma).abs() * (2 * nu + alpha)).mean()

import math
