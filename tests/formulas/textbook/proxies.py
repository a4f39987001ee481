"""Losses of embeddings and a proxy for each class."""

from textbook.numbers import mp
from textbook.pairs import cosine, dot, unit


def softmax_cost(logits, target):
    return -mp.log(mp.exp(logits[target]) / sum(mp.exp(x) for x in logits))


def angle(c):
    """arccos, whose slope is undefined at 1: half the turn either way, as the library has it."""
    return mp.acos(max(-mp.one, min(mp.one, c)))


def arc_face(embedding, target, proxies, margin=0.5, scale=64):
    cosines = [cosine(embedding, p) for p in proxies]
    theta, m = angle(cosines[target]), mp.mpf(margin)
    worse = mp.cos(theta + m) if theta + m < mp.pi else cosines[target] - m * mp.sin(m)
    return softmax_cost([scale * (worse if c == target else s) for c, s in enumerate(cosines)], target)


def cos_face(embedding, target, proxies, margin=0.35, scale=64):
    cosines = [cosine(embedding, p) for p in proxies]
    return softmax_cost([scale * (s - margin if c == target else s) for c, s in enumerate(cosines)], target)


def sphere_face(embedding, target, proxies, margin=4):
    length = mp.sqrt(dot(embedding, embedding))
    cosines = [cosine(embedding, p) for p in proxies]
    theta = angle(cosines[target])
    k = min(margin - 1, int(mp.floor(theta * margin / mp.pi)))
    worse = (-1) ** k * mp.cos(margin * theta) - 2 * k
    return softmax_cost([length * (worse if c == target else s) for c, s in enumerate(cosines)], target)


def proxy_nca(embedding, target, proxies, scale=1, contrast="others"):
    point = unit(embedding)
    apart = [sum((a - b) ** 2 for a, b in zip(point, unit(p), strict=True)) for p in proxies]
    others = sum(mp.exp(-scale * d) for c, d in enumerate(apart) if contrast == "all" or c != target)
    return -mp.log(mp.exp(-scale * apart[target]) / others)


def proxy_anchor(embedding, target, proxies, alpha=32, margin=0.1):
    positive, negative = [], []
    for c, proxy in enumerate(proxies):
        own = [cosine(x, proxy) for x, y in zip(embedding, target, strict=True) if y == c]
        others = [cosine(x, proxy) for x, y in zip(embedding, target, strict=True) if y != c]
        if own:
            positive.append(mp.log(1 + sum(mp.exp(-alpha * (s - margin)) for s in own)))
        negative.append(mp.log(1 + sum(mp.exp(alpha * (s + margin)) for s in others)))
    return sum(positive) / len(positive) + sum(negative) / len(negative)
