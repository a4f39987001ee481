"""The loss over two predictions: as a surface in three dimensions, as contours, and as a field of gradients."""

from typing import TYPE_CHECKING, Any

import numpy as np

from lossmith.checker.picture import Surface
from lossmith.plots import style
from lossmith.plots.sampled import surface_of
from lossmith.report.scale import threshold

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEVELS, ARROWS, GRID = 14, 19, 161
MAP = "viridis"


def surface(loss: Any, *, axes: "Axes | None" = None, **keywords: Any) -> "Axes":
    """Draw the loss in three dimensions; the minimum and the target are marked. Returns the axes (projection 3d).

    Keywords as in `plots.surface_of`; `loss` may also be a `Surface` that was computed.
    """
    made = _made(loss, keywords)
    chosen: Any = style.figure(6.4, 5.6).add_subplot(projection="3d") if axes is None else axes
    x, y = np.meshgrid(made.x, made.y)
    heights = heights_of(made)
    chosen.plot_surface(x, y, heights, cmap=MAP, linewidth=0, antialiased=True, rcount=80, ccount=80, alpha=0.92)
    low = np.nanmin(heights) if np.isfinite(heights).any() else 0.0
    chosen.contour(x, y, heights, levels=LEVELS, offset=low, cmap=MAP, linewidths=0.8)
    if made.minimum:
        chosen.plot(*[[number] for number in made.minimum], marker="o", color="black", linestyle="", label=lowest(made))
    if made.target:
        at = _at(made, heights)
        chosen.plot(*[[number] for number in (*made.target, at)], "P", color=style.COLOURS[1], label="target")
    chosen.set(xlabel=made.xlabel, ylabel=made.ylabel, zlabel="value")
    _legend(chosen)
    return chosen


def contour(loss: Any, *, axes: "Axes | None" = None, **keywords: Any) -> "Axes":
    """Draw the loss as filled contours; the minimum and the target are marked. Returns the axes."""
    made = _made(loss, keywords)
    chosen: Any = style.figure(6.0, 5.2).add_subplot() if axes is None else axes
    heights = np.ma.masked_invalid(heights_of(made))
    filled = chosen.contourf(made.x, made.y, heights, levels=_levels(heights), cmap=MAP)
    chosen.contour(made.x, made.y, heights, levels=filled.levels, colors="white", linewidths=0.5, alpha=0.6)
    chosen.figure.colorbar(filled, ax=chosen, label="value")
    _marked(chosen, made)
    return chosen


def gradient_field(loss: Any, *, axes: "Axes | None" = None, **keywords: Any) -> "Axes":
    """Draw where a step of gradient descent goes, as arrows over contour lines. Returns the axes.

    An arrow's length is its gradient's, bent by a logarithm where a few would hide all others.
    """
    made = _made(loss, keywords)
    chosen: Any = style.figure(6.0, 5.2).add_subplot() if axes is None else axes
    heights = np.ma.masked_invalid(heights_of(made))
    chosen.contour(made.x, made.y, heights, levels=_levels(heights), cmap=MAP, linewidths=0.9)
    x, y, across, along = arrows(made)
    chosen.quiver(x, y, across, along, color=style.COLOURS[0], angles="xy", pivot="tail", width=0.0035)
    _marked(chosen, made)
    return chosen


def lowest(made: Surface) -> str:
    """What the lowest point is called: at the edge of the picture the loss may still fall."""
    x, y = made.minimum[:2]
    inside = made.x[0] < x < made.x[-1] and made.y[0] < y < made.y[-1]
    return "minimum" if inside else "lowest shown"


def heights_of(made: Surface) -> Any:
    """The values as an array, NaN where they are not finite."""
    heights = np.asarray(made.value, dtype=float)
    return np.where(np.isfinite(heights), heights, np.nan)


def arrows(made: Surface) -> tuple[Any, Any, Any, Any]:
    """A coarse grid and the direction of descent at each of its points, at most one long."""
    step = max(1, len(made.x) // ARROWS)
    x, y = np.meshgrid(made.x, made.y)
    across, along = (-np.asarray(slope, dtype=float) for slope in (made.slope_x, made.slope_y))
    size = np.hypot(across, along)
    size = np.where(np.isfinite(size), size, 0.0)
    bend = threshold([size.ravel().tolist()]) or (size.max() or 1.0)
    length = np.log1p(size / bend) / np.log1p((size.max() or 1.0) / bend)
    with np.errstate(invalid="ignore", divide="ignore"):
        scale = np.where(size > 0, length / size, 0.0)
        across, along = np.nan_to_num(across * scale), np.nan_to_num(along * scale)
    every = (slice(step // 2, None, step), slice(step // 2, None, step))
    return x[every], y[every], across[every], along[every]


def _made(loss: Any, keywords: dict[str, Any]) -> Surface:
    return loss if isinstance(loss, Surface) else surface_of(loss, **{"points": GRID, **keywords})


def _levels(heights: Any) -> Any:
    """Round levels, or powers of ten where a peak would take all of them."""
    values = heights.compressed()
    low, high = float(values.min()), float(values.max())
    bend = threshold([(values - low).tolist()])
    if bend is None or not high > low:
        return LEVELS
    return low + bend * np.expm1(np.linspace(0.0, np.log1p((high - low) / bend), LEVELS + 1))


def _at(made: Surface, heights: Any) -> float:
    i = int(np.abs(np.asarray(made.x) - made.target[0]).argmin())
    j = int(np.abs(np.asarray(made.y) - made.target[1]).argmin())
    return float(heights[j, i])


def _marked(axes: Any, made: Surface) -> None:
    if made.target:
        axes.plot(*[[number] for number in made.target], "P", color=style.COLOURS[1], markersize=9, label="target")
    if made.minimum:
        ring = {"marker": "o", "markersize": 11, "markerfacecolor": "none", "markeredgewidth": 2, "linestyle": ""}
        axes.plot([made.minimum[0]], [made.minimum[1]], color="black", label=lowest(made), clip_on=False, **ring)
    axes.set(xlabel=made.xlabel, ylabel=made.ylabel)
    _legend(axes)


def _legend(axes: Any) -> None:
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="upper right", framealpha=0.85)
