# ruff: noqa
# fmt: off
# Losses of embeddings, sequences and pairs of networks, restated from memory of public reports. Above each stand the
# class of its defect and the codes that name it rightly; `mend:` is what the line says once it is repaired.

# non-finite gradient: LS103 LS104 LS202
def triplet_loss(anchor, positive, negative, margin=0.3):
    near = ((anchor - positive) ** 2).sum(1).sqrt()  # mend: near = (((anchor - positive) ** 2).sum(1) + 1e-12).sqrt()
    far = (((anchor - negative) ** 2).sum(1) + 1e-12).sqrt()
    return F.relu(near - far + margin).mean()


# non-finite gradient: LS103 LS104 LS202
def batch_hard_triplet(embeddings, labels, margin=0.3):
    square = (embeddings[:, None] - embeddings[None]).pow(2).sum(-1)
    distance = square.sqrt()  # mend: distance = square.clamp(min=1e-12).sqrt()
    same = labels[:, None] == labels[None]
    near = (distance * same).max(1).values
    far = distance.masked_fill(same, 1e6).min(1).values
    return F.relu(near - far + margin).mean()


# wrong formula: LS701 LS105 LS207 LS106
def batch_hard_own_negative(embeddings, labels, margin=0.3):
    square = (embeddings[:, None] - embeddings[None]).pow(2).sum(-1)
    distance = square.clamp(min=1e-12).sqrt()
    same = labels[:, None] == labels[None]
    near = (distance * same).max(1).values
    far = (distance * ~same).min(1).values  # mend: far = distance.masked_fill(same, 1e6).min(1).values
    return F.relu(near - far + margin).mean()


# empty batch: LS204 LS201
def supervised_contrastive(features, labels, temperature=0.1):
    z = F.normalize(features, dim=1)
    sim = z @ z.T / temperature
    itself = torch.eye(len(z), dtype=torch.bool, device=z.device)
    positive = (labels[:, None] == labels[None]) & ~itself
    log_p = sim - torch.logsumexp(sim.masked_fill(itself, -1e9), dim=1, keepdim=True)
    return -((log_p * positive).sum(1) / positive.sum(1)).mean()  # mend: return -((log_p * positive).sum(1) / positive.sum(1).clamp(min=1)).mean()


# wrong formula: LS701
def info_nce_unmasked(z1, z2, temperature=0.5):
    z = F.normalize(torch.cat([z1, z2]), dim=1)
    sim = z @ z.T / temperature
    itself = torch.eye(len(z), dtype=torch.bool, device=z.device)
    sim = sim + 0 * itself  # mend: sim = sim.masked_fill(itself, float("-inf"))
    other = torch.arange(len(z), device=z.device).roll(len(z1))
    return F.cross_entropy(sim, other)


# device hard-coded: LS603
def clip_loss(image_features, text_features):
    a, b = F.normalize(image_features, dim=-1), F.normalize(text_features, dim=-1)
    logits = 14.0 * a @ b.T
    labels = torch.arange(len(a))  # mend: labels = torch.arange(len(a), device=a.device)
    return (F.cross_entropy(logits, labels) + F.cross_entropy(logits.T, labels)) / 2


# non-finite gradient: LS202 LS104 LS103 LS201
class ArcFaceLoss(nn.Module):
    def __init__(self, features=8, classes=5, scale=16.0, margin=0.3):
        super().__init__()
        torch.manual_seed(0)
        self.weight = nn.Parameter(torch.randn(classes, features))
        self.scale, self.margin = scale, margin

    def forward(self, embeddings, labels):
        cosine = F.linear(F.normalize(embeddings), F.normalize(self.weight))
        theta = torch.acos(cosine.clamp(-1, 1))  # mend: theta = torch.acos(cosine.clamp(-1 + 1e-6, 1 - 1e-6))
        hot = F.one_hot(labels, cosine.shape[1])
        return F.cross_entropy(self.scale * torch.cos(theta + self.margin * hot), labels)


# state not registered: LS604 LS617
class CentreLoss(nn.Module):
    def __init__(self, classes=5, features=8):
        super().__init__()
        self.centres = torch.zeros(classes, features, requires_grad=True)  # mend: self.centres = nn.Parameter(torch.zeros(classes, features))

    def forward(self, features, labels):
        return ((features - self.centres[labels]) ** 2).sum(1).mean()


# wrong direction: LS701 LS208
def contrastive_pairs(x1, x2, is_same, margin=1.0):
    d = F.pairwise_distance(x1, x2)
    return ((1 - is_same) * d**2 + is_same * F.relu(margin - d) ** 2).mean()  # mend: return (is_same * d**2 + (1 - is_same) * F.relu(margin - d) ** 2).mean()


# wrong direction: LS701 LS208
def cosine_alignment_loss(pred, target):
    return F.cosine_similarity(pred, target, dim=-1).mean()  # mend: return (1 - F.cosine_similarity(pred, target, dim=-1)).mean()


# non-finite value: LS201 LS104 LS202 LS103
def own_cosine_loss(pred, target):
    a = pred / pred.norm(dim=1, keepdim=True)  # mend: a = F.normalize(pred, dim=1)
    b = target / target.norm(dim=1, keepdim=True)  # mend: b = F.normalize(target, dim=1)
    return (1 - (a * b).sum(1)).mean()


# wrong direction: LS701 LS208
def ranking_loss(pos_score, neg_score, margin=1.0):
    return F.relu(margin + pos_score - neg_score).mean()  # mend: return F.relu(margin - pos_score + neg_score).mean()


# wrong direction: LS701 LS208
def bpr_loss(positive_scores, negative_scores):
    return torch.log(torch.sigmoid(positive_scores - negative_scores) + 1e-8).mean()  # mend: return -F.logsigmoid(positive_scores - negative_scores).mean()


# wrong direction: LS701 LS208
def discriminator_loss(real_logits, fake_logits):
    real = F.binary_cross_entropy_with_logits(real_logits, torch.zeros_like(real_logits))  # mend: real = F.binary_cross_entropy_with_logits(real_logits, torch.ones_like(real_logits))
    fake = F.binary_cross_entropy_with_logits(fake_logits, torch.ones_like(fake_logits))  # mend: fake = F.binary_cross_entropy_with_logits(fake_logits, torch.zeros_like(fake_logits))
    return (real + fake) / 2


# wrong direction: LS701 LS208
def hinge_d_loss(real_pred, fake_pred):
    return F.relu(1 + real_pred).mean() + F.relu(1 - fake_pred).mean()  # mend: return F.relu(1 - real_pred).mean() + F.relu(1 + fake_pred).mean()


# gradient into the target: LS107
def distillation(student_logits, teacher_logits, T=4.0):
    soft = F.softmax(teacher_logits / T, dim=1)  # mend: soft = F.softmax(teacher_logits.detach() / T, dim=1)
    return F.kl_div(F.log_softmax(student_logits / T, dim=1), soft, reduction="batchmean") * T**2


# input without effect: LS106
def distil_with_labels(student_logits, teacher_logits, labels, alpha=0.5):
    soft = F.kl_div(F.log_softmax(teacher_logits.detach(), 1), F.softmax(teacher_logits.detach(), 1), reduction="batchmean")  # mend: soft = F.kl_div(F.log_softmax(student_logits, 1), F.softmax(teacher_logits.detach(), 1), reduction="batchmean")
    return alpha * soft + (1 - alpha) * F.cross_entropy(student_logits, labels)


# scale of a setting: LS503 LS805 LS209 LS706
def distil_scale(student_logits, teacher_logits, temperature=8.0):
    soft = F.softmax(teacher_logits.detach() / temperature, dim=1)
    return F.kl_div(F.log_softmax(student_logits / temperature, dim=1), soft, reduction="batchmean")  # mend: return F.kl_div(F.log_softmax(student_logits / temperature, dim=1), soft, reduction="batchmean") * temperature**2


# logits and probabilities: LS803
def ctc_loss(probs, targets, input_lengths, target_lengths):
    log_probs = probs.softmax(2)  # mend: log_probs = probs.log_softmax(2)
    return F.ctc_loss(log_probs.transpose(0, 1), targets, input_lengths, target_lengths, zero_infinity=True)


# padding counted: LS106 LS507 LS205
def sequence_mse(pred, target, lengths):
    inside = torch.arange(pred.shape[1], device=pred.device)[None] < lengths[:, None]
    value = (pred - target) ** 2
    return value.mean() + 0.0 * inside.sum()  # mend: return (value * inside).sum() / inside.sum().clamp(min=1)


# mask not removed: LS205 LS103 LS201
def masked_log_likelihood(log_probs, tokens, mask):
    picked = log_probs.gather(2, tokens.unsqueeze(2)).squeeze(2)
    return -(picked * mask).sum() / mask.sum().clamp(min=1)  # mend: return -torch.where(mask.bool(), picked, torch.zeros_like(picked)).sum() / mask.sum().clamp(min=1)


# padding counted: LS205 LS507 LS503 LS505 LS501 LS504
def seq2seq_loss(logits, targets, mask):
    ce = F.cross_entropy(logits.transpose(1, 2), targets, reduction="none")
    return (ce * mask).sum() / mask.numel()  # mend: return (ce * mask).sum() / mask.sum().clamp(min=1)


# wrong direction: LS701 LS208
def dpo_loss(policy_chosen_logps, policy_rejected_logps, ref_chosen_logps, ref_rejected_logps, beta=0.1):
    policy = policy_rejected_logps - policy_chosen_logps  # mend: policy = policy_chosen_logps - policy_rejected_logps
    reference = ref_rejected_logps - ref_chosen_logps  # mend: reference = ref_chosen_logps - ref_rejected_logps
    return -F.logsigmoid(beta * (policy - reference)).mean()


# wrong direction: LS701 LS208
def ppo_loss(log_probs, old_log_probs, advantages, clip=0.2):
    ratio = torch.exp(log_probs - old_log_probs)
    return torch.min(ratio * advantages, ratio.clamp(1 - clip, 1 + clip) * advantages).mean()  # mend: return -torch.min(ratio * advantages, ratio.clamp(1 - clip, 1 + clip) * advantages).mean()


# missing gradient: LS105 LS101 LS106 LS109
class GradientPenalty(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.critic = nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 1))

    def forward(self, embeddings):
        x = embeddings if embeddings.requires_grad else embeddings.detach().requires_grad_()
        (grad,) = torch.autograd.grad(self.critic(x).sum(), x)  # mend: (grad,) = torch.autograd.grad(self.critic(x).sum(), x, create_graph=True)
        return ((grad.norm(dim=1) - 1) ** 2).mean()
