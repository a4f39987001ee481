"""Several tasks at once: a loss for each, and weights between them; the mathematics is in `lossmith.balance`."""

from collections.abc import Callable, Mapping
from typing import Any, final

import keras
from keras import ops as kops

from lossmith import balance
from lossmith.errors import SettingError, ShapeError, message
from lossmith.keras.align import Array
from lossmith.keras.weighting import FixedWeights, Weighting, registered

Loss = keras.losses.Loss | Callable[[Array, Array], Array] | str


@final
@registered
class MultiTask(keras.layers.Layer):
    """A loss for each task, weighed against each other: a layer, so that what its weighting learns is a weight.

    `tasks(y_true, y_pred)` takes dicts by task and gives the total. `MultiTaskModel` trains a model with it; in a
    model of your own hold it as an attribute, and let `compute_loss` return `self.tasks(y, y_pred, training=training)`.

    losses      by task: a loss of ours, of keras or your own, a name, or a function of (y_true, y_pred)
    weighting   `FixedWeights`, `UncertaintyWeighting`, `DynamicWeightAverage`, `RandomWeights`, or a `Weighting` of
                your own; None gives every task the weight 1

    >>> tasks = MultiTask({"x": "mse", "y": "mae"}, weighting=FixedWeights({"x": 1.0, "y": 0.5}))
    >>> one, zero = keras.ops.array([[1.0, 3.0]]), keras.ops.array([[0.0, 0.0]])
    >>> float(tasks({"x": zero, "y": zero}, {"x": one, "y": one}))
    6.0
    """

    def __init__(self, losses: Mapping[str, Loss], weighting: Weighting | None = None, **kwargs: Any) -> None:
        super().__init__(**{"autocast": False, **kwargs})  # each loss takes its arrays in its own dtype
        balance.require_names("MultiTask", losses)
        if weighting is not None and not isinstance(weighting, Weighting):
            given = {"weighting": type(weighting).__name__}
            fix = "FixedWeights({...}), for numbers" if isinstance(weighting, Mapping) else None
            raise SettingError(message("MultiTask: weighting must be a Weighting", given, fix=fix))
        self.losses_by_task = {task: _loss(task, loss) for task, loss in losses.items()}
        self.weighting = weighting or FixedWeights()
        self.weighting.start(self.tasks)
        self.built = True

    @property
    def tasks(self) -> tuple[str, ...]:
        """Their names, in the order in which they were given."""
        return tuple(self.losses_by_task)

    def call(
        self,
        y_true: Mapping[str, Array],
        y_pred: Mapping[str, Array],
        sample_weight: Mapping[str, Array] | None = None,
        return_terms: bool = False,
        training: bool = False,
    ) -> Any:
        """The total; with `return_terms` also {"seg.loss": ..., "seg.weight": ...} for every task."""
        for what, given in (("y_true", y_true), ("y_pred", y_pred)):
            balance.require_tasks("MultiTask", what, self.tasks, given)
        weights = sample_weight or {}
        balance.require_known("MultiTask", "sample_weight", self.tasks, weights)
        each = {
            task: _total(task, loss, y_true[task], y_pred[task], weights.get(task))
            for task, loss in self.losses_by_task.items()
        }
        losses: Array = kops.stack([kops.cast(loss, "float32") for loss in each.values()])
        weigh, offset = self.weighting.weigh(losses, training)
        weighed: Array = weigh * losses
        total: Array = kops.sum(weighed)
        total = total + offset
        if not return_terms:
            return total
        terms = {f"{task}.loss": loss for task, loss in each.items()}
        return total, terms | {f"{task}.weight": weigh[i] for i, task in enumerate(each)}

    def compute_output_shape(self, *_: Any, **__: Any) -> tuple[int, ...]:
        return ()

    def get_config(self) -> dict[str, Any]:
        write = keras.saving.serialize_keras_object
        losses = {task: write(loss) for task, loss in self.losses_by_task.items()}
        return {**super().get_config(), "losses": losses, "weighting": write(self.weighting)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "MultiTask":
        read = keras.saving.deserialize_keras_object
        losses = {task: read(loss) for task, loss in config.pop("losses").items()}
        return cls(losses, read(config.pop("weighting")), **config)


@final
@registered
class MultiTaskModel(keras.Model):
    """A model with a dict of outputs, trained by a `MultiTask`: compile it without a loss and fit it to dicts.

    What the weighting learns is trained with the model's own weights, and saved with them.

    >>> inputs = keras.Input((3,))
    >>> model = keras.Model(inputs, {"x": keras.layers.Dense(1)(inputs), "y": keras.layers.Dense(2)(inputs)})
    >>> weighting = UncertaintyWeighting({"x": "regression", "y": "regression"})
    >>> trained = MultiTaskModel(model, MultiTask({"x": "mse", "y": "mse"}, weighting))
    >>> trained.compile("adam")
    >>> len(trained.trainable_weights)
    6
    """

    def __init__(self, model: keras.Model, tasks: MultiTask, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.model, self.tasks = model, tasks

    def call(self, inputs: Any, training: bool = False, mask: Any = None) -> Any:
        return self.model(inputs, training=training)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """The total of the tasks, and what layers have added to the model's own losses."""
        total = self.tasks(y, y_pred, sample_weight=sample_weight, training=training)
        for loss in self.losses:
            total = total + kops.cast(loss, "float32")
        return total

    def get_config(self) -> dict[str, Any]:
        write = keras.saving.serialize_keras_object
        return {**super().get_config(), "model": write(self.model), "tasks": write(self.tasks)}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> "MultiTaskModel":
        read = keras.saving.deserialize_keras_object
        return cls(read(config.pop("model")), read(config.pop("tasks")), **config)


def _loss(task: str, loss: Any) -> Any:
    """A loss or a function, by name too."""
    if not (isinstance(loss, (str, keras.losses.Loss)) or (callable(loss) and not isinstance(loss, type))):
        given = {task: getattr(loss, "__name__", repr(loss))}
        raise SettingError(message(f"MultiTask: the loss of {task!r} must be a loss, a function or a name", given))
    return keras.losses.get(loss)


def _total(task: str, loss: Any, y_true: Array, y_pred: Array, sample_weight: Array | None) -> Array:
    if not isinstance(loss, keras.losses.Loss):
        if sample_weight is not None:
            raise SettingError(f"MultiTask: the loss of {task!r} is a function, which takes no sample_weight")
        return kops.mean(loss(y_true, y_pred))
    total: Any = loss(y_true, y_pred, sample_weight)
    if len(total.shape):
        given = {"gives": tuple(total.shape)}
        raise ShapeError(message(f"MultiTask: the loss of {task!r} must give one number", given))
    return total
