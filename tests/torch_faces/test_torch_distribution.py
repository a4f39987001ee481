"""What the faces between distributions do beyond what every face does."""

from math import log

import pytest
import torch
from torch.nn import functional as F
from torch_cases.data import C, N, close, labels, normal

import lossmith.torch as faces
from lossmith.errors import SettingError

G = torch.Generator().manual_seed(7)
X, Z, Y = normal(G, N, C), normal(G, N, C), labels(G, N)
P, T = X.softmax(1), Z.softmax(1)
FORMS = {"logit": X, "log_prob": X.log_softmax(1), "prob": P}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("log_target", [False, True])
def test_logits_log_probabilities_and_probabilities_give_one_divergence(form, log_target):
    target = T.log() if log_target else T
    settings = {"input_is": form, "log_target": log_target}
    close(faces.KLDivLoss(**settings)(FORMS[form], target), F.kl_div(P.log(), T, reduction="batchmean"))
    reverse = F.kl_div(T.log(), P, reduction="batchmean")
    close(faces.KLDivLoss(**settings, reverse=True)(FORMS[form], target), reverse)
    mixed = (P + T) / 2
    each = [F.kl_div(mixed.log(), rows, reduction="batchmean") / 2 for rows in (P, T)]
    close(faces.JensenShannonLoss(**settings)(FORMS[form], target), each[0] + each[1])


def test_the_divergences_know_equal_and_disjoint_distributions():
    rows = torch.tensor([[1.0, 0.0], [0.5, 0.5]])
    for face in (faces.KLDivLoss(input_is="prob"), faces.KLDivLoss(input_is="prob", reverse=True)):
        assert face(rows, rows) == 0
        assert face(rows[:1], rows[:1].flip(1)) == torch.inf
    js = faces.JensenShannonLoss(input_is="prob")
    assert js(rows, rows) == 0
    assert js(rows[:1], rows[:1].flip(1)) == torch.tensor(log(2.0))


def test_jensen_shannon_is_symmetric_and_keeps_a_difference_of_rounding_size():
    js = faces.JensenShannonLoss(input_is="prob", reduction="none")
    close(js(P, T), js(T, P))
    p, t = torch.tensor([[0.5, 0.5]]), torch.tensor([[0.5 + 2**-20, 0.5 - 2**-20]])
    torch.testing.assert_close(js(p, t), torch.tensor([2.0**-41]), rtol=1e-6, atol=0.0)


def test_distillation_is_its_two_terms_as_hinton_writes_them():
    t, alpha = 3.0, 0.3
    soft = t * t * F.kl_div(F.log_softmax(X / t, 1), F.softmax(Z / t, 1), reduction="batchmean")
    hard = F.cross_entropy(X, Y)
    total, terms = faces.DistillationLoss(temperature=t, alpha=alpha)(X, Z, Y, return_terms=True)
    close(total, (1 - alpha) * soft + alpha * hard)
    close(terms["soft"], (1 - alpha) * soft)
    close(terms["hard"], alpha * hard)


def test_the_teacher_gets_no_gradient_and_the_student_one_that_the_temperature_does_not_shrink():
    student, teacher = X.clone().requires_grad_(), Z.clone().requires_grad_()
    faces.DistillationLoss()(student, teacher, Y).backward()
    assert teacher.grad is None
    sizes = []
    for t in (100.0, 1000.0):
        student.grad = None
        faces.DistillationLoss(temperature=t, alpha=0.0)(student, teacher).backward()
        sizes.append(student.grad.norm())
    torch.testing.assert_close(*sizes, rtol=0.05, atol=0.0)


def test_a_target_may_be_left_out_only_without_a_hard_term():
    close(faces.DistillationLoss(alpha=0.0)(X, Z), faces.DistillationLoss(alpha=0.0)(X, Z, Y))
    images = [torch.stack([array, array], 2) for array in (X, Z)]
    close(faces.DistillationLoss(alpha=0.0)(*images), faces.DistillationLoss(alpha=0.0)(X, Z))
    with pytest.raises(SettingError, match="the hard term needs a target"):
        faces.DistillationLoss()(X, Z)


def test_a_student_that_agrees_costs_nothing_but_its_labels():
    assert faces.DistillationLoss(alpha=0.0)(X, X.clone()) == 0
