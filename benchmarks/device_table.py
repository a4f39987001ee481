"""The table of docs/gpu.md out of what `benchmarks/device.py` measured.

python benchmarks/device_table.py            writes it between the marks of docs/gpu.md, from benchmarks/device.csv
"""

import csv
from pathlib import Path

HERE = Path(__file__).parent
RESULTS, PAGE = HERE / "device.csv", HERE.parent / "docs" / "gpu.md"
BEGIN, END = "<!-- made by benchmarks/device_table.py -->\n", "<!-- end -->\n"
WAYS = {
    "lossmith": "with Triton",
    "lossmith without Triton": "without",
    "torch": "plain torch",
    "floor": "products alone",
}


def table(rows: list[dict[str, str]]) -> str:
    """One line for each loss at each size: milliseconds, and MiB of extra memory at the peak."""
    jobs: dict[tuple[str, str], dict[str, str]] = {}
    for row in rows:
        if row["way"] in WAYS:
            cells = jobs.setdefault((row["job"], row["dtype"]), {})
            memory = "" if row["way"] == "floor" else f", {float(row['extra_mib']):.0f} MiB"
            cells[row["way"]] = f"{float(row['median_ms']):.3g} ms{memory}"
    first = rows[0]
    driver = first.get("driver", "driver not recorded")
    lines = [
        f"{first['device']}, {driver}, torch {first['torch']}; a forward and backward.\n",
        "| loss | dtype | " + " | ".join(WAYS.values()) + " |",
        "| --- | --- | " + " | ".join("--:" for _ in WAYS) + " |",
    ]
    for (job, dtype), cells in jobs.items():
        if "lossmith without Triton" in cells:
            name, size = job.split()
            lines.append(f"| `{name}` {size} | {dtype} | " + " | ".join(cells.get(way, "") for way in WAYS) + " |")
    return "\n".join(lines) + "\n"


def page(text: str, results: str) -> str:
    """The page with the table between its marks."""
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    return before + BEGIN + "\n" + table(list(csv.DictReader(results.splitlines()))) + "\n" + END + after


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), RESULTS.read_text(encoding="utf-8")), encoding="utf-8")
