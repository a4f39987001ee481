"""Each loss as its paper prints it. Slow, unguarded and obviously right.

`DIGITS` digits: 1 - p at p = 1 - 1e-300 still keeps a hundred, so that no trick is needed anywhere. A gradient is a
central difference with a step far below every point of the grid but 0; at a symmetric kink (|r| at 0, the distance
of two equal points) it gives 0, which is the convention of the library.
"""

from mpmath import MPContext

mp = MPContext()
DIGITS = 420
mp.dps = DIGITS
STEP = mp.mpf(10) ** -60


def squared_error(pred, target):
    return (pred - target) ** 2


def absolute_error(pred, target):
    return abs(pred - target)


def huber(pred, target, delta=1):
    r = abs(pred - target)
    return r**2 / 2 if r <= delta else delta * r - mp.mpf(delta) ** 2 / 2


def asymmetric_squared_error(pred, target, under=1, over=1):
    return (under if pred < target else over) * (pred - target) ** 2


def log_cosh(pred, target):
    return mp.log(mp.cosh(pred - target))


def sigmoid(x):
    return 1 / (1 + mp.exp(-x))


def softmax(x):
    total = sum(mp.exp(v) for v in x)
    return [mp.exp(v) / total for v in x]


def times_log(a, b):
    """a log b, with 0 log 0 = 0."""
    return a * mp.log(b) if a else mp.zero


def binary_cross_entropy(pred, target, pred_is="logit", pos_weight=None):
    p = sigmoid(pred) if pred_is == "logit" else pred
    return -(times_log((pos_weight or 1) * target, p) + times_log(1 - target, 1 - p))


def binary_focal(pred, target, pred_is="logit", gamma=2, alpha=None):
    p = sigmoid(pred) if pred_is == "logit" else pred
    one, zero = (1, 1) if alpha is None else (alpha, 1 - mp.mpf(alpha))
    return -(one * target * (1 - p) ** gamma * mp.log(p) + zero * (1 - target) * p**gamma * mp.log(1 - p))


def log_probs(pred, pred_is):
    if pred_is == "log_prob":
        return pred
    return [mp.log(p) if p else -mp.inf for p in (softmax(pred) if pred_is == "logit" else pred)]


def distribution(target, classes):
    return target if isinstance(target, list) else [mp.mpf(c == target) for c in range(classes)]


def softmax_cross_entropy(pred, target, pred_is="logit", class_weight=None, label_smoothing=0):
    s, c = mp.mpf(label_smoothing), len(pred)
    t = [(1 - s) * share + s / c for share in distribution(target, c)]
    w = class_weight or [1] * c
    return -sum(w[i] * t[i] * log_p for i, log_p in enumerate(log_probs(pred, pred_is)) if w[i] * t[i])


def softmax_focal(pred, target, pred_is="logit", gamma=2, alpha=None):
    p, t = softmax(pred) if pred_is == "logit" else pred, distribution(target, len(pred))
    a = alpha if isinstance(alpha, list) else [1 if alpha is None else alpha] * len(pred)
    return -sum(a[i] * t[i] * (1 - p[i]) ** gamma * mp.log(p[i]) for i in range(len(p)) if t[i])


def kl_divergence(pred, target, pred_is="log_prob", log_target=False):
    t = [mp.exp(v) for v in target] if log_target else target
    return sum(t[i] * (mp.log(t[i]) - log_p) for i, log_p in enumerate(log_probs(pred, pred_is)) if t[i])


def contrastive(first, second, target, margin=1):
    d = mp.sqrt(sum((a - b) ** 2 for a, b in zip(first, second, strict=True)))
    return target * d**2 / 2 + (1 - target) * max(mp.zero, margin - d) ** 2 / 2


def gradient(function, arguments, index=0):
    """The gradient of a textbook loss with respect to one argument, a number or a list of them."""

    def moved(step, entry=None):
        x = arguments[index]
        x = x + step if entry is None else [v + step * (i == entry) for i, v in enumerate(x)]
        return function(*arguments[:index], x, *arguments[index + 1 :])

    def slope(entry=None):
        return (moved(STEP, entry) - moved(-STEP, entry)) / (2 * STEP)

    x = arguments[index]
    return [slope(i) for i in range(len(x))] if isinstance(x, list) else slope()
