"""Looking into a call while it runs: which operations, which constants, how large, at which of the user's lines.

Dispatch modes see every operation that autograd sees, in forward and inside hand-written Functions. What a fused
kernel does inside is not visible, and nothing is concluded from not seeing it.
"""

import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

_INSIDE = ("/torch/", "/lossmith/", "/keras/", "\\torch\\", "\\lossmith\\", "\\keras\\")


def user_line(file: str) -> str:
    """The innermost frame in the user's file ("losses.py:12"), or outside torch, keras and lossmith; may be empty."""
    frame: Any = sys._getframe(1)
    outside = ""
    while frame is not None:
        name = frame.f_code.co_filename
        if file and name == file:
            return f"{shown(name)}:{frame.f_lineno}"
        if not outside and not any(part in name for part in _INSIDE) and not name.startswith("<"):
            outside = f"{shown(name)}:{frame.f_lineno}"
        frame = frame.f_back
    return "" if file else outside


def shown(path: str) -> str:
    try:
        return str(Path(path).relative_to(Path.cwd()))
    except ValueError:
        return path


@dataclass(frozen=True)
class Constant:
    """A literal number that an operation received, such as the 1e-8 of `log(p + 1e-8)`."""

    operation: str
    number: float
    dtype: torch.dtype
    line: str

    @property
    def vanishes(self) -> bool:
        """True if this precision rounds it to 0, or rounds something below 1 to 1."""
        held = float(torch.tensor(self.number, dtype=self.dtype))
        return (self.number != 0.0 and held == 0.0) or (self.number != 1.0 and held == 1.0)

    @property
    def repaired(self) -> float:
        """The nearest number with the same purpose that this precision can hold."""
        eps = torch.finfo(self.dtype).eps
        return math.copysign(eps, self.number) if abs(self.number) < 0.5 else 1.0 - eps


_GUARDS = ("add", "sub", "rsub", "clamp", "clamp_min", "clamp_max", "maximum", "minimum", "clip")


class Constants(TorchDispatchMode):
    """Collects the constants of additions and clamps; with `repair`, replaces those that vanish."""

    def __init__(self, file: str = "", repair: bool = False) -> None:
        super().__init__()
        self.file, self.repair = file, repair
        self.found: list[Constant] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.__name__.partition(".")[0].rstrip("_")
        if name in _GUARDS and args and isinstance(args[0], Tensor) and args[0].is_floating_point():
            args = (args[0], *(self._seen(name, value, args[0].dtype) for value in args[1:]))
            kwargs = {key: self._seen(name, value, args[0].dtype) for key, value in (kwargs or {}).items()}
        return func(*args, **(kwargs or {}))

    def _seen(self, name: str, value: Any, dtype: torch.dtype) -> Any:
        number = _literal(value)
        if number is None or not math.isfinite(number):
            return value
        constant = Constant(name, number, dtype, user_line(self.file))
        self.found.append(constant)
        if not (self.repair and constant.vanishes):
            return value
        return constant.repaired if not isinstance(value, Tensor) else torch.full_like(value, constant.repaired)


def _literal(value: Any) -> float | None:
    if isinstance(value, float):
        return value
    if isinstance(value, Tensor) and value.ndim == 0 and value.is_floating_point() and not value.requires_grad:
        return float(value)
    return None


@dataclass
class Largest(TorchDispatchMode):
    """The largest result of any operation of a call, and where; if `square` is told, of that many rows and columns."""

    file: str = ""
    square: int = 0
    elements: int = 0
    shape: tuple[int, ...] = ()
    line: str = ""

    def __post_init__(self) -> None:
        super().__init__()

    def __hash__(self) -> int:
        return id(self)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = func(*args, **(kwargs or {}))
        for value in tree_leaves(output):
            counts = isinstance(value, Tensor) and (not self.square or value.shape == (self.square, self.square))
            if counts and value.numel() > self.elements:
                self.elements, self.shape, self.line = value.numel(), tuple(value.shape), user_line(self.file)
        return output


_CUTS = ("detach", "detach_", "numpy", "item", "tolist", "__array__", "data")
_STEPS = frozenset(
    "argmax argmin round sign floor ceil gt lt ge le eq __gt__ __lt__ __ge__ __le__ bool long int argsort topk "
    "heaviside bucketize one_hot count_nonzero".split()
)


@dataclass
class Calls(TorchFunctionMode):
    """The calls that leave autograd (detach, numpy, item, no_grad) or are flat almost everywhere, with their lines."""

    file: str = ""
    cuts: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    steps: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    quiet: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        super().__init__()

    def __hash__(self) -> int:
        return id(self)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = getattr(func, "__name__", "")
        if name == "__get__" and getattr(getattr(func, "__self__", None), "__name__", "") == "data":
            name = "data"
        line = user_line(self.file)
        if line:
            if name in _CUTS:
                self.cuts.append((name, line))
            elif name in _STEPS:
                self.steps.append((name, line))
            if not torch.is_grad_enabled() and not _inside_function():
                self.quiet.append(line)
        return func(*args, **(kwargs or {}))


def _inside_function() -> bool:
    """True while a hand-written autograd.Function runs its forward: grad mode is off there for a good reason."""
    frame: Any = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_name == "apply" and "autograd" in frame.f_code.co_filename:
            return True
        frame = frame.f_back
    return False


@dataclass(frozen=True)
class Blame:
    """The first operation of the backward pass that turned a finite gradient into a non-finite one.

    `unselected`: every element that broke had received a gradient of exactly 0, so it was 0 * inf: a branch
    that `where` or a mask did not take.
    """

    operation: str
    line: str
    unselected: bool


_SELECTS = ("Where", "MaskedFill", "MaskedSelect", "IndexPut", "MaskedScatter")


def _selected_above(root: Any, blamed: Any, broken: Tensor) -> bool:
    """True if what broke was selected away between the loss and it: by `where`, or by a factor of exactly 0."""
    leads: dict[Any, bool] = {}

    def leads_to(node: Any) -> bool:
        if node not in leads:
            leads[node] = False
            below = [parent for parent, _ in node.next_functions if parent is not None]
            found = [leads_to(parent) for parent in below]  # all of them: each is entered
            leads[node] = node is blamed or any(found)
        return leads[node]

    leads_to(root)
    above = [node for node, on_path in leads.items() if on_path and node is not blamed]
    return any(node.name().startswith(_SELECTS) or _masks(node, broken) for node in above)


def _masks(node: Any, broken: Tensor) -> bool:
    """A product with something that has no gradient of its own and is 0 wherever the gradient broke."""
    if not node.name().startswith("Mul") or all(parent is not None for parent, _ in node.next_functions):
        return False
    for name in ("_saved_other", "_saved_self"):
        factor = getattr(node, name, None)
        if isinstance(factor, Tensor) and factor.shape == broken.shape and bool((factor[broken] == 0).all()):
            return True
    return False


def blame(call: Callable[[], Tensor], file: str = "") -> Blame | None:
    """Run a loss forward and backward, and name the operation whose derivative is not finite; None if all are."""
    with torch.autograd.set_detect_anomaly(True, check_nan=False):
        total = call()
    found: list[Blame] = []
    root = total.grad_fn
    handles = [node.register_hook(_watcher(root, node, found, file)) for node in _nodes(root)]
    try:
        with torch.autograd.set_detect_anomaly(False):
            total.backward()
    finally:
        for handle in handles:
            handle.remove()
    return found[0] if found else None


def _nodes(root: Any) -> list[Any]:
    seen: dict[Any, None] = {}
    stack = [root] if root is not None else []
    while stack:
        node = stack.pop()
        if node in seen or node.name().startswith("torch::autograd::AccumulateGrad"):
            continue
        seen[node] = None
        stack += [parent for parent, _ in node.next_functions if parent is not None]
    return list(seen)


def _watcher(root: Any, node: Any, found: list[Blame], file: str) -> Callable[[Any, Any], None]:
    def watch(grad_inputs: Sequence[Tensor | None], grad_outputs: Sequence[Tensor | None]) -> None:
        if found or not _finite(grad_outputs) or _finite(grad_inputs):
            return
        outgoing = next(value for value in grad_inputs if value is not None and not bool(torch.isfinite(value).all()))
        dead = _only_zeros(grad_inputs, grad_outputs) and _selected_above(root, node, ~torch.isfinite(outgoing))
        operation = node.name().removesuffix("0").removesuffix("Backward")
        found.append(Blame(operation, _forward_line(node, file), dead))

    return watch


def _finite(values: Sequence[Tensor | None]) -> bool:
    return all(value is None or bool(torch.isfinite(value).all()) for value in values)


def _only_zeros(grad_inputs: Sequence[Tensor | None], grad_outputs: Sequence[Tensor | None]) -> bool:
    for incoming in (value for value in grad_outputs if value is not None):
        for outgoing in (value for value in grad_inputs if value is not None):
            broken = ~torch.isfinite(outgoing)
            if incoming.shape != outgoing.shape:
                broken = torch.ones_like(incoming, dtype=torch.bool)
            if bool((incoming[broken] != 0).any()):
                return False
    return True


def _forward_line(node: Any, file: str) -> str:
    """The line that made this node, from the traceback that anomaly mode stores."""
    lines = node.metadata.get("traceback_", [])
    for entry in reversed(lines):
        head = entry.strip().splitlines()[0] if entry.strip() else ""
        if file and f'File "{file}"' in head:
            return f"{shown(file)}:{head.split('line ')[1].split(',')[0]}"
    return ""
