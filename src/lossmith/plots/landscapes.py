"""The loss of a batch along a line, or over a plane, through the weights of a trained model.

    L(a, b) = loss(theta + a d1 + b d2)

The directions are normal draws, normalised filter by filter (Li et al. 2018, https://arxiv.org/abs/1712.09913): each
filter of d, a slice along the first axis of a weight of two or more axes, gets the length of the same filter of
theta; biases and scales of normalisation layers stay where they are. So two networks whose weights differ in scale
alone have one landscape.

Many points are one call: the weights of a chunk of points are stacked and the model is mapped over them by
`torch.func.vmap`. After every chunk the state is written to a file beside the old one and moved over it, so that an
interrupted run goes on where it was, and ends with the same numbers to the last bit.
"""

import hashlib
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lossmith.errors import LossmithError, SettingError, message, missing_extra

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from torch import Tensor, nn

CHUNK = 1 << 24  # numbers in the stacked weights of one call
Progress = Callable[[int, int], None]  # points done, points in all


@dataclass(frozen=True)
class Landscape:
    """`value[i]` at `alpha[i]` of a line; `value[j, i]` at `alpha[i]`, `beta[j]` of a plane. NaN: not computed yet."""

    alpha: Any
    beta: Any
    value: Any

    @property
    def is_plane(self) -> bool:
        return len(self.beta) > 0

    def draw(self, axes: "Axes | None" = None) -> "Axes":
        """The line, or the plane as contours with the trained weights at 0, 0; returns the axes."""
        from lossmith.plots import style

        chosen: Any = style.figure(6.0, 5.0).add_subplot() if axes is None else axes
        if not self.is_plane:
            chosen.plot(self.alpha, self.value, **style.stroke(0))
            chosen.axvline(0.0, color="black", linewidth=0.8)
            chosen.set(xlabel="step along the direction, in lengths of the filters", ylabel="loss")
            style.plain(chosen)
            return chosen
        shown = np.ma.masked_invalid(self.value)
        filled = chosen.contourf(self.alpha, self.beta, shown, levels=18, cmap="viridis")
        chosen.contour(self.alpha, self.beta, shown, levels=filled.levels, colors="white", linewidths=0.4, alpha=0.6)
        chosen.figure.colorbar(filled, ax=chosen, label="loss")
        chosen.plot([0.0], [0.0], "P", color=style.COLOURS[1], markersize=9, label="the trained weights")
        chosen.set(xlabel="step along direction 1, in lengths of the filters", ylabel="step along direction 2")
        chosen.legend(loc="upper right", framealpha=0.85)
        return chosen


def landscape(
    model: "nn.Module",
    batch_loss: "Callable[[Callable[..., Any]], Tensor]",
    *,
    plane: bool = True,
    span: tuple[float, float] = (-1.0, 1.0),
    points: int = 41,
    seed: int = 0,
    state: str | Path | None = None,
    progress: Progress | None = None,
    chunk: int | None = None,
) -> Landscape:
    """Compute the loss around the weights of a model, which is left as it was.

    batch_loss   the loss of a batch, given something to call in the place of the model:
                 `lambda model: criterion(model(images), labels)`
    plane        over two directions; False: along the first
    points       along each direction
    state        an npz file: written after every chunk, gone on from if it is there
    progress     hears (points done, points in all); `lossmith.plots.landscapes.to_stderr` prints them
    chunk        points in one call; by default as many as fit 64 MiB of weights

    The model is called in evaluation mode.
    Errors    SettingError if `state` belongs to another model, other directions or another grid
    """
    try:
        import torch
    except ModuleNotFoundError:
        raise missing_extra("plots.landscape", "torch", "torch") from None
    alpha = np.linspace(*span, points)
    beta = np.linspace(*span, points) if plane else np.zeros(0)
    weights = {name: value.detach() for name, value in model.named_parameters()}
    directions = [filter_normalised(weights, seed + number) for number in range(2 if plane else 1)]
    grid = np.stack(np.meshgrid(alpha, beta), -1).reshape(-1, 2) if plane else np.stack([alpha, 0 * alpha], -1)
    whole = sum(value.numel() for value in weights.values())
    step = chunk or max(1, min(256, CHUNK // max(1, whole)))
    mark = _mark(weights, model, directions, grid, step)
    values = _restored(state, mark, len(grid))
    was_training = model.training
    model.eval()
    try:
        totals = _totals(model, batch_loss, weights, directions)
        for start in range(0, len(grid), step):
            if np.isnan(values[start : start + step]).any():
                with torch.no_grad():
                    values[start : start + step] = totals(torch.as_tensor(grid[start : start + step]))
                _keep(state, mark, values)
            if progress is not None:
                progress(min(start + step, len(grid)), len(grid))
    finally:
        model.train(was_training)
    return Landscape(alpha, beta, values.reshape(points, points) if plane else values)


def to_stderr(done: int, of: int) -> None:
    """Progress as one line that is written over."""
    print(f"\r{done} of {of} points", end="\n" if done == of else "", file=sys.stderr, flush=True)  # noqa: T201


def filter_normalised(weights: "Mapping[str, Tensor]", seed: int) -> "dict[str, Tensor]":
    """A direction in the space of the weights: normal draws, each filter as long as that of the weights."""
    import torch

    draws = torch.Generator().manual_seed(seed)
    made: dict[str, Tensor] = {}
    for name, value in weights.items():
        drawn = torch.randn(value.shape, generator=draws, dtype=torch.float64).to(value)
        if value.ndim < 2 or not value.is_floating_point():
            made[name] = torch.zeros_like(value)
            continue
        rows, own = drawn.flatten(1), value.flatten(1)
        length = rows.norm(dim=1, keepdim=True)
        scaled = rows * (own.norm(dim=1, keepdim=True) / length.clamp(min=torch.finfo(value.dtype).tiny))
        made[name] = scaled.reshape(value.shape)
    return made


def _totals(model: "nn.Module", batch_loss: Any, weights: Any, directions: Any) -> "Callable[[Tensor], Any]":
    """The losses at a chunk of points: mapped over the points, or one by one where the model cannot be mapped."""
    import torch

    buffers = dict(model.named_buffers())

    def at(point: "Tensor") -> "Tensor":
        moved = {name: _moved(value, name, directions, point) for name, value in weights.items()}

        def stand_in(*inputs: Any, **keywords: Any) -> Any:
            return torch.func.functional_call(model, {**moved, **buffers}, inputs, keywords)

        return batch_loss(stand_in).double()

    mapped = torch.func.vmap(at, randomness="same")
    way: list[Any] = [mapped]

    def totals(points: "Tensor") -> Any:
        if way[0] is mapped:
            try:
                return mapped(points).cpu().numpy()
            except RuntimeError as error:  # such as control flow on values
                if "memory" in str(error):
                    raise
                way[0] = at
        return np.array([float(at(point)) for point in points])

    return totals


def _moved(value: "Tensor", name: str, directions: Any, point: "Tensor") -> "Tensor":
    for number, direction in enumerate(directions):
        value = value + point[number].to(value) * direction[name]
    return value


def _mark(weights: Any, model: Any, directions: Any, grid: Any, step: int) -> str:
    """What a state belongs to: weights, buffers, directions, grid and chunks. The data are the caller's to keep."""
    digest = hashlib.sha256(f"{step}".encode() + grid.tobytes())
    for part in (weights, dict(model.named_buffers()), *directions):
        for name, value in part.items():
            digest.update(name.encode() + str(value.dtype).encode())
            digest.update(value.detach().cpu().contiguous().double().numpy().tobytes())
    return digest.hexdigest()


def _restored(state: str | Path | None, mark: str, count: int) -> Any:
    """The values so far: those of the file, if it belongs to this landscape."""
    if state is None or not Path(state).exists():
        if state is not None and not Path(state).resolve().parent.is_dir():
            raise SettingError(message(f"{state} cannot be written", why="its folder does not exist"))
        return np.full(count, np.nan)
    try:
        with np.load(state, allow_pickle=False) as file:
            kept, values = str(file["mark"]), np.array(file["value"], dtype=float)
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise SettingError(message(f"{state} is no state of a landscape", {"error": str(error)[:100]})) from None
    except Exception as error:  # zipfile and zlib have errors of their own for a file that is damaged
        raise SettingError(message(f"{state} cannot be read", {"error": f"{type(error).__name__}: {error}"})) from None
    if kept != mark or values.shape != (count,):
        why = "it was computed for other weights, directions, grid or chunks"
        raise SettingError(message(f"{state} belongs to another landscape", why=why, fix="another file, or remove it"))
    return values


def _keep(state: str | Path | None, mark: str, values: Any) -> None:
    """Write the state whole: beside its place, to the disk, and then over it."""
    if state is None:
        return
    path = Path(state)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with beside.open("wb") as file:
            np.savez(file, mark=np.array(mark), value=values)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise LossmithError(message(f"{state} cannot be written", {"error": str(error)})) from None
