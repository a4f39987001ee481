"""The situations in which losses break: perfect, saturated, confidently wrong, huge, tiny, empty of difference.

Those of a contract (`ends`), and those that calls or the code of the loss tell: what is ignored, what is silent.
"""

from collections.abc import Iterator
from math import isfinite
from typing import Any

import torch

from lossmith.checker.contract import Contract
from lossmith.checker.ends import Condition, of_contract, put, signs
from lossmith.checker.left_out import speaks_of_nan
from lossmith.checker.sample import one_task
from lossmith.checker.subject import Subject


def conditions(subject: Subject, seed: int = 1) -> list[Condition]:
    """All conditions of a contract, the mildest first. Cached: they are the same for every rule."""
    key = ("conditions", seed)
    if key not in subject.cache:
        inputs = subject.draw(seed)
        tasks = _tasks(subject.contract)
        proxies = list(_proxies(subject, inputs))
        found = [(i, each) for i, task in enumerate(tasks) for each in of_contract(task, inputs)]
        new = [each for i, each in found if i == 0 or each.inputs is not inputs]  # ordinary inputs are those of all
        new += _hidden(subject, inputs)
        new += _silent(subject, inputs)
        new += _impossible(subject, inputs)
        new += _further(subject.contract, inputs)
        new += _without_weight(subject.contract, inputs)
        subject.cache[key] = [each for each in [*new, *proxies] if _within(subject, each)]
    return subject.cache[key]


def _proxies(subject: Subject, inputs: tuple[Any, ...]) -> Iterator[Condition]:
    """For embeddings with labels: on the vector of their class, if the loss learns one for each."""
    contract = subject.contract
    if contract.kinds() != ("embedding", "index") or subject.module is None or contract.target is None:
        return
    pred, labels = inputs[contract.preds[0]], inputs[contract.target]
    for held in subject.module.parameters():
        if held.ndim == 2 and held.shape[1] == pred.shape[-1] and len(held) > int(labels.max()):
            on_it = held.detach()[labels].to(pred.dtype)
            yield Condition("where an embedding lies on the vector of its class", put(contract, inputs, on_it), True)


def _further(contract: Contract, inputs: tuple[Any, ...]) -> Iterator[Condition]:
    """The second prediction and those after it, far out: a mean, a width, beside the shares of a mixture."""
    if contract.pairs or contract.fold is not None or contract.target is None:
        return
    for index in contract.preds[1:]:
        argument, value = contract.arguments[index], inputs[index]
        if argument.kind == contract.pred.kind or argument.kind not in ("real", "positive"):
            continue
        far = [size * signs(value) for size in (20.0, *(() if "log" in argument.name.lower() else (100.0,)))]
        for there in far if argument.kind == "real" else [torch.full_like(value, size) for size in (0.1, 1e2)]:
            moved = tuple(there if i == index else old for i, old in enumerate(inputs))
            yield Condition(f"with {argument.name} of +-{float(there.abs().max()):g}", moved)


def _without_weight(contract: Contract, inputs: tuple[Any, ...]) -> Iterator[Condition]:
    """A sample whose weight, or whatever else is positive beside the prediction, is 0."""
    for index, argument in enumerate(contract.arguments):
        value = inputs[index]
        if argument.role != "other" or argument.kind not in ("weight", "positive") or value.shape[:1].numel() < 2:
            continue
        none = value.clone()
        none[:1] = 0.0
        there = tuple(none if i == index else old for i, old in enumerate(inputs))
        yield Condition(f"where one {argument.name} is 0", there, beside=True)


def _hidden(subject: Subject, inputs: tuple[Any, ...]) -> Iterator[Condition]:
    """Zeros, for a loss of positive numbers that replaces what is not finite: its author has met them."""
    if subject.contract.pred.kind == "positive" and speaks_of_nan(subject):
        where = subject.contract.preds[0]
        zero = inputs[where].clone()
        zero[:1] = 0.0
        yield Condition("where some predictions are 0", put(subject.contract, inputs, zero), match=True)


def _silent(subject: Subject, inputs: tuple[Any, ...]) -> Iterator[Condition]:
    """Of vectors, one that is 0, as a silent signal and a dead layer give it: where the value is guarded against it."""
    contract = subject.contract
    if contract.pred.kind != "embedding" or (subject.bridged and subject.framework == "keras"):
        return  # what keras normalises with differs by its back end
    zero = inputs[contract.preds[0]].clone()
    zero[:1] = 0.0
    there = put(contract, inputs, zero)
    if isfinite(subject.values(there, dtype=torch.float64)):
        yield Condition("where one vector is 0", there, match=True)


def _impossible(subject: Subject, inputs: tuple[Any, ...]) -> Iterator[Condition]:
    """Of probabilities alone, some that are 0: where the value has a limit, as p log p has."""
    contract = subject.contract
    if len(inputs) != 1 or contract.pred.kind not in ("prob", "simplex") or subject.bridged:
        return
    some = [torch.cat([torch.full_like(inputs[0][..., :1], p), inputs[0][..., 1:]], -1) for p in (1e-20, 1e-30, 0.0)]
    near, nearer = (subject.values((each,), dtype=torch.float64) for each in some[:2])
    if abs(nearer - near) < 1e-9 * (1 + abs(near)):
        yield Condition("where some probabilities are 0", (some[2],))


def _tasks(contract: Contract) -> list[Contract]:
    """A contract for each of several tasks; entries alike break alike."""
    if not contract.pairs or contract.fold is None or contract.fold.alike:
        return [contract]
    return [one_task(contract, *pair) for pair in contract.pairs]


def _within(subject: Subject, condition: Condition) -> bool:
    """True unless a prediction is larger than the range that was declared."""
    if subject.range is None:
        return True
    pred = condition.inputs[subject.contract.preds[0]]
    return float(pred.abs().max()) <= subject.range if pred.numel() else True
