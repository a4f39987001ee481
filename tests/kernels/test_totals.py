"""The plain call of a face, total and gradient in one go, against the same face by its formula alone."""

from functools import partial

import pytest
import torch
from on_device import DEVICE, all_here, here
from torch import Tensor
from torch_cases import CASES
from torch_cases.data import Case

import lossmith.torch as faces
from lossmith.errors import DtypeError, ShapeError
from lossmith.kernels import blocks, body_for, native, rows, rows_stay, totals
from lossmith.torch import loss as module
from lossmith.torch.checked import checked

on_cpu = pytest.mark.skipif(DEVICE != "cpu", reason="labels are looked at on the CPU alone")


def shortened(case: Case) -> bool:
    face, arrays = case.make(), case.arrays()
    if face.declaration.held or len(arrays) != len(face.formula.arguments):
        return False
    kinds = face.formula.kinds_of(module.reader_of(arrays[0]), *face._laid_out(face.takes, arrays), **face._keywords())
    return body_for(face.formula, arrays, kinds) is not None


TAKEN = [case for case in CASES if shortened(case)]
every_case = pytest.mark.parametrize("case", TAKEN, ids=lambda case: case.name)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(blocks, "ON_CPU", 20)
    monkeypatch.setattr(blocks, "ON_DEVICE", 20)
    monkeypatch.setattr(rows, "BLOCK", 20)
    monkeypatch.setattr(native, "MIDDLE", 20)


@pytest.fixture
def by_formula(monkeypatch):
    """Makes a face compute as its formula says, without any kernel."""

    def judged(function):
        with monkeypatch.context() as patch:
            patch.setattr(module, "freely", lambda _: False)
            patch.setattr(module, "eager_of", lambda formula: formula)
            return function()

    return judged


def found(face, arrays: tuple[Tensor, ...], targets: int) -> list[Tensor]:
    """The total; its gradient for two upstream gradients, taken one after the other; and that of its square."""
    first = len(arrays) - targets
    preds = [array.detach().clone().requires_grad_() for array in arrays[:first]]
    total = face(*preds, *arrays[first:])
    zeros = {"materialize_grads": True}
    once = torch.autograd.grad(total, preds, torch.full_like(total, -2.5), retain_graph=True, **zeros)
    once = [x.clone() for x in once]
    again = torch.autograd.grad(total, preds, retain_graph=True, **zeros)
    made = torch.autograd.grad(total, preds, create_graph=True, **zeros)
    square = sum((x.square() * y).sum() for x, y in zip(made, preds, strict=True))
    return [total.detach(), *once, *again, *torch.autograd.grad(square, preds, **zeros)]


def require_equal(by_formula, face, arrays, targets, rtol: float = 1e-9) -> None:
    want = by_formula(lambda: found(face, arrays, targets))
    for got, each in zip(found(face, arrays, targets), want, strict=True):
        torch.testing.assert_close(got, each, rtol=rtol, atol=1e-11, equal_nan=True)


@every_case
def test_a_plain_total_and_its_gradients_are_the_formulas(case, by_formula):
    for reduction in ("mean", "sum", "weighted_mean"):
        require_equal(by_formula, here(case.make(reduction=reduction)), all_here(case.arrays()), case.targets)


@every_case
def test_what_is_not_finite_and_one_sample_are_the_formulas_too(case, by_formula):
    face, arrays = here(case.make()), all_here(case.arrays())
    require_equal(by_formula, face, tuple(array[:1] for array in arrays), case.targets)
    for entry in (torch.nan, torch.inf):
        spoiled = arrays[0].clone()
        spoiled[1].view(-1)[-1] = entry
        there = spoiled.isfinite()  # the gradient in a NaN is the reader's
        given = (face, (spoiled, *arrays[1:]), case.targets)
        got, want = found(*given), by_formula(partial(found, *given))
        torch.testing.assert_close(got[0], want[0], rtol=1e-9, atol=1e-11, equal_nan=True)
        torch.testing.assert_close(got[1][there], want[1][there], rtol=1e-9, atol=1e-11, equal_nan=True)


WEIGHTS = torch.tensor([0.5, 2.0, 0.0, 1.0, 3.0], dtype=torch.float64)
OF_LABELS = {
    "plain": faces.CrossEntropyLoss,
    "smoothed": partial(faces.CrossEntropyLoss, label_smoothing=0.3),
    "weighed": partial(faces.CrossEntropyLoss, WEIGHTS),
    "by weight": partial(faces.CrossEntropyLoss, WEIGHTS, reduction="weighted_mean"),
    "chosen": faces.NLLLoss,
    "chosen by weight": partial(faces.NLLLoss, WEIGHTS, reduction="weighted_mean"),
    "focal": faces.FocalLoss,
}


@pytest.mark.parametrize("face", OF_LABELS.values(), ids=OF_LABELS)
@pytest.mark.parametrize("shape", [(9, 5), (3, 5, 2, 4)])
@on_cpu
def test_ignored_labels_are_left_out_whatever_their_rows_hold(face, shape, by_formula):
    g = torch.Generator().manual_seed(0)
    x = torch.randn(*shape, generator=g, dtype=torch.float64).log_softmax(1)
    t = torch.randint(0, 5, (shape[0], *shape[2:]), generator=g)
    for ignored in (t == 2, torch.ones_like(t, dtype=torch.bool), torch.zeros_like(t, dtype=torch.bool)):
        labels = torch.where(ignored, -100, t)
        spoiled = torch.where(ignored.unsqueeze(1), torch.nan, x)
        require_equal(by_formula, face(), (spoiled, labels), 1)
        assert not found(face(), (spoiled, labels), 1)[1].isnan().any()


@pytest.mark.parametrize("logit", [0.0, 40.0, 800.0, -800.0])
@on_cpu
def test_a_sure_row_keeps_its_digits(logit, by_formula):
    x = torch.tensor([[logit, 0.0, -1.0], [0.0, 1.0, 2.0]])
    require_equal(by_formula, faces.CrossEntropyLoss(), (x, torch.tensor([0, 1])), 1, rtol=1e-6)


ROUTES = {"steps": (32, 8), "softmax": (2, 8), "few leaders": (32, 1), "no row taken out": (32, 10**9)}
SURE = {
    "labels": (torch.tensor([0, 1, 2, 1]), {}),
    "smoothed": (torch.tensor([0, 1, 2, 1]), {"label_smoothing": 0.3}),
    "hot": (torch.eye(3)[[0, 1, 2, 1]], {}),
    "shares": (torch.tensor([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0], [0.2, 0.3, 0.5], [0.0, 2.0, 0.0]]), {}),
    "smoothed shares": (torch.eye(3)[[0, 1, 2, 1]], {"label_smoothing": 0.3}),
}


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("target", SURE)
@pytest.mark.parametrize("second", [False, True], ids=["last", "second"])
@on_cpu
def test_rows_keep_their_digits_on_every_route(route, target, second, by_formula, monkeypatch):
    for name, value in zip(("SHORT", "FEW"), ROUTES[route], strict=True):
        monkeypatch.setattr(rows, name, value)
    (t, settings), face = SURE[target], faces.CrossEntropyLoss
    x = torch.tensor([[15.0, 0.0, -1.0], [0.25, 1.0, 2.0], [3.0, 3.0, 0.0], [-2.0, 9.0, 0.0]])
    if second:  # classes before the pixels in memory
        x = x.T.contiguous().view(1, 3, 2, 2)
        t = t.T.reshape(1, 3, 2, 2) if t.is_floating_point() else t.view(1, 2, 2)
    monkeypatch.setattr(native, "NATIVE", {})
    monkeypatch.setattr(totals, "NATIVE", {})
    axis = rows._axis(x.movedim(1, -1))
    assert axis == (1 if second else x.ndim - 1)
    require_equal(by_formula, face(**settings), (x, t), 1, rtol=2e-6)


@on_cpu
def test_a_compiled_face_takes_labels_by_hand_unless_they_are_smoothed_and_weighed():
    x, t, weights = torch.zeros(2, 3), torch.tensor([0, 1]), torch.ones(3)
    stay = partial(rows_stay, faces.CrossEntropyLoss().formula)
    for weight, smoothing in ((None, 0.0), (None, 0.1), (weights, 0.0)):
        assert stay((x, t), {"class_weight": weight, "label_smoothing": smoothing})
    assert not stay((x, t), {"class_weight": weights, "label_smoothing": 0.1})
    assert not stay((x, x), {"class_weight": None, "label_smoothing": 0.0})


@on_cpu
def test_labels_with_weights_that_are_no_numbers_are_the_formulas(by_formula):
    x, t = torch.eye(3), torch.tensor([0, 1, 2])
    for weights in ([1.0, torch.inf, 1.0], [1.0, torch.nan, 1.0], [0.0, 0.0, 0.0]):
        face = faces.CrossEntropyLoss(torch.tensor(weights), reduction="weighted_mean")
        require_equal(by_formula, face, (x, t), 1, rtol=1e-6)


SMALL_FACES = {
    "CrossEntropyLoss": (16.0, lambda x: torch.tensor([0, 1, 1])),
    "BCEWithLogitsLoss": (15.0, lambda x: (x > 0.5).float()),
    "BCELoss": (None, lambda x: (x > 0.5).float()),
    "PoissonNLLLoss": (4.0, lambda x: x.abs().round()),
    "TripletMarginLoss": (1.0, lambda x: x.roll(1, 0), lambda x: x.flip(1)),
}


def small(name: str, logit: float | None = None) -> tuple[torch.nn.Module, tuple[Tensor, ...]]:
    """Float32 for the torch operations of `native`: one entry far from the others."""
    most, *others = SMALL_FACES[name]
    x = torch.tensor([[0.0, 0.25, -1.0], [0.0, 1.0, 2.0], [-0.5, 0.75, 0.125]])
    x[0, 0] = most if logit is None and most is not None else logit or 0.0
    x = x.sigmoid() if most is None else x
    return getattr(faces, name)(), (x, *(other(x) for other in others))


@pytest.mark.parametrize("name", SMALL_FACES)
@on_cpu
def test_totals_of_torchs_operations_have_the_digits_of_the_formula(name, by_formula):
    face, arrays = small(name)
    wide = [x.double() if x.is_floating_point() else x for x in arrays]
    want = by_formula(lambda: found(face, wide, len(arrays) - 1))
    assert native.NATIVE[face.formula](*arrays, native.MEAN, **face._keywords()) is not None
    for got, each in zip(found(face, arrays, len(arrays) - 1), want, strict=True):
        torch.testing.assert_close(got.double(), each, rtol=3e-6, atol=1e-15)


@pytest.mark.parametrize("name", ["CrossEntropyLoss", "BCEWithLogitsLoss"])
@on_cpu
def test_beyond_their_ends_float64_would_lose_the_digits(name, by_formula, monkeypatch):
    face, arrays = small(name, logit=36.0)
    require_equal(by_formula, face, arrays, 1, rtol=1e-5)
    monkeypatch.setattr(native, "LEAD", 100.0)
    monkeypatch.setattr(native, "LOGIT", 100.0)
    wide = [x.double() if x.is_floating_point() else x for x in arrays]
    want = by_formula(lambda: found(face, wide, 1))[1]
    assert not torch.allclose(found(face, arrays, 1)[1].double(), want, rtol=1e-3, atol=0.0)


@pytest.mark.parametrize("face", [faces.MSELoss(), faces.HuberLoss(delta=0.7), faces.SmoothL1Loss(beta=0.4)])
@pytest.mark.parametrize("spoilt", [False, True])
def test_blocks_of_torchs_two_kernels_are_the_formula(face, spoilt, by_formula, monkeypatch):
    real, called = native.IN_BLOCKS[face.formula], []

    def counted(*arrays, **settings):
        called.append(1)
        total, slopes = real(*arrays, **settings)
        return total, [1.01 * slope for slope in slopes] if spoilt else slopes

    monkeypatch.setattr(totals, "AT_ONCE", {face.formula: counted})
    arrays = all_here(tuple(torch.randn(7, 13, dtype=torch.float64) for _ in range(2)))
    if spoilt:
        with pytest.raises(AssertionError):
            require_equal(by_formula, face, arrays, 1)
    else:
        require_equal(by_formula, face, arrays, 1)
    assert called


@pytest.mark.parametrize("prob", [0.0, 1e-9, 1.0])
def test_a_probability_at_torchs_guards_is_the_formulas(prob, by_formula):
    x, t = torch.tensor([prob, 0.3, 0.8]), torch.tensor([1.0 - round(prob), 0.0, 1.0])
    require_equal(by_formula, faces.BCELoss(), all_here((x, t)), 1, rtol=1e-5)


def test_the_plain_way_is_taken_and_would_be_seen_to_be_wrong(by_formula, monkeypatch):
    face, arrays = here(faces.LogCoshLoss()), all_here((torch.arange(30.0).double(), torch.zeros(30).double()))
    right = totals._summed
    monkeypatch.setattr(totals, "_summed", lambda *given: (right(*given)[0], [1.01 * x for x in right(*given)[1]]))
    with pytest.raises(AssertionError):
        require_equal(by_formula, face, arrays, 1)


def test_what_does_not_fit_is_refused_after_something_passed():
    x, t = torch.zeros(4, 3), torch.zeros(4, dtype=torch.long)
    for face in (faces.CrossEntropyLoss(), faces.NLLLoss()):
        face(x, t)
        for _ in range(2):
            with pytest.raises(ShapeError, match=type(face).__name__):
                face(x, t[:3])
            with pytest.raises(DtypeError, match="target must be integers"):
                face(x, t.float())
            with pytest.raises(DtypeError, match="input must be floating"):
                face(x.long(), t)


def test_settings_that_change_are_read_anew():
    face, x, t = faces.HuberLoss(), torch.full((3,), 5.0), torch.zeros(3)
    before = face(x, t)
    face.delta, face.reduction = 2.0, "sum"
    assert (before, face(x, t)) == (4.5, 24.0)


def test_labels_on_a_device_are_not_waited_for_because_the_same_shapes_came_on_the_cpu_before():
    formula = faces.CrossEntropyLoss().formula
    settings = dict(formula.keywords)
    for device, taken in (("cpu", True), ("meta", False), ("cpu", True)):
        arrays = torch.zeros(7, 3, device=device), torch.zeros(7, dtype=torch.long, device=device)
        assert (checked(formula, "test", arrays, formula.arguments, settings) is not None) is taken
