"""LS701 perfect-prediction-not-optimal

What it checks
    No prediction is cheaper than the one that is perfect for its target. A loss that is best nowhere near is held in
    a mirror: if its sign turned, its predictions turned, or its labels moved by one make it right, that is what is
    wrong; or a reshape that mixes the classes of pixels. Where names say what is to be near or high (anchor, positive,
    negative; chosen, rejected; the real and the fake of a discriminator; an advantage; a risk, its time and event; a
    query, its key and a queue; the mean and log-variance of a latent), they are believed, and so is the name of an
    overlap that ought to reach 1, of a triplet loss that ought to keep classes apart, or of a residual loss (huber,
    smooth_l1, log_cosh) that ought to cost the same on both sides of the target.
    A likelihood of pairs that was not turned, a list that is best in the opposite order, and scores that may change
    places among the classes are seen by their values alone.
    A softmax along the samples, or along pixels, compares no classes: right and wrong cost the same. Scores of the real
    and of the fake that may change places tell neither. Of a flag beside the label, one value must ask for the label.

Why it matters
    The optimizer goes where the loss is low. With the wrong sign, a score in place of 1 - score, or labels that are
    off by one, training works, the curve falls, and the model learns to be wrong.

Example
    return (2 * (p * target).sum() + 1) / (p.sum() + target.sum() + 1)      # the score
    log_p[torch.arange(n), labels - 1]                                      # the class before; of 0, the last

Write instead
    return 1 - (2 * (p * target).sum() + 1) / (p.sum() + target.sum() + 1)
    log_p[torch.arange(n), labels]

When to allow it
    What it returns is to be maximised, or another term of the training pulls the other way. A name that says so
    (score, reward, adversarial, complementary labels, unlearning) is not reported.
"""

import re
import sys
from collections.abc import Iterator

from lossmith.checker.directions import beaten, pushed_away, wrong_axis, wrong_way
from lossmith.checker.evidence import SkipRule, finding, literal, reproduce, show
from lossmith.checker.finding import Finding, Severity
from lossmith.checker.flagged import whatever_the_flag
from lossmith.checker.judge import SEEDS, shortfall
from lossmith.checker.mirrors import meant, on_a_scale
from lossmith.checker.promises import (
    below_zero,
    costs_in_spite_of_its_name,
    half_an_overlap,
    levels_turned,
    looked_up_elsewhere,
    one_point_is_best,
    one_sided,
)
from lossmith.checker.quantiles import levels_of
from lossmith.checker.sample import perfect
from lossmith.checker.several import GOOD, of_adversaries
from lossmith.checker.subject import Subject
from lossmith.checker.upside_down import upside_down
from lossmith.checker.wrong import Wrong

CODE, NAME, SINCE = "LS701", "perfect-prediction-not-optimal", "0.1"
SAID = ("command line", "decorator", "annotation", "pyproject.toml")
CLASSES = re.compile(r"label|target|class|^y")


def applies(subject: Subject) -> str:
    contract = subject.contract
    if len(contract.preds) > 1:
        return ""
    if levels_of(subject)[1] or any(GOOD.search(argument.name.lower()) for argument in contract.arguments):
        return ""
    if contract.target is None or perfect(contract, subject.draw(0)) is None:
        return "it is not known which prediction is perfect"
    return ""


def check(subject: Subject) -> Iterator[Finding]:
    if (found := of_adversaries(subject)) is not None:
        yield _told(subject, found)
        return
    if meant(subject) and not costs_in_spite_of_its_name(subject):
        raise SkipRule("its name says that it is to be large, or that it works against something")
    if not subject.run(subject.draw(0), grad=False).finite_value:
        raise SkipRule("the loss is not finite on ordinary inputs")
    if subject.contract.kinds().count("index") > 1:
        raise SkipRule("a sample has more than one label")
    if on_a_scale(subject):
        raise SkipRule("its labels are steps of a scale: a high logit says that the label is beyond it")
    if (found := levels_turned(subject)) is not None:
        yield _told(subject, found)
        return
    known = perfect(subject.contract, subject.draw(0)) is not None
    reason = shortfall(subject, SEEDS[:1]) if known else ""
    found = looked_up_elsewhere(subject) or one_point_is_best(subject)
    if found is None:
        found = below_zero(subject) or upside_down(subject)
    if found is None and len(subject.contract.preds) == 1 and known and not reason:
        found = wrong_axis(subject) or pushed_away(subject) or half_an_overlap(subject)
    elif found is None:
        found = (
            wrong_way(subject)
            or whatever_the_flag(subject)
            or (wrong_axis(subject) if len(subject.contract.preds) == 1 else None)
        )
        if found is None and _is_said(subject, reason):
            found = beaten(subject, everywhere=subject.contract.origin in SAID or _of_boxes(subject))
    if found is not None:
        yield _told(subject, found)
    elif (found := one_sided(subject)) is not None:
        yield _told(subject, found, "warning")
    elif reason:
        raise SkipRule(f"it is not known what is best for it: {reason}")


def _of_boxes(subject: Subject) -> bool:
    return subject.contract.kinds() == ("boxes", "boxes")


def _is_said(subject: Subject, reason: str) -> bool:
    """The contract is the user's own, or the arguments are called logits and labels."""
    contract = subject.contract
    if len(contract.preds) > 1 or "better than" not in reason:
        return False
    if contract.origin in SAID:
        return True
    if _of_boxes(subject):
        return any("box" in argument.name.lower() for argument in contract.arguments)
    named = "logit" in contract.pred.name.lower() and contract.target is not None
    labels = named and CLASSES.search(contract.arguments[contract.target or 0].name.lower()) is not None
    return labels and contract.kinds() in (("logits", "index"), ("logits", "binary"))


def _told(subject: Subject, wrong: Wrong, severity: Severity = "error") -> Finding:
    names = [argument.name for argument in subject.contract.arguments]
    changed = [i for i, (a, b) in enumerate(zip(wrong.good, wrong.better, strict=True)) if a is not b]
    rows = {name: show(value) for name, value in zip(names, wrong.good, strict=True)}
    rows["value"] = show(subject.values(wrong.good))
    ending = [f"print(loss_fn({', '.join(names)}))"]
    if changed:
        rows |= {f"another {names[i]}": show(wrong.better[i]) for i in changed}
        rows["its value"] = show(subject.values(wrong.better))
        other = [f"other_{name}" if i in changed else name for i, name in enumerate(names)]
        ending = [f"other_{names[i]} = {literal(wrong.better[i])}" for i in changed] + ending
        ending.append(f"print(loss_fn({', '.join(other)}))")
    return finding(
        sys.modules[__name__],
        subject,
        severity=severity,
        message=wrong.said,
        evidence=rows,
        fix=wrong.fix,
        reproducer=reproduce(subject, wrong.good, ending),
    )
