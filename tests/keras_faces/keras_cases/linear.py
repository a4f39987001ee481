"""Cross-entropy with its linear layer; the vectors are given, as an array."""

from keras_cases.data import case, labels
from keras_cases.proxies import PROXIES

CASES = [case("linear", "LinearCrossEntropy", labels, proxies=PROXIES, z_weight=0.25)]
