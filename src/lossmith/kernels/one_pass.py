"""Total and gradient in one compiled kernel: read what the loss takes, write the gradient, and nothing between.

    forward    (total, gradient) = one graph of the loss and its derivative, compiled by torch's inductor
    backward   gradient * upstream; where the upstream gradient is one (`total.backward()`) not even that

A loss in torch is a chain of operations that each read and write whole tensors, and its backward is another chain.
Compiling both as one graph leaves one pass. With values for each entry (reduction "none") the upstream gradient is not
known beforehand: then the forward is one compiled pass, and the backward another, which reads the inputs again.

Memory     the gradient, from the forward on; nothing else is saved but the inputs.
Numerics   those of the function: half precision is widened inside the kernel.
Again      a second backward through a retained graph computes the gradient again. A graph of the gradient (double
           backward), `torch.func`, forward-mode derivatives and callers that are compiled themselves run the
           function as it is.
Judge      the function itself: value and gradient, in `tests/kernels/test_one_pass.py`.
"""

from collections.abc import Callable, Hashable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from lossmith.kernels.compiler import apart, no_compiler, over_limit, tell
from lossmith.kernels.kernel import runs

Given = Mapping[Hashable, Any]  # positional arguments by number, others by name


class OnePass:
    """A function of tensors, compiled together with its derivative.

    function   takes tensors (and numbers, None, booleans) and gives one tensor: a total, or values
    module     whose parameters have gradients too, where the function reads some
    options    of `torch.compile`, such as its backend

    >>> total = OnePass(lambda x, t: (x - t).square().mean(), backend="eager")
    >>> total(torch.tensor([1.0, 3.0]), torch.zeros(2))
    tensor(5.)
    """

    def __init__(self, function: Callable[..., Tensor], *, module: nn.Module | None = None, **options: Any):
        self._function, self._module = function, None if module is None else _Bound(module, function)
        self._scalar: bool | None = None
        self._broken = False
        self._both = torch.compile(apart(self._gradient), fullgraph=True, **options)
        self._values = torch.compile(apart(self._at), fullgraph=True, **options)
        self._slopes = torch.compile(apart(self._gradient_by), fullgraph=True, **options)

    def __call__(self, *arguments: Any, scalar: bool | None = None, **named: Any) -> Tensor:
        """What the function gives. `scalar` says whether that is one number, where it is known."""
        given: dict[Hashable, Any] = {**dict(enumerate(arguments)), **named}
        if self._module is not None:
            given |= {(name,): parameter for name, parameter in self._module.module.named_parameters()}
        tensors = [x for x in given.values() if isinstance(x, Tensor)]
        if self._broken or not runs(*tensors):
            return self._function(*arguments, **named)
        moved = {key: x for key, x in given.items() if isinstance(x, Tensor) and x.requires_grad}
        rest = {key: x for key, x in given.items() if key not in moved}
        try:
            if not (moved and torch.is_grad_enabled()):
                return self._values({}, {**rest, **{key: x.detach() for key, x in moved.items()}})
            if scalar is None:
                scalar = self._is_scalar(given)
            return _Pass.apply(self, rest, tuple(moved), scalar, *moved.values())
        except Exception as error:
            if not (no_compiler(error) or over_limit(error)):
                raise
            self._broken = no_compiler(error)  # what is compiled already goes on
            tell(error)
            return self._function(*arguments, **named)

    def _is_scalar(self, given: Given) -> bool:
        if self._scalar is None:
            with torch.no_grad():
                self._scalar = self._at({}, given).ndim == 0
        return self._scalar

    def _at(self, moved: Given, rest: Given) -> Tensor:
        """The function of the tensors that have a gradient, and the rest of its arguments."""
        given = {**rest, **moved}
        positional = [given[place] for place in range(sum(isinstance(key, int) for key in given))]
        named = {key: x for key, x in given.items() if isinstance(key, str)}
        if self._module is None:
            return self._function(*positional, **named)
        held = {f"module.{key[0]}": x for key, x in given.items() if isinstance(key, tuple)}
        return torch.func.functional_call(self._module, held, tuple(positional), named)

    def _gradient(self, moved: Given, rest: Given) -> tuple[Any, Tensor]:
        return torch.func.grad_and_value(self._at)(moved, rest)

    def _gradient_by(self, moved: Given, rest: Given, upstream: Tensor) -> Any:
        return torch.func.vjp(lambda tensors: self._at(tensors, rest), moved)[1](upstream)[0]


class _Pass(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, owner: OnePass, rest: Given, keys: tuple[Hashable, ...], scalar: bool, *tensors: Tensor
    ) -> Tensor:
        moved = dict(zip(keys, (x.detach() for x in tensors), strict=True))
        ctx.owner, ctx.rest, ctx.keys, ctx.gradients = owner, rest, keys, None
        ctx.save_for_backward(*tensors)
        if not scalar:
            return owner._values(moved, rest)
        gradients, total = owner._both(moved, rest)
        ctx.gradients = [gradients[key] for key in keys]
        return total

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Any, ...]:
        owner, tensors, (slope,) = ctx.owner, ctx.saved_tensors, upstream
        before = (None, None, None, None)
        if torch.is_grad_enabled():
            with torch.enable_grad():
                total = owner._at(dict(zip(ctx.keys, tensors, strict=True)), ctx.rest)
                return (*before, *torch.autograd.grad(total, tensors, slope, create_graph=True, allow_unused=True))
        # handed over and not kept, so that autograd can take the memory as it is
        gradients, ctx.gradients = ctx.gradients, None
        if gradients is None:
            moved = dict(zip(ctx.keys, (x.detach() for x in tensors), strict=True))
            found = owner._slopes(moved, ctx.rest, slope)
            return (*before, *(found[key] for key in ctx.keys))
        if slope.device.type != "cpu" or slope.item() != 1.0:
            gradients = [gradient * slope for gradient in gradients]
        return (*before, *gradients)


class _Bound(nn.Module):
    """A module and a function that reads its parameters, so that they can be replaced while it runs."""

    def __init__(self, module: nn.Module, function: Callable[..., Tensor]) -> None:
        super().__init__()
        self.module, self.function = module, function

    def forward(self, *arguments: Any, **named: Any) -> Tensor:
        return self.function(*arguments, **named)
