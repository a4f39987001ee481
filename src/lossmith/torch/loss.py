"""The base of every torch face: constructor, checks, masks, weights, reduction. It holds no mathematics.

    class HuberLoss(Loss, formula=formulas.huber):
        delta: float = 1.0

is a complete face. `HuberLoss(delta=2.0, reduction="sum")` has the signature that its annotations say, for editors
and type checkers too (PEP 681).

Shapes     the class axis is axis 1, or axis 0 of an unbatched prediction, as in torch.nn; formulas take it last
Dtype      the total has the prediction's dtype; under autocast it stays float32, as torch.nn's losses do
Ignored    `mask` and `ignore_index` remove an entry exactly, in value and gradient, whatever it holds
Reduction  none | sum | mean | weighted_mean: `mean` divides by the number of entries that count, `weighted_mean`
           by the sum of their weights; nothing left to count gives 0 with a zero gradient
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, ClassVar, dataclass_transform, get_args

import torch
from torch import Tensor, nn

from lossmith.criterion import Evaluated, evaluate, in_dtype, summarise
from lossmith.errors import DtypeError, SettingError, ShapeError, message
from lossmith.face import Declaration, declare, leading
from lossmith.kernels import OnePass, compiles, eager_of, freely, ignored_in, planned, rows_stay, stays, written_of
from lossmith.ops import Ops, reader_of
from lossmith.ops.torch import under_autocast
from lossmith.reduction import Reduction
from lossmith.settings import require_word
from lossmith.spec import Formula
from lossmith.torch.checked import MANY, checked
from lossmith.torch.combined import Arithmetic
from lossmith.torch.own_weights import expanded, of_class

_UNSAVED = ("_one_pass", "_written", "_plans")
_OWN = ("reduction", "ignore_index", "weight", "group", "exchange")
Total = Tensor | tuple[Tensor, dict[str, Tensor]]


@dataclass_transform(kw_only_default=True, eq_default=False, field_specifiers=(leading,))
class Face(Arithmetic, nn.Module):
    """What all torch faces share. A face derives from one of the bases below and names its formula.

    renamed, fixed, own, held   as in `lossmith.face`; a held setting is a buffer or a parameter of the module
    class_weight                the setting that holds one weight for each class, already part of the values
    """

    formula: ClassVar[Formula]
    declaration: ClassVar[Declaration | None] = None
    class_weight: ClassVar[str | None] = None
    takes: ClassVar[tuple[str, ...]] = ()  # the names of the arguments of `forward`
    _one_pass: ClassVar[OnePass | None] = None  # of an instance that was compiled
    _written: ClassVar[Formula | None] = None  # likewise, of a loss whose slope is written
    _plans: ClassVar[Mapping[Any, Callable[..., Tensor | None]]] = {}  # likewise, of one that was called
    reduction: Any  # each base below says which words

    def __init_subclass__(
        cls,
        *,
        formula: Formula | None = None,
        renamed: Mapping[str, str] | None = None,
        fixed: Mapping[str, Any] | None = None,
        own: Collection[str] = (),
        held: Mapping[str, str] | None = None,
        class_weight: str | None = None,
    ) -> None:
        super().__init_subclass__()
        if formula is None:
            return
        cls.formula, cls.class_weight = formula, class_weight
        cls.declaration = declare(
            cls, Face, formula.keywords, own=(*_OWN, *own), renamed=renamed or {}, fixed=fixed or {}, held=held
        )
        cls.__signature__ = cls.declaration.signature()
        for name in _tensors(cls.declaration):
            if name in vars(cls):
                delattr(cls, name)  # a class attribute would hide the buffer of the same name

    def __init__(self, *positional: object, **settings: Any) -> None:
        super().__init__()
        declared = self._declared()
        values = declared.fill(positional, settings)
        for name, note in declared.notes.items():
            require_word(declared.caller, name, values[name], note)
        for name, value in values.items():
            if name in declared.held.values() and not isinstance(value, Tensor):
                value = torch.as_tensor(value, dtype=torch.get_default_dtype())
            held = value is None or (isinstance(value, Tensor) and not isinstance(value, nn.Parameter))
            if name in _tensors(declared) and held:
                self.register_buffer(name, value)
            else:
                setattr(self, name, value)
        self._set_up()
        self.formula.check_settings(declared.caller, self._keywords())

    def _set_up(self) -> None:
        """What a face does with its settings once, such as to choose between two formulas by `vars(self)`."""

    def __setattr__(self, name: str, value: Any) -> None:
        vars(self).pop("_plans", None)
        super().__setattr__(name, value)

    @property
    def domains(self) -> dict[str, str]:
        """What the arguments of `forward` may hold, in the language of `lossmith.domains`: the checker reads it."""
        held = self._declared().held
        domains = zip(self.formula.arguments, self.formula.domains_for(**self._keywords()), strict=True)
        return dict(zip(self.takes, [text for name, text in domains if name not in held], strict=True))

    @property
    def coupled(self) -> bool:
        """Whether the samples of a batch interact."""
        return "N" in self.formula.coupled

    def compile(self, *args: Any, **options: Any) -> None:
        """From the next call on, compute total and gradient in one compiled kernel (`lossmith.kernels.one_pass`).

        The options are those of `torch.compile`. Losses of pairs and of large classes stay as they are: their kernels
        hold less than a compiled matrix would. So do Lovász losses and, on a CPU, cross-entropy with labels, unless
        they are smoothed and weighed at once: there what is written by hand is faster. Of SSIM, MS-SSIM and boxes,
        which would take minutes, and on a CPU of binary focal and of Dice, Jaccard and Tversky on logits with labels,
        what is written by hand is compiled; for SSIM and MS-SSIM only on a CPU, without a mask.
        `return_terms` is not compiled, nor is a copy of this module.
        """
        object.__setattr__(self, "_written", written_of(self.formula, **options))
        vars(self).pop("_plans", None)
        if compiles(self.formula):
            learns = any(True for _ in self.parameters())
            made = OnePass(self._total_alone, *args, module=self if learns else None, **options)
            object.__setattr__(self, "_one_pass", made)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in super().__getstate__().items() if name not in _UNSAVED}

    def extra_repr(self) -> str:
        return ", ".join(f"{name}={_shown(getattr(self, name))}" for name in self._declared().defaults)

    def _declared(self) -> Declaration:
        if self.declaration is None:
            raise SettingError(f"{type(self).__name__} is a base: a face names its formula in the class line")
        return self.declaration

    def _keywords(self) -> dict[str, Any]:
        """The formula's keywords as this instance sets them."""
        declared = self._declared()
        return {key: getattr(self, name) for name, key in declared.keywords.items()} | dict(declared.fixed)

    def _total(
        self,
        given: Sequence[Tensor],
        weight: Tensor | float | None,
        mask: Tensor | None,
        denominator: Tensor | float | None,
        return_terms: bool,
    ) -> Total:
        """The total as this instance computes it, compiled or not."""
        plain = weight is None and mask is None and denominator is None
        if self._one_pass is not None and not return_terms and not self._stays(given, plain):
            more = {"weight": weight, "mask": mask, "denominator": denominator}
            return self._one_pass(*given, scalar=self.reduction != "none", **more)
        total = self._at_once(given) if plain and not return_terms else None
        if total is not None:
            return total
        return self._computed(*given, weight=weight, mask=mask, denominator=denominator, return_terms=return_terms)

    def _at_once(self, given: Sequence[Tensor]) -> Tensor | None:
        """The total of a plain call in one go; None where it takes the formula.

        What shapes, dtypes and settings decide, checks included, is decided once and remembered.
        """
        if not freely(given):
            return None
        key = (*[x.shape for x in given], *[x.dtype for x in given], *[x.device for x in given])
        known = self._plans.get(key)
        if known is None:
            known = self._plan(given)
            if len(self._plans) >= MANY:
                vars(self).pop("_plans", None)
            vars(self).setdefault("_plans", {})[key] = known
        return known(*given)

    def _plan(self, given: Sequence[Tensor]) -> Callable[..., Tensor | None]:
        """Refuse what does not fit, and find how the total of such arrays is taken."""
        names, caller = self.takes, type(self).__name__
        arrays, names = self._with_held(names, self._laid_out(names, given))
        body = checked(self._written or self.formula, caller, arrays, names, self._keywords())
        if body is None or self._own_weight() is not None:
            return _nothing
        reduction, ignored = self._reduction(given[0]), self._ignored()

        def anew(*given: Tensor) -> Tensor | None:
            arrays, _ = self._with_held(self.takes, self._laid_out(self.takes, given))
            total = planned(body, arrays, self._keywords(), reduction=reduction, ignored=ignored)
            return None if total is None else total(*arrays)

        changes = self._declared().held or any(isinstance(x, Tensor) for x in self._keywords().values())
        if changes or any(array is not x for array, x in zip(arrays, given, strict=True)):
            return anew  # a tensor that is held may learn, or move
        return planned(body, arrays, self._keywords(), reduction=reduction, ignored=ignored) or _nothing

    def _stays(self, given: Sequence[Tensor], plain: bool) -> bool:
        """Whether what is written by hand is faster for these than one compiled pass."""
        alone = plain and rows_stay(self.formula, given, self._keywords())
        return alone or stays(self.formula, given[0].device)

    def _total_alone(self, *given: Tensor, **more: Any) -> Tensor:
        """What is compiled: the total without its terms."""
        total = self._computed(*given, **more)
        return total if isinstance(total, Tensor) else total[0]

    def _computed(
        self,
        *given: Tensor,
        weight: Tensor | float | None = None,
        mask: Tensor | None = None,
        denominator: Tensor | float | None = None,
        return_terms: bool = False,
    ) -> Total:
        """Check, take ignored entries out, compute, reduce."""
        caller, keywords, names = type(self).__name__, self._keywords(), self.takes
        require_tensors(caller, names, given)
        ops = reader_of(given[0])
        arrays, names = self._with_held(names, self._laid_out(names, given))
        checked(self._written or self.formula, caller, arrays, names, keywords)
        if mask is not None:
            mask = self._mask_laid_out(torch.as_tensor(mask, device=given[0].device))
        made = self._evaluated(ops, arrays, mask, keywords)
        values, inside = self._weighted(ops, made)
        total, terms = summarise(
            self._adding(ops, made.outcome.values),
            made,
            reduction=self._reduction(given[0]),
            weight=weight,
            denominator=denominator,
            normaliser=inside,
            values=values,
            caller=caller,
        )
        if not under_autocast(given[0].device.type):
            total, terms = ops.astype(total, given[0]), in_dtype(ops, terms, given[0])
        return (total, terms) if return_terms else total

    def _ignored(self) -> int | None:
        """The label that removes its entry, of a face that knows one."""
        found: Any = self.ignore_index if "ignore_index" in self._declared().defaults else None
        return found

    def _evaluated(
        self, ops: Ops[Tensor], arrays: Sequence[Tensor], mask: Tensor | None, settings: dict[str, Any]
    ) -> Evaluated[Tensor]:
        """The values of the arguments, without what is masked or ignored."""
        ignored, caller = self._ignored(), type(self).__name__
        names = self.formula.arguments
        if ignored is not None and "target" in names and not getattr(self, "group", None):
            ignored = ignored_in(arrays[names.index("target")], ignored)  # of a group all must mask, or none
        return evaluate(
            ops,
            eager_of(self._written or self.formula),
            arrays,
            mask=mask,
            ignored=ignored,
            caller=caller,
            settings=settings,
        )

    def _adding(self, ops: Ops[Tensor], values: Tensor) -> Ops[Tensor]:
        """The reader that adds the values up."""
        return ops

    def _with_held(self, names: Sequence[str], given: Sequence[Tensor]) -> tuple[Sequence[Tensor], Sequence[str]]:
        """The arguments of the formula in its order, and what to call them: those of `forward`, and those held."""
        held = self._declared().held
        if not held:
            return given, names
        rest = iter(zip(names, given, strict=True))
        pairs = [
            (held[name], getattr(self, held[name]).to(given[0].device)) if name in held else next(rest)
            for name in self.formula.arguments
        ]
        return [array for _, array in pairs], [name for name, _ in pairs]

    def _laid_out(self, names: Sequence[str], given: Sequence[Tensor]) -> Sequence[Tensor]:
        """The arguments of `forward` with their axes where the formula wants them."""
        return self._class_axis_last(names, given)

    def _mask_laid_out(self, mask: Tensor) -> Tensor:
        """The mask with its axes where the formula wants them."""
        return mask

    def _reduction(self, pred: Tensor) -> Reduction:
        """The word that `reduce` knows: "batchmean" is "mean" where torch.nn's two divisors agree with it."""
        if self.reduction != "batchmean":
            return self.reduction
        if pred.ndim != 2:
            raise ShapeError(
                message(
                    f"{type(self).__name__}: reduction 'batchmean' is for (N, C)",
                    {"input": tuple(pred.shape)},
                    why="torch.nn divides by the length of the first axis, whatever the others are",
                    fix="reduction='mean', which divides by the number of distributions",
                )
            )
        return "mean"

    def _class_axis_last(self, names: Sequence[str], given: Sequence[Tensor]) -> Sequence[Tensor]:
        """Move the classes from axis 1 to the last; labels have one axis less than the prediction, and no classes."""
        pred, target = given[0], given[-1]
        if self.formula.shapes.arguments[0][0] != ("...", "C") or pred.ndim <= 2:
            return given
        shape = tuple(pred.shape)
        patterns = dict(zip(self.formula.arguments, self.formula.shapes.arguments, strict=True))["target"]
        fitting = [shape if pattern[-1] == "C" else (shape[0], *shape[2:]) for pattern in patterns]
        if tuple(target.shape) not in fitting:
            wanted = " or ".join(map(str, fitting))
            raise ShapeError(
                message(
                    f"{type(self).__name__}: {names[-1]} must have the shape {wanted}",
                    {names[0]: shape, names[-1]: tuple(target.shape)},
                    why=f"axis 1 of the {names[0]} holds the classes",
                )
            )
        return [array.movedim(1, -1) if array.ndim == pred.ndim else array for array in given]

    def _weighted(self, ops: Ops[Tensor], made: Evaluated[Tensor]) -> tuple[Tensor | None, Tensor | None]:
        """The values with the weights that belong to the loss itself, and those weights for `weighted_mean`."""
        values: Tensor = made.outcome.values
        if self.class_weight is not None:
            weights = getattr(self, self.class_weight)
            if weights is None or self.reduction != "weighted_mean":
                return None, None
            where = self.formula.arguments.index("target")
            return None, of_class(ops, weights, values, made.arrays[where], made.kinds[where])
        own = self._own_weight()
        if own is None:
            return None, None
        own = expanded(type(self).__name__, own, values)
        return values * own, own

    def _own_weight(self) -> Tensor | None:
        """The weight of each value that was given when the loss was made, and is no part of the formula."""
        declared = self._declared()
        if "weight" in declared.keywords or "weight" in declared.held.values() or "weight" not in declared.defaults:
            return None
        return self._buffers["weight"]


class Loss(Face):
    """The base of a face that compares a prediction with a target."""

    takes = ("input", "target")
    reduction: Reduction = "mean"

    def forward(
        self,
        input: Tensor,
        target: Tensor,
        *,
        weight: Tensor | float | None = None,
        mask: Tensor | None = None,
        denominator: Tensor | float | None = None,
        return_terms: bool = False,
    ) -> Total:
        """The total; with reduction "none", the values.

        weight, mask   the shape of the values, or its leading part: one number for each sample
        mask           True or 1 where an entry counts; the others are removed, whatever they hold
        denominator    replaces the divisor, so that micro-batches add up to the whole batch
        return_terms   (total, {name: value}): the named parts of a loss that has some
        """
        return self._total((input, target), weight, mask, denominator, return_terms)


class PairLoss(Face):
    """The base of a face that compares two predictions, given what they should be to each other."""

    takes = ("input1", "input2", "target")
    reduction: Reduction = "mean"

    def forward(
        self,
        input1: Tensor,
        input2: Tensor,
        target: Tensor,
        *,
        weight: Tensor | float | None = None,
        mask: Tensor | None = None,
        denominator: Tensor | float | None = None,
        return_terms: bool = False,
    ) -> Total:
        """The total; the keywords as in `Loss.forward`."""
        return self._total((input1, input2, target), weight, mask, denominator, return_terms)


class ViewsLoss(Face):
    """The base of a face that compares two embeddings of each sample, of which the other samples are the background."""

    takes = ("input1", "input2")
    reduction: Reduction = "mean"

    def forward(
        self,
        input1: Tensor,
        input2: Tensor,
        *,
        weight: Tensor | float | None = None,
        mask: Tensor | None = None,
        denominator: Tensor | float | None = None,
        return_terms: bool = False,
    ) -> Total:
        """The total; the keywords as in `Loss.forward`. A masked sample is nobody's background either."""
        return self._total((input1, input2), weight, mask, denominator, return_terms)


def _nothing(*given: Tensor) -> None:
    """The plan of a call that takes the formula."""


def require_tensors(caller: str, names: Sequence[str], given: Sequence[object]) -> None:
    for name, array in zip(names, given, strict=True):
        if not isinstance(array, Tensor):
            found = {name: f"{type(array).__module__}.{type(array).__qualname__}"}
            raise DtypeError(message(f"{caller}: {name} must be a torch tensor", found, fix="torch.as_tensor(x)"))


def _tensors(declared: Declaration) -> list[str]:
    """The settings that may hold a tensor: buffers, as in torch.nn, also while they are None."""
    return [name for name, note in declared.notes.items() if Tensor in get_args(note)]


def _shown(value: object) -> str:
    return f"tensor of shape {tuple(value.shape)}" if isinstance(value, Tensor) else repr(value)
