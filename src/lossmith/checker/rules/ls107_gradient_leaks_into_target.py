"""LS107 gradient-leaks-into-target

What it checks
    No gradient flows into an argument that is the output of a network which does not learn here: a teacher, a moving
    average, a target network, the logits that a student is to copy, the z that a predictor p is to predict, the values
    that only weigh in the loss of a policy. Targets that come from data are not checked.

Why it matters
    If the caller forgets `no_grad`, the teacher is trained to agree with the student: both can meet at an answer
    that is worth nothing, and the loss goes down while they do. The graph of the teacher is kept in memory too.

Example
    return F.mse_loss(student, teacher)

Write instead
    return F.mse_loss(student, teacher.detach())

When to allow it
    Both networks are meant to learn from this loss, or every caller is known to detach.
"""

import re
import sys
from collections.abc import Iterator

import torch
from torch import Tensor

from lossmith.checker.evidence import SkipRule, finding, reproduce, shrink
from lossmith.checker.finding import Finding
from lossmith.checker.policies import POLICY, VALUES
from lossmith.checker.subject import Subject, Trial

CODE, NAME, SINCE = "LS107", "gradient-leaks-into-target", "0.1"
DISTILS = re.compile(r"distil|teacher|student|(?:^|[ _])kd(?:[ _]|$)|target_logits|logits_t")
# Of a policy, and of a step of Q-learning: computed before, and handed in as numbers.
STORED = re.compile(
    r"(?:old|ref(?:erence)?).*(?:log_?p|chosen|rejected)"
    r"|(?:^|_)old_(?:v|values?|v_?preds?|probs?|actions?)(?:_|$)|^(?:td|q)_target|^target_(?:q|v)"
)
STOPS = {
    "torch": "{}.detach()",
    "keras": "keras.ops.stop_gradient({})",
    "tensorflow": "tf.stop_gradient({})",
    "jax": "jax.lax.stop_gradient({})",
}


def applies(subject: Subject) -> str:
    return "" if _frozen(subject) else "no argument is the output of a network that does not learn here"


def check(subject: Subject) -> Iterator[Finding]:
    ran = False
    for index in _frozen(subject):
        for seed in range(3):
            trial = subject.run(subject.draw(seed), wrt=(index,))
            ran = ran or trial.ok
            if _leaks(trial, index):
                yield _told(subject, index, trial)
                break
    if not ran:
        raise SkipRule("the loss raises when the target requires a gradient")


def _frozen(subject: Subject) -> list[int]:
    """Arguments whose name says so, and the target of a distillation: logits for logits, and called so."""
    contract, drawn = subject.contract, subject.draw(0)
    words = " ".join([subject.name, *(argument.name for argument in contract.arguments)]).lower()
    distils = contract.pred.kind == contract.target_kind() == "logits" and DISTILS.search(words)
    copied = contract.target if distils else None
    projected, coefficients = _projected(subject), _coefficients(subject)
    return [
        index
        for index, argument in enumerate(contract.arguments)
        if (argument.frozen or index == copied or index in projected or index in coefficients)
        and contract.preds != (index,)
        and isinstance(drawn[index], Tensor)
        and drawn[index].is_floating_point()
    ]


def _projected(subject: Subject) -> set[int]:
    """The z of a loss of p1, p2, z1, z2: what the predictors p are to predict, and what does not learn from it."""
    names = [argument.name.lower() for argument in subject.contract.arguments]
    if len(names) not in (2, 4) or {name[0] for name in names} != {"p", "z"}:
        return set()
    return {i for i, name in enumerate(names) if re.fullmatch(r"z_?[12ab]?", name)}


def _coefficients(subject: Subject) -> set[int]:
    """Values of states in the loss of a policy, which is a straight line in them: they weigh, and learn elsewhere."""
    found: set[int] = set()
    for index, argument in enumerate(subject.contract.arguments):
        if VALUES.search(argument.name.lower()) and _moved_by_likelihood(subject, index):
            found.add(index)
        if VALUES.search(argument.name.lower()) and POLICY.search(subject.name):
            inputs = [list(subject.draw(1)) for _ in range(3)]
            for step, row in enumerate(inputs):
                row[index] = row[index].double() + step
            low, middle, high = (subject.values(row, dtype=torch.float64) for row in inputs)
            if abs(low + high - 2 * middle) < 1e-9 * (1 + abs(middle)) and abs(high - low) > 1e-9:
                found.add(index)
    return found


def _moved_by_likelihood(subject: Subject, index: int) -> bool:
    """True if the gradient of values depends on log-probabilities: the term that trains values holds none of those."""
    likely = [
        i for i, a in enumerate(subject.contract.arguments) if re.search(r"log_?p", a.name.lower()) and i != index
    ]
    inputs, others = list(subject.draw(1)), subject.draw(2)
    if not likely or not isinstance(inputs[index], Tensor) or not inputs[index].is_floating_point():
        return False
    before = subject.run(inputs, wrt=(index,))
    for i in likely:
        inputs[i] = others[i]
    after = subject.run(inputs, wrt=(index,))
    one, other = before.grads[index] if before.ok else None, after.grads[index] if after.ok else None
    return one is not None and other is not None and not torch.allclose(one, other)


def _leaks(trial: Trial, index: int) -> bool:
    grad = trial.grads[index] if trial.ok and trial.grads else None
    return grad is not None and bool(grad.isfinite().all()) and bool(grad.any())


def _told(subject: Subject, index: int, trial: Trial) -> Finding:
    inputs = shrink(subject, trial.inputs, lambda part: _leaks(subject.run(part, wrt=(index,)), index))
    names = [argument.name for argument in subject.contract.arguments]
    name, stopped = names[index], STOPS[subject.framework].format(names[index])
    ending = [f"{name}.requires_grad_()", f"loss_fn({', '.join(names)}).sum().backward()", f"print({name}.grad)"]
    return finding(
        sys.modules[__name__],
        subject,
        severity="info" if STORED.search(name.lower()) else "warning",
        message=f"the loss sends a gradient into {name}, which is another network's output",
        trial=subject.run(inputs, wrt=(index,)),
        fix=f"use {stopped} in the loss",
        reproducer=reproduce(subject, inputs, ending),
    )
