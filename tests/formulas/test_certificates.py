"""What a formula of single numbers claims is proved on an interval, at all of its settings, kinks included."""

from math import inf

import pytest
from grid import SETTINGS

from lossmith import formulas  # noqa: F401  (registers them)
from lossmith.ops.ball import precision
from lossmith.prove.certificate import Study
from lossmith.prove.slices import elementwise, is_elementwise
from lossmith.settings import Positive
from lossmith.spec import FORMULAS, Claims, Formula

# Claims that are left open, and why: the test fails where one of them is proved.
CLIPPED = "where the clip begins, a power is an exponential of a logarithm of 0: no enclosure of its slope is finite"
STOPPED = "its gradient is not that of its value, on purpose"
OPEN = {
    ("asymmetric_multilabel", "{}"): ({"grad_bound", "monotone"}, CLIPPED),
    ("asymmetric_multilabel", "{'gamma_pos': 0.0, 'gamma_neg': 0.0}"): ({"grad_bound"}, CLIPPED),
    ("asymmetric_multilabel", "{'clip': 0.5}"): ({"grad_bound"}, CLIPPED),
    ("asymmetric_multilabel", "{'stop_focusing': True}"): ({"grad_bound"}, STOPPED),
}
SLOW = {"adaptive_robust": "its normaliser is a sum of many exponentials: it differs from general_robust by a constant"}
ELEMENTWISE = [name for name, made in FORMULAS.items() if is_elementwise(made) and name not in SLOW]


def settings_of(name):
    """The keywords at which claims are measured, plain numbers only: arrays would mean several slices."""
    every = [{}, *SETTINGS.get(name, [])]
    return [one for one in every if all(isinstance(v, (int, float, str, bool, type(None))) for v in one.values())]


def certificates(made, settings):
    """(claim, certificate) for everything that a formula claims and a slice can show."""
    claims, bound = made.claims, made.claims.bound_at({**made.keywords, **settings})
    for held in elementwise(made, **settings).slices():
        study = Study(held.function, held.low, held.high)
        if claims.convex:
            yield "convex", study.convex()
        if claims.smooth:
            yield "smooth", study.smooth()
        if bound is not None and bound < inf:
            yield "grad_bound", study.slope_at_most(bound)
        if claims.range != (-inf, inf):
            yield "range", study.value_within(*claims.range)
        if claims.monotone and not settings:
            yield from (("monotone", found) for found in away(held, study, made.kinds_for()[0]))


def away(held, study, kind):
    """Whether it falls as the prediction moves away from a target that has a direction."""
    if kind == "real":
        yield Study(held.function, held.low, held.target).falling()
        yield Study(held.function, held.target, held.high).rising()
    elif held.target in (1.0, 0.0, -1.0):
        yield study.falling() if held.target == 1.0 else study.rising()


def not_proved(made, settings):
    with precision():
        return {claim: found for claim, found in certificates(made, settings) if found.verdict != "proved"}


@pytest.mark.parametrize(("name", "settings"), [(name, one) for name in ELEMENTWISE for one in settings_of(name)])
def test_claims_are_proved(name, settings):
    found = not_proved(FORMULAS[name], settings)
    assert found.keys() == OPEN.get((name, str(settings)), (set(), ""))[0], found
    assert {one.verdict for one in found.values()} <= {"open"}, found


def _planted(claims):
    def planted(ops, pred, target, *, delta: Positive = 1.0):
        """A Huber loss whose line is too flat, and falls at the end; 1e-6 below 0 at the match."""
        a = ops.abs(pred - target)
        line = delta * (0.9 * a - 0.4 * delta) - 1e-6
        return ops.where(a < delta, 0.5 * ops.square(ops.minimum(a, delta)) - 1e-6, line - ops.maximum(a - 49.0, 0.0))

    return Formula(planted, shapes="..., ... -> ...", kinds=("real", "real"), source="planted", claims=claims)


@pytest.mark.parametrize(
    "claims",
    [Claims(range=(-inf, inf), **{name: value}) for name, value in
     {"convex": True, "smooth": True, "monotone": True, "grad_bound": 0.99}.items()] + [Claims()],
    ids=str,
)  # fmt: skip
def test_a_planted_fault_is_not_proved(claims):
    (found,) = not_proved(_planted(claims), {}).values()
    assert found.verdict == "refuted", found
