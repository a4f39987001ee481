"""LS505 reduction-contract

What it checks
    If the loss has a setting `reduction`, its choices belong together: `sum` is the sum of what `none` gives, `mean`
    is the mean of it (`sum_over_batch_size` in Keras), and `none` gives more than one number for several samples.
    A cross entropy that is averaged is not taken for that of a sample: exp(-mean) in a focal weight. Where samples do
    not interact, all terms are summed or all are averaged.

Why it matters
    Weights, masks and per-sample statistics are applied to `none`, and a change from `mean` to `sum` is meant to
    change a factor that is known. A setting that is taken and ignored is believed by whoever set it.

Example
    def __init__(self, reduction="mean"):
        self.reduction = reduction
    def forward(self, pred, target):
        return (pred - target).square().mean()

Write instead
    value = (pred - target).square()
    return value.mean() if self.reduction == "mean" else value.sum() if self.reduction == "sum" else value

When to allow it
    The documentation of the loss says what its mean divides by, as that of class weights in torch does.
"""

import sys
from collections.abc import Iterator, Sequence
from typing import Any

import torch

from lossmith.checker.averaged import Averaged, averaged_too_early
from lossmith.checker.batch import interact, near, no_batch, precise, size, splits, take
from lossmith.checker.evidence import SkipRule, finding, reproduce, show
from lossmith.checker.finding import Finding
from lossmith.checker.guessed import holds_on_images
from lossmith.checker.mixed import Mixed, mixed
from lossmith.checker.reductions import Choices, choices
from lossmith.checker.subject import Subject, Trial

CODE, NAME, SINCE = "LS505", "reduction-contract", "0.1"
SEEDS = 4
SHARED = 1e-3  # of the largest value: an average over the batch moves values by far more


def applies(subject: Subject) -> str:
    if averaged_too_early(subject) is not None or _two_laws(subject) is not None:
        return ""
    found = choices(subject)
    if found is None:
        return "it has no setting `reduction`"
    return "" if len(found.subjects) > 1 else "it takes fewer than two of none, sum and mean"


def check(subject: Subject) -> Iterator[Finding]:
    if (early := averaged_too_early(subject)) is not None:
        yield _early(subject, early)
        return
    if (two := _two_laws(subject)) is not None:
        yield _mixed(subject, two)
        return
    found = choices(subject)
    if found is None:
        return
    drawn = _drawn(subject)
    if not drawn:
        raise SkipRule("the example is a batch of one, for which sum and mean are the same")
    dtype = precise(subject, drawn[0])
    trials = _trials(found, drawn, dtype)
    if not trials:
        raise SkipRule("the loss is not finite under each of its reductions")
    if message := _broken(found, trials, subject):
        if holds_on_images(subject, _holds):
            raise SkipRule("it holds on images, and that the loss takes anything else was guessed")
        few = _trials(found, [take(subject, inputs, (0, 1)) for inputs in drawn], dtype)
        again = _broken(found, few, subject) if few else ""
        yield _told(subject, found, (few if again else trials)[0], again or message)


def _early(subject: Subject, early: Averaged) -> Finding:
    return finding(
        sys.modules[__name__],
        subject,
        severity="warning",
        message="exp(-loss) is taken of a mean over the batch: it is the probability of no sample, and one for all",
        trial=subject.run(subject.draw(1)),
        why="a focal weight made of it cannot tell hard samples from easy ones: it scales the whole batch",
        fix='reduction="none" in the cross entropy, and the mean at the end',
        line=early.line,
    )


def _two_laws(subject: Subject) -> Mixed | None:
    """What is summed beside what is averaged, in a loss whose samples do not interact."""
    if subject.bridged or no_batch(subject) or size(subject, subject.draw(0)) < 4:
        return None
    if "mixed" not in subject.cache:
        try:
            subject.cache["mixed"] = mixed(subject)
        except SkipRule:
            subject.cache["mixed"] = None
    return subject.cache["mixed"]


def _mixed(subject: Subject, found: Mixed) -> Finding:
    part = found.part
    summed, averaged = ([name for name, law in found.how.items() if law == each] for each in ("sum", "mean"))
    if averaged:
        said = f"the terms of {', '.join(summed)} are summed over the batch, those of {', '.join(averaged)} averaged"
        why = "their balance changes with the batch size, and with the last batch of an epoch"
        fix = "reduce all terms alike: the mean over the batch of what is summed for each sample"
    else:
        said = f"it is a sum over the batch, but {show(found.once)} comes once: the least value falls with the batch"
        why = "a mean was meant: the constant belongs to each sample"
        fix = f"average over the batch before the result is taken from {show(found.once)}"
    rows = {a.name: show(value) for a, value in zip(subject.contract.arguments, part.whole.inputs, strict=True)}
    rows |= {
        f"value of all {part.n}": show(part.whole.value),
        f"value of the first {part.cut}": show(part.first.value),
        f"value of the last {part.n - part.cut}": show(part.second.value),
    }
    inputs = tuple(v.float() if torch.is_tensor(v) and v.dtype == torch.float64 else v for v in part.whole.inputs)
    return finding(
        sys.modules[__name__],
        subject,
        severity="warning",
        message=said,
        evidence=rows,
        why=why,
        fix=fix,
        reproducer=reproduce(subject, inputs),
    )


def _drawn(subject: Subject) -> list[tuple[Any, ...]]:
    """Batches, and the same with some rows twice: drawn batches have as many positives each, and those do not."""
    plain = [inputs for inputs in map(subject.draw, range(SEEDS)) if size(subject, inputs) > 1]
    g = torch.Generator().manual_seed(0)
    rows = [torch.randint(size(subject, inputs), (size(subject, inputs),), generator=g).tolist() for inputs in plain]
    return plain + [take(subject, inputs, chosen) for inputs, chosen in zip(plain, rows, strict=True)]


def _holds(images: Subject) -> bool:
    drawn, found = _drawn(images), choices(images)
    trials = _trials(found, drawn, precise(images, drawn[0])) if found is not None and drawn else []
    return bool(trials) and found is not None and not _broken(found, trials, images)


def _trials(found: Choices, drawn: Sequence[tuple[Any, ...]], dtype: torch.dtype) -> list[dict[str, Trial]]:
    rows = [{name: s.run(inputs, dtype=dtype, grad=False) for name, s in found.subjects.items()} for inputs in drawn]
    return [row for row in rows if all(trial.ok and trial.finite_value for trial in row.values())]


def _broken(found: Choices, trials: Sequence[dict[str, Trial]], subject: Subject) -> str:
    """What is wrong, the broadest first; empty if nothing is."""
    if _ignored(trials):
        if not found.offered:
            raise SkipRule("its attribute `reduction` has no effect, and its constructor offers no choice")
        if subject.framework == "keras" and not no_batch(subject) and interact(splits(subject)):
            raise SkipRule("its samples interact, so that one number for the batch is all that there is to reduce")
        named = ", ".join(found.word(name) for name in found.subjects)
        return f"the setting `reduction` is ignored: {named} all give {_shown(next(iter(trials[0].values())))}"
    if "none" not in found.subjects:
        return ""
    first = trials[0]
    n = len(first["none"].inputs[first["none"].where])
    if _count(first["none"]) == 1 and n > 1:
        return f"reduction={found.word('none')} gives one number for a batch of {n}"
    for row in trials if "sum" in first else ():
        if not _equal(row["sum"].value, row["none"].value, row):
            given, added = show(row["sum"].value), show(row["none"].value)
            return f"reduction={found.word('sum')} gives {given}; the values of {found.word('none')} add up to {added}"
    if shared := _shared(found, first, subject):
        return shared
    return _mean(found, trials, subject) if "mean" in first else ""


def _shared(found: Choices, row: dict[str, Trial], subject: Subject) -> str:
    """What is wrong if a value of `none` is not that of its sample, though samples do not interact in the total."""
    none, inputs = row["none"], row["none"].inputs
    n = len(inputs[none.where])
    if none.output is None or none.output.shape[:1] != (n,) or n < 2 or no_batch(subject):
        return ""
    loss, dtype = found.subjects["none"], none.output.dtype
    alone = [loss.run(take(subject, inputs, (i,)), dtype=dtype, grad=False) for i in range(n)]
    if not all(one.ok and one.finite_value and _count(one) * n == _count(none) for one in alone):
        return ""
    if not _equal(sum(one.value for one in alone), none.value, row):
        return ""
    pairs = [(float(own.sum()), one.value) for own, one in zip(none.output, alone, strict=True)]
    largest = max(abs(one) for _, one in pairs)
    if all(abs(own - one) <= SHARED * largest for own, one in pairs):  # a network rounds otherwise for each batch
        return ""
    own, one = max(pairs, key=lambda pair: abs(pair[0] - pair[1]))
    return (
        f"reduction={found.word('none')} gives a sample {show(own)} in a batch and {show(one)} alone, though their "
        "total is the same: a term was averaged over the batch before the values were returned"
    )


def _ignored(trials: Sequence[dict[str, Trial]]) -> bool:
    """True if every reduction gives the same, and not only because all of it is 0."""
    outputs = [[trial.output for trial in row.values() if trial.output is not None] for row in trials]
    same = all(torch.equal(row[0], other) for row in outputs for other in row[1:])
    return same and any(trial.value != 0.0 for row in trials for trial in row.values())


def _mean(found: Choices, trials: Sequence[dict[str, Trial]], subject: Subject) -> str:
    wrong = [row for row in trials if not _equal(row["mean"].value, row["none"].value / _averaged(row), row)]
    if not wrong:
        return ""
    divisors = [row["none"].value / row["mean"].value if row["mean"].value else 0.0 for row in trials]
    count, word = _count(wrong[0]["none"]), found.word("mean")
    if all(near(divisor, divisors[0], 1e-4) for divisor in divisors):
        return f"reduction={word} divides the sum by {divisors[0]:.6g}, not by the {count} values of none"
    if _moves_with_pred(found, trials[0], subject):
        return (
            f"reduction={word} gives {show(wrong[0]['mean'].value)}, "
            f"and the mean of what none gives is {show(wrong[0]['none'].value / count)}"
        )
    return ""  # a count of positives, tokens or class weights: LS501 says so


def _averaged(row: dict[str, Trial]) -> float:
    """How many values each mean is taken of: all, or those of one sample where `mean` keeps a number for each."""
    values, means = _count(row["none"]), _count(row["mean"])
    return values / means if 1 < means < values else values


def _moves_with_pred(found: Choices, row: dict[str, Trial], subject: Subject) -> bool:
    """True if the divisor changes with the prediction alone: then it is no count of what is in the target."""
    inputs, index = row["none"].inputs, row["none"].where
    divisors: list[float] = []
    for seed in range(100, 104):
        pred = subject.draw(seed)[index][: len(inputs[index])]
        if pred.shape != inputs[index].shape or torch.equal(pred, inputs[index].to(pred.dtype)):
            return False
        changed = (*inputs[:index], pred.to(inputs[index].dtype), *inputs[index + 1 :])
        none, mean = (found.subjects[name].values(changed) for name in ("none", "mean"))
        if mean:
            divisors.append(none / mean)
    return bool(divisors) and not all(near(divisor, divisors[0], 1e-3) for divisor in divisors)


def _equal(a: float, b: float, row: dict[str, Trial]) -> bool:
    dtypes = {trial.total.dtype for trial in row.values() if trial.total is not None}
    return near(a, b, 1e-6 if dtypes == {torch.float64} else 1e-4)


def _count(trial: Trial) -> int:
    return trial.output.numel() if trial.output is not None else 1


def _shown(trial: Trial) -> str:
    return show(trial.output) if trial.output is not None else show(trial.value)


def _told(subject: Subject, found: Choices, row: dict[str, Trial], message: str) -> Finding:
    any_trial = next(iter(row.values()))
    rows = {a.name: show(value) for a, value in zip(subject.contract.arguments, any_trial.inputs, strict=True)}
    rows |= {f"reduction={found.word(name)}": _shown(trial) for name, trial in row.items()}
    inputs = tuple(v.float() if torch.is_tensor(v) and v.dtype == torch.float64 else v for v in any_trial.inputs)
    return finding(
        sys.modules[__name__],
        subject,
        message=message,
        evidence=rows,
        fix="return one value per sample from call(), and leave the reduction to keras"
        if "sum_over_batch_size" in found.words.values()
        else "compute the unreduced values once, and return them, their sum or their mean as `reduction` says",
        reproducer=reproduce(subject, inputs, found.script(subject)),
    )
