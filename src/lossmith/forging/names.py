"""Names and places that a user gives: what may stand in source text, and where a file may be written."""

import builtins
import keyword
import math
import re
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from lossmith.errors import SettingError, message
from lossmith.forging.plan import function_name
from lossmith.forging.words import ROWS, WORDS

_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,59}")
# Names that the emitted files use themselves.
_TAKEN = {
    *("pred", "target", "pi", "e", "torch", "nn", "F", "Tensor", "keras", "ops", "jax", "jnp", "Array", "np", "xgb"),
    *("lgb", "math", "reduction", "weight", "weights", "values", "gradient", "hessian", "self", "ctx", "inputs"),
    *("classes", "hot"),
    *("output", "grad_output", "by_pred", "by_target", "y_true", "y_pred", "name", "dtype", "config", "predt"),
    *("dtrain", "preds", "train_data", "approxes", "targets", "error", "training", "call", "forward", "evaluate"),
}
_FRAMEWORKS = {"torch", "keras", "jax", "numpy", "xgboost", "lightgbm", "catboost", "tensorflow", "pytest", "lossmith"}


def require_name(name: str) -> str:
    """A name for a class and, in small letters, for a function."""
    if not _IDENTIFIER.fullmatch(name) or name.endswith("_") or "__" in name:
        raise SettingError(
            message(
                "--name must be a name of ASCII letters and digits",
                {"given": ascii(name[:60])},
                fix="such as AsymmetricMSE",
            )
        )
    small = function_name(name)
    for one in (name, small):
        if keyword.iskeyword(one) or hasattr(builtins, one) or one in _TAKEN or one in _FRAMEWORKS:
            raise SettingError(message(f"--name {name}: {one} means something else", fix=f"{name}Loss"))
    return name


def require_params(params: Mapping[str, float]) -> dict[str, float]:
    """Parameters with numbers as defaults."""
    made: dict[str, float] = {}
    for name, value in params.items():
        if not _IDENTIFIER.fullmatch(str(name)):
            raise SettingError(
                message("a parameter must be a name of ASCII letters and digits", {"given": ascii(str(name)[:60])})
            )
        if keyword.iskeyword(name) or hasattr(builtins, name) or name in _TAKEN or name in WORDS or name in ROWS:
            raise SettingError(message(f"--param {name}: the name means something else", fix=f"{name}_value"))
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= 1e30:
            raise SettingError(
                message(f"--param {name} must be a number that float32 holds", {"given": repr(value)[:60]})
            )
        made[name] = float(value)
    return made


def parse_param(text: str) -> tuple[str, float]:
    """NAME=NUMBER."""
    name, equals, value = text.partition("=")
    try:
        number = float(value) if equals and len(value) <= 40 else math.nan
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise SettingError(message("--param takes NAME=NUMBER", {"given": ascii(text[:80])}, fix="--param under=2.0"))
    return name.strip(), number


def require_place(out: str | Path, suffix: str, force: bool, with_tests: bool) -> Path:
    """Where the file goes: a folder that exists, a name that can be imported, and nothing there yet."""
    text = str(out)
    if "\0" in text or not text:
        raise SettingError(message("-o must name a file", {"given": ascii(text[:80])}))
    path = Path(text)
    if path.suffix != suffix:
        raise SettingError(message(f"-o must end in {suffix}", {"given": ascii(text[-80:])}))
    stem = path.stem
    if suffix == ".py" and (not _IDENTIFIER.fullmatch(stem) or keyword.iskeyword(stem)):
        raise SettingError(message("-o must name a module that can be imported", {"given": ascii(path.name[:80])}))
    if suffix == ".py" and (stem in _FRAMEWORKS or stem in sys.stdlib_module_names):
        raise SettingError(message(f"a file {stem}.py would hide the module {stem} from itself", fix="another name"))
    if not path.parent.is_dir():
        raise SettingError(message(f"{path.parent} is not a folder", fix=f"mkdir -p {path.parent}"))
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise SettingError(message(f"{path.parent} cannot be written", {"system": error.strerror})) from None
    for file in [path, *([test_place(path)] if with_tests else [])]:
        if file.is_symlink() or (file.exists() and not file.is_file()):
            raise SettingError(message(f"{file} is not an ordinary file", why="it would be replaced by one"))
        if file.exists() and not force:
            raise SettingError(message(f"{file} exists", fix="another name, or --force to replace it"))
    return path


def test_place(path: Path) -> Path:
    return path.with_name(f"test_{path.name}")
