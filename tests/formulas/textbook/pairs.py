"""Losses of the pairs in a batch of labelled embeddings."""

from textbook.numbers import mp


def dot(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True))


def unit(x):
    """A vector of length 1; 0 stays 0, which is the library's convention."""
    length = mp.sqrt(dot(x, x))
    return [v / length for v in x] if length else x


def cosine(a, b):
    return dot(unit(a), unit(b))


def parts(i, similarity, target, with_self=False):
    """The similarities of an anchor with its positives and its negatives."""
    each = range(len(target))
    positives = [similarity(i, j) for j in each if target[j] == target[i] and (with_self or j != i)]
    return positives, [similarity(i, j) for j in each if target[j] != target[i]]


def n_pair(first, second, target):
    values = []
    for i in range(len(target)):
        _, negatives = parts(i, lambda a, b: dot(first[a], second[b]), target)
        values.append(mp.log(1 + sum(mp.exp(s - dot(first[i], second[i])) for s in negatives)))
    return values


def multi_similarity(embedding, target, alpha=2, beta=50, base=0.5, epsilon=0.1):
    values = []
    for i in range(len(target)):
        positives, negatives = parts(i, lambda a, b: cosine(embedding[a], embedding[b]), target)
        if not positives or not negatives:
            values.append(mp.zero)
            continue
        if epsilon is not None:
            low, high = min(positives) - epsilon, max(negatives) + epsilon
            positives, negatives = [s for s in positives if s < high], [s for s in negatives if s > low]
        pull = mp.log(1 + sum(mp.exp(-alpha * (s - base)) for s in positives)) / alpha
        values.append(pull + mp.log(1 + sum(mp.exp(beta * (s - base)) for s in negatives)) / beta)
    return values


def circle(embedding, target, gamma=80, margin=0.4, constant_weights=False, remove_diagonal=True, normalise=True):
    similarity = cosine if normalise else dot
    values = []
    for i in range(len(target)):
        positives, negatives = parts(
            i, lambda a, b: similarity(embedding[a], embedding[b]), target, with_self=not remove_diagonal
        )
        if not positives or not negatives:
            values.append(mp.zero)
            continue
        near = sum(mp.exp(-gamma * max(0, 1 + margin - s) * (s - (1 - mp.mpf(margin)))) for s in positives)
        far = sum(mp.exp(gamma * max(0, s + margin) * (s - margin)) for s in negatives)
        values.append(mp.log(1 + near * far))
    return values
