"""What `lossmith bench` measures is the loss it names; times are not judged here."""

import csv
import sys

import pytest
import torch

from lossmith.bench import Options, append, bench, inputs, measure, rows, ways
from lossmith.cli import main
from lossmith.errors import SettingError
from lossmith.kernels import kernel, kernels, written
from lossmith.spec import FORMULAS

SMALL = {"N": 6, "...": 6, "C": 5, "D": 4, "M": 3, "P": 9, "Q": 3, "H": 16, "W": 16}


def small(formula) -> dict[str, int]:
    lengths = {axis: SMALL.get(axis, length) for axis, length in inputs.lengths_of(formula, None).items()}
    return lengths | ({"H": 176, "W": 176} if formula.name == "ms_ssim" else {})


def test_the_classes_of_an_image_lie_before_its_pixels_in_memory():
    for name in ("dice", "lovasz_softmax"):
        formula = FORMULAS[name]
        logits, labels = inputs.batch(formula, {"...": 2, "P": 6, "C": 3}, torch.float32)
        assert logits.shape == (2, 6, 3)
        assert logits.mT.is_contiguous()
        assert logits.requires_grad
        assert labels.shape == (2, 6)


@pytest.mark.parametrize("name", sorted(FORMULAS))
def test_every_formula_takes_the_batch_that_is_made_for_it(name):
    formula = FORMULAS[name]
    lengths = small(formula)
    made = inputs.batch(formula, lengths, torch.float32)
    total = formula.total(*made)
    assert total.isfinite()
    assert made[0].requires_grad


PEERS = [(name, peer) for name, peers in ways.PEERS.items() for peer in peers if peer.library == "torch"]


@pytest.mark.parametrize(("name", "peer"), PEERS, ids=[name for name, _ in PEERS])
def test_a_peer_computes_the_same_total(name, peer):
    formula = FORMULAS[name]
    lengths = small(formula)
    if "D" in lengths:
        lengths["D"] = 64  # so that no angle and its margin pass a straight one, where ArcFace is written in two ways
    made = inputs.batch(formula, lengths, torch.float64)
    torch.testing.assert_close(peer.make(torch)(*made), formula.total(*made), rtol=1e-4, atol=1e-4)


def test_the_rows_say_what_was_measured(tmp_path):
    found, absent = bench(FORMULAS["nt_xent"], Options(size=64, rounds=2, compiled=False))
    by_way = {row.way: row for row in found}
    assert list(by_way) == ["torch", "eager", "kernel", "floor: copy", "floor: matmul"]
    assert by_way["torch"].ratio == by_way["torch"].ratio_p20 == 1.0
    assert by_way["kernel"].total == pytest.approx(by_way["torch"].total, rel=1e-5)
    assert by_way["floor: copy"].moved_bytes == 2 * 2 * 64 * 128 * 4
    assert by_way["torch"].moved_bytes > by_way["floor: copy"].moved_bytes
    assert any("pip install lightly" in line for line in absent)
    for _ in range(2):
        append(found, tmp_path / "results.csv")
    lines = list(csv.DictReader((tmp_path / "results.csv").read_text().splitlines()))
    assert len(lines) == 2 * len(found)
    assert lines[0]["formula"] == "nt_xent"
    assert rows.table(found, absent).row_count == len(found)


def test_where_a_matrix_of_pairs_is_too_large_only_the_kernel_is_measured(monkeypatch):
    monkeypatch.setattr(measure, "MATRIX", 4 * 128 * 128 - 1)
    found, absent = bench(FORMULAS["nt_xent"], Options(size=64, rounds=1, against=("torch",)))
    assert [row.way for row in found] == ["kernel", "floor: copy", "floor: matmul"]
    assert absent == ["torch, eager, torch.compile: the matrix of pairs alone would take 0 GiB"]


def test_memory_is_that_which_is_held_at_once():
    def step():
        one = torch.ones(2**16)
        two = one + 1.0
        del one
        return two.sum()

    assert 2 * 2**18 <= measure.peak_bytes(step) < 3 * 2**18
    assert measure.peak_bytes(lambda: torch.ones(1)) < 2**12


def test_traffic_is_what_each_operation_reads_and_writes():
    x = torch.ones(1000)
    assert measure.moved_bytes(lambda: x.view(10, 100) * 2.0) == 8000


@pytest.mark.parametrize("name", sorted(kernels()))
def test_a_kernel_is_measured_as_the_formula_is_called(name):
    formula = FORMULAS[name]
    lengths = {axis: SMALL.get(axis, length) for axis, length in inputs.lengths_of(formula, None).items()}
    made = inputs.batch(formula, lengths, torch.float64)
    found, _ = ways.ways(formula, ["torch"], compiled=False)
    torch.testing.assert_close(found["kernel"](*made), found["eager"](*made), rtol=1e-9, atol=1e-9)


def test_the_compiled_way_of_a_written_slope_asks_that(monkeypatch):
    asked: list[int] = []
    monkeypatch.setattr(kernel, "_WRITTEN", {})
    monkeypatch.setattr(
        written, "compiled", lambda run, **_: lambda *x, **more: asked.append(len(x)) or run(*x, **more)
    )
    for name in ("box_giou", "binary_focal"):
        found, _ = ways.ways(FORMULAS[name], ["torch"])
        made = inputs.batch(FORMULAS[name], {"...": 5}, torch.float64)
        torch.testing.assert_close(found["one pass"](*made), found["eager"](*made), rtol=1e-9, atol=1e-9)
    assert asked == [3, 3]  # a scale too: the sum is the kernel's


def test_what_cannot_be_measured_is_refused():
    with pytest.raises(SettingError, match="not a library that bench knows"):
        ways.ways(FORMULAS["huber"], ["numpy"])
    for arguments in (["bench", "nonsense"], ["bench", "huber", "--dtype", "int8"]):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == 2


def test_the_command_prints_a_table(capfd):
    with pytest.raises(SystemExit) as ended:
        main(["bench", "HuberLoss", "--size", "500", "--rounds", "1", "--no-compile", "--against", "torch"])
    assert ended.value.code == 0
    shown = capfd.readouterr()
    assert "floor: copy" in shown.out
    assert "extra MiB" in shown.out
    assert "profiler" not in shown.err


def test_a_peer_that_cannot_be_imported_is_named_and_the_rest_is_measured(monkeypatch, tmp_path):
    (tmp_path / "lightly").mkdir()
    (tmp_path / "lightly" / "__init__.py").write_text("import what_it_needs_itself\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "lightly", raising=False)
    found, absent = ways.ways(FORMULAS["nt_xent"], ("lightly",), compiled=False)
    assert absent == ["lightly is installed and cannot be imported: No module named 'what_it_needs_itself'"]
    assert "eager" in found
