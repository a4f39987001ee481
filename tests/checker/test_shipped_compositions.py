"""What is made of losses is clean too. It is called by name or with dicts, so that a function calls it here.

`test_shipped.py` examines the faces that name a formula; everything else that is public is here, or said why not.
"""

import pytest
import torch
from ruletest import subject_of
from test_shipped import faces

import lossmith.keras
import lossmith.torch as ours
from lossmith.checker.contract import contract
from lossmith.checker.runner import examine
from lossmith.errors import LossmithError
from lossmith.sides import LABELS

NOT_A_LOSS = {
    "gradient_penalty": "takes a critic, and no prediction",
    "r1_penalty": "takes a critic, and no prediction",
    "r2_penalty": "takes a critic, and no prediction",
    "Weighting": "a base",
    "FixedWeights": "part of a loss of several tasks",
    "UncertaintyWeighting": "part of a loss of several tasks",
    "DynamicWeightAverage": "part of a loss of several tasks",
    "RandomWeights": "part of a loss of several tasks",
    "GAN": "the keras name of GANLoss: the same sides, on the same formulas",
    "MultiTask": "a layer; each of its losses is examined alone",
    "MultiTaskModel": "a model",
    "LossLayer": "a layer; the loss in it is examined alone",
    "Proxies": "a layer; the losses that read it are examined alone",
    "edge_weights": "makes weights, not a loss",
    "RegionWeightedLoss": "the loss that it weighs is examined alone, its weights in their own tests",
    "RegionWeighted": "the keras name of RegionWeightedLoss",
}
EXAMINED = {"GANLoss", "MultiTaskLoss", "Combined"}


def clean(loss, known=frozenset(), **settings):
    report = examine(subject_of(loss), **settings)
    assert report.problem == ""
    assert [(finding.code, finding.message) for finding in report.findings if finding.code not in known] == []
    assert [s.reason for s in report.statuses.values() if "the rule itself failed" in s.reason] == []
    assert report.contract is not None
    return report


def test_every_composition_is_examined_or_named_with_its_reason():
    assert {text.rpartition(":")[2] for text in faces(declared=False)} <= set(NOT_A_LOSS) | EXAMINED


@pytest.mark.parametrize("mode", LABELS)
def test_both_sides_of_a_gan_are_clean(mode):
    loss = ours.GANLoss(mode)

    @contract(real="logits[N,C]", fake="logits[N,C]")
    def discriminator(real, fake):
        return loss.discriminator(real=real, fake=fake)

    @contract(fake="logits[N,C]")
    def generator(fake):
        return loss.generator(fake=fake)

    @contract(fake="logits[N,C]", real="logits[N,C]")
    def relativistic_generator(fake, real):
        return loss.generator(fake=fake, real=real)

    # Each score is compared with the mean of the other batch: another loss for every size of the batch, by definition.
    known = {"LS502"} if mode == "relativistic_average" else set()
    clean(discriminator, known)
    clean(relativistic_generator if "relativistic" in mode else generator, known)


WEIGHTINGS = {
    "fixed": lambda: ours.FixedWeights({"a": 1.0, "b": 0.5}),
    "uncertainty": lambda: ours.UncertaintyWeighting({"a": "regression", "b": "classification"}, initial=0.5),
    "dynamic": lambda: ours.DynamicWeightAverage(),
}


class TwoTasks(torch.nn.Module):
    """Both tasks on the halves of one prediction."""

    def __init__(self, weighting):
        super().__init__()
        self.tasks = ours.MultiTaskLoss({"a": ours.MSELoss(), "b": ours.HuberLoss()}, weighting)

    def forward(self, input, target):
        halves = [{"a": x[:, :2], "b": x[:, 2:]} for x in (input, target)]
        return self.tasks(*halves)


@pytest.mark.parametrize("name", WEIGHTINGS)
def test_several_tasks_are_clean(name):
    clean(contract(pred="real[N,C]", target="real[N,C]")(TwoTasks(WEIGHTINGS[name]())))


def test_weights_that_are_drawn_are_told_as_such_and_nothing_else():
    loss = contract(pred="real[N,C]", target="real[N,C]")(TwoTasks(ours.RandomWeights()))
    (found,) = examine(subject_of(loss)).findings
    assert found.code == "LS607"
    assert "draws from a generator of its own (tasks.weighting.generator)" in found.message


@pytest.mark.parametrize(
    "loss",
    [
        0.8 * ours.HuberLoss() + 0.2 * ours.L1Loss(),
        0.5 * ours.CrossEntropyLoss() + ours.FocalLoss(),
        0.8 * lossmith.keras.Huber() + 0.2 * lossmith.keras.MeanAbsoluteError(),
    ],
    ids=lambda loss: type(loss.losses[0]).__name__,
)
def test_a_sum_is_clean_under_the_contract_of_its_parts(loss):
    assert clean(loss).contract.origin == "declared by lossmith"


def test_a_gan_loss_that_is_checked_itself_says_how_to_call_it():
    with pytest.raises(LossmithError, match="not called itself"):
        ours.GANLoss()(torch.ones(2), torch.ones(2))
