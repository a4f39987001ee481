"""The contract of a loss is found by calling it: what it takes, in which order, with how much certainty."""

from math import log, pi

import pytest
import torch
import torch.nn.functional as F
from ruletest import subject_of
from torch import nn

from lossmith.checker.infer import infer
from lossmith.checker.subject import Subject
from lossmith.errors import ContractError


def mse(pred, target):
    return ((pred - target) ** 2).mean()


def rmse(pred, target):
    return ((pred - target) ** 2).mean().sqrt()


def mse_of_the_last_axis(pred, target):
    return ((pred - target) ** 2).sum(-1).mean()


def keras_order(y_true, y_pred):
    return F.softplus(y_pred).mean() - (y_true * y_pred).mean()


def pinball(pred, target):
    e = target - pred
    return torch.maximum(0.9 * e, -0.1 * e).mean()


def squared_log(pred, target):
    return ((pred.log() - target.log()) ** 2).mean()


def bce_on_probabilities(p, t):
    return -(t * p.log() + (1 - t) * (1 - p).log()).mean()


def clamped_bce(p, t):
    p = p.clamp(1e-6, 1 - 1e-6)
    return -(t * p.log() + (1 - t) * (1 - p).log()).mean()


def dice_on_logits(x, t):
    p = torch.sigmoid(x)
    return 1 - (2 * (p * t).sum() + 1) / (p.sum() + t.sum() + 1)


def hinge(x, y):
    return F.relu(1 - x * y).mean()


def focal_by_index(x, t):
    log_p = F.log_softmax(x, 1).gather(1, t[:, None]).squeeze(1)
    return (-((1 - log_p.exp()) ** 2) * log_p).mean()


def likelihood_of_probabilities(p, t):
    return -p.gather(1, t[:, None]).log().mean()


def smoothed(x, t):
    return F.cross_entropy(x, t, label_smoothing=0.1)


def soft_cross_entropy(x, t):
    return -(t * x.log_softmax(1)).sum(1).mean()


def kl_of_probabilities(p, q):
    return (q * (q.log() - p.log())).sum(1).mean()


def distillation(student, teacher):
    return F.kl_div(student.log_softmax(1), teacher.softmax(1), reduction="batchmean")


def iou(a, b):
    low, high = torch.maximum(a[:, :2], b[:, :2]), torch.minimum(a[:, 2:], b[:, 2:])
    inner = (high - low).clamp(min=0).prod(1)
    area = (a[:, 2:] - a[:, :2]).prod(1) + (b[:, 2:] - b[:, :2]).prod(1) - inner
    center = ((a[:, :2] + a[:, 2:] - b[:, :2] - b[:, 2:]) ** 2).sum(1) / 4
    return (1 - inner / area + center / pi).mean()


def info_nce(a, b):
    a, b = F.normalize(a, dim=1), F.normalize(b, dim=1)
    return F.cross_entropy(a @ b.T / 0.1, torch.arange(len(a)))


def cosine_distance(a, b):
    return (1 - F.cosine_similarity(a, b)).mean()


def supervised_contrastive(z, y):
    z = F.normalize(z, dim=1)
    s = z @ z.T / 0.1
    others = ~torch.eye(len(z), dtype=torch.bool)
    positive = (y[:, None] == y[None]) & others
    log_p = s - (s.exp() * others).sum(1, keepdim=True).log()
    return -((log_p * positive).sum(1) / positive.sum(1).clamp(min=1)).mean()


def triplet(anchor, positive, negative):
    return F.relu((anchor - positive).norm(dim=1) - (anchor - negative).norm(dim=1) + 0.2).mean()


def masked_mse(pred, target, mask):
    return (((pred - target) ** 2) * mask).sum() / mask.sum().clamp(min=1)


def total_variation(image):
    return (image[..., 1:] - image[..., :-1]).abs().mean() + (image[..., 1:, :] - image[..., :-1, :]).abs().mean()


def poisson(rate, count):
    return (rate.exp() - count * rate).mean()


def fused_cross_entropy(hidden, weight, labels):
    return F.cross_entropy(hidden @ weight.t(), labels)


def against_columns(x, labels, w):
    return F.cross_entropy(x @ w, labels)


def hinge_of_distances(distances, labels, margin=1.0):
    return torch.where(labels > 0, distances, torch.clamp(margin - distances, min=0)).mean()


def of_sides(distance, target):
    near, far = distance, F.relu(1.0 - distance)
    return torch.where(target == 1, near, torch.where(target == -1, far, 0 * far)).mean()


def normalised(probs, target):
    shares = probs / probs.sum(-1, keepdim=True)
    return -(target * shares.clamp(1e-7, 1).log()).sum(-1).mean()


FOUND = [
    (mse, "real[N,C], real[N,C]"),
    (rmse, "real[N,C], real[N,C]"),
    (mse_of_the_last_axis, "real[N,C], real[N,C]"),
    (keras_order, "binary[N,C], logits[N,C]"),
    (pinball, "real[N,C], real[N,C]"),
    (squared_log, "positive[N,C], positive[N,C]"),
    (bce_on_probabilities, "prob[N,C], binary[N,C]"),
    (clamped_bce, "prob[N,C], binary[N,C]"),
    (nn.BCEWithLogitsLoss(), "logits[N,C], binary[N,C]"),
    (dice_on_logits, "logits[N,C], binary[N,C]"),
    (hinge, "logits[N,C], pm1[N,C]"),
    (nn.CrossEntropyLoss(), "logits[N,C], index[N]"),
    (focal_by_index, "logits[N,C], index[N]"),
    (smoothed, "logits[N,C], index[N]"),
    (nn.NLLLoss(), "logprob[N,C], index[N]"),
    (likelihood_of_probabilities, "simplex[N,C], index[N]"),
    (soft_cross_entropy, "logits[N,C], onehot[N,C]"),
    (nn.KLDivLoss(reduction="batchmean"), "logprob[N,C], dist[N,C]"),
    (kl_of_probabilities, "simplex[N,C], dist[N,C]"),
    (distillation, "logits[N,C], logits[N,C]"),
    (nn.MultiLabelMarginLoss(), "logits[N,C], labels[N,C]"),
    (iou, "boxes[N,4], boxes[N,4]"),
    (info_nce, "embedding[N,D], embedding[N,D]"),
    (cosine_distance, "embedding[N,D], embedding[N,D]"),
    (supervised_contrastive, "embedding[N,D], index[N]"),
    (triplet, "embedding[N,D], embedding[N,D], embedding[N,D]"),
    (nn.CosineEmbeddingLoss(), "embedding[N,D], embedding[N,D], pm1[N]"),
    (masked_mse, "real[N,C], real[N,C], mask[N,C]"),
    (total_variation, "real[N,C,H,W]"),
    (poisson, "real[N,C], count[N,C]"),
    (fused_cross_entropy, "embedding[N,D], embedding[C,D], index[N]"),
    (against_columns, "embedding[N,D], index[N], embedding[D,C]"),
    (hinge_of_distances, "positive[N], binary[N]"),
    (of_sides, "positive[N], pm1[N]"),
    (normalised, "simplex[N,C], onehot[N,C]"),
]


def inferred(loss):
    return infer(Subject.of(getattr(loss, "__name__", type(loss).__name__), loss))


@pytest.mark.parametrize(("loss", "takes"), FOUND, ids=[getattr(f, "__name__", type(f).__name__) for f, _ in FOUND])
def test_the_contract_is_found(loss, takes):
    contract = inferred(loss)[0]
    assert ", ".join(str(argument.domain) for argument in contract.arguments) == takes
    assert contract.confidence in ("sure", "likely")


def test_the_target_may_come_first():
    assert [argument.role for argument in inferred(keras_order)[0].arguments] == ["target", "pred"]


def worst_of_all(pred, target):
    return -((pred - target) ** 2).mean()


def similarity(pred, target):
    return worst_of_all(pred, target)


def test_a_loss_with_the_wrong_sign_is_read_in_a_mirror():
    contract = inferred(worst_of_all)[0]
    assert (contract.kinds(), contract.confidence) == (("real", "real"), "likely")


def test_a_mirror_is_believed_only_where_a_prediction_belongs_to_its_own_target():
    """One-hot rows that match no label fit a negated distance to class numbers as well as those that do."""

    def every_pair(pred, target):
        error = (pred - target.unsqueeze(1)).abs()
        return torch.where(error < 1, 0.5 * error**2, error - 0.5).mean()

    assert inferred(every_pair)[0].kinds() == ("real", "real")


def test_what_is_called_a_similarity_is_unsure_and_gets_a_second_reading():
    contracts = inferred(similarity)
    assert [contract.confidence for contract in contracts] == ["unsure", "unsure"]
    assert contracts[0].kinds() != contracts[1].kinds()


def test_what_cannot_be_found_is_said_with_what_was_tried():
    def picky(pred, target):
        raise ValueError("only on Sundays")

    with pytest.raises(ContractError) as caught:
        inferred(picky)
    text = str(caught.value)
    assert "picky: what it takes could not be found out" in text
    assert "only on Sundays" in text
    assert "--pred" in text
    assert "example(seed=0)" in text


def test_a_broken_gradient_does_not_hide_the_contract():
    def detached(pred, target):
        return F.mse_loss(pred.detach(), target)

    assert subject_of(detached).contract.kinds() == ("real", "real")


def test_the_test_above_can_fail():
    """Cross entropy read as regression is refused: being right is not being equal there."""
    assert inferred(nn.CrossEntropyLoss())[0].kinds() != ("real", "real")
    assert log(5) == pytest.approx(float(F.cross_entropy(torch.zeros(1, 5), torch.tensor([0]))))


def test_names_speak_against_a_kind():
    def standardised(pred, target):
        t = target - target.mean(0)
        return F.mse_loss(pred, t / (t.std(0, unbiased=False) + 1e-6))

    def soft_iou(logits, mask):
        p = torch.sigmoid(logits)
        inner = (p * mask).sum()
        return 1 - inner / (p.sum() + mask.sum() - inner)

    def angle(emb_a, emb_b):
        return torch.acos(F.cosine_similarity(emb_a, emb_b) * 0.999).mean()

    def teach(teacher_logits, student_logits):
        return F.kl_div(student_logits.log_softmax(1), teacher_logits.softmax(1), reduction="batchmean")

    assert inferred(standardised)[0].kinds() == ("real", "real")
    assert inferred(soft_iou)[0].kinds() == ("logits", "binary")
    assert inferred(angle)[0].kinds() == ("embedding", "embedding")
    assert [argument.role for argument in inferred(teach)[0].arguments] == ["target", "pred"]


def test_a_tolerance_around_the_target_is_still_regression():
    def insensitive(pred, target):
        return F.relu((pred - target).abs() - 0.1).mean()

    assert inferred(insensitive)[0].kinds() == ("real", "real")


def squared_error(predictions, targets=None):
    """As optax has it: without targets it measures the predictions themselves."""
    return (predictions if targets is None else predictions - targets).square().mean()


def test_a_target_that_may_be_left_out_is_a_target():
    (contract, *_) = infer(Subject.of("squared_error", squared_error))
    assert contract.kinds() == ("real", "real")
    assert Subject.of("masked", lambda pred, target, mask=None: pred).parameters == ("pred", "target")
    assert Subject.of("norm", lambda pred, scale=None: pred).parameters == ("pred",)


def without_abs(pred, target):
    return (pred - target).mean()


def without_square(pred, target, weight):
    return ((pred - target) * weight).mean()


@pytest.mark.parametrize("loss", [without_abs, without_square])
def test_a_loss_of_a_difference_is_regression_even_if_nothing_is_best_for_it(loss):
    (contract, *_) = infer(Subject.of(loss.__name__, loss))
    assert contract.kinds()[:2] == ("real", "real")
    assert contract.confidence == "likely"


def negative_binomial(mu, theta, y):
    low, high = torch.log(theta), torch.log(theta + mu)
    gammas = torch.lgamma(y + theta) - torch.lgamma(theta) - torch.lgamma(y + 1)
    return -(theta * (low - high) + y * (torch.log(mu) - high) + gammas).mean()


def one_step(q_sa, rewards, next_q_target, done):
    return F.mse_loss(q_sa, (rewards + 0.9 * next_q_target.max(1).values * (1 - done)).detach())


def with_auxiliary(outputs, labels, aux_outputs):
    return F.cross_entropy(outputs, labels) + 0.4 * F.cross_entropy(aux_outputs, labels)


def odds_ratio(chosen_logps, rejected_logps):
    odds = [one - torch.log(-torch.expm1(one)) for one in (chosen_logps, rejected_logps)]
    return -F.logsigmoid(odds[0] - odds[1]).mean()


def circle(sp, sn):
    return F.softplus(torch.logsumexp(sn, 0) - torch.logsumexp(sp, 0))


def bradley_terry(rating_i, rating_j, outcome):
    return F.binary_cross_entropy_with_logits(rating_i - rating_j, outcome)


def of_two_passes(logits1, logits2, labels):
    return F.cross_entropy(logits1, labels) + F.cross_entropy(logits2, labels)


def of_two_branches(output1, output2, label):
    distance = F.pairwise_distance(output1, output2)
    return ((1 - label) * distance.square() + label * (2.0 - distance).clamp(min=0).square()).mean()


def of_two_heads(scores, labels, deltas, targets):
    return {"loss_class": F.cross_entropy(scores, labels), "loss_box": F.smooth_l1_loss(deltas, targets)}


def of_chosen_columns(q, oracle, chosen):
    return (q - oracle).square().gather(1, chosen[:, None]).mean()


def entropy_of_tokens(logits, attn_mask):
    log_p = logits.log_softmax(-1)
    return -((log_p.exp() * log_p).sum(-1) * attn_mask).sum() / attn_mask.sum()


def off_the_diagonal(att, text_lens, mel_lens):
    t, s = (torch.arange(att.shape[i]) / lens[:, None] for i, lens in ((1, mel_lens), (2, text_lens)))
    kept = (t < 1)[:, :, None] & (s < 1)[:, None, :]
    return (att * (t[:, :, None] - s[:, None, :]).square() * kept).sum() / kept.sum()


NAMED = [
    (of_two_heads, ("logits", "index", "real", "real")),
    (of_chosen_columns, ("real", "real", "index")),
    (entropy_of_tokens, ("logits", "mask")),
    (off_the_diagonal, ("prob", "lengths", "lengths")),
    (of_two_passes, ("logits", "logits", "index")),
    (of_two_branches, ("embedding", "embedding", "binary")),
    (bradley_terry, ("real", "real", "binary")),
    (negative_binomial, ("positive", "positive", "count")),
    (one_step, ("real", "real", "real", "binary")),
    (with_auxiliary, ("logits", "index", "logits")),
    (odds_ratio, ("logprob", "logprob")),
    (circle, ("real", "real")),
]


@pytest.mark.parametrize(("loss", "kinds"), NAMED)
def test_names_of_several_arguments_are_read_together(loss, kinds):
    assert infer(Subject.of(loss.__name__, loss))[0].kinds() == kinds


def test_only_what_is_called_so_is_a_length():
    def weighed(eps_pred, eps, snr):
        return ((snr.clamp(max=5.0) / snr) * (eps_pred - eps).square().mean(1)).mean()

    assert "lengths" not in infer(Subject.of("weighed", weighed))[0].kinds()


def next_token(logits, labels):
    return F.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), ignore_index=-100)


def tokens_of_a_teacher(student_logits, teacher_logits, attention_mask):
    value = F.kl_div(student_logits.log_softmax(-1), teacher_logits.softmax(-1), reduction="none").sum(-1)
    return (value * attention_mask).sum() / attention_mask.sum()


def grouped_policy(logps, advantages, completion_mask):
    ratio = torch.exp(logps - logps.detach())
    return -(ratio * advantages.unsqueeze(1) * completion_mask).sum() / completion_mask.sum()


def of_what_was_observed(pred, target, observed):
    return ((pred - target) ** 2 * observed).sum() / observed.sum()


@pytest.mark.parametrize(
    ("loss", "kinds", "ahead"),
    [
        (next_token, ("logits[N,T,C]", "index[N,T]"), 1),
        (tokens_of_a_teacher, ("logits[N,T,C]", "logits[N,T,C]", "mask[N,T]"), 0),
        (grouped_policy, ("real[N,T]", "real[N]", "mask[N,T]"), 0),
        (of_what_was_observed, ("real[N,C]", "real[N,C]", "mask[N,C]"), 0),
    ],
)
def test_steps_of_a_language_model_and_masks_beside_them(loss, kinds, ahead):
    found = infer(Subject.of(loss.__name__, loss))[0]
    assert (tuple(str(one.domain) for one in found.arguments), found.ahead) == (kinds, ahead)


def test_classes_that_a_part_holds_a_weight_for():
    class Heads(nn.Module):
        def __init__(self):
            super().__init__()
            self.parts = [nn.CrossEntropyLoss(weight=torch.tensor([0.5, 1.0, 2.0]))]

        def forward(self, logits, labels):
            return self.parts[0](logits, labels)

    assert infer(Subject.of("Heads", Heads()))[0].sizes == {"C": 3}


class Centres(nn.Module):
    def __init__(self, num_classes=10, feat_dim=2):
        super().__init__()
        self.num_classes = num_classes
        self.centres = nn.Parameter(torch.randn(num_classes, feat_dim))

    def forward(self, x, labels):
        own = labels[:, None] == torch.arange(self.num_classes, device=x.device)
        return (torch.cdist(x, self.centres).square() * own).clamp(1e-12, 1e12).sum() / len(x)


def test_a_matrix_that_is_held_has_a_row_for_each_class():
    found = infer(Subject.of("Centres", Centres()))[0]
    assert (found.kinds(), found.sizes) == (("embedding", "index"), {"C": 10, "D": 2})
