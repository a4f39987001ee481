"""The table of docs/gpu.md is that of the measurements beside it."""

import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_table_is_made_of_the_results():
    made = runpy.run_path(str(ROOT / "benchmarks" / "device_table.py"))
    text = made["PAGE"].read_text(encoding="utf-8")
    results = made["RESULTS"].read_text(encoding="utf-8")
    assert made["page"](text, results) == text
    fewer = "\n".join(results.splitlines()[:-8])
    assert made["page"](text, fewer) != text
