"""Before a file is written it is run: in its own framework against fifty digits, and through the checker.

Both run in child processes. What the checker cannot read (numpy, boosting objectives, LaTeX) is checked as the torch
function of the same expression; the file itself is still compared with the digits.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from lossmith.checker import Report
from lossmith.checker.process import Options, check_target
from lossmith.forging.domain import said
from lossmith.forging.facts import exactly, grid_of, smooth_points
from lossmith.forging.plan import Plan
from lossmith.forging.reading import in_digits
from lossmith.forging.targets import TARGETS, Target
from lossmith.forging.tree import ZERO
from lossmith.ops.digits import context

SECONDS = 180.0
MODULE = "lossmith_forged"
RTOL, ATOL = 1e-9, 1e-11
# Labels are float32 in the boosting libraries, and keras's own `maximum` and `hypot` compute in float32.
ROUGH, ROUGH_IN = 1e-5, ("keras", "xgboost", "lightgbm", "catboost")


@dataclass(frozen=True)
class Verdict:
    """What running a file said. `problems` are to be mended; `notes` say what could not be run."""

    compared: int = 0
    report: Report | None = None
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        return not self.problems and (self.report is None or self.report.ok)


def verify(source: str, plan: Plan, target: Target) -> Verdict:
    """Run a source text against the digits and the checker."""
    with tempfile.TemporaryDirectory(prefix="lossmith-forge-") as folder:
        file = Path(folder) / f"{MODULE}.py"
        problems: list[str] = []
        notes: list[str] = []
        compared = 0
        if target.framework != "latex":
            file.write_text(source, encoding="utf-8")
            missing = find_spec(target.framework) is None
            if missing:
                problems.append(f"not run: {target.framework} is not installed")
            else:
                compared, problems = compare(file, plan, target)
        report = None
        if find_spec("torch") is None:
            notes.append("not checked: the checker needs torch")
        else:
            called = target.called(plan)
            if not target.checked:
                twin = TARGETS["torch-function"]
                file.write_text(twin.write(plan), encoding="utf-8")
                called = twin.called(plan)
                notes.append("checked as its torch function: the checker reads torch, keras and jax")
            report = checked(file, called, plan)
    return Verdict(compared, report, tuple(problems), tuple(notes))


def checked(file: Path, name: str, plan: Plan) -> Report:
    """The checker's report on one loss of a file, with its contract said."""
    flags = {"pred": f"{plan.kinds[0]}[N,C]", "target": f"{plan.kinds[1]}{'[N]' if plan.by_label else '[N,C]'}"}
    return Report(tuple(check_target(f"{file}:{name}", Options(flags=flags))))


def compare(file: Path, plan: Plan, target: Target) -> tuple[int, list[str]]:
    """How many numbers of one file were compared, and which were wrong."""
    return compare_all([(file, plan, target)])[0]


def compare_all(files: Sequence[tuple[Path, Plan, Target]]) -> list[tuple[int, list[str]]]:
    """The same for several files, in one child."""
    jobs = [
        {
            "file": str(file),
            "name": target.called(plan),
            "framework": target.framework,
            "is_class": target.is_class,
            "by_label": plan.by_label,
            **{name: array.tolist() for name, array in points_of(plan).items()},
        }
        for file, plan, target in files
    ]
    child = subprocess.run(
        [sys.executable, "-m", "lossmith.forging.probe"],
        input=json.dumps(jobs),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        env={**os.environ, "KERAS_BACKEND": "torch", "JAX_PLATFORMS": "cpu"},
        check=False,
    )
    if child.returncode:
        last = (child.stderr.strip().splitlines() or ["no word"])[-1]
        return [(0, [f"it does not run: {last}"]) for _ in files]
    answers = json.loads(child.stdout.splitlines()[-1])
    return [_judged(answer, plan, target) for answer, (_, plan, target) in zip(answers, files, strict=True)]


def _judged(answer: dict[str, Any], plan: Plan, target: Target) -> tuple[int, list[str]]:
    """One answer against fifty digits."""
    if "error" in answer:
        return 0, [f"it does not run: {answer['error']}"]
    points = points_of(plan)
    exact = {name: exactly(array) for name, array in points.items()}
    wanted = {"values": plan.value, "pred": plan.slopes["pred"]}
    if plan.facts.shape in ("curved", "convex") and plan.curvature != ZERO:
        wanted["hessian"] = plan.curvature
    rtol, atol = (ROUGH, ROUGH) if target.framework in ROUGH_IN else (RTOL, ATOL)
    wrong: list[str] = []
    count = 0
    for kind, root in wanted.items():
        if kind in answer:
            truth, got = in_digits(root, exact, plan.params), np.array(answer[kind])
            if kind == "hessian" and plan.of_rows:  # where a float holds 0, 1 takes its place
                truth = np.where(truth > 1e-12, truth, context.nan)
            found = mismatches(got, truth, points, rtol, atol)
            wrong += [f"{kind.replace('pred', 'gradient')} {text}" for text in found[:3]]
            count += got.size
    return count, wrong


def points_of(plan: Plan) -> dict[str, np.ndarray]:
    """The points where an emitted file is tried: the grid inside its pieces, and far ones."""
    inside = smooth_points(plan.given, plan.kinds, dict(plan.params))
    near, every = grid_of(plan.given, plan.kinds), grid_of(plan.given, plan.kinds, far=True)
    points = {name: near[name][inside] for name in near}
    inner = set(map(str, near["pred"]))
    far = np.array([str(pred) not in inner for pred in every["pred"]])
    return {name: np.concatenate([points[name], every[name][far]]) for name in points}


def mismatches(got: np.ndarray, want: np.ndarray, points: dict[str, np.ndarray], rtol: float, atol: float) -> list[str]:
    """Where numbers differ from fifty digits; a truth beyond float64 is not asked for."""
    wrong: list[str] = []
    each = want.size // len(want)
    for index, (one, true) in enumerate(zip(np.ravel(got), np.ravel(want), strict=True)):
        if not context.isfinite(true) or abs(true) > 1e300:
            continue
        if not np.isfinite(one) or abs(context.mpf(one) - true) > rtol * abs(true) + atol:
            place = ", ".join(f"{name} = {said(array[index // each])}" for name, array in points.items())
            wrong.append(f"{one:.9g} at {place} where fifty digits give {float(true):.9g}")
    return wrong
