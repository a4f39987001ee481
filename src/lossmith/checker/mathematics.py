"""Formula and derivatives of a loss that stands on one of lossmith's own formulas, as plain text for a page."""

from typing import Any

from lossmith.checker.picture import Line, Mathematics
from lossmith.checker.subject import Subject
from lossmith.errors import LossmithError


def mathematics_of(subject: Subject) -> Mathematics | None:
    """What `lossmith show` derives, at the settings of this loss; None for a loss without a formula."""
    loss = subject.loss
    formula = getattr(loss, "formula", None)
    if formula is None or not type(loss).__module__.startswith("lossmith."):
        return None
    try:
        from lossmith.prove.derive import derive
    except ModuleNotFoundError:  # the extra `prove` is not installed
        return None
    try:
        return as_text(derive(formula, **_numbers(loss)))
    except LossmithError:  # a loss of images, or of a whole batch, is not derived
        return None


def _numbers(loss: Any) -> dict[str, Any]:
    """The keywords that are plain numbers or words; a tensor of class weights stays a symbol."""
    keywords = loss._keywords() if hasattr(loss, "_keywords") else {}
    return {name: value for name, value in keywords.items() if isinstance(value, (bool, int, float, str))}


def as_text(derivation: Any) -> Mathematics:
    """A derivation as lines of text, LaTeX and MathML: what a page can show without sympy."""
    from sympy import latex
    from sympy.printing.mathml import mathml

    lines: list[Line] = []
    for case in derivation.cases:
        for region in case.regions:
            where = " or ".join(_bounds(bounds) for bounds in region.where)
            several = len(region.gradient) > 1
            rows = [("loss", region.value)]
            for x, gradient in region.gradient.items():
                of = f" in {x}" if several else ""
                rows += [(f"gradient{of}", gradient), (f"curvature{of}", region.curvature[x])]
            for what, expr in rows:
                lines.append(
                    Line(case.given, where, what, str(expr), latex(expr), mathml(expr, printer="presentation"))
                )
    note = f"compared with fifty digits at {derivation.checked} points"
    return Mathematics(dict(derivation.letters), lines, note)


def _bounds(bounds: Any) -> str:
    low = "" if bounds.low is None else f"{bounds.low} < "
    high = "" if bounds.high is None else f" < {bounds.high}"
    return f"{low}{bounds.x}{high}"
