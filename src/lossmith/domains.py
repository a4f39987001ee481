"""What a prediction or a target may hold: one short language for formulas, faces, docs and the checker.

    logits[N,C]     a kind, then the names of the axes; N is the batch, C the classes, D features, H and W pixels
    index[N]        one class number for each sample
    boxes[N,4]      four numbers a box, corners x1 y1 x2 y2

A kind says which values are valid, and gives one value inside, so that an ignored entry can be replaced by
something on which every formula is finite.
"""

import re
from dataclasses import dataclass
from math import inf

from lossmith.errors import ContractError, message


@dataclass(frozen=True)
class Kind:
    """`low` and `high` bound the valid values (closed); `inside` is a value on which every loss is finite."""

    name: str
    meaning: str
    low: float = -inf
    high: float = inf
    inside: float = 0.0
    integer: bool = False


KINDS = {
    kind.name: kind
    for kind in (
        Kind("real", "any number"),
        Kind("positive", "a number above 0", low=0.0, inside=1.0),
        Kind("logits", "any number, a log-odds or an unnormalised log-probability"),
        Kind("prob", "a probability, independent of its neighbours", low=0.0, high=1.0, inside=0.5),
        Kind("simplex", "probabilities that sum to 1 over the class axis", low=0.0, high=1.0, inside=0.5),
        Kind("logprob", "log-probabilities over the class axis", high=0.0, inside=-1.0),
        Kind("dist", "a target distribution that sums to 1 over the class axis", low=0.0, high=1.0, inside=0.5),
        Kind("onehot", "0 and 1, a single 1 along the class axis", low=0.0, high=1.0),
        Kind("binary", "0 or 1", low=0.0, high=1.0),
        Kind("soft", "a target between 0 and 1", low=0.0, high=1.0, inside=0.5),
        Kind("pm1", "-1 or +1", low=-1.0, high=1.0, inside=1.0),
        Kind("index", "a class number, from 0 to C - 1", low=0.0, integer=True),
        Kind("labels", "class numbers padded with -1 at the end of each row", low=-1.0, integer=True),
        Kind("count", "0, 1, 2, ...", low=0.0, inside=1.0),
        Kind("boxes", "corners x1 y1 x2 y2 with x1 <= x2 and y1 <= y2"),
        Kind("cxcywh", "a centre x y, a width and a height, the sizes 0 or more"),
        Kind("embedding", "a feature vector of any length"),
        Kind("unit", "a feature vector of length 1"),
        Kind("mask", "1 or True where an entry counts, 0 or False where it does not", low=0.0, high=1.0, inside=1.0),
        Kind("weight", "a factor, 0 or more", low=0.0, inside=1.0),
        Kind("lengths", "how many steps of each row count", low=0.0, inside=1.0, integer=True),
    )
}
_DECLARATION = re.compile(r"\s*([a-z0-9]+)\s*(?:\[([^\[\]]*)\])?\s*")


@dataclass(frozen=True)
class Domain:
    """A kind with the names of its axes: `Domain.parse("logits[N,C]")`."""

    kind: Kind
    axes: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.kind.name}[{','.join(self.axes)}]"

    @classmethod
    def parse(cls, text: str) -> "Domain":
        """Read `kind[axes]`; an axis is a name such as N or a size such as 4. A bare `kind` means `kind[N]`."""
        match = _DECLARATION.fullmatch(text)
        if match is None or match[1] not in KINDS:
            raise ContractError(
                message(
                    f"{text!r} is not a domain",
                    {"form": "kind[axes], such as logits[N,C] or index[N]", "kinds": ", ".join(KINDS)},
                )
            )
        axes = tuple(axis.strip() for axis in (match[2] or "N").split(",") if axis.strip())
        if bad := [axis for axis in axes if not re.fullmatch(r"[A-Za-z]\w*|[1-9]\d*", axis)]:
            raise ContractError(message(f"{text!r}: {bad[0]!r} is not an axis", fix="a name (N) or a size (4)"))
        return cls(KINDS[match[1]], axes)


class Declare:
    """A kind as an annotation: `Annotated[Tensor, Logits("N C")]` says the same as `logits[N,C]`."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def __call__(self, axes: str = "N") -> Domain:
        return Domain.parse(f"{self.kind}[{','.join(axes.split())}]")


Real, Positive, Logits, Prob = Declare("real"), Declare("positive"), Declare("logits"), Declare("prob")
Simplex, LogProb, Dist, OneHot = Declare("simplex"), Declare("logprob"), Declare("dist"), Declare("onehot")
Binary, Soft, PlusMinusOne, Index = Declare("binary"), Declare("soft"), Declare("pm1"), Declare("index")
Count, Boxes, Embedding, Unit = Declare("count"), Declare("boxes"), Declare("embedding"), Declare("unit")
Mask, Weight, Lengths = Declare("mask"), Declare("weight"), Declare("lengths")
