"""The application that every command enters."""

from typing import Annotated

import typer

from lossmith import __version__

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Design, verify and look at loss functions.",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"lossmith {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Design, verify and look at loss functions."""
