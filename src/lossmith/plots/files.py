"""Pictures as files: the ending says the format, and nothing of the user's is written over."""

from pathlib import Path
from typing import Any

from lossmith.errors import SettingError, message

STILL = (".png", ".svg", ".pdf")
ENDINGS = (*STILL, ".html")
LIVELY = "written by lossmith plot"


def require_writable(file: str | Path, force: bool = False, endings: tuple[str, ...] = ENDINGS) -> Path:
    """The path, if it can be written: its ending is known, its folder is there, and nothing is lost.

    Errors    SettingError that says which of these it is
    """
    path = Path(file)
    if path.suffix.lower() not in endings:
        raise SettingError(message(f"{path}: the ending says the format", {"endings": ", ".join(endings)}))
    if not path.resolve().parent.is_dir():
        raise SettingError(
            message(f"{path} cannot be written", why="its folder does not exist", fix=f"mkdir -p {path.parent}")
        )
    if path.is_dir():
        raise SettingError(message(f"{path} is a folder"))
    if path.exists() and not force:
        raise SettingError(message(f"{path} exists already", fix="another name, or --force (force=True) to replace it"))
    return path


def save(axes: Any, file: str | Path, *, force: bool = False, dpi: int = 144) -> Path:
    """Write the figure of these axes as PNG, SVG or PDF. A file that exists stays, unless `force`."""
    path = require_writable(file, force, STILL)
    one = axes[0] if isinstance(axes, (tuple, list)) else axes
    made: dict[str, Any] = {".png": {"Software": "lossmith"}, ".svg": {"Creator": "lossmith", "Date": None}}
    one.figure.savefig(path, dpi=dpi, metadata=made.get(path.suffix.lower(), {}))
    return path


def write(text: str, file: str | Path, *, force: bool = False) -> Path:
    """Write a page. A file that exists stays, unless `force`."""
    path = require_writable(file, force, (".html",))
    path.write_text(text, encoding="utf-8")
    return path
