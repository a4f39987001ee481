"""Losses between embeddings."""

from keras_cases.data import case, pairs

CASES = [
    case("contrastive", "Contrastive", pairs, margin=2.0),
]
