"""Cross-entropy with its linear layer."""

from textbook.numbers import mp
from textbook.pairs import dot
from textbook.softmax import softmax_cross_entropy


def linear_cross_entropy(hidden, target, classes, bias=None, label_smoothing=0, z_weight=0, soft_cap=None):
    logits = [dot(hidden, w) + (mp.mpf(bias[c]) if bias else 0) for c, w in enumerate(classes)]
    if soft_cap is not None:
        logits = [soft_cap * mp.tanh(x / soft_cap) for x in logits]
    z = mp.log(sum(mp.exp(x) for x in logits))
    return softmax_cross_entropy(logits, target, label_smoothing=label_smoothing) + z_weight * z**2
