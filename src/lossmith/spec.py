"""What a formula declares, and the catalogue of all that were declared.

    @formula(
        shapes="..., ... -> ...",
        kinds=("real", "real"),
        source="Huber 1964, https://doi.org/10.1214/aoms/1177703732",
        claims=Claims(zero_at_match=True, even=True, convex=True, grad_bound=1.0),
    )
    def huber(ops: Ops[A], pred: A, target: A, *, delta: Positive = 1.0) -> A: ...

The decorated name is a `Formula`: call it on any framework's arrays. What it declares is data: faces, docs, plots
and the checker read it, and tests measure every claim of every formula.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from inspect import Parameter, Signature, getdoc, signature
from math import inf
from typing import Any

import numpy as np

from lossmith.domains import KINDS
from lossmith.errors import DtypeError, SettingError, message
from lossmith.ops import Ops, common_reader, reader_of
from lossmith.settings import Rule, require_settings, rules_of
from lossmith.shapes import Shapes


@dataclass(frozen=True)
class Claims:
    """What is true of a formula, at every keyword inside its range unless a line says otherwise.

    range            the smallest and largest value on valid arguments
    zero_at_match    the value is exactly 0 where pred equals target
    even             over- and under-shooting cost the same: the value depends on |pred - target| only
    convex           convex in the prediction (in all of its entries together)
    smooth           the gradient with respect to the prediction has no jump
    monotone         the value never falls as the prediction moves away from a hard target; at default keywords
    proper           the prediction that costs least on average is the true probability; at default keywords
    shift_invariant  the same number added to all logits of a row changes nothing
    grad_bound       no entry of the gradient is larger: a number, or a function of the keywords (None: no bound)
    batch_coupled    a value depends on other entries of the batch
    """

    range: tuple[float, float] = (0.0, inf)
    zero_at_match: bool = False
    even: bool = False
    convex: bool = False
    smooth: bool = False
    monotone: bool = False
    proper: bool = False
    shift_invariant: bool = False
    grad_bound: float | Callable[..., float | None] | None = None
    batch_coupled: bool = False

    def bound_at(self, settings: Mapping[str, Any]) -> float | None:
        """The gradient bound at these keywords (all of them), or None where none is claimed."""
        return self.grad_bound(**settings) if callable(self.grad_bound) else self.grad_bound


@dataclass(frozen=True)
class By:
    """A kind that a keyword decides: `By("pred_is", {"logit": "logits", "prob": "prob"})`."""

    keyword: str
    kinds: Mapping[Any, str]


class Formula:
    """A loss before reduction, written once, for the arrays of any framework.

    name       its name, also in `FORMULAS`
    body       the bare function, whose first argument is a reader of `lossmith.ops`
    arguments  the names of the array arguments
    keywords   every keyword with its default
    shapes     what shapes it takes and gives, parsed
    kinds      what each argument holds at the default keywords, alternatives joined by `|`
    source     where it was published
    claims     what is true of it
    """

    def __init__(
        self,
        body: Callable[..., Any],
        *,
        shapes: str,
        kinds: Sequence[str | By],
        source: str,
        claims: Claims | None = None,
    ) -> None:
        self.body = body
        self.name = self.__name__ = body.__name__
        self.__qualname__, self.__module__, self.__doc__ = body.__qualname__, body.__module__, getdoc(body)
        parameters = list(signature(body).parameters.values())[1:]
        self.__signature__ = Signature(parameters)
        self.arguments = tuple(p.name for p in parameters if p.kind is not Parameter.KEYWORD_ONLY)
        self.keywords: dict[str, Any] = {p.name: p.default for p in parameters if p.kind is Parameter.KEYWORD_ONLY}
        self.shapes = Shapes.parse(shapes)
        self.source = source
        self.claims = claims or Claims()
        self._kinds = tuple(kinds)
        self._rules: Mapping[str, Rule] = rules_of(body, tuple(self.keywords))
        self._require_declaration()
        self.kinds = self.kinds_for()

    def __call__(self, *arrays: Any, **settings: Any) -> Any:
        """The values, in the dtype of the first argument.

        Errors    ShapeError, DtypeError, SettingError: nothing broadcasts, and nothing is guessed
        """
        arrays, settings = self._split(arrays, settings)
        ops = common_reader(*arrays)
        arrays = tuple(ops.asarray(array) for array in arrays)
        self.check_settings(self.name, settings)
        self.check(self.name, *arrays, **settings)
        return ops.astype(self.values(ops, *arrays, **settings), arrays[0])

    def values(self, ops: Ops[Any], *arrays: Any, **settings: Any) -> Any:
        """The values, unchecked and still wide: float32 for float16 and bfloat16 arguments, so that sums are too.

        Every argument but class numbers is taken in the (widened) dtype of the first.
        """
        pred = ops.widen(arrays[0])
        chosen = self.kinds_of(ops, *arrays, **settings)
        rest = [x if KINDS[k].integer else ops.astype(x, pred) for x, k in zip(arrays[1:], chosen[1:], strict=True)]
        return self.body(ops, pred, *rest, **settings)

    def kinds_for(self, **settings: Any) -> tuple[str, ...]:
        """What each argument holds at these keywords, alternatives joined by `|`."""
        now = {**self.keywords, **settings}
        return tuple(kind if isinstance(kind, str) else kind.kinds[now[kind.keyword]] for kind in self._kinds)

    def kinds_of(self, ops: Ops[Any], *arrays: Any, **settings: Any) -> tuple[str, ...]:
        """What each of these arrays holds: one kind each; alternatives are told apart by the number of axes."""
        kinds = [kind.split("|") for kind in self.kinds_for(**settings)]
        shapes = [shape for shape in map(ops.shape, arrays) if shape is not None]
        fit = self.shapes.fit(shapes) if len(shapes) == len(arrays) else None
        chosen = fit.alternatives if fit is not None else (0,) * len(kinds)
        return tuple(kind[index] if len(kind) > 1 else kind[0] for kind, index in zip(kinds, chosen, strict=True))

    def domains_for(self, **settings: Any) -> tuple[str, ...]:
        """What each argument holds at these keywords with its axes, such as ("logits[N,C]", "index[N]").

        Of alternatives the first; where no argument names an axis, two are shown: the batch, and one more.
        """
        last = [axes[0][-1] for axes in self.shapes.arguments]
        named = {name for name in last if name != "..."}
        kinds = [kind.partition("|")[0] for kind in self.kinds_for(**settings)]
        axes = ["N,C" if not named else "N" if name == "..." else f"N,{name}" for name in last]
        return tuple(f"{kind}[{shape}]" for kind, shape in zip(kinds, axes, strict=True))

    def check(
        self,
        caller: str,
        *arrays: Any,
        names: Sequence[str] | None = None,
        shown: Sequence[tuple[int | None, ...] | None] | None = None,
        **settings: Any,
    ) -> None:
        """Refuse arrays whose shapes do not fit, or that hold the wrong kind of number.

        `names`   what the caller calls the arguments
        `shown`   the shapes to print, for a caller that moved axes before
        """
        names = names or self.arguments
        ops = common_reader(*arrays)
        self.shapes.require(caller, names, [ops.shape(array) for array in arrays], shown)
        for index, kind in enumerate(self.kinds_of(ops, *arrays, **settings)):
            _require_numbers(caller, names[index], ops, arrays[index], kind, first=index == 0)

    def check_settings(self, caller: str, settings: Mapping[str, Any]) -> None:
        """Refuse a keyword that does not exist, or a value outside its range."""
        require_settings(caller, self._rules, tuple(self.keywords), settings)

    def _split(self, arrays: tuple[Any, ...], settings: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Tell arrays given by name from settings."""
        named = self.arguments[len(arrays) :]
        if len(arrays) > len(self.arguments) or any(name not in settings for name in named):
            takes = ", ".join(self.arguments)
            raise SettingError(message(f"{self.name} takes {takes}", {"given": f"{len(arrays)} by position"}))
        arrays = (*arrays, *(settings[name] for name in named))
        return arrays, {name: value for name, value in settings.items() if name not in named}

    def _require_declaration(self) -> None:
        names = [
            kind for entry in self._kinds for kind in ([entry] if isinstance(entry, str) else entry.kinds.values())
        ]
        unknown = [part for name in names for part in name.split("|") if part not in KINDS]
        if unknown:
            raise SettingError(message(f"{self.name}: {unknown[0]!r} is not a kind", {"kinds": ", ".join(KINDS)}))
        counts = {"arguments": len(self.arguments), "kinds": len(self._kinds), "shapes": len(self.shapes.arguments)}
        if len(set(counts.values())) > 1:
            raise SettingError(message(f"{self.name}: each argument needs one kind and one shape", counts))

    def __repr__(self) -> str:
        keywords = [f"{name}={default!r}" for name, default in self.keywords.items()]
        return f"<formula {self.name}({', '.join([*self.arguments, *(['*'] if keywords else []), *keywords])})>"

    def __reduce__(self) -> str:
        """Pickled and copied by name, like a function."""
        return self.__qualname__


FORMULAS: dict[str, Formula] = {}
# The table of readers may not be empty when a formula is first called inside torch.compile: it could not grow there.
reader_of(np.zeros(0))


def formula(
    *, shapes: str, kinds: Sequence[str | By], source: str, claims: Claims | None = None
) -> Callable[[Callable[..., Any]], Formula]:
    """Turn a function of (ops, arrays, *, keywords) into a `Formula`, and enter it into `FORMULAS`.

    Shapes    see `lossmith.shapes`; the class axis is the last one
    Kinds     one name of `lossmith.domains.KINDS` for each array argument, or alternatives in the order of `shapes`
    Keywords  annotate them with `lossmith.settings` types or Literals: the annotation is the check
    Errors    SettingError for a declaration that does not fit the function, or a name that another module took
    """

    def declare(body: Callable[..., Any]) -> Formula:
        made = Formula(body, shapes=shapes, kinds=kinds, source=source, claims=claims)
        taken = FORMULAS.setdefault(made.name, made)
        if taken.__module__ != made.__module__:
            where = {"there": taken.__module__, "here": made.__module__}
            raise SettingError(message(f"a formula {made.name!r} exists already", where))
        FORMULAS[made.name] = made
        return made

    return declare


def _require_numbers(caller: str, name: str, ops: Ops[Any], array: Any, kind: str, *, first: bool) -> None:
    """The first argument holds floating-point numbers, a class number an integer, the rest any real number."""
    found = ops.number_kind(array)
    dtype = {name: str(getattr(array, "dtype", type(array).__name__))}
    if KINDS[kind].integer and found != "integer":
        raise DtypeError(message(f"{caller}: {name} must be integers: {KINDS[kind].meaning}", dtype))
    if first and found != "float":
        raise DtypeError(message(f"{caller}: {name} must be floating-point numbers", dtype))
    if found == "other":
        raise DtypeError(message(f"{caller}: {name} must be real numbers", dtype))
