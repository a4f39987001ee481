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
    contract: Mapping[str, str] | None = None,
    select: Sequence[str] | None = None,
    ignore: Sequence[str] | None = None,
) -> Report:
    """Check one loss, or the losses of a file.

    loss      a function, an `nn.Module` or Keras loss (class or object), an `autograd.Function`; or a target as the
              command line takes it, such as "losses.py" or "torch.nn:HuberLoss", which runs in a child process
    example   the loss's arguments as a tuple, or a function of a seed that returns them; fixes the contract
    contract  what the loss takes, such as {"pred": "logits[N,C]", "target": "index[N]"}
    select    codes or their beginnings: only these rules run; `ignore`: these do not

    An object runs in this process, without limits of time and memory: give its file where it may hang or crash.
    Raises `LossmithError` for a target or a setting that does not exist. A loss whose contract is not found is
    reported: its `problem` says what to do.

    >>> from torch import nn
    >>> check(nn.HuberLoss()).ok
    True
    """
    chosen, ignored = _codes(select), _codes(ignore)
    if contract is not None and not isinstance(contract, Mapping):
        form = "contract={'pred': 'logits[N,C]', 'target': 'index[N]'}"
        raise ContractError(message("a contract names the arguments of the loss", {"given": repr(contract)}, fix=form))
    if isinstance(loss, (str, Path)):
        options = Options(flags=dict(contract or {}), select=chosen, ignore=ignored)
        return Report(tuple(check_target(str(loss), options)))
    try:
        from lossmith.checker.build import subject_of_object
        from lossmith.checker.resolve import Declared
        from lossmith.checker.runner import examine
        from lossmith.checker.selection import Selection
    except ModuleNotFoundError as error:
        raise missing_extra("lossmith.check", str(error.name), "torch") from None
    declared = Declared(dict(contract or {}), example, flags_origin="declared")
    return Report((examine(subject_of_object(loss), declared, Selection(chosen, ignored)),))


def _codes(given: Sequence[str] | None) -> tuple[str, ...]:
    codes = [given] if isinstance(given, str) else list(given or ())
    return tuple(part.strip() for code in codes for part in code.split(","))


def explain(code: str) -> str:
    """The documentation of a rule: what it checks, why it matters, an example, what to write instead."""
    from lossmith.checker.rules import PROCESS_CODES, rule_file

    if code in PROCESS_CODES:
        return inspect.getdoc(import_module("lossmith.checker.stopped")) or ""
    return inspect.getdoc(import_module(rule_file(code))) or ""
