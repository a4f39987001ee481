"""Pictures to turn and zoom: one page of HTML with plotly inside, which loads nothing from anywhere.

plotly's script is part of the page, 4.8 MB of it: such a file needs no network, today or in ten years.
"""

import html
from typing import Any

from lossmith.checker.picture import Curve, Surface
from lossmith.errors import missing_extra
from lossmith.plots.planes import arrows, heights_of, lowest
from lossmith.plots.style import COLOURS
from lossmith.report.scale import drawable
from lossmith.report.words import inline

EYE = {"x": 1.45, "y": -1.45, "z": 0.95}  # from where a surface is seen whole
DASHES = ("solid", "dash", "dot", "dashdot")
INSIDE = {"x": 0.99, "xanchor": "right", "y": 0.99, "bgcolor": "rgba(255, 255, 255, 0.8)"}  # not on the colour bar
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; font-src data:; "
    "worker-src blob:; base-uri 'none'; form-action 'none'"
)
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="generator" content="lossmith plot">
<link rel="icon" href="data:,"><title>{title}</title>
<style>html, body {{ margin: 0; height: 100%; font-family: system-ui, sans-serif; background: #fff; }}
.plotly-graph-div {{ height: 100vh !important; }}</style>
</head><body>{picture}</body></html>
"""


def interactive(made: Curve | Surface, *, title: str = "", field: bool = False) -> str:
    """A curve, or a surface with its contours, as a page; `field` draws the arrows of descent over the contours."""
    try:
        import plotly.graph_objects as go
        import plotly.io as pio
    except ModuleNotFoundError:
        raise missing_extra("an interactive picture", "plotly", "report") from None
    figure = _curve(go, made) if isinstance(made, Curve) else _field(go, made) if field else _surface(go, made)
    shown = html.escape(inline(title or "loss"))
    figure.update_layout(
        title={"text": shown, "x": 0.02}, template="plotly_white", colorway=COLOURS, margin={"t": 90, "r": 20, "b": 50}
    )
    config = {"displaylogo": False, "responsive": True, "plotlyServerURL": ""}
    picture = pio.to_html(figure, config=config, include_plotlyjs=True, include_mathjax=False, full_html=False)
    return PAGE.format(policy=POLICY, title=shown, picture=picture)


def _curve(go: Any, made: Curve) -> Any:
    from plotly.subplots import make_subplots

    names = ["value", "gradient", *(["curvature"] if all(series.curvature for series in made.series) else [])]
    figure = make_subplots(rows=len(names), cols=1, shared_xaxes=True, vertical_spacing=0.04)
    for row, name in enumerate(names, 1):
        for number, series in enumerate(made.series):
            heights = [y if drawable(y) else None for y in getattr(series, name)]
            line = {"color": COLOURS[number % len(COLOURS)], "dash": DASHES[number % len(DASHES)]}
            label = html.escape(inline(series.label))
            trace = go.Scatter(x=series.x, y=heights, name=label, line=line, legendgroup=label, showlegend=row == 1)
            figure.add_trace(trace, row=row, col=1)
        figure.update_yaxes(title_text=name, row=row, col=1)
    figure.update_xaxes(title_text=html.escape(inline(made.xlabel)), row=len(names), col=1)
    figure.update_layout(hovermode="x unified")
    return figure


def _surface(go: Any, made: Surface) -> Any:
    """The surface, its contours, and two buttons that change between them; both know the marks."""
    heights = heights_of(made)
    solid = go.Surface(x=made.x, y=made.y, z=heights, colorscale="Viridis", name="value", showscale=False)
    solid.update(contours_z={"show": True, "usecolormap": True, "project_z": True})
    flat = go.Contour(x=made.x, y=made.y, z=heights, colorscale="Viridis", ncontours=18, name="value", visible=False)
    figure = go.Figure([solid, flat])
    marks = [(lowest(made), made.minimum[:2], "circle-open", "circle"), ("target", made.target, "cross", "cross")]
    for name, at, symbol, symbol_3d in marks:
        if at:
            z = _height(made, heights, at)
            colour = COLOURS[1] if name == "target" else "black"
            solid_mark = {"symbol": symbol_3d, "color": colour, "size": 5}
            figure.add_trace(go.Scatter3d(x=[at[0]], y=[at[1]], z=[z], mode="markers", name=name, marker=solid_mark))
            mark = {"symbol": symbol, "color": colour, "size": 13, "line": {"width": 2}}
            figure.add_trace(go.Scatter(x=[at[0]], y=[at[1]], mode="markers", name=name, marker=mark, visible=False))
    raised = [isinstance(trace, (go.Surface, go.Scatter3d)) for trace in figure.data]
    names = {"xaxis": html.escape(inline(made.xlabel)), "yaxis": html.escape(inline(made.ylabel))}
    figure.update_layout(
        scene={axis: {"title": {"text": text}} for axis, text in {**names, "zaxis": "value"}.items()}
        | {"aspectmode": "manual", "aspectratio": {"x": 1, "y": 1, "z": 0.7}, "camera": {"eye": EYE}},
        **{axis: {"title": {"text": text}, "visible": False} for axis, text in names.items()},
        legend=INSIDE,
        updatemenus=[
            {
                "type": "buttons",
                "direction": "right",
                "x": 0.0,
                "xanchor": "left",
                "y": 1.0,
                "yanchor": "bottom",
                "buttons": [
                    _button("surface", raised, False),
                    _button("contours", [not up for up in raised], True),
                ],
            }
        ],
    )
    return figure


def _button(label: str, visible: list[bool], axes: bool) -> dict[str, Any]:
    shown = {"xaxis.visible": axes, "yaxis.visible": axes}
    return {"label": label, "method": "update", "args": [{"visible": visible}, shown]}


def _field(go: Any, made: Surface) -> Any:
    from plotly.figure_factory import create_quiver

    x, y, across, along = arrows(made)
    size = 1.4 * (made.x[-1] - made.x[0]) / max(1, len(x))
    figure = create_quiver(x.ravel(), y.ravel(), across.ravel(), along.ravel(), scale=size, name="descent")
    flat = {"colorscale": "Viridis", "contours_coloring": "lines", "ncontours": 18, "name": "value"}
    figure.add_trace(go.Contour(x=made.x, y=made.y, z=heights_of(made), **flat))
    titles: Any = {"xaxis_title": html.escape(inline(made.xlabel)), "yaxis_title": html.escape(inline(made.ylabel))}
    figure.update_layout(legend=INSIDE, **titles)
    return figure


def _height(made: Surface, heights: Any, at: list[float]) -> float:
    i = min(range(len(made.x)), key=lambda index: abs(made.x[index] - at[0]))
    j = min(range(len(made.y)), key=lambda index: abs(made.y[index] - at[1]))
    return float(heights[j][i])
