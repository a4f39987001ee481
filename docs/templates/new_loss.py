"""Begin a new loss: write its files from the templates beside this one, and export it.

    python docs/templates/new_loss.py dead_zone DeadZoneLoss          a regression loss
    python docs/templates/new_loss.py dead_zone DeadZoneLoss segmentation

The files hold a small loss that passes every test; write yours over it. No file that exists is overwritten.
"""

import re
import sys
from pathlib import Path
from string import Template

HOME = Path(__file__).parents[2]
PLACES = {
    "formula": "src/lossmith/formulas/{name}.py",
    "torch": "src/lossmith/torch/{name}.py",
    "keras": "src/lossmith/keras/{name}.py",
    "textbook": "tests/formulas/textbook/{name}.py",
    "grid": "tests/formulas/grid/{name}.py",
    "torch_case": "tests/torch_faces/torch_cases/{name}.py",
    "keras_case": "tests/keras_faces/keras_cases/{name}.py",
    "changelog": "changelog.d/{name}.added.md",
}


def export(file: Path, module: str, name: str) -> None:
    """Add an import and a line of `__all__`; ruff puts both in order."""
    text = file.read_text(encoding="utf-8")
    text = text.replace("\n__all__ = [\n", f'\nfrom {module} import {name}\n\n__all__ = [\n    "{name}",\n', 1)
    file.write_text(text, encoding="utf-8")


def write(name: str, face: str, task: str = "regression", home: Path = HOME) -> list[Path]:
    """Write every file of a new loss under `home`; returns them."""
    words = {"name": name, "Face": face, "Plain": face.removesuffix("Loss")}
    files = {template: home / place.format(name=name) for template, place in PLACES.items()}
    if taken := [file for file in files.values() if file.exists()]:
        raise SystemExit(f"{taken[0]} exists already")
    for template, file in files.items():
        text = (Path(__file__).parent / "loss" / f"{template}.txt").read_text(encoding="utf-8")
        file.write_text(Template(text).substitute(words), encoding="utf-8")
    package = home / "src" / "lossmith"
    export(package / "formulas" / "__init__.py", f"lossmith.formulas.{name}", name)
    export(package / "torch" / "__init__.py", f"lossmith.torch.{name}", words["Face"])
    export(package / "keras" / "__init__.py", f"lossmith.keras.{name}", words["Plain"])
    entries = package / "entries.py"
    text = re.sub(rf'("{task}": \()', rf'\1"{name}", ', entries.read_text(encoding="utf-8"), count=1)
    entries.write_text(text, encoding="utf-8")
    return list(files.values())


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        raise SystemExit(__doc__)
    for file in write(*sys.argv[1:]):
        print(file.relative_to(HOME))
    print(f"next: ruff check --fix . && ruff format . && python tests/formulas/accuracy.py {sys.argv[1]}")
    print("then: lossmith list --markdown > docs/losses.md && make test")
