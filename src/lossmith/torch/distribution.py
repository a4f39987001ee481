"""Losses between distributions; the mathematics is in `lossmith.formulas.divergence` and `.distillation`."""

from typing import Literal, final

import torch
from torch import Tensor

from lossmith import formulas
from lossmith.errors import SettingError, message
from lossmith.reduction import Reduction
from lossmith.torch.loss import Face, Loss, Total

InputIs = Literal["logit", "log_prob", "prob"]


@final
class KLDivLoss(Loss, formula=formulas.kl_divergence, renamed={"input_is": "pred_is"}, own=("reverse",)):
    """`torch.nn.KLDivLoss` on log-probabilities: KL(target || input), one value for each distribution.

    The distribution lies along axis 1, as in `CrossEntropyLoss`. `mean` is the mean over distributions, which
    torch.nn calls "batchmean" for (N, C), and that word is taken too; torch.nn's own `mean` divides by N * C. With
    reduction "none" torch.nn gives the summands, (N, C); this the divergences, (N,).

    `input_is` takes logits or probabilities in place of log-probabilities; `reverse` turns to KL(input || target).

    >>> KLDivLoss()(torch.tensor([[0.5, 0.5]]).log(), torch.tensor([[1.0, 0.0]]))
    tensor(0.6931)
    >>> KLDivLoss(reverse=True, input_is="prob")(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.5, 0.5]]))
    tensor(0.6931)
    """

    # only this loss has torch's second word for its mean, so its type is wider than the base's
    reduction: Reduction | Literal["batchmean"] = "mean"  # pyright: ignore[reportIncompatibleVariableOverride]
    log_target: bool = False
    input_is: InputIs = "log_prob"
    reverse: bool = False

    def _set_up(self) -> None:
        if self.reverse:
            vars(self)["formula"] = formulas.reverse_kl_divergence


@final
class JensenShannonLoss(Loss, formula=formulas.jensen_shannon, renamed={"input_is": "pred_is"}):
    """Jensen-Shannon divergence of two distributions along axis 1, from 0 to log 2. torch.nn has none.

    The input holds logits, or what `input_is` says; the target probabilities, or with `log_target` their logarithms.

    >>> JensenShannonLoss()(torch.tensor([[0.0, 0.0]]), torch.tensor([[0.5, 0.5]]))
    tensor(0.)
    """

    input_is: InputIs = "logit"
    log_target: bool = False


@final
class DistillationLoss(Face, formula=formulas.distillation):
    """Hinton's distillation: (1 - alpha) T^2 KL(teacher || input) at temperature T, plus alpha cross-entropy.

    Both hold logits, (N, C) or (N, C, d1, ...); the target labels or distributions, as in `CrossEntropyLoss`, and may
    be left out with alpha 0. The teacher gets no gradient. The terms are "soft" and "hard". torch.nn has none.

    >>> loss = DistillationLoss(temperature=2.0, alpha=0.5)
    >>> loss(torch.tensor([[1.0, 0.0]]), torch.tensor([[3.0, 0.0]]), torch.tensor([0]), return_terms=True)
    (tensor(0.3371), {'soft': tensor(0.1805), 'hard': tensor(0.1566)})
    """

    takes = ("input", "teacher", "target")
    temperature: float = 4.0
    alpha: float = 0.1
    ignore_index: int = -100
    reduction: Reduction = "mean"

    def forward(
        self,
        input: Tensor,
        teacher: Tensor,
        target: Tensor | None = None,
        *,
        weight: Tensor | float | None = None,
        mask: Tensor | None = None,
        denominator: Tensor | float | None = None,
        return_terms: bool = False,
    ) -> Total:
        """The total; the keywords as in `Loss.forward`."""
        if target is None:
            if self.alpha != 0:
                headline = "DistillationLoss: the hard term needs a target"
                raise SettingError(message(headline, {"alpha": repr(self.alpha)}, fix="alpha=0.0, without a target"))
            shape = (*input.shape[: input.ndim > 1], *input.shape[2:])
            target = torch.zeros(shape, dtype=torch.long, device=input.device)
        return self._total((input, teacher, target), weight, mask, denominator, return_terms)
