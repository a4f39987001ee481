"""Sums of losses in torch: called, saved, shown and compiled as their parts are."""

import copy
import pickle

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch_cases.data import close

import lossmith.torch as faces
from lossmith.errors import SettingError, ShapeError
from lossmith.torch import (
    Combined,
    HuberLoss,
    L1Loss,
    MSELoss,
)

X, T = torch.tensor([1.0, 2.0, -0.5], dtype=torch.float64), torch.tensor([1.5, 0.0, -0.5], dtype=torch.float64)


class Learned(nn.Module):
    """A loss of one's own with a parameter."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(2.0, dtype=torch.float64))

    def forward(self, input, target):
        return (self.scale * (input - target)).abs().mean()


def test_a_sum_is_called_as_its_parts_and_adds_value_and_gradient():
    x = X.clone().requires_grad_()
    loss = 0.8 * HuberLoss(delta=0.5) + 0.2 * MSELoss()
    want = 0.8 * F.huber_loss(x, T, delta=0.5) + 0.2 * F.mse_loss(x, T)
    close(loss(x, T), want)
    close(*(torch.autograd.grad(total, x)[0] for total in (loss(x, T), want)))


@pytest.mark.parametrize(
    "keywords", [{"mask": torch.tensor([True, False, True])}, {"weight": X.abs()}, {"denominator": 7}]
)
def test_keywords_reach_every_part(keywords):
    loss = 2 * MSELoss() - L1Loss()
    close(loss(X, T, **keywords), 2 * MSELoss()(X, T, **keywords) - L1Loss()(X, T, **keywords))


def test_a_masked_entry_is_removed_from_a_sum_whatever_it_holds():
    x = torch.where(torch.tensor([True, False, True]), X, torch.nan).requires_grad_()
    total = (MSELoss() + L1Loss())(x, T, mask=~x.isnan())
    close(total, (MSELoss() + L1Loss())(X[[0, 2]], T[[0, 2]]))
    assert torch.autograd.grad(total, x)[0].isfinite().all()


def test_terms_are_the_totals_of_the_parts():
    total, terms = (0.5 * MSELoss() + MSELoss() + L1Loss())(X, T, return_terms=True)
    assert list(terms) == ["MSELoss", "MSELoss_2", "L1Loss"]
    close(total, 0.5 * terms["MSELoss"] + terms["MSELoss_2"] + terms["L1Loss"])
    outer = Combined([(1.0, 0.5 * MSELoss() + L1Loss())])
    assert list(outer(X, T, return_terms=True)[1]) == ["Combined.MSELoss", "Combined.L1Loss", "Combined"]


def test_foreign_losses_take_part_on_either_side():
    close((nn.MSELoss() + 2 * L1Loss())(X, T), F.mse_loss(X, T) + 2 * F.l1_loss(X, T))
    close((L1Loss() + nn.MSELoss())(X, T), F.mse_loss(X, T) + F.l1_loss(X, T))
    close(Combined([(0.5, nn.L1Loss())])(X, T), 0.5 * F.l1_loss(X, T))


def test_parameters_of_the_parts_are_registered_saved_and_trained():
    loss = 0.5 * MSELoss() + Learned()
    assert [name for name, _ in loss.named_parameters()] == ["losses.1.scale"]
    again = 0.5 * MSELoss() + Learned()
    with torch.no_grad():
        loss.losses[1].scale.fill_(3.0)
    again.load_state_dict(loss.state_dict())
    close(again(X, T), loss(X, T))
    (slope,) = torch.autograd.grad(loss(X, T), list(loss.parameters()))
    assert slope > 0


def test_a_sum_is_copied_pickled_shown_and_compiled():
    loss = 0.8 * HuberLoss() - 0.25 * MSELoss()
    assert repr(loss) == "0.8 * HuberLoss(delta=1.0, reduction='mean') - 0.25 * MSELoss(reduction='mean')"
    torch._dynamo.reset()
    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
    for again in (copy.deepcopy(loss), pickle.loads(pickle.dumps(loss)), compiled):
        close(again(X, T), loss(X, T))
    close(torch.export.export(loss, (X, T)).module()(X, T), loss(X, T))
    assert repr(pickle.loads(pickle.dumps(loss))) == repr(loss)


def test_parts_of_different_reductions_are_refused():
    with pytest.raises(SettingError, match=r"must have one reduction\n    MSELoss  sum\n    L1Loss   mean"):
        MSELoss(reduction="sum") + L1Loss()
    with pytest.raises(SettingError, match="must have one reduction"):
        MSELoss(reduction="sum") + nn.L1Loss()
    assert (MSELoss(reduction="sum") + L1Loss(reduction="sum")).reduction == "sum"


def test_values_of_one_shape_add_up_and_others_are_refused():
    loss = MSELoss(reduction="none") + L1Loss(reduction="none")
    close(loss(X, T), (X - T) ** 2 + (X - T).abs())
    logits, target = torch.zeros(2, 3), torch.tensor([[1.0, 0.0, 0.0]] * 2)
    with pytest.raises(ShapeError, match="values of the parts must have one shape"):
        (faces.CrossEntropyLoss(reduction="none") + faces.BCEWithLogitsLoss(reduction="none"))(logits, target)
    with pytest.raises(SettingError, match=r"takes \(weight, loss\) pairs"):
        Combined([])
