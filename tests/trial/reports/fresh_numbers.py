# ruff: noqa
# fmt: off
# The fourth round, its numeric half: wrong numbers and wrong gradients of public issues, restated before the rules were
# read. Above each stand the class of its defect and the codes that name it rightly; `mend:` is the repaired line.

# wrong gradient: LS101
class SmoothL1Autograd(torch.autograd.Function):
    @staticmethod
    def forward(ctx, input, target, beta=0.5):
        d = input - target
        ctx.save_for_backward(d)
        ctx.beta = beta
        a = d.abs()
        return torch.where(a < beta, 0.5 * d * d / beta, a - 0.5 * beta).sum()

    @staticmethod
    def backward(ctx, grad_output):
        (d,) = ctx.saved_tensors
        g = torch.where(d.abs() < ctx.beta, d, torch.sign(d))  # mend: g = torch.where(d.abs() < ctx.beta, d / ctx.beta, torch.sign(d))
        return grad_output * g, -grad_output * g, None


# wrong gradient: LS101 LS102
class SoftmaxCEFunction(torch.autograd.Function):
    @staticmethod
    def forward(ctx, logits, labels):
        p = torch.softmax(logits, dim=1)
        ctx.save_for_backward(p, labels)
        return -torch.log_softmax(logits, dim=1).gather(1, labels[:, None]).mean()

    @staticmethod
    def backward(ctx, grad_out):
        p, labels = ctx.saved_tensors
        onehot = F.one_hot(labels, p.shape[1]).to(p.dtype)
        return grad_out * (p - onehot), None  # mend: return grad_out * (p - onehot) / p.shape[0], None


# wrong gradient: LS102
class LogCoshFn(torch.autograd.Function):
    @staticmethod
    def forward(ctx, y_hat, y):
        e = y_hat - y
        ctx.save_for_backward(e)
        return e.abs() + F.softplus(-2 * e.abs()) - 0.6931471805599453

    @staticmethod
    def backward(ctx, grad_output):
        (e,) = ctx.saved_tensors
        return torch.tanh(e), None  # mend: return grad_output * torch.tanh(e), None


# non-finite gradient: LS104 LS103 LS202
class SpectralConvergence(nn.Module):
    def __init__(self, n_fft=8, log_eps=1e-5, w_mag=1.0):
        super().__init__()
        self.n_fft, self.log_eps, self.w_mag = n_fft, log_eps, w_mag

    def magnitude(self, x):
        spec = torch.fft.rfft(x, n=self.n_fft, dim=-1)
        return torch.sqrt(spec.real**2 + spec.imag**2)  # mend: return torch.sqrt(spec.real**2 + spec.imag**2 + 1e-9)

    def forward(self, wav, ref):
        m, r = self.magnitude(wav), self.magnitude(ref)
        return self.w_mag * F.l1_loss(torch.log(m + self.log_eps), torch.log(r + self.log_eps))


# non-finite gradient: LS104 LS103 LS202
def euclidean_keypoint_loss(pred_kpts, gt_kpts):
    d2 = ((pred_kpts - gt_kpts) ** 2).sum(dim=-1)
    return torch.sqrt(d2).mean()  # mend: return torch.sqrt(d2 + 1e-8).mean()


# non-finite gradient: LS104 LS103 LS202 LS201
def quaternion_angle_loss(q_pred, q_true):
    q_pred = F.normalize(q_pred, dim=-1)
    q_true = F.normalize(q_true, dim=-1)
    dot = (q_pred * q_true).sum(-1).abs()
    return (2 * torch.acos(dot.clamp(-1, 1))).mean()  # mend: return (2 * torch.acos(dot.clamp(-1 + 1e-6, 1 - 1e-6))).mean()


# non-finite gradient: LS103 LS202 LS201
def zero_inflated_lognormal(mean, y):
    positive = y > 0
    safe = torch.log(y)  # mend: safe = torch.log(torch.where(positive, y, torch.ones_like(y)))
    nll = torch.where(positive, 0.5 * (safe - mean) ** 2, torch.zeros_like(y) * mean)
    return nll.mean() + 1e-3 * mean.pow(2).mean()


# non-finite gradient: LS202 LS103 LS104 LS209
class BinaryFocalPower(nn.Module):
    def __init__(self, alpha=0.25, gamma=0.5, reduction="mean"):
        super().__init__()
        self.alpha, self.gamma, self.reduction = alpha, gamma, reduction

    def forward(self, x, y):
        p = torch.sigmoid(x)
        pos = -self.alpha * torch.pow(1.0 - p, self.gamma) * y * F.logsigmoid(x)  # mend: pos = -self.alpha * torch.exp(self.gamma * F.logsigmoid(-x)) * y * F.logsigmoid(x)
        neg = -(1 - self.alpha) * torch.pow(p, self.gamma) * (1 - y) * F.logsigmoid(-x)  # mend: neg = -(1 - self.alpha) * torch.exp(self.gamma * F.logsigmoid(x)) * (1 - y) * F.logsigmoid(-x)
        loss = pos + neg
        return loss.mean() if self.reduction == "mean" else loss.sum() if self.reduction == "sum" else loss


# non-finite value: LS201 LS302 LS307 LS303 LS202
def pairwise_reward_loss(chosen_rewards, rejected_rewards):
    return -torch.log(torch.sigmoid(chosen_rewards - rejected_rewards)).mean()  # mend: return -F.logsigmoid(chosen_rewards - rejected_rewards).mean()


# non-finite value: LS201 LS202 LS302 LS307 LS303
class LogSumExpPairs(nn.Module):
    def __init__(self, scale=1.0):
        super().__init__()
        self.scale = scale

    def forward(self, scores, onehot):
        neg = torch.exp(self.scale * scores) * (1 - onehot)  # mend: neg = (self.scale * scores).masked_fill(onehot > 0, float("-inf"))
        pos = (scores * onehot).sum(1)
        lse = torch.log(torch.exp(self.scale * pos) + neg.sum(1))  # mend: lse = torch.logsumexp(torch.cat([(self.scale * pos)[:, None], neg], 1), 1)
        return (lse - self.scale * pos).mean()


# non-finite value: LS201 LS104 LS202 LS103
def mape(forecast, actual):
    return ((actual - forecast).abs() / actual.abs()).mean()  # mend: return ((actual - forecast).abs() / actual.abs().clamp(min=1e-2)).mean()


# nan hidden: LS201 LS202 LS103 LS105
class DepthLogLoss(nn.Module):
    def __init__(self, weight=1.0):
        super().__init__()
        self.weight = weight

    def forward(self, pred_depth, gt_depth):
        valid = gt_depth > 0
        err = (torch.log(pred_depth) - torch.log(gt_depth)).abs()  # mend: err = (torch.log(pred_depth.clamp(min=1e-3)) - torch.log(gt_depth.clamp(min=1e-3))).abs()
        err = torch.nan_to_num(err, nan=0.0, posinf=0.0, neginf=0.0) * valid
        return self.weight * err.sum() / valid.sum().clamp(min=1)


# nan hidden: LS201 LS202 LS103 LS105 LS205
def safe_kl(p, q):
    kl = p * torch.log(p / q)  # mend: kl = p * (torch.log(p.clamp(min=1e-8)) - torch.log(q.clamp(min=1e-8)))
    kl[torch.isnan(kl)] = 0
    return kl.sum(-1).mean()


# missing gradient: LS105 LS106
class SoftArgmaxPose(nn.Module):
    def forward(self, heatmaps, joints):
        b, k, h, w = heatmaps.shape
        flat = heatmaps.reshape(b, k, -1)
        idx = flat.argmax(-1)  # mend: idx = (flat.softmax(-1) * torch.arange(h * w, dtype=flat.dtype, device=flat.device)).sum(-1)
        return ((idx - joints.reshape(b, k)) ** 2).to(heatmaps.dtype).mean()


# missing gradient: LS105 LS106 LS804
def weighted_sum_of_losses(outputs, labels, aux_outputs):
    main = F.cross_entropy(outputs, labels)
    aux = F.cross_entropy(aux_outputs, labels).item()  # mend: aux = F.cross_entropy(aux_outputs, labels)
    return main + 0.4 * aux


# missing gradient: LS105 LS804 LS106
class CumulativeEMD(nn.Module):
    def forward(self, y_pred, y_true):
        a = torch.cumsum(y_pred, 1).detach().cpu()  # mend: a = torch.cumsum(y_pred, 1)
        b = torch.cumsum(y_true, 1)
        loss = (a - b).pow(2).mean()
        return loss.requires_grad_()  # mend: return loss


# dead gradient: LS207 LS105
def margin_softplus(similarity, is_positive, margin=0.5):
    pos = torch.relu(margin - similarity) * is_positive
    neg = torch.clamp(similarity, min=0.0, max=margin) * (1 - is_positive)  # mend: neg = torch.clamp(similarity, min=0.0) * (1 - is_positive)
    return (pos + neg).mean()


# dead gradient: LS207 LS105
class ClippedValueMSE(nn.Module):
    def __init__(self, lo=-1.0, hi=1.0):
        super().__init__()
        self.lo, self.hi = lo, hi

    def forward(self, value_pred, returns):
        value_pred = value_pred.clamp(self.lo, self.hi)  # mend: returns = returns.clamp(self.lo, self.hi)
        return F.mse_loss(value_pred, returns)


# gradient into the target: LS107
class BYOLRegression(nn.Module):
    def forward(self, online_pred, target_proj):
        x = F.normalize(online_pred, dim=-1)
        y = F.normalize(target_proj, dim=-1)  # mend: y = F.normalize(target_proj.detach(), dim=-1)
        return (2 - 2 * (x * y).sum(-1)).mean()


# gradient into the target: LS107
def td_error_loss(q_sa, rewards, next_q_target, done, discount=0.9):
    target = rewards + discount * next_q_target.max(1).values * (1 - done)  # mend: target = (rewards + discount * next_q_target.max(1).values * (1 - done)).detach()
    return F.smooth_l1_loss(q_sa, target)


# wrong formula: LS701 LS208
class GaussianNLLPlain(nn.Module):
    def forward(self, mu, log_sigma, y):
        z = (y - mu) / torch.exp(log_sigma)
        return (0.5 * z**2 - log_sigma).mean()  # mend: return (0.5 * z**2 + log_sigma).mean()


# wrong formula: LS701 LS208
def tweedie_deviance_loss(mu, y, p=1.5):
    a = y * torch.pow(mu, 1 - p) / (1 - p)
    b = torch.pow(mu, 2 - p) / (2 - p)
    return torch.mean(-2 * a - b)  # mend: return torch.mean(2 * (-a + b))


# wrong formula: LS704 LS705
class BerHuLoss(nn.Module):
    def __init__(self, c=0.5):
        super().__init__()
        self.c = c

    def forward(self, prediction, truth):
        d = (prediction - truth).abs()
        quad = (d**2 + self.c**2) / (2 * self.c)
        return torch.where(d > self.c, quad, d**2).mean()  # mend: return torch.where(d > self.c, quad, d).mean()


# wrong formula: LS704 LS705
def adaptive_huber(residual, truth, k=1.345):
    e = (residual - truth).abs()
    return torch.where(e <= k, 0.5 * e**2, k * e).mean()  # mend: return torch.where(e <= k, 0.5 * e**2, k * (e - 0.5 * k)).mean()


# wrong formula: LS701 LS208
def giou_plus(boxes1, boxes2):
    area1 = (boxes1[:, 2] - boxes1[:, 0]) * (boxes1[:, 3] - boxes1[:, 1])
    area2 = (boxes2[:, 2] - boxes2[:, 0]) * (boxes2[:, 3] - boxes2[:, 1])
    lt = torch.max(boxes1[:, :2], boxes2[:, :2])
    rb = torch.min(boxes1[:, 2:], boxes2[:, 2:])
    wh = (rb - lt).clamp(min=0)
    inter = wh[:, 0] * wh[:, 1]
    union = area1 + area2 - inter
    c = (torch.max(boxes1[:, 2:], boxes2[:, 2:]) - torch.min(boxes1[:, :2], boxes2[:, :2])).prod(1)
    giou = inter / (union + 1e-7) + (c - union) / (c + 1e-7)  # mend: giou = inter / (union + 1e-7) - (c - union) / (c + 1e-7)
    return (1 - giou).mean()


# wrong direction: LS208 LS701
class PinballMulti(nn.Module):
    def __init__(self, taus=(0.1, 0.5, 0.9)):
        super().__init__()
        self.taus = taus

    def forward(self, preds, y):
        total = 0.0
        for i, tau in enumerate(self.taus):
            e = y - preds[:, i]
            total = total + torch.min(tau * e, (tau - 1) * e).mean()  # mend: total = total + torch.max(tau * e, (tau - 1) * e).mean()
        return total


# wrong direction: LS701 LS208
def ppo_with_entropy(logits, actions, advantages, coef=0.01):
    logp = F.log_softmax(logits, dim=-1)
    chosen = logp.gather(1, actions[:, None]).squeeze(1)
    entropy = -(logp.exp() * logp).sum(-1).mean()
    return (chosen * advantages).mean() - coef * entropy  # mend: return -(chosen * advantages).mean() - coef * entropy


# wrong direction: LS701 LS208
def sisdr_loss(estimate, reference, eps=1e-8):
    scale = (estimate * reference).sum(-1, keepdim=True) / (reference.pow(2).sum(-1, keepdim=True) + eps)
    proj = scale * reference
    noise = estimate - proj
    ratio = proj.pow(2).sum(-1) / (noise.pow(2).sum(-1) + eps)
    return 10 * torch.log10(ratio + eps).mean()  # mend: return -10 * torch.log10(ratio + eps).mean()


# logits and probabilities: LS801 LS803 LS701
class FocalOnSoftmaxed(nn.Module):
    def __init__(self, gamma=2.0, weight=None):
        super().__init__()
        self.gamma = gamma
        self.weight = weight

    def forward(self, output, target):
        probs = F.softmax(output, dim=1)
        ce = F.cross_entropy(probs, target, weight=self.weight, reduction="none")  # mend: ce = F.cross_entropy(output, target, weight=self.weight, reduction="none")
        pt = probs.gather(1, target[:, None]).squeeze(1)
        return ((1 - pt) ** self.gamma * ce).mean()


# logits and probabilities: LS803 LS208 LS701 LS201
def soft_jaccard(logits, masks, eps=1e-6):
    inter = (logits * masks).sum((1, 2, 3))  # mend: inter = (logits.sigmoid() * masks).sum((1, 2, 3))
    total = (logits + masks).sum((1, 2, 3))  # mend: total = (logits.sigmoid() + masks).sum((1, 2, 3))
    return 1 - ((inter + eps) / (total - inter + eps)).mean()


# logits and probabilities: LS801 LS701 LS803 LS208
def consistency_kl(logits_weak, logits_strong):
    p = F.softmax(logits_weak.detach(), dim=1)
    q = F.softmax(logits_strong, dim=1)  # mend: q = F.log_softmax(logits_strong, dim=1)
    return F.kl_div(q, p, reduction="batchmean")


# low precision: LS301 LS302 LS307 LS303 LS201 LS202
class CategoricalNLL(nn.Module):
    def __init__(self, smooth=1e-12):
        super().__init__()
        self.smooth = smooth

    def forward(self, logits, one_hot_labels):
        p = torch.softmax(logits, -1)
        logp = torch.log(p + self.smooth)  # mend: logp = torch.log_softmax(logits, -1)
        return -(one_hot_labels * logp).sum(-1).mean()


# low precision: LS302 LS305 LS201
def dice_of_sums(prob_map, mask, smooth=1.0):
    p = prob_map.reshape(prob_map.size(0), -1)  # mend: p = prob_map.reshape(prob_map.size(0), -1).float()
    m = mask.reshape(mask.size(0), -1).to(p.dtype)
    num = 2 * (p * m).sum(1) + smooth
    den = p.pow(2).sum(1) + m.pow(2).sum(1) + smooth
    return (1 - num / den).mean()


# low precision: LS303 LS307 LS201 LS202
def odds_ratio_loss(chosen_logps, rejected_logps):
    lo_c = chosen_logps - torch.log(1 - torch.exp(chosen_logps))  # mend: lo_c = chosen_logps - torch.log(-torch.expm1(chosen_logps))
    lo_r = rejected_logps - torch.log(1 - torch.exp(rejected_logps))  # mend: lo_r = rejected_logps - torch.log(-torch.expm1(rejected_logps))
    return -F.logsigmoid(lo_c - lo_r).mean()


# dtype promotion: LS306
class PerPixelScaled(nn.Module):
    def __init__(self, sigma=(0.5, 1.0, 2.0)):
        super().__init__()
        self.sigma = numpy.asarray(sigma)

    def forward(self, out, gt):
        s = torch.from_numpy(self.sigma)  # mend: s = torch.from_numpy(self.sigma).to(out.dtype)
        return sum((v * F.l1_loss(out, gt) for v in s)) / len(s)


# dead hyper-parameter: LS805
class LabelSmoothedNLL(nn.Module):
    def __init__(self, epsilon=0.1, temperature=1.5):
        super().__init__()
        self.epsilon = epsilon
        self.temperature = temperature

    def forward(self, logits, target):
        scaled = logits / self.temperature
        lp = F.log_softmax(logits, dim=-1)  # mend: lp = F.log_softmax(scaled, dim=-1)
        nll = -lp.gather(1, target[:, None]).squeeze(1)
        return ((1 - self.epsilon) * nll - self.epsilon * lp.mean(-1)).mean()


# dead hyper-parameter: LS805
class TverskyFocalCombo(nn.Module):
    def __init__(self, alpha=0.3, beta=0.7, lam=0.5):
        super().__init__()
        self.alpha, self.beta, self.lam = alpha, beta, lam

    def forward(self, prob, mask):
        tp = (prob * mask).sum()
        fp = (prob * (1 - mask)).sum()
        fn = ((1 - prob) * mask).sum()
        t = (tp + 1) / (tp + self.alpha * fp + self.alpha * fn + 1)  # mend: t = (tp + 1) / (tp + self.alpha * fp + self.beta * fn + 1)
        return self.lam * (1 - t) + (1 - self.lam) * F.binary_cross_entropy(prob, mask)


# in-place autograd: LS105 LS101 LS605
def whitened_mse(features, reference):
    z = torch.sigmoid(features)
    loss = (z - reference).pow(2).mean()
    z *= 0.5  # mend: z = z * 0.5
    z.add_(1.0)
    return loss + 0.1 * z.mean()


# in-place autograd: LS105 LS605 LS101
class OHEMByZeroing(nn.Module):
    def __init__(self, floor=0.01):
        super().__init__()
        self.floor = floor

    def forward(self, x, t):
        p = torch.exp(-F.softplus(-x))
        loss = -(t * torch.log(p + 1e-6) + (1 - t) * torch.log(1 - p + 1e-6))
        p[p < self.floor] = 0.0  # mend: p = torch.where(p < self.floor, torch.zeros_like(p), p)
        return (loss * (1 + p.detach())).mean()


def charbonnier_pyramid(img, ref, eps=1e-3):
    """Robust at three scales, unequally weighted."""
    assert img.shape == ref.shape
    total = 0.0
    for w in (1.0, 0.5, 0.25):
        total = total + w * torch.sqrt((img - ref) ** 2 + eps**2).mean()
        img, ref = F.avg_pool2d(img, 2), F.avg_pool2d(ref, 2)
    return total


class SpikeCountLoss(nn.Module):
    """Counts spikes; the step has the slope of a sigmoid on purpose, as spiking networks are trained."""

    def forward(self, potential, rate):
        assert potential.shape == rate.shape
        return ((SurrogateSpike.apply(potential) - rate) ** 2).mean()

class SurrogateSpike(torch.autograd.Function):
    @staticmethod
    def forward(ctx, v):
        ctx.save_for_backward(v)
        return (v > 0).to(v.dtype)

    @staticmethod
    def backward(ctx, g):
        (v,) = ctx.saved_tensors
        s = torch.sigmoid(4 * v)
        return g * 4 * s * (1 - s)


def epsilon_insensitive_squared(y_hat, y, epsilon=0.1):
    assert y_hat.shape == y.shape
    return torch.relu((y_hat - y).abs() - epsilon).pow(2).mean()


def negative_mutual_information(joint_logits):
    """Maximises the mutual information of two assignments; no target."""
    p = torch.softmax(joint_logits.flatten(), 0).view_as(joint_logits)
    outer = p.sum(1, keepdim=True) * p.sum(0, keepdim=True)
    return -(p * (torch.log(p + 1e-10) - torch.log(outer + 1e-10))).sum()


class FreeBitsKL(nn.Module):
    """A KL below the free bits costs nothing more, so its gradient is zero there."""

    def __init__(self, free=0.1):
        super().__init__()
        self.free = free

    def forward(self, mu, logvar):
        kl = 0.5 * (mu.pow(2) + logvar.exp() - 1 - logvar)
        return kl.mean(0).clamp(min=self.free).sum()


def truncated_robust_loss(estimate, observed, cut=2.0):
    """Outliers beyond the cut do not count: truncated least squares."""
    assert estimate.shape == observed.shape
    return (estimate - observed).pow(2).clamp(max=cut**2).mean()


class R1Penalty(nn.Module):
    """Needs a second gradient; the discriminator is inside."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(8, 4), nn.Softplus(), nn.Linear(4, 1))

    def forward(self, real):
        real = real.detach().requires_grad_()
        (g,) = torch.autograd.grad(self.net(real).sum(), real, create_graph=True)
        return g.pow(2).sum(1).mean()


def sam_orthogonality(weight_matrix):
    """Rows should be orthonormal."""
    gram = weight_matrix @ weight_matrix.t()
    return (gram - torch.eye(gram.size(0), dtype=gram.dtype, device=gram.device)).pow(2).sum()


def awr_loss(log_prob, advantage, beta=1.0):
    """Advantage-weighted regression: weights are no gradient, clipped so that they stay finite."""
    assert log_prob.shape == advantage.shape
    w = torch.exp(advantage.detach() / beta).clamp(max=20.0)
    return -(w * log_prob).mean()


def quantised_feature_loss(z, codebook):
    """VQ-VAE: codes move to features and, slowly, features to codes."""
    d = torch.cdist(z.detach(), codebook.detach())
    e = codebook[d.argmin(1)]
    return (e - z.detach()).pow(2).mean() + 0.25 * (z - e.detach()).pow(2).mean()
