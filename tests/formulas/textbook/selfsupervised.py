"""Losses that tell the partner of an embedding from the rest of the batch."""

from textbook.numbers import mp, sigmoid


def cosine(a, b):
    dot, lengths = sum(x * y for x, y in zip(a, b, strict=True)), [sum(x * x for x in v) for v in (a, b)]
    return dot / mp.sqrt(lengths[0]) / mp.sqrt(lengths[1])


def minus_log_share(anchor, positive, others, temperature):
    """-log of the share of the positive in the sum of e^(cosine / temperature) over it and the others."""
    weight = lambda other: mp.exp(cosine(anchor, other) / mp.mpf(temperature))
    own = weight(positive)
    return -mp.log(own / (own + sum(map(weight, others))))


def without(rows, *gone):
    return [row for i, row in enumerate(rows) if i not in gone]


def nt_xent(first, second, temperature=0.5):
    n, views = len(first), first + second
    partner = lambda i: (i + n) % (2 * n)
    each = [
        minus_log_share(views[i], views[partner(i)], without(views, i, partner(i)), temperature) for i in range(2 * n)
    ]
    return [(each[i] + each[i + n]) / 2 for i in range(n)]


def info_nce(first, second, negatives, temperature=0.1, in_batch=True):
    own = negatives if negatives and isinstance(negatives[0][0], list) else [negatives] * len(first)
    return [
        minus_log_share(first[i], second[i], own[i] + (without(second, i) if in_batch else []), temperature)
        for i in range(len(first))
    ]


def clip(first, second, log_scale=None):
    scale = 1 / mp.mpf(0.07) if log_scale is None else mp.exp(mp.mpf(log_scale))
    ways = [info_nce(a, b, [], 1 / min(scale, mp.mpf(100))) for a, b in ((first, second), (second, first))]
    return [(there + back) / 2 for there, back in zip(*ways, strict=True)]


def sig_lip(first, second, log_scale=None, bias=-10):
    t = mp.mpf(10) if log_scale is None else mp.exp(mp.mpf(log_scale))
    sign = lambda i, j: 1 if i == j else -1
    chance = lambda i, j: sigmoid(sign(i, j) * (t * cosine(first[i], second[j]) + mp.mpf(bias)))
    return [-sum(mp.log(chance(i, j)) for j in range(len(second))) for i in range(len(first))]


def sup_con(embedding, target, temperature=0.1):
    values = []
    for i, anchor in enumerate(embedding):
        positives = [p for p in range(len(embedding)) if p != i and target[p] == target[i]]
        each = [minus_log_share(anchor, embedding[p], without(embedding, i, p), temperature) for p in positives]
        values.append(sum(each) / len(each) if each else mp.zero)
    return values


def byol(pred, target):
    return 2 - 2 * cosine(pred, target)
