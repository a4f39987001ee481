"""The losses, one family a file. Each name is a `lossmith.spec.Formula`: call it on any framework's arrays.

A formula returns values, unreduced; it imports no framework; the class axis, where there is one, is the last.
"""

from lossmith.formulas.barron import adaptive_robust, general_robust
from lossmith.formulas.binary import binary_cross_entropy, binary_focal
from lossmith.formulas.contrastive import contrastive
from lossmith.formulas.distillation import distillation
from lossmith.formulas.divergence import jensen_shannon, kl_divergence, reverse_kl_divergence
from lossmith.formulas.likelihood import gaussian_nll, poisson_nll
from lossmith.formulas.lovasz import lovasz_hinge, lovasz_softmax
from lossmith.formulas.overlap import dice, jaccard
from lossmith.formulas.quantile import expectile, quantile, quantiles
from lossmith.formulas.regression import absolute_error, asymmetric_squared_error, huber, log_cosh, squared_error
from lossmith.formulas.robust import cauchy, charbonnier, geman_mcclure, smooth_l1, tukey, welsch
from lossmith.formulas.softmax import softmax_cross_entropy, softmax_focal
from lossmith.formulas.tversky import focal_tversky, tversky

__all__ = [
    "absolute_error",
    "adaptive_robust",
    "asymmetric_squared_error",
    "binary_cross_entropy",
    "binary_focal",
    "cauchy",
    "charbonnier",
    "contrastive",
    "dice",
    "distillation",
    "expectile",
    "focal_tversky",
    "gaussian_nll",
    "geman_mcclure",
    "general_robust",
    "huber",
    "jaccard",
    "jensen_shannon",
    "kl_divergence",
    "log_cosh",
    "lovasz_hinge",
    "lovasz_softmax",
    "poisson_nll",
    "quantile",
    "quantiles",
    "reverse_kl_divergence",
    "smooth_l1",
    "softmax_cross_entropy",
    "softmax_focal",
    "squared_error",
    "tukey",
    "tversky",
    "welsch",
]
