"""LS604 unregistered-tensor

What it checks
    Every tensor that the forward of an `nn.Module` uses is registered: a parameter, a buffer, or in a child module.

Why it matters
    `to()`, `state_dict()` and `parameters()` see registered things only. A tensor in a plain attribute, or a module in
    a plain list or dict, stays on the CPU when the loss goes to an accelerator, is missing from checkpoints, and, if
    it is to be learned, is never given to the optimizer.

Example
    self.weight = torch.tensor(weight)
    self.parts = {"dice": DiceLoss(), "ce": nn.CrossEntropyLoss(weight=weight)}

Write instead
    self.register_buffer("weight", torch.tensor(weight))
    self.parts = nn.ModuleDict({"dice": DiceLoss(), "ce": nn.CrossEntropyLoss(weight=weight)})

When to allow it
    The module is kept out on purpose (a frozen network that the forward moves itself is seen, and is not reported).
"""

import sys
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from lossmith.checker.accelerators import name_of
from lossmith.checker.devices import THERE
from lossmith.checker.evidence import SkipRule, finding, reproduce
from lossmith.checker.finding import Finding, Severity
from lossmith.checker.hidden import Hidden, Mixed, carried, hidden, perturb
from lossmith.checker.slopes import repeatable, same
from lossmith.checker.subject import Subject, as_tensor

CODE, NAME, SINCE = "LS604", "unregistered-tensor", "0.1"
_MOVES = ("to", "type_as", "cuda", "cpu", "new_tensor", "as_tensor", "tensor", "expand_as")


def applies(subject: Subject) -> str:
    if subject.module is None or subject.framework != "torch":
        return "not an nn.Module: there is nowhere to register a tensor"
    return ""


@dataclass(frozen=True)
class Crossing:
    """What happened on another device: the operation that met two of them, and what the loss raised."""

    operation: str = ""
    line: str = ""
    error: str = ""

    @property
    def clean(self) -> bool:
        return not self.operation and not self.error


@dataclass(frozen=True)
class Verdict:
    entry: Hidden
    learned: bool
    crossing: Crossing | None  # None: the loss does not run without values, so that no device could be tried


def check(subject: Subject) -> Iterator[Finding]:
    copy = _copy(subject)
    if copy is subject.loss:
        raise SkipRule("the loss cannot be copied, and trying devices would spoil it")
    entries = hidden(copy)
    if not entries:
        return
    inputs = subject.draw(1)
    if not subject.run(inputs, grad=False).ok:
        raise SkipRule("the loss raises on valid inputs")
    if not repeatable(subject, inputs):
        raise SkipRule("the loss does not give the same answer twice (LS607)")
    verdicts = [_judge(subject, entry, inputs) for entry in entries if entry.tensors]
    found = [verdict for verdict in verdicts if verdict is not None]
    for severity in ("error", "warning"):
        if group := [verdict for verdict in found if _severity(verdict) == severity]:
            yield _report(subject, group, severity, inputs)
    if idle := [entry for entry in entries if not entry.tensors and _called(subject, entry, inputs)]:
        yield _holds_nothing(subject, idle, inputs)


def _copy(subject: Subject) -> nn.Module:
    return subject.twin(torch.float32)


def _same_path(module: nn.Module, path: str) -> Hidden:
    return next(entry for entry in hidden(module) if entry.path == path)


def _judge(subject: Subject, entry: Hidden, inputs: Sequence[Any]) -> Verdict | None:
    """None if it is innocent: not used, or brought along by the forward itself."""
    learned = _learned(subject, entry, inputs)
    if not learned and not _takes_part(subject, entry, inputs):
        return None
    alone = _crossing(subject, inputs, [entry.path]) if _crossing(subject, inputs, []).clean else None
    # One number may stay on the CPU wherever the rest is, so that only the forward shows who brings it along.
    moved = alone.clean if alone is not None and not _single(entry) else _moves_it(subject, entry, inputs)
    if moved and not learned:
        return None
    return Verdict(entry, learned, alone)


def _single(entry: Hidden) -> bool:
    return all(tensor.ndim == 0 for tensor in entry.tensors)


def _severity(verdict: Verdict) -> Severity:
    return "warning" if _single(verdict.entry) and not verdict.learned else "error"


def _takes_part(subject: Subject, entry: Hidden, inputs: Sequence[Any]) -> bool:
    other = _copy(subject)
    perturb(_same_path(other, entry.path))
    return not same(subject.run(inputs), subject.run(inputs, loss=other))


def _learned(subject: Subject, entry: Hidden, inputs: Sequence[Any]) -> bool:
    """True if a gradient reaches it: it is there to be trained."""
    module = _copy(subject)
    leaves = [tensor for tensor in _same_path(module, entry.path).tensors if tensor.requires_grad and tensor.is_leaf]
    if not leaves:
        return False
    torch.manual_seed(0)
    total = as_tensor(subject.call(module, inputs))[0].sum()
    if not total.requires_grad:
        return False
    return any(grad is not None for grad in torch.autograd.grad(total, leaves, allow_unused=True))


def _crossing(subject: Subject, inputs: Sequence[Any], stays: Collection[str]) -> Crossing:
    """The loss on a device without values, everything moved along but what `stays`."""
    watch = Mixed(subject.file)
    try:
        module = carried(_copy(subject), "meta", stays)
        with watch:
            subject.call(module, [value.to("meta") if isinstance(value, Tensor) else value for value in inputs])
    except Exception as error:  # what it raises is the observation
        return Crossing(watch.operation, watch.line, f"{type(error).__name__}: {str(error).splitlines()[0][:120]}")
    return Crossing(watch.operation, watch.line)


class _Moves(TorchFunctionMode):
    def __init__(self, tensors: Sequence[Tensor]) -> None:
        super().__init__()
        self.tensors, self.seen = tensors, False

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if name_of(func) == "device" and not any(args[0] is tensor for tensor in self.tensors):
            return THERE
        if name_of(func) in _MOVES and any(arg is tensor for arg in args for tensor in self.tensors):
            self.seen = True
        return func(*args, **(kwargs or {}))


def _moves_it(subject: Subject, entry: Hidden, inputs: Sequence[Any]) -> bool:
    module = _copy(subject)
    watch = _Moves(_same_path(module, entry.path).tensors)
    subject.run(inputs, loss=module, grad=False, watch=watch)
    return watch.seen


def _called(subject: Subject, entry: Hidden, inputs: Sequence[Any]) -> bool:
    module = _copy(subject)
    calls: list[int] = []
    _same_path(module, entry.path).value.register_forward_hook(lambda *_: calls.append(1))
    subject.run(inputs, loss=module, grad=False)
    return bool(calls)


def _report(subject: Subject, group: Sequence[Verdict], severity: Severity, inputs: Sequence[Any]) -> Finding:
    names = _listed([verdict.entry.path for verdict in group])
    learned = any(verdict.learned for verdict in group)
    missed = ".to(), state_dict() and parameters()" if learned else ".to() and state_dict()"
    crossed = next((v for v in group if v.crossing is not None and not v.crossing.clean), None)
    registered = list(_copy(subject).state_dict())
    evidence = {verdict.entry.path: _described(verdict) for verdict in group}
    raises = crossed is not None and crossed.crossing is not None and bool(crossed.crossing.error)
    evidence["state_dict()"] = ", ".join(registered) if registered else "empty"
    if crossed is not None and crossed.crossing is not None:
        evidence["on another device"] = crossed.crossing.error or f"{crossed.crossing.operation} meets two devices"
    return finding(
        sys.modules[__name__],
        subject,
        severity=severity,
        message=f"{names} {'is' if len(group) == 1 else 'are'} used by forward but hidden from {missed}",
        evidence=evidence,
        why=_why(crossed or group[0], len(list(_copy(subject).parameters()))),
        fix=_fix(group[0]),
        line=crossed.crossing.line if crossed and crossed.crossing else "",
        reproducer=reproduce(subject, inputs, _ending(subject, raises)),
    )


def _listed(paths: Sequence[str]) -> str:
    return paths[0] if len(paths) == 1 else f"{', '.join(paths[:-1])} and {paths[-1]}"


def _described(verdict: Verdict) -> str:
    entry = verdict.entry
    place = f"in a {entry.within}" if entry.within else "in a plain attribute"
    if entry.is_module:
        counts = ((len(list(entry.value.parameters())), "parameter"), (len(list(entry.value.buffers())), "buffer"))
        held = " and ".join(f"{count} {noun}{'s' * (count != 1)}" for count, noun in counts if count)
        return f"{type(entry.value).__name__} with {held}, {place}"
    kind = "parameter, " if verdict.learned else ""
    return f"{kind}{str(entry.value.dtype).removeprefix('torch.')} of shape {tuple(entry.value.shape)}, {place}"


def _why(verdict: Verdict, parameters: int) -> str:
    crossing = verdict.crossing or Crossing()
    if crossing.clean:
        known = f"a gradient reaches it, and parameters() lists {parameters or 'nothing'}" if verdict.learned else ""
        return known or "with other numbers in it the value changes, so forward uses it"
    operation = f"{crossing.operation} meets" if crossing.operation else "the loss meets"
    return f"once the loss is on another device, {operation} {verdict.entry.path} on the cpu; moved along, it runs"


def _fix(verdict: Verdict) -> str:
    entry = verdict.entry
    name = entry.attribute
    if entry.is_module:
        if not entry.within:
            return f"register it: self.add_module('{name}', ...)"
        return f"self.{name} = nn.Module{'Dict' if entry.within == 'dict' else 'List'}(...)"
    if verdict.learned:
        if not entry.within:
            return f"self.{name} = nn.Parameter(...)"
        return f"self.{name} = nn.Parameter{'Dict' if entry.within == 'dict' else 'List'}(...)"
    if entry.within:
        return f"register each tensor of {name} with self.register_buffer, under a name of its own"
    return f"self.register_buffer('{name}', {name}) in place of self.{name} = {name}"


def _holds_nothing(subject: Subject, entries: Sequence[Hidden], inputs: Sequence[Any]) -> Finding:
    names = _listed([entry.path for entry in entries])
    return finding(
        sys.modules[__name__],
        subject,
        severity="warning",
        message=f"{names} {'is' if len(entries) == 1 else 'are'} used by forward but hidden from .to(), .train() and "
        "modules()",
        evidence={
            **{
                entry.path: f"{type(entry.value).__name__} in a {entry.within or 'plain attribute'}"
                for entry in entries
            },
            "modules()": ", ".join(type(module).__name__ for module in _copy(subject).modules()),
        },
        why="no tensor is in there today; the first weight or buffer would stay behind",
        fix=_fix(Verdict(entries[0], False, None)),
        reproducer=reproduce(subject, inputs, ["print(list(loss_fn.modules()))"]),
    )


def _ending(subject: Subject, crosses: bool) -> list[str]:
    names = [argument.name for argument in subject.contract.arguments]
    shown = "print('state_dict', list(loss_fn.state_dict()), 'parameters', len(list(loss_fn.parameters())))"
    moved = ", ".join(f"{name}.to('meta')" for name in names)
    call = f"loss_fn.to('meta')({moved})"
    return [shown, f"{call}  # any device but the cpu"] if crosses else [shown]
