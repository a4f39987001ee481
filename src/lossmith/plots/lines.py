"""Curves: value above, gradient below, over one axis."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lossmith.checker.picture import Curve
from lossmith.plots import style
from lossmith.plots.sampled import Span, curve_of, name_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def curve(
    loss: Any,
    *more: Any,
    vary: Mapping[str, Sequence[Any]] | None = None,
    settings: Mapping[str, Any] | None = None,
    span: Span | None = None,
    points: int | None = None,
    axes: "Sequence[Axes] | None" = None,
) -> "tuple[Axes, ...]":
    """Draw a loss, a loss at several settings, or several losses; returns the axes.

    axes   two of them, for value and gradient, or three, for the curvature too; without it a figure of two is made
    The other keywords as in `plots.curve_of`.

    >>> value, gradient = curve("huber", vary={"delta": [0.5, 1.0, 2.0]})
    >>> gradient.get_ylabel()
    'gradient'
    """
    title = name_of(loss) if not more else ""
    made = curve_of(loss, *more, vary=vary, settings=settings, span=span, points=points)
    return draw(made, axes, title=title)


def draw(made: Curve, axes: "Sequence[Axes] | None" = None, title: str = "") -> "tuple[Axes, ...]":
    """Draw a curve that was computed; one to three axes take value, gradient and curvature."""
    own = axes is None
    chosen = tuple(style.figure(6.4, 5.6).subplots(2, 1, sharex=True)) if axes is None else tuple(axes)
    for one, name in zip(chosen, ("value", "gradient", "curvature"), strict=False):
        lines = [(series, getattr(series, name)) for series in made.series]
        for number, (series, heights) in enumerate(lines):
            if heights:
                style.line(one, series.x, heights, number, series.label)
        style.dress(one, name, [heights for _, heights in lines])
    chosen[-1].set_xlabel(made.xlabel)
    if len(made.series) > 1 or not title:
        chosen[0].legend(frameon=False)
    if own and title:
        chosen[0].set_title(title, loc="left", fontweight="bold")
    return chosen
