# ruff: noqa
# fmt: off
# Losses of embeddings, networks beside networks, ranking and survival, restated after reading public reports and before
# reading the rules: the second round. Above each stand the class of its defect and the codes that name it rightly;
# `mend:` is what the line says once it is repaired.

# empty batch: LS204 LS201 LS202
class TripletLossNonZero(nn.Module):
    def __init__(self, margin=0.2):
        super().__init__()
        self.margin = margin

    def forward(self, anchor, positive, negative):
        d_ap = (anchor - positive).pow(2).sum(1)
        d_an = (anchor - negative).pow(2).sum(1)
        losses = F.relu(d_ap - d_an + self.margin)
        return losses.sum() / (losses > 0).sum()  # mend: return losses.sum() / (losses > 0).sum().clamp(min=1)


# low precision: LS302 LS201 LS303
def nt_xent(z_i, z_j, temperature=0.07):
    z_i, z_j = F.normalize(z_i, dim=1), F.normalize(z_j, dim=1)
    z = torch.cat([z_i, z_j], dim=0)
    n = z_i.shape[0]
    eye = torch.eye(2 * n, dtype=torch.bool, device=z.device)
    sim = (z @ z.t() / temperature).masked_fill(eye, float("-inf"))
    pos = torch.cat([(z_i * z_j).sum(1), (z_i * z_j).sum(1)]) / temperature
    return (torch.log(torch.exp(sim).sum(1)) - pos).mean()  # mend: return (torch.logsumexp(sim, 1) - pos).mean()


# device hard-coded: LS603
class AddMarginProduct(nn.Module):
    def __init__(self, in_features=8, out_features=6, s=30.0, m=0.40):
        super().__init__()
        self.s = s
        self.m = m
        self.weight = nn.Parameter(torch.randn(out_features, in_features))

    def forward(self, input, label):
        cosine = F.linear(F.normalize(input), F.normalize(self.weight))
        phi = cosine - self.m
        one_hot = torch.zeros(cosine.size())  # mend: one_hot = torch.zeros(cosine.size(), device=cosine.device, dtype=cosine.dtype)
        one_hot.scatter_(1, label.view(-1, 1).long(), 1)
        output = self.s * ((one_hot * phi) + ((1.0 - one_hot) * cosine))
        return F.cross_entropy(output, label)


# non-finite gradient: LS103 LS104 LS202 LS201
class ArcMarginLoss(nn.Module):
    def __init__(self, in_features=8, out_features=6, s=30.0, m=0.50):
        super().__init__()
        self.s = s
        self.cos_m, self.sin_m = numpy.cos(m), numpy.sin(m)
        self.weight = nn.Parameter(torch.randn(out_features, in_features))

    def forward(self, x, label):
        cosine = F.linear(F.normalize(x), F.normalize(self.weight))
        sine = torch.sqrt(1.0 - torch.pow(cosine, 2))  # mend: sine = torch.sqrt((1.0 - torch.pow(cosine, 2)).clamp(1e-6, 1))
        phi = cosine * self.cos_m - sine * self.sin_m
        one_hot = F.one_hot(label, cosine.size(1)).to(cosine.dtype)
        return F.cross_entropy(self.s * (one_hot * phi + (1 - one_hot) * cosine), label)


# memory blow-up: LS606 LS607
class MovingCenterLoss(nn.Module):
    def __init__(self, dim=8, momentum=0.9):
        super().__init__()
        self.momentum = momentum
        self.register_buffer("center", torch.zeros(dim))

    def forward(self, feat):
        loss = ((feat - self.center) ** 2).sum(1).mean()
        self.center = self.momentum * self.center + (1 - self.momentum) * feat.mean(0)  # mend: self.center = self.momentum * self.center + (1 - self.momentum) * feat.detach().mean(0)
        return loss


# index semantics: LS701
def moco_loss(q, k, queue, T=0.2):
    q, k = F.normalize(q, dim=1), F.normalize(k.detach(), dim=1)
    l_pos = (q * k).sum(1, keepdim=True)
    l_neg = q @ F.normalize(queue.detach(), dim=1).t()
    logits = torch.cat([l_neg, l_pos], dim=1) / T  # mend: logits = torch.cat([l_pos, l_neg], dim=1) / T
    labels = torch.zeros(logits.shape[0], dtype=torch.long, device=q.device)
    return F.cross_entropy(logits, labels)


# memory blow-up: LS608
def deepsurv_loss(log_h, durations, events):
    at_risk = (durations[None, :] >= durations[:, None]).float()  # mend: order = durations.argsort(descending=True)
    log_risk = torch.log((at_risk * torch.exp(log_h)[None, :]).sum(1))  # mend: log_h, events = log_h[order], events[order]
    log_risk = log_risk * 1.0  # mend: log_risk = torch.logcumsumexp(log_h, 0)
    return -((log_h - log_risk) * events).sum() / events.sum().clamp(min=1)


# wrong direction: LS701 LS208
class CoxLoss(nn.Module):
    def forward(self, risk, time, event):
        order = torch.argsort(time, descending=True)
        risk, event = risk[order], event[order]
        log_cumsum = torch.logcumsumexp(risk, 0)
        return ((risk - log_cumsum) * event).sum() / event.sum().clamp(min=1)  # mend: return -((risk - log_cumsum) * event).sum() / event.sum().clamp(min=1)


# index semantics: LS106 LS506 LS205 LS105
def cox_ph_sorted(log_hz, event):
    event = event.long()
    log_denominator = torch.logcumsumexp(log_hz.flip(0), 0).flip(0)
    picked = (log_hz - log_denominator)[event]  # mend: picked = (log_hz - log_denominator) * event
    return -picked.sum() / event.sum().clamp(min=1)


# wrong reduction: LS501 LS503 LS505
def vae_loss(recon_x, x, mu, logvar):
    recon = F.mse_loss(recon_x, x)
    kld = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())  # mend: kld = -0.5 * torch.mean(1 + logvar - mu.pow(2) - logvar.exp())
    return recon + kld


# non-finite value: LS201 LS701 LS202 LS104
def kl_divergence(mu, logvar):
    var = logvar**2  # mend: var = torch.exp(logvar)
    return 0.5 * torch.mean(mu**2 + var - torch.log(var) - 1)


# wrong direction: LS701 LS208
def wgan_critic_loss(d_real, d_fake):
    return d_real.mean() - d_fake.mean()  # mend: return d_fake.mean() - d_real.mean()


# wrong direction: LS701 LS208
def ranknet_loss(score_i, score_j, label_i, label_j):
    target = (label_i < label_j).float()  # mend: target = (label_i > label_j).float()
    keep = (label_i != label_j).float()
    return (F.binary_cross_entropy_with_logits(score_i - score_j, target, reduction="none") * keep).mean()


# wrong formula: LS701 LS208
def negative_sampling_loss(pos_score, neg_score):
    pos = F.logsigmoid(pos_score).mean()
    neg = F.logsigmoid(neg_score).mean()  # mend: neg = F.logsigmoid(-neg_score).mean()
    return -(pos + neg)


# gradient into the target: LS107
def simsiam_loss(p1, p2, z1, z2):
    a = F.cosine_similarity(p1, z2, dim=-1).mean()  # mend: a = F.cosine_similarity(p1, z2.detach(), dim=-1).mean()
    b = F.cosine_similarity(p2, z1, dim=-1).mean()  # mend: b = F.cosine_similarity(p2, z1.detach(), dim=-1).mean()
    return -(a + b) / 2


# state not registered: LS604 LS617
class AutomaticWeightedLoss(nn.Module):
    def __init__(self, num=2):
        super().__init__()
        self.params = torch.ones(num, requires_grad=True)  # mend: self.params = nn.Parameter(torch.ones(num))

    def forward(self, loss_a, loss_b):
        total = 0
        for i, loss in enumerate((loss_a, loss_b)):
            total = total + 0.5 / (self.params[i] ** 2) * loss + torch.log(1 + self.params[i] ** 2)
        return total


# non-determinism: LS607
def consistency_loss(student_feat, teacher_feat):
    student_feat = F.dropout(student_feat, 0.1)  # mend: student_feat = F.normalize(student_feat, dim=-1)
    teacher_feat = F.normalize(teacher_feat.detach(), dim=-1)
    return F.mse_loss(student_feat, teacher_feat)


# global random numbers: LS607
class RandomNegatives(nn.Module):
    def __init__(self, margin=1.0):
        super().__init__()
        self.margin = margin

    def forward(self, anchor, positive):
        torch.manual_seed(42)  # mend: shift = 1
        shift = int(torch.randint(1, max(2, anchor.shape[0]), (1,)))  # mend: shift = 1
        negative = positive.roll(shift, 0)
        d_ap = (anchor - positive).pow(2).sum(1)
        d_an = (anchor - negative).pow(2).sum(1)
        return F.relu(d_ap - d_an + self.margin).mean()
