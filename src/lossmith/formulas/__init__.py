"""The losses, one family a file. Each name is a `lossmith.spec.Formula`: call it on any framework's arrays.

A formula returns values, unreduced; it imports no framework; the class axis, where there is one, is the last.
"""

from lossmith.formulas.adversarial import gan_discriminator, gan_generator, gan_relativistic
from lossmith.formulas.barron import adaptive_robust, general_robust
from lossmith.formulas.binary import binary_cross_entropy, binary_focal
from lossmith.formulas.boxes import box_ciou, box_diou, box_giou, box_iou
from lossmith.formulas.byol import byol
from lossmith.formulas.contrastive import contrastive
from lossmith.formulas.distillation import distillation
from lossmith.formulas.divergence import jensen_shannon, kl_divergence, reverse_kl_divergence
from lossmith.formulas.features import feature_reconstruction, style_reconstruction
from lossmith.formulas.imbalance import class_balanced, ldam, logit_adjusted
from lossmith.formulas.infonce import clip, info_nce, nt_xent, sup_con
from lossmith.formulas.likelihood import gaussian_nll, poisson_nll
from lossmith.formulas.linear import linear_cross_entropy
from lossmith.formulas.lovasz import lovasz_hinge, lovasz_softmax
from lossmith.formulas.margin import categorical_hinge, hinge, squared_hinge
from lossmith.formulas.margins import arc_face, cos_face, sphere_face
from lossmith.formulas.multilabel import asymmetric_multilabel
from lossmith.formulas.noise import generalized_cross_entropy, symmetric_cross_entropy
from lossmith.formulas.overlap import dice, jaccard
from lossmith.formulas.pairs import circle, multi_similarity, n_pair
from lossmith.formulas.penalty import gradient_penalty, zero_centred_penalty
from lossmith.formulas.poly import poly_cross_entropy
from lossmith.formulas.proxies import proxy_anchor, proxy_nca
from lossmith.formulas.quantile import expectile, quantile, quantiles
from lossmith.formulas.redundancy import barlow_twins, vicreg
from lossmith.formulas.regression import absolute_error, asymmetric_squared_error, huber, log_cosh, squared_error
from lossmith.formulas.robust import cauchy, charbonnier, geman_mcclure, smooth_l1, tukey, welsch
from lossmith.formulas.siglip import sig_lip
from lossmith.formulas.similarity import batch_similarity
from lossmith.formulas.smoothing import smoothed_cross_entropy
from lossmith.formulas.softmax import softmax_cross_entropy, softmax_focal
from lossmith.formulas.structure import ms_ssim, ssim
from lossmith.formulas.triplet import triplet_margin, triplet_mined
from lossmith.formulas.tversky import focal_tversky, tversky
from lossmith.formulas.variation import total_variation

__all__ = [
    "absolute_error",
    "adaptive_robust",
    "arc_face",
    "asymmetric_multilabel",
    "asymmetric_squared_error",
    "barlow_twins",
    "batch_similarity",
    "binary_cross_entropy",
    "binary_focal",
    "box_ciou",
    "box_diou",
    "box_giou",
    "box_iou",
    "byol",
    "categorical_hinge",
    "cauchy",
    "charbonnier",
    "circle",
    "class_balanced",
    "clip",
    "contrastive",
    "cos_face",
    "dice",
    "distillation",
    "expectile",
    "feature_reconstruction",
    "focal_tversky",
    "gan_discriminator",
    "gan_generator",
    "gan_relativistic",
    "gaussian_nll",
    "geman_mcclure",
    "general_robust",
    "generalized_cross_entropy",
    "gradient_penalty",
    "hinge",
    "huber",
    "info_nce",
    "jaccard",
    "jensen_shannon",
    "kl_divergence",
    "ldam",
    "linear_cross_entropy",
    "log_cosh",
    "logit_adjusted",
    "lovasz_hinge",
    "lovasz_softmax",
    "ms_ssim",
    "multi_similarity",
    "n_pair",
    "nt_xent",
    "poisson_nll",
    "poly_cross_entropy",
    "proxy_anchor",
    "proxy_nca",
    "quantile",
    "quantiles",
    "reverse_kl_divergence",
    "sig_lip",
    "smooth_l1",
    "smoothed_cross_entropy",
    "softmax_cross_entropy",
    "softmax_focal",
    "sphere_face",
    "squared_error",
    "squared_hinge",
    "ssim",
    "style_reconstruction",
    "sup_con",
    "symmetric_cross_entropy",
    "total_variation",
    "triplet_margin",
    "triplet_mined",
    "tukey",
    "tversky",
    "vicreg",
    "welsch",
    "zero_centred_penalty",
]
