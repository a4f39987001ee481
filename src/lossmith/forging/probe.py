"""The child that runs emitted files in their frameworks: `python -m lossmith.forging.probe`, jobs as JSON on stdin.

It answers each with value, gradient and, for a boosting objective, Hessian at each point, in float64; or with the
error that it met.
"""

import importlib.util
import json
import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

Answer = dict[str, list[float]]
_MODULE = "lossmith_forged"


def _load(file: str) -> Any:
    spec = importlib.util.spec_from_file_location(_MODULE, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[_MODULE] = module
    spec.loader.exec_module(module)
    return module


def _torch(made: Any, is_class: bool, pred: np.ndarray, target: np.ndarray) -> Answer:
    import torch

    loss = made(reduction="none") if is_class else lambda *given: made(*given, reduction="none")
    x, t = torch.tensor(pred, requires_grad=True), torch.tensor(target, requires_grad=target.dtype.kind == "f")
    values = loss(x, t)
    (slope,) = torch.autograd.grad(values.sum(), x)
    return {"values": values.tolist(), "pred": slope.tolist()}


def _keras(made: Any, is_class: bool, pred: np.ndarray, target: np.ndarray) -> Answer:
    import torch

    loss = made(dtype="float64").call if is_class else made
    x = torch.tensor(pred, requires_grad=True)
    values = loss(torch.tensor(target), x)
    (slope,) = torch.autograd.grad(values.sum(), x)
    return {"values": values.tolist(), "pred": slope.tolist()}


def _jax(made: Any, is_class: bool, pred: np.ndarray, target: np.ndarray) -> Answer:
    import jax

    jax.config.update("jax_enable_x64", True)
    x, t = jax.numpy.asarray(pred), jax.numpy.asarray(target)
    slope = jax.grad(lambda x: made(x, t).sum())(x)
    return {"values": made(x, t).tolist(), "pred": slope.tolist()}


def _numpy(made: Any, is_class: bool, pred: np.ndarray, target: np.ndarray) -> Answer:
    gradient = getattr(sys.modules[_MODULE], f"{made.__name__}_gradient")
    return {"values": made(pred, target).tolist(), "pred": gradient(pred, target).tolist()}


def _xgboost(made: Any, is_class: bool, pred: np.ndarray, target: np.ndarray) -> Answer:
    import xgboost

    rows = xgboost.DMatrix(np.zeros((len(pred), 1)), label=target)
    gradient, hessian = made(pred, rows)
    return {"pred": gradient.tolist(), "hessian": hessian.tolist(), "metric": [_metric(made)(pred, rows)[1]]}


def _lightgbm(made: Any, is_class: bool, pred: np.ndarray, target: np.ndarray) -> Answer:
    import lightgbm

    rows = lightgbm.Dataset(np.arange(len(pred), dtype=float)[:, None], label=target, params={"verbose": -1})
    rows.construct()
    gradient, hessian = made(pred, rows)
    return {"pred": gradient.tolist(), "hessian": hessian.tolist(), "metric": [_metric(made)(pred, rows)[1]]}


def _metric(made: Any) -> Callable[..., Any]:
    return getattr(sys.modules[_MODULE], f"{made.__name__}_metric")


def _catboost(made: Any, is_class: bool, pred: np.ndarray, target: np.ndarray) -> Answer:
    if pred.ndim == 2:
        return _catboost_of_rows(made, pred, target)
    slopes = np.array(made().calc_ders_range(pred, target, None))
    metric = getattr(sys.modules[_MODULE], f"{made.__name__}Metric")()
    total, weight = metric.evaluate([pred], target, None)
    found = [metric.get_final_error(total, weight)]
    return {"pred": (-slopes[:, 0]).tolist(), "hessian": (-slopes[:, 1]).tolist(), "metric": found}


def _catboost_of_rows(made: Any, pred: np.ndarray, target: np.ndarray) -> Answer:
    slopes = [made().calc_ders_multi(row, one, 1.0) for row, one in zip(pred, target, strict=True)]
    metric = getattr(sys.modules[_MODULE], f"{made.__name__}Metric")()
    total, weight = metric.evaluate(list(pred.T), target, None)
    gradient, hessian = (np.array([one[which] for one in slopes]) for which in (0, 1))
    diagonal = -np.diagonal(hessian, axis1=1, axis2=2)
    return {
        "pred": (-gradient).tolist(),
        "hessian": diagonal.tolist(),
        "metric": [metric.get_final_error(total, weight)],
    }


_RUN: Mapping[str, Callable[..., Answer]] = {
    "torch": _torch,
    "keras": _keras,
    "jax": _jax,
    "numpy": _numpy,
    "xgboost": _xgboost,
    "lightgbm": _lightgbm,
    "catboost": _catboost,
}


def _answer(job: Mapping[str, Any]) -> dict[str, Any]:
    try:
        made = getattr(_load(job["file"]), job["name"])
        points = [np.array(job[name], np.float64) for name in ("pred", "target")]
        if job["by_label"]:  # the row of a label was what the digits took
            points[1] = points[1].argmax(axis=-1)
        with np.errstate(all="ignore"):
            return _RUN[job["framework"]](made, job["is_class"], *points)
    except Exception as error:  # whatever an emitted file raises is what its author has to see
        return {"error": f"{type(error).__name__}: {error}"}


def main() -> None:
    answers = [_answer(job) for job in json.load(sys.stdin)]
    sys.stdout.write("\n" + json.dumps(answers))


if __name__ == "__main__":
    main()
