"""A report as JSON, for other programs.

    {"losses": [{"name", "location", "contract", "findings", "statuses", "seconds", "problem", "notes",
                 "facts": [{"code", "name", "verdict", "grade", "detail"}]}]}

Strict JSON: NaN and infinity have no spelling there, so the values in the evidence are strings, and a number
that is not finite is null. The pictures are left out: a page draws them, a program can measure them.
"""

import json
from math import isfinite
from typing import Any

from lossmith.checker.finding import Report


def dump(report: Report) -> str:
    """The report as indented ASCII without a last newline; `LossReport.from_json` reads each loss back."""
    return json.dumps(_strict(report.as_json()), indent=2, allow_nan=False)


def _strict(value: Any) -> Any:
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, dict):
        return {key: _strict(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_strict(item) for item in value]
    return value
