"""What the losses that frameworks ship take, by their own documentation, and which findings on them were reviewed.

A shipped loss is not probed: its contract is written here once, from its documentation. A finding on one of them that
is real but deliberate or documented is listed below with its evidence, and reported as allowed.
"""

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

from lossmith.checker.contract import Argument, Contract
from lossmith.checker.subject import Subject
from lossmith.domains import Domain


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(files("lossmith.checker").joinpath("known.toml").read_text(encoding="utf-8"))


def _entry(family: str, part: str) -> dict[str, Any]:
    """What is known of a shipped loss; of a function, also what is known of the class that is the same loss."""
    table = _table()
    same = table["functions"].get(family, family)
    return {**table.get(same, {}).get(part, {}), **table.get(family, {}).get(part, {})}


def known_contract(subject: Subject) -> Contract | None:
    """The documented contract of a shipped loss, or None."""
    declared = _entry(subject.family, "takes")
    if not declared:
        return None
    arguments = tuple(
        Argument(name, role, Domain.parse(text))
        for name, (role, text) in ((name, pair) for name, pair in declared.items())
    )
    return Contract(arguments, f"known: {subject.family}")


def is_shipped(subject: Subject) -> bool:
    """True for a loss of a framework, or of lossmith: its documentation says what it is."""
    return bool(subject.family) or type(subject.loss).__module__.startswith("lossmith.")


def reviewed(subject: Subject) -> dict[str, str]:
    """Codes that were looked at for this shipped loss, with the reason why they are no news."""
    return _entry(subject.family, "reviewed")
