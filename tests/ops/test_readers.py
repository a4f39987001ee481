"""Who reads what: the reader follows from the type of an array, and loading lossmith loads no framework."""

import subprocess
import sys

import jax
import jax.numpy as jnp
import keras
import mpmath
import numpy as np
import pytest
import tensorflow as tf
import torch
from mpmath import mpf

from judge import DTYPES
from lossmith.errors import DtypeError
from lossmith.ops import common_reader, digits, reader_of


class Marked(torch.Tensor):
    """A user's own subclass of Tensor."""


class Column(np.ndarray):
    """A user's own subclass of ndarray."""


OWNED = {
    "numpy": [np.zeros(2), np.float32(1.0), np.zeros(2).view(Column)],
    "torch": [torch.zeros(2), torch.nn.Parameter(torch.zeros(2)), torch.zeros(2).as_subclass(Marked)],
    "jax": [jnp.zeros(2)],
    "tensorflow": [tf.zeros(2), tf.Variable([1.0])],
    "keras": [keras.KerasTensor((2,)), keras.Variable([1.0])],
}


@pytest.mark.parametrize("name", OWNED)
def test_each_array_is_read_by_the_framework_that_owns_it(name):
    for array in OWNED[name]:
        assert reader_of(array).__name__ == f"lossmith.ops.{name}", type(array)


def test_tracers_are_read_by_their_framework_too():
    seen = []

    def look(x):
        seen.append(reader_of(x).__name__)
        return x

    jax.jit(look)(1.0)
    jax.grad(look)(1.0)
    jax.vmap(look)(jnp.ones(2))
    tf.function(look, autograph=False)(tf.constant(1.0))
    torch.func.grad(look)(torch.ones(()))
    assert seen == ["lossmith.ops.jax"] * 3 + ["lossmith.ops.tensorflow", "lossmith.ops.torch"]


@pytest.mark.parametrize("thing", [1.0, 1, [1.0], (1.0,), "1", None, {"a": 1}], ids=repr)
def test_what_is_no_array_is_refused(thing):
    with pytest.raises(DtypeError, match="is not an array that lossmith reads"):
        reader_of(thing)


def test_arrays_of_one_loss_share_a_reader():
    assert common_reader(np.zeros(1), torch.zeros(1)) is reader_of(torch.zeros(1))
    assert common_reader(np.zeros(1), np.float64(1.0)) is reader_of(np.zeros(1))
    assert common_reader(digits.array([1.0]), np.zeros(1)) is digits.ops
    with pytest.raises(DtypeError, match="one framework"):
        common_reader(jnp.zeros(1), np.zeros(1), torch.zeros(1))


def test_the_digits_reader_holds_fifty_digits_and_leaves_mpmath_alone():
    before = mpmath.mp.dps
    third = digits.ops.exp(digits.array([-1.0]))[0]
    assert mpmath.mp.dps == before
    with mpmath.workdps(80):
        assert abs(mpf(third) * mpmath.e - 1) < mpf(10) ** -49
        assert abs(mpf(third) * mpmath.e - 1) > mpf(10) ** -60, "not more than it says, or it would be slow"


def test_the_digits_reader_takes_numbers_exactly():
    with mpmath.workdps(40):
        fine = 1 + mpf(10) ** -30
    assert mpf(digits.array([fine])[0]) == fine
    assert mpf(digits.array(np.float32([0.1]))[0]) == mpf(float(np.float32(0.1)))
    assert mpf(digits.array(np.array([0.1], DTYPES["bfloat16"]))[0]) == mpf(float(DTYPES["bfloat16"].type(0.1)))


SYMBOLIC = {
    "abs": ((None, 3), lambda ops, x: ops.abs(x)),
    "softplus": ((None, 3), lambda ops, x: ops.softplus(x)),
    "where": ((None, 3), lambda ops, x: ops.where(x < 1.0, x, 0.0)),
    "minimum": ((None, 3), lambda ops, x: ops.minimum(x, 1.0)),
    "maximum": ((None, 3), lambda ops, x: ops.maximum(x, x)),
    "isfinite": ((None, 3), lambda ops, x: ops.isfinite(x)),
    "sum": ((), lambda ops, x: ops.sum(x)),
    "max": ((None, 1), lambda ops, x: ops.max(x, axis=-1, keepdims=True)),
    "argmax": ((None,), lambda ops, x: ops.argmax(x, axis=-1)),
    "logsumexp": ((None,), lambda ops, x: ops.logsumexp(x, axis=-1)),
    "expand_dims": ((None, 3, 1), lambda ops, x: ops.expand_dims(x, axis=-1)),
    "one_hot": ((None, 3), lambda ops, x: ops.one_hot(ops.argmax(x, axis=-1), x)),
    "full_like": ((None, 3), lambda ops, x: ops.full_like(x, 2.0)),
    "asarray": ((None, 3), lambda ops, x: ops.asarray(x, like=x)),
    "widen": ((None, 3), lambda ops, x: ops.widen(x)),
    "truth": ((None, 3), lambda ops, x: ~ops.truth(x) & ops.truth(x)),
    "stop_gradient": ((None, 3), lambda ops, x: ops.stop_gradient(x)),
    "size": ((), lambda ops, x: ops.size(x)),
    "count_nonzero": ((), lambda ops, x: ops.count_nonzero(x, x)),
}


@pytest.mark.parametrize("name", SYMBOLIC)
def test_symbolic_tensors_get_the_right_shape(name):
    shape, function = SYMBOLIC[name]
    x = keras.Input((3,))
    result = function(reader_of(x), x)
    assert isinstance(result, keras.KerasTensor)
    assert result.shape == shape


PROGRAM = """
import sys
import lossmith, lossmith.formulas, lossmith.reduction
import numpy
{more}
loaded = {{"torch", "jax", "tensorflow", "keras", "mpmath"}} & set(sys.modules)
print(sorted(loaded))
"""


@pytest.mark.parametrize(
    ("more", "loaded"),
    [("lossmith.formulas.huber(numpy.ones(1), numpy.ones(1))", "[]"), ("import mpmath", "['mpmath']")],
    ids=["a formula on numpy", "an import, which the test must see"],
)
def test_formulas_load_no_framework(more, loaded):
    done = subprocess.run([sys.executable, "-c", PROGRAM.format(more=more)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == loaded


def test_a_first_call_inside_torch_compile_finds_the_reader():
    program = (
        "import numpy, torch\n"
        "from lossmith import formulas\n"
        "f = torch.compile(lambda p, t: formulas.huber(p, t), fullgraph=True, backend='eager')\n"
        "print(f(torch.tensor([3.0]), torch.zeros(1)).item())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "2.5"
