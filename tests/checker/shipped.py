"""The losses that torch and keras ship, with their documented contracts: no rule may accuse one of them falsely."""

import keras
import pytest
from torch import nn

from lossmith.checker.resolve import Declared, resolve
from lossmith.checker.subject import Subject, one_thread

TORCH = (
    "L1Loss MSELoss SmoothL1Loss HuberLoss BCELoss BCEWithLogitsLoss CrossEntropyLoss NLLLoss KLDivLoss "
    "PoissonNLLLoss HingeEmbeddingLoss CosineEmbeddingLoss TripletMarginLoss MultiMarginLoss MultiLabelMarginLoss"
).split()
KERAS = [
    "MeanSquaredError",
    "Huber",
    "LogCosh",
    "BinaryCrossentropy",
    "CategoricalCrossentropy",
    "Poisson",
    "KLDivergence",
]

each_shipped = pytest.mark.parametrize(
    "family", [*(f"torch.nn.{name}" for name in TORCH), *(f"keras.losses.{name}" for name in KERAS)]
)


def shipped(family: str) -> Subject:
    prefix, _, name = family.rpartition(".")
    cls = getattr(nn if prefix == "torch.nn" else keras.losses, name)
    subject = Subject.of(name, cls(), family=family, build=cls)
    with one_thread():
        return subject.with_contract(resolve(subject, Declared())[0])
