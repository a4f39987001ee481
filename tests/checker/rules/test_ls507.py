"""LS507 on losses that count padding, and on their nearest innocent neighbours."""

from pathlib import Path

import pytest
import torch
from reproducing import run_reproducer
from ruletest import answer
from torch import Tensor
from torch.nn import functional as F

from lossmith.checker.rules import ls507_padding_dependent as rule

TOKENS = {"logits": "logits[N,T,C]", "tokens": "index[N,T]", "mask": "mask[N,T]"}


def token_values(logits: Tensor, tokens: Tensor) -> Tensor:
    return F.cross_entropy(logits.transpose(1, 2), tokens, reduction="none")


def over_all(logits: Tensor, tokens: Tensor, mask: Tensor) -> Tensor:
    return (token_values(logits, tokens) * mask).mean()


def over_kept(logits: Tensor, tokens: Tensor, mask: Tensor) -> Tensor:
    return (token_values(logits, tokens) * mask).sum() / mask.sum().clamp(min=1)


def over_kept_of_padding(logits: Tensor, tokens: Tensor, mask: Tensor) -> Tensor:
    """The mask says what is padding: the other polarity."""
    return over_kept(logits, tokens, 1 - mask)


def root_of_all(logits: Tensor, tokens: Tensor, mask: Tensor) -> Tensor:
    return (token_values(logits, tokens).square() * mask).sum() / mask.sum() * mask.numel() ** 0.5


def by_lengths(output: Tensor, target: Tensor, lengths: Tensor) -> Tensor:
    inside = torch.arange(output.shape[1])[None] < lengths[:, None]
    return ((output - target).square() * inside).mean()


def by_lengths_repaired(output: Tensor, target: Tensor, lengths: Tensor) -> Tensor:
    inside = torch.arange(output.shape[1])[None] < lengths[:, None]
    return ((output - target).square() * inside).sum() / inside.sum()


def leaks(logits: Tensor, tokens: Tensor, mask: Tensor) -> Tensor:
    """What the padding holds matters, which LS205 tells."""
    return over_kept(logits, tokens, mask) - 0.1 * logits.log_softmax(-1).mean()


def pixels(pred: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    return ((pred - target).abs() * mask).mean()


def test_a_mean_over_all_steps_is_a_warning_that_names_the_ratio() -> None:
    status, (found,) = answer(rule, over_all, **TOKENS)
    assert (status.status, found.severity) == ("failed", "warning")
    assert float(found.evidence["value then"]) == pytest.approx(0.7 * float(found.evidence["value"]), rel=1e-4)
    assert "7 / 10" in found.why


def test_another_dependence_on_the_number_of_steps_is_an_error() -> None:
    assert [found.severity for found in answer(rule, root_of_all, **TOKENS)[1]] == ["error"]


def test_lengths_are_asked_too() -> None:
    flags = {"output": "real[N,T]", "target": "real[N,T]", "lengths": "lengths[N]"}
    assert [found.code for found in answer(rule, by_lengths, **flags)[1]] == ["LS507"]
    assert answer(rule, by_lengths_repaired, **flags)[0].status == "passed"


@pytest.mark.parametrize("loss", [over_kept, over_kept_of_padding, leaks])
def test_masks_of_either_kind_pass_and_leaks_are_left_to_their_own_rule(loss) -> None:
    assert answer(rule, loss, **TOKENS)[0].status == "passed"


def test_a_mask_of_pixels_has_no_padding() -> None:
    flags = {"pred": "real[N,C]", "target": "real[N,C]", "mask": "mask[N,C]"}
    assert answer(rule, pixels, **flags)[0].status == "not applicable"


def test_the_reproducer_prints_both_values(tmp_path: Path) -> None:
    source = """
        def over_all(logits, tokens, mask):
            value = F.cross_entropy(logits.transpose(1, 2), tokens, reduction="none")
            return (value * mask).mean()
    """
    found, lines = run_reproducer(tmp_path, rule, source, "over_all", **TOKENS)
    said = [float(line.removeprefix("tensor(").removesuffix(")")) for line in lines]
    assert said == pytest.approx([float(found.evidence[name]) for name in ("value", "value then")], rel=1e-3)


def test_a_list_is_padded_as_a_sequence_is() -> None:
    """What fills a list must have no share in its softmax."""

    def list_loss(scores: Tensor, relevance: Tensor, mask: Tensor, fill: float = 0.0) -> Tensor:
        scores, gain = scores.masked_fill(mask == 0, fill), relevance.masked_fill(mask == 0, -1e9).softmax(1)
        return -(gain * scores.log_softmax(1).masked_fill(mask == 0, 0.0)).sum(1).mean()

    def well_filled(scores: Tensor, relevance: Tensor, mask: Tensor) -> Tensor:
        return list_loss(scores, relevance, mask, -1e9)

    assert [found.code for found in answer(rule, list_loss)[1]] == ["LS507"]
    assert answer(rule, well_filled)[1] == []
