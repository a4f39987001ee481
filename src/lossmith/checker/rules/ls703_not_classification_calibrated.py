"""LS703 not-classification-calibrated

What it checks
    With the threshold of 1/2, a model that minimises the loss decides for the likelier class. Ten probabilities of the
    event are tried; at each the best prediction must lie on its side of 1/2.

Why it matters
    A weight for positives, or another exponent for them, moves the threshold: with pos_weight=3 an event of
    probability 0.4 is predicted at 0.67. Accuracy at 1/2 then falls, though the model is right. It is information:
    weights are there to move it.

Example
    return F.binary_cross_entropy_with_logits(logits, target, pos_weight=torch.tensor(3.0))

Write instead
    The same, and decide at the threshold that the finding names.

When to allow it
    Mistakes of one kind cost more, and the threshold stays where it is.
"""

import sys
from collections.abc import Iterator

from lossmith.checker.evidence import SkipRule, finding
from lossmith.checker.finding import Finding
from lossmith.checker.rules.ls702_improper import applies
from lossmith.checker.shares import map_of
from lossmith.checker.subject import Subject

CODE, NAME, SINCE = "LS703", "not-classification-calibrated", "0.1"
__all__ = ["CODE", "NAME", "SINCE", "applies", "check"]


def check(subject: Subject) -> Iterator[Finding]:
    found = map_of(subject)
    if found is None:
        raise SkipRule("a single label has no finite cost at logits from -14 to 14, or pulls the wrong way or nowhere")
    wrong = found.wrong_side()
    if not wrong:
        return
    share, p = wrong[len(wrong) // 2]
    yield finding(
        sys.modules[__name__],
        subject,
        severity="info",
        message=f"an event of probability {share:g} is predicted at {p:.3g}, on the other side of 1/2",
        evidence={f"P = {share:g}": f"{p:.3g}" for share, p in zip(found.shares, found.predicted, strict=True)},
        fix=f"decide at {_threshold(found.shares, found.predicted):.3g} in place of 0.5",
    )


def _threshold(shares: tuple[float, ...], predicted: tuple[float, ...]) -> float:
    """Half way between what is predicted for 0.4 and for 0.6."""
    by_share = dict(zip(shares, predicted, strict=True))
    return (by_share[0.4] + by_share[0.6]) / 2
