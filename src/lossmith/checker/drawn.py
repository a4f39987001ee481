"""What is drawn of a loss: all that a page shows, or the one thing that `lossmith plot` asks for."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from itertools import product
from typing import Any, TypeVar

import torch

from lossmith.checker.curve import curve_of
from lossmith.checker.limits import OverMemory
from lossmith.checker.picture import Cost, Curve, Mathematics, Pictures, Surface
from lossmith.checker.precision import precision_of
from lossmith.checker.resolve import Declared, resolve
from lossmith.checker.subject import Subject, one_thread
from lossmith.checker.surface import surface_of
from lossmith.errors import SettingError, TargetError, message

T = TypeVar("T")
MOST = 12  # lines in one picture: beyond that nobody tells them apart


def pictures_of(subject: Subject, mathematics: Mathematics | None = None, cost: Cost | None = None) -> Pictures:
    """Everything that can be shown, with what was learned already. A picture that cannot be made is absent."""
    return Pictures(
        curve=_or_none(curve_of, subject),
        surface=_or_none(surface_of, subject),
        precision=_or_none(precision_of, subject),
        cost=cost,
        mathematics=mathematics,
    )


def _or_none(make: Callable[[Subject], T | None], subject: Subject) -> T | None:
    try:
        return make(subject)
    except (Exception, OverMemory):  # a stranger's loss may raise anywhere outside the domain that the rules tried
        return None


def drawn(subject: Subject, declared: Declared, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """What was asked for, as plain data: `{"curve": ...}` or `{"surface": ...}`, and the contract that was used.

    wanted   kind ("curve" or "surface"), vary ({setting: values}), span (two numbers), points
    """
    with one_thread():
        subject = subject.with_contract(resolve(subject, declared)[0])
        span = tuple(wanted["span"]) if wanted.get("span") else None
        takes = {"takes": str(subject.contract.note())}
        if wanted["kind"] == "surface":
            return {"surface": asdict(surface(subject, span, wanted.get("points"))), **takes}
        return {"curve": asdict(curve(subject, wanted.get("vary") or {}, span, wanted.get("points"))), **takes}


def curve(
    subject: Subject,
    vary: Mapping[str, Any] | None = None,
    span: tuple[float, float] | None = None,
    points: int | None = None,
) -> Curve:
    """The curve, one line for each combination of the settings; of several kinds of target the last is kept then.

    Errors    SettingError for a setting that cannot be varied, TargetError for a loss without a line
    """
    kept = {"span": span, **({"points": points} if points else {})}
    if not vary:
        return _required(_wide(curve_of, subject, **kept), subject, "a line")
    settings = _settings(vary)
    made = [_required(_wide(curve_of, _set(subject, one), **kept), subject, "a line") for one in settings]
    label = made[0].series[-1].label
    lines = [
        replace(each.series[-1], label=", ".join(f"{name}={value!r}" for name, value in one.items()))
        for one, each in zip(settings, made, strict=True)
    ]
    return Curve(f"{made[0].xlabel} ({label})", lines)


def surface(subject: Subject, span: tuple[float, float] | None = None, points: int | None = None) -> Surface:
    """The surface over two predictions. Errors: TargetError for a loss without a plane."""
    kept = {"span": span, **({"points": points} if points else {})}
    return _required(_wide(surface_of, subject, **kept), subject, "a plane of two predictions")


def _wide(make: Callable[..., T | None], subject: Subject, **how: Any) -> T | None:
    """In float64 where the loss computes there, else in float32: a picture of a loss, not of a dtype."""
    made = make(subject, dtype=torch.float64, **how)
    return make(subject, dtype=torch.float32, **how) if made is None or _empty(made) else made


def _empty(made: Any) -> bool:
    lines = [one.value for one in made.series] if isinstance(made, Curve) else made.value
    return all(value != value for line in lines for value in line)


def _settings(vary: Mapping[str, Any]) -> list[dict[str, Any]]:
    combined = [dict(zip(vary, values, strict=True)) for values in product(*vary.values())]
    if not 0 < len(combined) <= MOST:
        raise SettingError(message(f"a picture holds 1 to {MOST} lines", {"asked for": len(combined)}))
    return combined


def _set(subject: Subject, settings: Mapping[str, Any]) -> Subject:
    if subject.build is None:
        raise SettingError(message(f"{subject.name} is an object that is already built", fix="vary its class instead"))
    made = subject.with_settings(**settings)
    if made is None:
        shown = ", ".join(f"{name}={value!r}" for name, value in settings.items())
        raise SettingError(message(f"{subject.name} cannot be built with {shown}"))
    return made


def _required(made: T | None, subject: Subject, what: str) -> T:
    if made is None:
        raise TargetError(message(f"{subject.name} has no {what} to draw", {"takes": str(subject.contract.note())}))
    if _empty(made):
        raise TargetError(message(f"{subject.name} has no finite value there", {"takes": str(subject.contract.note())}))
    return made


def joined(curves: Mapping[str, Curve]) -> Curve:
    """Several losses over one axis. Errors: SettingError where they are not moved along the same numbers."""
    labels = {name: one.xlabel for name, one in curves.items()}
    if len(set(labels.values())) > 1:
        raise SettingError(message("these losses have no axis in common", labels))
    only = {name: one.series[-1:] if len(one.series) > 1 else one.series for name, one in curves.items()}
    lines = [replace(series, label=name) for name, each in only.items() for series in each]
    several = [one.series[-1].label for one in curves.values() if len(one.series) > 1]
    return Curve(next(iter(labels.values())) + (f" ({several[0]})" if several else ""), lines)
