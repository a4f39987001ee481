"""A value and its slope that are written as one function of tensors, which looks at no number: so it can be compiled.

    function(*arrays, **settings)    (value, slope, known), or None for settings that it does not know

Whether the function is right for these arrays is `known`, a boolean of the device. Compiled it is one pass over what a
loss takes, and its compiler has a tenth of the work that a formula and its derivative by autograd would make. Of a
total the sum is taken in that pass too, and the slope is written as it is handed over.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from lossmith.kernels.compiler import compiled

Known = tuple[Tensor, Tensor, Tensor]


class Written:
    """Value and slope, as `blocks` asks for them; None where the formula is to be asked.

    options    of `torch.compile`, for this function
    """

    def __init__(self, function: Callable[..., Known | None], **options: Any) -> None:
        self.function, self.options, self._run = function, options, function
        self._summed: Callable[..., Known | None] | None = None  # once compiled

    def compiled(self, **options: Any) -> "Written":
        """The same by kernels that are compiled at their first call, with these options of `torch.compile`."""
        made = Written(self.function, **self.options)
        own = {} if options.keys() & {"backend", "mode", "options"} else self.options
        made._run = compiled(self.function, **{**own, **options})
        made._summed = compiled(self._in_one, **{**own, **options})
        return made

    def __call__(self, *arrays: Tensor, **settings: Any) -> tuple[Tensor, Tensor] | None:
        found = self._run(*(x.detach() for x in arrays), **settings) if arrays[0].numel() else None
        return found[:2] if found is not None and found[2].item() else None

    def summed(
        self, arrays: Sequence[Tensor], scale: float, settings: Mapping[str, Any]
    ) -> tuple[Tensor, Tensor] | None:
        """The sum of the values times `scale`, and its slope, by one kernel; None where there is none, as above."""
        if self._summed is None:
            return None
        factor = torch.scalar_tensor(scale, dtype=arrays[0].dtype)  # a number would be compiled in
        found = self._summed(factor, *(x.detach() for x in arrays), **settings)
        return found[:2] if found is not None and found[2].item() else None

    def _in_one(self, scale: Tensor, *arrays: Tensor, **settings: Any) -> Known | None:
        found = self.function(*arrays, **settings)
        if found is None:
            return None
        value, slope, known = found
        total = value.sum() * scale
        return total, slope * scale, known & total.isfinite()
