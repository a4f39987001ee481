"""An expression is read as its textbook twin says: value, both slopes and curvature, at fifty digits."""

import numpy as np
import pytest
from forged_losses import CASES
from mpmath import mp, mpf

from lossmith.errors import LossmithError
from lossmith.forging.differentiate import derivative
from lossmith.forging.domain import grid
from lossmith.forging.facts import facts_of, smooth_points
from lossmith.forging.plan import plan
from lossmith.forging.reading import formula_of, in_digits
from lossmith.forging.tree import PRED, TARGET, Number, mul


def planned(name):
    case = CASES[name]
    return plan(case.text, name, case.params)


def points_of(made):
    keep = smooth_points(made.given, made.kinds, made.params)
    return {name: array[keep][::3] for name, array in grid(made.kinds).items()}


def largest_error(root, twin, points, params):
    exact = {name: np.array([mpf(x) for x in array.tolist()], object) for name, array in points.items()}
    got = in_digits(root, exact, params)
    with mp.workdps(60):
        want = [twin(x, t) for x, t in zip(exact["pred"], exact["target"], strict=True)]
    return max(abs(mpf(str(a)) - b) / max(1, abs(b)) for a, b in zip(got, want, strict=True))


@pytest.mark.parametrize("name", CASES)
def test_value_slopes_and_curvature_are_those_of_the_twin(name):
    case, made = CASES[name], planned(name)
    params = {key: mpf(value) for key, value in case.params.items()}

    def twin(x, t):
        return mpf(case.twin(x, t, **params))

    points = points_of(made)
    assert largest_error(made.value, twin, points, case.params) < 1e-15
    slopes = {"pred": lambda x, t: mp.diff(lambda s: twin(s, t), x)}
    if case.kinds[1] in ("real", "positive"):
        slopes["target"] = lambda x, t: mp.diff(lambda s: twin(x, s), t)
    for by, slope in slopes.items():
        assert largest_error(made.slopes[by], slope, points, case.params) < 1e-15
    bend = lambda x, t: mp.diff(lambda s: twin(s, t), x, 2)
    assert largest_error(made.curvature, bend, points, case.params) < 1e-15


def test_the_test_above_can_fail():
    made = planned("LogCosh")
    wrong = mul(Number(1.0 + 1e-12), made.value)
    assert largest_error(wrong, CASES["LogCosh"].twin, points_of(made), {}) > 1e-13


@pytest.mark.parametrize("name", CASES)
def test_kinds_and_convexity_are_found(name):
    made = planned(name)
    assert made.kinds == CASES[name].kinds
    assert made.facts.shape == CASES[name].shape


def test_a_wrong_derivative_is_a_fault_and_nothing_is_written():
    made = planned("Linex")
    slopes = {**made.slopes, "pred": mul(Number(1.001), made.slopes["pred"])}
    with pytest.raises(LossmithError, match="slope in pred"):
        facts_of(made.given, made.value, slopes, made.curvature, made.kinds, made.params)


def test_kinks_are_found_with_the_slopes_on_both_sides():
    (kink,) = planned("Quantile").facts.kinks
    assert (kink.left, kink.right) == pytest.approx((-0.8, 0.2))
    assert not kink.smooth
    assert all(kink.smooth for kink in planned("Huberlike").facts.kinks)
    rough = [kink for kink in planned("Wing").facts.kinks if "= w" in kink.where]
    assert [round(abs(kink.left - kink.right), 6) for kink in rough] == [0.2, 0.2]


def test_the_formula_runs_on_any_array_and_is_derived_in_symbols():
    from lossmith.prove.derive import derive

    made = planned("Asymmetric")
    formula = formula_of(made.function, made.given, made.params, made.kinds)
    got = formula(np.array([0.0, 3.0]), np.array([1.0, 1.0]))
    assert got.tolist() == [2.0, 4.0]
    assert formula(np.array([0.0]), np.array([1.0]), under=5.0).tolist() == [5.0]
    below, above = derive(formula).cases[0].regions
    assert "under" in str(below.value)
    assert "over" in str(above.value)


def test_a_derivative_of_a_derivative_is_one():
    made = planned("Poisson")
    assert derivative(derivative(made.given, PRED), TARGET) == Number(-1.0)
