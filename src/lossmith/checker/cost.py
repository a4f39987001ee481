"""What one call of a loss costs here: seconds forward and backward, and what it keeps for the backward pass."""

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from lossmith.checker.limits import limited_call
from lossmith.checker.picture import Cost
from lossmith.checker.subject import Subject

PREDICTIONS = 1 << 14
SAMPLES = 256  # at most, of embeddings and boxes: their losses may compare every sample with every other
REPEATS = 7


def cost_of(subject: Subject) -> Cost | None:
    """The cost on a batch of this many predictions, in float32; None if the loss does not take such a batch."""
    inputs = _large(subject)
    where = subject.contract.preds[0]
    loss = subject.twin(torch.float32)
    if not subject.run(inputs, loss=loss).ok:
        return None
    forward = _seconds(lambda: subject.run(inputs, loss=loss, grad=False))
    graded = subject.run(inputs, loss=loss).grad is not None
    both = _seconds(lambda: subject.run(inputs, loss=loss)) if graded else 0.0
    pred = inputs[where]
    threads = torch.get_num_threads()
    machine = f"one CPU, {threads} thread{'s' if threads > 1 else ''}, float32, best of {REPEATS}"
    shape = " x ".join(map(str, pred.shape))
    return Cost(pred.numel(), shape, forward, both, _kept(subject, inputs, loss), machine)


def _large(subject: Subject) -> tuple[Any, ...]:
    contract = subject.contract
    if contract.draw is not None:
        return subject.draw(0)
    (one,) = (subject.draw(0, 1)[contract.preds[0]].numel(),)
    n = max(1, PREDICTIONS // one)
    if contract.pred.kind in ("embedding", "unit", "boxes", "cxcywh"):
        n = min(n, SAMPLES)
    return subject.draw(0, n)


def _seconds(call: Callable[[], Any]) -> float:
    call()
    spent = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        call()
        spent.append(time.perf_counter() - begun)
    return min(spent)


def _kept(subject: Subject, inputs: tuple[Any, ...], loss: Any) -> int:
    """Bytes of distinct storages that the graph holds on to, without those of the arguments."""
    live = [value.detach().clone() if isinstance(value, Tensor) else value for value in inputs]
    for index in subject.contract.preds:
        live[index].requires_grad_()
    own = {value.untyped_storage().data_ptr() for value in live if isinstance(value, Tensor)}
    held: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        held[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor), limited_call():
        output = subject.call(loss, live)  # the graph lives as long as this name, and its storages with it
        found = sum(size for place, size in held.items() if place not in own)
    del output
    return found
