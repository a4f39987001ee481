"""`lossmith show losses.py`: a stranger's loss, traced in a process of its own, shown as text."""

import textwrap

import pytest

from lossmith.checker.process import Options, study_target
from lossmith.cli import app
from lossmith.errors import TargetError
from lossmith.report.shown import in_latex, in_text

LOSSES = """
    import os
    import jax.numpy
    import keras
    import torch

    def pinball(pred, target):
        e = target - pred
        return torch.max(0.9 * e, -0.1 * e).mean()

    class LogCosh(keras.losses.Loss):
        def call(self, y_true, y_pred):
            return keras.ops.mean(keras.ops.log(keras.ops.cosh(y_pred - y_true)), axis=-1)

    def dice(logits, target):
        p = torch.sigmoid(logits)
        return 1 - 2 * (p * target).sum() / (p.sum() + target.sum() + 1)

    def jax_square(pred, target):
        return jax.numpy.mean((pred - target) ** 2)

    def ends_it(pred, target):
        if torch.is_grad_enabled() or True:
            os._exit(7)
"""


COUPLED = """
    import torch

    def sample_dice(logits, target):
        p = torch.sigmoid(logits)
        return (1 - 2 * (p * target).sum(1) / (p.sum(1) + target.sum(1) + 1)).mean()

    def sum_of_labels(logits, target):
        return torch.nn.functional.binary_cross_entropy_with_logits(logits, target, reduction="none").sum(1).mean()
"""


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    file = tmp_path_factory.mktemp("study") / "losses.py"
    file.write_text(textwrap.dedent(LOSSES))
    flags = {"pred": "real[N]", "target": "real[N]"}
    return {one["name"]: one for one in study_target(str(file), Options(work="show", flags=flags))}


def test_a_torch_loss_is_derived_and_proved(shown):
    said = in_text(shown["pinball"])
    assert "gradient      -9/10" in said
    assert "convex                            proved" in said
    assert "predicts                          the 0.9 quantile" in said


def test_a_keras_loss_is_traced_through_torch(shown):
    assert "smooth                            two continuous derivatives or more" in in_text(shown["LogCosh"])


def test_a_loss_of_jax_is_traced_through_its_jaxpr(shown):
    assert "gradient      2⋅r" in in_text(shown["jax_square"])


def test_of_a_loss_of_the_batch_it_is_said_whether_it_is_convex(shown):
    assert "dice is not a loss of single numbers" in shown["dice"]["notes"][0]
    assert "convex  no: half way between two points" in shown["dice"]["facts"]
    assert not shown["dice"]["derived"]


def test_a_loss_that_couples_what_is_beside_each_other_is_not_one_of_single_numbers(tmp_path):
    file = tmp_path / "losses.py"
    file.write_text(textwrap.dedent(COUPLED))
    flags = {"pred": "logits[N,C]", "target": "binary[N,C]"}
    dice, bce = study_target(str(file), Options(work="show", flags=flags))
    assert "not a loss of single numbers" in dice["notes"][0]
    assert not dice["derived"]
    assert "σ(x)" in bce["derived"]


def test_latex_is_the_loss_and_its_derivatives_alone(tmp_path):
    file = tmp_path / "losses.py"
    file.write_text(textwrap.dedent(LOSSES))
    flags = {"pred": "real[N]", "target": "real[N]"}
    found = {one["name"]: in_latex(one) for one in study_target(str(file), Options(work="latex", flags=flags))}
    assert found["jax_square"].splitlines()[1:3] == [r"\begin{align*}", r"\ell &= r^{2} \\"]
    assert "proved" not in found["jax_square"]
    assert all(line.startswith("% ") for line in found["dice"].splitlines())  # it compiles, and says why


def test_a_loss_that_ends_its_process_leaves_the_others_shown(shown):
    assert "ended the process" in shown["ends_it"]["problem"]
    assert len(shown) == 5


def test_a_file_that_is_not_there_is_refused_in_words():
    with pytest.raises(TargetError, match="there is no such file"):
        app(["show", "nowhere.py:Loss"], standalone_mode=False)
