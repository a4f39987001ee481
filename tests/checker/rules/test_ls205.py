"""LS205: what a mask, an ignored label or a length leaves out has no part in the loss."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from reproducing import run_reproducer
from ruletest import answer, printed
from shipped import each_shipped, shipped
from torch import nn

from lossmith.checker.rules import ls205_masked_element_leaks as rule

MASKED = {"pred": "real[N,C]", "target": "real[N,C]", "mask": "mask[N,C]"}
PIXELS = {"pred": "logits[N,C,H,W]", "target": "index[N,H,W]"}
STEPS = {"pred": "real[N,T]", "target": "real[N,T]", "lengths": "lengths[N]"}


def smoothing_counts_all_rows(logits, target, ignore_index=-100):
    return F.cross_entropy(logits, target, ignore_index=ignore_index) - 0.1 * logits.log_softmax(-1).mean()


def smoothing_of_kept_rows(logits, target, ignore_index=-100):
    kept = target != ignore_index
    smooth = (logits.log_softmax(-1).mean(-1) * kept).sum() / kept.sum()
    return F.cross_entropy(logits, target, ignore_index=ignore_index) - 0.1 * smooth


class DiceOverAllPixels(nn.Module):
    def __init__(self, ignore_index=255, drops=False):
        super().__init__()
        self.ignore_index, self.drops = ignore_index, drops

    def forward(self, logits, target):
        valid = (target != self.ignore_index).unsqueeze(1)
        p = logits.softmax(1) * (valid if self.drops else 1)
        hot = F.one_hot(target * valid[:, 0], logits.shape[1]).movedim(-1, 1) * valid
        axes = (0, 2, 3)
        return 1 - ((2 * (p * hot).sum(axes) + 1) / (p.sum(axes) + hot.sum(axes) + 1)).mean()


def target_is_not_masked(pred, target, mask):
    return F.mse_loss(pred * mask, target)


def only_the_count_is_masked(pred, target, mask):
    return (pred - target).square().sum() / mask.sum()


def one_term_is_not_masked(pred, target, mask):
    return ((pred - target).square() * mask).sum() / mask.sum() + 0.1 * (pred.mean() - target.mean()).square()


def smoothness_of_padding(pred, target, lengths):
    kept = torch.arange(pred.shape[1]) < lengths[:, None]
    return ((pred - target).square() * kept).sum() / kept.sum() + 0.1 * pred.diff().abs().mean()


def nan_after_the_fact(pred, target):
    return torch.nan_to_num((pred - target).square()).mean()


def mean_of_what_is_known(pred, target):
    return (pred - target).square().nanmean()


FAULTS = [
    (smoothing_counts_all_rows, {}, "logits gets a gradient where target is -100"),
    (DiceOverAllPixels(), PIXELS, "logits gets a gradient where target is 255"),
    (target_is_not_masked, MASKED, "other numbers in target where mask is 0 change the value"),
    (only_the_count_is_masked, MASKED, "pred gets a gradient where mask is 0"),
    (one_term_is_not_masked, MASKED, "pred gets a gradient where mask is 0"),
    (smoothness_of_padding, STEPS, "pred gets a gradient beyond lengths"),
    (nan_after_the_fact, {}, "target may be NaN where it is not known"),
    (mean_of_what_is_known, {}, "target may be NaN where it is not known"),
]


@pytest.mark.parametrize(("loss", "flags", "says"), FAULTS)
def test_a_leak_is_told(loss, flags, says):
    _, (found,) = answer(rule, loss, **flags)
    assert found.severity == "error"
    assert says in found.message
    assert found.evidence


def masked_mean(pred, target, mask):
    return ((pred - target).square() * mask).sum() / mask.sum().clamp(min=1)


def both_are_masked(pred, target, mask):
    return F.mse_loss(pred * mask, target * mask, reduction="sum")


def padding_is_1(pred, target, mask):
    return ((pred - target).square() * (1 - mask)).sum() / (1 - mask).sum()


def excluded(pred, target, mask):
    kept = mask == 0
    return (pred - target)[kept].square().mean()


def foreground_weighs_more(pred, target, mask):
    return ((1 + 4 * mask) * (pred - target).square()).mean()


def inpainting(pred, target, mask):
    error = (pred - target).abs()
    return (error * mask).mean() + 6 * (error * (1 - mask)).mean()


class RegionsWithoutOneClass(nn.Module):
    """What is ignored here is the channel, not the pixels."""

    def __init__(self, ignore_index=0):
        super().__init__()
        self.ignore_index = ignore_index

    def forward(self, logits, target):
        p, hot = logits.softmax(1), F.one_hot(target, logits.shape[1]).movedim(-1, 1).to(logits.dtype)
        kept = [c for c in range(logits.shape[1]) if c != self.ignore_index]
        return sum(1 - (2 * (p * hot)[:, c].sum() + 1) / ((p + hot)[:, c].sum() + 1) for c in kept) / len(kept)


def known_first(pred, target):
    known = ~target.isnan()
    safe = torch.where(known, target, torch.zeros_like(target))
    return ((pred - safe).square() * known).sum() / known.sum()


def steps_that_count(pred, target, lengths):
    kept = torch.arange(pred.shape[1]) < lengths[:, None]
    return (pred - target)[kept].square().mean()


def sequence_means(pred, target, mask):
    """A mean over samples: one without a step counts as one of 0."""
    return (((pred - target).square() * mask).sum(1) / mask.sum(1).clamp(min=1)).mean()


def shifted(logits, labels):
    """A language model: what it says at a step is for the label of the next."""
    logits, labels = logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten()
    kept = labels != -100
    value = F.cross_entropy(logits, labels.masked_fill(~kept, 0), reduction="none")
    return (value * kept).sum() / kept.sum().clamp(min=1)


INNOCENT = [
    (sequence_means, MASKED),
    (shifted, {}),
    (smoothing_of_kept_rows, {}),
    (DiceOverAllPixels(drops=True), PIXELS),
    (masked_mean, MASKED),
    (both_are_masked, MASKED),
    (padding_is_1, MASKED),
    (excluded, MASKED),
    (foreground_weighs_more, MASKED),
    (inpainting, MASKED),
    (RegionsWithoutOneClass(), PIXELS),
    (known_first, {}),
    (steps_that_count, STEPS),
    (nn.CrossEntropyLoss(), {}),
]


@pytest.mark.parametrize(("loss", "flags"), INNOCENT)
def test_what_is_left_out_or_weighs_by_design_is_innocent(loss, flags):
    status, found = answer(rule, loss, **flags)
    assert found == []
    assert status.status == "passed"


def test_a_second_target_or_no_masked_error_beside_it_is_no_prior():
    def divergence_over_all(logp, old_logp, ref_logp, mask):
        gap = ref_logp - logp
        return -((logp - old_logp) * mask).sum() / mask.sum() + 0.1 * (gap.exp() - gap - 1).mean()

    def divergence_of_kept(logp, old_logp, ref_logp, mask):
        gap = ref_logp - logp
        return ((0.1 * (gap.exp() - gap - 1) - (logp - old_logp)) * mask).sum() / mask.sum()

    def total_times_mask(mean, logvar, mask):
        return ((mean.square() + logvar.exp() - logvar).sum() * mask).sum() / mask.sum()

    three = {"logp": "real[N,T]", "old_logp": "real[N,T]", "ref_logp": "real[N,T]", "mask": "mask[N,T]"}
    latents = {"mean": "real[N,C]", "logvar": "real[N,C]", "mask": "mask[N,C]"}
    assert [found.severity for found in answer(rule, divergence_over_all, **three)[1]] == ["error"]
    assert [found.severity for found in answer(rule, total_times_mask, **latents)[1]] == ["error"]
    assert not answer(rule, divergence_of_kept, **three)[1]


def _of_answers(kept):
    def preference(chosen_logits, chosen_ids, rejected_logits, rejected_ids, pad=-100):
        def score(logits, ids):
            logp = logits.log_softmax(-1).gather(2, ids.clamp(min=0)[..., None]).squeeze(-1)
            return (logp * kept(ids, pad)).sum(-1)

        return -F.logsigmoid(score(chosen_logits, chosen_ids) - score(rejected_logits, rejected_ids)).mean()

    return preference


def test_two_answers_leave_out_the_padding_of_their_own_tokens():
    status, found = answer(rule, _of_answers(lambda ids, pad: ids != pad))
    assert (status.status, found) == ("passed", [])
    found = answer(rule, _of_answers(lambda ids, pad: ids == ids))[1]
    assert ["chosen_logits gets a gradient where chosen_ids is -100" in each.message for each in found] == [True]
    found = answer(rule, _of_answers(lambda ids, pad: ids == pad))[1]  # no token counts: read all the same
    assert ["chosen_logits gets a gradient where chosen_ids is -100" in each.message for each in found] == [True]


def test_a_smoothness_over_all_pixels_is_information():
    def with_prior(pred, target, mask):
        return ((pred - target).square() * mask).sum() / mask.sum() + 0.1 * pred.diff().abs().mean()

    assert [found.severity for found in answer(rule, with_prior, **MASKED)[1]] == ["info"]


def test_a_comparison_that_happens_to_be_false_for_nan_is_no_promise():
    def roots(pred, target):
        error = (pred - target).square().sqrt()
        return torch.where(target == 1, error, torch.zeros_like(error)).mean()

    assert answer(rule, roots, pred="real[N]", target="binary[N]")[0].status == "not applicable"


def test_a_third_argument_that_is_not_called_a_mask_is_not_taken_for_one():
    def scaled(pred, target, s):
        return ((1 + s) * (pred - target).square()).mean()

    assert answer(rule, scaled)[0].status == "not applicable"


@each_shipped
def test_shipped_losses_leave_out_what_they_say(family):
    assert answer(rule, shipped(family))[1] == []


def test_what_is_printed():
    text = printed(rule, smoothing_counts_all_rows)
    assert "LS205 masked-element-leaks  error, measured" in text
    assert "    logits gets a gradient where target is -100: up to 0.0102\n" in text
    assert "    fix     take what counts before anything is summed (x[kept], or where(kept, x, 0))" in text


def test_the_reproducer_prints_two_values(tmp_path: Path):
    source = """
    def leaks(pred, target, mask):
        return F.mse_loss(pred * mask, target)
    """
    _, lines = run_reproducer(tmp_path, rule, source, "leaks", **MASKED)
    assert len(lines) == 2
    assert lines[0] != lines[1]


class Gathers(nn.Module):
    """An ignored label is no place to look up."""

    def __init__(self, safe=False, ignore_index=-100):
        super().__init__()
        self.safe, self.ignore_index = safe, ignore_index

    def forward(self, logits, labels):
        kept = labels != self.ignore_index
        found = labels.masked_fill(~kept, 0) if self.safe else labels
        value = -logits.log_softmax(1).gather(1, found[:, None])[:, 0]
        return (value * kept).sum() / kept.sum().clamp(min=1)


def test_an_ignored_label_that_is_used_as_an_index_is_told():
    (found,) = answer(rule, Gathers())[1]
    assert found.severity == "error"
    assert "where labels is -100, the label that it is to ignore" in found.message
    assert answer(rule, Gathers(safe=True))[1] == []


class SegFocal(nn.Module):
    def __init__(self, ignore_lb=255, divides=True):
        super().__init__()
        self.ignore_lb, self.divides = ignore_lb, divides

    def forward(self, logits, target):
        ce = F.cross_entropy(logits, target, ignore_index=self.ignore_lb, reduction="none")
        value = (1 - torch.exp(-ce)) ** 2 * ce
        return value.sum() / (target != self.ignore_lb).sum().clamp(min=1) if self.divides else value.mean()


@pytest.mark.parametrize("flags", [{}, PIXELS])
def test_an_ignored_label_that_counts_in_the_divisor_is_told(flags):
    _, (found,) = answer(rule, SegFocal(divides=False), **flags)
    assert found.severity == "warning"
    assert "what target leaves out still counts in the divisor" in found.message
    assert answer(rule, SegFocal(), **flags)[1] == []


def test_steps_that_a_mask_leaves_out_are_counted_along_their_own_axis():
    def over_all(pred, target, mask):
        return ((pred - target).square() * mask).mean()

    flags = {"pred": "real[N,T]", "target": "real[N,T]", "mask": "mask[N,T]"}
    assert "7 steps more" in answer(rule, over_all, **flags)[1][0].message


def depth(pred, target):
    """A depth of 0 is one that was not measured."""
    known = target > 0
    return ((pred - target).abs() * known).sum() / known.sum().clamp(min=1)


def over_all_depths(pred, target):
    known = target > 0
    return ((pred - target).abs() * known).mean()


def divergence(pred, target):
    """Where the target is 0 there is nothing to pay, and nothing was left out."""
    value = torch.where(target > 0, target * (target.clamp(min=1e-9).log() - pred.log()), 0 * pred)
    return value.mean() + (pred - target).mean()


def test_a_number_that_means_not_known_is_not_counted():
    flags = {"pred": "positive[N,C]", "target": "positive[N,C]"}
    _, (found,) = answer(rule, over_all_depths, **flags)
    assert "what target leaves out still counts in the divisor" in found.message
    assert answer(rule, depth, **flags)[1] == []
    assert answer(rule, divergence, **flags)[1] == []


def test_a_guard_of_a_quotient_leaves_nothing_out():
    def percentage(pred, target):
        some = torch.where(target != 0, target.abs(), 1.0).clamp(min=1e-3)
        return torch.where(target != 0, (target - pred).abs() / some, 0.0).mean()

    def symmetric(pred, target):
        return torch.nan_to_num(2 * (pred - target).abs() / (pred.abs() + target.abs()).clamp(min=1e-3)).mean()

    def unknown_at_zero(pred, target):
        return torch.where(target != 0, (target - pred).abs(), 0.0).mean()

    flags = {"pred": "real[N,C]", "target": "real[N,C]"}
    assert answer(rule, percentage, **flags)[1] == []
    assert answer(rule, symmetric, **flags)[1] == []
    assert "still counts in the divisor" in answer(rule, unknown_at_zero, **flags)[1][0].message


@pytest.mark.parametrize("masked", [True, False])
def test_a_softmax_couples_the_classes_of_a_place_and_no_places(masked):
    def cross_entropy(logits, target, mask):
        each = -(target * logits.log_softmax(1)) * (mask if masked else 1)
        return each.sum() / mask.sum().clamp(min=1)

    flags = {"pred": "logits[N,C]", "target": "onehot[N,C]", "mask": "mask[N,C]"}
    assert [found.severity for found in answer(rule, cross_entropy, **flags)[1]] == ([] if masked else ["error"])


@pytest.mark.parametrize("off", [0, 1])
def test_lengths_of_steps_behind_the_channels(off):
    def mel(pred, target, lengths):
        mask = (torch.arange(pred.shape[2])[None] < lengths[:, None] + off)[:, None]
        return torch.where(mask, (pred - target).abs(), 0.0).sum() / (mask.sum() * pred.shape[1])

    flags = {"pred": "real[N,C,T]", "target": "real[N,C,T]", "lengths": "lengths[N]"}
    assert [found.severity for found in answer(rule, mel, **flags)[1]] == (["error"] if off else [])


def test_events_that_are_sorted_and_used_as_an_index_are_told():
    def partial(risk, event, time, choose):
        order = time.argsort()
        risk, seen = risk[order], event[order]
        return choose(risk.flip(0).logcumsumexp(0).flip(0) - risk, seen).mean()

    given = {"risk": "real[N]", "event": "binary[N]", "time": "positive[N]"}
    (found,) = answer(rule, lambda risk, event, time: partial(risk, event, time, lambda x, e: x[e.long()]), **given)[1]
    assert "event, which is 0 and 1, is used as an index" in found.message
    assert (
        answer(rule, lambda risk, event, time: partial(risk, event, time, lambda x, e: x[e.bool()]), **given)[1] == []
    )


def test_a_number_that_means_not_known_leaves_the_prediction_alone():
    def counted_only(pred, target):
        there = target.ne(-1)
        return (pred - target).square().sum() / there.sum().clamp(min=1)

    def left_out_too(pred, target):
        there = target != -1
        return ((pred - target).square() * there).sum() / there.sum().clamp(min=1)

    def a_class_of_zeros(pred, target):
        return ((pred - target).square() * (1 + 4 * (target != 0))).mean()

    given = {"pred": "real[N,C]", "target": "real[N,C]"}
    assert "pred gets a gradient where target is -1" in answer(rule, counted_only, **given)[1][0].message
    assert answer(rule, left_out_too, **given)[1] == []
    assert answer(rule, a_class_of_zeros, **given)[1] == []
