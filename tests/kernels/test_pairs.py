"""The pair kernels against the whole matrix: value, every gradient, and what is differentiated again."""

from math import inf

import pytest
import torch
from on_device import DEVICE, multiply_in_half, randint, randn
from torch import Tensor

from lossmith.kernels import (
    All,
    AllBut,
    Explicit,
    Labelled,
    Others,
    devices,
    log_sum,
    pairs,
    softplus_sum,
    tiles,
    transforms,
    walk,
)

F64 = torch.float64


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch):
    """Several tiles, the last ones odd, in problems of a few rows."""
    monkeypatch.setattr(devices, "TILES", {DEVICE: (4, 3)})
    with torch.device(DEVICE):
        yield


def draw(*shape: int, seed: int = 0, size: float = 1.0, dtype: torch.dtype = F64) -> Tensor:
    return (size * randn(*shape, seed=seed)).to(dtype)


def labels(n: int, seed: int = 0) -> Tensor:
    return randint(3, n, seed=seed)


def rules(n: int, m: int):
    chosen = randn(n, m, seed=5) < 0.0
    yield "all", All()
    yield "same", Labelled(labels(n, 1), labels(m, 2), same=True)
    yield "other", Labelled(labels(n, 1).sort().values, labels(m, 2).sort().values, same=False)
    yield "not itself", Others()
    yield "not its sample", Others(5)
    if m:
        yield "all but one", AllBut(labels(n, 3).clamp(max=m - 1))
    yield "class but itself", Labelled(labels(n, 1), labels(m, 1), same=True, itself=False)
    yield "explicit", Explicit(chosen)


SIZES = [(9, 7), (1, 5), (5, 1), (8, 6), (0, 3), (3, 0)]
RULES = [(n, m, name, rule) for n, m in SIZES for name, rule in rules(n, m)]
every_rule = pytest.mark.parametrize(
    ("n", "m", "name", "rule"), RULES, ids=[f"{n}x{m} {name}" for n, m, name, _ in RULES]
)
WAYS = {
    "bounded": {"largest": 60.0},
    "running maximum": {},
    "bias": {"bias": True},
    "cap": {"transform": transforms.Cap(2.0)},
    "cap and bias": {"transform": transforms.Cap(90.0), "bias": True},
    "above": {"above": True},
    "above, bounded": {"above": True, "largest": 60.0},
    "both": {"largest": 60.0, "both": True},
    "both, running maximum": {"both": True},
}
every_way = pytest.mark.parametrize("way", WAYS.values(), ids=list(WAYS))


def slopes_of(outputs: tuple[Tensor, ...], given: list[Tensor]) -> list[Tensor]:
    """The gradients for an upstream gradient that is not one."""
    finite = [torch.where(out > -inf, out, 0.0) for out in outputs]
    upstream = [1.0 + torch.arange(len(out), dtype=out.dtype).sin() for out in outputs]
    total = sum((out * up).sum() for out, up in zip(finite, upstream, strict=True))
    return list(torch.autograd.grad(total, given, create_graph=True))


def against_the_matrix(n: int, m: int, rule, way: dict, compute) -> None:
    u, v = draw(n, 4).requires_grad_(), draw(m, 4, seed=1).requires_grad_()
    settings = dict(way)
    bias = draw(m, seed=2).requires_grad_() if settings.pop("bias", False) else None
    given = [x for x in (u, v, bias) if x is not None]
    both = settings.get("both", False)
    if settings.get("above"):
        settings["above"] = draw(n, seed=3)
    problem = walk.Problem(rule, both=both, transform=settings.get("transform"), above=settings.get("above"))
    wanted = pairs.dense(u, v, bias, problem)[: 2 if both else 1]
    found = compute(u, v, rule=rule, bias=bias, **settings)
    found = found if both else (found,)
    for got, want in zip(found, wanted, strict=True):
        torch.testing.assert_close(got, want, rtol=1e-12, atol=1e-12)
    plain = [torch.where(out > -inf, out, 0.0) for out in found]
    upstream = [1.0 + torch.arange(len(out), dtype=F64).sin() for out in plain]
    first = torch.autograd.grad([*plain], given, upstream, retain_graph=True)
    for got, want in zip(first, slopes_of(wanted, given), strict=True):
        torch.testing.assert_close(got, want, rtol=1e-11, atol=1e-12)


@every_rule
@every_way
def test_value_and_gradient_are_those_of_the_whole_matrix(n, m, name, rule, way):
    against_the_matrix(n, m, rule, way, log_sum)


def off_by_one_column(u, v, **settings):
    return log_sum(u, v, **settings) * 1.0 + 1e-6 * u.sum()


def test_the_test_above_can_fail():
    with pytest.raises(AssertionError):
        against_the_matrix(9, 7, All(), {}, off_by_one_column)


def test_classes_learn_where_the_rows_do_not():
    u, label = draw(5, 4), randint(7, 5)

    def slope(learns: bool) -> Tensor:
        classes = draw(7, 4, seed=1).requires_grad_()
        sums = pairs.against_classes(u.requires_grad_(learns), classes, label, largest=9.0, unit=True)
        return torch.autograd.grad(sums.rivals.sum(), classes)[0]

    torch.testing.assert_close(slope(False), slope(True))


@pytest.mark.parametrize("n", [0, 1, 7, 13])
@pytest.mark.parametrize("kept", [0, 2**24], ids=["computed again", "kept"])
@pytest.mark.parametrize("largest", [60.0, inf])
def test_a_symmetric_problem_is_one_with_equal_sides(n, kept, largest, monkeypatch):
    monkeypatch.setattr(pairs, "KEPT", kept)
    for rule in (All(), Labelled(labels(n), labels(n), same=False), Labelled(labels(n), labels(n), True, False)):
        z = draw(n, 4).requires_grad_()
        one = log_sum(z, rule=rule, largest=largest)
        problem = walk.Problem(rule, symmetric=True)
        two, *_ = pairs.dense(z, z, None, problem)
        torch.testing.assert_close(one, two, rtol=1e-12, atol=1e-12)
        upstream = torch.arange(n, dtype=F64).cos()
        got, want = (
            torch.autograd.grad(torch.where(out > -inf, out, 0.0), z, upstream, retain_graph=True) for out in (one, two)
        )
        torch.testing.assert_close(got[0], want[0], rtol=1e-11, atol=1e-12)
        again = torch.autograd.grad(
            torch.where(one > -inf, one, 0.0), z, upstream
        )  # kept tiles are still what they were
        torch.testing.assert_close(again[0], got[0], rtol=0, atol=0)


@every_way
def test_a_gradient_has_a_gradient(way):
    settings = dict(way)
    biased = settings.pop("bias", False)
    if settings.get("above"):
        settings["above"] = draw(5, seed=3)
    given = [draw(5, 2).requires_grad_(), draw(4, 2, seed=1).requires_grad_()]
    given += [draw(4, seed=2).requires_grad_()] if biased else []
    rule = Labelled(torch.arange(5), torch.arange(4), same=False)
    compute = lambda u, v, bias=None: log_sum(u, v, rule=rule, bias=bias, **settings)
    assert torch.autograd.gradgradcheck(compute, given)
    assert torch.autograd.gradgradcheck(lambda z: log_sum(z, rule=All()), given[:1])


def test_a_side_that_is_made_of_the_other_is_differentiated_once():
    z = draw(6, 2).requires_grad_()
    other = Labelled(labels(6), labels(6), same=False)
    for compute in (lambda z: log_sum(2.0 * z, z, rule=other), lambda z: softplus_sum(z, 2.0 * z, rule=other)):
        once, again = (
            torch.autograd.grad(compute(z), z, torch.arange(6, dtype=F64), create_graph=graph)[0]
            for graph in (False, True)
        )
        torch.testing.assert_close(again, once)


@every_rule
def test_sums_of_softplus_are_those_of_the_whole_matrix(n, m, name, rule):
    given = [draw(n, 4).requires_grad_(), draw(m, 4, seed=1).requires_grad_(), draw(m, seed=2).requires_grad_()]
    found = softplus_sum(*given[:2], rule=rule, bias=given[2])
    u, v, bias = given
    chosen = walk.belong(rule, n, m, u.device)
    wanted = torch.where(chosen, torch.nn.functional.softplus(u @ v.T + bias, threshold=700.0), 0.0).sum(1)
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12)
    upstream = torch.arange(n, dtype=F64).cos()
    for got, want in zip(*(torch.autograd.grad(out, given, upstream) for out in (found, wanted)), strict=True):
        torch.testing.assert_close(got, want, rtol=1e-11, atol=1e-12)
    if name == "same" and n == 8:
        assert torch.autograd.gradgradcheck(lambda u, v, b: softplus_sum(u, v, rule=rule, bias=b), given)


def test_nothing_to_sum_is_minus_infinity_without_a_gradient():
    u, v = draw(5, 2).requires_grad_(), draw(5, 2).requires_grad_()
    for settings in ({}, {"largest": 1.0}):
        out = log_sum(u, v, rule=Explicit(torch.zeros(5, 5, dtype=torch.bool)), **settings)
        assert torch.equal(out, torch.full((5,), -inf, dtype=F64))
        grads = torch.autograd.grad(out, (u, v), torch.ones(5, dtype=F64))
        assert not any(grad.any() for grad in grads)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("largest", [20.0, inf])
@pytest.mark.parametrize("narrow", [True, False])
def test_half_precision_is_summed_in_float32(dtype, largest, narrow, monkeypatch):
    """Also of products in half precision: the sums are those of the given numbers, and only weights are rounded."""
    multiply_in_half(monkeypatch, devices)
    u, v = draw(70, 3, dtype=dtype).requires_grad_(), draw(90, 3, seed=1, dtype=dtype).requires_grad_()
    out = log_sum(u, v, largest=largest, narrow=dtype if narrow else None)
    wide = [x.detach().double().requires_grad_() for x in (u, v)]
    want = log_sum(*wide)
    assert out.dtype == torch.float32
    torch.testing.assert_close(out.double(), want, rtol=1e-6, atol=1e-6)
    upstream = 1e-7 * torch.arange(70.0).cos()  # beyond the smallest numbers of float16
    found = torch.autograd.grad(out, (u, v), upstream)
    half, smallest = torch.finfo(dtype).eps / 2, torch.finfo(dtype).smallest_normal * torch.finfo(dtype).eps
    for got, wanted in zip(found, torch.autograd.grad(want, wide, upstream.double()), strict=True):
        assert got.dtype == dtype
        assert (got.double() - wanted).abs().max() <= (3.0 if narrow else 1.001) * half * wanted.abs().max() + smallest


def test_where_a_device_rounds_the_product_too_logits_are_off_by_half_an_eps(monkeypatch):
    u, v = draw(20, 3, dtype=torch.bfloat16), draw(30, 3, seed=1, dtype=torch.bfloat16)
    off = log_sum(u, v, narrow=torch.bfloat16).double() - log_sum(u.double(), v.double())
    assert off.abs().max() <= 2.0**-8 * (u.double() @ v.double().T).abs().max()
    assert DEVICE != "cpu" or off.abs().max() > 1e-5


def test_views_of_any_stride_and_values_of_any_size_are_right():
    u, v = draw(4, 9).T, draw(14, 4, seed=1)[::2]
    assert not u.is_contiguous()
    torch.testing.assert_close(log_sum(u, v), torch.logsumexp(u @ v.T, 1))
    torch.testing.assert_close(log_sum(1e3 * u, v, both=True)[1], torch.logsumexp(1e3 * u @ v.T, 0))
    tied = torch.ones(6, 2, dtype=F64)
    torch.testing.assert_close(log_sum(900.0 * tied, tied), torch.logsumexp(900.0 * tied @ tied.T, 1))


def test_nan_and_infinity_stay_in_their_rows():
    u, v = draw(6, 2), draw(5, 2, seed=1)
    u[1], u[2, 0] = torch.nan, 1e200
    v[0, 0], v[1, 0] = 1e200, -1e200
    for settings in ({}, {"both": True}):
        out = log_sum(u, v, **settings)
        rows = out[0] if isinstance(out, tuple) else out
        want = torch.logsumexp(u @ v.T, 1)
        torch.testing.assert_close(rows, want, equal_nan=True)


def test_rules_say_which_pairs_belong():
    i, j = torch.arange(9)[:, None], torch.arange(7)[None, :]
    one, other = labels(9, 1), labels(7, 1)
    wanted = [
        (All(), torch.ones(9, 7, dtype=torch.bool)),
        (Others(), i != j),
        (Others(3), i % 3 != j % 3),
        (AllBut(one), one[:, None] != j),
        (Labelled(one, other, same=True), one[:, None] == other),
        (Labelled(one, other, same=True, itself=False), (one[:, None] == other) & (i != j)),
        (
            Labelled(one.sort().values, other.sort().values, same=False),
            one.sort().values[:, None] != other.sort().values,
        ),
    ]
    for rule, chosen in wanted:
        for height, width in ((4, 3), (2, 5), (9, 7)):
            rows, columns = tiles.pieces(9, height), tiles.pieces(7, width)
            tiled, found = rule.split(rows, columns), torch.zeros(9, 7, dtype=torch.bool)
            for r, row in enumerate(rows):
                for c, column in enumerate(columns):
                    whole = torch.ones(len(i[row]), len(j[0, column]), dtype=torch.bool)
                    found[row, column] = tiled.leave(whole, r, c, False) if tiled.some(r, c) else False
            assert torch.equal(found, chosen)


@pytest.mark.parametrize("margin", [0.25, 0.0])
@pytest.mark.parametrize("made", [transforms.Cap, transforms.Pull, transforms.Push], ids=lambda made: made.__name__)
def test_a_transform_knows_its_slope(made, margin):
    """Of cosines, some of which are rounded beyond 1; the weights of circle loss may be constant."""
    x = torch.tensor([-1.0, -0.7, -0.25, -0.1, 0.0, 0.3, 0.9, 1.0], dtype=F64).requires_grad_()
    for transform in [made(2.0)] if made is transforms.Cap else [made(80.0, margin, constant) for constant in (0, 1)]:
        (slope,) = torch.autograd.grad(transform(x).sum(), x)
        inside = (x.detach() != -margin) & (x.detach() != 1.0)  # at a kink either side will do
        torch.testing.assert_close(transform.slope(x.detach(), transform(x).detach())[inside], slope[inside])


@pytest.mark.parametrize("size", [1e-30, 1e-3, 1e30])
def test_directions_are_right_at_every_length(size):
    """Between the ends two passes are enough; beyond them a square would be 0 or inf."""
    block = torch.randn(5, 8, generator=torch.Generator().manual_seed(0)) * size
    unit, factors = walk.directions(block)
    wide = block.double()
    length = torch.linalg.vector_norm(wide, dim=-1, keepdim=True)
    torch.testing.assert_close(unit.double(), wide / length, rtol=1e-6, atol=1e-7)
    torch.testing.assert_close(factors.double().prod(-1, keepdim=True), 1.0 / length, rtol=1e-6, atol=0.0)
