"""Losses for classes against the code that their authors published, and what the faces do that no generic test asks."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch_cases.data import WEIGHT, C, binary, classes, close, gradients

import lossmith.torch as faces
from lossmith.errors import SettingError, ShapeError

COUNTS = torch.tensor([500.0, 3.0, 40.0, 7.0], dtype=torch.float64)


def agree(ours, theirs, arrays):
    for got, want in zip(gradients(ours, arrays), gradients(theirs, arrays), strict=True):
        close(got, want, rtol=1e-9)


def drawn(data, seed=3):
    return data(torch.Generator().manual_seed(seed))


def hard(seed=3):
    x, y = drawn(binary, seed)
    return x, y.round()


def authors_asl(x, y, detached=False, gamma_neg=4.0, gamma_pos=1.0, clip=0.05):
    """Ridnik et al.: the sum over batch and labels; the focusing factor is detached by their default."""
    p = torch.sigmoid(x)
    missed = (1.0 - p + clip).clamp(max=1.0)
    seen = p * y + missed * (1.0 - y)
    factor = (1.0 - seen) ** (gamma_pos * y + gamma_neg * (1.0 - y))
    cost = y * p.log() + (1.0 - y) * missed.log()
    return -((factor.detach() if detached else factor) * cost).sum()


def authors_ldam(x, y, weight=None, max_margin=0.5, scale=30.0):
    margins = 1.0 / COUNTS.sqrt().sqrt()
    margins = margins * (max_margin / margins.max())
    moved = torch.where(F.one_hot(y, C).bool(), x - margins, x)
    return F.cross_entropy(scale * moved, y, weight=weight)


def authors_class_balanced(x, y, beta=0.9999):
    weights = (1.0 - beta) / (1.0 - beta**COUNTS)
    weights = weights / weights.sum() * C
    return (weights[y] * F.cross_entropy(x, y, reduction="none")).mean()


def authors_balanced_softmax(x, y):
    return F.cross_entropy(x + COUNTS.log(), y)


def authors_logit_adjusted(x, y, tau=1.5):
    return F.cross_entropy(x + tau * (COUNTS / COUNTS.sum()).log(), y)


def authors_truncated(x, y, q=0.7, k=0.5):
    p = x.softmax(1).gather(1, y[:, None])[:, 0]
    return torch.where(p > k, (1.0 - p**q) / q, torch.full_like(p, (1.0 - k**q) / q)).mean()


def authors_symmetric(x, y, alpha=0.1, beta=1.0):
    """Wang et al. clamp the target at 1e-4, which makes log 0 = -9.2."""
    reverse = -(x.softmax(1) * F.one_hot(y, C).double().clamp(min=1e-4).log()).sum(1)
    return alpha * F.cross_entropy(x, y) + beta * reverse.mean()


def authors_poly(x, y, epsilon=2.0):
    p = x.softmax(1).gather(1, y[:, None])[:, 0]
    return (F.cross_entropy(x, y, reduction="none") + epsilon * (1.0 - p)).mean()


def smoothed_over_others(x, y, smoothing=0.3):
    target = torch.full_like(x, smoothing / (C - 1)).scatter(1, y[:, None], 1.0 - smoothing)
    return F.cross_entropy(x, target)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (lambda: faces.LDAMLoss(COUNTS), authors_ldam),
        (lambda: faces.ClassBalancedLoss(COUNTS), authors_class_balanced),
        (lambda: faces.BalancedSoftmaxLoss(COUNTS), authors_balanced_softmax),
        (lambda: faces.LogitAdjustedLoss(COUNTS, tau=1.5), authors_logit_adjusted),
        (lambda: faces.LogitAdjustedLoss(COUNTS / COUNTS.sum(), tau=1.5), authors_logit_adjusted),
        (lambda: faces.GeneralizedCrossEntropyLoss(truncation=0.5), authors_truncated),
        (lambda: faces.SymmetricCrossEntropyLoss(log_zero=math.log(1e-4)), authors_symmetric),
        (lambda: faces.PolyLoss(epsilon=2.0), authors_poly),
        (lambda: faces.LabelSmoothing(smoothing=0.3, over="others"), smoothed_over_others),
        (lambda: faces.LabelSmoothing(smoothing=0.3), torch.nn.CrossEntropyLoss(label_smoothing=0.3)),
    ],
    ids=lambda x: getattr(x, "__name__", "torch"),
)
def test_a_face_is_the_loss_that_its_authors_published(ours, theirs):
    agree(ours(), theirs, drawn(classes))


@pytest.mark.parametrize("detached", [False, True])
def test_the_asymmetric_loss_is_that_of_its_authors_with_and_without_a_gradient_through_the_factor(detached):
    face = faces.AsymmetricMultiLabelLoss(stop_focusing=detached, reduction="sum")
    agree(face, lambda x, y: authors_asl(x, y, detached), hard())


def test_stopping_the_factor_changes_the_gradient_and_nothing_else():
    on, off = (gradients(faces.AsymmetricMultiLabelLoss(stop_focusing=stop), hard()) for stop in (False, True))
    assert torch.equal(on[0], off[0])
    assert not torch.allclose(on[1], off[1])


def test_the_two_conventions_of_smoothing_are_one_at_another_amount():
    x, y = drawn(classes)
    every = faces.LabelSmoothing(smoothing=0.4)
    others = faces.LabelSmoothing(smoothing=0.4 * (C - 1) / C, over="others")
    agree(every, others, (x, y))


def test_the_weight_of_ldam_may_come_late_and_its_weighted_mean_is_the_authors():
    face = faces.LDAMLoss(COUNTS, reduction="weighted_mean")
    x, y = drawn(classes)
    close(face(x, y), authors_ldam(x, y))
    face.weight = WEIGHT
    close(face(x, y), authors_ldam(x, y, WEIGHT))
    assert {"class_counts", "weight"} <= set(face.state_dict())


def test_alpha_of_the_softmax_focal_loss_weighs_the_class_of_the_label():
    x = torch.zeros(C, C, dtype=torch.float64)
    each = faces.FocalLoss(alpha=WEIGHT, reduction="none")(x, torch.arange(C))
    close(each, WEIGHT * faces.FocalLoss(reduction="none")(x, torch.arange(C)))


def test_alpha_of_the_binary_focal_loss_weighs_the_positives_of_its_label():
    alpha = torch.tensor([0.9, 0.25, 0.5], dtype=torch.float64)
    x = torch.zeros(2, 3, dtype=torch.float64)
    y = torch.tensor([[1.0, 1.0, 1.0], [0.0, 0.0, 0.0]], dtype=torch.float64)
    each = faces.BinaryFocalLoss(alpha=alpha, reduction="none")(x, y)
    close(each, torch.stack([alpha, 1.0 - alpha]) * math.log(2.0) / 4)
    close(faces.BinaryFocalLoss(alpha=0.9)(x[:, :1], y[:, :1]), torch.tensor(math.log(2.0) / 8, dtype=torch.float64))


def test_multi_label_weights_and_positive_weights_weigh_their_label():
    weight, pos_weight = torch.tensor([1.0, 0.0, 2.0]), torch.tensor([3.0, 5.0, 1.0])
    y = torch.tensor([[1.0, 1.0, 0.0]])
    each = faces.BCEWithLogitsLoss(weight, pos_weight=pos_weight, reduction="none")(torch.zeros(1, 3), y)
    close(each, math.log(2.0) * torch.tensor([[3.0, 0.0, 2.0]]), rtol=1e-6)


@pytest.mark.parametrize("face", [faces.HingeLoss, faces.SquaredHingeLoss])
def test_hinge_targets_may_be_0_and_1_or_signs(face):
    x, y = hard()
    agree(face(), lambda pred, _: face()(pred, 2.0 * y - 1.0), (x, y))
    assert torch.isnan(face()(torch.tensor([torch.nan]), torch.tensor([1.0])))


def test_a_class_without_samples_is_defined_in_every_loss_of_counts():
    counts, x = [4.0, 0.0, 1.0], torch.zeros(2, 3, dtype=torch.float64)
    y = torch.tensor([0, 2])
    close(faces.LogitAdjustedLoss(counts)(x, y), -(torch.tensor([0.8, 0.2]).double().log()).mean(), rtol=1e-6)
    for face in (faces.LDAMLoss(counts), faces.ClassBalancedLoss(counts), faces.LogitAdjustedLoss(counts)):
        value, slope = gradients(face, (x, y))
        assert value.isfinite()
        assert slope.isfinite().all()
    assert faces.ClassBalancedLoss(counts)(x, torch.tensor([1, 1])) == 0.0


@pytest.mark.parametrize(
    "counts", [[1.0, -1.0], [0.0, 0.0], [1.0, math.inf], [1.0, math.nan], [], torch.ones(2, 2), 3.0]
)
def test_counts_that_are_none_are_refused_when_the_face_is_built(counts):
    with pytest.raises(SettingError, match="BalancedSoftmaxLoss: class_counts must be"):
        faces.BalancedSoftmaxLoss(counts)


def test_counts_of_another_number_of_classes_are_refused():
    with pytest.raises(ShapeError, match="class_counts"):
        faces.LDAMLoss([1.0, 2.0])(torch.zeros(2, 3), torch.tensor([0, 1]))
