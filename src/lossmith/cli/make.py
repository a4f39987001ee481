"""`lossmith forge` and `lossmith bench`."""

import sys
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from lossmith.cli.application import app
from lossmith.cli.words import setting, writable
from lossmith.errors import SettingError, message

FORMS = 'lossmith forge "square(pred - target)" --name Square, or lossmith forge --from losses.py:MyLoss'


@app.command("forge")
def forge_command(
    expression: Annotated[
        str | None, typer.Argument(help="In pred, target and parameters: square(pred - target).")
    ] = None,
    name: Annotated[str | None, typer.Option(help="What the loss is called: AsymmetricMSE.")] = None,
    source: Annotated[
        str | None, typer.Option("--from", metavar="TARGET", help="In place of an expression: losses.py:MyLoss.")
    ] = None,
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
    arg: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="A setting of the loss of --from; repeat it.")
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
    pred: Annotated[str | None, typer.Option(help="What pred holds: real, logits, prob, positive, simplex.")] = None,
    target: Annotated[
        str | None, typer.Option(help="What target holds: real, binary, soft, pm1, positive, count, index, dist.")
    ] = None,
) -> None:
    """Write a loss as source code from one expression: derived, verified, run and checked before it is written.

    With sum, mean, logsumexp, softmax or log_softmax it is a loss of rows of classes: -sum(target * log_softmax(pred)).

    Or from a loss of your own, --from losses.py:MyLoss: traced, compared with itself, and written in any framework.
    """
    from lossmith.forging import forge, forge_from
    from lossmith.report.forging import said

    if with_tests and output is None:
        raise SettingError(message("--with-tests writes a second file", fix="-o FILE, for the first"))
    how: dict[str, Any] = {
        "to": to,
        "out": output,
        "with_tests": with_tests,
        "rewrite": not no_rewrite,
        "force": force,
        "pred": pred,
    }
    with Console(stderr=True).status("deriving, running and checking ..."):
        if source is not None and (expression is not None or param):
            raise SettingError("--from takes the place of an expression and its --param; its settings are --arg")
        if source is not None:
            settings = dict(setting(text) for text in arg or [])
            made = forge_from(source, name=name, settings=settings, goal=target, **how)
        elif expression is None or name is None or arg:
            raise SettingError(message("forge takes an expression and --name, or --from", fix=FORMS))
        else:
            made = forge(expression, name=name, params=param or [], target=target, **how)
    typer.echo(said(made), err=output is None)
    if output is None:
        typer.echo(made.source, nl=False)


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

    writable(csv)
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
