"""What a rank does in the tests: a task gets the process groups by their size, and returns plain tensors."""

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel

from lossmith.kernels import ranks


def part_of(given: list[Any], sizes: list[int]) -> list[Any]:
    """The rows of this rank, of what has a row for each sample."""
    return [x.split(sizes)[dist.get_rank()] if isinstance(x, Tensor) and x.ndim else x for x in given]


def measured(face: Any, given: list[Any], more: dict[str, Any], factor: float = 1.0) -> dict[str, Any]:
    """The total with its terms, and the gradient of `factor` times it in every input and parameter."""
    leaves = [x.clone().requires_grad_() if x.is_floating_point() else x for x in given]
    total, terms = face(*leaves, **more, return_terms=True)
    (factor * total.sum()).backward()
    return {
        "total": total.detach(),
        "terms": {name: term.detach() for name, term in terms.items()},
        "inputs": [x.grad for x in leaves if x.is_floating_point()],
        "learned": {name: p.grad for name, p in face.named_parameters()},
    }


def rank_measured(
    groups: Any, world: int, make: Any, given: list[Any], sizes: list[int], more: dict[str, Any], factor: float
) -> Any:
    """The same of this rank's rows, in the group of the first `world` processes."""
    if dist.get_rank() >= world:
        return None
    keywords = dict(zip(more, part_of(list(more.values()), sizes), strict=True))
    return measured(make(group=groups[world]), part_of(given, sizes), keywords, factor)


def head(make: Any, state: dict[str, Tensor], **settings: Any) -> Any:
    """A head with the class vectors of `state`."""
    face = make(**settings)
    face.load_state_dict(state)
    return face


def redrawn(groups: Any, make: Any) -> Any:
    """Class vectors that were drawn here, and those of all ranks."""
    torch.manual_seed(0)
    face = make(group=True)
    return face.classes, face.weight.detach(), face.whole_state_dict()["weight"]


def drawn(groups: Any, make: Any, given: list[Any], sizes: list[int]) -> Any:
    """A step of Partial FC: the total, the gradient of the class vectors, and what it is with all of them."""
    torch.manual_seed(dist.get_rank())
    face = make(group=True)
    own = part_of(given, sizes)
    made = measured(face, own, {})
    return {**made, "whole": face.eval()(*own).detach(), "classes": face.classes}


def with_fault(groups: Any, fault: str, *arguments: Any) -> Any:
    """`rank_measured` with a mistake. The usual one: gathered rows lose their gradient, but for one's own."""
    right = ranks._Gather.apply

    def own_rows_alone(x: Tensor, members: Any, sizes: tuple[int, ...]) -> Tensor:
        parts = list(right(x.detach(), members, sizes).split(sizes))
        parts[members.rank] = x
        return torch.cat(parts)

    faults = {
        "gather": (ranks.Ranks, "gathered", lambda self, x, sizes: own_rows_alone(x, self, tuple(sizes))),
        "sum": (ranks.Ranks, "summed", lambda self, x: x + (ranks._Sum.apply(x, self) - x).detach()),
        "mean": (ranks.Ranks, "replicated", lambda self, x: x),
        "share": (ranks.Ranks, "held_apart", lambda self, x: x),
    }
    where, name, wrong = faults[fault]
    before = getattr(where, name)
    setattr(where, name, wrong)
    try:
        return rank_measured(groups, *arguments)
    finally:
        setattr(where, name, before)


class Model(nn.Module):
    """A linear encoder of two views."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.encoder = nn.Linear(weight.shape[1], weight.shape[0], bias=False, dtype=weight.dtype)
        self.encoder.weight.data.copy_(weight)

    def forward(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        return self.encoder(first), self.encoder(second)


def trained_once(groups: Any, wrapped: str, make: Any, weight: Tensor, given: list[Tensor], sizes: list[int]) -> Any:
    """The gradient of the encoder after one backward, as the wrapper averaged it."""
    model: Any = Model(weight)
    if wrapped == "ddp":
        model = DistributedDataParallel(model)
    else:
        fully_shard(model.encoder, mesh=dist.init_device_mesh("cpu", (dist.get_world_size(),)))
    make(group=True)(*model(*part_of(given, sizes))).backward()
    grad = next(model.parameters()).grad
    return grad.full_tensor() if wrapped == "fsdp" else grad


def refused(groups: Any, make: Any, settings: list[dict[str, Any]], given: list[list[Tensor]]) -> str:
    """The error of this rank, where each has its own settings and arguments."""
    rank = dist.get_rank()
    try:
        make(group=True, **settings[rank])(*given[rank])
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "nothing"


def features_sent(groups: Any, make: Any, given: list[Tensor], sizes: list[int]) -> int:
    """How many bytes of rows this rank sends, forward and backward, each collective in the way that sends least."""
    sent, others = [0], dist.get_world_size() - 1
    width = given[0].shape[1]

    def counting(collective: Any, times: float, which: int) -> Any:
        def run(*arguments: Any, **more: Any) -> Any:
            x = arguments[which]
            if x.ndim == 2 and x.shape[1] == width and x.is_floating_point():
                sent[0] += int(times * x.numel() * x.element_size())
            return collective(*arguments, **more)

        return run

    before = dict(vars(dist))
    dist.all_gather_single = counting(dist.all_gather_single, others, 1)
    dist.reduce_scatter_single = counting(dist.reduce_scatter_single, others / (others + 1), 1)
    hop = dist.P2POp

    def counted(does: Any, x: Tensor, *more: Any) -> Any:
        if does is dist.isend and x.ndim == 2 and x.shape[1] == width and x.is_floating_point():
            sent[0] += x.numel() * x.element_size()
        return hop(does, x, *more)

    dist.P2POp = counted
    try:
        measured(make(group=True), part_of(given, sizes), {})
    finally:
        vars(dist).update(before)
    return sent[0]
