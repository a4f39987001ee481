"""Weights drawn anew in each step (Lin et al. 2021, https://arxiv.org/abs/2111.10603).

    normal      softmax z,   z_k drawn from N(0, 1)
    dirichlet   e / sum e,   e_k drawn from Exp(1): even over all weights that sum to 1

Both sum to 1 and are 1 / K on average, so that the step is that of equal weights on average.
"""

from typing import Literal

from lossmith.ops import A, Ops

Distribution = Literal["normal", "dirichlet"]


def random_weights(ops: Ops[A], draws: A, distribution: Distribution) -> A:
    """The weights from one draw for each task: normal ones, or exponential ones for "dirichlet"."""
    if distribution == "normal":
        draws = ops.exp(draws - ops.max(draws, axis=-1, keepdims=True))
    return draws / ops.sum(draws, axis=-1, keepdims=True)
