"""LS209 hyperparameter-cliff

What it checks
    A loss that is finite with its defaults is finite with other usual settings: gamma 0, 1, 3 and 5, a smoothing of 0
    and 0.2, half and twice of what else is a number. What only breaks at a setting that few use (gamma 0.5, a
    temperature of 0.01) is information, unless the loss itself says that it takes it. Guards (eps) are left alone.

Why it matters
    A sweep over gamma ends in NaN for one value of the grid, and the run that died is read as a bad setting. The
    derivative of (1 - p) ** gamma is infinite at p = 1 for gamma below 1; gamma * log(1 - p) is 0 * inf for gamma 0.

Example
    weight = torch.exp(gamma * torch.log(1 - p))

Write instead
    weight = torch.exp(gamma * F.logsigmoid(-logits))

When to allow it
    The setting is fixed in this project. Refusing the value (`if gamma < 1: raise ValueError`) is understood, too.
"""

import functools
import inspect
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from lossmith.checker.build import built
from lossmith.checker.evidence import SkipRule, evidence_of, finding
from lossmith.checker.faults import faults
from lossmith.checker.finding import Finding, Severity
from lossmith.checker.signature import source_of
from lossmith.checker.subject import Subject, Trial

CODE, NAME, SINCE = "LS209", "hyperparameter-cliff", "0.1"
GUARDS = re.compile(
    r"eps|tiny|^smooth$|smooth_(?:nr|dr)|^(?:label_)?ignore|index|dim|axis|num_|n_|_size|seed|reduction|pad", re.I
)
# For a setting of this name: values that are usual, and values that few use.
USUAL: tuple[tuple[str, Sequence[float], Sequence[float]], ...] = (
    (r"gamma|^focus", (0.0, 1.0, 3.0, 5.0), (0.5,)),
    (r"smoothing", (0.0, 0.2), ()),
    (r"temperature|^tau$|^temp$|^t$", (0.07, 0.5, 2.0), (0.01,)),
    (r"^p$|^q$|power|exponent|^order$|norm", (1.0, 2.0), (0.5,)),
)
MOST = 10
LARGE = 2000


@dataclass(frozen=True)
class Trying:
    name: str
    default: float
    value: float
    severity: Severity


def applies(subject: Subject) -> str:
    if not _tried(subject):
        return "it has no numeric setting that could be varied"
    entries = subject.draw(0)[subject.contract.preds[0]].numel()
    return "" if entries <= LARGE else f"{entries} entries: every condition at every setting would take minutes"


def check(subject: Subject) -> Iterator[Finding]:
    if faults(subject, "float32"):
        raise SkipRule("it is not finite everywhere with its own settings")
    for trying in _tried(subject):
        other = _with(subject, trying)
        usual = other.run(other.draw(1)) if other is not None else None
        if other is None or usual is None or not usual.ok:
            continue  # it refuses this value
        if not (usual.finite_value and usual.finite_grad):
            what = "gradient" if usual.finite_value else "value"
            yield _told(other, trying, usual, f"the {what} is not finite on ordinary inputs")
            return
        for fault in faults(other, "float32"):
            if fault.condition.finite and not fault.condition.beside:  # no corner of a setting and an argument
                said = f"the {fault.what} is not finite {fault.condition.name}"
                yield _told(other, trying, fault.trial, said, fault.explanation, fault.line)
                return


def _function(subject: Subject) -> object:
    return subject.loss if inspect.isroutine(subject.loss) else subject.build or type(subject.loss)


def _tried(subject: Subject) -> list[Trying]:
    """The usual values of every numeric setting before the unusual ones, the defaults left out."""
    try:
        parameters = inspect.signature(_function(subject)).parameters.values()  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return []
    found: list[Trying] = []
    for parameter in parameters:
        default = subject.settings.get(parameter.name, parameter.default)
        if isinstance(default, bool) or not isinstance(default, (int, float)) or GUARDS.search(parameter.name):
            continue
        usual, few = _values(parameter.name, default)
        claimed = _claims(subject, parameter.name)
        found += [Trying(parameter.name, default, value, "warning") for value in usual]
        found += [Trying(parameter.name, default, value, "warning" if claimed else "info") for value in few]
    source = source_of(_function(subject))
    found = [trying for trying in found if trying.value != trying.default and not _divides(source, trying)]
    return sorted(found, key=lambda trying: trying.severity == "info")[:MOST]


def _values(name: str, default: float) -> tuple[Sequence[float], Sequence[float]]:
    share = len(name) == 1 and 0 < default < 0.5  # a probability, and no power
    for pattern, usual, few in USUAL:
        if re.search(pattern, name.lower()) and not share:
            return usual, few
    if not isinstance(default, float) or not default:
        return (), ()
    return (0.5 * default, 2.0 * default if default >= 1 else min(2.0 * default, 0.5 * (1 + default))), ()  # a share


def _claims(subject: Subject, name: str) -> bool:
    """True if its text admits every number from 0 on: `gamma >= 0`, or a check that refuses only what is below 0."""
    word = re.escape(name)
    admits = rf"{word}\b[^\n]{{0,40}}(?:>=\s*0\b|non-?negative)|if\s+{word}\s*<=?\s*0\b"
    return re.search(admits, source_of(_function(subject))) is not None


def _divides(source: str, trying: Trying) -> bool:
    """True if the code divides by this setting, or by its difference from this value: it is no value of it."""
    word, value = rf"(?:self\.)?{re.escape(trying.name)}\b", rf"{trying.value:g}(?:\.0*)?"
    quotient = rf"(?<!/)/\s*{word}(?!\s*\*\*)" if trying.value == 0 else r"(?!)"
    differs = rf"(?<!/)/[^\n]*\(\s*(?:{value}\s*-\s*{word}|{word}\s*-\s*{value})\s*\)"
    return re.search(f"{quotient}|{differs}", source) is not None


def _with(subject: Subject, trying: Trying) -> Subject | None:
    if subject.build is None and inspect.isroutine(subject.loss):
        subject = replace(subject, build=functools.partial(functools.partial, subject.loss))
    return subject.with_settings(**{trying.name: trying.value})


def _told(subject: Subject, trying: Trying, trial: Trial, said: str, why: str = "", line: str = "") -> Finding:
    """`subject` is the loss with the other setting."""
    if subject.recipe:
        of = subject.build.args[0] if isinstance(subject.build, functools.partial) else subject.build
        made = f"loss_fn = {built(of, subject.name, subject.settings)}"
        subject = replace(subject, recipe=(*subject.recipe[:-1], made))
    name = trying.name
    return finding(
        sys.modules[__name__],
        subject,
        severity=trying.severity,
        message=f"with {name}={trying.value:g} {said}; with {name}={trying.default:g} it is",
        trial=trial,
        evidence={name: f"{trying.value:g}"} | evidence_of(subject, trial),
        why=why,
        fix=f"refuse it ({name} out of range: raise ValueError), or compute that power in log space",
        line=line,
    )
