"""What only metric losses do: margins beyond pi, mining, terms, logits; loops are the judge of matrices."""

import copy
from itertools import pairwise, product
from math import cos, pi, sin

import pytest
import torch

from lossmith.errors import SettingError
from lossmith.torch import (
    ArcFaceLoss,
    BatchSimilarityLoss,
    CosFaceLoss,
    CrossEntropyLoss,
    ProxyNCALoss,
    SphereFaceLoss,
    TripletMarginLoss,
)

HEADS = (ArcFaceLoss, CosFaceLoss, SphereFaceLoss, ProxyNCALoss)
LABELS = torch.tensor([0, 1, 0, 2, 1, 0, 1, 0])


def points(n=8, d=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, d, generator=generator, dtype=torch.float64).requires_grad_()


def at_angle(angle, margin):
    """The ArcFace loss of an embedding at an angle to the vector of its class; the other vector is across the plane."""
    head = ArcFaceLoss(2, 3, margin=margin, scale=8.0).double()
    head.load_state_dict({"weight": torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])})
    embedding = torch.tensor([[cos(angle), sin(angle), 0.0]], dtype=torch.float64, requires_grad=True)
    value = head(embedding, torch.tensor([0]))
    value.backward()
    return float(value.detach()), embedding.grad


@pytest.mark.parametrize("margin", [0.2, 0.5, 1.5])
def test_arcface_rises_with_the_angle_past_the_wrap_around_too(margin):
    values = [at_angle(step * pi / 60, margin)[0] for step in range(61)]
    assert all(later > earlier for earlier, later in pairwise(values))


def test_the_cosine_of_a_margin_alone_would_fall_there():
    """The sibling that fails: cos(angle + margin) as it stands turns back at pi."""
    values = [-8.0 * cos(step * pi / 60 + 0.5) for step in range(61)]
    assert not all(later > earlier for earlier, later in pairwise(values))


@pytest.mark.parametrize("angle", [0.0, pi])
def test_the_gradient_of_arcface_is_finite_at_cosines_of_one(angle):
    value, grad = at_angle(angle, 0.5)
    assert value == value
    assert torch.isfinite(grad).all()


@pytest.mark.parametrize("head", HEADS)
def test_a_head_has_a_weight_that_is_saved_and_logits_whose_largest_is_the_nearest_class(head):
    one = head(6, 5)
    assert set(one.state_dict()) == {"weight"}
    assert tuple(one.weight.shape) == (6, 5)
    other = head(6, 5)
    assert not torch.equal(one.weight, other.weight)
    other.load_state_dict(copy.deepcopy(one.state_dict()))
    x = points().detach().float()
    assert torch.equal(one.logits(x), other.logits(x))
    cosines = torch.nn.functional.normalize(x, dim=1) @ torch.nn.functional.normalize(one.weight, dim=1).T
    assert torch.equal(one.logits(x).argmax(1), cosines.argmax(1))
    one(x, LABELS).backward()
    assert torch.isfinite(one.weight.grad).all()
    with pytest.raises(SettingError, match="num_classes"):
        head(0, 5)


def triplets(x, labels):
    """Every (distance to a positive, distance to a negative), by anchor."""
    apart = [[(x[i] - x[j]).square().sum().sqrt() for j in range(len(x))] for i in range(len(x))]
    for a in range(len(x)):
        positive = [apart[a][p] for p in range(len(x)) if p != a and labels[p] == labels[a]]
        negative = [apart[a][n] for n in range(len(x)) if labels[n] != labels[a]]
        yield positive, negative


def by_loops(x, labels, mining, margin):
    costs = []
    for positive, negative in triplets(x, labels):
        if not positive or not negative:
            continue
        if mining == "batch_hard":
            costs.append(margin + max(positive) - min(negative))
        elif mining == "batch_all":
            costs += [c for p, n in product(positive, negative) if (c := margin + p - n) > 0]
        else:
            for p in positive:
                farther = [n for n in negative if n > p]
                costs.append(margin + p - (min(farther) if farther else max(negative)))
    return torch.stack(costs).clamp(min=0)


@pytest.mark.parametrize("mining", ["batch_all", "batch_hard", "semi_hard"])
@pytest.mark.parametrize("margin", [0.2, 2.0])
def test_mined_triplets_are_those_of_the_loops(mining, margin):
    x = points()
    got, terms = TripletMarginLoss(mining=mining, margin=margin)(x, LABELS, return_terms=True)
    want = by_loops(x, LABELS, mining, margin)
    torch.testing.assert_close(got, want.mean(), rtol=1e-12, atol=1e-12)
    assert int(terms["active"]) == int((want > 0).sum())
    ours, theirs = (torch.autograd.grad(total, x)[0] for total in (got, want.mean()))
    torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("mining", ["batch_all", "batch_hard", "semi_hard"])
@pytest.mark.parametrize("labels", [[0, 0, 0], [0, 1, 2], [7, 7, 7]], ids=["one class", "no positive", "another"])
def test_a_batch_without_triplets_costs_nothing(mining, labels):
    x = points(3)
    total, terms = TripletMarginLoss(mining=mining)(x, torch.tensor(labels), return_terms=True)
    assert float(total.detach()) == 0
    assert int(terms["active"]) == 0
    (grad,) = torch.autograd.grad(total, x)
    assert not grad.any()


def test_mining_says_what_it_takes():
    with pytest.raises(SettingError, match="without swap"):
        TripletMarginLoss(mining="batch_all", swap=True)
    with pytest.raises(SettingError, match="anchor, positive, negative"):
        TripletMarginLoss()(points(), LABELS)


def test_batch_similarity_is_the_n_by_n_form():
    x = points()
    logits = points(8, 3, seed=1)
    got, terms = BatchSimilarityLoss(strength=0.7)(logits, x, LABELS, return_terms=True)
    unit = torch.nn.functional.normalize(x, dim=1)
    same = (LABELS[:, None] == LABELS).double()
    apart = (unit @ unit.T - same).square() * (1 - torch.eye(8, dtype=torch.float64))
    want = apart.sum() / (8 * 7)
    torch.testing.assert_close(terms["similarity"], want, rtol=1e-12, atol=0)
    torch.testing.assert_close(got, CrossEntropyLoss()(logits, LABELS) + 0.7 * want, rtol=1e-12, atol=0)
    ours, theirs = (torch.autograd.grad(total, x)[0] for total in (got, 0.7 * want))
    torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-14)


def test_batch_similarity_makes_no_array_of_n_by_n():
    from torch.utils._python_dispatch import TorchDispatchMode

    class Largest(TorchDispatchMode):
        size = 0

        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            result = function(*args, **(kwargs or {}))
            if isinstance(result, torch.Tensor):
                self.size = max(self.size, result.numel())
            return result

    n = 512
    with Largest() as seen:
        labels = torch.arange(n) % 3
        BatchSimilarityLoss()(torch.randn(n, 3), torch.randn(n, 5, requires_grad=True), labels).backward()
    assert 0 < seen.size < n * n // 8
