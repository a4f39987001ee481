"""LS803 accepts-logits-and-probs

What it checks
    Logits, probabilities and log-probabilities are not taken for each other. nll_loss and kl_div are handed
    log-probabilities, and kl_div a target of the form that `log_target` says; an argument that is called logits is not
    read as a probability, by a logarithm that is NaN below 0 or a clamp to [0, 1].

Why it matters
    All three are tensors of the same shape, and nothing checks them. nll_loss of a softmax is -p and has almost no
    gradient where the model is wrong; kl_div of probabilities is no divergence, and is least at something else than the
    target; the logarithm of a logit is NaN for half of them.

Example
    return F.nll_loss(F.softmax(logits, dim=1), target)
    return F.kl_div(student.softmax(1), teacher.softmax(1), reduction="batchmean")

Write instead
    return F.nll_loss(F.log_softmax(logits, dim=1), target)
    return F.kl_div(student.log_softmax(1), teacher.softmax(1), reduction="batchmean")

When to allow it
    The argument is called logits and always holds probabilities. Another name is the better remedy.
"""

import sys
from collections.abc import Iterator, Sequence
from typing import Any

import torch

from lossmith.checker.activations import Mistaken, mistakes
from lossmith.checker.evidence import finding
from lossmith.checker.finding import Finding
from lossmith.checker.sample import generator, sample, sizes_for
from lossmith.checker.subject import Subject
from lossmith.domains import Domain

CODE, NAME, SINCE = "LS803", "accepts-logits-and-probs", "0.1"


def applies(subject: Subject) -> str:
    return "" if subject.contract.preds else "the contract names no prediction"


def check(subject: Subject) -> Iterator[Finding]:
    found = next((each for each in mistakes(subject) if not each.twice), None)
    if found is not None:
        yield _handed(subject, found)
    elif "logit" in subject.contract.pred.name.lower():
        yield from _read_as_probability(subject)


def _handed(subject: Subject, found: Mistaken) -> Finding:
    takes = "log-probabilities" if found.given.holds == "a probability" else "probabilities"
    given = "probabilities" if found.given.holds == "a probability" else "log-probabilities"
    name = subject.contract.pred.name
    inner = f"the output of {found.given.made_by}" if found.given.made_by else name
    fix = {
        ("softmax", "input"): "use log_softmax in place of softmax",
        ("sigmoid", "input"): "use logsigmoid in place of sigmoid",
        ("log_softmax", "target"): "pass log_target=True, or softmax of the target",
        ("softmax", "target"): "leave log_target=True out, or take log_softmax of the target",
    }
    return finding(
        sys.modules[__name__],
        subject,
        message=f"{found.function} takes {takes} as its {found.argument} and is given {given}: {inner}",
        trial=subject.run(subject.draw(1, None if subject.contract.draw else 2)),
        fix=fix.get((found.given.made_by, found.argument), "take the logarithm first, or off"),
        line=found.line,
    )


def _read_as_probability(subject: Subject) -> Iterator[Finding]:
    """An argument called logits that only works as a probability."""
    contract = subject.contract
    where, name = contract.preds[0], contract.pred.name
    if contract.draw is not None:
        return
    inputs = list(subject.draw(1, 2))
    axes = contract.pred.domain.axes
    inputs[where] = sample(Domain.parse(f"logits[{','.join(axes)}]"), generator(1), sizes_for(contract, 2))
    inputs[where] = torch.where(inputs[where] > 0.5, inputs[where] + 1, inputs[where] - 0.3)  # some are beyond 0 and 1
    if contract.pred.kind in ("prob", "simplex"):
        trial = subject.run(inputs)
        if trial.finite_value and trial.finite_grad:
            return
        said = f"raises {type(trial.error).__name__}" if trial.error else "is not finite"
        said = f"{name} is read as a probability: for logits below 0 and above 1 the loss {said}"
        yield _called(subject, trial, said)
    elif contract.pred.kind == "logits" and contract.target_kind() in ("binary", "soft", "index", "onehot", "dist"):
        clamped = (*inputs[:where], inputs[where].clamp(0, 1), *inputs[where + 1 :])
        if _matters_inside(subject, clamped, where) and subject.values(inputs) == subject.values(clamped):
            said = f"{name} is clamped to [0, 1], as a probability is: what is below 0 or above 1 is lost"
            yield _called(subject, subject.run(inputs), said)


def _matters_inside(subject: Subject, clamped: Sequence[Any], where: int) -> bool:
    """True if what lies between 0 and 1 counts: a loss that only asks on which side of a threshold it is does not."""
    pred = clamped[where]
    moved = torch.where((pred > 0) & (pred < 1), 0.98 * pred, pred)
    return subject.values(clamped) != subject.values((*clamped[:where], moved, *clamped[where + 1 :]))


def _called(subject: Subject, trial: Any, said: str) -> Finding:
    name = subject.contract.pred.name
    return finding(
        sys.modules[__name__],
        subject,
        message=said,
        trial=trial,
        fix=f"apply sigmoid or softmax to {name} first (better: a function with_logits), or call it a probability",
    )
