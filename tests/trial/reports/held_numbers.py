# ruff: noqa
# fmt: off
# Losses of numbers, actions and sequences, and gradients written by hand, restated after reading public reports and
# before reading the rules: the second round. Above each stand the class of its defect and the codes that name it
# rightly; `mend:` is what the line says once it is repaired.

# mask not removed: LS201 LS205 LS202
def nan_safe_mse(pred, target):
    mask = (~torch.isnan(target)).float()
    se = (pred - target) ** 2  # mend: se = (pred - torch.nan_to_num(target)) ** 2
    return (se * mask).sum() / mask.sum().clamp(min=1)


# nan hidden: LS202 LS103 LS201 LS104
def generalized_kl(pred, gt):
    loss = pred * torch.log(pred / gt) + gt - pred  # mend: loss = torch.xlogy(pred.clamp(min=1e-6), pred.clamp(min=1e-6) / gt.clamp(min=1e-6)) + gt - pred
    return loss.nan_to_num(0).mean()


# nan hidden: LS201 LS105 LS202
def guarded_log_loss(probs, target):
    loss = -(target * torch.log(probs) + (1 - target) * torch.log(1 - probs)).mean()  # mend: loss = F.binary_cross_entropy(probs, target)
    if torch.isnan(loss) or torch.isinf(loss):  # mend: if False:
        return torch.zeros_like(loss, requires_grad=True)
    return loss


# non-finite gradient: LS103 LS104 LS202 LS201
class SILogLoss(nn.Module):
    def __init__(self, lambd=0.5):
        super().__init__()
        self.lambd = lambd

    def forward(self, pred_depth, gt_depth):
        d = torch.log(pred_depth.clamp(min=1e-3)) - torch.log(gt_depth.clamp(min=1e-3))
        var = (d**2).mean() - self.lambd * d.mean() ** 2
        return torch.sqrt(var)  # mend: return torch.sqrt(var + 1e-6)


# non-finite value: LS201 LS202 LS303
def mdn_loss(pi, mu, sigma, y):
    sigma = F.softplus(sigma) + 1e-3
    pi = F.softmax(pi, dim=1)
    z = (y.unsqueeze(1) - mu) / sigma
    prob = torch.exp(-0.5 * z**2) / (sigma * 2.5066282746)  # mend: prob = -0.5 * z**2 - torch.log(sigma * 2.5066282746)
    return -torch.log((pi * prob).sum(1)).mean()  # mend: return -torch.logsumexp(torch.log(pi + 1e-12) + prob, 1).mean()


# gradient into the target: LS107
def dqn_loss(q_values, next_q_values, actions, rewards, dones, gamma=0.99):
    q = q_values.gather(1, actions.unsqueeze(1)).squeeze(1)
    target = rewards + gamma * (1 - dones) * next_q_values.max(1)[0]  # mend: target = rewards + gamma * (1 - dones) * next_q_values.detach().max(1)[0]
    return F.smooth_l1_loss(q, target)


# gradient into the target: LS107
def actor_loss(log_probs, values, returns):
    advantage = returns - values  # mend: advantage = returns - values.detach()
    return -(log_probs * advantage).mean()


# wrong formula: LS704 LS705
class WingLoss(nn.Module):
    def __init__(self, omega=10, epsilon=2):
        super().__init__()
        self.omega = omega
        self.epsilon = epsilon

    def forward(self, pred, target):
        delta = (target - pred).abs()
        small = self.omega * torch.log(1 + delta / self.epsilon)
        c = self.omega - self.omega * numpy.log(1 + self.epsilon / self.omega)  # mend: c = self.omega - self.omega * numpy.log(1 + self.omega / self.epsilon)
        return torch.where(delta < self.omega, small, delta - c).mean()


# stateful: LS607
class AnnealedMSE(nn.Module):
    def __init__(self, steps=50):
        super().__init__()
        self.steps = steps
        self.step = 1

    def advance(self):
        self.step += 1

    def forward(self, pred, target):
        self.advance()  # mend: pass
        weight = min(1.0, self.step / self.steps)
        return weight * F.mse_loss(pred, target)


# memory blow-up: LS606
class LoggedL1(nn.Module):
    def __init__(self):
        super().__init__()
        self.history = []

    def forward(self, output, target):
        loss = (output - target).abs().mean()
        self.history.append(loss)  # mend: self.last = loss.detach()
        return loss


# low precision: LS302 LS305
def sum_squared_error(pred, target):
    return ((pred - target) ** 2).sum() / pred.numel()  # mend: return ((pred.float() - target.float()) ** 2).sum() / pred.numel()


# size dependent: LS503 LS505
def trajectory_loss(pred_traj, gt_traj):
    loss = (pred_traj - gt_traj) ** 2
    return loss.sum() / pred_traj.size(0)  # mend: return loss.mean()


# device hard-coded: LS603
def multi_step_loss(preds, target):
    loss = torch.zeros(1).cuda()  # mend: loss = torch.zeros((), device=preds.device)
    for t in range(preds.shape[1]):
        loss = loss + F.mse_loss(preds[:, t], target[:, t])
    return loss.sum() / preds.shape[1]


# non-finite value: LS201
def asr_ctc_loss(log_probs, targets, input_lengths, target_lengths):
    log_probs = F.log_softmax(log_probs, dim=-1).transpose(0, 1)
    return F.ctc_loss(log_probs, targets, input_lengths, target_lengths)  # mend: return F.ctc_loss(log_probs, targets, input_lengths, target_lengths, zero_infinity=True)


# wrong gradient: LS101
class MeanSquared(torch.autograd.Function):
    @staticmethod
    def forward(ctx, input, target):
        diff = input - target
        ctx.save_for_backward(diff)
        return (diff**2).mean()

    @staticmethod
    def backward(ctx, grad_output):
        (diff,) = ctx.saved_tensors
        grad = 2 * diff * grad_output  # mend: grad = 2 * diff * grad_output / diff.numel()
        return grad, None


# wrong gradient: LS102
class HuberFn(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, t):
        diff = x - t
        ctx.save_for_backward(diff)
        a = diff.abs()
        return torch.where(a < 1, 0.5 * diff**2, a - 0.5).sum()

    @staticmethod
    def backward(ctx, gy):
        (diff,) = ctx.saved_tensors
        gx = diff.clamp(-1, 1)  # mend: gx = gy * diff.clamp(-1, 1)
        return gx, -gx


# wrong gradient: LS101
class SigmoidFocalFn(torch.autograd.Function):
    @staticmethod
    def forward(ctx, logits, targets):
        p = torch.sigmoid(logits)
        pt = torch.where(targets > 0.5, p, 1 - p)
        ctx.save_for_backward(pt, targets)
        return (-((1 - pt) ** 2) * torch.log(pt.clamp(min=1e-12))).mean()

    @staticmethod
    def backward(ctx, grad_output):
        pt, targets = ctx.saved_tensors
        sign = torch.where(targets > 0.5, 1.0, -1.0)
        log_pt = torch.log(pt.clamp(min=1e-12))
        d = (1 - pt) ** 2 * (pt * log_pt - (1 - pt))  # mend: d = (1 - pt) ** 2 * (2 * pt * log_pt - (1 - pt))
        return grad_output * sign * d / pt.numel(), None


# padding counted: LS205 LS507 LS503 LS505 LS501 LS504
def act_l1_loss(actions_hat, actions, is_pad):
    l1 = F.l1_loss(actions_hat, actions, reduction="none")
    keep = ~is_pad.unsqueeze(-1)
    return (l1 * keep).mean()  # mend: return (l1 * keep).sum() / (keep.sum() * l1.shape[-1]).clamp(min=1)


# dead hyper-parameter: LS805
class QuantileHuber(nn.Module):
    def __init__(self, tau=0.8, delta=1.0):
        super().__init__()
        self.tau = tau
        self.delta = delta

    def forward(self, input, target):
        err = target - input
        huber = F.smooth_l1_loss(input, target, reduction="none")  # mend: huber = F.huber_loss(input, target, reduction="none", delta=self.delta)
        return (torch.abs(self.tau - (err < 0).float()) * huber).mean()


# weights ignored: LS404 LS106 LS504
class GenericLoss(nn.Module):
    def forward(self, pred, target, sample_weight):
        per_sample = ((pred - target) ** 2).mean(dim=1)
        loss = per_sample.mean()
        return (loss * sample_weight).sum() / sample_weight.sum()  # mend: return (per_sample * sample_weight).sum() / sample_weight.sum()


# wrong axis: LS701 LS403 LS502 LS506
def tagger_loss(emissions, tags):
    emissions = emissions.transpose(0, 1)  # mend: emissions = emissions * 1.0
    return F.cross_entropy(emissions.reshape(-1, emissions.size(-1)), tags.reshape(-1))


# missing gradient: LS105 LS106
def f1_loss(logits, y_true):
    y_pred = logits.argmax(dim=1)  # mend: y_pred = logits.softmax(dim=1)[:, 1]
    y = (y_true == 1).float()
    tp = (y * y_pred).sum()
    fp = ((1 - y) * y_pred).sum()
    fn = (y * (1 - y_pred)).sum()
    return 1 - 2 * tp / (2 * tp + fp + fn + 1e-7)
