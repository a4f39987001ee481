"""Losses for classes of very different sizes."""

from keras_cases.data import case, label_steps, labels, one_hot, one_hot_channels

SIZES = [500.0, 3.0, 40.0, 7.0]

CASES = [
    case("logit adjusted", "LogitAdjusted", labels, class_counts=SIZES, tau=1.5),
    case("logit adjusted axis", "LogitAdjusted", one_hot_channels, class_counts=SIZES, axis=1),
    case("balanced softmax", "BalancedSoftmax", label_steps, class_counts=SIZES, ignore_class=2),
    case("class balanced", "ClassBalanced", one_hot, class_counts=[500.0, 3.0, 40.0, 0.0], base="focal"),
    case("ldam", "LDAM", labels, class_counts=SIZES, class_weight=[1.0, 2.0, 0.5, 3.0], scale=4.0),
]
