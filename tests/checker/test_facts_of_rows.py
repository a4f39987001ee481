"""What is enclosed for a loss of rows judges what its contract declares."""

import pytest

from lossmith.checker.facts import f4_gradient, f5_range
from lossmith.checker.facts.answer import of_rows
from lossmith.prove.rows import Bound, Bounds, bounds_of
from lossmith.spec import FORMULAS


@pytest.fixture(scope="module")
def of_cross_entropy():
    return bounds_of(FORMULAS["softmax_cross_entropy"])


@pytest.mark.parametrize(
    ("fact", "name", "value", "verdict"),
    [
        (f4_gradient, "grad_bound", 1.0, "proved"),
        (f4_gradient, "grad_bound", 0.9, "refuted"),
        (f5_range, "range", (0.0, float("inf")), "proved"),
        (f5_range, "range", (0.0, 2.0), "refuted"),
        (f5_range, "monotone", True, "open"),
    ],
)
def test_a_declared_bound_of_a_row_is_judged(of_cross_entropy, fact, name, value, verdict):
    assert fact.answer_of_rows(of_cross_entropy, name, value).verdict == verdict


def test_a_bound_that_is_too_wide_to_tell_is_open():
    wide = Bounds((Bound("slope in z1", -1.5, 1.5, (-0.9, 0.9)),))
    assert of_rows(wide, "slope", -1.0, 1.0).verdict == "open"
    assert of_rows(Bounds(), "slope", -1.0, 1.0).verdict == "open"


def test_the_facts_of_a_row_say_where_they_hold(of_cross_entropy):
    (value,) = f5_range.found_of_rows(of_cross_entropy)
    slopes = [fact.name for fact in f4_gradient.found_of_rows(of_cross_entropy)]
    assert (value.name, value.grade) == ("value", "proved")
    assert "for 3 classes" in value.detail
    assert slopes == ["slope in z1", "slope in z2", "second derivative in z1", "second derivative in z2"]
