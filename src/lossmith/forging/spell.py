"""A tree as text: for people, and in the words of each framework."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from lossmith.forging.tree import CONSTANTS, Call, Name, Node, Number, is_array

INFIX = {
    "or": ("|", 6),
    "and": ("&", 8),
    "lt": ("<", 5),
    "le": ("<=", 5),
    "gt": (">", 5),
    "ge": (">=", 5),
    "eq": ("==", 5),
    "ne": ("!=", 5),
    "add": ("+", 10),
    "sub": ("-", 10),
    "mul": ("*", 11),
    "div": ("/", 11),
}
POWER, SIGN, WHOLE = 13, 12, 20
# A number that belongs to no entry is computed by Python itself.
_PLAIN = {
    "abs": "abs({})",
    "exp": "math.exp({})",
    "expm1": "math.expm1({})",
    "log": "math.log({})",
    "log1p": "math.log1p({})",
    "sqrt": "math.sqrt({})",
    "square": "({}) ** 2",
    "softplus": "math.log1p(math.exp({}))",
    "sigmoid": "1.0 / (1.0 + math.exp(-({})))",
    "log_sigmoid": "-math.log1p(math.exp(-({})))",
    "tanh": "math.tanh({})",
    "cosh": "math.cosh({})",
    "sinh": "math.sinh({})",
    "log_cosh": "math.log(math.cosh({}))",
    "arctan": "math.atan({})",
    "sign": "math.copysign(1.0, {})",
    "minimum": "min({}, {})",
    "maximum": "max({}, {})",
    "hypot": "math.hypot({}, {})",
    "logaddexp": "math.log(math.exp({}) + math.exp({}))",
    "xlogy": "({}) * math.log({})",
    "xlog1py": "({}) * math.log1p({})",
}


@dataclass(frozen=True)
class Style:
    """How one framework spells the words; a word that it lacks is a function with an underscore, `_log_cosh`."""

    module: str = ""
    words: Mapping[str, str] = field(default_factory=dict[str, str])
    names: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def is_code(self) -> bool:
        return bool(self.module)


TEXT = Style()


def text_of(node: Node, style: Style = TEXT, known: Mapping[Node, str] | None = None) -> str:
    """The tree as one line; `known` names what has a variable already."""
    return _text(node, style, known or {})[0]


def _text(node: Node, style: Style, known: Mapping[Node, str]) -> tuple[str, float]:
    if node in known:
        return known[node], WHOLE
    if isinstance(node, Number):
        return _number(node.value, style)
    if isinstance(node, Name):
        if style.is_code and node.name in CONSTANTS:
            return f"math.{node.name}", WHOLE
        return style.names.get(node.name, node.name), WHOLE
    if node.word == "sub" and Call("sub", node.args[::-1]) in known:
        return f"-{known[Call('sub', node.args[::-1])]}", SIGN
    if node.word == "mul" and isinstance(node.args[0], Number) and isinstance(node.args[1], Call):
        mirror = Call("sub", node.args[1].args[::-1]) if node.args[1].word == "sub" else None
        if mirror is not None and mirror in known:
            return f"{_number(-node.args[0].value, style)[0]} * {known[mirror]}", INFIX["mul"][1]
    return _call(node, style, known)


def _number(value: float, style: Style) -> tuple[str, float]:
    text = repr(value) if style.is_code and math.isfinite(value) else f"{value:.15g}"
    return text, SIGN if value < 0 else WHOLE


def _call(node: Call, style: Style, known: Mapping[Node, str]) -> tuple[str, float]:
    word, args = node.word, node.args

    def inner(arg: Node, least: float) -> str:
        text, level = _text(arg, style, known)
        return text if level >= least else f"({text})"

    if word in INFIX and word not in style.words:
        sign, level = INFIX[word]
        beyond = level + (0.5 if word in ("sub", "div", "add", "mul") else 0.5 if level == 5 else 0)
        left = level + 0.5 if level == 5 else level
        return f"{inner(args[0], left)} {sign} {inner(args[1], beyond)}", level
    if word == "neg":
        text, level = _text(args[0], style, known)
        return (f"-{text}", min(level, SIGN)) if level >= INFIX["mul"][1] else (f"-({text})", SIGN)
    if word == "not" and "not" not in style.words:
        return f"~{inner(args[0], SIGN)}", SIGN
    if word == "pow" and not ("pow" in style.words and is_array(node)):
        return _power(node, style, known)
    if style.is_code and not is_array(node):
        return _plain(node, style, known)
    if word == "where" and not is_array(args[0]) and style.is_code:
        return f"{inner(args[1], 1)} if {inner(args[0], 1)} else {inner(args[2], 1)}", 0
    listed = [_text(arg, style, known)[0] for arg in args]
    if not style.is_code:
        return f"{word}({', '.join(listed)})", WHOLE
    return _spelled(node, style, known, listed)


def _spelled(node: Call, style: Style, known: Mapping[Node, str], listed: list[str]) -> tuple[str, float]:
    """A word of a framework on arrays."""
    word, args = node.word, node.args
    if word in ("minimum", "maximum") and f"{word}_number" in style.words:
        plain = [index for index, arg in enumerate(args) if not is_array(arg)]
        if plain:
            return style.words[f"{word}_number"].format(listed[1 - plain[0]], listed[plain[0]]), WHOLE
    if word in ("where",) and not is_array(args[1]) and not is_array(args[2]):
        listed[1] = style.words["full"].format(like=style.names.get("pred", "pred"), value=listed[1])
    elif word in ("hypot", "logaddexp", "xlogy", "xlog1py", "minimum", "maximum") and style.words.get("strict"):
        listed = [
            text if is_array(arg) else style.words["full"].format(like=style.names.get("pred", "pred"), value=text)
            for arg, text in zip(args, listed, strict=True)
        ]
    if word == "softplus" and style.words.get("softplus") == "-F.logsigmoid(-{0})":
        turned = args[0].args[0] if isinstance(args[0], Call) and args[0].word == "neg" else None
        text = _text(turned, style, known)[0] if turned is not None else _negative(args[0], style, known)
        return f"-F.logsigmoid({text})", SIGN
    form = style.words.get(word, f"_{word}({{0}}{', {1}' if len(args) == 2 else ''})")
    return form.format(*listed), WHOLE


def _negative(node: Node, style: Style, known: Mapping[Node, str]) -> str:
    text, level = _text(node, style, known)
    return f"-{text}" if level >= SIGN else f"-({text})"


def _power(node: Call, style: Style, known: Mapping[Node, str]) -> tuple[str, float]:
    base, level = _text(node.args[0], style, known)
    exponent = node.args[1]
    if isinstance(exponent, Number) and exponent.value % 1 == 0:
        raised, high = f"{exponent.value:.0f}", WHOLE
    else:
        raised, high = _text(exponent, style, known)
    base = base if level > POWER else f"({base})"
    raised = raised if high >= SIGN else f"({raised})"
    simple = all(part.replace("_", "").replace(".", "").replace("-", "").isalnum() for part in (base, raised))
    return (f"{base}**{raised}" if simple else f"{base} ** {raised}"), POWER


def _plain(node: Call, style: Style, known: Mapping[Node, str]) -> tuple[str, float]:
    if node.word == "where":
        condition, yes, no = (_text(arg, style, known)[0] for arg in node.args)
        return f"{yes} if {condition} else {no}", 0
    if node.word == "square":
        base, level = _text(node.args[0], style, known)
        return (f"{base}**2" if level == WHOLE and base.isidentifier() else f"({base}) ** 2"), POWER
    form = _PLAIN[node.word]
    simple = form.startswith(("math.", "abs", "min", "max"))
    return form.format(*(_text(arg, style, known)[0] for arg in node.args)), WHOLE if simple else 10


def _reducing(form: str, pick: str, keep: str) -> dict[str, str]:
    """Words that make one number of a row: with its axis kept, and without."""
    made = {"pick": pick, "pick_flat": f"{pick}[..., 0]"}
    for word in ("sum", "mean", "logsumexp"):
        made[word] = form.format(word=word, keep=f", {keep}=True")
        made[f"{word}_flat"] = form.format(word=word, keep="")
    return made


TORCH = Style(
    module="torch",
    words={
        "abs": "torch.abs({0})",
        "exp": "torch.exp({0})",
        "expm1": "torch.expm1({0})",
        "log": "torch.log({0})",
        "log1p": "torch.log1p({0})",
        "sqrt": "torch.sqrt({0})",
        "square": "torch.square({0})",
        "softplus": "-F.logsigmoid(-{0})",  # torch's softplus returns x above 20, which is 1e-10 off in float64
        "sigmoid": "torch.sigmoid({0})",
        "log_sigmoid": "F.logsigmoid({0})",
        "tanh": "torch.tanh({0})",
        "cosh": "torch.cosh({0})",
        "sinh": "torch.sinh({0})",
        "arctan": "torch.atan({0})",
        "sign": "torch.sign({0})",
        "minimum": "torch.minimum({0}, {1})",
        "maximum": "torch.maximum({0}, {1})",
        "minimum_number": "torch.clamp({0}, max={1})",
        "maximum_number": "torch.clamp({0}, min={1})",
        "logaddexp": "torch.logaddexp({0}, {1})",
        "hypot": "torch.hypot({0}, {1})",
        "where": "torch.where({0}, {1}, {2})",
        "full": "torch.full_like({like}, {value})",
        "strict": "tensors only",
        "softmax": "torch.softmax({0}, dim=-1)",
        "log_softmax": "torch.log_softmax({0}, dim=-1)",
        **_reducing("torch.{word}({{0}}, dim=-1{keep})", "torch.gather({0}, -1, target[..., None])", "keepdim"),
        "flat": "torch.squeeze({0}, -1)",
        "spread": "torch.broadcast_to({0}, pred.shape)",
        "hot": "F.one_hot({target}, {pred}.shape[-1]).to({pred}.dtype)",
    },
)


def _array_words(module: str) -> dict[str, str]:
    """What numpy, jax.numpy and keras.ops spell alike."""
    alike = "abs exp expm1 log log1p sqrt square tanh cosh sinh arctan sign minimum maximum logaddexp hypot where"
    places = {"minimum": 2, "maximum": 2, "logaddexp": 2, "hypot": 2, "where": 3}
    made = {
        word: f"{module}.{word}({', '.join(f'{{{index}}}' for index in range(places.get(word, 1)))})"
        for word in alike.split()
    }
    target = "y_true" if module == "ops" else "target"
    pick = f"{module}.take_along_axis({{0}}, {target}[..., None], axis=-1)"
    made |= _reducing(f"{module}.{{word}}({{{{0}}}}, axis=-1{{keep}})", pick, "keepdims")
    made["flat"] = f"{module}.squeeze({{0}}, axis=-1)"
    made["spread"] = f"{module}.broadcast_to({{0}}, pred.shape)"  # of a gradient, which Keras takes by itself
    return {**made, "full": f"{module}.full_like({{like}}, {{value}})"}


NUMPY = Style(
    module="np",
    words={
        **_array_words("np"),
        "softplus": "np.logaddexp(0.0, {0})",
        "softmax": "_softmax({0})",
        "log_softmax": "_log_softmax({0})",
        "logsumexp": "_logsumexp({0})",
        "logsumexp_flat": "_logsumexp({0})[..., 0]",
        "hot": "np.eye({pred}.shape[-1], dtype={pred}.dtype)[{target}]",
    },
)
JAX = Style(
    module="jnp",
    words={
        **_array_words("jnp"),
        "softplus": "jax.nn.softplus({0})",
        "softmax": "jax.nn.softmax({0})",
        "log_softmax": "jax.nn.log_softmax({0})",
        "logsumexp": "jax.nn.logsumexp({0}, axis=-1, keepdims=True)",
        "logsumexp_flat": "jax.nn.logsumexp({0}, axis=-1)",
        "hot": "jax.nn.one_hot({target}, {pred}.shape[-1], dtype={pred}.dtype)",
        "sigmoid": "jax.nn.sigmoid({0})",
        "log_sigmoid": "jax.nn.log_sigmoid({0})",
    },
)
KERAS = Style(
    module="ops",
    words={
        **_array_words("ops"),
        "softplus": "ops.softplus({0})",
        "softmax": "ops.softmax({0})",
        "log_softmax": "ops.log_softmax({0})",
        "hot": "ops.one_hot({target}, {pred}.shape[-1], dtype={pred}.dtype)",
        "sigmoid": "ops.sigmoid({0})",
        "log_sigmoid": "ops.log_sigmoid({0})",
        "and": "ops.logical_and({0}, {1})",
        "or": "ops.logical_or({0}, {1})",
        "not": "ops.logical_not({0})",
        "eq": "ops.equal({0}, {1})",
        "ne": "ops.not_equal({0}, {1})",
        "pow": "ops.power({0}, {1})",
    },
    names={"pred": "y_pred", "target": "y_true"},
)
