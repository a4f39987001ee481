"""From what the user typed to losses: `file.py`, `file.py:Name`, `package.module:Name`.

A file is imported like any module of its folder. Every loss found in it is a subject: `nn.Module` and Keras `Loss`
classes, `autograd.Function`s that nothing else in the file wraps, functions, and module-level objects that are losses.
"""

import ast
import difflib
import functools
import importlib
import importlib.util
import inspect
import re
import sys
import tomllib
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn

from lossmith.checker.contract import PRED_NAMES, TARGET_NAMES
from lossmith.checker.frameworks import framework_of, names_in
from lossmith.checker.place import Place, relative
from lossmith.checker.sample import SIZES
from lossmith.checker.subject import Subject, required_parameters
from lossmith.errors import SettingError, TargetError, message

LOSS_WORD = re.compile(
    r"loss|criterion|entropy|diverg|dice|iou|jaccard|tversky|focal|huber|hinge|pinball|quantile|triplet|contrast|"
    r"nll|bce|(?:^|_)(?:ce|kl|kld|mse|mae|rmse|msle|mape|l1|l2)(?:_|$)|error|objective|penalty|regret",
    re.IGNORECASE,
)
# Sizes that a constructor asks for, by the names that people give them.
SIZE_NAMES = {
    **dict.fromkeys(("num_classes", "n_classes", "classes", "nb_classes", "num_labels", "n_class", "C"), SIZES["C"]),
    **dict.fromkeys(
        ("dim", "feat_dim", "feature_dim", "embedding_dim", "embedding_size", "in_features", "embed_dim", "D"),
        SIZES["D"],
    ),
}
SIZE_NAMES["out_features"] = SIZES["C"]


def load(place: Place) -> ModuleType:
    """Import the file or module of a target. Whatever it raises becomes a `TargetError` that names the line."""
    try:
        return _load_file(Path(place.source)) if place.is_file else importlib.import_module(place.source)
    except SyntaxError as error:
        where = f"{relative(error.filename or place.source)}:{error.lineno}"
        raise TargetError(
            message(f"{place.source} does not parse", {"line": where, "error": error.msg}, fix="mend the syntax first")
        ) from None
    except ModuleNotFoundError as error:
        if not place.is_file and error.name and place.source.startswith(error.name):
            raise TargetError(
                message(
                    f"{place.source}: there is no such module",
                    fix="a file is given with its ending: losses.py:Name",
                )
            ) from None
        raise _broken(place, error) from None
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        raise _broken(place, error) from None


def _broken(place: Place, error: BaseException) -> TargetError:
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "importlib" not in f.filename]
    own = [f for f in frames if Path(f.filename).name == Path(place.source).name] or frames[-1:]
    given = {"line": f"{relative(own[-1].filename)}:{own[-1].lineno}  {own[-1].line or ''}"} if own else {}
    given["error"] = f"{type(error).__name__}: {error}"
    return TargetError(
        message(
            f"{place.source} cannot be imported",
            given,
            why="its losses exist only once the file has run",
            fix="make `python -c 'import ...'` of it work, or move the losses to a file of their own",
        )
    )


def _load_file(path: Path) -> ModuleType:
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    name = path.stem if path.stem not in sys.modules and path.stem.isidentifier() else f"lossmith_target_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path.resolve())
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python source file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def imports_of(path: str) -> set[str]:
    """Root names of the modules that a file imports, read without running it; empty if it does not parse."""
    try:
        tree = ast.parse(Path(path).read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError):
        return set()
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def find(place: Place, module: ModuleType) -> dict[str, Any]:
    """The losses of a target by name: the one that is named, or all that the module defines."""
    if place.name:
        return {place.name: _attribute(place, module)}
    found = {name: value for name, value in vars(module).items() if _is_loss(name, value, module)}
    wrapped = _mentioned(found, module)
    found = {name: value for name, value in found.items() if name not in wrapped or not _is_part(name, value)}
    for name, value in list(found.items()):
        instances = [other for other in found.values() if type(other) is value]
        if isinstance(value, type) and instances and not _fills_itself(value):
            del found[name]  # `loss = MyLoss(0.3)` stands for a class that cannot be built without settings
    if not found:
        raise TargetError(
            message(
                f"{place.text}: no loss found in it",
                {"looked for": "nn.Module and keras Loss classes, functions and objects that look like a loss"},
                fix=f"name one: {place.source}:my_function",
            )
        )
    return found


def _attribute(place: Place, module: ModuleType) -> Any:
    value: Any = module
    for part in place.name.split("."):
        if not hasattr(value, part):
            try:
                names = list(find(Place(place.source, place.source), module))
            except TargetError:
                names = [name for name in vars(module) if not name.startswith("_")]
            close = difflib.get_close_matches(place.name, names, 1, 0.5)
            raise TargetError(
                message(
                    f"{place.source} has no {place.name!r}",
                    {"it has": ", ".join(names[:20]) or "no losses"},
                    fix=f"did you mean {place.source}:{close[0]}?" if close else None,
                )
            )
        value = getattr(value, part)
    if not callable(value):
        raise TargetError(message(f"{place.text} is a {type(value).__name__}, not a loss: it cannot be called"))
    return value


def _is_loss(name: str, value: Any, module: ModuleType) -> bool:
    if name.startswith(("_", "example", "test_")) or name in ("main", "test"):
        return False
    if isinstance(value, type):
        return value.__module__ == module.__name__ and _is_loss_class(value)
    if isinstance(value, nn.Module):
        return bool(LOSS_WORD.search(type(value).__name__) or LOSS_WORD.search(name)) or _pairs(value)
    if framework_of(value) == "keras" and hasattr(value, "call") and hasattr(value, "reduction"):
        return True
    if isinstance(value, functools.partial):
        return bool(LOSS_WORD.search(name)) or _pairs(value)
    if not inspect.isfunction(value) or value.__module__ != module.__name__:
        return False
    return len(required_parameters(value)) >= 1 and bool(LOSS_WORD.search(name) or _pairs(value))


def _is_loss_class(cls: type) -> bool:
    if inspect.isabstract(cls):
        return False
    if issubclass(cls, torch.autograd.Function):
        return True
    is_keras = any(base.__module__.startswith("keras.") and base.__name__ == "Loss" for base in cls.__mro__)
    if is_keras:
        return True
    if not issubclass(cls, nn.Module) or cls.forward is nn.Module.forward:
        return False
    return bool(LOSS_WORD.search(cls.__name__)) or _pairs(cls)


def _pairs(value: Any) -> bool:
    """True if the parameters are called like a prediction and a target."""
    try:
        function: Any = getattr(value, "forward", value)
        names = [p.name.lower() for p in inspect.signature(function).parameters.values() if p.name != "self"][:3]
    except (TypeError, ValueError):
        return False
    return len(names) >= 2 and bool(TARGET_NAMES & set(names)) and bool(PRED_NAMES & set(names))


def _mentioned(found: Mapping[str, Any], module: ModuleType) -> set[str]:
    """Names of found losses that another one uses in its own code."""
    used: set[str] = set()
    for name, value in found.items():
        members = list(vars(value).values()) if isinstance(value, type) else [value]
        functions = [getattr(member, "__func__", member) for member in members]  # a staticmethod wraps its function
        for function in functions:
            if inspect.isfunction(function):
                used |= names_in(function.__code__) - {name}
    return used & set(vars(module))


def _is_part(name: str, value: Any) -> bool:
    """An `autograd.Function`, or a helper not called a loss, that another loss of the file already covers."""
    if isinstance(value, type) and issubclass(value, torch.autograd.Function):
        return True
    return inspect.isfunction(value) and "loss" not in name.lower()


def _fills_itself(cls: type) -> bool:
    return not [name for name in _required(cls) if name not in SIZE_NAMES]


def _required(cls: type) -> list[str]:
    try:
        parameters = inspect.signature(cls).parameters.values()
    except (TypeError, ValueError):
        return []
    return [p.name for p in parameters if p.default is p.empty and p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]


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
    missing = [key for key in _required(cls) if key not in settings]
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
    try:
        return cls(**settings)
    except Exception as error:
        shown = ", ".join(f"{key}={value!r}" for key, value in settings.items())
        raise SettingError(
            message(
                f"{place.source}:{name} could not be built",
                {"call": f"{name}({shown})", "error": f"{type(error).__name__}: {error}"},
                fix="give settings it accepts: --arg NAME=VALUE",
            )
        ) from None


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


def _family(value: Any, module: ModuleType, name: str) -> str:
    """The public name of a loss that a framework ships, else empty."""
    cls = value if isinstance(value, type) or inspect.isroutine(value) else type(value)
    home = getattr(cls, "__module__", "") or ""
    for prefix, public in (
        ("torch.nn.", "torch.nn"),
        ("torch._C", "torch.nn.functional"),
        ("keras.", "keras.losses"),
        ("lossmith.torch.", "lossmith.torch"),
        ("lossmith.keras.", "lossmith.keras"),
    ):
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
    return (*lines, f"loss_fn = {_built(getattr(module, root, None), name, settings)}")


def _built(value: Any, name: str, settings: Mapping[str, Any]) -> str:
    keywords = ", ".join(f"{key}={value!r}" for key, value in settings.items())
    if isinstance(value, type):
        return f"{name}.apply" if issubclass(value, torch.autograd.Function) else f"{name}({keywords})"
    return f"lambda *inputs: {name}(*inputs, {keywords})" if keywords else name


def names(place: Place, module: ModuleType) -> Sequence[str]:
    return list(find(place, module))


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


def table_of(place: Place, name: str) -> dict[str, str]:
    """What pyproject.toml of this folder, or of one above it, says the loss takes: [tool.lossmith."file:Name"]."""
    for folder in (Path.cwd(), *Path.cwd().parents):
        if (project := folder / "pyproject.toml").is_file():
            try:
                tables = tomllib.loads(project.read_text(encoding="utf-8")).get("tool", {}).get("lossmith", {})
            except (OSError, tomllib.TOMLDecodeError):
                return {}
            keys = (f"{place.source}:{name}", f"{Path(place.source).stem}:{name}")
            found = next((tables[key] for key in keys if key in tables), {})
            return {key: text for key, text in found.items() if isinstance(text, str)}
    return {}


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
    if shipped and hasattr(sys.modules.get(cls.__module__), cls.__name__) and not _required(cls):
        return (f"from {cls.__module__} import {cls.__name__}", f"loss_fn = {cls.__name__}()")
    return ()
