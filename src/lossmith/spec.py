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
from dataclasses import dataclass, field
from inspect import Parameter, Signature, getdoc, signature
from typing import Any, ClassVar, Generic

import numpy as np

from lossmith.claims import Claims as Claims
from lossmith.criterion import evaluate, in_dtype, summarise
from lossmith.domains import KINDS
from lossmith.errors import DtypeError, SettingError, message
from lossmith.ops import A, Ops, common_reader, reader_of
from lossmith.reduction import Reduction
from lossmith.settings import Rule, require_settings, rules_of
from lossmith.shapes import Shapes, batched, letters


def _no_terms() -> dict[str, Any]:
    return {}


@dataclass(frozen=True)
class Outcome(Generic[A]):
    """What the body of a formula returns where there is more to say than the values.

    values   the loss before reduction
    counts   how many terms each value stands for, where that is not 1: 0 for a value that is not defined
    terms    named parts: those with the shape of the values are reduced as they are, booleans of that shape are
             counted, and a single number (of active triplets) is handed on
    """

    values: A
    counts: A | None = None
    terms: Mapping[str, A] = field(default_factory=_no_terms)


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
    coupled    the axes whose entries interact, such as N for the samples of a contrastive batch: its body takes the
               keyword `kept`, True where an entry of these axes counts, and removes the others itself
    kinds      what each argument holds at the default keywords, alternatives joined by `|`
    deciding   the keywords that decide a kind
    source     where it was published
    claims     what is true of it
    """

    autograph_info__: ClassVar[dict[str, Any]] = {}  # for TensorFlow: here is nothing to rewrite, which takes seconds

    def __init__(
        self,
        body: Callable[..., Any],
        *,
        shapes: str,
        kinds: Sequence[str | By],
        source: str,
        claims: Claims | None = None,
        coupled: str = "",
    ) -> None:
        self.body = body
        self.name = self.__name__ = body.__name__
        self.__qualname__, self.__module__, self.__doc__ = body.__qualname__, body.__module__, getdoc(body)
        parameters = list(signature(body).parameters.values())[1:]
        self.__signature__ = Signature(parameters)
        self.arguments = tuple(p.name for p in parameters if p.kind is not Parameter.KEYWORD_ONLY)
        named = {p.name: p.default for p in parameters if p.kind is Parameter.KEYWORD_ONLY}
        self.keywords: dict[str, Any] = {name: default for name, default in named.items() if name != "kept"}
        self.shapes = Shapes.parse(shapes)
        self.coupled = tuple(coupled.split())
        self.source = source
        self.claims = claims or Claims()
        self._kinds = tuple(kinds)
        self._chooses = any(len(patterns) > 1 for patterns in self.shapes.arguments)
        self.deciding = tuple(kind.keyword for kind in kinds if isinstance(kind, By))
        self._rules: Mapping[str, Rule] = rules_of(body, tuple(self.keywords))
        self._require_declaration("kept" in named)
        self.kinds = self.kinds_for()

    def __call__(self, *arrays: Any, kept: Any = None, **settings: Any) -> Any:
        """The values, in the dtype of the first argument.

        kept      for a formula with coupled axes: True where an entry counts; the others are removed
        Errors    ShapeError, DtypeError, SettingError: nothing broadcasts, and nothing is guessed
        """
        ops, arrays, settings = self._given(self.name, arrays, settings)
        if kept is not None and not self.coupled:
            raise SettingError(message(f"{self.name}: no entry interacts with another: leave its value out instead"))
        made = evaluate(ops, self, arrays, mask=kept, caller=self.name, settings=settings)
        return ops.astype(made.outcome.values, arrays[0])

    def total(
        self,
        *arrays: Any,
        reduction: Reduction = "mean",
        weight: Any = None,
        mask: Any = None,
        ignore_index: int | None = None,
        denominator: Any = None,
        return_terms: bool = False,
        **settings: Any,
    ) -> Any:
        """The total, with everything that a face does, on any framework's arrays.

        weight        the shape of the values or its leading part: one number for each sample
        mask          True or 1 where an entry counts; the others are removed, whatever they hold
        ignore_index  a label that removes its entry
        denominator   replaces the divisor, so that micro-batches add up to the whole batch
        return_terms  (total, {name: value}), the named parts of a loss that has some
        """
        ops, arrays, settings = self._given(self.name, arrays, settings)
        made = evaluate(ops, self, arrays, mask=mask, ignored=ignore_index, caller=self.name, settings=settings)
        total, terms = summarise(
            ops, made, reduction=reduction, weight=weight, denominator=denominator, caller=self.name
        )
        total, terms = ops.astype(total, arrays[0]), in_dtype(ops, terms, arrays[0])
        return (total, terms) if return_terms else total

    vars(total)["autograph_info__"] = autograph_info__

    def values(self, ops: Ops[Any], *arrays: Any, **settings: Any) -> Any:
        """The values, unchecked and still wide: float32 for float16 and bfloat16 arguments, so that sums are too."""
        return self.outcome(ops, *arrays, **settings).values

    def outcome(self, ops: Ops[A], *arrays: Any, kept: A | None = None, **settings: Any) -> Outcome[A]:
        """The values with their counts and terms, unchecked and still wide.

        Every argument but class numbers is taken in the (widened) dtype of the first.
        """
        pred = ops.widen(arrays[0])
        chosen = self.kinds_of(ops, *arrays, **settings)
        rest = [x if KINDS[k].integer else ops.astype(x, pred) for x, k in zip(arrays[1:], chosen[1:], strict=True)]
        if kept is not None:
            settings["kept"] = kept
        result: Outcome[A] | A = self.body(ops, pred, *rest, **settings)
        return result if isinstance(result, Outcome) else Outcome(result)

    def kinds_for(self, **settings: Any) -> tuple[str, ...]:
        """What each argument holds at these keywords, alternatives joined by `|`."""
        now = {**self.keywords, **settings}
        return tuple(kind if isinstance(kind, str) else kind.kinds[now[kind.keyword]] for kind in self._kinds)

    def kinds_of(self, ops: Ops[Any], *arrays: Any, **settings: Any) -> tuple[str, ...]:
        """What each of these arrays holds: one kind each; alternatives are told apart by the number of axes."""
        named = self.kinds_for(**settings)
        if not self._chooses:
            return named
        kinds = [kind.split("|") for kind in named]
        shapes = [shape for shape in map(ops.shape, arrays) if shape is not None]
        fit = self.shapes.fit(shapes) if len(shapes) == len(arrays) else None
        chosen = fit.alternatives if fit is not None else (0,) * len(kinds)
        return tuple(kind[index] if len(kind) > 1 else kind[0] for kind, index in zip(kinds, chosen, strict=True))

    def domains_for(self, **settings: Any) -> tuple[str, ...]:
        """What each argument holds at these keywords with its axes, such as ("logits[N,C]", "index[N]").

        Of alternatives the first; where no argument names an axis, two are shown: the batch, and one more.
        """
        kinds = [kind.partition("|")[0] for kind in self.kinds_for(**settings)]
        patterns = [axes[0] for axes in self.shapes.arguments]
        named = any(letters(pattern) for pattern in patterns)
        batch = () if "N" in letters(patterns[0]) else ("N",)
        axes = [
            (*(batch if batched(pattern) else ()), *(letters(pattern) if named else ("C",))) for pattern in patterns
        ]
        return tuple(f"{kind}[{','.join(names)}]" for kind, names in zip(kinds, axes, strict=True))

    def check(
        self,
        caller: str,
        *arrays: Any,
        names: Sequence[str] | None = None,
        shown: Sequence[tuple[int | None, ...] | None] | None = None,
        **settings: Any,
    ) -> tuple[str, ...]:
        """Refuse arrays whose shapes do not fit, or that hold the wrong kind of number. Gives the kind of each.

        `names`   what the caller calls the arguments
        `shown`   the shapes to print, for a caller that moved axes before
        """
        names = names or self.arguments
        ops = common_reader(*arrays)
        self.shapes.require(caller, names, [ops.shape(array) for array in arrays], shown)
        kinds = self.kinds_of(ops, *arrays, **settings)
        for index, kind in enumerate(kinds):
            _require_numbers(caller, names[index], ops, arrays[index], kind, first=index == 0)
        return kinds

    def check_settings(self, caller: str, settings: Mapping[str, Any]) -> None:
        """Refuse a keyword that does not exist, or a value outside its range."""
        require_settings(caller, self._rules, tuple(self.keywords), settings)

    def _given(
        self, caller: str, arrays: tuple[Any, ...], settings: dict[str, Any]
    ) -> tuple[Ops[Any], tuple[Any, ...], dict[str, Any]]:
        """The reader, the arrays and the settings of a call, all of them checked."""
        arrays, settings = self._split(arrays, settings)
        ops = common_reader(*arrays)
        arrays = tuple(ops.asarray(array) for array in arrays)
        self.check_settings(caller, settings)
        self.check(caller, *arrays, **settings)
        return ops, arrays, settings

    def _split(self, arrays: tuple[Any, ...], settings: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Tell arrays given by name from settings."""
        named = self.arguments[len(arrays) :]
        if len(arrays) > len(self.arguments) or any(name not in settings for name in named):
            takes = ", ".join(self.arguments)
            raise SettingError(message(f"{self.name} takes {takes}", {"given": f"{len(arrays)} by position"}))
        arrays = (*arrays, *(settings[name] for name in named))
        return arrays, {name: value for name, value in settings.items() if name not in named}

    def _require_declaration(self, takes_kept: bool) -> None:
        if takes_kept != bool(self.coupled):
            raise SettingError(f"{self.name}: coupled axes and the keyword `kept` go together")
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
    *, shapes: str, kinds: Sequence[str | By], source: str, claims: Claims | None = None, coupled: str = ""
) -> Callable[[Callable[..., Any]], Formula]:
    """Turn a function of (ops, arrays, *, keywords) into a `Formula`, and enter it into `FORMULAS`.

    Shapes    see `lossmith.shapes`; the class axis is the last one
    Coupled   the letters of the axes whose entries interact, where there are some
    Kinds     one name of `lossmith.domains.KINDS` for each array argument, or alternatives in the order of `shapes`
    Keywords  annotate them with `lossmith.settings` types or Literals: the annotation is the check
    Errors    SettingError for a declaration that does not fit the function, or a name that another module took
    """

    def declare(body: Callable[..., Any]) -> Formula:
        made = Formula(body, shapes=shapes, kinds=kinds, source=source, claims=claims, coupled=coupled)
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
