"""A derivation as text for a terminal and as LaTeX. The mathematics is sympy's to lay out."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lossmith.prove.derivation import Bounds, Case, Derivation, Join, Region

WIDE = 96  # columns, beyond which an expression is written on one line instead of drawn


def in_text(derivation: "Derivation", *, steps: bool = False) -> str:
    """Every case and region: loss, gradient, curvature; with `steps`, the rules that lead to the gradient."""
    return "\n".join(_text(derivation, steps)).rstrip()


def _text(derivation: "Derivation", steps: bool) -> Iterator[str]:
    meanings = [f"{_flat(letter)} = {meaning}" for letter, meaning in derivation.letters.items()]
    yield ", ".join([*meanings, *(["σ(x) = 1 / (1 + e^(-x))"] if derivation.has_sigmoid else [])])
    for case in derivation.cases:
        if case.given:
            yield f"\n{case.given}"
        for region in case.regions:
            yield ""
            if region.where:
                yield f"  {' or '.join(_bounds(bounds) for bounds in region.where)}"
            yield from _drawn("loss", region.value)
            for x, gradient in region.gradient.items():
                of = f" {_flat(x)}" if len(region.gradient) > 1 else ""
                yield from _drawn(f"gradient{of}", gradient)
                yield from _drawn(f"curvature{of}", region.curvature[x])
                if steps:
                    yield from _steps(derivation, region.value, x, gradient)
        if case.joins:
            yield ""
        for join in case.joins:
            yield f"  at {_flat(join.x)} = {_flat(join.at)}   {_joined(join)}"
    yield ""
    yield f"compared with fifty digits at {derivation.checked} points"


def _joined(join: "Join") -> str:
    if not join.continuous:
        return "the loss jumps"
    if join.smooth:
        return "the gradient goes on without a jump"
    left, right = (_flat(side).replace("oo", "inf") for side in (join.left, join.right))
    return f"a kink: the gradient jumps from {left} to {right}"


def _steps(derivation: "Derivation", value: Any, x: Any, gradient: Any) -> Iterator[str]:
    from lossmith.prove.steps import steps, steps_through_softmax

    families = [one for one in derivation.families if {*one.shares} & value.free_symbols and x in one.logits]
    found = steps_through_softmax(value, families[0].logits.index(x), families) if families else steps(value, x)
    if found:
        yield f"    steps, by {_flat(x)}"
    for number, step in enumerate(found, 1):
        yield f"      {number}. {step.rule}"
        yield f"         ({_flat(step.of)})' = {_flat(step.gives)}"
    if found and found[-1].gives != gradient:
        yield f"      {len(found) + 1}. written shortest"
        yield f"         {_flat(gradient)}"


def _drawn(label: str, expr: Any) -> Iterator[str]:
    """An expression as a two-dimensional picture, its label beside the line that it stands on."""
    from sympy.printing.pretty.pretty import PrettyPrinter

    from lossmith.prove.derivation import in_decimals

    form: Any = PrettyPrinter({"use_unicode": True, "wrap_line": False})._print(in_decimals(expr))
    lines = str(form).splitlines()
    if max(map(len, lines)) > WIDE:
        lines, baseline = [_flat(expr)], 0
    else:
        baseline = form.baseline
    for number, line in enumerate(lines):
        yield f"    {label if number == baseline else '':<14}{line}".rstrip()


def _flat(expr: Any) -> str:
    """One line, with the letters that a Greek name stands for."""
    from sympy import Symbol, sympify
    from sympy.printing.pretty.pretty_symbology import pretty_symbol

    from lossmith.prove.derivation import in_decimals

    if isinstance(expr, str):
        return str(pretty_symbol(expr))
    text = str(in_decimals(sympify(expr)).xreplace({one: Symbol(pretty_symbol(str(one))) for one in expr.free_symbols}))
    return text.replace("**", "^").replace("sigmoid(", "σ(")


def _bounds(bounds: "Bounds") -> str:
    low = "" if bounds.low is None else f"{_flat(bounds.low)} < "
    high = "" if bounds.high is None else f" < {_flat(bounds.high)}"
    return f"{low}{_flat(bounds.x)}{high}"


def in_latex(derivation: "Derivation") -> str:
    """An `align*` environment for each case."""
    return "\n".join(_latex(case) for case in derivation.cases)


def _latex(case: "Case") -> str:
    lines = [rf"% {case.given}"] if case.given else []
    lines.append(r"\begin{align*}")
    rows = [rf"\ell &= {_cases(case.regions, lambda region: region.value)}"]
    for x in case.regions[0].gradient:
        name = _tex(x)
        first = _cases(case.regions, lambda region, x=x: region.gradient[x])
        second = _cases(case.regions, lambda region, x=x: region.curvature[x])
        rows.append(rf"\frac{{\partial \ell}}{{\partial {name}}} &= {first}")
        rows.append(rf"\frac{{\partial^2 \ell}}{{\partial {name}^2}} &= {second}")
    return "\n".join([*lines, " \\\\\n".join(rows), r"\end{align*}"])


def _cases(regions: "tuple[Region, ...]", part: Any) -> str:
    if not regions[0].where:
        return _tex(part(regions[0]))
    rows = []
    for region in regions:
        where = r" \text{ or } ".join(_tex_bounds(bounds) for bounds in region.where)
        rows.append(rf"{_tex(part(region))} & \text{{if }} {where}")
    return r"\begin{cases} " + r" \\ ".join(rows) + r" \end{cases}"


def _tex_bounds(bounds: "Bounds") -> str:
    low = "" if bounds.low is None else f"{_tex(bounds.low)} < "
    high = "" if bounds.high is None else f" < {_tex(bounds.high)}"
    return f"{low}{_tex(bounds.x)}{high}"


def _tex(expr: Any) -> str:
    from sympy import latex

    from lossmith.prove.derivation import in_decimals

    return str(latex(in_decimals(expr)))
