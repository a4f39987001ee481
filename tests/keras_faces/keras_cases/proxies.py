"""Losses with a learned vector for each class; here they are given, as an array."""

import numpy as np

from keras_cases.data import C, case, labels, normal

PROXIES = normal(np.random.default_rng(7), C, C).tolist()

CASES = [
    case("arc face", "ArcFace", labels, proxies=PROXIES, scale=8.0),
    case("cos face", "CosFace", labels, proxies=PROXIES, scale=8.0),
    case("sphere face", "SphereFace", labels, proxies=PROXIES, margin=3),
    case("proxy nca", "ProxyNCA", labels, proxies=PROXIES, scale=3.0),
    case("proxy anchor", "ProxyAnchor", labels, proxies=PROXIES, alpha=8.0),
]
