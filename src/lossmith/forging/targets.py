"""What can be written, by name, and in which framework it runs."""

from collections.abc import Callable
from dataclasses import dataclass

from lossmith.forging import emit_arrays, emit_boosting, emit_keras, emit_latex, emit_torch
from lossmith.forging.plan import Plan


@dataclass(frozen=True)
class Target:
    """How a target is written; what it is called in the file; whether the checker can read it."""

    write: Callable[[Plan], str]
    framework: str
    is_class: bool = False
    checked: bool = False

    @property
    def boosts(self) -> bool:
        return self.framework in ("xgboost", "lightgbm", "catboost")

    def called(self, plan: Plan) -> str:
        return plan.name if self.is_class else plan.function


TARGETS = {
    "torch-function": Target(emit_torch.function, "torch", checked=True),
    "torch-module": Target(emit_torch.module, "torch", is_class=True, checked=True),
    "torch-autograd": Target(emit_torch.autograd, "torch", checked=True),
    "keras-function": Target(emit_keras.function, "keras", checked=True),
    "keras-class": Target(emit_keras.loss_class, "keras", is_class=True, checked=True),
    "jax": Target(emit_arrays.jax, "jax", checked=True),
    "numpy": Target(emit_arrays.numpy, "numpy"),
    "xgboost": Target(emit_boosting.xgboost, "xgboost"),
    "lightgbm": Target(emit_boosting.lightgbm, "lightgbm"),
    "catboost": Target(emit_boosting.catboost, "catboost", is_class=True),
    "latex": Target(emit_latex.latex, "latex"),
}
