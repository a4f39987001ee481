"""The losses of a GAN's two players; the mathematics is in `lossmith.formulas.adversarial` and `lossmith.sides`."""

from typing import Any, NoReturn, final

import keras

from lossmith import formulas
from lossmith.errors import SettingError, message
from lossmith.keras.align import Array
from lossmith.reduction import Reduction
from lossmith.sides import Mode, Scores, Sides

CALLED = message(
    "GAN is two losses, and is not called itself",
    why="keras calls a loss with y_true and y_pred, which says nothing of the side",
    fix="loss.discriminator(real=..., fake=...) or loss.generator(fake=...), in the train_step of the model",
)


@final
@keras.saving.register_keras_serializable(package="lossmith")
class GAN:
    """The losses of a discriminator and of a generator, from unbounded scores of any shape: no sigmoid before.

    For the `train_step` or the training loop of a GAN: keras's own loop knows one loss and one target. Each side is
    reduced by itself, and the two are added; batches may differ in length. Keras has none.

    mode             vanilla, non_saturating, least_squares, wasserstein, hinge, relativistic (pair by pair),
                     relativistic_average
    real_label, fake_label   what the discriminator should say: real_label=0.9 smooths one side
    generator_label  what the generator wants it to say
    reduction        mean, sum, weighted_mean or none; "none" adds values of one shape

    >>> loss = GAN(mode="hinge")
    >>> float(loss.discriminator(real=[2.0, 0.5], fake=[-1.0, 0.0]))
    0.75
    >>> float(loss.generator(fake=[-1.0, 0.0]))
    0.5
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
        self._sides = Sides("GAN", mode, real_label, fake_label, generator_label, reduction)

    def discriminator(
        self,
        *,
        real: Array,
        fake: Array,
        real_weight: Array | None = None,
        fake_weight: Array | None = None,
        real_mask: Array | None = None,
        fake_mask: Array | None = None,
        return_terms: bool = False,
    ) -> Any:
        """What the discriminator minimises; with `return_terms` also {"real": ..., "fake": ...}.

        weight, mask  for the scores of one side, of their shape or its leading part; a masked score is removed
        """
        sides = _scores("real", real, real_weight, real_mask), _scores("fake", fake, fake_weight, fake_mask)
        total, terms = self._sides.discriminator(*sides)
        return (total, terms) if return_terms else total

    def generator(
        self,
        *,
        fake: Array,
        real: Array | None = None,
        fake_weight: Array | None = None,
        real_weight: Array | None = None,
        fake_mask: Array | None = None,
        real_mask: Array | None = None,
        return_terms: bool = False,
    ) -> Any:
        """What the generator minimises. The relativistic modes need `real` as well, the others refuse it."""
        other = None if real is None else _scores("real", real, real_weight, real_mask)
        total, terms = self._sides.generator(_scores("fake", fake, fake_weight, fake_mask), other)
        return (total, terms) if return_terms else total

    def __call__(self, *_: Any, **__: Any) -> NoReturn:
        raise SettingError(CALLED)

    def __repr__(self) -> str:
        return f"GAN({', '.join(f'{name}={value!r}' for name, value in self.get_config().items())})"

    def get_config(self) -> dict[str, Any]:
        """Every setting."""
        return {name: value for name, value in vars(self._sides).items() if name != "caller"}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "GAN":
        return cls(**config)


def _scores(name: str, values: Array, weight: Array | None, mask: Array | None) -> Scores[Any]:
    given = [None if x is None else _tensor(x) for x in (values, weight, mask)]
    return Scores(name, *given)


def _tensor(x: Array) -> Array:
    return x if isinstance(x, keras.KerasTensor) else keras.ops.convert_to_tensor(x)
