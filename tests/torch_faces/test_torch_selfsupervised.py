"""What the self-supervised torch faces do beside their formula: parameters, negatives, views, and other libraries."""

from math import log

import pytest
import torch
from torch import nn
from torch.nn import functional as fn
from torch_cases.data import close

import lossmith.torch as faces
from lossmith.errors import SettingError, ShapeError

PLACES = torch.arange(24, dtype=torch.float64).reshape(6, 4)
ONE = torch.sin(1.0 + 3.0 * PLACES)
TWO = ONE + 0.5 * torch.cos(2.0 * PLACES + 1.0)
LABELS = torch.tensor([0, 1, 0, 2, 1, 0])


def number(x: float) -> torch.Tensor:
    return torch.tensor(x, dtype=torch.float64)


def slopes(total: torch.Tensor, *arrays: torch.Tensor) -> tuple[torch.Tensor, ...]:
    return torch.autograd.grad(total, arrays)


def test_two_views_cost_what_lightly_and_pytorch_metric_learning_say():
    """lightly 1.6.0 and pytorch-metric-learning 2.9.0, in float64; both have the same number for NT-Xent."""
    close(faces.NTXentLoss(temperature=0.5)(ONE, TWO), number(1.7558044048733865))
    close(2.0 - 2.0 * number(0.8257491398362542), faces.BYOLLoss()(ONE, TWO))
    for temperature, wanted in ((0.1, 15.116161917833608), (0.5, 3.60467900288871)):
        close(faces.SupConLoss(temperature=temperature)(ONE, LABELS), number(wanted))


def test_vicreg_has_the_terms_of_lightly_but_for_its_half():
    """lightly 1.6.0 halves the sum of the two variance terms; the paper (equation 6, Algorithm 1) does not."""
    _, terms = faces.VICRegLoss()(ONE, TWO, return_terms=True)
    close(terms["invariance"], 25.0 * number(0.12781692914203416))
    close(terms["variance"], 25.0 * number(0.31986805877355406 + 0.18586215160998198))
    close(terms["covariance"], number(0.6280778184472395 + 0.7122513032750516))
    halved = faces.VICRegLoss(variance_weight=12.5)(ONE, TWO)
    close(halved, number(10.857379980067346))


def test_barlow_twins_is_lightlys_without_the_epsilon_of_its_batch_norm():
    """lightly 1.6.0 adds 1e-5 to each variance, which costs the fourth digit here."""
    exact = faces.BarlowTwinsLoss()(ONE, TWO)
    assert abs(exact - 0.10860032191620629) / exact > 1e-4
    standard = [(x - x.mean(0)) / (x.var(0, unbiased=False) + 1e-5).sqrt() for x in (ONE, TWO)]
    moved = standard[0].T @ standard[1] / 6
    diagonal = moved.diagonal()
    beside = moved.square().sum() - diagonal.square().sum()
    close((1 - diagonal).square().sum() + 0.005 * beside, number(0.10860032191620629), rtol=1e-9)


def cosines(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    return fn.normalize(first, dim=-1) @ fn.normalize(second, dim=-1).T


def test_info_nce_and_clip_are_cross_entropies_over_the_cosines():
    logits, own = cosines(ONE, TWO), torch.arange(6)
    close(faces.InfoNCELoss(temperature=0.3)(ONE, TWO), fn.cross_entropy(logits / 0.3, own))
    both = [fn.cross_entropy(x * torch.tensor(1 / 0.07).log().exp().double(), own) for x in (logits, logits.T)]
    total, terms = faces.CLIPLoss()(ONE, TWO, return_terms=True)
    close(total, (both[0] + both[1]) / 2, rtol=1e-6)
    close(terms["first_to_second"], both[0], rtol=1e-6)
    close(terms["second_to_first"], both[1], rtol=1e-6)


@pytest.mark.parametrize("in_batch", [True, False])
def test_negatives_for_all_are_negatives_of_each(in_batch):
    queue = torch.cos(PLACES[:5]).requires_grad_()
    face = faces.InfoNCELoss(in_batch=in_batch)
    shared = face(ONE, TWO, queue)
    close(shared, face(ONE, TWO, queue.expand(6, 5, 4)))
    columns = [cosines(ONE, TWO)] if in_batch else [cosines(ONE, TWO).diagonal().unsqueeze(1)]
    logits = torch.cat([*columns, cosines(ONE, queue)], 1) / 0.1
    want = fn.cross_entropy(logits, torch.arange(6) if in_batch else torch.zeros(6, dtype=torch.long))
    close(shared, want)
    close(slopes(shared, queue)[0], slopes(want, queue)[0], rtol=1e-10)


def test_a_mask_of_the_samples_leaves_shared_negatives_alone():
    keep, queue = torch.tensor([True, False, True, True, False, True]), torch.cos(PLACES[:5])
    broken = torch.where(keep.unsqueeze(1), ONE, torch.nan)
    face = faces.InfoNCELoss()
    close(face(broken, TWO, queue, mask=keep), face(ONE[keep], TWO[keep], queue))


def test_no_negative_at_all_is_refused_and_an_empty_queue_costs_nothing():
    with pytest.raises(SettingError, match="in_batch=False leaves only `negatives`"):
        faces.InfoNCELoss(in_batch=False)(ONE, TWO)
    assert faces.InfoNCELoss(in_batch=False)(ONE, TWO, ONE[:0]) == 0
    close(faces.InfoNCELoss()(ONE, TWO, ONE[:0]), faces.InfoNCELoss()(ONE, TWO))


def test_negatives_of_another_width_are_refused():
    with pytest.raises(ShapeError, match="negatives"):
        faces.InfoNCELoss()(ONE, TWO, torch.ones(5, 3, dtype=torch.float64))


@pytest.mark.parametrize(
    ("face", "start"),
    [(faces.CLIPLoss, {"log_scale": log(1 / 0.07)}), (faces.SigLIPLoss, {"log_scale": log(10.0), "bias": -10.0})],
)
def test_what_is_learned_is_a_parameter_that_starts_as_the_paper_says(face, start):
    criterion = face()
    assert {name: float(p.detach()) for name, p in criterion.named_parameters()} == pytest.approx(start, rel=1e-6)
    assert list(criterion.state_dict()) == list(start)
    before = criterion(ONE, TWO)
    optimizer = torch.optim.SGD(criterion.parameters(), lr=0.01)
    before.backward()
    optimizer.step()
    assert criterion(ONE, TWO) < before
    fresh = face(**dict.fromkeys(start, 1.0))
    fresh.load_state_dict(criterion.state_dict())
    close(fresh(ONE, TWO), criterion(ONE, TWO))


def test_a_learned_scale_is_no_leaf_of_the_tensor_it_started_from():
    start = torch.tensor(1.0)
    faces.CLIPLoss(log_scale=start).log_scale.data.fill_(3.0)
    assert start == 1.0


@pytest.mark.parametrize("make", [faces.CLIPLoss, faces.SigLIPLoss])
def test_the_gradient_of_what_is_learned_is_that_of_a_difference(make):
    criterion, step = make().double(), 1e-6
    grads = slopes(criterion(ONE, TWO), *criterion.parameters())
    for parameter, grad in zip(criterion.parameters(), grads, strict=True):
        ends = []
        for move in (step, -2 * step):
            with torch.no_grad():
                parameter += move
            ends.append(criterion(ONE, TWO).detach())
        with torch.no_grad():
            parameter += step
        close(grad, (ends[0] - ends[1]) / (2 * step), rtol=1e-6)


def test_the_scale_of_clip_ends_at_a_hundred_and_finds_back():
    at, beyond = faces.CLIPLoss(log_scale=log(100.0)).double(), faces.CLIPLoss(log_scale=7.0).double()
    close(beyond(ONE, TWO), at(ONE, TWO), rtol=1e-5)
    assert slopes(beyond(ONE, TWO.flip(0)), beyond.log_scale)[0] > 1.0


def test_sig_lip_divides_by_the_batch_and_not_by_its_pairs():
    criterion = faces.SigLIPLoss(log_scale=1.0, bias=-2.0)
    logits = cosines(ONE, TWO) * torch.tensor(1.0).exp().double() - 2.0
    signs = 2.0 * torch.eye(6, dtype=torch.float64) - 1.0
    want = -fn.logsigmoid(signs * logits).sum() / 6
    close(criterion(ONE, TWO), want, rtol=1e-6)
    total, terms = criterion(ONE, TWO, return_terms=True)
    close(terms["positive"] + terms["negative"], total)


def test_anchors_without_another_of_their_class_are_told_from_and_not_counted():
    values = faces.SupConLoss(reduction="none")(ONE, LABELS)
    assert values[3] == 0
    close(faces.SupConLoss()(ONE, LABELS), values.sum() / 5)
    assert abs(faces.SupConLoss()(ONE, LABELS) - faces.SupConLoss()(ONE[LABELS != 2], LABELS[LABELS != 2])) > 1e-3
    alone = ONE.clone().requires_grad_()
    total = faces.SupConLoss()(alone, torch.arange(6))
    assert total == 0
    assert not slopes(total, alone)[0].any()


def test_views_are_embeddings_of_the_class_of_their_sample():
    views = torch.stack([ONE, TWO], 1)
    values = faces.SupConLoss(reduction="none")(views, LABELS)
    assert values.shape == (6, 2)
    flat = torch.cat([ONE, TWO]), LABELS.repeat(2)
    close(values.T.flatten(), faces.SupConLoss(reduction="none")(*flat))
    close(faces.SupConLoss()(views, LABELS), faces.SupConLoss()(*flat))
    keep = torch.rand(6, 2, generator=torch.Generator().manual_seed(0)) < 0.7
    kept = keep.T.flatten()
    close(faces.SupConLoss()(views, LABELS, mask=keep), faces.SupConLoss()(flat[0][kept], flat[1][kept]))
    total, terms = faces.SupConLoss()(views, LABELS, return_terms=True)
    assert terms == {}
    close(total, faces.SupConLoss()(views, LABELS))


def test_with_labels_of_their_own_two_views_are_nt_xent():
    views = torch.stack([ONE, TWO], 1)
    close(faces.SupConLoss(temperature=0.5)(views, torch.arange(6)), faces.NTXentLoss()(ONE, TWO))


@pytest.mark.parametrize(
    ("target", "given", "says"),
    [
        (LABELS[:5], {}, "one label for each sample"),
        (LABELS.repeat(2).reshape(6, 2), {}, "one label for each sample"),
        (LABELS, {"mask": torch.ones(12, dtype=torch.bool)}, "mask must have the shape of the values"),
        (LABELS, {"weight": torch.ones(2)}, "weight must have the shape of the values"),
    ],
)
def test_shapes_that_do_not_fit_the_views_are_refused(target, given, says):
    with pytest.raises(ShapeError, match=says):
        faces.SupConLoss()(torch.stack([ONE, TWO], 1), target, **given)


@pytest.mark.parametrize(
    "make", [faces.NTXentLoss, faces.InfoNCELoss, faces.CLIPLoss, faces.BarlowTwinsLoss, faces.SigLIPLoss]
)
def test_lengths_of_any_size_cost_the_same(make):
    far = torch.tensor([1.0, 1e150, 1e-150, 1e-3, 1e3, 1e200], dtype=torch.float64).unsqueeze(1)
    if make is faces.BarlowTwinsLoss:  # which has no length of a sample, but one of a dimension
        far = torch.tensor([1.0, 1e150, 1e-150, 1e3], dtype=torch.float64)
    close(make()(far * ONE, TWO / far), make()(ONE, TWO), rtol=1e-11)


def test_one_sample_has_nothing_to_be_told_from():
    for make in (faces.NTXentLoss, faces.InfoNCELoss, faces.CLIPLoss, faces.BarlowTwinsLoss):
        single = ONE[:1].clone().requires_grad_()
        total = make()(single, TWO[:1])
        assert total == 0
        assert not slopes(total, single)[0].any()


def test_a_collapsed_batch_has_a_finite_gradient():
    for face in (faces.VICRegLoss(), faces.VICRegLoss(eps=0.0), faces.BarlowTwinsLoss()):
        same = torch.full((5, 3), 0.1, dtype=torch.float64, requires_grad=True)
        total = face(same, same.detach())
        assert slopes(total, same)[0].isfinite().all()
    close(faces.VICRegLoss(eps=0.0)(same.detach(), same.detach()), number(50.0))


def test_the_target_of_byol_gets_no_gradient_and_a_symmetric_sum_trains_both():
    online, target = ONE.clone().requires_grad_(), TWO.clone().requires_grad_()
    total = faces.BYOLLoss()(online, target)
    grads = torch.autograd.grad(total, (online, target), allow_unused=True)
    assert grads[0].any()
    assert grads[1] is None or not grads[1].any()


def test_byol_keeps_its_digits_where_two_minus_two_cosines_has_none():
    near = ONE + 1e-9 * TWO
    naive = (2.0 - 2.0 * fn.cosine_similarity(near, ONE)).mean()
    got = faces.BYOLLoss()(near, ONE)
    across = 1e-9 * (TWO - (TWO * ONE).sum(1, keepdim=True) / ONE.square().sum(1, keepdim=True) * ONE)
    want = (across.square().sum(1) / ONE.square().sum(1)).mean()
    close(got, want, rtol=1e-6)
    assert abs(naive - want) > 0.1 * want


def test_a_face_with_parameters_is_part_of_the_model_that_holds_it():
    model = nn.ModuleDict({"net": nn.Linear(4, 4), "criterion": faces.SigLIPLoss()})
    assert {"criterion.log_scale", "criterion.bias"} <= set(dict(model.named_parameters()))
