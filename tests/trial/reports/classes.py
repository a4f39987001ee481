# ruff: noqa
# fmt: off
# Losses of classes, restated from memory of public reports. Above each stand the class of its defect and the codes
# that name it rightly; `mend:` is what the line says once it is repaired.

# wrong reduction: LS501 LS502 LS505
class FocalLossOfTheMean(nn.Module):
    def __init__(self, gamma=2.0):
        super().__init__()
        self.gamma = gamma

    def forward(self, inputs, targets):
        ce = F.cross_entropy(inputs, targets)  # mend: ce = F.cross_entropy(inputs, targets, reduction="none")
        pt = torch.exp(-ce)
        return ((1 - pt) ** self.gamma * ce).mean()


# weights: LS404 LS701 LS805
class FocalLossWeightInPt(nn.Module):
    def __init__(self, gamma=2.0, num_classes=5):
        super().__init__()
        self.gamma = gamma
        self.register_buffer("weight", torch.linspace(0.5, 3.0, num_classes))

    def forward(self, logits, labels):
        ce = F.cross_entropy(logits, labels, weight=self.weight, reduction="none")  # mend: ce = F.cross_entropy(logits, labels, reduction="none")
        pt = torch.exp(-ce)
        return ((1 - pt) ** self.gamma * ce).mean()  # mend: return (self.weight[labels] * (1 - pt) ** self.gamma * ce).mean()


# wrong axis: LS701 LS502 LS506 LS403
def segmentation_focal_loss(logits, target, gamma=2.0):
    n, c = logits.shape[:2]
    logits = logits.reshape(-1, c)  # mend: logits = logits.permute(0, 2, 3, 1).reshape(-1, c)
    log_p = F.log_softmax(logits, dim=1).gather(1, target.reshape(-1, 1)).squeeze(1)
    return -((1 - log_p.exp()) ** gamma * log_p).mean()


# wrong axis: LS701 LS502 LS506 LS402
def nll_over_batch_axis(x, y):
    log_p = torch.log_softmax(x, 0)  # mend: log_p = torch.log_softmax(x, 1)
    return F.nll_loss(log_p, y)


# wrong axis: LS701 LS502 LS506
def token_loss(logits, tokens):
    log_p = logits.log_softmax(dim=1)  # mend: log_p = logits.log_softmax(dim=2)
    return -log_p.gather(2, tokens.unsqueeze(2)).mean()


# logits and probabilities: LS803 LS801 LS201 LS202
def binary_loss(logits, labels):
    return F.binary_cross_entropy(logits, labels)  # mend: return F.binary_cross_entropy_with_logits(logits, labels)


# logits and probabilities: LS801 LS803
class BCEDiceLoss(nn.Module):
    def forward(self, logits, mask):
        p = torch.sigmoid(logits)
        bce = F.binary_cross_entropy_with_logits(p, mask)  # mend: bce = F.binary_cross_entropy_with_logits(logits, mask)
        dice = 1 - (2 * (p * mask).sum() + 1) / (p.sum() + mask.sum() + 1)
        return bce + dice


# ignored labels: LS205 LS204 LS501
class SmoothedCrossEntropy(nn.Module):
    def __init__(self, eps=0.1, ignore_index=-100):
        super().__init__()
        self.eps = eps
        self.ignore_index = ignore_index

    def forward(self, logits, target):
        log_p = F.log_softmax(logits, dim=-1)
        nll = F.nll_loss(log_p, target, ignore_index=self.ignore_index, reduction="sum")
        smooth = -log_p.mean(dim=-1).sum()  # mend: smooth = -(log_p.mean(dim=-1) * (target != self.ignore_index)).sum()
        return ((1 - self.eps) * nll + self.eps * smooth) / (target != self.ignore_index).sum().clamp(min=1)


# ignored labels: LS205 LS204 LS201
class GatheredNLL(nn.Module):
    def __init__(self, ignore_index=-100):
        super().__init__()
        self.ignore_index = ignore_index

    def forward(self, logits, labels):
        log_p = logits.log_softmax(-1)
        kept = labels != self.ignore_index
        picked = log_p.gather(-1, labels.unsqueeze(-1)).squeeze(-1)  # mend: picked = log_p.gather(-1, labels.clamp(min=0).unsqueeze(-1)).squeeze(-1)
        return -(picked * kept).sum() / kept.sum().clamp(min=1)


# ignored labels: LS205 LS204 LS201
class OneHotFocal(nn.Module):
    def __init__(self, gamma=2.0, ignore_index=255):
        super().__init__()
        self.gamma = gamma
        self.ignore_index = ignore_index

    def forward(self, logits, target):
        valid = target != self.ignore_index
        hot = F.one_hot(target, logits.shape[1])  # mend: hot = F.one_hot(target.masked_fill(~valid, 0), logits.shape[1])
        log_p = logits.log_softmax(1)
        value = -((1 - log_p.exp()) ** self.gamma * log_p * hot).sum(1)
        return (value * valid).sum() / valid.sum().clamp(min=1)


# empty batch: LS204
def retina_focal_loss(logits, targets, alpha=0.25, gamma=2.0):
    p = torch.sigmoid(logits)
    ce = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    p_t = p * targets + (1 - p) * (1 - targets)
    loss = (alpha * targets + (1 - alpha) * (1 - targets)) * (1 - p_t) ** gamma * ce
    return loss.sum() / targets.sum()  # mend: return loss.sum() / targets.sum().clamp(min=1)


# low precision: LS302 LS307 LS201 LS301
def own_softmax_loss(logits, labels):
    e = torch.exp(logits)  # mend: e = torch.exp(logits - logits.max(dim=1, keepdim=True).values)
    p = e / e.sum(dim=1, keepdim=True)
    return -torch.log(p.gather(1, labels[:, None])).mean()  # mend: return (e.sum(dim=1).log() - (logits - logits.max(dim=1, keepdim=True).values).gather(1, labels[:, None])[:, 0]).mean()


# low precision: LS301 LS302 LS307 LS303 LS201 LS202
def half_bce(prob, target):
    return -(target * torch.log(prob + 1e-12) + (1 - target) * torch.log(1 - prob + 1e-12)).mean()  # mend: return F.binary_cross_entropy(prob.float(), target.float())


# logits and probabilities: LS803
def nll_on_probabilities(outputs, labels):
    return F.nll_loss(F.softmax(outputs, dim=1), labels)  # mend: return F.nll_loss(F.log_softmax(outputs, dim=1), labels)


# wrong formula: LS701 LS208
def mixup_loss(pred, y_a, y_b, lam=0.3):
    return lam * F.cross_entropy(pred, y_a) - (1 - lam) * F.cross_entropy(pred, y_b)  # mend: return lam * F.cross_entropy(pred, y_a) + (1 - lam) * F.cross_entropy(pred, y_b)


# dead hyper-parameter: LS805
class LabelSmoothing(nn.Module):
    def __init__(self, classes=5, smoothing=0.1):
        super().__init__()
        self.confidence = 1.0 - smoothing
        self.smoothing = smoothing
        self.cls = classes

    def forward(self, pred, target):
        pred = pred.log_softmax(dim=-1)
        true_dist = torch.zeros_like(pred)
        true_dist.fill_(self.smoothing / (self.cls - 1))
        true_dist.scatter_(1, target.unsqueeze(1), self.confidence)
        return torch.mean(torch.sum(-F.one_hot(target, self.cls) * pred, dim=-1))  # mend: return torch.mean(torch.sum(-true_dist * pred, dim=-1))


# wrong reduction: LS503 LS505
def kl_over_classes(logits, target_probs):
    return F.kl_div(logits.log_softmax(1), target_probs)  # mend: return F.kl_div(logits.log_softmax(1), target_probs, reduction="batchmean")


# argument order: LS802 LS803 LS201 LS202 LS701 LS208
def kl_exchanged(log_pred, target):
    return F.kl_div(target, log_pred, reduction="batchmean")  # mend: return F.kl_div(log_pred, target, reduction="batchmean")


# argument order: LS802 LS803 LS701 LS208 LS105
def soft_cross_entropy(logits, soft_labels):
    return F.cross_entropy(soft_labels, logits)  # mend: return F.cross_entropy(logits, soft_labels)


# missing gradient: LS105 LS804 LS106
def wrapped_again(output, target):
    loss = F.cross_entropy(output, target)
    return torch.tensor(loss.item(), requires_grad=True)  # mend: return loss


# missing gradient: LS105 LS106 LS101
def accuracy_loss(output, target):
    pred = output.argmax(dim=1)
    return F.l1_loss(pred.float(), target.float()) + 0 * output.sum()  # mend: return F.cross_entropy(output, target)


# batch entries ignored: LS106 LS506 LS105 LS402 LS207 LS502
def looped_loss(logits, labels):
    for i in range(len(labels)):
        loss = F.cross_entropy(logits[i : i + 1], labels[i : i + 1])
    return loss  # mend: return F.cross_entropy(logits, labels)


# wrong formula: LS701 LS208
def multilabel_margin(logits, target):
    positive = (1 - target) * F.relu(1 - logits)  # mend: positive = target * F.relu(1 - logits)
    negative = target * F.relu(1 + logits)  # mend: negative = (1 - target) * F.relu(1 + logits)
    return (positive + negative).mean()


# low precision: LS202 LS104 LS103 LS209 LS201
class GammaFocal(nn.Module):
    def __init__(self, gamma=0.5):
        super().__init__()
        self.gamma = gamma

    def forward(self, logits, target):
        log_p = logits.log_softmax(1).gather(1, target[:, None])
        return -((1 - log_p.exp()) ** self.gamma * log_p).mean()  # mend: return -((1 - log_p.exp()).clamp(min=1e-6) ** self.gamma * log_p).mean()
