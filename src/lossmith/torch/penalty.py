"""Penalties on the gradient of a critic by its input; the mathematics is in `lossmith.formulas.penalty`.

The critic is called here, on samples that are cut off from the generator; with `create_graph` the penalty has
a gradient by the critic's parameters. A score may have any shape: its entries of one sample are added up. The gradient
of a sample must depend on that sample alone, so that batch normalisation has no place in such a critic.
"""

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor

from lossmith import formulas
from lossmith.errors import DtypeError, ShapeError, message
from lossmith.spec import Formula
from lossmith.torch.loss import require_tensors

Critic = Callable[[Tensor], Tensor]
Reduction = Literal["none", "sum", "mean"]


def gradient_penalty(
    critic: Critic,
    real: Tensor,
    fake: Tensor,
    *,
    generator: torch.Generator | None = None,
    norm: float = 1.0,
    one_sided: bool = False,
    reduction: Reduction = "mean",
    create_graph: bool = True,
) -> Tensor:
    """The penalty of WGAN-GP, (|g| - norm)^2, at one point between each real and each generated sample.

    The norm is over all axes of a sample but the batch. Where the gradient is 0, that of the penalty is 0 too, where
    the usual `slopes.norm(2)` may give NaN. The paper's factor is 10.

    generator     makes the interpolation repeatable; it must be of the device of `real`
    one_sided     a norm below `norm` costs nothing
    create_graph  False where the penalty is only looked at

    >>> critic = torch.nn.Linear(2, 1)
    >>> _ = torch.nn.init.constant_(critic.weight, 2.0)
    >>> gradient_penalty(critic, torch.zeros(4, 2), torch.ones(4, 2), create_graph=False)
    tensor(3.3431)
    """
    require_tensors("gradient_penalty", ("real", "fake"), (real, fake))
    if real.shape != fake.shape:
        given = {"real": tuple(real.shape), "fake": tuple(fake.shape)}
        raise ShapeError(message("gradient_penalty: real and fake must have one shape", given))
    ends = real.detach(), fake.detach()
    share = torch.rand(real.shape[:1], generator=generator, device=real.device, dtype=real.dtype)
    between = torch.lerp(ends[1], ends[0], share.reshape(-1, *[1] * (real.ndim - 1)))
    slopes = _slopes("gradient_penalty", critic, "real", between, create_graph)
    return _total(formulas.gradient_penalty, slopes, reduction, norm=norm, one_sided=one_sided)


def r1_penalty(critic: Critic, real: Tensor, *, reduction: Reduction = "mean", create_graph: bool = True) -> Tensor:
    """Half the squared norm of the critic's gradient at real samples; its factor is the paper's gamma.

    >>> critic = torch.nn.Linear(2, 1)
    >>> _ = torch.nn.init.constant_(critic.weight, 2.0)
    >>> r1_penalty(critic, torch.zeros(4, 2), create_graph=False)
    tensor(4.)
    """
    return _total(formulas.zero_centred_penalty, _slopes("r1_penalty", critic, "real", real, create_graph), reduction)


def r2_penalty(critic: Critic, fake: Tensor, *, reduction: Reduction = "mean", create_graph: bool = True) -> Tensor:
    """`r1_penalty` at generated samples.

    >>> critic = torch.nn.Linear(2, 1)
    >>> _ = torch.nn.init.constant_(critic.weight, 2.0)
    >>> r2_penalty(critic, torch.zeros(4, 2), create_graph=False)
    tensor(4.)
    """
    return _total(formulas.zero_centred_penalty, _slopes("r2_penalty", critic, "fake", fake, create_graph), reduction)


def _slopes(caller: str, critic: Critic, name: str, samples: Tensor, create_graph: bool) -> Tensor:
    """The gradient of each sample's score by that sample, (N, D)."""
    require_tensors(caller, (name,), (samples,))
    if not samples.is_floating_point():
        raise DtypeError(message(f"{caller}: {name} must be floating-point numbers", {name: samples.dtype}))
    if not samples.ndim:
        raise ShapeError(message(f"{caller}: {name} must be a batch of samples", {name: tuple(samples.shape)}))
    with torch.enable_grad():
        samples = samples.detach().requires_grad_()
        scores = critic(samples)
        require_tensors(caller, ("the score",), (scores,))
        if scores.shape[:1] != samples.shape[:1]:
            given = {name: tuple(samples.shape), "score": tuple(scores.shape)}
            why = "a mean over the batch would divide the gradient of each sample"
            raise ShapeError(message(f"{caller}: the critic must give scores for each sample", given, why=why))
        if not scores.requires_grad:
            return _rows(torch.zeros_like(samples))
        (slopes,) = torch.autograd.grad(scores.sum(), samples, create_graph=create_graph, materialize_grads=True)
    return _rows(slopes)


def _rows(slopes: Tensor) -> Tensor:
    """All axes of a sample as one."""
    return slopes.flatten(1) if slopes.ndim > 1 else slopes.unsqueeze(1)


def _total(formula: Formula, slopes: Tensor, reduction: Reduction, **settings: Any) -> Tensor:
    return formula.total(slopes, reduction=reduction, **settings)
