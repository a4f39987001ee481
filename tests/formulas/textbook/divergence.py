"""Losses between distributions."""

from textbook.numbers import distribution, log_probs, mp, softmax, times_log


def kl_divergence(pred, target, pred_is="log_prob", log_target=False):
    t = [mp.exp(v) for v in target] if log_target else target
    return sum(t[i] * (mp.log(t[i]) - log_p) for i, log_p in enumerate(log_probs(pred, pred_is)) if t[i])


def probs(pred, pred_is):
    return [mp.exp(v) for v in pred] if pred_is == "log_prob" else softmax(pred) if pred_is == "logit" else pred


def reverse_kl_divergence(pred, target, pred_is="log_prob", log_target=False):
    t = target if log_target else [mp.log(v) if v else -mp.inf for v in target]
    return sum(p * (mp.log(p) - log_t) for p, log_t in zip(probs(pred, pred_is), t, strict=True) if p)


def jensen_shannon(pred, target, pred_is="logit", log_target=False):
    pairs = list(zip(probs(pred, pred_is), probs(target, "log_prob" if log_target else "prob"), strict=True))
    entropy = lambda rows: -sum(times_log(v, v) for v in rows)
    return entropy([(p + t) / 2 for p, t in pairs]) - sum(entropy(rows) for rows in zip(*pairs, strict=True)) / 2


def distillation(pred, teacher, target, temperature=4, alpha=0.1):
    t, a = mp.mpf(temperature), mp.mpf(alpha)
    soft = kl_divergence([x / t for x in pred], softmax([z / t for z in teacher]), pred_is="logit")
    labels = distribution(target, len(pred))
    hard = -sum(y * log_p for y, log_p in zip(labels, log_probs(pred, "logit"), strict=True) if y)
    return (1 - a) * t**2 * soft + a * hard
