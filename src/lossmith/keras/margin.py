"""Hinge losses; the mathematics is in `lossmith.formulas.margin`."""

from typing import final

from lossmith import formulas
from lossmith.keras.loss import Loss


@final
class Hinge(Loss, formula=formulas.hinge):
    """`keras.losses.Hinge`, averaged over the last axis; y_true is -1 and +1, or 0 and 1.

    A 0 is always -1; keras looks at the whole batch, and keeps a 0 as it is where another entry is neither 0 nor 1.

    >>> float(Hinge()([[1.0, 0.0]], [[0.5, 0.5]]))
    1.0
    """


@final
class SquaredHinge(Loss, formula=formulas.squared_hinge):
    """`keras.losses.SquaredHinge`, averaged over the last axis; y_true as in `Hinge`.

    >>> float(SquaredHinge()([[1.0, 0.0]], [[0.5, 0.5]]))
    1.25
    """


@final
class CategoricalHinge(Loss, formula=formulas.categorical_hinge):
    """`keras.losses.CategoricalHinge`; y_true is 0 and 1, a single 1 in each row.

    >>> float(CategoricalHinge()([[0.0, 0.0, 1.0]], [[0.5, 0.25, -1.0]]))
    2.5
    """
