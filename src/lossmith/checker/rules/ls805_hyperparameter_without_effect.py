"""LS805 hyperparameter-without-effect

What it checks
    Every number and switch that the loss can be built or called with changes its value or its gradient, for some value
    of it and some batch. Each is set to four other values, on ordinary inputs, on saturated, wrong and perfect ones,
    and on targets between 0 and 1.

Why it matters
    A `gamma` that is taken and never used is swept, reported and believed. The loss trains as if it were not there.

Example
    def __init__(self, alpha=0.25, gamma=2.0):
        self.alpha = alpha

Write instead
    def __init__(self, alpha=0.25, gamma=2.0):
        self.alpha, self.gamma = alpha, gamma

When to allow it
    The setting is kept so that old calls and configurations still work; then its name, or a warning, should say so.
"""

import inspect
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from lossmith.checker.conditions import conditions
from lossmith.checker.evidence import SkipRule, evidence_of, finding, reproduce, show
from lossmith.checker.finding import Finding
from lossmith.checker.reads import Reads, reads
from lossmith.checker.subject import Subject, Trial
from lossmith.checker.terms import with_all_terms
from lossmith.checker.trained import after_some_training

CODE, NAME, SINCE = "LS805", "hyperparameter-without-effect", "0.1"
# What guards against a division by 0, says where to compute, or is decided elsewhere need not show in these inputs.
QUIET = frozenset(
    "eps epsilon tiny smooth_eps reduction reduce size_average device dtype name verbose debug log num_classes "
    "n_classes classes dim axis ignore_index ignore_label pad_idx padding_idx pad_token_id seed inplace loss_name "
    "vocab vocab_size batch_size bs image_size img_size num_features feat_dim embed_dim in_channels channels "
    "from_logits distributed world_size rank sync gather local_loss warmup epoch max_epoch step steps".split()
)
GUARDS = ("eps", "epsilon", "smooth_eps")
TINY = 0.01  # what is larger is no guard: a smoothing
VANISHING = 1e-5  # what is smaller is a guard, whatever it is called
BATCHES = 3
MOST_CONDITIONS = 12
LARGE = 96  # samples: the hardest sixteen of a few are all of them


def applies(subject: Subject) -> str:
    if subject.bridged:
        return "the bridge to another framework does not build it anew"
    return "" if _judged(subject) else "it has no number or switch to set"


def check(subject: Subject) -> Iterator[Finding]:
    subject = with_all_terms(subject)
    batches = _batches(subject)
    if not batches:
        raise SkipRule("the loss is not finite, or not the same twice, on ordinary inputs")
    undecided = 0
    for name, value in _judged(subject).items():
        tried: list[Any] = []
        for other in _others(value):
            if (changed := _with(subject, name, other)) is None:
                continue
            tried.append(other)
            if _same(subject, changed, batches) is not True:
                break  # it has an effect
        else:
            if len(tried) < 2:
                undecided += 1
            elif not (
                _has_an_excuse(subject, name, value)
                or _begins_there(subject, name, tried[0])
                or _shows_later(subject, name, tried)
            ):
                yield _told(subject, name, value, tried, batches[0])
    if undecided == len(_judged(subject)):
        raise SkipRule("it could not be built with other settings")


def _judged(subject: Subject) -> dict[str, Any]:
    """Numbers and switches that whoever builds or calls the loss may choose, with the values that they have now."""
    if subject.build is None:
        return {}
    thing = subject.loss if inspect.isroutine(subject.loss) else getattr(subject.build, "func", subject.build)
    try:
        parameters = inspect.signature(subject.loss if inspect.isroutine(thing) else thing).parameters
    except (TypeError, ValueError):
        return {}
    taken = {argument.name for argument in subject.contract.arguments}
    found: dict[str, Any] = {}
    for name, parameter in parameters.items():
        value = subject.settings.get(name, parameter.default)
        numeric = isinstance(value, (bool, float)) or (isinstance(value, int) and not isinstance(value, bool))
        quiet = name.lower() in QUIET or QUIET & set(name.lower().split("_"))
        quiet = quiet or (isinstance(value, float) and 0 < value <= VANISHING)
        quiet = quiet and not (name.lower() in GUARDS and isinstance(value, float) and value > TINY)
        if numeric and name not in taken and not quiet and not name.startswith("_"):
            found[name] = value
    return found


def _has_an_excuse(subject: Subject, name: str, value: Any) -> bool:
    """True if the code reads it where these inputs may not come: in a branch, or in a part that has switches."""
    if isinstance(getattr(subject.loss, name, None), Tensor):
        return True  # where something learned begins; a module built anew keeps what was learned
    owner = subject.loss if inspect.isroutine(subject.loss) else getattr(subject.build, "func", type(subject.loss))
    read = _read_by(owner, name)
    if read == "never":
        own = not inspect.isclass(owner) or any(way in vars(owner) for way in ("forward", "call", "__call__"))
        return not own and _switches(subject, name)  # a base may read it
    if read == "passed on":
        return isinstance(value, bool) or _switches(subject, name)
    return read != "always" or isinstance(value, bool)


def _read_by(owner: Any, name: str) -> Reads:
    """How the code of a function, or of a class and of those of its bases that are no framework's, reads it."""
    bases = [each for each in inspect.getmro(owner)[1:] if _is_own(each)] if inspect.isclass(owner) else []
    found: list[Reads] = [reads(each, name) for each in (owner, *bases)]
    for read in found:
        if read != "never":
            return read
    return "never"


def _is_own(cls: type) -> bool:
    return cls.__module__.partition(".")[0] not in ("builtins", "torch", "keras", "abc")


def _begins_there(subject: Subject, name: str, other: Any) -> bool:
    """True if it sets where something learned begins: a module that is built anew keeps what was learned."""
    if subject.module is None or subject.build is None:
        return False
    states: list[dict[str, Any]] = []
    for settings in (subject.settings, {**subject.settings, name: other}):
        torch.manual_seed(0)
        states.append(subject.build(**settings).state_dict())
    return states[0].keys() != states[1].keys() or any(not _equal(states[0][key], states[1][key]) for key in states[0])


def _shows_later(subject: Subject, name: str, tried: Sequence[Any]) -> bool:
    """True if it counts in a large batch, where a threshold leaves enough, or once something learned is not 0."""
    trained = after_some_training(subject)
    usual = [subject.draw(seed) for seed in range(BATCHES)]
    cases = [] if trained is subject else [(trained, usual)]
    if subject.contract.draw is None:
        cases.append((subject, [subject.draw(seed, LARGE) for seed in range(BATCHES)]))
    for of, batches in cases:
        made = (_with(of, name, other) for other in tried)
        if any(changed is not None and _same(of, changed, batches) is False for changed in made):
            return True
    return False


def _switches(subject: Subject, name: str) -> bool:
    """True if another setting chooses between ways to compute: a word, a yes or no, or nothing."""
    thing: Any = subject.loss if inspect.isroutine(subject.loss) else subject.build
    others = [p for p in inspect.signature(thing).parameters.values() if p.name not in (name, "reduction")]
    return any(p.default is None or isinstance(p.default, (bool, str)) for p in others)


def _others(value: Any) -> list[Any]:
    """Other values of a setting: on either side, far away, and of the size of ordinary numbers."""
    if isinstance(value, bool):
        return [not value, not value]
    near = (
        [value + 1, value + 3, 2 * value, 0, 1, 5] if isinstance(value, int) else [0.5 * value, 1.5 * value, 4 * value]
    )
    wide = [0.05, 0.4, 1.7, 20.0]
    return list(dict.fromkeys(other for other in (*near, *wide) if other != value))


def _with(subject: Subject, name: str, value: Any) -> Subject | None:
    torch.manual_seed(0)
    return subject.with_settings(**{name: value})


def _batches(subject: Subject) -> list[tuple[Any, ...]]:
    """Ordinary batches first, then the conditions in which settings show: margins, clamps, thresholds."""
    drawn = [subject.draw(seed) for seed in range(BATCHES)]
    drawn += [condition.inputs for condition in conditions(subject)[:MOST_CONDITIONS]]
    drawn += _softened(subject, drawn[0])
    if not _steady(subject, drawn[0]):
        return []
    return drawn


def _softened(subject: Subject, inputs: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Targets between 0 and 1, where those that were guessed are 0 or 1: a setting may weigh what lies between."""
    target = subject.contract.target
    if target is None or subject.contract.target_kind() not in ("binary", "onehot"):
        return []
    mixed = 0.8 * inputs[target] + 0.1
    soft = tuple(mixed if index == target else value for index, value in enumerate(inputs))
    return [soft] if subject.run(soft).ok else []


def _steady(subject: Subject, inputs: Sequence[Any]) -> bool:
    first, again = subject.run(inputs), subject.run(inputs)
    other = subject.run(inputs, seed=1)
    return first.ok and first.finite_value and _alike(first, again) and _alike(first, other)


def _same(subject: Subject, changed: Subject, batches: Sequence[tuple[Any, ...]]) -> bool | None:
    """True if nothing differs on any batch; None if nothing could be compared. Modules are asked in both modes."""
    compared = 0
    for inputs in batches:
        for training in (True, False) if subject.module is not None else (None,):
            before, after = _in_mode(subject, inputs, training), _in_mode(changed, inputs, training)
            if not before.ok and not after.ok:
                continue
            if before.ok != after.ok or not _alike(before, after):
                return False
            compared += 1
    return True if compared >= BATCHES else None


def _in_mode(subject: Subject, inputs: Sequence[Any], training: bool | None) -> Trial:
    floats = [value.dtype for value in inputs if isinstance(value, Tensor) and value.is_floating_point()]
    loss = subject.twin(floats[0] if floats else torch.float32)
    if training and subject.module is not None and any(True for _ in subject.module.buffers()):
        subject.run(inputs, loss=loss.train(training), grad=False)  # a momentum shows in the second call
    return subject.run(inputs, loss=loss.train(training) if training is not None else loss)


def _alike(a: Trial, b: Trial) -> bool:
    if a.output is None or b.output is None or a.output.shape != b.output.shape:
        return a.output is b.output
    pairs = [(a.output, b.output), *zip(a.grads, b.grads, strict=True)]
    return all(_equal(left, right) for left, right in pairs)


def _equal(a: Tensor | None, b: Tensor | None) -> bool:
    if a is None or b is None:
        return a is b
    return bool(torch.equal(a.nan_to_num(7.0), b.nan_to_num(7.0)))


def _told(subject: Subject, name: str, value: Any, others: Sequence[Any], inputs: tuple[Any, ...]) -> Finding:
    trial = subject.run(inputs)
    tried = list(dict.fromkeys(others))
    rows = evidence_of(subject, trial) | {f"{name} tried": ", ".join(str(each) for each in (value, *tried))}
    names = ", ".join(argument.name for argument in subject.contract.arguments)
    given = "".join(f"{key}={each!r}, " for key, each in subject.settings.items() if key != name)
    made = f"{subject.name}({names}, {given}{name}=value)"
    if not inspect.isroutine(subject.loss):
        made = f"type(loss_fn)({given}{name}=value)({names})"
    script = reproduce(subject, inputs, [f"for value in ({value!r}, {tried[0]!r}):", f"    print(value, {made})"])
    return finding(
        sys.modules[__name__],
        subject,
        message=f"{name} changes neither the value nor the gradient: {show(trial.value)} with "
        + " and ".join(f"{name}={each}" for each in (value, tried[0])),
        severity="warning",
        evidence=rows,
        fix=f"use {name} in the formula, or take it out of the signature",
        reproducer=script if not subject.module or not list(subject.module.parameters()) else "",
    )
