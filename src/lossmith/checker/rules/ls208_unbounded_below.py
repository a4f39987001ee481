"""LS208 unbounded-below

What it checks
    The loss has a lower bound: on straight lines through the valid predictions it neither falls for ever nor meets a
    pole where it is -inf.

Why it matters
    An optimizer finds the way down. A Dice quotient of logits has a pole where its denominator is 0; a divergence of
    unnormalised numbers, a triplet loss without its hinge, a likelihood with the wrong sign fall without end. The
    curve of the training loss looks better every epoch, until it says -1e13.

Example
    return 1 - 2 * (logits * target).sum() / (logits.sum() + target.sum())

Write instead
    p = logits.sigmoid()
    return 1 - 2 * (p * target).sum() / (p.sum() + target.sum())

When to allow it
    Something else keeps the predictions in bounds: a clipped critic, a last layer with a sigmoid (declare `prob`).
    Losses that are linear in the prediction (critics, utilities, policy gradients) and losses without a target are not
    reported; nor are densities that fall without end only where prediction and target are equal. What is called a
    log-variance is asked for both of its ends.
"""

import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from lossmith.checker.contract import TARGET_NAMES
from lossmith.checker.descents import Descent, descent
from lossmith.checker.evidence import SkipRule, finding, literal, reproduce, show
from lossmith.checker.finding import Finding
from lossmith.checker.mirrors import AGAINST
from lossmith.checker.sample import head, perfect
from lossmith.checker.subject import Subject
from lossmith.domains import Domain

CODE, NAME, SINCE = "LS208", "unbounded-below", "0.1"
LOG_VARIANCE = re.compile(
    r"log_?(?:var|sigma|std|scale|beta|kappa|tau|nu$|sd|width|disp|prec|b$)|(?:sigma|std|var)_?log"
)
CLASSES = ("index", "onehot", "dist")
PAIRS = {
    "real": ("real", "count"),
    "positive": ("positive", "count", "real"),
    "logits": (*CLASSES, "binary", "soft", "pm1"),
    "prob": ("binary", "soft"),
    "simplex": CLASSES,
    "logprob": CLASSES,
}


def applies(subject: Subject) -> str:
    contract = subject.contract
    if [contract.arguments[i].kind for i in contract.preds] == ["embedding"] * 3:
        return ""
    if _log_variance(subject) is not None:
        return ""
    kind = contract.pred.kind
    if len(contract.preds) != 1 or contract.target is None or contract.target_kind() not in PAIRS.get(kind, ()):
        return "no lower bound is known for such arguments"
    inputs = subject.draw(1)
    paired = inputs[contract.preds[0]].shape == inputs[contract.target].shape
    if kind in ("real", "positive") and not paired:
        return "the prediction holds more than one number for a target, perhaps a variance"
    return ""


def check(subject: Subject) -> Iterator[Finding]:
    if AGAINST.search(f"{subject.name} {' '.join(subject.parameters)}"):
        raise SkipRule("its name says that it works against something")
    inputs = _few(subject)
    trial = subject.run(inputs, dtype=torch.float64)
    if not trial.ok or not trial.finite_value:
        raise SkipRule("the loss is not finite on ordinary inputs in float64")
    if not _domain_is_known(subject):
        raise SkipRule("the domain of the prediction was guessed, and the bound depends on it")
    linear = _log_variance(subject) is None and _linear(subject, inputs)
    if linear and not _linear_is_wrong(subject, inputs):
        return
    found = descent(subject, inputs)
    if found is not None:
        yield _told(subject, inputs, found, linear)
    elif (below := _taken_for_positive(subject)) is not None and (found := descent(below, below.draw(1))) is not None:
        yield replace(_told(below, below.draw(1), found, False), severity="warning")


def _taken_for_positive(subject: Subject) -> Subject | None:
    """The loss of any real prediction, where only a guess says that it is positive: nothing breaks below 0."""
    contract = subject.contract
    if contract.origin != "inferred" or contract.kinds() != ("positive", "positive") or contract.target is None:
        return None
    pred = replace(contract.pred, domain=Domain.parse(str(contract.pred.domain).replace("positive", "real")))
    where = contract.preds[0]
    arguments = tuple(pred if i == where else one for i, one in enumerate(contract.arguments))
    other = subject.with_contract(replace(contract, arguments=arguments))
    return other if other.run(other.draw(1)).finite_value else None


def _log_variance(subject: Subject) -> int | None:
    """A prediction that is called a log-variance, beside others of its shape: its far ends are bounded too."""
    contract = subject.contract
    found = [i for i in contract.preds if LOG_VARIANCE.search(contract.arguments[i].name.lower())]
    shapes = {value.shape for value in subject.draw(1) if isinstance(value, Tensor)}
    real = {argument.kind for argument in contract.arguments} == {"real"}
    return found[0] if found and len(contract.arguments) in (2, 3, 4) and real and len(shapes) == 1 else None


def _few(subject: Subject) -> tuple[Any, ...]:
    inputs = subject.draw(1)
    few = head(subject.contract, inputs, 2)
    return few if subject.run(few, grad=False).finite_value else inputs


def _domain_is_known(subject: Subject) -> bool:
    """A guess holds if its perfect prediction was seen to be best, or if the parameter is called what it holds."""
    contract = subject.contract
    if contract.origin != "inferred":
        return True
    named = contract.pred.kind == "logits" and "logit" in contract.pred.name.lower()
    return contract.confidence in ("sure", "likely") or named or _residuals(subject)


def _residuals(subject: Subject) -> bool:
    contract = subject.contract
    if contract.target is None or (contract.pred.kind, contract.target_kind()) != ("real", "real"):
        return False
    return contract.arguments[contract.target].name.lower() in TARGET_NAMES


def _linear(subject: Subject, inputs: tuple[Any, ...]) -> bool:
    """True if the gradient is the same at other predictions."""
    where, *others = subject.contract.preds
    if others:
        return False
    grads = [_grad(subject, inputs, where, subject.draw(seed)[where]) for seed in (1, 61, 62, 63)]
    return all(_equal(grad, grads[0]) for grad in grads)


def _linear_is_wrong(subject: Subject, inputs: tuple[Any, ...]) -> bool:
    """Classes need a normaliser; residuals that cancel do not measure an error. Any other linear loss may be meant."""
    contract = subject.contract
    if contract.target_kind() in CLASSES:
        return contract.pred.kind == "logits"
    if contract.target is None or not _residuals(subject):
        return False
    where, goal = contract.preds[0], contract.target
    grads = [_grad(subject, inputs, where, inputs[where], (goal, subject.draw(seed)[goal])) for seed in (1, 61, 62)]
    return all(_equal(grad, grads[0]) for grad in grads)


def _grad(
    subject: Subject, inputs: tuple[Any, ...], where: int, pred: Tensor, also: tuple[int, Any] | None = None
) -> Tensor | None:
    changed = list(inputs)
    changed[where] = pred[: len(inputs[where])]
    if also is not None:
        changed[also[0]] = also[1][: len(inputs[also[0]])]
    return subject.run(changed, dtype=torch.float64).grad


def _equal(a: Tensor | None, b: Tensor | None) -> bool:
    return a is not None and b is not None and a.shape == b.shape and torch.allclose(a, b, rtol=1e-9, atol=1e-12)


def _told(subject: Subject, inputs: tuple[Any, ...], found: Descent, linear: bool) -> Finding:
    names = [argument.name for argument in subject.contract.arguments]
    line = found.line
    name = names[line.index]
    rows = {each: show(value) for each, value in zip(names, inputs, strict=True)}
    rows["value"] = show(subject.values(inputs))
    best = perfect(subject.contract, inputs)
    if best is not None:
        rows["value of the best"] = show(subject.values(best))
    rows["away"] = show(line.away)
    straight = subject.contract.pred.kind in ("real", "logits", "positive", "embedding")
    way = f"{name} + t * away" if straight else f"{name} with logits t * away"
    for t, value in zip(found.distances, found.values, strict=True):
        rows[f"t = {t:.9g}"] = show(value)
    if found.pole:
        said = f"a quotient has a pole at valid predictions: the loss is {show(found.values[-1])} at {way}, "
        said += f"t = {found.distances[-1]:.6g}"
    else:
        said = f"the loss falls without end along {way}: " + ", ".join(show(value) for value in found.values)
    moved = [way if each == name else each for each in names]
    times = ", ".join(repr(t) for t in found.distances)
    ending = [
        f"away = {literal(line.away)}",
        f"for t in ({times}):",
        f"    print(t, loss_fn({', '.join(moved)}).sum())",
    ]
    if found.pole:
        doubled = [f"{each} = {each}.double()" for each, v in zip(names, inputs, strict=True) if v.is_floating_point()]
        ending = [*doubled, "away = " + literal(line.away) + ".double()", *ending[1:]]
    return finding(
        sys.modules[__name__],
        subject,
        message=said,
        evidence=rows,
        fix=_fix(subject, linear),
        reproducer=reproduce(subject, inputs, ending) if straight else "",
    )


def _fix(subject: Subject, linear: bool) -> str:
    kind, name = subject.contract.pred.kind, subject.contract.pred.name
    if kind == "embedding":
        return "bound what pushes apart: relu(near - far + margin), or softplus(near - far)"
    if kind == "logits":
        link = "softmax or log_softmax" if subject.contract.target_kind() in CLASSES else "sigmoid or logsigmoid"
        return f"apply {link} to {name} first: it holds logits"
    if linear and kind == "real":
        return "take the square or the absolute value of each residual before the mean: they cancel"
    return "look for a sign, a missing normaliser, or two arguments in the other order"
