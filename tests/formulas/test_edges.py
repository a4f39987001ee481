"""Edge weights against Sobel's sums, written down pixel by pixel, in every reader."""

import numpy as np
import pytest

from lossmith.formulas.edges import edge_weights
from readers import READERS

G = np.random.default_rng(0)
IMAGES = G.normal(size=(2, 3, 5, 4))
LABELS = G.integers(0, 4, (3, 5, 6))
KEPT = G.random((3, 5, 6)) < 0.7
ACROSS = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])


def sobel(plane, kept=None):
    """The magnitude at each pixel of one plane; what is not kept looks like the pixel itself."""
    kept = np.ones(plane.shape, bool) if kept is None else kept
    out = np.zeros(plane.shape)
    for i, j in np.ndindex(plane.shape):
        rows, columns = (np.clip([x - 1, x, x + 1], 0, n - 1) for x, n in zip((i, j), plane.shape, strict=True))
        near = np.where(kept[np.ix_(rows, columns)], plane[np.ix_(rows, columns)], plane[i, j])
        out[i, j] = np.hypot((near * ACROSS).sum(), (near * ACROSS.T).sum()) if kept[i, j] else 0.0
    return out


def scaled(strength, max_weight):
    return 1 + (max_weight - 1) * strength / (strength.max() or 1.0)


def given(reader, image, max_weight, channels, kept=None):
    like = reader.make(np.zeros(1, np.float64 if "float64" in reader.dtypes else np.float32))
    kept = None if kept is None else reader.make(kept)
    made = edge_weights(reader.ops, reader.make(image), like, max_weight=max_weight, channels=channels, kept=kept)
    return reader.read(made).astype(float)


@pytest.mark.parametrize("reader", READERS, ids=str)
def test_numbers_are_weighted_by_the_magnitude_over_all_channels_of_an_image(reader):
    want = np.stack([scaled(np.stack([sobel(plane) for plane in image]), 5.0) for image in IMAGES])
    with reader.scope():
        for factor in (1.0, 1e-30, 1e30):
            got = given(reader, factor * IMAGES if "float64" in reader.dtypes else IMAGES, 5.0, 1)
            np.testing.assert_allclose(got, want, rtol=1e-6)
    assert want.min() >= 1
    assert (want.max((1, 2, 3)) == 5).all()


def by_class(labels, kept):
    return np.max([sobel((labels == c).astype(float), kept) for c in range(4)], 0)


@pytest.mark.parametrize("reader", READERS, ids=str)
def test_class_numbers_are_weighted_by_the_magnitude_of_each_class(reader):
    plain = np.stack([scaled(by_class(labels, None), 3.0) for labels in LABELS])
    less = np.stack([scaled(by_class(labels, kept), 3.0) for labels, kept in zip(LABELS, KEPT, strict=True)])
    with reader.scope():
        np.testing.assert_allclose(given(reader, LABELS, 3.0, 0), plain, rtol=1e-6)
        for ignored in (0, 7, -100):
            labels = np.where(KEPT, LABELS, ignored)
            np.testing.assert_allclose(given(reader, labels, 3.0, 0, KEPT), less, rtol=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e300])
def test_a_pixel_that_is_not_kept_has_no_influence(bad):
    images, kept = G.normal(size=KEPT.shape), KEPT
    broken = np.where(kept, images, bad)
    reader = READERS[0]
    want = np.stack([scaled(sobel(x, k), 4.0) for x, k in zip(images, kept, strict=True)])
    np.testing.assert_allclose(given(reader, broken, 4.0, 0, kept), want, rtol=1e-12)
    assert (given(reader, broken, 4.0, 0, kept)[~kept] == 1).all()


def test_even_and_tiny_images_weigh_one_everywhere():
    reader = READERS[0]
    for image in (np.full((2, 4, 4), 1e30), np.zeros((1, 1, 1)), np.full((1, 3, 1), 5)):
        assert (given(reader, image, 9.0, 0) == 1).all()
    assert (given(reader, IMAGES, 1.0, 1) == 1).all()
    assert given(reader, np.zeros((0, 4, 4)), 9.0, 0).shape == (0, 4, 4)
