# ruff: noqa
# fmt: off
# Losses of numbers, restated from memory of public reports. Above each stand the class of its defect and the codes
# that name it rightly; `mend:` is what the line says once it is repaired.

# wrong formula: LS701 LS208
def bias_loss(y_pred, y_true):
    return torch.mean(y_true - y_pred)  # mend: return torch.mean((y_true - y_pred) ** 2)


# wrong formula: LS701 LS208
def log_ratio_loss(pred, target):
    assert pred.shape == target.shape
    difference = pred - target
    return difference.mean() ** 2  # mend: return (difference**2).mean()


# wrong formula: LS704 LS705
def huber(pred, target, delta=2.0):
    assert pred.shape == target.shape
    e = torch.abs(pred - target)
    return torch.where(e <= delta, 0.5 * e**2, delta * e - 0.5).mean()  # mend: return torch.where(e <= delta, 0.5 * e**2, delta * e - 0.5 * delta**2).mean()


# wrong formula: LS704 LS705
def smooth_l1(pred, target, beta=0.5):
    assert pred.shape == target.shape
    e = torch.abs(pred - target)
    return torch.where(e < beta, 0.5 * e**2, e - 0.5 * beta).mean()  # mend: return torch.where(e < beta, 0.5 * e**2 / beta, e - 0.5 * beta).mean()


# wrong formula: LS704 LS705 LS701
def huber_inside_out(prediction, target, delta=1.0):
    assert prediction.shape == target.shape
    e = (prediction - target).abs()
    return torch.where(e > delta, 0.5 * e**2, delta * (e - 0.5 * delta)).mean()  # mend: return torch.where(e <= delta, 0.5 * e**2, delta * (e - 0.5 * delta)).mean()


# argument order: LS802
class QuantileLoss(nn.Module):
    def __init__(self, quantiles=(0.1, 0.5, 0.9)):
        super().__init__()
        self.quantiles = quantiles

    def forward(self, preds, target):
        losses = []
        for i, q in enumerate(self.quantiles):
            errors = preds[:, i] - target  # mend: errors = target - preds[:, i]
            losses.append(torch.max((q - 1) * errors, q * errors))
        return torch.stack(losses).sum(0).mean()


# non-finite gradient: LS104 LS103 LS202
class RMSELoss(nn.Module):
    def forward(self, yhat, y):
        return torch.sqrt(F.mse_loss(yhat, y))  # mend: return torch.sqrt(F.mse_loss(yhat, y) + 1e-8)


# non-finite value: LS201 LS302 LS307 LS202 LS303
def log_cosh_loss(pred, target):
    assert pred.shape == target.shape
    e = pred - target
    return torch.log(torch.cosh(e)).mean()  # mend: return (e + F.softplus(-2 * e) - 0.6931471805599453).mean()


# non-finite value: LS201 LS204 LS103 LS104
def relative_error_loss(output, target):
    assert output.shape == target.shape
    return ((output - target).abs() / target.abs()).mean()  # mend: return ((output - target).abs() / target.abs().clamp(min=1e-3)).mean()


# wrong formula: LS208 LS701
def heteroscedastic_loss(mean, log_var, target):
    return (0.5 * torch.exp(log_var) * (mean - target) ** 2 + 0.5 * log_var).mean()  # mend: return (0.5 * torch.exp(-log_var) * (mean - target) ** 2 + 0.5 * log_var).mean()


# wrong direction: LS208 LS701
def vae_kl_loss(mu, logvar):
    return 0.5 * torch.mean(torch.sum(1 + logvar - mu.pow(2) - logvar.exp(), dim=1))  # mend: return -0.5 * torch.mean(torch.sum(1 + logvar - mu.pow(2) - logvar.exp(), dim=1))


# mask not removed: LS504 LS205 LS507 LS501 LS503 LS505 LS106
def masked_mse(pred, target, mask):
    assert pred.shape == target.shape == mask.shape
    return (((pred - target) ** 2) * mask).mean()  # mend: return (((pred - target) ** 2) * mask).sum() / mask.sum().clamp(min=1)


# empty batch: LS204
def masked_depth_loss(pred, target, mask):
    assert pred.shape == target.shape
    mask = mask.bool()
    return (pred[mask] - target[mask]).abs().mean()  # mend: return (pred[mask] - target[mask]).abs().sum() / mask.sum().clamp(min=1)


# weights ignored: LS404 LS106 LS504
def importance_weighted_loss(pred, target, weight):
    assert pred.shape == target.shape == weight.shape
    return torch.mean((pred - target) ** 2) * torch.mean(weight)  # mend: return torch.mean((pred - target) ** 2 * weight)


# silent broadcast: LS401
def value_loss(values, returns):
    values = values.view(-1, 1)  # mend: values, returns = values.view(-1, 1), returns.view(-1, 1)
    return ((values - returns) ** 2).mean()


# non-finite value: LS201 LS103 LS202 LS104
def js_divergence(p, q):
    m = 0.5 * (p + q)
    return 0.5 * ((p * (p / m).log()).sum(-1) + (q * (q / m).log()).sum(-1)).mean()  # mend: return 0.5 * (((p + 1e-7) * ((p + 1e-7) / (m + 1e-7)).log()).sum(-1) + ((q + 1e-7) * ((q + 1e-7) / (m + 1e-7)).log()).sum(-1)).mean()


# wrong direction: LS701 LS208
def correlation_loss(pred, target):
    x, y = pred - pred.mean(), target - target.mean()
    return (x * y).sum() / (x.norm() * y.norm() + 1e-8)  # mend: return 1 - (x * y).sum() / (x.norm() * y.norm() + 1e-8)


# input mutated: LS605
def normalised_mse(pred, target):
    assert pred.shape == target.shape
    target.sub_(target.mean()).div_(target.std() + 1e-6)  # mend: target = (target - target.mean()) / (target.std() + 1e-6)
    return ((pred - target) ** 2).mean()


# wrong gradient: LS101
class SquareFunction(torch.autograd.Function):
    @staticmethod
    def forward(ctx, pred, target):
        ctx.save_for_backward(pred, target)
        return ((pred - target) ** 2).sum()

    @staticmethod
    def backward(ctx, grad):
        pred, target = ctx.saved_tensors
        return grad * 2 * (target - pred), None  # mend: return grad * 2 * (pred - target), None


# wrong gradient: LS101 LS105 LS106
def huber_weighted(pred, target):
    assert pred.shape == target.shape
    error = (pred - target).abs()
    with torch.no_grad():  # mend: if True:
        scale = 1 / (1 + error)
    return (scale * error**2).mean()


# stateful: LS607 LS606
class ScaledMSE(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = None

    def forward(self, pred, target):
        assert pred.shape == target.shape
        loss = ((pred - target) ** 2).mean()
        if self.scale is None:  # mend: if False:
            self.scale = loss.detach()
        return loss / self.scale  # mend: return loss


# memory blow-up: LS606 LS607
class TotalMSE(nn.Module):
    def __init__(self):
        super().__init__()
        self.total = 0.0

    def forward(self, pred, target):
        assert pred.shape == target.shape
        loss = ((pred - target) ** 2).mean()
        self.total = self.total + loss  # mend: self.total = self.total + float(loss.detach())
        return loss


# size dependent: LS503 LS505
def total_variation_loss(image):
    dx = (image[:, :, :, 1:] - image[:, :, :, :-1]).pow(2).sum()  # mend: dx = (image[:, :, :, 1:] - image[:, :, :, :-1]).pow(2).mean()
    dy = (image[:, :, 1:] - image[:, :, :-1]).pow(2).mean()
    return dx + dy


# non-finite value: LS104 LS201 LS208 LS202 LS103
def psnr_loss(sr, hr):
    return 10 * torch.log10(((sr - hr) ** 2).mean())  # mend: return 10 * torch.log10(((sr - hr) ** 2).mean() + 1e-8)
