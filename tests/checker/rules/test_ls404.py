"""LS404 on weights that enter wrongly, and on their nearest innocent neighbours."""

import pytest
import torch
from ruletest import answer, printed
from torch import Tensor, nn
from torch.nn import functional as F

from lossmith.checker.rules import ls404_weight_or_mask_rank as rule

CLASSES = {"pred": "logits[N,C]", "target": "index[N]"}
WEIGHTED = {"pred": "real[N]", "target": "real[N]", "weight": "weight[N]"}


class FocalWithWeightInside(nn.Module):
    """The weight makes p_t smaller than the probability of the class."""

    def __init__(self, gamma: float = 2.0, weight: Tensor | None = None) -> None:
        super().__init__()
        self.gamma = gamma
        self.register_buffer("weight", weight)

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        ce = F.cross_entropy(logits, target, weight=self.weight, reduction="none")
        return ((1 - torch.exp(-ce)) ** self.gamma * ce).mean()


class FocalRepaired(FocalWithWeightInside):
    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        ce = F.cross_entropy(logits, target, reduction="none")
        value = (1 - torch.exp(-ce)) ** self.gamma * ce
        return (value if self.weight is None else value * self.weight[target]).mean()


def weighs_twice(logits: Tensor, target: Tensor, class_weights: Tensor | None = None) -> Tensor:
    value = F.cross_entropy(logits, target, weight=class_weights, reduction="none")
    return (value if class_weights is None else value * class_weights[target]).mean()


def weighs_once(logits: Tensor, target: Tensor, class_weights: Tensor | None = None) -> Tensor:
    return F.cross_entropy(logits, target, weight=class_weights)


def table(pred: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    return ((pred - target).square().unsqueeze(1) * weight).mean()


def aligned(pred: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    return ((pred - target).square() * weight).mean()


def normalised(pred: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    return ((pred - target).square() * weight / weight.sum()).sum()


def after_the_mean(pred: Tensor, target: Tensor, sample_weight: Tensor | None = None) -> Tensor:
    value = (pred - target).abs().mean()
    return value if sample_weight is None else (value * sample_weight).mean()


def before_the_mean(pred: Tensor, target: Tensor, sample_weight: Tensor | None = None) -> Tensor:
    value = (pred - target).abs()
    return (value if sample_weight is None else value * sample_weight).mean()


def squared_weight(pred: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    return ((weight * pred - weight * target) ** 2).mean()


class WithDice(nn.Module):
    """Only one of two terms is weighted, and its weights are brought to a mean of 1 on purpose."""

    def __init__(self, weight: Tensor | None = None) -> None:
        super().__init__()
        self.register_buffer("weight", None if weight is None else weight / weight.mean())

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        ce = F.cross_entropy(logits, target, weight=self.weight)
        p, hot = logits.softmax(1), F.one_hot(target, logits.shape[1])
        return ce + 1 - (2 * (p * hot).sum() + 1) / (p.sum() + hot.sum() + 1)


class Adjusted(nn.Module):
    """Class weights as a prior that shifts the logits: no factor, and none is meant."""

    def __init__(self, weight: Tensor | None = None) -> None:
        super().__init__()
        self.register_buffer("weight", weight)

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(logits if self.weight is None else logits + self.weight.log(), target)


def test_a_weight_that_leaks_into_the_probability_is_found() -> None:
    _, (found,) = answer(rule, FocalWithWeightInside(), **CLASSES)
    assert found.message.startswith("weight is no factor of the loss")
    assert found.severity == "warning"


def test_a_weight_that_is_applied_twice_is_found() -> None:
    _, (found,) = answer(rule, weighs_twice, **CLASSES)
    assert found.message.startswith("class_weights counts squared")
    assert found.severity == "error"


def test_a_table_of_samples_by_weights_is_found() -> None:
    _, (found,) = answer(rule, table, **WEIGHTED)
    assert found.message.startswith("weight does not weigh its own sample")


def test_a_weight_after_the_reduction_is_found_in_a_keyword() -> None:
    _, (found,) = answer(rule, after_the_mean, pred="real[N]", target="real[N]")
    assert found.message.startswith("sample_weight does not weigh its own sample")


@pytest.mark.parametrize(
    ("loss", "contract"),
    [
        (FocalRepaired(), CLASSES),
        (weighs_once, CLASSES),
        (aligned, WEIGHTED),
        (normalised, WEIGHTED),
        (before_the_mean, {"pred": "real[N]", "target": "real[N]"}),
        (WithDice(), CLASSES),
        (Adjusted(), CLASSES),
        (nn.CrossEntropyLoss(), CLASSES),
        (nn.CrossEntropyLoss(label_smoothing=0.1), CLASSES),
        (nn.NLLLoss(), {"pred": "logprob[N,C]", "target": "index[N]"}),
    ],
)
def test_repaired_twins_and_innocents_pass(loss, contract) -> None:
    status, findings = answer(rule, loss, **contract)
    assert (status.status, findings) == ("passed", [])


def test_a_scale_for_each_residual_counts_squared_and_is_said_so() -> None:
    """Inverse standard deviations inside the square: the name says weight, and as a weight it counts twice."""
    _, (found,) = answer(rule, squared_weight, **WEIGHTED)
    assert found.message.startswith("weight counts squared")


def test_a_loss_without_weights_is_not_applicable() -> None:
    status, _ = answer(rule, nn.MSELoss(), pred="real[N,C]", target="real[N,C]")
    assert (status.status, status.reason) == ("not applicable", "it takes no weights")


def test_the_printed_text_is_stable() -> None:
    lines = printed(rule, table, **WEIGHTED).splitlines()
    assert lines[3] == (
        "    weight does not weigh its own sample: twice the weight of one changes the gradients of all alike"
    )
    assert "    fix     give weight the shape of the unreduced values, and multiply before the reduction" in lines


def entry_weight_applied_twice(pred, target, weight):
    return ((pred - target) ** 2 * weight * weight).mean()


def entry_weight_in_a_square(pred, target, weight):
    return (((pred - target) * weight) ** 2).mean()


def entry_weight_beside_a_mean(pred, target, weight):
    return ((pred - target) ** 2).mean() * weight.mean()


def entry_weight_that_cancels(pred, target, weight):
    return (((pred - target) ** 2).mean() * weight).sum() / weight.sum()


def entry_weight_once(pred, target, weight):
    return ((pred - target) ** 2 * weight).sum() / weight.sum()


@pytest.mark.parametrize(
    ("loss", "told"),
    [
        (entry_weight_applied_twice, ["warning"]),
        (entry_weight_in_a_square, ["info"]),  # a residual has a scale there
        (entry_weight_beside_a_mean, ["error"]),
        (entry_weight_that_cancels, ["error"]),
        (entry_weight_once, []),
    ],
)
def test_a_weight_for_each_entry(loss, told):
    assert [found.severity for found in answer(rule, loss)[1]] == told


class Held(nn.Module):
    """Weights of classes in a buffer, which no setting gives."""

    def __init__(self, use="once"):
        super().__init__()
        self.register_buffer("weight", torch.linspace(0.5, 1.5, 5))
        self.use = use

    def forward(self, logits, labels):
        if self.use == "never":
            return F.cross_entropy(logits, labels)
        value = F.cross_entropy(logits, labels, weight=self.weight, reduction="none")
        if self.use == "inside":
            return ((1 - torch.exp(-value)) ** 2 * value).mean()
        return (value * self.weight[labels]).mean() if self.use == "twice" else value.mean()


@pytest.mark.parametrize(
    ("use", "told"), [("once", []), ("never", ["warning"]), ("inside", ["warning"]), ("twice", ["error"])]
)
def test_a_weight_in_a_buffer(use, told):
    assert [found.severity for found in answer(rule, Held(use))[1]] == told


def test_an_optional_weight_of_each_entry_is_asked():
    def weighed(pred, target, sample_weight=None):
        value = F.huber_loss(pred, target, reduction="none")
        return value.mean() if sample_weight is None else (value * sample_weight).mean()

    def cancels(pred, target, sample_weight=None):
        value = F.huber_loss(pred, target, reduction="none")
        return value.mean() if sample_weight is None else (value * (sample_weight / sample_weight)).mean()

    flags = {"pred": "real[N,C]", "target": "real[N,C]"}
    (found,) = answer(rule, cancels, **flags)[1]
    assert found.message == "sample_weight cancels: other weights give the same value"
    assert answer(rule, weighed, **flags)[1] == []


@pytest.mark.parametrize("kept", [True, False])
def test_a_product_that_nothing_keeps(kept):
    def weighed(pred, target, frame_weight=None):
        value = (pred - target).square()
        product = value if frame_weight is None else value * frame_weight
        return (product if kept else value).mean()

    flags = {"pred": "real[N]", "target": "real[N]"}
    assert [found.severity for found in answer(rule, weighed, **flags)[1]] == ([] if kept else ["error"])


@pytest.mark.parametrize(("count", "told"), [(1, []), (2, ["warning"])])
def test_weights_of_one_give_what_no_weights_give(count, told):
    def tokens(logits, labels, token_weight=None):
        ce = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none")
        return ce.mean() if token_weight is None else (ce * token_weight.flatten()).sum() * count / ce.numel()

    flags = {"pred": "logits[N,T,C]", "target": "index[N,T]"}
    assert [found.severity for found in answer(rule, tokens, **flags)[1]] == told


def test_a_weight_that_is_capped_does_not_cancel():
    def capped(pred, target, weight):
        return (weight.clamp(max=5.0) / weight * (pred - target).square()).mean()

    def cancels(pred, target, weight):
        return ((pred - target).square().mean() * weight).sum() / weight.sum()

    given = {"pred": "real[N]", "target": "real[N]", "weight": "weight[N]"}
    assert answer(rule, capped, **given)[1] == []
    assert "cancels" in answer(rule, cancels, **given)[1][0].message
