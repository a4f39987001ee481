"""A contract that is declared is used: example, decorator, annotation, flags, pyproject; the nearest one wins."""

from typing import Annotated

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import lossmith
from lossmith.checker.build import example_of
from lossmith.checker.load import load
from lossmith.checker.place import Place
from lossmith.checker.project import table_of
from lossmith.checker.resolve import Declared, resolve
from lossmith.checker.subject import Subject
from lossmith.domains import Index, Logits
from lossmith.errors import ContractError, LossmithError, SettingError, TargetError


def mse(pred, target):
    return F.mse_loss(pred, target)


def takes(report):
    return dict(report.contract.arguments), report.contract.origin


def test_a_dictionary_declares_in_python():
    report = lossmith.check(mse, contract={"pred": "real[N]", "target": "real[N]"}, select="LS605")
    assert takes(report) == ({"pred": "real[N]", "target": "real[N]"}, "declared")


def test_an_example_fixes_shapes_and_kinds_are_read_off_its_values():
    def cross_entropy(scores, classes):
        return F.cross_entropy(scores, classes)

    def example(seed=0):
        torch.manual_seed(seed)
        return torch.randn(7, 3), torch.randint(3, (7,))

    report = lossmith.check(cross_entropy, example=example, select=["LS202", "LS204", "LS506"])
    assert takes(report) == ({"scores": "logits[N,C]", "classes": "index[N]"}, "example()")
    assert report.ok
    assert [status.status for code, status in report.statuses.items() if code in ("LS202", "LS204", "LS506")] == [
        "passed"
    ] * 3


def test_an_example_may_be_a_plain_tuple():
    report = lossmith.check(mse, example=(torch.randn(4, 2), torch.randn(4, 2)), select="LS104")
    assert report.contract.origin == "example()"
    assert report.statuses["LS104"].status == "passed"


@pytest.mark.parametrize(
    ("values", "kinds"),
    [
        ((torch.randn(6, 3), torch.tensor([0, 1, 2, 0, 1, 2])), ("logits", "index")),
        ((torch.randn(6, 3), torch.eye(3)[[0, 1, 2, 0, 1, 2]]), ("logits", "onehot")),
        ((torch.randn(6), (torch.arange(6) % 2).float()), ("logits", "binary")),
        ((torch.rand(6), (torch.arange(6) % 2).float()), ("prob", "binary")),
        ((torch.randn(6), (torch.arange(6) % 2) * 2.0 - 1), ("real", "pm1")),
        ((torch.randn(6, 3).log_softmax(1), torch.randn(6, 3).softmax(1)), ("logprob", "dist")),
        ((torch.randn(6, 3), torch.randn(6, 3)), ("real", "real")),
    ],
)
def test_kinds_are_read_off_the_values_of_an_example(values, kinds):
    def loss(pred, target):
        return (pred * 0).sum()

    (contract,) = resolve(Subject.of("loss", loss), Declared(example=values))
    assert contract.kinds() == kinds


def test_a_decorator_declares_beside_the_loss():
    @lossmith.contract(pred="logits[N,C]", target="index[N]")
    def my_loss(a, b):
        return F.cross_entropy(a, b)

    report = lossmith.check(my_loss, select="LS605")
    assert takes(report) == ({"a": "logits[N,C]", "b": "index[N]"}, "decorator")


def test_a_decorator_on_a_class_speaks_for_its_objects():
    @lossmith.contract(pred="real[N,D]", target="real[N,D]")
    class MyLoss(nn.Module):
        def forward(self, first, second):
            return F.mse_loss(first, second)

    assert lossmith.check(MyLoss(), select="LS605").contract.origin == "decorator"


def test_a_slip_in_a_declaration_is_told_where_it_is_written():
    with pytest.raises(ContractError, match="'logit' is not a domain"):
        lossmith.contract(pred="logit")


def test_annotations_declare():
    def my_loss(x: Annotated[Tensor, Logits("N C")], y: Annotated[Tensor, "index[N]"]) -> Tensor:
        return F.cross_entropy(x, y)

    assert takes(lossmith.check(my_loss, select="LS605")) == ({"x": "logits[N,C]", "y": "index[N]"}, "annotation")
    assert str(Index("N")) == "index[N]"


def test_what_is_nearest_to_the_call_wins():
    @lossmith.contract(pred="real[N]", target="real[N]")
    def my_loss(pred, target):
        return F.mse_loss(pred, target)

    report = lossmith.check(my_loss, contract={"pred": "real[N,C]", "target": "real[N,C]"}, select="LS605")
    assert report.contract.origin == "declared"


def test_keras_order_is_recognised_by_its_names():
    def my_loss(y_true, y_pred):
        return F.binary_cross_entropy_with_logits(y_pred, y_true)

    report = lossmith.check(my_loss, contract={"pred": "logits[N]", "target": "binary[N]"}, select="LS605")
    assert list(report.contract.arguments.items()) == [("y_true", "binary[N]"), ("y_pred", "logits[N]")]


def test_further_arguments_are_declared_by_their_names():
    def masked(pred, target, keep):
        return (((pred - target) ** 2) * keep).sum() / keep.sum().clamp(min=1)

    contract = {"pred": "real[N,T]", "target": "real[N,T]", "keep": "mask[N,T]"}
    report = lossmith.check(masked, contract=contract, select="LS204")
    assert dict(report.contract.arguments) == contract
    assert report.statuses["LS204"].status == "passed"
    assert "--input keep='mask[N,T]'" in report.contract.pin


def test_an_argument_that_does_not_exist_is_named():
    report = lossmith.check(mse, contract={"pred": "real[N]", "target": "real[N]", "maks": "mask[N]"})
    assert "takes no argument 'maks'" in report.losses[0].problem


FILE = """
import torch
import torch.nn.functional as F


def first_loss(pred, target):
    return F.mse_loss(pred, target)


def second_loss(pred, target):
    return F.l1_loss(pred, target)


def example(seed=0):
    return torch.randn(3, 2), torch.randn(3, 2)


def example_second_loss(seed=0):
    return torch.randn(5), torch.randn(5)
"""


def test_an_example_of_the_file_is_for_all_and_one_with_a_name_for_that_one(tmp_path):
    file = tmp_path / "with_examples.py"
    file.write_text(FILE)
    module = load(Place.parse(str(file)))
    assert example_of(module, "first_loss")()[0].shape == (3, 2)
    assert example_of(module, "second_loss")()[0].shape == (5,)


def test_pyproject_declares_for_a_file(tmp_path, monkeypatch):
    (tmp_path / "losses.py").write_text(FILE)
    (tmp_path / "pyproject.toml").write_text(
        '[tool.lossmith."losses.py:first_loss"]\npred = "real[N,C]"\ntarget = "real[N,C]"\n'
    )
    monkeypatch.chdir(tmp_path)
    assert table_of(Place.parse("losses.py"), "first_loss") == {"pred": "real[N,C]", "target": "real[N,C]"}
    assert table_of(Place.parse("losses.py"), "second_loss") == {}


def test_python_gives_the_same_statuses_for_every_rule():
    from lossmith.checker.rules import PROCESS_CODES, known_codes

    report = lossmith.check(nn.HuberLoss())
    assert set(report.statuses) == set(known_codes()) - set(PROCESS_CODES)
    assert report.ok
    assert report.findings == ()


def test_a_file_is_checked_from_python_too(tmp_path):
    file = tmp_path / "few.py"
    file.write_text("import torch.nn.functional as F\n\n\ndef a_loss(p, t):\n    return F.l1_loss(p, t)\n")
    report = lossmith.check(str(file), select="LS104")
    assert [loss.name for loss in report] == ["a_loss"]


def test_what_is_no_loss_is_refused():
    with pytest.raises(TargetError, match="a int is not a loss"):
        lossmith.check(3)
    with pytest.raises(SettingError, match="'LS9' is no rule"):
        lossmith.check(mse, select="LS9")
    assert issubclass(TargetError, LossmithError)


def test_a_report_prints_itself():
    text = str(lossmith.check(mse, select="LS605"))
    assert "mse  clean" in text
