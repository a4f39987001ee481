"""The words of an emitted file: its docstrings, wrapped, and what they say of range, kinks and convexity."""

import math
import re
import textwrap
from collections.abc import Iterator, Sequence

from lossmith.forging.plan import Plan
from lossmith.forging.spell import text_of
from lossmith.forging.statements import WIDTH
from lossmith.forging.tree import Name, Node, replace


def module_docstring(plan: Plan, what: str, renamed: dict[str, str] | None = None, slopes: bool = True) -> list[str]:
    """The formula, its slope, and what was rewritten."""
    pred = (renamed or {}).get("pred", "pred")
    lines = [f'"""{plan.name}: {what}.', ""]
    lines += _equation("loss", spoken(plan.given, renamed))
    lines += _equation(f"d/d{pred}", spoken(plan.slopes["pred"], renamed)) if slopes else []
    if plan.rewrites:
        lines += ["", "Computed in other words than it is written; the largest errors on a grid of"]
        lines += ["inputs, in units of the last place of float32, or what a guard mends:"]
        for one in plan.rewrites:
            lines += wrapped(str(one), "    ", "        ")
    lines += ["", f"Written by `lossmith forge`; compared with fifty digits at {plan.facts.points} points.", '"""', ""]
    return lines


def spoken(root: Node, renamed: dict[str, str] | None = None) -> str:
    if renamed:
        root = replace(root, {Name(old): Name(new) for old, new in renamed.items()})
    return text_of(root)


def _equation(name: str, text: str) -> list[str]:
    return wrapped(f"{name} = {text}", "    ", "        ")


def wrapped(text: str, first: str, rest: str) -> list[str]:
    return textwrap.wrap(
        text, WIDTH, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )


def notes(plan: Plan, indent: int, rows: Sequence[tuple[str, str]]) -> list[str]:
    """Rows of a docstring: a word, and what there is to say, aligned."""
    blank = " " * indent
    lines: list[str] = []
    for word, text in rows:
        lines += wrapped(text, f"{blank}{word:<10}", " " * (indent + 10))
    return lines


def facts(plan: Plan, renamed: dict[str, str] | None = None) -> Iterator[tuple[str, str]]:
    """What is known of range, kinks and convexity, as rows."""
    if plan.low > -math.inf or plan.high < math.inf:
        yield "Range", f"{_range(plan)}{' at parameters of these signs' if plan.params else ''}"
    yield from (("" if index else "Kinks", text) for index, text in enumerate(_kinks(plan, renamed)))
    at = " at these parameters" if plan.params else ""
    said = {"curved": "yes", "convex": "yes", "straight": "yes, with places of no curvature", "not convex": "no"}[
        plan.facts.shape
    ]
    yield "Convex", f"{said}{at}, measured on a grid"


def keywords(plan: Plan, *others: tuple[str, str]) -> Iterator[tuple[str, str]]:
    given = (
        [f"{', '.join(plan.params)}: {'parameters' if len(plan.params) > 1 else 'a parameter'} of the formula"]
        if plan.params
        else []
    )
    told = [*given, *(f"{name}: {text}" for name, text in others)]
    for index, text in enumerate(told):
        yield "Keywords" if index == 0 else "", text


def _range(plan: Plan) -> str:
    low, high = plan.low + 0.0, plan.high + 0.0
    left = "(-inf" if low == -math.inf else "(0" if 0 < low < 1e-300 else f"[{low:.6g}"
    return f"{left}, {'inf)' if high == math.inf else f'{high:.6g}]'}"


def _kinks(plan: Plan, renamed: dict[str, str] | None) -> Iterator[str]:
    names = {"pred": "pred", "target": "target", **(renamed or {})}
    rough = [kink for kink in plan.facts.kinks if not kink.smooth]
    if not plan.facts.kinks:
        return
    if not rough:
        where = list(dict.fromkeys(kink.where for kink in plan.facts.kinks))[-1]
        yield f"none: the gradient has no jump where {_renamed(where, names)}"
        return
    for kink in rough[:4]:
        place = f"such as {names['pred']} = {kink.pred:.4g} for {names['target']} = {kink.target:.4g}"
        what = "the loss jumps" if kink.value_jumps else f"the gradient jumps from {kink.left:.4g} to {kink.right:.4g}"
        yield f"{_renamed(kink.where, names)}: {what}, {place}"


def _renamed(text: str, names: dict[str, str]) -> str:
    return re.sub(r"\b(pred|target)\b", lambda match: names[match[0]], text)
