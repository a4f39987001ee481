"""What is true of a loss and no defect: one fact a file, documentation first.

A fact never fails a check, unless the loss declares the contrary: `@lossmith.contract(convex=True)` turns a
counterexample into an error. Each carries its certificate: proved, measured or open.
"""

from collections.abc import Iterator, Mapping
from importlib import import_module
from itertools import chain
from typing import TYPE_CHECKING, Any

from lossmith.checker.rules import known_codes
from lossmith.errors import ContractError, message

if TYPE_CHECKING:
    from lossmith.checker.finding import Fact, Finding, Status
    from lossmith.checker.learned import Learned

_FILES = (
    "f1_formula",
    "f2_convex",
    "f3_smooth",
    "f4_gradient",
    "f5_range",
    "f6_symmetry",
    "f7_predicts",
    "f8_influence",
    "f10_cost",
)
# What a contract may declare, and the fact that judges it: the words in which a formula makes its own claims.
DECLARED = {
    "convex": "F2",
    "smooth": "F3",
    "grad_bound": "F4",
    "range": "F5",
    "monotone": "F5",
    "even": "F6",
    "proper": "F7",
}


def fact_codes() -> dict[str, str]:
    """Every code with its name, without importing a framework."""
    return {file.partition("_")[0].upper(): file.partition("_")[2] for file in _FILES}


def every_code() -> dict[str, str]:
    """The codes of rules and of facts, with their names."""
    return known_codes() | fact_codes()


def fact_file(code: str) -> str:
    """The module of a fact. Raises `KeyError` for a code that does not exist."""
    return f"{__name__}.{dict(zip(fact_codes(), _FILES, strict=True))[code.upper()]}"


def split(said: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, Any]]:
    """What a contract says: the domains of arguments, and the facts it declares.

    Errors    ContractError for a fact that cannot be declared so
    """
    domains = {name: text for name, text in said.items() if isinstance(text, str)}
    claims = {name: value for name, value in said.items() if name not in domains}
    for name, value in claims.items():
        if name not in DECLARED:
            raise ContractError(message(f"{name}={value!r} declares nothing", {"may be declared": ", ".join(DECLARED)}))
        if not _fits(name, value):
            form = {"grad_bound": "grad_bound=1.0", "range": "range=(0, float('inf'))"}.get(name, f"{name}=True")
            raise ContractError(message(f"{name}={value!r} declares nothing", fix=form))
    return domains, claims


def _fits(name: str, value: Any) -> bool:
    def is_number(x: Any) -> bool:
        return isinstance(x, (int, float)) and not isinstance(x, bool) and x == x

    if name == "grad_bound":
        return is_number(value) and value > 0
    if name == "range":
        return (
            isinstance(value, (tuple, list)) and len(value) == 2 and all(map(is_number, value)) and value[0] <= value[1]
        )
    return value is True


def facts_of(learned: "Learned") -> "tuple[Fact, ...]":
    """All facts of a loss; those that are not known for one reason stand in one line."""
    from lossmith.checker.finding import Fact
    from lossmith.checker.learned import Unknown

    formula, cost = (list(import_module(fact_file(code)).found(learned)) for code in ("F1", "F10"))
    known = learned.facts
    if not isinstance(known, Unknown):
        between = (import_module(fact_file(code)).found(learned, known) for code in list(fact_codes())[1:-1])
        return tuple(chain(formula, *between, cost))
    if not isinstance(shape := learned.convexity, Unknown):
        bounds = learned.row_bounds
        between = () if isinstance(bounds, Unknown) else [import_module(fact_file(code)) for code in ("F4", "F5")]
        more = (fact for module in between for fact in module.found_of_rows(bounds))
        return (*formula, import_module(fact_file("F2")).found_of_several(shape), *more, *cost)
    if formula[0].grade == "open" and formula[0].detail == known.why:
        return (Fact("F1-F8", "mathematics", "not known", "open", known.why), *cost)
    return (*formula, Fact("F2-F8", "certificates", "not known", "open", known.why), *cost)


def judged(learned: "Learned", claims: Mapping[str, Any]) -> "Iterator[tuple[str, Status, Finding | None]]":
    """The answer to each fact that is declared; a finding where it is refuted."""
    from lossmith.checker.finding import Finding, Status
    from lossmith.checker.learned import Unknown

    subject = learned.subject
    for name, value in claims.items():
        code, known = DECLARED[name], learned.facts
        said = f"{name}={value!r}"
        if not isinstance(known, Unknown):
            answer = import_module(fact_file(code)).answer(learned, known, name, value)
        elif code == "F2" and not isinstance(shape := learned.convexity, Unknown):
            answer = import_module(fact_file(code)).answer_of_several(shape)
        elif code in ("F4", "F5") and not isinstance(bounds := learned.row_bounds, Unknown):
            answer = import_module(fact_file(code)).answer_of_rows(bounds, name, value)
        else:
            yield code, Status("skipped", f"{said} is declared, and not known: {known.why}"), None
            continue
        if answer.verdict == "proved":
            yield code, Status("passed"), None
        elif answer.verdict == "open":
            yield code, Status("skipped", f"{said} is declared, and open: {answer.because}"), None
        else:
            finding = Finding(
                code,
                fact_codes()[code],
                "error",
                answer.by,
                f"{said} is declared, and it is not so",
                {"because": answer.because},
                fix=f"mend the loss, or take {said} out of its contract",
                location=subject.location,
            )
            yield code, Status("failed"), finding
