"""Imports point one way, and importing lossmith imports no framework."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "lossmith"
# Each part may import the parts on its line, itself, and what those may import.
BELOW = {
    "errors": set(),
    "domains": {"errors"},
    "shapes": {"errors", "domains", "ops"},
    "ops": {"errors"},
    "settings": {"errors", "ops", "shapes"},
    "reduction": {"errors", "domains", "ops", "settings"},
    "criterion": {"ops", "shapes", "reduction"},
    "claims": set(),
    "spec": {"errors", "domains", "ops", "shapes", "settings", "reduction", "criterion", "claims"},
    "face": {"errors", "settings"},
    "formulas": {"errors", "ops", "shapes", "settings", "spec", "domains", "claims"},
    "class_weights": {"errors", "ops"},
    "sides": {"errors", "ops", "settings", "spec", "reduction", "criterion", "formulas"},
    "balance": {"errors", "ops", "settings"},
    "kernels": {"errors", "domains", "ops", "settings", "spec", "reduction", "criterion", "formulas"},
    "torch": {
        *("errors", "ops", "shapes", "settings", "spec", "reduction", "criterion", "face", "formulas"),
        *("class_weights", "sides", "balance", "kernels"),
    },
    "keras": {
        *("errors", "ops", "shapes", "settings", "spec", "reduction", "criterion", "face", "formulas"),
        *("class_weights", "sides", "balance"),
    },
    "checker": {"errors", "domains", "ops", "shapes", "spec", "trace", "prove"},
    "entries": {"errors", "spec", "formulas"},
    "trace": {"errors", "ops", "spec"},
    "prove": {"errors", "domains", "ops", "shapes", "spec", "entries"},
    "forging": {"errors", "domains", "ops", "spec", "trace", "prove", "checker"},
    "report": {"errors", "checker", "entries", "prove", "forging"},
    "plots": {"errors", "spec", "entries", "balance", "checker", "report", "torch"},
    "testing": {"errors", "checker"},
    "bench": {"errors", "spec", "entries", "kernels"},
    "cli": {"errors", "domains", "checker", "report", "entries", "prove", "forging", "plots", "bench"},
}
# Named exceptions, each with its reason.
ALLOWED = {
    ("checker", "report"): "`str(report)` is the words of the report; facts are worded there for `lossmith show`, too",
    ("prove", "report"): "`str(derivation)` likewise",
}


def part_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """The parts of lossmith that a file imports, at any depth of its code."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module == "lossmith":
            names = [f"lossmith.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
        found |= {name.split(".")[1] for name in names if name.startswith("lossmith.") and name.count(".")}
    return found & BELOW.keys()


def wrong_arrows(files, below=BELOW):
    return sorted(
        (part_of(file), other)
        for file in files
        for other in imported(file) - below[part_of(file)] - {part_of(file)}
        if (part_of(file), other) not in ALLOWED
    )


def files():
    return [file for file in SOURCE.rglob("*.py") if file.name != "__init__.py" or file.parent != SOURCE]


def test_imports_point_one_way():
    assert wrong_arrows(files()) == []


def test_every_part_has_its_place():
    assert {part_of(file) for file in files()} == set(BELOW)


def test_the_test_above_can_fail():
    assert wrong_arrows(files(), BELOW | {"formulas": set()}) != []


def modules_after(code: str) -> set[str]:
    program = f"{code}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    return set(json.loads(result.stdout.splitlines()[-1]))


FRAMEWORKS = {"torch", "keras", "tensorflow", "jax"}


@pytest.mark.parametrize("name", ["lossmith", "lossmith.formulas", "lossmith.spec", "lossmith.cli", "lossmith.checker"])
def test_importing_it_imports_no_framework(name):
    assert not FRAMEWORKS & modules_after(f"import {name}")


def test_the_framework_test_can_fail():
    assert "torch" in modules_after("import lossmith.torch")


def test_public_names_exist_and_others_do_not():
    import lossmith

    for name in lossmith.__all__:
        assert getattr(lossmith, name) is not None
    with pytest.raises(AttributeError, match="nonsense"):
        lossmith.nonsense  # noqa: B018
