"""Certificates: what is convex is proved, what only looks convex is refuted, and what cannot be told is left open.

The planted near-misses are those that earlier certifiers got wrong.
"""

from math import log, pi

import numpy as np
import pytest
from flint import arb

from lossmith.ops.ball import around, precision
from lossmith.prove import counterexample
from lossmith.prove.certificate import Study
from lossmith.prove.extremes import never_below
from lossmith.prove.pieces import pieces_of
from lossmith.prove.slice import Slice


def study(read, low=-8.0, high=8.0, **how):
    return Study(Slice(read), low, high, **how)


def convex(read, low=-8.0, high=8.0, **how):
    with precision():
        return study(read, low, high, **how).convex()


def huber(ops, x, delta=1.0):
    a = ops.abs(x)
    return ops.where(a < delta, 0.5 * ops.square(a), delta * (a - 0.5 * delta))


CONVEX = {
    "square": lambda ops, x: ops.square(x),
    "absolute": lambda ops, x: ops.abs(x),
    "fourth power": lambda ops, x: ops.square(ops.square(x)),
    "huber": huber,
    "huber at a tenth": lambda ops, x: huber(ops, x, 0.1),
    "hinge": lambda ops, x: ops.maximum(1.0 - x, 0.0),
    "pinball": lambda ops, x: ops.maximum(0.9 * -x, 0.1 * x),
    "steps of slope": lambda ops, x: ops.maximum(ops.maximum(x - 3.0, 0.5 * x - 1.0), ops.maximum(-x, -2.0 * x - 0.25)),
    "logit": lambda ops, x: ops.softplus(x) - 0.3 * x,
    "log cosh": lambda ops, x: x + ops.softplus(-2.0 * x) - log(2.0),
    "naive log cosh": lambda ops, x: ops.log(0.5 * (ops.exp(x) + ops.exp(-x))),
    "poisson": lambda ops, x: ops.exp(x) - 2.0 * x,
    "charbonnier": lambda ops, x: ops.sqrt(ops.square(x) + 1e-6),
}
NOT_CONVEX = {
    "huber with a jump": lambda ops, x: ops.where(ops.abs(x) <= 1.0, 0.5 * ops.square(x), ops.abs(x)),
    "huber with a slope that drops": lambda ops, x: ops.where(ops.abs(x) <= 1.0, ops.square(x), ops.abs(x)),
    "a dip of 3e-3": lambda ops, x: ops.square(x) - 3e-3 * ops.exp(-ops.square((x - 1.0) / 0.03)),
    "a concave kink of 1e-9": lambda ops, x: ops.square(x) - 1e-9 * ops.maximum(x - 0.7, 0.0),
    "a narrow concave kink": lambda ops, x: ops.square(x) - 1e-12 * ops.abs(x - 0.7),
    "cauchy": lambda ops, x: ops.log1p(ops.square(x)),
    "wing": lambda ops, x: ops.where(ops.abs(x) < 5.0, 5.0 * ops.log1p(ops.abs(x) / 0.5), ops.abs(x) + 7.0),
    "squared sigmoid": lambda ops, x: ops.square(ops.exp(-ops.softplus(-x))),
    "a step": lambda ops, x: ops.where(x < 0.3, ops.full_like(x, 0.0), ops.full_like(x, 1.0)),
}


@pytest.mark.parametrize("name", CONVEX)
def test_what_is_convex_is_proved(name):
    found = convex(CONVEX[name])
    assert (found.verdict, found.by) == ("proved", None), found


@pytest.mark.parametrize("name", NOT_CONVEX)
def test_what_looks_convex_is_refuted_by_three_numbers(name):
    found = convex(NOT_CONVEX[name])
    assert found.verdict == "refuted", found
    with precision():
        left, middle, right = found.by.at
        assert middle + middle == left + right
        values = [Slice(NOT_CONVEX[name]).at(x).value for x in found.by.at]
        assert values[1].low > (values[0].high + values[2].high) / 2


def test_a_point_out_of_line_is_not_certified():
    for place, verdict in ((0.5, "refuted"), (0.3, "open")):  # on the grid of the first look, and beside it
        found = convex(lambda ops, x, at=place: ops.where(ops.equal(x, at), ops.full_like(x, 1.0), 0.0 * x))
        assert found.verdict == verdict


def test_a_point_out_of_line_between_two_inequalities_is_not_certified():
    def read(ops, x, at=0.3):
        return ops.where(x < at, 0.0 * x, ops.where(x > at, x - at, ops.full_like(x, 5.0)))

    def between_floats(ops, x):
        return read(ops, ops.exp(x), 1.7)

    for one in (read, between_floats):
        assert convex(one).verdict == "open"


def test_a_hole_that_is_filled_is_no_kink():
    filled = convex(lambda ops, x: ops.where(ops.equal(x, 0.5), ops.full_like(x, 0.25), ops.square(x)))
    assert filled.verdict == "proved"


def test_a_rounded_middle_refutes_nothing():
    """0.1 and 0.3 as doubles: half way lies between two of them, and the doubles of huber bend down there."""
    function, half = Slice(lambda ops, x: huber(ops, x, 0.1)), arb(0.1)
    with precision():
        assert all(
            counterexample.above_its_chord(function, arb(middle), half / 2**k) is None
            for middle in (0.1, 0.2, 0.3, -0.7)
            for k in range(60)
        )


def test_every_question_is_numbered_so_that_the_root_is_the_right_one():
    """One that is decided before the undecided one: counting undecided ones alone would bisect the wrong difference."""

    def read(ops, x):
        beyond = ops.where(x > -20.0, 0.0 * x, x)
        return huber(ops, x) + beyond

    with precision():
        cut = pieces_of(Slice(read), -8.0, 8.0)
    assert [float(kink.at.middle) for kink in cut.kinks] == [-1.0, 0.0, 1.0]


def test_kinks_have_their_place_and_jump():
    with precision():
        found = study(lambda ops, x: ops.abs(x - 0.3) + 2.0 * ops.maximum(x - 1.75, 0.0))
        kinks = found.kinks
    assert [(float(kink.at.middle), float(kink.jump.middle)) for kink in kinks] == [(0.3, 2.0), (1.75, 2.0)]


def test_a_root_between_floats_is_enclosed():
    with precision():
        (kink,) = study(lambda ops, x: ops.maximum(ops.exp(x), 2.0 + 0.0 * x)).kinks
    assert kink.at.has(arb(2).log())
    assert kink.at.width < 1e-36


def test_constants_that_are_rounded_to_doubles_do_not_tear_a_loss_apart():
    wing = 5.0 - 5.0 * log(1.0 + 5.0 / 0.5)

    def read(ops, x):
        a = ops.abs(x)
        return ops.where(a < 5.0, 5.0 * ops.log1p(ops.minimum(a, 5.0) / 0.5), a - wing)

    with precision():
        found = study(read)
        assert [kink.is_continuous for kink in found.cut.kinks] == [True] * 3
        assert 0.0 < found.within < 1e-14


@pytest.mark.parametrize(
    ("read", "rises", "falls"),
    [
        (lambda ops, x: ops.softplus(x), "proved", "refuted"),
        (lambda ops, x: ops.softplus(-x), "refuted", "proved"),
        (lambda ops, x: ops.abs(x), "refuted", "refuted"),
        (lambda ops, x: 0.0 * x, "proved", "proved"),
        (lambda ops, x: ops.maximum(x, 0.0), "proved", "refuted"),
        (lambda ops, x: ops.square(x) * ops.abs(x), "refuted", "refuted"),
        (lambda ops, x: ops.square(x) * x, "open", "refuted"),  # the slope touches 0 as a parabola does
        (lambda ops, x: x + 2.0 * ops.exp(-ops.square((x - 1.0) / 0.01)), "refuted", "refuted"),
    ],
)
def test_the_direction_of_a_loss(read, rises, falls):
    with precision():
        found = study(read)
        assert (found.rising().verdict, found.falling().verdict) == (rises, falls)


def test_a_larger_slope_is_found_where_it_is_narrow():
    def read(ops, x):
        return ops.arctan(x) + 1e-4 * ops.arctan((x - 2.0) * 1e4)

    with precision():
        assert study(lambda ops, x: ops.arctan(x)).slope_at_most(1.0).verdict == "proved"
        found = study(read).slope_at_most(1.1)
        assert (found.verdict, found.by.by > 0) == ("refuted", True)


def test_ranges_enclose_what_is_known():
    with precision():
        found = study(lambda ops, x: ops.log1p(ops.square(x)))
        slope, bend, value = found.slope_range(), found.bend_range(), found.value_range()
    assert slope.most.has(1.0)
    assert slope.most.width < 1e-8
    assert slope.size.has(1.0)
    assert bend.most.has(2.0)
    assert bend.least.has(-0.25)
    assert value.least.has(0.0)
    assert value.most.has(arb(65).log())


def test_a_range_over_a_kink_has_the_slopes_of_both_sides():
    with precision():
        found = study(lambda ops, x: ops.maximum(-3.0 * x, 0.5 * x)).slope_range()
    assert (float(found.least.low), float(found.most.high)) == (-3.0, 0.5)


def test_smoothness_names_the_kink():
    with precision():
        assert study(huber).smooth().verdict == "proved"
        assert study(CONVEX["hinge"]).smooth().because == "the slope jumps by 1 at 1"
        assert study(NOT_CONVEX["a step"]).smooth().because == "the value jumps at 0.3"


def test_what_stays_open_says_where_and_how_much_was_tried():
    found = convex(lambda ops, x: ops.square(ops.square(x)) / (0.001 + ops.square(x) - ops.square(x)))
    assert found.verdict == "open"
    assert "undecided over a width of" in found.because


def test_no_budget_is_open_and_never_proved():
    assert convex(CONVEX["charbonnier"], reads=20).verdict == "open"


def test_a_loss_with_stop_gradient_is_open():
    found = convex(lambda ops, x: ops.stop_gradient(x) * x)
    assert found.verdict == "open"
    assert "stop_gradient" in found.because


def test_a_bend_that_is_below_zero_somewhere_is_seen():
    with precision():
        function = Slice(lambda ops, x: ops.square(x) + ops.square(ops.square(x - pi)) * -1e-6)
        sign = never_below(function, pieces_of(function, -900.0, 900.0).pieces, 2, reads=1000)
    assert sign.below is not None


def test_powers_around_zero_are_finite():
    """arb ** int is NaN on a ball around 0."""
    with precision():
        assert around(-1.0, 1.0).square().is_finite
        assert np.isfinite(float(Slice(CONVEX["fourth power"]).over(-1.0, 1.0)[0].bend.high))
