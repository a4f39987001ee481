"""Losses of triplets of embeddings."""

from textbook.numbers import mp


def distance(a, b):
    return mp.sqrt(sum((x - y) ** 2 for x, y in zip(a, b, strict=True)))


def triplet_margin(anchor, positive, negative, margin=1, p=2, swap=False):
    apart = distance if p == 2 else lambda a, b: sum(abs(x - y) for x, y in zip(a, b, strict=True))
    far = apart(anchor, negative)
    if swap:
        far = min(far, apart(positive, negative))
    return max(mp.zero, margin + apart(anchor, positive) - far)


def triplet_mined(embedding, target, margin=1, mining="batch_hard"):
    each, values = range(len(target)), []
    for i in each:
        positives = [distance(embedding[i], embedding[j]) for j in each if j != i and target[j] == target[i]]
        negatives = [distance(embedding[i], embedding[j]) for j in each if target[j] != target[i]]
        if not positives or not negatives:
            values.append(mp.zero)
        elif mining == "batch_hard":
            values.append(max(mp.zero, margin + max(positives) - min(negatives)))
        elif mining == "batch_all":
            costs = [margin + p - n for p in positives for n in negatives if margin + p - n > 0]
            values.append(sum(costs) / max(1, len(costs)) + mp.zero)
        else:
            chosen = [min((n for n in negatives if n > p), default=max(negatives)) for p in positives]
            costs = [max(mp.zero, margin + p - n) for p, n in zip(positives, chosen, strict=True)]
            values.append(sum(costs) / len(costs))
    return values
