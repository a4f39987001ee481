"""Negative log-likelihoods; the mathematics is in `lossmith.formulas.likelihood`."""

from typing import final

from keras import ops as kops

from lossmith import formulas
from lossmith.keras.align import Array, as_tensor, rank, split_views
from lossmith.keras.loss import Loss


@final
class Poisson(Loss, formula=formulas.poisson_nll, fixed={"log_input": False, "full": False}):
    """`keras.losses.Poisson` on rates, to which keras adds 1e-7; without broadcasting.

    Here a rate of 0 costs 0 for a count of 0, and inf for another.

    >>> round(float(Poisson()([[2.0, 0.0]], [[3.0, 0.0]])), 4)
    0.4014
    """


@final
class GaussianNLL(Loss, formula=formulas.gaussian_nll):
    """Negative log-likelihood under a normal distribution; with the `beta` of Seitzer et al. 2022. Keras has none.

    Mean and variance come as one tensor y_pred (N, 2, D), since keras gives each output of a model a loss of its own:
    end the model with `keras.ops.stack([mean, variance], axis=1)`, the variance above 0, such as a softplus. y_true is
    (N, D), or (N,) for D = 1.

    >>> round(float(GaussianNLL()([[0.0]], [[[1.0], [4.0]]])), 4)
    0.8181
    """

    full: bool = False
    beta: float = 0.0

    @property
    def domains(self) -> dict[str, str]:
        return {"y_true": "real[N,C]", "y_pred": "positive[N,2,C]"}

    def _arrays(self, y_true: Array, y_pred: Array) -> tuple[Array, ...]:
        pred, target = as_tensor(y_pred, self.dtype), as_tensor(y_true, self.dtype)
        mean, variance = split_views(type(self).__name__, pred, 2)
        if rank(target) == rank(mean) - 1 and mean.shape[-1] == 1:
            target = kops.expand_dims(target, -1)
        return mean, target, variance
