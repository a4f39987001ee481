"""Losses for classes of very different sizes."""

import lossmith.torch as faces
from torch_cases.data import WEIGHT, Case, classes, pixels, soft_classes, with_settings

COUNTS = [500.0, 3.0, 40.0, 0.0]
SIZES = [500.0, 3.0, 40.0, 7.0]

CASES = [
    Case("logit_adjusted", with_settings(faces.LogitAdjustedLoss, class_counts=SIZES, tau=1.5), classes),
    Case("logit_adjusted_soft", with_settings(faces.LogitAdjustedLoss, class_counts=SIZES), soft_classes),
    Case("balanced_softmax", with_settings(faces.BalancedSoftmaxLoss, class_counts=SIZES), pixels),
    Case("class_balanced", with_settings(faces.ClassBalancedLoss, class_counts=COUNTS, beta=0.99), classes),
    Case("class_balanced_focal", with_settings(faces.ClassBalancedLoss, class_counts=SIZES, base="focal"), pixels),
    Case("ldam", with_settings(faces.LDAMLoss, class_counts=COUNTS, weight=WEIGHT), classes),
    Case("ldam_pixels", with_settings(faces.LDAMLoss, class_counts=SIZES, scale=2.0), pixels),
]
