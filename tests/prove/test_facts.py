"""Facts: what follows from a formula for training, compared with theory, and how it is printed."""

import math

import numpy as np
import pytest

import lossmith
from lossmith import formulas
from lossmith.errors import LossmithError
from lossmith.ops.ball import precision
from lossmith.prove.elicit import elicited
from lossmith.prove.facts import Bounds, facts, facts_of
from lossmith.prove.slices import Elementwise, elementwise, is_elementwise
from lossmith.prove.tails import tail
from lossmith.report.facts import within
from lossmith.spec import FORMULAS

ELEMENTWISE = [made for made in FORMULAS.values() if is_elementwise(made) and made.name != "adaptive_robust"]


def real(read):
    return Elementwise("mine", read, ("real", "real"), ("pred", "target"))


def logit(read):
    return Elementwise("mine", read, ("logits", "soft"), ("pred", "target"))


def sigmoid(ops, x):
    return ops.exp(-ops.softplus(-x))


def sin(ops, x):
    """A word that only readers of objects have."""
    return ops.sin(x) if hasattr(ops, "sin") else np.sin(x)


ELICITS = {
    "squared_error": "the mean of the target",
    "absolute_error": "the median of the target",
    "poisson_nll": "the mean of the target; mean = e^x",
    "gaussian_nll": "the mean of the target",
    "huber": "none of mean, median and quantile: an estimate of location between them",
    "binary_cross_entropy": "proper: the probability of target 1; P = sigmoid(x)",
    "hinge": "not proper: the more likely class alone: it says nothing of how likely",
}


@pytest.mark.parametrize("name", ELICITS)
def test_what_a_loss_predicts_is_what_theory_says(name):
    (line,) = [line for line in str(facts(name)).splitlines() if line.strip().startswith("predicts")]
    assert line.strip().removeprefix("predicts").strip() == ELICITS[name]


@pytest.mark.parametrize(
    ("name", "settings", "what"),
    [
        ("quantile", {"quantile": 0.9}, "the 0.9 quantile"),
        ("expectile", {"expectile": 0.75}, "the 0.75 expectile of the target"),
        ("asymmetric_squared_error", {"under": 3.0, "over": 1.0}, "the 0.75 expectile of the target"),
    ],
)
def test_a_keyword_says_which_quantile_or_expectile(name, settings, what):
    assert elicited(elementwise(FORMULAS[name], **settings)).what == what


@pytest.mark.parametrize("made", [made for made in ELEMENTWISE if made.claims.proper], ids=lambda made: made.name)
def test_a_loss_that_claims_to_be_proper_is(made):
    assert elicited(elementwise(made)).proper


def test_a_loss_that_is_not_proper_is_found_out():
    blurred = logit(lambda ops, x, t: ops.softplus(x) - (0.9 * t + 0.05) * x)
    found = elicited(blurred)
    assert not found.proper
    assert found.inverse.startswith("P = l'(x, 0)")
    vote = logit(lambda ops, x, t: sigmoid(ops, x) * (1.0 - 2.0 * t))
    assert elicited(vote).what.startswith("the more likely class alone")


def test_focal_loss_says_how_its_logits_are_read():
    assert "stands for P = " in elicited(elementwise(formulas.binary_focal)).what


@pytest.mark.parametrize(
    ("name", "value", "slope", "fades"),
    [
        ("squared_error", "grows quadratically", "grows linearly", False),
        ("huber", "grows linearly", "levels off at 1", False),
        ("cauchy", "grows like log x", "falls like x^-1", True),
        ("geman_mcclure", "levels off at 2", "falls like x^-3", True),
        ("tukey", "3.658", "0", True),
    ],
)
def test_what_an_outlier_does(name, value, slope, fades):
    for side in (-1, 1):
        found = tail(elementwise(FORMULAS[name]).slice(0.0), side)
        assert (found.value, found.slope, found.fades) == (value, slope, fades)


def test_a_power_between_is_told_by_its_exponent():
    loss = real(lambda ops, x, t: ops.exp(0.75 * ops.log1p(ops.square(x - t))))
    assert tail(loss.slice(0.0), 1).slope == "grows like x^0.5"


def test_a_flat_zone_is_reported_unless_it_is_the_minimum():
    cut = FORMULAS["tukey"].keywords["cutoff"]
    assert [(low, high) for _, low, high in facts("tukey").flat] == [(-50.0, -cut), (cut, 50.0)]
    assert facts("hinge").flat == ()


def test_no_gradient_where_it_is_sure_and_wrong():
    squared = logit(lambda ops, x, t: ops.square(sigmoid(ops, x) - t))
    assert "no gradient where it is sure and wrong" in str(facts_of(squared))
    assert "no gradient where" not in str(facts("binary_cross_entropy"))


@pytest.mark.parametrize(
    ("name", "degree"), [("absolute_error", 1), ("expectile", 2), ("huber", None), ("welsch", None)]
)
def test_the_degree_of_a_loss(name, degree):
    assert facts(name).scale == degree


def test_a_loss_of_the_residual_is_known_from_one_that_is_not():
    with precision():
        assert elementwise(formulas.huber).of_residual
        assert not real(lambda ops, x, t: ops.square(x - 2.0 * t)).of_residual
        assert not real(lambda ops, x, t: ops.where(t < 0.0, ops.square(x - t), ops.abs(x - t))).of_residual


@pytest.mark.parametrize(
    ("name", "order"), [("absolute_error", 0), ("huber", 1), ("asymmetric_squared_error", 2), ("log_cosh", 2)]
)
def test_how_many_derivatives_are_continuous(name, order):
    assert facts(name).smooth_to == order


def test_a_jump_of_the_bend_alone_is_one_continuous_derivative():
    assert facts_of(elementwise(formulas.asymmetric_squared_error, under=2.0)).smooth_to == 1


def test_probabilities_are_studied_inside_their_ends():
    found = facts("binary_cross_entropy", pred_is="prob")
    assert 0.0 < found.interval[0] < found.interval[1] < 1.0
    assert [one.verdict for one in found.statements] == ["proved"] * 3
    assert found.tails == ()


def test_claims_at_several_targets_say_for_which_they_fail():
    one_sided = logit(lambda ops, x, t: t * ops.softplus(-x) - (1.0 - t) * ops.softplus(-x))
    convex, _, away = facts_of(one_sided).statements
    assert (convex.verdict, convex.given) == ("refuted", "target = 0")
    assert away.verdict == "proved"


def test_a_block_of_facts_reads_as_it_should():
    assert (
        str(lossmith.facts("hinge"))
        == """\
for -50 <= x <= 50, target = 1 | target = -1
  convex                            proved
  never falls away from the target  proved
  smooth                            continuous
  kink                              x = 1: the slope jumps by 1 (target = 1)
                                    x = -1: the slope jumps by 1 (target = -1)
  value                             from 0 to 51
  slope                             from -1 to 1
  second derivative                 from 0 to 0
  far out                           x -> -inf (target = 1), x -> inf (target = -1): the value grows linearly, \
the size of the slope levels off at 1
  predicts                          not proper: the more likely class alone: it says nothing of how likely"""
    )


def test_a_loss_of_rows_is_refused_in_words():
    with pytest.raises(LossmithError, match="not certified: it takes"):
        facts("softmax_cross_entropy")


def test_the_command_line_prints_facts(capsys):
    from lossmith.cli import app

    app(["show", "absolute_error"], standalone_mode=False)
    said = capsys.readouterr().out
    assert "  facts\n" in said
    assert "predicts                          the median of the target" in said


def test_a_jump_of_the_value_is_told_though_the_slopes_agree():
    def torn(ops, x, t):
        a = ops.abs(x - t)
        return ops.where(a < 1.0, 0.5 * ops.square(a), a)

    found = facts_of(real(torn))
    assert found.smooth_to == -1
    assert "smooth                            not continuous: the value jumps" in str(found)
    assert found.statements[2].verdict == "proved"  # it jumps away from the target

    def towards(ops, x, t):
        a = ops.abs(x - t)
        return ops.where(a < 1.0, a, a - 0.5)

    assert facts_of(real(towards)).statements[2].verdict == "refuted"


def test_no_prediction_that_is_best_is_told():
    def never_falls(ops, x, t):
        return ops.softplus(x) + 0.1 * t

    assert elicited(logit(never_falls)).what.startswith("no probability: no prediction that was tried")


def test_a_relative_error_is_studied_where_its_target_is_not_0():
    found = facts_of(real(lambda ops, x, t: ops.abs(x - t) / ops.abs(t)))
    assert found.held == ("target = 1", "target = -2")
    assert found.slopes.most[1] == 1.0


def test_a_positive_target_is_never_0():
    itakura_saito = Elementwise(
        "mine", lambda ops, x, t: t / x - ops.log(t / x) - 1.0, ("positive", "positive"), ("pred", "target")
    )
    assert elicited(itakura_saito).what == "the mean of the target"


@pytest.mark.parametrize(
    ("read", "value", "slope"),
    [
        (lambda ops, x, t: ops.log(0.5 * (ops.exp(x - t) + ops.exp(t - x))), 49.3068528, 1.0),  # convex, by rules
        (lambda ops, x, t: ops.maximum(0.3 * (x - t), -2.0 * (x - t)), 100.0, 2.0),  # convex, a kink
        (lambda ops, x, t: ops.square(x - t) / (1.0 + ops.square(x - t)), 0.9996002, 0.6495191),  # monotone
    ],
)
def test_ranges_that_follow_are_sharp(read, value, slope):
    found = facts_of(real(read))
    assert found.values.least == (0.0, pytest.approx(0.0, abs=1e-20))
    assert found.values.most == (pytest.approx(value), pytest.approx(value))
    assert max(found.slopes.most[1], -found.slopes.least[0]) == pytest.approx(slope, rel=1e-4)


def test_a_slope_that_is_0_but_for_rounding_says_where_it_is_smallest():
    found = facts_of(logit(lambda ops, x, t: ops.softplus(x) - (0.9 * t + 0.05) * x - ops.softplus(0.0 * x)))
    assert found.values.least[1] - found.values.least[0] < 1e-12
    flat = facts_of(real(lambda ops, x, t: ops.softplus(x - t) - 0.5 * (x - t) - math.log(2.0)))
    assert abs(flat.values.least[0]) < 1e-15


def test_the_smallest_value_of_a_convex_loss_between_floats_is_enclosed():
    found = facts_of(real(lambda ops, x, t: ops.exp(x - t) - 2.0 * (x - t)))
    least = 2.0 - 2.0 * math.log(2.0)
    assert found.values.least[0] <= least <= found.values.least[1] + 1e-15
    assert found.values.least[1] - found.values.least[0] < 1e-12


def trimmed_far_out(ops, x, t):
    a = ops.abs(x - t)
    return ops.where(a < 40.0, ops.square(a), 1600.0 + 80.0 * ops.log1p(ops.maximum(a, 40.0) - 40.0))


def with_a_narrow_dip(ops, x, t):
    return ops.square(x - t) - 1e-6 * ops.exp(-ops.square(1e4 * (x - t - 2.0)))


@pytest.mark.parametrize("read", [trimmed_far_out, with_a_narrow_dip])
def test_what_is_a_square_at_most_places_predicts_no_mean(read):
    found = facts_of(real(read))
    assert found.elicits.what.startswith("none of mean")
    assert found.scale is None


def test_a_stationary_point_that_is_worst_is_no_probability():
    """l(x, 1) = 2x - x^2, l(x, 0) = 1 - x^2: the expected slope is 0 at x = P, where the expected loss is largest."""
    turned = Elementwise(
        "mine", lambda ops, x, t: ops.abs(ops.square(x - t) - 1.0), ("prob", "binary"), ("pred", "target")
    )
    found = elicited(turned)
    assert found.proper is False
    assert found.what.startswith("no probability")


def test_a_clamp_leaves_a_loss_proper_where_it_has_a_gradient():
    def clamped(ops, x, t):
        p = ops.minimum(ops.maximum(sigmoid(ops, x), 1e-4), 1.0 - 1e-4)
        return -t * ops.log(p) - (1.0 - t) * ops.log(1.0 - p)

    found = elicited(Elementwise("mine", clamped, ("logits", "binary"), ("pred", "target")))
    assert found.proper
    assert "but where it has no gradient" in found.what


@pytest.mark.parametrize(
    ("read", "what"),
    [
        (lambda ops, x, t: 0.0 * (x - t), "nothing: every prediction costs the same"),
        (lambda ops, x, t: ops.maximum(1.2 * (t - x), 0.2 * (t - x)), "none of mean, median and quantile"),
        (lambda ops, x, t: ops.sqrt(ops.square(x - t)), "the median of the target, as far as points tell"),
    ],
)
def test_what_has_no_best_prediction_is_told_as_such(read, what):
    assert elicited(real(read)).what == what


def test_a_root_that_asks_nothing_is_not_called_smooth():
    """|x| is smooth on each side of its question; sqrt(x^2) has no question, and a kink all the same."""
    found = facts_of(real(lambda ops, x, t: ops.sqrt(ops.square(x - t))))
    assert found.smooth_to is None
    assert found.statements[1].verdict == "open"
    assert facts_of(real(lambda ops, x, t: ops.sqrt(1.0 + ops.square(x - t)))).smooth_to == 2


def test_a_smallest_value_at_a_root_that_is_only_enclosed_is_not_lost():
    found = facts_of(real(lambda ops, x, t: ops.abs(x - t) + 0.5 * ops.abs(sin(ops, x - t))))
    assert found.values.least[0] <= 0.0 <= found.values.least[1] < 1e-20


def test_what_its_constants_are_rounded_refutes_nothing():
    """The slope |1 + cos 10 r| touches 0; 0.1 is above a tenth, so that by 5e-17 the code falls."""
    found = facts_of(real(lambda ops, x, t: ops.abs(x - t) + 0.1 * sin(ops, 10.0 * (x - t))))
    assert found.statements[2].verdict != "refuted"
    touching = facts_of(real(lambda ops, x, t: 0.5 * ops.square(x - t) + 0.01 * sin(ops, 10.0 * (x - t))))
    assert touching.statements[0].verdict != "refuted"
    below = facts_of(real(lambda ops, x, t: 0.5 * ops.square(x - t) + 0.0100001 * sin(ops, 10.0 * (x - t))))
    assert below.statements[0].verdict == "refuted"


@pytest.mark.parametrize(
    ("read", "value", "slope"),
    [
        (lambda ops, x: 1.0 - ops.cos(x), "comes and goes", "comes and goes"),
        (lambda ops, x: -0.2 * x, "falls linearly", "levels off at 0.2"),
        (lambda ops, x: x * ops.log(x), "grows about like x^1.02", "grows about like x^0.024"),
        (lambda ops, x: ops.exp(1.0001 * ops.log(x)), "grows like x^1.0001", "grows like x^0.0001"),
        (lambda ops, x: ops.square(ops.log(x)), "grows slower than any power", "falls about like x^-0.975"),
        (lambda ops, x: x + 0.001 * sin(ops, x), "grows about linearly", "stays near 1"),
    ],
)
def test_a_power_is_told_only_where_it_stays_the_same(read, value, slope):
    found = tail(real(lambda ops, x, t: read(ops, x)).slice(0.0), 1)
    assert (found.value, found.slope) == (value, slope)


def test_a_range_is_what_is_reached_and_says_how_open_it_is():
    assert within(Bounds((-9e-06, 2e-06), (49.0153, 49.0154))) == "from 0 to 49.02"
    assert within(Bounds((-0.05, -0.04), (3.0, 3.02))) == "from -0.04 to 3, to within 0.02"
