"""The command line: parses and delegates. Exit codes: 0 clean, 1 errors were found, 2 it could not run."""

import ast
import os
import sys
from collections.abc import Sequence
from enum import StrEnum
from functools import partial
from pathlib import Path
from textwrap import indent
from typing import Annotated, Any

import typer
from rich.console import Console

from lossmith import __version__
from lossmith.checker import Options, Report, explain
from lossmith.errors import LossmithError, SettingError, message, missing_extra

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Design, verify and look at loss functions.",
)
STDOUT = "-"
MOST_WORKERS = 4  # each holds a framework in memory


class Format(StrEnum):
    """What standard output gets."""

    text = "text"
    json = "json"
    sarif = "sarif"


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
    deep: Annotated[bool, typer.Option("--deep", help="Every rule on three draws of the inputs.")] = False,
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
        settings=dict(_setting(text) for text in arg or []),
        flags=_flags(pred, target, input or []),
        select=_split(select),
        ignore=_split(ignore),
        seed=seed,
        timeout=timeout,
        memory=int(memory * 2**30),
        strict=strict,
        deep=deep,
        range=range,
        reference=reference or "",
        pictures=html is not None,
    )
    _writable(html, json, sarif)
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
        _write(report, html, STDOUT if format is Format.json else json, verbose)
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
    name: Annotated[str, typer.Argument(metavar="NAME|TARGET", help="huber, FocalLoss, or your own: losses.py:Name.")],
    steps: Annotated[bool, typer.Option("--steps", help="Derive the gradient rule by rule.")] = False,
    latex: Annotated[bool, typer.Option("--latex", help="Print the loss and its derivatives as LaTeX, alone.")] = False,
    arg: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="A setting of your own loss; repeat it.")
    ] = None,
    pred: Annotated[str | None, typer.Option(metavar="KIND[AXES]", help="What its prediction is: logits[N].")] = None,
    target: Annotated[str | None, typer.Option(metavar="KIND[AXES]", help="What its target is: soft[N].")] = None,
) -> None:
    """Print one loss in full: equation, parameters, claims, papers, derivatives, an example in each framework.

    Of your own loss, traced in a process of its own: formula, derivatives and facts.
    """
    if name.endswith(".py") or ":" in name:
        typer.echo(_of_own(name, dict(_setting(text) for text in arg or []), _flags(pred, target, []), steps))
        return
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
    if not latex and (known := _facts(found.name)):
        typer.echo(f"\n  facts\n{indent(known, '    ')}")


def _of_own(target: str, settings: dict[str, Any], flags: dict[str, str], steps: bool) -> str:
    """Every loss of a target."""
    from lossmith.checker.process import study_target
    from lossmith.report.shown import in_text

    options = Options(settings=settings, flags=flags, work="steps" if steps else "show")
    return "\n\n".join(map(in_text, study_target(target, options)))


def _facts(name: str) -> str:
    """Certificates and what follows from them; empty for a loss that is not one of single numbers."""
    try:
        from lossmith.prove.facts import facts

        return str(facts(name))
    except (ModuleNotFoundError, LossmithError):
        return ""


@app.command("forge")
def forge_command(
    expression: Annotated[str, typer.Argument(help="In pred, target and parameters: square(pred - target).")],
    name: Annotated[str, typer.Option(help="What the loss is called: AsymmetricMSE.")],
    to: Annotated[
        str,
        typer.Option(
            help="torch-function, torch-module, torch-autograd, keras-function, keras-class, jax, numpy, xgboost, "
            "lightgbm, catboost or latex."
        ),
    ] = "torch-function",
    param: Annotated[
        list[str] | None, typer.Option(metavar="NAME=NUMBER", help="A parameter with its default; repeat it.")
    ] = None,
    output: Annotated[
        str | None, typer.Option("--output", "-o", metavar="FILE", help="Write a file; else it is printed.")
    ] = None,
    with_tests: Annotated[bool, typer.Option("--with-tests", help="Write tests beside the file.")] = False,
    no_rewrite: Annotated[
        bool, typer.Option("--no-rewrite", help="Compute what is written, as it is written.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace a file; write one that does not pass its checks.")
    ] = False,
    pred: Annotated[str | None, typer.Option(help="What pred holds: real, logits, prob or positive.")] = None,
    target: Annotated[
        str | None, typer.Option(help="What target holds: real, binary, soft, pm1, positive or count.")
    ] = None,
) -> None:
    """Write a loss as source code from one expression: derived, verified, run and checked before it is written."""
    from lossmith.forging import forge
    from lossmith.report.forging import said

    if with_tests and output is None:
        raise SettingError(message("--with-tests writes a second file", fix="-o FILE, for the first"))
    console = Console(stderr=True)
    with console.status("deriving, running and checking ..."):
        made = forge(
            expression,
            name=name,
            to=to,
            params=param or [],
            out=output,
            with_tests=with_tests,
            rewrite=not no_rewrite,
            force=force,
            pred=pred,
            target=target,
        )
    typer.echo(said(made), err=output is None)
    if output is None:
        typer.echo(made.source, nl=False)


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
        settings=dict(_setting(text) for text in arg or []),
        span=_ends(span),
        points=points,
        output=output,
        force=force,
        options=Options(flags=_flags(pred, target, input or []), timeout=timeout, memory=int(memory * 2**30)),
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
        found = [_setting(f"{name}={value}")[1] for value in values.split(",")]  # bare words
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


if __name__ == "__main__":
    main()
