"""Losses with a gradient written by hand, against the formula as it is: what the textbook's grid does not ask."""

import pytest
import torch
from torch._inductor.exc import InvalidCxxCompiler
from torch.utils.checkpoint import checkpoint

from lossmith import formulas
from lossmith.criterion import evaluate
from lossmith.kernels import (
    blocks,
    body_for,
    by_hand,
    cpp,
    eager_of,
    overlap,
    overlap_loops,
    regions,
    structure,
    windows,
    written_of,
)
from lossmith.kernels.by_hand import Job
from lossmith.ops import torch as ops

G = torch.Generator().manual_seed(0)
X, Y = torch.rand(2, 2, 3, 9, 8, generator=G, dtype=torch.float64)
PRED = 2.0 * torch.randn(2, 3, 40, 4, generator=G, dtype=torch.float64)
PRED[0, 0, :5] = PRED[0, 0, 5:10]  # equal errors
LABELS = torch.randint(0, 4, (2, 3, 40), generator=G)
LABELS[0, 0, :5] = LABELS[0, 0, 5:10]
LABELS[1, 1] = 2  # one class alone
HOT = torch.nn.functional.one_hot(LABELS, 4).double()
SOFT = PRED.roll(1, 0).softmax(-1)
MASK = torch.rand(2, 3, 40, generator=G) < 0.7
MASK[1, 0] = False
PIXELS = torch.rand(2, 3, 9, 8, generator=G) < 0.97
PIXELS[1, 0] = False
SMALL = {"window": 3, "sigma": 0.8}
CASES = {
    "ssim": (X, Y, SMALL, PIXELS),
    "ms_ssim": (X, Y, {"weights": (0.4, 0.6), **SMALL}, None),
    "ms_ssim odd": (X[..., :7, :5], Y[..., :7, :5], {"weights": (0.4, 0.6), **SMALL, "window": 2}, None),
    "lovasz_softmax": (PRED, LABELS, {}, MASK),
    "lovasz_softmax all": (PRED, HOT, {"classes": "all", "background": False}, MASK),
    "lovasz_softmax sigmoid": (PRED, (SOFT > 0.3).double(), {"activation": "sigmoid"}, MASK),
    "lovasz_softmax prob": (PRED.softmax(-1), LABELS, {"pred_is": "prob"}, MASK),
    "lovasz_hinge": (PRED, LABELS, {}, MASK),
    "lovasz_hinge one": (PRED[..., :1], LABELS.clamp(max=1), {"classes": "present"}, MASK),
    "dice": (PRED, LABELS, {"classes": "present", "smooth": 1.0}, MASK),
    "dice soft": (PRED, SOFT, {"log": True}, MASK),
    "dice one": (PRED[..., :1], LABELS.clamp(max=1), {}, MASK),
    "jaccard": (PRED.softmax(-1), LABELS, {"pred_is": "prob", "log": True, "smooth": 1.0}, MASK),
    "tversky": (PRED, SOFT, {"activation": "sigmoid", "alpha": 0.2, "beta": 0.9}, MASK),
    "focal_tversky": (PRED, LABELS, {"background": False}, MASK),
}
every_case = pytest.mark.parametrize("case", CASES)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(blocks, "ON_CPU", 50)
    monkeypatch.setattr(structure, "SEVERAL", 2)
    monkeypatch.setattr(regions, "SMALL", 0)


def both(case, kept=None):
    """The values of a case as functions of its arrays: by hand, and by the formula; and its arrays."""
    pred, target, settings, _ = CASES[case]
    formula = getattr(formulas, case.split()[0])
    settings = {**formula.keywords, **settings}

    def of(made):
        return lambda *x: evaluate(ops, made, x, mask=kept, caller="test", settings=settings).outcome

    return of(eager_of(formula)), of(formula), [pred, target]


def gradients(function, arrays, moved=1, again=False):
    """Values and counts, gradients for an upstream gradient that varies, and once more or those of their square."""
    leaves = [x.detach().clone().requires_grad_(place < moved) for place, x in enumerate(arrays)]
    made = function(*leaves)
    upstream = torch.linspace(-1.0, 2.0, made.values.numel(), dtype=arrays[0].dtype).reshape(made.values.shape)
    first = torch.autograd.grad(made.values, leaves[:moved], upstream, create_graph=again, retain_graph=True)
    of = sum((x * leaf).square().sum() for x, leaf in zip(first, leaves, strict=False)) if again else made.values
    more = torch.autograd.grad(of, leaves[:moved], None if again else 2.0 * upstream)
    counts = torch.zeros(()) if made.counts is None else made.counts
    return [x.detach() for x in (made.values, counts, *first, *more)]


def require_equal(one, other, arrays, rtol=1e-9, **given):
    for got, want in zip(gradients(one, arrays, **given), gradients(other, arrays, **given), strict=True):
        torch.testing.assert_close(got, want, rtol=rtol, atol=1e-3 * rtol, equal_nan=True)


def moved_of(case):
    return 2 if "ssim" in case else 1


@every_case
def test_values_and_gradients_are_the_formulas_once_twice_and_of_the_second_order(case):
    fast, formula, arrays = both(case)
    for again in (False, True):
        require_equal(fast, formula, arrays, moved=moved_of(case), again=again)


@every_case
def test_every_case_is_computed_by_hand(case):
    """Else the tests here would compare the formula with itself."""
    pred, target, settings, kept = CASES[case]
    formula = getattr(formulas, case.split()[0])
    body = by_hand.BODIES[formula]
    made = body(Job([pred, target], kept, {**formula.keywords, **settings}, [0]))
    assert made is not None
    assert made.values.isfinite().all()


@every_case
def test_what_is_masked_is_removed_whatever_it_holds(case):
    kept = CASES[case][3]
    if kept is None:
        pytest.skip("its pixels cannot be masked")
    fast, formula, arrays = both(case, kept)
    spoiled = [x.clone() for x in arrays]
    for x in spoiled:
        x[~kept] = torch.nan if x.is_floating_point() else 77
    require_equal(fast, formula, spoiled)
    fast, formula, _ = both(case, torch.zeros_like(kept))
    require_equal(fast, formula, spoiled)


@every_case
def test_what_is_not_finite_is_the_formulas_too(case):
    fast, formula, arrays = both(case)
    for entry in (torch.nan, torch.inf, -torch.inf):
        spoiled = [arrays[0].clone(), arrays[1]]
        spoiled[0][1, 2, 3] = entry
        require_equal(fast, formula, spoiled)


@every_case
def test_strides_transforms_checkpoints_and_no_gradient_do_not_matter(case):
    fast, formula, arrays = both(case)
    strided = [arrays[0].mT.contiguous().mT, arrays[1]]
    require_equal(fast, formula, strided)
    want = gradients(formula, arrays)[2]
    again = lambda *x: checkpoint(fast, *x, use_reentrant=False)
    torch.testing.assert_close(gradients(again, arrays)[2], want, rtol=1e-9, atol=1e-12)
    x, rest = arrays[0], arrays[1:]
    slopes = [torch.func.grad(lambda x, of=of: of(x, *rest).values.sum())(x) for of in (fast, formula)]
    torch.testing.assert_close(*slopes)
    with torch.no_grad():
        torch.testing.assert_close(fast(*arrays).values, formula(*arrays).values, rtol=1e-9, atol=1e-12)


@every_case
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_lower_precision_is_as_good_as_the_formulas(case, dtype):
    fast, formula, arrays = both(case)
    arrays = [x.to(dtype) if x.is_floating_point() else x for x in arrays]
    wide = [x.double() if x.is_floating_point() else x for x in arrays]
    exact = gradients(formula, wide)
    for place, rtol in ((0, 2e-6), (2, 1e-5 if dtype == torch.float32 else 8e-3)):
        got = gradients(fast, arrays)[place].double()
        assert (got - exact[place]).abs().max() <= rtol * exact[place].abs().max()


def test_many_classes_are_added_up_entry_by_entry(monkeypatch):
    monkeypatch.setattr(overlap, "FEW", 0)
    for kept in (None, MASK):
        fast, formula, arrays = both("dice", kept)
        require_equal(fast, formula, arrays)


def test_an_empty_batch_and_a_label_that_is_no_class_are_the_formulas():
    for case in CASES:
        fast, formula, arrays = both(case)
        require_equal(fast, formula, [x[:0] for x in arrays])
        if not arrays[1].is_floating_point():
            wrong = arrays[1].clone()
            wrong[0, 1, 2] = 9
            require_equal(fast, formula, [arrays[0], wrong])


def test_a_variance_keeps_its_digits_where_the_image_is_bright():
    """The sum of squares less the square of the mean would have none in float32."""
    x = 1000.0 + torch.rand(1, 12, 12, generator=G)
    y = x + 0.01 * torch.rand(1, 12, 12, generator=G)
    fast, formula, _ = both("ssim")
    (got, _, slope, _), (want, _, exact, _) = gradients(fast, [x, y]), gradients(formula, [x.double(), y.double()])
    torch.testing.assert_close(got.double(), want, rtol=1e-4, atol=0.0)
    assert (slope - exact).abs().max() <= 1e-3 * exact.abs().max()


def test_the_tests_above_can_fail(monkeypatch):
    fast, formula, arrays = both("dice")
    shifted = lambda *x: fast(x[0] + 1e-5 * x[0].detach().flip(0), *x[1:])
    with pytest.raises(AssertionError):
        require_equal(shifted, formula, arrays)
    monkeypatch.setattr(structure, "_powers", lambda distances, weights: torch.ones_like(distances))
    fast, formula, arrays = both("ms_ssim")
    with pytest.raises(AssertionError):
        require_equal(fast, formula, arrays)


@pytest.mark.parametrize("formula", by_hand.BY_HAND, ids=lambda formula: formula.name)
def test_a_plain_total_is_not_taken_from_blocks_of_the_formula(formula):
    shapes = [[3 for _ in patterns[0]] for patterns in formula.shapes.arguments]
    assert body_for(formula, [torch.ones(shape) for shape in shapes], ["real"] * len(shapes)) is None
    assert body_for(formulas.huber, [torch.ones(3), torch.ones(3)], ["real"] * 2) is not None


WINDOWS = ("ssim", "ms_ssim", "ms_ssim odd")


def compiled(case, kept=None, **options):
    """The values of a case by loops in C++."""
    _, _, settings, _ = CASES[case]
    formula = getattr(formulas, case.split()[0])
    settings = {**formula.keywords, **settings}
    made = eager_of(written_of(formula, **options))
    return lambda *x: evaluate(ops, made, x, mask=kept, caller="test", settings=settings).outcome


@pytest.mark.parametrize("case", WINDOWS)
def test_compiled_windows_are_the_formula_for_any_number_of_planes_at_once(case, monkeypatch):
    calls, run = [], windows.Windows.__call__
    monkeypatch.setattr(windows.Windows, "__call__", lambda *x, **more: calls.append(len(x[1][0])) or run(*x, **more))
    _, formula, arrays = both(case)
    turned = [x.mT.contiguous().mT for x in arrays]
    for few, some, moved, again in ((0, slice(2), 2, False), (2**18, slice(1), 1, True)):
        monkeypatch.setattr(structure, "FEW", few)
        require_equal(compiled(case), formula, [x[some] for x in turned], moved=moved, again=again)
    assert set(calls) == {1, 3}
    for size in (1e6, 1e15):  # beyond the latter squares would leave float32
        enormous = [x * size for x in arrays]
        require_equal(compiled(case), formula, enormous, moved=2)
    spoilt = [arrays[0].clone(), arrays[1]]
    spoilt[0][0, 0, 4, 3] = torch.nan
    values = compiled(case)(*spoilt).values
    assert values[0, 0].isnan()
    torch.testing.assert_close(values, formula(*spoilt).values, equal_nan=True)


LOOPS = [case for case in CASES if case.split()[0] in ("dice", "jaccard", "tversky", "focal_tversky")]


@pytest.mark.parametrize("masked", [False, True], ids=["whole", "masked"])
@pytest.mark.parametrize("case", LOOPS)
def test_compiled_regions_are_the_formulas(case, masked, monkeypatch):
    calls, run = [], overlap_loops.Loops.pull
    monkeypatch.setattr(overlap_loops.Loops, "pull", lambda *x: calls.append(1) or run(*x))
    kept = CASES[case][3] if masked else None
    _, formula, (pred, target) = both(case, kept)
    for again in (False, True):
        for x in (pred, pred.mT.contiguous().mT):
            require_equal(compiled(case, kept=kept), formula, [x, target], again=again)
    assert bool(calls) == (case in ("dice", "focal_tversky"))


def test_compiled_regions_keep_the_digits_of_float32_of_every_length_by_any_number_of_threads():
    g = torch.Generator().manual_seed(0)
    x, labels = 4.0 * torch.randn(4103, 5, generator=g), torch.randint(-1, 5, (4103,), generator=g)
    x[:9, 2], x[9:20, 1] = torch.linspace(20.0, 200.0, 9), -torch.inf
    room = torch.empty_like(x)
    made = overlap_loops.loops_for(x)
    p = x.double().softmax(1)
    share = torch.nn.functional.one_hot(labels.clamp(min=0), 5) * (labels >= 0)[:, None]
    rest = torch.where(share > 0, p, 0.0).sum(1, keepdim=True)
    rest = torch.where(rest > 0.5, torch.where(share > 0, 0.0, p).sum(1, keepdim=True), 1.0 - rest)
    counted = (labels >= 0)[:, None]
    want = torch.stack([y.sum(0) for y in (p * share, p * (1 - share) * counted, rest * share, share.double())])
    found = []
    for threads in (1, 2):
        made._threads.value = threads
        for pred, to in ((x, room), (x.mT.contiguous().mT, room.mT.contiguous().mT)):
            for sloped in (False, True):
                found.append(made.sums(pred, labels, to, least=-1, sloped=sloped))
                torch.testing.assert_close(found[-1], want.float(), rtol=1e-6, atol=1e-6)
            # a lead of 87 is itself rounded by 4e-6
            torch.testing.assert_close(to, p.float(), rtol=1e-5, atol=1e-37)
    assert found[0].equal(found[4])
    assert made.sums(x, labels, room, least=0, sloped=False).isnan().all()
    assert made.sums(x, labels + 1, room, least=0, sloped=False).isnan().all()


def test_windows_in_float32_and_by_two_threads_have_the_digits_of_those_by_hand():
    planes = torch.rand(2, 3, 40, 33, generator=G)
    made = windows.windows_for(planes, structure.gaussian(11, 1.5))
    constants = [torch.full((3, 1, 1), c) for c in (5e-5, 4.5e-4)]
    by_hand = structure._Scale(planes, structure.gaussian(11, 1.5), constants, None, lit=True, sloped=True)
    want = by_hand.distances(None)
    for threads in (1, 2):
        made._threads.value = threads
        total, slope = made(planes, constants, lit=True, sloped=True)
        torch.testing.assert_close(total, want, rtol=1e-5, atol=0.0)
        torch.testing.assert_close(slope, by_hand.slope, rtol=1e-3, atol=1e-8)


def test_windows_with_a_wrong_slope_would_be_seen(monkeypatch):
    monkeypatch.setattr(windows, "SOURCE", windows.SOURCE.replace("2 * falling", "3 * falling"))
    _, formula, arrays = both("ms_ssim")
    with pytest.raises(AssertionError):
        require_equal(compiled("ms_ssim"), formula, arrays)


@pytest.mark.parametrize("error", [InvalidCxxCompiler(), ImportError("no such name in torch")])
def test_without_a_compiler_all_is_taken_by_hand_after_one_warning(monkeypatch, error):
    def fails(_):
        raise error

    monkeypatch.setattr(cpp, "_compiled", fails)
    cpp.load.cache_clear()
    _, formula, arrays = both("ssim")
    with pytest.warns(UserWarning, match="no kernel could be compiled"):
        compiled("ssim")(*arrays)
    require_equal(compiled("ssim"), formula, arrays)
    cpp.load.cache_clear()


def test_a_backend_of_ones_own_compiles_no_windows(monkeypatch):
    monkeypatch.setattr(windows, "load", None)
    _, formula, arrays = both("ssim")
    require_equal(compiled("ssim", backend="eager"), formula, arrays)
