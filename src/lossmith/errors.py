"""One family of exceptions; each is also the builtin that a caller would expect.

A message says who, what must hold, what was given, why it matters, and how to mend it:

    HuberLoss: pred and target must have one shape
        pred      (3, 1)
        target    (3,)
      why     they would broadcast to (3, 3) and average unrelated pairs
      fix     target.reshape(pred.shape), if the elements are in the same order

A part that has nothing to say is absent; a fix is given only after it was tried.
"""

from collections.abc import Mapping


class LossmithError(Exception):
    """Anything that the user can mend. The command line prints it without a traceback and exits 2."""


class ShapeError(LossmithError, ValueError):
    """Arrays whose shapes do not fit each other."""


class DtypeError(LossmithError, TypeError):
    """An array of the wrong kind of number, or of no known framework."""


class SettingError(LossmithError, ValueError):
    """A keyword, option or declaration outside its range."""


class MissingExtraError(LossmithError, ImportError):
    """An optional dependency that is not installed."""


class TargetError(LossmithError, LookupError):
    """A loss that was named but cannot be found, loaded or built."""


class ContractError(LossmithError, ValueError):
    """What a loss takes could not be found out, or was declared wrongly."""


def message(
    headline: str, given: Mapping[str, object] | None = None, why: str | None = None, fix: str | None = None
) -> str:
    """Lay a message out: what must hold, what was given (aligned), why it matters, how to mend it."""
    rows = dict(given or {})
    width = max((len(name) for name in rows), default=0)
    lines = [headline, *(f"    {name:<{width}}  {value}" for name, value in rows.items())]
    lines += [f"  {word:<7} {text}" for word, text in (("why", why), ("fix", fix)) if text]
    return "\n".join(lines)


def missing_extra(caller: str, module: str, extra: str) -> MissingExtraError:
    """The error for an optional dependency: a name that exists and says which line installs it."""
    return MissingExtraError(message(f"{caller} needs {module}", fix=f"pip install 'lossmith[{extra}]'"))
