"""Negative log-likelihoods; the mathematics is in `lossmith.formulas.likelihood`."""

from typing import final

import torch
from torch import Tensor

from lossmith import formulas
from lossmith.reduction import Reduction
from lossmith.torch.loss import Face, Loss, Total


@final
class PoissonNLLLoss(Loss, formula=formulas.poisson_nll):
    """`torch.nn.PoissonNLLLoss`, without its `eps`: a rate of 0 costs 0 for a count of 0, and inf for another.

    >>> PoissonNLLLoss()(torch.tensor([0.0]), torch.tensor([3.0]))
    tensor(1.)
    """

    log_input: bool = True
    full: bool = False


@final
class GaussianNLLLoss(Face, formula=formulas.gaussian_nll):
    """`torch.nn.GaussianNLLLoss`, without its `eps`, and with the `beta` of Seitzer et al. 2022.

    torch.nn computes with max(var, 1e-6), so that no smaller variance is learned. `var` has the shape of the input, or
    one number for the last axis, or is one number, as there; a variance of 0 or below is not refused, which would wait
    for the device, but gives NaN or inf.

    >>> GaussianNLLLoss()(torch.tensor([1.0]), torch.tensor([0.0]), torch.tensor([4.0]))
    tensor(0.8181)
    """

    takes = ("input", "target", "var")
    full: bool = False
    beta: float = 0.0
    reduction: Reduction = "mean"

    def forward(
        self,
        input: Tensor,
        target: Tensor,
        var: Tensor | float,
        *,
        weight: Tensor | float | None = None,
        mask: Tensor | None = None,
        denominator: Tensor | float | None = None,
        return_terms: bool = False,
    ) -> Total:
        """The total; the keywords as in `Loss.forward`."""
        return self._total((input, target, _spread(var, input)), weight, mask, denominator, return_terms)


def _spread(var: Tensor | float, input: Tensor) -> Tensor:
    """One variance for the last axis, or for all, in the shape of the input; another shape is refused by the check."""
    if not isinstance(var, Tensor):
        return torch.full_like(input, var)
    if var.shape == input.shape[:-1]:
        var = var.unsqueeze(-1)
    return var.expand_as(input) if var.shape == (*input.shape[:-1], 1) else var
