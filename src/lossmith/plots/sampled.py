"""The numbers behind a picture: a loss by name, object or target, evaluated at many points at once."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from lossmith.checker.picture import Curve, Surface
from lossmith.errors import SettingError, TargetError, message, missing_extra

if TYPE_CHECKING:
    from lossmith.checker.process import Options
    from lossmith.checker.subject import Subject

Span = tuple[float, float]


def curve_of(
    loss: Any,
    *more: Any,
    vary: Mapping[str, Sequence[Any]] | None = None,
    settings: Mapping[str, Any] | None = None,
    span: Span | None = None,
    points: int | None = None,
    options: "Options | None" = None,
) -> Curve:
    """Value, gradient and curvature along a line: of one loss, of one loss at several settings, or of several losses.

    vary      {"gamma": [0, 1, 2]}: one line for each combination
    settings  of every loss that is built here
    span      the ends of the line; without it those that suit what the loss takes
    options   of the child process, for a target: contract flags, limits
    """
    from lossmith.checker.drawn import joined

    losses = (loss, *more)
    if more and vary:
        raise SettingError(message("a picture varies one loss, or compares several", {"losses": len(losses)}))
    wanted = {"kind": "curve", "vary": _lists(vary), "span": span, "points": points}
    made: dict[str, Curve] = {}
    for one in losses:
        name = name_of(one)
        made[name if name not in made else f"{name} {len(made) + 1}"] = _drawn(one, wanted, settings, options)
    return joined(made) if more else next(iter(made.values()))


def surface_of(
    loss: Any,
    *,
    settings: Mapping[str, Any] | None = None,
    span: Span | None = None,
    points: int | None = None,
    options: "Options | None" = None,
) -> Surface:
    """The loss and its slopes over two predictions, on a grid of `points` by `points`; keywords as in `curve_of`."""
    return _drawn(loss, {"kind": "surface", "span": span, "points": points}, settings, options)


def name_of(loss: Any) -> str:
    """What a loss is called in a legend."""
    if isinstance(loss, str):
        return loss.rpartition(":")[2]
    while isinstance(loss, partial):
        loss = loss.func
    return getattr(loss, "__name__", type(loss).__name__)


def is_target(loss: Any) -> bool:
    """True for text that names code to load, and not a loss of the catalogue."""
    return isinstance(loss, str) and (":" in loss or loss.endswith(".py"))


def _lists(vary: Mapping[str, Sequence[Any]] | None) -> dict[str, list[Any]]:
    return {name: list(values) for name, values in (vary or {}).items()}


def _drawn(loss: Any, wanted: Mapping[str, Any], settings: Mapping[str, Any] | None, options: "Options | None") -> Any:
    from lossmith.checker.process import Options

    options = options or Options()
    if is_target(loss):
        from lossmith.checker.process import draw_target

        merged = {**options.settings, **(settings or {})}
        data = draw_target(loss, replace(options, drawing=wanted, settings=merged))
        return Surface(**data["surface"]) if wanted["kind"] == "surface" else Curve.from_json(data["curve"])
    return _here(loss, wanted, settings or {}, options)


def _here(loss: Any, wanted: Mapping[str, Any], settings: Mapping[str, Any], options: "Options") -> Any:
    """A loss of this session, or of the catalogue: no stranger's code."""
    try:
        from lossmith.checker import drawn
        from lossmith.checker.resolve import Declared, resolve
        from lossmith.checker.subject import one_thread
    except ModuleNotFoundError as error:
        raise missing_extra("lossmith.plots", str(error.name), "torch") from None
    with one_thread():
        subject = _subject(loss, settings)
        if not subject.contract.arguments:
            declared = Declared(dict(options.flags), flags_origin="declared")
            subject = subject.with_contract(resolve(subject, declared)[0])
        if wanted["kind"] == "surface":
            return drawn.surface(subject, wanted["span"], wanted["points"])
        return drawn.curve(subject, wanted["vary"], wanted["span"], wanted["points"])


def _subject(loss: Any, settings: Mapping[str, Any]) -> "Subject":
    from lossmith.checker.build import subject_of_object
    from lossmith.spec import Formula

    if isinstance(loss, str):
        loss = _by_name(loss)
    if isinstance(loss, Formula):
        return _of_formula(loss, settings)
    subject = subject_of_object(loss)
    if not settings:
        return subject
    made = subject.with_settings(**settings)
    if made is None:
        raise SettingError(message(f"{subject.name} cannot be built with these settings", dict(settings)))
    return made


def _by_name(name: str) -> Any:
    """The formula of a name or of a face; a composition without a formula is its class."""
    from importlib import import_module

    from lossmith.entries import Entry, find
    from lossmith.spec import FORMULAS

    found = find(name)
    if isinstance(found, Entry):
        return FORMULAS[found.name]
    if found.framework != "torch":
        raise TargetError(message(f"{name} is composed in {found.framework}: there is no formula to draw"))
    return getattr(import_module("lossmith.torch"), found.name)


def _of_formula(made: Any, settings: Mapping[str, Any]) -> "Subject":
    """A formula as something to call: its mean over the entries, at these keywords."""
    from lossmith.checker.contract import parse
    from lossmith.checker.subject import Subject

    made.check_settings(made.name, dict(settings))
    by_name = dict(zip(made.arguments, made.domains_for(**settings), strict=True))
    contract = parse(by_name, (), "declared by lossmith", made.name)
    return Subject(
        name=made.name,
        loss=partial(made.total, **settings),
        build=partial(_built, made),
        settings=dict(settings),
        contract=contract,
    )


def _built(made: Any, **settings: Any) -> Any:
    made.check_settings(made.name, settings)
    return partial(made.total, **settings)
