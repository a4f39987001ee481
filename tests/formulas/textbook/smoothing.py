"""Cross-entropy against a smoothed target."""

from textbook.numbers import distribution, log_probs, mp


def smoothed_cross_entropy(pred, target, pred_is="logit", smoothing=0.1, over="all"):
    s, c = mp.mpf(smoothing), len(pred)
    t = distribution(target, c)
    spread = [1 / mp.mpf(c)] * c if over == "all" else [(1 - share) / (c - 1) for share in t]
    u = [(1 - s) * share + s * even for share, even in zip(t, spread, strict=True)]
    return -sum(u[i] * log_p for i, log_p in enumerate(log_probs(pred, pred_is)) if u[i])
