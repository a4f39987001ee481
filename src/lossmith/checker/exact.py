"""The true value and slope of a traced loss along a line, with every digit: what each dtype is measured against.

The trace (or the formula, of one of ours) is replayed with enough digits that 1 - sigmoid(1000) still has fifty of
its own. A slope is a difference on both sides; where the sides disagree there is a kink, and no true slope.
"""

from collections.abc import Sequence
from math import isclose
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from lossmith.checker.lines import Move
from lossmith.checker.many import at_many
from lossmith.checker.subject import Subject
from lossmith.checker.traced import traced
from lossmith.errors import LossmithError

if TYPE_CHECKING:
    from lossmith.spec import Formula

DIGITS = 500
STEP = "1e-20"  # of the number, or of a thousandth where it is smaller
SAME = "1e-12"  # two sides of a smooth place
LIKE = 1e-6  # float64, where it has digits left


class Exact:
    """The total of a loss as its arguments move; `factor` is what the loss makes of several equal predictions.

    Errors    LossmithError for a loss that is not traced, or whose trace has another value or slope than float64
    """

    def __init__(self, subject: Subject, move: Move, span: tuple[float, float]) -> None:
        from lossmith.ops import digits  # the extra `prove`

        found = traced(subject)
        self.subject, self.move, self.digits = subject, move, digits
        self.formula: Formula = found.formula
        self.settings, self.factor = found.settings, 1.0
        if found.stopped:
            raise LossmithError(f"a part is detached at {found.stopped}")
        if found.of_rows:
            raise LossmithError("it is not a loss of single numbers")
        self._require_like_float64(torch.tensor([0.71 * span[0] + 0.29 * span[1], 0.23 * span[0] + 0.77 * span[1]]))

    def at(self, x: Tensor, dtype: torch.dtype) -> tuple[list[Any], list[Any]]:
        """Values and slopes for what the dtype holds of the arguments; NaN for a slope at a kink."""
        pairs = [self._numbers(one, dtype) for one in x]
        mpf = self.digits.context.mpf
        with self.digits.context.workdps(DIGITS):
            pred, target = ([mpf(pair[side]) for pair in pairs] for side in (0, 1))
            steps = [mpf(STEP) * max(abs(one), mpf("0.001")) for one in pred]
            here = self._read(pred, target)
            below = self._read([a - h for a, h in zip(pred, steps, strict=True)], target)
            above = self._read([a + h for a, h in zip(pred, steps, strict=True)], target)
            slopes = [
                self._slope((b - a) / h, (c - b) / h) for a, b, c, h in zip(below, here, above, steps, strict=True)
            ]
            return [self.factor * one for one in here], [self.factor * one for one in slopes]

    def _slope(self, left: Any, right: Any) -> Any:
        context = self.digits.context
        gap, size = abs(left - right), abs(left) + abs(right)
        return (left + right) / 2 if gap <= context.mpf(SAME) * size or size == 0 else context.nan

    def _read(self, pred: Sequence[Any], target: Sequence[Any]) -> list[Any]:
        arrays = (self.digits.array(np.array(one, dtype=object)) for one in (pred, target))
        found = self.formula.outcome(self.digits.ops, *arrays, **self.settings).values
        return list(np.asarray(found).reshape(-1))

    def _numbers(self, x: Tensor, dtype: torch.dtype) -> tuple[float, float]:
        """The one number that the prediction holds, and the one that the target holds."""
        contract = self.subject.contract
        given = self.move(x.double())
        found = [given[index].to(dtype).double() for index in (contract.preds[0], contract.target or 0)]
        if any(bool((one != one.flatten()[0]).any()) for one in found):
            raise LossmithError("its arguments hold different numbers")
        return float(found[0].flatten()[0]), float(found[1].flatten()[0])

    def _require_like_float64(self, x: Tensor) -> None:
        """The trace is the loss: its mean or its sum, and its slope is what autograd gives."""
        contract = self.subject.contract
        double = at_many(self.subject, self.move, (x.double(),), dtype=torch.float64)
        count = self.move(x[0].double())[contract.preds[0]].numel()
        values, slopes = self.at(x, torch.float64)
        for factor in dict.fromkeys((1.0, float(count))):
            pairs = [*zip(values, double.value, strict=True), *zip(slopes, double.slopes[0], strict=True)]
            if all(isclose(factor * float(want), float(got), rel_tol=LIKE, abs_tol=LIKE) for want, got in pairs):
                self.factor = factor
                return
        raise LossmithError("its trace is not what float64 computes and differentiates")
