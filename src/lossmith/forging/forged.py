"""From an expression to a file: the door of this package.

Read and derive (`plan`), write (`targets`), run (`verify`), and only then put the file in its place.
"""

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lossmith.errors import LossmithError, SettingError, message, missing_extra
from lossmith.forging.names import parse_param, require_name, require_params, require_place, test_place


@dataclass(frozen=True)
class Forged:
    """A loss as source text, and everything that was found out on the way.

    source    the file
    tests     its test file, where it was asked for
    rewrites  what is computed in other words than it was written, with the errors before and after
    findings  what the checker said; problems: why it was not written, or would not have been without `force`
    """

    name: str
    to: str
    source: str
    tests: str = ""
    rewrites: tuple[str, ...] = ()
    pred: str = ""
    target: str = ""
    convex: str = ""
    compared: int = 0
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    report: str = ""
    written: tuple[Path, ...] = field(default=())

    @property
    def ok(self) -> bool:
        return not self.problems

    def __str__(self) -> str:
        return self.source


class CheckFailed(LossmithError):
    """What was written does not pass its checks; `forged` holds it."""

    def __init__(self, forged: Forged) -> None:
        self.forged = forged
        rows = {f"{index}": text for index, text in enumerate(forged.problems, 1)}
        text = message(f"{forged.name} does not pass its checks", rows, fix="--force to have it all the same")
        super().__init__(f"{text}\n\n{forged.report}".rstrip() if forged.report else text)


def forge(
    expression: str,
    *,
    name: str,
    to: str = "torch-function",
    params: Mapping[str, float] | Sequence[str] = (),
    out: str | Path | None = None,
    with_tests: bool = False,
    rewrite: bool = True,
    force: bool = False,
    check: bool = True,
    pred: str | None = None,
    target: str | None = None,
) -> Forged:
    """Write a loss as source code, from one expression in `pred`, `target` and parameters.

    expression  such as "where(target > pred, under, over) * square(target - pred)"; nothing in it is evaluated. With
                sum, mean, logsumexp, softmax or log_softmax it is the loss of a row of `classes` classes, and target
                the row of 0 and 1 of a label, or a distribution: "-sum(target * log_softmax(pred))"
    to          torch-function, torch-module, torch-autograd, keras-function, keras-class, jax, numpy, xgboost,
                lightgbm, catboost, latex
    params      each parameter with its default
    out         a file to write, which must not exist unless `force`; `with_tests` adds test_<file> beside it
    rewrite     exchange forms that lose their digits for ones that keep them
    check       run the text in its framework and through the checker, in child processes
    pred, target    what they hold (real, logits, prob, positive; real, binary, soft, pm1, positive, count; of rows
                    real, logits, simplex; index, dist, real), where it is not to be found out
    Errors      SettingError for what cannot be read, LossmithError where a check fails and `force` is not given

    >>> print(forge("abs(pred - target)", name="L1", to="numpy", check=False).convex)
    straight
    """
    try:
        from lossmith.forging.plan import plan
        from lossmith.forging.targets import TARGETS
        from lossmith.forging.verify import verify
    except ModuleNotFoundError as error:
        raise missing_extra("lossmith forge", str(error.name), "prove") from None

    place = require_output(to, out, with_tests, force)
    chosen = TARGETS[to]
    require_name(name)
    given = params if isinstance(params, Mapping) else _together(params)
    numbers = require_params(given)
    made = plan(expression, name, numbers, rewrite=rewrite, pred=pred, target=target)
    if chosen.boosts:
        from lossmith.forging.emit_boosting import require_scores

        require_scores(made)
    source = chosen.write(made)
    stem = place.stem if place is not None else made.function
    tests = ""
    if with_tests:
        from lossmith.forging.emit_tests import tests as write_tests

        tests = write_tests(made, chosen, stem)
    found: dict[str, object] = {}
    if check:
        verdict = verify(source, made, chosen)
        failed = [*verdict.problems, *_failures(verdict.report)]
        report = str(verdict.report) if verdict.report is not None and not verdict.report.ok else ""
        found = {
            "compared": verdict.compared,
            "problems": tuple(failed),
            "notes": verdict.notes,
            "report": report,
        }
    forged = Forged(
        name,
        to,
        source,
        tests,
        tuple(map(str, made.rewrites)) if to != "latex" else (),
        made.kinds[0],
        made.kinds[1],
        made.facts.shape,
        **found,  # type: ignore[arg-type]
    )
    if not forged.ok and not force:
        raise CheckFailed(forged)
    if place is None:
        return forged
    written = [(place, source), *([(test_place(place), tests)] if tests else [])]
    for path, text in written:
        write_whole(path, text, force)
    return Forged(**{**vars(forged), "written": tuple(path for path, _ in written)})


def forge_from(
    target: str,
    *,
    name: str | None = None,
    settings: Mapping[str, Any] | None = None,
    pred: str | None = None,
    goal: str | None = None,
    **how: Any,
) -> Forged:
    """Write a loss of your own anew, in another framework: traced in a child process, then forged as an expression is.

    target      "my_losses.py:MyLoss"
    name        what the new one is called; the name of the loss by default
    settings    what it is built with
    pred, goal  the kinds of its prediction and target, where they are not to be found out
    how         to, out, with_tests, rewrite, force and check, as of `forge`
    Errors      TargetError for a target that is not one loss; LossmithError, with the line, for a loss that is neither
                one of single numbers nor of rows of classes that are treated alike, uses what is no word of an
                expression, or is not what was traced of it
    """
    try:
        from lossmith.forging.original import read
    except ModuleNotFoundError as error:
        raise missing_extra("lossmith forge", str(error.name), "prove") from None
    require_output(**{word: how[word] for word in ("to", "out", "with_tests", "force") if word in how})
    if name is not None:
        require_name(name)
    found = read(target, settings, pred, goal)
    kinds = dict(zip(("pred", "target"), found.kinds, strict=True))
    called = name or "".join(part[:1].upper() + part[1:] for part in found.name.split("_"))
    made = forge(found.expression, name=called, params=found.params, **kinds, **how)
    return replace(made, notes=(*found.notes, *made.notes))


def require_output(
    to: str = "torch-function", out: str | Path | None = None, with_tests: bool = False, force: bool = False
) -> Path | None:
    """Where to write, before anything is traced or derived for it."""
    from lossmith.forging.targets import TARGETS

    if to not in TARGETS:
        raise SettingError(message(f"--to {str(to)[:40]!r}: not a target", {"targets": ", ".join(TARGETS)}))
    if to == "latex" and with_tests:
        raise SettingError("--with-tests: LaTeX has no tests")
    return None if out is None else require_place(out, ".tex" if to == "latex" else ".py", force, with_tests)


def _together(params: Sequence[str]) -> dict[str, float]:
    made: dict[str, float] = {}
    for text in params:
        name, value = parse_param(text)
        if name in made:
            raise SettingError(f"--param {name} is given twice")
        made[name] = value
    return made


def _failures(report: object) -> list[str]:
    from lossmith.checker import Report

    if not isinstance(report, Report):
        return []
    said = [f"{finding.code} {finding.name}: {finding.message}" for one in report for finding in one.errors]
    return said + [one.problem.splitlines()[0] for one in report if one.problem]


def write_whole(path: Path, text: str, force: bool) -> None:
    """The whole file or none: written beside its place, then moved there. Without `force` nothing is replaced."""
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(name, 0o666 & ~umask)
        if force:
            os.replace(name, path)
        else:
            os.link(name, path)  # fails if something came there meanwhile
            os.unlink(name)
    except FileExistsError:
        os.unlink(name)
        raise SettingError(message(f"{path} exists", fix="another name, or --force to replace it")) from None
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
