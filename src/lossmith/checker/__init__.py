"""The checker: point it at any loss and learn what is wrong with it, with proof and a fix.

Target -> contract -> rules -> findings. `check` is the door for Python; the command line checks files and modules.
"""

import inspect
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from lossmith.checker.contract import contract
from lossmith.checker.finding import Finding, LossReport, Report, Status
from lossmith.checker.process import Options, check_target
from lossmith.errors import ContractError, message, missing_extra

__all__ = ["Finding", "LossReport", "Report", "Status", "check", "contract"]


def check(
    loss: Any,
    *,
    example: Any = None,
    contract: Mapping[str, Any] | None = None,
    select: Sequence[str] | None = None,
    ignore: Sequence[str] | None = None,
    expected_failures: Mapping[str, str] | None = None,
    allow: Mapping[str, str] | None = None,
    range: float | None = None,
    reference: str = "",
    strict: bool = False,
    deep: bool = False,
) -> Report:
    """Check one loss, or the losses of a file.

    loss      a function, an `nn.Module` or Keras loss (class or object), an `autograd.Function`; or a target as the
              command line takes it, such as "losses.py" or "torch.nn:HuberLoss", which runs in a child process
    example   the loss's arguments as a tuple, or a function of a seed that returns them; fixes the contract
    contract  what the loss takes, such as {"pred": "logits[N,C]", "target": "index[N]"}, and facts that it must keep,
              such as {"convex": True}
    select    codes or their beginnings: only these rules run; `ignore`: these do not
    allow     {code: reason}: findings that are not reported, as `# lossmith: allow LS501 reason` beside it
    expected_failures  {code: reason}: not reported while they fail; one that does not fail any more is an error
    range     no prediction is larger than this
    reference  what the loss ought to equal, such as "torch.nn.HuberLoss"
    strict    warnings fail the check too, and so does an allowance that is not needed
    deep      every rule on three draws of the inputs, those that need the compiler, and the facts of the loss

    An object runs in this process, without limits of time and memory: give its file where it may hang or crash. What
    was measured is measured again before it is told: of a file in a fresh process, of an object here, on a fresh copy.
    Raises `LossmithError` for a target or a setting that does not exist. A loss whose contract is not found is
    reported: its `problem` says what to do.

    >>> from torch import nn
    >>> check(nn.HuberLoss()).ok
    True
    """
    chosen, ignored = codes_of(select), codes_of(ignore)
    if contract is not None and not isinstance(contract, Mapping):
        form = "contract={'pred': 'logits[N,C]', 'target': 'index[N]'}"
        raise ContractError(message("a contract names the arguments of the loss", {"given": repr(contract)}, fix=form))
    from lossmith.checker.excuses import Excuses

    excuses = Excuses(dict(allow or {}), dict(expected_failures or {}), strict)
    if isinstance(loss, (str, Path)):
        options = Options(
            flags=dict(contract or {}),
            select=chosen,
            ignore=ignored,
            allow=excuses.allowed,
            expected=excuses.expected,
            strict=strict,
            deep=deep,
            range=range,
            reference=reference,
        )
        return Report(tuple(check_target(str(loss), options)), strict)
    try:
        from lossmith.checker.again import doubtful, seen_twice
        from lossmith.checker.beside import allowed_beside
        from lossmith.checker.build import subject_of_object
        from lossmith.checker.resolve import Declared
        from lossmith.checker.runner import came_again, examine
        from lossmith.checker.selection import Selection
    except ModuleNotFoundError as error:
        raise missing_extra("lossmith.check", str(error.name), "torch") from None
    declared = Declared(dict(contract or {}), example, flags_origin="declared")
    subject = subject_of_object(loss)
    subject.range, subject.reference = range, reference
    fresh = subject.apart()
    excuses = excuses.and_allowed(allowed_beside(loss))
    report = examine(subject, declared, Selection(chosen, ignored), excuses=excuses, deep=deep)
    if codes := doubtful(report):
        report = seen_twice(report, came_again(fresh, declared, codes, deep=deep))
    return Report((report,), strict)


def codes_of(given: Sequence[str] | None) -> tuple[str, ...]:
    """Codes as a user gives them: one, several, or several in one string with commas."""
    codes = [given] if isinstance(given, str) else list(given or ())
    return tuple(part.strip() for code in codes for part in code.split(","))


def explain(code: str) -> str:
    """The documentation of a rule (LS104) or of a fact (F2): what it says, why it matters, how it is found."""
    from lossmith.checker.facts import fact_codes, fact_file
    from lossmith.checker.rules import PROCESS_CODES, rule_file

    if code.upper() in fact_codes():
        return inspect.getdoc(import_module(fact_file(code))) or ""
    if code in PROCESS_CODES:
        return inspect.getdoc(import_module("lossmith.checker.stopped")) or ""
    return inspect.getdoc(import_module(rule_file(code))) or ""
