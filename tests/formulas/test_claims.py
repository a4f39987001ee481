"""What a formula claims is measured, for all formulas at once, at several keywords.

Every measurement returns what it found wrong. Each is run on all formulas that make the claim, where it must find
nothing, and on a formula planted to break that very claim, where it must find something.
"""

from dataclasses import fields, replace
from itertools import product
from math import prod

import numpy as np
import pytest
import torch
from grid import SETTINGS, SIZES
from inputs import REALS, alternatives, arguments

from lossmith import formulas
from lossmith.ops import reader_of
from lossmith.shapes import batched
from lossmith.spec import FORMULAS, Claims, Formula

FAR = [0.0, 1e-20, 1e-4, 0.3, 0.5, 0.999, 1.0, 1.001, 3.0, 4.0, 30.0, 1e3]


def choices(formula, settings):
    return range(len(alternatives(formula, **settings)))


def tensors(formula, settings, choice, batch=(64,), seed=0):
    batch = tuple(max(n // 8, 6) for n in batch) if prod(SIZES.get(formula.name, {}).values()) > 1000 else batch
    return [torch.tensor(a) for a in arguments(formula, batch, seed=seed, choice=choice, **settings)]


def values(formula, arrays, settings):
    return formula.values(reader_of(arrays[0]), *arrays, **settings)


def slope(formula, arrays, settings):
    x = arrays[0].clone().requires_grad_()
    return torch.autograd.grad(values(formula, [x, *arrays[1:]], settings).sum(), x)[0]


def spread(formula, arrays, settings):
    """The arguments with their prediction far out: where it may be any number, ten and a hundred times as large."""
    if formula.kinds_for(**settings)[0] not in REALS:
        return [arrays]
    return [[scale * arrays[0], *arrays[1:]] for scale in (1.0, 10.0, 100.0)]


def residuals():
    return torch.tensor([sign * r for r in FAR for sign in (1, -1)], dtype=torch.float64)


def outside_range(formula, settings):
    low, high = formula.claims.range
    for choice in choices(formula, settings):
        for arrays in spread(formula, tensors(formula, settings, choice), settings):
            got = values(formula, arrays, settings)
            if not ((got >= low - 1e-12) & (got <= high)).all():
                return f"from {got.min()} to {got.max()}"
    return None


def not_zero_at_match(formula, settings):
    if not formula.shapes.elementwise:
        arrays = tensors(formula, settings, 0)
        got = values(formula, [arrays[0], arrays[0].clone(), *arrays[2:]], settings)
        return None if (got == 0).all() else f"{got.abs().max()}"
    x = torch.tensor([*FAR, -2.5], dtype=torch.float64)
    got = values(formula, [x, x.clone()], settings)
    return None if (got == 0).all() else f"{got.abs().max()}"


def not_even(formula, settings):
    r, zero = residuals(), torch.zeros(2 * len(FAR), dtype=torch.float64)
    there, back = values(formula, [r, zero], settings), values(formula, [-r, zero], settings)
    moved = values(formula, [r + 8.0, zero + 8.0], settings)
    if not torch.equal(there, back):
        return "the sign of the residual matters"
    return None if torch.allclose(there, moved, rtol=1e-9, atol=1e-14) else "more than the residual matters"


def not_convex(formula, settings):
    """The value at a mixture of two predictions exceeds the mixture of their values."""
    for choice in choices(formula, settings):
        first = tensors(formula, settings, choice, batch=(400,))
        for other in spread(formula, tensors(formula, settings, choice, batch=(400,), seed=1), settings):
            for share in (0.5, 0.1):
                mixed = (1 - share) * first[0] + share * other[0]
                ends = [values(formula, [p, *first[1:]], settings) for p in (first[0], other[0])]
                line = (1 - share) * ends[0] + share * ends[1]
                excess = values(formula, [mixed, *first[1:]], settings) - line
                if (excess > 1e-9 * (1 + line.abs())).any():
                    return f"above the line by {excess.max()}"
    return None


def not_smooth(formula, settings):
    """The gradient jumps over a step of 1e-7, somewhere on a line through the point where the residual is 0."""
    for choice in choices(formula, settings):
        arrays = tensors(formula, settings, choice, batch=(2 * len(FAR) + 2,))
        if formula.kinds_for(**settings)[0] in REALS:
            line = torch.cat([residuals(), torch.tensor([0.3, -0.3], dtype=torch.float64)])
            arrays[0] = line.reshape(-1, *[1] * (arrays[0].ndim - 1)).expand(arrays[0].shape).clone()
            if len(arrays) > 1 and arrays[1].dtype.is_floating_point and formula.kinds_for(**settings)[1] in REALS:
                arrays[1] = torch.zeros_like(arrays[0])
        else:
            arrays[0] = arrays[0].clamp(-5.0, 0.999) if arrays[0].min() < 0 else arrays[0].clamp(0.01, 0.99)
        steps = [slope(formula, [arrays[0] + h, *arrays[1:]], settings) for h in (-1e-7, 0.0, 1e-7)]
        jump = max((steps[1] - steps[0]).abs().max(), (steps[2] - steps[1]).abs().max())
        if jump > 0.02 * (1 + steps[1].abs().max()):
            return f"a jump of {jump}"
    return None


def worse(formula, arrays, kind, step):
    """A prediction further from its target: a larger residual, less evidence for the class that is right."""
    pred, target = arrays[:2]
    if kind == "real":
        return pred + step * torch.where(pred >= target, 1.0, -1.0)
    if kind == "prob":
        if target.ndim < pred.ndim:
            target = torch.nn.functional.one_hot(target, pred.shape[-1])
        return (pred + step * (0.5 - target)).clamp(0.0, 1.0)
    if target.shape == pred.shape:
        return pred + step * (1.0 - 2.0 * target)
    return pred - step * torch.nn.functional.one_hot(target, pred.shape[-1])


def not_monotone(formula, settings):
    kind = formula.kinds_for(**settings)[0]
    arrays = tensors(formula, settings, 0, batch=(300,))
    if arrays[1].dtype.is_floating_point and formula.kinds_for(**settings)[1] == "soft":
        arrays[1] = arrays[1].round()  # only a hard target has a direction that is worse everywhere
    if kind in ("simplex", "logprob"):
        return None  # a row of probabilities has no single direction that is worse
    for step in (1e-3, 0.1, 3.0, 100.0):
        before = values(formula, arrays, settings)
        after = values(formula, [worse(formula, arrays, kind, step), *arrays[1:]], settings)
        if (after < before - 1e-12 * (1 + before)).any():
            return f"falls by {(before - after).max()} over a step of {step}"
    return None


def beyond_bound(formula, settings):
    bound = formula.claims.bound_at({**formula.keywords, **settings})
    if bound is None:
        return None
    for choice in choices(formula, settings):
        for arrays in spread(formula, tensors(formula, settings, choice, batch=(400,)), settings):
            largest = slope(formula, arrays, settings).abs().max()
            if not largest <= bound * (1 + 1e-9):
                return f"{largest} in place of at most {bound}"
    return None


def not_proper(formula, settings):
    """Some prediction costs less on average than the truth."""
    kind, target_kind = formula.kinds_for(**settings)[:2]
    truths, guesses = (np.random.default_rng(seed).dirichlet(np.ones(4), 200) for seed in (0, 1))
    if target_kind == "soft":
        truths, guesses, outcomes = truths[:, :1], guesses[:, :1], np.array([[1.0], [0.0]])
        chances = np.concatenate([truths, 1 - truths], axis=1)
        to_pred = (lambda p: np.log(p / (1 - p))) if kind == "logits" else np.asarray
    else:
        chances, outcomes = truths, np.eye(4)
        to_pred = np.log if kind in ("logits", "logprob") else np.asarray
    with np.errstate(divide="ignore"):
        outcomes = np.log(outcomes) if settings.get("log_target") else outcomes
    costs = [sum_over(formula, to_pred(p), outcomes, chances, settings) for p in (truths, guesses)]
    return None if (costs[1] > costs[0]).all() else f"a wrong prediction is cheaper by {(costs[0] - costs[1]).max()}"


def sum_over(formula, pred, outcomes, chances, settings):
    """The mean cost of a prediction: over the outcomes, with their chances."""
    pred = torch.tensor(pred)
    each = [values(formula, [pred, torch.tensor(o).expand(pred.shape)], settings).numpy() for o in outcomes]
    return sum(chance * cost.reshape(-1) for chance, cost in zip(chances.T, each, strict=True))


def shift_dependent(formula, settings):
    if formula.kinds_for(**settings)[0] != "logits":
        return None
    for choice in choices(formula, settings):
        arrays = tensors(formula, settings, choice)
        shift = torch.linspace(-50, 50, 64, dtype=torch.float64)[:, None]
        before = values(formula, arrays, settings)
        after = values(formula, [arrays[0] + shift, *arrays[1:]], settings)
        if not torch.allclose(before, after, rtol=1e-11, atol=1e-12):
            return f"a shift changes the value by {(after - before).abs().max()}"
    return None


def scale_dependent(formula, settings):
    for choice in choices(formula, settings):
        arrays = tensors(formula, settings, choice, batch=(6,))
        before = values(formula, arrays, settings)
        rest = [0.125 * arrays[1]] if formula.kinds[0] == "boxes" else arrays[1:]
        after = values(formula, [0.125 * arrays[0], *rest], settings)
        if not torch.allclose(before, after, rtol=1e-11, atol=1e-12):
            return f"a scale changes the value by {(after - before).abs().max()}"
    return None


def flat_apart(formula, settings):
    """Two boxes that do not touch: is there a gradient that moves the prediction?"""
    pred = torch.tensor([[0.0, 0.0, 1.0, 1.0], [5.0, 2.0, 7.0, 3.0]], dtype=torch.float64)
    target = torch.tensor([[3.0, 4.0, 5.0, 5.0], [0.0, 0.0, 1.0, 1.0]], dtype=torch.float64)
    if settings.get("layout") == "cxcywh":
        pred, target = (torch.cat([(x[:, :2] + x[:, 2:]) / 2, x[:, 2:] - x[:, :2]], -1) for x in (pred, target))
    moved = slope(formula, [pred, target], settings).abs().sum(-1)
    return None if (moved > 1e-6).all() else f"a gradient of {moved}"


def mixes_the_batch(formula, settings):
    """What stands behind `...` is independent: another batch around a sample changes nothing."""
    for choice in choices(formula, settings):
        arrays = tensors(formula, settings, choice, batch=(6,))
        own = [batched(patterns[0]) for patterns in formula.shapes.arguments]
        some = [a[[4, 1]] if each else a for a, each in zip(arrays, own, strict=True)]
        got, want = values(formula, some, settings), values(formula, arrays, settings)[[4, 1]]
        if not torch.allclose(got, want, rtol=1e-12, atol=1e-14):
            return "a sample costs something else in another batch"
    return None


MEASURES = {
    "range": outside_range,
    "zero_at_match": not_zero_at_match,
    "even": not_even,
    "convex": not_convex,
    "smooth": not_smooth,
    "monotone": not_monotone,
    "proper": not_proper,
    "shift_invariant": shift_dependent,
    "scale_invariant": scale_dependent,
    "grad_bound": beyond_bound,
    "grad_without_overlap": flat_apart,
}


AT_DEFAULTS = ("monotone", "proper")  # label smoothing, for one, makes a prediction that is too sure cost more again


def claims_made():
    """(claim, formula, settings) for every claim that a formula makes."""
    made = [
        (claim, FORMULAS[name], settings)
        for claim, name in product(MEASURES, formulas.__all__)
        for settings in [{}, *SETTINGS.get(name, [])]
        if claim not in AT_DEFAULTS or set(settings) <= {"pred_is", "log_target"}
        if claim == "range" or getattr(FORMULAS[name].claims, claim)
    ]
    unmade = set(MEASURES) - {claim for claim, *_ in made}
    assert unmade == set(), "a claim that no formula makes is tested by nothing"
    return made


@pytest.mark.parametrize(("claim", "formula", "settings"), claims_made(), ids=str)
def test_a_claim_holds(claim, formula, settings):
    assert MEASURES[claim](formula, settings) is None


@pytest.mark.parametrize("name", formulas.__all__)
def test_the_entries_of_a_batch_do_not_meet(name):
    assert mixes_the_batch(FORMULAS[name], {}) is None


def test_every_claim_has_its_measure_and_every_keyword_is_varied():
    assert set(MEASURES) == {field.name for field in fields(Claims)}
    for name in formulas.__all__:
        varied = {key for settings in SETTINGS.get(name, []) for key in settings}
        assert varied == set(FORMULAS[name].keywords), name


def planted(body, shapes="..., ... -> ...", kinds=("real", "real"), **claims):
    return Formula(body, shapes=shapes, kinds=kinds, source="planted", **claims)


def kinked(ops, pred, target):
    return ops.abs(pred - target - 0.3)


def lopsided(ops, pred, target):
    return ops.square(pred - target) + (pred - target)


def wavy(ops, pred, target):
    return ops.square(ops.square(pred - target) - 1.0)


def improper(ops, pred, target):
    return ops.abs(pred - target)


def unshifted(ops, pred, target):
    return ops.sum(ops.square(pred), axis=-1)


def centred(ops, pred, target):
    return ops.square(pred - target - ops.sum(pred - target) / 100.0)


def unscaled(ops, pred, target):
    return ops.sum(pred * target, axis=-1)


def overlap_only(ops, pred, target):
    return 1.0 - ops.minimum(ops.maximum(pred[..., 2] - target[..., 0], 0.0), 0.0)


ROWS = {"shapes": "... C, ... C -> ...", "kinds": ("logits", "dist")}
BROKEN = {
    "range": planted(lopsided),
    "zero_at_match": planted(kinked),
    "even": planted(lopsided),
    "convex": planted(wavy),
    "smooth": planted(kinked),
    "monotone": planted(wavy),
    "proper": planted(improper, kinds=("prob", "soft")),
    "shift_invariant": planted(unshifted, **ROWS),
    "grad_bound": planted(lopsided, claims=replace(Claims(), grad_bound=1.0)),
    "scale_invariant": planted(unscaled, shapes="... D, ... D -> ...", kinds=("embedding", "embedding")),
    "grad_without_overlap": planted(overlap_only, shapes="... 4, ... 4 -> ...", kinds=("boxes", "boxes")),
}


@pytest.mark.parametrize("claim", MEASURES)
def test_a_formula_that_breaks_a_claim_is_caught(claim):
    assert MEASURES[claim](BROKEN[claim], {}) is not None


def test_a_formula_that_mixes_its_batch_is_caught():
    assert mixes_the_batch(planted(centred), {}) is not None
