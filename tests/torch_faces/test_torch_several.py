"""Losses of several tasks in torch, and the weights between them."""

import copy
import pickle

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch_cases.data import close

import lossmith.torch as faces
from lossmith.errors import DtypeError, SettingError, ShapeError
from lossmith.torch import (
    DynamicWeightAverage,
    FixedWeights,
    L1Loss,
    MSELoss,
    MultiTaskLoss,
    RandomWeights,
    UncertaintyWeighting,
)

X, T = torch.tensor([1.0, 2.0, -0.5], dtype=torch.float64), torch.tensor([1.5, 0.0, -0.5], dtype=torch.float64)


def data():
    g = torch.Generator().manual_seed(0)
    logits = torch.randn(6, 4, generator=g, dtype=torch.float64)
    depth = torch.randn(6, 2, generator=g, dtype=torch.float64)
    inputs = {"seg": logits.requires_grad_(), "depth": depth.requires_grad_()}
    return inputs, {"seg": torch.tensor([0, 1, 2, 3, 0, 1]), "depth": torch.zeros(6, 2, dtype=torch.float64)}


def two(weighting=None):
    return MultiTaskLoss({"seg": faces.CrossEntropyLoss(), "depth": MSELoss()}, weighting)


def parts(inputs, targets):
    return F.cross_entropy(inputs["seg"], targets["seg"]), F.mse_loss(inputs["depth"], targets["depth"])


def test_without_a_weighting_the_losses_are_added():
    inputs, targets = data()
    close(two()(inputs, targets), sum(parts(inputs, targets)))


def test_terms_give_the_loss_and_the_weight_of_each_task():
    inputs, targets = data()
    total, terms = two(FixedWeights({"depth": 0.5, "seg": 2.0}))(inputs, targets, return_terms=True)
    seg, depth = parts(inputs, targets)
    assert list(terms) == ["seg.loss", "depth.loss", "seg.weight", "depth.weight"]
    close(total, 2 * seg + 0.5 * depth)
    close(terms["seg.loss"], seg)
    close(terms["depth.weight"], torch.tensor(0.5, dtype=torch.float64))


def test_uncertainty_learns_its_log_variances_to_the_best_ones():
    inputs, targets = data()
    loss = two(UncertaintyWeighting({"seg": "classification", "depth": "regression"})).double()
    assert [n for n, _ in loss.named_parameters()] == [f"weighting.log_variances.{t}" for t in ("seg", "depth")]
    optimiser = torch.optim.LBFGS(loss.parameters(), max_iter=100, tolerance_grad=1e-12, tolerance_change=1e-15)

    def closure():
        optimiser.zero_grad()
        total = loss(inputs, targets)
        total.backward()
        return total

    optimiser.step(closure)
    seg, depth = (x.detach() for x in parts(inputs, targets))
    found = loss.weighting.log_variances
    close(found["seg"].detach(), torch.log(2 * seg), rtol=1e-6)
    close(found["depth"].detach(), torch.log(depth), rtol=1e-6)
    close(loss(inputs, targets).detach(), (1 + torch.log(2 * seg)) / 2 + (1 + torch.log(depth)) / 2, rtol=1e-9)
    again = two(UncertaintyWeighting({"seg": "classification", "depth": "regression"})).double()
    again.load_state_dict(loss.state_dict())
    close(again(inputs, targets).detach(), loss(inputs, targets).detach())


def test_dynamic_weights_follow_the_epochs():
    inputs, targets = data()
    loss = two(DynamicWeightAverage(temperature=2.0)).double()
    means = []
    for epoch in range(4):
        steps = []
        for step in range(3):
            scaled = {"seg": inputs["seg"], "depth": inputs["depth"] * (1.0 - 0.1 * (3 * epoch + step))}
            _, terms = loss(scaled, targets, return_terms=True)
            steps.append(torch.stack(parts(scaled, targets)).detach())
        got = torch.stack([terms["seg.weight"], terms["depth.weight"]])
        if epoch < 2:
            assert got.tolist() == [1.0, 1.0]
        else:
            close(got, 2 * torch.softmax(means[-1] / means[-2] / 2.0, 0), rtol=1e-10)
        means.append(torch.stack(steps).mean(0))
        loss.weighting.end_epoch()
    again = two(DynamicWeightAverage(temperature=2.0)).double()
    again.load_state_dict(loss.state_dict())
    close(again(inputs, targets), loss(inputs, targets))
    assert again(inputs, targets) != two()(inputs, targets)


def test_dynamic_weights_gather_nothing_in_evaluation_and_keep_an_empty_epoch_out():
    inputs, targets = data()
    loss = two(DynamicWeightAverage()).eval()
    loss(inputs, targets)
    assert loss.weighting.count == 0
    before = copy.deepcopy(loss.state_dict())
    loss.weighting.end_epoch()
    for key, value in loss.state_dict().items():
        torch.testing.assert_close(value, before[key], equal_nan=True, rtol=0, atol=0)


@pytest.mark.parametrize("distribution", ["normal", "dirichlet"])
def test_random_weights_have_a_generator_of_their_own(distribution):
    inputs, targets = data()
    torch.manual_seed(0)
    before = torch.get_rng_state()
    loss = two(RandomWeights(seed=3, distribution=distribution))
    first = [loss(inputs, targets).item() for _ in range(3)]
    saved, copied, pickled = loss.state_dict(), copy.deepcopy(loss), pickle.loads(pickle.dumps(loss))
    later = [loss(inputs, targets).item() for _ in range(3)]
    assert len({*first, *later}) == 6
    again = two(RandomWeights(seed=99, distribution=distribution))
    again.load_state_dict(saved)
    for other in (copied, pickled, again):
        assert [other(inputs, targets).item() for _ in range(3)] == later
    fresh = two(RandomWeights(seed=3, distribution=distribution))
    assert [fresh(inputs, targets).item() for _ in range(3)] == first
    assert torch.equal(torch.get_rng_state(), before)
    _, terms = loss.eval()(inputs, targets, return_terms=True)
    assert terms["seg.weight"] == terms["depth.weight"] == 0.5


def test_the_mean_of_random_weights_is_even():
    losses = torch.ones(2)
    for distribution in ("normal", "dirichlet"):
        weighting = RandomWeights(distribution=distribution)
        weighting.start(("a", "b"))
        drawn = torch.stack([weighting(losses)[0] for _ in range(2000)])
        torch.testing.assert_close(drawn.sum(1), torch.ones(2000))
        assert (drawn.mean(0) - 0.5).abs().max() < 0.03
    assert (drawn[:, 0] < 0.25).float().mean() > 0.2  # even over the simplex: a quarter of them


def test_any_module_or_function_is_a_loss():
    g = torch.Generator().manual_seed(1)
    z = torch.randn(4, 3, generator=g), torch.randn(4, 3, generator=g)
    loss = MultiTaskLoss(
        {"a": nn.L1Loss(), "b": F.mse_loss, "pair": faces.ContrastiveLoss(), "none": lambda x: x.square().mean()}
    )
    same = torch.tensor([1.0, 0.0, 1.0, 0.0])
    x, t = torch.ones(3), torch.zeros(3)
    total = loss({"a": x, "b": x, "pair": z, "none": x}, {"a": t, "b": t, "pair": same, "none": None})
    close(total, 3.0 + faces.ContrastiveLoss()(*z, same), rtol=1e-6)
    assert "mse_loss" in repr(loss)


def test_masks_and_weights_go_to_the_tasks_that_they_name():
    inputs, targets = data()
    keep = torch.tensor([True, True, False, True, False, True])
    weight = torch.arange(6.0, dtype=torch.float64)
    got = two()(inputs, targets, mask={"seg": keep}, weight={"depth": weight}, denominator={"depth": 4})
    seg = faces.CrossEntropyLoss()(inputs["seg"], targets["seg"], mask=keep)
    close(got, seg + MSELoss()(inputs["depth"], targets["depth"], weight=weight, denominator=4))
    with pytest.raises(SettingError, match="mask names a task 'sag'"):
        two()(inputs, targets, mask={"sag": keep})


def test_a_task_that_is_missing_or_unknown_is_an_error():
    inputs, targets = data()
    with pytest.raises(SettingError, match="MultiTaskLoss: targets lacks the task 'depth'"):
        two()(inputs, {"seg": targets["seg"]})
    with pytest.raises(SettingError, match="inputs names a task 'dept'"):
        two()({**inputs, "dept": X}, targets)
    with pytest.raises(SettingError, match="weighting lacks the task 'depth'"):
        two(FixedWeights({"seg": 1.0}))
    with pytest.raises(SettingError, match="weighting names a task 'normals'"):
        two(UncertaintyWeighting({"seg": "classification", "depth": "regression", "normals": "regression"}))


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: MultiTaskLoss({}), "needs a loss for each task"),
        (lambda: MultiTaskLoss([MSELoss()]), "needs a loss for each task"),
        (lambda: MultiTaskLoss({"a": MSELoss}), "must be a module or a function"),
        (lambda: MultiTaskLoss({"keys": MSELoss()}), "a task cannot be called 'keys'"),
        (lambda: MultiTaskLoss({"a.b": MSELoss()}), "named by a word"),
        (lambda: MultiTaskLoss({"a": MSELoss()}, {"a": 1.0}), r"must be a Weighting\n.*\n.*FixedWeights"),
        (lambda: UncertaintyWeighting({"a": "ranking"}), "the form of 'a' must be"),
        (lambda: UncertaintyWeighting({"a": "regression"}, initial=float("inf")), "initial must be a finite number"),
        (lambda: FixedWeights({"a": float("nan")}), "a must be a finite number"),
        (lambda: DynamicWeightAverage(temperature=0.0), "temperature must be a finite number above 0"),
        (lambda: RandomWeights(distribution="uniform"), "distribution must be"),
        (lambda: RandomWeights(seed=0.5), "seed must be a whole number"),
    ],
)
def test_what_cannot_be_built_is_refused(make, says):
    with pytest.raises(SettingError, match=says):
        make()


def test_a_weighting_belongs_to_one_loss():
    weighting = DynamicWeightAverage()
    two(weighting)
    with pytest.raises(SettingError, match="belongs to another MultiTaskLoss"):
        two(weighting)


def test_a_task_must_give_one_number():
    with pytest.raises(ShapeError, match=r"the loss of 'a' must give one number\n    gives  \(3,\)"):
        MultiTaskLoss({"a": MSELoss(reduction="none")})({"a": X}, {"a": T})
    with pytest.raises(DtypeError, match="the loss of 'a' must give a tensor"):
        MultiTaskLoss({"a": lambda x, t: 1.0})({"a": X}, {"a": T})


@pytest.mark.parametrize("make", [FixedWeights, DynamicWeightAverage, lambda: None])
def test_it_compiles_as_one_graph_and_is_copied(make):
    torch._dynamo.reset()
    inputs, targets = data()
    loss = two(make())
    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
    for other in (compiled, copy.deepcopy(loss), pickle.loads(pickle.dumps(loss))):
        close(other(inputs, targets), loss(inputs, targets))


def test_uncertainty_compiles_as_one_graph():
    torch._dynamo.reset()
    inputs, targets = data()
    loss = two(UncertaintyWeighting({"seg": "classification", "depth": "regression"}))
    close(torch.compile(loss, fullgraph=True, backend="aot_eager")(inputs, targets), loss(inputs, targets))


@pytest.mark.parametrize(
    "make",
    [
        FixedWeights,
        lambda: UncertaintyWeighting({"seg": "classification", "depth": "regression"}),
        DynamicWeightAverage,
        lambda: None,
    ],
)
def test_it_is_exported_as_it_is(make):
    inputs, targets = data()
    inputs = {name: x.detach() for name, x in inputs.items()}
    loss = two(make())
    close(torch.export.export(loss, (inputs, targets)).module()(inputs, targets), loss(inputs, targets))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_tasks_are_weighed_in_float32(dtype):
    x, t = torch.full((4,), 200.0, dtype=dtype), torch.zeros(4, dtype=dtype)
    loss = MultiTaskLoss({"a": L1Loss(), "b": L1Loss()}, FixedWeights({"a": 400.0, "b": -400.0}))
    assert loss({"a": x, "b": x}, {"a": t, "b": t}) == 0  # each product is beyond float16
    assert loss({"a": x, "b": x}, {"a": t, "b": t}).dtype == dtype
