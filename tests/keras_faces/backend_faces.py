"""The keras faces on one back end. `test_keras_backends.py` runs this file once for each, in a process of its own."""

import doctest
import importlib
import inspect
from pathlib import Path

import keras
import numpy as np
import pytest
from keras_cases import CASES, named, telling
from keras_cases.data import N, close, gradient

import lossmith.keras as faces
from whole import WHOLE

REDUCTIONS = ("sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none", None)
WEIGHT = np.array([1.0, 2.0, 0.5, 3.0, 1.5, 0.25], dtype="float32")
KEEP = np.array([True, False, True, True, False, True])
# A formula is held to its textbook in every framework without keras (tests/formulas). Where compiling or tracing takes
# most of the time, a test runs every way through the code of the faces in place of every formula.
TELLING = CASES if WHOLE else telling()
FACES = CASES if keras.backend.backend() == "torch" else TELLING
WITH_KERAS = [case for case in FACES if case.keras is not None]
# averaged over axis 0, each value holds an entry of every sample: none can be taken out alone
BY_SAMPLE = [case for case in FACES if case.name != "bce axis"]
# how values are reduced, and what the entries hold that are left out; jax compiles each anew, and gets one of them
LEFT_OUT = [("sum_over_batch_size", np.nan), ("sum", np.inf), ("mean_with_sample_weight", -1e30)]
LEFT_OUT = LEFT_OUT[:1] if keras.backend.backend() == "jax" else LEFT_OUT
every_case = pytest.mark.parametrize("case", FACES, ids=lambda case: case.name)
every_keras_case = pytest.mark.parametrize("case", WITH_KERAS, ids=lambda case: case.name)
every_sampled_case = pytest.mark.parametrize("case", BY_SAMPLE, ids=lambda case: case.name)


def agree(case, ours, theirs, **given):
    y_true, y_pred = case.arrays()
    (value, grad), (wanted, wanted_grad) = (gradient(loss, y_true, y_pred, **given) for loss in (ours, theirs))
    close(value, wanted)
    if case.name in ("cce", "scce", "cfocal"):  # keras divides rows by their sum: the slopes differ by a constant
        grad, wanted_grad = (_along_the_simplex(y_pred, g) for g in (grad, wanted_grad))
    close(grad, wanted_grad)


def _along_the_simplex(prob, grad):
    """The gradient in the logits of the probabilities."""
    return prob * (grad - (prob * grad).sum(-1, keepdims=True))


@every_keras_case
def test_a_face_is_the_loss_of_keras_that_has_its_name(case):
    agree(case, case.make(), case.keras())
    agree(case, case.make(), case.keras(), sample_weight=weights_for(case))


@every_keras_case
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_a_reduction_is_that_of_keras(case, reduction):
    ours, theirs = case.make(reduction=reduction), case.keras(reduction=reduction)
    for weight in (None, weights_for(case)):
        close(ours(*case.arrays(), weight), theirs(*case.arrays(), weight))


def weights_for(case):
    """One weight for each value, some of them 0."""
    return np.resize(np.array([1.0, 2.0, 0.0, 3.0, 0.5], "float32"), each_shape(case))


def each_shape(case):
    """The shape of the values of a case that are not reduced; nothing is computed for it."""
    return tuple(case.make(reduction="none")(*_symbols(case)).shape)


def _symbols(case):
    return [keras.KerasTensor(array.shape, dtype=str(array.dtype)) for array in case.arrays()]


def test_the_comparison_can_fail():
    with pytest.raises(AssertionError):
        agree(named("huber"), faces.Huber(0.51), keras.losses.Huber(0.5))


def test_every_face_has_a_case_and_keras_name_and_defaults():
    made = {type(case.make()).__name__ for case in CASES}
    declared = {name for name in faces.__all__ if getattr(getattr(faces, name), "declaration", None) is not None}
    assert made == declared
    for name in made & set(dir(keras.losses)):
        ours, theirs = inspect.signature(getattr(faces, name)), inspect.signature(getattr(keras.losses, name))
        wanted = {key: p.default for key, p in theirs.parameters.items()} | {"name": None}
        have = {key: p.default for key, p in ours.parameters.items()} | {"name": None}
        assert {key: have[key] for key in wanted if key in have} == wanted
        further = [ours.parameters[key] for key in have if key not in wanted]
        assert all(p.kind is inspect.Parameter.KEYWORD_ONLY for p in further)
        assert getattr(faces, name)().name == getattr(keras.losses, name)().name


@every_sampled_case
@pytest.mark.parametrize(("reduction", "bad"), LEFT_OUT)
def test_a_masked_sample_is_removed_whatever_it_holds(case, reduction, bad):
    require_removed(case, case.make(reduction=reduction), bad)


def require_removed(case, loss, bad):
    y_true, y_pred = case.arrays()
    less, full = ({"sample_weight": w} if each_shape(case)[:1] == (N,) else {} for w in (WEIGHT[KEEP], WEIGHT))
    want, want_grad = gradient(loss, y_true[KEEP], y_pred[KEEP], **less)
    y_true, y_pred = y_true.copy(), y_pred.copy()
    y_pred[~KEEP] = bad
    y_true[~KEEP] = bad if y_true.dtype.kind == "f" else 10**6
    value, grad = gradient(loss, y_true, y_pred, mask=KEEP, **full)
    close(value, want, rtol=1e-5)
    assert not grad[~KEEP].any()
    close(grad[KEEP], want_grad, rtol=1e-5)


@pytest.mark.parametrize("name", ["mse", "bce logits", "cce logits"])
def test_the_test_of_masks_can_fail(name):
    case = named(name)
    with pytest.raises(AssertionError):
        require_removed(case, case.keras(), np.nan)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_an_ignored_class_is_removed_whatever_its_prediction_holds(bad):
    y_true, y_pred = named("scce steps").arrays()
    y_true, broken = np.where(y_true == 2, -7, y_true), np.where((y_true == 2)[..., None], bad, y_pred)
    assert (y_true == -7).any()
    loss = faces.SparseCategoricalCrossentropy(from_logits=True, ignore_class=-7)
    value, grad = gradient(loss, y_true, broken.astype("float32"))
    want = faces.SparseCategoricalCrossentropy(from_logits=True)(y_true[y_true >= 0], y_pred[y_true >= 0])
    close(value, want)
    assert not grad[y_true == -7].any()
    assert grad[y_true >= 0].all()


@every_sampled_case
@pytest.mark.parametrize(("reduction", "bad"), LEFT_OUT)
def test_nothing_left_gives_zero_with_a_zero_gradient(case, reduction, bad):
    y_true, y_pred = case.arrays()
    loss = case.make(reduction=reduction)
    value, grad = gradient(loss, y_true, np.full_like(y_pred, bad), mask=np.zeros(N, bool))
    assert value == 0
    assert not grad.any()
    assert gradient(loss, y_true[:0], y_pred[:0])[0] == 0.0


@every_case
def test_a_configuration_brings_the_loss_back(case):
    loss = case.make(reduction="sum")
    again = type(loss).from_config(loss.get_config())
    written = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    for other in (again, written):
        assert type(other) is type(loss)
        assert other.get_config() == loss.get_config()
        one, same = (keras.ops.convert_to_numpy(each(*case.arrays())) for each in (other, loss))
        assert one == same


@pytest.mark.parametrize("name", ["huber", "scce logits", "cfocal logits"])
def test_a_model_trains_with_a_face_and_keeps_it_when_saved(tmp_path: Path, name):
    keras.utils.set_random_seed(0)
    case = named(name)
    y_true, y_pred = case.arrays()
    x = np.random.default_rng(3).normal(size=(N, 5)).astype("float32")
    face = case.make()
    model = keras.Sequential([keras.layers.Dense(y_pred.shape[-1])])
    jit = keras.backend.backend() != "torch"  # there it needs a C++ compiler; the next test compiles without one
    model.compile("sgd", face, jit_compile=jit)
    history = model.fit(x, y_true, sample_weight=WEIGHT, epochs=5, verbose=0).history["loss"]
    assert history[-1] < history[0]
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert type(again.loss) is type(face)
    assert again.loss.get_config() == face.get_config()
    close(again.evaluate(x, y_true, verbose=0), face(y_true, model(x)), rtol=1e-4)


@pytest.mark.parametrize("case", TELLING, ids=lambda case: case.name)
def test_a_face_compiles_and_computes_the_same(case):
    y_true, y_pred = (keras.ops.convert_to_tensor(array) for array in case.arrays())
    loss = case.make()
    close(_compiled(lambda a, b: loss(a, b))(y_true, y_pred), loss(y_true, y_pred), rtol=1e-5)


def _compiled(call):
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.function(call, jit_compile=True)
    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(call)
    import torch

    torch._dynamo.reset()
    return torch.compile(call, backend="eager", fullgraph=True)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_symbolic_tensors_give_the_shape(case):
    """Every face there is, on each back end: none fails to run there at all."""
    loss = case.make(reduction="none")
    assert tuple(loss(*_symbols(case)).shape) == tuple(loss(*case.arrays()).shape)
    assert case.make(reduction="sum")(*_symbols(case)).shape == ()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@every_case
def test_half_precision_sums_in_float32_and_rounds_once(case, dtype):
    y_true, y_pred = (array if array.dtype.kind == "i" else _rounded(array, dtype) for array in case.arrays())
    half = case.make(dtype=dtype, reduction="sum")(y_true, y_pred)
    assert keras.backend.standardize_dtype(half.dtype) == dtype
    wide = case.make(reduction="sum")(y_true, y_pred)
    if "label_smoothing" not in case.make().get_config():  # smoothed targets are rounded to the dtype first
        np.testing.assert_array_equal(
            keras.ops.convert_to_numpy(keras.ops.cast(half, "float32")),
            keras.ops.convert_to_numpy(keras.ops.cast(keras.ops.cast(wide, dtype), "float32")),
        )


def _rounded(array, dtype):
    return keras.ops.convert_to_numpy(keras.ops.cast(keras.ops.cast(array, dtype), "float32"))


def test_saturated_probabilities_are_exact_where_keras_clips():
    y_true, y_pred = np.array([[1.0, 1.0]], "float32"), np.array([[1e-20, 1.0]], "float32")
    close(faces.BinaryCrossentropy()(y_true, y_pred), 0.5 * 20 * np.log(10.0))
    assert float(faces.BinaryCrossentropy()(np.ones((1, 1)), np.zeros((1, 1)))) == np.inf
    value, grad = gradient(faces.BinaryFocalCrossentropy(gamma=0.5), y_true, np.array([[1.0, 0.5]], "float32"))
    assert np.isfinite(value)
    assert np.isfinite(grad).all()
    assert grad[0, 0] == 0


def test_a_mask_from_a_layer_reaches_the_loss():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((5,), dtype="int32")
    hidden = keras.layers.Embedding(7, 3, mask_zero=True)(inputs)
    model = keras.Model(inputs, keras.layers.Dense(2)(hidden))
    tokens = np.array([[1, 2, 0, 0, 0], [3, 0, 0, 0, 0]])
    target = np.where((tokens > 0)[..., None], np.ones((2, 5, 2)), np.nan).astype("float32")
    face = faces.MeanSquaredError()
    model.compile("sgd", face)
    want = np.mean((np.asarray(keras.ops.convert_to_numpy(model(tokens)))[tokens > 0] - 1.0) ** 2)
    close(model.evaluate(tokens, target, verbose=0), want, rtol=1e-4)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="tf.distribute is tensorflow's")
def test_replicas_share_the_mean_as_in_keras():
    import tensorflow as tf

    y_true, y_pred = CASES[0].arrays()
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    for reduction in ("sum", "mean"):
        with strategy.scope():
            ours = faces.MeanSquaredError(reduction=reduction)(y_true, y_pred)
            theirs = keras.losses.MeanSquaredError(reduction=reduction)(y_true, y_pred)
        close(ours, theirs)
    assert strategy.num_replicas_in_sync == 2


FAMILIES = sorted({getattr(faces, name).__module__.rpartition(".")[2] for name in faces.__all__} - {"loss"})
if not WHOLE and keras.backend.backend() != "torch":  # what they print is the same on each
    FAMILIES = FAMILIES[::4]


@pytest.mark.parametrize("family", FAMILIES)
def test_each_example_runs(family):
    module = importlib.import_module(f"lossmith.keras.{family}")
    failed, tried = doctest.testmod(module)
    assert tried
    assert not failed
