"""Balls and series enclose what fifty digits say: value, slope and bend, of every operation and every formula."""

import numpy as np
import pytest

from lossmith import formulas  # noqa: F401  (registers them)
from lossmith.ops import ball, balls, digits, series
from lossmith.ops.ball import Ball, around, precision
from lossmith.ops.balls import Jet, Questions, Undecided, moving
from lossmith.ops.digits import context
from lossmith.prove.slice import Slice
from lossmith.prove.slices import elementwise, is_elementwise
from lossmith.spec import FORMULAS

STEP = context.mpf(10) ** -14
NEAR = context.mpf(10) ** -18  # the error of a difference of fifty-digit numbers over that step
UNARY = ["exp", "expm1", "log", "log1p", "sqrt", "softplus", "arctan", "square", "abs", "tanh", "erf", "sin", "cos"]
POINTS = [0.01, 0.3, 1.0, 2.75, 17.0, 80.0, -0.4, -3.0, -40.0]
ONE_SIDED = {"log": 0.0, "sqrt": 0.0, "log1p": -1.0}
ELEMENTWISE = [made for made in FORMULAS.values() if is_elementwise(made) and made.name != "adaptive_robust"]


def truth(read, x):
    """Value, slope and bend to twenty digits, by differences."""
    below, here, above = (
        np.asarray(read(digits.ops, digits.array([context.mpf(x) + h]))).reshape(-1)[0] for h in (-STEP, 0, STEP)
    )
    return here, (above - below) / (2 * STEP), (above - 2 * here + below) / STEP**2


def holds(found: Ball, number) -> bool:
    low, high = (context.mpf(end.mid()._mpf_) for end in (found.low, found.high))
    slack = NEAR * (1 + abs(number))
    return low - slack <= number <= high + slack


def misses(read, x, width=0.0):
    """Which of value, slope and bend the enclosure over [x - width, x + width] does not have."""
    with precision():
        jet = Slice(read).over(x - width, x + width)[0]
        want = truth(read, x)
        return [
            name
            for name, number in zip(("value", "slope", "bend"), want, strict=True)
            if not holds(getattr(jet, name), number)
        ]


@pytest.mark.parametrize("name", UNARY)
@pytest.mark.parametrize("width", [0.0, 1e-3, 0.1])
def test_an_operation_is_enclosed(name, width):
    points = [x for x in POINTS if x - width > ONE_SIDED.get(name, -np.inf) and not (name == "abs" and abs(x) <= width)]
    assert len(points) > 3
    for x in points:
        assert misses(lambda ops, z: getattr(ops, name)(z), x, width) == [], (name, x)


@pytest.mark.parametrize("made", ELEMENTWISE, ids=lambda made: made.name)
def test_a_formula_is_enclosed_with_its_derivatives(made):
    for held in elementwise(made).slices():
        for x in (-7.87, -0.61, 0.23, 1.37, 9.1):
            assert misses(held.function.read, x, 1e-6) == [], (held.given, x)


def test_the_tests_above_can_fail(monkeypatch):
    monkeypatch.setattr(ball, "sigmoid_slope", lambda x: around(0.2))
    assert misses(lambda ops, z: ops.softplus(z), 0.3) == ["bend"]


def test_a_taylor_polynomial_encloses_the_bend_more_closely_than_a_jet():
    def difference(ops, x):
        return ops.log(ops.expm1(x) / x)

    with precision():
        jet = Slice(difference).over(2.0, 2.25)[0].bend
        found = Slice(difference).bend(Ball(around(2.0).low, around(2.25).low), {})
    assert holds(found, truth(difference, 2.125)[2])
    assert found.width < jet.width / 50


def test_products_that_touch_zero_do_not_reach_below_it():
    with precision():
        touching = Ball(ball.NOTHING, around(0.3).low)
        assert (touching * around(3.0) * touching).low == 0
        assert Ball(around(-1.0).low, around(2.0).low).square().low == 0


def test_anything_is_concluded_from_no_comparison():
    with precision():
        unknown = around(1.0) / Ball(around(-1.0).low, around(1.0).low)
        for found in (unknown, unknown + around(1.0), unknown * around(0.5), unknown.square(), unknown.hull(around(1))):
            assert found.has(0.0)
            assert found.has(1e9)
            assert not found.low >= 0
            assert not found.high < 0


def test_a_question_has_an_answer_or_is_undecided():
    with precision():
        asked = Questions()
        x = moving(-1.0, 2.0, asked)
        assert (x < 3.0, x > -1.5, x <= 2.0, x >= 2.5) == (True, True, True, False)
        assert asked.answers == [True, True, False, True]  # `<=` and `>=` ask whether the other is less
        with pytest.raises(Undecided) as raised:
            abs(x)
        assert (raised.value.index, raised.value.difference.slope.low) == (4, -1)


def test_a_question_that_is_asked_again_is_one_question():
    with precision():
        asked = Questions({0: True})
        x = moving(-1.0, 2.0, asked)
        assert [x < 1.0, x < 1.0, balls.lift(x) < balls.lift(1)] == [True, True, True]
        assert asked.answers == [True]


def test_a_number_that_may_be_infinite_is_undecided():
    with precision(), pytest.raises(Undecided):
        balls.ops.isfinite(balls.ops.log(balls.array([moving(-1.0, 1.0)])))


def test_what_stop_gradient_holds_is_noticed():
    function = Slice(lambda ops, x: ops.stop_gradient(x) * x)
    with precision():
        assert function.at(3.0).slope.low == 3
    assert function.stopped


def test_logsumexp_over_constants_and_a_variable():
    def read(ops, x):
        return ops.logsumexp(ops.concat([x, ops.asarray([0.5, -1.0], like=x)], axis=0), axis=0)

    assert misses(read, 0.7, 1e-4) == []


def test_precision_of_flint_is_left_as_it_was():
    import flint

    before = flint.ctx.prec
    with precision():
        assert flint.ctx.prec == ball.BITS
    assert flint.ctx.prec == before


def test_numbers_are_lifted_exactly():
    with precision():
        for x in (0.1, np.float32(0.1), 7, np.int64(-3)):
            found = balls.lift(x)
            assert isinstance(found, Jet)
            assert found.value.low == found.value.high == ball.exact(x)
        assert series.lift(0.1).terms[0] == 0.1
