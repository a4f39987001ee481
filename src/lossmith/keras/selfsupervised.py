"""Losses that learn without labels, from two views of a sample, and supervised contrast beside them.

The mathematics is in `lossmith.formulas.infonce`, `siglip`, `redundancy` and `byol`. The embeddings of a sample come as
one tensor y_pred (N, 2, D), since keras gives each output of a model a loss of its own: end the model with
`keras.ops.stack([z1, z2], axis=1)`. Where nothing is said of y_true it is not read: it may be anything, or None.
Keras has none of these losses.
"""

from dataclasses import replace
from math import log
from typing import Any, final

from keras import ops as kops

from lossmith import formulas
from lossmith.criterion import Evaluated
from lossmith.errors import SettingError, ShapeError, message
from lossmith.keras.align import Array, as_labels, as_tensor, rank, without_unit_axis
from lossmith.keras.learned import Learned
from lossmith.keras.loss import Loss
from lossmith.ops import Ops
from lossmith.spec import Outcome


@final
class NTXent(Loss, formula=formulas.nt_xent):
    """SimCLR: each of the 2N embeddings of a batch is told from the others; its partner is of its own sample.

    >>> round(float(NTXent()(None, [[[1.0, 0.0], [2.0, 0.0]], [[0.0, 1.0], [0.0, 3.0]]])), 4)
    0.2395
    """

    temperature: float = 0.5


@final
class InfoNCE(Loss, formula=formulas.info_nce):
    """InfoNCE in one direction: the first embedding of each sample (a query) is told which second one is its own.

    y_pred is (N, 2, D), or (N, 2 + M, D) with M further wrong answers for each query; `in_batch=False` compares with
    these alone.

    >>> round(float(InfoNCE(temperature=0.5)(None, [[[1.0, 0.0], [2.0, 0.0]], [[0.0, 1.0], [0.0, 3.0]]])), 4)
    0.1269
    """

    temperature: float = 0.1
    in_batch: bool = True

    def _arrays(self, y_true: Array, y_pred: Array) -> tuple[Array, ...]:
        pred: Any = as_tensor(y_pred, self.dtype)
        number = pred.shape[-2] if rank(pred) > 2 else 0
        given = {"y_pred": tuple(pred.shape)}
        if number is None or number < 2:
            raise ShapeError(
                message("InfoNCE: y_pred must hold two or more embeddings for each sample, (N, 2 + M, D)", given)
            )
        if number == 2 and not self.in_batch:
            raise SettingError(message("InfoNCE: in_batch=False leaves only the embeddings behind the second", given))
        return pred[..., 0, :], pred[..., 1, :], pred[..., 2:, :]


@final
class CLIP(Learned, formula=formulas.clip):
    """CLIP: each image is told its caption among those of the batch, and each caption its image.

    `log_scale` is a variable: use `LossLayer(CLIP())`, or train `variables` in a loop of your own; in
    `compile(loss=CLIP())` it stays as it is. The scale it stands for is at most 100, and keeps its gradient there.

    >>> total = CLIP(log_scale=0.0)(None, [[[1.0, 0.0], [2.0, 0.0]], [[0.0, 1.0], [0.0, 3.0]]])
    >>> round(float(kops.convert_to_numpy(total)), 4)
    0.3133
    """

    learned = ("log_scale",)
    log_scale: float = log(1 / 0.07)


@final
class SigLIP(Learned, formula=formulas.sig_lip):
    """SigLIP: for each of the N * N pairs of a batch, do this image and this caption belong together?

    `log_scale` and `bias` are variables, as that of `CLIP`. The mean divides by N, as the paper does, not by N * N.

    >>> total = SigLIP()(None, [[[1.0, 0.0], [2.0, 0.0]], [[0.0, 1.0], [0.0, 3.0]]])
    >>> round(float(kops.convert_to_numpy(total)), 4)
    0.6932
    """

    learned = ("log_scale", "bias")
    log_scale: float = log(10.0)
    bias: float = -10.0


@final
class SupCon(Loss, formula=formulas.sup_con, labels=True):
    """Supervised contrast (its L_out): the samples of a class are drawn together, out of all others of the batch.

    y_pred is (N, D), or V views of each sample, (N, V, D), where each view is an anchor and the other views of its
    sample are of its class too; y_true holds labels, (N,) or (N, 1). Values are (N,) or (N, V). An anchor without
    another of its class has value 0 and is left out of the mean.

    >>> views = [[[1.0, 0.0], [1.0, 0.0]], [[0.0, 1.0], [0.0, 2.0]]]
    >>> round(float(SupCon(temperature=0.5)([0, 1], views)), 4)
    0.2395
    """

    temperature: float = 0.1
    ignore_class: int | None = None

    def _evaluated(self, y_true: Array, y_pred: Array, mask: Array | None) -> tuple[Ops[Any], Evaluated[Any]]:
        pred: Any = as_tensor(y_pred, self.dtype)
        if rank(pred) != 3:
            return super()._evaluated(y_true, pred, mask)
        views, width = pred.shape[1:]
        labels: Any = kops.repeat(without_unit_axis(as_labels(y_true), 1), views, axis=0)
        if mask is not None:
            mask = kops.cast(mask, "bool")
            mask = kops.repeat(mask, views, axis=0) if rank(mask) == 1 else kops.reshape(mask, (-1,))
        ops, made = super()._evaluated(labels, kops.reshape(pred, (-1, width)), mask)

        def by_sample(x: Array) -> Array:
            return kops.reshape(x, (-1, views))

        outcome: Any = Outcome(by_sample(made.outcome.values), counts=by_sample(made.outcome.counts))
        counted: Any = None if made.counted is None else by_sample(made.counted)
        return ops, replace(made, outcome=outcome, counted=counted)


@final
class BarlowTwins(Loss, formula=formulas.barlow_twins):
    """Barlow Twins: the cross-correlation of the two views over the batch is drawn to the identity.

    The loss is one number a batch: reduction "none" gives it too.

    >>> round(float(BarlowTwins()(None, [[[1.0, 0.0], [3.0, 1.0]], [[-1.0, 0.0], [1.0, -1.0]]])), 4)
    1.005
    """

    off_diagonal_weight: float = 0.005


@final
class VICReg(Loss, formula=formulas.vicreg):
    """VICReg: the views of a sample alike, every dimension spread out over the batch, no two dimensions correlated.

    The loss is one number a batch. The variance term is the sum over both views, as the paper has it; the authors'
    code halves it.

    >>> round(float(VICReg()(None, [[[1.0, 0.0], [1.0, 0.0]], [[-1.0, 0.0], [-1.0, 0.0]]])), 4)
    24.75
    """

    invariance_weight: float = 25.0
    variance_weight: float = 25.0
    covariance_weight: float = 1.0
    gamma: float = 1.0
    eps: float = 1e-4


@final
class BYOL(Loss, formula=formulas.byol):
    """BYOL: 2 - 2 cos between the prediction y_pred from one view and y_true, the target network's from the other.

    Both are (N, D); y_true gets no gradient. The paper's loss is symmetric, over both views:
    `loss(projection2, prediction1) + loss(projection1, prediction2)` in a `train_step` of your own.

    >>> round(float(BYOL()([[1.0, 0.0], [1.0, 0.0]], [[2.0, 0.0], [1.0, 1.0]])), 4)
    0.2929
    """
