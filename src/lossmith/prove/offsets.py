"""What is added to a logit before the softmax: a margin, the logarithm of a prior.

    e^(c z_i + b_i),  e^(c (z_i - z_j) + b):    y_i = z_i + offset_i,    p = softmax(c y),    d / dz = d / dy

An exponent with one logit gives its offset; one with a difference of two gives a difference of offsets, of which the
terms with a plus are of the one and the others of the other. What all exponents do not agree on is no offset.
"""

from collections.abc import Mapping, Sequence

import sympy

from lossmith.prove.evaluate import Expr, Symbol


def offsets(expr: Expr, logits: Sequence[Symbol]) -> Mapping[Symbol, Expr]:
    """The offset of each logit; empty where there is none, or no such reading."""
    found: dict[Symbol, Expr] = {}
    equations = [one for power in expr.atoms(sympy.exp) if (one := _equation(power.args[0], logits)) is not None]
    for signs, rest in equations:
        plus = sympy.Add(*(part for part in sympy.Add.make_args(rest) if not part.could_extract_minus_sign()))
        for z, sign in signs.items():
            found.setdefault(z, (plus if sign > 0 else plus - rest) if len(signs) > 1 else rest * sign)
    shift = {z: found.get(z, sympy.S.Zero) for z in logits}
    agree = all(
        sympy.expand(sum(sign * shift[z] for z, sign in signs.items()) - rest) == 0 for signs, rest in equations
    )
    return shift if agree and any(shift.values()) else {}


def _equation(exponent: Expr, logits: Sequence[Symbol]) -> tuple[dict[Symbol, int], Expr] | None:
    """Signs of one or two logits and what is added to them, both by their factor; None for any other exponent."""
    flat = sympy.expand(exponent)
    factors = {z: flat.coeff(z) for z in logits if flat.has(z)}
    sizes = {-one if one.could_extract_minus_sign() else one for one in factors.values()}
    if len(sizes) != 1 or len(factors) > 2:
        return None
    (size,) = sizes
    rest = sympy.expand((flat - sum(factor * z for z, factor in factors.items())) / size)
    signs = {z: 1 if factor == size else -1 for z, factor in factors.items()}
    if rest.free_symbols & {*logits} or (len(signs) == 2 and sum(signs.values()) != 0):
        return None
    return signs, rest
