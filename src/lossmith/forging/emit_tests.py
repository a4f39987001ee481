"""The tests that a file carries: values and slopes at fifty digits, differences, extremes, reductions, shapes.

They import the file and its framework, and nothing of lossmith.
"""

from collections.abc import Sequence

import numpy as np

from lossmith.forging.emit_test_bodies import BODIES
from lossmith.forging.facts import exactly, grid_of, smooth_points
from lossmith.forging.plan import Plan
from lossmith.forging.reading import in_digits
from lossmith.forging.targets import Target
from lossmith.ops.digits import context

MOST = 12  # points, which is what a person still looks at


def tests(plan: Plan, target: Target, stem: str) -> str:
    """A test file for pytest that lies beside the file `stem`.py."""
    names = [target.called(plan), *_companions(plan, target)]
    head = [
        f'"""{plan.name}: values and slopes at fifty digits, extremes and shapes."""',
        "",
        *_imports(target, stem, names),
        "",
        "# The formula and its derivative by pred, computed with fifty digits.",
        *_table(plan, target),
        "",
        "",
    ]
    body = BODIES[target.framework](plan, target)
    return "\n".join([*head, body.strip("\n")]) + "\n"


def _companions(plan: Plan, target: Target) -> list[str]:
    if target.framework == "numpy":
        return [f"{plan.function}_gradient"]
    return []


def _imports(target: Target, stem: str, names: Sequence[str]) -> list[str]:
    framework = {
        "torch": ["import torch"],
        "keras": ["import keras", "import numpy as np"],
        "jax": ["import jax", "import jax.numpy as jnp", "import numpy as np"],
        "numpy": ["import numpy as np"],
        "xgboost": ["import numpy as np", "import xgboost as xgb"],
        "lightgbm": ["import lightgbm as lgb", "import numpy as np"],
        "catboost": ["import numpy as np"],
    }[target.framework]
    needs = [] if target.framework == "catboost" else ["import pytest"]
    plain = sorted([*framework, *needs], key=lambda line: line.split()[1])
    line = f"from {stem} import {', '.join(sorted(names))}"
    # a formatter puts a module that it does not know among those of others
    return [*plain, line] if len(line) <= 88 else [*plain, f"from {stem} import (  # noqa: I001", *_listed(names), ")"]


def _listed(names: Sequence[str]) -> list[str]:
    return [f"    {name}," for name in sorted(names)]


def _table(plan: Plan, target: Target) -> list[str]:
    keep = smooth_points(plan.given, plan.kinds, dict(plan.params))
    points = {name: array[keep] for name, array in grid_of(plan.given, plan.kinds).items()}
    chosen = np.unique(np.linspace(0, len(points["pred"]) - 1, MOST).astype(int))
    points = {name: array[chosen] for name, array in points.items()}
    exact = {name: exactly(array) for name, array in points.items()}
    values = in_digits(plan.given, exact, plan.params)
    slopes = in_digits(plan.slopes["pred"], exact, plan.params)
    far = _far(plan, 1e30 if target.framework in ("jax", "keras") else 1e300)
    columns = {
        "PRED": points["pred"],
        "TARGET": points["target"],
        "VALUES": values.astype(float),
        "SLOPES": slopes.astype(float),
        "FAR_PRED": far["pred"],
        "FAR_TARGET": far["target"],
    }
    lines: list[str] = []
    for name, column in columns.items():
        if plan.by_label and name.endswith("TARGET"):
            column = column.argmax(axis=-1)
        lines += _column(name, [repr(one) for one in column.tolist()])
    return lines


def _column(name: str, numbers: list[str]) -> list[str]:
    short = f"{name} = [{', '.join(numbers)}]"
    return [short] if len(short) <= 88 else [f"{name} = [", *(f"    {number}," for number in numbers), "]"]


def _far(plan: Plan, largest: float) -> dict[str, np.ndarray]:
    """Far predictions at which value and slope are numbers that the framework holds."""
    every = grid_of(plan.given, plan.kinds, far=True)
    size = np.abs(every["pred"]).reshape(len(every["pred"]), -1).max(axis=1)
    far = size >= 20 if plan.kinds[0] in ("real", "logits") else np.ones(len(size), bool)
    both = [in_digits(root, every, plan.params) for root in (plan.given, plan.slopes["pred"])]
    pairs = zip(*(root.reshape(len(size), -1) for root in both), strict=True)
    held = np.array([all(context.isfinite(x) and abs(x) < largest for x in (*one, *two)) for one, two in pairs])
    keep = np.flatnonzero(far & held)
    keep = keep[np.unique(np.linspace(0, len(keep) - 1, MOST).astype(int))] if len(keep) else keep
    return {name: array[keep] for name, array in every.items()}
