"""Forged objectives train real trees: where a library has the same objective of its own, the trees are the same."""

import numpy as np
import pytest
from emitting import forged, planned
from forged_losses import CASES

from lossmith.forging.plan import plan
from lossmith.forging.targets import TARGETS

catboost = pytest.importorskip("catboost")
lightgbm = pytest.importorskip("lightgbm")
xgboost = pytest.importorskip("xgboost")

SQUARED = "0.5 * square(pred - target)"
ROUNDS = 12
without_numba = pytest.mark.filterwarnings("ignore:.*numba.*:UserWarning")  # which CatBoost looks for


def data(seed=3, rows=300):
    draw = np.random.default_rng(seed)
    x = draw.normal(size=(rows, 4))
    return x, x[:, 0] - 2 * x[:, 1] * (x[:, 2] > 0) + 0.3 * draw.normal(size=rows), draw.uniform(0.5, 2.0, rows)


def squared(folder, to):
    from emitting import load, write

    made = plan(SQUARED, "HalfSquared", {})
    return load(write(folder, made, to), TARGETS[to].called(made))


def train_xgboost(objective, weight=None):
    x, y, _ = data()
    settings = {"base_score": 0.0, "max_depth": 3, "eta": 0.3, "seed": 0, "nthread": 1}
    if isinstance(objective, str):
        settings["objective"], objective = objective, None
    rows = xgboost.DMatrix(x, label=y, weight=weight)
    return xgboost.train(settings, rows, ROUNDS, obj=objective).predict(rows, output_margin=True)


def train_lightgbm(objective, weight=None, **more):
    x, y, _ = data()
    settings = {"objective": objective, "verbose": -1, "boost_from_average": False, "num_threads": 1, "seed": 0, **more}
    return lightgbm.train(settings, lightgbm.Dataset(x, label=y, weight=weight), ROUNDS).predict(x, raw_score=True)


def train_catboost(objective, metric="RMSE", weight=None):
    x, y, _ = data()
    model = catboost.CatBoostRegressor(
        loss_function=objective,
        eval_metric=metric,
        iterations=ROUNDS,
        depth=3,
        learning_rate=0.3,
        boost_from_average=False,
        leaf_estimation_method="Newton",
        leaf_estimation_iterations=1,
        random_seed=0,
        thread_count=1,
        verbose=False,
        allow_writing_files=False,
        score_function="L2",
        bootstrap_type="No",
    )
    return model.fit(x, y, sample_weight=weight).predict(x)


@pytest.mark.parametrize("weighted", [False, True])
def test_squared_error_grows_the_trees_of_the_library(weighted, tmp_path):
    weight = data()[2] if weighted else None
    ours = train_xgboost(squared(tmp_path, "xgboost"), weight)
    np.testing.assert_allclose(ours, train_xgboost("reg:squarederror", weight), rtol=1e-4, atol=1e-5)
    ours = train_lightgbm(squared(tmp_path, "lightgbm"), weight)
    np.testing.assert_allclose(ours, train_lightgbm("regression", weight), rtol=1e-4, atol=1e-5)


@without_numba
def test_squared_error_grows_the_trees_of_catboost(tmp_path):
    ours = train_catboost(squared(tmp_path, "catboost")())
    np.testing.assert_allclose(ours, train_catboost("RMSE"), rtol=1e-3, atol=1e-3)


def test_the_tests_above_can_fail(tmp_path):
    other = train_xgboost(forged(tmp_path, "Asymmetric", "xgboost"))
    assert np.abs(other - train_xgboost("reg:squarederror")).max() > 0.05


def test_logistic_grows_the_trees_of_the_library(tmp_path):
    x, y, _ = data()
    rows = xgboost.DMatrix(x, label=(y > 0).astype(float))
    settings = {"max_depth": 3, "eta": 0.3, "nthread": 1}
    built_in = xgboost.train({**settings, "base_score": 0.5, "objective": "binary:logistic"}, rows, ROUNDS)
    ours = xgboost.train({**settings, "base_score": 0.0}, rows, ROUNDS, obj=forged(tmp_path, "Logits", "xgboost"))
    margins = [model.predict(rows, output_margin=True) for model in (built_in, ours)]
    np.testing.assert_allclose(margins[1], margins[0], rtol=1e-3, atol=1e-4)


def test_a_quantile_leaves_its_share_below(tmp_path):
    objective = forged(tmp_path, "Quantile", "lightgbm")
    x, y, _ = data()
    rows = lightgbm.Dataset(x, label=y)
    found = lightgbm.train({"objective": objective, "verbose": -1, "num_threads": 1}, rows, 300).predict(x)
    assert 0.72 < np.mean(y < found) < 0.9  # q = 0.8
    # gradient steps with a Hessian of 1, as LightGBM's own quantile takes before it renews its leaves
    gradient, hessian = objective(np.zeros(len(y)), rows.construct())
    assert set(np.round(np.unique(gradient), 6)) == {-0.8, 0.2}
    assert set(np.unique(hessian)) == {1.0}


@pytest.mark.parametrize("name", [name for name in CASES if CASES[name].kinds[0] in ("real", "logits")])
def test_training_lowers_the_loss(name, tmp_path):
    x, y, _ = data()
    y = {"binary": (y > 0) * 1.0, "pm1": np.sign(y), "count": np.round(np.abs(y))}.get(CASES[name].kinds[1], y)
    rows = xgboost.DMatrix(x, label=y)
    objective = forged(tmp_path, name, "xgboost")
    metric = getattr(__import__("sys").modules[objective.__module__], f"{objective.__name__}_metric")
    settings = {"base_score": 0.0, "max_depth": 3, "eta": 0.1, "nthread": 1, "min_child_weight": 0.0}
    found = xgboost.train(settings, rows, 25, obj=objective).predict(rows, output_margin=True)
    assert metric(found, rows)[1] < metric(np.zeros(len(y)), rows)[1]


@without_numba
def test_catboost_takes_the_metric_and_the_weights(tmp_path):
    cls = forged(tmp_path, "Asymmetric", "catboost")
    metric = __import__("sys").modules[cls.__module__].AsymmetricLossMetric
    found = train_catboost(cls(under=9.0), metric(under=9.0), weight=data()[2])
    assert np.mean(found > data()[1]) > 0.6  # being under costs nine times as much


def test_a_guard_is_there_where_the_loss_is_not_convex_and_only_there():
    for name, case in CASES.items():
        if case.kinds[0] in ("real", "logits"):
            for to in ("xgboost", "lightgbm", "catboost"):
                text = TARGETS[to].write(planned(name))
                assert ("HESSIAN_FLOOR" in text) == (case.shape == "not convex"), name
                assert ("a step along the gradient" in text) == (case.shape == "straight"), name
