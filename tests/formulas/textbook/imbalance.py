"""Losses for classes of very different sizes."""

from textbook.numbers import distribution, mp
from textbook.softmax import softmax_cross_entropy, softmax_focal


def logit_adjusted(pred, target, counts, tau=1):
    if not any(counts):
        return softmax_cross_entropy(pred, target)
    adjusted = [x + tau * mp.log(n) if tau else x for x, n in zip(pred, counts, strict=True)]
    return softmax_cross_entropy(adjusted, target)


def class_balanced(pred, target, counts, beta=0.9999, base="cross_entropy", gamma=2):
    number = [(1 - mp.mpf(beta) ** n) / (1 - mp.mpf(beta)) for n in counts]
    inverse = [1 / e if e else mp.zero for e in number]
    classes = sum(1 for n in counts if n)
    weight = [classes * v / sum(inverse) if classes else mp.zero for v in inverse]
    if base == "focal":
        return softmax_focal(pred, target, gamma=gamma, alpha=weight)
    return softmax_cross_entropy(pred, target, class_weight=weight)


def ldam(pred, target, counts, max_margin=0.5, scale=30, class_weight=None):
    least = min((n for n in counts if n), default=0)
    margins = [mp.mpf(max_margin) * ((least / n) ** mp.mpf(0.25) if n else 1) for n in counts]
    hot = distribution(target, len(pred))
    z = [scale * (x - m * h) for x, m, h in zip(pred, margins, hot, strict=True)]
    return softmax_cross_entropy(z, target, class_weight=class_weight)
