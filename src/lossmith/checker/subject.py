"""The loss under examination: called in any precision, from a fresh copy each time, with everything recorded."""

import warnings
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from lossmith.checker.accelerators import OnCpu, is_missing
from lossmith.checker.blank import Blank, asks_for_blank
from lossmith.checker.bridges import as_torch, each_as_torch
from lossmith.checker.contract import Contract
from lossmith.checker.frameworks import (
    Framework,
    copy_of,
    first_of,
    framework_of,
    in_dtype,
    is_bridged,
    path_of,
)
from lossmith.checker.limits import OverMemory, is_over_memory, limited_call
from lossmith.checker.sample import draw
from lossmith.checker.signature import required_parameters


@dataclass(frozen=True)
class Trial:
    """One call of the loss: what went in, what came out, what went wrong."""

    inputs: tuple[Any, ...]
    output: Tensor | None = None
    total: Tensor | None = None
    grads: tuple[Tensor | None, ...] = ()
    error: Exception | None = None
    warned: tuple[str, ...] = ()
    returned: str = ""
    where: int = 0  # which argument is the (first) prediction

    @property
    def ok(self) -> bool:
        return self.error is None and self.total is not None

    @property
    def value(self) -> float:
        """The total, NaN if there is none."""
        return float("nan") if self.total is None else float(self.total)

    @property
    def grad(self) -> Tensor | None:
        """The gradient with respect to the first prediction."""
        return self.grads[self.where] if self.grads else None

    @property
    def finite_value(self) -> bool:
        return self.total is not None and bool(torch.isfinite(self.total).all())

    @property
    def finite_grad(self) -> bool:
        """False only if a gradient exists and holds an inf or a NaN."""
        return all(grad is None or bool(torch.isfinite(grad).all()) for grad in self.grads)


@dataclass
class Subject:
    """A loss with its contract. `loss` is the user's object, `args` the settings it was built with."""

    name: str
    loss: Any
    location: str = ""
    file: str = ""
    recipe: tuple[str, ...] = ()
    build: Callable[..., Any] | None = None
    settings: dict[str, Any] = field(default_factory=dict[str, Any])
    contract: Contract = field(default_factory=lambda: Contract((), "none"))
    framework: Framework = "torch"
    family: str = ""  # "torch.nn.HuberLoss": set for a loss that a framework ships
    notes: list[str] = field(default_factory=list[str])
    seed: int = 0  # shifts every draw
    range: float | None = None  # no prediction is larger than this
    deep: bool = False  # ask what takes long, too
    brief: bool = False  # one of many configurations: fewer points will do
    reference: str = ""  # what it ought to equal: "torch.nn.HuberLoss"
    # Holds True once the loss has named an accelerator that this machine has not: the CPU stands in from then on.
    standing_in: list[bool] = field(default_factory=list[bool])
    _twins: dict[torch.dtype, Any] = field(default_factory=dict[torch.dtype, Any])
    cache: dict[Any, Any] = field(default_factory=dict[Any, Any])

    @classmethod
    def of(cls, name: str, loss: Any, **known: Any) -> "Subject":
        return cls(name=name, loss=loss, framework=framework_of(loss), **known)

    @property
    def bridged(self) -> bool:
        return is_bridged(self.framework)

    @property
    def module(self) -> nn.Module | None:
        return self.loss if isinstance(self.loss, nn.Module) else None

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of the arrays that the loss must be given, in order; of a fold, one for each kind of entry."""
        fold = self.contract.fold
        if fold is None:
            return (*required_parameters(self.loss), *self.contract.also)
        return tuple(holder.name for holder in fold.holders) if fold.alike else fold.words

    def with_contract(self, contract: Contract) -> "Subject":
        return replace(self, contract=contract, cache={})

    def with_settings(self, **settings: Any) -> "Subject | None":
        """The same loss built with other settings, or None if it cannot be built so."""
        if self.build is None:
            return None
        merged = {**self.settings, **settings}
        try:
            made = self.build(**merged)
            _take_state(made, self.loss, self._drawn_buffers())
            return replace(self, loss=made, settings=merged, _twins={}, cache={})
        except Exception:  # the loss does not take this value: the caller asks for another
            return None

    def _drawn_buffers(self) -> set[str]:
        """Buffers that begin at random; the others follow from the settings, and are those of a loss built anew."""
        if "drawn buffers" not in self.cache:
            again = self.build(**self.settings) if self.build is not None else None
            own = dict(self.loss.named_buffers()) if isinstance(self.loss, nn.Module) else {}
            built = dict(again.named_buffers()) if isinstance(again, nn.Module) and own else {}
            self.cache["drawn buffers"] = {name for name in own.keys() & built if not _equal(own[name], built[name])}
        return self.cache["drawn buffers"]

    def apart(self) -> "Subject":
        """The same loss as an object of its own, with nothing remembered."""
        return replace(self, loss=self.twin(torch.float32), notes=[], standing_in=[], _twins={}, cache={})

    def twin(self, dtype: torch.dtype) -> Any:
        """A fresh copy of the loss in this precision: no state is carried from one trial to the next."""
        if dtype not in self._twins:
            self._twins[dtype] = in_dtype(self.loss, dtype) if dtype != torch.float32 else self.loss
        try:
            return copy_of(self._twins[dtype])
        except Exception:  # not every object can be copied (a lock, an open file): then it is shared
            return self._twins[dtype]

    def call(self, loss: Any, inputs: Sequence[Any]) -> Any:
        return as_torch(self._folded(loss), self.framework)(*inputs)

    def call_each(self, loss: Any, rows: Sequence[Any]) -> Any:
        """What the loss returns for each entry along one more axis in front of every argument."""
        return each_as_torch(self._folded(loss), self.framework)(*rows)

    def _folded(self, loss: Any) -> Callable[..., Any]:
        function = loss.apply if isinstance(loss, type) and issubclass(loss, torch.autograd.Function) else loss
        fold = self.contract.fold
        return function if fold is None else lambda *row: function(*fold.pack(row))

    def draw(self, seed: int = 0, n: int | None = None) -> tuple[Any, ...]:
        return draw(self.contract, seed + 10_000 * self.seed, n)

    def run(
        self,
        inputs: Sequence[Any],
        *,
        dtype: torch.dtype | None = None,
        grad: bool = True,
        wrt: Sequence[int] | None = None,
        cotangent: float = 1.0,
        loss: Any = None,
        watch: AbstractContextManager[Any] | None = None,
        seed: int = 0,
    ) -> Trial:
        """Call the loss on copies of `inputs` (floats cast to `dtype`), and differentiate the total.

        `wrt` are the arguments to differentiate (the predictions by default); `loss` replaces the fresh copy of
        the loss; `watch` is entered around the call. An exception of the loss is recorded, not raised.
        """
        wanted = tuple(self.contract.preds if wrt is None else wrt) if grad else ()
        given = tuple(cast(value, dtype) for value in inputs)
        live = tuple(_leaf(value, index in wanted) for index, value in enumerate(given))
        floats = [value.dtype for value in given if isinstance(value, Tensor) and value.is_floating_point()]
        chosen = self.twin(floats[0] if floats else torch.float32) if loss is None else loss
        torch.default_generator.manual_seed(seed)  # torch.manual_seed asks every device, which costs as much as a loss
        first = self.contract.preds[0] if self.contract.preds else 0
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                with limited_call(), OnCpu() if self.standing_in else nullcontext(), self._blank():
                    with watch or nullcontext():
                        raw = self.call(chosen, live)
                    self.cache["path"] = path_of(raw)
                    output, returned = as_tensor(raw)
                    total = output.sum() if output.ndim else output
                    grads = _gradients(total, live, wanted, cotangent)
            except Exception as error:  # the loss is a stranger's: whatever it raises is an observation
                if is_over_memory(error):
                    raise OverMemory(_shapes(given)) from None
                missing = is_missing(error) and not self.standing_in
                if not missing:
                    return Trial(given, error=error, warned=_texts(caught), where=first)
            else:
                return Trial(given, output.detach(), total.detach(), grads, None, _texts(caught), returned, first)
        self.standing_in.append(True)
        again: dict[str, Any] = {"dtype": dtype, "grad": grad, "wrt": wrt, "cotangent": cotangent}
        return self.run(inputs, **again, loss=loss, watch=watch, seed=seed)

    def _blank(self) -> AbstractContextManager[Any]:
        """Memory that the loss never writes is 0 in every call, or no two calls could be compared (LS607)."""
        if "blank" not in self.cache:
            self.cache["blank"] = asks_for_blank(self.loss)
        return Blank(0.0) if self.cache["blank"] else nullcontext()

    def values(self, inputs: Sequence[Any], *, dtype: torch.dtype | None = None) -> float:
        """The total alone; NaN if the loss raises. Runs without gradients."""
        with torch.no_grad():
            return self.run(inputs, dtype=dtype, grad=False).value


def _take_state(made: Any, of: Any, drawn: Collection[str]) -> None:
    """Give a rebuilt module the weights of the first one, where they fit: what it learns begins at random."""
    if isinstance(made, nn.Module) and isinstance(of, nn.Module):
        own, given = made.state_dict(), of.state_dict()
        if own.keys() == given.keys() and all(own[name].shape == given[name].shape for name in own):
            follows = dict(of.named_buffers()).keys() - set(drawn)
            made.load_state_dict({name: own[name] if name in follows else given[name] for name in own})


def _equal(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and torch.equal(a.nan_to_num(7.0), b.nan_to_num(7.0))


def _gradients(
    total: Tensor, live: Sequence[Any], wanted: Sequence[int], cotangent: float
) -> tuple[Tensor | None, ...]:
    if not wanted or not total.requires_grad:
        return tuple(None for _ in live)
    asked = [index for index in wanted if isinstance(live[index], Tensor) and live[index].requires_grad]
    found = torch.autograd.grad(
        total, [live[index] for index in asked], torch.full_like(total, cotangent), allow_unused=True
    )
    by_index = dict(zip(asked, found, strict=True))
    return tuple(by_index.get(index) for index in range(len(live)))


def as_tensor(raw: Any) -> tuple[Tensor, str]:
    """The loss's answer as a tensor, with the name of the type that it really returned."""
    first = first_of(raw)
    if isinstance(first, Tensor):
        return first, "Tensor"
    if isinstance(first, (bool, str)) or first is None:
        raise TypeError(f"the loss returned {type(first).__name__}, not a number")
    return torch.as_tensor(float(first)), type(first).__name__


def cast(value: Any, dtype: torch.dtype | None) -> Any:
    if dtype is None or not isinstance(value, Tensor) or not value.is_floating_point():
        return value
    return value.to(dtype)


def _shapes(given: Sequence[Any]) -> str:
    shapes = ", ".join(str(tuple(value.shape)) for value in given if isinstance(value, Tensor))
    return f"it asked for more memory than it may have, for inputs of shapes {shapes}"


def _leaf(value: Any, requires_grad: bool) -> Any:
    if not isinstance(value, Tensor):
        return value
    leaf = value.detach().clone(memory_format=torch.preserve_format)
    return leaf.requires_grad_() if requires_grad and leaf.is_floating_point() else leaf


def _texts(caught: Sequence[warnings.WarningMessage]) -> tuple[str, ...]:
    return tuple(str(entry.message) for entry in caught)


@contextmanager
def one_thread() -> Iterator[None]:
    """Small tensors are slower on many threads, and sums in another order are other sums."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
