"""The command line: parses and delegates. Exit codes: 0 clean, 1 errors were found, 2 it could not run."""

import ast
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from textwrap import indent
from typing import Annotated, Any

import typer
from rich.console import Console

from lossmith import __version__
from lossmith.checker import Options, Report, check_target, explain
from lossmith.checker.finding import LossReport
from lossmith.errors import LossmithError, SettingError, message, missing_extra

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Design, verify and look at loss functions.",
)
STDOUT = "-"


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
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Print the reproducers and every rule's answer.")
    ] = False,
) -> None:
    """Check losses: find what they take, run every rule, print what is wrong with proof and a fix."""
    options = Options(
        settings=dict(_setting(text) for text in arg or []),
        flags=_flags(pred, target, input or []),
        select=_split(select),
        ignore=_split(ignore),
        seed=seed,
        timeout=timeout,
        memory=int(memory * 2**30),
    )
    _writable(html, json)
    report = _check_all(targets, options)
    _write(report, html, json, verbose)
    raise typer.Exit(report.exit_code)


@app.command("explain")
def explain_command(code: Annotated[str, typer.Argument(help="A rule: LS104.")]) -> None:
    """Print the documentation of a rule."""
    typer.echo(explain(code))


@app.command("list")
def list_command(
    task: Annotated[str | None, typer.Option(help="Only the losses of a task: segmentation.")] = None,
    claim: Annotated[str | None, typer.Option(help="Only those that claim this: convex.")] = None,
    framework: Annotated[str | None, typer.Option(help="Only those with a face there: keras.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the page docs/losses.md.")] = False,
) -> None:
    """List the losses that lossmith has, by task."""
    from lossmith.entries import catalogue
    from lossmith.report import catalogue as shown

    entries = catalogue(task=task, claim=claim, framework=framework)
    if json:
        typer.echo(shown.as_json(entries))
    elif markdown:
        typer.echo(shown.page(entries), nl=False)
    else:
        console = Console(width=None if sys.stdout.isatty() else 200)
        console.print(shown.table(entries, console.width, compositions=not (task or claim or framework)))


@app.command("show")
def show_command(
    name: Annotated[str, typer.Argument(help="A formula or a face: huber, FocalLoss.")],
    steps: Annotated[bool, typer.Option("--steps", help="Derive the gradient rule by rule.")] = False,
    latex: Annotated[bool, typer.Option("--latex", help="Print the loss and its derivatives as LaTeX, alone.")] = False,
) -> None:
    """Print one loss in full: equation, parameters, claims, papers, derivatives, an example in each framework."""
    from lossmith.entries import Entry, find
    from lossmith.report.catalogue import in_full

    found = find(name)
    if not latex:
        typer.echo(in_full(found))
    if not isinstance(found, Entry):
        return
    try:
        derived = _derived(found.name, steps=steps, latex=latex)
    except LossmithError:
        if steps or latex:
            raise
        return
    typer.echo(derived if latex else f"\n  derived\n{indent(derived, '    ')}")


def _derived(name: str, *, steps: bool, latex: bool) -> str:
    try:
        from lossmith.prove.derive import derive
    except ModuleNotFoundError as error:
        raise missing_extra("lossmith show", str(error.name), "prove") from None
    from lossmith.report.derivation import in_latex, in_text

    derivation = derive(name)
    return in_latex(derivation) if latex else in_text(derivation, steps=steps)


@app.command("bench")
def bench_command(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Formulas or faces: nt_xent, BinaryFocalLoss.")],
    against: Annotated[
        list[str] | None, typer.Option(metavar="LIBRARY", help="torch, torchvision, lightly, ...; repeat it.")
    ] = None,
    size: Annotated[int | None, typer.Option(help="Samples in the batch.", min=1)] = None,
    dtype: Annotated[str, typer.Option(help="float32, float64, bfloat16, float16.")] = "float32",
    rounds: Annotated[int, typer.Option(help="How often each way is timed.", min=1)] = 9,
    compile: Annotated[bool, typer.Option(help="Compiled ways too: their first calls take seconds.")] = True,
    threads: Annotated[int | None, typer.Option(help="Threads of torch.", min=1)] = None,
    csv: Annotated[str | None, typer.Option(metavar="FILE", help="Append the rows: benchmarks/results.csv.")] = None,
) -> None:
    """Measure time, memory and traffic of losses, beside other libraries and beside what the machine can do."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from lossmith import bench
    from lossmith.bench.command import options_of, wanted

    _writable(csv)
    formulas, options = wanted(names), options_of(against, size, dtype, rounds, compile, threads)
    columns = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
    console = Console(width=None if sys.stdout.isatty() else 160)
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("starting ...", total=1.0)
        for formula in formulas:
            rows, absent = bench.bench(formula, options, partial(_told, progress, task))
            console.print(bench.table(rows, absent))
            if csv is not None:
                bench.append(rows, Path(csv))


def _told(progress: Any, task: Any, text: str, share: float) -> None:
    progress.update(task, description=text, completed=share)


def _check_all(targets: Sequence[str], options: Options) -> Report:
    from lossmith.checker.selection import Selection

    Selection(tuple(options.select), tuple(options.ignore))  # refuse a wrong code before any process starts
    console = Console(stderr=True)
    reports: list[LossReport] = []
    with console.status("starting ...") as status:
        for text in targets:
            status.update(f"{text} ...")
            left: list[str] = []
            reports += check_target(text, options, lambda one: status.update(f"{one.name} done ..."), left.extend)
            if left:
                console.print(
                    f"{text}: not taken for losses: {', '.join(left)}; name one to check it: {text}:{left[0]}"
                )
    return Report(tuple(reports))


def _write(report: Report, html: str | None, json: str | None, verbose: bool) -> None:
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
        text.show(report, verbose=verbose)
    if html is not None:
        typer.echo(f"report: {html}", err=json == STDOUT)


def _writable(*files: str | None) -> None:
    """A file that cannot be written is said before the work, not after it."""
    for file in files:
        if file is not None and file != STDOUT and not Path(file).resolve().parent.is_dir():
            raise SettingError(
                message(
                    f"{file} cannot be written", fix=f"mkdir -p {Path(file).parent}", why="its folder does not exist"
                )
            )


def _setting(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise SettingError(message(f"--arg {text}: not NAME=VALUE", fix="such as --arg gamma=2"))
    try:
        return name, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return name, value  # a bare word is a string


def _flags(pred: str | None, target: str | None, others: Sequence[str]) -> dict[str, str]:
    from lossmith.domains import Domain

    flags = {name: text for name, text in (("pred", pred), ("target", target)) if text is not None}
    for text in others:
        name, equals, domain = text.partition("=")
        if not equals:
            raise SettingError(message(f"--input {text}: not NAME=KIND[AXES]", fix="such as --input mask=mask[N]"))
        flags[name] = domain
    for text in flags.values():
        Domain.parse(text)
    return flags


def _split(codes: Sequence[str] | None) -> tuple[str, ...]:
    return tuple(code.strip().upper() for text in codes or () for code in text.split(",") if code.strip())


def _with_default_files(arguments: Sequence[str]) -> list[str]:
    """`--json` may stand alone, which click cannot say: then it means standard output; `--html` likewise, a file."""
    spelled: list[str] = []
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


def main(arguments: Sequence[str] | None = None) -> None:
    """The entry point: user errors are printed without a traceback, with exit code 2."""
    given = _with_default_files(sys.argv[1:] if arguments is None else arguments)
    try:
        app(given, prog_name="lossmith")
    except LossmithError as error:
        typer.echo(f"lossmith: {error}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
