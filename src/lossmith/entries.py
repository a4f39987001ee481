"""Every loss that lossmith ships, as data: what it is, takes, claims, and which faces it has.

    lossmith.catalogue()                          all entries
    lossmith.catalogue(task="segmentation")       those of one task
    [e.name for e in lossmith.catalogue() if "convex" in e.claims]

Faces are read from the source text of `lossmith/torch` and `lossmith/keras`, so that looking a loss up imports no
framework, and works without one.
"""

import ast
import difflib
import importlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from inspect import cleandoc
from typing import Any

from lossmith import formulas
from lossmith.errors import SettingError, message
from lossmith.spec import FORMULAS, Formula

# The files under formulas/ by the task they serve, in the order of the tables.
TASKS: Mapping[str, tuple[str, ...]] = {
    "regression": ("regression", "robust", "barron", "quantile", "likelihood"),
    "classification": (
        "linear",
        "binary",
        "softmax",
        "smoothing",
        "poly",
        "noise",
        "imbalance",
        "margin",
        "multilabel",
    ),
    "distributions": ("divergence", "distillation"),
    "segmentation": ("overlap", "tversky", "lovasz"),
    "boxes": ("boxes",),
    "images": ("structure", "variation", "features"),
    "metric learning": ("contrastive", "triplet", "pairs", "proxies", "margins", "similarity"),
    "self-supervised": ("infonce", "siglip", "redundancy", "byol"),
    "GAN": ("adversarial", "penalty"),
}
FRAMEWORKS = ("torch", "keras")


@dataclass(frozen=True)
class Face:
    """A class or function of `lossmith.torch` or `lossmith.keras`; `formula` is empty where it composes others.

    `further` are the formulas that its settings choose instead.
    """

    framework: str
    name: str
    module: str
    formula: str
    text: str
    further: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        return _first_sentence(self.text)

    @property
    def example(self) -> str:
        return _example(self.text)


@dataclass(frozen=True)
class Entry:
    """One loss. `takes` maps each argument to what it holds; `keywords` each keyword to its default.

    equation   its lines of the family's file
    claims     what is true of it, measured by the tests
    """

    name: str
    task: str
    summary: str
    equation: str
    shapes: str
    takes: Mapping[str, str]
    keywords: Mapping[str, Any]
    claims: tuple[str, ...]
    source: str
    text: str
    torch: tuple[Face, ...] = ()
    keras: tuple[Face, ...] = ()

    @property
    def example(self) -> str:
        """The example of its docstring, on numpy arrays."""
        return _example(self.text)


def catalogue(task: str | None = None, claim: str | None = None, framework: str | None = None) -> tuple[Entry, ...]:
    """The losses, by task; only those of one task, with one claim, or with a face in one framework.

    Errors    SettingError for a task, claim or framework that does not exist
    """
    entries = _entries()
    if task is not None:
        _require("task", task, list(TASKS))
        entries = tuple(entry for entry in entries if entry.task == task)
    if claim is not None:
        _require("claim", claim, sorted({name for entry in _entries() for name in entry.claims}))
        entries = tuple(entry for entry in entries if claim in entry.claims)
    if framework is not None:
        _require("framework", framework, [*FRAMEWORKS, "jax", "tensorflow", "numpy"])
        entries = tuple(entry for entry in entries if getattr(entry, framework, True))
    return entries


def find(name: str) -> Entry | Face:
    """One loss, by the name of its formula or of a face; upper and lower case are the same.

    Errors    SettingError, with the nearest names, where there is none
    """
    entries = {entry.name: entry for entry in _entries()}
    named: dict[str, Entry | Face] = {face.name.lower(): entries.get(face.formula, face) for face in faces()}
    named |= entries
    if name.lower() in named:
        return named[name.lower()]
    shown = {known.lower(): known for known in [*entries, *(face.name for face in faces())]}
    near = [shown[close] for close in difflib.get_close_matches(name.lower(), shown, n=3, cutoff=0.4)]
    fix = f"lossmith show {near[0]}" if near else "lossmith list"
    raise SettingError(message(f"there is no loss {name!r}", {"nearest": ", ".join(near) or "none"}, fix=fix))


def _require(what: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise SettingError(message(f"{value!r} is no {what}", {f"{what}s": ", ".join(known)}))


@cache
def _entries() -> tuple[Entry, ...]:
    by_file = {name: task for task, names in TASKS.items() for name in names}
    made = [_entry(FORMULAS[name], by_file) for name in formulas.__all__ if name in FORMULAS]
    order = list(TASKS)
    return tuple(sorted(made, key=lambda entry: (order.index(entry.task), entry.name)))


def _entry(made: Formula, by_file: Mapping[str, str]) -> Entry:
    text = made.__doc__ or ""
    own = {face.framework: [] for face in faces()}
    for face in faces():
        if made.name in (face.formula, *face.further):
            own[face.framework].append(face)
    return Entry(
        name=made.name,
        task=by_file[made.__module__.rpartition(".")[2]],
        summary=_first_sentence(text),
        equation=_equation(importlib.import_module(made.__module__).__doc__ or "", made.name),
        shapes=made.shapes.text,
        takes=dict(zip(made.arguments, made.kinds, strict=True)),
        keywords=dict(made.keywords),
        claims=made.claims.made(),
        source=made.source,
        text=text,
        torch=tuple(own.get("torch", ())),
        keras=tuple(own.get("keras", ())),
    )


def _first_sentence(text: str) -> str:
    paragraph = " ".join(text.partition("\n\n")[0].split())
    return re.split(r"(?<=[a-z)`\]])\. ", paragraph)[0].rstrip(".")


def _example(text: str) -> str:
    """The lines of a docstring from the first prompt on."""
    start = text.find(">>> ")
    return "" if start < 0 else text[start:].strip()


def _equation(text: str, name: str) -> str:
    """The indented lines of a module docstring that begin with a name, and those that go on further to the right."""
    taken: list[str] = []
    inside = False
    for line in text.splitlines():
        words = line.split()
        indent = len(line) - len(line.lstrip())
        if indent == 4 and words:
            inside = words[0] == name
        elif indent < 4:
            inside = False
        if inside and words:
            taken.append(line[4:])
    return "\n".join(taken)


@cache
def faces() -> tuple[Face, ...]:
    """Every public class and function of the torch and keras faces, read from their source text."""
    return tuple(face for framework in FRAMEWORKS for face in _faces_of(framework))


def _faces_of(framework: str) -> Iterator[Face]:
    package = files("lossmith").joinpath(framework)
    public = _exported(ast.parse(package.joinpath("__init__.py").read_text(encoding="utf-8")))
    for file in sorted(package.iterdir(), key=lambda file: file.name):
        if not file.name.endswith(".py") or file.name in ("__init__.py", "loss.py"):
            continue
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and node.name in public:
                text = cleandoc(ast.get_docstring(node) or "")
                own, used = _formula_of(node), _formulas_in(node)
                yield Face(framework, node.name, file.name.removesuffix(".py"), own, text, tuple(used - {own}))


def _exported(tree: ast.Module) -> set[str]:
    lists = [node.value for node in tree.body if isinstance(node, ast.Assign) and _names(node) == ["__all__"]]
    return set(ast.literal_eval(lists[0]))


def _names(node: ast.Assign) -> list[str]:
    return [target.id for target in node.targets if isinstance(target, ast.Name)]


def _formula_of(node: ast.ClassDef | ast.FunctionDef) -> str:
    """The formula in a class line: `class HuberLoss(Loss, formula=formulas.huber)`."""
    for keyword in node.keywords if isinstance(node, ast.ClassDef) else ():
        if keyword.arg == "formula" and isinstance(keyword.value, ast.Attribute):
            return keyword.value.attr
    return ""


def _formulas_in(node: ast.ClassDef | ast.FunctionDef) -> set[str]:
    """Every `formulas.x` in the text of a face."""
    names = (n for n in ast.walk(node) if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name))
    return {name.attr for name in names if isinstance(name.value, ast.Name) and name.value.id == "formulas"}
