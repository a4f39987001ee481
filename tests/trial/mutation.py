"""How many planted defects the checker finds: each fault of `faults.py` in one or two losses of `seeds.py`.

python tests/trial/mutation.py                 plants and checks what mutants.csv lacks, then writes docs/trial.md
python tests/trial/mutation.py "wrong axis"    plants and checks this class of defects anew

A mutant is found if the checker reports an error or a warning under one of the codes that name the defect; told, if
it says so as information alone. What the checker does not find and no condition of its own can tell from the
correct loss, by value or by gradient, is no defect: the same.
"""

import ast
import csv
import importlib.util
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
if __name__ == "__main__":  # a test has this from conftest.py
    sys.path.insert(1, str(HERE))

from faults import FAULTS, Fault  # noqa: E402
from patterns import rewritings  # noqa: E402

from lossmith.checker.finding import LossReport  # noqa: E402

RECORD = HERE / "mutants.csv"
SEEDS = HERE / "seeds.py"
STOPPED = {"LS613", "LS614", "LS615"}  # a mutant that runs out of its seconds on a busy machine was not judged
EACH = 2  # losses that a fault is planted in
HEAD = """import numpy
import torch
import torch.nn.functional as F
from torch import nn

SEEN = []
"""


@dataclass(frozen=True)
class Mutant:
    """One fault in one loss, and what became of it: found, told, same, or escaped."""

    defect: str
    fault: str
    seed: str
    outcome: str = ""
    said: str = ""

    @property
    def key(self) -> tuple[str, str]:
        return self.fault, self.seed


def seeds() -> dict[str, str]:
    """The source of each correct loss by its name."""
    text = SEEDS.read_text(encoding="utf-8")
    parts = [node for node in ast.parse(text).body if isinstance(node, (ast.FunctionDef, ast.ClassDef))]
    return {node.name: ast.unparse(node) for node in parts}


def planted(fault: Fault) -> Iterator[tuple[Mutant, str]]:
    """The fault at its first place in a few of the losses that have one, each time with the source."""
    fitting = [
        (Mutant(fault.defect, fault.name, name), changed)
        for name, source in seeds().items()
        if (changed := next(rewritings(source, fault.before, fault.after), None)) is not None
    ]
    first = FAULTS.index(fault)  # other faults begin with other losses
    turned = [fitting[(first + i) % len(fitting)] for i in range(len(fitting))]
    yield from turned[:EACH]


def judged(mutant: Mutant, fault: Fault, report: LossReport, same: bool) -> Mutant:
    """What became of a mutant. `same` is asked for only where nothing was said."""
    right = [each for each in report.findings if each.code in fault.codes.split()]
    loud = sorted({each.code for each in right if each.severity != "info"})
    if loud:
        return replace(mutant, outcome="found", said=" ".join(loud))
    if right:
        return replace(mutant, outcome="told", said=" ".join(sorted({each.code for each in right})))
    return replace(mutant, outcome="same" if same else "escaped", said=_silence(fault, report))


def _silence(fault: Fault, report: LossReport) -> str:
    """Why the rules that know this defect said nothing, where they tell."""
    if report.problem:
        return report.problem.splitlines()[0][:100]
    statuses = {code: report.statuses.get(code) for code in fault.codes.split()}
    reasons = [f"{code}: {found.reason}" for code, found in statuses.items() if found and found.status == "skipped"]
    return "; ".join(reasons)[:160].replace("|", "/")


def behaves_alike(name: str, one: Path, other_name: str, other: Path) -> bool:
    """True if value and gradient of two losses are equal wherever the checker looks."""
    import torch

    from lossmith.checker.build import subject_of_object
    from lossmith.checker.conditions import conditions
    from lossmith.checker.resolve import Declared, resolve

    right = subject_of_object(getattr(module_of(one), name))
    right = right.with_contract(resolve(right, Declared())[0])
    wrong = subject_of_object(getattr(module_of(other), other_name)).with_contract(right.contract)
    places = [each.inputs for seed in (1, 2) for each in conditions(right, seed)]
    for inputs in [*places, right.draw(3, n=1)]:
        a, b = right.run(inputs), wrong.run(inputs)
        grads = [(x, y) for x, y in zip(a.grads, b.grads, strict=True) if x is not None or y is not None]
        if a.ok != b.ok or (a.ok and not torch.equal(a.total.nan_to_num(), b.total.nan_to_num())):
            return False
        if any(x is None or y is None or not torch.equal(x.nan_to_num(), y.nan_to_num()) for x, y in grads):
            return False
    return True


def module_of(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def examined(mutants: list[tuple[Mutant, Fault, str]], folder: Path) -> Iterator[Mutant]:
    """Check mutants of one class, all in one file, in a child process; each as its report comes."""
    from lossmith.checker.process import Options, check_target

    file = folder / f"{mutants[0][0].defect.replace(' ', '_').replace('-', '_')}.py"
    sources, named = [HEAD], {}
    for number, (mutant, fault, source) in enumerate(mutants):
        name = f"{mutant.seed}_{number}"
        sources.append(source.replace(f"{mutant.seed}(", f"{name}(", 1))
        named[name] = mutant, fault
    file.write_text("\n\n\n".join(sources), encoding="utf-8")
    codes = sorted({code for _, fault, _ in mutants for code in fault.codes.split()})
    for report in check_target(str(file), Options(select=codes, timeout=300.0)):
        mutant, fault = named[report.name]
        if STOPPED & {each.code for each in report.findings} - {*fault.codes.split()}:
            print("stopped ", mutant.defect, "|", mutant.fault, "|", mutant.seed, "| not recorded: run it again")
            continue
        answer = judged(mutant, fault, report, same=False)
        if answer.outcome == "escaped" and not report.problem and not fault.silent:
            answer = judged(mutant, fault, report, behaves_alike(mutant.seed, SEEDS, report.name, file))
        yield answer


def recorded() -> list[Mutant]:
    if not RECORD.exists():
        return []
    with RECORD.open(encoding="utf-8", newline="") as file:
        return [Mutant(**row) for row in csv.DictReader(file)]


def record(mutants: list[Mutant]) -> None:
    """Write them in the order of the table of faults."""
    order = {fault.name: position for position, fault in enumerate(FAULTS)}
    with RECORD.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Mutant)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(each) for each in sorted(mutants, key=lambda each: (order[each.fault], each.seed)))


def run(defects: list[str]) -> None:
    known = {each.key: each for each in recorded() if each.defect not in defects}
    waiting: dict[tuple[int, str], list[tuple[Mutant, Fault, str]]] = defaultdict(list)
    for fault in FAULTS:
        for turn, (mutant, source) in enumerate(planted(fault)):
            if mutant.key not in known and (not defects or fault.defect in defects):
                waiting[turn, fault.defect].append((mutant, fault, source))
    with tempfile.TemporaryDirectory() as folder:
        for turn in sorted(waiting, key=lambda each: each[0]):  # every fault once, before any is planted a second time
            for answer in examined(waiting[turn], Path(folder)):
                print(answer.outcome.ljust(8), answer.defect, "|", answer.fault, "|", answer.seed, "|", answer.said)
                known[answer.key] = answer
            record(list(known.values()))


if __name__ == "__main__":
    from page import write

    run(sys.argv[1:])
    write()
