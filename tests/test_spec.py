"""What a formula declares, what it refuses, and how its messages read."""

import copy
import pickle
import sys

import jax
import numpy as np
import pytest
import tensorflow as tf
import torch

from lossmith import formulas
from lossmith.errors import DtypeError, SettingError, ShapeError
from lossmith.ops import reader_of
from lossmith.settings import Positive
from lossmith.shapes import Shapes
from lossmith.spec import FORMULAS, By, Claims, Formula, formula

ELEMENTWISE = Shapes.parse("..., ... -> ...")
CLASSES = Shapes.parse("... C, ... | ... C -> ...")


def third(ops, pred, target, *, scale: Positive = 1.0):
    """A third of the residual, scaled."""
    return scale * (pred - target) / 3.0


def declared(**changes):
    settings = {"shapes": "..., ... -> ...", "kinds": ("real", "real"), "source": "a test"}
    return Formula(third, **{**settings, **changes})


def said(error, function, *args, **keywords):
    with pytest.raises(error) as caught:
        function(*args, **keywords)
    return str(caught.value)


def test_every_exported_formula_is_in_the_catalogue_under_its_name():
    assert set(formulas.__all__) == {name for name, f in FORMULAS.items() if f.__module__.startswith("lossmith.")}
    for name in formulas.__all__:
        assert getattr(formulas, name) is FORMULAS[name]


def test_a_formula_shows_what_it_takes():
    huber = formulas.huber
    assert repr(huber) == "<formula huber(pred, target, *, delta=1.0)>"
    assert (huber.arguments, huber.keywords, huber.kinds) == (("pred", "target"), {"delta": 1.0}, ("real", "real"))
    assert huber.claims.bound_at({"delta": 3.0}) == 3.0
    assert formulas.softmax_cross_entropy.kinds == ("logits", "index|dist")
    assert formulas.softmax_cross_entropy.kinds_for(pred_is="prob") == ("simplex", "index|dist")


def test_a_formula_is_pickled_and_copied_by_name():
    assert pickle.loads(pickle.dumps(formulas.huber)) is formulas.huber
    assert copy.deepcopy(formulas.huber) is formulas.huber


def test_arguments_may_be_given_by_name():
    assert formulas.huber(target=np.zeros(1), pred=np.full(1, 3.0)).tolist() == [2.5]
    assert formulas.huber(np.full(1, 3.0), target=np.zeros(1), delta=2.0).tolist() == [4.0]


def test_values_come_in_the_dtype_of_the_prediction():
    target = np.zeros(2)
    for dtype in ("float16", "float32", "float64"):
        assert formulas.huber(np.ones(2, dtype), target).dtype == dtype
    wide = formulas.huber.values(reader_of(target), np.ones(2, "float16"), target)
    assert wide.dtype == "float32"


def test_whole_number_targets_count_as_numbers():
    logits = np.array([0.5, -1.0])
    want = formulas.binary_cross_entropy(logits, np.array([1.0, 0.0]))
    assert formulas.binary_cross_entropy(logits, np.array([1, 0])).tolist() == want.tolist()
    assert formulas.binary_cross_entropy(logits, np.array([True, False])).tolist() == want.tolist()


@pytest.mark.parametrize("name", [name for name in formulas.__all__ if len(FORMULAS[name].arguments) > 1])
def test_shapes_that_do_not_fit_are_refused_by_every_formula(name):
    made = FORMULAS[name]
    arrays = [np.full((3, 4), 0.5), *(np.full((3, 1), 0.5) for _ in made.arguments[1:])]
    assert said(ShapeError, made, *arrays).startswith(f"{name}: ")


def test_the_message_about_shapes_is_the_one_of_the_style_guide():
    assert said(ShapeError, formulas.huber, np.ones((3, 1)), np.ones(3)) == (
        "huber: pred and target must have one shape\n"
        "    pred    (3, 1)\n"
        "    target  (3,)\n"
        "  why     they would broadcast to (3, 3) and average unrelated pairs\n"
        "  fix     target.reshape(pred.shape), if the elements are in the same order"
    )


def test_a_repair_that_would_not_work_is_not_offered():
    text = said(ShapeError, formulas.huber, np.ones((3, 1)), np.ones((2, 5)))
    assert "fix" not in text
    assert "why" not in text


def test_a_caller_may_name_its_arguments_and_show_its_own_shapes():
    pred, target = np.ones((2, 5, 3)), np.zeros((2, 4), int)
    text = said(
        ShapeError,
        formulas.softmax_cross_entropy.check,
        "CrossEntropyLoss",
        pred,
        target,
        names=("input", "target"),
        shown=[(2, 3, 5), (2, 4)],
    )
    assert text == (
        "CrossEntropyLoss: the shapes of input, target must be (..., C), and (...) or (..., C)\n"
        "    input   (2, 3, 5)\n"
        "    target  (2, 4)"
    )


@pytest.mark.parametrize(
    ("shapes", "given", "alternatives"),
    [
        (ELEMENTWISE, [(2, 3), (2, 3)], (0, 0)),
        (ELEMENTWISE, [(2, None), (None, 3)], (0, 0)),
        (ELEMENTWISE, [(), ()], (0, 0)),
        (CLASSES, [(5,), ()], (0, 0)),
        (CLASSES, [(2, 5), (2,)], (0, 0)),
        (CLASSES, [(2, 5), (2, 5)], (0, 1)),
        (CLASSES, [(None, 5), (2, None)], (0, 1)),
    ],
)
def test_shapes_that_fit(shapes, given, alternatives):
    assert shapes.fit(given).alternatives == alternatives


@pytest.mark.parametrize(
    ("shapes", "given"),
    [
        (ELEMENTWISE, [(2, 3), (3,)]),
        (ELEMENTWISE, [(2, 1), (2, 3)]),
        (ELEMENTWISE, [(2, None), (3, None)]),
        (CLASSES, [(), ()]),
        (CLASSES, [(2, 5), (2, 4)]),
        (CLASSES, [(2, 5), (2, 5, 1)]),
    ],
)
def test_shapes_that_do_not_fit(shapes, given):
    assert shapes.fit(given) is None


def test_the_wrong_kind_of_number_is_refused():
    ce = formulas.softmax_cross_entropy
    assert "pred must be floating-point numbers" in said(DtypeError, formulas.huber, np.ones(3, int), np.ones(3))
    assert "target must be integers" in said(DtypeError, ce, np.ones((3, 2)), np.ones(3))
    assert "real numbers" in said(DtypeError, formulas.huber, np.ones(3), np.ones(3, complex))
    assert "float is not an array" in said(DtypeError, formulas.huber, 1.0, 2.0)
    assert "numpy.asarray" in said(DtypeError, formulas.huber, [1.0], [2.0])
    assert "numpy.asarray" not in said(DtypeError, formulas.huber, "1", "2")


def test_two_frameworks_do_not_meet_but_numpy_may_stand_beside_one():
    text = said(DtypeError, formulas.huber, torch.ones(3), jax.numpy.ones(3))
    assert "torch.Tensor" in text
    for ones, kind in ((jax.numpy.ones, jax.Array), (torch.ones, torch.Tensor)):
        assert isinstance(formulas.huber(ones(3), np.zeros(3)), kind)
        assert isinstance(formulas.huber(np.zeros(3, "f4"), ones(3)), kind)


@pytest.mark.parametrize(
    ("name", "settings", "part"),
    [
        ("huber", {"delta": 0.0}, "delta must be a finite number above 0"),
        ("huber", {"delta": -1}, "    delta  -1"),
        ("huber", {"delta": float("nan")}, "delta must be"),
        ("huber", {"delta": "1"}, "    delta  '1'"),
        ("huber", {"beta": 1.0}, "there is no keyword 'beta'\n    keywords  delta"),
        ("squared_error", {"beta": 1.0}, "keywords  none"),
        ("binary_focal", {"alpha": 1.5}, "alpha must be a number from 0 to 1, or None"),
        ("binary_focal", {"gamma": -0.1}, "gamma must be a finite number, 0 or more"),
        ("binary_cross_entropy", {"pred_is": "probs"}, "pred_is must be 'logit' or 'prob'"),
        ("binary_cross_entropy", {"pos_weight": [1.0, 2.0]}, "pos_weight must be one number, or one for each class"),
        ("kl_divergence", {"log_target": "yes"}, "log_target must be True or False"),
        ("softmax_cross_entropy", {"label_smoothing": 1.5}, "label_smoothing must be a number from 0 to 1"),
        ("softmax_cross_entropy", {"class_weight": [1.0]}, "class_weight must be one number, or one for each class"),
    ],
)
def test_a_setting_outside_its_range_is_refused(name, settings, part):
    made = FORMULAS[name]
    arrays = [np.full((2, 3), 0.5) for _ in made.arguments]
    error = ShapeError if "one for each" in part else SettingError
    text = said(error, made, *arrays, **settings)
    assert text.startswith(f"{name}: ")
    assert part in text


def test_a_setting_may_be_an_array_and_have_a_gradient():
    slope = jax.grad(lambda delta: formulas.huber(jax.numpy.full(1, 3.0), jax.numpy.zeros(1), delta=delta).sum())
    assert float(slope(2.0)) == 1.0  # d/d delta of delta (3 - delta / 2)


def test_too_few_or_too_many_arguments_are_refused():
    assert "takes pred, target" in said(SettingError, formulas.huber, np.ones(3))
    assert "takes pred, target" in said(SettingError, formulas.huber, *[np.ones(3)] * 3)


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"kinds": ("real",)}, "each argument needs one kind and one shape"),
        ({"kinds": ("real", "reel")}, "'reel' is not a kind"),
        ({"kinds": ("real", By("scale", {1.0: "reel"}))}, "'reel' is not a kind"),
        ({"shapes": "..., ..."}, "has no '->'"),
        ({"shapes": "C, ... -> ..."}, "the first argument has the batch"),
        ({"shapes": "... c-d, ... -> ..."}, "is not '...' and then names of axes"),
        ({"coupled": "N"}, "coupled axes and the keyword `kept` go together"),
        ({"shapes": "... -> ..."}, "each argument needs one kind and one shape"),
    ],
)
def test_a_declaration_that_does_not_fit_its_function_is_refused(changes, part):
    assert part in said(SettingError, declared, **changes)


def test_a_declared_formula_enters_the_catalogue_once(monkeypatch):
    monkeypatch.setattr("lossmith.spec.FORMULAS", dict(FORMULAS))
    declare = formula(shapes="..., ... -> ...", kinds=("real", "real"), source="a test", claims=Claims(even=False))
    assert declare(third)(np.array([3.0]), np.array([0.0])).tolist() == [1.0]
    declare(third)  # a notebook cell that is run again

    def huber(ops, pred, target):
        return pred - target

    assert "a formula 'huber' exists already" in said(SettingError, declare, huber)


def test_tensorflow_rewrites_nothing_of_a_formula():
    """Its autograph would spend seconds on code that has nothing to be rewritten."""
    files = []

    def watching(ops, pred, target):
        files.append(sys._getframe().f_code.co_filename)
        return ops.square(pred - target)

    made = Formula(watching, shapes="..., ... -> ...", kinds=("real", "real"), source="a test")
    tf.function(lambda x: made(x, x) + made.total(x, x))(tf.zeros(2))
    assert files == [__file__, __file__]
    tf.function(lambda x: watching(reader_of(x), x, x))(tf.zeros(2))
    assert files[2] != __file__  # so it would be
