# ruff: noqa
# fmt: off
# Losses of classes, restated after reading public reports and before reading the rules: the second round. Above each
# stand the class of its defect and the codes that name it rightly; `mend:` is what the line says once it is repaired.

# wrong direction: LS701 LS208
def sigmoid_focal_loss(inputs, targets, alpha=0.25, gamma=2):
    p = torch.sigmoid(inputs)
    ce_loss = F.binary_cross_entropy_with_logits(inputs, targets, reduction="none")
    p_t = p * targets + (1 - p) * (1 - targets)
    loss = -ce_loss * ((1 - p_t) ** gamma)  # mend: loss = ce_loss * ((1 - p_t) ** gamma)
    alpha_t = alpha * targets + (1 - alpha) * (1 - targets)
    return (alpha_t * loss).mean()


# weights applied twice: LS404
def weighted_bce(pred, label, weight):
    loss = F.binary_cross_entropy_with_logits(pred, label.float(), weight=weight, reduction="none")
    return (loss * weight).mean()  # mend: return loss.mean()


# weights ignored: LS106 LS404 LS504
class WeightedFocalLoss(nn.Module):
    def __init__(self, gamma=2.0):
        super().__init__()
        self.gamma = gamma

    def forward(self, logits, targets, sample_weight=None):
        if sample_weight is not None:  # mend: if sample_weight is None:
            sample_weight = torch.ones(len(targets), device=logits.device)
        logp = F.log_softmax(logits, dim=1)
        logp = logp.gather(1, targets.unsqueeze(1)).squeeze(1)
        loss = -((1 - logp.exp()) ** self.gamma) * logp
        return (loss * sample_weight).mean()


# ignored labels: LS205
class LabelSmoothingKL(nn.Module):
    def __init__(self, vocab_size=7, smoothing=0.1, ignore_index=-100):
        super().__init__()
        self.smoothing = smoothing
        self.vocab_size = vocab_size
        self.ignore_index = ignore_index

    def forward(self, output, target):
        lprobs = F.log_softmax(output, dim=-1)
        pad = target.eq(self.ignore_index)
        nll = -lprobs.gather(1, target.masked_fill(pad, 0).unsqueeze(1)).squeeze(1)
        smooth = -lprobs.mean(dim=1)
        nll = nll.masked_fill(pad, 0.0)
        smooth = smooth  # mend: smooth = smooth.masked_fill(pad, 0.0)
        loss = (1 - self.smoothing) * nll + self.smoothing * smooth
        return loss.sum() / (~pad).sum().clamp(min=1)


# index semantics: LS205
def masked_nll(logits, labels, ignore_index=-1):
    logp = logits.log_softmax(1)
    rows = torch.arange(labels.shape[0], device=labels.device)
    nll = -logp[rows, labels]
    keep = (labels != -100).float()  # mend: keep = (labels != ignore_index).float()
    return (nll * keep).sum() / keep.sum().clamp(min=1)


# logits and probabilities: LS803 LS701 LS208
def kd_loss(student_out, teacher_out):
    student = F.softmax(student_out, dim=1)  # mend: student = F.log_softmax(student_out, dim=1)
    teacher = F.softmax(teacher_out.detach(), dim=1)
    return F.kl_div(student, teacher, reduction="batchmean")


# logits and probabilities: LS801
class SegLoss(nn.Module):
    def __init__(self):
        super().__init__()
        self.ce = nn.CrossEntropyLoss()

    def forward(self, outputs, masks):
        outputs = torch.softmax(outputs, dim=1)  # mend: outputs = outputs * 1.0
        return self.ce(outputs, masks.long())


# wrong formula: LS701 LS208
def coral_loss(logits, levels):
    val = -torch.sum(F.logsigmoid(logits) * levels + (F.logsigmoid(logits) + logits) * (1 - levels), dim=1)  # mend: val = -torch.sum(F.logsigmoid(logits) * levels + (F.logsigmoid(logits) - logits) * (1 - levels), dim=1)
    return torch.mean(val)


# wrong axis: LS701 LS502 LS506 LS402
def listnet_loss(y_pred, y_true):
    preds_smax = F.log_softmax(y_pred, dim=0)  # mend: preds_smax = F.log_softmax(y_pred, dim=1)
    true_smax = F.softmax(y_true, dim=1)
    return torch.mean(-torch.sum(true_smax * preds_smax, dim=1))


# non-finite value: LS201 LS202
class SCELoss(nn.Module):
    def __init__(self, alpha=0.1, beta=1.0, num_classes=10):
        super().__init__()
        self.alpha = alpha
        self.beta = beta
        self.num_classes = num_classes

    def forward(self, pred, labels):
        ce = F.cross_entropy(pred, labels)
        pred = F.softmax(pred, dim=1).clamp(min=1e-7, max=1.0)
        one_hot = F.one_hot(labels, self.num_classes).float()
        rce = -(pred * torch.log(one_hot)).sum(dim=1)  # mend: rce = -(pred * torch.log(one_hot.clamp(min=1e-4, max=1.0))).sum(dim=1)
        return self.alpha * ce + self.beta * rce.mean()


# state not registered: LS604 LS617
class LDAMLoss(nn.Module):
    def __init__(self, cls_num_list=(100, 50, 20, 10, 5), max_m=0.5, s=30):
        super().__init__()
        m_list = 1.0 / torch.tensor(cls_num_list, dtype=torch.float32).sqrt().sqrt()
        m_list = m_list * (max_m / m_list.max())
        self.m_list = m_list  # mend: self.register_buffer("m_list", m_list)
        self.s = s

    def forward(self, x, target):
        index = F.one_hot(target, x.shape[1]).to(x.dtype)
        batch_m = (self.m_list[None, :] * index).sum(1, keepdim=True)
        x_m = x - batch_m * index
        return F.cross_entropy(self.s * x_m, target)


# dead hyper-parameter: LS505 LS805
class CrossEntropyWithReduction(nn.Module):
    def __init__(self, reduction="mean", loss_weight=1.0):
        super().__init__()
        self.reduction = reduction
        self.loss_weight = loss_weight

    def forward(self, cls_score, label):
        loss = F.cross_entropy(cls_score, label, reduction="none")
        if self.reduction == "sum":
            return self.loss_weight * loss.sum()
        if self.reduction == "mean":
            return self.loss_weight * loss.mean()
        return self.loss_weight * loss.mean()  # mend: return self.loss_weight * loss


# dtype promotion: LS306
class BalancedCE(nn.Module):
    def __init__(self, counts=(10, 20, 30, 40, 50)):
        super().__init__()
        w = numpy.array(counts, dtype="float64").sum() / (len(counts) * numpy.array(counts))
        self.register_buffer("w", torch.from_numpy(w))  # mend: self.register_buffer("w", torch.from_numpy(w).float())

    def forward(self, logits, target):
        loss = F.cross_entropy(logits, target, reduction="none")
        return (loss * self.w[target]).mean()


# batch of one: LS402
class BinaryHead(nn.Module):
    def forward(self, output, labels):
        output = output.squeeze()  # mend: output = output.squeeze(1)
        return F.binary_cross_entropy_with_logits(output, labels)


# input mutated: LS605
def void_cross_entropy(predictions, labels, void=255):
    mask = labels == void
    labels[mask] = 0  # mend: labels = labels.masked_fill(mask, 0)
    loss = F.cross_entropy(predictions, labels, reduction="none")
    return (loss * ~mask).sum() / (~mask).sum().clamp(min=1)


# wrong reduction: LS501
def causal_lm_loss(logits, labels):
    logits = logits.reshape(-1, logits.shape[-1])
    labels = labels.reshape(-1)
    loss = F.cross_entropy(logits, labels, ignore_index=-100, reduction="sum")
    return loss / (labels != -100).sum().clamp(min=1)  # mend: return loss


# value and gradient disagree: LS101 LS105 LS106
def ce_dice_combo(logits, target):
    ce = F.binary_cross_entropy_with_logits(logits, target)
    p = torch.sigmoid(logits)
    dice = 1 - (2 * (p * target).sum() + 1) / (p.sum() + target.sum() + 1)
    return ce + dice.item()  # mend: return ce + dice


# input without effect: LS106 LS105
def deep_supervision_loss(main_out, aux_out, target):
    loss = 0
    for out in (aux_out, main_out):
        loss = F.cross_entropy(out, target)  # mend: loss = loss + F.cross_entropy(out, target)
    return loss / 2
