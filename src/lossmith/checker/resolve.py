"""Which contract holds: what the user declared, nearest to the call first; then what is known or inferred."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import torch
from torch import Tensor, nn

from lossmith.checker.contract import TARGET_NAMES, Argument, Contract, Role, parse, target_first
from lossmith.checker.facts import split
from lossmith.checker.fold import Fold
from lossmith.checker.infer import infer
from lossmith.checker.known import known_contract
from lossmith.checker.sample import perfect
from lossmith.checker.side import side_of
from lossmith.checker.subject import Subject
from lossmith.checker.tasks import Tasks, tasks_of, with_roles
from lossmith.checker.unfold import folds
from lossmith.domains import Domain
from lossmith.errors import ContractError, message

Example = Callable[..., Any] | tuple[Any, ...]


@dataclass(frozen=True)
class Declared:
    """What was said from outside: flags of the command line, an `example`, a table of pyproject."""

    flags: Mapping[str, Any] = field(default_factory=dict[str, Any])
    example: Example | None = None
    table: Mapping[str, str] = field(default_factory=dict[str, str])
    flags_origin: str = "command line"


def resolve(subject: Subject, declared: Declared) -> list[Contract]:
    """The contract, and a second reading where the first is unsure. Raises `ContractError` if there is none."""
    beside, more = split(getattr(_owner(subject.loss), "__lossmith_contract__", {}))
    flags, claims = split(declared.flags)
    return [
        replace(one, claims={**more, **claims}) for one in _resolved(subject, replace(declared, flags=flags), beside)
    ]


def _resolved(subject: Subject, declared: Declared, beside: Mapping[str, str]) -> list[Contract]:
    sources: tuple[tuple[Mapping[str, str], str], ...] = (
        (declared.flags, declared.flags_origin),
        (beside, "decorator"),
        (_annotated(subject.loss), "annotation"),
    )
    for said, origin in sources:
        if said:
            return [_tried(subject, _parsed(subject, said, origin))]
    if declared.example is not None:
        return [_tried(subject, from_example(subject, declared.example))]
    if declared.table:
        return [_tried(subject, _parsed(subject, declared.table, "pyproject.toml"))]
    known = known_contract(subject) or _from_face(subject)
    return [known] if known is not None else infer(subject)


def _parsed(subject: Subject, said: Mapping[str, str], origin: str) -> Contract:
    """A declaration by the loss's own arguments, or by the entries of its dictionaries and lists."""
    sure, perhaps = folds(subject)
    for fold in (*sure, *perhaps):
        if set(said) - {"pred", "target"} <= set(fold.leaves) and len(said) == len(fold.leaves):
            return with_roles(parse(said, fold.leaves, origin, subject.name), fold)
    return parse(said, subject.parameters, origin, subject.name)


def _owner(loss: Any) -> Any:
    if hasattr(loss, "__lossmith_contract__") or isinstance(loss, type):
        return loss
    return loss.func if hasattr(loss, "func") else type(loss) if not inspect.isroutine(loss) else loss


def _annotated(loss: Any) -> dict[str, str]:
    function = loss.forward if isinstance(loss, nn.Module) else getattr(loss, "call", loss)
    try:
        hints = get_type_hints(function, include_extras=True)
    except Exception:  # annotations of a stranger may name things that do not exist here
        return {}
    found: dict[str, str] = {}
    for name, hint in hints.items():
        if get_origin(hint) is Annotated:
            said = [extra for extra in get_args(hint)[1:] if isinstance(extra, (str, Domain))]
            found |= {name: str(said[0])} if said else {}
    return found


def _from_face(subject: Subject) -> Contract | None:
    """Our own losses carry their domains with them, by argument in the order of the call."""
    domains = getattr(subject.loss, "domains", None)
    if not isinstance(domains, Mapping) or not domains or not type(subject.loss).__module__.startswith("lossmith."):
        return None
    return parse(domains, (), "declared by lossmith", subject.name)


def _tried(subject: Subject, contract: Contract) -> Contract:
    """A declared contract that the loss itself does not accept is the user's to mend."""
    trial = subject.with_contract(contract).run(subject.with_contract(contract).draw(0), grad=False)
    if trial.error is not None and "mask" in contract.kinds() and not contract.flags:
        return _tried(subject, replace(contract, flags=True))
    if trial.error is not None:
        raise ContractError(
            message(
                f"{subject.name} does not accept what its contract says ({contract.origin})",
                {
                    **{a.name: str(a.domain) for a in contract.arguments},
                    "raises": f"{type(trial.error).__name__}: {str(trial.error)[:200]}",
                },
                fix="declare the arguments in the loss's own order, with the axes it expects",
            )
        )
    return contract


def from_example(subject: Subject, example: Example) -> Contract:
    """A contract around the user's own arguments: shapes are theirs, kinds are read off the values."""
    returned = _returned(subject, example, 0)
    fold = Fold.of(_names(subject, len(returned)), returned)
    given = [_arguments(subject, example, seed, fold) for seed in (0, 1, 2)]
    first = given[0]
    names = fold.leaves if fold else _names(subject, len(first))
    roles = _roles(_said(fold) if fold else names, first)
    tasks = tasks_of(fold) if fold else None
    for pair in tasks.pairs if tasks else ():
        roles[pair[0]], roles[pair[1]] = "pred", "target"
    domains = [
        _domain([values[i] for values in given], roles[i], first, _beside(roles, i, tasks)) for i in range(len(first))
    ]
    tensors = tuple(Argument(name, role, domain) for name, role, domain in zip(names, roles, domains, strict=True))
    contract = Contract(tensors, "example()", draw=lambda seed: _arguments(subject, example, seed, fold), fold=fold)
    contract = replace(contract, pairs=tasks.pairs if tasks else ())
    return _checked_perfect(subject, contract)


def _beside(roles: list[Role], place: int, tasks: Tasks | None) -> list[Role]:
    """The roles that matter for one argument: of several tasks, those of its own."""
    own = next((pair for pair in tasks.pairs if place in pair), None) if tasks else None
    return roles if own is None else [role if i in own else "other" for i, role in enumerate(roles)]


def _said(fold: Fold) -> tuple[str, ...]:
    """What speaks for the role of each entry: that it is a mask, else the argument that holds it."""
    owners = [fold.holders[owner].name for owner in fold.owners]
    return tuple(word if side_of(word) else owner for word, owner in zip(fold.words, owners, strict=True))


def _arguments(subject: Subject, example: Example, seed: int, fold: Fold | None) -> tuple[Any, ...]:
    values = _returned(subject, example, seed)
    arrays = tuple(_as_tensor(value) for value in (fold.unpack(values) if fold else values))
    if not any(isinstance(value, Tensor) and value.is_floating_point() for value in arrays):
        raise ContractError(
            message(
                f"example() of {subject.name} returned no floating-point array",
                {"returned": ", ".join(type(value).__name__ for value in values)},
                fix="return the loss's arguments as a tuple, such as (pred, target)",
            )
        )
    return arrays


def _returned(subject: Subject, example: Example, seed: int) -> tuple[Any, ...]:
    if not callable(example):
        values: Any = example
    else:
        takes_seed = bool(inspect.signature(example).parameters)
        torch.manual_seed(seed)
        try:
            values = example(seed) if takes_seed else example()
        except Exception as error:
            raise ContractError(
                message(f"example() of {subject.name} raises {type(error).__name__}: {error}")
            ) from None
    return tuple(values) if isinstance(values, (tuple, list)) else (values,)


def _as_tensor(value: Any) -> Any:
    if isinstance(value, Tensor):
        value = value.detach()
        return value.float() if value.dtype == torch.float64 else value
    if hasattr(value, "__array__"):
        tensor = torch.as_tensor(value.__array__())
        return tensor.float() if tensor.dtype == torch.float64 else tensor
    return value


def _names(subject: Subject, count: int) -> tuple[str, ...]:
    names = subject.parameters
    return names[:count] if len(names) >= count else (*names, *(f"input{i}" for i in range(len(names), count)))


def _roles(names: tuple[str, ...], values: tuple[Any, ...]) -> list[Role]:
    floats = [i for i, v in enumerate(values) if isinstance(v, Tensor) and v.is_floating_point()]
    roles: list[Role] = ["other"] * len(values)
    for i, name in enumerate(names):
        lowered = name.lower()
        if lowered in TARGET_NAMES or (
            isinstance(values[i], Tensor) and i not in floats and values[i].dtype != torch.bool
        ):
            roles[i] = "target"
        elif i in floats and not any(word in lowered for word in ("mask", "weight")):
            roles[i] = "pred"
    if len(names) == 2 and len(floats) == 2 and "target" not in roles:
        paired = any(word in " ".join(names).lower() for word in ("emb", "view", "z1", "anchor", "feat", "x1", "z_"))
        roles = ["target", "pred"] if target_first(*names) else ["pred", "pred" if paired else "target"]
    if "pred" not in roles:
        roles[floats[0]] = "pred"
    return roles


def _domain(values: list[Any], role: Role, first: tuple[Any, ...], roles: list[Role]) -> Domain:
    shape = tuple(first[0].shape) if isinstance(first[0], Tensor) else ()
    value = (
        torch.stack(values) if all(isinstance(v, Tensor) and v.shape == values[0].shape for v in values) else values[0]
    )
    if not isinstance(value, Tensor):
        return Domain.parse("weight[1]")
    axes = _axes(tuple(values[0].shape), shape)
    return Domain.parse(f"{_kind(value, values[0].ndim, role, first, roles)}[{','.join(axes)}]")


def _axes(shape: tuple[int, ...], first: tuple[int, ...]) -> list[str]:
    usual = {0: [], 1: ["N"], 2: ["N", "C"], 3: ["N", "T", "C"], 4: ["N", "C", "H", "W"]}
    axes = usual.get(len(shape), [f"A{i}" for i in range(len(shape))])
    return ["N", *axes[1:]] if shape and first and shape[0] == first[0] else [*axes] or ["1"]


def _kind(value: Tensor, ndim: int, role: Role, first: tuple[Any, ...], roles: list[Role]) -> str:
    if value.dtype == torch.bool:
        return "mask"
    if not value.is_floating_point():
        return "index"
    if role == "other":
        return "mask" if bool(((value == 0) | (value == 1)).all()) else "weight"
    low, high = float(value.min()), float(value.max())
    by_row = ndim >= 2 and bool(torch.allclose(value.sum(-1), torch.ones(()), atol=1e-4))
    zero_one = bool(((value == 0) | (value == 1)).all())
    if role == "target":
        if zero_one:
            return "onehot" if by_row else "binary"
        if bool((value.abs() == 1).all()):
            return "pm1"
        return ("dist" if by_row else "soft") if low >= 0 and high <= 1 else "real"
    if low >= 0 and high <= 1:
        return "simplex" if by_row else "prob"
    if high <= 0 and ndim >= 2 and bool(torch.allclose(value.logsumexp(-1), torch.zeros(()), atol=1e-4)):
        return "logprob"
    if roles.count("pred") > 1:
        return "embedding"
    targets = [first[i] for i, r in enumerate(roles) if r == "target" and isinstance(first[i], Tensor)]
    labelled = any(not t.is_floating_point() or bool(((t == 0) | (t == 1)).all()) for t in targets)
    return "logits" if labelled else "real"


def _checked_perfect(subject: Subject, contract: Contract) -> Contract:
    """Kinds read off values are guesses; one that the loss itself contradicts is made more general."""
    twin = subject.with_contract(contract)
    inputs = twin.draw(0)
    best = perfect(contract, inputs)
    if best is None or twin.values(best) <= twin.values(inputs):
        return contract
    if contract.pred.kind != "logits" or contract.target_kind() != "index":
        return contract
    where = contract.preds[0]
    axes = contract.pred.domain.axes
    features = replace(contract.pred, domain=Domain(Domain.parse("embedding").kind, axes))
    return replace(contract, arguments=(*contract.arguments[:where], features, *contract.arguments[where + 1 :]))
