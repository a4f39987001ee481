"""Emitted files run in their frameworks and agree with fifty digits; as text they are what a formatter would leave."""

import subprocess
import sys

import pytest
import torch
from emitting import forged, planned, write
from forged_losses import CASES
from mpmath import mp, mpf

from lossmith.forging.emit_tests import tests as carried
from lossmith.forging.targets import TARGETS
from lossmith.forging.verify import compare, compare_all

RUN = ("torch", "keras", "jax", "numpy", "xgboost", "lightgbm", "catboost")
SOME = ("Asymmetric", "Focal", "Probability", "PseudoHuber", "Quantile", "Wing", "Logistic")  # for the slow ones


def targets_of(framework):
    return [to for to, target in TARGETS.items() if target.framework == framework]


def fits(name, to):
    return not (TARGETS[to].boosts and CASES[name].kinds[0] in ("prob", "positive"))


@pytest.mark.parametrize("framework", RUN)
def test_emitted_files_agree_with_fifty_digits(framework, tmp_path):
    names = SOME if framework in ("jax", "keras") else CASES
    files = []
    for name in names:
        made = planned(name)
        files += [(write(tmp_path, made, to), made, TARGETS[to]) for to in targets_of(framework) if fits(name, to)]
    assert len(files) >= len(SOME) - 1
    for (file, _, _), (count, wrong) in zip(files, compare_all(files), strict=True):
        assert wrong == [], file.stem
        assert count >= 30


def test_the_test_above_can_fail(tmp_path):
    made = planned("LogCosh")
    file = write(tmp_path, made, "numpy")
    file.write_text(file.read_text().replace("math.log(2.0)", "0.6931"))
    _, wrong = compare(file, made, TARGETS["numpy"])
    assert wrong
    file.write_text("import no_such_module\n")
    assert "no_such_module" in compare(file, made, TARGETS["numpy"])[1][0]


@pytest.mark.parametrize("name", CASES)
def test_torch_functions_agree_with_their_textbook_twins(name, tmp_path):
    case = CASES[name]
    loss = forged(tmp_path, name, "torch-function")
    pred = {"prob": 0.3, "positive": 1.7}.get(case.kinds[0], 0.83)
    target = {"real": -0.4, "binary": 1.0, "pm1": -1.0, "count": 3.0, "positive": 0.6}[case.kinds[1]]
    x = torch.tensor([pred], dtype=torch.float64, requires_grad=True)
    value = loss(x, torch.tensor([target], dtype=torch.float64), reduction="sum")
    params = {key: mpf(number) for key, number in case.params.items()}
    assert value.item() == pytest.approx(float(case.twin(mpf(pred), mpf(target), **params)), rel=1e-12)
    (slope,) = torch.autograd.grad(value, x)
    with mp.workdps(40):
        assert float(slope) == pytest.approx(
            float(mp.diff(lambda s: case.twin(s, mpf(target), **params), pred)), rel=1e-9
        )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Every target of some losses, each with its tests."""
    made_in = tmp_path_factory.mktemp("forged")
    for name in SOME:
        made = planned(name)
        for to in TARGETS:
            if to != "latex" and fits(name, to):
                file = write(made_in, made, to)
                file.with_name(f"test_{file.name}").write_text(carried(made, TARGETS[to], file.stem))
    return made_in


@pytest.mark.parametrize("width", [88, 120])
def test_a_formatter_has_nothing_to_do(folder, width):
    ruff = [sys.executable, "-m", "ruff"]
    made = subprocess.run(
        [*ruff, "format", "--diff", "--isolated", "--line-length", str(width), str(folder)],
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0, made.stdout
    rules = "E,F,W,I,B,UP,C4,SIM,RUF,PIE,RET,PT"
    made = subprocess.run(
        [*ruff, "check", "--isolated", "--line-length", "88", "--select", rules, "--ignore", "PT011", str(folder)],
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0, made.stdout


def test_nothing_but_the_framework_is_imported(folder):
    files = list(folder.glob("*.py"))
    assert len(files) > 100
    assert not [file.name for file in files if "lossmith." in file.read_text() or "import lossmith" in file.read_text()]


def run_pytest(files):
    made = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "--rootdir",
            str(files[0].parent),
            *map(str, files),
        ],
        capture_output=True,
        text=True,
        cwd=files[0].parent,
    )
    return made.returncode, made.stdout


def test_the_tests_that_files_carry_pass(folder):
    files = sorted([*folder.glob("test_wing*.py"), *folder.glob("test_probability*.py")])
    assert len(files) > 15
    code, output = run_pytest(files)
    assert code == 0, output[-3000:]


def test_the_tests_that_files_carry_can_fail(folder, tmp_path):
    names = ("pseudo_huber_loss_torch_autograd", "logistic_loss_xgboost", "asymmetric_loss_numpy")
    for name in names:
        text = (folder / f"{name}.py").read_text()
        wrong = text.replace("grad_output * by_pred", "by_pred").replace("gradient = ", "gradient = 1.01 * ")
        wrong = wrong.replace("return 2.0 * np", "return 2.1 * np")
        assert wrong != text
        (tmp_path / f"{name}.py").write_text(wrong)
        (tmp_path / f"test_{name}.py").write_text((folder / f"test_{name}.py").read_text())
    output = run_pytest([tmp_path / f"test_{name}.py" for name in names])[1]
    assert all(f"FAILED test_{name}.py" in output for name in names)
