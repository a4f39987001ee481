"""Rows that were guessed where images are meant: a loss of pixels often accepts both, and is right on one of them."""

from collections.abc import Callable
from dataclasses import replace

from lossmith.checker.subject import Subject
from lossmith.domains import Domain


def holds_on_images(subject: Subject, holds: Callable[[Subject], bool]) -> bool:
    """True if rows were guessed and pixels keep what rows break: a mean over no axes, a transform over the last two."""
    contract = subject.contract
    axes = [argument.domain.axes for argument in contract.arguments]
    if contract.origin != "inferred" or contract.fold is not None or not all({"N"} <= {*a} <= {"N", "C"} for a in axes):
        return False
    domains = [Domain.parse(f"{a.kind}[{','.join((*a.domain.axes, 'H', 'W'))}]") for a in contract.arguments]
    arguments = tuple(replace(a, domain=domain) for a, domain in zip(contract.arguments, domains, strict=True))
    images = subject.with_contract(replace(contract, arguments=arguments))
    trial = images.run(images.draw(0), grad=False)
    return trial.ok and trial.finite_value and holds(images)
