"""LS601 and LS603 on losses that name or forget the device, or wait for it; and on their innocent neighbours."""

from pathlib import Path

import pytest
import torch
from ruletest import answer, printed, subject_of
from torch import Tensor, nn
from torch.nn import functional as F

from lossmith.checker import check
from lossmith.checker.build import make
from lossmith.checker.load import load
from lossmith.checker.place import Place
from lossmith.checker.rules import ls601_host_sync as waits
from lossmith.checker.rules import ls603_hard_coded_device as rule

CLASSES = {"pred": "logits[N,C]", "target": "index[N]"}
REAL = {"pred": "real[N,C]", "target": "real[N,C]"}
PAIRS = {"a": "embedding[N,D]", "b": "embedding[N,D]"}


def calls_cuda(logits: Tensor, target: Tensor) -> Tensor:
    return F.cross_entropy(logits, target) + torch.zeros(1).cuda().sum()


def names_cuda(logits: Tensor, target: Tensor) -> Tensor:
    weight = torch.ones(logits.shape[1], device="cuda")
    return F.cross_entropy(logits, target, weight=weight.to(logits.dtype))


class BuiltOnCuda(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = torch.ones(5).to("cuda:0")

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        return ((pred - target).square() * self.scale).mean()


class BuiltAnywhere(BuiltOnCuda):
    def __init__(self) -> None:
        nn.Module.__init__(self)
        self.register_buffer("scale", torch.ones(5))


def contrastive(a: Tensor, b: Tensor) -> Tensor:
    similar = F.normalize(a, dim=1) @ F.normalize(b, dim=1).T
    return F.cross_entropy(similar / 0.1, torch.arange(len(a)))


def contrastive_repaired(a: Tensor, b: Tensor) -> Tensor:
    similar = F.normalize(a, dim=1) @ F.normalize(b, dim=1).T
    return F.cross_entropy(similar / 0.1, torch.arange(len(a), device=a.device))


def constant_weights(pred: Tensor, target: Tensor) -> Tensor:
    return ((pred - target).square() * torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0])).mean()


def constant_weights_moved(pred: Tensor, target: Tensor) -> Tensor:
    return ((pred - target).square() * torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0]).to(pred)).mean()


def single_numbers(pred: Tensor, target: Tensor) -> Tensor:
    return ((pred - target).square() * torch.tensor(0.5)).mean() + torch.zeros(())


def like_the_input(pred: Tensor, target: Tensor) -> Tensor:
    rows = torch.arange(len(pred)).type_as(target).long()
    base = pred.new_zeros(pred.shape) + torch.zeros_like(pred)
    ones = torch.ones(pred.shape)
    return ((pred[rows] - target + base).square() * ones.to(pred.device)).mean()


def index_on_the_cpu(pred: Tensor, target: Tensor) -> Tensor:
    kept = torch.randperm(len(pred), generator=torch.Generator().manual_seed(0))
    return (pred[kept] - target[kept]).square().mean()


@pytest.mark.parametrize(
    ("loss", "contract", "message"),
    [
        (calls_cuda, CLASSES, ".cuda() names an accelerator"),
        (names_cuda, CLASSES, "device='cuda' names an accelerator"),
        (contrastive, PAIRS, "on an accelerator cross_entropy meets a tensor of shape (6,) on the CPU, and raises"),
        (constant_weights, REAL, "on an accelerator mul meets a tensor of shape (5,) on the CPU, and raises"),
    ],
)
def test_a_device_that_is_named_or_forgotten_is_found(loss, contract, message) -> None:
    _, (found,) = answer(rule, loss, **contract)
    assert (found.severity, found.location.partition(":")[0]) == ("error", "tests/checker/rules/test_ls603.py")
    assert found.message.startswith(message)


def test_a_constructor_that_names_a_device_is_built_and_told() -> None:
    report = check(BuiltOnCuda, contract=REAL, select=["LS603"])
    assert report.problem == ""
    assert [found.message for found in report.findings] == [
        ".to('cuda:0') names an accelerator: the loss runs on no other device"
    ]
    assert "register_buffer" in report.findings[0].fix
    assert check(BuiltAnywhere, contract=REAL, select=["LS603"]).findings == ()


def test_a_loss_that_needs_cuda_is_examined_by_the_other_rules_too() -> None:
    report = check(calls_cuda)
    assert report.problem == ""
    assert report.statuses["LS101"].status == "passed"


@pytest.mark.parametrize(
    ("loss", "contract"),
    [
        (contrastive_repaired, PAIRS),
        (constant_weights_moved, REAL),
        (single_numbers, REAL),
        (like_the_input, REAL),
        (index_on_the_cpu, REAL),
        (nn.CrossEntropyLoss(weight=torch.ones(5)), CLASSES),
        (nn.HuberLoss(), REAL),
    ],
)
def test_losses_that_follow_their_inputs_pass(loss, contract) -> None:
    status, findings = answer(rule, loss, **contract)
    assert (status.status, findings) == ("passed", [])


ASKS = """\
import torch


def where_it_may(pred, target):
    ones = torch.ones(pred.shape[1])
    if torch.cuda.is_available():
        ones = ones.cuda()
    return ((pred - target).square() * ones).mean()
"""


def test_a_file_that_asks_for_the_device_is_not_judged(tmp_path: Path) -> None:
    path = tmp_path / "asks.py"
    path.write_text(ASKS, encoding="utf-8")
    place = Place.parse(f"{path}:where_it_may")
    module = load(place)
    subject = make(place, module, "where_it_may", module.where_it_may, {})
    status, _ = answer(rule, subject.with_contract(subject_of(module.where_it_may, **REAL).contract))
    assert status.status == "not applicable"
    assert "is_available" in status.reason


def item_by_item(logits: Tensor, target: Tensor) -> Tensor:
    log_p = logits.log_softmax(1)
    return sum(-log_p[i, target[i].item()] for i in range(len(target))) / len(target)


def all_at_once(logits: Tensor, target: Tensor) -> Tensor:
    return -logits.log_softmax(1).gather(1, target[:, None]).mean()


def conditions(logits: Tensor, target: Tensor) -> Tensor:
    total = logits.new_zeros(())
    for row, label in zip(logits, target, strict=True):
        if label > 0:
            total = total + F.cross_entropy(row, label)
    return total / len(target)


def indices(logits: Tensor, target: Tensor) -> Tensor:
    return torch.stack([-logits[i].log_softmax(0)[target[i]] for i in range(len(target))]).mean()


def masked(logits: Tensor, target: Tensor) -> Tensor:
    kept = target != 0
    return F.cross_entropy(logits[kept], target[kept]) if kept.any() else logits.sum() * 0.0


@pytest.mark.parametrize("loss", [item_by_item, conditions, indices])
def test_a_wait_for_each_sample_is_a_warning(loss) -> None:
    _, (found,) = answer(waits, loss, **CLASSES)
    assert found.severity == "warning"
    assert "for twice the samples" in found.message


def test_a_wait_for_each_batch_is_an_info() -> None:
    _, (found,) = answer(waits, masked, **CLASSES)
    assert (found.severity, found.message) == ("info", "the CPU waits for the accelerator 3 times in one call")


@pytest.mark.parametrize("loss", [all_at_once, nn.CrossEntropyLoss()])
def test_losses_that_never_wait_pass(loss) -> None:
    assert answer(waits, loss, **CLASSES)[0].status == "passed"


def test_the_printed_texts_are_stable() -> None:
    lines = printed(rule, contrastive, **PAIRS).splitlines()
    assert lines[3] == "    on an accelerator cross_entropy meets a tensor of shape (6,) on the CPU, and raises"
    lines = printed(waits, item_by_item, **CLASSES).splitlines()
    assert lines[3] == "    the CPU waits for the accelerator 6 times in one call, and 12 times for twice the samples"


@pytest.mark.parametrize(("loop", "told"), [(True, "warning"), (False, "info")])
def test_one_read_beside_a_loop_of_reads_hides_no_loop(loop, told):
    def centres(emb, labels):
        alike = labels.tolist()
        if loop:
            return (emb - torch.stack([emb[labels == one].mean(0) for one in alike])).square().mean()
        return (emb - emb.mean(0)).square().mean() + 0.0 * len(alike)

    flags = {"emb": "embedding[N,D]", "labels": "index[N]"}
    assert [found.severity for found in answer(waits, centres, **flags)[1]] == [told]
