"""Losses of segmented images in torch: regions, layouts, classes that are left out, edges; and what others compute."""

import copy
import pickle

import pytest
import torch
from torch.nn import functional as F
from torch_cases.data import close

import lossmith
import lossmith.torch as faces
from lossmith.errors import LossmithError, SettingError, ShapeError
from lossmith.torch import (
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    DiceLoss,
    FocalTverskyLoss,
    JaccardLoss,
    LovaszHingeLoss,
    LovaszSoftmaxLoss,
    MSELoss,
    RegionWeightedLoss,
    TverskyLoss,
    edge_weights,
)

G = torch.Generator().manual_seed(0)
X = 2 * torch.randn(2, 3, 4, 5, generator=G, dtype=torch.float64)
Y = torch.randint(0, 3, (2, 4, 5), generator=G)
P = X.softmax(1)
HOT = F.one_hot(Y, 3).movedim(-1, 1).double()
OVERLAP = (DiceLoss, JaccardLoss, TverskyLoss, FocalTverskyLoss)
ALL = (*OVERLAP, LovaszHingeLoss, LovaszSoftmaxLoss)


def sums(p, t, axes=(2, 3)):
    return (p * t).sum(axes), (p * (1 - t)).sum(axes), ((1 - p) * t).sum(axes)


@pytest.mark.parametrize(("over", "axes"), [("image", (2, 3)), ("batch", (0, 2, 3))])
def test_each_loss_is_its_fraction_over_the_image_or_the_batch(over, axes):
    right, more, less = sums(P, HOT, axes)
    none = {"over": over, "reduction": "none"}
    close(DiceLoss(**none)(X, Y), 1 - 2 * right / (2 * right + more + less))
    close(JaccardLoss(**none, smooth=2.0)(X, Y), 1 - (right + 2) / (right + more + less + 2))
    part = 1 - right / (right + 0.2 * more + 0.9 * less)
    close(TverskyLoss(**none, alpha=0.2, beta=0.9)(X, Y), part)
    close(FocalTverskyLoss(**none, alpha=0.2, beta=0.9, gamma=0.5)(X, Y), part.sqrt())
    close(DiceLoss(**none, log=True)(X, Y), -torch.log(1 - DiceLoss(**none)(X, Y)))


def test_the_forms_are_those_of_vnet_and_of_the_distance():
    soft = torch.rand(2, 3, 4, 5, generator=G, dtype=torch.float64)
    axes, face = (2, 3), lambda form: DiceLoss(form=form, reduction="none", input_is="prob")
    vnet = 1 - 2 * (P * soft).sum(axes) / (P**2 + soft**2).sum(axes)
    close(face("squared")(P, soft), vnet)
    close(face("l1")(P, soft), (P - soft).abs().sum(axes) / (P + soft).sum(axes))
    assert face("l1")(soft, soft).abs().max() == 0
    assert face("squared")(soft, soft).abs().max() == 0
    assert face("product")(soft, soft).min() > 0


@pytest.mark.parametrize("face", ALL)
def test_labels_one_hot_and_an_axis_of_length_one_say_the_same(face):
    want = face(reduction="none")(X, Y)
    for target in (HOT, HOT.long(), HOT.bool(), Y.unsqueeze(1), Y.to(torch.uint8)):
        close(face(reduction="none")(X, target), want)
    one, inside = X[:, :1], (Y == 1).long()
    want = face(reduction="none")(one, inside)
    assert want.shape == (2, 1)
    for target in (inside.unsqueeze(1), inside.double().unsqueeze(1), inside.double(), inside.bool()):
        close(face(reduction="none")(one, target), want)


@pytest.mark.parametrize("face", ALL)
def test_volumes_sequences_and_rows_are_images_too(face):
    want = face(reduction="none")(X, Y)
    for shape in ((20,), (2, 2, 5), (1, 20)):
        close(face(reduction="none")(X.reshape(2, 3, *shape), Y.reshape(2, *shape)), want)
    pixels = X.movedim(1, -1).reshape(-1, 3)
    close(face(over="batch")(pixels, Y.reshape(-1)), face(over="batch")(X, Y))


@pytest.mark.parametrize("face", ALL)
@pytest.mark.parametrize("over", ["image", "batch"])
@pytest.mark.parametrize("bad", [torch.nan, 1e300])
def test_masked_and_ignored_pixels_are_removed_exactly(face, over, bad):
    keep = torch.rand(4, 5, generator=torch.Generator().manual_seed(1)) < 0.6
    left = face(over=over, reduction="none")(X[:, :, keep], Y[:, keep])
    both = keep.expand(2, 4, 5)
    broken = torch.where(keep, X, bad).requires_grad_()
    totals = [
        face(over=over, reduction="none")(broken, torch.where(keep, Y, 77), mask=both),
        face(over=over, reduction="none")(broken, torch.where(keep, Y, 77), mask=both.unsqueeze(1).float()),
        face(over=over, reduction="none", ignore_index=77)(broken, torch.where(keep, Y, 77)),
    ]
    for total in totals:
        close(total.detach(), left)
    totals[-1].sum().backward()
    assert not broken.grad[:, :, ~keep].any()


@pytest.mark.parametrize("face", OVERLAP)
def test_a_class_neither_there_nor_predicted_costs_nothing_and_one_only_predicted_costs_all(face):
    logits = torch.tensor([[[9.0, 9.0], [-torch.inf, -torch.inf]]], requires_grad=True)
    values = face(reduction="none")(logits, torch.zeros(1, 2, dtype=torch.long))
    assert values.tolist() == [[0.0, 0.0]]
    values.sum().backward()
    assert not logits.grad.any()
    only = face(reduction="none", activation="sigmoid")(torch.tensor([[[-3.0, 0.0]]]), torch.zeros(1, 1, 2))
    assert only.tolist() == [[1.0]]
    smooth = torch.tensor([[[-3.0, 0.0]]], requires_grad=True)
    face(smooth=1.0)(smooth, torch.zeros(1, 1, 2)).backward()
    assert (smooth.grad > 0).all()


def test_smoothing_does_not_move_the_minimum():
    for smooth in (0.0, 1.0, 100.0):
        assert DiceLoss(smooth=smooth, input_is="prob")(HOT, Y) == 0
        assert JaccardLoss(smooth=smooth, input_is="prob")(HOT, Y) == 0


def test_a_nearly_right_prediction_keeps_its_digits_in_float32():
    sure = 40.0 * (2 * HOT - 1)
    value, exact = (DiceLoss(activation="sigmoid")(sure.to(d), Y) for d in (torch.float32, torch.float64))
    assert 0 < value < 1e-16
    torch.testing.assert_close(value.double(), exact, rtol=1e-6, atol=0.0)


@pytest.mark.parametrize("face", ALL)
def test_classes_that_are_left_out_leave_the_mean(face):
    two = Y.clamp(max=1)  # class 2 is in no image
    two[1] = 0  # and the second image has one class only
    values = face(reduction="none", classes="all")(X, two)
    images = torch.stack([values[0, :2].mean(), values[1, 0]])
    close(face(classes="present")(X, two), images.mean())
    close(face(classes="all", background=False)(X, two), values[:, 1:].mean())
    close(face(classes="present", background=False)(X, two), values[0, 1])
    assert face(classes="present", background=False)(X, torch.zeros_like(Y)) == 0
    close(face(classes="all", background=False)(X[:, :1], two), face(classes="all")(X[:, :1], two))
    weight = torch.tensor([0.0, 1.0, 3.0])
    close(
        face(classes="all", weight=weight, reduction="weighted_mean")(X, two),
        (values[:, 1:] * weight[1:]).sum() / weight.sum() / 2,
    )


@pytest.mark.parametrize("face", ALL)
def test_a_label_that_is_no_class_gives_nan(face):
    values = face(reduction="none", classes="all")(X, torch.where(Y == 2, 3, Y))
    assert values.isnan().all()


def lovasz_grad(sorted_truth):
    """The authors' code (Berman et al. 2018), on the sorted ground truth."""
    total = sorted_truth.sum()
    intersection, union = total - sorted_truth.cumsum(0), total + (1 - sorted_truth).cumsum(0)
    jaccard = 1 - intersection / union
    return torch.cat([jaccard[:1], jaccard[1:] - jaccard[:-1]])


def authors(errors, truth):
    errors, order = errors.sort(descending=True, stable=True)
    return torch.dot(errors, lovasz_grad(truth[order]))


def test_lovasz_losses_and_their_gradients_are_those_of_the_authors_code():
    x, y = X.clone().requires_grad_(), Y
    images = []
    for logits, labels in zip(x, y, strict=True):
        present = [c for c in range(3) if (labels == c).any()]
        truth = {c: (labels == c).double().reshape(-1) for c in present}
        probability = logits.softmax(0).reshape(3, -1)
        images.append(torch.stack([authors((truth[c] - probability[c]).abs(), truth[c]) for c in present]).mean())
    check(LovaszSoftmaxLoss()(x, y), torch.stack(images).mean(), x)
    hinge = []
    for logits, labels in zip(x[:, 0], y, strict=True):
        truth = (labels == 1).double().reshape(-1)
        hinge.append(authors(F.relu(1 - logits.reshape(-1) * (2 * truth - 1)), truth))
    check(LovaszHingeLoss()(x[:, :1], (y == 1).long()), torch.stack(hinge).mean(), x)


def check(got, want, x):
    close(got, want)
    for one, other in zip(*(torch.autograd.grad(total, x) for total in (got, want)), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-14)


def test_equal_errors_have_a_value_that_does_not_depend_on_their_order():
    logits, target = torch.zeros(1, 1, 6), torch.tensor([[1, 0, 1, 0, 0, 1]])
    for order in (torch.arange(6), torch.tensor([1, 3, 4, 0, 2, 5]), torch.tensor([0, 2, 5, 1, 3, 4])):
        x = logits[..., order].clone().requires_grad_()
        total = LovaszHingeLoss()(x, target[:, order])
        close(total.detach(), torch.tensor(1.0))
        total.backward()
        close(x.grad.abs().sum(), torch.tensor(1.0))


def test_lovasz_of_hard_predictions_is_the_jaccard_loss():
    wrong = (Y + (torch.rand(Y.shape, generator=torch.Generator().manual_seed(2)) < 0.3)) % 3
    hard = F.one_hot(wrong, 3).movedim(-1, 1).double()
    lovasz = LovaszSoftmaxLoss(input_is="prob", reduction="none", classes="all")(hard, Y)
    close(lovasz, JaccardLoss(input_is="prob", reduction="none")(hard, Y))


def test_shapes_that_do_not_fit_are_refused():
    for face in ALL:
        for target in (Y[:, :3], Y.double(), HOT[:, :2], Y[:1], Y.reshape(2, 20)):
            with pytest.raises(ShapeError, match=r"must be labels \(2, 4, 5\) or hold every class"):
                face()(X, target)
        for mask in (torch.ones(3), torch.ones(2, 4), torch.ones(2, 3, 4, 5)):
            shape = tuple(mask.shape)
            if shape == (2, 4):
                assert face()(X, Y, mask=mask).isfinite()
                continue
            with pytest.raises(ShapeError, match="mask must be"):
                face()(X, Y, mask=mask)
    with pytest.raises(ShapeError):
        DiceLoss()(torch.zeros(3), torch.zeros(3, dtype=torch.long))


# Printed by monai 1.6.1 and kornia 0.9.0 on COUNTED, LABELS below, float64.
COUNTED = ((torch.arange(48, dtype=torch.float64) * 7919 % 97) / 16 - 3).reshape(2, 3, 2, 4)
LABELS = (torch.arange(16) * 5 % 7 % 3).reshape(2, 2, 4)
ELSEWHERE = {  # smooth_nr = smooth_dr = 0 in monai, eps = 0 in kornia; each takes one-hot labels
    "monai dice": (DiceLoss(), 0.7526895051775546),
    "monai dice batch": (DiceLoss(over="batch"), 0.7520932427456876),
    "monai dice without background": (DiceLoss(background=False), 0.7813443609679805),
    "monai dice smooth_nr=smooth_dr=1": (DiceLoss(smooth=1.0), 0.6299922956114673),
    "monai dice squared_pred": (DiceLoss(form="squared"), 0.6829777945897352),
    "monai dice jaccard": (JaccardLoss(), 0.853700534627309),
    "monai dice sigmoid": (DiceLoss(activation="sigmoid"), 0.6873859845366997),
    "monai dice weight": (DiceLoss(weight=torch.tensor([0.5, 2.0, 1.0])), 0.9243841465695916),
    "monai dice ignore_index=2": (DiceLoss(ignore_index=2), 0.8257173865668007),
    "monai tversky": (TverskyLoss(alpha=0.3, beta=0.7), 0.7512142316731255),
    "kornia dice macro": (DiceLoss(classes="present"), 0.7526895051775546),
    "kornia tversky": (TverskyLoss(alpha=0.3, beta=0.7, classes="present"), 0.7512142316731254),
    "kornia lovasz softmax": (LovaszSoftmaxLoss(classes="all"), 0.7873117751374029),
}


@pytest.mark.parametrize("name", ELSEWHERE)
def test_values_are_those_that_monai_and_kornia_print(name):
    face, want = ELSEWHERE[name]
    close(face(COUNTED, LABELS), torch.tensor(want, dtype=torch.float64), rtol=1e-7)


def test_the_hinge_of_kornia():
    close(LovaszHingeLoss()(COUNTED[:, :1], (LABELS == 1).long()), torch.tensor(2.0958333333333337).double(), rtol=1e-7)


def test_edges_weigh_most_and_the_image_is_scaled():
    weights = edge_weights(COUNTED[:1], max_weight=3.0)
    # kornia.filters.sobel(normalized=False, eps=0), first channel
    sobel = torch.tensor([[12.0159, 6.8886, 6.8886, 10.5375], [7.9082, 6.8886, 6.8886, 5.4033]], dtype=torch.float64)
    one = edge_weights(COUNTED[:1, :1], max_weight=3.0)[0, 0]
    torch.testing.assert_close(one, 1 + 2 * sobel / sobel.max(), rtol=1e-4, atol=0.0)
    assert weights.max() == 3
    assert weights.dtype == torch.float64
    assert edge_weights(COUNTED.half()).dtype == torch.float16
    assert edge_weights(LABELS).dtype == torch.float32
    plain = edge_weights(LABELS == 1)
    close(plain, edge_weights((LABELS == 1).long()), rtol=1e-6)
    assert not edge_weights(COUNTED.requires_grad_(False)).requires_grad


BASES = [
    (CrossEntropyLoss(), X, Y, edge_weights(Y.clone())),
    (CrossEntropyLoss(weight=torch.tensor([1.0, 2.0, 3.0])), X, HOT, edge_weights(HOT).amax(1)),
    (faces.FocalLoss(), X, Y, edge_weights(Y.clone())),
    (BCEWithLogitsLoss(), X, HOT, edge_weights(HOT)),
    (MSELoss(), X, P, edge_weights(P)),
    (faces.L1Loss(), X[:, 0], P[:, 0], edge_weights(P[:, 0])),
]


@pytest.mark.parametrize(("base", "x", "y", "weights"), BASES)
@pytest.mark.parametrize("reduction", ["none", "sum", "mean", "weighted_mean"])
def test_a_base_is_weighted_by_the_edges_of_its_target(base, x, y, weights, reduction):
    plain, base = copy.deepcopy(base), copy.deepcopy(base)
    plain.reduction, base.reduction = "none", reduction
    values = plain(x, y)
    weighted = values * weights.to(values)
    want = {
        "none": weighted,
        "sum": weighted.sum(),
        "mean": weighted.mean(),
        "weighted_mean": weighted.sum() / weights.sum(),
    }
    if isinstance(base, CrossEntropyLoss) and base.weight is not None:
        want.pop("weighted_mean")  # there the weights of the classes are in the divisor as well
    loss = RegionWeightedLoss(base)
    if reduction in want:
        torch.testing.assert_close(loss(x, y), want[reduction], rtol=1e-6, atol=1e-9)
        sample = torch.tensor([1.0, 0.5])
        parts = torch.stack([loss(x[i : i + 1], y[i : i + 1], weight=sample[i : i + 1]).sum() for i in range(2)])
        if reduction == "sum":
            close(loss(x, y, weight=sample), parts.sum())
    again = pickle.loads(pickle.dumps(loss))
    close(again(x, y), loss(x, y))
    if reduction == "mean":
        torch._dynamo.reset()
        close(torch.compile(loss, fullgraph=True, backend="aot_eager")(x, y), loss(x, y))


def test_weights_may_be_given_in_place_of_the_edges():
    region = torch.rand(2, 4, 5, generator=G, dtype=torch.float64)
    for given in (region, region.unsqueeze(1)):
        close(RegionWeightedLoss(CrossEntropyLoss())(X, Y, region=given), CrossEntropyLoss()(X, Y, weight=region))
        wide = region.unsqueeze(1).expand(2, 3, 4, 5)
        close(RegionWeightedLoss(MSELoss())(X, P, region=given), MSELoss()(X, P, weight=wide))


@pytest.mark.parametrize("bad", [torch.nan, 1e300])
def test_pixels_that_are_removed_have_no_edge_either(bad):
    keep = torch.rand(2, 4, 5, generator=torch.Generator().manual_seed(3)) < 0.7
    for base in (CrossEntropyLoss(), CrossEntropyLoss(ignore_index=77)):
        totals = []
        for junk in (0, 77):
            x = torch.where(keep.unsqueeze(1), X, bad).requires_grad_()
            y = torch.where(keep, Y, 77 if base.ignore_index == 77 else junk)
            totals.append(RegionWeightedLoss(base)(x, y, mask=None if base.ignore_index == 77 else keep))
            totals[-1].backward()
            assert not x.grad.movedim(1, -1)[~keep].any()
            assert x.grad.isfinite().all()
        close(*(total.detach() for total in totals))
    for mask in (keep, keep.unsqueeze(1)):
        totals = [
            RegionWeightedLoss(MSELoss())(X, torch.where(keep.unsqueeze(1), P, junk), mask=mask) for junk in (bad, 0.0)
        ]
        close(*totals)
    assert RegionWeightedLoss(CrossEntropyLoss())(X, torch.full_like(Y, -100)) == 0


def test_region_weights_refuse_what_has_no_pixels():
    for base in (DiceLoss(), torch.nn.MSELoss(), faces.ContrastiveLoss(), None):
        with pytest.raises(SettingError, match="one value for each pixel"):
            RegionWeightedLoss(base)
    for weight in (0.5, float("inf"), -1.0):
        with pytest.raises(SettingError, match="max_weight must be a finite number, 1 or more"):
            RegionWeightedLoss(MSELoss(), max_weight=weight)
        with pytest.raises(SettingError):
            edge_weights(Y, max_weight=weight)
    for x, y in ((X, Y[:, :3]), (X[0], Y[0]), (X, P[:, :2]), (torch.zeros(2, 3), torch.zeros(2).long())):
        with pytest.raises(LossmithError):
            RegionWeightedLoss(CrossEntropyLoss())(x, y)
    for arrays in ((Y[0],), (torch.zeros(3),)):
        with pytest.raises(ShapeError, match="edge_weights"):
            edge_weights(*arrays)
    with pytest.raises(ShapeError, match="region must have one number"):
        RegionWeightedLoss(MSELoss())(X, P, region=torch.ones(4, 5))


def test_the_checker_finds_nothing_in_a_region_weighted_loss():
    for base in (CrossEntropyLoss(), BCEWithLogitsLoss()):
        report = lossmith.check(RegionWeightedLoss(base))
        assert [(f.code, f.message) for f in report.findings] == []
