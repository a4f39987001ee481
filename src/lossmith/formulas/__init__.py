"""The losses, one family a file. Each name is a `lossmith.spec.Formula`: call it on any framework's arrays.

A formula returns values, unreduced; it imports no framework; the class axis, where there is one, is the last.
"""

from lossmith.formulas.binary import binary_cross_entropy, binary_focal
from lossmith.formulas.contrastive import contrastive
from lossmith.formulas.divergence import kl_divergence
from lossmith.formulas.imbalance import class_balanced, ldam, logit_adjusted
from lossmith.formulas.margin import categorical_hinge, hinge, squared_hinge
from lossmith.formulas.multilabel import asymmetric_multilabel
from lossmith.formulas.noise import generalized_cross_entropy, symmetric_cross_entropy
from lossmith.formulas.poly import poly_cross_entropy
from lossmith.formulas.regression import absolute_error, asymmetric_squared_error, huber, log_cosh, squared_error
from lossmith.formulas.smoothing import smoothed_cross_entropy
from lossmith.formulas.softmax import softmax_cross_entropy, softmax_focal

__all__ = [
    "absolute_error",
    "asymmetric_multilabel",
    "asymmetric_squared_error",
    "binary_cross_entropy",
    "binary_focal",
    "categorical_hinge",
    "class_balanced",
    "contrastive",
    "generalized_cross_entropy",
    "hinge",
    "huber",
    "kl_divergence",
    "ldam",
    "log_cosh",
    "logit_adjusted",
    "poly_cross_entropy",
    "smoothed_cross_entropy",
    "softmax_cross_entropy",
    "softmax_focal",
    "squared_error",
    "squared_hinge",
    "symmetric_cross_entropy",
]
