"""The numbers that the textbook computes with, and what several of its pages share."""

from mpmath import MPContext

mp = MPContext()
DIGITS = 420
mp.dps = DIGITS
STEP = mp.mpf(10) ** -60


def sigmoid(x):
    return 1 / (1 + mp.exp(-x))


def softmax(x):
    total = sum(mp.exp(v) for v in x)
    return [mp.exp(v) / total for v in x]


def times_log(a, b):
    """a log b, with 0 log 0 = 0."""
    return a * mp.log(b) if a else mp.zero


def log_probs(pred, pred_is):
    if pred_is == "log_prob":
        return pred
    return [mp.log(p) if p else -mp.inf for p in (softmax(pred) if pred_is == "logit" else pred)]


def distribution(target, classes):
    return target if isinstance(target, list) else [mp.mpf(c == target) for c in range(classes)]
