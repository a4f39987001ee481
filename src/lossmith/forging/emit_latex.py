"""The loss and its derivatives as LaTeX, from the derivation over symbols: split by region, simplified, compared."""

from lossmith.errors import missing_extra
from lossmith.forging.plan import Plan
from lossmith.forging.reading import formula_of
from lossmith.forging.spell import text_of


def latex(plan: Plan) -> str:
    """An `align*` environment for each kind of target; needs amsmath."""
    try:
        from lossmith.prove.derive import derive
    except ModuleNotFoundError as error:
        raise missing_extra("lossmith forge --to latex", str(error.name), "prove") from None
    made = derive(formula_of(plan.function, plan.given, plan.params, plan.kinds))
    head = [
        f"% {plan.name}: {text_of(plan.given)}",
        "% written by lossmith forge; needs \\usepackage{amsmath}",
    ]
    return "\n".join([*head, made.latex().rstrip()]) + "\n"
