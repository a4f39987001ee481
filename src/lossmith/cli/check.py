"""`lossmith check` and `lossmith explain`."""

import os
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from lossmith.checker import Options, Report, explain
from lossmith.cli.application import app
from lossmith.cli.words import STDOUT, flags_of, setting, split, writable

MOST_WORKERS = 4  # each holds a framework in memory


class Format(StrEnum):
    """What standard output gets."""

    text = "text"
    json = "json"
    sarif = "sarif"


@app.command("check")
def check_command(
    targets: Annotated[
        list[str], typer.Argument(metavar="TARGET...", help="losses.py, losses.py:Name or package.module:Name")
    ],
    arg: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="A setting of the loss; repeat it.")
    ] = None,
    pred: Annotated[str | None, typer.Option(metavar="KIND[AXES]", help="What the prediction is: logits[N,C].")] = None,
    target: Annotated[str | None, typer.Option(metavar="KIND[AXES]", help="What the target is: index[N].")] = None,
    input: Annotated[
        list[str] | None, typer.Option(metavar="NAME=KIND[AXES]", help="What another argument is; repeat it.")
    ] = None,
    html: Annotated[str | None, typer.Option(metavar="FILE", help="Write a report to look at.")] = None,
    json: Annotated[
        str | None, typer.Option(metavar="[FILE]", help="Write JSON; to standard output without FILE.")
    ] = None,
    select: Annotated[list[str] | None, typer.Option(metavar="CODE,...", help="Only these rules: LS1, LS401.")] = None,
    ignore: Annotated[list[str] | None, typer.Option(metavar="CODE,...", help="Not these rules.")] = None,
    seed: Annotated[int, typer.Option(help="Draw other inputs.")] = 0,
    timeout: Annotated[float, typer.Option(help="Seconds for one loss.", min=1.0)] = 120.0,
    memory: Annotated[float, typer.Option(help="GiB that one target may allocate.", min=0.1)] = 2.0,
    force: Annotated[
        bool, typer.Option("--force", help="Let --html replace a file that is no report of ours.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Print the reproducers and every rule's answer.")
    ] = False,
    sarif: Annotated[str | None, typer.Option(metavar="FILE", help="Write SARIF 2.1.0 for code scanning.")] = None,
    format: Annotated[Format, typer.Option(help="What standard output gets.")] = Format.text,
    strict: Annotated[
        bool, typer.Option("--strict", help="Warnings fail too, and so does an allowance that is not needed.")
    ] = False,
    deep: Annotated[bool, typer.Option("--deep", help="Every rule on three draws of the inputs, and facts.")] = False,
    range: Annotated[
        float | None, typer.Option(metavar="NUMBER", help="No prediction is larger than this.", min=0.0)
    ] = None,
    reference: Annotated[
        str | None, typer.Option(metavar="MODULE:NAME", help="What it ought to equal: torch.nn.HuberLoss.")
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Losses checked at a time; the processors by default.")] = None,
) -> None:
    """Check losses: find what they take, run every rule, print what is wrong with proof and a fix."""
    options = Options(
        settings=dict(setting(text) for text in arg or []),
        flags=flags_of(pred, target, input or []),
        select=split(select),
        ignore=split(ignore),
        seed=seed,
        timeout=timeout,
        memory=int(memory * 2**30),
        strict=strict,
        deep=deep,
        range=range,
        reference=reference or "",
        pictures=html is not None,
    )
    writable(html, json, sarif)
    if html is not None and not force:
        from lossmith.report.html import require_own

        require_own(Path(html))
    report = _check_all(targets, options, workers)
    if sarif is not None:
        from lossmith.report.sarif import dump

        Path(sarif).write_text(dump(report) + "\n", encoding="utf-8")
    if format is Format.sarif:
        from lossmith.report.sarif import dump

        typer.echo(dump(report))
    else:
        _write(report, html, STDOUT if format is Format.json else json, verbose, deep)
    raise typer.Exit(report.exit_code)


@app.command("explain")
def explain_command(code: Annotated[str, typer.Argument(help="A rule or a fact: LS104, F2.")]) -> None:
    """Print the documentation of a rule, or of a fact."""
    typer.echo(explain(code))


def _check_all(targets: Sequence[str], options: Options, workers: int | None) -> Report:
    from lossmith.checker.process import Hearing, check_targets
    from lossmith.checker.selection import Selection
    from lossmith.report.progress import progress

    Selection(tuple(options.select), tuple(options.ignore))  # refuse a wrong code before any process starts
    console = Console(stderr=True)
    left: list[str] = []
    with progress(console) as shown:
        hearing = Hearing(shown.expect, shown.done, left.extend)
        reports = check_targets(targets, options, hearing, workers or min(os.cpu_count() or 1, MOST_WORKERS))
    if left:
        console.print(f"not taken for losses: {', '.join(left)}; name one to check it: {targets[0]}:{left[0]}")
    return Report(tuple(reports), options.strict)


def _write(report: Report, html: str | None, json: str | None, verbose: bool, facts: bool) -> None:
    from lossmith.report import json as json_report
    from lossmith.report import text

    if html is not None:
        from lossmith.report.html import render

        Path(html).write_text(render(report), encoding="utf-8")
    if json == STDOUT:
        typer.echo(json_report.dump(report))
    elif json is not None:
        Path(json).write_text(json_report.dump(report) + "\n", encoding="utf-8")
    if json != STDOUT:
        text.show(report, verbose=verbose, facts=facts)
    if html is not None:
        typer.echo(f"report: {html}", err=json == STDOUT)
