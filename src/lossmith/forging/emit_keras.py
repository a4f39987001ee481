"""Source for Keras, on any back end: a function for `compile(loss=...)`, or a `keras.Loss` that saves."""

from collections.abc import Sequence

from lossmith.forging.plan import Plan
from lossmith.forging.prose import facts, keywords, module_docstring, notes, spoken, wrapped
from lossmith.forging.source import computed, defaults, file_of, from_self, signature
from lossmith.forging.spell import KERAS
from lossmith.forging.statements import RETURN

_BY_VALUE = ("y_true = ops.cast(y_true, y_pred.dtype)", "_require_one_shape(y_true, y_pred)")
_BY_LABEL = ("y_true = _labels(ops.convert_to_tensor(y_true), y_pred)",)
_RENAMED = {"pred": "y_pred", "target": "y_true"}
_FITTING = """\
def _require_one_shape(y_true, y_pred):
    shapes = tuple(y_true.shape), tuple(y_pred.shape)
    pairs = zip(*shapes, strict=True) if len(shapes[0]) == len(shapes[1]) else [(0, 1)]
    if any(a != b for a, b in pairs if a is not None and b is not None):
        raise ValueError(
            f"y_true and y_pred must have one shape, got {shapes[0]} and {shapes[1]}: "
            "they would broadcast and pair what does not belong"
        )""".splitlines()
_PER_SAMPLE = """\
def _per_sample(values):
    return ops.mean(values, axis=-1) if len(values.shape) > 1 else values""".splitlines()
_LABELS = """\
def _labels(y_true, y_pred):
    if len(y_true.shape) == len(y_pred.shape) and y_true.shape[-1] == 1:
        y_true = ops.squeeze(y_true, axis=-1)  # a column of labels, as models give them
    if len(y_true.shape) != len(y_pred.shape) - 1:
        raise ValueError(
            "y_true must be one class number a row of y_pred "
            f"{tuple(y_pred.shape)}, got {tuple(y_true.shape)}"
        )
    return ops.cast(y_true, "int32")""".splitlines()
_SHAPES = "y_true, y_pred: (N, ..., D) equal; the values (N, ...) are means over the last axis"


def function(plan: Plan) -> str:
    """A function of y_true and y_pred, registered so that a compiled model can be saved."""
    lines = [
        '@keras.saving.register_keras_serializable(package="forged")',
        *signature(f"def {plan.function}", ["y_true", "y_pred", *_plain(plan)], ""),
        *_docstring(plan, 4, registered=True),
        *_body(plan, 4),
    ]
    docstring = module_docstring(plan, f"{plan.called} for Keras", _RENAMED)
    return file_of(docstring, ["import keras", "from keras import ops"], [lines, *_helpers(plan)], KERAS)


def loss_class(plan: Plan) -> str:
    """A `keras.Loss`: reduction and sample weights are Keras's own."""
    names = list(plan.params)
    base = ["reduction=reduction", "name=name", "dtype=dtype"]
    lines = [
        '@keras.saving.register_keras_serializable(package="forged")',
        f"class {plan.name}(keras.Loss):",
        *_docstring(plan, 4),
        "",
        *signature(
            "def __init__",
            [
                *("self", "*", *_plain(plan)),
                *('reduction="sum_over_batch_size"', f'name="{plan.function}"', "dtype=None"),
            ],
            "",
            4,
        ),
        f"        super().__init__({', '.join(base)})",
        *(f"        self.{name} = {name}" for name in names),
        "",
        "    def call(self, y_true, y_pred):",
        *from_self(plan.params, "self", 8),
        *_body(plan, 8),
    ]
    if names:
        lines += ["", "    def get_config(self):", "        config = super().get_config()"]
        lines += [f'        config["{name}"] = self.{name}' for name in names]
        lines += ["        return config"]
    docstring = module_docstring(plan, f"{plan.called} for Keras", _RENAMED)
    return file_of(docstring, ["import keras", "from keras import ops"], [lines, *_helpers(plan)], KERAS)


def _each(plan: Plan) -> str:
    return plan.each if plan.of_rows else "a mean over the last axis"


def _helpers(plan: Plan) -> list[Sequence[str]]:
    return [_LABELS if plan.by_label else _FITTING, *([] if plan.of_rows else [_PER_SAMPLE])]


def _shapes(plan: Plan) -> str:
    if plan.by_label:
        return "y_pred: (N, ..., C) with the classes last; y_true: (N, ...) or (N, ..., 1) labels from 0 to C - 1"
    return "y_true, y_pred: (N, ..., C) equal, with the classes last" if plan.of_rows else _SHAPES


def _plain(plan: Plan) -> list[str]:
    return [text.replace(": float = ", "=") for text in defaults(plan.params)]


def _body(plan: Plan, indent: int) -> list[str]:
    blank = " " * indent
    return [
        f"{blank}y_pred = ops.convert_to_tensor(y_pred)",
        *(f"{blank}{line}" for line in (_BY_LABEL if plan.by_label else _BY_VALUE)),
        *computed(plan, [(RETURN if plan.of_rows else "values", plan.value)], KERAS, indent),
        *([] if plan.of_rows else [f"{blank}return _per_sample(values)"]),
    ]


def _docstring(plan: Plan, indent: int, registered: bool = False) -> list[str]:
    blank = " " * indent
    told = [("Shapes", _shapes(plan)), *facts(plan, _RENAMED), *keywords(plan)]
    head = wrapped(f'"""{spoken(plan.given, _RENAMED)}, {_each(plan)}.', blank, blank)
    return [*head, "", *notes(plan, indent, told), f'{blank}"""']
