"""Losses between distributions; the mathematics is in `lossmith.formulas.divergence`."""

from typing import Literal, final

from lossmith import formulas
from lossmith.reduction import Reduction
from lossmith.torch.loss import Loss


@final
class KLDivLoss(Loss, formula=formulas.kl_divergence, fixed={"pred_is": "log_prob"}):
    """`torch.nn.KLDivLoss` on log-probabilities: KL(target || input), one value for each distribution.

    The distribution lies along axis 1, as in `CrossEntropyLoss`. `mean` is the mean over distributions, which
    torch.nn calls "batchmean" for (N, C), and that word is taken too; torch.nn's own `mean` divides by N * C. With
    reduction "none" torch.nn gives the summands, (N, C); this the divergences, (N,).

    >>> KLDivLoss()(torch.tensor([[0.5, 0.5]]).log(), torch.tensor([[1.0, 0.0]]))
    tensor(0.6931)
    """

    # only this loss has torch's second word for its mean, so its type is wider than the base's
    reduction: Reduction | Literal["batchmean"] = "mean"  # pyright: ignore[reportIncompatibleVariableOverride]
    log_target: bool = False
