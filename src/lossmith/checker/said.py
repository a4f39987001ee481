"""Losses that draw, or remember, and say so.

A loss of sampled negatives, of dropout or of a reparameterised latent is random because that is the method; one with a
momentum or a queue remembers for the same reason. It is said by its name, its settings, its documentation, a name in
its code, or a call that does nothing else.
"""

import inspect
import re
from collections.abc import Sequence
from types import CodeType
from typing import Any

import numpy as np
import torch

from lossmith.checker.frameworks import copy_of
from lossmith.checker.memory import Snapshot
from lossmith.checker.signature import called
from lossmith.checker.subject import Subject

DRAWS = re.compile(
    r"nois|drop|sampl(?:ed|ing|er)|(?:re|sub)sampl|random|stochast|gumbel|re?param|(?:cut)?mix(?:up|$)|perturb|jitter|"
    r"augment|monte|(?:^|_)mc(?:_|$)|bayes|negatives|(?:^|_)(?:eps|epsilon|rng|generator|vae|elbo|gp|wgan\w*|smoothgrad)"
    r"(?:_|$)|variational|interpol|diffus|denois|slic(?:ed|es)|shuffl|permut",
    re.I,
)
REMEMBERS = re.compile(
    r"running|momentum|(?:^|_|\b)ema(?:_|\b|$)|moving|decay|queue|memory|bank|warm_?up|anneal|schedul|history|epoch|"
    r"iterat|steps?(?:_|\b|$)|previous|accumulat",
    re.I,
)
SMALL = ("eps", "epsilon")  # handed in, it keeps a divisor from 0; made in the code, it is the noise of a latent
# Functions that are called for nothing but their noise; rand and randn_like may be a slip of whoever was debugging.
METHODS = re.compile(r"dropout|gumbel_softmax|multinomial|bernoulli|rrelu|poisson|randperm|randint|rsample|sample")


def own_generators(subject: Subject, inputs: Sequence[Any]) -> list[str]:
    """The generators that the loss keeps and that one call moves."""
    one = copy_of(subject.twin(torch.float32))
    kept = Snapshot(one)
    subject.run(inputs, grad=False, loss=one)
    held = (torch.Generator, np.random.Generator, np.random.RandomState)
    return [label for label in kept.changed() if isinstance(kept.before(label), held)]


def remembered(subject: Subject, inputs: Sequence[Any]) -> list[str]:
    """What the loss keeps from one call, if the next call with the same inputs answers otherwise for it."""
    one = copy_of(subject.twin(torch.float32))
    kept = Snapshot(one)
    first = subject.run(inputs, grad=False, loss=one)
    changed = kept.changed()
    if not changed or not first.ok or first.value == subject.run(inputs, grad=False, loss=one).value:
        return []
    return changed


def said_to_draw(subject: Subject, drawing: str = "") -> bool:
    """True if the loss says that it is random; `drawing` is the function that draws in it."""
    return bool(METHODS.search(drawing)) or any(DRAWS.search(text) for text in _own_words(subject))


def said_to_remember(subject: Subject, kept: Sequence[str]) -> bool:
    """True if the loss says that it remembers, and what it keeps is registered: saved, restored and moved with it."""
    registered = subject.module is not None and set(kept) <= {name for name, _ in subject.module.named_buffers()}
    return registered and any(REMEMBERS.search(text) for text in (*kept, *_own_words(subject)))


def _own_words(subject: Subject) -> tuple[str, ...]:
    """Its name, its settings, what its code calls its values, and its documentation."""
    function: Any = called(subject.loss)
    owner = subject.loss if inspect.isroutine(subject.loss) else type(subject.loss)
    own = "__doc__" in vars(owner) if isinstance(owner, type) else True
    code = getattr(inspect.unwrap(getattr(function, "__func__", function)), "__code__", None)
    names = _names(code) if isinstance(code, CodeType) else ()
    return (subject.name, *_settings(owner), *names, (inspect.getdoc(owner) or "") if own else "")


def _settings(owner: Any) -> Sequence[str]:
    try:
        return tuple(name for name in inspect.signature(owner).parameters if name not in SMALL)
    except (TypeError, ValueError):
        return ()


def _names(code: CodeType) -> Sequence[str]:
    """What its code calls its own values; the functions that it calls are not asked."""
    handed = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    return (
        *(name for name in code.co_varnames if name not in SMALL or name not in handed),
        *(name for inner in code.co_consts if isinstance(inner, CodeType) for name in _names(inner)),
    )
