"""Embeddings whose names say which are to be near: of a triplet, of a pair and whether it is the same, of a queue."""

import re

import torch

from lossmith.checker.judge import SEEDS
from lossmith.checker.sample import perfect
from lossmith.checker.subject import Subject
from lossmith.checker.wrong import Wrong, named, put

NEAR = re.compile(r"^p(?:os\w*)?$|positive")
AWAY = re.compile(r"^n(?:eg\w*)?$|negative")
SAME = re.compile(r"^(?:is_)?(?:same\w*|similar|match(?:es|ing)?)$")
PUSHES = re.compile(r"contrast|margin|siam", re.I)


def of_neighbours(subject: Subject) -> Wrong | None:
    """Of three arguments, two or three of them embeddings."""
    contract = subject.contract
    names = [argument.name.lower() for argument in contract.arguments]
    if len(contract.preds) == 3:
        near, away = named(names, NEAR), named(names, AWAY)
        if near is None or away is None:
            return None
        anchor = ({0, 1, 2} - {near, away}).pop()
        return _turned_triplet(subject, anchor, near, away)
    if contract.target is None:
        return _drawn_to_a_queue(subject)
    return _turned_pair(subject) if SAME.search(names[contract.target]) else None


def _turned_pair(subject: Subject) -> Wrong | None:
    """Two embeddings that are to be alike where the third argument says that they are the same."""
    target = subject.contract.target or 0
    name, shown = subject.contract.arguments[target].name, None
    if (others := _others_cost_nothing(subject, target)) is not None:
        return others
    for seed in SEEDS:
        inputs = subject.draw(seed)
        good = perfect(subject.contract, inputs)
        if good is None:
            return None
        other = -inputs[target] if subject.contract.target_kind() == "pm1" else 1 - inputs[target]
        bad = perfect(subject.contract, put(inputs, target, other))
        if bad is None or not subject.values(put(bad, target, inputs[target])) < subject.values(good) - 1e-3:
            return None
        bad = put(bad, target, inputs[target])
        said = f"it is lowest where two are alike that are not the same, and apart where {name} says that they are"
        shown = shown or Wrong(said, f"exchange the terms of {name} and of 1 - {name}", good, bad)
    return shown


def _others_cost_nothing(subject: Subject, target: int) -> Wrong | None:
    """Pairs that are not the same have no part in a loss that has a margin for them, however near they lie."""
    if not PUSHES.search(subject.name) or subject.contract.target_kind() != "binary":
        return None
    first, second = subject.contract.preds
    name, shown = subject.contract.arguments[target].name, None
    for seed in SEEDS:
        inputs = subject.draw(seed)
        apart = (inputs[target] == 0).reshape(-1, *[1] * (inputs[first].ndim - 1))
        near = put(inputs, first, torch.where(apart, inputs[second] + 0.1 * inputs[first], inputs[first]))
        nearer = put(near, first, torch.where(apart, inputs[second] + 0.05 * inputs[first], inputs[first]))
        if not bool(apart.any()) or subject.values(near) != subject.values(nearer):
            return None
        said = f"pairs that are not the same cost nothing, however near they lie: {name} of 0 has no part in it"
        shown = shown or Wrong(said, f"the term that pushes apart belongs to 1 - {name}", near, nearer)
    return shown


def _drawn_to_a_queue(subject: Subject) -> Wrong | None:
    """A query, its key, and a queue of others: the query is to lie near its key."""
    names, shown = [argument.name for argument in subject.contract.arguments], None
    for seed in SEEDS:
        query, key, queue = inputs = subject.draw(seed)
        good = put(inputs, 0, key)
        every = [put(inputs, 0, entry.expand_as(query)) for entry in queue]
        bad = min(every, key=subject.values)
        if not subject.values(bad) < min(subject.values(good), subject.values(inputs)) - 1e-3:
            return None
        said = f"it is lowest where {names[0]} lies on an entry of {names[2]}, and not on {names[1]}"
        shown = shown or Wrong(
            said, "put the positive into the column that the labels name: cat([pos, neg], 1)", good, bad
        )
    return shown


def _turned_triplet(subject: Subject, anchor: int, near: int, away: int) -> Wrong | None:
    names = [argument.name for argument in subject.contract.arguments]
    shown: Wrong | None = None
    for seed in SEEDS:
        inputs = subject.draw(seed)
        good, bad = (put(inputs, anchor, inputs[index]) for index in (near, away))
        if not subject.values(bad) < min(subject.values(good), subject.values(inputs)) - 1e-3:
            return None
        said = f"it is lowest where {names[anchor]} equals {names[away]}, and not {names[near]}"
        shown = shown or Wrong(
            said, f"exchange {names[near]} and {names[away]}, in the formula or in the call", good, bad
        )
    return shown
