"""The picture of a curve: what is drawn, where it has holes, and that it holds no word of a user."""

import re
from math import inf, nan
from xml.etree import ElementTree

import pytest
from report_samples import HOSTILE, RMSE, STEPS

from lossmith.checker.picture import Curve, Series
from lossmith.report import curve as drawing
from lossmith.report.panel import LEFT, RIGHT, WIDTH

NUMBER = re.compile(r"-?[\d.]+(e[-+]?\d+)?")


def heights(y, x=None):
    return Curve("x", [Series("s", list(x or range(len(y))), list(y), list(y))])


def paths(svg, kind):
    return [path.get("d") for path in ElementTree.fromstring(svg).iter("path") if path.get("class").startswith(kind)]


def points_of(path):
    return [tuple(map(float, pair.split())) for pair in re.split("[ML]", path) if pair]


def words_in(svg):
    return ["".join(text.itertext()) for text in ElementTree.fromstring(svg).iter("text")]


def test_the_lines_are_the_numbers_of_the_curve():
    value, gradient = paths(drawing.figure(heights([1.0, 2.0, 4.0], x=[0.0, 0.5, 1.5])).svg, "line")
    (a, low), (b, middle), (c, high) = points_of(value)
    assert [a, c] == [LEFT, WIDTH - RIGHT]
    assert b == pytest.approx(LEFT + (WIDTH - LEFT - RIGHT) / 3, abs=0.1)
    assert (low - middle) / (low - high) == pytest.approx(1 / 3, abs=0.01)  # upwards is towards 0
    assert len(points_of(gradient)) == 3


@pytest.mark.parametrize("hole", [nan, inf, -inf, 1e200])
def test_where_a_line_cannot_be_drawn_it_has_a_hole_and_a_cross(hole):
    svg = drawing.figure(heights([1.0, hole, 4.0])).svg
    value = paths(svg, "line")[0]
    assert value.count("M") == 2
    assert len(points_of(value)) == 2
    middle = (LEFT + WIDTH - RIGHT) / 2
    assert paths(svg, "cross")[0].startswith(f"M{middle - 3:.1f} ")
    assert drawing.has_holes(heights([1.0, hole, 4.0]))


def test_a_whole_line_has_no_cross():
    assert paths(drawing.figure(heights([1.0, 2.0, 4.0])).svg, "cross") == []
    assert not drawing.has_holes(heights([1.0, 2.0, 4.0]))


def test_value_and_gradient_have_their_own_holes():
    assert len(paths(drawing.figure(RMSE.pictures.curve).svg, "cross")) == 1


def test_a_peak_does_not_flatten_the_rest():
    assert "value" in words_in(drawing.figure(heights([1.0, 2.0, 3.0])).svg)
    assert "value (log scale)" in words_in(drawing.figure(heights([1.0, 2.0, 3.0, 1e9])).svg)


ANY = [[], [1.0], [nan, nan], [0.0, 0.0], [0.0, 1e-320], [1e38, -1e38, 1.0], [1e149, -1e149], [1e300, inf, -inf, 2.0]]


@pytest.mark.parametrize("y", ANY, ids=str)
def test_any_numbers_can_be_drawn_inside_the_picture(y):
    svg = drawing.figure(heights(y)).svg
    height = float(re.search(r'viewBox="0 0 400 ([\d.]+)"', svg)[1])
    for path in paths(svg, "line"):
        assert all(0 <= a <= WIDTH and 0 <= b <= height for a, b in points_of(path))
    assert "nan" not in svg
    assert "inf" not in svg


def test_a_curve_without_a_series_can_be_drawn():
    assert ElementTree.fromstring(drawing.figure(Curve("x", [])).svg).tag == "svg"


def test_the_only_words_in_the_picture_are_its_own():
    steep = [x * 1e6 if x > 1.9 else x for x in STEPS]
    svg = drawing.figure(Curve(HOSTILE, [Series(HOSTILE, STEPS, STEPS, steep, STEPS)])).svg
    assert {word for word in words_in(svg) if not NUMBER.fullmatch(word)} == {
        "value",
        "gradient (log scale)",
        "curvature",
    }


def test_the_curvature_has_a_panel_only_where_every_line_has_one():
    one, other = Series("a", STEPS, STEPS, STEPS, STEPS), Series("b", STEPS, STEPS, STEPS)
    assert "curvature" in drawing.rows(Curve("x", [one]))
    assert "curvature" not in drawing.rows(Curve("x", [one, other]))


def test_the_numbers_of_the_script_are_those_of_the_curve_and_stand_where_they_are_drawn():
    curve = heights([1.0, 2.0, nan, inf], x=[0.0, 0.5, 1.0, 1.5])
    made = drawing.figure(curve)
    assert made.probe["x"] == [0.0, 0.5, 1.0, 1.5]
    assert made.probe["rows"][0]["y"] == [1.0, 2.0, "NaN", "inf"]
    assert made.probe["rows"][0]["py"][2:] == [None, None]
    drawn = points_of(paths(made.svg, "line")[0])
    assert drawn == list(zip(made.probe["px"], made.probe["rows"][0]["py"], strict=True))[:2]


def test_the_picture_takes_its_colours_from_the_page_and_styles_nothing():
    svg = drawing.figure(RMSE.pictures.curve).svg
    assert not re.findall(r"#[0-9a-fA-F]{3,6}\b|style=", svg)
    assert not {element.tag for element in ElementTree.fromstring(svg).iter()} & {"style", "script", "image"}
