"""Cross-entropy with its linear layer."""

import lossmith.torch as faces
from torch_cases.data import Case, classes
from torch_cases.proxies import with_proxies

CASES = [Case("linear", with_proxies(faces.LinearCrossEntropyLoss, soft_cap=6.0, label_smoothing=0.25), classes)]
