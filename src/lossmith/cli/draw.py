"""`lossmith plot`."""

import ast
from typing import Annotated, Any

import typer

from lossmith.checker import Options
from lossmith.cli.application import app
from lossmith.cli.words import flags_of, setting
from lossmith.errors import SettingError, message


@app.command("plot")
def plot_command(
    losses: Annotated[
        list[str], typer.Argument(metavar="LOSS...", help="A name (huber), losses.py:Name or package.module:Name")
    ],
    vary: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE,...", help="A line for each value of a setting; repeat it.")
    ] = None,
    arg: Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="A setting; repeat it.")] = None,
    surface: Annotated[bool, typer.Option("--surface", help="Over two predictions, in three dimensions.")] = False,
    contour: Annotated[bool, typer.Option("--contour", help="Over two predictions, as contours.")] = False,
    field: Annotated[bool, typer.Option("--field", help="Over two predictions, as arrows of descent.")] = False,
    span: Annotated[str | None, typer.Option(metavar="LOW,HIGH", help="From where to where.")] = None,
    points: Annotated[int | None, typer.Option(help="Along each axis.", min=2, max=2000)] = None,
    pred: Annotated[str | None, typer.Option(metavar="KIND[AXES]", help="What the prediction is: logits[N,C].")] = None,
    target: Annotated[str | None, typer.Option(metavar="KIND[AXES]", help="What the target is: index[N].")] = None,
    input: Annotated[
        list[str] | None, typer.Option(metavar="NAME=KIND[AXES]", help="What another argument is; repeat it.")
    ] = None,
    output: Annotated[
        str | None, typer.Option("--output", "-o", metavar="FILE", help="A .png, .svg, .pdf or .html; default NAME.png")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that exists.")] = False,
    timeout: Annotated[float, typer.Option(help="Seconds for one loss.", min=1.0)] = 120.0,
    memory: Annotated[float, typer.Option(help="GiB that one target may allocate.", min=0.1)] = 2.0,
) -> None:
    """Draw losses: value and gradient curves, or one loss over two predictions."""
    from lossmith.plots.command import Wanted, draw

    kinds = [kind for kind, wanted in (("surface", surface), ("contour", contour), ("field", field)) if wanted]
    wanted = Wanted(
        losses=tuple(losses),
        kind=kinds[0] if kinds else "curve",
        vary=dict(_several(text) for text in vary or []),
        settings=dict(setting(text) for text in arg or []),
        span=_ends(span),
        points=points,
        output=output,
        force=force,
        options=Options(flags=flags_of(pred, target, input or []), timeout=timeout, memory=int(memory * 2**30)),
    )
    if len(kinds) > 1:
        raise SettingError(message("one picture at a time", {"given": ", ".join(f"--{kind}" for kind in kinds)}))
    typer.echo(draw(wanted))


def _several(text: str) -> tuple[str, list[Any]]:
    """`gamma=0,1,2`: a list of values; commas inside brackets belong to a value."""
    name, equals, values = text.partition("=")
    if not equals or not name.isidentifier() or not values:
        raise SettingError(message(f"--vary {text}: not NAME=VALUE,VALUE", fix="such as --vary gamma=0,1,2"))
    try:
        found = ast.literal_eval(f"[{values}]")
    except (ValueError, SyntaxError):
        found = [setting(f"{name}={value}")[1] for value in values.split(",")]  # bare words
    return name, found


def _ends(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        low, high = 0.0, 0.0
    if not low < high or not (abs(low) < 1e30 and abs(high) < 1e30):
        raise SettingError(message(f"--span {text}: not LOW,HIGH", fix="such as --span=-4,4"))
    return low, high
