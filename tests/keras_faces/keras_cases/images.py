"""Losses of images."""

from keras_cases.data import N, case


def images(g):
    return tuple(g.uniform(0, 1, (N, 5, 6, 2)).astype("float32") for _ in range(2))


def alike(g):
    """Images whose contrast agrees at every scale."""
    first = g.uniform(0, 1, (N, 6, 7, 2))
    return first.astype("float32"), (0.5 * first + 0.2 * g.uniform(0, 1, first.shape)).astype("float32")


def channels_first(g):
    return tuple(image.transpose(0, 3, 1, 2) for image in images(g))


CASES = [
    case("ssim", "SSIM", images, window=3, sigma=1.0, data_format="channels_last"),
    case("ssim first", "SSIM", channels_first, window=3, data_format="channels_first"),
    case("ms ssim", "MSSSIM", alike, window=2, weights=(0.4, 0.6), data_format="channels_last"),
    case("tv", "TotalVariation", images, data_format="channels_last"),
    case("tv first", "TotalVariation", channels_first, norm="l2", data_format="channels_first"),
]
