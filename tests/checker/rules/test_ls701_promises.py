"""LS701 where names promise a direction, an overlap or a layout: each fault beside its nearest innocent neighbour."""

import pytest
import torch
import torch.nn.functional as F
from ruletest import answer, subject_of

from lossmith.checker.rules import ls701_perfect_prediction_not_optimal as rule


def pixels_in_the_order_of_memory(logits, target):
    log_p = logits.reshape(-1, logits.shape[1]).log_softmax(1)
    return F.nll_loss(log_p, target.reshape(-1))


def pixels_with_their_classes(logits, target):
    rows = logits.permute(0, 2, 3, 1).reshape(-1, logits.shape[1]) if logits.ndim == 4 else logits
    return F.nll_loss(rows.log_softmax(1), target.reshape(-1))


class ClassesLast(torch.nn.Module):
    """For sequences and images alike, as long as the classes come last: it also takes them second, and is not meant."""

    def forward(self, logits, labels):
        return F.cross_entropy(logits.reshape(-1, 5), labels.reshape(-1))


def classes_of_samples(logits, labels):
    return F.nll_loss(logits.log_softmax(0), labels)


def classes_moved_to_their_place(logits, labels):
    return F.nll_loss(logits.T.log_softmax(0).T, labels)


def discriminator_loss(real_logits, fake_logits):
    return F.softplus(real_logits).mean() + F.softplus(-fake_logits).mean()


def discriminator_loss_the_right_way(real_logits, fake_logits):
    return F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()


def critic_loss(real_scores, fake_scores):
    """Linear: the critic of a generator that turns the sign as well."""
    return real_scores.mean() - fake_scores.mean()


def generator_loss(real_logits, fake_logits):
    return F.softplus(real_logits - fake_logits).mean()


def clipped_policy_loss(log_probs, old_log_probs, advantages):
    ratio = (log_probs - old_log_probs).exp()
    return torch.min(ratio * advantages, ratio.clamp(0.8, 1.2) * advantages).mean()


def negative_clipped_policy_loss(log_probs, old_log_probs, advantages):
    return -clipped_policy_loss(log_probs, old_log_probs, advantages)


def pairs_loss(x1, x2, is_same):
    distance = F.pairwise_distance(x1, x2)
    return ((1 - is_same) * distance**2 + is_same * F.relu(1 - distance) ** 2).mean()


def pairs_with_labels_loss(x1, x2, label):
    """After Hadsell, a label of 0 is a pair that belongs together: the name does not say which."""
    return pairs_loss(x1, x2, label)


def dice_loss_of_halves(logits, target):
    p = logits.sigmoid()
    return 1 - ((p * target).sum() + 1) / (p.sum() + target.sum() + 1)


def dice_loss(logits, target):
    p = logits.sigmoid()
    return 1 - (2 * (p * target).sum() + 1) / (p.sum() + target.sum() + 1)


def triplet_with_itself_loss(embeddings, labels):
    distance = torch.cdist(embeddings, embeddings)
    same = labels[:, None] == labels
    return F.relu((distance * same).amax(1) - (distance * ~same).amin(1) + 0.3).mean()


def triplet_loss(embeddings, labels):
    distance = torch.cdist(embeddings, embeddings)
    same = labels[:, None] == labels
    return F.relu((distance * same).amax(1) - distance.masked_fill(same, 1e9).amin(1) + 0.3).mean()


def overlap(boxes, target):
    left, right = torch.maximum(boxes[:, :2], target[:, :2]), torch.minimum(boxes[:, 2:], target[:, 2:])
    inter = (right - left).clamp(min=0).prod(1)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(1) + (target[:, 2:] - target[:, :2]).prod(1)
    return inter / (area - inter + 1e-7)


def distance_iou_loss(boxes, target):
    far = (boxes - target).abs().sum(1)
    return (1 - overlap(boxes, target) - far / (1 + far)).mean()


def iou_loss(boxes, target):
    """Level where boxes do not touch: no gradient there, and no wrong direction either."""
    return (1 - overlap(boxes, target)).mean()


PAIRS = [
    (pixels_in_the_order_of_memory, pixels_with_their_classes, "classes are mixed with pixels"),
    (pixels_in_the_order_of_memory, ClassesLast(), "classes are mixed with pixels"),
    (classes_of_samples, classes_moved_to_their_place, "the loss looks for the classes on another"),
    (discriminator_loss, discriminator_loss_the_right_way, "it falls as real_logits falls and fake_logits rises"),
    (discriminator_loss, critic_loss, "it falls as real_logits falls"),
    (discriminator_loss, generator_loss, "it falls as real_logits falls"),
    (clipped_policy_loss, negative_clipped_policy_loss, "it falls as log_probs falls where the advantage is positive"),
    (pairs_loss, pairs_with_labels_loss, "it is lowest where two are alike that are not the same"),
    (dice_loss_of_halves, dice_loss, "the overlap can be half at most"),
    (triplet_with_itself_loss, triplet_loss, "where all embeddings are one point"),
    (distance_iou_loss, iou_loss, "it falls as the two move further apart"),
]


@pytest.mark.parametrize(
    ("wrong", "right", "says"), PAIRS, ids=[f"{w.__name__}-{i}" for i, (w, _, _) in enumerate(PAIRS)]
)
def test_the_fault_is_told_and_its_neighbour_is_not(wrong, right, says):
    _, (found,) = answer(rule, wrong)
    assert found.severity == "error"
    assert says in found.message
    assert answer(rule, right)[1] == []


def by_number(preds, target, quantiles=(0.1, 0.5, 0.9)):
    errors = [target - preds[:, i] for i in range(3)]
    return sum(torch.maximum(q * e, (q - 1) * e).mean() for q, e in zip(quantiles, errors, strict=True))


def test_several_quantiles_are_no_classes():
    """Labels used as numbers were once read as class numbers, off by one."""
    assert subject_of(by_number).contract.kinds() == ("real", "real")
    assert answer(rule, by_number)[1] == []


def smooth_l1(whole):
    def smooth_l1_loss(pred, target, beta=1.0):
        residual = pred - target
        near = residual.abs() < beta if whole else residual < beta
        return torch.where(near, residual.square() / (2 * beta), residual.abs() - beta / 2).mean()

    return smooth_l1_loss


def asymmetric_l1_loss(pred, target):
    return torch.where(pred > target, 3 * (pred - target), target - pred).mean()


def normalised_mse(pred, target):
    """Of residuals, measured by what is predicted: not of residuals alone."""
    return ((pred - target).square() / (1 + pred.square())).mean()


def test_a_residual_loss_by_name_is_even():
    status, found = answer(rule, smooth_l1(False))
    assert status.status == "failed"
    assert found[0].severity == "warning"
    assert "on the other" in found[0].message
    assert answer(rule, smooth_l1(True))[0].status == "passed"
    assert answer(rule, asymmetric_l1_loss)[1] == []
    assert answer(rule, normalised_mse, pred="real[N,C]", target="real[N,C]")[1] == []


def similarity(sign):
    def structure_loss(img1, img2):
        means = [F.avg_pool2d(image, 3, 1) for image in (img1, img2)]
        spreads = [F.avg_pool2d(image**2, 3, 1) - mean**2 for image, mean in zip((img1, img2), means, strict=True)]
        common = F.avg_pool2d(img1 * img2, 3, 1) - means[0] * means[1]
        found = (2 * means[0] * means[1] + 1e-4) * (2 * common + 1e-3)
        found = found / ((means[0] ** 2 + means[1] ** 2 + 1e-4) * (spreads[0] + spreads[1] + 1e-3))
        return 1 - found.mean() if sign > 0 else found.mean()

    return structure_loss


def test_two_images_by_number_are_to_be_alike():
    assert answer(rule, similarity(-1))[0].status == "failed"
    assert answer(rule, similarity(1))[1] == []


def test_whole_numbers_for_pixels_are_classes_whatever_they_are_called():
    def mixed(logits, parts):
        return F.cross_entropy(logits.reshape(-1, logits.shape[1]), parts.reshape(-1))

    def moved(logits, parts):
        return F.cross_entropy(logits.movedim(1, -1).reshape(-1, logits.shape[1]), parts.reshape(-1))

    assert "classes are mixed with pixels" in answer(rule, mixed)[1][0].message
    assert answer(rule, moved)[1] == []
