"""Losses for noisy labels."""

from keras_cases.data import case, label_probability, label_steps, labels, one_hot, one_hot_probability

CASES = [
    case("cgce", "CategoricalGeneralizedCrossEntropy", label_probability, q=0.3),
    case("gce", "GeneralizedCrossEntropy", one_hot, truncation=0.1, from_logits=True),
    case("gce steps", "GeneralizedCrossEntropy", label_steps, from_logits=True, ignore_class=2),
    case("sce", "SymmetricCrossEntropy", labels, from_logits=True, beta=0.5),
    case("sce prob", "SymmetricCrossEntropy", one_hot_probability, log_zero=-6.0),
]
