"""The losses, one family a file. Each name is a `lossmith.spec.Formula`: call it on any framework's arrays.

A formula returns values, unreduced; it imports no framework; the class axis, where there is one, is the last.
"""

from lossmith.formulas.binary import binary_cross_entropy, binary_focal
from lossmith.formulas.byol import byol
from lossmith.formulas.contrastive import contrastive
from lossmith.formulas.divergence import kl_divergence
from lossmith.formulas.infonce import clip, info_nce, nt_xent, sup_con
from lossmith.formulas.redundancy import barlow_twins, vicreg
from lossmith.formulas.regression import absolute_error, asymmetric_squared_error, huber, log_cosh, squared_error
from lossmith.formulas.siglip import sig_lip
from lossmith.formulas.softmax import softmax_cross_entropy, softmax_focal

__all__ = [
    "absolute_error",
    "asymmetric_squared_error",
    "barlow_twins",
    "binary_cross_entropy",
    "binary_focal",
    "byol",
    "clip",
    "contrastive",
    "huber",
    "info_nce",
    "kl_divergence",
    "log_cosh",
    "nt_xent",
    "sig_lip",
    "softmax_cross_entropy",
    "softmax_focal",
    "squared_error",
    "sup_con",
    "vicreg",
]
