"""Losses between embeddings; the mathematics is in `lossmith.formulas.contrastive`, `triplet`, `pairs`, `similarity`.

Several embeddings of a sample come as one tensor y_pred (N, k, D), since keras gives each output of a model a loss of
its own: end the model with `keras.ops.stack([z1, z2], axis=1)`. Labels may come as integers or floats, (N,) or (N, 1).
Where the samples of a batch interact, a mask removes a sample as a partner of the others too.
"""

from typing import Any, Literal, final

from lossmith import formulas
from lossmith.errors import SettingError, ShapeError, message
from lossmith.keras.align import Array, as_labels, as_tensor, rank, without_unit_axis
from lossmith.keras.loss import Loss


@final
class Contrastive(Loss, formula=formulas.contrastive):
    """Pairwise contrastive loss with margin: y_true 1 draws a pair together, 0 pushes it `margin` apart.

    y_pred (N, 2, D), y_true (N,) or (N, 1). Keras has none.

    >>> float(Contrastive()([0.0], [[[0.0, 0.5], [0.0, 0.0]]]))
    0.125
    """

    margin: float = 1.0


@final
class TripletMargin(Loss, formula=formulas.triplet_margin, own=("mining",), labels=True):
    """Triplet margin loss, on given triplets, or with `mining` on the triplets of a batch with labels.

    Without mining: y_pred (N, 3, D) holds anchor, positive and negative; y_true is not read. With mining ("batch_all",
    "batch_hard", "semi_hard"): y_pred (N, D), y_true labels, Euclidean distances. The mean is over the triplets that
    cost something, over the anchors, over the pairs of anchor and positive. Keras has none.

    >>> float(TripletMargin()([0.0], [[[0.0, 0.0], [0.0, 0.5], [0.0, 1.25]]]))
    0.25
    >>> float(TripletMargin(mining="batch_hard")([0, 0, 1, 1], [[0.0], [0.5], [1.0], [3.0]]))
    1.125
    """

    margin: float = 1.0
    p: float = 2.0
    swap: bool = False
    mining: Literal["batch_all", "batch_hard", "semi_hard"] | None = None

    def _set_up(self) -> None:
        if self.mining is None:
            return
        if self.swap or self.p != 2:
            given = {"mining": repr(self.mining), "swap": self.swap, "p": self.p}
            raise SettingError(message("TripletMargin: mining is without swap, and with p = 2", given))
        vars(self)["formula"] = formulas.triplet_mined

    def _keywords(self) -> dict[str, Any]:
        if self.mining is None:
            return super()._keywords()
        return {"margin": self.margin, "mining": self.mining}


@final
class NPair(Loss, formula=formulas.n_pair, labels=True):
    """N-pair loss: each anchor is told its positive from the positives of other classes.

    y_pred (N, 2, D) holds anchor and positive, not normalised; y_true holds labels. Keras has none.

    >>> round(float(NPair()([0, 1], [[[1.0, 0.0], [2.0, 0.0]], [[0.0, 1.0], [0.0, 0.0]]])), 4)
    0.41
    """


@final
class MultiSimilarity(Loss, formula=formulas.multi_similarity, labels=True):
    """Multi-similarity loss of embeddings (N, D) and labels; cosines are taken inside. Keras has none.

    >>> round(float(MultiSimilarity()([0, 0, 1], [[1.0, 0.0], [0.6, 0.8], [0.8, 0.6]])), 4)
    0.6791
    """

    alpha: float = 2.0
    beta: float = 50.0
    base: float = 0.5
    epsilon: float | None = 0.1


@final
class Circle(Loss, formula=formulas.circle, labels=True, fixed={"constant_weights": False, "normalise": False}):
    """`keras.losses.Circle`: y_pred (N, D) holds embeddings of length 1.

    Anchors without a positive or without a negative are left out of the mean. Keras leaves out those whose loss is 0:
    an anchor whose loss rounds to 0 too.

    >>> round(float(Circle(gamma=4)([0, 0, 1], [[1.0, 0.0], [0.6, 0.8], [0.8, 0.6]])), 4)
    2.5748
    """

    gamma: float = 80.0
    margin: float = 0.4
    remove_diagonal: bool = True


@final
class BatchSimilarity(Loss, formula=formulas.batch_similarity, labels=True, own=("classes",)):
    """Cross-entropy of logits, and the mean squared difference of the batch's cosines from its same-class matrix.

    y_pred (N, classes + D) holds the logits and then the embedding: end the model with
    `keras.ops.concatenate([logits, z], axis=-1)`. y_true holds labels. Keras has none.

    >>> y_pred = [[0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.6, 0.8], [0.0, 0.0, 0.0, 1.0]]
    >>> round(float(BatchSimilarity(classes=2, strength=0.5)([0, 0, 1], y_pred)), 4)
    0.8265
    """

    classes: int
    strength: float = 1.0

    @property
    def domains(self) -> dict[str, str]:
        return {"y_true": "index[N]", "y_pred": "real[N,D]"}

    def _arrays(self, y_true: Array, y_pred: Array) -> tuple[Array, ...]:
        pred: Array = as_tensor(y_pred, self.dtype)
        if rank(pred) != 2 or (pred.shape[-1] is not None and pred.shape[-1] <= self.classes):
            given = {"y_pred": tuple(pred.shape), "classes": self.classes}
            raise ShapeError(message("BatchSimilarity: y_pred must be (N, classes + D)", given))
        return (
            pred[:, : self.classes],
            pred[:, self.classes :],
            without_unit_axis(as_labels(y_true), 1),
        )
