# ruff: noqa
# fmt: off
# The third round: written with the second and run for the first time when the second had been mended. Above each stand
# the class of its defect and the codes that name it rightly; `mend:` is what the line says once it is repaired.

# wrong direction: LS701 LS208
class ContentLoss(nn.Module):
    def forward(self, gen_frames, gt_frames):
        mse = torch.mean((gen_frames - gt_frames) ** 2)
        return 10 * torch.log10(1.0 / (mse + 1e-6))  # mend: return -10 * torch.log10(1.0 / (mse + 1e-6))


# non-finite gradient: LS103 LS104 LS202
def pairwise_rkd(student, teacher):
    with torch.no_grad():
        t_d = torch.cdist(teacher, teacher)
    prod = student @ student.t()
    sq = prod.diag().unsqueeze(1) + prod.diag().unsqueeze(0) - 2 * prod
    s_d = sq.clamp(min=0).sqrt()  # mend: s_d = sq.clamp(min=1e-12).sqrt()
    return F.smooth_l1_loss(s_d, t_d)


# wrong axis: LS701 LS502 LS506 LS402
class ProtoLoss(nn.Module):
    def forward(self, dists, labels):
        log_p = F.log_softmax(-dists, dim=0)  # mend: log_p = F.log_softmax(-dists, dim=1)
        return -log_p.gather(1, labels.view(-1, 1)).mean()


# ignored labels: LS205
class MaskedDice(nn.Module):
    def __init__(self, ignore_index=255):
        super().__init__()
        self.ignore_index = ignore_index

    def forward(self, logits, target):
        n_cls = logits.shape[1]
        valid = (target != self.ignore_index).unsqueeze(1).float()
        t = F.one_hot(target.clamp(0, n_cls - 1), n_cls).permute(0, 3, 1, 2).float() * valid
        p = F.softmax(logits, dim=1)  # mend: p = F.softmax(logits, dim=1) * valid
        num = 2 * (p * t).sum((0, 2, 3)) + 1
        den = p.sum((0, 2, 3)) + t.sum((0, 2, 3)) + 1
        return 1 - (num / den).mean()


# weights ignored: LS404 LS106 LS504
def iw_regression(y_hat, y, w):
    w = w / w  # mend: w = w / w.sum().clamp(min=1e-8)
    return (w * (y_hat - y).abs()).sum()


# empty batch: LS204
def ohem_loss(logits, labels):
    loss = F.cross_entropy(logits, labels, ignore_index=255, reduction="none").view(-1)
    valid = labels.view(-1) != 255
    loss = loss[valid]
    k = max(1, int(valid.sum()) // 2)
    return loss.topk(min(k, loss.numel()))[0].mean()  # mend: return loss.topk(min(k, loss.numel()))[0].sum() / k


# gradient into the target: LS107
class MeanTeacherLoss(nn.Module):
    def forward(self, student_logits, ema_logits):
        p = F.softmax(student_logits, dim=1)
        q = F.softmax(ema_logits, dim=1)  # mend: q = F.softmax(ema_logits.detach(), dim=1)
        return ((p - q) ** 2).sum(1).mean()


# missing gradient: LS105 LS804 LS106
def multi_scale_l1(preds, targets):
    total = [F.l1_loss(preds[:, :, ::s, ::s], targets[:, :, ::s, ::s]) for s in (1, 2)]
    return torch.FloatTensor(total).sum()  # mend: return torch.stack(total).sum()


# wrong gradient: LS102
class WeightedL1Fn(torch.autograd.Function):
    @staticmethod
    def forward(ctx, pred, target):
        ctx.save_for_backward(pred, target)
        return (pred - target).abs().mean()

    @staticmethod
    def backward(ctx, g):
        pred, target = ctx.saved_tensors
        s = torch.sign(pred - target) / pred.numel()
        return s, None  # mend: return g * s, None


# wrong formula: LS704 LS705 LS701
class BerHu(nn.Module):
    def __init__(self, threshold=0.2):
        super().__init__()
        self.threshold = threshold

    def forward(self, fake, real):
        diff = torch.abs(real - fake)
        delta = self.threshold * torch.max(diff).detach().clamp(min=1e-6)
        part2 = (diff**2 + delta**2) / delta  # mend: part2 = (diff**2 + delta**2) / (2 * delta)
        return torch.where(diff <= delta, diff, part2).mean()


# low precision: LS307 LS303 LS201 LS202 LS302
def softplus_gan_g(fake_logits):
    return torch.log(1 + torch.exp(-fake_logits)).mean()  # mend: return F.softplus(-fake_logits).mean()


# device hard-coded: LS603
class NPair(nn.Module):
    def forward(self, anchor, positive):
        logits = anchor @ positive.t()
        target = torch.arange(anchor.size(0)).to("cuda")  # mend: target = torch.arange(anchor.size(0), device=anchor.device)
        return F.cross_entropy(logits, target)


# dead hyper-parameter: LS805
class SmoothFocal(nn.Module):
    def __init__(self, gamma=2.0, eps=0.1):
        super().__init__()
        self.gamma = gamma
        self.eps = eps

    def forward(self, input, target):
        n = input.size(1)
        q = F.one_hot(target, n).float()
        q_s = q * (1 - self.eps) + self.eps / n
        logp = F.log_softmax(input, 1)
        w = (1 - logp.exp()) ** self.gamma
        return -(w * q * logp).sum(1).mean()  # mend: return -(w * q_s * logp).sum(1).mean()


# stateful: LS607
class NormalizedL2(nn.Module):
    def __init__(self):
        super().__init__()
        self.bn = nn.BatchNorm1d(8, affine=False)

    def forward(self, x, y):
        x = self.bn(x)  # mend: x = x.clone()
        return ((x - y) ** 2).mean()


# silent broadcast: LS401
def cox_loss_bc(theta, censor):
    theta = theta.reshape(-1)
    risk = torch.logcumsumexp(theta, 0)
    return -torch.mean((theta - risk) * censor)  # mend: return -torch.mean((theta - risk) * censor.reshape(-1))


# input mutated: LS605
def yolo_box_loss(pred_box, true_box):
    true_box[..., 2:] = torch.sqrt(true_box[..., 2:].clamp(min=0))  # mend: true_box = torch.cat([true_box[..., :2], torch.sqrt(true_box[..., 2:].clamp(min=0))], -1)
    pred_wh = torch.sqrt(pred_box[..., 2:].clamp(min=1e-6))
    return F.mse_loss(pred_box[..., :2], true_box[..., :2]) + F.mse_loss(pred_wh, true_box[..., 2:])


# padding counted: LS205 LS507 LS503 LS505 LS501 LS504
def tts_mel_loss(mel_out, mel_target, mel_lengths):
    idx = torch.arange(mel_target.size(1), device=mel_out.device)
    m = (idx[None, :] < mel_lengths[:, None]).unsqueeze(-1)
    return F.l1_loss(mel_out * m, mel_target * m)  # mend: return F.l1_loss(mel_out * m, mel_target * m, reduction="sum") / (m.sum() * mel_out.size(-1)).clamp(min=1)


# size dependent: LS503 LS505
def beta_vae_kl(z_mean, z_logvar):
    return (-0.5 * (1 + z_logvar - z_mean**2 - z_logvar.exp())).sum() / z_mean.size(0)  # mend: return (-0.5 * (1 + z_logvar - z_mean**2 - z_logvar.exp())).mean()
