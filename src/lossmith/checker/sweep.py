"""The same loss in other configurations, and the rules that are asked again there.

A loss is tried as it was built; but its other reductions, its class weights, its exponents, the branch for eval mode
and a gradient that comes in unevenly are code too, and mostly less tried. Each is a `Variant`: a `Subject` like any
other, with the lines that build it. Which rules run on it is a matter of what a setting may change: a number or a
switch may change the domain, so that only value and gradient are held against each other; a reduction may not.
"""

import copy
import functools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from lossmith.checker.contract import Argument
from lossmith.checker.evidence import literal
from lossmith.checker.frameworks import first_of
from lossmith.checker.options import Option, is_function, options
from lossmith.checker.reductions import choices
from lossmith.checker.side import side_of
from lossmith.checker.signature import optional_parameters
from lossmith.checker.subject import Subject
from lossmith.domains import Domain

GRADIENT = ("LS101", "LS102")
BEHAVIOUR = (*GRADIENT, "LS103", "LS105", "LS202", "LS605")
RULES = {
    "reduction": BEHAVIOUR,
    "weight": BEHAVIOUR,
    "ignored": (*GRADIENT, "LS103", "LS202", "LS204"),
    "number": GRADIENT,
    "switch": GRADIENT,
    "word": GRADIENT,
    "mode": (*GRADIENT, "LS103", "LS202"),  # a metric without a gradient is no fault of eval mode
    "upstream": ("LS101",),
    "mask": (*GRADIENT, "LS103", "LS106", "LS202", "LS204", "LS205", "LS507"),
}
SWEPT = frozenset(("LS704", *(code for codes in RULES.values() for code in codes)))
MOST = 12  # variants of one loss
# Numbers at which one piece of a loss ends: the constants of the pieces must follow them.
ENDS = ("delta", "beta", "threshold", "sigma", "width", "w", "omega", "theta", "huber_delta", "margin")


@dataclass(frozen=True)
class Variant:
    """`name` completes the sentence "with ...": reduction='sum', weight=[0.5, 2.0]."""

    name: str
    subject: Subject
    rules: tuple[str, ...]


def variants(subject: Subject) -> list[Variant]:
    """Every other configuration of a loss that gives a finite value on ordinary inputs."""
    found: list[Variant] = []
    for variant in _all(subject):
        if len(found) < MOST and _new(subject, variant.subject):
            found.append(variant)
    return [*found, *_masked(subject)]


def _masked(subject: Subject) -> Iterator[Variant]:
    """The loss with a mask or lengths that it takes besides, in the first shape that it accepts and that matters."""
    contract = subject.contract
    plain = subject.framework == "torch" and contract.fold is None
    offered = optional_parameters(subject.loss)[:1] if plain else ()
    name = next(iter(offered), "")
    side = side_of(name) if name and contract.draw is None and not contract.also else None
    if side is None or side.kind not in ("mask", "lengths"):
        return
    for shape in side.shapes(",".join(contract.pred.domain.axes)):
        argument = Argument(name, "other", Domain.parse(f"{side.kind}[{shape}]"))
        for flags in (True, False) if side.kind == "mask" else (False,):
            given = replace(contract, arguments=(*contract.arguments, argument), also=offered, flags=flags)
            other = subject.with_contract(given)
            trials = [other.run((*other.draw(1)[:-1], other.draw(seed)[-1]), grad=False) for seed in (1, 2, 3)]
            if all(trial.finite_value for trial in trials) and len({trial.value for trial in trials}) > 1:
                yield Variant(f"{name} given", other, RULES["mask"])
                return


def _new(subject: Subject, other: Subject) -> bool:
    """True if it works, and is not the loss as it was."""
    inputs = subject.draw(1)
    before, after = subject.run(inputs, grad=False), other.run(inputs, grad=False)
    if not after.finite_value or after.output is None:
        return False
    return (
        before.output is None
        or before.output.shape != after.output.shape
        or not torch.equal(before.output, after.output)
    )


def _all(subject: Subject) -> Iterator[Variant]:
    uneven = [("", subject)]
    if (offered := choices(subject)) is not None:
        for name, other in offered.subjects.items():
            word = offered.word(name)
            if other.contract is subject.contract:
                told = _built(other, {"reduction": offered.words[name]}, offered.how)
                yield Variant(f"reduction={word}", told, RULES["reduction"])
                uneven.append((f"reduction={word}", told))
    for option in options(subject):
        if (other := _with(subject, option)) is not None:
            joints = ("LS704",) if option.kind == "number" and option.name in ENDS else ()
            yield Variant(str(option), other, (*RULES[option.kind], *joints))
    if (evaluated := _in_eval(subject)) is not None:
        yield Variant("the loss in eval mode", evaluated, RULES["mode"])
    for name, other in uneven:
        if (weighted := _weighted(other)) is not None:
            told = f"{name} and " if name else ""
            yield Variant(f"{told}a gradient that comes in unevenly", weighted, RULES["upstream"])
            return


def _with(subject: Subject, option: Option) -> Subject | None:
    for value in (option.value, option.value.tolist()) if isinstance(option.value, Tensor) else (option.value,):
        made = _rebuilt(subject, {option.name: value})
        if made is not None and made.run(made.draw(0), grad=False).ok:
            return _built(made, {option.name: value}, "")
    return None


def _rebuilt(subject: Subject, settings: dict[str, Any]) -> Subject | None:
    if subject.build is None and is_function(subject.loss):
        subject = replace(subject, build=functools.partial(functools.partial, subject.loss))
    return subject.with_settings(**settings)


def _built(subject: Subject, settings: dict[str, Any], how: str) -> Subject:
    """The variant with the lines that build it."""
    if not subject.recipe:
        return subject
    merged = {**subject.settings, **settings}
    keywords = ", ".join(f"{key}={literal(value)}" for key, value in merged.items())
    last = f"loss_fn = {subject.name}({keywords})"
    if is_function(subject.loss):
        last = f"loss_fn = lambda *inputs: {subject.name}(*inputs, {keywords})"
    lines = (*subject.recipe[:-1], last)
    if how == "attribute":
        lines = (*subject.recipe, *(f"loss_fn.{key} = {value!r}" for key, value in settings.items()))
    return replace(subject, recipe=lines)


def _in_eval(subject: Subject) -> Subject | None:
    if subject.module is None or not subject.module.training:
        return None
    try:
        loss = copy.deepcopy(subject.module).eval()
    except Exception:  # what cannot be copied stays as it is
        return None
    recipe = (*subject.recipe, "loss_fn.eval()") if subject.recipe else ()
    return replace(subject, loss=loss, build=None, recipe=recipe, _twins={}, cache={})


class Weighted(nn.Module):
    """The sum of what a loss returns, each value with a weight of its own."""

    def __init__(self, loss: Any) -> None:
        super().__init__()
        self.inner = loss

    def forward(self, *inputs: Any) -> Tensor:
        loss = self.inner
        values = first_of(loss.apply(*inputs) if isinstance(loss, type) else loss(*inputs))
        return (values * uneven(values.numel()).to(values).reshape(values.shape)).sum()


# The same in the lines of a reproducer.
_UNEVEN = (
    "class Uneven(torch.nn.Module):",
    "    def __init__(self, loss):",
    "        super().__init__()",
    "        self.loss = loss",
    "    def forward(self, *inputs):",
    "        value = self.loss(*inputs)",
    "        return (value * (1.0 + torch.arange(value.numel()) % 5).reshape(value.shape)).sum()",
    "loss_fn = Uneven(loss_fn)",
)


def uneven(count: int) -> Tensor:
    return 1.0 + (torch.arange(count) % 5)


def _weighted(subject: Subject) -> Subject | None:
    """The loss as part of a sum whose weights differ from value to value; None for a loss that returns one number."""
    trial = subject.run(subject.draw(1), grad=False)
    if subject.bridged or trial.output is None or trial.output.numel() < 2 or trial.returned != "Tensor":
        return None
    loss = Weighted(subject.loss)
    recipe = (*subject.recipe, *_UNEVEN) if subject.recipe else ()
    return replace(subject, loss=loss, build=None, recipe=recipe, framework="torch", _twins={}, cache={})
