"""Source for torch: a function, a module, or an `autograd.Function` with the derived gradient."""

from collections.abc import Sequence

from lossmith.forging.plan import Plan
from lossmith.forging.prose import facts, keywords, module_docstring, notes, spoken, wrapped
from lossmith.forging.source import computed, defaults, file_of, from_self, signature
from lossmith.forging.spell import TORCH
from lossmith.forging.statements import RETURN

_ARRAYS = ["pred: Tensor", "target: Tensor"]
_REDUCTION = 'reduction: str = "mean"'
_REDUCED = """\
def _reduced(values: Tensor, reduction: str) -> Tensor:
    if reduction == "mean":
        return values.mean()
    if reduction == "sum":
        return values.sum()
    if reduction == "none":
        return values
    raise ValueError(f'reduction must be "mean", "sum" or "none", got {reduction!r}')""".splitlines()
_FITTING = """\
def _require_one_shape(pred: Tensor, target: Tensor) -> None:
    if pred.shape != target.shape:
        raise ValueError(
            f"pred and target must have one shape, got {tuple(pred.shape)} and "
            f"{tuple(target.shape)}: they would broadcast and pair what does not belong"
        )""".splitlines()
_LABELS = """\
def _require_labels(pred: Tensor, target: Tensor) -> None:
    if target.is_floating_point() or target.shape != pred.shape[:-1]:
        raise ValueError(
            f"target must be one class number a row of pred {tuple(pred.shape)}, "
            f"got {target.dtype} {tuple(target.shape)}"
        )""".splitlines()


def function(plan: Plan) -> str:
    """A function with `reduction`, differentiated by autograd."""
    body = [
        *signature(f"def {plan.function}", [*_ARRAYS, "*", *defaults(plan.params), _REDUCTION], " -> Tensor"),
        *_docstring(plan, 4),
        *_checked(plan, 4),
        *computed(plan, [("values", plan.value)], TORCH, 4),
        "    return _reduced(values, reduction)",
    ]
    return _file(plan, plan.called, [body, _fitting(plan), _REDUCED])


def module(plan: Plan) -> str:
    """An `nn.Module`, differentiated by autograd."""
    lines = [f"class {plan.name}(nn.Module):", *_docstring(plan, 4), ""]
    arguments = ["self", "*", *defaults(plan.params), _REDUCTION]
    lines += [*signature("def __init__", arguments, " -> None", 4), "        super().__init__()"]
    lines += ["        _reduced(torch.zeros(1), reduction)  # refuse a wrong word now"]
    lines += [f"        self.{name} = {name}" for name in (*plan.params, "reduction")]
    lines += ["", "    def forward(self, pred: Tensor, target: Tensor) -> Tensor:"]
    lines += [
        *_checked(plan, 8),
        *from_self(plan.params, "self", 8),
        *computed(plan, [("values", plan.value)], TORCH, 8),
        "        return _reduced(values, self.reduction)",
        "",
        "    def extra_repr(self) -> str:",
    ]
    shown = ", ".join(f"{name}={{self.{name}!r}}" for name in (*plan.params, "reduction"))
    lines += _returned(shown)
    return _file(plan, plan.called, [lines, _fitting(plan), _REDUCED], module=True)


def _returned(shown: str) -> list[str]:
    line = f'        return f"{shown}"'
    if len(line) <= 88:
        return [line]
    parts = [f'            f"{part}, "' for part in shown.split(", ")]
    parts[-1] = parts[-1].replace(', "', '"')
    return ["        return (", *parts, "        )"]


def autograd(plan: Plan) -> str:
    """An `autograd.Function` whose backward is the derived gradient, and can be differentiated again."""
    params = list(plan.params)
    takes = ", ".join(["pred: Tensor", "target: Tensor", *(f"{name}: float" for name in params)])
    forward = f"    def forward({takes}) -> Tensor:"
    lines = [
        f"class _{plan.name}(torch.autograd.Function):",
        *wrapped('"""Value and derived gradient. Backward is made of differentiable operations, so', "    ", "    "),
        "    that a second derivative is right too; vmap and torch.func see through it.",
        '    """',
        "",
        "    generate_vmap_rule = True",
        "",
        "    @staticmethod",
        *([forward] if len(forward) <= 88 else signature("def forward", takes.split(", "), " -> Tensor", 4)),
        *computed(plan, [(RETURN, plan.value)], TORCH, 8),
        "",
        "    @staticmethod",
        "    def setup_context(ctx, inputs, output) -> None:",
    ]
    lines += _unpacked(params)
    lines += [
        "",
        "    @staticmethod",
        "    def backward(ctx, grad_output: Tensor):",
        "        pred, target = ctx.saved_tensors",
        *from_self(plan.params, "ctx", 8),
    ]
    slopes = [(f"by_{name}", slope) for name, slope in plan.slopes.items()]
    lines += computed(plan, slopes, TORCH, 8, ["grad_output"])
    nothing = "".join(", None" for _ in params)
    if plan.of_rows:
        lines.append("        grad_output = grad_output[..., None]  # one for each row")
    by_target = "grad_output * by_target" if "target" in plan.slopes else "None"
    lines += [f"        return grad_output * by_pred, {by_target}{nothing}"]
    given = ", ".join(["pred", "target", *params])
    body = [
        *signature(f"def {plan.function}", [*_ARRAYS, "*", *defaults(plan.params), _REDUCTION], " -> Tensor"),
        *_docstring(plan, 4, derived=True),
        *_checked(plan, 4),
        f"    values: Tensor = _{plan.name}.apply({given})",
        "    return _reduced(values, reduction)",
    ]
    return _file(plan, f"{plan.called} with its own gradient", [lines, body, _fitting(plan), _REDUCED])


def _unpacked(params: Sequence[str]) -> list[str]:
    held = "".join(f", ctx.{name}" for name in params)
    line = f"        pred, target{held} = inputs"
    if len(line) <= 88:
        return [line, "        ctx.save_for_backward(pred, target)"]
    each = [f"        ctx.{name} = inputs[{index}]" for index, name in enumerate(params, 2)]
    return ["        ctx.save_for_backward(*inputs[:2])", *each]


def _fitting(plan: Plan) -> Sequence[str]:
    return _LABELS if plan.by_label else _FITTING


def _checked(plan: Plan, indent: int) -> list[str]:
    blank = " " * indent
    if plan.by_label:
        return [f"{blank}_require_labels(pred, target)", f"{blank}target = target.long()"]
    return [f"{blank}_require_one_shape(pred, target)", f"{blank}target = target.to(pred.dtype)"]


def _docstring(plan: Plan, indent: int, derived: bool = False) -> list[str]:
    blank = " " * indent
    told = [("Shapes", f'{plan.shapes[0]}; the result is a scalar, or {plan.shapes[1]} with "none"'), *facts(plan)]
    if derived:
        to = " and ".join(plan.slopes)
        told.append(("Gradient", f"derived, with respect to {to}; at a kink it is that of one side"))
    reduction = ("reduction", '"mean", "sum" or "none"')
    told += keywords(plan, reduction)
    head = wrapped(f'"""{spoken(plan.given)}, {plan.each}.', blank, blank)
    return [*head, "", *notes(plan, indent, told), f'{blank}"""']


def _file(plan: Plan, what: str, parts: Sequence[Sequence[str]], module: bool = False) -> str:
    code = "\n".join(line for part in parts for line in part)
    imports = ["import torch"]
    if "F." in code:
        imports.append("import torch.nn.functional as F")
    imports.append(f"from torch import Tensor{', nn' if module else ''}")
    return file_of(module_docstring(plan, what), imports, parts, TORCH)
