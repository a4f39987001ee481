"""The mathematics of task weights, in every reader, against what the papers print."""

import numpy as np
import pytest

from lossmith import balance
from lossmith.balance.sums import named, shown
from lossmith.errors import SettingError
from readers import READERS

READ = [reader for reader in READERS if "float64" in reader.dtypes]
every_reader = pytest.mark.parametrize("reader", READ, ids=str)


def on(reader, *arrays):
    return [reader.make(np.asarray(a, dtype=float)) for a in arrays]


@every_reader
def test_uncertainty_is_the_surprisal_of_its_noise(reader):
    s, factors, losses = np.array([0.0, 1.5, -3.0]), np.array([0.5, 1.0, 0.5]), np.array([2.0, 0.3, 1e-3])
    with reader.scope():
        weights, offset = balance.uncertainty(reader.ops, *on(reader, s, factors))
        weights, offset = (reader.read(x).astype(float) for x in (weights, offset))
    sigma = np.exp(s / 2)
    printed = losses[[0, 2]] / (2 * sigma[[0, 2]] ** 2) + np.log(sigma[[0, 2]])  # Kendall et al., eq. 7
    printed = printed.sum() + losses[1] / sigma[1] ** 2 + np.log(sigma[1])  # and eq. 10
    np.testing.assert_allclose((weights * losses).sum() + offset, printed, rtol=1e-13)


@every_reader
def test_dynamic_weights_are_the_softmax_of_the_ratios(reader):
    last, before = np.array([1.0, 0.9, 0.1]), np.array([1.0, 1.0, 1.0])
    with reader.scope():
        got = reader.read(balance.dynamic_weights(reader.ops, *on(reader, last, before), 2.0)).astype(float)
    powers = np.exp(last / before / 2.0)
    np.testing.assert_allclose(got, 3 * powers / powers.sum(), rtol=1e-13)


@every_reader
@pytest.mark.parametrize(
    ("last", "before"),
    [([np.nan, np.nan], [np.nan, np.nan]), ([1.0, 2.0], [np.nan, np.nan]), ([1.0, np.inf], [0.0, 1.0])],
)
def test_a_ratio_that_says_nothing_counts_as_one(reader, last, before):
    with reader.scope():
        got = reader.read(balance.dynamic_weights(reader.ops, *on(reader, last, before), 2.0)).astype(float)
    assert got.tolist() == [1.0, 1.0]


@every_reader
def test_large_ratios_do_not_overflow(reader):
    with reader.scope():
        got = reader.read(balance.dynamic_weights(reader.ops, *on(reader, [1e6, 1.0], [1.0, 1.0]), 0.1)).astype(float)
    np.testing.assert_allclose(got, [2.0, 0.0])


@every_reader
@pytest.mark.parametrize(("distribution", "draws"), [("normal", [-1.0, 300.0, 299.0]), ("dirichlet", [0.5, 1.0, 2.5])])
def test_random_weights_sum_to_one(reader, distribution, draws):
    with reader.scope():
        got = reader.read(balance.random_weights(reader.ops, *on(reader, draws), distribution)).astype(float)
    want = np.exp(np.array(draws) - 300) if distribution == "normal" else np.array(draws)
    np.testing.assert_allclose(got, want / want.sum(), rtol=1e-13)


class Word(balance.Arithmetic):
    """A loss without a framework, to see how sums are written down."""

    def __init__(self, name, terms=None):
        self.name, self.terms = name, terms

    def __repr__(self):
        return self.name

    def _parts(self):
        return self.terms or ((1.0, self),)

    def _combine(self, terms):
        return Word("sum", terms)

    def _is_loss(self, other):
        return isinstance(other, complex)


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (lambda a, b: 0.8 * a + 0.2 * b, "0.8 * a + 0.2 * b"),
        (lambda a, b: 0.5 * (a + 2 * b), "0.5 * a + b"),
        (lambda a, b: a - 0.1 * b, "a - 0.1 * b"),
        (lambda a, b: -a / 4 + b, "-0.25 * a + b"),
        (lambda a, b: sum([a, b, a]), "a + b + a"),
        (lambda a, b: a + 2j, "a + 2j"),
        (lambda a, b: 2j - a, "-a + 2j"),
    ],
)
def test_a_sum_is_a_flat_list_of_terms_however_it_is_written(made, text):
    assert shown(made(Word("a"), Word("b"))._parts()) == text


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda a: a * a, "multiplied by a finite number"),
        (lambda a: a * float("nan"), "multiplied by a finite number"),
        (lambda a: True * a, "multiplied by a finite number"),
        (lambda a: a + 1.0, "only a loss can be added"),
        (lambda a: a / 0, "cannot be divided by 0"),
    ],
)
def test_what_is_no_sum_of_losses_is_refused(wrong, says):
    with pytest.raises(SettingError, match=says):
        wrong(Word("a"))


def test_parts_of_one_class_are_told_apart():
    assert named([Word("a"), 1.0, Word("b"), Word("c")]) == ["Word", "float", "Word_2", "Word_3"]


def test_a_task_that_is_missing_or_unknown_is_named():
    tasks = ("seg", "depth", "normals")
    balance.require_tasks("X", "targets", tasks, dict.fromkeys(tasks))
    for given, says in (
        (
            {"seg": 1},
            "X: targets lacks the tasks 'depth', 'normals'\n    tasks    seg, depth, normals\n    targets  seg",
        ),
        (dict.fromkeys([*tasks, "dept"]), "names a task 'dept'.*\n.*\n.*did you mean 'depth'"),
        ([1, 2, 3], "targets must be a dict by task"),
    ):
        with pytest.raises(SettingError, match=says):
            balance.require_tasks("X", "targets", tasks, given)
    for names in ({}, {"a.b": 1}, {"": 1}, {1: 1}, {"keys": 1}, [1]):
        with pytest.raises(SettingError):
            balance.require_names("X", names, taken=("keys",))
