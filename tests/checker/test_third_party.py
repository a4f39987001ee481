"""Losses of libraries are not accused: where a library is installed, its losses are read and examined like anybody's.

What each takes is inferred. What is real is reviewed, with its evidence, in known.toml. Left out are those that need
more than numbers to be built, and two that take a minute (monai's Hausdorff distances, examined once: no false error).
"""

import functools
import importlib
import inspect
import sys

import pytest

from lossmith.checker.build import HOMES, subject_of_object
from lossmith.checker.known import _table
from lossmith.checker.runner import examine
from lossmith.checker.sample import SIZES
from lossmith.checker.selection import Selection

LOSSES = {
    "optax.losses": "l2_loss huber_loss log_cosh sigmoid_binary_cross_entropy softmax_cross_entropy hinge_loss "
    "softmax_cross_entropy_with_integer_labels sigmoid_focal_loss",
    "monai.losses": "AUCMLoss AsymmetricUnifiedFocalLoss BarlowTwinsLoss BendingEnergyLoss BoxGIoULoss ContrastiveLoss "
    "DiceCELoss DiceFocalLoss DiceLoss DiffusionLoss FocalLoss GeneralizedDiceFocalLoss GeneralizedDiceLoss "
    "GlobalMutualInformationLoss MCCLoss MaskedDiceLoss SoftDiceclDiceLoss SoftclDiceLoss TverskyLoss",
    "kornia.losses": "CauchyLoss CharbonnierLoss DiceLoss FocalLoss GemanMcclureLoss InverseDepthSmoothnessLoss "
    "LovaszSoftmaxLoss PSNRLoss SSIMLoss TotalVariation TverskyLoss WelschLoss",
    "pytorch_metric_learning.losses": "AngularLoss ArcFaceLoss CircleLoss ContrastiveLoss DynamicSoftMarginLoss "
    "FastAPLoss GeneralizedLiftedStructureLoss HistogramLoss InstanceLoss IntraPairVarianceLoss LargeMarginSoftmaxLoss "
    "LiftedStructureLoss MarginLoss MultiSimilarityLoss NCALoss NPairsLoss NTXentLoss NormalizedSoftmaxLoss PNPLoss "
    "P2SGradLoss ProxyAnchorLoss ProxyNCALoss SignalToNoiseRatioContrastiveLoss SmoothAPLoss SoftTripleLoss "
    "SphereFaceLoss SupConLoss ThresholdConsistentMarginLoss TripletMarginLoss TupletMarginLoss",
    "segmentation_models_pytorch.losses": "DiceLoss FocalLoss JaccardLoss LovaszLoss MCCLoss TverskyLoss",
    "torchvision.ops": "complete_box_iou_loss distance_box_iou_loss generalized_box_iou_loss sigmoid_focal_loss",
}
CASES = [f"{home}:{name}" for home, names in LOSSES.items() for name in names.split()]
SETTINGS = {"num_classes": SIZES["C"], "embedding_size": SIZES["D"], "descriptors_dim": SIZES["D"]} | {
    "n_bins": 20, "alpha": 0.25, "beta": 0.5, "max_val": 1.0, "window_size": 3, "mode": "binary"
}  # fmt: skip
# A compiler stands between the checker and these: what can be wrong on one shape is asked, and no other batch.
COMPILED = Selection(("LS101", "LS104", "LS201", "LS202", "LS401", "LS701", "LS801", "LS802"))


def built(text):
    home, _, name = text.partition(":")
    if absent := _absent(home):
        pytest.skip(absent)
    found = getattr(sys.modules[home], name)
    needed = [p for p in inspect.signature(found).parameters.values() if p.default is p.empty and p.name in SETTINGS]
    if needed or name == "HistogramLoss":
        chosen = {p.name: SETTINGS[p.name] for p in needed} or {"n_bins": SETTINGS["n_bins"]}
        return found(**chosen) if inspect.isclass(found) else functools.partial(found, **chosen)
    return found


@pytest.mark.parametrize("text", CASES)
@pytest.mark.filterwarnings("ignore")
def test_a_loss_of_a_library_has_no_error_that_was_not_reviewed(text):
    loss = built(text)
    report = examine(subject_of_object(loss), None, COMPILED if text.startswith("optax") else None)
    assert report.problem == ""
    assert [(finding.code, finding.message) for finding in report.errors] == []
    assert [s.reason for s in report.statuses.values() if "the rule itself failed" in s.reason] == []


@pytest.mark.filterwarnings("ignore")
def test_what_was_reviewed_of_a_library_is_still_real():
    """An entry that no longer excuses anything is removed: the library has mended it."""
    stale = []
    for family, entry in _table().items():
        home, _, name = family.rpartition(".")
        codes = tuple(entry.get("reviewed", ())) if home in LOSSES else ()
        if codes and name in LOSSES[home].split() and not _absent(home):
            statuses = examine(subject_of_object(built(f"{home}:{name}")), None, Selection(codes)).statuses
            stale += [(family, code, statuses[code]) for code in codes if statuses[code].status != "allowed"]
    assert stale == []


def _absent(home):
    """Why the library cannot be asked; some are there and do not fit the torch that is installed."""
    try:
        importlib.import_module(home)
    except (ImportError, RuntimeError) as error:
        return f"{home.partition('.')[0]} is not installed, or does not fit: {type(error).__name__}: {error}"
    return ""


def test_the_losses_of_a_library_are_known_by_where_they_are_written():
    assert set(LOSSES) <= {public for _, public in HOMES}
