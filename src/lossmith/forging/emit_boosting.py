"""Objectives for XGBoost, LightGBM and CatBoost: gradient and Hessian of each row, and the loss as a metric.

Trees take Newton steps, gradient over Hessian, so a Hessian must be above 0. A loss that is convex and nowhere
straight has it by itself. Where a convex loss is straight, the Hessian is taken as 1, a step along the gradient, as
these libraries do for the absolute error. A loss that is not convex steps by the size of its curvature. A loss of rows
takes a score for each class, and of its Hessian the diagonal.
"""

from collections.abc import Sequence

from lossmith.errors import SettingError, message
from lossmith.forging.plan import Plan
from lossmith.forging.prose import facts, keywords, module_docstring, notes, spoken, wrapped
from lossmith.forging.source import computed, defaults, file_of, from_self, signature
from lossmith.forging.spell import NUMPY
from lossmith.forging.tree import ZERO

_FLOOR = ["# The least Hessian: a smaller one would make a Newton step of any length.", "HESSIAN_FLOOR = 1e-3"]
_FITTING = """\
def _require_one_score(pred: np.ndarray, target: np.ndarray) -> None:
    if pred.shape != target.shape:
        raise ValueError(f"scores {pred.shape} do not pair with labels {target.shape}")""".splitlines()
_LABELS = """\
def _labels(pred: np.ndarray, label: np.ndarray) -> np.ndarray:
    if pred.ndim != 2 or pred.shape[:1] != label.shape:
        raise ValueError(f"scores {pred.shape} do not pair with labels {label.shape}")
    target = label.astype(np.int64)
    if (target != label).any() or not ((target >= 0) & (target < pred.shape[1])).all():
        raise ValueError(f"labels must be whole numbers from 0 to {pred.shape[1] - 1}")
    return target""".splitlines()


def xgboost(plan: Plan) -> str:
    """Functions for `xgb.train(obj=..., custom_metric=...)`."""
    reading = ["pred = np.asarray(predt, dtype=np.float64)", *_read(plan, "dtrain.get_label()")]
    weigh = ["weight = dtrain.get_weight()", "if weight.size:"]
    takes = ["predt: np.ndarray", "dtrain: xgb.DMatrix", *_after_star(plan)]
    params = '{"num_class": C}' if plan.of_rows else "params"
    use = f"xgb.train({params}, dtrain, obj={plan.function})"
    parts = [
        *_floor(plan),
        _objective(plan, takes, use, reading, weigh),
        _metric(plan, takes, f"xgb.train(..., custom_metric={plan.function}_metric)", reading, weigh, ""),
        _fitting(plan),
    ]
    docstring = module_docstring(plan, "an objective for XGBoost")
    return file_of(docstring, ["import numpy as np", "import xgboost as xgb"], parts, NUMPY)


def lightgbm(plan: Plan) -> str:
    """Functions for `lgb.train({"objective": ...}, feval=...)`."""
    reading = ["pred = np.asarray(preds, dtype=np.float64)", *_read(plan, "train_data.get_label()")]
    weigh = ["weight = train_data.get_weight()", "if weight is not None:"]
    takes = ["preds: np.ndarray", "train_data: lgb.Dataset", *_after_star(plan)]
    classes = ', "num_class": C' if plan.of_rows else ""
    use = f'lgb.train({{"objective": {plan.function}{classes}}}, train_data)'
    parts = [
        *_floor(plan),
        _objective(plan, takes, use, reading, weigh),
        _metric(plan, takes, f"lgb.train(..., feval={plan.function}_metric)", reading, weigh, ", bool"),
        _fitting(plan),
    ]
    docstring = module_docstring(plan, "an objective for LightGBM")
    return file_of(docstring, ["import lightgbm as lgb", "import numpy as np"], parts, NUMPY)


def catboost(plan: Plan) -> str:
    """Classes for `CatBoostRegressor(loss_function=..., eval_metric=...)`."""
    learner = "CatBoostClassifier" if plan.of_rows else "CatBoostRegressor"
    classes = ", classes_count=C" if plan.of_rows else ""
    use = f"{learner}(loss_function={plan.name}(), eval_metric={plan.name}Metric(){classes})"
    lines = [
        f"class {plan.name}:",
        *_docstring(plan, "the objective of", use),
        "",
        *_constructor(plan),
        *(_ders_of_a_row(plan) if plan.of_rows else _ders_of_a_range(plan)),
    ]
    scores = "np.transpose(approxes)" if plan.of_rows else "approxes[0]"
    target = "_labels(pred, np.asarray(target))" if plan.of_rows else "np.asarray(target, dtype=np.float64)"
    metric = [
        f"class {plan.name}Metric:",
        f'    """The weighted mean of the loss, for `eval_metric={plan.name}Metric()`."""',
        "",
        *_constructor(plan),
        "    def is_max_optimal(self):",
        "        return False",
        "",
        "    def evaluate(self, approxes, target, weight):",
        f"        pred = np.asarray({scores}, dtype=np.float64)",
        f"        target = {target}",
        *from_self(plan.params, "self", 8),
        *computed(plan, [("values", plan.value)], NUMPY, 8),
        "        if weight is None:",
        "            return float(values.sum()), float(len(values))",
        "        weight = np.asarray(weight, dtype=np.float64)",
        "        return float((values * weight).sum()), float(weight.sum())",
        "",
        "    def get_final_error(self, error, weight):",
        "        return error / weight if weight else 0.0",
    ]
    docstring = module_docstring(plan, "an objective for CatBoost")
    more = [_LABELS] if plan.of_rows else []
    return file_of(docstring, ["import numpy as np"], [*_floor(plan), lines, metric, *more], NUMPY)


def _ders_of_a_range(plan: Plan) -> list[str]:
    return [
        "    def calc_ders_range(self, approxes, targets, weights):",
        '        """Minus gradient and minus Hessian of each row: CatBoost climbs."""',
        "        pred = np.asarray(approxes, dtype=np.float64)",
        "        target = np.asarray(targets, dtype=np.float64)",
        *from_self(plan.params, "self", 8),
        *_slopes(plan, 8),
        "        if weights is not None:",
        "            weight = np.asarray(weights, dtype=np.float64)",
        "            gradient, hessian = gradient * weight, hessian * weight",
        "        return list(zip(-gradient, -hessian, strict=True))",
    ]


def _ders_of_a_row(plan: Plan) -> list[str]:
    return [
        "    def calc_ders_multi(self, approxes, target, weight):",
        '        """Minus gradient and minus the diagonal Hessian of one row: CatBoost climbs."""',
        "        pred = np.asarray(approxes, dtype=np.float64)",
        "        target = np.asarray(target).astype(np.int64)",
        *from_self(plan.params, "self", 8),
        *_slopes(plan, 8),
        "        weight = 1.0 if weight is None else weight",
        "        return (-weight * gradient).tolist(), np.diag(-weight * hessian).tolist()",
    ]


def _read(plan: Plan, label: str) -> list[str]:
    if plan.of_rows:
        return [f"target = _labels(pred, {label})"]
    return [f"target = np.asarray({label}, dtype=np.float64)", "_require_one_score(pred, target)"]


def _fitting(plan: Plan) -> Sequence[str]:
    return _LABELS if plan.of_rows else _FITTING


def require_scores(plan: Plan) -> None:
    """Trees add up to any number, so a prediction that must be positive or a probability is not theirs.

    And a label is one number of a row, not a row of them.
    """
    if plan.of_rows and not plan.by_label:
        given = {"target": plan.kinds[1]}
        raise SettingError(
            message(f"{plan.name}: a booster has one label for each row, this loss a row of the target", given)
        )
    if plan.kinds[0] in ("prob", "positive", "simplex"):
        form = {"prob": "sigmoid(pred)", "simplex": "softmax(pred)"}.get(plan.kinds[0], "exp(pred)")
        raise SettingError(
            message(
                f"{plan.name}: a boosted score is any number, the prediction of this loss is not",
                {"pred": plan.kinds[0]},
                fix=f"write the expression with {form} in place of pred",
            )
        )


def _after_star(plan: Plan) -> list[str]:
    return ["*", *defaults(plan.params)] if plan.params else []


def _floor(plan: Plan) -> list[Sequence[str]]:
    return [_FLOOR] if plan.facts.shape == "not convex" else []


def _slopes(plan: Plan, indent: int) -> list[str]:
    blank = " " * indent
    if plan.curvature == ZERO:
        lines = computed(plan, [("gradient", plan.slopes["pred"])], NUMPY, indent)
        lines.append(f"{blank}# straight everywhere: the curvature is 0, so a step along the gradient")
        return [*lines, f"{blank}hessian = np.ones_like(pred)"]
    lines = computed(plan, [("gradient", plan.slopes["pred"]), ("hessian", plan.curvature)], NUMPY, indent)
    if plan.facts.shape in ("straight", "convex"):
        lines += [
            f"{blank}# on a straight piece the curvature is 0: there a step along the gradient",
            f"{blank}hessian = np.where(hessian > 0.0, hessian, 1.0)",
        ]
    if plan.facts.shape == "not convex":
        lines += [
            f"{blank}# not convex: the size of the curvature, so that a step goes downhill",
            f"{blank}hessian = np.maximum(np.abs(hessian), HESSIAN_FLOOR)",
        ]
    return lines


def _objective(plan: Plan, takes: Sequence[str], use: str, reading: Sequence[str], weigh: Sequence[str]) -> list[str]:
    return [
        *signature(f"def {plan.function}", takes, " -> tuple[np.ndarray, np.ndarray]"),
        *_docstring(plan, "gradient and Hessian of", use),
        *(f"    {line}" for line in reading),
        *_slopes(plan, 4),
        *(f"    {line}" for line in weigh),
        *(["        weight = weight[:, None]"] if plan.of_rows else []),
        "        gradient, hessian = gradient * weight, hessian * weight",
        "    return gradient, hessian",
    ]


def _metric(
    plan: Plan, takes: Sequence[str], use: str, reading: Sequence[str], weigh: Sequence[str], more: str
) -> list[str]:
    answer = f'"{plan.function}", float(np.average(values, weights=weight))'
    last = ", False" if more else ""
    return [
        *signature(f"def {plan.function}_metric", takes, f" -> tuple[str, float{more}]"),
        '    """The weighted mean of the loss.',
        "",
        *notes(plan, 4, [("Use", use)]),
        '    """',
        *(f"    {line}" for line in reading),
        *computed(plan, [("values", plan.value)], NUMPY, 4),
        *(f"    {line}" for line in weigh[:1]),
        *(["    if not weight.size:", "        weight = None"] if not more else []),
        f"    return {answer}{last}",
    ]


def _docstring(plan: Plan, what: str, use: str) -> list[str]:
    hessian = {
        "curved": "the second derivative, above 0 by itself",
        "straight": "the second derivative, and 1 where the loss is straight",
        "convex": "the second derivative, and 1 where it is 0",
        "not convex": "the size of the second derivative, at least HESSIAN_FLOOR: the loss is not convex",
    }[plan.facts.shape]
    hessian = f"its diagonal: {hessian}" if plan.of_rows else hessian
    told = [("Use", use), *facts(plan), ("Hessian", hessian), *keywords(plan)]
    told.append(("Weights", "those of the rows are applied"))
    if plan.params and "CatBoost" not in use:
        first = next(iter(plan.params))
        told.insert(1, ("", f"functools.partial({plan.function}, {first}=...) for another parameter"))
    head = wrapped(f'"""{what[0].upper()}{what[1:]} {spoken(plan.given)}.', "    ", "    ")
    return [*head, "", *notes(plan, 4, told), '    """']


def _constructor(plan: Plan) -> list[str]:
    if not plan.params:
        return []
    return [
        *signature("def __init__", ["self", "*", *defaults(plan.params)], " -> None", 4),
        *(f"        self.{name} = {name}" for name in plan.params),
        "",
    ]
