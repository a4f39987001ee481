"""The base of every keras face: constructor, checks, masks, sample weights, reduction. It holds no mathematics.

    class Huber(Loss, formula=formulas.huber):
        delta: float = leading(default=1.0)

is a complete face, registered for saving, on the TensorFlow, JAX and torch back ends.

Shapes     an elementwise loss is averaged over the last axis, as in keras: (N, ..., D) gives values (N, ...)
           a prediction (N,) is N samples; keras averages it away, and multiplies its mean by each sample weight
           y_pred (N, 1) with y_true (N,) and the reverse is keras's habit and is taken: no two samples are mixed;
           anything that would broadcast is refused
Dtype      y_pred and y_true are taken in the loss's dtype, labels as integers; the total is in that dtype too
Ignored    entries masked by a layer (`_keras_mask`) or by `ignore_class` are removed exactly, in value and gradient;
           keras multiplies them by 0, so that a NaN among them spoils the batch
Reduction  "sum_over_batch_size" and "mean" divide by the number of values that count, "mean_with_sample_weight" by
           the sum of their weights; nothing left to count gives 0 with a zero gradient
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, dataclass_transform

import keras
from keras import ops as kops

from lossmith.criterion import Evaluated, evaluate, summarise
from lossmith.errors import SettingError
from lossmith.face import Declaration, declare, leading
from lossmith.keras.align import (
    Array,
    as_labels,
    as_tensor,
    mask_of,
    one_rank,
    rank,
    require_distribution,
    split_views,
    without_unit_axis,
)
from lossmith.keras.combined import Arithmetic
from lossmith.ops import Ops, common_reader
from lossmith.reduction import Reduction
from lossmith.settings import require_word
from lossmith.spec import Formula, Outcome

KerasReduction = Literal["sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none"] | None
_WORDS: dict[str | None, Reduction] = {
    "sum_over_batch_size": "mean",
    "mean": "mean",
    "mean_with_sample_weight": "weighted_mean",
    "sum": "sum",
    "none": "none",
    None: "none",
}
_BASE = ("reduction", "name", "dtype")
_OWN = (*_BASE, "from_logits", "label_smoothing", "axis", "ignore_class", "apply_class_balancing")


@dataclass_transform(kw_only_default=True, eq_default=False, field_specifiers=(leading,))
class Face(Arithmetic, keras.losses.Loss):
    """What all keras faces share. A face derives from `Loss` and names its formula.

    from_logits, label_smoothing, axis, ignore_class and apply_class_balancing are keras's settings, read here for
    every face that has them; renamed, fixed, differs, own and held are told in `lossmith.face`; `labels`: y_true holds
    class numbers, not distributions.
    """

    formula: ClassVar[Formula]
    labels: ClassVar[bool]
    declaration: ClassVar[Declaration | None] = None
    autograph_info__: ClassVar[dict[str, Any]] = {}  # for TensorFlow: here is nothing to rewrite, which takes seconds

    def __init_subclass__(
        cls,
        *,
        formula: Formula | None = None,
        renamed: Mapping[str, str] | None = None,
        fixed: Mapping[str, Any] | None = None,
        differs: Collection[str] = (),
        own: Collection[str] = (),
        held: Mapping[str, str] | None = None,
        labels: bool = False,
    ) -> None:
        super().__init_subclass__()
        if formula is None:
            return
        cls.formula, cls.labels = formula, labels
        by_logits = {"pred_is": "prob"} if hasattr(cls, "from_logits") else {}
        cls.declaration = declare(
            cls,
            Face,
            formula.keywords,
            own=[*(name for name in _OWN if name not in formula.keywords), *own],
            renamed=renamed or {},
            fixed={**by_logits, **(fixed or {})},
            differs=differs,
            held=held,
            further={"dtype": None},
        )
        cls.__signature__ = cls.declaration.signature()
        keras.saving.register_keras_serializable(package=cls.__module__.partition(".")[0])(cls)

    def __init__(self, *positional: object, **settings: Any) -> None:
        declared = self._declared()
        values = declared.fill(positional, settings)
        for setting, note in declared.notes.items():
            require_word(declared.caller, setting, values[setting], note)
        self._given_dtype = values.pop("dtype")
        name = values.pop("name") or _snake(declared.caller)
        super().__init__(name=name, reduction=values.pop("reduction"), dtype=self._given_dtype)
        for setting, value in values.items():
            setattr(self, setting, value)
        self._set_up()
        self.formula.check_settings(declared.caller, self._keywords())

    def __call__(self, y_true: Array, y_pred: Array, sample_weight: Array | None = None) -> Array:
        """The total; with reduction "none", the values.

        `sample_weight` has the shape of the values or its leading part, one number for each sample; a last axis of
        length 1 is dropped, as in keras.
        """
        with keras.name_scope(self.name):
            ops, made = self._evaluated(y_true, y_pred, mask_of(y_pred))
            total, _ = summarise(
                ops,
                made,
                reduction=_WORDS[self.reduction],
                weight=None if sample_weight is None else self._weight_of(sample_weight, made),
                caller=type(self).__name__,
            )
            total = kops.cast(total, self.dtype)
            return total if _WORDS[self.reduction] in ("none", "sum") else per_replica(total)

    def call(self, y_true: Array, y_pred: Array) -> Array:
        """The values, before sample weights and reduction."""
        return self._evaluated(y_true, y_pred, None)[1].outcome.values

    def _set_up(self) -> None:
        """What a face does with its settings once, such as to choose between two formulas by `vars(self)`."""

    @property
    def domains(self) -> dict[str, str]:
        """What y_true and y_pred may hold, in the language of `lossmith.domains`: the checker reads it."""
        declared = dict(zip(self.formula.arguments, self.formula.domains_for(**self._keywords()), strict=True))
        target = declared.pop("target", "index[N]")
        preds = [domain for name, domain in declared.items() if name not in self._declared().held]
        if len(preds) > 1:  # several embeddings come as one prediction
            return {"y_true": target, "y_pred": preds[0].replace("N,", f"N,{len(preds)},")}
        classes = not self.labels and self.formula.shapes.arguments[0][0] == ("...", "C")
        return {"y_true": "dist[N,C]" if classes else target, "y_pred": preds[0]}

    @property
    def coupled(self) -> bool:
        """Whether the samples of a batch interact."""
        return "N" in self.formula.coupled

    def get_config(self) -> dict[str, Any]:
        """Every setting, so that a saved model comes back with the loss it had."""
        names = [name for name in self._declared().defaults if name != "dtype"]
        config = {name: _plain(getattr(self, name)) for name in names}
        return config if self._given_dtype is None else {**config, "dtype": self.dtype}

    def _declared(self) -> Declaration:
        if self.declaration is None:
            raise SettingError(f"{type(self).__name__} is a base: a face names its formula in the class line")
        return self.declaration

    def _keywords(self) -> dict[str, Any]:
        """The formula's keywords as this instance sets them."""
        declared = self._declared()
        keywords = {key: getattr(self, name) for name, key in declared.keywords.items()} | dict(declared.fixed)
        from_logits = getattr(self, "from_logits", None)
        if from_logits is not None:
            keywords["pred_is"] = "logit" if from_logits else "prob"
        if not getattr(self, "apply_class_balancing", True):
            keywords["alpha"] = None
        return keywords

    def _evaluated(self, y_true: Array, y_pred: Array, mask: Array | None) -> tuple[Ops[Any], Evaluated[Any]]:
        """The reader, and the values with the mask that says which of them count."""
        caller, formula, keywords = type(self).__name__, self.formula, self._keywords()
        given = self._arrays(y_true, y_pred)
        arrays, names = self._with_held(given)
        ops = common_reader(*arrays)
        formula.check(caller, *arrays, names=names, **keywords)
        made = evaluate(
            ops,
            formula,
            arrays,
            mask=None if mask is None else self._mask_laid_out(mask, arrays[0]),
            ignored=getattr(self, "ignore_class", None),
            caller=caller,
            settings=keywords,
        )
        if formula.shapes.elementwise and not formula.coupled and rank(made.outcome.values) != 1:
            averaged: Any = kops.mean(made.outcome.values, axis=-1)
            made = replace(made, outcome=Outcome(averaged))
        return ops, made

    def _arrays(self, y_true: Array, y_pred: Array) -> tuple[Array, ...]:
        """The formula's arguments, in its order and without those held, with the class axis last."""
        caller, shapes = type(self).__name__, self.formula.shapes
        pred: Array = as_tensor(y_pred, self.dtype)
        views = [name for name in self.formula.arguments if name != "target" and name not in self._declared().held]
        if len(views) > 1 and "target" not in self.formula.arguments:
            return split_views(caller, pred, len(views))  # y_true may be None
        target = as_labels(y_true) if self.labels else as_tensor(y_true, self.dtype)
        if len(views) > 1:
            return (*split_views(caller, pred, len(views)), without_unit_axis(target, rank(pred) - 2))
        if shapes.elementwise:
            pred, target = one_rank(pred, target)
        elif self.labels:
            target = without_unit_axis(target, rank(pred) - 1)
        elif shapes.arguments[0][0] == ("...", "C"):
            require_distribution(caller, pred, target)
        axis = getattr(self, "axis", -1)
        if axis != -1:
            pred = kops.moveaxis(pred, axis, -1)
            target = target if self.labels else kops.moveaxis(target, axis, -1)
        return pred, self._smoothed(target, pred.shape[-1])

    def _with_held(self, given: Sequence[Array]) -> tuple[list[Array], list[str]]:
        """The arguments of the formula in its order, and what to call them."""
        held, formula = self._declared().held, self.formula
        views = [name for name in formula.arguments if name != "target" and name not in held]
        shown = {name: f"y_pred[..., {i}, :]" if len(views) > 1 else "y_pred" for i, name in enumerate(views)}
        shown = {**shown, "target": "y_true", **held}
        rest = iter(given)
        wide = "float64" if self.dtype == "float64" else "float32"  # what is held does not lose digits with y_pred
        arrays = [
            kops.convert_to_tensor(getattr(self, held[name]), dtype=wide) if name in held else next(rest)
            for name in formula.arguments
        ]
        return arrays, [shown[name] for name in formula.arguments]

    def _mask_laid_out(self, mask: Array, pred: Array) -> Array:
        """The mask of a layer as the formula wants it."""
        return without_unit_axis(kops.cast(mask, "bool"), max(rank(pred) - 1, self.formula.shapes.elementwise))

    def _weight_of(self, sample_weight: Array, made: Evaluated[Any]) -> Array:
        """Sample weights without the last axis that keras adds."""
        return without_unit_axis(sample_weight, rank(made.outcome.values))

    def _smoothed(self, target: Array, classes: int) -> Array:
        """Targets drawn towards the even distribution, for a formula that does not do it itself."""
        amount = getattr(self, "label_smoothing", 0.0)
        if not amount or self.labels or "label_smoothing" in self.formula.keywords:
            return target
        even = 0.5 if self.formula.shapes.elementwise else 1.0 / classes
        return target * (1.0 - amount) + amount * even


class Loss(Face):
    """The base of a face: a prediction and a target, `loss(y_true, y_pred, sample_weight=None)`."""

    reduction: KerasReduction = "sum_over_batch_size"
    name: str | None = None
    if TYPE_CHECKING:  # at run time `dtype` is keras's property
        dtype: Any = None


def reduction_of(word: str | None) -> Reduction:
    """The word that `reduce` knows."""
    return _WORDS[word]


def per_replica(total: Array) -> Array:
    """Under tf.distribute each replica holds a part of the batch, and keras adds their means up."""
    if keras.backend.backend() != "tensorflow":
        return total
    import tensorflow as tf

    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    return total / replicas if replicas > 1 else total


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def _plain(value: Any) -> Any:
    """A setting as JSON holds it: arrays as lists."""
    if not hasattr(value, "shape"):
        return value
    array: Any = kops.convert_to_numpy(value)
    return array.tolist()
