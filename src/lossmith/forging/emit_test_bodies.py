"""The test functions of each framework, as text: what a test file says below its table."""

from lossmith.forging import emit_test_boosters
from lossmith.forging.plan import Plan
from lossmith.forging.targets import Target


def _refusal(plan: Plan) -> str:
    return "one class number" if plan.by_label else "one shape"


def _torch(plan: Plan, target: Target) -> str:
    name = target.called(plan)
    refusal = _refusal(plan)
    goal = "torch.tensor(target, dtype=torch.float64, requires_grad=True)"
    if plan.of_rows:  # x log x has no slope at the 0 of a distribution
        goal = f"torch.tensor(target{'' if plan.by_label else ', dtype=torch.float64'})"
    call = (
        f"{name}(reduction=reduction)(pred, target)"
        if target.is_class
        else f"{name}(pred, target, reduction=reduction)"
    )
    return f"""
def tensors(pred=PRED, target=TARGET):
    x = torch.tensor(pred, dtype=torch.float64, requires_grad=True)
    return x, {goal}


def loss(pred, target, reduction="none"):
    return {call}


def test_values_and_slopes_are_those_of_the_formula():
    pred, target = tensors()
    values = loss(pred, target)
    (slopes,) = torch.autograd.grad(values.sum(), pred)
    torch.testing.assert_close(values.tolist(), VALUES, rtol=1e-9, atol=1e-11)
    torch.testing.assert_close(slopes.tolist(), SLOPES, rtol=1e-9, atol=1e-11)


def test_first_and_second_derivatives_agree_with_differences():
    assert torch.autograd.gradcheck(loss, tensors())
    assert torch.autograd.gradgradcheck(loss, tensors())


def test_the_upstream_gradient_counts():
    pred, target = tensors()
    (once,) = torch.autograd.grad(loss(pred, target).sum(), pred)
    (thrice,) = torch.autograd.grad(3.0 * loss(pred, target).sum(), pred)
    torch.testing.assert_close(thrice, 3.0 * once)


def test_far_predictions_have_finite_values_and_slopes():
    pred, target = tensors(FAR_PRED, FAR_TARGET)
    values = loss(pred, target)
    (slopes,) = torch.autograd.grad(values.sum(), pred)
    assert values.isfinite().all()
    assert slopes.isfinite().all()


def test_reductions_are_sum_and_mean_of_the_values():
    pred, target = tensors()
    values = loss(pred, target)
    torch.testing.assert_close(loss(pred, target, "sum"), values.sum())
    torch.testing.assert_close(loss(pred, target, "mean"), values.mean())
    with pytest.raises(ValueError, match="reduction"):
        loss(pred, target, "average")


def test_shapes_never_broadcast():
    pred, target = tensors()
    with pytest.raises(ValueError, match="{refusal}"):
        loss(pred[:, None], target)
"""


def _keras(plan: Plan, target: Target) -> str:
    name = target.called(plan)
    made = f'{name}(reduction="none")' if target.is_class else name
    more = (
        f"""

def test_the_mean_is_that_of_the_samples():
    values = keras.ops.convert_to_numpy(loss(*column()))
    total = keras.ops.convert_to_numpy({name}()(*column()))
    np.testing.assert_allclose(total, values.mean(), rtol=1e-5)


def test_the_configuration_makes_the_same_loss():
    again = {name}.from_config({name}().get_config())
    assert again.get_config() == {name}().get_config()
"""
        if target.is_class
        else ""
    )
    column = (
        """def column(pred=PRED, target=TARGET):
    return np.array(target, "float32")[:, None], np.array(pred, "float32")[:, None]"""
        if not plan.of_rows
        else f"""def column(pred=PRED, target=TARGET):
    return np.array(target, "{"int32" if plan.by_label else "float32"}"), np.array(pred, "float32")"""
    )
    return f"""
loss = {made}


{column}


def test_values_are_those_of_the_formula():
    values = keras.ops.convert_to_numpy(loss(*column()))
    np.testing.assert_allclose(values, VALUES, rtol=1e-5, atol=1e-5)


{_KERAS_SLOPES_OF_ROWS if plan.of_rows else _KERAS_SLOPES}


def test_far_predictions_have_finite_values():
    values = keras.ops.convert_to_numpy(loss(*column(FAR_PRED, FAR_TARGET)))
    assert np.isfinite(values).all()


def test_shapes_never_broadcast():
    y_true, y_pred = column()
    with pytest.raises(ValueError, match="{_refusal(plan)}"):
        loss({"y_true, y_pred[:, None]" if plan.by_label else "np.repeat(y_true, 2, axis=1), y_pred"})
{more}"""


_KERAS_SLOPES = """def test_slopes_agree_with_differences():
    step, pred = 1e-3, np.array(PRED)
    above = keras.ops.convert_to_numpy(loss(*column(pred + step)))
    below = keras.ops.convert_to_numpy(loss(*column(pred - step)))
    slopes = (above.astype(float) - below) / (2 * step)
    np.testing.assert_allclose(slopes, SLOPES, rtol=2e-2, atol=1e-2)"""
_KERAS_SLOPES_OF_ROWS = """def test_slopes_agree_with_differences():
    pred = np.array(PRED)
    for place in range(pred.shape[-1]):
        step = 1e-3 * (np.arange(pred.shape[-1]) == place)
        above = keras.ops.convert_to_numpy(loss(*column(pred + step)))
        below = keras.ops.convert_to_numpy(loss(*column(pred - step)))
        slopes = (above.astype(float) - below) / 2e-3
        wanted = np.array(SLOPES)[:, place]
        np.testing.assert_allclose(slopes, wanted, rtol=2e-2, atol=1e-2)"""


def _jax(plan: Plan, target: Target) -> str:
    name = plan.function
    dtype = "" if plan.by_label else ", jnp.float32"
    return f"""
PRED32, TARGET32 = jnp.array(PRED, jnp.float32), jnp.array(TARGET{dtype})


def total(pred, target):
    return {name}(pred, target).sum()


def test_values_and_slopes_are_those_of_the_formula():
    values = jax.jit({name})(PRED32, TARGET32)
    slopes = jax.jit(jax.grad(total))(PRED32, TARGET32)
    np.testing.assert_allclose(values, VALUES, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(slopes, SLOPES, rtol=1e-5, atol=1e-5)


def test_vmap_gives_the_same_values():
    one_by_one = jax.vmap({name})(PRED32, TARGET32)
    together = {name}(PRED32, TARGET32)
    np.testing.assert_allclose(one_by_one, together, rtol=1e-5)


def test_far_predictions_have_finite_values_and_slopes():
    pred, target = jnp.array(FAR_PRED), jnp.array(FAR_TARGET)
    assert jnp.isfinite({name}(pred, target)).all()
    assert jnp.isfinite(jax.grad(total)(pred, target)).all()


def test_shapes_never_broadcast():
    with pytest.raises(ValueError, match="{_refusal(plan)}"):
        {name}(PRED32[:, None], TARGET32)
"""


def _numpy(plan: Plan, target: Target) -> str:
    name = plan.function
    dtype = "" if plan.by_label else ", np.float32"
    differences = (_NUMPY_DIFFERENCES_OF_ROWS if plan.of_rows else _NUMPY_DIFFERENCES).format(name=name)
    more = _NUMPY_LABELS.format(name=name) if plan.by_label else ""
    return f"""
def test_values_and_slopes_are_those_of_the_formula():
    pred, target = np.array(PRED), np.array(TARGET)
    values = {name}(pred, target)
    slopes = {name}_gradient(pred, target)
    np.testing.assert_allclose(values, VALUES, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(slopes, SLOPES, rtol=1e-9, atol=1e-11)


{differences}


def test_far_predictions_have_finite_values_and_slopes():
    pred, target = np.array(FAR_PRED), np.array(FAR_TARGET)
    assert np.isfinite({name}(pred, target)).all()
    assert np.isfinite({name}_gradient(pred, target)).all()


def test_float32_stays_float32():
    pred, target = np.array(PRED, np.float32), np.array(TARGET{dtype})
    assert {name}(pred, target).dtype == np.float32


def test_shapes_never_broadcast():
    with pytest.raises(ValueError, match="{_refusal(plan)}"):
        {name}(np.array(PRED)[:, None], np.array(TARGET))
{more}"""


_NUMPY_LABELS = """

@pytest.mark.parametrize("label", [-1, 3])
def test_what_is_no_label_is_refused(label):
    with pytest.raises(ValueError, match="from 0 to 2"):
        {name}(np.array(PRED[:1]), np.array([label]))
"""
_NUMPY_DIFFERENCES = """def test_the_gradient_agrees_with_differences():
    pred, target, step = np.array(PRED), np.array(TARGET), 1e-6
    above = {name}(pred + step, target)
    below = {name}(pred - step, target)
    slopes = (above - below) / (2 * step)
    gradient = {name}_gradient(pred, target)
    np.testing.assert_allclose(slopes, gradient, rtol=1e-5, atol=1e-6)"""
_NUMPY_DIFFERENCES_OF_ROWS = """def test_the_gradient_agrees_with_differences():
    pred, target = np.array(PRED), np.array(TARGET)
    gradient = {name}_gradient(pred, target)
    for place in range(pred.shape[-1]):
        step = 1e-6 * (np.arange(pred.shape[-1]) == place)
        above = {name}(pred + step, target)
        below = {name}(pred - step, target)
        slopes = (above - below) / 2e-6
        np.testing.assert_allclose(slopes, gradient[:, place], rtol=1e-5, atol=1e-6)"""


BODIES = {
    "torch": _torch,
    "keras": _keras,
    "jax": _jax,
    "numpy": _numpy,
    "xgboost": emit_test_boosters.xgboost,
    "lightgbm": emit_test_boosters.lightgbm,
    "catboost": emit_test_boosters.catboost,
}
