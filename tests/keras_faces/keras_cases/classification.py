"""Losses for classes."""

from keras_cases.data import (
    binary,
    case,
    label_probability,
    label_steps,
    labels,
    one_hot,
    one_hot_channels,
    one_hot_probability,
    one_hot_steps,
    probability,
)

CASES = [
    case("bce logits", "BinaryCrossentropy", binary, from_logits=True, label_smoothing=0.1),
    case("bce", "BinaryCrossentropy", probability),
    case("bce axis", "BinaryCrossentropy", binary, from_logits=True, axis=0),
    case("cce logits", "CategoricalCrossentropy", one_hot, from_logits=True, label_smoothing=0.1),
    case("cce steps", "CategoricalCrossentropy", one_hot_steps, from_logits=True),
    case("cce axis", "CategoricalCrossentropy", one_hot_channels, from_logits=True, axis=1),
    case("cce", "CategoricalCrossentropy", one_hot_probability),
    case("scce logits", "SparseCategoricalCrossentropy", labels, from_logits=True),
    case("scce steps", "SparseCategoricalCrossentropy", label_steps, from_logits=True, ignore_class=2),
    case("scce", "SparseCategoricalCrossentropy", label_probability),
    case("bfocal", "BinaryFocalCrossentropy", probability, apply_class_balancing=True, gamma=1.5),
    case("bfocal logits", "BinaryFocalCrossentropy", binary, from_logits=True),
    case("cfocal", "CategoricalFocalCrossentropy", one_hot_probability, gamma=1.5),
    case("smoothing", "LabelSmoothing", label_steps, from_logits=True, over="others", ignore_class=1),
    case("smoothing prob", "LabelSmoothing", one_hot_probability, smoothing=0.2),
    case("poly", "Poly", labels, from_logits=True, epsilon=-0.5),
    case("poly axis", "Poly", one_hot_channels, from_logits=True, axis=1),
    case("poly prob", "Poly", label_probability),
    case("asl", "AsymmetricMultiLabel", binary, gamma_neg=2.0),
    case("cfocal logits", "CategoricalFocalCrossentropy", one_hot, from_logits=True, label_smoothing=0.1),
]
