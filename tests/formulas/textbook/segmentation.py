"""Losses of segmented images: `pred` holds the classes of each pixel, `target` their labels or their shares."""

from itertools import accumulate

from textbook.numbers import mp, sigmoid, softmax


def probabilities(pred, pred_is, activation):
    if pred_is == "prob":
        return pred
    single = len(pred[0]) == 1
    return [[sigmoid(x) for x in row] if single or activation == "sigmoid" else softmax(row) for row in pred]


def shares(target, classes):
    if isinstance(target[0], list):
        return target
    numbers = [1] if classes == 1 else range(classes)
    return [[mp.mpf(label == c) for c in numbers] for label in target]


def each_class(pred, target, pred_is, activation):
    """(probabilities, shares) of the pixels, for each class."""
    p, t = probabilities(pred, pred_is, activation), shares(target, len(pred[0]))
    return list(zip(zip(*p, strict=True), zip(*t, strict=True), strict=True))


def kept(values, target, classes, which, background):
    """0 for a class that is left out: one that no pixel has, or the background."""
    t = shares(target, classes)
    counted = [which == "all" or any(row[c] for row in t) for c in range(classes)]
    counted[0] &= background or classes == 1
    return [v if counts else mp.zero for v, counts in zip(values, counted, strict=True)]


def similarity(p, t, alpha, beta, smooth, form):
    """(intersection + smooth) / (intersection + alpha too much + beta missing + smooth), as the papers print it."""
    if form == "l1":
        common = sum(abs(a) + abs(b) - abs(a - b) for a, b in zip(p, t, strict=True)) / 2
    else:
        common = sum(a * b for a, b in zip(p, t, strict=True))
    if form == "squared":
        too_much = sum((a - b) ** 2 for a, b in zip(p, t, strict=True) if a > b)
        missing = sum((a - b) ** 2 for a, b in zip(p, t, strict=True) if a < b)
    else:
        too_much, missing = sum(p) - common, sum(t) - common
    below = common + alpha * too_much + beta * missing + smooth
    return (common + smooth) / below if below else mp.one


def logged(values, log):
    return [-mp.log(1 - v) if v != 1 else mp.inf for v in values] if log else values


def dice(pred, target, smooth=0, log=False, **settings):
    half = mp.mpf(1) / 2
    return logged(tversky(pred, target, half, half, smooth=mp.mpf(smooth) / 2, **settings), log)


def jaccard(pred, target, log=False, **settings):
    return logged(tversky(pred, target, 1, 1, **settings), log)


def tversky(
    pred,
    target,
    alpha=0.5,
    beta=0.5,
    pred_is="logit",
    activation="softmax",
    form="product",
    smooth=0,
    classes="all",
    background=True,
):
    """The formulas take class numbers and shares; the papers' sums are over the pixels of each class."""
    pairs = each_class(pred, target, pred_is, activation)
    values = [1 - similarity(p, t, mp.mpf(alpha), mp.mpf(beta), mp.mpf(smooth), form) for p, t in pairs]
    return kept(values, target, len(pred[0]), classes, background)


def focal_tversky(pred, target, alpha=0.3, beta=0.7, gamma=0.75, **settings):
    return [v ** mp.mpf(gamma) for v in tversky(pred, target, alpha, beta, **settings)]


def lovasz_extension(errors, inside):
    """Berman et al. 2018, equation (9): the errors from the largest down, times the steps of the Jaccard loss."""
    order = sorted(range(len(errors)), key=lambda i: -errors[i])
    total = sum(inside)
    hit, missed = (list(accumulate(x[i] for i in order)) for x in (inside, [1 - t for t in inside]))
    losses = [mp.zero] + [1 - (total - a) / mp.mpf(total + b) for a, b in zip(hit, missed, strict=True)]
    return sum(errors[i] * (losses[k + 1] - losses[k]) for k, i in enumerate(order))


def lovasz_hinge(pred, target, classes="all", background=True):
    columns = zip(*pred, strict=True), zip(*shares(target, len(pred[0])), strict=True)
    values = [
        lovasz_extension([max(mp.zero, 1 - a * (2 * b - 1)) for a, b in zip(x, t, strict=True)], t)
        for x, t in zip(*columns, strict=True)
    ]
    return kept(values, target, len(pred[0]), classes, background)


def lovasz_softmax(pred, target, pred_is="logit", activation="softmax", classes="present", background=True):
    pairs = each_class(pred, target, pred_is, activation)
    values = [lovasz_extension([1 - a if b else a for a, b in zip(p, t, strict=True)], t) for p, t in pairs]
    return kept(values, target, len(pred[0]), classes, background)
