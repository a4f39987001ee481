"""The surface and the errors as pictures: the tint is the height, contours are where the level is."""

import struct
import zlib
from base64 import b64decode
from dataclasses import replace
from math import inf, nan
from re import findall, search

import pytest
from report_samples import GRID, RMSE

from lossmith.checker.picture import Errors, Precision
from lossmith.report import precision, surface


def opacity(svg):
    """The fourth channel of the picture, the last row first."""
    data = b64decode(search(r"base64,([^\"]+)", svg)[1])
    width, height = struct.unpack(">II", data[16:24])
    length = struct.unpack(">I", data[33:37])[0]
    rows = zlib.decompress(data[41 : 41 + length])
    step = 4 * width + 1
    return [[rows[j * step + 1 + 4 * i + 3] for i in range(width)] for j in reversed(range(height))]


def test_the_tint_is_lightest_at_the_minimum_and_follows_the_height():
    shades = opacity(surface.figure(RMSE.pictures.surface).svg)
    value = RMSE.pictures.surface.value
    assert shades[4][4] == 0
    order = sorted((value[j][i], shades[j][i]) for j in range(9) for i in range(9))
    assert [shade for _, shade in order] == sorted(shade for _, shade in order)
    assert order[-1][1] == 215


def test_a_contour_lies_where_the_height_is_its_level():
    plane = [[x + 2 * y for x in GRID] for y in GRID]
    pieces = list(surface.segments(GRID, GRID, plane, 0.3))
    assert len(pieces) >= 8
    assert all(x + 2 * y == pytest.approx(0.3) for piece in pieces for x, y in piece)


def test_a_contour_keeps_away_from_holes():
    plane = [[nan if (x, y) == (0.0, 0.0) else x for x in GRID] for y in GRID]
    assert all(x == pytest.approx(0.1) for piece in surface.segments(GRID, GRID, plane, 0.1) for x, _ in piece)


def test_minimum_and_target_are_marked_where_they_are():
    svg = surface.figure(RMSE.pictures.surface).svg
    middle = surface.LEFT + surface.SIDE / 2
    assert f'class="minimum" cx="{middle:.1f}" cy="{surface.TOP + surface.SIDE / 2:.1f}"' in svg
    assert f'class="target" d="M{surface.LEFT + 0.75 * surface.SIDE - 7:.1f} ' in svg


def test_the_script_begins_at_the_minimum_with_the_numbers_of_the_surface():
    probe = surface.figure(RMSE.pictures.surface).probe
    assert probe["at"] == [4, 4]
    assert probe["value"][4][4] == 0.0
    assert probe["value"][8][0] == 3.0


def test_the_solid_has_the_heights_of_the_tint_and_its_marks_on_the_grid():
    drawn = RMSE.pictures.surface
    solid = surface.figure(drawn).probe["solid"]
    assert solid["marks"] == {"minimum": [4, 4], "target": [6, 2]}
    assert solid["height"][4][4] == 0.0
    assert solid["height"][8][0] == 1.0
    assert not surface.is_bent(drawn)


def test_what_is_flat_or_mostly_holes_has_no_third_dimension():
    flat = replace(RMSE.pictures.surface, value=[[1.0] * 9] * 9)
    holes = replace(RMSE.pictures.surface, value=[[nan] * 5 + [1.0, 2.0, 3.0, 4.0]] * 9)
    for one in (flat, holes):
        assert not surface.has_relief(one)
        assert "solid" not in surface.figure(one).probe


def test_an_error_that_overflows_has_a_cross_and_one_that_is_not_told_has_nothing():
    told = Errors("float32", [1e-7, inf, nan, 1e-3], [0.0] * 4, 1e-7)
    svg = precision.figure(Precision("x", "linear", [0.0, 1.0, 2.0, 3.0], [told], "float64")).svg
    value, gradient = findall(r'<path class="points line-0" d="([^"]*)"', svg)
    assert (value.count("M"), gradient.count("M")) == (2, 4)
    assert len(findall(r'class="cross line-0" d="(M[^"]*)"', svg)) == 1


def test_the_worst_error_is_said_in_a_word():
    assert precision.worst(Errors("float32", [1e-7, 3e-7, nan], [], 1e-7)) == "3e-07"
    assert precision.worst(Errors("float32", [1e-7, inf], [], 1e-7)) == "overflows"
