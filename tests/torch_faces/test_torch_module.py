"""What a torch face is besides its number: a module that is saved, moved, compiled, exported, mapped and shown."""

import copy
import inspect
import pickle

import numpy as np
import pytest
import torch
from torch import nn
from torch_cases import CASES, ONE_PASS
from torch_cases.data import C, Case, close, gradients

import lossmith.torch as faces
from lossmith import formulas
from lossmith.errors import DtypeError, SettingError, ShapeError
from whole import WHOLE

every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
# Through autograd's own trace a compilation takes thrice as long: one face of each module goes that way.
WHOLE_WAY = {type(case.make()).__module__: case.name for case in CASES}.values()
# tests/kernels/test_one_pass.py compiles every formula that a compiled face hands over; the others are compiled here.
# What a face has for itself is its module's.
ELSEWHERE = {case.make().formula.name for case in ONE_PASS}
BY_FORMULA = {case.make().formula.name: case.name for case in CASES}
COMPILED = {*WHOLE_WAY, *(name for formula, name in BY_FORMULA.items() if formula not in ELSEWHERE)}
COMPILED_CASES = [case for case in CASES if WHOLE or case.name in COMPILED]
EXPORTED_CASES = [case for case in CASES if WHOLE or case.name in WHOLE_WAY]
FACES = [face for name in faces.__all__ if getattr(face := getattr(faces, name), "declaration", None) is not None]


def test_every_face_has_a_case():
    assert {type(case.make()) for case in CASES} == set(FACES)
    assert len(FACES) >= 13


def same(one: nn.Module, other: nn.Module, case: Case) -> None:
    arrays = case.arrays()
    for got, want in zip(gradients(one, arrays, case.targets), gradients(other, arrays, case.targets), strict=True):
        close(got, want)


@every_case
def test_a_face_survives_pickle_and_copy(case):
    face = case.make(reduction="weighted_mean")
    for again in (pickle.loads(pickle.dumps(face)), copy.deepcopy(face)):
        assert repr(again) == repr(face)
        same(again, face, case)


@every_case
def test_a_state_dict_brings_the_tensors_back(case):
    face, fresh = case.make(), copy.deepcopy(case.make())
    for buffer in fresh.buffers():
        buffer.zero_()
    fresh.load_state_dict(face.state_dict())
    same(fresh, face, case)


@pytest.mark.parametrize("name", ["CrossEntropyLoss", "NLLLoss", "BCELoss", "BCEWithLogitsLoss"])
@pytest.mark.parametrize("weight", [None, torch.tensor([1.0, 2.0])])
def test_state_dicts_go_to_torch_and_back(name, weight):
    ours, theirs = getattr(faces, name)(weight=weight), getattr(nn, name)(weight=weight)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    theirs.load_state_dict(ours.state_dict())
    ours.load_state_dict(theirs.state_dict())


def test_tensors_of_a_face_move_with_it():
    face = faces.CrossEntropyLoss(torch.ones(C)).to(torch.float64)
    assert face.weight.dtype == torch.float64
    assert faces.CrossEntropyLoss(torch.ones(C)).to("meta").weight.device.type == "meta"
    late = faces.BCEWithLogitsLoss()
    late.pos_weight = torch.ones(C)
    assert late.to(torch.float64).pos_weight.dtype == torch.float64


@pytest.mark.parametrize("case", COMPILED_CASES, ids=lambda case: case.name)
def test_a_compiled_face_has_no_graph_break_and_the_same_gradient(case):
    torch._dynamo.reset()
    face, arrays = case.make(), case.arrays()
    mask = torch.arange(len(arrays[0])) != 1
    compiled = torch.compile(face, fullgraph=True, backend="aot_eager" if case.name in WHOLE_WAY else "eager")
    got, want = (gradients(one, arrays, case.targets, mask=mask) for one in (compiled, face))
    for one, other in zip(got, want, strict=True):
        close(one, other)


@every_case
def test_a_device_without_autocast_is_no_hindrance(case):
    face, arrays = case.make().to("meta"), [array.to("meta") for array in case.arrays()]
    assert face(*arrays).shape == ()


@pytest.mark.parametrize("case", EXPORTED_CASES, ids=lambda case: case.name)
def test_an_exported_face_computes_the_same(case):
    """Every formula is exported by itself in tests/formulas/test_transforms.py."""
    face, arrays = case.make(), case.arrays()
    close(torch.export.export(face, arrays).module()(*arrays), face(*arrays))


@pytest.mark.parametrize("case", [case for case in CASES if not case.make().coupled], ids=lambda case: case.name)
def test_vmap_and_functional_gradients_go_through(case):
    face, arrays = case.make(reduction="sum"), case.arrays()
    # one sample of several axes is taken for a batch, as in torch.nn: it needs its batch axis
    single = face if arrays[0].ndim == 2 else lambda *sample: face(*(array.unsqueeze(0) for array in sample))
    _, want, *_ = gradients(face, arrays, case.targets)
    close(torch.func.vmap(torch.func.grad(single))(*arrays), want)


@every_case
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_float32_rounded_once(case, dtype):
    arrays = case.arrays(dtype=dtype)
    wide = tuple(array.float() if array.is_floating_point() else array for array in arrays)
    for reduction in ("none", "sum", "mean"):
        face = case.make(reduction=reduction)
        assert torch.equal(face(*arrays), face(*wide).to(dtype))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert torch.equal(face(*arrays), face(*wide))


@every_case
def test_second_derivatives_exist(case):
    arrays = case.arrays()
    preds = [pred.requires_grad_() for pred in arrays[: len(arrays) - case.targets]]
    (first,) = torch.autograd.grad(case.make()(*arrays), preds[:1], create_graph=True)
    if first.requires_grad:  # not where the gradient is constant, as that of the absolute error
        assert all(g is None or g.isfinite().all() for g in torch.autograd.grad(first.sum(), preds, allow_unused=True))


@pytest.mark.parametrize("face", FACES, ids=lambda face: face.__name__)
def test_the_signature_says_what_the_constructor_takes(face):
    shown = inspect.signature(face)
    assert shown.parameters["reduction"].default == "mean"
    made = next(case.make() for case in CASES if type(case.make()) is face)
    required = {name for name, parameter in shown.parameters.items() if parameter.default is inspect.Parameter.empty}
    plain = face(**{name: getattr(made, name) for name in required})
    assert all(getattr(plain, name) == p.default for name, p in shown.parameters.items() if name not in required)


def test_the_repr_shows_every_setting():
    assert repr(faces.HuberLoss(delta=2.0)) == "HuberLoss(delta=2.0, reduction='mean')"
    weighted = faces.CrossEntropyLoss(torch.ones(3), reduction="weighted_mean")
    assert repr(weighted) == (
        "CrossEntropyLoss(weight=tensor of shape (3,), ignore_index=-100, label_smoothing=0.0, "
        "reduction='weighted_mean')"
    )


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: faces.HuberLoss(beta=1.0), "HuberLoss has no setting 'beta'\n    settings  delta, reduction"),
        (lambda: faces.HuberLoss(2.0), "HuberLoss takes its settings by name"),
        (lambda: faces.CrossEntropyLoss(torch.ones(2), weight=torch.ones(2)), "by position and by name"),
        (lambda: faces.HuberLoss(delta=0.0), "HuberLoss: delta must be a finite number above 0"),
        (lambda: faces.MSELoss(reduction="average"), "MSELoss: reduction must be 'none' or 'sum' or 'mean'"),
        (lambda: faces.MSELoss(reduction="batchmean"), "MSELoss: reduction must be"),
        (lambda: faces.MSELoss(size_average=True), "MSELoss has no setting 'size_average'"),
        (lambda: faces.Loss(), "Loss is a base"),
    ],
)
def test_a_setting_that_does_not_exist_or_fit_is_refused(make, says):
    with pytest.raises(SettingError) as error:
        make()
    assert says in str(error.value)


def test_shapes_that_would_broadcast_are_refused_as_the_user_gave_them():
    with pytest.raises(ShapeError) as error:
        faces.MSELoss()(torch.ones(3, 1), torch.ones(3))
    assert str(error.value) == (
        "MSELoss: input and target must have one shape\n"
        "    input   (3, 1)\n"
        "    target  (3,)\n"
        "  why     they would broadcast to (3, 3) and average unrelated pairs\n"
        "  fix     target.reshape(input.shape), if the elements are in the same order"
    )
    with pytest.raises(ShapeError) as error:
        faces.CrossEntropyLoss()(torch.ones(2, 5, 7), torch.ones(2, 6, dtype=torch.long))
    assert str(error.value) == (
        "CrossEntropyLoss: target must have the shape (2, 7) or (2, 5, 7)\n"
        "    input   (2, 5, 7)\n"
        "    target  (2, 6)\n"
        "  why     axis 1 of the input holds the classes"
    )


def test_the_wrong_kind_of_number_is_refused():
    with pytest.raises(DtypeError, match="target must be integers"):
        faces.CrossEntropyLoss()(torch.ones(2, 5), torch.ones(2))
    with pytest.raises(DtypeError, match="input must be floating-point"):
        faces.MSELoss()(torch.ones(2, dtype=torch.long), torch.ones(2))
    for target in ([0.0, 1.0], np.ones(2), 1.0):
        with pytest.raises(DtypeError, match="target must be a torch tensor"):
            faces.MSELoss()(torch.ones(2), target)


def test_a_constructor_weight_may_not_enlarge_the_values():
    with pytest.raises(ShapeError, match="weight must expand to the shape of the values"):
        faces.BCEWithLogitsLoss(weight=torch.ones(4, 1, 3))(torch.ones(2, 3), torch.ones(2, 3))


def test_batchmean_is_refused_where_torchs_divisor_is_no_mean():
    for shape in ((2, 3, 4), (3,)):
        x = torch.zeros(shape).log_softmax(-1)
        with pytest.raises(ShapeError, match="'batchmean' is for"):
            faces.KLDivLoss(reduction="batchmean")(x, x.exp())


def test_a_face_that_differs_from_its_formula_is_refused_when_it_is_made():
    with pytest.raises(SettingError, match=r"Wrong\.delta must have its formula's default"):

        class Wrong(faces.Loss, formula=formulas.huber):
            delta: float = 2.0

    with pytest.raises(SettingError, match="lacks a setting for the keyword delta"):

        class Lacking(faces.Loss, formula=formulas.huber):
            pass

    with pytest.raises(SettingError, match=r"More\.beta is no keyword"):

        class More(faces.Loss, formula=formulas.huber):
            delta: float = 1.0
            beta: float = 1.0

    with pytest.raises(SettingError, match="fixes beta, which is no keyword"):

        class Fixed(faces.Loss, formula=formulas.huber, fixed={"beta": 1.0}):
            delta: float = 1.0


def test_the_four_lines_of_a_face_are_enough():
    class MyHuber(faces.Loss, formula=formulas.huber):
        delta: float = 1.0

    assert MyHuber(delta=0.5)(torch.tensor([2.0]), torch.tensor([0.0])) == 0.875
