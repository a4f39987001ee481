"""Losses of rows of classes: read, derived, written for each framework, and traced from a user's own."""

import math
import subprocess
import sys
from dataclasses import dataclass, field

import catboost
import lightgbm
import numpy as np
import pytest
import torch
import torch.nn.functional as F
import xgboost
from emitting import load
from mpmath import mp, mpf
from torch import nn

from lossmith.checker.build import subject_of_object
from lossmith.checker.original import original
from lossmith.checker.resolve import Declared
from lossmith.errors import LossmithError, SettingError
from lossmith.forging.emit_boosting import require_scores
from lossmith.forging.emit_tests import tests as carried
from lossmith.forging.facts import exactly, grid_of, smooth_points
from lossmith.forging.original import expressed
from lossmith.forging.plan import plan
from lossmith.forging.reading import formula_of, in_digits
from lossmith.forging.row_code import coded
from lossmith.forging.row_slopes import gradient
from lossmith.forging.spell import text_of
from lossmith.forging.targets import TARGETS
from lossmith.forging.tree import PRED
from lossmith.forging.verify import compare, compare_all
from lossmith.prove.derive import derive

FOCAL = "-sum(target * (1 - softmax(pred))**gamma * log(softmax(pred)))"


def shares(x):
    powers = [mp.exp(one) for one in x]
    return [one / mp.fsum(powers) for one in powers]


def dot(x, t):
    return mp.fsum(a * b for a, b in zip(x, t, strict=True))


@dataclass(frozen=True)
class Case:
    text: str
    twin: object  # (row, target row, **params), as a paper prints it
    kinds: tuple = ("logits", "index")
    shape: str = "convex"
    params: dict = field(default_factory=dict)
    said: tuple = (None, None)


def smoothed(x, t, eps):
    return -dot([(1 - eps) * one + eps / len(x) for one in t], map(mp.log, shares(x)))


def hinge(x, t, margin):
    return mp.fsum(max(margin + a - dot(x, t), 0) * (1 - b) for a, b in zip(x, t, strict=True))


CASES = {
    "CrossEntropy": Case("log(sum(exp(pred))) - sum(target * pred)", lambda x, t: -dot(t, map(mp.log, shares(x)))),
    "Focal": Case(
        FOCAL,
        lambda x, t, gamma: -dot(t, [(1 - p) ** gamma * mp.log(p) for p in shares(x)]),
        shape="not convex",
        params={"gamma": 2.0},
    ),
    "Smoothed": Case("-sum((target * (1 - eps) + eps / classes) * log_softmax(pred))", smoothed, params={"eps": 0.1}),
    "Smoothing": Case(
        "-(1 - eps) * sum(target * log_softmax(pred)) - eps * mean(log_softmax(pred))", smoothed, params={"eps": 0.1}
    ),
    "Hinge": Case("sum(relu(margin + pred - sum(target * pred)) * (1 - target))", hinge, params={"margin": 1.0}),
    "Brier": Case(
        "sum(square(softmax(pred) - target))",
        lambda x, t: mp.fsum((a - b) ** 2 for a, b in zip(shares(x), t, strict=True)),
        shape="not convex",
    ),
    "Divergence": Case(
        "sum(xlogy(target, target) - target * log_softmax(pred))",
        lambda x, t: mp.fsum(b * mp.log(b / a) if b else 0 for a, b in zip(shares(x), t, strict=True)),
        kinds=("logits", "dist"),
        said=("logits", "dist"),
    ),
    "Likelihood": Case("-sum(target * log(pred))", lambda x, t: -dot(t, map(mp.log, x)), kinds=("simplex", "index")),
    "Distance": Case(
        "sum(square(pred - target))",
        lambda x, t: mp.fsum((a - b) ** 2 for a, b in zip(x, t, strict=True)),
        kinds=("real", "real"),
    ),
    "Angle": Case(
        "1 - sum(pred * target) / sqrt(sum(square(pred)) * sum(square(target)))",
        lambda x, t: 1 - dot(x, t) / mp.sqrt(dot(x, x) * dot(t, t)),
        kinds=("real", "real"),
        shape="not convex",
    ),
}
CASES["Total"] = Case(
    "square(sum(pred) - sum(target))",
    lambda x, t: (mp.fsum(x) - mp.fsum(t)) ** 2,
    kinds=("real", "real"),
    said=("real", "real"),
)
SOME = ("Focal", "Divergence", "Smoothing", "Hinge")


def planned(name):
    case = CASES[name]
    return plan(case.text, f"{name}Loss", case.params, pred=case.said[0], target=case.said[1])


def errors_of(root, twin, points, params):
    """The largest error of a value, or of a slope, beside what `twin` makes of each pair of rows."""
    exact = {name: exactly(array) for name, array in points.items()}
    got = in_digits(root, exact, params)
    with mp.workdps(60):
        want = [twin(list(map(mpf, x)), list(map(mpf, t))) for x, t in zip(*points.values(), strict=True)]
    pairs = zip(np.ravel(got), np.ravel(np.array(want, object)), strict=True)
    return max(abs(mpf(str(a)) - b) / max(1, abs(b)) for a, b in pairs)


def slope_of(twin, order=1):
    """The derivative by each entry of a row; of second order the diagonal of the Hessian."""

    def slope(x, t):
        return [mp.diff(lambda s, i=i: twin([*x[:i], s, *x[i + 1 :]], t), x[i], order) for i in range(len(x))]

    return slope


@pytest.mark.parametrize("name", CASES)
def test_value_slope_and_curvature_are_those_of_the_twin(name):
    case, made = CASES[name], planned(name)
    assert (made.kinds, made.facts.shape) == (case.kinds, case.shape)
    keep = smooth_points(made.given, made.kinds, made.params)
    points = {one: array[keep][::2] for one, array in grid_of(made.given, made.kinds).items()}
    params = {key: mpf(value) for key, value in case.params.items()}

    def twin(x, t):
        return case.twin(x, t, **params)

    assert errors_of(made.value, twin, points, case.params) < 1e-15
    assert errors_of(made.slopes["pred"], slope_of(twin), points, case.params) < 1e-15
    assert errors_of(made.curvature, slope_of(twin, order=2), points, case.params) < 1e-15


def test_the_test_above_can_fail():
    made = planned("CrossEntropy")
    points = grid_of(made.given, made.kinds)
    wrong = plan("1.000001 * log(sum(exp(pred))) - sum(target * pred)", "Wrong", {}, pred="logits", target="index")
    for root, twin in (
        (wrong.value, CASES["CrossEntropy"].twin),
        (wrong.slopes["pred"], slope_of(CASES["CrossEntropy"].twin)),
        (wrong.curvature, slope_of(CASES["CrossEntropy"].twin, order=2)),
    ):
        assert errors_of(root, twin, points, {}) > 1e-9


def test_what_no_prediction_makes_best_has_no_kinds():
    with pytest.raises(SettingError, match="could not be found out"):
        plan("sum(target * log_softmax(pred))", "Turned", {})


def test_slopes_are_as_short_as_on_paper():
    assert text_of(planned("CrossEntropy").slopes["pred"]) == "softmax(pred) - target"
    assert text_of(planned("Smoothed").slopes["pred"]) == "softmax(pred) - (target * (1 - eps) + eps / classes)"
    # a distribution that does not sum to 1, such as a padded row of zeros, has another slope than a label
    assert "sum(target)" in text_of(planned("Divergence").slopes["pred"])


def test_code_looks_the_label_up_where_it_only_picks():
    def code(name):
        return text_of(coded(planned(name).value, by_label=True))

    assert code("Focal") == "-pick_flat((1 - softmax(pred)) ** gamma * log_softmax(pred))"
    assert code("Hinge") == "sum_flat(maximum(margin + pred - pick(pred), 0) * (1 - target))"
    assert code("Likelihood") == "-pick_flat(log(pred))"
    assert "pick(" not in code("Brier")


def test_the_axis_of_the_classes_stays_for_what_meets_a_row():
    text = "logsumexp(pred) + 0.1 * sum(square(pred - 0.5 * logsumexp(pred))) - sum(target * pred)"
    made = plan(text, "Anchored", {}, pred="logits", target="index")
    code = text_of(coded(made.value, by_label=True))
    assert code == "logsumexp_flat(pred) + 0.1 * sum_flat(square(pred - 0.5 * logsumexp(pred))) - pick_flat(pred)"
    made = plan("where(logsumexp(pred) > 1, 2, 1) * sum(square(pred - target))", "Switched", {})
    assert text_of(coded(made.value, by_label=False)).startswith("flat(")


def test_what_overflows_is_written_in_other_words():
    told = [str(one) for one in planned("CrossEntropy").rewrites]
    assert told[0].startswith("log(sum(exp(x))) -> logsumexp(x): not finite -> ")
    assert float(told[0].split("-> ")[2].split()[0]) < 1.0
    (one,) = map(str, planned("Focal").rewrites)  # of a whole row, in ulps of its largest entry
    assert one.startswith("log(softmax(x)) -> log_softmax(x): not finite -> 0.")


def test_a_range_is_known_where_the_target_is_0_or_1():
    assert [(planned(name).low, planned(name).high) for name in ("Focal", "Hinge")] == [(0.0, math.inf)] * 2


def test_a_row_of_classes_has_latex_like_any_formula():
    made = planned("CrossEntropy")
    shown = derive(formula_of(made.function, made.given, made.params, made.kinds)).latex()
    assert "p_{1} - 1" in shown


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Every target of some losses of rows, each with its tests."""
    made_in = tmp_path_factory.mktemp("rows")
    for name in SOME:
        made = planned(name)
        for to, target in TARGETS.items():
            if target.framework != "latex" and not (target.boosts and made.kinds[1] == "dist"):
                file = made_in / f"{made.function}_{to.replace('-', '_')}.py"
                file.write_text(target.write(made))
                file.with_name(f"test_{file.name}").write_text(carried(made, target, file.stem))
    return made_in


def test_emitted_files_agree_with_fifty_digits(folder):
    files = []
    for name in SOME:
        made = planned(name)
        for to, target in TARGETS.items():
            file = folder / f"{made.function}_{to.replace('-', '_')}.py"
            if file.exists() and (name in SOME[:1] or target.framework not in ("keras", "jax")):
                files.append((file, made, target))
    made = planned("Total")  # a slope that is one number for the whole row
    for to in ("torch-autograd", "numpy"):
        files.append((folder / f"total_{to.replace('-', '_')}.py", made, TARGETS[to]))
        files[-1][0].write_text(TARGETS[to].write(made))
    assert len(files) == 30
    for (file, _, _), (count, wrong) in zip(files, compare_all(files), strict=True):
        assert wrong == [], file.stem
        assert count >= 60


def test_the_comparison_can_fail(tmp_path):
    made = planned("Smoothing")
    file = tmp_path / "smoothing.py"
    file.write_text(TARGETS["numpy"].write(made).replace("np.mean(", "np.sum("))
    _, wrong = compare(file, made, TARGETS["numpy"])
    assert wrong


def test_a_formatter_has_nothing_to_do(folder):
    ruff = [sys.executable, "-m", "ruff"]
    for words in (
        ["format", "--diff"],
        ["check", "--select", "E,F,W,I,B,UP,C4,SIM,RUF,PIE,RET,PT", "--ignore", "PT011"],
    ):
        made = subprocess.run([*ruff, *words, "--isolated", str(folder)], capture_output=True, text=True)
        assert made.returncode == 0, made.stdout


def test_the_tests_that_files_carry_pass_and_can_fail(folder, tmp_path):
    right = [
        *("focal_loss_torch_autograd", "focal_loss_keras_class", "divergence_loss_jax", "hinge_loss_numpy"),
        *("focal_loss_xgboost", "smoothing_loss_lightgbm", "hinge_loss_catboost"),
    ]
    spoilt = {"grad_output * by_pred": "by_pred", "return np.sum(": "return 1.01 * np.sum("}
    for name in right:
        code, its_tests = (folder / f"{file}.py" for file in (name, f"test_{name}"))
        text = code.read_text()
        wrong = text
        for word, other in spoilt.items():
            wrong = wrong.replace(word, other)
        for stem, what in ((name, text), *([(f"wrong_{name}", wrong)] if wrong != text else [])):
            (tmp_path / f"{stem}.py").write_text(what)
            (tmp_path / f"test_{stem}.py").write_text(its_tests.read_text().replace(f"from {name}", f"from {stem}"))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path)]
    made = subprocess.run([*command, str(tmp_path)], capture_output=True, text=True, cwd=tmp_path)
    failed = {line.split("::")[0] for line in made.stdout.splitlines() if line.startswith("FAILED")}
    wanted = {"FAILED test_wrong_focal_loss_torch_autograd.py", "FAILED test_wrong_hinge_loss_numpy.py"}
    assert failed == wanted, made.stdout[-3000:]
    assert " passed" in made.stdout


def test_a_torch_function_is_torchs_own_loss(folder):
    loss = load(folder / "smoothing_loss_torch_function.py", "smoothing_loss")
    pred, labels = torch.randn(6, 4, 9, dtype=torch.float64), torch.randint(9, (6, 4))
    own = F.cross_entropy(pred.flatten(0, 1), labels.flatten(), label_smoothing=0.1)
    torch.testing.assert_close(loss(pred, labels), own)
    assert loss(pred, labels, reduction="none").shape == (6, 4)


def three_classes():
    made = np.random.default_rng(0)
    x = made.normal(size=(300, 4))
    return x, np.argmax(np.stack([x[:, 0], x[:, 1] + x[:, 2], -x[:, 0] * x[:, 3]], 1), 1)


@pytest.mark.filterwarnings("ignore:Failed to import numba")
def test_trees_learn_classes(folder):
    """All three libraries, and the metric of the same file falls as they do."""
    x, y = three_classes()
    grown = {"num_class": 3, "disable_default_eval_metric": True}
    loss, metric = (load(folder / "focal_loss_xgboost.py", name) for name in ("focal_loss", "focal_loss_metric"))
    rows, seen = xgboost.DMatrix(x, label=y), {}
    more = {"evals": [(rows, "rows")], "evals_result": seen, "verbose_eval": False}
    model = xgboost.train(grown, rows, 20, obj=loss, custom_metric=metric, **more)
    assert np.mean(model.predict(rows, output_margin=True).argmax(1) == y) > 0.95
    assert seen["rows"]["focal_loss"][-1] < 0.3 * seen["rows"]["focal_loss"][0]

    loss, metric = (load(folder / "focal_loss_lightgbm.py", name) for name in ("focal_loss", "focal_loss_metric"))
    rows, seen = lightgbm.Dataset(x, label=y), {}
    record = [lightgbm.record_evaluation(seen)]
    grown = {"objective": loss, "num_class": 3, "verbose": -1}
    model = lightgbm.train(grown, rows, 20, feval=metric, valid_sets=[rows], callbacks=record)
    assert np.mean(model.predict(x).argmax(1) == y) > 0.95
    assert seen["training"]["focal_loss"][-1] < 0.3 * seen["training"]["focal_loss"][0]

    loss, metric = (load(folder / "focal_loss_catboost.py", name)() for name in ("FocalLoss", "FocalLossMetric"))
    told = {"verbose": False, "allow_writing_files": False, "iterations": 20, "learning_rate": 0.3}
    model = catboost.CatBoostClassifier(loss_function=loss, eval_metric=metric, classes_count=3, **told).fit(x, y)
    assert np.mean(model.predict(x, prediction_type="RawFormulaVal").argmax(1) == y) > 0.9
    (seen,) = model.get_evals_result()["learn"].values()
    assert seen[-1] < 0.3 * seen[0]


@pytest.mark.parametrize(("name", "words"), [("Divergence", "one label for each row"), ("Likelihood", "softmax(pred)")])
def test_what_trees_cannot_take_is_refused(name, words):
    with pytest.raises(SettingError) as error:
        require_scores(planned(name))
    assert words in str(error.value)


LABELS = {"pred": "logits[N,C]", "target": "index[N]"}
SOFT = {"pred": "logits[N,C]", "target": "dist[N,C]"}


class FocalOfEntropy(nn.Module):
    def __init__(self, gamma=2.0):
        super().__init__()
        self.gamma = gamma

    def forward(self, logits, labels):
        ce = F.cross_entropy(logits, labels, reduction="none")
        return ((1 - torch.exp(-ce)) ** self.gamma * ce).mean()


def poly(logits, labels, epsilon=1.5):
    hit = logits.softmax(1).gather(1, labels.unsqueeze(1)).squeeze(1)
    return (F.cross_entropy(logits, labels, reduction="none") + epsilon * (1 - hit)).sum()


def looked_up(logits, labels, smoothing=0.1):
    log_probs = logits.log_softmax(-1)
    nll = -log_probs[torch.arange(len(labels)), labels]
    return ((1 - smoothing) * nll - smoothing * log_probs.mean(-1)).mean()


def brier(logits, labels):
    hot = F.one_hot(labels, logits.shape[1]).to(logits.dtype)
    return (logits.softmax(1) - hot).square().sum(1).mean()


def masked_hinge(logits, labels):
    hit = logits.gather(1, labels[:, None])
    wrong = torch.ones_like(logits).scatter(1, labels[:, None], 0.0)
    return ((1 + logits - hit).clamp(min=0) * wrong).sum(1).mean()


def by_hand(logits, labels):
    shifted = logits - logits.max(dim=1, keepdim=True).values
    return (shifted.exp().sum(1).log() - shifted[torch.arange(len(labels)), labels]).mean()


def logsumexp(logits, labels):
    return (torch.logsumexp(logits, dim=1) - logits.gather(1, labels[:, None]).squeeze(1)).mean()


def soft(logits, shares):
    return -(shares * F.log_softmax(logits, dim=-1)).sum(-1).mean()


def told(loss, flags=LABELS):
    return original(subject_of_object(loss), Declared(flags))


@pytest.mark.parametrize(
    ("loss", "flags", "expression", "params"),
    [
        (
            FocalOfEntropy,
            LABELS,
            "-(1 - exp(sum(target * log_softmax(pred)))) ** gamma * sum(target * log_softmax(pred))",
            {"gamma": 2.0},
        ),
        (
            poly,
            LABELS,
            "(1 - sum(target * softmax(pred))) * epsilon - sum(target * log_softmax(pred))",
            {"epsilon": 1.5},
        ),
        (
            looked_up,
            LABELS,
            "sum(target * log_softmax(pred)) * (smoothing - 1) - mean(log_softmax(pred)) * smoothing",
            {"smoothing": 0.1},
        ),
        (brier, LABELS, "sum(square(softmax(pred) - target))", {}),
        (masked_hinge, LABELS, "sum(maximum(pred + 1 - sum(target * pred), 0) * (1 - target))", {}),
        (soft, SOFT, "-sum(target * log_softmax(pred))", {}),
        (nn.CrossEntropyLoss, LABELS, "-sum(target * log_softmax(pred))", {}),
        (by_hand, LABELS, "log(sum(exp(pred))) - sum(target * pred)", {}),
        (logsumexp, LABELS, "log(sum(exp(pred))) - sum(target * pred)", {}),
    ],
)
def test_a_loss_of_rows_is_an_expression(loss, flags, expression, params):
    made = expressed(told(loss, flags))
    assert (made.expression, made.params) == (expression, params)
    assert made.kinds == ("logits", flags["target"].partition("[")[0])
    assert any("90 values and slopes of" in note for note in made.notes)  # 15 rows of five classes


def test_rows_whose_values_are_others_are_not_written():
    for column, word in ((2, "its value"), (3, "its slope")):
        wrong = told(brier)
        for row in wrong["points"]:
            row[column] = (np.array(row[column]) * 1.001).tolist()
        with pytest.raises(LossmithError, match="what was traced is not what it computes") as error:
            expressed(wrong)
        assert word in str(error.value)


def counted(logits, labels, eps=0.1):
    """Another loss among five classes than among the three that are traced, if 2 is taken for a constant."""
    hot = torch.full_like(logits, eps / (logits.shape[1] - 1)).scatter(1, labels[:, None], 1 - eps)
    return -(hot * logits.log_softmax(1)).sum(1).mean()


def first_class(logits, labels):
    return F.cross_entropy(logits, labels) + logits[:, 0].square().mean()


def of_largest(logits, labels):
    return (logits.amax(1) - logits.gather(1, labels[:, None])[:, 0]).mean()


def second_class(logits, labels):
    return logits.logsumexp(1).mean() - logits.gather(1, torch.ones_like(labels)[:, None]).mean()


def ranked(logits, labels):
    return (logits.softmax(1) * torch.arange(logits.shape[1])).sum(1).mean() + F.cross_entropy(logits, labels)


def of_one(logits, labels):
    return F.cross_entropy(logits, labels) + (logits[:, None].softmax(1) * logits[:, None]).sum((1, 2)).mean()


def between(logits, labels):
    apart = (logits[:, :, None] - logits[:, None, :]).square().sum((1, 2))
    return F.cross_entropy(logits, labels) + apart.mean()


class Weighted(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("weight", torch.tensor([1.0, 2.0, 3.0]))

    def forward(self, logits, labels):
        return F.cross_entropy(logits, labels, weight=self.weight.to(logits.dtype))


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        (counted, "it was traced among 3 classes"),
        (of_largest, "or on the largest"),
        (first_class, "it takes classes by their number"),
        (second_class, "it takes a class that is not the label"),
        (ranked, "each class has a number of its own"),
        (of_one, "a softmax over one number"),
        (between, "the classes of a row meet each other"),
        (Weighted, "for all 5 classes"),
    ],
)
def test_what_does_not_treat_classes_alike_is_refused_in_words(loss, words):
    with pytest.raises(LossmithError, match="cannot be forged") as error:
        expressed(told(loss))
    assert words in str(error.value)


def test_a_gradient_is_refused_where_it_grows_too_long():
    text = "softmax(pred)"
    for _ in range(9):
        text = f"softmax({text})"
    with pytest.raises(SettingError, match="too long"):
        gradient(plan(f"sum(target * {text})", "Deep", {}, pred="logits", target="index").given, PRED, "index")
