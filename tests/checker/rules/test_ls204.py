"""LS204: a batch in which nothing is selected."""

import pytest
import torch
import torch.nn.functional as F
from ruletest import answer, printed
from torch import nn

from lossmith.checker.rules import ls204_empty_selection_nan as rule


def mean_over_positives(logits, target):
    loss = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return loss[target == 1].mean()


class MaskedMSE(nn.Module):
    def forward(self, pred, target, mask):
        return (((pred - target) ** 2) * mask).sum() / mask.sum()


class OwnIgnore(nn.Module):
    def __init__(self, ignore_index=-1):
        super().__init__()
        self.ignore_index = ignore_index

    def forward(self, logits, target):
        kept = target != self.ignore_index
        return F.cross_entropy(logits[kept], target[kept])


def dice_of_images(probs, masks):
    inner = (probs * masks).sum((1, 2, 3))
    return (1 - 2 * inner / (probs.sum((1, 2, 3)) + masks.sum((1, 2, 3)))).mean()


def over_present_classes(logits, target):
    total, seen = 0.0, 0
    for c in range(1, logits.shape[1]):
        if bool((target == c).any()):
            total, seen = total + F.softplus(-logits[target == c, c]).mean(), seen + 1
    return total / seen


def bce_without_guard(p, t):
    return -(t * p.log() + (1 - t) * (1 - p).log()).mean()


def counted(logits, target):
    loss = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return (loss * target).sum() / target.sum().clamp(min=1)


FAULTS = [
    (mean_over_positives, {}, "without positives"),
    (MaskedMSE(), {"pred": "real[N]", "target": "real[N]", "mask": "mask[N]"}, "the mask is empty"),
    (OwnIgnore(), {"pred": "logits[N,C]", "target": "index[N]"}, "every label is ignored (-1)"),
    (dice_of_images, {"pred": "prob[N,1,H,W]", "target": "binary[N,1,H,W]"}, "without positives"),
    (over_present_classes, {"pred": "logits[N,C]", "target": "index[N]"}, "raises ZeroDivisionError"),
]


@pytest.mark.parametrize(("loss", "flags", "says"), FAULTS)
def test_an_empty_selection_is_told(loss, flags, says):
    status, (found,) = answer(rule, loss, **flags)
    assert status.status == "failed"
    assert found.severity == "error"
    assert says in found.message
    assert found.evidence


def test_a_count_that_cannot_be_0_is_innocent():
    for loss in (counted, nn.BCEWithLogitsLoss()):
        assert answer(rule, loss)[0].status == "passed"


def test_a_fault_of_single_entries_is_told_by_another_rule():
    assert answer(rule, bce_without_guard)[0].status == "passed"


def test_where_nothing_selects_it_does_not_apply():
    assert answer(rule, nn.MSELoss())[0].status == "not applicable"


def test_ignored_labels_are_the_frameworks_where_the_loss_has_no_say():
    assert answer(rule, lambda logits, target: F.cross_entropy(logits, target))[0].status == "passed"


def test_what_is_printed():
    text = printed(rule, mean_over_positives, pred="logits[N]", target="binary[N]")
    assert "LS204 empty-selection-nan  error, measured" in text
    assert "    the value is not finite in a batch without positives\n" in text
    assert "    fix     divide by count.clamp(min=1), and select with a product or where instead of indexing\n" in text


def test_anchors_without_a_partner_are_told():
    def contrastive(z, labels):
        z = F.normalize(z, dim=1)
        s = z @ z.T / 0.1
        others = ~torch.eye(len(z), dtype=torch.bool)
        same = (labels[:, None] == labels[None]) & others
        log_p = s - torch.logsumexp(s.masked_fill(~others, -1e9), 1, keepdim=True)
        return -((log_p * same).sum(1) / same.sum(1)).mean()

    _, (found,) = answer(rule, contrastive, pred="embedding[N,D]", target="index[N]")
    assert "no two samples share a class" in found.message


@pytest.mark.parametrize("eps", [0.0, 1e-7])
def test_an_empty_box_in_the_place_of_a_missing_one(eps):
    def iou_loss(boxes, target):
        left, right = torch.maximum(boxes[:, :2], target[:, :2]), torch.minimum(boxes[:, 2:], target[:, 2:])
        inter = (right - left).clamp(min=0).prod(1)
        union = (boxes[:, 2:] - boxes[:, :2]).prod(1) + (target[:, 2:] - target[:, :2]).prod(1) - inter
        return (1 - inter / (union + eps)).mean()

    assert [found.severity for found in answer(rule, iou_loss)[1]] == ([] if eps else ["warning"])


def test_a_score_of_positives_is_no_overlap_without_a_smoothing():
    def f_beta(p, t):
        hits = (p * t).sum()
        return 1 - 2 * hits / (p.sum() + t.sum() + 1e-8)

    def dice(p, t):
        return f_beta(p, t)

    flags = {"pred": "prob[N,C]", "target": "binary[N,C]"}
    assert answer(rule, f_beta, **flags)[0].status == "passed"
    assert answer(rule, dice, **flags)[0].status == "failed"


def test_a_mean_over_no_label_that_is_torchs_own_is_information():
    def own(logits, target, ignore_index=255):
        return F.cross_entropy(logits, target, ignore_index=ignore_index)

    def divided(logits, target, ignore_index=255):
        return F.cross_entropy(logits, target, ignore_index=ignore_index, reduction="sum") / (target != 255).sum()

    flags = {"pred": "logits[N,C]", "target": "index[N]"}
    assert [found.severity for found in answer(rule, own, **flags)[1]] == ["info"]
    assert [found.severity for found in answer(rule, divided, **flags)[1]] == ["error"]


@pytest.mark.parametrize(("least", "told"), [(0, ["error"]), (1, [])])
def test_one_sample_without_anything_visible_is_an_empty_selection(least, told):
    def keypoints(pred, target, visible):
        share = visible.shape[1] / visible.sum(1).clamp(min=least)
        return (share[:, None] * (pred - target).square().sum(-1) * visible).mean()

    flags = {"pred": "real[N,T,C]", "target": "real[N,T,C]", "visible": "mask[N,T]"}
    assert [found.severity for found in answer(rule, keypoints, **flags)[1]] == told


def test_a_weight_that_chooses_entries_may_choose_none():
    def chosen(pred, target, edges):
        return (pred - target).square()[edges > 0].mean()

    def guarded(pred, target, edges):
        kept = (pred - target).square()[edges > 0]
        return kept.sum() / max(1, kept.numel())

    def weighted_mean(pred, target, edges):
        return ((pred - target).square() * edges).sum() / edges.sum()

    given = {"pred": "real[N]", "target": "real[N]", "edges": "weight[N]"}
    assert "not finite where edges chooses nothing" in answer(rule, chosen, **given)[1][0].message
    assert answer(rule, guarded, **given)[1] == []
    assert answer(rule, weighted_mean, **given)[0].status == "not applicable"
