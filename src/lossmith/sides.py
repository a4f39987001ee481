"""The two players of a GAN, for the arrays of any framework: which formula each pays, with which label and sign.

discriminator   mean gan_discriminator(real, real_label) + mean gan_discriminator(fake, fake_label)
generator       mean gan_generator(fake, generator_label)

relativistic    discriminator   mean gan_relativistic(real, fake, real_label), pair by pair
                generator       mean gan_relativistic(fake, real, generator_label)
relativistic_average, over r real and f generated scores
    discriminator   mean gan_relativistic(r, mean f, real_label) + mean gan_relativistic(f, mean r, fake_label)
    generator       mean gan_relativistic(f, mean r, l) + mean gan_relativistic(r, mean f, 1 - l),  l its label
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, Literal

from lossmith import formulas
from lossmith.criterion import evaluate, summarise
from lossmith.errors import SettingError, ShapeError, message
from lossmith.formulas.adversarial import LabelKind, require_label
from lossmith.ops import A, common_reader
from lossmith.reduction import Reduction, reduce
from lossmith.settings import require_word
from lossmith.spec import Formula

Mode = Literal[
    "vanilla", "non_saturating", "least_squares", "wasserstein", "hinge", "relativistic", "relativistic_average"
]
PLAIN = {"real_label": 1.0, "fake_label": 0.0, "generator_label": 1.0}
SMOOTHED: LabelKind = "probability"
# What the labels of each mode may be; a label that is not named keeps its plain value.
LABELS: Mapping[str, Mapping[str, LabelKind]] = {
    "vanilla": {"real_label": SMOOTHED, "fake_label": SMOOTHED},
    "non_saturating": dict.fromkeys(PLAIN, SMOOTHED),
    "least_squares": dict.fromkeys(PLAIN, "number"),
    "wasserstein": {},
    "hinge": {},
    "relativistic": {"real_label": SMOOTHED, "generator_label": SMOOTHED},
    "relativistic_average": dict.fromkeys(PLAIN, SMOOTHED),
}


@dataclass(frozen=True)
class Scores(Generic[A]):
    """The scores of one side, `real` or `fake`, with what belongs to them."""

    name: str
    values: A
    weight: Any = None
    mask: Any = None


@dataclass(frozen=True)
class Sides:
    """A mode with its labels and its reduction. `caller` is named in errors."""

    caller: str
    mode: Mode = "non_saturating"
    real_label: float = 1.0
    fake_label: float = 0.0
    generator_label: float = 1.0
    reduction: Reduction = "mean"

    def __post_init__(self) -> None:
        require_word(self.caller, "mode", self.mode, Mode)
        require_word(self.caller, "reduction", self.reduction, Reduction)
        for name, plain in PLAIN.items():
            if getattr(self, name) != plain:
                kind: LabelKind = LABELS[self.mode].get(name, "none")
                require_label(self.caller, self.mode, name, getattr(self, name), kind)
        for name in ("real_label", "generator_label"):
            if not getattr(self, name) > self.fake_label:
                given = {name: getattr(self, name), "fake_label": self.fake_label}
                raise SettingError(message(f"{self.caller}: {name} must be above fake_label", given))

    def discriminator(self, real: Scores[A], fake: Scores[A], denominator: Any = None) -> tuple[A, dict[str, A]]:
        """The total, and what each side contributes to it."""
        if self.relative:
            return self._relative(real, self.real_label, fake, self.fake_label, denominator)
        paid = formulas.gan_discriminator
        return self._added(
            {
                "real": self._total(paid, real, (self.real_label,), denominator, mode=self.mode),
                "fake": self._total(paid, fake, (self.fake_label,), denominator, mode=self.mode),
            }
        )

    def generator(
        self, fake: Scores[A], real: Scores[A] | None = None, denominator: Any = None
    ) -> tuple[A, dict[str, A]]:
        """The total, and what each side contributes to it. The relativistic modes need `real`, the others refuse it."""
        label = self.generator_label
        if self.relative != (real is not None):
            wanted = "needs the real scores too" if self.relative else "takes no real scores"
            fix = f"generator(fake=...{', real=...' if self.relative else ''})"
            raise SettingError(message(f"{self.caller}: the generator of {self.mode!r} {wanted}", fix=fix))
        if real is not None:
            return self._relative(fake, label, real, 1.0 - label, denominator)
        return self._added(
            {"fake": self._total(formulas.gan_generator, fake, (), denominator, mode=self.mode, label=label)}
        )

    @property
    def relative(self) -> bool:
        """Whether a score is judged by its lead over those of the other side."""
        return self.mode in ("relativistic", "relativistic_average")

    def _relative(
        self, one: Scores[A], label: float, two: Scores[A], other_label: float, denominator: Any
    ) -> tuple[A, dict[str, A]]:
        """`one` should lead, `two` trail: pair by pair, or each side against the mean of the other."""
        paid = formulas.gan_relativistic
        if self.mode == "relativistic":
            return self._added({"pairs": self._total(paid, _paired(one, two), (two.values, label), denominator)})
        return self._added(
            {
                one.name: self._total(paid, one, (self._mean(two), label), denominator),
                two.name: self._total(paid, two, (self._mean(one), other_label), denominator),
            }
        )

    def _mean(self, side: Scores[A]) -> A:
        """The mean score of those that count, for the other side to be measured by."""
        ops = common_reader(side.values)
        formulas.gan_generator.check(self.caller, side.values, names=[side.name])
        return reduce(ops, ops.widen(side.values), reduction="mean", mask=side.mask, caller=self.caller)

    def _total(
        self, formula: Formula, side: Scores[A], rest: tuple[A | float, ...], denominator: Any, **settings: Any
    ) -> A:
        """What one side pays, reduced and still wide. A number or a scalar in `rest` stands for all scores."""
        ops = common_reader(side.values)
        formulas.gan_generator.check(self.caller, side.values, names=[side.name])
        zero = ops.full_like(ops.widen(side.values), 0.0)
        full = [x if not isinstance(x, float) and ops.shape(x) != () else zero + x for x in rest]
        names = [side.name, *(["the other side"] if len(rest) > 1 else []), "label"][: 1 + len(rest)]
        formula.check(self.caller, side.values, *full, names=names, **settings)
        made = evaluate(ops, formula, [side.values, *full], mask=side.mask, caller=self.caller, settings=settings)
        total, _ = summarise(
            ops, made, reduction=self.reduction, weight=side.weight, denominator=denominator, caller=self.caller
        )
        return total

    def _added(self, parts: dict[str, A]) -> tuple[A, dict[str, A]]:
        """The sum of the parts, and the parts."""
        first, *rest = parts.values()
        shapes = {name: common_reader(part).shape(part) for name, part in parts.items()}
        if len(set(shapes.values())) > 1:
            headline = f"{self.caller}: values are added entry by entry, and must have one shape"
            raise ShapeError(message(headline, shapes, fix="a reduction other than 'none'"))
        return (first + rest[0] if rest else first), parts


def _paired(one: Scores[A], two: Scores[A]) -> Scores[A]:
    """A pair counts where both of its scores do, with the product of their weights."""
    ops = common_reader(one.values, two.values)
    masks = [ops.truth(ops.asarray(side.mask)) for side in (one, two) if side.mask is not None]
    weights = [ops.asarray(side.weight, like=one.values) for side in (one, two) if side.weight is not None]
    mask = masks[0] & masks[1] if len(masks) > 1 else next(iter(masks), None)
    weight = weights[0] * weights[1] if len(weights) > 1 else next(iter(weights), None)
    return Scores(one.name, one.values, weight, mask)
