"""What does not move with the prediction as a letter of its own, where it is long: a class weight, a normaliser.

    -log(p1) 3 (1 - b^n1)^-1 / ((1 - b^n1)^-1 + ...)    reads    -w1 log(p1)

A derivative leaves it as it is, so nothing is lost, and what remains is short enough to be simplified and read.
"""

from collections.abc import Mapping, Set

import sympy

from lossmith.prove.evaluate import Expr, Symbol
from lossmith.prove.simplify import operations

LONG = 16  # operations
SHOWN = 40  # operations, beyond which it is only said what it is made of


def lettered(expr: Expr, moving: Set[Symbol], known: dict[Expr, Symbol]) -> Expr:
    """The expression with a letter for every long part of it that has none of the symbols that move.

    known   letters that were given before, to which new ones are added
    """
    if not expr.free_symbols & moving:
        return _letter(expr, known)
    if not expr.args or operations(expr) <= LONG:
        return expr
    if isinstance(expr, (sympy.Add, sympy.Mul)):
        alone, rest = expr.as_independent(*moving, as_Add=isinstance(expr, sympy.Add))
        parts = rest.args if isinstance(rest, type(expr)) else (rest,)
        return expr.func(_letter(alone, known), *(lettered(part, moving, known) for part in parts))
    return expr.func(*(lettered(part, moving, known) for part in expr.args))


def _letter(constant: Expr, known: dict[Expr, Symbol]) -> Expr:
    if operations(constant) <= LONG or not constant.free_symbols:
        return constant
    if constant.could_extract_minus_sign():
        return -_letter(-constant, known)
    if constant not in known:
        known[constant] = sympy.Symbol(f"w{len(known) + 1}", real=True, positive=constant.is_positive)
    return known[constant]


def meanings(letters: Mapping[Symbol, Expr]) -> Mapping[str, str]:
    """What each letter stands for, in words where it is too long to be read."""
    return {str(letter): _meaning(constant) for letter, constant in letters.items()}


def _meaning(constant: Expr) -> str:
    if operations(constant) <= SHOWN:
        return str(constant).replace("**", "^")
    return f"a number of {', '.join(sorted(map(str, constant.free_symbols)))} alone"
