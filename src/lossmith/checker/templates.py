"""What a loss might take: a kind and a shape for each argument, and how usual that is.

Groups by shape, the most usual first. A higher rank is preferred among templates that are equally right.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lossmith.checker.contract import Argument, Contract, target_first
from lossmith.domains import Domain


@dataclass(frozen=True)
class Template:
    """`roles` and `domains` in the order pred, target, others; a higher `rank` is preferred."""

    rank: float
    domains: tuple[str, ...]
    roles: tuple[str, ...] = ("pred", "target")

    @property
    def meaning(self) -> tuple[str, ...]:
        return tuple(text.partition("[")[0] for text in self.domains)

    def contract(self, names: Sequence[str]) -> Contract:
        order = list(range(len(self.domains)))
        pair = [index for index in order if self.roles[index] in ("pred", "target")]
        first, second = [*pair[:1], *[i for i in pair if self.roles[i] == "target"][:1], 0, 0][:2]
        if self.roles[first] == "pred" and self.roles[second] == "target" and target_first(names[first], names[second]):
            order[first], order[second] = second, first
        arguments = tuple(
            Argument(name, self.roles[i], Domain.parse(self.domains[i]))  # type: ignore[arg-type]
            for name, i in zip(names, order, strict=True)
        )
        return Contract(arguments, "inferred")


def _templates_of_two() -> Iterator[tuple[Template, ...]]:
    """Groups by shape, the most usual first; a later group is tried only if no template of an earlier one is right."""
    for shape in ("N,C", "N", "N,1,H,W", "N,C,H,W", "N,T,C", "N,C,T"):
        yield (
            *_same_shape(shape),
            *(_by_class(shape) if "C" in shape.split(",") else ()),
            *(_SPECIAL if shape == "N,C" else ()),
        )
    yield (Template(3.4, ("embedding[N,T,D]", "index[N]")),)  # several views of each sample


def _same_shape(shape: str) -> Iterator[Template]:
    for rank, pred, target in (
        (9.0, "real", "real"),
        (7.0, "positive", "positive"),
        (6.8, "logits", "binary"),
        (6.6, "logits", "soft"),
        (6.4, "real", "count"),
        (6.2, "logits", "pm1"),
        (5.6, "prob", "binary"),
        (5.5, "prob", "soft"),
    ):
        yield Template(rank, (f"{pred}[{shape}]", f"{target}[{shape}]"))


def _by_class(shape: str) -> Iterator[Template]:
    index = ",".join(axis for axis in shape.split(",") if axis != "C")
    for rank, pred, target in (
        (8.0, "logits", "index"),
        (7.5, "logits", "onehot"),
        (7.4, "logits", "dist"),
        (5.9, "logprob", "index"),
        (5.8, "logprob", "dist"),
        (5.4, "simplex", "index"),
        (5.3, "simplex", "onehot"),
        (5.2, "simplex", "dist"),
        (4.5, "positive", "index"),
        (4.0, "logits", "logits"),
    ):
        yield Template(rank, (f"{pred}[{shape}]", f"{target}[{index if target == 'index' else shape}]"))


_SPECIAL = (
    Template(7.8, ("logits[N,C]", "labels[N,C]")),
    Template(4.8, ("boxes[N,4]", "boxes[N,4]")),
    Template(3.5, ("embedding[N,D]", "index[N]")),
    Template(3.0, ("embedding[N,D]", "embedding[N,D]"), ("pred", "pred")),
)


# Where no three real numbers are accepted: a mean and a width, a mean and a dispersion, and what they are to explain.
_OF_TWO_PARAMETERS = (
    (0.9, "real", "positive", "real"),
    (0.8, "positive", "positive", "count"),
    (0.7, "positive", "positive", "positive"),
)


def _templates_of_three() -> Iterator[Template]:
    yield Template(6.0, ("embedding[N,D]",) * 3, ("pred", "pred", "pred"))
    yield Template(5.5, ("embedding[N,D]", "embedding[N,D]", "pm1[N]"), ("pred", "pred", "target"))
    yield Template(5.4, ("embedding[N,D]", "embedding[N,D]", "binary[N]"), ("pred", "pred", "target"))
    for shape in ("N,C", "N"):
        for rank, kind in ((4.0, "mask"), (3.9, "weight")):
            for pred, target, plus in (("real", "real", 0.5), ("logits", "binary", 0.4), ("prob", "binary", 0.1)):
                domains = (f"{pred}[{shape}]", f"{target}[{shape}]", f"{kind}[{shape}]")
                yield Template(rank + plus, domains, ("pred", "target", "other"))
        yield Template(3.5, (f"real[{shape}]", f"real[{shape}]", f"positive[{shape}]"), ("pred", "target", "pred"))
    yield Template(5.0, ("real[N]", "real[N]", "pm1[N]"), ("pred", "pred", "target"))
    yield Template(2.0, ("real[N,C]", "real[N,C]", "real[N,C]"), ("pred", "target", "other"))
    yield Template(1.0, ("real[N]", "real[N]", "real[N]"), ("pred", "target", "other"))
    for rank, *kinds in _OF_TWO_PARAMETERS:
        for shape in ("N,C", "N"):
            yield Template(rank, tuple(f"{kind}[{shape}]" for kind in kinds), ("pred", "pred", "target"))
    yield Template(4.6, ("logits[N,C]", "index[N]", "weight[N]"), ("pred", "target", "other"))
    yield Template(3.0, ("real[N,C]", "real[N,C]", "index[N]"), ("pred", "target", "other"))
    for rank, kind in ((4.4, "mask"), (4.3, "weight")):
        yield Template(rank, ("boxes[N,4]", "boxes[N,4]", f"{kind}[N]"), ("pred", "target", "other"))
    yield Template(4.2, ("real[N,T]", "real[N,T]", "lengths[N]"), ("pred", "target", "other"))


def _templates_of_one() -> Iterator[Template]:
    for rank, domain in (
        (3.0, "real[N,C,H,W]"),
        (2.0, "embedding[N,D]"),
        (1.0, "real[N]"),
        (0.5, "prob[N,C]"),
        (0.4, "positive[N,C]"),
        (0.3, "real[N,D,D]"),  # a matrix of each sample, that is to be orthogonal
    ):
        yield Template(rank, (domain,), ("pred",))


_FOUR = (
    Template(6.0, ("embedding[N,D]",) * 4, ("pred",) * 4),
    Template(5.5, ("logits[N,C]", "index[N]", "real[N,D]", "real[N,D]"), ("pred", "target", "pred", "other")),
    Template(5.4, ("logits[N,C]", "real[N,D]", "index[N]", "real[N,D]"), ("pred", "pred", "target", "other")),
    Template(5.0, ("real[N,C]",) * 4, ("pred", "target", "other", "other")),
    Template(4.0, ("real[N]",) * 4, ("pred", "target", "other", "other")),
)
GROUPS = {
    1: (tuple(_templates_of_one()),),
    2: tuple(_templates_of_two()),
    3: (tuple(_templates_of_three()),),
    4: (_FOUR,),
}
