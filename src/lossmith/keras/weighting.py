"""How several tasks are weighed; the mathematics is in `lossmith.balance`.

A weighting is a layer that belongs to one `MultiTask`, which tells it the tasks once, by `start`. Its variables are
trained and saved with the model that holds it.
"""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, final

import keras
from keras import ops as kops

from lossmith import balance
from lossmith.errors import SettingError, message
from lossmith.keras.align import Array
from lossmith.ops import keras as reader
from lossmith.settings import Interval, Positive, Rule, require_settings, require_word

registered = keras.saving.register_keras_serializable(package="lossmith")
FINITE = Rule(Interval("a finite number", open_low=True, open_high=True))
ops: Any = reader


class Weighting(keras.layers.Layer):
    """The base of a weighting."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.tasks: tuple[str, ...] = ()

    def start(self, tasks: tuple[str, ...]) -> None:
        """Take the tasks of the loss that this weighting belongs to."""
        if self.tasks:
            given = {"weighs": ", ".join(self.tasks), "asked for": ", ".join(tasks)}
            raise SettingError(message(f"{type(self).__name__} belongs to another MultiTask", given))
        self._set_up(tasks)
        self.tasks = tasks
        self.built = True

    @abstractmethod
    def _set_up(self, tasks: tuple[str, ...]) -> None:
        """Make what depends on the number of tasks."""

    @abstractmethod
    def weigh(self, losses: Array, training: bool) -> tuple[Array, Array | float]:
        """The weights for these losses, one vector, and what is added to the weighted sum."""


@final
@registered
class FixedWeights(Weighting):
    """The weights that are given, one for each task; without any, all are 1.

    >>> FixedWeights({"seg": 1.0, "depth": 0.5}).given
    {'seg': 1.0, 'depth': 0.5}
    """

    def __init__(self, weights: Mapping[str, float] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if weights is not None:
            balance.require_names("FixedWeights", weights)
            require_settings("FixedWeights", dict.fromkeys(weights, FINITE), tuple(weights), weights)
        self.given = None if weights is None else dict(weights)

    def _set_up(self, tasks: tuple[str, ...]) -> None:
        if self.given is not None:
            balance.require_tasks("MultiTask", "weighting", tasks, self.given)

    def weigh(self, losses: Array, training: bool) -> tuple[Array, Array | float]:
        given = self.given or dict.fromkeys(self.tasks, 1.0)
        return kops.convert_to_tensor([float(given[task]) for task in self.tasks], dtype=losses.dtype), 0.0

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "weights": None if self.given is None else dict(self.given)}


@final
@registered
class UncertaintyWeighting(Weighting):
    """Weights learnt as the noise of each task: exp(-s) L / 2 + s / 2, or exp(-s) L + s / 2 for a classification.

    The log-variances s are trainable weights of the layer. The total may be negative, and falls without bound as a
    loss goes to 0.

    forms     what each task is: "regression" with a squared error, or "classification" with a cross-entropy
    initial   the log-variance that each task starts with

    >>> UncertaintyWeighting({"seg": "classification", "depth": "regression"}).log_variances["seg"].name
    'log_variance_seg'
    """

    def __init__(self, forms: Mapping[str, balance.Form], *, initial: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        balance.require_names("UncertaintyWeighting", forms)
        for task, form in forms.items():
            require_word("UncertaintyWeighting", f"the form of {task!r}", form, balance.Form)
        require_settings("UncertaintyWeighting", {"initial": FINITE}, ("initial",), {"initial": initial})
        self.forms, self.initial = dict(forms), initial
        start: Any = keras.initializers.Constant(initial)
        self.log_variances = {
            task: self.add_weight(shape=(), initializer=start, dtype="float32", name=f"log_variance_{task}")
            for task in forms
        }

    def _set_up(self, tasks: tuple[str, ...]) -> None:
        balance.require_tasks("MultiTask", "weighting", tasks, self.forms)

    def weigh(self, losses: Array, training: bool) -> tuple[Array, Array | float]:
        variances: Array = kops.stack([kops.cast(self.log_variances[task], losses.dtype) for task in self.tasks])
        factors = [balance.FACTORS[self.forms[task]] for task in self.tasks]
        return balance.uncertainty(ops, variances, kops.convert_to_tensor(factors, dtype=losses.dtype))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "forms": dict(self.forms), "initial": self.initial}


@final
@registered
class DynamicWeightAverage(Weighting):
    """Weights that follow how fast each loss falls from epoch to epoch: give `fit` the callback of `on_epoch_end`.

    All are 1 in the first two epochs. The mean losses are variables, saved with the model; they are gathered in
    training alone. In a loop of your own call `end_epoch()` after each epoch.

    temperature   far above 1 it evens the weights out

    >>> DynamicWeightAverage(temperature=2.0).temperature
    2.0
    """

    def __init__(self, temperature: float = 2.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        rule = Rule(Positive.__metadata__[0])  # pyright: ignore[reportAttributeAccessIssue]
        require_settings("DynamicWeightAverage", {"temperature": rule}, ("temperature",), {"temperature": temperature})
        self.temperature = temperature

    def _set_up(self, tasks: tuple[str, ...]) -> None:
        unknown: Any = keras.initializers.Constant(float("nan"))
        make = lambda name, start, shape: self.add_weight(  # noqa: E731
            shape=shape, initializer=start, dtype="float32", trainable=False, name=name
        )
        self.sums, self.count = make("sums", "zeros", (len(tasks),)), make("count", "zeros", ())
        self.last, self.before = make("last", unknown, (len(tasks),)), make("before", unknown, (len(tasks),))

    def weigh(self, losses: Array, training: bool) -> tuple[Array, Array | float]:
        if training:
            self.sums.assign_add(kops.cast(kops.stop_gradient(losses), "float32"))
            self.count.assign_add(1.0)
        weights = balance.dynamic_weights(ops, _value(self.last), _value(self.before), self.temperature)
        return kops.cast(weights, losses.dtype), 0.0

    def end_epoch(self) -> None:
        """Take the mean losses of the epoch; an epoch without a step changes nothing."""
        count, last, sums = (_value(variable) for variable in (self.count, self.last, self.sums))
        mean = sums / kops.maximum(count, 1.0)
        self.before.assign(kops.where(count > 0, last, _value(self.before)))
        self.last.assign(kops.where(count > 0, mean, last))
        self.sums.assign(kops.zeros_like(mean))
        self.count.assign(0.0)

    def on_epoch_end(self) -> keras.callbacks.Callback:
        """The callback that ends the epochs of `fit`."""
        return keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: self.end_epoch())

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "temperature": self.temperature}


@final
@registered
class RandomWeights(Weighting):
    """Weights drawn anew in each step of training; they sum to 1. In evaluation all are 1 / K.

    seed           of the layer's own `keras.random.SeedGenerator`
    distribution   normal: softmax of normal draws, as in the paper; dirichlet: even over all weights

    >>> RandomWeights(seed=1).distribution
    'normal'
    """

    def __init__(self, seed: int = 0, *, distribution: balance.Distribution = "normal", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        require_word("RandomWeights", "distribution", distribution, balance.Distribution)
        if not isinstance(seed, int):
            raise SettingError(message("RandomWeights: seed must be a whole number", {"seed": repr(seed)}))
        self.seed = seed
        self.distribution: balance.Distribution = distribution
        self.seeds = keras.random.SeedGenerator(seed)

    def _set_up(self, tasks: tuple[str, ...]) -> None:
        """Nothing depends on the tasks but the number of draws."""

    def weigh(self, losses: Array, training: bool) -> tuple[Array, Array | float]:
        if not training:
            return kops.full_like(losses, 1.0 / len(self.tasks)), 0.0
        shape = (len(self.tasks),)
        draws: Array = (
            keras.random.normal(shape, dtype=losses.dtype, seed=self.seeds)
            if self.distribution == "normal"
            else -kops.log1p(-keras.random.uniform(shape, dtype=losses.dtype, seed=self.seeds))  # type: ignore
        )
        return balance.random_weights(ops, draws, self.distribution), 0.0

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "seed": self.seed, "distribution": self.distribution}


def _value(variable: keras.Variable) -> Array:
    return kops.convert_to_tensor(variable)
