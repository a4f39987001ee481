"""The losses of a GAN's two players; the mathematics is in `lossmith.formulas.adversarial` and `lossmith.sides`."""

from typing import Any, NoReturn, final

import torch
from torch import Tensor, nn

from lossmith import formulas
from lossmith.errors import SettingError, message
from lossmith.ops.torch import under_autocast
from lossmith.reduction import Reduction
from lossmith.sides import Mode, Scores, Sides
from lossmith.torch.loss import Total, require_tensors

CALLED = message(
    "GANLoss is two losses, and is not called itself",
    fix="loss.discriminator(real=..., fake=...) or loss.generator(fake=...)",
)


@final
class GANLoss(nn.Module):
    """The losses of a discriminator and of a generator, from the scores that the discriminator gives.

    Scores are of any shape and unbounded: no sigmoid before. Real and generated batches may differ in length: each
    side is reduced by itself, and the two are added.

    mode             vanilla: the generator minimises log(1 - D), as in the minimax game
                     non_saturating: it minimises -log D; the discriminator's loss is the same
                     least_squares, with the halves of the paper; wasserstein; hinge
                     relativistic: each real score against one generated score, pair by pair
                     relativistic_average: each score against the mean of the other side
    real_label       what the discriminator should say of real samples: 0.9 smooths one side
    fake_label       what it should say of generated ones
    generator_label  what the generator wants it to say; (-1, 1, 0) are the other labels of the least-squares paper
    reduction        as in `MSELoss`, for each side; "none" adds values of one shape

    Wasserstein and hinge have no labels. The Wasserstein critic needs `gradient_penalty` or another bound. In the
    discriminator's step give `fake=discriminator(generated.detach())`.

    >>> loss = GANLoss(mode="hinge")
    >>> loss.discriminator(real=torch.tensor([2.0, 0.5]), fake=torch.tensor([-1.0, 0.0]))
    tensor(0.7500)
    >>> loss.generator(fake=torch.tensor([-1.0, 0.0]))
    tensor(0.5000)
    """

    made_of = (formulas.gan_discriminator, formulas.gan_generator, formulas.gan_relativistic)

    def __init__(
        self,
        mode: Mode = "non_saturating",
        *,
        real_label: float = 1.0,
        fake_label: float = 0.0,
        generator_label: float = 1.0,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__()
        self.mode: Mode = mode
        self.reduction: Reduction = reduction
        self.real_label, self.fake_label, self.generator_label = real_label, fake_label, generator_label
        self._sides()

    def discriminator(
        self,
        *,
        real: Tensor,
        fake: Tensor,
        real_weight: Tensor | float | None = None,
        fake_weight: Tensor | float | None = None,
        real_mask: Tensor | None = None,
        fake_mask: Tensor | None = None,
        denominator: Tensor | float | None = None,
        return_terms: bool = False,
    ) -> Total:
        """What the discriminator minimises.

        weight, mask  as in `MSELoss`, for the scores of one side; a relativistic pair counts where both do
        denominator   replaces the divisor of each side
        return_terms  (total, {"real": ..., "fake": ...}), or {"pairs": ...} for relativistic
        """
        sides = _scores("real", real, real_weight, real_mask), _scores("fake", fake, fake_weight, fake_mask)
        return _given(real, self._sides().discriminator(*sides, denominator), return_terms)

    def generator(
        self,
        *,
        fake: Tensor,
        real: Tensor | None = None,
        fake_weight: Tensor | float | None = None,
        real_weight: Tensor | float | None = None,
        fake_mask: Tensor | None = None,
        real_mask: Tensor | None = None,
        denominator: Tensor | float | None = None,
        return_terms: bool = False,
    ) -> Total:
        """What the generator minimises. The relativistic modes need `real` as well, the others refuse it."""
        other = None if real is None else _scores("real", real, real_weight, real_mask)
        made = self._sides().generator(_scores("fake", fake, fake_weight, fake_mask), other, denominator)
        return _given(fake, made, return_terms)

    def forward(self, *_: Any, **__: Any) -> NoReturn:
        raise SettingError(CALLED)

    def extra_repr(self) -> str:
        labels = f"real_label={self.real_label}, fake_label={self.fake_label}, generator_label={self.generator_label}"
        return f"mode={self.mode!r}, {labels}, reduction={self.reduction!r}"

    def _sides(self) -> Sides:
        return Sides("GANLoss", self.mode, self.real_label, self.fake_label, self.generator_label, self.reduction)


def _scores(name: str, values: Tensor, weight: Any, mask: Any) -> Scores[Tensor]:
    require_tensors("GANLoss", (name,), (values,))
    return Scores(name, values, weight, None if mask is None else torch.as_tensor(mask, device=values.device))


def _given(like: Tensor, made: tuple[Tensor, dict[str, Tensor]], return_terms: bool) -> Total:
    """The total, and the terms if asked for, in the dtype of the scores; under autocast they stay float32."""
    total, terms = made
    if not under_autocast(like.device.type):
        total, terms = total.to(like.dtype), {name: term.to(like.dtype) for name, term in terms.items()}
    return (total, terms) if return_terms else total
