"""LS701: losses that pull the wrong way, in a mirror and by their names; and those that are meant to."""

from pathlib import Path

import jax
import jax.numpy as jnp
import pytest
import torch
import torch.nn.functional as F
from reproducing import run_reproducer
from ruletest import answer, printed, subject_of
from torch import nn

from lossmith.checker.rules import ls701_perfect_prediction_not_optimal as rule

REAL = {"pred": "real[N,C]", "target": "real[N,C]"}


def negated_mse(pred, target):
    return -((pred - target) ** 2).mean()


def iou_loss(pred, target):
    low, high = torch.maximum(pred[:, :2], target[:, :2]), torch.minimum(pred[:, 2:], target[:, 2:])
    inner = (high - low).clamp(min=0).prod(1)
    areas = [(box[:, 2:] - box[:, :2]).prod(1) for box in (pred, target)]
    return (inner / (areas[0] + areas[1] - inner)).mean()


def masked(pred, target, mask):
    return -((pred - target).abs() * mask).sum() / mask.sum()


def gaussian_without_minus(mean, log_var, target):
    return (-0.5 * (log_var + (target - mean) ** 2 / log_var.exp())).mean()


def poisson_without_minus(log_rate, target):
    return (target * log_rate - log_rate.exp()).mean()


def class_after(logits, labels):
    return -logits.log_softmax(1).gather(1, ((labels + 1) % logits.shape[1])[:, None]).mean()


def pixels_as_classes(logits, target):
    return F.cross_entropy(logits.reshape(-1, logits.shape[1]), target.reshape(-1))


def dpo(policy_chosen_logps, policy_rejected_logps, reference_chosen_logps, reference_rejected_logps):
    policy = policy_rejected_logps - policy_chosen_logps
    return -F.logsigmoid(0.1 * (policy - (reference_rejected_logps - reference_chosen_logps))).mean()


PIXELS = {"pred": "logits[N,C,H,W]", "target": "index[N,H,W]"}
FAULTS = [
    (negated_mse, {}, "the perfect prediction is the worst"),
    (iou_loss, {}, "the perfect prediction is the worst"),
    (masked, {}, "the perfect prediction is the worst"),
    (gaussian_without_minus, {}, "the perfect prediction is the worst"),
    (poisson_without_minus, {}, "the perfect prediction is the worst"),
    (class_after, {}, "each sample is asked for the class after its own"),
    (pixels_as_classes, PIXELS, "classes are mixed with pixels"),
    (dpo, {}, "it falls as policy_chosen_logps falls and policy_rejected_logps rises"),
]


@pytest.mark.parametrize(("loss", "flags", "says"), FAULTS)
def test_a_loss_that_pulls_the_wrong_way_is_told(loss, flags, says):
    _, (found,) = answer(rule, loss, **flags)
    assert (found.severity, found.grade) == ("error", "measured")
    assert says in found.message


def penalised_logits(logits, labels):
    return F.cross_entropy(logits, labels) + 0.5 * logits.square().mean()


def penalised_columns(logits, labels):
    return F.cross_entropy(logits, labels) + 0.2 * logits.logsumexp(0).mean()


def unlearning_loss(logits, labels):
    return -F.cross_entropy(logits, labels)


def contrastive(x1, x2, y):
    d = F.pairwise_distance(x1, x2)
    return (y * F.relu(1 - d) ** 2 + (1 - y) * d**2).mean()


def decorrelation(a, b):
    return F.cosine_similarity(a, b).mean()


def distances(pos_dist, neg_dist):
    return F.relu(pos_dist - neg_dist + 1).mean()


class Documented(nn.Module):
    """A bound on the information, to be maximised by the first network."""

    def forward(self, pred, target):
        return -((pred - target) ** 2).mean()


INNOCENT = [
    (penalised_logits, {}),
    (penalised_logits, {"pred": "logits[N,C]", "target": "index[N]"}),
    (penalised_columns, {}),
    (unlearning_loss, {}),
    (contrastive, {}),
    (decorrelation, {}),
    (distances, {}),
    (Documented(), {}),
    (F.cross_entropy, PIXELS),
    (lambda logits, target: F.cross_entropy(logits.movedim(1, -1).flatten(0, 2), target.flatten()), PIXELS),
]


@pytest.mark.parametrize(("loss", "flags"), INNOCENT)
def test_what_is_meant_or_only_looks_so_is_innocent(loss, flags):
    assert answer(rule, loss, **flags)[1] == []


def test_the_contract_of_a_negated_loss_is_found_in_the_mirror():
    contract = subject_of(negated_mse).contract
    assert (contract.kinds(), contract.confidence) == (("real", "real"), "likely")


def test_what_is_printed():
    text = printed(rule, class_after, pred="logits[N,C]", target="index[N]")
    assert "LS701 perfect-prediction-not-optimal  error, measured" in text
    assert "    each sample is asked for the class after its own\n" in text
    assert "    fix     use the label as it is, without + 1\n" in text


def test_the_reproducer_shows_both_costs(tmp_path: Path):
    source = """
    def turned(pred, target):
        return -F.mse_loss(pred, target)
    """
    _, lines = run_reproducer(tmp_path, rule, source, "turned", **REAL)
    values = [float(line.partition("(")[2].partition(")")[0]) for line in lines]
    assert values[0] == 0
    assert values[1] < -0.1


class Levels(nn.Module):
    def __init__(self, sign, taus=(0.1, 0.5, 0.9)):
        super().__init__()
        self.sign, self.taus = sign, taus

    def forward(self, preds, y):
        errors = [y - preds[:, i] for i in range(len(self.taus))]
        pairs = [(q * e, (q - 1) * e) for q, e in zip(self.taus, errors, strict=True)]
        return sum(torch.max(*pair).mean() if self.sign > 0 else torch.min(*pair).mean() for pair in pairs)


def chosen_actions(sign):
    def policy(logits, actions, advantages):
        taken = F.log_softmax(logits, -1).gather(1, actions[:, None]).squeeze(1)
        return -sign * (taken * advantages).mean()

    return policy


def enclosing(sign):
    def giou(boxes1, boxes2):
        area = [(b[:, 2:] - b[:, :2]).prod(1) for b in (boxes1, boxes2)]
        low, high = torch.max(boxes1[:, :2], boxes2[:, :2]), torch.min(boxes1[:, 2:], boxes2[:, 2:])
        inner = (high - low).clamp(min=0).prod(1)
        union = area[0] + area[1] - inner
        hull = (torch.max(boxes1[:, 2:], boxes2[:, 2:]) - torch.min(boxes1[:, :2], boxes2[:, :2])).prod(1)
        return 1 - (inner / union - sign * (hull - union) / hull).mean()

    return giou


def one_sided_bce(right):
    def bce(logit, label):
        p = torch.sigmoid(logit).clamp(1e-6, 1 - 1e-6)
        other = 1 - p if right else p
        return -(0.3 * label * p.log() + 0.7 * (1 - label) * other.log()).mean()

    return bce


def similarities(sign):
    def margin(s_pos, s_neg):
        return F.relu(sign * (s_neg - s_pos) + 0.5).mean()

    return margin


@pytest.mark.parametrize("make", [Levels, chosen_actions, enclosing, similarities])
def test_names_and_levels_say_which_way(make):
    assert answer(rule, make(-1))[0].status == "failed"
    assert answer(rule, make(1))[0].status != "failed"


def test_labels_of_yes_and_no_are_asked_as_classes_are():
    assert answer(rule, one_sided_bce(False))[0].status == "failed"
    assert answer(rule, one_sided_bce(True))[0].status == "passed"


def test_a_language_model_predicts_the_next_step():
    def causal(logits, labels):
        return F.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten())

    assert answer(rule, causal)[1] == []


def test_the_last_axis_of_a_loss_of_rows_are_its_classes():
    def load_balance(router_logits, expert_mask):
        return (router_logits.softmax(-1).mean(0) * expert_mask.float().mean(0)).sum()

    assert answer(rule, load_balance)[1] == []


def divergence(sign):
    def kl_of_logits(p_logits, q_logits):
        p, q = p_logits.log_softmax(1), q_logits.log_softmax(1)
        return sign * (p.exp() * (p - q)).sum(1).mean()

    return kl_of_logits


def test_a_divergence_below_zero_has_the_wrong_sign():
    assert answer(rule, divergence(-1))[0].status == "failed"
    assert answer(rule, divergence(1))[1] == []


def test_steps_read_as_classes_and_a_softmax_of_jax_along_the_batch():
    def reshaped(logits, labels):
        n, t, c = logits.shape
        return F.cross_entropy(logits.reshape(n, c, t), labels)

    def along(axis):
        def retrieval(logits, labels):
            log_p = jax.nn.log_softmax(logits, axis=axis)
            return -jnp.mean(jnp.take_along_axis(log_p, labels[:, None], axis=-1))

        return retrieval

    assert "classes are mixed with pixels or steps" in answer(rule, reshaped)[1][0].message
    flags = {"logits": "logits[N,C]", "labels": "index[N]"}
    assert "the softmax runs along axis 0" in answer(rule, along(0), **flags)[1][0].message
    assert answer(rule, along(-1), **flags)[1] == []


def _iou(height):
    def box_iou_loss(pred_boxes, gt_boxes):
        low = torch.maximum(pred_boxes[:, :2], gt_boxes[:, :2])
        high = torch.minimum(pred_boxes[:, 2:], gt_boxes[:, 2:])
        inter = (high - low).clamp(min=0).prod(1)
        area = (pred_boxes[:, 2] - pred_boxes[:, 0]) * height(pred_boxes)
        union = area + (gt_boxes[:, 2:] - gt_boxes[:, :2]).prod(1) - inter
        return (1 - inter / (union + 1e-7)).mean()

    return box_iou_loss


def test_boxes_of_which_another_side_is_better_than_the_right_one():
    boxes = {"pred_boxes": "boxes[N,4]", "gt_boxes": "boxes[N,4]"}
    (found,) = answer(rule, _iou(lambda b: b[:, 3] - b[:, 0]), **boxes)[1]
    assert "another prediction is better than the perfect one" in found.message
    assert answer(rule, _iou(lambda b: b[:, 3] - b[:, 1]), **boxes)[1] == []
    assert answer(rule, lambda pred_boxes, gt_boxes: (pred_boxes - gt_boxes).abs().sum(1).mean(), **boxes)[1] == []
