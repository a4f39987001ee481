"""The losses that the forge is tried on: each as an expression, and as its paper prints it, for mpmath."""

from dataclasses import dataclass, field

from mpmath import mp


def sigmoid(x):
    return 1 / (1 + mp.exp(-x))


def wing(r, w, eps):
    bend = w - w * mp.log(1 + w / eps)
    return w * mp.log(1 + abs(r) / eps) if abs(r) < w else abs(r) - bend


def focal(x, t, gamma):
    p = sigmoid(x)
    return -t * (1 - p) ** gamma * mp.log(p) - (1 - t) * p**gamma * mp.log(1 - p)


@dataclass(frozen=True)
class Case:
    text: str
    twin: object  # (pred, target, **params)
    kinds: tuple = ("real", "real")
    shape: str = "curved"
    params: dict = field(default_factory=dict)


CASES = {
    "Asymmetric": Case(
        "where(target > pred, under, over) * square(target - pred)",
        lambda x, t, under, over: (under if t > x else over) * (t - x) ** 2,
        params={"under": 2.0, "over": 1.0},
    ),
    "Huberlike": Case(
        "where(abs(pred - target) <= delta, 0.5 * square(pred - target), delta * (abs(pred - target) - 0.5 * delta))",
        lambda x, t, delta: (x - t) ** 2 / 2 if abs(x - t) <= delta else delta * (abs(x - t) - delta / 2),
        shape="straight",
        params={"delta": 1.3},
    ),
    "LogCosh": Case("log(cosh(pred - target))", lambda x, t: mp.log(mp.cosh(x - t))),
    "Logits": Case(
        "-target * log(sigmoid(pred)) - (1 - target) * log(1 - sigmoid(pred))",
        lambda x, t: -t * mp.log(sigmoid(x)) - (1 - t) * mp.log(1 - sigmoid(x)),
        kinds=("logits", "binary"),
    ),
    "Focal": Case(
        "-target * (1 - sigmoid(pred))**gamma * log(sigmoid(pred))"
        " - (1 - target) * sigmoid(pred)**gamma * log(1 - sigmoid(pred))",
        focal,
        kinds=("logits", "binary"),
        shape="not convex",
        params={"gamma": 2.0},
    ),
    "Quantile": Case(
        "maximum(q * (target - pred), (q - 1) * (target - pred))",
        lambda x, t, q: max(q * (t - x), (q - 1) * (t - x)),
        shape="straight",
        params={"q": 0.8},
    ),
    "PseudoHuber": Case(
        "delta**2 * (sqrt(1 + ((pred - target) / delta)**2) - 1)",
        lambda x, t, delta: delta**2 * (mp.sqrt(1 + ((x - t) / delta) ** 2) - 1),
        params={"delta": 1.5},
    ),
    "Wing": Case(
        "where(abs(pred - target) < w, w * log(1 + abs(pred - target) / eps),"
        " abs(pred - target) - (w - w * log(1 + w / eps)))",
        lambda x, t, w, eps: wing(x - t, w, eps),
        shape="not convex",
        params={"w": 2.0, "eps": 0.5},
    ),
    "Poisson": Case("exp(pred) - target * pred", lambda x, t: mp.exp(x) - t * x, kinds=("real", "count")),
    "Probability": Case(
        "-target * log(pred) - (1 - target) * log(1 - pred)",
        lambda x, t: (-t * mp.log(x) if t else 0) - ((1 - t) * mp.log(1 - x) if 1 - t else 0),
        kinds=("prob", "binary"),
    ),
    "Hinge": Case(
        "maximum(0, 1 - target * pred)", lambda x, t: max(0, 1 - t * x), kinds=("logits", "pm1"), shape="straight"
    ),
    "Logistic": Case("log(1 + exp(-target * pred))", lambda x, t: mp.log(1 + mp.exp(-t * x)), kinds=("logits", "pm1")),
    "Welsch": Case(
        "1 - exp(-0.5 * square((pred - target) / c))",
        lambda x, t, c: 1 - mp.exp(-(((x - t) / c) ** 2) / 2),
        shape="not convex",
        params={"c": 2.0},
    ),
    "Gamma": Case(
        "target / pred + log(pred)",
        lambda x, t: t / x + mp.log(x),
        kinds=("positive", "positive"),
        shape="not convex",
    ),
    "Linex": Case(
        "exp(a * (pred - target)) - a * (pred - target) - 1",
        lambda x, t, a: mp.exp(a * (x - t)) - a * (x - t) - 1,
        params={"a": 0.5},
    ),
    "Power": Case("abs(pred - target)**p", lambda x, t, p: abs(x - t) ** p, shape="straight", params={"p": 1.5}),
}
