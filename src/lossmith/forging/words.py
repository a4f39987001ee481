"""The closed list of words that an expression may use.

Each is a name of `lossmith.ops`, or a stable primitive written in them (`reading.py`). A word takes numbers and gives
a number, except for comparisons and logic, which give a truth, and `where`, whose first argument is one.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Word:
    """How many arguments a word takes, and what it means."""

    arity: int
    meaning: str


WORDS = {
    "abs": Word(1, "|x|"),
    "exp": Word(1, "e^x"),
    "expm1": Word(1, "e^x - 1"),
    "log": Word(1, "the natural logarithm"),
    "log1p": Word(1, "log(1 + x)"),
    "sqrt": Word(1, "the square root"),
    "square": Word(1, "x * x"),
    "softplus": Word(1, "log(1 + e^x)"),
    "sigmoid": Word(1, "1 / (1 + e^-x)"),
    "log_sigmoid": Word(1, "log(sigmoid(x))"),
    "tanh": Word(1, "the hyperbolic tangent"),
    "cosh": Word(1, "the hyperbolic cosine"),
    "sinh": Word(1, "the hyperbolic sine"),
    "log_cosh": Word(1, "log(cosh(x))"),
    "arctan": Word(1, "the angle whose tangent is x"),
    "sign": Word(1, "-1, 0 or 1"),
    "relu": Word(1, "maximum(x, 0)"),
    "minimum": Word(2, "the smaller"),
    "maximum": Word(2, "the larger"),
    "clip": Word(3, "x between two bounds"),
    "logaddexp": Word(2, "log(e^x + e^y)"),
    "xlogy": Word(2, "x * log(y), 0 where both are 0"),
    "xlog1py": Word(2, "x * log(1 + y), 0 where x = 0 and y = -1"),
    "where": Word(3, "the second where the first is true, else the third"),
}
# Words along a row of classes; with one of them an expression is the loss of a row, not of a number.
ROWS = {
    "sum": Word(1, "the sum over the classes"),
    "mean": Word(1, "the mean over the classes"),
    "logsumexp": Word(1, "log(sum(e^x)) over the classes"),
    "softmax": Word(1, "e^x / sum(e^x) over the classes"),
    "log_softmax": Word(1, "log(softmax(x))"),
}
INNER = {"hypot": Word(2, "sqrt(x^2 + y^2), where one of the two is never 0")}  # only a rewrite may bring it in
TRUTHS = {"lt", "le", "gt", "ge", "eq", "ne", "and", "or", "not"}  # written < <= > >= == != & | ~
# What may stand for a word elsewhere, and what it is called here.
ELSEWHERE = {
    "atan": "arctan",
    "ln": "log",
    "pow": "**",
    "power": "**",
    "max": "maximum",
    "min": "minimum",
    "clamp": "clip",
    "logsigmoid": "log_sigmoid",
    "logcosh": "log_cosh",
    "fabs": "abs",
    "y_pred": "pred",
    "y_true": "target",
    "input": "pred",
    "prediction": "pred",
    "label": "target",
    "tgt": "target",
    "prd": "pred",
    "preds": "pred",
    "targets": "target",
    "x": "pred",
    "y": "target",
}
