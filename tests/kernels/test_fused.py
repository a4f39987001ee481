"""The Triton kernels against the whole matrix, and against the path that they replace.

Without a device they run in Triton's interpreter, and are compiled for a device that need not be there.
"""

import os
import subprocess
import sys
from math import inf, nan

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
    fused,
    log_sum,
    pairs,
    walk,
)
from lossmith.kernels.pairs import against_classes
from lossmith.kernels.transforms import Cap, Pull

pytest.importorskip("triton", reason="triton is not installed")
pytestmark = pytest.mark.filterwarnings("ignore:.*(encountered|All-NaN).*:RuntimeWarning")  # numpy, in the interpreter

N, M = 33, 21


@pytest.fixture(autouse=True)
def small_tiles_and_blocks(monkeypatch):
    """Several tiles, of several programs, the last ones odd."""
    monkeypatch.setattr(devices, "TILES", {DEVICE: (32, 17)})
    monkeypatch.setattr(fused, "BLOCK", (16, 16))
    monkeypatch.setattr(fused, "LEAST", 0)
    monkeypatch.delenv("LOSSMITH_TRITON", raising=False)
    with torch.device(DEVICE):
        yield


def draw(*shape: int, seed: int = 0) -> Tensor:
    return randn(*shape, seed=seed).float()


def labels(n: int, seed: int = 0) -> Tensor:
    return randint(3, n, seed=seed).sort().values


def rules(n: int, m: int) -> dict:
    return {
        "all": All(),
        "not itself": Others(),
        "not its sample": Others(11),
        "all but one": AllBut(randint(m, n)),
        "same": Labelled(labels(n), labels(m, 1), same=True),
        "other": Labelled(labels(n), labels(m, 1), same=False),
        "class but itself": Labelled(labels(n), labels(m, 1), same=True, itself=False),
    }


CASES = {
    "bounded": ("not its sample", {"largest": 60.0}),
    "running maximum": ("class but itself", {}),
    "bias, both": ("all", {"bias": True, "both": True}),
    "both": ("not itself", {"both": True, "largest": 60.0}),
    "cap and bias": ("other", {"bias": True, "transform": Cap(2.0)}),
    "above": ("same", {"above": True}),
    "all but one": ("all but one", {"bias": True}),
}


def computed(n: int, m: int, rule, way: dict) -> list[Tensor]:
    """What the kernels give, and the gradients for an upstream gradient that is not one."""
    u, v, bias, settings = given(n, m, way)
    leaves = [x.requires_grad_() for x in (u, v, bias) if x is not None]
    found = log_sum(u, v, rule=rule, bias=bias, **settings)
    return with_slopes(found if isinstance(found, tuple) else (found,), leaves)


def on_the_matrix(n: int, m: int, rule, way: dict) -> list[Tensor]:
    u, v, bias, settings = given(n, m, way)
    leaves = [x.double().requires_grad_() for x in (u, v, bias) if x is not None]
    settings.pop("largest", None)
    outputs = pairs.dense(leaves[0], leaves[1], None if bias is None else leaves[2], walk.Problem(rule, **settings))
    return with_slopes(outputs[: 2 if settings.get("both") else 1], leaves)


def given(n: int, m: int, way: dict) -> tuple:
    settings = dict(way)
    bias = draw(m, seed=2) if settings.pop("bias", False) else None
    if settings.pop("above", False):
        settings["above"] = draw(n, seed=3) - 1.0
    return draw(n, 4), draw(m, 4, seed=1), bias, settings


def with_slopes(outputs: tuple[Tensor, ...], leaves: list[Tensor]) -> list[Tensor]:
    finite = [torch.where(out.isfinite(), out, 0.0) for out in outputs]
    total = sum((out * (1.0 + torch.arange(len(out)).sin())).sum() for out in finite)
    return [out.detach() for out in outputs] + list(torch.autograd.grad(total, leaves))


def assert_near(found: list[Tensor], wanted: list[Tensor]) -> None:
    for got, want in zip(found, wanted, strict=True):
        torch.testing.assert_close(got, want.to(got.dtype), rtol=1e-5, atol=1e-5, equal_nan=True)


@pytest.mark.parametrize("case", CASES)
def test_they_give_what_the_matrix_gives(case):
    name, way = CASES[case]
    rule = rules(N, M)[name]
    assert_near(computed(N, M, rule, way), on_the_matrix(N, M, rule, way))


def test_the_test_above_can_fail(monkeypatch):
    sums = fused.Passes.sums

    def less(self, *args, **settings):
        parts = sums(self, *args, **settings)
        return parts._replace(rows=parts.rows[:-1])

    monkeypatch.setattr(fused.Passes, "sums", less)
    with pytest.raises(AssertionError):
        test_they_give_what_the_matrix_gives("bounded")


@pytest.mark.parametrize(("n", "m"), [(1, 5), (5, 1), (0, 3), (3, 0)])
def test_few_rows_or_columns(n, m):
    assert_near(computed(n, m, All(), {}), on_the_matrix(n, m, All(), {}))


@pytest.mark.parametrize("dtype", [None, torch.bfloat16, torch.float16], ids=["float32", "bfloat16", "float16"])
def test_a_symmetric_problem_is_as_without_them(dtype, monkeypatch):
    if dtype is not None:
        multiply_in_half(monkeypatch, devices)

    def one() -> list[Tensor]:
        z = draw(N + 7, 4).requires_grad_()
        return with_slopes((log_sum(z, rule=Others(20), largest=60.0, narrow=dtype),), [z])

    fast = one()
    monkeypatch.setenv("LOSSMITH_TRITON", "0")
    coarse = 1e-5 if dtype is None else 10.0 * torch.finfo(dtype).eps
    for got, want in zip(fast, one(), strict=True):
        torch.testing.assert_close(got, want, rtol=coarse, atol=coarse)


def test_sums_over_classes_are_as_without_them(monkeypatch):
    label = randint(M, N)

    def one() -> list[Tensor]:
        leaves = [draw(N, 4).requires_grad_(), draw(M, 4, seed=1).requires_grad_()]
        sums = against_classes(*leaves, label, unit=True, totals=True, cap=3.0)
        return with_slopes((sums.rivals, sums.row[:, 0], sums.total), leaves)

    fast = one()
    monkeypatch.setenv("LOSSMITH_TRITON", "0")
    assert_near(fast, one())


def test_tensors_may_have_strides_of_their_own(monkeypatch):
    label, edge = labels(2 * N)[::2], torch.tensor(-2.0).expand(N)

    def one() -> list[Tensor]:
        leaves = [draw(4, N).requires_grad_(), draw(M, 8, seed=1).requires_grad_(), torch.tensor(0.5).requires_grad_()]
        u, v, bias = leaves[0].T, leaves[1][:, ::2], leaves[2].expand(M)
        rule = Labelled(label, label[:M], same=False)
        found = log_sum(u, v, rule=rule, above=edge, bias=bias)
        return list(torch.autograd.grad(found.sum(), leaves))  # an upstream gradient of stride 0

    fast = one()
    monkeypatch.setenv("LOSSMITH_TRITON", "0")
    assert_near(fast, one())


def test_infinities_ties_and_what_is_left_out(monkeypatch):
    u, v = torch.zeros(5, 2), torch.zeros(20, 2)
    u[0], v[3] = torch.tensor([inf, 1.0]), torch.tensor([1.0, nan])  # NaN but in its own class, which is left out
    v[4:6, 0], u[1, 1] = torch.tensor([2e38, -2e38]), 1.0
    u[2, 0] = 1.0
    classes = torch.where(torch.arange(20) == 3, 1, 0)
    for rule in (
        Labelled(torch.zeros(5).long(), classes, same=True),
        Labelled(torch.full((5,), 2), classes, same=True),
    ):
        for way in ({}, {"both": True}):

            def one(way=way, rule=rule) -> list[Tensor]:
                found = log_sum(u, v, rule=rule, **way)
                return list(found) if isinstance(found, tuple) else [found]

            monkeypatch.delenv("LOSSMITH_TRITON", raising=False)
            fast = one()
            monkeypatch.setenv("LOSSMITH_TRITON", "0")
            assert_near(fast, one())


def served(u: Tensor, rule, **settings) -> bool:
    return fused.fused_passes(walk.Walk(u, u, None, walk.Problem(rule, **settings))) is not None


def test_where_they_do_not_serve_the_other_path_goes_on(monkeypatch):
    u = draw(3, 4)
    assert served(u, All())
    assert served(u, Others(), transform=Cap(3.0))
    assert not served(u.double(), All())
    assert not served(u, Explicit(torch.ones(3, 3) > 0))
    assert not served(u, All(), transform=Pull(2.0, 0.25, constant=False))
    monkeypatch.setattr(fused, "LEAST", 10)
    assert not served(u, All())  # 9 pairs
    monkeypatch.setattr(fused, "LEAST", 0)
    monkeypatch.setenv("LOSSMITH_TRITON", "0")
    assert not served(u, All())


def test_where_triton_does_not_run_the_other_path_goes_on(monkeypatch):
    def fails(*args):
        raise RuntimeError("no compiler of C")

    monkeypatch.setattr(fused, "_launch", fails)
    fused._tried.cache_clear()
    with pytest.warns(UserWarning, match="RuntimeError: no compiler of C"):
        assert not served(draw(3, 4), All())
    assert not served(draw(3, 4), All())  # without another warning
    fused._tried.cache_clear()


COMPILES = """
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from lossmith.kernels import fused_triton

def compiled(kernel, **constants):
    names = kernel.arg_names
    kinds = dict.fromkeys(("stride", "rows", "columns", "shift"), "i32") | {"cap": "fp32"}
    kinds |= {"row_keys": "*i64", "column_keys": "*i64", "out": "*bf16"}
    types = {name: "constexpr" if name in constants else kinds.get(name, "*fp32") for name in names}
    given = {(names.index(name),): value for name, value in constants.items()}
    source = ASTSource(fn=kernel, signature=types, constexprs=given)
    return triton.compile(source, target=GPUTarget("cuda", 90, 32)).asm["ptx"]

flags = {"SAME": True, "ITSELF": False, "BI": 16, "BJ": 64}
for kernel, more in ((fused_triton.sum_block, {"BOUNDED": False}), (fused_triton.weigh_block, {})):
    assert "entry" in compiled(kernel, **flags, **more, CAPPED=True)
    unasked = "bias", "above", "row_keys", "column_keys", "column_slopes"
    nothing = {name: None for name in unasked if name in kernel.arg_names}
    assert "entry" in compiled(kernel, **flags, **more, **nothing, CAPPED=False)
"""


def test_they_compile_for_a_device():
    without = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    ran = subprocess.run([sys.executable, "-c", COMPILES], env=without, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
