"""The picture of a loss: what is drawn, where it has holes, and that it holds no word of a user."""

import re
from math import inf, nan
from xml.etree import ElementTree

import matplotlib
import pytest
from matplotlib.figure import Figure
from report_samples import HOSTILE, RMSE, STEPS

from lossmith.checker.finding import Curve, Series
from lossmith.report import curve as drawing

SVG = "{http://www.w3.org/2000/svg}"
NUMBER = re.compile(r"[-\N{MINUS SIGN}+]?[\d.]+(e[-+]?\d+)?")


def axes_of(curve):
    value, gradient = Figure().subplots(2, 1, sharex=True)
    drawing.draw(curve, value, gradient)
    return value, gradient


def heights(y, x=None):
    return Curve("x", [Series("s", list(x or range(len(y))), list(y), list(y))])


def crosses(axes):
    return [float(x) for line in axes.lines for x in line.get_xdata() if line.get_marker() == "x"]


def words_in(svg):
    texts = ElementTree.fromstring(svg).iter(f"{SVG}text")
    return ["".join(part.strip() for part in text.itertext()) for text in texts]


def test_the_lines_are_the_numbers_of_the_curve():
    value, gradient = axes_of(heights([1.0, 2.0, 4.0], x=[0.0, 0.5, 1.5]))
    assert list(value.lines[0].get_xdata()) == [0.0, 0.5, 1.5]
    assert list(value.lines[0].get_ydata()) == [1.0, 2.0, 4.0]
    assert list(gradient.lines[0].get_ydata()) == [1.0, 2.0, 4.0]


@pytest.mark.parametrize("hole", [nan, inf, -inf, 1e200])
def test_where_a_line_cannot_be_drawn_it_has_a_hole_and_a_cross(hole):
    value, _ = axes_of(heights([1.0, hole, 4.0]))
    drawn = value.lines[0].get_ydata()
    assert drawn[1] != drawn[1]
    assert crosses(value) == [1.0]
    assert drawing.has_holes(heights([1.0, hole, 4.0]))


def test_a_whole_line_has_no_cross():
    value, gradient = axes_of(heights([1.0, 2.0, 4.0]))
    assert crosses(value) == crosses(gradient) == []
    assert not drawing.has_holes(heights([1.0, 2.0, 4.0]))


def test_value_and_gradient_have_their_own_holes():
    value, gradient = axes_of(RMSE.curve)
    assert crosses(value) == []
    assert crosses(gradient) == [0.0]


def test_a_peak_does_not_flatten_the_rest():
    flat, steep = axes_of(heights([1.0, 2.0, 3.0]))[0], axes_of(heights([1.0, 2.0, 3.0, 1e9]))[0]
    assert (flat.get_yscale(), flat.get_ylabel()) == ("linear", "value")
    assert (steep.get_yscale(), steep.get_ylabel()) == ("symlog", "value (log scale)")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "y",
    [
        [],
        [1.0],
        [nan, nan],
        [0.0, 0.0],
        [0.0, 1e-320],
        [1e38, -1e38, 1.0],
        [1e149, -1e149],
        [1e300, inf, -inf, 2.0],
    ],
    ids=str,
)
def test_any_numbers_can_be_drawn_at_a_size_that_can_be_read(y):
    picture = drawing.svg(heights(y), "p")
    frames = re.findall(
        r'id="p-patch_[25]">\s*<path d="M ([\d.]+) ([\d.]+) \nL ([\d.]+) [\d.]+ \nL [\d.]+ ([\d.]+)', picture
    )
    assert len(frames) == 2
    for left, bottom, right, top in (map(float, frame) for frame in frames):
        assert right - left > 200
        assert bottom - top > 80


def test_a_curve_without_a_series_can_be_drawn():
    assert ElementTree.fromstring(drawing.svg(Curve("x", []), "p")).tag == f"{SVG}svg"


def test_the_only_words_in_the_picture_are_its_own():
    picture = drawing.svg(
        Curve(HOSTILE, [Series(HOSTILE, STEPS, STEPS, [x * 1e6 if x > 1.9 else x for x in STEPS])]), "p"
    )
    assert {word for word in words_in(picture) if not NUMBER.fullmatch(word)} == {
        "value",
        "gradient (log scale)",
    }


def test_the_picture_takes_its_colours_from_the_page():
    picture = drawing.svg(RMSE.curve, "p")
    assert not re.findall(r"#[0-9a-fA-F]{6}\b", picture)
    assert {"currentColor", "var(--faint)", "var(--line-0)", "var(--line-1)"} <= set(
        re.findall(r"currentColor|var\(--[\w-]+\)", picture)
    )


def test_the_picture_holds_nothing_that_styles_or_describes_the_rest_of_the_page():
    picture = ElementTree.fromstring(drawing.svg(RMSE.curve, "p"))
    names = {element.tag.removeprefix(SVG) for element in picture.iter()}
    assert "path" in names
    assert not names & {"style", "metadata", "script", "image"}


def test_a_fifth_line_begins_the_strokes_again_and_the_first_four_differ():
    five = Curve("x", [Series(str(number), [], [], []) for number in range(5)])
    styles = [stroke for _, stroke in drawing.strokes(five)]
    assert styles[4] == styles[0]
    assert len({stroke.dasharray for stroke in styles}) == len({stroke.colour for stroke in styles}) == 4


def test_two_pictures_on_a_page_share_no_id():
    pictures = (drawing.svg(RMSE.curve, prefix) for prefix in ("a", "b"))
    first, second = (set(re.findall(r'\bid="([^"]*)"', picture)) for picture in pictures)
    assert len(first) > 10
    assert not first & second


def test_the_settings_of_the_user_do_not_restyle_the_picture_and_are_not_changed_by_it(monkeypatch):
    plain = drawing.svg(RMSE.curve, "p")
    monkeypatch.setitem(matplotlib.rcParams, "axes.ymargin", 0.4)
    monkeypatch.setitem(matplotlib.rcParams, "ytick.direction", "in")
    monkeypatch.setitem(matplotlib.rcParams, "font.size", 30.0)
    assert drawing.svg(RMSE.curve, "p") == plain
    assert matplotlib.rcParams["font.size"] == 30.0
    assert matplotlib.rcParams["svg.hashsalt"] is None
