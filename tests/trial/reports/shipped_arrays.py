# ruff: noqa
# fmt: off
# Right losses in JAX, Keras and TensorFlow as well-known repositories ship them, restated; written before the checker
# was asked, by one who had not read the rules. Nothing may be said of them that is more than information. What was said
# rightly is mended here: JAX takes the slope of abs at 0 for 1, so that max(x, 0) - x y + log1p(exp(-abs(x))) has a wrong
# slope there, as has TensorFlow's own weighted cross-entropy, and (1 - p) ** gamma has none for a gamma of 0 at p = 1.


def jax_cross_entropy_with_integer_labels(logits, labels):
    label_logits = jnp.take_along_axis(logits, labels[..., None], axis=-1)[..., 0]
    return jnp.mean(jax.nn.logsumexp(logits, axis=-1) - label_logits)


def jax_sigmoid_focal(logits, labels, alpha=0.25, gamma=2.0):
    """Focal loss on logits, binary labels of the same shape."""
    log_p, log_q = jax.nn.log_sigmoid(logits), jax.nn.log_sigmoid(-logits)
    hit = -alpha * labels * jnp.exp(gamma * log_q) * log_p
    return jnp.mean(hit - (1 - alpha) * (1 - labels) * jnp.exp(gamma * log_p) * log_q)


def jax_masked_tokens(logits, targets, weights):
    """As translation examples ship it: weights are 0 on padding."""
    log_probs = jax.nn.log_softmax(logits)
    nll = -jnp.take_along_axis(log_probs, targets[..., None], axis=-1)[..., 0]
    return jnp.sum(nll * weights) / jnp.maximum(jnp.sum(weights), 1.0)


def jax_ppo_clip(log_probs, old_log_probs, advantages, clip_eps=0.2):
    ratio = jnp.exp(log_probs - old_log_probs)
    return -jnp.mean(jnp.minimum(ratio * advantages, jnp.clip(ratio, 1 - clip_eps, 1 + clip_eps) * advantages))


def jax_vae(recon_logits, x, mean, logvar):
    bce = jnp.sum(jax.nn.softplus(recon_logits) - recon_logits * x, axis=-1)
    kld = -0.5 * jnp.sum(1 + logvar - mean**2 - jnp.exp(logvar), axis=-1)
    return jnp.mean(bce + kld)


def jax_huber(predictions, targets, delta=1.0):
    assert predictions.shape == targets.shape
    errors = predictions - targets
    quadratic = jnp.minimum(jnp.abs(errors), delta)
    linear = jnp.abs(errors) - quadratic
    return jnp.mean(0.5 * quadratic**2 + delta * linear)


def jax_info_nce(z_a, z_b, temperature=0.1):
    a = z_a * jax.lax.rsqrt(jnp.sum(z_a**2, -1, keepdims=True) + 1e-12)
    b = z_b * jax.lax.rsqrt(jnp.sum(z_b**2, -1, keepdims=True) + 1e-12)
    logits = a @ b.T / temperature
    diagonal = jnp.diagonal(logits)
    return jnp.mean(jax.nn.logsumexp(logits, axis=1) - diagonal + jax.nn.logsumexp(logits, axis=0) - diagonal) / 2


def jax_distillation(student_logits, teacher_logits, temperature=2.0):
    teacher = jax.nn.softmax(jax.lax.stop_gradient(teacher_logits) / temperature)
    student = jax.nn.log_softmax(student_logits / temperature)
    return -jnp.mean(jnp.sum(teacher * student, -1)) * temperature**2


def jax_score_matching(score, noise, sigma):
    """Denoising score matching, weighted by the variance."""
    return jnp.mean(jnp.sum((score * sigma[:, None] + noise) ** 2, axis=-1))


def jax_q_learning(q_values, actions, rewards, next_q_values, discount=0.99):
    target = jax.lax.stop_gradient(rewards + discount * jnp.max(next_q_values, axis=-1))
    chosen = jnp.take_along_axis(q_values, actions[:, None], axis=-1)[:, 0]
    return jnp.mean(0.5 * (chosen - target) ** 2)


def jax_triplet(anchor, positive, negative, margin=1.0):
    def distance(u, v):
        return jnp.sqrt(jnp.sum((u - v) ** 2, -1) + 1e-12)
    return jnp.mean(jax.nn.relu(distance(anchor, positive) - distance(anchor, negative) + margin))


def jax_dice(logits, masks, eps=1.0):
    p = jax.nn.sigmoid(logits).reshape(len(logits), -1)
    t = masks.reshape(len(masks), -1)
    inter = jnp.sum(p * t, -1)
    return jnp.mean(1 - (2 * inter + eps) / (jnp.sum(p, -1) + jnp.sum(t, -1) + eps))


def jax_poisson_nll(log_rate, counts):
    return jnp.mean(jnp.exp(log_rate) - counts * log_rate)


def jax_straight_through(pred, target):
    """Rounded in the forward, the identity in the backward, on purpose."""
    assert pred.shape == target.shape
    hard = pred + jax.lax.stop_gradient(jnp.round(pred) - pred)
    return jnp.mean((hard - target) ** 2)


def jax_smoothed_cross_entropy(logits, labels, smoothing=0.1):
    n = logits.shape[-1]
    onehot = jax.nn.one_hot(labels, n) * (1 - smoothing) + smoothing / n
    return -jnp.mean(jnp.sum(onehot * jax.nn.log_softmax(logits), axis=-1)), {"smoothing": smoothing}


class KerasBinaryFocal(keras.losses.Loss):
    def __init__(self, gamma=2.0, alpha=0.25, from_logits=True, name="focal", **kwargs):
        super().__init__(name=name, **kwargs)
        self.gamma, self.alpha, self.from_logits = gamma, alpha, from_logits

    def call(self, y_true, y_pred):
        y_true = ops.cast(y_true, y_pred.dtype)
        logits = y_pred if self.from_logits else ops.log(y_pred) - ops.log1p(-y_pred)
        log_p, log_q = -ops.softplus(-logits), -ops.softplus(logits)
        hit = -self.alpha * y_true * ops.exp(self.gamma * log_q) * log_p
        return ops.mean(hit - (1 - self.alpha) * (1 - y_true) * ops.exp(self.gamma * log_p) * log_q, axis=-1)


class KerasQuantile(keras.losses.Loss):
    def __init__(self, q=0.9, **kwargs):
        super().__init__(**kwargs)
        self.q = q

    def call(self, y_true, y_pred):
        e = y_true - y_pred
        return ops.mean(ops.maximum(self.q * e, (self.q - 1) * e), axis=-1)


def keras_smape(y_true, y_pred):
    """Guarded percentage error."""
    return ops.mean(2 * ops.abs(y_true - y_pred) / (ops.abs(y_true) + ops.abs(y_pred) + 0.1), axis=-1)


def keras_gaussian_nll(y_true, y_pred):
    """Mean and log-variance are stacked along the last axis."""
    mean, log_var = ops.split(y_pred, 2, axis=-1)
    return ops.mean(0.5 * (log_var + ops.square(y_true - mean) * ops.exp(-log_var)), axis=-1)


class KerasSimCLR(keras.losses.Loss):
    """Two views, temperature-scaled."""

    def __init__(self, temperature=0.1, **kwargs):
        super().__init__(**kwargs)
        self.temperature = temperature

    def call(self, projections_1, projections_2):
        a = ops.normalize(projections_1, axis=1)
        b = ops.normalize(projections_2, axis=1)
        similarities = ops.matmul(a, ops.transpose(b)) / self.temperature
        labels = ops.arange(ops.shape(a)[0])
        one = keras.losses.sparse_categorical_crossentropy(labels, similarities, from_logits=True)
        two = keras.losses.sparse_categorical_crossentropy(labels, ops.transpose(similarities), from_logits=True)
        return (one + two) / 2


def keras_masked_sparse(y_true, y_pred):
    """Label 0 is padding, as captioning examples ship it."""
    loss = ops.logsumexp(y_pred, axis=-1) - ops.squeeze(ops.take_along_axis(y_pred, ops.expand_dims(y_true, -1), axis=-1), -1)
    mask = ops.cast(ops.not_equal(y_true, 0), loss.dtype)
    return ops.sum(loss * mask) / ops.maximum(ops.sum(mask), 1.0)


class KerasLogCosh(keras.losses.Loss):
    def call(self, y_true, y_pred):
        x = ops.abs(y_pred - y_true)
        return ops.mean(x + ops.softplus(-2.0 * x) - 0.6931471805599453, axis=-1)


def keras_ssim_free_gradient_loss(y_true, y_pred):
    """Differences along both image axes should agree."""
    dy = (y_pred[:, 1:] - y_pred[:, :-1]) - (y_true[:, 1:] - y_true[:, :-1])
    dx = (y_pred[:, :, 1:] - y_pred[:, :, :-1]) - (y_true[:, :, 1:] - y_true[:, :, :-1])
    return ops.mean(ops.abs(dy)) + ops.mean(ops.abs(dx))


def tf_huber(y_true, y_pred, delta=1.0):
    error = y_true - y_pred
    small = tf.abs(error) <= delta
    return tf.reduce_mean(tf.where(small, 0.5 * tf.square(error), delta * tf.abs(error) - 0.5 * delta**2), axis=-1)


def tf_dice_loss(y_true, y_pred, smooth=1.0):
    """Probabilities in, one number for each image."""
    y_true = tf.reshape(tf.cast(y_true, y_pred.dtype), [tf.shape(y_pred)[0], -1])
    y_pred = tf.reshape(y_pred, [tf.shape(y_pred)[0], -1])
    inter = tf.reduce_sum(y_true * y_pred, axis=-1)
    return 1 - (2 * inter + smooth) / (tf.reduce_sum(y_true, axis=-1) + tf.reduce_sum(y_pred, axis=-1) + smooth)


def tf_generator_loss(fake_output):
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=tf.ones_like(fake_output), logits=fake_output))


def tf_contrastive_loss(y, distance, margin=1.0):
    """y is 1 for pairs that are alike; the distance is not negative."""
    y = tf.cast(y, distance.dtype)
    return tf.reduce_mean(y * tf.square(distance) + (1 - y) * tf.square(tf.maximum(margin - distance, 0)))


class TFWeightedBCE(keras.losses.Loss):
    def __init__(self, pos_weight=2.0, **kwargs):
        super().__init__(**kwargs)
        self.pos_weight = pos_weight

    def call(self, y_true, y_pred):
        y_true = tf.cast(y_true, y_pred.dtype)
        cost = self.pos_weight * y_true * tf.nn.softplus(-y_pred) + (1 - y_true) * tf.nn.softplus(y_pred)
        return tf.reduce_mean(cost, axis=-1)


def tf_cosine_embedding(y_true, y_pred):
    a = tf.math.l2_normalize(y_true, axis=-1)
    b = tf.math.l2_normalize(y_pred, axis=-1)
    return 1 - tf.reduce_sum(a * b, axis=-1)


def tf_sparse_softmax(labels, logits):
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits))


def tf_yolo_objectness(pred_logits, true_obj, ignore_mask):
    """Cells that overlap an object without being responsible do not count."""
    bce = tf.nn.sigmoid_cross_entropy_with_logits(labels=true_obj, logits=pred_logits)
    keep = true_obj + (1 - true_obj) * ignore_mask
    return tf.reduce_sum(bce * keep) / tf.maximum(tf.reduce_sum(keep), 1.0)
