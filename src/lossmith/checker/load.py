"""Import the file or module of a target. Whatever it raises becomes an error that names the line."""

import ast
import importlib
import importlib.util
import sys
import traceback
from pathlib import Path
from types import ModuleType

from lossmith.checker.place import Place, relative
from lossmith.errors import TargetError, message


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
    given["error"] = f"{type(error).__name__}: {str(error)[:2000]}"
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
