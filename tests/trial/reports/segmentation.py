# ruff: noqa
# fmt: off
# Losses of masks, boxes and images, restated from memory of public reports. Above each stand the class of its defect
# and the codes that name it rightly; `mend:` is what the line says once it is repaired.

# dead gradient: LS105 LS106
class HardDiceLoss(nn.Module):
    def forward(self, logits, target):
        p = (torch.sigmoid(logits) > 0.5).float()  # mend: p = torch.sigmoid(logits)
        return 1 - (2 * (p * target).sum() + 1) / (p.sum() + target.sum() + 1)


# wrong formula: LS701 LS208
class IoULossMasks(nn.Module):
    def forward(self, logits, target):
        p = torch.sigmoid(logits)
        inter = (p * target).sum()
        union = p.sum() + target.sum()  # mend: union = p.sum() + target.sum() - inter
        return 1 - (inter + 1) / (union + 1)


# empty batch: LS204 LS701 LS207 LS105
def dice_loss_unsmoothed(logits, target, eps=1e-6):
    p = torch.sigmoid(logits).flatten(1)
    t = target.flatten(1)
    score = 2 * (p * t).sum(1) / (p.sum(1) + t.sum(1)).clamp(min=eps)  # mend: score = (2 * (p * t).sum(1) + 1) / (p.sum(1) + t.sum(1) + 1)
    return (1 - score).mean()


# empty batch: LS204 LS201
def dice_without_smooth(prob, target):
    inter = (prob * target).sum(dim=(1, 2, 3))
    return (1 - 2 * inter / (prob.sum(dim=(1, 2, 3)) + target.sum(dim=(1, 2, 3)))).mean()  # mend: return (1 - (2 * inter + 1) / (prob.sum(dim=(1, 2, 3)) + target.sum(dim=(1, 2, 3)) + 1)).mean()


# logits and probabilities: LS208 LS803 LS701
def dice_on_logits(logits, target, smooth=1.0):
    inter = (logits * target).sum()  # mend: inter = (logits.sigmoid() * target).sum()
    return 1 - (2 * inter + smooth) / (logits.sum() + target.sum() + smooth)  # mend: return 1 - (2 * inter + smooth) / (logits.sigmoid().sum() + target.sum() + smooth)


# wrong axis: LS701 LS403 LS502 LS506
class MultiClassDice(nn.Module):
    def forward(self, logits, target):
        p = logits.softmax(1)
        hot = F.one_hot(target, logits.shape[1]).reshape(p.shape).float()  # mend: hot = F.one_hot(target, logits.shape[1]).permute(0, 3, 1, 2).float()
        inter = (p * hot).sum((2, 3))
        return (1 - (2 * inter + 1) / (p.sum((2, 3)) + hot.sum((2, 3)) + 1)).mean()


# wrong formula: LS701
def lovasz_hinge(logits, labels):
    logits, labels = logits.reshape(-1), labels.reshape(-1)
    errors = 1 - logits * (2 * labels - 1)
    errors, order = torch.sort(errors, descending=True)
    truth = labels[order]
    positives = truth.sum()
    inter = positives - truth.cumsum(0)
    union = positives + (1 - truth).cumsum(0)
    jaccard = 1 - inter / union
    grad = torch.cat([jaccard[:1], jaccard[1:] - jaccard[:-1]])
    return torch.dot(F.relu(-errors), grad)  # mend: return torch.dot(F.relu(errors), grad)


# non-finite gradient: LS104 LS202 LS103
def focal_tversky(logits, target, alpha=0.7, gamma=0.75):
    p = torch.sigmoid(logits)
    tp = (p * target).sum()
    fn = ((1 - p) * target).sum()
    fp = (p * (1 - target)).sum()
    tversky = tp / (tp + alpha * fn + (1 - alpha) * fp).clamp(min=1e-6)  # mend: tversky = (tp + 1e-3) / (tp + alpha * fn + (1 - alpha) * fp + 2e-3)
    return (1 - tversky) ** gamma


# wrong formula: LS701 LS207 LS208
def box_giou_loss(pred_boxes, target_boxes):
    left = torch.max(pred_boxes[:, :2], target_boxes[:, :2])
    right = torch.min(pred_boxes[:, 2:], target_boxes[:, 2:])
    inter = (right - left).clamp(min=0).prod(1)
    area = (pred_boxes[:, 2:] - pred_boxes[:, :2]).prod(1) + (target_boxes[:, 2:] - target_boxes[:, :2]).prod(1)
    union = area - inter
    low = torch.max(pred_boxes[:, :2], target_boxes[:, :2])  # mend: low = torch.min(pred_boxes[:, :2], target_boxes[:, :2])
    high = torch.min(pred_boxes[:, 2:], target_boxes[:, 2:])  # mend: high = torch.max(pred_boxes[:, 2:], target_boxes[:, 2:])
    hull = (high - low).prod(1)
    return (1 - inter / (union + 1e-7) + (hull - union) / (hull + 1e-7)).mean()


# wrong formula: LS701 LS208
def iou_loss_disjoint(boxes, target):
    left, right = torch.max(boxes[:, :2], target[:, :2]), torch.min(boxes[:, 2:], target[:, 2:])
    size = right - left  # mend: size = (right - left).clamp(min=0)
    inter = size[:, 0] * size[:, 1]
    area = (boxes[:, 2:] - boxes[:, :2]).prod(1) + (target[:, 2:] - target[:, :2]).prod(1)
    return (1 - inter / (area - inter + 1e-6)).mean()  # mend: return (1 - inter / (area - inter + 1e-6) + 0.1 * (boxes - target).abs().sum(1)).mean()


# empty batch: LS204 LS201 LS104 LS202
def giou_of_empty_boxes(pred, gt_boxes):
    left, right = torch.max(pred[:, :2], gt_boxes[:, :2]), torch.min(pred[:, 2:], gt_boxes[:, 2:])
    inter = (right - left).clamp(min=0).prod(1)
    union = (pred[:, 2:] - pred[:, :2]).prod(1) + (gt_boxes[:, 2:] - gt_boxes[:, :2]).prod(1) - inter
    low, high = torch.min(pred[:, :2], gt_boxes[:, :2]), torch.max(pred[:, 2:], gt_boxes[:, 2:])
    hull = (high - low).prod(1)
    return (1 - inter / union + (hull - union) / hull).mean()  # mend: return (1 - inter / (union + 1e-7) + (hull - union) / (hull + 1e-7)).mean()


# wrong formula: LS701 LS705 LS704
def diou_loss(pred_boxes, target_boxes):
    left, right = torch.max(pred_boxes[:, :2], target_boxes[:, :2]), torch.min(pred_boxes[:, 2:], target_boxes[:, 2:])
    inter = (right - left).clamp(min=0).prod(1)
    area = (pred_boxes[:, 2:] - pred_boxes[:, :2]).prod(1) + (target_boxes[:, 2:] - target_boxes[:, :2]).prod(1)
    low, high = torch.min(pred_boxes[:, :2], target_boxes[:, :2]), torch.max(pred_boxes[:, 2:], target_boxes[:, 2:])
    diagonal = ((high - low) ** 2).sum(1) + 1e-7
    centre = ((pred_boxes[:, :2] + pred_boxes[:, 2:] - target_boxes[:, :2] - target_boxes[:, 2:]) ** 2).sum(1) / 4
    return (1 - inter / (area - inter + 1e-7) - centre / diagonal).mean()  # mend: return (1 - inter / (area - inter + 1e-7) + centre / diagonal).mean()


# device hard-coded: LS603 LS604 LS617
class SSIMLoss(nn.Module):
    def __init__(self, size=3, channels=3):
        super().__init__()
        window = torch.ones(channels, 1, size, size) / size**2
        self.window = window  # mend: self.register_buffer("window", window)
        self.channels = channels

    def forward(self, x, y):
        def blur(z):
            return F.conv2d(z, self.window, groups=self.channels)

        mx, my = blur(x), blur(y)
        vx, vy, cov = blur(x * x) - mx**2, blur(y * y) - my**2, blur(x * y) - mx * my
        ssim = (2 * mx * my + 1e-4) * (2 * cov + 9e-4) / ((mx**2 + my**2 + 1e-4) * (vx + vy + 9e-4))
        return 1 - ssim.mean()


# wrong direction: LS701
class StructuralLoss(nn.Module):
    def forward(self, image, target):
        mx, my = F.avg_pool2d(image, 3, 1), F.avg_pool2d(target, 3, 1)
        vx, vy = F.avg_pool2d(image**2, 3, 1) - mx**2, F.avg_pool2d(target**2, 3, 1) - my**2
        cov = F.avg_pool2d(image * target, 3, 1) - mx * my
        ssim = (2 * mx * my + 1e-4) * (2 * cov + 9e-4) / ((mx**2 + my**2 + 1e-4) * (vx + vy + 9e-4))
        return ssim.mean()  # mend: return 1 - ssim.mean()


# stateful: LS607 LS502
class FeatureLoss(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))  # mend: self.net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).eval()
        for parameter in self.net.parameters():
            parameter.requires_grad_(False)

    def train(self, mode=True):
        return super().train(mode)  # mend: return super().train(False)

    def forward(self, image, target):
        return F.l1_loss(self.net(image), self.net(target))


# missing gradient: LS105 LS106
class NoGradFeatureLoss(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Conv2d(3, 4, 3).requires_grad_(False)

    def forward(self, image, target):
        with torch.no_grad():  # mend: if True:
            a, b = self.net(image), self.net(target)
        return F.mse_loss(a, b)


# size dependent: LS503 LS505
def sobel_edge_loss(pred, target):
    assert pred.shape == target.shape
    kernel = pred.new_tensor([[1.0, 0, -1], [2, 0, -2], [1, 0, -1]])[None, None]
    a = F.conv2d(pred.flatten(0, 1).unsqueeze(1), kernel)
    b = F.conv2d(target.flatten(0, 1).unsqueeze(1), kernel)
    return (a - b).abs().sum() / len(pred)  # mend: return (a - b).abs().mean()


# wrong gradient: LS102 LS101
class DiceFunction(torch.autograd.Function):
    @staticmethod
    def forward(ctx, prob, target):
        ctx.save_for_backward(prob, target)
        return 1 - (2 * (prob * target).sum() + 1) / (prob.sum() + target.sum() + 1)

    @staticmethod
    def backward(ctx, grad_output):
        prob, target = ctx.saved_tensors
        top, bottom = 2 * (prob * target).sum() + 1, prob.sum() + target.sum() + 1
        grad = -(2 * target * bottom - top) / bottom**2
        return grad, None  # mend: return grad_output * grad, None
