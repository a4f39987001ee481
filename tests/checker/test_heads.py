"""Losses of several outputs, of which their names say what each is."""

import pytest
import torch
import torch.nn.functional as F
from ruletest import answer, subject_of

from lossmith.checker.heads import of_heads
from lossmith.checker.rules import ls105_no_usable_gradient as rule


def matched(pred_logits, pred_boxes, gt_classes, gt_boxes):
    ce = F.cross_entropy(pred_logits.transpose(1, 2), gt_classes)
    return {"loss_cls": ce, "loss_box": (pred_boxes - gt_boxes).abs().sum(-1).mean()}


def evidence(gamma, nu, alpha, beta, y):
    spread = 2 * beta * (1 + nu)
    tail = (alpha + 0.5) * (nu * (y - gamma) ** 2 + spread).log()
    return (tail - alpha * spread.log() - 0.5 * nu.log() + alpha.lgamma() - (alpha + 0.5).lgamma()).mean()


def hard_place(heatmap, keypoints):
    place = heatmap.flatten(2).argmax(-1)
    return ((place - keypoints) ** 2).to(heatmap.dtype).mean()


def soft_place(heatmap, keypoints):
    n, k, h, w = heatmap.shape
    at = torch.arange(h * w, dtype=heatmap.dtype, device=heatmap.device)
    return (((heatmap.flatten(2).softmax(-1) * at).sum(-1) - keypoints.reshape(n, k)) ** 2).mean()


@pytest.mark.parametrize(
    ("loss", "domains"),
    [
        (matched, ("logits[N,T,C]", "boxes[N,T,4]", "index[N,T]", "boxes[N,T,4]")),
        (evidence, ("real[N]", "positive[N]", "positive[N]", "positive[N]", "real[N]")),
        (soft_place, ("real[N,C,H,W]", "real[N,C]")),
    ],
)
def test_what_names_say_is_read(loss, domains):
    assert tuple(str(argument.domain) for argument in subject_of(loss).contract.arguments) == domains


def test_a_place_without_a_gradient_is_told_and_a_soft_one_is_innocent():
    assert [found.code for found in answer(rule, hard_place)[1]] == ["LS105"]
    assert answer(rule, soft_place)[1] == []


@pytest.mark.parametrize(
    "names", [("pred", "target"), ("pred_logits", "pred_boxes", "mask", "weight"), ("heatmaps", "target_heatmaps")]
)
def test_other_names_say_nothing(names):
    assert of_heads(names) == ()
