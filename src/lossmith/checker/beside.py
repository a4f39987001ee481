"""What a user wrote beside the loss: `# lossmith: allow LS501 the divisor is documented`.

The comment stands on a line of the `def` or `class` statement, on a decorator, or in the comment above them. A reason
is required: an allowance that says nothing is forgotten within a week.
"""

import ast
import functools
import inspect
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lossmith.checker.facts import fact_codes
from lossmith.checker.rules import known_codes
from lossmith.errors import SettingError, message

_SAYS = re.compile(r"#\s*lossmith:\s*(?P<verb>\w+)\b(?P<rest>.*)")
_CODES = re.compile(r"\s*(?P<codes>[A-Z]{1,2}\d+(?:\s*,\s*[A-Z]{1,2}\d+)*)\s*[:,-]?\s*(?P<reason>.*)")


def allowed_beside(loss: Any) -> dict[str, str]:
    """The codes that a comment beside this loss allows, with their reasons. Raises `SettingError` for a slip in one."""
    while isinstance(loss, functools.partial):
        loss = loss.func
    thing: Any = inspect.unwrap(loss) if inspect.isroutine(loss) or isinstance(loss, type) else type(loss)
    try:
        file = inspect.getsourcefile(thing)
        line = inspect.getsourcelines(thing)[1]
        source = Path(file or "").read_text(encoding="utf-8")
    except (OSError, TypeError):  # no source: nothing stands beside it
        return {}
    return allowed_in(source, line, f"{Path(file or '').name}:{line}")


def allowed_in(source: str, line: int, where: str) -> dict[str, str]:
    """What the comments at the statement that starts on this line of the source allow."""
    if "lossmith:" not in source:
        return {}
    found: dict[str, str] = {}
    for text in _comments_at(source, line):
        says = _SAYS.match(text)
        if says is not None:
            found |= _read(says["verb"], says["rest"], where)
    return found


def _read(verb: str, rest: str, where: str) -> dict[str, str]:
    form = "# lossmith: allow LS501 the divisor is documented"
    if verb != "allow":
        raise SettingError(message(f"{where}: `lossmith: {verb}` means nothing", fix=form))
    parts = _CODES.fullmatch(rest)
    if parts is None:
        raise SettingError(message(f"{where}: `lossmith: allow` names no rule", {"given": rest.strip()}, fix=form))
    codes = re.findall(r"[A-Z]{1,2}\d+", parts["codes"])
    if not parts["reason"].strip():
        raise SettingError(message(f"{where}: {', '.join(codes)} is allowed without a reason", fix=form))
    known = [*known_codes(), *fact_codes()]
    if unknown := [code for code in codes if code not in known]:
        raise SettingError(message(f"{where}: {unknown[0]} is no rule", {"rules": ", ".join(known)}))
    return dict.fromkeys(codes, parts["reason"].strip())


def _comments_at(source: str, line: int) -> Iterator[str]:
    first, last = _head(source, line)
    comments: dict[int, tuple[str, bool]] = {}
    try:
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type == tokenize.COMMENT:
                comments[token.start[0]] = token.string, not token.line[: token.start[1]].strip()
    except (tokenize.TokenError, SyntaxError):
        return
    above = first - 1
    while above in comments and comments[above][1]:
        above -= 1
    yield from (comments[number][0] for number in range(above + 1, last + 1) if number in comments)


def _head(source: str, line: int) -> tuple[int, int]:
    """The first and the last line of the head of the statement: decorators, name, parameters, up to its body."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return line, line
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
            if line in (first, node.lineno):
                return first, max(node.lineno, node.body[0].lineno - 1)
    return line, line
