"""A batch over several processes has the value and the gradient of one process that has it all."""

from functools import partial
from typing import Any

import pytest
import torch
from tasks import measured, rank_measured, refused, trained_once, with_fault
from torch import Tensor

from lossmith.errors import SettingError
from lossmith.torch import CLIPLoss, NTXentLoss, SigLIPLoss, SupConLoss

N, D = 14, 5
SIZES = {2: [9, 5], 4: [5, 0, 3, 6]}  # ranks have different numbers of samples, one has none
PAIRED = {"NTXent": NTXentLoss, "CLIP": CLIPLoss, "SigLIP": partial(SigLIPLoss, log_scale=0.5, bias=-1.0)}
LOSSES = {**PAIRED, "SupCon": SupConLoss}
every_loss = pytest.mark.parametrize("name", LOSSES)
both_ways = pytest.mark.parametrize("exchange", ["gather", "ring"])


def batch(name: str, dtype: torch.dtype = torch.float64) -> list[Tensor]:
    g = torch.Generator().manual_seed(1)
    first, second = (torch.randn(N, D, generator=g, dtype=torch.float64).to(dtype) for _ in range(2))
    return [first, torch.randint(0, 4, (N,), generator=g) if name == "SupCon" else second]


def require_equal(made: list[Any], want: dict[str, Any], world: int, *, values: bool = False, rtol: float = 1e-11):
    """Every rank has the total, or the values of its rows; gradients are those of the sum of what the ranks have, which
    for a total is P times itself. Those of what is learned are their mean."""
    faults = [x for x in made if isinstance(x, Exception)]
    if faults:
        raise faults[0]
    close = partial(torch.testing.assert_close, rtol=rtol, atol=rtol)
    made, times = made[:world], 1 if values else world
    for whole in ("total", *want["terms"]):
        parts = [x["total"] if whole == "total" else x["terms"][whole] for x in made]
        judge = want["total"] if whole == "total" else want["terms"][whole]
        for part in [torch.cat(parts)] if values else parts:
            close(part, judge)
    for index, slope in enumerate(want["inputs"]):
        close(torch.cat([x["inputs"][index] for x in made]), times * slope)
    for name, slope in want["learned"].items():
        for x in made:
            own = x["learned"][name] * world / times
            torch.testing.assert_close(own, slope, rtol=max(rtol, 2**-21), atol=0.0)  # float32


@every_loss
@both_ways
@pytest.mark.parametrize("world", [2, 4])
def test_several_processes_are_one(processes, name, exchange, world):
    want = measured(LOSSES[name](), batch(name), {}, 1.7)
    make = partial(LOSSES[name], exchange=exchange)
    require_equal(processes.run(rank_measured, world, make, batch(name), SIZES[world], {}, 1.7), want, world)


@every_loss
@both_ways
@pytest.mark.parametrize("reduction", ["none", "weighted_mean"])
def test_weights_masks_and_reductions_are_of_the_whole_batch(processes, name, exchange, reduction):
    given, more = batch(name), {"weight": torch.arange(N, dtype=torch.float64).sin() + 2.0, "mask": torch.ones(N)}
    more["mask"][[0, 5, 6, 7, 11]] = 0.0  # 5, 6, 7: all that one rank has
    given[0][5] = torch.nan
    want = measured(LOSSES[name](reduction=reduction), given, more)
    make = partial(LOSSES[name], exchange=exchange, reduction=reduction)
    made = processes.run(rank_measured, 4, make, given, SIZES[4], more, 1.0)
    require_equal(made, want, 4, values=reduction == "none")


@pytest.mark.parametrize(("name", "exchange"), [("NTXent", "gather"), ("SigLIP", "ring")])
def test_half_precision_is_widened_before_it_is_compared(processes, name, exchange):
    given = batch(name, torch.bfloat16)
    want = measured(LOSSES[name](), given, {})
    made = processes.run(rank_measured, 2, partial(LOSSES[name], exchange=exchange), given, SIZES[2], {}, 1.0)
    require_equal(made, want, 2, rtol=2**-7)


@pytest.mark.parametrize(
    ("fault", "name", "exchange"), [("gather", "NTXent", "gather"), ("sum", "CLIP", "gather"), ("mean", "CLIP", "ring")]
)
def test_the_tests_above_can_fail(processes, fault, name, exchange):
    want = measured(LOSSES[name](), batch(name), {}, 1.7)
    arguments = 2, partial(LOSSES[name], exchange=exchange), batch(name), SIZES[2], {}, 1.7
    with pytest.raises(AssertionError, match="not close"):
        require_equal(processes.run(with_fault, fault, *arguments), want, 2)


@pytest.mark.parametrize("wrapped", ["ddp", "fsdp"])
@both_ways
def test_averaged_gradients_of_a_model_are_those_of_one_process(processes, wrapped, exchange):
    first, second = batch("NTXent")
    weight = torch.linspace(-1.0, 1.0, 4 * D, dtype=torch.float64).sin().reshape(4, D).requires_grad_()
    NTXentLoss()(first @ weight.T, second @ weight.T).backward()
    make = partial(NTXentLoss, exchange=exchange)
    for made in processes.run(trained_once, wrapped, make, weight.detach(), [first, second], [2, 3, 4, 5]):
        torch.testing.assert_close(made, weight.grad)


def test_what_one_rank_refuses_all_ranks_refuse(processes):
    good = [torch.zeros(3, 2), torch.zeros(3, 2)]
    given = [good, good, [torch.zeros(3, 2), torch.zeros(4, 2)], good]
    said = processes.run(refused, NTXentLoss, [{}] * 4, given)
    assert [line.partition(":")[0] for line in said] == ["RankError", "RankError", "ShapeError", "RankError"]
    assert "[2]" in said[0]


@pytest.mark.parametrize(("settings", "other"), [({"temperature": 0.1}, None), ({}, torch.float64)])
def test_ranks_that_say_different_things_are_told_so(processes, settings, other):
    given = [[torch.ones(3, 2, dtype=torch.float32)] * 2 for _ in range(4)]
    given[1] = [x.to(other or x.dtype) for x in given[1]]
    said = processes.run(refused, NTXentLoss, [{}, settings, {}, {}], given)
    assert all("every rank must have the same" in line for line in said)
    assert "[1]" in said[0]


def test_a_group_needs_processes():
    with pytest.raises(SettingError, match="init_process_group"):
        NTXentLoss(group=True)(torch.ones(2, 2), torch.ones(2, 2))
