"""`lossmith list` and `lossmith show`."""

import sys
from textwrap import indent
from typing import Annotated, Any

import typer
from rich.console import Console

from lossmith.checker import Options
from lossmith.cli.application import app
from lossmith.cli.words import flags_of, setting
from lossmith.errors import LossmithError, missing_extra


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
        work = "latex" if latex else "steps" if steps else "show"
        typer.echo(_of_own(name, dict(setting(text) for text in arg or []), flags_of(pred, target, []), work))
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
        typer.echo(derived if latex else f"\n  derived\n{indent(derived, '    ')}")
    except LossmithError:
        if steps or latex:
            raise
    if not latex and (known := _facts(found.name)):
        typer.echo(f"\n  facts\n{indent(known, '    ')}")


def _of_own(target: str, settings: dict[str, Any], flags: dict[str, str], work: str) -> str:
    """Every loss of a target."""
    from lossmith.checker.process import study_target
    from lossmith.report.shown import in_latex, in_text

    found = study_target(target, Options(settings=settings, flags=flags, work=work))
    return "\n\n".join(map(in_latex if work == "latex" else in_text, found))


def _facts(name: str) -> str:
    """Certificates and what follows from them; of a loss of a whole batch, whether it is convex."""
    try:
        from lossmith.prove.composition import convex_of, convex_of_batch
        from lossmith.prove.derive import formula_of
        from lossmith.prove.facts import facts_of
        from lossmith.prove.rows import bounds_of
        from lossmith.prove.slices import elementwise, is_elementwise, is_of_rows
        from lossmith.report.facts import of_several

        made = formula_of(name)
        if is_of_rows(made):
            return of_several(convex_of(made), bounds_of(made))
        if is_elementwise(made):
            return str(facts_of(elementwise(made)))
        from lossmith.checker.sample import of_formula  # torch's

        return of_several(convex_of_batch(made, of_formula(made)))
    except (ModuleNotFoundError, LossmithError):
        return ""


def _derived(name: str, *, steps: bool, latex: bool) -> str:
    try:
        from lossmith.prove.derive import derive
    except ModuleNotFoundError as error:
        raise missing_extra("lossmith show", str(error.name), "prove") from None
    from lossmith.report.derivation import in_latex, in_text

    derivation = derive(name)
    return in_latex(derivation) if latex else in_text(derivation, steps=steps)
