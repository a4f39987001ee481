"""One compiled kernel for total and gradient, against the loss as it is; without a C++ compiler but for four losses."""

import copy
import pickle
from functools import partial

import pytest
import torch
from on_device import all_here, here, randint, randn
from torch import Tensor
from torch_cases import ONE_PASS
from torch_cases.data import Case, close

import lossmith.torch as faces
from lossmith import formulas
from lossmith.kernels import OnePass, compiler
from lossmith.kernels.boxes import Axis
from lossmith.kernels.slopes import _log1p
from whole import WHOLE

ONE_EACH = list({case.make().formula.name: case for case in ONE_PASS}.values())
every_case = pytest.mark.parametrize("case", ONE_EACH, ids=lambda case: case.name)


@pytest.fixture(autouse=True)
def forgotten():
    """Graphs of other tests do not count."""
    torch._dynamo.reset()


def of(case: Case, **given) -> tuple[Tensor, ...]:
    with torch.device("cpu"):
        return all_here(case.arrays(**given))


def learned(face) -> list[Tensor]:
    return [p for p in face.parameters() if p.requires_grad]


def slopes(face, arrays, targets: int, upstream: float = 1.0, **given) -> list[Tensor]:
    """The total and its gradients, for an upstream gradient that is `upstream` and grows along the values."""
    first = len(arrays) - targets
    preds = [array.detach().clone().requires_grad_() for array in arrays[:first]]
    total = face(*preds, *arrays[first:], **given)
    last = upstream + (total.ndim > 0)
    factor = torch.linspace(upstream, last, total.numel(), dtype=total.dtype).reshape(total.shape)
    wanted = [*preds, *learned(face)]
    grads = torch.autograd.grad(total, wanted, factor, allow_unused=True)
    zeros = [torch.zeros_like(x) if grad is None else grad for x, grad in zip(wanted, grads, strict=True)]
    return [total.detach(), *zeros]


def compiled(make, **settings):
    """A face, and the same face compiled, without a C++ compiler."""
    face, fast = (here(make(**settings).double()) for _ in range(2))
    fast.load_state_dict(face.state_dict())
    fast.compile(backend="eager")
    assert fast._one_pass is not None or fast._written is not None
    return face, fast


def require_equal(one, other, arrays, targets, rtol: float = 1e-11, **given) -> None:
    for got, want in zip(slopes(one, arrays, targets, **given), slopes(other, arrays, targets, **given), strict=True):
        close(got, want, rtol=rtol)


@every_case
def test_a_compiled_loss_has_the_same_total_and_gradient(case):
    face, fast = compiled(case.make)
    arrays = of(case)
    mask = torch.arange(len(arrays[0])) != 1
    require_equal(fast, face, arrays, case.targets, upstream=-2.5, mask=mask)


@pytest.mark.parametrize("case", ONE_EACH if WHOLE else ONE_EACH[::20], ids=lambda case: case.name)
@pytest.mark.parametrize("reduction", ["none", "sum", "weighted_mean"])
def test_every_reduction_weight_and_mask_is_the_same(case, reduction):
    face, fast = compiled(case.make, reduction=reduction)
    arrays = of(case)
    keep = torch.arange(len(arrays[0])) % 3 != 1
    spoiled = [a.clone() for a in arrays]
    for array in spoiled:
        array[~keep] = torch.nan if array.is_floating_point() else 10**6
    given = {"mask": keep}
    if face(*arrays).ndim == 1 or reduction != "none":
        given["weight"] = torch.tensor(0.5, dtype=torch.float64)
    require_equal(fast, face, spoiled, case.targets, upstream=0.5, **given)
    require_equal(fast, face, [a[:0] for a in arrays], case.targets)


class Doubled(torch.nn.Module):
    """A loss whose upstream gradient is lost."""

    def __init__(self, face):
        super().__init__()
        self.face = face

    def forward(self, *arrays, **given):
        return self.face(*arrays, **given) * 2.0 - self.face(*arrays, **given).detach()


def test_the_tests_above_can_fail():
    face, fast = compiled(faces.HuberLoss)
    with pytest.raises(AssertionError):
        require_equal(Doubled(fast), face, (torch.ones(3), torch.zeros(3)), 1)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_widened_inside(dtype):
    face, fast = compiled(faces.BinaryFocalLoss)
    x, t = (randn(5000, seed=seed).sigmoid().to(dtype) for seed in range(2))
    require_equal(fast, face, (x, t), 1)


def test_batches_of_any_size_and_stride_are_right():
    face, fast = compiled(faces.CrossEntropyLoss, label_smoothing=0.1)
    for n in (7, 1, 12, 30):
        require_equal(fast, face, (randn(5, n).T, randint(5, n)), 1)


def test_a_gradient_is_differentiated_again_and_taken_twice():
    face, fast = compiled(faces.LogCoshLoss)
    x = torch.linspace(-2.0, 2.0, 5, dtype=torch.float64, requires_grad=True)
    t = torch.zeros(5, dtype=torch.float64)
    second = []
    for loss in (fast, face):
        (first,) = torch.autograd.grad(loss(x, t), x, create_graph=True)
        second.append(torch.autograd.grad(first.square().sum(), x)[0])
    close(*second)
    total = fast(x, t)
    once = torch.autograd.grad(total, x, retain_graph=True)[0].clone()
    close(torch.autograd.grad(total, x)[0], once)
    x.grad = None
    total = fast(x, t)
    total.backward(retain_graph=True)
    total.backward()
    close(x.grad, 2.0 * once)


def test_transforms_no_grad_and_terms_go_through():
    face, fast = compiled(faces.DistillationLoss)
    x, *rest = randn(4, 3).float(), randn(4, 3, seed=1).float(), randint(3, 4)
    with torch.no_grad():
        close(fast(x, *rest), face(x, *rest), rtol=1e-6)
    close(torch.func.grad(fast)(x, *rest), torch.func.grad(face)(x, *rest), rtol=1e-6)
    total, _ = fast(x, *rest, return_terms=True)
    close(total, face(x, *rest), rtol=1e-6)
    caller = torch.compile(lambda x: fast(2.0 * x, *rest), backend="eager", fullgraph=True)
    close(caller(x), face(2.0 * x, *rest), rtol=1e-6)


def test_losses_of_regions_stay_by_hand_on_a_cpu(monkeypatch):
    face, fast = faces.DiceLoss(), faces.DiceLoss()
    fast.compile(backend="eager")
    x, t = randn(2, 3, 4).float(), torch.zeros(2, 4, dtype=torch.long)
    monkeypatch.setattr(OnePass, "__call__", lambda *_, **__: 1 / 0)
    close(fast.cpu()(x.cpu(), t.cpu()), face.cpu()(x.cpu(), t.cpu()))
    monkeypatch.setattr("lossmith.torch.loss.stays", lambda *_: False)
    with pytest.raises(ZeroDivisionError):
        fast(x, t)


def test_a_copy_is_not_compiled_and_computes_the_same():
    face, fast = compiled(faces.HuberLoss, delta=0.5)
    for again in (copy.deepcopy(fast), pickle.loads(pickle.dumps(fast))):
        assert again._one_pass is None
        require_equal(again, face, (torch.ones(3), torch.zeros(3)), 1)


def test_a_formula_of_your_own_is_compiled_alike():
    total = lambda x, t, weight=None: formulas.huber.total(x, t, weight=weight, delta=0.5)
    fast = OnePass(total, backend="eager")
    x, t = torch.linspace(-2.0, 2.0, 5, requires_grad=True), torch.zeros(5)
    for given in ({}, {"weight": torch.arange(5.0)}):
        got, want = (torch.autograd.grad(3.0 * f(x, t, **given), x)[0] for f in (fast, total))
        close(got, want, rtol=1e-6)
    rows = OnePass(lambda x: x.square().sum(1), backend="eager")
    y = torch.eye(3, requires_grad=True)
    close(torch.autograd.grad(rows(y), y, torch.arange(3.0))[0], 2.0 * torch.diag(torch.arange(3.0)))


def test_losses_of_pairs_keep_their_kernels():
    face = faces.NTXentLoss()
    face.compile()
    assert face._one_pass is face._written is None


def test_of_boxes_the_written_slope_is_compiled_and_what_it_does_not_know_is_the_formulas(monkeypatch):
    face, fast = compiled(faces.GIoULoss)
    assert fast._one_pass is None
    assert copy.deepcopy(fast)._written is None
    x = torch.tensor([[0.0, 0.0, 2.0, 1.0], [1.0, 1.0, 0.0, 3.0], [0.0, 0.0, 0.0, 1.0]], dtype=torch.float64)
    t = torch.tensor([[1.0, 0.0, 3.0, 1.0]] * 3, dtype=torch.float64)
    for some in (slice(1), slice(3), slice(0)):
        require_equal(fast, face, (x[some], t[some]), 1)
    monkeypatch.setattr(Axis, "__init__", lambda *_: 1 / 0)
    fast(x[:1].clone().requires_grad_(), t[:1])  # has its kernel
    with pytest.raises(ZeroDivisionError):
        face(x[:1].clone().requires_grad_(), t[:1])


def test_the_logarithm_of_a_compiled_focal_loss_keeps_its_digits():
    e = torch.cat([torch.linspace(0.0, 1.0, 4097), torch.logspace(-30.0, 0.0, 301)])
    close(torch.compile(_log1p, backend="eager", fullgraph=True)(e), e.double().log1p().float(), rtol=2.5e-7)
    x, t = (2.0 * randn(5000)).float(), (randn(5000, seed=1) > 0.0).float()
    fast = faces.BinaryFocalLoss()
    fast.compile(backend="eager")
    require_equal(fast, faces.BinaryFocalLoss(), (x, t), 1, rtol=1e-5)
    assert not torch.equal(torch.compile(_log1p, backend="eager")(e), e.log1p())  # the one that was asked for


def test_without_a_compiler_it_says_so_once_and_runs(monkeypatch):
    class InvalidCxxCompiler(RuntimeError):
        pass

    def missing(*_):
        raise InvalidCxxCompiler("No working C++ compiler found")

    face, fast = compiled(faces.HuberLoss)
    monkeypatch.setattr(fast._one_pass, "_both", missing)
    x, t = torch.ones(3), torch.zeros(3)
    with pytest.warns(UserWarning, match="the loss runs as it is: No working C"):
        require_equal(fast, face, (x, t), 1)
    require_equal(fast, face, (x, t), 1)
    monkeypatch.setattr(torch, "compile", lambda *_, **__: missing)
    alone = compiler.compiled(torch.square, backend="eager")
    with pytest.warns(UserWarning, match="the loss runs as it is: No working C"):
        assert alone(torch.tensor(3.0)) == 9.0
    assert alone(torch.tensor(3.0)) == 9.0


def test_other_errors_are_not_swallowed():
    fast = OnePass(lambda x: x.nonsense, backend="eager")
    with pytest.raises(Exception, match="nonsense"):
        fast(torch.ones(2, requires_grad=True), scalar=True)
    assert not compiler.no_compiler(ValueError("a shape"))


COMPILED: list[tuple[str, Case]] = [
    (name, next(case for case in ONE_PASS if case.name == name)) for name in ("binary_focal", "giou", "ce")
]


@pytest.mark.parametrize("case", [case for _, case in COMPILED], ids=[name for name, _ in COMPILED])
def test_real_kernels_are_right(case):
    """In float32, of a size that takes vectors and a tail, with masks; compiled by the machine's compiler."""
    face, fast = here(case.make()), here(case.make())
    fast.load_state_dict(face.state_dict())
    fast.compile()
    arrays = [torch.cat([a] * 7) for a in of(case, dtype=torch.float32)]
    keep = torch.arange(len(arrays[0])) % 5 != 1
    require_equal(fast, face, arrays, case.targets, upstream=2.0, rtol=2e-5, mask=keep)


def test_more_losses_than_torch_compiles_one_code_for_are_all_compiled():
    x = torch.tensor([1.0, -2.0])
    for power in range(1, 11):
        graphs = []
        loss = OnePass(lambda x, n=power: (x**n).sum(), backend=partial(kept, graphs))
        assert loss(x).item() == (x**power).sum().item()
        assert len(graphs) == 1


def test_more_kinds_of_arguments_than_torch_compiles_for_run_as_they_are():
    loss = OnePass(lambda x: x.square().sum(), backend="eager")
    cubes = [torch.full((2,) * rank, 3.0, requires_grad=True) for rank in range(12)]
    with pytest.warns(UserWarning, match="no more kinds of arguments"):
        totals = [loss(x, scalar=True) for x in cubes]
    sum(totals).backward()
    assert [total.item() for total in totals] == [9.0 * x.numel() for x in cubes]
    assert all(bool((x.grad == 6.0).all()) for x in cubes)


def test_functions_of_one_code_are_compiled_each():
    for factor in range(12):
        graphs = []
        function = compiler.compiled(lambda x, *, n=factor: n * x, backend=partial(kept, graphs))
        for _ in range(2):
            assert function(torch.ones(3)).tolist() == [factor] * 3
        assert len(graphs) == 1


def kept(graphs, graph, _):
    """A back end that counts what it compiles."""
    graphs.append(graph)
    return graph
