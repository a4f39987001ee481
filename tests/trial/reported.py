"""Defects of public reports, restated from memory, each beside its repaired twin; and innocents that look odd.

python tests/trial/reported.py                 checks what reports.csv lacks, then writes docs/trial.md
python tests/trial/reported.py metric          checks one table of `reports/` anew

A defect is found if the checker reports an error or a warning under one of the codes that name it; told, if as
information alone. A twin or an innocent is accused by any error or warning. LS401 and LS501 do not count: that a shape
which does not belong there is accepted, and that a mean over what counts does not add up over parts, is true of twins.
"""

import csv
import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

HERE = Path(__file__).parent
if __name__ == "__main__":  # a test has this from conftest.py
    sys.path.insert(1, str(HERE))

from mutation import HEAD, module_of  # noqa: E402

from lossmith.checker.build import subject_of_object  # noqa: E402
from lossmith.checker.runner import examine  # noqa: E402
from lossmith.checker.selection import Selection  # noqa: E402

RECORD = HERE / "reports.csv"
ROUNDS = {
    "first": ("classes", "regression", "segmentation", "metric", "innocents"),
    "second": ("held_classes", "held_regions", "held_embeddings", "held_numbers"),
    "third": ("fresh",),
    "fourth": ("fresh_numbers", "fresh_structure"),
    "fifth": ("fresh_numbers_again", "fresh_structure_two"),
    "shipped": ("shipped_torch", "shipped_arrays"),
    "sixth": ("unseen_values", "unseen_structure", "unseen_innocents"),
    "seventh": ("seventh_values", "seventh_structure", "seventh_innocents"),
    "eighth": ("eighth",),
    "shipped two": ("shipped_two",),
    "odd": ("odd_innocents", "odd_more"),
    "ninth": ("ninth",),
}
TABLES = tuple(table for tables in ROUNDS.values() for table in tables)
MEND = re.compile(r"^([ ]*).*?  # mend: (.*)$", re.M)
TITLE = re.compile(r"^# (?P<defect>[a-z -]+): (?P<codes>LS[\w ]+)$", re.M)
NAME = re.compile(r"^(?:def|class) (\w+)", re.M)
TRUE_OF_MOST = frozenset(("LS401", "LS501"))
NONE = "nothing"
FRAMEWORKS = {
    "keras|ops": "import keras\nfrom keras import ops\n",
    "jax|jnp": "import jax\nimport jax.numpy as jnp\n",
    "tf": "import tensorflow as tf\n",
}


@dataclass(frozen=True)
class Report:
    """A defect with the codes that name it, as it was reported and as it is mended; an innocent has no codes."""

    table: str
    name: str
    defect: str
    codes: tuple[str, ...]
    wrong: str
    right: str


@dataclass(frozen=True)
class Verdict:
    """What became of a report: when it was first seen, and now; what was said of it, and falsely of its twin."""

    table: str
    name: str
    defect: str
    first: str = ""
    now: str = ""
    said: str = ""
    accused_first: str = ""
    accused: str = ""


def reports(table: str) -> Iterator[Report]:
    for part in re.split(r"\n\n\n", (HERE / "reports" / f"{table}.py").read_text(encoding="utf-8")):
        title, named = TITLE.search(part), NAME.search(part)
        if named is None:
            continue
        source = part[title.end() :] if title else part
        wrong, right = re.sub(r"  # mend: .*", "", source), MEND.sub(r"\1\2", source)
        codes = tuple(title["codes"].split()) if title else ()
        yield Report(table, named[1], title["defect"] if title else "innocent", codes, wrong, right)


def judged(report: Report, folder: Path) -> Verdict:
    """Check the defect under the codes that name it."""
    answer = Verdict(report.table, report.name, report.defect)
    if not report.codes:
        return answer
    found = _examined(report, report.wrong, folder / f"{report.name}_as_reported.py", report.codes)
    loud = {each.code for each in found.findings if each.severity != "info"}
    soft = {each.code for each in found.findings} - loud
    outcome = "found" if loud else "told" if soft else "escaped"
    said = " ".join(sorted(loud or soft)) or found.problem.partition("\n")[0][:100]
    return replace(answer, first=outcome, now=outcome, said=said)


def accusations(report: Report, folder: Path) -> str:
    """What every rule says of the repaired twin, or of an innocent."""
    twin = _examined(report, report.right, folder / f"{report.name}_mended.py")
    accused = {each.code for each in twin.findings if each.severity != "info"} - TRUE_OF_MOST
    return " ".join(sorted(accused)) or twin.problem.partition("\n")[0][:100] or NONE


def head_of(source: str) -> str:
    """What it imports: torch, and the framework that it names."""
    return HEAD + "".join(lines for name, lines in FRAMEWORKS.items() if re.search(rf"\b({name})\.", source))


def _examined(report: Report, source: str, file: Path, codes: tuple[str, ...] = ()):
    file.write_text(f"{head_of(source)}\n\n{source.strip()}\n", encoding="utf-8")
    return examine(subject_of_object(getattr(module_of(file), report.name)), None, Selection(codes))


def recorded() -> list[Verdict]:
    if not RECORD.exists():
        return []
    with RECORD.open(encoding="utf-8", newline="") as file:
        return [Verdict(**row) for row in csv.DictReader(file)]


def record(known: dict[tuple[str, str], Verdict]) -> None:
    order = [(each.table, each.name) for table in TABLES for each in reports(table)]
    with RECORD.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Verdict)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(known[key]) for key in order if key in known)


def run(chosen: list[str]) -> None:
    """The defects first, then the twins. What is checked anew keeps what was seen first."""
    known = {(each.table, each.name): each for each in recorded()}
    every = [report for table in TABLES for report in reports(table)]
    anew = {(each.table, each.name) for each in every if {each.table, each.name} & set(chosen)}
    with tempfile.TemporaryDirectory() as folder:
        for report in every:
            key = report.table, report.name
            if key in known and key not in anew:
                continue
            answer, before = judged(report, Path(folder)), known.get(key)
            known[key] = replace(answer, first=before.first, accused_first=before.accused_first) if before else answer
            print(answer.now.ljust(8), report.table, report.name, "|", answer.said)
            record(known)
        for report in every:
            key = report.table, report.name
            if not known[key].accused:
                said = accusations(report, Path(folder))
                known[key] = replace(known[key], accused=said, accused_first=known[key].accused_first or said)
                print("twin    ", report.table, report.name, "|", known[key].accused)
                record(known)


if __name__ == "__main__":
    from page import write

    run(sys.argv[1:])
    write()
