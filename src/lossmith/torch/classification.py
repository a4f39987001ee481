"""Losses for classes; the mathematics is in `lossmith.formulas`: binary, softmax, smoothing, poly, multilabel.

The classes are axis 1 of a batch, (N, C) or (N, C, d1, ...), and axis 0 of a single sample, as in torch.nn. A target
is one label for each sample, (N, d1, ...), or a distribution with the shape of the input.
"""

from typing import Literal, final

from torch import Tensor

from lossmith import formulas
from lossmith.face import leading
from lossmith.torch.loss import Loss


@final
class BCEWithLogitsLoss(Loss, formula=formulas.binary_cross_entropy, fixed={"pred_is": "logit"}):
    """`torch.nn.BCEWithLogitsLoss`, without broadcasting between input and target.

    `weight` and `pos_weight` expand to the input's shape from the last axis, as there. `mean` divides by the number
    of entries, `weighted_mean` by the sum of `weight`; `pos_weight` is no part of any divisor.

    >>> BCEWithLogitsLoss()(torch.tensor([0.0, 100.0]), torch.tensor([1.0, 1.0]))
    tensor(0.3466)
    """

    weight: Tensor | None = leading(default=None)
    pos_weight: Tensor | None = None


@final
class BCELoss(Loss, formula=formulas.binary_cross_entropy, fixed={"pred_is": "prob", "pos_weight": None}):
    """`torch.nn.BCELoss`, without broadcasting and without its clamp.

    torch.nn holds each logarithm at -100 or more: where the input is exactly 0 and the target 1 it gives 100 with a
    gradient of -1e12; here the loss is inf. `BCEWithLogitsLoss` has neither problem.

    >>> BCELoss()(torch.tensor([0.5, 0.25]), torch.tensor([1.0, 0.0]))
    tensor(0.4904)
    """

    weight: Tensor | None = leading(default=None)


@final
class CrossEntropyLoss(
    Loss,
    formula=formulas.softmax_cross_entropy,
    fixed={"pred_is": "logit"},
    renamed={"weight": "class_weight"},
    class_weight="weight",
):
    """`torch.nn.CrossEntropyLoss`; two means part from it, by name.

    With class weights and labels, torch.nn's `mean` divides by the sum of the labels' weights: that is
    `weighted_mean` here, and `mean` divides by the number of labels. Where all are ignored torch.nn gives NaN, this 0.
    A label that is no class gives NaN, where torch.nn raises IndexError (and on a GPU stops the process).

    >>> CrossEntropyLoss()(torch.tensor([[0.0, 0.0], [100.0, 0.0]]), torch.tensor([1, 0]))
    tensor(0.3466)
    """

    weight: Tensor | None = leading(default=None)
    ignore_index: int = -100
    label_smoothing: float = 0.0


@final
class NLLLoss(
    Loss,
    formula=formulas.softmax_cross_entropy,
    fixed={"pred_is": "log_prob", "label_smoothing": 0.0},
    renamed={"weight": "class_weight"},
    class_weight="weight",
):
    """`torch.nn.NLLLoss` on log-probabilities; its means part from torch.nn's as those of `CrossEntropyLoss` do.

    >>> NLLLoss()(torch.tensor([[0.25, 0.75]]).log(), torch.tensor([1]))
    tensor(0.2877)
    """

    weight: Tensor | None = leading(default=None)
    ignore_index: int = -100


@final
class FocalLoss(Loss, formula=formulas.softmax_focal, fixed={"pred_is": "logit"}, class_weight="alpha"):
    """Focal loss over classes, on logits; `alpha` is one weight for each class, or one for all. torch.nn has none.

    >>> FocalLoss(gamma=2.0)(torch.tensor([[0.0, 0.0]]), torch.tensor([1]))
    tensor(0.1733)
    """

    gamma: float = 2.0
    alpha: Tensor | float | None = None
    ignore_index: int = -100


@final
class BinaryFocalLoss(Loss, formula=formulas.binary_focal, fixed={"pred_is": "logit"}):
    """Focal loss on binary logits; `alpha` weights the positives, 1 - alpha the negatives. torch.nn has none.

    `alpha` is one number, or a tensor that expands to the input's shape from the last axis, such as one for each label.

    >>> BinaryFocalLoss(gamma=2.0)(torch.tensor([0.0]), torch.tensor([1.0]))
    tensor(0.1733)
    """

    gamma: float = 2.0
    alpha: Tensor | float | None = None


@final
class LabelSmoothing(Loss, formula=formulas.smoothed_cross_entropy, fixed={"pred_is": "logit"}):
    """Cross-entropy on logits with `smoothing` of the target spread evenly, over "all" classes or the "others".

    `over="all"` is `torch.nn.CrossEntropyLoss(label_smoothing=...)`. torch.nn has no "others".

    >>> LabelSmoothing(smoothing=0.5, over="others")(torch.tensor([[0.0, 2.0]]), torch.tensor([1]))
    tensor(1.1269)
    """

    smoothing: float = 0.1
    over: Literal["all", "others"] = "all"
    ignore_index: int = -100


@final
class PolyLoss(Loss, formula=formulas.poly_cross_entropy, fixed={"pred_is": "logit"}):
    """Poly-1 on logits: cross-entropy and `epsilon` times the probability that misses the label. torch.nn has none.

    >>> PolyLoss(epsilon=2.0)(torch.tensor([[0.0, 0.0]]), torch.tensor([1]))
    tensor(1.6931)
    """

    epsilon: float = 1.0
    ignore_index: int = -100


@final
class AsymmetricMultiLabelLoss(Loss, formula=formulas.asymmetric_multilabel):
    """Asymmetric loss (ASL) on the logits of many labels, each 0 or 1. torch.nn has none.

    The authors' code sums over the batch and the labels: that is `reduction="sum"`. Its focusing factor has no
    gradient by default: that is `stop_focusing=True`.

    >>> AsymmetricMultiLabelLoss()(torch.tensor([[0.0, 2.0]]), torch.tensor([[1.0, 0.0]]))
    tensor(0.5965)
    """

    gamma_pos: float = 1.0
    gamma_neg: float = 4.0
    clip: float = 0.05
    stop_focusing: bool = False
