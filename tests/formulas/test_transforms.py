"""Every formula runs under what the frameworks do to functions, and gives the same values there.

The arguments come from what a formula declares, so that a new formula is tested without a line here.
"""

import jax
import keras
import numpy as np
import pytest
import tensorflow as tf
import torch
from inputs import alternatives, arguments, sized

from lossmith import formulas
from lossmith.shapes import batched
from lossmith.spec import FORMULAS

BATCH = (5,)
CASES = [(name, i) for name in formulas.__all__ for i in range(len(alternatives(FORMULAS[name])))]
each = pytest.mark.parametrize(("name", "choice"), CASES)
# Each is compiled in its face too (tests/torch_faces/test_torch_module.py): one of each module is compiled by itself.
BY_ITSELF = {FORMULAS[name].body.__module__: name for name in formulas.__all__}.values()
each_module = pytest.mark.parametrize(("name", "choice"), [case for case in CASES if case[0] in BY_ITSELF])


def given(name, choice):
    """A formula, its arguments in float32, its values by numpy and its gradient by plain torch."""
    made = FORMULAS[name]
    arrays = [a.astype("float32") if a.dtype.kind == "f" else a for a in arguments(made, BATCH, choice=choice)]
    tensors = [torch.tensor(a) for a in arrays]
    tensors[0].requires_grad_()
    (slope,) = torch.autograd.grad(made(*tensors).sum(), tensors[0])
    return made, arrays, made(*arrays), slope.numpy()


def same(got, want):
    np.testing.assert_allclose(np.asarray(got), want, rtol=2e-5, atol=1e-6)


def own(made):
    """Which arguments have the batch axis; the others are shared by the batch."""
    return [batched(patterns[0]) for patterns in made.shapes.arguments]


@each_module
def test_torch_compile_takes_it_as_one_graph(name, choice):
    made, arrays, values, slope = given(name, choice)
    tensors = [torch.tensor(a) for a in arrays]
    tensors[0].requires_grad_()
    torch.compiler.reset()
    total = torch.compile(lambda *x: made(*x), fullgraph=True, backend="aot_eager")(*tensors)
    same(total.detach(), values)
    same(torch.autograd.grad(total.sum(), tensors[0])[0], slope)


@each
def test_torch_func_maps_its_gradient_over_samples(name, choice):
    made, arrays, _, slope = given(name, choice)
    axes = tuple(0 if each else None for each in own(made))
    mapped = torch.func.vmap(torch.func.grad(lambda *x: made(*x).sum()), in_dims=axes)
    same(mapped(*(torch.tensor(a) for a in arrays)), slope)


@each
def test_torch_export_takes_any_length_of_batch(name, choice):
    made, arrays, values, _ = given(name, choice)
    module = type("Module", (torch.nn.Module,), {"forward": lambda self, *x: made(*x)})()
    tensors = tuple(torch.tensor(a) for a in arrays)
    batch = torch.export.Dim("batch", min=2)
    exported = torch.export.export(
        module, tensors, dynamic_shapes=(tuple({0: batch} if each else {} for each in own(made)),)
    )
    program = exported.module()
    same(program(*tensors), values)
    same(program(*(t[:3] if each else t for t, each in zip(tensors, own(made), strict=True))), values[:3])


@each
def test_torch_differentiates_it_twice(name, choice):
    made, arrays, _, _ = given(name, choice)
    tensors = [torch.tensor(a) for a in arrays]
    x = tensors[0].requires_grad_()
    (slope,) = torch.autograd.grad(made(*tensors).sum(), x, create_graph=True)
    curvature = torch.autograd.grad(slope.sum(), x)[0] if slope.requires_grad else torch.zeros_like(x)
    assert curvature.isfinite().all()


@each
def test_jax_compiles_and_maps_its_gradient(name, choice):
    made, arrays, values, slope = given(name, choice)
    axes = tuple(0 if each else None for each in own(made))

    def total(*x):
        result = made(*x)
        return result.sum(), result

    compiled = jax.jit(jax.vmap(jax.grad(total, has_aux=True), in_axes=axes))  # unmapped: in test_textbook.py
    for got, want in zip(compiled(*map(jax.numpy.asarray, arrays)), (slope, values), strict=True):
        same(got, want)


@each
def test_tensorflow_traces_it_for_an_unknown_batch(name, choice):
    """One of each module by XLA too, which takes most of the time."""
    made, arrays, values, slope = given(name, choice)
    shapes = [[None, *a.shape[1:]] if each else a.shape for a, each in zip(arrays, own(made), strict=True)]
    signature = [tf.TensorSpec(shape, a.dtype) for shape, a in zip(shapes, arrays, strict=True)]

    @tf.function(input_signature=signature, jit_compile=name in BY_ITSELF)
    def traced(*x):
        with tf.GradientTape() as tape:
            tape.watch(x[0])
            result = made(*x)
        return result, tape.gradient(result, x[0])

    got, got_slope = traced(*arrays)
    same(got, values)
    same(got_slope, slope)


@each
def test_a_symbolic_keras_tensor_gets_the_declared_shape(name, choice):
    made, arrays, values, _ = given(name, choice)
    pairs = list(zip(arrays, own(made), strict=True))
    symbols = [keras.Input(a.shape[1:], dtype=str(a.dtype)) if each else keras.Variable(a) for a, each in pairs]
    result = made(*symbols)
    assert result.shape == (None, *values.shape[1:])
    assert result.dtype == "float32"
    inputs = [symbol for symbol, each in zip(symbols, own(made), strict=True) if each]
    model = keras.Model(inputs, result)
    same(keras.ops.convert_to_numpy(model([tf.constant(a) for a, each in pairs if each])), values)


@each
def test_the_values_have_the_declared_shape_for_any_batch(name, choice):
    made = FORMULAS[name]
    for batch in ((), (2, 3), (0,), (3, 0, 2)):
        got = np.shape(made(*arguments(made, batch, choice=choice)))
        assert got == sized(made, made.shapes.result, batch)
