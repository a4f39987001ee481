"""Formula and derivatives of a loss, as plain text for a page."""

from typing import Any

from lossmith.checker.picture import Line, Mathematics
from lossmith.checker.subject import Subject
from lossmith.checker.traced import traced
from lossmith.errors import missing_extra


def mathematics_of(subject: Subject) -> Mathematics:
    """What is derived of the formula of a loss at its settings.

    Errors    LossmithError for a loss that cannot be traced, and for one of images or of a whole batch
    """
    found = traced(subject)
    try:
        from lossmith.prove.derive import derive
    except ModuleNotFoundError as error:
        raise missing_extra("a derivation", str(error.name), "prove") from None
    return as_text(derive(found.formula, **found.settings))


def as_text(derivation: Any) -> Mathematics:
    """A derivation as lines of text, LaTeX and MathML: what a page can show without sympy."""
    from sympy import latex
    from sympy.printing.mathml import mathml

    from lossmith.prove.derivation import in_decimals

    lines: list[Line] = []
    for case in derivation.cases:
        for region in case.regions:
            where = " or ".join(_bounds(bounds) for bounds in region.where)
            several = len(region.gradient) > 1
            rows = [("loss", region.value)]
            for x, gradient in region.gradient.items():
                of = f" in {x}" if several else ""
                rows += [(f"gradient{of}", gradient), (f"curvature{of}", region.curvature[x])]
            for what, exact in rows:
                expr = in_decimals(exact)
                lines.append(
                    Line(case.given, where, what, str(expr), latex(expr), mathml(expr, printer="presentation"))
                )
    note = f"compared with fifty digits at {derivation.checked} points"
    return Mathematics(dict(derivation.letters), lines, note)


def _bounds(bounds: Any) -> str:
    low = "" if bounds.low is None else f"{bounds.low} < "
    high = "" if bounds.high is None else f" < {bounds.high}"
    return f"{low}{bounds.x}{high}"
