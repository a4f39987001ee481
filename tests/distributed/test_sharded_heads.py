"""Class vectors that are dealt out to several processes give the value and the gradient of one process with all."""

from functools import partial
from math import ceil

import pytest
import torch
from tasks import drawn, head, measured, rank_measured, redrawn, with_fault
from torch import Tensor

from lossmith.errors import SettingError
from lossmith.torch import ArcFaceLoss, CosFaceLoss, LinearCrossEntropyLoss

N, C, D = 11, 23, 5
SIZES = {2: [7, 4], 4: [4, 0, 2, 5]}
HEADS = {
    "ArcFace": partial(ArcFaceLoss, C, D),
    "CosFace": partial(CosFaceLoss, C, D, scale=100.0),  # beyond what goes without a running maximum
    "LinearCrossEntropy": partial(LinearCrossEntropyLoss, C, D),
    "all settings": partial(
        LinearCrossEntropyLoss, C, D, bias=True, label_smoothing=0.1, z_weight=1e-2, soft_cap=2.0, reduction="sum"
    ),
}


def problem(name: str) -> tuple[list[Tensor], dict[str, Tensor]]:
    """Embeddings, labels of which one is ignored, and vectors of all classes."""
    g = torch.Generator().manual_seed(2)
    embeddings, labels = torch.randn(N, D, generator=g, dtype=torch.float64), torch.randint(C, (N,), generator=g)
    labels[3] = -100
    state = {"weight": torch.randn(C, D, generator=g)}
    if name == "all settings":
        state["offset"] = torch.randn(C, generator=g)
    return [embeddings, labels], state


def require_equal(made: list, want: dict, world: int) -> None:
    """Rows as for a batch that is shared; of the vectors every rank has the gradient of its own."""
    faults = [x for x in made if isinstance(x, Exception)]
    if faults:
        raise faults[0]
    made = made[:world]
    for x in made:
        torch.testing.assert_close(x["total"], want["total"], rtol=1e-11, atol=0.0)
    rows = torch.cat([x["inputs"][0] for x in made])
    torch.testing.assert_close(rows, world * want["inputs"][0], rtol=1e-11, atol=1e-11)
    for name, slope in want["learned"].items():
        torch.testing.assert_close(torch.cat([x["learned"][name] for x in made]), slope, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", HEADS)
@pytest.mark.parametrize("world", [2, 4])
def test_several_processes_are_one(processes, name, world):
    given, state = problem(name)
    want = measured(head(HEADS[name], state), given, {}, 1.7)
    make = partial(head, HEADS[name], state)
    require_equal(processes.run(rank_measured, world, make, given, SIZES[world], {}, 1.7), want, world)


@pytest.mark.parametrize("fault", ["gather", "sum", "share"])
def test_the_test_above_can_fail(processes, fault):
    given, state = problem("ArcFace")
    make = partial(head, HEADS["ArcFace"], state)
    made = processes.run(with_fault, fault, 2, make, given, SIZES[2], {}, 1.7)
    with pytest.raises(AssertionError, match="not close"):
        require_equal(made, measured(make(), given, {}, 1.7), 2)


def test_a_label_that_no_rank_has_is_nan(processes):
    given, state = problem("ArcFace")
    given[1][8] = C
    make = partial(head, HEADS["ArcFace"], state, reduction="none")
    made = processes.run(rank_measured, 2, make, given, SIZES[2], {}, 1.0)
    assert torch.cat([x["total"] for x in made[:2]]).isnan().tolist() == [n == 8 for n in range(N)]


@pytest.mark.parametrize("name", ["ArcFace", "LinearCrossEntropy"])
def test_ranks_draw_other_vectors_from_one_seed(processes, name):
    made = processes.run(redrawn, HEADS[name])
    assert [list(classes) for classes, _, _ in made] == [
        [*range(6)],
        [*range(6, 12)],
        [*range(12, 18)],
        [*range(18, 23)],
    ]
    whole = torch.cat([own for _, own, _ in made])
    assert all(torch.equal(all_of_them, whole) for _, _, all_of_them in made)
    assert len(whole.flatten().unique()) == C * D
    torch.manual_seed(0)
    bound = HEADS[name]().weight.abs().max()
    assert 0.8 * bound < whole.abs().max() < 1.2 * bound


def test_partial_fc_compares_with_the_classes_of_the_batch_and_with_some_others(processes):
    given, _ = problem("ArcFace")
    made = processes.run(drawn, partial(HEADS["ArcFace"], sample_rate=0.6), given, SIZES[4])
    weight = torch.cat([x["learned"]["weight"] for x in made])
    took_part = weight.abs().sum(1) > 0
    present = torch.zeros(C, dtype=torch.bool).index_fill(0, given[1][given[1] >= 0], True)
    assert took_part[present].all()
    for x in made:
        here = slice(x["classes"].start, x["classes"].stop)
        assert took_part[here].sum() == max(ceil(0.6 * len(x["classes"])), present[here].sum())
        assert x["total"] == made[0]["total"] < x["whole"]  # fewer rivals


def test_a_sample_of_one_process_is_the_head_of_the_classes_drawn():
    given, state = problem("ArcFace")
    torch.manual_seed(3)
    made = measured(head(HEADS["ArcFace"], state, sample_rate=0.7), given, {})
    chosen = (made["learned"]["weight"].abs().sum(1) > 0).nonzero()[:, 0]
    renamed = torch.full((C,), -1).index_put((chosen,), torch.arange(len(chosen)))
    labels = torch.where(given[1] < 0, given[1], renamed[given[1].clamp(min=0)])
    few = head(partial(ArcFaceLoss, len(chosen), D), {"weight": state["weight"][chosen]})
    want = measured(few, [given[0], labels], {})
    assert len(chosen) == ceil(0.7 * C)
    torch.testing.assert_close(made["total"], want["total"])
    torch.testing.assert_close(made["learned"]["weight"][chosen], want["learned"]["weight"])


@pytest.mark.parametrize("rate", [0.0, 1.5])
def test_a_share_is_above_0_and_at_most_1(rate):
    with pytest.raises(SettingError, match="sample_rate"):
        ArcFaceLoss(C, D, sample_rate=rate)
