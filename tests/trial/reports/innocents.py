# ruff: noqa
# fmt: off
# Unusual losses that are meant so: nothing may be said of them that is more than information, but that a shape which
# does not belong there is accepted (LS401).


def straight_through_loss(pred, target):
    """Binarised on purpose, with the gradient of the identity."""
    assert pred.shape == target.shape
    hard = (pred > 0).float()
    return ((pred + (hard - pred).detach() - target) ** 2).mean()


def one_sided_hinge(scores, y):
    assert scores.shape == y.shape
    return F.relu(1 - y * scores).mean()


def winner_takes_all(preds, target):
    """Many guesses, of which the best one learns."""
    return ((preds - target[:, None]) ** 2).min(dim=1).values.mean()


def wasserstein_critic_loss(real_scores, fake_scores):
    return fake_scores.mean() - real_scores.mean()


def generator_loss(fake_logits):
    return F.binary_cross_entropy_with_logits(fake_logits, torch.ones_like(fake_logits))


def gradient_reversal_loss(domain_logits, domain_labels):
    """Adversarial: the domain is to be confused."""
    return -F.cross_entropy(domain_logits, domain_labels)


def entropy_minimisation_loss(logits):
    p = logits.softmax(1)
    return -(p * logits.log_softmax(1)).sum(1).mean()


def vicreg_loss(z1, z2):
    assert z1.shape == z2.shape
    std = torch.sqrt(z1.var(dim=0) + 1e-4), torch.sqrt(z2.var(dim=0) + 1e-4)
    spread = sum(F.relu(1 - s).mean() for s in std)
    centred = z1 - z1.mean(0)
    cov = centred.T @ centred / (len(z1) - 1)
    off = cov - torch.diag(torch.diag(cov))
    return 25 * F.mse_loss(z1, z2) + 25 * spread + off.pow(2).sum() / z1.shape[1]


def barlow_twins_loss(z1, z2, weight=5e-3):
    a, b = ((z - z.mean(0)) / (z.std(0) + 1e-6) for z in (z1, z2))
    c = a.T @ b / len(a)
    on = (torch.diagonal(c) - 1).pow(2).sum()
    off = (c - torch.diag(torch.diagonal(c))).pow(2).sum()
    return on + weight * off


def batch_pearson_loss(pred, target):
    x, y = pred - pred.mean(), target - target.mean()
    return 1 - (x * y).sum() / (x.norm() * y.norm() + 1e-8)


def log_of_mse_loss(pred, target):
    assert pred.shape == target.shape
    return torch.log(((pred - target) ** 2).mean() + 1e-6)


def asymmetric_error_loss(pred, target):
    assert pred.shape == target.shape
    error = pred - target
    return torch.where(error > 0, 3 * error**2, error**2).mean()


def deadzone_loss(pred, target, tolerance=0.2):
    assert pred.shape == target.shape
    return F.relu((pred - target).abs() - tolerance).mean()


def smoothed_targets_loss(logits, labels, smoothing=0.2):
    return F.cross_entropy(logits, labels, label_smoothing=smoothing)


def lsgan_discriminator_loss(real_pred, fake_pred):
    return ((real_pred - 1) ** 2).mean() + (fake_pred**2).mean()


def relativistic_loss(real_logits, fake_logits):
    return F.softplus(-(real_logits - fake_logits.mean())).mean() + F.softplus(fake_logits - real_logits.mean()).mean()


def unlikelihood_loss(logits, negative_labels):
    p = logits.softmax(1).gather(1, negative_labels[:, None])
    return -torch.log1p(-p.clamp(max=1 - 1e-6)).mean()


def policy_gradient_loss(log_probs, advantages):
    return -(log_probs * advantages).mean()


def deep_cca_like_loss(z1, z2):
    a, b = F.normalize(z1 - z1.mean(0), dim=0), F.normalize(z2 - z2.mean(0), dim=0)
    return -(a * b).sum(0).mean()


class LearnedWeights(nn.Module):
    """Two terms, weighed by what they learn."""

    def __init__(self):
        super().__init__()
        self.log_vars = nn.Parameter(torch.zeros(2))

    def forward(self, pred, target):
        assert pred.shape == target.shape
        terms = torch.stack([F.mse_loss(pred, target), F.l1_loss(pred, target)])
        return (terms * torch.exp(-self.log_vars) + self.log_vars).sum()


def masked_autoencoder_loss(pred, target, mask):
    """Only what was hidden counts, and the divisor is its number."""
    assert pred.shape == target.shape == mask.shape
    return (((pred - target) ** 2) * mask).sum() / mask.sum().clamp(min=1)


def total_and_terms(pred, target):
    mse, l1 = F.mse_loss(pred, target), F.l1_loss(pred, target)
    return mse + 0.1 * l1, {"mse": mse.detach(), "l1": l1.detach()}


def cross_correlation_loss(image, target):
    a, b = image - image.mean((2, 3), keepdim=True), target - target.mean((2, 3), keepdim=True)
    return (1 - (a * b).sum((2, 3)) / (a.norm(dim=(2, 3)) * b.norm(dim=(2, 3)) + 1e-6)).mean()


def huber_of_logs(pred, target):
    assert pred.shape == target.shape
    return F.huber_loss(torch.asinh(pred), torch.asinh(target))


def margin_of_two_scores(score_a, score_b, preference):
    return F.softplus(-preference * (score_a - score_b)).mean()
