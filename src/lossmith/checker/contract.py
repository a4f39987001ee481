"""The contract of a loss: which arguments it takes, in which order, and which values are valid for each.

It is declared (command line, decorator, annotation, `example()` beside the loss, pyproject), known (a loss that a
framework ships and documents), or inferred by probing. Everything that the rules do is conditional on it.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from lossmith.checker.facts import split
from lossmith.checker.finding import ContractNote
from lossmith.checker.fold import Fold
from lossmith.domains import Domain
from lossmith.errors import ContractError, message

Role = Literal["pred", "target", "other"]
F = TypeVar("F", bound=Callable[..., Any])

TARGET_NAMES = frozenset(
    "target targets label labels y y_true true truth gt ground_truth t actual expected reference tgt trg lbl yt "
    "ytrue".split()
)
PRED_NAMES = frozenset(
    "pred preds prediction predictions predicted input inputs output outputs logit logits y_pred y_hat yhat yp x p "
    "prob ypred probs probabilities score scores estimate estimated hat log_prob log_probs log_pred student "
    "student_logits embedding embeddings features z".split()
)
# A second network's output: a gradient that reaches it is a leak. Whole words of the name, so that `threshold` is not
# `old_`; `reference` and `ref` alone are what data is called.
FROZEN_NAME = re.compile(
    r"(?:^|_)(?:teacher|momentum_|momentum$|frozen|ema(?:_|$)|old_|target_net|q_next|next_q|next_(?:state_)?v(?:_|al|$)|"
    r"q_target|td_target|target_(?:q|v|values?|net\w*|logits?|features?|proj\w*|emb\w*)(?:_|$)|"
    r"(?:ref|reference)_(?:logits?|log_?p\w*|probs?|model|policy|chosen|rejected|out\w*)(?:_|$))"
)
OTHER_KINDS = frozenset(("mask", "weight", "lengths"))


@dataclass(frozen=True)
class Argument:
    """One tensor argument. `name` is the loss's own parameter name; `domain` says what it may hold."""

    name: str
    role: Role
    domain: Domain

    @property
    def kind(self) -> str:
        return self.domain.kind.name

    @property
    def frozen(self) -> bool:
        """True if the name says that this is the output of a network that does not learn here."""
        return FROZEN_NAME.search(self.name.lower()) is not None


@dataclass(frozen=True)
class Contract:
    """The arguments in the order in which the loss takes them, and where that knowledge comes from.

    `draw`, if given, is the user's own `example(seed)`: its shapes are kept and only its values are varied. `fold`, if
    given, says which arguments of the loss are made of several of these. `claims` are the facts that the loss declares:
    {"convex": True}.
    """

    arguments: tuple[Argument, ...]
    origin: str
    confidence: Literal["", "sure", "likely", "unsure"] = ""
    draw: Callable[[int], tuple[Any, ...]] | None = None
    sizes: Mapping[str, int] | None = None
    flags: bool = False  # masks are given as True and False: the loss refuses 1.0 and 0.0
    also: tuple[str, ...] = ()  # optional parameters that are given too, after the required ones
    reason: str = ""
    claims: Mapping[str, Any] = field(default_factory=dict[str, Any])
    fold: Fold | None = None
    pairs: tuple[tuple[int, int], ...] = ()  # of several tasks: each prediction with its target
    ahead: int = 0  # a prediction is for the label so many steps on: 1 in a language model that shifts its labels

    @property
    def preds(self) -> tuple[int, ...]:
        return tuple(i for i, argument in enumerate(self.arguments) if argument.role == "pred")

    @property
    def target(self) -> int | None:
        return next((i for i, argument in enumerate(self.arguments) if argument.role == "target"), None)

    @property
    def pred(self) -> Argument:
        return self.arguments[self.preds[0]]

    def names(self) -> tuple[str, ...]:
        return tuple(argument.name for argument in self.arguments)

    def kinds(self) -> tuple[str, ...]:
        return tuple(argument.kind for argument in self.arguments)

    def target_kind(self) -> str:
        return self.arguments[self.target].kind if self.target is not None else ""

    @property
    def pin(self) -> str:
        flags: list[str] = []
        for index, argument in enumerate(self.arguments):
            first = index == self.preds[0] or index == self.target
            flag = f"--{argument.role}" if first else f"--input {argument.name}="
            flags.append(f"{flag} '{argument.domain}'" if first else f"{flag}'{argument.domain}'")
        return " ".join(flags)

    def note(self) -> ContractNote:
        shown = {argument.name: str(argument.domain) for argument in self.arguments}
        return ContractNote(shown, self.origin, self.confidence, self.pin)


def parse(declared: Mapping[str, str], names: tuple[str, ...], origin: str, caller: str) -> Contract:
    """Read a declaration: keys are `pred`, `target` or parameter names; values are domains such as `logits[N,C]`."""
    domains = {key: Domain.parse(text) for key, text in declared.items()}
    order = assign_names(tuple(domains), names, caller)
    arguments = tuple(
        Argument(name, role_of(key, domains[key].kind.name, position), domains[key])
        for position, (name, key) in enumerate(order)
    )
    if not any(argument.role == "pred" for argument in arguments):
        raise ContractError(
            message(f"{caller}: no argument is declared as the prediction", {"declared": dict(declared)})
        )
    return Contract(arguments, origin)


def role_of(key: str, kind: str, position: int) -> Role:
    if key in ("pred", "target"):
        return key
    if kind in OTHER_KINDS:
        return "other"
    if kind in ("index", "binary", "pm1", "onehot", "labels", "count", "dist", "soft") or key.lower() in TARGET_NAMES:
        return "target"
    return "pred" if key.lower() in PRED_NAMES or kind in ("embedding", "unit", "logits") or position == 0 else "target"


def assign_names(keys: tuple[str, ...], names: tuple[str, ...], caller: str) -> list[tuple[str, str]]:
    """Pair each of the loss's parameters with the declared key that describes it, in the loss's order.

    `pred` and `target` stand for whatever the loss calls them: (y_true, y_pred) is recognised by its names,
    anything else is taken as (pred, target).
    """
    roles = [key for key in keys if key in ("pred", "target") and key not in names]
    others = {key for key in keys if key not in roles}
    if unknown := sorted(others - set(names)) if names else []:
        raise ContractError(
            message(f"{caller} takes no argument {unknown[0]!r}", {"takes": ", ".join(names) or "nothing"})
        )
    if not names:
        return [(key, key) for key in keys]
    free = [name for name in names if name not in others][: len(roles)]
    if len(free) == 2 and target_first(free[0], free[1]):
        roles.sort(reverse=True)  # target, pred
    else:
        roles.sort()  # pred, target
    pairs = dict(zip(free, roles, strict=False))
    return [(name, pairs.get(name, name)) for name in names if name in pairs or name in others]


def target_first(first: str, second: str) -> bool:
    """True for (y_true, y_pred) and the like: the names alone say that the target comes first."""
    first, second = first.lower(), second.lower()
    is_target = first in TARGET_NAMES or first.startswith(("y_true", "target", "label", "true_", "teacher"))
    is_pred = second in PRED_NAMES or second.startswith(("pred", "y_pred", "logit", "output", "student"))
    return is_target and is_pred


def contract(**declared: Any) -> Callable[[F], F]:
    """Declare what a loss takes, beside the loss: keys are `pred`, `target` or its parameter names.

    Facts may be declared too, and are then held to: `convex=True`, `smooth=True`, `monotone=True`, `even=True`,
    `proper=True`, `grad_bound=1.0`, `range=(0, float("inf"))`. `lossmith explain F2` says what they mean.

    >>> @contract(pred="logits[N,C]", target="index[N]", convex=True)
    ... def my_loss(scores, classes): ...
    """
    domains, _ = split(declared)
    for text in domains.values():
        Domain.parse(text)

    def attach(loss: F) -> F:
        loss.__lossmith_contract__ = dict(declared)  # type: ignore[attr-defined]
        return loss

    return attach
