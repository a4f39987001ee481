"""Losses for classes."""

import torch
from torch import nn

import lossmith.torch as faces
from torch_cases.data import (
    WEIGHT,
    Case,
    binary,
    classes,
    log_classes,
    pixels,
    probability,
    soft_classes,
    soft_pixels,
    with_settings,
)

CE, NLL = faces.CrossEntropyLoss, faces.NLLLoss
ROWS = torch.linspace(0.0, 2.0, 6, dtype=torch.float64).reshape(6, 1)
CHANNELS = torch.tensor([0.5, 3.0], dtype=torch.float64).reshape(2, 1, 1)


def images(g: torch.Generator) -> tuple[torch.Tensor, ...]:
    return tuple(array.reshape(3, 2, 2, 2) for array in binary(g))


CASES = [
    Case("bce_logits", faces.BCEWithLogitsLoss, binary),
    Case("bce_logits_weighted", with_settings(faces.BCEWithLogitsLoss, weight=WEIGHT, pos_weight=WEIGHT + 1), binary),
    Case("bce", faces.BCELoss, probability),
    Case("ce", faces.CrossEntropyLoss, classes),
    Case("ce_weighted", with_settings(faces.CrossEntropyLoss, weight=WEIGHT, label_smoothing=0.1), classes),
    Case("ce_pixels", faces.CrossEntropyLoss, pixels),
    Case("ce_soft", with_settings(faces.CrossEntropyLoss, weight=WEIGHT), soft_classes),
    Case("ce_soft_pixels", faces.CrossEntropyLoss, soft_pixels),
    Case("nll", with_settings(faces.NLLLoss, weight=WEIGHT), log_classes),
    Case("focal", with_settings(faces.FocalLoss, gamma=1.5, alpha=WEIGHT), classes),
    Case("focal_pixels", faces.FocalLoss, pixels),
    Case("binary_focal", with_settings(faces.BinaryFocalLoss, gamma=0.5, alpha=0.25), binary),
    Case("binary_focal_labels", with_settings(faces.BinaryFocalLoss, alpha=WEIGHT / 4), binary),
    Case("smoothing", with_settings(faces.LabelSmoothing, smoothing=0.3, over="others"), classes),
    Case("smoothing_soft", faces.LabelSmoothing, soft_pixels),
    Case("poly", with_settings(faces.PolyLoss, epsilon=-1.0), classes),
    Case("poly_pixels", faces.PolyLoss, pixels),
    Case("asl", faces.AsymmetricMultiLabelLoss, binary),
]

# name, our face, the loss of torch.nn, settings of both, data
SAME = [
    ("bce logits", faces.BCEWithLogitsLoss, nn.BCEWithLogitsLoss, {}, binary),
    ("bce logits weight", faces.BCEWithLogitsLoss, nn.BCEWithLogitsLoss, {"weight": WEIGHT}, binary),
    ("bce logits rows", faces.BCEWithLogitsLoss, nn.BCEWithLogitsLoss, {"weight": ROWS}, binary),
    ("bce logits pos", faces.BCEWithLogitsLoss, nn.BCEWithLogitsLoss, {"pos_weight": WEIGHT}, binary),
    ("bce logits channels", faces.BCEWithLogitsLoss, nn.BCEWithLogitsLoss, {"pos_weight": CHANNELS}, images),
    ("bce", faces.BCELoss, nn.BCELoss, {}, probability),
    ("bce weight", faces.BCELoss, nn.BCELoss, {"weight": WEIGHT}, probability),
    ("ce", CE, nn.CrossEntropyLoss, {}, classes),
    ("ce smoothing", CE, nn.CrossEntropyLoss, {"label_smoothing": 0.2}, classes),
    ("ce ignore", CE, nn.CrossEntropyLoss, {"ignore_index": 2}, classes),
    ("ce ignore smoothing", CE, nn.CrossEntropyLoss, {"ignore_index": 1, "label_smoothing": 0.3}, pixels),
    ("ce pixels", CE, nn.CrossEntropyLoss, {}, pixels),
    ("ce soft", CE, nn.CrossEntropyLoss, {}, soft_classes),
    ("ce soft weight", CE, nn.CrossEntropyLoss, {"weight": WEIGHT}, soft_classes),
    ("ce soft smoothing", CE, nn.CrossEntropyLoss, {"weight": WEIGHT, "label_smoothing": 0.2}, soft_pixels),
    ("nll", NLL, nn.NLLLoss, {}, log_classes),
    ("nll ignore", NLL, nn.NLLLoss, {"ignore_index": 0}, log_classes),
]
