"""Rows that were guessed where images are meant, or images for points: a loss often takes both, and is right on one."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from lossmith.checker.subject import Subject
from lossmith.domains import Domain


def holds_on_images(subject: Subject, holds: Callable[[Subject], bool]) -> bool:
    """True if rows were guessed and pixels keep what rows break: a mean over no axes, a transform over the last two."""
    contract = subject.contract
    axes = [argument.domain.axes for argument in contract.arguments]
    if contract.origin != "inferred" or contract.fold is not None or not all({"N"} <= {*a} <= {"N", "C"} for a in axes):
        return False
    return _holds_on(subject, [(*each, "H", "W") for each in axes], holds)


def holds_on_points(subject: Subject, holds: Callable[[Subject], bool]) -> bool:
    """True if images of one channel were guessed and sets of points, or series, keep what they break."""
    contract = subject.contract
    if contract.origin != "inferred" or contract.fold is not None:
        return False
    if any(argument.domain.axes != ("N", "1", "H", "W") for argument in contract.arguments):
        return False
    return _holds_on(subject, [("N", "T", "C")] * len(contract.arguments), holds)


def _holds_on(subject: Subject, axes: Sequence[Sequence[str]], holds: Callable[[Subject], bool]) -> bool:
    contract = subject.contract
    pairs = zip(contract.arguments, axes, strict=True)
    arguments = tuple(replace(a, domain=Domain.parse(f"{a.kind}[{','.join(each)}]")) for a, each in pairs)
    other = subject.with_contract(replace(contract, arguments=arguments))
    trial = other.run(other.draw(0), grad=False)
    return trial.ok and trial.finite_value and holds(other)
