"""Which argument of a loss is handed to which place of the functions of torch that it calls.

An argument is followed through what only moves or converts it. Once it is computed with it is another tensor, and
nothing is known of it: a logarithm of the target may well go where a prediction is expected.
"""

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.overrides import TorchFunctionMode

from lossmith.checker.accelerators import name_of
from lossmith.checker.activations import MOVES
from lossmith.checker.contract import PRED_NAMES, TARGET_NAMES
from lossmith.checker.signature import called, tree_of
from lossmith.checker.subject import Subject
from lossmith.checker.watch import user_line

# Functions whose two places are not alike.
ORDERED = ("cross_entropy", "nll_loss", "binary_cross_entropy", "binary_cross_entropy_with_logits", "kl_div")
GOAL_FIRST = (
    *("categorical_crossentropy", "binary_crossentropy", "sparse_categorical_crossentropy", "kl_divergence", "poisson"),
    *("categorical_focal_crossentropy", "binary_focal_crossentropy", "mean_squared_logarithmic_error"),
)
GUESS_FIRST = ("softmax_cross_entropy", "softmax_cross_entropy_with_integer_labels", "sigmoid_binary_cross_entropy")
GOAL = re.compile(r"(?:^|_)(?:targets?|true|truth|labels?|gt)(?:_|$)")
GUESS = re.compile(r"pred|prob|logit|output")


@dataclass(frozen=True)
class Exchange:
    """A function that got the target first and the prediction second, by their names."""

    function: str
    goal: str
    guess: str
    line: str
    goal_first: bool = False  # the function takes the target first


class Handed(TorchFunctionMode):
    """`exchanges` lists the calls whose places hold what their names say belongs in the other one."""

    def __init__(self, file: str, names: Sequence[str], inputs: Sequence[Any]) -> None:
        super().__init__()
        self.file, self.names, self.inputs = file, names, inputs
        self.exchanges: list[Exchange] = []
        self._from: dict[int, tuple[Tensor, str]] = {}  # the tensor is kept, so that its id is not given again

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = name_of(func)
        if name in ORDERED and len(args) >= 1:
            first, second = self._name(args[0]), self._name(args[1] if len(args) > 1 else kwargs.get("target"))
            if is_goal(first) and is_guess(second):
                self.exchanges.append(Exchange(name, first, second, user_line(self.file)))
        result = func(*args, **kwargs)
        if name in MOVES and args and isinstance(result, Tensor) and (known := self._name(args[0])):
            self._from[id(result)] = (result, known)
        return result

    def _name(self, value: Any) -> str:
        if not isinstance(value, Tensor):
            return ""
        if id(value) in self._from:
            return self._from[id(value)][1]
        same = (n for n, v in zip(self.names, self.inputs, strict=True) if isinstance(v, Tensor) and _equal(value, v))
        return next(same, "")


def _equal(value: Tensor, given: Tensor) -> bool:
    alike = value.shape == given.shape and value.dtype == given.dtype
    return alike and bool((value.detach() == given).all())


def is_goal(name: str) -> bool:
    return name.lower() in TARGET_NAMES or GOAL.search(name.lower()) is not None


def is_guess(name: str) -> bool:
    return not is_goal(name) and (name.lower() in PRED_NAMES or GUESS.search(name.lower()) is not None)


def exchanged(subject: Subject) -> Exchange | None:
    """The first function that a loss hands its target and its prediction in the wrong order."""
    if subject.contract.fold is not None:
        return None
    if subject.framework != "torch":
        return _as_written(subject)
    inputs = subject.draw(1)
    watch = Handed(subject.file, [argument.name for argument in subject.contract.arguments], inputs)
    subject.run(inputs, grad=False, watch=watch)
    return watch.exchanges[0] if watch.exchanges else None


def _as_written(subject: Subject) -> Exchange | None:
    """The same of functions of Keras, TensorFlow and optax, which cannot be watched: as the code names its values."""
    tree = tree_of(called(subject.loss))
    for node in ast.walk(tree) if tree is not None else ():
        if not isinstance(node, ast.Call) or len(node.args) < 2:
            continue
        function = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        first, second = (arg.id if isinstance(arg, ast.Name) else "" for arg in node.args[:2])
        goal, guess = (second, first) if function in GOAL_FIRST else (first, second)
        if function in (*GOAL_FIRST, *GUESS_FIRST) and is_goal(goal) and is_guess(guess):
            return Exchange(function, goal, guess, "", function in GOAL_FIRST)
    return None
