"""Losses whose arguments hold several arrays: what the code takes apart, how it is put together, what is reported."""

import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F

import lossmith
from lossmith.checker.contract import Contract
from lossmith.checker.fold import Fold, Holder
from lossmith.checker.frameworks import first_of
from lossmith.checker.lengths import other_sizes
from lossmith.checker.resolve import Declared, resolve
from lossmith.checker.subject import Subject
from lossmith.checker.tasks import tasks_of
from lossmith.checker.unfold import folds


def two_tasks(outputs, targets):
    classes = F.cross_entropy(outputs["logits"], targets["labels"])
    return {"loss": classes + ((outputs["depth"] - targets["depth"]) ** 2).mean().sqrt(), "classes": classes}


def over_rows(pred, target):
    return sum(F.mse_loss(p, t) for p, t in zip(pred, target, strict=True)) / len(pred)


def over_scales(preds, target):
    return sum(F.mse_loss(each, target) for each in preds)


def compares_rows(features, labels):
    total = 0.0
    for i in range(len(features)):
        same = labels == labels[i]
        total = total + (features - features[i]).square().sum(1)[same].mean()
    return total


def by_attribute(output, batch):
    return F.cross_entropy(output.logits, batch["labels"])


def found(loss):
    sure, perhaps = folds(Subject.of("loss", loss))
    return [[holder.how for holder in fold.holders] for fold in sure], [
        [holder.how for holder in fold.holders] for fold in perhaps
    ]


def test_the_code_says_what_is_a_dictionary_and_what_may_be_a_list():
    assert found(two_tasks) == ([["dict", "dict"]], [])
    assert found(over_scales) == ([["list", "plain"]], [])
    assert found(over_rows) == ([], [["list", "list"]])
    assert found(by_attribute) == ([["names", "dict"]], [])


def test_an_array_that_is_also_used_whole_is_no_list():
    assert found(compares_rows) == ([], [])
    assert found(lambda pred, target: (pred - target).abs().mean()) == ([], [])


def test_packing_and_unpacking_are_inverse():
    given = [{"a": 1, "b c": 2}, [torch.ones(1), torch.ones(2)], SimpleNamespace(x=5), 6]
    fold = Fold.of(("first", "second", "third", "fourth"), given)
    assert fold is not None
    assert fold.leaves == ("first_a", "first_b_c", "second_0", "second_1", "third_x", "fourth")
    assert fold.pack(fold.unpack(given)) == given
    assert fold.source() == (
        "{'a': first_a, 'b c': first_b_c}, [second_0, second_1], types.SimpleNamespace(x=third_x), fourth"
    )
    assert Fold.of(("pred",), [torch.ones(2)]) is None


def test_tasks_are_paired_by_their_names_then_by_their_order():
    fold = Fold((Holder("targets", "dict", ("labels", "boxes")), Holder("outputs", "dict", ("boxes", "logits"))))
    tasks = tasks_of(fold)
    assert tasks is not None
    named = {(fold.leaves[p], fold.leaves[t]) for p, t in tasks.pairs}
    assert named == {("outputs_boxes", "targets_boxes"), ("outputs_logits", "targets_labels")}


def test_the_second_task_is_tried_at_its_perfect_prediction_too(tmp_path, monkeypatch):
    """Its root has no slope there; and the reproducer, dictionaries and all, runs as printed."""
    file = tmp_path / "tasks_of_two.py"
    file.write_text(
        "import torch.nn.functional as F\n\n\n"
        "def my_loss(outputs, targets):\n"
        '    classes = F.cross_entropy(outputs["logits"], targets["labels"])\n'
        '    return {"loss": classes + ((outputs["depth"] - targets["depth"]) ** 2).mean().sqrt(), "ce": classes}\n'
    )
    report = lossmith.check(f"{file}:my_loss", select="LS104")
    (finding,) = report.findings
    assert "nan" in finding.evidence["grad outputs_depth"]
    said = subprocess.run([sys.executable, "-c", finding.reproducer], capture_output=True, text=True, cwd=tmp_path)
    assert said.returncode == 0, said.stderr
    assert "nan" in said.stdout.splitlines()[-1]


def test_an_example_may_hold_dictionaries_whatever_the_code_does_with_them():
    def heads(outputs, targets):
        return sum(F.cross_entropy(outputs[f"head{i}"], targets[f"label{i}"]) for i in range(2))

    def example(seed=0):
        g = torch.Generator().manual_seed(seed)
        logits = {f"head{i}": torch.randn(6, 5, generator=g) for i in range(2)}
        return logits, {f"label{i}": torch.randint(5, (6,), generator=g) for i in range(2)}

    (contract,) = resolve(Subject.of("heads", heads), Declared(example=example))
    assert contract.kinds() == ("logits", "logits", "index", "index")
    assert contract.pairs == ((0, 2), (1, 3))


def test_flags_name_the_entries_as_the_report_does():
    flags = {"pred": "logits[N,C]", "outputs_depth": "real[N]", "target": "index[N]", "targets_depth": "real[N]"}
    (contract,) = resolve(Subject.of("two_tasks", two_tasks), Declared(flags))
    assert [argument.role for argument in contract.arguments] == ["pred", "pred", "target", "target"]
    assert [argument.name for argument in contract.arguments][1] == "outputs_depth"


@pytest.mark.parametrize(
    ("output", "total"),
    [
        (3, 3),
        ((1, {"a": 2}), 1),
        ({"a": 1, "loss": 2}, 2),
        ({"a": 1, "total": 5}, 5),
        (({"loss": 4}, "log"), 4),
        ({"a": 1, "b": 2}, 1),
        ({"loss_class": 1, "loss_box": 2, "accuracy": 7}, 3),
        ({"loss_class": 1, "accuracy": 7}, 1),
    ],
)
def test_the_total_is_found_in_what_a_loss_returns(output, total):
    assert first_of(output) == total


def ten_classes(logits, target):
    return -(F.one_hot(target, 10) * logits.log_softmax(-1)).sum(-1).mean()


def test_a_loss_for_ten_classes_is_drawn_ten_classes():
    (contract,) = resolve(Subject.of("ten_classes", ten_classes), Declared())
    assert contract.kinds() == ("logits", "index")
    assert contract.sizes == {"C": 10}
    assert {"C": 10} in list(other_sizes(Subject.of("ten_classes", ten_classes)))
    assert list(other_sizes(Subject.of("mean", lambda pred, target: (pred - target).mean()))) == []


def test_a_contract_of_arrays_has_no_fold():
    assert Contract((), "none").fold is None
