"""Handmade reports: one that holds every case, and one whose every string is hostile."""

from math import inf, nan

from lossmith.checker.finding import ContractNote, Fact, Finding, LossReport, Report, Status
from lossmith.checker.picture import (
    Cost,
    Curve,
    Errors,
    Line,
    Mathematics,
    Pictures,
    Precision,
    Series,
    Surface,
)

REPRODUCER = """\
import torch
from first_drafts import RMSE

pred = torch.tensor([0.5, -1.2], requires_grad=True)
RMSE()(pred, pred.detach()).backward()
print(pred.grad)  # tensor([nan, nan])
"""
FRACTION = "<mrow><mfrac><msup><mi>r</mi><mn>2</mn></msup><mn>2</mn></mfrac></mrow>"
GRID = [step / 4 - 1 for step in range(9)]
STEPS = [step / 20 - 2 for step in range(81)]


def _statuses(failed: tuple[str, ...], **others: Status) -> dict[str, Status]:
    codes = ("LS101", "LS102", "LS103", "LS104", "LS105", "LS401", "LS402", "LS501")
    passed = {code: Status("passed") for code in codes}
    return dict(sorted((passed | {code: Status("failed") for code in failed} | others).items()))


RMSE = LossReport(
    name="RMSE",
    location="examples/first_drafts.py:12",
    contract=ContractNote(
        {"pred": "real[N]", "target": "real[N]"}, "inferred", "sure", "--pred 'real[N]' --target 'real[N]'"
    ),
    findings=(
        Finding(
            "LS104",
            "nan-at-perfect-prediction",
            "error",
            "measured",
            "the gradient is not finite where the prediction is perfect",
            {"pred": "[0.5, -1.2]", "target": "[0.5, -1.2]", "value": "0.0", "grad": "[nan, nan]"},
            "sqrt has an infinite slope at 0",
            "leave the root out of the loss that is trained, or bound its argument away from 0",
            "examples/first_drafts.py:15",
            REPRODUCER,
        ),
        Finding(
            "LS401",
            "silent-broadcast",
            "error",
            "measured",
            "a target with one more axis is accepted, and the value is another one",
            {"target.unsqueeze(1)": "(8, 1)", "pred": "(8,)", "value": "1.31", "expected": "0.97"},
        ),
        Finding(
            "LS501",
            "micro-batch-not-additive",
            "warning",
            "proved",
            "the mean over two halves of the batch is not the mean over the batch\nand no weight repairs it",
            {"whole batch": "0.97", "mean of halves": "0.91"},
            fix="accumulate the square:\n    total += loss.square() * len(pred)\n    count += len(pred)",
        ),
    ),
    statuses=_statuses(
        ("LS104", "LS401", "LS501"),
        LS204=Status("not applicable", "no mask and no ignored label"),
        LS301=Status("skipped", "no half precision kernel for sqrt on this machine"),
        LS302=Status("skipped", "no half precision kernel for sqrt on this machine"),
        LS505=Status("skipped", "no reduction argument could be set"),
        LS607=Status("allowed", "dropout is meant"),
    ),
    seconds=1.26,
    notes=("it was called with its defaults: eps=1e-8",),
    facts=(
        Fact("F1", "formula", "-r  for r < 0", "measured", "r = pred - target"),
        Fact("F1", "formula", "r  for 0 < r", "measured"),
        Fact("F2", "convex", "convex", "proved", "for -8 <= r <= 8"),
        Fact("F7", "predicts", "not known", "open", "the slope could not be read at every target"),
    ),
    pictures=Pictures(
        curve=Curve(
            "pred[0], the others at their targets",
            [
                Series("target 0", STEPS, [abs(x) for x in STEPS], [x / abs(x) if x else nan for x in STEPS]),
                Series("target 1", STEPS, [(x - 1) ** 2 for x in STEPS], [2 * (x - 1) for x in STEPS]),
            ],
        ),
        surface=Surface(
            "prediction 1",
            "prediction 2",
            GRID,
            GRID,
            [[x * x + 2 * y * y for x in GRID] for y in GRID],
            [[2 * x for x in GRID] for _ in GRID],
            [[4 * y for _ in GRID] for y in GRID],
            [0.0, 0.0, 0.0],
            [0.5, -0.5],
        ),
        precision=Precision(
            "pred[0]",
            "log",
            [0.01, 0.1, 1.0, 10.0],
            [
                Errors("float32", [1e-8, 0.0, 3e-7, 1e-7], [2e-8, 1e-8, 0.0, 0.0], 1.19e-07),
                Errors("bfloat16", [1e-3, 0.0, 3e-3, inf], [2e-3, 1e-3, nan, 0.0], 0.0078),
                Errors("float16", [], [], 0.000977, "it raises RuntimeError in float16"),
            ],
            "float64",
        ),
        cost=Cost(16384, "16384", 2.5e-4, 5.5e-4, 131072, "one CPU, 1 thread, float32, best of 7"),
        mathematics=Mathematics(
            {"r": "pred - target"},
            [
                Line("", "r < 1", "loss", "r**2/2", r"\frac{r^{2}}{2}", FRACTION),
                Line("", "1 < r", "loss", "abs(r) - 1/2"),
            ],
            "compared with fifty digits at 64 points",
        ),
    ),
)
WARNED = LossReport(
    name="Dice",
    location="examples/first_drafts.py:31",
    contract=ContractNote({"pred": "logits[N]", "target": "binary[N]"}, "example()"),
    findings=(
        Finding("LS107", "gradient-leaks-into-target", "warning", "measured", "the target gets a gradient"),
        Finding(
            "LS502",
            "batch-coupled",
            "info",
            "heuristic",
            "samples interact: one value belongs to the whole batch",
            location="examples/first_drafts.py:31",
        ),
    ),
    statuses=_statuses(("LS107", "LS502")),
    seconds=0.5,
    pictures=Pictures(
        Curve(
            "pred[0]",
            [
                Series(
                    "value",
                    [0.001, 0.01, 0.1, 1.0, 2.0],
                    [7.0, 4.6, 2.3, 0.0, inf],
                    [-1e9, -100.0, -10.0, -1.0, 0.5],
                )
            ],
        )
    ),
)
CLEAN = LossReport(
    name="huber",
    location="examples/first_drafts.py:48",
    contract=ContractNote({"pred": "real[N]", "target": "real[N]"}, "known"),
    statuses=_statuses(()),
    seconds=12.4,
)
UNCHECKED = LossReport(
    name="Triplet",
    location="examples/first_drafts.py:60",
    seconds=0.2,
    problem="Triplet: what it takes could not be found out\n"
    "    tried     24 templates\n"
    "  fix     write example_Triplet(seed=0) beside it, returning its arguments as a tuple",
)
EVERY_CASE = Report((RMSE, WARNED, CLEAN, UNCHECKED))

SCRIPT = "<script>alert(1)</script>"
IMAGE = "\"><img src=x onerror='alert(1)'>"
CLOSING = "</svg></style></title></pre><svg onload=alert(1)><a href='https://evil.example/'>{{ 7 }}$\\x{1}$"
HIDDEN = "\x1b[2J\u202eevil\ud800\x00"
HOSTILE = SCRIPT + IMAGE + CLOSING + HIDDEN


def hostile(text: str = HOSTILE) -> Report:
    """A report in which every string that user code can reach is `text`."""
    finding = Finding(text, text, "error", "measured", text, {text: text}, text, text, text, text)
    pictures = Pictures(
        Curve(text, [Series(text, [0.0, 1.0, 2.0], [0.0, 1.0, nan], [inf, 0.5, 1.0])]),
        Surface(text, text, GRID, GRID, *([[0.0, *GRID[1:]]] * 9,) * 3, [0.0, 0.0, 0.0], [0.0, 0.0]),
        Precision(text, text, [0.0, 1.0], [Errors(text, [0.1, inf], [0.1, nan], 0.1, absent="")], text),
        Cost(1, text, 1.0, 1.0, 1, text),
        Mathematics({text: text}, [Line(text, text, text, text, text, text)], text),
    )
    loss = LossReport(
        text,
        text + "elsewhere",
        ContractNote({text: text}, text, text, text),
        (finding,),
        {text: Status("skipped", text)},
        0.1,
        text,
        (text,),
        (Fact(text, text, text, "open", text), Fact(text, text, text, text, text)),
        pictures,
    )
    return Report((loss, loss))
