"""Losses that frameworks ship are not accused: what is real and known is reviewed, with its evidence, in known.toml."""

import importlib
from dataclasses import replace
from functools import cache, partial

import numpy as np
import pytest
from ruletest import subject_of

from lossmith.checker.build import make, subject_of_object
from lossmith.checker.discover import find
from lossmith.checker.known import _table
from lossmith.checker.place import Place
from lossmith.checker.runner import examine
from lossmith.checker.sample import SIZES
from lossmith.checker.selection import Selection

TORCH = (
    "L1Loss MSELoss SmoothL1Loss HuberLoss BCELoss BCEWithLogitsLoss CrossEntropyLoss NLLLoss KLDivLoss "
    "PoissonNLLLoss HingeEmbeddingLoss CosineEmbeddingLoss TripletMarginLoss MultiMarginLoss MultiLabelMarginLoss "
    "GaussianNLLLoss MultiLabelSoftMarginLoss MarginRankingLoss TripletMarginWithDistanceLoss LinearCrossEntropyLoss"
)
FUNCTIONS = (
    "l1_loss mse_loss smooth_l1_loss huber_loss binary_cross_entropy binary_cross_entropy_with_logits cross_entropy "
    "nll_loss kl_div poisson_nll_loss gaussian_nll_loss soft_margin_loss hinge_embedding_loss cosine_embedding_loss "
    "triplet_margin_loss triplet_margin_with_distance_loss margin_ranking_loss multi_margin_loss "
    "multilabel_margin_loss multilabel_soft_margin_loss linear_cross_entropy"
)
KERAS = (
    "MeanSquaredError MeanAbsoluteError Huber LogCosh BinaryCrossentropy CategoricalCrossentropy "
    "SparseCategoricalCrossentropy Poisson KLDivergence MeanAbsolutePercentageError MeanSquaredLogarithmicError Hinge "
    "SquaredHinge CategoricalHinge CosineSimilarity BinaryFocalCrossentropy CategoricalFocalCrossentropy "
    "CategoricalGeneralizedCrossEntropy Dice Tversky Circle "
    "mean_squared_error huber log_cosh binary_crossentropy categorical_crossentropy sparse_categorical_crossentropy "
    "poisson kl_divergence"
)
HOMES = {"torch.nn": TORCH, "torch.nn.functional": FUNCTIONS, "keras.losses": KERAS}
SHIPPED = [f"{home}:{name}" for home, names in HOMES.items() for name in names.split()]
COUNTS = [500.0, 3.0, 40.0, 7.0, 90.0, 12.0][: SIZES["C"]]
PROXIES = (np.random.default_rng(0).normal(size=(SIZES["C"], SIZES["D"]))).tolist()
# what a loss needs to be built
SETTINGS = (
    {"torch.nn:LinearCrossEntropyLoss": {"in_features": SIZES["D"], "num_classes": SIZES["C"]}}
    | {
        f"lossmith.keras:{name}": {"proxies": PROXIES}
        for name in ("ArcFace", "CosFace", "SphereFace", "ProxyNCA", "ProxyAnchor", "LinearCrossEntropy")
    }
    | {
        f"lossmith.{framework}:{name}{ending}": {"class_counts": COUNTS}
        for framework, ending in (("torch", "Loss"), ("keras", ""))
        for name in ("LogitAdjusted", "BalancedSoftmax", "ClassBalanced", "LDAM")
    }
    | {
        # five scales need 161 x 161 pixels
        f"lossmith.{framework}:MSSSIM{ending}": {"window": 3, "weights": (0.4, 0.6)}
        for framework, ending in (("torch", "Loss"), ("keras", ""))
    }
)


@cache
def small_networks():
    """The losses of a network with a small one, since the network that they have by default is a download."""
    import keras
    import torch

    import lossmith.keras
    import lossmith.torch

    torch.manual_seed(0)
    ours = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.Softplus())
    inputs = keras.Input((None, None, 3))
    keras.utils.set_random_seed(0)
    theirs = keras.Model(inputs, keras.layers.Conv2D(4, 3, name="0", activation="softplus")(inputs))
    return {
        "lossmith.torch:PerceptualLoss": partial(lossmith.torch.PerceptualLoss, backbone=ours, layers=["1"]),
        "lossmith.torch:StyleLoss": partial(lossmith.torch.StyleLoss, backbone=ours, layers=["1"]),
        "lossmith.keras:Perceptual": partial(lossmith.keras.Perceptual, backbone=theirs, layers=["0"]),
        "lossmith.keras:Style": partial(lossmith.keras.Style, backbone=theirs, layers=["0"]),
    }


def examined(text, selection=None):
    built = small_networks()
    if text in built:
        # built anew with another setting it must not have its default network, and load it
        return examine(replace(subject_of_object(built[text]()), build=built[text]), None, selection)
    place = Place.parse(text)
    module = importlib.import_module(place.source)
    found = find(place, module)[place.name]
    return examine(make(place, module, place.name, found, SETTINGS.get(text, {})), None, selection)


def test_the_corpus_is_large():
    assert len(SHIPPED) >= 60


@pytest.mark.parametrize("text", SHIPPED)
def test_a_shipped_loss_has_no_error(text):
    report = examined(text)
    assert report.problem == ""
    assert [(finding.code, finding.message) for finding in report.errors] == []
    assert [s.reason for s in report.statuses.values() if "the rule itself failed" in s.reason] == []
    assert report.contract is not None
    assert report.contract.origin.startswith("known: ")


def faces(declared: bool = True):
    """The faces that name a formula; or what is made of others, which shipped_compositions examines."""
    import lossmith.keras
    import lossmith.torch

    return [
        f"{module.__name__}:{name}"
        for module in (lossmith.torch, lossmith.keras)
        for name in module.__all__
        if (one := getattr(module, name)).__module__.rpartition(".")[2] != "loss"
        if (getattr(one, "declaration", None) is not None) is declared
    ]


# They judge the formula, which the torch face has too, and take most of the time.
OF_THE_FORMULA = Selection(ignore=("LS101", "LS102", "LS108", "LS208", "LS704", "LS805"))


@pytest.mark.parametrize("text", faces())
def test_each_face_of_ours_is_clean_under_the_contract_that_its_formula_declares(text):
    report = examined(text, OF_THE_FORMULA if text.startswith("lossmith.keras") else None)
    assert report.problem == ""
    assert [(finding.code, finding.message) for finding in report.findings] == []
    assert report.contract is not None
    assert report.contract.origin == "declared by lossmith"


def test_soft_margin_really_overflows_and_is_told():
    """A sibling that shows that the test above can fail: this shipped loss is inf where its true value is 100."""
    codes = {finding.code for finding in examined("torch.nn:SoftMarginLoss").errors}
    assert "LS201" in codes


def test_every_reviewed_finding_is_still_real():
    """An entry that no longer excuses anything is removed: the framework has mended it."""
    stale = []
    for family, entry in _table().items():
        module, _, name = family.rpartition(".")
        ours = module.startswith(("torch.", "keras.", "lossmith."))  # test_third_party asks the others
        codes = tuple(entry.get("reviewed", ())) if ours else ()
        statuses = examined(f"{module}:{name}", Selection(codes)).statuses if codes else {}
        stale += [(family, code, statuses[code]) for code in codes if statuses[code].status != "allowed"]
    assert stale == []


def test_a_subclass_of_a_shipped_loss_is_the_users_own():
    from torch import nn

    class MyMSE(nn.MSELoss):
        def forward(self, input, target):
            return super().forward(input, target)

    assert subject_of(MyMSE()).contract.origin == "inferred"
