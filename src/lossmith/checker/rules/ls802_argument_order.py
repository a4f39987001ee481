"""LS802 argument-order

What it checks
    Prediction and target are where the framework and the names put them. Keras calls a loss with (y_true, y_pred),
    whatever the loss calls them. A pinball loss with level q predicts the q quantile, and not the 1 - q quantile. A
    cross entropy is proper in what is called the prediction, and not in what is called the target.

Why it matters
    Both arguments are tensors of one shape, and nothing raises. A cross entropy with its arguments exchanged takes the
    logarithm of the labels: its gradient is a constant, and large. A quantile loss predicts the wrong tail.

Example
    def call(self, y_pred, y_true): ...
    e = pred - target; return torch.maximum(q * e, (q - 1) * e).mean()
    return F.binary_cross_entropy(target, prob)
    return F.kl_div(target, log_pred, reduction="batchmean")

Write instead
    def call(self, y_true, y_pred): ...
    e = target - pred; return torch.maximum(q * e, (q - 1) * e).mean()
    return F.binary_cross_entropy(prob, target)
    return F.kl_div(log_pred, target, reduction="batchmean")

When to allow it
    The loss is called by your own code alone, and always with this order.
"""

import sys
from collections.abc import Iterator

from lossmith.checker.evidence import finding
from lossmith.checker.finding import Finding
from lossmith.checker.roles import Turned, called_turned, handed_turned, keras_turned, quantile_turned, rows_turned
from lossmith.checker.subject import Subject

CODE, NAME, SINCE = "LS802", "argument-order", "0.1"


def applies(subject: Subject) -> str:
    contract = subject.contract
    if len(contract.arguments) < 2 or not contract.preds or contract.target is None:
        return "it takes no pair of prediction and target"
    return ""


def check(subject: Subject) -> Iterator[Finding]:
    for test in (keras_turned, quantile_turned, handed_turned, called_turned, rows_turned):
        if (found := test(subject)) is not None:
            yield _told(subject, found)
            return


def _told(subject: Subject, found: Turned) -> Finding:
    return finding(
        sys.modules[__name__],
        subject,
        severity="warning",
        message=found.said,
        trial=subject.run(found.inputs),
        why=found.why,
        fix=found.fix,
    )
