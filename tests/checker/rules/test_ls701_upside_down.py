"""LS701 on losses that are upside down as a whole: each beside its nearest innocent neighbour."""

import pytest
import torch
import torch.nn.functional as F
from ruletest import answer

from lossmith.checker.rules import ls701_perfect_prediction_not_optimal as rule

PAIRS = {"left_emb": "embedding[N,D]", "right_emb": "embedding[N,D]"}
CLASSES = {"pred": "logits[N,C]", "target": "index[N]"}
OVERLAP = {"pred": "prob[N,C]", "target": "binary[N,C]"}


def shares(left, right):
    logits = F.normalize(left, dim=1) @ F.normalize(right, dim=1).T * 10
    return logits.log_softmax(1).diagonal().mean()


def shares_of_pairs(left_emb, right_emb):
    return shares(left_emb, right_emb)


def contrast_of_pairs(left_emb, right_emb):
    return -shares(left_emb, right_emb)


def far_from_each_other(left_emb, right_emb):
    """A distance that is to be large: 0 where both are the same."""
    return -(left_emb - right_emb).square().mean()


def list_in_order(descending):
    def list_wise(scores, relevance):
        s = scores.gather(1, relevance.argsort(dim=1, descending=descending))
        return (s.flip(1).logcumsumexp(1).flip(1) - s).mean()

    return list_wise


def sorted_first(logits, target):
    ranked = logits.sort(1, descending=True).values
    return (ranked.logsumexp(1) - ranked.gather(1, target[:, None])[:, 0]).mean()


def margin_to_the_next(logits, target):
    """It sorts, and looks the label up in what was not sorted."""
    best = logits.sort(1, descending=True).values[:, 0]
    return (best - logits.gather(1, target[:, None])[:, 0]).mean() + F.cross_entropy(logits, target)


def dice_of(counted_twice):
    def dice_loss(p, t):
        inner = (p * t).sum()
        total = p.sum() + t.sum() - (inner if counted_twice else 0)
        return 1 - (2 * inner + 1e-5) / (total + 1e-5)

    return dice_loss


def negative_dice_loss(p, t):
    return -(2 * (p * t).sum() + 1e-5) / (p.sum() + t.sum() + 1e-5)


@pytest.mark.parametrize(
    ("loss", "flags", "told"),
    [
        (shares_of_pairs, PAIRS, "it is always below 0"),
        (list_in_order(descending=False), {}, "it is lowest where the scores have the opposite order of relevance"),
        (sorted_first, CLASSES, "the scores of each sample may change places among the classes"),
        (dice_of(counted_twice=True), OVERLAP, "the overlap of a perfect prediction counts as 2"),
    ],
)
def test_upside_down(loss, flags, told):
    (found,) = answer(rule, loss, **flags)[1]
    assert (found.severity, found.message.startswith(told)) == ("error", True)


@pytest.mark.parametrize(
    ("loss", "flags"),
    [
        (contrast_of_pairs, PAIRS),
        (far_from_each_other, PAIRS),
        (list_in_order(descending=True), {}),
        (margin_to_the_next, CLASSES),
        (dice_of(counted_twice=False), OVERLAP),
        (negative_dice_loss, OVERLAP),
    ],
)
def test_the_right_way_up(loss, flags):
    assert answer(rule, loss, **flags)[1] == []


def test_a_likelihood_is_negative_where_pairs_match():
    z = torch.eye(4)
    assert float(shares(z, z)) < 0.0


def adversaries(goal):
    def least_squares(scores_real, scores_fake):
        return (1 - scores_real).square().mean() + (goal - scores_fake).square().mean()

    return least_squares


def distance_of_scores(scores_real, scores_fake):
    return (scores_real - scores_fake).square().mean()


def judge_called_d(sign):
    def hingeD(real_scores, fake_scores):
        return F.relu(1 - sign * real_scores).mean() + F.relu(1 + sign * fake_scores).mean()

    return hingeD


def hazards(sign):
    def survival(hazard_logits, bins, left):
        h = hazard_logits.sigmoid().gather(1, bins[:, None]).squeeze(1)
        return (sign * (1 - left) * h.log() - left * (1 - h).log()).mean()

    return survival


def by_hand(axis):
    def cross_entropy(scores, gold):
        return -(scores - scores.logsumexp(axis, keepdim=True)).gather(1, gold[:, None]).mean()

    return cross_entropy


def odds(sign):
    def odds_ratio(chosen_logps, rejected_logps):
        ratio = chosen_logps - rejected_logps - torch.log1p(-chosen_logps.exp()) + torch.log1p(-rejected_logps.exp())
        return (sign * chosen_logps - 0.1 * F.logsigmoid(ratio)).mean()

    return odds_ratio


@pytest.mark.parametrize(
    ("loss", "told"),
    [
        (adversaries(1.0), "scores_real and scores_fake may change places"),
        (judge_called_d(-1.0), "it falls as real_scores falls and fake_scores rises"),
        (hazards(1.0), "it falls as the score of the label falls, whether left is 0 or 1"),
        (by_hand(0), "the softmax runs along axis 0"),
        (odds(1.0), "it falls as chosen_logps falls"),
    ],
)
def test_a_loss_of_several_that_asks_for_the_wrong_end(loss, told):
    (found,) = answer(rule, loss)[1]
    assert (found.severity, found.message.startswith(told)) == ("error", True)


@pytest.mark.parametrize(
    "loss", [adversaries(0.0), judge_called_d(1.0), distance_of_scores, hazards(-1.0), by_hand(1), odds(-1.0)]
)
def test_a_loss_of_several_that_asks_for_the_right_end(loss):
    assert answer(rule, loss)[1] == []


def test_what_is_only_guessed_to_be_classes_is_not_told_of_an_axis():
    def attended(scores, value):
        """Attention over the batch: what is attended to, against the mean."""
        return ((scores.softmax(0) * value).sum(0) - value.mean(0)).square().mean()

    assert answer(rule, attended)[1] == []


def test_a_layout_that_was_guessed_accuses_nobody():
    centre = torch.linspace(-0.1, 0.1, 4)

    def centred(student_logits, teacher_logits):
        t = F.softmax(teacher_logits.detach() - centre, dim=-1)
        return -(t * F.log_softmax(student_logits, dim=-1)).sum(-1).mean()

    assert answer(rule, centred)[1] == []
