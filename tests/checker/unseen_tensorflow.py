"""Losses for TensorFlow as strangers spell them, each with what it takes; see `unseen_structures`."""

import tensorflow as tf


def weighted_bce_tf(labels, logits, pos_weight=2.0):
    return tf.reduce_mean(tf.nn.weighted_cross_entropy_with_logits(labels, logits, pos_weight))


def sparse_tf(labels, logits):
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits))


def jaccard_tf(y_true, y_pred):
    inter = tf.reduce_sum(y_true * y_pred, axis=-1)
    return tf.reduce_mean(1 - (inter + 1) / (tf.reduce_sum(y_true + y_pred, axis=-1) - inter + 1))


def triplet_tf(anchor, positive, negative, margin=0.5):
    ap = tf.reduce_sum(tf.square(anchor - positive), -1)
    an = tf.reduce_sum(tf.square(anchor - negative), -1)
    return tf.reduce_mean(tf.maximum(ap - an + margin, 0.0))


def masked_tf(y_true, y_pred, mask):
    mask = tf.cast(mask, y_pred.dtype)
    return tf.reduce_sum(tf.square(y_true - y_pred) * mask) / tf.maximum(tf.reduce_sum(mask), 1.0)


TENSORFLOW = [
    (weighted_bce_tf, {"labels": "binary soft", "logits": "logits"}),
    (sparse_tf, {"labels": "index", "logits": "logits"}),
    (jaccard_tf, {"y_true": "binary", "y_pred": "prob"}),
    (triplet_tf, {"anchor": "embedding", "positive": "embedding", "negative": "embedding"}),
    (masked_tf, {"y_true": "real", "y_pred": "real", "mask": "mask"}),
]
