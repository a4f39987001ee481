# ruff: noqa
# fmt: off
# Right losses as well-known repositories ship them, in families not common before, restated in other words; some look
# odd on purpose. Written before the checker was asked, by one who had not read the rules. Nothing may be said of them
# that is more than information.


def mask_dice_per_query(inputs, targets, num_masks):
    """Soft dice of matched queries, as mask transformers ship it."""
    p = inputs.sigmoid().flatten(1)
    t = targets.flatten(1)
    overlap = 2 * (p * t).sum(-1)
    total = p.sum(-1) + t.sum(-1)
    return (1 - (overlap + 1) / (total + 1)).sum() / max(float(num_masks), 1.0)


class PointSampledMaskLoss(nn.Module):
    """Binary cross-entropy at random points of each mask, as point-based renderers train."""

    def __init__(self, num_points=12):
        super().__init__()
        self.num_points = num_points

    def forward(self, mask_logits, gt_masks):
        logits, gt = mask_logits.flatten(1), gt_masks.flatten(1)
        picked = torch.randint(logits.shape[1], (logits.shape[0], self.num_points), device=logits.device)
        return F.binary_cross_entropy_with_logits(logits.gather(1, picked), gt.gather(1, picked))


def varifocal_loss(pred, target, alpha=0.75, gamma=2.0, iou_weighted=True):
    """Soft targets hold the IoU of a positive, 0 of a negative."""
    p = pred.sigmoid()
    positive = (target > 0).float()
    if iou_weighted:
        weight = target * positive + alpha * (p - target).abs().pow(gamma) * (1 - positive)
    else:
        weight = positive + alpha * (p - target).abs().pow(gamma) * (1 - positive)
    return (F.binary_cross_entropy_with_logits(pred, target, reduction="none") * weight.detach()).mean()


class Seesaw(nn.Module):
    """Counts of classes are accumulated while it trains; rare classes are shielded from frequent ones."""

    def __init__(self, num_classes=10, p=0.8, q=2.0, eps=1e-2):
        super().__init__()
        self.p, self.q, self.eps, self.num_classes = p, q, eps, num_classes
        self.register_buffer("seen", torch.zeros(num_classes))

    def forward(self, cls_score, labels):
        if self.training:
            self.seen += torch.bincount(labels, minlength=self.num_classes).to(self.seen)
        counts = self.seen.clamp(min=1)
        mitigation = (counts[None, :] / counts[:, None]).clamp(max=1).pow(self.p)[labels]
        with torch.no_grad():
            prob = cls_score.softmax(1)
            own = prob.gather(1, labels[:, None]).clamp(min=self.eps)
            compensation = (prob / own).clamp(min=1).pow(self.q)
        one_hot = F.one_hot(labels, self.num_classes).to(cls_score)
        shifted = cls_score + (mitigation * compensation).log() * (1 - one_hot)
        return F.cross_entropy(shifted, labels)


class EqualizationLoss(nn.Module):
    """Negatives of rare classes carry no gradient (long-tailed detection)."""

    def __init__(self, frequency=(0.4, 0.3, 0.2, 0.05, 0.001, 0.0005), threshold=1e-2):
        super().__init__()
        self.register_buffer("rare", (torch.tensor(frequency) < threshold).float())

    def forward(self, logits, labels):
        target = F.one_hot(labels, logits.shape[1]).to(logits)
        weight = 1 - self.rare[None, :] * (1 - target)
        loss = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
        return (weight * loss).sum() / logits.shape[0]


class LargeMarginPerClass(nn.Module):
    """LDAM with the counts of its training set."""

    def __init__(self, cls_num_list=(500, 200, 80, 20, 5), max_m=0.5, s=30.0):
        super().__init__()
        margins = 1.0 / torch.tensor(cls_num_list, dtype=torch.float32).pow(0.25)
        self.register_buffer("margins", margins * (max_m / margins.max()))
        self.s = s

    def forward(self, cosine, target):
        chosen = F.one_hot(target, cosine.shape[1]).bool()
        lowered = cosine - self.margins[target][:, None]
        return F.cross_entropy(self.s * torch.where(chosen, lowered, cosine), target)


class BalancedSoftmaxCE(nn.Module):
    def __init__(self, sample_per_class=(100, 50, 20, 10, 4)):
        super().__init__()
        self.register_buffer("log_prior", torch.tensor(sample_per_class, dtype=torch.float32).log())

    def forward(self, logits, y):
        return F.cross_entropy(logits + self.log_prior, y)


def poly1_cross_entropy(logits, labels, epsilon=1.0):
    ce = F.cross_entropy(logits, labels, reduction="none")
    pt = logits.softmax(-1).gather(-1, labels[:, None]).squeeze(-1)
    return (ce + epsilon * (1 - pt)).mean()


class BiTempered(nn.Module):
    """Robust loss with a tempered logarithm and a tempered softmax found by fixed-point iterations."""

    def __init__(self, t1=0.8, t2=1.4, rounds=5):
        super().__init__()
        self.t1, self.t2, self.rounds = t1, t2, rounds

    def exp_t(self, u):
        return torch.relu(1 + (1 - self.t2) * u).pow(1 / (1 - self.t2))

    def log_t(self, u):
        return (u.pow(1 - self.t1) - 1) / (1 - self.t1)

    def forward(self, activations, labels):
        top = activations.max(-1, keepdim=True).values
        start = activations - top
        normed = start
        for _ in range(self.rounds):
            z = self.exp_t(normed).sum(-1, keepdim=True)
            normed = start * z.pow(1 - self.t2)
        z = self.exp_t(normed).sum(-1, keepdim=True)
        norm = -(z.reciprocal().pow(1 - self.t2) - 1) / (1 - self.t2) + top
        probs = self.exp_t(activations - norm)
        y = F.one_hot(labels, activations.shape[-1]).to(activations)
        first = y * (self.log_t(y + 1e-10) - self.log_t(probs.clamp(min=1e-10)))
        second = (y.pow(2 - self.t1) - probs.pow(2 - self.t1)) / (2 - self.t1)
        return (first - second).sum(-1).mean()


class ActivePassive(nn.Module):
    """Normalised cross-entropy with reverse cross-entropy, for noisy labels."""

    def __init__(self, alpha=1.0, beta=1.0, num_classes=10):
        super().__init__()
        self.alpha, self.beta, self.num_classes = alpha, beta, num_classes

    def forward(self, pred, labels):
        logp = F.log_softmax(pred, dim=1)
        one_hot = F.one_hot(labels, self.num_classes).to(pred)
        nce = (one_hot * logp).sum(1) / logp.sum(1)
        q = F.softmax(pred, dim=1).clamp(min=1e-7, max=1.0)
        rce = -(q * one_hot.clamp(min=1e-4).log()).sum(1)
        return self.alpha * nce.mean() + self.beta * rce.mean()


class EarlyLearningRegularisation(nn.Module):
    """A running target per sample of the training set: stateful by design."""

    def __init__(self, num_examples=64, num_classes=5, beta=0.7, lam=3.0):
        super().__init__()
        self.beta, self.lam = beta, lam
        self.register_buffer("target", torch.zeros(num_examples, num_classes))

    def forward(self, index, output, label):
        prob = F.softmax(output, dim=1).clamp(1e-4, 1 - 1e-4)
        with torch.no_grad():
            fresh = prob / prob.sum(1, keepdim=True)
            self.target[index] = self.beta * self.target[index] + (1 - self.beta) * fresh
        kept = (1 - (self.target[index] * prob).sum(1)).clamp(min=1e-4).log().mean()
        return F.cross_entropy(output, label) + self.lam * kept


def coteaching_losses(y_1, y_2, t, forget_rate=0.25):
    """Each network learns from what the other finds easy; two losses for two optimisers."""
    keep = max(int((1 - forget_rate) * len(t)), 1)
    easy_1 = F.cross_entropy(y_1, t, reduction="none").argsort()[:keep]
    easy_2 = F.cross_entropy(y_2, t, reduction="none").argsort()[:keep]
    return F.cross_entropy(y_1[easy_2], t[easy_2]), F.cross_entropy(y_2[easy_1], t[easy_1])


class OhemPixelCE(nn.Module):
    """Pixels whose right class is sure do not count, but at least min_kept do."""

    def __init__(self, thresh=0.7, min_kept=16, ignore_index=255):
        super().__init__()
        self.thresh, self.min_kept, self.ignore_index = thresh, min_kept, ignore_index

    def forward(self, score, target):
        losses = F.cross_entropy(score, target, ignore_index=self.ignore_index, reduction="none").flatten()
        valid = target.flatten() != self.ignore_index
        losses = losses[valid]
        if losses.numel() == 0:
            return score.sum() * 0.0
        bound = -torch.log(torch.tensor(self.thresh, device=score.device, dtype=score.dtype))
        hard = losses[losses > bound]
        if hard.numel() < self.min_kept:
            hard = losses.topk(min(self.min_kept, losses.numel())).values
        return hard.mean()


def boundary_loss(probs, dist_maps):
    """Signed distances of the true border, negative inside, weigh the foreground probability."""
    return (probs[:, 1:] * dist_maps[:, 1:]).mean()


def hausdorff_dt_loss(pred, target, pred_dt, target_dt, alpha=2.0):
    """Squared error weighted with the distance transforms of both masks, computed outside."""
    distance = pred_dt.detach() ** alpha + target_dt.detach() ** alpha
    return ((pred - target) ** 2 * distance).mean()


class CenterlineDice(nn.Module):
    """Soft skeletons by repeated pooling; topology of tubes is kept."""

    def __init__(self, iters=3, smooth=1.0):
        super().__init__()
        self.iters, self.smooth = iters, smooth

    def erode(self, x):
        a = -F.max_pool2d(-x, (3, 1), (1, 1), (1, 0))
        b = -F.max_pool2d(-x, (1, 3), (1, 1), (0, 1))
        return torch.min(a, b)

    def skeleton(self, x):
        skel = F.relu(x - F.max_pool2d(self.erode(x), 3, 1, 1))
        for _ in range(self.iters):
            x = self.erode(x)
            delta = F.relu(x - F.max_pool2d(self.erode(x), 3, 1, 1))
            skel = skel + F.relu(delta - skel * delta)
        return skel

    def forward(self, y_true, y_pred):
        sp, st = self.skeleton(y_pred), self.skeleton(y_true)
        precision = ((sp * y_true).sum() + self.smooth) / (sp.sum() + self.smooth)
        sensitivity = ((st * y_pred).sum() + self.smooth) / (st.sum() + self.smooth)
        return 1 - 2 * precision * sensitivity / (precision + sensitivity)


def generalized_dice(logits, onehot, eps=1e-5):
    """Classes weigh the inverse square of their volume in each image."""
    p = logits.softmax(1).flatten(2)
    g = onehot.float().flatten(2)
    w = 1 / (g.sum(-1) + 1.0) ** 2
    inter = (w * (p * g).sum(-1)).sum(1)
    both = (w * (p + g).sum(-1)).sum(1)
    return (1 - 2 * inter / (both + eps)).mean()


class DiceAndTopKCE(nn.Module):
    """Batch dice without background plus the cross-entropy of the hardest tenth of the voxels."""

    def __init__(self, k=10.0, smooth=1e-5):
        super().__init__()
        self.k, self.smooth = k, smooth

    def forward(self, net_output, target):
        ce = F.cross_entropy(net_output, target, reduction="none").flatten()
        hardest = ce.topk(max(int(ce.numel() * self.k / 100), 1), sorted=False).values.mean()
        p = net_output.softmax(1)
        y = F.one_hot(target, net_output.shape[1]).movedim(-1, 1).to(p)
        axes = (0, *range(2, p.dim()))
        tp, fp, fn = (p * y).sum(axes), (p * (1 - y)).sum(axes), ((1 - p) * y).sum(axes)
        dice = (2 * tp + self.smooth) / (2 * tp + fp + fn + self.smooth)
        return hardest - dice[1:].mean()


def complete_iou(pred, target, eps=1e-7):
    """CIoU on x1 y1 x2 y2; its trade-off carries no gradient."""
    lt, rb = torch.max(pred[:, :2], target[:, :2]), torch.min(pred[:, 2:], target[:, 2:])
    inter = (rb - lt).clamp(min=0).prod(1)
    w1, h1 = (pred[:, 2] - pred[:, 0]), (pred[:, 3] - pred[:, 1])
    w2, h2 = (target[:, 2] - target[:, 0]), (target[:, 3] - target[:, 1])
    iou = inter / (w1 * h1 + w2 * h2 - inter + eps)
    enclose = torch.max(pred[:, 2:], target[:, 2:]) - torch.min(pred[:, :2], target[:, :2])
    c2 = enclose.pow(2).sum(1) + eps
    rho2 = (pred[:, :2] + pred[:, 2:] - target[:, :2] - target[:, 2:]).pow(2).sum(1) / 4
    v = 0.405284734569 * (torch.atan(w2 / (h2 + eps)) - torch.atan(w1 / (h1 + eps))).pow(2)
    with torch.no_grad():
        a = (iou > 0.5).float() * v / (1 - iou + v + eps)
    return (1 - iou + rho2 / c2 + a * v).mean()


def wing_loss(pred, target, omega=10.0, epsilon=2.0):
    """Facial landmarks: logarithm near zero, straight outside."""
    delta = (target - pred).abs()
    c = omega - omega * numpy.log(1.0 + omega / epsilon)
    return torch.where(delta < omega, omega * torch.log1p(delta / epsilon), delta - c).mean()


class ResidualLogLikelihood(nn.Module):
    """Coordinates with sigmas, an affine flow with learned parameters on the residual."""

    def __init__(self):
        super().__init__()
        self.log_scale = nn.Parameter(torch.zeros(2))
        self.shift = nn.Parameter(torch.zeros(2))

    def forward(self, output, target):
        mu, sigma = output[..., :2], output[..., 2:4].sigmoid() + 1e-6
        error = (mu - target) / sigma
        z = (error - self.shift) * torch.exp(-self.log_scale)
        log_phi = -0.5 * z.pow(2) - self.log_scale - 0.9189385332
        nf = sigma.log() - log_phi
        q = torch.log(2 * sigma) + error.abs()
        return (nf + q).sum(-1).mean()


class AssociativeEmbedding(nn.Module):
    """Tags of one person are pulled together, mean tags of different persons pushed apart; two terms."""

    def __init__(self, push_factor=0.5):
        super().__init__()
        self.push_factor = push_factor

    def forward(self, tags, visible):
        weight = visible.float()
        count = weight.sum(-1, keepdim=True).clamp(min=1)
        mean = (tags * weight).sum(-1, keepdim=True) / count
        pull = ((tags - mean).pow(2) * weight).sum(-1) / count.squeeze(-1)
        gap = mean - mean.transpose(-1, -2)
        people = tags.shape[-2]
        push = (torch.exp(-gap.pow(2)).sum((-1, -2)) - people) / max(people * (people - 1), 1)
        return pull.mean(), self.push_factor * push.mean()


class KeypointsOHKM(nn.Module):
    """Only the hardest joints of a sample count."""

    def __init__(self, topk=3):
        super().__init__()
        self.topk = topk

    def forward(self, output, target, target_weight):
        per_joint = ((output - target) ** 2).flatten(2).mean(-1) * target_weight
        return per_joint.topk(min(self.topk, per_joint.shape[1]), dim=1).values.mean()


def simcc_kl(pred_x, pred_y, target_x, target_y, beta=10.0):
    """Coordinates as two one-dimensional classifications against smoothed labels."""
    loss = 0.0
    for logits, labels in ((pred_x, target_x), (pred_y, target_y)):
        logp = F.log_softmax(logits * beta, dim=-1)
        loss = loss + F.kl_div(logp, labels.softmax(-1), reduction="none").mean(-1)
    return loss.mean()


class SmoothAP(nn.Module):
    """Average precision of a batch of groups of the same class, with sigmoids for ranks."""

    def __init__(self, group=4, tau=0.05):
        super().__init__()
        self.group, self.tau = group, tau

    def forward(self, embeddings):
        z = F.normalize(embeddings, dim=1)
        sim = z @ z.T
        n = z.shape[0]
        gap = (sim[:, None, :] - sim[:, :, None]) / self.tau
        above = torch.sigmoid(gap) * (1 - torch.eye(n, device=z.device))[None]
        rank_all = above.sum(-1) + 1
        groups = torch.arange(n, device=z.device) // self.group
        same = (groups[:, None] == groups[None, :]).to(z)
        rank_pos = (above * same[:, None, :]).sum(-1) + 1
        ap = (same * rank_pos / rank_all).sum(1) / same.sum(1)
        return 1 - ap.mean()


class FastAP(nn.Module):
    """Average precision of quantised distances by soft histograms."""

    def __init__(self, bins=10):
        super().__init__()
        self.bins = bins

    def forward(self, embeddings, labels):
        z = F.normalize(embeddings, dim=1)
        dist2 = 2 - 2 * z @ z.T
        eye = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
        pos = ((labels[:, None] == labels[None, :]) & ~eye).to(z)
        neg = (labels[:, None] != labels[None, :]).to(z)
        step = 4.0 / self.bins
        mids = torch.arange(self.bins + 1, device=z.device) * step
        pulse = F.relu(1 - (dist2[..., None] - mids).abs() / step)
        h_pos, h_neg = (pulse * pos[..., None]).sum(1), (pulse * neg[..., None]).sum(1)
        c_pos, c_all = h_pos.cumsum(1), (h_pos + h_neg).cumsum(1)
        n_pos = pos.sum(1)
        ap = torch.where(c_all > 0, h_pos * c_pos / c_all.clamp(min=1e-6), 0.0).sum(1) / n_pos.clamp(min=1)
        has = n_pos > 0
        return ((1 - ap) * has).sum() / has.sum().clamp(min=1)


def list_mle(y_pred, y_true):
    """Likelihood of the true order under Plackett-Luce."""
    order = y_true.argsort(dim=1, descending=True)
    scores = y_pred.gather(1, order)
    tail = torch.logcumsumexp(scores.flip(1), dim=1).flip(1)
    return (tail - scores).sum(1).mean()


def lambda_rank(y_pred, y_true, sigma=1.0):
    """Pairs weigh by what swapping them would change in NDCG."""
    gains = 2.0 ** y_true - 1
    with torch.no_grad():
        rank = y_pred.argsort(1, descending=True).argsort(1) + 1
        discount = 1 / torch.log2(rank + 1.0)
        ideal = (gains.sort(1, descending=True).values / torch.log2(torch.arange(y_pred.shape[1], device=y_pred.device) + 2.0)).sum(1)
        delta = ((gains[:, :, None] - gains[:, None, :]) * (discount[:, :, None] - discount[:, None, :])).abs()
        delta = delta / ideal.clamp(min=1e-8)[:, None, None]
    higher = (y_true[:, :, None] > y_true[:, None, :]).to(y_pred)
    margin = y_pred[:, :, None] - y_pred[:, None, :]
    return (higher * delta * F.softplus(-sigma * margin)).sum((1, 2)).mean()


def approx_ndcg(y_pred, y_true, alpha=5.0):
    """Ranks by sigmoids; minus NDCG is minimised."""
    gains = 2.0 ** y_true - 1
    places = torch.arange(y_true.shape[1], device=y_true.device) + 2.0
    best = (gains.sort(1, descending=True).values / torch.log2(places)).sum(1).clamp(min=1e-8)
    diff = y_pred[:, None, :] - y_pred[:, :, None]
    rank = 0.5 + torch.sigmoid(alpha * diff).sum(-1)
    return -((gains / torch.log2(rank + 1)).sum(1) / best).mean()


class LiftedStructure(nn.Module):
    def __init__(self, neg_margin=1.0, pos_margin=0.0):
        super().__init__()
        self.neg_margin, self.pos_margin = neg_margin, pos_margin

    def forward(self, embeddings, labels):
        sq = (embeddings[:, None] - embeddings[None]).pow(2).sum(-1)
        dist = (sq + 1e-8).sqrt()
        same = labels[:, None] == labels[None, :]
        pairs = torch.triu(same, diagonal=1).nonzero()
        if len(pairs) == 0:
            return embeddings.sum() * 0.0
        push = (self.neg_margin - dist).masked_fill(same, -1e4).logsumexp(1)
        i, j = pairs.unbind(1)
        both = torch.logaddexp(push[i], push[j]) + dist[i, j] - self.pos_margin
        return F.relu(both).pow(2).mean() / 2


def angular_triplet(anchor, positive, negative, alpha=0.7):
    """The angle at the negative is bounded; a hinge that is flat where it is met."""
    slope = 4 * torch.tan(torch.tensor(alpha)) ** 2
    centre = (anchor + positive) / 2
    term = (anchor - positive).pow(2).sum(1) - slope * (negative - centre).pow(2).sum(1)
    return F.relu(term).mean()


class RingLoss(nn.Module):
    """The norm of features is drawn to a learned radius."""

    def __init__(self, weight=0.01):
        super().__init__()
        self.radius = nn.Parameter(torch.tensor(1.0))
        self.weight = weight

    def forward(self, features):
        norm = (features.pow(2).sum(1) + 1e-12).sqrt()
        return self.weight * (norm - self.radius).pow(2).mean() / 2


class SoftTriple(nn.Module):
    """Several learned centres per class."""

    def __init__(self, dim=8, num_classes=5, k=2, la=20.0, gamma=0.1, margin=0.01):
        super().__init__()
        self.la, self.gamma, self.margin, self.k, self.num_classes = la, gamma, margin, k, num_classes
        self.fc = nn.Parameter(torch.randn(dim, num_classes * k) * 0.1)

    def forward(self, x, target):
        sim = F.normalize(x, dim=1) @ F.normalize(self.fc, dim=0)
        sim = sim.view(-1, self.num_classes, self.k)
        relaxed = ((sim / self.gamma).softmax(2) * sim).sum(2)
        lowered = relaxed - self.margin * F.one_hot(target, self.num_classes).to(relaxed)
        return F.cross_entropy(self.la * lowered, target)


def decoupled_kd(logits_student, logits_teacher, target, alpha=1.0, beta=8.0, temperature=4.0):
    """Target-class and non-target-class knowledge weigh apart."""
    s, t = logits_student / temperature, logits_teacher.detach() / temperature
    hit = F.one_hot(target, s.shape[1]).bool()
    log_s, log_t = F.log_softmax(s, 1), F.log_softmax(t, 1)

    def binary(logp):
        inside = logp[hit]
        outside = logp.masked_fill(hit, float("-inf")).logsumexp(1)
        return torch.stack((inside, outside), 1)

    tckd = F.kl_div(binary(log_s), binary(log_t), log_target=True, reduction="batchmean")
    rest_s = F.log_softmax(s - 1000.0 * hit, 1)
    rest_t = F.log_softmax(t - 1000.0 * hit, 1)
    nckd = F.kl_div(rest_s, rest_t, log_target=True, reduction="batchmean")
    return (alpha * tckd + beta * nckd) * temperature**2


class AttentionTransfer(nn.Module):
    """Normalised maps of squared activations of student and teacher, layer by layer."""

    def forward(self, g_s, g_t):
        total = 0.0
        for s, t in zip(g_s, g_t):
            a = F.normalize(s.pow(2).mean(1).flatten(1), dim=1)
            b = F.normalize(t.detach().pow(2).mean(1).flatten(1), dim=1)
            total = total + (a - b).pow(2).mean()
        return total


class HintRegression(nn.Module):
    """FitNets: a learned projection of the student to the width of the teacher."""

    def __init__(self, s_dim=6, t_dim=8):
        super().__init__()
        self.project = nn.Linear(s_dim, t_dim)

    def forward(self, f_s, f_t):
        return F.mse_loss(self.project(f_s), f_t.detach())


def relational_distance(student, teacher):
    """Distances between all of a batch, each by its mean."""
    def pairs(x):
        sq = (x[:, None] - x[None]).pow(2).sum(-1)
        off = ~torch.eye(len(x), dtype=torch.bool, device=x.device)
        d = (sq[off] + 1e-12).sqrt()
        return d / d.mean().clamp(min=1e-6)

    with torch.no_grad():
        wanted = pairs(teacher)
    return F.smooth_l1_loss(pairs(student), wanted)


def similarity_preserving(feat_s, feat_t):
    a = feat_s.flatten(1)
    b = feat_t.detach().flatten(1)
    gs, gt = F.normalize(a @ a.T, dim=1), F.normalize(b @ b.T, dim=1)
    return (gs - gt).pow(2).sum() / len(a) ** 2


class VariationalInformation(nn.Module):
    """The teacher's feature under a Gaussian whose variance per channel is learned."""

    def __init__(self, channels=6):
        super().__init__()
        self.raw = nn.Parameter(torch.full((channels,), 1.0))

    def forward(self, regressed, teacher):
        var = F.softplus(self.raw) + 1e-5
        shape = (1, -1) + (1,) * (regressed.dim() - 2)
        v = var.view(shape)
        return (0.5 * ((regressed - teacher.detach()).pow(2) / v + v.log())).mean()


def simsiam(p1, p2, z1, z2):
    return -(F.cosine_similarity(p1, z2.detach()).mean() + F.cosine_similarity(p2, z1.detach()).mean()) / 2


class MaskedSiamese(nn.Module):
    """Prototype assignments of anchors follow those of sharpened targets; the mean assignment is spread."""

    def __init__(self, dim=8, prototypes=12, temperature=0.1, sharpen=0.25, weight=1.0):
        super().__init__()
        self.prototypes = nn.Parameter(torch.randn(prototypes, dim) * 0.1)
        self.temperature, self.sharpen, self.weight = temperature, sharpen, weight

    def assign(self, x):
        return F.normalize(x, dim=1) @ F.normalize(self.prototypes, dim=1).T / self.temperature

    def forward(self, anchors, targets):
        logp = F.log_softmax(self.assign(anchors), 1)
        with torch.no_grad():
            t = F.softmax(self.assign(targets) / self.sharpen, 1)
        follow = -(t * logp).sum(1).mean()
        mean = logp.exp().mean(0)
        return follow + self.weight * (mean * (mean + 1e-8).log()).sum()


def decoupled_contrastive(z1, z2, temperature=0.1):
    """The positive is not in the denominator."""
    a, b = F.normalize(z1, dim=1), F.normalize(z2, dim=1)
    own = torch.eye(len(a), dtype=torch.bool, device=a.device)
    cross, within = a @ b.T / temperature, a @ a.T / temperature
    others = torch.cat((within.masked_fill(own, -1e4), cross.masked_fill(own, -1e4)), 1)
    return (others.logsumexp(1) - cross.diagonal()).mean()


def koleo(x, eps=1e-8):
    """Features are spread: minus the logarithm of the distance to the nearest other of the batch."""
    z = F.normalize(x, dim=-1)
    with torch.no_grad():
        sim = z @ z.T
        nearest = sim.fill_diagonal_(-2).argmax(1)
    gap = ((z - z[nearest]).pow(2).sum(1) + eps).sqrt()
    return -torch.log(gap + eps).mean()


class TransformationInvariance(nn.Module):
    """A covariance matrix is carried from step to step."""

    def __init__(self, dim=8, beta=0.9, rho=8.0):
        super().__init__()
        self.beta, self.rho = beta, rho
        self.register_buffer("C", torch.zeros(dim, dim))

    def forward(self, z_a, z_b):
        a, b = F.normalize(z_a, dim=1), F.normalize(z_b, dim=1)
        C = self.beta * self.C + (1 - self.beta) * (a.T @ a) / len(a)
        if self.training:
            self.C = C.detach()
        return 1 - (a * b).sum(1).mean() + self.rho * ((a @ C) * a).sum(1).mean()


def manifold_capacity(views):
    """Minus the nuclear norm of the centroids of views on the sphere."""
    z = F.normalize(views, dim=-1)
    return -torch.linalg.svdvals(z.mean(1)).sum()


class MaskedPatchDistillation(nn.Module):
    """Centred, sharpened teacher per patch; only masked patches count; a dictionary of terms."""

    def __init__(self, dim=10, tau_s=0.1, tau_t=0.04, momentum=0.9):
        super().__init__()
        self.tau_s, self.tau_t, self.momentum = tau_s, tau_t, momentum
        self.register_buffer("center", torch.zeros(1, 1, dim))

    def forward(self, student_patches, teacher_patches, mask):
        with torch.no_grad():
            t = F.softmax((teacher_patches - self.center) / self.tau_t, -1)
            if self.training:
                self.center = self.momentum * self.center + (1 - self.momentum) * teacher_patches.mean((0, 1), keepdim=True)
        per = -(t * F.log_softmax(student_patches / self.tau_s, -1)).sum(-1)
        m = mask.to(per)
        loss = ((per * m).sum(-1) / m.sum(-1).clamp(min=1.0)).mean()
        return {"loss": loss, "entropy": -(t * (t + 1e-12).log()).sum(-1).mean()}


class MomentumQueue(nn.Module):
    """MoCo: negatives from a queue of keys of earlier batches."""

    def __init__(self, dim=8, size=32, T=0.07):
        super().__init__()
        self.T = T
        self.register_buffer("queue", F.normalize(torch.randn(size, dim), dim=1))

    def forward(self, q, k):
        q, k = F.normalize(q, dim=1), F.normalize(k.detach(), dim=1)
        pos = (q * k).sum(1, keepdim=True)
        neg = q @ self.queue.clone().T
        if self.training:
            self.queue = torch.cat((k, self.queue))[: len(self.queue)]
        logits = torch.cat((pos, neg), 1) / self.T
        return F.cross_entropy(logits, torch.zeros(len(q), dtype=torch.long, device=q.device))


class PairwiseSigmoidContrast(nn.Module):
    """Image and text with a learned scale and bias; every pair is a binary question."""

    def __init__(self):
        super().__init__()
        self.logit_scale = nn.Parameter(torch.tensor(2.3))
        self.logit_bias = nn.Parameter(torch.tensor(-10.0))

    def forward(self, image_features, text_features):
        i, t = F.normalize(image_features, dim=-1), F.normalize(text_features, dim=-1)
        logits = self.logit_scale.exp() * i @ t.T + self.logit_bias
        sign = 2 * torch.eye(len(i), device=i.device) - 1
        return -F.logsigmoid(sign * logits).sum() / len(i)


def orpo(policy_chosen_logps, policy_rejected_logps, beta=0.1):
    """Average log-probabilities per token, odds of chosen over rejected, plus the likelihood of the chosen."""
    c, r = policy_chosen_logps.clamp(max=-1e-6), policy_rejected_logps.clamp(max=-1e-6)
    log_odds = (c - r) - (torch.log1p(-torch.exp(c)) - torch.log1p(-torch.exp(r)))
    return (-c - beta * F.logsigmoid(log_odds)).mean()


def simpo(chosen_logps, rejected_logps, chosen_len, rejected_len, beta=2.0, gamma=0.5):
    """Length-normalised and without reference."""
    margin = chosen_logps / chosen_len.clamp(min=1) - rejected_logps / rejected_len.clamp(min=1)
    return -F.logsigmoid(beta * margin - gamma).mean()


def kto(policy_chosen_logps, policy_rejected_logps, policy_KL_logps, reference_chosen_logps, reference_rejected_logps, reference_KL_logps, beta=0.1):
    """Desirable and undesirable against a detached estimate of the KL of mismatched pairs."""
    kl = (policy_KL_logps - reference_KL_logps).mean().detach().clamp(min=0)
    gain = 1 - torch.sigmoid(beta * (policy_chosen_logps - reference_chosen_logps - kl))
    pain = 1 - torch.sigmoid(beta * (kl - (policy_rejected_logps - reference_rejected_logps)))
    return torch.cat((gain, pain)).mean()


def ipo(policy_chosen_logps, policy_rejected_logps, reference_chosen_logps, reference_rejected_logps, beta=0.1):
    h = (policy_chosen_logps - policy_rejected_logps) - (reference_chosen_logps - reference_rejected_logps)
    return (h - 1 / (2 * beta)).pow(2).mean()


def generalized_jsd(student_logits, teacher_logits, labels, beta=0.5, temperature=1.0):
    """On-policy distillation between forward and reverse KL; padding is -100."""
    s = F.log_softmax(student_logits / temperature, -1)
    t = F.log_softmax(teacher_logits.detach() / temperature, -1)
    mix = torch.logsumexp(torch.stack((s + numpy.log(1 - beta), t + numpy.log(beta))), 0)
    jsd = beta * F.kl_div(mix, t, log_target=True, reduction="none") + (1 - beta) * F.kl_div(mix, s, log_target=True, reduction="none")
    kept = labels != -100
    return jsd[kept].sum() / kept.sum().clamp(min=1)


def reward_model_with_margin(rewards_chosen, rewards_rejected, margin, center_coefficient=0.01):
    """Bradley-Terry, with an auxiliary term that keeps rewards near zero."""
    loss = -F.logsigmoid(rewards_chosen - rewards_rejected - margin)
    return loss.mean() + center_coefficient * (rewards_chosen + rewards_rejected).pow(2).mean()


def dapo_token_loss(logps, old_logps, advantages, mask, low=0.2, high=0.28):
    """Asymmetric clipping; every token of the batch counts the same."""
    ratio = torch.exp(logps - old_logps.detach())
    adv = advantages.detach()[:, None]
    per_token = -torch.min(ratio * adv, ratio.clamp(1 - low, 1 + high) * adv)
    m = mask.to(per_token)
    return (per_token * m).sum() / m.sum().clamp(min=1.0)


def moe_load_balancing(gate_logits, top_k=2):
    """Share of tokens of an expert times its mean probability; the share has no gradient."""
    probs = gate_logits.softmax(-1)
    chosen = probs.topk(min(top_k, probs.shape[-1]), -1).indices
    share = F.one_hot(chosen, probs.shape[-1]).float().sum(-2).mean(0)
    return probs.shape[-1] * (share * probs.mean(0)).sum()


def fairseq_smoothed_sum(lprobs, target, epsilon=0.1, ignore_index=0):
    """Summed over tokens; the trainer divides by their number."""
    target = target.unsqueeze(-1)
    nll = -lprobs.gather(-1, target)
    smooth = -lprobs.sum(-1, keepdim=True)
    pad = target.eq(ignore_index)
    nll, smooth = nll.masked_fill(pad, 0.0).sum(), smooth.masked_fill(pad, 0.0).sum()
    eps_i = epsilon / (lprobs.size(-1) - 1)
    return (1.0 - epsilon - eps_i) * nll + eps_i * smooth


class CtcFromLogits(nn.Module):
    """Batch first, full input lengths, zero is blank and padding alike."""

    def forward(self, logits, targets, target_lengths):
        logp = F.log_softmax(logits, -1).transpose(0, 1)
        lengths = torch.full((logits.shape[0],), logits.shape[1], dtype=torch.long, device=logits.device)
        return F.ctc_loss(logp, targets, lengths, target_lengths, blank=0, zero_infinity=True)


def transducer_loss(log_probs, labels, blank=0):
    """RNN-T by its forward recursion; log_probs is [B, T, U + 1, V]."""
    lp = F.log_softmax(log_probs, -1)
    skip = lp[..., blank]
    emit = lp[:, :, :-1].gather(-1, labels[:, None, :, None].expand(-1, lp.shape[1], -1, 1)).squeeze(-1)
    rows = []
    for t in range(lp.shape[1]):
        row = []
        for u in range(lp.shape[2]):
            ways = []
            if t > 0:
                ways.append(rows[t - 1][u] + skip[:, t - 1, u])
            if u > 0:
                ways.append(row[u - 1] + emit[:, t, u - 1])
            row.append(torch.logsumexp(torch.stack(ways), 0) if ways else torch.zeros_like(skip[:, 0, 0]))
        rows.append(row)
    return -(rows[-1][-1] + skip[:, -1, -1]).mean()


def conservative_q(q_values, actions, targets, cql_alpha=1.0):
    """TD error plus the gap between the softmax over actions and the action of the data."""
    chosen = q_values.gather(1, actions[:, None]).squeeze(1)
    return F.mse_loss(chosen, targets.detach()) + cql_alpha * (q_values.logsumexp(1) - chosen).mean()


def implicit_q_losses(q, target_q, v, next_v, reward, done, log_prob, tau=0.7, beta=3.0, gamma=0.99):
    """Expectile value, TD critic, and advantage-weighted actor."""
    adv = target_q.detach() - v
    value = (torch.where(adv > 0, tau, 1 - tau) * adv.pow(2)).mean()
    backup = (reward + gamma * (1 - done) * next_v).detach()
    critic = F.mse_loss(q, backup)
    actor = -(torch.exp(beta * adv.detach()).clamp(max=100.0) * log_prob).mean()
    return {"value": value, "critic": critic, "actor": actor}


def sac_temperature(log_alpha, log_pi, target_entropy=-2.0):
    return -(log_alpha * (log_pi + target_entropy).detach()).mean()


def twin_critic(current_q1, current_q2, next_q1, next_q2, reward, not_done, discount=0.99):
    target = (reward + not_done * discount * torch.min(next_q1, next_q2)).detach()
    return F.mse_loss(current_q1, target) + F.mse_loss(current_q2, target)


def c51_projection(logits, next_probs, rewards, dones, v_min=-10.0, v_max=10.0, gamma=0.99):
    """Categorical distributional RL: the shifted support is projected onto the atoms."""
    n = logits.shape[1]
    z = torch.linspace(v_min, v_max, n, device=logits.device)
    step = (v_max - v_min) / (n - 1)
    with torch.no_grad():
        tz = (rewards[:, None] + gamma * (1 - dones[:, None]) * z).clamp(v_min, v_max)
        weight = (1 - (tz[:, :, None] - z).abs() / step).clamp(min=0)
        m = (next_probs[:, :, None] * weight).sum(1)
    return -(m * F.log_softmax(logits, 1)).sum(1).mean()


def two_hot_symlog(logits, target, low=-20.0, high=20.0):
    """Returns are squashed and spread over two neighbouring bins (world models)."""
    bins = torch.linspace(low, high, logits.shape[-1], device=logits.device)
    y = (torch.sign(target) * torch.log1p(target.abs())).clamp(low, high)
    step = (high - low) / (logits.shape[-1] - 1)
    two_hot = (1 - (y[..., None] - bins).abs() / step).clamp(min=0)
    return -(two_hot.detach() * F.log_softmax(logits, -1)).sum(-1).mean()


def balanced_kl_free_nats(post_logits, prior_logits, free=1.0, dyn=0.5, rep=0.1):
    """World models: each side of the KL learns at its own pace, and nothing below the free nats."""
    def kl(p, q):
        lp, lq = F.log_softmax(p, -1), F.log_softmax(q, -1)
        return (lp.exp() * (lp - lq)).sum(-1)

    dynamics = kl(post_logits.detach(), prior_logits).clamp(min=free)
    representation = kl(post_logits, prior_logits.detach()).clamp(min=free)
    return (dyn * dynamics + rep * representation).mean()


def reinforce_with_baseline(logits, actions, returns, values, c=0.01):
    logp = F.log_softmax(logits, -1)
    taken = logp.gather(-1, actions[:, None]).squeeze(-1)
    entropy = -(logp.exp() * logp).sum(-1)
    return -(taken * (returns - values).detach()).mean() + 0.5 * F.mse_loss(values, returns) - c * entropy.mean()


def v_prediction(model_output, x0, noise, alpha_bar):
    a = alpha_bar.view(-1, *[1] * (x0.dim() - 1))
    v = a.sqrt() * noise - (1 - a).clamp(min=0).sqrt() * x0
    return F.mse_loss(model_output.float(), v.float())


class KarrasWeighting(nn.Module):
    """Denoiser output and clean image, weighted by the noise level drawn outside."""

    def __init__(self, sigma_data=0.5):
        super().__init__()
        self.sigma_data = sigma_data

    def forward(self, denoised, images, sigma):
        weight = (sigma**2 + self.sigma_data**2) / (sigma * self.sigma_data) ** 2
        per = (denoised - images).pow(2).flatten(1).mean(1)
        return (weight.flatten() * per).mean()


def implicit_score_matching(score, trace_of_jacobian):
    """Hyvarinen's objective of a score and the trace of its Jacobian; it may be negative."""
    return (0.5 * score.pow(2).flatten(1).sum(1) + trace_of_jacobian).mean()


def contrastive_divergence(energy_data, energy_samples, reg=0.1):
    """Energy-based models; samples of the chain do not train."""
    return (energy_data - energy_samples).mean() + reg * (energy_data.pow(2) + energy_samples.pow(2)).mean()


def wgan_gp(critic, real, fake, lam=10.0):
    """The critic is handed over; its gradient between real and fake has norm one."""
    t = torch.rand(len(real), *[1] * (real.dim() - 1), device=real.device)
    mid = (t * real + (1 - t) * fake).detach().requires_grad_()
    (grad,) = torch.autograd.grad(critic(mid).sum(), mid, create_graph=True)
    norm = (grad.flatten(1).pow(2).sum(1) + 1e-12).sqrt()
    return critic(fake).mean() - critic(real).mean() + lam * (norm - 1).pow(2).mean()


class PathLength(nn.Module):
    """StyleGAN2: squared gap of path lengths from their running mean."""

    def __init__(self, decay=0.01):
        super().__init__()
        self.decay = decay
        self.register_buffer("mean_length", torch.zeros(()))

    def forward(self, gradients):
        length = (gradients.pow(2).flatten(1).sum(1) + 1e-8).sqrt()
        mean = self.mean_length + self.decay * (length.mean().detach() - self.mean_length)
        if self.training:
            self.mean_length = mean
        return (length - mean).pow(2).mean()


def patch_lsgan_multi_scale(fake_outputs):
    """Generator's side over the lists that several discriminators return; the last of each list is the score."""
    return sum((out[-1] - 1).pow(2).mean() for out in fake_outputs) / len(fake_outputs)


def flow_nll_bits_per_dim(z, logdet):
    """Normalising flows: likelihood under a standard normal in bits per dimension."""
    log_pz = -0.5 * (z.pow(2) + 1.8378770664).flatten(1).sum(1)
    dims = z[0].numel()
    return (-(log_pz + logdet) / (dims * 0.6931471806)).mean()


def beta_tc_vae(recon_x, x, z, mu, logvar, beta=6.0):
    """Total correlation by the samples of the batch."""
    recon = F.mse_loss(recon_x, x, reduction="sum") / len(x)

    def density(v, m, lv):
        return -0.5 * (1.8378770664 + lv + (v - m).pow(2) * torch.exp(-lv))

    log_q = density(z, mu, logvar).sum(1)
    log_p = density(z, torch.zeros_like(z), torch.zeros_like(z)).sum(1)
    matrix = density(z[:, None], mu[None], logvar[None])
    log_joint = matrix.sum(2).logsumexp(1) - numpy.log(len(z))
    log_product = (matrix.logsumexp(1) - numpy.log(len(z))).sum(1)
    return recon + ((log_q - log_joint) + beta * (log_joint - log_product) + (log_product - log_p)).mean()


class CoxEfron(nn.Module):
    """Partial likelihood with Efron's ties."""

    # First it looped over the moments of death, as shipped, and was accused (LS601): the CPU does wait for each of them.
    def forward(self, log_hazard, time, event):
        log_hazard, time, event = log_hazard.flatten(), time.flatten(), event.flatten().to(log_hazard)
        risk = log_hazard - log_hazard.max().detach()
        h = risk.exp()
        at_risk = (time[None, :] >= time[:, None]).to(h)
        tied = (time[None, :] == time[:, None]).to(h) * event[None, :]
        before = (tied * torch.ones_like(tied).tril(-1)).sum(1)
        share = before / tied.sum(1).clamp(min=1)
        total = (at_risk * h).sum(1) - share * (tied * h).sum(1)
        return -((risk - total.clamp(min=1e-12).log()) * event).sum() / event.sum().clamp(min=1)


def logistic_hazard(phi, idx_durations, events):
    """Discrete hazards with censoring."""
    idx = idx_durations.view(-1, 1)
    y = torch.zeros_like(phi).scatter(1, idx, events.view(-1, 1).to(phi))
    bce = F.binary_cross_entropy_with_logits(phi, y, reduction="none")
    return bce.cumsum(1).gather(1, idx).mean()


def weibull_censored_nll(log_shape, log_scale, time, event):
    """Time is positive; the density where it happened, survival where it was cut off."""
    k = torch.exp(log_shape)
    u = torch.log(time.clamp(min=1e-6)) - log_scale
    log_hazard = log_shape - log_scale + (k - 1) * u
    return -(event * log_hazard - torch.exp((k * u).clamp(max=30.0))).mean()


def tweedie(pred_log, target, p=1.5):
    """Insurance claims: zero or positive."""
    return (-target * torch.exp(pred_log * (1 - p)) / (1 - p) + torch.exp(pred_log * (2 - p)) / (2 - p)).mean()


def zero_inflated_nb(x, mu, theta, pi, eps=1e-8):
    """Counts of genes: mean, inverse dispersion and dropout logit."""
    log_ratio = torch.log(theta + eps) - torch.log(theta + mu + eps)
    start = -pi + theta * log_ratio
    zero = F.softplus(start) - F.softplus(-pi)
    more = start - F.softplus(-pi) + x * (torch.log(mu + eps) - torch.log(theta + mu + eps)) + torch.lgamma(x + theta) - torch.lgamma(theta) - torch.lgamma(x + 1)
    return -torch.where(x < eps, zero, more).sum(-1).mean()


def von_mises_gaze(pred_angle, log_kappa, true_angle):
    kappa = torch.exp(log_kappa.clamp(-6, 6))
    log_norm = torch.log(torch.special.i0e(kappa)) + kappa + 1.8378770664
    return (log_norm - kappa * torch.cos(pred_angle - true_angle)).mean()


def rotation_geodesic(pred_rot, gt_rot, eps=1e-6):
    """Angle between rotation matrices; the cosine is kept off one."""
    rel = pred_rot @ gt_rot.transpose(-1, -2)
    cos = (rel.diagonal(dim1=-2, dim2=-1).sum(-1) - 1) / 2
    return torch.acos(cos.clamp(-1 + eps, 1 - eps)).mean()


class PoseNetLearnedWeights(nn.Module):
    """Translation and quaternion with learned log-variances."""

    def __init__(self, sx=0.0, sq=-3.0):
        super().__init__()
        self.sx, self.sq = nn.Parameter(torch.tensor(sx)), nn.Parameter(torch.tensor(sq))

    def forward(self, pred_t, pred_q, gt_t, gt_q):
        lt = (pred_t - gt_t).abs().mean()
        lq = (F.normalize(pred_q, dim=-1) - F.normalize(gt_q, dim=-1)).abs().mean()
        return torch.exp(-self.sx) * lt + self.sx + torch.exp(-self.sq) * lq + self.sq


def raft_sequence(flow_preds, flow_gt, valid, gamma=0.8, max_flow=400.0):
    """Every refinement counts, later ones more."""
    # First it was a mean over all pixels, as shipped, and was accused (LS205): what is not valid does count in it.
    use = (valid >= 0.5) & (flow_gt.pow(2).sum(1) < max_flow**2)
    n = len(flow_preds)
    return sum(gamma ** (n - i - 1) * (use[:, None] * (flow - flow_gt).abs()).sum() / (use.sum() * flow_gt.shape[1]).clamp(min=1) for i, flow in enumerate(flow_preds))


class SinkhornDistance(nn.Module):
    """Earth mover between two clouds with entropy, in the log domain."""

    def __init__(self, eps=0.1, max_iter=20):
        super().__init__()
        self.eps, self.max_iter = eps, max_iter

    def forward(self, x, y):
        C = (x[:, :, None] - y[:, None]).pow(2).sum(-1)
        n, m = C.shape[1:]
        u, v = torch.zeros_like(C[:, :, 0]), torch.zeros_like(C[:, 0])
        for _ in range(self.max_iter):
            u = -self.eps * (((v[:, None] - C) / self.eps).logsumexp(2) + numpy.log(n))
            v = -self.eps * (((u[:, :, None] - C) / self.eps).logsumexp(1) + numpy.log(m))
        plan = torch.exp((u[:, :, None] + v[:, None] - C) / self.eps)
        return (plan * C).sum((1, 2)).mean()


def multi_resolution_stft(x, y, sizes=(16, 32)):
    """Spectral convergence and log magnitudes of several windows."""
    total = 0.0
    for n in sizes:
        window = torch.hann_window(n, device=x.device, dtype=x.dtype)
        a, b = (torch.stft(s, n, n // 4, n, window, return_complex=True) for s in (x, y))
        am, bm = ((s.real.pow(2) + s.imag.pow(2)).clamp(min=1e-7).sqrt() for s in (a, b))
        gap = ((bm - am).pow(2).sum() + 1e-12).sqrt() / ((bm.pow(2)).sum() + 1e-12).sqrt()
        total = total + gap + (bm.log() - am.log()).abs().mean()
    return total / len(sizes)


def pit_si_sdr(est_targets, targets, eps=1e-8):
    """Two speakers, the better assignment of each mixture."""
    def sdr(e, t):
        e, t = e - e.mean(-1, keepdim=True), t - t.mean(-1, keepdim=True)
        s = (e * t).sum(-1, keepdim=True) * t / (t.pow(2).sum(-1, keepdim=True) + eps)
        return 10 * torch.log10(s.pow(2).sum(-1) / ((e - s).pow(2).sum(-1) + eps) + eps)

    straight = sdr(est_targets, targets).mean(1)
    crossed = sdr(est_targets.flip(1), targets).mean(1)
    return -torch.max(straight, crossed).mean()


def fixmatch(logits_weak, logits_strong, threshold=0.95, T=1.0):
    """Pseudo labels where the weak view is sure; nothing counts elsewhere."""
    with torch.no_grad():
        prob = (logits_weak / T).softmax(-1)
        sure, label = prob.max(-1)
        mask = (sure >= threshold).float()
    return (F.cross_entropy(logits_strong, label, reduction="none") * mask).mean()


def mean_teacher(student_logits, teacher_logits, labels, rampup=0.5):
    """Unlabelled samples are -1 and give consistency alone."""
    supervised = F.cross_entropy(student_logits, labels, ignore_index=-1, reduction="sum") / (labels != -1).sum().clamp(min=1)
    consistency = F.mse_loss(student_logits.softmax(1), teacher_logits.detach().softmax(1))
    return supervised + rampup * consistency


class AUCMargin(nn.Module):
    """Min-max AUC: two learned means and a dual variable that its optimiser ascends."""

    def __init__(self, margin=1.0):
        super().__init__()
        self.margin = margin
        self.a, self.b, self.alpha = (nn.Parameter(torch.zeros(())) for _ in range(3))

    def forward(self, y_pred, y_true):
        pos, neg = (y_true == 1).float(), (y_true == 0).float()
        n_pos, n_neg = pos.sum().clamp(min=1), neg.sum().clamp(min=1)
        inside = ((y_pred - self.a).pow(2) * pos).sum() / n_pos + ((y_pred - self.b).pow(2) * neg).sum() / n_neg
        gap = self.margin + (y_pred * neg).sum() / n_neg - (y_pred * pos).sum() / n_pos
        return inside + 2 * self.alpha * gap - self.alpha**2


class SpikeRate(nn.Module):
    """Spikes with a surrogate slope: the forward is a step on purpose."""

    def forward(self, membrane, rate):
        return F.mse_loss(SpikeStep.apply(membrane - 1.0).mean(-1), rate)

class SpikeStep(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return (x > 0).to(x)

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return grad / (1 + 10 * x.abs()) ** 2


def quantised_with_straight_through(features, target, levels=8):
    """Rounded in the forward, identity in the backward."""
    bounded = torch.tanh(features)
    rounded = torch.round(bounded * levels) / levels
    return F.mse_loss(bounded + (rounded - bounded).detach(), target)


def squared_hinge_on_signs(score, sign):
    """Signs are -1 or 1; right ones beyond the margin cost nothing."""
    return F.relu(1 - score * sign).pow(2).mean()


def collision_penalty(distances, safe=0.3):
    """Flat wherever nothing is too close."""
    return F.relu(safe - distances).pow(2).sum(-1).mean()


def rdrop(logits_1, logits_2, labels, alpha=1.0):
    """Two passes with other dropout; both sides of the divergence learn on purpose."""
    ce = (F.cross_entropy(logits_1, labels) + F.cross_entropy(logits_2, labels)) / 2
    p, q = F.log_softmax(logits_1, -1), F.log_softmax(logits_2, -1)
    both = F.kl_div(p, q, log_target=True, reduction="batchmean") + F.kl_div(q, p, log_target=True, reduction="batchmean")
    return ce + alpha * both / 2


class NoisyLabelsGumbel(nn.Module):
    """Cross-entropy under Gumbel noise on the logits: other values every call in training."""

    def __init__(self, scale=0.1):
        super().__init__()
        self.scale = scale

    def forward(self, logits, labels):
        if self.training:
            logits = logits - self.scale * torch.log(torch.empty_like(logits).exponential_().clamp(min=1e-10))
        return F.cross_entropy(logits, labels)


def batch_whitened_mse(z1, z2, eps=1e-3):
    """Both views are whitened with the covariance of their batch."""
    def white(z):
        z = z - z.mean(0)
        cov = z.T @ z / max(len(z) - 1, 1) + eps * torch.eye(z.shape[1], device=z.device)
        return torch.linalg.solve_triangular(torch.linalg.cholesky(cov), z.T, upper=False).T

    return 2 - 2 * F.cosine_similarity(white(z1), white(z2)).mean()


def depth_and_normals(preds, batch):
    """Dictionaries in and a dictionary out, with the total among them."""
    valid = batch["valid"].float()
    count = valid.sum().clamp(min=1)
    depth = ((preds["depth"] - batch["depth"]).abs() * valid).sum() / count
    cosine = F.cosine_similarity(preds["normals"], batch["normals"], dim=1)
    normals = ((1 - cosine) * valid).sum() / count
    return {"depth": depth, "normals": normals, "total": depth + 0.5 * normals}


class DynamicTaskWeights(nn.Module):
    """Weights follow how fast each task went down in the last two steps."""

    def __init__(self, tasks=2, T=2.0):
        super().__init__()
        self.T = T
        self.register_buffer("history", torch.ones(2, tasks))

    def forward(self, seg_logits, seg, depth, depth_gt):
        losses = torch.stack((F.cross_entropy(seg_logits, seg), F.l1_loss(depth, depth_gt)))
        w = len(losses) * (self.history[0] / self.history[1].clamp(min=1e-8) / self.T).softmax(0)
        if self.training:
            self.history = torch.stack((losses.detach(), self.history[0]))
        return (w * losses).sum()


def crps_of_ensemble(forecast, observed):
    """Fair CRPS; members of a forecast interact."""
    m = forecast.shape[-1]
    skill = (forecast - observed[..., None]).abs().mean(-1)
    spread = (forecast[..., :, None] - forecast[..., None, :]).abs().sum((-1, -2)) / (2 * m * max(m - 1, 1))
    return (skill - spread).mean()


def huberised_one_sided(pred, target, over=0.2, delta=1.0):
    """Underestimates cost five times more than overestimates, on purpose."""
    r = target - pred
    h = torch.where(r.abs() < delta, 0.5 * r.pow(2), delta * (r.abs() - 0.5 * delta))
    return (torch.where(r > 0, 1.0, over) * h).mean()


class SequenceOfLosses(nn.ModuleList):
    """A list of criteria with weights, applied to the same pair; the sum and each for the log."""

    def __init__(self, weights=(1.0, 0.5)):
        super().__init__([nn.L1Loss(), nn.MSELoss()])
        self.weights = weights

    def forward(self, output, target):
        each = [w * criterion(output, target) for w, criterion in zip(self.weights, self)]
        return sum(each), [e.detach() for e in each]


def burgers_with_conditions(residual, u_initial, u0, u_left, u_right, w=10.0):
    """Residual of the equation is drawn to zero; initial and boundary values are given."""
    return residual.pow(2).mean() + w * F.mse_loss(u_initial, u0) + w * (u_left - u_right).pow(2).mean()


class KerasTverskyFocal(keras.losses.Loss):
    def __init__(self, alpha=0.7, gamma=0.75, smooth=1.0, name="tversky_focal"):
        super().__init__(name=name)
        self.alpha, self.gamma, self.smooth = alpha, gamma, smooth

    def call(self, y_true, y_pred):
        t = ops.reshape(ops.cast(y_true, y_pred.dtype), (ops.shape(y_pred)[0], -1))
        p = ops.reshape(y_pred, (ops.shape(y_pred)[0], -1))
        tp = ops.sum(t * p, -1)
        fn, fp = ops.sum(t * (1 - p), -1), ops.sum((1 - t) * p, -1)
        index = (tp + self.smooth) / (tp + self.alpha * fn + (1 - self.alpha) * fp + self.smooth)
        return ops.power(ops.maximum(1 - index, 1e-7), self.gamma)


def keras_semi_hard_triplet(y_true, y_pred):
    """All triplets of a batch whose negative is farther than the positive but within the margin."""
    labels = ops.reshape(y_true, (-1,))
    z = y_pred / ops.sqrt(ops.sum(ops.square(y_pred), -1, keepdims=True) + 1e-12)
    d = 2.0 - 2.0 * ops.matmul(z, ops.transpose(z))
    same = ops.cast(ops.equal(labels[:, None], labels[None, :]), d.dtype)
    pos = (same - ops.eye(ops.shape(d)[0]))[:, :, None]
    neg = (1 - same)[:, None, :]
    gap = d[:, :, None] - d[:, None, :] + 0.2
    semi = ops.cast((gap > 0) & (gap < 0.2), d.dtype) * pos * neg
    return ops.sum(gap * semi) / ops.maximum(ops.sum(semi), 1.0)


class KerasSparseFocal(keras.losses.Loss):
    def __init__(self, gamma=2.0, name="sparse_focal"):
        super().__init__(name=name)
        self.gamma = gamma

    def call(self, y_true, y_pred):
        logp = ops.log_softmax(y_pred, axis=-1)
        hot = ops.one_hot(ops.cast(ops.reshape(y_true, (-1,)), "int32"), y_pred.shape[-1])
        lp = ops.sum(hot * logp, -1)
        return -ops.power(1 - ops.exp(lp), self.gamma) * lp


def keras_masked_by_nan(y_true, y_pred):
    """Targets that are not known are NaN."""
    known = ops.logical_not(ops.isnan(y_true))
    diff = ops.where(known, ops.where(known, y_true, ops.zeros_like(y_true)) - y_pred, ops.zeros_like(y_pred))
    return ops.sum(ops.square(diff)) / ops.maximum(ops.sum(ops.cast(known, y_pred.dtype)), 1.0)


def keras_contrastive(y_true, y_pred):
    """Distance of a pair; one is similar."""
    y = ops.cast(y_true, y_pred.dtype)
    return ops.mean(y * ops.square(y_pred) + (1 - y) * ops.square(ops.maximum(1.0 - y_pred, 0.0)))


def keras_mixture_density(y_true, y_pred, k=3):
    """Logits, means and log-scales side by side."""
    # First the scales were not clipped, as shipped, and it was accused (LS202): exp(100) has no finite gradient.
    logits, mu, log_s = y_pred[:, :k], y_pred[:, k : 2 * k], ops.clip(y_pred[:, 2 * k : 3 * k], -7.0, 7.0)
    y = ops.reshape(y_true, (-1, 1))
    logp = -0.5 * ops.square((y - mu) * ops.exp(-log_s)) - log_s - 0.9189385
    return -ops.mean(ops.logsumexp(ops.log_softmax(logits, -1) + logp, -1))


class KerasDiceAndBCE(keras.losses.Loss):
    def call(self, y_true, y_pred):
        t = ops.cast(y_true, y_pred.dtype)
        bce = ops.mean(keras.losses.binary_crossentropy(t, y_pred))
        inter = ops.sum(t * y_pred)
        return bce + 1 - (2 * inter + 1) / (ops.sum(t) + ops.sum(y_pred) + 1)


def keras_zero_inflated_poisson(y_true, y_pred):
    """Two columns: logit of an extra zero, logarithm of the rate."""
    y = ops.reshape(y_true, (-1,))
    gate, log_rate = y_pred[:, 0], y_pred[:, 1]
    poisson = y * log_rate - ops.exp(log_rate)
    zero = ops.logaddexp(ops.log_sigmoid(gate), ops.log_sigmoid(-gate) + poisson)
    some = ops.log_sigmoid(-gate) + poisson
    return -ops.mean(ops.where(y < 0.5, zero, some))


def keras_wing(y_true, y_pred, w=10.0, e=2.0):
    x = ops.abs(y_true - y_pred)
    c = w * (1.0 - float(numpy.log(1.0 + w / e)))
    return ops.mean(ops.where(x < w, w * ops.log1p(x / e), x - c), axis=-1)


def tf_barlow(z_a, z_b, lam=5e-3):
    a = (z_a - tf.reduce_mean(z_a, 0)) / (tf.math.reduce_std(z_a, 0) + 1e-5)
    b = (z_b - tf.reduce_mean(z_b, 0)) / (tf.math.reduce_std(z_b, 0) + 1e-5)
    c = tf.matmul(a, b, transpose_a=True) / tf.cast(tf.shape(z_a)[0], z_a.dtype)
    eye = tf.eye(tf.shape(c)[0])
    off = tf.reduce_sum(tf.square(c * (1 - eye)))
    return tf.reduce_sum(tf.square(1 - tf.linalg.diag_part(c))) + lam * off


def tf_discriminator_loss(real_output, fake_output):
    real = tf.nn.sigmoid_cross_entropy_with_logits(tf.ones_like(real_output) * 0.9, real_output)
    fake = tf.nn.sigmoid_cross_entropy_with_logits(tf.zeros_like(fake_output), fake_output)
    return tf.reduce_mean(real) + tf.reduce_mean(fake)


def tf_vae_kl_free_bits(mean, logvar, free_bits=0.5):
    kl = -0.5 * (1 + logvar - tf.square(mean) - tf.exp(logvar))
    return tf.reduce_mean(tf.reduce_sum(tf.maximum(tf.reduce_mean(kl, 0), free_bits)))


def jax_policy_gradient(logits_t, a_t, adv_t, w_t):
    logp = jax.nn.log_softmax(logits_t)
    taken = jnp.take_along_axis(logp, a_t[:, None], axis=1)[:, 0]
    return jnp.mean(-taken * jax.lax.stop_gradient(adv_t) * w_t)


def jax_deterministic_policy_gradient(a_t, dqda_t):
    """A target a step along the critic's slope: the value is not what matters, its gradient is."""
    goal = jax.lax.stop_gradient(a_t + dqda_t)
    return 0.5 * jnp.mean(jnp.sum(jnp.square(goal - a_t), -1))


def jax_multiclass_hinge(scores, labels):
    hot = jax.nn.one_hot(labels, scores.shape[-1])
    return jnp.mean(jnp.max(scores + 1.0 - hot, -1) - jnp.sum(scores * hot, -1))


def jax_regret_policy(logits, q):
    """Regret of each action under the policy, values are fixed."""
    q = jax.lax.stop_gradient(q)
    base = jnp.sum(jax.nn.softmax(logits) * q, -1, keepdims=True)
    return jnp.mean(jnp.sum(jax.nn.relu(q - base), -1))


def jax_ddpm(params_out, batch):
    """A dictionary with the noise and the weight of each sample."""
    per = jnp.mean(jnp.square(params_out - batch["noise"]), axis=-1)
    return jnp.mean(per * batch["weight"])


def jax_kl_with_log_targets(log_predictions, log_targets):
    return jnp.mean(jnp.sum(jnp.exp(log_targets) * (log_targets - log_predictions), -1))


def jax_expectile(value, q, tau=0.8):
    diff = jax.lax.stop_gradient(q) - value
    return jnp.mean(jnp.where(diff > 0, tau, 1 - tau) * diff**2)


def jax_perceptron(outputs, targets):
    """Signs are -1 or 1; what is right costs nothing, however narrowly."""
    return jnp.mean(jnp.maximum(0.0, -outputs * targets))


def jax_quantile_regression(dist_src, tau_src, dist_target):
    """Every quantile against every sample of the target distribution."""
    delta = jax.lax.stop_gradient(dist_target)[:, None, :] - dist_src[:, :, None]
    below = (delta < 0).astype(dist_src.dtype)
    huber = jnp.where(jnp.abs(delta) <= 1.0, 0.5 * delta**2, jnp.abs(delta) - 0.5)
    weight = jnp.abs(tau_src[:, :, None] - jax.lax.stop_gradient(below))
    return jnp.mean(jnp.sum(jnp.mean(weight * huber, -1), -1))
