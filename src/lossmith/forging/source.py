"""What every emitted file has in common: imports in order, the words a framework lacks, signatures, checks."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from lossmith.forging.plan import Plan
from lossmith.forging.row_code import coded
from lossmith.forging.spell import Style, text_of
from lossmith.forging.statements import RETURN, WIDTH, statements
from lossmith.forging.tree import ARRAYS, CLASSES, TARGET, Node, is_array, names_in

# Words that some framework lacks, in words that each has. {m} is the module, {both} a conjunction.
_LACKING = {
    "softmax": """
def _softmax(x):
    powers = {m}.exp(x - {m}.max(x, axis=-1, keepdims=True))
    return powers / {m}.sum(powers, axis=-1, keepdims=True)
""",
    "log_softmax": """
def _log_softmax(x):
    return x - _logsumexp(x)
""",
    "logsumexp": """
def _logsumexp(x):
    largest = {m}.max(x, axis=-1, keepdims=True)
    return largest + {m}.log({m}.sum({m}.exp(x - largest), axis=-1, keepdims=True))
""",
    "sigmoid": """
def _sigmoid(x):
    small = {m}.exp(-{m}.abs(x))
    return {m}.where(x >= 0.0, 1.0, small) / (1.0 + small)
""",
    "log_sigmoid": """
def _log_sigmoid(x):
    return -{m}.logaddexp(0.0, -x)
""",
    "log_cosh": """
def _log_cosh(x):
    # log(cosh(x)) overflows far from 0, and |x| - log(2) cancels near it
    size = {m}.abs(x)
    near = {m}.where(size < 1.0, x, 0.0)
    small = {m}.log1p(2.0 * {m}.square({m}.sinh(0.5 * near)))
    large = size + {m}.log1p({m}.exp(-2.0 * size)) - math.log(2.0)
    return {m}.where(size < 1.0, small, large)
""",
    "xlogy": """
def _xlogy(x, y):
    # 0 * log(0) counts as 0, in value and in slope
    is_nothing = {both[0]}x == 0.0{both[1]}y == 0.0{both[2]}
    return x * {m}.log({m}.where(is_nothing, 1.0, y))
""",
    "xlog1py": """
def _xlog1py(x, y):
    # 0 * log(0) counts as 0, in value and in slope
    is_nothing = {both[0]}x == 0.0{both[1]}y == -1.0{both[2]}
    return x * {m}.log1p({m}.where(is_nothing, 0.0, y))
""",
}
_BOTH = {"ops": ("ops.logical_and(", ", ", ")")}


def lacking(code: str, style: Style) -> list[str]:
    """The functions that the code calls and the framework does not have."""
    found: list[str] = []
    for word, text in _LACKING.items():
        if re.search(rf"(?<!\w)_{word}\(", "\n".join([code, *found])):
            body = text.strip("\n").format(m=style.module, both=_BOTH.get(style.module, ("(", ") & (", ")")))
            found += [*_typed(body, style).splitlines(), "", ""]
    return found


def _typed(body: str, style: Style) -> str:
    if style.module != "torch":
        return body
    return re.sub(r"def (\w+)\(x\):", r"def \1(x: Tensor) -> Tensor:", body).replace(
        "(x, y):", "(x: Tensor, y: Tensor) -> Tensor:"
    )


def file_of(docstring: Sequence[str], imports: Sequence[str], parts: Sequence[Sequence[str]], style: Style) -> str:
    """A whole file. `math` is imported if it is used; parts are two empty lines apart."""
    body: list[str] = []
    for part in parts:
        body += [*part, "", ""]
    code = "\n".join(body)
    helpers = lacking(code, style)
    whole = code + "\n".join(helpers)
    if "torch." not in whole:
        imports = [line for line in imports if line != "import torch"]
    if "math." in whole:
        imports = ["import math", "", *imports]
    gap = [""] if not helpers and body[0].startswith("#") else ["", ""]
    return "\n".join([*docstring, *imports, *gap, *helpers, *body]).rstrip() + "\n"


def signature(head: str, arguments: Sequence[str], result: str, indent: int = 0) -> list[str]:
    """A signature on one line if it is short, else with one argument on a line, as formatters keep it."""
    blank = " " * indent
    short = f"{blank}{head}({', '.join(arguments)}){result}:"
    if len(arguments) <= 3 and len(short) <= WIDTH:
        return [short]
    return [f"{blank}{head}(", *(f"{blank}    {one}," for one in arguments), f"{blank}){result}:"]


def defaults(params: Mapping[str, float]) -> list[str]:
    return [f"{name}: float = {value!r}" for name, value in params.items()]


def computed(
    plan: Plan, outputs: Sequence[tuple[str, Node]], style: Style, indent: int = 4, taken: Sequence[str] = ()
) -> list[str]:
    """Lines that assign each output; one that has no entry of its own is spread over all."""
    taken = [*variables(plan), *taken]
    if plan.of_rows:
        outputs = [(name, coded(root, plan.by_label)) for name, root in outputs]
        return [*_of_rows(plan, outputs, style, indent), *_assigned(outputs, _by_row(plan, style), indent, taken)]
    return _assigned(outputs, style, indent, taken)


def _of_rows(plan: Plan, outputs: Sequence[tuple[str, Node]], style: Style, indent: int) -> list[str]:
    """What the code of a loss of rows names first: how many classes there are, the row of a label."""
    used, blank = names_in(*(root for _, root in outputs)), " " * indent
    pred, target = (style.names.get(name, name) for name in ARRAYS)
    lines = [f"{blank}classes = {pred}.shape[-1]"] if CLASSES.name in used else []
    if plan.by_label and TARGET.name in used:
        lines.append(f"{blank}hot = {style.words['hot'].format(pred=pred, target=target)}")
    return lines


def _by_row(plan: Plan, style: Style) -> Style:
    return replace(style, names={**style.names, "target": "hot"}) if plan.by_label else style


def _assigned(outputs: Sequence[tuple[str, Node]], style: Style, indent: int, taken: Sequence[str]) -> list[str]:
    moving = [(name, root) for name, root in outputs if is_array(root)]
    lines = statements(moving, style, indent, taken) if moving else []
    like = style.names.get("pred", "pred")
    for name, root in outputs:
        if not is_array(root):
            value = text_of(root, style)
            full = f"{style.module}.full_like({like}, {value})"
            lines.append(" " * indent + (f"return {full}" if name == RETURN else f"{name} = {full}"))
    return lines


def from_self(params: Mapping[str, float], owner: str, indent: int) -> list[str]:
    """The parameters as local names, so that the code below reads as the formula."""
    blank = " " * indent
    names = list(params)
    if not names:
        return []
    return [f"{blank}{', '.join(names)} = {', '.join(f'{owner}.{name}' for name in names)}"]


def variables(plan: Plan) -> list[str]:
    """Names that the code must not take for a variable of its own."""
    return [
        *plan.params,
        "classes",
        "hot",
        "weight",
        "reduction",
        "math",
        "torch",
        "values",
        "ops",
        "jax",
        "jnp",
        "np",
        "self",
        "ctx",
    ]
