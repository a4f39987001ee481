# ruff: noqa
# fmt: off
# The fifth round, its numeric half: written when the fourth had been mended, and measured once.

# wrong formula: LS701 LS208
def anchor_style_bce(logit, onehot, gamma=0.5):
    p = torch.sigmoid(logit)
    log_neg = F.logsigmoid(1 - logit)  # mend: log_neg = F.logsigmoid(-logit)
    return -(onehot * F.logsigmoid(logit) + (1 - onehot) * (1 + p.detach()) ** gamma * log_neg).sum(1).mean()


# wrong formula: LS701 LS208
class EnclosedIoU(nn.Module):
    def __init__(self, eps=1e-7):
        super().__init__()
        self.eps = eps

    def forward(self, pred_boxes, gt_boxes):
        tl, br = torch.max(pred_boxes[:, :2], gt_boxes[:, :2]), torch.min(pred_boxes[:, 2:], gt_boxes[:, 2:])
        wh = (br - tl).clamp(min=0).prod(1)
        union = (pred_boxes[:, 2:] - pred_boxes[:, :2]).prod(1) + (gt_boxes[:, 2:] - gt_boxes[:, :2]).prod(1) - wh
        ctl, cbr = torch.min(pred_boxes[:, :2], gt_boxes[:, :2]), torch.max(pred_boxes[:, 2:], gt_boxes[:, 2:])
        hull = (cbr - ctl).prod(1)
        return (1 - wh / (union + self.eps) + (hull - wh) / (hull + self.eps)).mean()  # mend: return (1 - wh / (union + self.eps) + (hull - union) / (hull + self.eps)).mean()


# non-finite gradient: LS104 LS103 LS202
class StoiLike(nn.Module):
    def __init__(self, eps=1e-8):
        super().__init__()
        self.eps = eps

    def forward(self, est_speech, clean_speech):
        e = est_speech - est_speech.mean(-1, keepdim=True)
        c = clean_speech - clean_speech.mean(-1, keepdim=True)
        e = e / (e.pow(2).sum(-1, keepdim=True).sqrt() + self.eps)  # mend: e = e / (e.pow(2).sum(-1, keepdim=True) + self.eps).sqrt()
        c = c / (c.pow(2).sum(-1, keepdim=True).sqrt() + self.eps)  # mend: c = c / (c.pow(2).sum(-1, keepdim=True) + self.eps).sqrt()
        return 1 - (e * c).sum(-1).mean()


# non-finite value: LS201 LS202 LS307 LS302 LS303
def ranking_logistic(pos_scores, neg_scores, gamma=1.0):
    return torch.log(1 + torch.exp(gamma * (neg_scores - pos_scores))).sum()  # mend: return F.softplus(gamma * (neg_scores - pos_scores)).sum()


# missing gradient: LS105 LS106 LS804
class SmoothL1Rebuilt(nn.Module):
    def __init__(self, beta=1.0):
        super().__init__()
        self.beta = beta

    def forward(self, pred, target):
        d = (pred - target).abs()
        each = [0.5 * v * v / self.beta if v < self.beta else v - 0.5 * self.beta for v in d.flatten().tolist()]  # mend: each = torch.where(d < self.beta, 0.5 * d * d / self.beta, d - 0.5 * self.beta).flatten()
        return torch.tensor(each, requires_grad=True).mean()  # mend: return each.mean()


# gradient into the target: LS107
def double_dqn(q_values, actions, rewards, next_q_values, dones, gamma=0.95):
    q = q_values.gather(1, actions[:, None]).squeeze(1)
    best = next_q_values.max(dim=1).values
    expected = rewards + gamma * best * (1 - dones)
    return F.mse_loss(q, expected)  # mend: return F.mse_loss(q, expected.detach())


# wrong direction: LS701 LS208
class DropMaxKL(nn.Module):
    def __init__(self, free_bits=0.0):
        super().__init__()
        self.free_bits = free_bits

    def forward(self, z_mean, z_log_var):
        kl = -0.5 * (1 + z_log_var - z_mean**2 - z_log_var.exp()).sum(1)
        return -(kl - self.free_bits).mean()  # mend: return (kl - self.free_bits).mean()


# wrong gradient: LS101 LS102
class BoundedMSE(torch.autograd.Function):
    @staticmethod
    def forward(ctx, output, label):
        diff = output - label
        ctx.save_for_backward(diff)
        return diff.pow(2).mean(dim=1)

    @staticmethod
    def backward(ctx, grad_output):
        (diff,) = ctx.saved_tensors
        return 2 * diff / diff.shape[1] * grad_output.mean(), None  # mend: return 2 * diff / diff.shape[1] * grad_output[:, None], None


# logits and probabilities: LS208 LS803 LS701 LS201
class MemoryDice(nn.Module):
    def __init__(self, apply_nonlin=None, smooth=1e-5):
        super().__init__()
        self.apply_nonlin, self.smooth = apply_nonlin, smooth

    def forward(self, net_output, gt):
        x = net_output if self.apply_nonlin is None else self.apply_nonlin(net_output)  # mend: x = torch.sigmoid(net_output)
        inter = (x * gt).sum((2, 3))
        return (1 - (2 * inter + self.smooth) / (x.sum((2, 3)) + gt.sum((2, 3)) + self.smooth)).mean()


# low precision: LS302 LS305 LS301 LS201
def amp_attention_ce(scores, labels, keep_mask):
    """Runs under autocast, in half precision."""
    scores = scores.masked_fill(keep_mask[:, None] == 0, -1e5)  # mend: scores = scores.masked_fill(keep_mask[:, None] == 0, -1e4)
    return (F.cross_entropy(scores, labels, reduction="none") * keep_mask).sum() / keep_mask.sum().clamp(min=1)


# dead hyper-parameter: LS805
class FocalSmoothing(nn.Module):
    def __init__(self, alpha=0.4, gamma=2.0, smoothing=0.1):
        super().__init__()
        self.alpha, self.gamma, self.smoothing = alpha, gamma, smoothing

    def forward(self, x, target):
        n = x.size(1)
        t = F.one_hot(target, n).to(x.dtype) * (1 - self.smoothing) + self.smoothing / n
        lp = F.log_softmax(x, 1)
        return -(t * (1 - lp.exp()) ** self.gamma * lp).sum(1).mean()  # mend: return -self.alpha * (t * (1 - lp.exp()) ** self.gamma * lp).sum(1).mean()


# dtype promotion: LS306
def log_cosh_np(y_hat, y_obs):
    d = y_hat - y_obs
    return (d.abs() + F.softplus(-2 * d.abs()) - torch.from_numpy(numpy.log([2.0])).to(d.device)).mean()  # mend: return (d.abs() + F.softplus(-2 * d.abs()) - float(numpy.log(2.0))).mean()


# dead gradient: LS207 LS105
class DepthRange(nn.Module):
    def __init__(self, near=0.5, far=4.0):
        super().__init__()
        self.near, self.far = near, far

    def forward(self, pred_depth, gt_depth):
        p = pred_depth.clamp(self.near, self.far)  # mend: p = pred_depth
        return ((p - gt_depth) / (self.far - self.near)).abs().mean()


def margin_of_victory(home, away, result):
    """Expected against actual share of points."""
    return F.mse_loss(torch.tanh((home - away) / 2), result)


def deep_svdd(z, radius=1.0, nu=0.1):
    """One class: outside of the sphere it costs."""
    d = z.pow(2).sum(1)
    return radius**2 + F.relu(d - radius**2).mean() / nu


class GradNormBalance(nn.Module):
    """Weights from the values, which are no gradient."""

    def forward(self, pred, target):
        a, b = F.l1_loss(pred, target), F.mse_loss(pred, target)
        w = (b.detach() / (a.detach() + 1e-8)).clamp(max=10.0)
        return w * a + b


def interaction_energy(coords):
    d = torch.cdist(coords, coords) + torch.eye(len(coords), dtype=coords.dtype, device=coords.device)
    return torch.exp(-d).triu(1).sum()


def bernoulli_reinforce(action_logits, sampled, reward):
    lp = sampled * F.logsigmoid(action_logits) + (1 - sampled) * F.logsigmoid(-action_logits)
    return -((reward - reward.mean()).detach() * lp).mean()


def prior_network_kl(logits, onehot):
    """Reverse KL between Dirichlets, of a sharp target."""
    a = torch.exp(logits.clamp(-8, 8)) + 1e-3
    b = 1 + 20 * onehot
    sa, sb = a.sum(1), b.sum(1)
    return (torch.lgamma(sa) - torch.lgamma(a).sum(1) - torch.lgamma(sb) + torch.lgamma(b).sum(1) + ((a - b) * (torch.digamma(a) - torch.digamma(sa)[:, None])).sum(1)).mean()
