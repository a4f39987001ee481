"""The loss around the weights: directions by hand, points by hand, and a run that was cut goes on to the same end."""

import numpy as np
import pytest
import torch
from torch import nn

from lossmith.errors import SettingError
from lossmith.plots import landscape
from lossmith.plots.landscapes import filter_normalised

INPUTS = torch.randn(16, 3, generator=torch.Generator().manual_seed(1))
TARGETS = INPUTS[:, :1] * 2


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1d(5), nn.Tanh(), nn.Linear(5, 1))


def batch_loss(model):
    return nn.functional.mse_loss(model(INPUTS), TARGETS)


def by_hand(model, a, b, seed=0):
    """A copy of the model with its weights moved, called as a user would."""
    weights = {name: value.detach() for name, value in model.named_parameters()}
    first, second = filter_normalised(weights, seed), filter_normalised(weights, seed + 1)
    moved = {name: value + a * first[name] + b * second[name] for name, value in weights.items()}
    twin = network()
    twin.load_state_dict({**model.state_dict(), **moved})
    return float(batch_loss(twin.eval()).detach())


def test_a_direction_has_the_length_of_the_weights_filter_by_filter():
    weights = {"conv": torch.randn(4, 3, 2, 2), "scale": torch.randn(4), "lying": torch.zeros(2, 3)}
    made = filter_normalised(weights, 3)
    for number in range(4):
        assert made["conv"][number].norm() == pytest.approx(float(weights["conv"][number].norm()), rel=1e-5)
    assert not made["scale"].any()
    assert not made["lying"].any()
    drawn = torch.randn(4, 3, 2, 2, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    want = drawn[0] / drawn[0].norm() * weights["conv"][0].norm()
    torch.testing.assert_close(made["conv"][0], want.float())


def test_each_point_is_the_loss_of_a_model_with_those_weights():
    model = network()
    plane = landscape(model, batch_loss, points=3)
    want = [[by_hand(model, a, b) for a in (-1, 0, 1)] for b in (-1, 0, 1)]
    np.testing.assert_allclose(plane.value, want, rtol=1e-5)
    line = landscape(model, batch_loss, plane=False, points=3)
    np.testing.assert_allclose(line.value, [by_hand(model, a, 0) for a in (-1, 0, 1)], rtol=1e-5)


def test_networks_that_differ_in_scale_alone_have_one_landscape():
    model, other = network(), network()
    with torch.no_grad():  # what follows is divided by its own spread, so that the function is the same
        other[0].weight.mul_(10.0)
        other[0].bias.mul_(10.0)

    def in_training(twin):
        return batch_loss(twin)

    one, two = (landscape(_train_statistics(m), in_training, points=3).value for m in (model, other))
    np.testing.assert_allclose(one, two, rtol=1e-3)


def _train_statistics(model):
    """A batch normalisation that always takes the batch's own mean and spread."""
    model[1].track_running_stats = False
    model[1].running_mean = model[1].running_var = None
    return model


def test_the_model_is_left_as_it_was():
    model = network()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.train()
    landscape(model, batch_loss, points=3)
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


class Cut(Exception):
    """Someone pulled the plug."""


def cut_after(points):
    def progress(done, of):
        if done >= points:
            raise Cut

    return progress


def test_a_run_that_was_cut_goes_on_and_ends_with_the_same_bits(tmp_path):
    model, state = network(), tmp_path / "plane.npz"
    whole = landscape(model, batch_loss, points=5, chunk=4)
    with pytest.raises(Cut):
        landscape(model, batch_loss, points=5, chunk=4, state=state, progress=cut_after(12))
    with np.load(state, allow_pickle=False) as kept:
        assert np.isnan(kept["value"]).sum() == 13
    calls = []
    resumed = landscape(
        model, lambda stand_in: (calls.append(1), batch_loss(stand_in))[1], points=5, chunk=4, state=state
    )
    assert (resumed.value == whole.value).all()
    assert len(calls) == 4  # chunks of 4, 4, 4 and 1: the 12 points that were kept are not computed again
    assert list(tmp_path.iterdir()) == [state]


def test_a_state_of_another_landscape_and_a_file_of_something_else_are_refused(tmp_path):
    model, state = network(), tmp_path / "plane.npz"
    landscape(model, batch_loss, points=3, state=state)
    with torch.no_grad():
        model[0].weight.add_(1.0)
    with pytest.raises(SettingError, match="belongs to another landscape"):
        landscape(model, batch_loss, points=3, state=state)
    np.savez(state, mark=np.array([object()], dtype=object), value=np.zeros(9))
    for content in (state.read_bytes(), b"my notes", b""):
        state.write_bytes(content)
        with pytest.raises(SettingError, match=r"no state of a landscape|cannot be read"):
            landscape(model, batch_loss, points=3, state=state)
        assert state.read_bytes() == content


class Looking(nn.Module):
    """Its path depends on a value: it cannot be mapped."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 1)

    def forward(self, x):
        made = self.layer(x)
        return made if float(made.detach().sum()) > 0 else 2 * made


def test_a_model_that_cannot_be_mapped_is_called_point_by_point():
    torch.manual_seed(2)
    model = Looking()
    line = landscape(model, batch_loss, plane=False, points=3)
    assert line.value[1] == pytest.approx(float(batch_loss(model).detach()))


def test_progress_is_told_and_the_picture_comes_back_on_its_axes():
    told = []
    plane = landscape(network(), batch_loss, points=3, chunk=4, progress=lambda *at: told.append(at))
    assert told == [(4, 9), (8, 9), (9, 9)]
    axes = plane.draw()
    assert plane.draw(axes) is axes
    line = landscape(network(), batch_loss, plane=False, points=3)
    assert list(line.draw().lines[0].get_ydata()) == list(line.value)
