"""Pictures of losses: a function draws on the axes that it is given, and returns them.

    from lossmith import plots

    plots.curve("huber", vary={"delta": [0.5, 1, 2]})       value above, gradient below
    plots.curve("huber", "cauchy", "welsch")                several losses over one axis
    plots.contour(MyLoss)                                   over two predictions; also surface, gradient_field
    plots.landscape(model, batch_loss, state="plane.npz")   over a plane through the weights of a model
    with plots.record(criterion) as r: ...                  the share of each term, step by step

A loss is the name of one in the catalogue, a class, function or object of this session, or a target as the command
line takes it ("my_losses.py:MyLoss"), whose code runs in a child process with limits. Nothing here shows a window or
changes a setting of matplotlib: `axes.figure.savefig`, or `plots.save`, which writes over nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lossmith.plots.files import save as save
    from lossmith.plots.landscapes import Landscape as Landscape
    from lossmith.plots.landscapes import landscape as landscape
    from lossmith.plots.lines import curve as curve
    from lossmith.plots.pages import interactive as interactive
    from lossmith.plots.planes import contour as contour
    from lossmith.plots.planes import gradient_field as gradient_field
    from lossmith.plots.planes import surface as surface
    from lossmith.plots.recorder import Record as Record
    from lossmith.plots.recorder import record as record
    from lossmith.plots.sampled import curve_of as curve_of
    from lossmith.plots.sampled import surface_of as surface_of

_HOME = {
    "Landscape": "landscapes",
    "Record": "recorder",
    "contour": "planes",
    "curve": "lines",
    "curve_of": "sampled",
    "gradient_field": "planes",
    "interactive": "pages",
    "landscape": "landscapes",
    "record": "recorder",
    "save": "files",
    "surface": "planes",
    "surface_of": "sampled",
}
__all__ = [
    "Landscape",
    "Record",
    "contour",
    "curve",
    "curve_of",
    "gradient_field",
    "interactive",
    "landscape",
    "record",
    "save",
    "surface",
    "surface_of",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'lossmith.plots' has no attribute {name!r}")
    return getattr(import_module(f"lossmith.plots.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
