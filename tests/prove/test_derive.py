"""Derivations agree with the framework's own gradient, say where regions meet, and print as they should."""

import math
import signal

import numpy as np
import pytest
import sympy
import torch

import lossmith
from lossmith import formulas
from lossmith.errors import LossmithError
from lossmith.ops import A, Ops
from lossmith.prove.derive import derive
from lossmith.prove.simplify import at_most, sigmoid
from lossmith.prove.steps import steps
from lossmith.report.derivation import in_text
from lossmith.settings import Positive
from lossmith.spec import FORMULAS, Claims, formula
from lossmith.trace.single import formula_of

x, t, r = sympy.symbols("x t r", real=True)
delta = sympy.Symbol("delta", positive=True)


def only(name, **settings):
    """The one region of a loss that has one."""
    (case,) = derive(name, **settings).cases
    (region,) = case.regions
    return region


@pytest.mark.parametrize(
    ("name", "value", "gradient"),
    [
        ("squared_error", r**2, 2 * r),
        ("log_cosh", sympy.log(sympy.cosh(r)), sympy.tanh(r)),
        ("binary_cross_entropy", sympy.log(sympy.exp(x) + 1) - t * x, sigmoid(x) - t),
    ],
)
def test_a_smooth_loss_is_written_as_on_paper(name, value, gradient):
    region = only(name)
    assert str(region.value) == str(value)  # the symbols' assumptions are another matter
    assert list(map(str, region.gradient.values())) == [str(gradient)]
    assert region.where == ()


def test_softmax_cross_entropy_is_written_in_probabilities():
    p1, p2 = sympy.symbols("p1 p2", positive=True)
    region = only("CrossEntropyLoss")
    assert region.value == -sympy.log(p1)
    assert list(region.gradient.values()) == [p1 - 1, p2]
    assert list(region.curvature.values()) == [p1 * (1 - p1), p2 * (1 - p2)]


def test_huber_is_split_where_it_is_and_goes_on_smoothly():
    (case,) = derive(formulas.huber).cases
    ends = [(bounds.low, bounds.high) for region in case.regions for bounds in region.where]
    assert ends == [(None, -delta), (-delta, delta), (delta, None)]
    assert [sympy.simplify(next(iter(region.gradient.values()))) for region in case.regions] == [-delta, r, delta]
    assert [(join.at, join.continuous, join.smooth) for join in case.joins] == [
        (-delta, True, True),
        (delta, True, True),
    ]


@pytest.mark.parametrize("width", [10.0, 250.0, 5000.0])
def test_a_bend_far_out_is_found(width):
    (case,) = derive(formulas.huber, delta=width).cases
    ends = [float(bounds.high) for region in case.regions for bounds in region.where if bounds.high is not None]
    assert ends == [-width, width]


def test_a_kink_is_named_with_both_slopes():
    (case,) = derive("L1Loss").cases
    (join,) = case.joins
    assert (join.at, join.left, join.right, join.continuous, join.smooth) == (0, -1, 1, True, False)
    assert "a kink: the gradient jumps from -1 to 1" in str(derive("L1Loss"))


@pytest.mark.parametrize("name", ["huber", "binary_focal", "log_cosh"])
def test_the_gradient_is_that_of_autograd(name):
    made, compared = FORMULAS[name], 0
    for case in derive(name, **made.keywords).cases:
        goal = float(case.given.partition("= ")[2] or 0.25)
        for region in case.regions:
            ((of, gradient),) = region.gradient.items()
            for place in (-3.3, -0.4, 0.7, 2.9):
                bounds = region.where[0] if region.where else None
                point = {of: place - goal if str(of) == "r" else place, t: goal}
                low = bounds is None or bounds.low is None or bounds.low.subs(point) < point[of]
                high = bounds is None or bounds.high is None or point[of] < bounds.high.subs(point)
                if not (low and high):
                    continue
                pred = torch.tensor([place], dtype=torch.float64, requires_grad=True)
                (want,) = torch.autograd.grad(made(pred, torch.tensor([goal], dtype=torch.float64)).sum(), pred)
                got = float(gradient.subs(point).replace(sigmoid, lambda u: 1 / (1 + sympy.exp(-u))))
                assert got == pytest.approx(float(want), rel=1e-12)
                compared += 1
    assert compared >= 4


def test_two_keywords_that_are_equal_by_default_stay_apart():
    (case,) = derive("AsymmetricMSELoss").cases
    under, over = sympy.symbols("under over", positive=True)
    assert [list(region.gradient.values()) for region in case.regions] == [[2 * r * under], [2 * over * r]]


def endless():
    with at_most(0.05, LossmithError("too long")):
        while True:
            pass


def test_work_without_end_is_stopped():
    with pytest.raises(LossmithError, match="too long"):
        endless()
    with at_most(10.0, LossmithError("too long")):  # and the limit is gone afterwards
        pass
    assert signal.getitimer(signal.ITIMER_VIRTUAL)[0] == 0.0


def test_keywords_that_are_given_become_numbers():
    ends = [bounds.high for region in derive("huber", delta=2.0).cases[0].regions for bounds in region.where]
    assert ends == [-2, 2, None]


def test_a_gradient_that_was_stopped_is_not_derived():
    @formula(shapes="..., ... -> ...", kinds=("real", "real"), source="a test", claims=Claims())
    def half_stopped(ops: Ops[A], pred: A, target: A, *, scale: Positive = 2.0) -> A:
        return scale * ops.stop_gradient(pred - target) * (pred - target)

    try:
        region = only(half_stopped)
        scale = sympy.Symbol("scale", positive=True)
        assert region.value == scale * r**2
        assert list(region.gradient.values()) == [scale * r]
    finally:
        del FORMULAS["half_stopped"]


def test_a_loss_that_is_not_of_numbers_or_rows_says_so():
    with pytest.raises(LossmithError, match=r"contrastive is not derived: it takes"):
        derive("ContrastiveLoss")
    with pytest.raises(LossmithError, match="regions are told for single numbers only"):
        derive("CategoricalHingeLoss")
    with pytest.raises(LossmithError, match="has no formula to derive"):
        derive(np.sum)


def test_steps_end_at_the_derivative_and_each_is_right():
    value = sympy.log(sympy.exp(x) + 1) - t * x
    found = steps(value, x)
    assert found[-1].of == value
    assert found[-1].gives == value.diff(x)
    assert [step.rule.partition(":")[0] for step in found] == ["exponential", "sum", "logarithm", "sum"]
    for step in found:
        assert sympy.simplify(step.gives - step.of.diff(x)) == 0
    shown = in_text(derive("CrossEntropyLoss"), steps=True)
    assert "softmax: d p_i / d z1 = p_i ((i = 1) - p1)" in shown


def test_the_text_is_what_a_reader_sees():
    assert str(lossmith.derive("MSELoss")) == (
        "r = pred - target\n"
        "\n"
        "                   2\n"
        "    loss          r\n"
        "    gradient      2⋅r\n"
        "    curvature     2\n"
        "\n"
        "compared with fifty digits at 64 points"
    )
    latex = lossmith.derive("huber").latex()
    assert r"\begin{cases}" in latex
    assert latex.count(r"\begin") == latex.count(r"\end")


def test_a_focal_loss_has_the_gradient_of_its_paper_in_text_and_latex():
    derivation = derive("binary_focal", gamma=2.0)
    right, _ = derivation.cases
    p = sigmoid(x)
    assert str(right.regions[0].value) == str(-((1 - p) ** 2) * sympy.log(p))
    assert list(map(str, right.regions[0].gradient.values())) == [str((1 - p) ** 2 * (2 * sympy.log(p) * p + p - 1))]
    assert r"\sigma^{2}\left(x\right)" in derivation.latex()


def test_a_wrong_derivative_is_not_shown(monkeypatch):
    from lossmith.prove import derive as module

    monkeypatch.setattr(module, "shortest", lambda exprs, points: exprs[0] + 1)
    with pytest.raises(LossmithError, match="does not agree with fifty digits"):
        derive("MSELoss")


def test_pieces_that_write_one_function_twice_are_one_region():
    region = only("charbonnier")
    scale = sympy.Symbol("scale", positive=True)
    assert str(region.value) == str(sympy.sqrt(r**2 + scale**2) - scale)


def test_a_family_with_a_letter_for_its_shape_is_one_expression():
    region = only("general_robust")
    ((_, gradient),) = region.gradient.items()
    at = {"r": 0.7, "alpha": 1.3, "scale": 0.9}
    got = float(gradient.subs({one: at[str(one)] for one in gradient.free_symbols}))
    pred = torch.tensor([0.7], dtype=torch.float64, requires_grad=True)
    value = formulas.general_robust(pred, torch.zeros(1, dtype=torch.float64), alpha=1.3, scale=0.9)
    (want,) = torch.autograd.grad(value.sum(), pred)
    assert got == pytest.approx(float(want), rel=1e-12)


def test_two_temperatures_are_two_softmaxes():
    derivation = derive("distillation")
    (region,) = derivation.cases[0].regions
    assert str(next(iter(region.gradient.values()))) == "alpha*(p1 - 1) - temperature*(alpha - 1)*(q1 - s1)"
    assert derivation.letters["q1"] == "softmax of z1/temperature"


def brier(pred, target):
    hot = torch.nn.functional.one_hot(target, pred.shape[-1])
    return ((pred.softmax(-1) - hot) ** 2).sum(-1).mean()


def soft(pred, target):
    return -(target * pred.log_softmax(-1)).sum(-1).mean()


def smoothed(pred, target):
    return torch.nn.functional.cross_entropy(pred, target, label_smoothing=0.1)


def test_rows_of_traced_code_are_written_in_probabilities():
    from lossmith.trace.rows import formula_of_rows

    soft_region = derive(formula_of_rows(soft, "soft", "logits", "dist")[0]).cases[0].regions[0]
    assert list(map(str, soft_region.gradient.values())) == ["p1 - t1", "p2 - t2"]


@pytest.mark.parametrize("loss", [brier, smoothed])
def test_the_gradient_of_a_traced_row_is_that_of_autograd(loss):
    from lossmith.trace.rows import formula_of_rows

    region = derive(formula_of_rows(loss, loss.__name__, "logits", "index")[0]).cases[0].regions[0]
    logits = torch.tensor([[0.4, -1.1, 0.9]], dtype=torch.float64, requires_grad=True)
    (want,) = torch.autograd.grad(loss(logits, torch.zeros(1, dtype=torch.long)), logits)
    shares = {f"p{index + 1}": float(p) for index, p in enumerate(logits.detach().softmax(-1)[0])}
    got = [
        float(one.subs({symbol: shares[str(symbol)] for symbol in one.free_symbols}))
        for one in region.gradient.values()
    ]
    assert got == pytest.approx(want[0, :2].tolist(), rel=1e-12)


def test_what_is_added_to_a_logit_is_inside_its_softmax():
    derivation = derive("logit_adjusted")
    assert derivation.letters["p1"] == "softmax of tau*log(counts1/counts2) + z1"
    region = derivation.cases[0].regions[0]
    assert [str(region.value), *map(str, region.gradient.values())] == ["-log(p1)", "p1 - 1", "p2"]


def test_a_long_part_that_does_not_move_is_a_letter():
    derivation = derive("class_balanced")
    (region,) = derivation.cases[0].regions
    assert str(region.value) == "-w1*log(p1)"
    assert derivation.letters["w1"].startswith("3/((1 - exp(")
    (adaptive,) = derive("adaptive_robust").cases
    assert "429 terms" in adaptive.constants["c1"]
    assert str(adaptive.regions[0].value).startswith("log(c1) + log(scale)")


def test_a_keyword_that_becomes_a_plain_number_has_its_own_number():
    """Otherwise the text would show numbers that follow from a keyword that was moved to be told from others."""

    @formula(shapes="..., ... -> ...", kinds=("real", "real"), source="a test", claims=Claims())
    def cut(ops: Ops[A], pred: A, target: A, *, scale: Positive = 1.0, width: Positive = 5.0) -> A:
        r = ops.abs(pred - target)
        return scale * ops.where(r < math.log(width), r, math.log(width))

    try:
        (case,) = derive(cut).cases
    finally:
        del FORMULAS["cut"]
    assert [str(join.at) for join in case.joins] == ["-log(5)", "0", "log(5)"]
    assert str(case.regions[0].value) == "scale*log(5)"
    assert all(join.continuous for join in case.joins)


def test_a_join_that_sympy_cannot_simplify_is_seen_in_digits():
    joins = [join for case in derive("asymmetric_multilabel").cases for join in case.joins]
    assert [(str(join.at), join.continuous, join.smooth) for join in joins] == [("-log(19)", True, True)]


def traced(read):
    made, _ = formula_of(read, "mine", "real", "real")
    return derive(made).cases[0]


def ends_of(case):
    return [[str(b.low), str(b.high)] for region in case.regions for b in region.where]


def test_pieces_that_lie_between_two_samples_are_found():
    """A tolerance of 0.1, and a band of 0.002 about 0.2, are narrower than the grid that is read."""
    case = traced(lambda p, t: torch.relu((p - t).abs() - 0.1))
    assert ends_of(case) == [["None", "-1/10"], ["-1/10", "1/10"], ["1/10", "None"]]
    assert [join.continuous for join in case.joins] == [True, True]
    case = traced(lambda p, t: torch.where((p - t - 0.2).abs() < 1e-3, (p - t) ** 2 - 1e-4, (p - t) ** 2))
    assert ends_of(case) == [["None", "199/1000"], ["201/1000", "None"], ["199/1000", "201/1000"]]
    assert [join.continuous for join in case.joins] == [False, False]


def test_slopes_without_a_bound_are_told_by_their_limits():
    (root,) = traced(lambda p, t: (p - t).abs() ** 0.5).joins
    assert (root.left, root.right, root.continuous, root.smooth) == (-sympy.oo, sympy.oo, True, False)
    (power,) = traced(lambda p, t: (p - t).abs() ** 1.0001).joins
    assert power.smooth


def test_the_root_of_a_square_is_split_where_it_bends():
    case = traced(lambda p, t: ((p - t) ** 2).sqrt())
    assert [str(region.value) for region in case.regions] == ["-r", "r"]


def test_a_decimal_that_is_nearly_1_is_meant_as_written():
    """1 - (1 - 1e-7) is not 1e-7 in doubles, by 5e-10 of it; 1 - 0.8 is 1/5."""
    case = traced(lambda p, t: -torch.log(1 - torch.clamp(torch.sigmoid(p - t), max=1 - 1e-7)))
    assert str(case.regions[-1].value) == "log(10000000)"
    assert str(traced(lambda p, t: (1 - 0.8) * (p - t) ** 2).regions[0].value) == "r**2/5"


def test_a_decimal_stays_one_in_print():
    case = derive(formula_of(lambda p, t: ((p - t).abs() - 7.917594692280549).abs(), "mine", "real", "real")[0])
    assert "7.917594692280549" in in_text(case)
    assert "1.0001" in in_text(derive(formula_of(lambda p, t: (p - t).abs() ** 1.0001, "m", "real", "real")[0]))
