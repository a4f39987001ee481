"""Losses of boxes; the mathematics is in `lossmith.formulas.boxes`.

y_true and y_pred are (N, 4) or (..., 4), boxes that belong together in the same place. Keras has none of them.
"""

from typing import Literal, final

from lossmith import formulas
from lossmith.keras.loss import Loss


@final
class IoU(Loss, formula=formulas.box_iou):
    """One minus intersection over union. Without overlap it has no gradient: use GIoU, DIoU or CIoU there.

    >>> round(float(IoU()([[1.0, 0.0, 3.0, 1.0]], [[0.0, 0.0, 2.0, 1.0]])), 4)
    0.6667
    """

    layout: Literal["xyxy", "cxcywh"] = "xyxy"


@final
class GIoU(Loss, formula=formulas.box_giou):
    """Generalised IoU loss: the share of the smallest box around both that neither covers is added.

    >>> round(float(GIoU()([[2.0, 0.0, 3.0, 1.0]], [[0.0, 0.0, 1.0, 1.0]])), 4)
    1.3333
    """

    layout: Literal["xyxy", "cxcywh"] = "xyxy"


@final
class DIoU(Loss, formula=formulas.box_diou):
    """Distance IoU loss: the squared distance of the centres is added, in diagonals of the box around both.

    >>> round(float(DIoU()([[2.0, 0.0, 3.0, 1.0]], [[0.0, 0.0, 1.0, 1.0]])), 4)
    1.4
    """

    layout: Literal["xyxy", "cxcywh"] = "xyxy"


@final
class CIoU(Loss, formula=formulas.box_ciou):
    """Complete IoU loss: DIoU, and a term for the difference of the aspect ratios.

    >>> round(float(CIoU()([[0.0, 0.0, 1.0, 2.0]], [[0.0, 0.0, 2.0, 1.0]])), 4)
    0.7629
    """

    layout: Literal["xyxy", "cxcywh"] = "xyxy"
