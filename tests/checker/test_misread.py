"""Readings that are accepted by accident are corrected, and those that are meant stay."""

import pytest
import torch
from ruletest import subject_of


def taken(loss):
    return [str(argument.domain) for argument in subject_of(loss).contract.arguments]


def point_sets(cloud, cloud_true):
    d = torch.cdist(cloud, cloud_true)
    return d.min(2).values.square().mean() + d.min(1).values.square().mean()


def structure(image, image_true):
    return (image - image_true).square().mean((2, 3)).mean()


def flat_dice(logits, onehot, mask):
    p, t = logits.softmax(1) * mask, onehot * mask
    return 1 - ((2 * (p * t).sum(2) + 1) / (p.sum(2) + t.sum(2) + 1)).mean()


def of_rows(flow, flow_gt, valid):
    return (torch.where(valid.bool()[:, None], flow - flow_gt, 0.0).square().sum(1).sqrt() * valid).sum()


def of_entries(flow, flow_gt, valid):
    return ((flow - flow_gt).square() * valid).sum() / valid.sum().clamp(min=1)


def channels_first(mel, mel_target, mel_lens):
    mask = (torch.arange(mel.shape[2])[None] < mel_lens[:, None])[:, None]
    return torch.where(mask, (mel - mel_target).abs(), 0.0).sum() / mask.sum()


def channels_last(mel, mel_target, mel_lens):
    mask = (torch.arange(mel.shape[1])[None] < mel_lens[:, None])[:, :, None]
    return torch.where(mask, (mel - mel_target).abs(), 0.0).sum() / mask.sum()


def beside_a_router(logits, labels, router_logits):
    gates = router_logits.softmax(-1).mean(0)
    return torch.nn.functional.cross_entropy(logits, labels) + gates.square().sum()


def of_tokens(logits, labels):
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten())


def of_entries_by_themselves(logits, labels):
    return torch.nn.functional.binary_cross_entropy_with_logits(logits, labels)


def hazard(hazard_logits, bins, left):
    h = hazard_logits.sigmoid().gather(1, bins[:, None]).squeeze(1)
    return -((1 - left) * h.log() + left * (1 - h).log()).mean()


def seen_or_not(hazard_logits, bins, seen):
    y = torch.nn.functional.one_hot(bins, hazard_logits.shape[1]) * (seen > 0)[:, None]
    return torch.nn.functional.binary_cross_entropy_with_logits(hazard_logits, y.to(hazard_logits.dtype))


def boxes_that_are_matched(boxes, gt, is_pos):
    keep = is_pos > 0
    a, b = boxes[keep], gt[keep]
    inner = (torch.min(a[:, 2:], b[:, 2:]) - torch.max(a[:, :2], b[:, :2])).clamp(min=0).prod(1)
    union = (a[:, 2:] - a[:, :2]).prod(1) + (b[:, 2:] - b[:, :2]).prod(1) - inner
    hull = (torch.max(a[:, 2:], b[:, 2:]) - torch.min(a[:, :2], b[:, :2])).prod(1)
    return (2 - inner / union - union / hull).sum() / keep.sum().clamp(min=1)


def scaled(scores, classes, factors):
    return (torch.nn.functional.cross_entropy(scores, classes, reduction="none") * factors).mean()


def scaled_too_late(scores, classes, factors):
    return (torch.nn.functional.cross_entropy(scores, classes) * factors).mean()


def forgotten(scores, classes, factors):
    return torch.nn.functional.cross_entropy(scores, classes)


def of_the_chosen(scores, classes, chosen):
    keep = chosen > 0
    return torch.nn.functional.cross_entropy(scores[keep], classes[keep], reduction="sum") / keep.sum().clamp(min=1)


def heaviest_joints(output, target, target_weight):
    per_joint = (output - target).square().flatten(2).mean(-1) * target_weight
    return per_joint.topk(min(3, per_joint.shape[1]), dim=1).values.mean()


def of_whole_images(output, target, weight):
    return ((output - target).square().flatten(1).mean(-1) * weight).sum() / weight.sum()


def spread_over_bins(logits, target):
    step = 10.0 / (logits.shape[-1] - 1)
    bins = torch.linspace(-5.0, 5.0, logits.shape[-1])
    two_hot = (1 - (target.clamp(-5.0, 5.0)[:, None] - bins).abs() / step).clamp(min=0)
    return -(two_hot * logits.log_softmax(-1)).sum(-1).mean()


def of_bins(logits, target):
    return -(torch.nn.functional.one_hot(target, logits.shape[1]).mul(logits.log_softmax(-1)).sum(1).mean() ** 2)


def score_and_trace(score, trace):
    return (0.5 * score.square().flatten(1).sum(1) + trace).mean()


class OfChannels(torch.nn.Module):
    """One learned variance for each of six channels, as many as there are samples in a batch."""

    def __init__(self):
        super().__init__()
        self.raw = torch.nn.Parameter(torch.ones(6))

    def forward(self, regressed, teacher):
        var = torch.nn.functional.softplus(self.raw).view((1, -1) + (1,) * (regressed.dim() - 2))
        return ((regressed - teacher.detach()).square() / var + var.log()).mean()


def of_windows(x, y):
    a, b = (torch.stft(s, 32, 8, 32, torch.hann_window(32, dtype=s.dtype), return_complex=True) for s in (x, y))
    return ((a - b).real.square() + (a - b).imag.square()).mean()


def of_three_parts(y_true, y_pred, k=3):
    logits, mu, log_s = y_pred[:, :k], y_pred[:, k : 2 * k], y_pred[:, 2 * k : 3 * k]
    log_p = -0.5 * ((y_true[:, None] - mu) * torch.exp(-log_s)).square() - log_s
    return -torch.logsumexp(logits.log_softmax(-1) + log_p, -1).mean()


@pytest.mark.parametrize(
    ("loss", "takes"),
    [
        (heaviest_joints, ["real[N,C,H,W]", "real[N,C,H,W]", "weight[N,C]"]),
        (of_whole_images, ["real[N,C]", "real[N,C]", "weight[N]"]),
        (spread_over_bins, ["logits[N,C]", "real[N]"]),
        (of_bins, ["logits[N,C]", "index[N]"]),
        (score_and_trace, ["embedding[N,D]", "real[N]"]),
        (OfChannels(), ["real[N,C]", "real[N,C]"]),
        (of_windows, ["real[N,C]", "real[N,C]"]),
        (of_three_parts, ["real[N]", "real[N,9]"]),
        (point_sets, ["real[N,T,C]"] * 2),
        (structure, ["real[N,1,H,W]"] * 2),
        (flat_dice, ["logits[N,C,T]", "binary[N,C,T]", "mask[N,C,T]"]),
        (of_rows, ["real[N,C]", "real[N,C]", "mask[N]"]),
        (of_entries, ["real[N,C]", "real[N,C]", "mask[N,C]"]),
        (channels_first, ["real[N,C,T]", "real[N,C,T]", "lengths[N]"]),
        (channels_last, ["real[N,T,C]", "real[N,T,C]", "lengths[N]"]),
        (of_tokens, ["logits[N,T,C]", "index[N,T]"]),
        (of_entries_by_themselves, ["logits[N,C]", "binary[N,C]"]),
        (hazard, ["logits[N,C]", "index[N]", "binary[N]"]),
        (seen_or_not, ["logits[N,C]", "index[N]", "binary[N]"]),
        (boxes_that_are_matched, ["boxes[N,4]", "boxes[N,4]", "mask[N]"]),
        (of_the_chosen, ["logits[N,C]", "index[N]", "mask[N]"]),
        (scaled, ["logits[N,C]", "index[N]", "weight[N]"]),
        (scaled_too_late, ["logits[N,C]", "index[N]", "weight[N]"]),
        (forgotten, ["logits[N,C]", "index[N]", "weight[N]"]),
        (beside_a_router, ["logits[N,C]", "index[N]", "logits[N,C]"]),
    ],
)
def test_what_is_taken_by_accident(loss, takes):
    assert taken(loss) == takes


def climbs_two_critics(q1, q2, log_pi):
    return (0.2 * log_pi - torch.min(q1, q2)).mean()


def nearer(a, b, c):
    return ((a - b).square().sum(1) - (a - c).square().sum(1) + 0.2).clamp(min=0).mean()


def of_answers(sample_logprobs, sample_reward, greedy_reward, mask):
    gain = (sample_reward - greedy_reward).detach()[:, None]
    return -(sample_logprobs * gain * mask).sum() / mask.sum().clamp(min=1)


def of_tokens_each(logprobs, reward, mask):
    return -(logprobs * reward * mask).sum() / mask.sum().clamp(min=1)


@pytest.mark.parametrize(
    ("loss", "takes"),
    [
        (climbs_two_critics, ["real[N]"] * 3),
        (nearer, ["embedding[N,D]"] * 3),
        (of_answers, ["real[N,T]", "real[N]", "real[N]", "mask[N,T]"]),
        (of_tokens_each, ["real[N,T]", "real[N,T]", "mask[N,T]"]),
    ],
)
def test_numbers_are_no_vectors_and_a_reward_is_of_an_answer_where_it_may_be(loss, takes):
    assert taken(loss) == takes
