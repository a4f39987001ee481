"""The shares of the terms, by hand; and a criterion that is recorded answers as one that is not."""

import numpy as np
import pytest
import torch
from torch import nn

from lossmith import plots
from lossmith.errors import SettingError
from lossmith.torch import (
    DistillationLoss,
    FixedWeights,
    HuberLoss,
    L1Loss,
    MSELoss,
    MultiTaskLoss,
    UncertaintyWeighting,
)

PRED = torch.tensor([3.0, -1.0])
ZERO = torch.zeros(2)


def leaf():
    return PRED.clone().requires_grad_()


def test_the_terms_of_a_sum_are_recorded_with_their_weights():
    criterion = 0.5 * MSELoss() + 2.0 * L1Loss()
    with plots.record(criterion) as r:
        criterion(leaf(), ZERO)
    assert r.values == [{"MSELoss": 0.5 * 5.0, "L1Loss": 2.0 * 2.0}]
    # d/dx mean(x^2) = x, d/dx mean |x| = sign(x) / 2
    assert r.gradients[0] == pytest.approx({"MSELoss": 0.5 * 10.0**0.5, "L1Loss": 2.0 * 0.5 * 2.0**0.5})
    assert r.shares()["L1Loss"] == pytest.approx([4.0 / 6.5])
    assert sum(r.shares("gradient").values()) == pytest.approx([1.0])


def test_the_answer_and_the_gradient_are_those_of_the_criterion():
    criterion = 0.5 * MSELoss() + 2.0 * L1Loss()
    alone, recorded = leaf(), leaf()
    want = criterion(alone, ZERO)
    want.backward()
    with plots.record(criterion):
        got = criterion(recorded, ZERO)
        got.backward()
        total, terms = criterion(leaf(), ZERO, return_terms=True)
    assert torch.equal(got, want)
    assert torch.equal(recorded.grad, alone.grad)
    assert torch.equal(total, want)
    assert set(terms) == {"MSELoss", "L1Loss"}


def test_tasks_are_recorded_with_the_weights_of_the_step():
    criterion = MultiTaskLoss({"a": MSELoss(), "b": L1Loss()}, weighting=FixedWeights({"a": 1.0, "b": 3.0}))
    with plots.record(criterion) as r:
        criterion({"a": leaf(), "b": leaf()}, {"a": ZERO, "b": ZERO})
    assert r.values == [{"a": 5.0, "b": 6.0}]
    assert r.gradients[0] == pytest.approx({"a": 10.0**0.5, "b": 1.5 * 2.0**0.5})


def test_weights_that_learn_are_numbers_here():
    weighting = UncertaintyWeighting({"a": "regression", "b": "regression"}, initial=1.0)
    criterion = MultiTaskLoss({"a": MSELoss(), "b": L1Loss()}, weighting=weighting)
    with plots.record(criterion) as r:
        criterion({"a": leaf(), "b": leaf()}, {"a": ZERO, "b": ZERO}).backward()
    assert r.values[0] == pytest.approx({"a": 2.5 * np.exp(-1), "b": 1.0 * np.exp(-1)})
    assert weighting.log_variances["a"].grad is not None


def test_named_terms_of_one_loss_are_recorded():
    criterion = DistillationLoss()
    logits, teacher = torch.tensor([[1.0, 0.0, -1.0]]), torch.tensor([[0.5, 0.5, 0.0]])
    with plots.record(criterion) as r:
        total = criterion(logits.requires_grad_(), teacher, torch.tensor([0]))
    assert set(r.names) == {"soft", "hard"}
    assert sum(r.values[0].values()) == pytest.approx(float(total.detach()))


def test_gradients_can_be_by_shared_weights():
    model = nn.Linear(2, 2, bias=False)
    with torch.no_grad():
        model.weight.copy_(torch.eye(2))
    criterion = MSELoss() + L1Loss()
    with plots.record(criterion, wrt=model.parameters()) as r:
        criterion(model(PRED[None]), ZERO[None]).backward()
    want = torch.outer(PRED, PRED).norm()  # dL/dW = outer(dL/dy, x), and dL/dy = y = x
    assert r.gradients[0]["MSELoss"] == pytest.approx(float(want))


def test_only_every_so_many_calls_with_gradients_are_recorded():
    criterion = MSELoss() + L1Loss()
    with plots.record(criterion, every=2) as r:
        for _ in range(4):
            criterion(leaf(), ZERO)
        with torch.no_grad():
            criterion(leaf(), ZERO)
    criterion(leaf(), ZERO)
    assert len(r) == 2


def test_nothing_stays_behind_in_the_criterion():
    criterion = MSELoss() + L1Loss()
    with pytest.raises(ValueError, match="mine"), plots.record(criterion):
        raise ValueError("mine")
    assert not criterion._forward_hooks
    assert not criterion._forward_pre_hooks


def test_what_has_no_terms_is_refused():
    criterion = HuberLoss()
    with plots.record(criterion), pytest.raises(SettingError, match="HuberLoss has no terms to record"):
        criterion(leaf(), ZERO)
    with pytest.raises(SettingError, match="record takes a torch criterion"), plots.record(print):
        pass


def test_the_picture_stacks_the_shares():
    criterion = 0.5 * MSELoss() + 2.0 * L1Loss()
    with plots.record(criterion) as r:
        for step in range(3):
            criterion(leaf() * (1 + step), ZERO)
    value, gradient = r.draw()
    assert (value.get_ylabel(), gradient.get_ylabel()) == ("share of the value", "share of the gradient")
    heights = value.collections[0].get_paths()[0].vertices[:, 1]
    assert heights.max() == pytest.approx(max(r.shares()["MSELoss"]))
    assert r.draw((value, gradient)) == (value, gradient)


def test_a_record_of_nothing_says_so():
    with plots.record(MSELoss() + L1Loss()) as r:
        pass
    with pytest.raises(SettingError, match="nothing was recorded"):
        r.draw()
