"""Losses of several predictions of a kind, whose names say which way each is to move.

anchor, positive, negative      which is to be nearer
chosen, rejected                which is to be higher; so with the real and the fake of a discriminator
same                            two embeddings are to be near where it is 1
advantages                      what did better than expected is to become likelier
mu, log_var                     a latent is to be near the standard normal distribution
risk, time, event               whoever has the first event has the higher risk
score_i, score_j, label_i, ...  the score of what is worth more is to be the higher one
"""

import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from lossmith.checker.judge import SEEDS
from lossmith.checker.neighbours import of_neighbours
from lossmith.checker.subject import Subject
from lossmith.checker.wrong import Wrong, named, put

UP = re.compile(r"(?:^|_)(?:chosen|winner|pos(?:itive)?s?)(?:_|$)")
DOWN = re.compile(r"(?:^|_)(?:rejected|loser|neg(?:ative)?s?)(?:_|$)")
SCORE = re.compile(r"score|logit|log_?p|reward|chosen|rejected|pred|^s_|sim(?:ilarity)?_")
REAL = re.compile(r"(?:^|_)real(?:_|$)")
FAKE = re.compile(r"(?:^|_)(?:fake|generated)(?:_|$)")
GOOD = re.compile(r"^adv(?:antages?)?$")
LIKELY = re.compile(r"log_?p(?:rob|i)?s?(?:_|$)")
LOG_VARIANCE = re.compile(r"log_?(?:var|sigma2)")
TIME = re.compile(r"^times?$|durations?|surv|(?:^|_)time(?:_|$)")
RISK = re.compile(r"risk|haz|theta|log_?h(?:z|r)?$")
COX = re.compile(r"cox|deepsurv|partial_?likelihood", re.I)
JUDGED = re.compile(r"^d(?:isc?)?_|_d$|(?:^|_)out|validity")
JUDGES = re.compile(r"discrim|critic|(?:^|_)d(?:isc?)?_loss|loss_d(?:_|$)|DLoss|(?-i:[a-z]D$)", re.I)


def of_several(subject: Subject) -> Wrong | None:
    contract = subject.contract
    names = [argument.name.lower() for argument in contract.arguments]
    kinds = {contract.arguments[index].kind for index in contract.preds}
    if len(names) == 3 and len(contract.preds) in (2, 3) and kinds == {"embedding"}:
        return of_neighbours(subject)
    if (good := named(names, GOOD)) is not None and len(contract.preds) == 1 and LIKELY.search(contract.pred.name):
        return _turned_policy(subject, good)
    if good is not None and contract.kinds().count("index") == 1 and len(contract.preds) == 1:
        return _turned_choice(subject, good, contract.kinds().index("index"))
    if len(contract.preds) == 2 == len(names) and kinds == {"real"} and (latent := _latent(names)) is not None:
        return _not_the_prior(subject, latent)
    if (risk := _of_risk(subject, names)) is not None:
        return _turned_risk(subject, *risk)
    if len(names) == 4 and len(contract.preds) == 2 and kinds == {"real"} and contract.target is None:
        return _turned_order(subject)
    up, down = named(names, UP, SCORE), named(names, DOWN, SCORE)
    if up in contract.preds and down in contract.preds and up is not None and down is not None and up != down:
        if kinds == {"logprob"}:
            return _turned_likelihood(subject, up)
        if kinds != {"real"}:
            return None
        return _turned_scores(subject, up, down) or _turned_score(subject, up, 1) or _turned_score(subject, down, -1)
    return None


def _latent(names: Sequence[str]) -> tuple[int, int] | None:
    """The mean and the log-variance of a latent that is to be near the standard normal distribution."""
    mean, spread = named(names, re.compile(r"^(?:z_)?(?:mu|mean|loc)$|_mu$|_mean$")), named(names, LOG_VARIANCE)
    return None if mean is None or spread is None else (mean, spread)


def _not_the_prior(subject: Subject, latent: tuple[int, int]) -> Wrong | None:
    """A divergence from the prior is least where mean and log-variance are 0."""
    shown: Wrong | None = None
    for seed in SEEDS:
        inputs = subject.draw(seed)
        prior = tuple(torch.zeros_like(value) if i in latent else value for i, value in enumerate(inputs))
        least, other = subject.values(prior), subject.values(inputs)
        if least <= other or other != other:
            return None
        said = "where mean and log-variance are those of the prior, 0 and 0, it costs more than elsewhere"
        fix = "0.5 * (mu**2 + exp(log_var) - log_var - 1): the variance is the exponential of its logarithm"
        shown = shown or Wrong(said, fix, prior, inputs)
    return shown


def _of_risk(subject: Subject, names: Sequence[str]) -> tuple[int, int, int] | None:
    """A risk, the time that was observed, and whether it ended in an event."""
    contract = subject.contract
    event, time = contract.target, named(names, TIME)
    hazard = RISK.search(contract.pred.name.lower()) or COX.search(subject.name)
    if len(names) != 3 or len(contract.preds) != 1 or event is None or time is None or event == time or not hazard:
        return None
    return contract.preds[0], time, event


def _turned_risk(subject: Subject, risk: int, time: int, event: int) -> Wrong | None:
    """Whoever has the first event must have the higher risk: the loss must fall as that risk rises."""
    name, shown = subject.contract.arguments[risk].name, None
    for seed in SEEDS:
        inputs = put(subject.draw(seed), event, torch.ones_like(subject.draw(seed)[event]))
        first = inputs[time] == inputs[time].min()
        if first.shape != inputs[risk].shape:
            return None
        good, bad = (put(inputs, risk, inputs[risk] + step * first) for step in (2.0, -2.0))
        if not subject.values(bad) < subject.values(inputs) < subject.values(good):
            return None
        said = f"it falls as {name} falls for the one whose event came first"
        shown = shown or Wrong(said, "turn the sign: a likelihood is to be large, its negative is the loss", good, bad)
    return shown


def _turned_order(subject: Subject) -> Wrong | None:
    """Two scores with the worth of each: the score of what is worth more must be the higher one."""
    first, second = subject.contract.preds
    left, right = (i for i in range(4) if i not in (first, second))
    names, shown = [argument.name for argument in subject.contract.arguments], None
    for seed in SEEDS:
        inputs = subject.draw(seed)
        step = 2.0 * (inputs[left] - inputs[right]).sign()
        good, bad = (
            put(put(inputs, first, inputs[first] + side * step), second, inputs[second] - side * step)
            for side in (1.0, -1.0)
        )
        if not subject.values(bad) < subject.values(inputs) < subject.values(good):
            return None
        said = f"it falls as {names[first]} falls below {names[second]} where {names[left]} is above {names[right]}"
        shown = shown or Wrong(said, f"exchange {names[left]} and {names[right]}, or turn the sign", good, bad)
    return shown


def _turned_score(subject: Subject, index: int, sign: int) -> Wrong | None:
    """One of the two scores moves the wrong way, whatever the other does."""
    name, shown = subject.contract.arguments[index].name, None
    for seed in SEEDS:
        inputs = subject.draw(seed)
        good, bad = (put(inputs, index, inputs[index] + side * sign * 2.0) for side in (1, -1))
        if not subject.values(bad) < subject.values(inputs) < subject.values(good):
            return None
        said = f"it falls as {name} {'falls' if sign > 0 else 'rises'}"
        shown = shown or Wrong(said, f"turn the sign of {name} in its own term", good, bad)
    return shown


def _turned_likelihood(subject: Subject, chosen: int) -> Wrong | None:
    """Log-probabilities of a chosen answer, which cost less the less likely it is, however likely that was."""
    name, shown = subject.contract.arguments[chosen].name, None
    for seed in SEEDS:
        inputs = subject.draw(seed)
        steps = [put(inputs, chosen, inputs[chosen] * factor) for factor in (3.0, 1.5, 1.0, 0.7, 0.3)]
        values = [subject.values(each) for each in steps]
        if not all(less < more for less, more in pairwise(values)):
            return None
        said = f"it falls as {name} falls"
        shown = shown or Wrong(said, f"turn the sign of {name} in its own term", steps[-1], steps[0])
    return shown


def of_adversaries(subject: Subject) -> Wrong | None:
    """A discriminator that takes the real for fake. What is linear (a critic) may have either sign."""
    names = [argument.name.lower() for argument in subject.contract.arguments]
    up, down = named(names, REAL), named(names, FAKE)
    if len(names) != 2 or up is None or down is None or up == down:
        return None
    if (alike := _told_apart_by_none(subject, up, down)) is not None or not JUDGES.search(subject.name):
        return alike
    inputs = subject.draw(SEEDS[0])
    steps = [subject.values(put(inputs, up, inputs[up] + step)) for step in (-2, 0, 2)]
    straight = abs(steps[0] + steps[2] - 2 * steps[1]) < 1e-4 * (1 + abs(steps[1]))
    return None if straight else _turned_scores(subject, up, down)


def _told_apart_by_none(subject: Subject, up: int, down: int) -> Wrong | None:
    """Scores of the real and of the fake that may change places, in a loss that is no distance of the two."""
    names, shown = [argument.name for argument in subject.contract.arguments], None
    if not all(SCORE.search(name.lower()) or JUDGED.search(name.lower()) for name in names):
        return None
    for seed in SEEDS:
        inputs = subject.draw(seed)
        other = put(put(inputs, up, inputs[down]), down, inputs[up])
        both = put(put(inputs, up, inputs[up] + 1.5), down, inputs[down] + 1.5)
        value = subject.values(inputs)
        close = 1e-5 * (1 + abs(value))
        if not abs(subject.values(other) - value) < close or not abs(subject.values(both) - value) > close:
            return None
        said = (
            f"{names[up]} and {names[down]} may change places, and it costs the same: it tells neither from the other"
        )
        shown = shown or Wrong(said, f"ask for another value of {names[down]} than of {names[up]}", inputs, other)
    return shown


def _turned_policy(subject: Subject, advantage: int) -> Wrong | None:
    """Near the old policy, the loss must fall as what has an advantage becomes likelier, and the other less likely."""
    where = subject.contract.preds[0]

    def likelier(inputs: list[Any]) -> Tensor | None:
        for i, argument in enumerate(subject.contract.arguments):
            if i != where and LIKELY.search(argument.name.lower()):
                inputs[i] = inputs[where].clone()
        step = 0.05 * inputs[advantage].sign()
        return step if step.shape == inputs[where].shape else None

    return _falls_with(subject, likelier, "where the advantage is positive")


def _turned_choice(subject: Subject, advantage: int, action: int) -> Wrong | None:
    """The same for logits of all actions and the number of the one that was taken."""
    where = subject.contract.preds[0]

    def likelier(inputs: list[Any]) -> Tensor | None:
        if inputs[where].ndim != 2 or inputs[action].ndim != 1 or inputs[advantage].shape != inputs[action].shape:
            return None
        taken = torch.zeros_like(inputs[where]).scatter_(1, inputs[action][:, None], 1.0)
        return taken * inputs[advantage].sign()[:, None]

    return _falls_with(subject, likelier, "for an action of positive advantage")


def _falls_with(subject: Subject, better: Callable[[list[Any]], Tensor | None], place: str) -> Wrong | None:
    """A loss that falls on the step of its prediction that is away from what is better, on every draw."""
    where, shown = subject.contract.preds[0], None
    for seed in SEEDS:
        inputs = list(subject.draw(seed))
        step = better(inputs)
        if step is None:
            return None
        good, bad = put(inputs, where, inputs[where] + step), put(inputs, where, inputs[where] - step)
        if not subject.values(bad) < subject.values(inputs) < subject.values(good):
            return None
        said = f"it falls as {subject.contract.pred.name} falls {place}"
        shown = shown or Wrong(said, "turn the sign: what is to be large is -loss", good, bad)
    return shown


def _turned_scores(subject: Subject, up: int, down: int) -> Wrong | None:
    names = [argument.name for argument in subject.contract.arguments]
    shown: Wrong | None = None
    for seed in SEEDS:
        inputs = subject.draw(seed)
        good = put(put(inputs, up, inputs[up] + 2), down, inputs[down] - 2)
        bad = put(put(inputs, up, inputs[up] - 2), down, inputs[down] + 2)
        values = [subject.values(each) for each in (bad, inputs, good)]
        if not values[0] < values[1] < values[2]:
            return None
        said = f"it falls as {names[up]} falls and {names[down]} rises"
        shown = shown or Wrong(said, f"turn the sign of the difference of {names[up]} and {names[down]}", good, bad)
    return shown
