"""The losses, one family a file. Each name is a `lossmith.spec.Formula`: call it on any framework's arrays.

A formula returns values, unreduced; it imports no framework; the class axis, where there is one, is the last.
"""

from lossmith.formulas.binary import binary_cross_entropy, binary_focal
from lossmith.formulas.boxes import box_ciou, box_diou, box_giou, box_iou
from lossmith.formulas.contrastive import contrastive
from lossmith.formulas.divergence import kl_divergence
from lossmith.formulas.features import feature_reconstruction, style_reconstruction
from lossmith.formulas.regression import absolute_error, asymmetric_squared_error, huber, log_cosh, squared_error
from lossmith.formulas.structure import ms_ssim, ssim
from lossmith.formulas.softmax import softmax_cross_entropy, softmax_focal
from lossmith.formulas.variation import total_variation

__all__ = [
    "absolute_error",
    "asymmetric_squared_error",
    "binary_cross_entropy",
    "binary_focal",
    "box_ciou",
    "box_diou",
    "box_giou",
    "box_iou",
    "contrastive",
    "feature_reconstruction",
    "huber",
    "kl_divergence",
    "log_cosh",
    "ms_ssim",
    "softmax_cross_entropy",
    "softmax_focal",
    "squared_error",
    "ssim",
    "style_reconstruction",
    "total_variation",
]
