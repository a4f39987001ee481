"""A traced loss of JAX computes in every number system what it computes in JAX; what is not traced names its line."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lossmith.ops import balls, digits, series
from lossmith.ops import numpy as doubles
from lossmith.ops.ball import precision
from lossmith.trace import aten
from lossmith.trace.graph import TraceError
from lossmith.trace.jax import record

NUMBERS = [(0.37, 0.8), (-2.6, 0.1), (5.1, 1.0)]
ROW = np.array([[0.37, -0.61, 1.13]])
LABEL = np.array([1])

LOSSES = {
    "huber": lambda p, t: jnp.mean(jnp.where(jnp.abs(p - t) < 1, 0.5 * (p - t) ** 2, jnp.abs(p - t) - 0.5)),
    "bce": lambda p, t: jnp.mean(jax.nn.softplus(p) - t * p),
    "log cosh": lambda p, t: jnp.log(jnp.cosh(p - t)).mean(),
    "power": lambda p, t: (jnp.abs(p - t) ** 1.7).sum(),
    "sigmoid": lambda p, t: -(t * jnp.log(jax.nn.sigmoid(p))).mean(),
    "clip": lambda p, t: jnp.clip(p - t, -1.0, 2.0).sum(),
    "relu": lambda p, t: jax.nn.relu(1 - p * t).sum(),
    "maximum": lambda p, t: jnp.maximum(0.9 * (t - p), -0.1 * (t - p)).mean(),
    "inner jit": jax.jit(lambda p, t: jnp.tanh(p - t).mean()),
}
ROWS = {
    "gathered": lambda p: -jnp.take_along_axis(jax.nn.log_softmax(p, -1), LABEL[:, None], axis=-1).mean(),
    "one hot": lambda p: -(jax.nn.one_hot(LABEL, 3) * jax.nn.log_softmax(p, -1)).sum(-1).mean(),
    "logsumexp": lambda p: (jax.nn.logsumexp(p, -1) - p[0, 1]).mean(),
    "softmax": lambda p: ((jax.nn.softmax(p, -1) - 0.2) ** 2).sum(),
    "transposed": lambda p: (p.T * jnp.arange(3.0)[:, None]).sum(),
}
SYSTEMS = [(doubles, np.asarray), (digits.ops, digits.array), (balls.ops, balls.array), (series.ops, series.array)]


def number(x):
    entry = np.asarray(x).reshape(-1)[0]
    entry = entry.value.middle if isinstance(entry, balls.Jet) else entry
    return float(entry.terms[0].mid() if isinstance(entry, series.Series) else entry)


def misses(function, inputs, systems=SYSTEMS):
    """The number systems in which a replay differs from JAX."""
    found = []
    graph = record(function, inputs[0])
    with precision(), jax.enable_x64(True):
        want = [float(function(*(jnp.asarray(one) for one in given))) for given in inputs]
        for ops, make in systems:
            got = [number(graph.replay(ops, *(make(one) for one in given))) for given in inputs]
            found += [] if np.allclose(got, want, rtol=1e-12, atol=1e-13) else [(ops, got, want)]
    return found


@pytest.mark.parametrize("name", LOSSES)
def test_a_replay_agrees_with_jax(name):
    assert misses(LOSSES[name], [[np.array([x]), np.array([t])] for x, t in NUMBERS]) == []


@pytest.mark.parametrize("name", ROWS)
def test_a_replay_of_rows_agrees_with_jax(name):
    assert misses(ROWS[name], [[ROW]], SYSTEMS[:3]) == []


def test_the_tests_above_can_fail(monkeypatch):
    monkeypatch.setitem(aten.RULES, "abs", lambda on, x: x)
    assert misses(LOSSES["huber"], [[np.array([-3.0]), np.array([0.0])]]) != []


def branch(pred, target):
    if pred.sum() > 0:
        return jnp.mean((pred - target) ** 2)
    return jnp.mean(jnp.abs(pred - target))


def sorted_away(pred, target):
    return jnp.sort(pred - target)[0]


def held(pred, target):
    return (jax.lax.stop_gradient(pred - target) * (pred - target)).mean()


PAIR = [np.array([0.3]), np.array([0.1])]


def test_a_way_that_depends_on_numbers_is_refused():
    with pytest.raises(TraceError, match="cannot be traced"):
        record(branch, PAIR)


def test_an_operation_that_is_not_known_names_its_line():
    with pytest.raises(TraceError, match=rf"jax.sort cannot be replayed\n.*{Path(__file__).name}:"):
        record(sorted_away, PAIR)


def test_every_call_knows_its_line_and_where_the_gradient_is_cut():
    graph = record(held, PAIR)
    assert all(Path(__file__).name in call.place for call in graph.calls)
    assert graph.stopped == graph.calls[0].place


def test_only_the_log_softmax_of_jax_is_taken_whole():
    @jax.jit
    def log_softmax(x):
        return x - 2.0 * jnp.log(jnp.exp(x).sum(-1, keepdims=True))

    assert [call.name for call in record(jax.nn.log_softmax, [ROW]).calls] == ["_log_softmax"]
    assert "_log_softmax" not in {call.name for call in record(log_softmax, [ROW]).calls}
