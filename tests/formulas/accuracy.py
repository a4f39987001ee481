"""How accurate each formula is, over the grid and in every reader: measured, and recorded in `docs/accuracy.md`.

python tests/formulas/accuracy.py                measures all formulas
python tests/formulas/accuracy.py huber nt_xent  measures these; the other rows stay as they are
"""

import os
import re
import sys
from math import ceil
from pathlib import Path

if __name__ == "__main__":  # a test has this from conftest.py
    os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "torch"}
    sys.path.insert(1, str(Path(__file__).parents[1]))

from grid import CASES, ROUGH, truth, value_scale
from grid.points import Case
from textbook import DIGITS

from judge import worst
from lossmith.formulas import __all__ as NAMES
from lossmith.spec import FORMULAS
from readers import READERS

DTYPES = ("float32", "float64")
LARGEST = 64  # ulps; more needs a reason in ROUGH
COLUMNS = [(what, dtype) for what in ("value", "gradient") for dtype in DTYPES]
FILE = Path(__file__).parents[2] / "docs" / "accuracy.md"
HEAD = """# Accuracy

The largest error of each formula in units in the last place (ulps), over the whole grid of `tests/formulas/grid/`, all
keyword settings there, and all readers: numpy, torch, jax, tensorflow, keras, fifty digits. The judge is the loss as
its paper prints it, at {digits} digits. 0.5 is correctly rounded. Where terms cancel (p - t with a soft target), an ulp
is one of the largest term. `make accuracy` writes this file; `make test` fails where a formula gets worse than twice
its row.

| formula | value, float32 | value, float64 | gradient, float32 | gradient, float64 |
| --- | --: | --: | --: | --: |
"""


def values(reader, case: Case, dtype: str, formula=None):
    """The values that a reader gives for a case."""
    formula = formula or FORMULAS[case.name]
    function = reader.prepare(lambda *x: formula.values(reader.ops, *x, **case.settings))
    return reader.read(function(*map(reader.make, case.held(dtype))))


def both(reader, case: Case, dtype: str, wrt: int):
    """The values, and the gradient of their sum by one argument."""
    arrays = [reader.make(a) for a in case.held(dtype)]

    def function(x, *rest):
        return FORMULAS[case.name].values(reader.ops, *rest[:wrt], x, *rest[wrt:], **case.settings)

    found = reader.both(function, arrays[wrt], *arrays[:wrt], *arrays[wrt + 1 :])
    return tuple(map(reader.read, found))


def errors(reader, case: Case, dtype: str):
    """(what, error in ulps, where it is) of a case in a reader: of its values, and of its gradient by each argument."""
    with reader.scope():
        found = [both(reader, case, dtype, wrt) for wrt in case.wrt if reader.both]
        got = found[0][0] if found else values(reader, case, dtype)
    yield "value", *worst(got, truth(case), dtype, value_scale(case))
    for wrt, (_, slope) in zip(case.wrt, found, strict=False):
        error, where = worst(slope, truth(case, wrt), dtype, case.slope_scale)
        yield "gradient", error, f"by {wrt} {where}"


def measured(name: str) -> dict[tuple[str, str], float]:
    """The largest errors of one formula; says which reader and case has each."""
    largest = dict.fromkeys(COLUMNS, (0.0, ""))
    for case in (case for case in CASES if case.name == name):
        for dtype in DTYPES:
            for reader in (reader for reader in READERS if dtype in reader.dtypes):
                for what, error, where in errors(reader, case, dtype):
                    largest[what, dtype] = max(largest[what, dtype], (error, f"{reader} {case} {where}"))
    for key, (error, where) in largest.items():
        print(f"{name:32} {'-'.join(key):18} {error:9.3g}  {where}")
    return {key: ceil(10 * error) / 10 for key, (error, _) in largest.items()}


def recorded() -> dict[str, dict[tuple[str, str], float]]:
    """The table of docs/accuracy.md."""
    rows = re.findall(r"^\| `(\w+)` \|(.*)\|$", FILE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {name: dict(zip(COLUMNS, map(float, row.split("|")), strict=True)) for name, row in rows}


def written(table: dict[str, dict[tuple[str, str], float]]) -> str:
    rows = [f"| `{name}` | {' | '.join(f'{row[c]:g}' for c in COLUMNS)} |" for name, row in sorted(table.items())]
    reasons = [f"- `{name}`: {why}." for name, why in sorted(ROUGH.items()) if name in table]

    return (
        HEAD.format(digits=DIGITS)
        + "\n".join(rows)
        + "\n\nWhere more is lost, and why:\n\n"
        + "\n".join(reasons)
        + "\n"
    )


if __name__ == "__main__":
    table = recorded() if FILE.exists() else {}
    for name in sys.argv[1:] or sorted(NAMES):
        table[name] = measured(name)
    FILE.write_text(written({name: row for name, row in table.items() if name in NAMES}), encoding="utf-8")
