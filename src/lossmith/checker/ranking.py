"""Which of several templates that are equally right is the likeliest."""

from collections.abc import Sequence

from lossmith.checker.judge import BEST, Judged


def plausible(entry: Judged, hints: dict[str, float], survivors: Sequence[Judged], tier: int) -> float:
    """A template's rank, less what its traits say against it, plus what the words of the code say for it."""
    kinds = set(entry.template.meaning)
    traits = entry.traits.union(*(other.traits for other in survivors if "real" in other.template.meaning))
    others = {kind for other in survivors for kind in other.template.meaning}
    penalty = 0.0
    if "clamped to [0, 1]" in traits and {"prob", "simplex"} & others and not {"prob", "simplex"} & kinds:
        penalty += 6.0
    if "zeros do not matter" in entry.traits and "logits" in kinds and "pm1" in others:
        penalty += 6.0
    if "zeros do not matter" in entry.traits and "prob" in kinds and "simplex" in others:
        penalty += 3.0
    if "rows are normalised" in entry.traits and "simplex" in others:
        penalty += 3.0
    if "label names do not matter" in traits and "embedding" not in kinds:
        penalty += 6.0
    # Where plain real numbers survive too, coupling comes from the reduction (a root of a mean), not from pairs.
    coupled, directional = "couples samples" in traits, "scale invariant" in traits
    paired = directional and not coupled if "real" in others else directional or coupled
    looked_up = "classes are looked up" in traits  # by number, and there is no vector of a class to compare with
    if "embedding" in others and ("embedding" in kinds if looked_up else "embedding" not in kinds and paired):
        penalty += 7.0
    if tier < BEST and "labels" in kinds:  # class numbers padded with -1 are rare, and nothing speaks for them here
        penalty += 6.0
    if "flat" in entry.traits:
        penalty += 2.0
    if "shift invariant" in traits:
        elementwise = ({"real"}, {"positive"}, {"logits", "binary"}, {"logits", "soft"})
        penalty += 6.0 if kinds & {"prob", "simplex"} or kinds in elementwise else 0.0
    elif ("logits" in kinds and kinds & {"dist", "onehot"}) or entry.template.meaning == ("logits", "logits"):
        penalty += 3.0
    weight = 1.0 if tier == BEST else 3.0
    return entry.template.rank - penalty + weight * sum(hints.get(kind, 0.0) for kind in kinds)
