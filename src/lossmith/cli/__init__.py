"""The command line: parses and delegates. Exit codes: 0 clean, 1 errors were found, 2 it could not run."""

import sys
from collections.abc import Sequence

import typer

from lossmith.cli import check, draw, make, show
from lossmith.cli.application import app
from lossmith.cli.words import STDOUT
from lossmith.errors import LossmithError

__all__ = ["app", "main"]
COMMANDS = (check, show, draw, make)  # importing one enters its commands


def _with_default_files(arguments: Sequence[str]) -> list[str]:
    """`--json` may stand alone, which click cannot say: then it means standard output; `--html` likewise, a file."""
    spelled: list[str] = []
    if list(arguments[:1]) == ["forge"] and _is_negative_expression(arguments[1:2]):
        return ["forge", *arguments[2:], "--", arguments[1]]
    for position, word in enumerate(arguments):
        following = arguments[position + 1] if position + 1 < len(arguments) else ""
        alone = not following or following.startswith("--") or ".py" in following or ":" in following
        if word == "--json" and alone and "list" not in arguments[:1]:
            spelled.append(f"--json={STDOUT}")
        elif word == "--html" and alone:
            spelled.append("--html=lossmith-report.html")
        else:
            spelled.append(word)
    return spelled


def _is_negative_expression(first: Sequence[str]) -> bool:
    """`forge "-target * ..."` begins as an option does."""
    return bool(first) and first[0].startswith("-") and not first[0].startswith("--") and first[0] != "-o"


def main(arguments: Sequence[str] | None = None) -> None:
    """The entry point: user errors are printed without a traceback, with exit code 2."""
    given = _with_default_files(sys.argv[1:] if arguments is None else arguments)
    try:
        app(given, prog_name="lossmith")
    except LossmithError as error:
        typer.echo(f"lossmith: {error}", err=True)
        sys.exit(2)
