"""The test functions of boosting objectives, as text: gradient, Hessian, weights, and what is refused."""

from lossmith.forging.plan import Plan
from lossmith.forging.targets import Target


def _boosted(rows: str, shapes: bool = True) -> str:
    return f"""
{rows.strip()}


def test_the_gradient_is_that_of_the_formula():
    gradient, _ = slopes(PRED, TARGET)
    np.testing.assert_allclose(gradient, SLOPES, rtol=1e-5, atol=1e-5)


def test_the_hessian_is_positive_and_finite():
    gradient, hessian = slopes(FAR_PRED, FAR_TARGET)
    assert np.isfinite(gradient).all()
    assert np.isfinite(hessian).all()
    assert (slopes(PRED, TARGET)[1] > 0).all()


def test_weights_scale_gradient_and_hessian():
    weighted = slopes(PRED, TARGET, weight=np.full(len(PRED), 2.0))
    for one, two in zip(slopes(PRED, TARGET), weighted, strict=True):
        np.testing.assert_allclose(two, 2.0 * one)
"""


def xgboost(plan: Plan, target: Target) -> str:
    return _boosted(f"""
def slopes(pred, target, weight=None):
    rows = xgb.DMatrix(np.zeros((len(pred), 1)), label=target, weight=weight)
    return {plan.function}(np.array(pred), rows)
""") + _one_score(plan, "xgb.DMatrix(np.zeros((2, 1)), label=[0.0, 1.0])")


def lightgbm(plan: Plan, target: Target) -> str:
    return _boosted(f"""
def slopes(pred, target, weight=None):
    rows = lgb.Dataset(np.zeros((len(pred), 1)), label=target, weight=weight)
    return {plan.function}(np.array(pred), rows.construct())
""") + _one_score(plan, "lgb.Dataset(np.zeros((2, 1)), label=[0.0, 1.0]).construct()")


def _one_score(plan: Plan, rows: str) -> str:
    if plan.of_rows:
        return f"""

def test_one_score_a_row_is_refused():
    rows = {rows}
    with pytest.raises(ValueError, match="do not pair"):
        {plan.function}(np.zeros(2), rows)


@pytest.mark.parametrize("label", [-1, 0.5, 3])
def test_what_is_no_label_is_refused(label):
    with pytest.raises(ValueError, match="from 0 to 2"):
        slopes(PRED[:1], [label])
"""
    return f"""

def test_several_scores_a_row_are_refused():
    rows = {rows}
    with pytest.raises(ValueError, match="do not pair"):
        {plan.function}(np.zeros((2, 3)), rows)
"""


def catboost(plan: Plan, target: Target) -> str:
    if plan.of_rows:
        return _boosted(f'''
def slopes(pred, target, weight=None):
    """CatBoost climbs, so its derivatives are those of minus the loss."""
    loss, weight = {plan.name}(), np.ones(len(pred)) if weight is None else weight
    rows = zip(pred, target, weight, strict=True)
    pairs = [loss.calc_ders_multi(*row) for row in rows]
    gradient = -np.array([one for one, _ in pairs])
    return gradient, -np.array([np.diag(two) for _, two in pairs])
''')
    return _boosted(f'''
def slopes(pred, target, weight=None):
    """CatBoost climbs, so its derivatives are those of minus the loss."""
    pairs = np.array({plan.name}().calc_ders_range(pred, target, weight))
    return -pairs[:, 0], -pairs[:, 1]
''')
