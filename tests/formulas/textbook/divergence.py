"""Losses between distributions."""

from textbook.numbers import log_probs, mp


def kl_divergence(pred, target, pred_is="log_prob", log_target=False):
    t = [mp.exp(v) for v in target] if log_target else target
    return sum(t[i] * (mp.log(t[i]) - log_p) for i, log_p in enumerate(log_probs(pred, pred_is)) if t[i])
