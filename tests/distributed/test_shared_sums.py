"""Losses whose samples or pixels interact by sums: over several processes they are those of one that has the batch."""

from functools import partial

import pytest
import torch
from tasks import measured, rank_measured, with_fault
from test_shared_batch import require_equal
from torch import Tensor

from lossmith.torch import (
    BarlowTwinsLoss,
    BatchSimilarityLoss,
    DiceLoss,
    FocalTverskyLoss,
    JaccardLoss,
    TverskyLoss,
    VICRegLoss,
)

SIZES = [3, 0, 2, 4]
REGIONS = {
    "dice": partial(DiceLoss, over="batch", classes="present", background=False),
    "dice of images": partial(DiceLoss, form="l1"),
    "jaccard": partial(JaccardLoss, over="batch", smooth=1.0),
    "tversky": partial(TverskyLoss, over="batch", alpha=0.3, activation="sigmoid"),
    "focal tversky": partial(FocalTverskyLoss, over="batch"),
}
BATCHES = {
    "barlow twins": partial(BarlowTwinsLoss, off_diagonal_weight=0.5),
    "vicreg": VICRegLoss,
    "batch similarity": partial(BatchSimilarityLoss, strength=0.5),
}
LOSSES = {**REGIONS, **BATCHES}


def batch(name: str) -> list[Tensor]:
    g = torch.Generator().manual_seed(4)
    n = sum(SIZES)

    def drawn(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=g, dtype=torch.float64)

    if name in REGIONS:
        target = torch.randint(0, 2, (n, 4, 5), generator=g)  # none is of the third class
        target[4, 0, :3] = -100
        return [drawn(n, 3, 4, 5), target]
    if name == "batch similarity":
        return [drawn(n, 3), drawn(n, 5), torch.randint(0, 3, (n,), generator=g)]
    first, second = drawn(n, 5), drawn(n, 5)
    first[:, 2] = 1e3  # a dimension that is constant over the ranks
    return [first, second]


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("masked", [False, True])
def test_several_processes_are_one(processes, name, masked):
    given, more = batch(name), {}
    if masked:
        more["mask"] = torch.ones(sum(SIZES))
        more["mask"][[0, 3, 4, 7]] = 0.0  # 3 and 4: all that one rank has
        given[0][3] = torch.nan
    want = measured(LOSSES[name](), given, more, 1.7)
    require_equal(processes.run(rank_measured, 4, LOSSES[name], given, SIZES, more, 1.7), want, 4, rtol=1e-9)


@pytest.mark.parametrize("name", ["dice", "barlow twins", "batch similarity"])
def test_the_test_above_can_fail(processes, name):
    want = measured(LOSSES[name](), batch(name), {})
    made = processes.run(with_fault, "sum", 4, LOSSES[name], batch(name), SIZES, {}, 1.0)
    with pytest.raises(AssertionError, match="not close"):
        require_equal(made, want, 4, rtol=1e-9)
