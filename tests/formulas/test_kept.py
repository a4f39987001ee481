"""Where entries interact, those that are not kept are removed: in every formula with coupled axes, in every reader."""

import numpy as np
import pytest
from inputs import alternatives, arguments

from lossmith import formulas
from lossmith.errors import SettingError
from lossmith.shapes import letters
from lossmith.spec import FORMULAS, Formula
from readers import DIFFERENTIABLE, READERS

COUPLED = [
    (name, i) for name in formulas.__all__ if FORMULAS[name].coupled for i in range(len(alternatives(FORMULAS[name])))
]
every_coupled = pytest.mark.parametrize(("name", "choice"), COUPLED)


def chosen(made, choice):
    return [axes for _, axes in alternatives(made)[choice]]


def some_kept(made, choice, arrays):
    """Which entries of the coupled axes are kept, and the arrays with nonsense in the others."""
    axes = chosen(made, choice)[0]
    ends = max(axes.index(name) for name in made.coupled) + 1
    kept = np.ones(arrays[0].shape[: arrays[0].ndim - (len(axes) - ends)], bool)
    kept[0, ..., 1] = False
    kept[1, ..., -1] = kept[1, ..., 0] = False
    return kept


def spoiled(made, choice, arrays, kept, bad):
    broken = []
    for array, axes in zip(arrays, chosen(made, choice), strict=True):
        copy = array.copy()
        if set(made.coupled) <= set(letters(axes)):
            copy[~kept] = bad if copy.dtype.kind == "f" else 77
        broken.append(copy)
    return broken


def removed(made, choice, arrays, kept, sample):
    """One sample without the entries that are not kept; for one coupled axis."""
    (letter,) = made.coupled
    taken = []
    for array, axes in zip(arrays, chosen(made, choice), strict=True):
        one = array[sample] if axes[0] == "..." else array
        names = letters(axes)
        taken.append(np.compress(kept[sample], one, axis=names.index(letter)) if letter in names else one)
    return taken


def given(made, choice):
    arrays = arguments(made, (3,), choice=choice)
    return arrays, some_kept(made, choice, arrays)


def require_no_influence(made, choice):
    arrays, kept = given(made, choice)
    held = [arrays, *(spoiled(made, choice, arrays, kept, bad) for bad in (np.nan, np.inf, 1e300))]
    for reader in READERS:
        with reader.scope():
            call = reader.prepare(lambda k, *x: made(*x, kept=k))
            one, *others = (
                reader.read(call(reader.make(kept), *map(reader.make, each))).astype(float) for each in held
            )
        assert np.isfinite(one).all()
        for other in others:
            np.testing.assert_array_equal(one, other, err_msg=str(reader))


def require_as_if_alone(made, choice):
    arrays, kept = given(made, choice)
    got = made(*arrays, kept=kept)
    for sample in range(3):
        alone = made(*removed(made, choice, arrays, kept, sample))
        here = got[sample][kept[sample]] if made.coupled[0] in made.shapes.result else got[sample]
        np.testing.assert_allclose(here, alone, rtol=1e-12, atol=1e-14)


@every_coupled
def test_what_is_not_kept_has_no_influence_whatever_it_holds(name, choice):
    require_no_influence(FORMULAS[name], choice)


@every_coupled
def test_what_is_not_kept_gets_no_gradient(name, choice):
    made = FORMULAS[name]
    arrays, kept = given(made, choice)
    broken = spoiled(made, choice, arrays, kept, np.nan)
    for reader in DIFFERENTIABLE:
        with reader.scope():
            k = reader.make(kept)
            (slope,) = reader.gradient(lambda *x, k=k: made(*x, kept=k), *map(reader.make, broken))
            slope = reader.read(slope)
        assert np.isfinite(slope).all(), reader
        assert not slope[~kept].any(), reader


@pytest.mark.parametrize(("name", "choice"), [(n, i) for n, i in COUPLED if len(FORMULAS[n].coupled) == 1])
def test_what_is_left_costs_what_it_costs_alone(name, choice):
    """For one coupled axis: what is left of an image is no image."""
    require_as_if_alone(FORMULAS[name], choice)


@every_coupled
def test_nothing_kept_costs_nothing(name, choice):
    made = FORMULAS[name]
    arrays, kept = given(made, choice)
    nothing = np.zeros_like(kept)
    for reader in DIFFERENTIABLE:
        with reader.scope():
            mask = reader.make(nothing)
            broken = list(map(reader.make, spoiled(made, choice, arrays, nothing, np.nan)))
            total, slope = reader.both(lambda *x, mask=mask: made.total(*x, mask=mask), *broken)
            assert float(reader.read(total)) == 0.0
            assert not reader.read(slope).any()


def test_a_mask_is_refused_where_no_entries_interact():
    with pytest.raises(SettingError, match="no entry interacts"):
        formulas.huber(np.zeros(3), np.zeros(3), kept=np.ones(3, bool))


def deaf(ops, pred, target, *, kept=None):
    """A formula that does not listen to what is kept: the guard alone leaves zeros in the mean."""
    return ops.sum(ops.square(pred - target), axis=-1) / pred.shape[-1]


def test_a_formula_that_does_not_remove_is_caught():
    made = Formula(deaf, shapes="... N, ... N -> ...", kinds=("real", "real"), source="planted", coupled="N")
    with pytest.raises(AssertionError):
        require_as_if_alone(made, 0)
