"""Reinforcement learning: what policies, values and steps of Q-learning call their arguments."""

import re
from collections.abc import Iterator, Sequence

from lossmith.checker.contract import Contract
from lossmith.checker.side import Side
from lossmith.checker.templates import Template

POLICY = re.compile(r"actor|policy|pg|reinforce", re.I)  # in the name of a loss
WORTH = re.compile(r"rewards?(?:_|$)|returns?(?:_|$)|advantages?(?:_|$)|baselines?(?:_|$)")
VALUES = re.compile(r"^values?$|^v$|baselines?|state_values?|critic")
OLD = re.compile(r"(?:^|_)(?:ref(?:erence)?|old|behaviou?r)(?:_|$)")
LIKELIHOOD = re.compile(r"(?:^|_)(?:new|policy|old|ref(?:erence)?|cur(?:rent)?)?_?log_?(?:p|pi|prob)s?(?:_|$|old|new)")
ACTED_BEFORE = re.compile(r"(?:^|_)(?:old|behaviou?r)(?:_|$)")
ACTED = re.compile(r"^act(?:ion)?s?$", re.I)
# A step of Q-learning.
_Q_STEP = {
    "pred": (r"^q(?:_?(?:values?|s|pred|sa|eval|all))?$|^current_q|^state_action", "real[N,C]"),
    "other": (r"next.*q|q.*next|target_q|q_?target", "real[N,C]"),
    "target": (r"^acts?$|actions?", "index[N]"),
    "reward": (r"^rs?$|rewards?|returns?", "real[N]"),
    "done": (r"dones?|terminal|terminated|not_?done|masks?|^d$", "binary[N]"),
}


def is_ratio(contract: Contract) -> bool:
    """True if prediction and target are log-probabilities of the same actions, now and when they were chosen."""
    if contract.target is None:
        return False
    now, before = contract.pred.name.lower(), contract.arguments[contract.target].name.lower()
    likely = LIKELIHOOD.search(now) and LIKELIHOOD.search(before)
    return bool(likely and ACTED_BEFORE.search(before))


def of_q_step(names: Sequence[str]) -> tuple[Template, ...]:
    """Values of all actions now and in the next state, the action, the reward, and whether it was the last step."""
    parts = [next((part for part, (p, _) in reversed(_Q_STEP.items()) if re.search(p, name)), "") for name in names]
    parts = ["other" if re.search(_Q_STEP["other"][0], name) else part for name, part in zip(names, parts, strict=True)]
    if len(names) < 4 or "" in parts or len(set(parts)) < len(parts) or not {"pred", "other"} <= set(parts):
        return ()
    roles = tuple(part if part in ("pred", "target") else "other" for part in parts)
    domains = tuple(_Q_STEP[part][1] for part in parts)
    if "target" in parts:
        return (Template(9.0, domains, roles),)
    taken = tuple("real[N]" if part == "pred" else domain for part, domain in zip(parts, domains, strict=True))
    best = tuple("real[N]" if part == "other" else domain for part, domain in zip(parts, taken, strict=True))
    return (Template(9.0, taken, roles), Template(9.0, best, roles))  # values of the actions that were taken


def of_likelihoods(names: Sequence[str], sides: Sequence[Side | None]) -> tuple[Template, ...]:
    """Log-probabilities of what was done, now and before, and what it was worth."""
    if len(names) < 3 or sum(bool(LIKELIHOOD.search(name)) for name in names) < 2:
        return ()
    roles = tuple(_role(name, side) for name, side in zip(names, sides, strict=True))
    kinds = tuple("mask" if side and side.kind == "mask" else "real" for side in sides)
    if "pred" not in roles:
        return ()
    return tuple(
        Template(9.0, tuple(f"{kind}[{axes}]" for kind, axes in zip(kinds, shapes, strict=True)), roles)
        for shapes in _of_steps(names, sides)
    )


def _role(name: str, side: Side | None) -> str:
    if side is not None or not LIKELIHOOD.search(name):
        return "other"
    return "target" if OLD.search(name) else "pred"


def of_returns(names: Sequence[str], sides: Sequence[Side | None]) -> tuple[Template, ...]:
    """Reinforcement learning: logits or values for each action beside actions; one number a sample for the rest."""
    known = [re.search(r"action|reward|return|advantage|^adv(?:_|$)|^dones?$", name) is not None for name in names]
    acts = any("action" in name for name in names)
    if any(ACTED.search(name) and side is None for name, side in zip(names, sides, strict=True)):
        return ()  # actions that are to be met
    if not any(known) or all(known) or (len(names) == 2 and not LIKELIHOOD.search(names[known.index(False)])):
        return ()
    roles = tuple("other" if side is not None and side.role != "pred" else "pred" for side in sides)
    if any(re.search(r"^(?:values?|v|v_?preds?)$", name) for name in names) and not any(map(LIKELIHOOD.search, names)):
        roles = tuple("target" if re.search("^returns?$", n) else "other" if OLD.search(n) else r
                      for n, r in zip(names, roles, strict=True))  # fmt: skip
    kinds = [
        "logits" if "logit" in name else side.kind if side else "real" for name, side in zip(names, sides, strict=True)
    ]
    by_action = [acts and re.search(r"logit|q_?val|next_q|q_?next|^q$|prob", name) is not None for name in names]
    if "pred" not in roles:
        return ()
    return tuple(
        Template(
            9.0,
            tuple(f"{k}[{'N,C' if by else axes}]" for k, by, axes in zip(kinds, by_action, shapes, strict=True)),
            roles,
        )
        for shapes in (_of_steps(names, sides) if not acts else [tuple("N" for _ in sides)])
    )


def _of_steps(names: Sequence[str], sides: Sequence[Side | None]) -> Iterator[tuple[str, ...]]:
    """Shapes of what a policy did: a number a sample, or one a token. With a mask tokens come first.

    An advantage is then one number for a whole answer, if the loss takes it so: it widens that by itself.
    """
    every = [tuple(axes for _ in sides) for axes in ("N", "N,T")]
    if not any(side is not None and side.kind == "mask" for side in sides):
        yield from every
        return
    worth = [WORTH.search(name) is not None for name in names]
    rows = [side is not None and side.shape == "rows" for side in sides]
    yield tuple("N" if whole or of_answer else "N,T" for whole, of_answer in zip(rows, worth, strict=True))
    yield tuple("N" if whole else "N,T" for whole in rows)
    yield from reversed(every)
