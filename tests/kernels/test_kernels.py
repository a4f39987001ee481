"""Every kernel against its formula, which is the judge: the same arrays, the same masks, values and gradients."""

from functools import partial

import pytest
import torch
from on_device import DEVICE, here, multiply_in_half, randint, randn
from torch import Tensor
from torch_cases import CASES

from lossmith.criterion import evaluate, summarise
from lossmith.kernels import devices, kernels
from lossmith.ops import torch as ops
from lossmith.spec import FORMULAS

N = 37
KERNELS = [(name, kernel) for name, kernel in kernels().items()]
every_kernel = pytest.mark.parametrize(("name", "kernel"), KERNELS, ids=[name for name, _ in KERNELS])


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch):
    monkeypatch.setattr(devices, "TILES", {DEVICE: (16, 11)})
    with torch.device(DEVICE):
        yield


def arrays_of(name: str, n: int = N, dtype: torch.dtype = torch.float64, tied: bool = False) -> list[Tensor]:
    """The arguments by what they hold: embeddings, labels of which some occur once, one vector for each class."""
    formula, made = FORMULAS[name], []
    lengths = {"N": n, "D": 5, "C": 23, "M": 29}
    for index, (kind, patterns) in enumerate(zip(formula.kinds, formula.shapes.arguments, strict=True)):
        shape = [lengths[axis] for axis in patterns[0] if axis != "..."]
        if "..." in patterns[0] and "N" not in patterns[0]:
            shape = [n, *shape]
        if kind.partition("|")[0] == "index":
            made.append(randint(23 if "C" in str(formula.shapes.text) else n // 3 + 1, *shape, seed=n + index))
        else:
            made.append((2.0 * randn(*shape, seed=n + index)).to(dtype))
        if tied and index == 0 and n > 3:
            made[0][3] = made[0][1]
    return made


def total(
    formula, arrays: list[Tensor], settings: dict, reduction: str = "sum", **given
) -> tuple[Tensor, list[Tensor]]:
    """The total of values that weigh differently, and its gradients."""
    leaves = [a.detach().clone().requires_grad_() if a.is_floating_point() else a for a in arrays]
    settings = {
        k: here(x).detach().clone().requires_grad_() if isinstance(x, Tensor) else x for k, x in settings.items()
    }
    learned = [x for x in settings.values() if isinstance(x, Tensor)]
    made = evaluate(ops, formula, leaves, caller="test", settings={**formula.keywords, **settings}, **given)
    n = len(arrays[0])
    one_each = made.outcome.values.ndim > 0
    weight = 1.5 + torch.arange(n, dtype=torch.float64).sin() if one_each else None
    whole, terms = summarise(ops, made, reduction=reduction, weight=weight, caller="test")
    wanted = [x for x in leaves if x.is_floating_point()] + learned
    grads = torch.autograd.grad(whole.sum(), wanted, allow_unused=True)
    zero = [torch.zeros_like(x) if grad is None else grad for x, grad in zip(wanted, grads, strict=True)]
    return torch.cat([whole.detach().reshape(-1), *(t.detach().reshape(-1) for t in terms.values())]), zero


def require_equal(kernel, formula, arrays, settings, rtol=1e-11, **given) -> None:
    got, grads = total(kernel, arrays, settings, **given)
    want, wanted = total(formula, arrays, settings, **given)
    torch.testing.assert_close(got, want, rtol=rtol, atol=rtol, equal_nan=True)
    for one, other in zip(grads, wanted, strict=True):
        torch.testing.assert_close(
            one,
            other,
            rtol=rtol,
            atol=rtol * max(1.0, float(other.abs().nan_to_num().max() if other.numel() else 0)),
            equal_nan=True,
        )


def settings_of(name: str) -> list[dict]:
    learned = {
        "clip": [
            {"log_scale": torch.tensor(1.0, dtype=torch.float64)},
            {"log_scale": torch.tensor(5.0, dtype=torch.float64)},
        ],
        "sig_lip": [
            {"log_scale": torch.tensor(1.0, dtype=torch.float64), "bias": torch.tensor(-2.0, dtype=torch.float64)}
        ],
        "linear_cross_entropy": [
            {"bias": torch.arange(23, dtype=torch.float64).sin(), "label_smoothing": 0.25},
            {"soft_cap": 3.0, "z_weight": 0.5, "label_smoothing": 0.25},
        ],
        "info_nce": [{"in_batch": False}, {"temperature": 1e-3}],
    }
    both = [{"temperature": 1e-3}, {"scale": 700.0}]
    return [{}, *learned.get(name, []), *(s for s in both if set(s) <= set(FORMULAS[name].keywords))]


@every_kernel
@pytest.mark.parametrize("n", [N, 1, 2, 16, 0])
def test_a_kernel_is_its_formula_in_value_and_gradient(name, kernel, n):
    for settings in settings_of(name):
        require_equal(kernel, FORMULAS[name], arrays_of(name, n, tied=True), settings)


@every_kernel
def test_what_is_masked_is_removed_whatever_it_holds(name, kernel):
    arrays = arrays_of(name)
    keep = torch.arange(N) % 3 != 1
    spoiled = [a.clone() for a in arrays]
    for array in spoiled:
        if len(array) == N:
            array[~keep] = torch.nan if array.is_floating_point() else 10**6
    for reduction in ("none", "sum", "mean", "weighted_mean"):
        require_equal(kernel, FORMULAS[name], spoiled, {}, reduction=reduction, mask=keep)
    require_equal(kernel, FORMULAS[name], spoiled, {}, mask=torch.zeros(N, dtype=torch.bool))


@every_kernel
def test_nan_is_no_less_nan(name, kernel):
    arrays = arrays_of(name)
    arrays[0][5, 2] = torch.nan
    require_equal(kernel, FORMULAS[name], arrays, {})


@every_kernel
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("narrow", [False, True])
def test_lower_precision_is_as_good_as_the_formulas(name, kernel, dtype, narrow, monkeypatch):
    """Against float64 on the rounded numbers; with products in half precision, directions are rounded as well."""
    if narrow:
        multiply_in_half(monkeypatch, devices)
    else:
        monkeypatch.setattr(devices, "_multiplies", lambda device, dtype: False)
    arrays = [a.to(dtype) if a.is_floating_point() else a for a in arrays_of(name)]
    wide = [a.double() if a.is_floating_point() else a for a in arrays]
    exact, slopes = total(FORMULAS[name], wide, {})
    half = narrow and dtype is not torch.float32
    got, grads = total(kernel, arrays, {})
    torch.testing.assert_close(got.double(), exact, rtol=2.0 * torch.finfo(dtype).eps if half else 1e-5, atol=1e-5)
    worst = (5e-2 if half else 2e-2) if dtype is not torch.float32 else 1e-5
    for one, other in zip(grads, slopes, strict=True):
        assert (one.double() - other).abs().max() <= worst * other.abs().max()


@every_kernel
def test_autocast_multiplies_tiles_in_its_dtype(name, kernel, monkeypatch):
    multiply_in_half(monkeypatch, devices)
    arrays = [a.float() if a.is_floating_point() else a for a in arrays_of(name)]
    exact, slopes = total(FORMULAS[name], arrays, {})
    with torch.autocast(DEVICE, torch.bfloat16):
        got, grads = total(kernel, arrays, {})
    if name != "triplet_mined":  # which sample is hardest is told in float32
        assert not torch.equal(got, total(kernel, arrays, {})[0])
    torch.testing.assert_close(got, exact, rtol=2.0**-7, atol=1e-5)
    for one, other in zip(grads, slopes, strict=True):
        assert (one - other).abs().max() <= 0.1 * other.abs().max()


@every_kernel
def test_strides_do_not_matter(name, kernel):
    arrays = [a.repeat_interleave(2, 0)[::2] if a.ndim < 2 else a.mT.contiguous().mT for a in arrays_of(name)]
    assert not arrays[0].is_contiguous()
    require_equal(kernel, FORMULAS[name], arrays, {})


@every_kernel
def test_second_derivatives_are_the_formulas(name, kernel):
    arrays = arrays_of(name, 6)

    def second(formula):
        x = arrays[0].detach().clone().requires_grad_()
        values = evaluate(ops, formula, [x, *arrays[1:]], caller="test", settings=formula.keywords).outcome.values
        (first,) = torch.autograd.grad(values.square().sum(), x, create_graph=True)
        return torch.autograd.grad(first.square().sum(), x)[0]

    torch.testing.assert_close(second(kernel), second(FORMULAS[name]), rtol=1e-8, atol=1e-8)


@every_kernel
def test_transforms_of_functions_go_through(name, kernel):
    x, *rest = arrays_of(name, 6)

    def values(formula, x):
        return evaluate(ops, formula, [x, *rest], caller="test", settings=formula.keywords).outcome.values.sum()

    ours, judge = (partial(values, formula) for formula in (kernel, FORMULAS[name]))
    way = torch.ones_like(x)
    for transform in (torch.func.grad, torch.func.hessian):
        torch.testing.assert_close(transform(ours)(x), transform(judge)(x))
    torch.testing.assert_close(torch.func.jvp(ours, (x,), (way,)), torch.func.jvp(judge, (x,), (way,)))
    with torch.autograd.forward_ad.dual_level():
        dual = torch.autograd.forward_ad.make_dual(x, way)
        slopes = [torch.autograd.forward_ad.unpack_dual(f(dual)).tangent for f in (ours, judge)]
    torch.testing.assert_close(slopes[0], slopes[1])


def test_the_tests_above_can_fail():
    name, kernel = KERNELS[0]

    class Wrong:
        """The kernel with the gradient of another point."""

        def __getattr__(self, what: str):
            return getattr(kernel, what)

        def outcome(self, ops, first, *rest, **settings):
            return kernel.outcome(ops, first + 1e-6 * first.flip(0), *rest, **settings)

    with pytest.raises(AssertionError):
        require_equal(Wrong(), FORMULAS[name], arrays_of(name), {})


def test_every_kernel_has_a_face_that_uses_it():
    assert {name for name, _ in KERNELS} <= {case.make().formula.name for case in CASES}
    assert len(KERNELS) >= 5
    assert all(kernel is not FORMULAS[name] and kernel.body is not FORMULAS[name].body for name, kernel in KERNELS)
