"""Losses of boxes; the mathematics is in `lossmith.formulas.boxes`.

Input and target are (N, 4) or (..., 4), boxes that belong together in the same place; there is a value for each pair.
torch.nn has none of them; torchvision.ops has three, as functions, without IoU itself.
"""

from typing import Literal, final

from lossmith import formulas
from lossmith.torch.loss import Loss


@final
class IoULoss(Loss, formula=formulas.box_iou):
    """One minus intersection over union. Without overlap it has no gradient: use GIoU, DIoU or CIoU there.

    >>> IoULoss()(torch.tensor([[0.0, 0.0, 2.0, 1.0]]), torch.tensor([[1.0, 0.0, 3.0, 1.0]]))
    tensor(0.6667)
    """

    layout: Literal["xyxy", "cxcywh"] = "xyxy"


@final
class GIoULoss(Loss, formula=formulas.box_giou):
    """Generalised IoU loss: torchvision's `generalized_box_iou_loss`, without its eps.

    >>> GIoULoss()(torch.tensor([[0.0, 0.0, 1.0, 1.0]]), torch.tensor([[2.0, 0.0, 3.0, 1.0]]))
    tensor(1.3333)
    """

    layout: Literal["xyxy", "cxcywh"] = "xyxy"


@final
class DIoULoss(Loss, formula=formulas.box_diou):
    """Distance IoU loss: torchvision's `distance_box_iou_loss`, without its eps.

    >>> DIoULoss()(torch.tensor([[0.0, 0.0, 1.0, 1.0]]), torch.tensor([[2.0, 0.0, 3.0, 1.0]]))
    tensor(1.4000)
    """

    layout: Literal["xyxy", "cxcywh"] = "xyxy"


@final
class CIoULoss(Loss, formula=formulas.box_ciou):
    """Complete IoU loss: torchvision's `complete_box_iou_loss`, without its eps; alpha is a constant there too.

    >>> CIoULoss()(torch.tensor([[0.0, 0.0, 2.0, 1.0]]), torch.tensor([[0.0, 0.0, 1.0, 2.0]]))
    tensor(0.7629)
    """

    layout: Literal["xyxy", "cxcywh"] = "xyxy"
