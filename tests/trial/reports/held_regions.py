# ruff: noqa
# fmt: off
# Losses of masks, boxes and images, restated after reading public reports and before reading the rules: the second
# round. Above each stand the class of its defect and the codes that name it rightly; `mend:` is what the line says once
# it is repaired.

# wrong reduction: LS501 LS502 LS503 LS505
def dice_of_volumes(input, target):
    n = input.size(0)
    p = torch.sigmoid(input).view(n, -1)
    t = target.view(n, -1)
    dice = (2 * (p * t).sum(1) + 1) / (p.sum(1) + t.sum(1) + 1)
    return 1 - dice.sum()  # mend: return 1 - dice.mean()


# empty batch: LS204 LS105 LS207
class TextDiceLoss(nn.Module):
    def __init__(self, eps=1e-3):
        super().__init__()
        self.eps = eps

    def forward(self, pred, target):
        pred = torch.sigmoid(pred).contiguous().view(pred.size(0), -1)
        target = target.contiguous().view(target.size(0), -1)
        a = torch.sum(pred * target, 1)  # mend: a = torch.sum(pred * target, 1) + self.eps / 2
        b = torch.sum(pred * pred, 1) + self.eps
        c = torch.sum(target * target, 1)
        return (1 - 2 * a / (b + c)).mean()


# non-finite value: LS201 LS202
def fcos_iou_loss(pred, target):
    pl, pt, pr, pb = pred.exp().unbind(-1)
    tl, tt, tr, tb = target.unbind(-1)
    target_area = (tl + tr) * (tt + tb)
    pred_area = (pl + pr) * (pt + pb)
    w = torch.min(pl, tl) + torch.min(pr, tr)
    h = torch.min(pb, tb) + torch.min(pt, tt)
    inter = w * h
    union = target_area + pred_area - inter
    return -torch.log(inter / union).mean()  # mend: return -torch.log((inter + 1.0) / (union + 1.0)).mean()


# empty batch: LS204 LS201
def center_focal(pred, gt):
    pos = gt.eq(1).float()
    neg = gt.lt(1).float()
    pred = torch.clamp(torch.sigmoid(pred), 1e-4, 1 - 1e-4)
    pos_loss = (torch.log(pred) * (1 - pred) ** 2 * pos).sum()
    neg_loss = (torch.log(1 - pred) * pred**2 * (1 - gt) ** 4 * neg).sum()
    num_pos = pos.sum()  # mend: num_pos = pos.sum().clamp(min=1)
    return -(pos_loss + neg_loss) / num_pos


# mask not removed: LS205 LS503 LS504 LS505 LS507 LS501
def reg_l1_loss(output, target, mask):
    mask = mask.unsqueeze(-1).expand_as(output).float()
    return F.l1_loss(output * mask, target * mask)  # mend: return F.l1_loss(output * mask, target * mask, reduction="sum") / (mask.sum() + 1e-4)


# dead gradient: LS207
class DSSIM(nn.Module):
    def __init__(self, window=3):
        super().__init__()
        self.pool = nn.AvgPool2d(window, 1)

    def forward(self, x, y):
        mu_x, mu_y = self.pool(x), self.pool(y)
        sx = self.pool(x**2) - mu_x**2
        sy = self.pool(y**2) - mu_y**2
        sxy = self.pool(x * y) - mu_x * mu_y
        c1, c2 = 0.01**2, 0.03**2
        ssim = (2 * mu_x * mu_y + c1) * (2 * sxy + c2) / ((mu_x**2 + mu_y**2 + c1) * (sx + sy + c2))
        return torch.clamp(1 - ssim, 0, 1).mean() / 2  # mend: return ((1 - ssim) / 2).mean()


# non-finite gradient: LS201 LS202 LS103
def ms_ssim_loss(img1, img2):
    vals = []
    for _ in range(2):
        mu1, mu2 = F.avg_pool2d(img1, 3, 1), F.avg_pool2d(img2, 3, 1)
        s1 = F.avg_pool2d(img1 * img1, 3, 1) - mu1**2
        s2 = F.avg_pool2d(img2 * img2, 3, 1) - mu2**2
        s12 = F.avg_pool2d(img1 * img2, 3, 1) - mu1 * mu2
        vals.append(((2 * s12 + 9e-4) / (s1 + s2 + 9e-4)).mean())
        img1, img2 = F.avg_pool2d(img1, 2), F.avg_pool2d(img2, 2)
    cs = torch.stack(vals)  # mend: cs = (torch.stack(vals) + 1) / 2
    w = torch.tensor([0.4, 0.6], device=cs.device)
    return 1 - torch.prod(cs**w)  # mend: return 1 - torch.prod((cs + 1e-6) ** w)


# non-finite gradient: LS103 LS104 LS202
def isotropic_tv(x):
    dx = x[:, :, :-1, 1:] - x[:, :, :-1, :-1]
    dy = x[:, :, 1:, :-1] - x[:, :, :-1, :-1]
    return torch.sqrt(dx**2 + dy**2).mean()  # mend: return torch.sqrt(dx**2 + dy**2 + 1e-6).mean()


# non-finite gradient: LS103 LS104 LS202
class CharbonnierLoss(nn.Module):
    def __init__(self, eps=1e-3):
        super().__init__()
        self.eps = eps

    def forward(self, x, y):
        diff = x - y
        loss = torch.mean(torch.sqrt(diff * diff) + self.eps)  # mend: loss = torch.mean(torch.sqrt(diff * diff + self.eps * self.eps))
        return loss


# device hard-coded: LS603 LS604 LS617
class EdgeLoss(nn.Module):
    def __init__(self):
        super().__init__()
        k = torch.tensor([[0.05, 0.25, 0.4, 0.25, 0.05]])
        kernel = torch.matmul(k.t(), k).unsqueeze(0).unsqueeze(0)
        self.kernel = kernel  # mend: self.register_buffer("kernel", kernel)
        if torch.cuda.is_available():  # mend: if False:
            self.kernel = self.kernel.cuda()

    def blur(self, img):
        c = img.shape[1]
        return F.conv2d(F.pad(img, (2, 2, 2, 2), mode="replicate"), self.kernel.repeat(c, 1, 1, 1), groups=c)

    def forward(self, x, y):
        lx, ly = x - self.blur(x), y - self.blur(y)
        return torch.mean(torch.sqrt((lx - ly) ** 2 + 1e-6))


# wrong formula: LS701 LS208
def lovasz_softmax(logits, labels):
    probas = F.softmax(logits, dim=1)
    losses = []
    for c in range(probas.size(1)):
        fg = (labels == c).float().view(-1)
        errors = fg - probas[:, c].reshape(-1)  # mend: errors = (fg - probas[:, c].reshape(-1)).abs()
        errors, perm = torch.sort(errors, 0, descending=True)
        fg = fg[perm]
        gts = fg.sum()
        jaccard = 1 - (gts - fg.cumsum(0)) / (gts + (1 - fg).cumsum(0))
        jaccard = torch.cat([jaccard[:1], jaccard[1:] - jaccard[:-1]])
        losses.append(torch.dot(errors, jaccard))
    return torch.stack(losses).mean()


# batch size hard-coded: LS616 LS402
class SoftIoU(nn.Module):
    def __init__(self, batch_size=4):
        super().__init__()
        self.batch_size = batch_size

    def forward(self, logits, target):
        pred = torch.sigmoid(logits).view(self.batch_size, -1)  # mend: pred = torch.sigmoid(logits).flatten(1)
        target = target.view(self.batch_size, -1)  # mend: target = target.flatten(1)
        inter = (pred * target).sum(1)
        union = (pred + target - pred * target).sum(1)
        return (1 - (inter + 1) / (union + 1)).mean()


# host sync: LS601
def balanced_bce(logits, target):
    num_pos = target.sum().item()  # mend: num_pos = target.sum()
    num_neg = target.numel() - num_pos
    weight = torch.where(target > 0.5, num_neg / target.numel(), num_pos / target.numel())
    return F.binary_cross_entropy_with_logits(logits, target, weight=weight)


# missing gradient: LS204 LS105 LS804
def box_reg_loss(pred_deltas, target_deltas, labels):
    pos = labels > 0
    if pos.sum() == 0:  # mend: if False:
        return torch.tensor(0.0)
    diff = F.smooth_l1_loss(pred_deltas[pos], target_deltas[pos], reduction="sum")
    return diff / pos.sum()  # mend: return diff / pos.sum().clamp(min=1)


# in-place autograd: LS105 LS101 LS605
def soft_dice_masked(logits, target, valid):
    prob = torch.sigmoid(logits)
    prob.mul_(valid)  # mend: prob = prob * valid
    inter = (prob * target * valid).sum()
    return 1 - (2 * inter + 1) / (prob.sum() + (target * valid).sum() + 1)


# wrong axis: LS506 LS402 LS502
def temporal_smooth_loss(joints):
    vel = joints[1:] - joints[:-1]  # mend: vel = joints[:, 1:] - joints[:, :-1]
    return (vel**2).mean()


# silent broadcast: LS401
def depth_l1(pred, gt):
    pred = pred.squeeze(1)  # mend: pred, gt = pred.squeeze(1), gt.squeeze(1)
    return torch.abs(pred - gt).mean()
