"""LS702 improper

What it checks
    What the loss makes a model predict for an event of probability P is P. For each of ten probabilities the prediction
    with the least expected cost is found; another one is a distorted probability, or a vote for the likelier class.

Why it matters
    Scores of such a model are no probabilities: a focal loss predicts 0.31 where the event happens 1 time in 10. A
    threshold, an expected cost or a calibration plot that takes them as probabilities is wrong. It is information:
    focal, hinge and weighted losses are made so.

Example
    return ((1 - p_t) ** 2 * -p_t.log()).mean()      # focal

Write instead
    return -p_t.log().mean()                         # or map the predictions back, as the finding shows

When to allow it
    Only the order of the predictions matters.
"""

import sys
from collections.abc import Iterator

from lossmith.checker.evidence import SkipRule, finding
from lossmith.checker.finding import Finding
from lossmith.checker.known import is_shipped
from lossmith.checker.shares import map_of
from lossmith.checker.subject import Subject

CODE, NAME, SINCE = "LS702", "improper", "0.1"


def applies(subject: Subject) -> str:
    if is_shipped(subject):
        return "a shipped loss: its documentation says what it is"
    kinds = (subject.contract.pred.kind, subject.contract.target_kind()) if subject.contract.preds else ("", "")
    fits = kinds[0] in ("logits", "prob") and kinds[1] in ("binary", "soft", "pm1")
    return "" if fits else "it predicts no probability of a label"


def check(subject: Subject) -> Iterator[Finding]:
    found = map_of(subject)
    if found is None:
        raise SkipRule("a single label has no finite cost at logits from -14 to 14, or pulls the wrong way or nowhere")
    if found.proper:
        return
    shown = {f"P = {share:g}": f"{p:.3g}" for share, p in zip(found.shares, found.predicted, strict=True)}
    if found.votes:
        said = "it predicts the likelier class, and not how likely it is"
    else:
        share, p = max(zip(found.shares, found.predicted, strict=True), key=lambda pair: abs(pair[0] - pair[1]))
        said = f"its predictions are no probabilities: {p:.3g} is predicted where the probability is {share:g}"
    yield finding(
        sys.modules[__name__],
        subject,
        severity="info",
        message=said,
        evidence=shown,
        fix="take predictions for scores, or map them back by this table",
    )
