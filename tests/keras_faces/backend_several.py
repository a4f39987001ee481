"""Sums of losses and losses of several tasks on one back end of keras; run by `test_keras_backends.py`."""

from pathlib import Path

import keras
import numpy as np
import pytest
from keras_cases import named
from keras_cases.data import close, gradient

import lossmith.keras as faces
from lossmith.errors import SettingError, ShapeError
from lossmith.keras import (
    Combined,
    DynamicWeightAverage,
    FixedWeights,
    Huber,
    MeanAbsoluteError,
    MeanSquaredError,
    MultiTask,
    MultiTaskModel,
    RandomWeights,
    UncertaintyWeighting,
)

WEIGHT = np.array([1.0, 2.0, 0.5, 3.0, 1.5, 0.25], dtype="float32")
ours, theirs = Huber(delta=0.5), keras.losses.MeanAbsoluteError()


# sums


def test_a_sum_is_called_as_its_parts_and_adds_value_and_gradient():
    y_true, y_pred = named("mse").arrays()
    loss = 0.8 * ours + 0.2 * MeanSquaredError() - theirs
    for given in ({}, {"sample_weight": WEIGHT}, {"mask": WEIGHT > 1}):
        got = gradient(loss, y_true, y_pred, **given)
        each = [gradient(part, y_true, y_pred, **given) for part in (ours, MeanSquaredError(), theirs)]
        for i in range(2):
            close(got[i], 0.8 * each[0][i] + 0.2 * each[1][i] - each[2][i])
    close(loss.call(y_true, y_pred), 0.8 * ours.call(y_true, y_pred) + 0.2 * MeanSquaredError().call(y_true, y_pred)
          - theirs.call(y_true, y_pred))  # fmt: skip


def test_a_sum_is_shown_configured_and_its_reductions_agree():
    loss = 0.8 * Huber() - MeanAbsoluteError()
    assert repr(loss) == (
        "0.8 * Huber(delta=1.0, reduction='sum_over_batch_size') - MeanAbsoluteError(reduction='sum_over_batch_size')"
    )
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert repr(again) == repr(loss)
    assert again.name == "combined"
    with pytest.raises(SettingError, match="must have one reduction"):
        Huber(reduction="sum") + MeanAbsoluteError()
    with pytest.raises(SettingError, match="only a loss can be added"):
        Huber() + 1.0
    _, y_pred = named("scce logits").arrays()
    with pytest.raises(ShapeError, match="values of the parts must have one shape"):
        Combined([(1.0, keras.losses.MeanSquaredError(reduction="none")), (1.0, _each)])(y_pred, y_pred)


class Each(keras.losses.Loss):
    def call(self, y_true, y_pred):
        return y_true - y_pred


_each = Each(reduction="none")


def test_a_model_trains_with_a_sum_and_keeps_it_when_saved(tmp_path: Path):
    keras.utils.set_random_seed(0)
    y_true, _ = named("mse").arrays()
    x = np.random.default_rng(3).normal(size=(6, 5)).astype("float32")
    model = keras.Sequential([keras.layers.Dense(3)])
    face = 0.5 * Huber() + MeanSquaredError()
    model.compile("sgd", face, jit_compile=False)
    history = model.fit(x, y_true, epochs=3, verbose=0).history["loss"]
    assert history[-1] < history[0]
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert repr(again.loss) == repr(face)


# several tasks

TASKS = {"seg": "classification", "depth": "regression"}


def data():
    g = np.random.default_rng(0)
    x = g.normal(size=(12, 5)).astype("float32")
    return x, {"seg": g.integers(0, 3, 12), "depth": (x[:, :2] + 0.1).astype("float32")}


def tasks_of(weighting=None):
    seg = faces.SparseCategoricalCrossentropy(from_logits=True)
    return MultiTask({"seg": seg, "depth": MeanSquaredError()}, weighting)


def outputs(x):
    return {"seg": x[:, :3], "depth": 2.0 * x[:, 3:]}


def parts(y, p):
    seg = faces.SparseCategoricalCrossentropy(from_logits=True)(y["seg"], p["seg"])
    return [float(seg), float(MeanSquaredError()(y["depth"], p["depth"]))]


def number(x):
    return float(keras.ops.stop_gradient(x))


def model_of(weighting):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((5,))
    named = {"seg": keras.layers.Dense(3)(inputs), "depth": keras.layers.Dense(2)(inputs)}
    model = MultiTaskModel(keras.Model(inputs, named), tasks_of(weighting))
    model.compile(keras.optimizers.SGD(0.05), jit_compile=False)
    return model


def test_losses_are_added_weighed_and_told():
    x, y = data()
    p = outputs(x)
    seg, depth = parts(y, p)
    close(tasks_of()(y, p), seg + depth)
    total, terms = tasks_of(FixedWeights({"depth": 0.5, "seg": 2.0}))(y, p, return_terms=True)
    close(total, 2 * seg + 0.5 * depth)
    assert list(terms) == ["seg.loss", "depth.loss", "seg.weight", "depth.weight"]
    close(terms["depth.weight"], 0.5)
    weight = np.arange(12, dtype="float32")
    close(tasks_of()(y, p, sample_weight={"depth": weight}), seg + MeanSquaredError()(y["depth"], p["depth"], weight))


def test_uncertainty_is_what_the_paper_prints():
    x, y = data()
    p = outputs(x)
    seg, depth = parts(y, p)
    tasks = tasks_of(UncertaintyWeighting(TASKS, initial=0.5))
    close(keras.ops.stop_gradient(tasks(y, p)), np.exp(-0.5) * (seg + depth / 2) + 0.5)


def test_log_variances_are_trained_and_saved_with_the_model(tmp_path: Path):
    x, y = data()
    model = model_of(UncertaintyWeighting(TASKS))
    history = model.fit(x, y, epochs=4, verbose=0).history["loss"]
    assert history[-1] < history[0]
    learnt = {task: number(s.value) for task, s in model.tasks.weighting.log_variances.items()}
    assert all(s != 0 for s in learnt.values())
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert {task: number(s.value) for task, s in again.tasks.weighting.log_variances.items()} == learnt
    close(again.evaluate(x, y, verbose=0), model.evaluate(x, y, verbose=0))
    close(again.predict(x, verbose=0)["depth"], model.predict(x, verbose=0)["depth"])


def test_dynamic_weights_follow_the_epochs_of_fit_and_are_saved(tmp_path: Path):
    x, y = data()
    weighting = DynamicWeightAverage(temperature=0.5)
    model = model_of(weighting)
    model.fit(x, y, epochs=3, verbose=0, batch_size=6, callbacks=[weighting.on_epoch_end()])
    last, before = (np.asarray(keras.ops.convert_to_numpy(v)) for v in (weighting.last, weighting.before))
    assert np.isfinite(last).all()
    assert (last < before).all()
    powers = np.exp(last / before / 0.5)
    _, terms = model.tasks(y, outputs(x), return_terms=True)
    close([number(terms["seg.weight"]), number(terms["depth.weight"])], 2 * powers / powers.sum())
    assert number(weighting.count.value) == 0
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    close(again.tasks.weighting.last, last)


@pytest.mark.parametrize("distribution", ["normal", "dirichlet"])
def test_random_weights_are_drawn_in_training_alone(distribution):
    x, y = data()
    p = outputs(x)
    weights = lambda tasks, **more: [
        number(tasks(y, p, return_terms=True, **more)[1][f"{task}.weight"]) for task in TASKS
    ]
    tasks, same = (tasks_of(RandomWeights(seed=3, distribution=distribution)) for _ in range(2))
    assert weights(tasks) == [0.5, 0.5]
    drawn = [number(tasks(y, p, training=True)) for _ in range(3)]
    assert len(set(drawn)) == 3
    assert [number(same(y, p, training=True)) for _ in range(3)] == drawn
    history = model_of(RandomWeights(seed=3)).fit(x, y, epochs=2, verbose=0).history["loss"]
    assert history[0] != history[1]


def test_functions_and_names_are_losses_and_a_layer_comes_back_from_its_configuration():
    x, y = data()
    p = outputs(x)
    tasks = MultiTask({"seg": faces.SparseCategoricalCrossentropy(from_logits=True), "depth": "mse"})
    close(tasks(y, p), sum(parts(y, p)))
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(tasks))
    close(again(y, p), tasks(y, p))


def test_a_mask_of_a_layer_reaches_the_loss_of_its_task():
    x, y = data()
    keep = np.arange(12) % 3 != 0
    pred = keras.ops.convert_to_tensor(np.where(keep[:, None], 2.0 * x[:, 3:], np.nan).astype("float32"))
    keras.src.backend.set_keras_mask(pred, keras.ops.convert_to_tensor(keep))
    want = MeanSquaredError()(y["depth"][keep], 2.0 * x[keep, 3:])
    close(MultiTask({"depth": MeanSquaredError()})({"depth": y["depth"]}, {"depth": pred}), want)


def test_what_does_not_fit_is_refused():
    x, y = data()
    p = outputs(x)
    with pytest.raises(SettingError, match="MultiTask: y_true lacks the task 'depth'"):
        tasks_of()({"seg": y["seg"]}, p)
    with pytest.raises(SettingError, match="y_pred names a task 'dept'"):
        tasks_of()(y, {**p, "dept": x})
    with pytest.raises(SettingError, match="sample_weight names a task"):
        tasks_of()(y, p, sample_weight={"sag": WEIGHT})
    with pytest.raises(SettingError, match="weighting lacks the task 'depth'"):
        tasks_of(UncertaintyWeighting({"seg": "classification"}))
    with pytest.raises(SettingError, match="must be a Weighting"):
        tasks_of({"seg": 1.0})
    with pytest.raises(SettingError, match="must be a loss, a function or a name"):
        MultiTask({"a": MeanSquaredError})
    with pytest.raises(ShapeError, match="must give one number"):
        MultiTask({"a": MeanSquaredError(reduction="none")})({"a": x}, {"a": x})
    weighting = FixedWeights()
    tasks_of(weighting)
    with pytest.raises(SettingError, match="belongs to another MultiTask"):
        tasks_of(weighting)
