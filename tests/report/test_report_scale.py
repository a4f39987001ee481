"""Axes: numbers stand in their order inside them, and what is written beside them is round."""

from math import nan

import pytest

from lossmith.report.scale import Scale, heights, threshold

SCALES = [
    Scale("linear", -3.0, 7.0),
    Scale("log", 1e-6, 1e3),
    Scale("symlog", -1e4, 1e4, 1e-2),
    Scale("logit", 1e-6, 1 - 1e-6),
]


@pytest.mark.parametrize("scale", SCALES, ids=lambda scale: scale.kind)
def test_the_ends_are_0_and_1_and_what_lies_between_keeps_its_order(scale):
    assert (scale.at(scale.low), scale.at(scale.high)) == (0.0, 1.0)
    between = [scale.low + (scale.high - scale.low) * step / 50 for step in range(51)]
    places = [scale.at(number) for number in between]
    assert places == sorted(places)


@pytest.mark.parametrize("scale", SCALES, ids=lambda scale: scale.kind)
def test_ticks_lie_on_the_axis_and_say_what_they_are(scale):
    ticks = scale.ticks()
    assert 2 <= len(ticks) <= 9
    for value, text in ticks:
        assert scale.low <= value <= scale.high
        one_minus = 1 - float(text[2:]) if text.startswith("1-") else float(text)
        assert one_minus == pytest.approx(value, rel=1e-6, abs=1e-12)


def test_a_symmetric_axis_has_zero_in_the_middle():
    assert Scale("symlog", -5.0, 5.0, 0.1).at(0.0) == 0.5


def test_an_axis_bends_only_for_a_peak():
    assert threshold([[1.0, 2.0, 3.0]]) is None
    assert threshold([[1.0, 2.0, 3.0, 1e9]]) == 2.5
    assert threshold([[0.0, nan]]) is None


def test_every_height_is_inside_its_axis():
    for lines in ([[1.0, 5.0]], [[-1.0, 2.0, 1e8]], [[7.0, 7.0]], [[nan]], []):
        scale = heights(lines)
        assert all(0 <= scale.at(y) <= 1 for line in lines for y in line if y == y)
