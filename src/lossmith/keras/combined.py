"""Sums of losses, `0.8 * Huber() + 0.2 * MeanAbsoluteError()`; how they are added is in `lossmith.balance.sums`."""

from collections.abc import Sequence
from typing import Any, final

import keras

from lossmith import balance
from lossmith.balance.sums import common_reduction, named, shown
from lossmith.errors import SettingError, ShapeError, message
from lossmith.keras.align import Array


class Arithmetic(balance.Arithmetic):
    """What makes a keras face one that can be multiplied by a number and added to any keras loss."""

    def _combine(self, terms: balance.Terms) -> "Combined":
        return Combined(terms)

    def _is_loss(self, other: object) -> bool:
        return isinstance(other, keras.losses.Loss)


@final
@keras.saving.register_keras_serializable(package="lossmith")
class Combined(Arithmetic, keras.losses.Loss):
    """A weighted sum of losses: what `0.8 * Huber() + 0.2 * MeanAbsoluteError()` makes.

    It is called as its parts are and adds up their totals; it is saved with the model. A loss of keras or of your own
    can be a part; to weigh one alone, `Combined([(0.5, keras.losses.Poisson())])`. The parts reduce each by itself and
    must have one reduction; with "none" their values must have one shape.

    >>> loss = keras.losses.MeanSquaredError() + Combined([(2, keras.losses.MeanAbsoluteError())])
    >>> float(loss([[1.0, 0.0]], [[1.0, 2.0]]))
    4.0
    """

    def __init__(
        self, terms: Sequence[tuple[float, keras.losses.Loss]], *, name: str = "combined", dtype: Any = None
    ) -> None:
        if not terms or not all(isinstance(loss, keras.losses.Loss) for _, loss in terms):
            raise SettingError(message("Combined takes (weight, loss) pairs", fix="Combined([(0.8, Huber())])"))
        self.losses = tuple(loss for _, loss in terms)
        self.weights = tuple(float(weight) for weight, _ in terms)
        super().__init__(name=name, reduction=common_reduction(self.losses), dtype=dtype)

    def __call__(self, y_true: Array, y_pred: Array, sample_weight: Array | None = None) -> Array:
        """The weighted sum of what the parts give."""
        return self._sum([loss(y_true, y_pred, sample_weight) for loss in self.losses])

    def call(self, y_true: Array, y_pred: Array) -> Array:
        """The weighted sum of the values of the parts."""
        return self._sum([loss.call(y_true, y_pred) for loss in self.losses])

    @property
    def domains(self) -> dict[str, str]:
        """What y_true and y_pred may hold, by the first part that says it: the checker reads it."""
        each = (getattr(loss, "domains", None) for loss in self.losses)
        return next((dict(domains) for domains in each if isinstance(domains, dict)), {})

    @property
    def coupled(self) -> bool:
        """Whether the samples of a batch interact in one of the parts."""
        return any(bool(getattr(loss, "coupled", False)) for loss in self.losses)

    def get_config(self) -> dict[str, Any]:
        """The weights and the parts."""
        terms = [[w, keras.saving.serialize_keras_object(loss)] for w, loss in self._parts()]
        return {"name": self.name, "terms": terms}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Combined":
        terms = [(weight, keras.saving.deserialize_keras_object(loss)) for weight, loss in config["terms"]]
        return cls(terms, name=config["name"])

    def _sum(self, parts: list[Array]) -> Array:
        if any(tuple(part.shape) != tuple(parts[0].shape) for part in parts):
            shapes = {name: tuple(part.shape) for name, part in zip(named(self.losses), parts, strict=True)}
            raise ShapeError(message("Combined: the values of the parts must have one shape", shapes))
        return sum(weight * part for weight, part in zip(self.weights, parts, strict=True))

    def _parts(self) -> balance.Terms:
        return tuple(zip(self.weights, self.losses, strict=True))

    def __repr__(self) -> str:
        return shown(tuple((weight, _Word(loss)) for weight, loss in self._parts()))


class _Word:
    """A loss as a person writes it: keras's own repr is an address."""

    def __init__(self, loss: keras.losses.Loss) -> None:
        self.loss = loss

    def __repr__(self) -> str:
        kept = {k: v for k, v in self.loss.get_config().items() if k not in ("name", "dtype")}
        return f"{type(self.loss).__name__}({', '.join(f'{name}={value!r}' for name, value in kept.items())})"
