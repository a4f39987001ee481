"""Build a loss with its settings, and say where it is written and how a script gets at it."""

import difflib
import functools
import inspect
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn

from lossmith.checker.accelerators import OnCpu, is_missing
from lossmith.checker.discover import SIZE_NAMES, required_settings
from lossmith.checker.place import Place, relative
from lossmith.checker.subject import Subject
from lossmith.errors import SettingError, TargetError, message


def make(place: Place, module: ModuleType, name: str, value: Any, settings: Mapping[str, Any]) -> Subject:
    """Build one loss with its settings. What the constructor refuses becomes a `SettingError` for the user."""
    location, file = locate(value, place)
    needs_building = isinstance(value, type) and not issubclass(value, torch.autograd.Function)
    if not needs_building:
        build = functools.partial(functools.partial, value) if inspect.isfunction(value) else None
        loss = _with_keywords(place, name, value, settings)
        chosen: dict[str, Any] = dict(settings)
    else:
        build, chosen = value, _fill(place, name, value, settings)
        loss = _construct(place, name, value, chosen)
    subject = Subject.of(
        name,
        loss,
        location=location,
        file=file,
        build=build,
        settings=chosen,
        recipe=recipe(place, module, name, chosen),
    )
    subject.family = _family(value, module, name)
    sized = [f"{key}={chosen[key]} was chosen by lossmith" for key in chosen if key not in settings]
    subject.notes.extend(f"{note}; set it with --arg" for note in sized)
    return subject


def _fill(place: Place, name: str, cls: type, settings: Mapping[str, Any]) -> dict[str, Any]:
    missing = [key for key in required_settings(cls) if key not in settings]
    if unknown := [key for key in missing if key not in SIZE_NAMES]:
        raise SettingError(
            message(
                f"{place.source}:{name} needs {', '.join(unknown)} to be built",
                {"signature": f"{name}{inspect.signature(cls)}"},
                fix=f"lossmith check {place.source}:{name} " + " ".join(f"--arg {key}=..." for key in unknown),
            )
        )
    return {**{key: SIZE_NAMES[key] for key in missing}, **settings}


def _construct(place: Place, name: str, cls: type, settings: Mapping[str, Any]) -> Any:
    _refuse_unknown(place, name, cls, settings)
    torch.manual_seed(0)  # a reproducer builds the same one
    try:
        return _on_this_machine(cls, settings)
    except Exception as error:
        shown = ", ".join(f"{key}={value!r}" for key, value in settings.items())
        raise SettingError(
            message(
                f"{place.source}:{name} could not be built",
                {"call": f"{name}({shown})", "error": f"{type(error).__name__}: {error}"},
                fix="give settings it accepts: --arg NAME=VALUE",
            )
        ) from None


def _on_this_machine(cls: type, settings: Mapping[str, Any]) -> Any:
    """Build it; where it names an accelerator that is not here, the CPU stands in (LS603 says so)."""
    try:
        return cls(**settings)
    except Exception as error:
        if not is_missing(error):
            raise
    with OnCpu():
        return cls(**settings)


def _refuse_unknown(place: Place, name: str, value: Any, settings: Mapping[str, Any]) -> None:
    try:
        parameters = inspect.signature(value).parameters
    except (TypeError, ValueError):
        return
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return
    for key in settings:
        if key not in parameters:
            close = difflib.get_close_matches(key, list(parameters), 1, 0.5)
            raise SettingError(
                message(
                    f"{place.source}:{name} has no setting {key!r}",
                    {"settings": ", ".join(parameters) or "none"},
                    fix=f"did you mean --arg {close[0]}={settings[key]}?" if close else None,
                )
            )


def _with_keywords(place: Place, name: str, value: Any, settings: Mapping[str, Any]) -> Any:
    if not settings:
        return value
    if isinstance(value, nn.Module) or not inspect.isroutine(value):
        raise SettingError(message(f"{place.source}:{name} is an object that is already built: --arg cannot change it"))
    _refuse_unknown(place, name, value, settings)
    return functools.partial(value, **settings)


def locate(value: Any, place: Place | None = None) -> tuple[str, str]:
    """Where a loss is written: "file:line" for people, and the file for matching stack frames."""
    while isinstance(value, functools.partial):
        value = value.func
    thing = value if inspect.isfunction(value) or isinstance(value, type) else type(value)
    try:
        file, (_, line) = inspect.getsourcefile(thing) or "", inspect.getsourcelines(thing)
    except (TypeError, OSError):
        return (place.source if place else "", place.source if place and place.is_file else "")
    return f"{relative(file)}:{max(line, 1)}", str(Path(file).resolve())


# Where the losses of frameworks and libraries are written, and where people import them from.
HOMES = (
    ("torch.nn.", "torch.nn"),
    ("torch._C", "torch.nn.functional"),
    ("keras.", "keras.losses"),
    ("lossmith.torch.", "lossmith.torch"),
    ("lossmith.keras.", "lossmith.keras"),
    ("optax.losses.", "optax.losses"),
    ("monai.losses.", "monai.losses"),
    ("kornia.losses.", "kornia.losses"),
    ("pytorch_metric_learning.losses.", "pytorch_metric_learning.losses"),
    ("segmentation_models_pytorch.losses.", "segmentation_models_pytorch.losses"),
    ("torchvision.ops.", "torchvision.ops"),
)


def _family(value: Any, module: ModuleType, name: str) -> str:
    """The public name of a loss that a framework ships, else empty."""
    while isinstance(value, functools.partial):
        value = value.func
    cls = value if isinstance(value, type) or inspect.isroutine(value) else type(value)
    home = getattr(cls, "__module__", "") or ""
    for prefix, public in HOMES:
        if home.startswith(prefix):
            functional = public == "torch.nn" and inspect.isroutine(cls)
            return f"{'torch.nn.functional' if functional else public}.{cls.__name__}"
    return ""


def recipe(place: Place, module: ModuleType, name: str, settings: Mapping[str, Any]) -> tuple[str, ...]:
    """The lines that load and build this loss in a reproducer, ending in `loss_fn = ...`."""
    root = name.partition(".")[0]
    lines: list[str] = []
    if place.is_file:
        folder = relative(str(Path(place.source).parent)) or "."
        lines += ["import sys", f"sys.path.insert(0, {folder!r})"]
        lines.append(f"from {Path(place.source).stem} import {root}")
    else:
        lines.append(f"from {module.__name__} import {root}")
    return (*lines, f"loss_fn = {built(getattr(module, root, None), name, settings)}")


def built(value: Any, name: str, settings: Mapping[str, Any]) -> str:
    keywords = ", ".join(f"{key}={value!r}" for key, value in settings.items())
    if isinstance(value, type):
        return f"{name}.apply" if issubclass(value, torch.autograd.Function) else f"{name}({keywords})"
    return f"lambda *inputs: {name}(*inputs, {keywords})" if keywords else name


def example_of(module: ModuleType, name: str) -> Any:
    """The user's own inputs beside the loss: `example_NAME` for one, `example` for all losses of the file."""
    return getattr(module, f"example_{name}", getattr(module, "example", None))


def check_settings(place: Place, found: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
    """Refuse a setting that no loss of the target has: it is a slip, not a wish."""
    if len(found) == 1 or not settings:
        return
    for key in settings:
        if not any(_has_setting(value, key) for value in found.values()):
            raise SettingError(
                message(f"no loss of {place.source} has a setting {key!r}", {"losses": ", ".join(found)})
            )


def settings_for(value: Any, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that this loss of several has."""
    return {key: setting for key, setting in settings.items() if _has_setting(value, key)}


def _has_setting(value: Any, key: str) -> bool:
    if not (isinstance(value, type) or inspect.isroutine(value)):
        return False
    try:
        return key in inspect.signature(value).parameters
    except (TypeError, ValueError):
        return False


def subject_of_object(loss: Any) -> Subject:
    """A loss that lives in this session: an object, a class (built with its defaults), or a function."""
    if not callable(loss):
        raise TargetError(message(f"a {type(loss).__name__} is not a loss: it cannot be called"))
    root: Any = loss
    while isinstance(root, functools.partial):
        root = root.func
    name = getattr(root, "__name__", type(root).__name__)
    home = getattr(root, "__module__", None) or type(root).__module__
    module = sys.modules.get(home, ModuleType(home))
    subject = make(Place(name, home), module, name, loss, {})
    if getattr(module, name, None) is not loss or home == "__main__":
        subject.recipe = _object_recipe(loss, module)
    return subject


def _object_recipe(loss: Any, module: ModuleType) -> tuple[str, ...]:
    """How to get at an object that has no name of its own: only its class, where that takes no settings."""
    cls = type(loss)
    shipped = cls.__module__.startswith(("torch.nn", "keras")) and not inspect.isroutine(loss)
    if shipped and hasattr(sys.modules.get(cls.__module__), cls.__name__) and not required_settings(cls):
        return (f"from {cls.__module__} import {cls.__name__}", f"loss_fn = {cls.__name__}()")
    return ()
