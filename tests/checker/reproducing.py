"""A loss written to a file, checked by one rule, and the reproducer of its finding run as printed."""

import contextlib
import io
import sys
import textwrap
from pathlib import Path
from types import ModuleType

from ruletest import answer

from lossmith.checker.build import make
from lossmith.checker.finding import Finding
from lossmith.checker.load import load
from lossmith.checker.place import Place
from lossmith.checker.resolve import Declared, resolve
from lossmith.checker.subject import one_thread

HEAD = "import torch\nfrom torch import nn\nfrom torch.nn import functional as F\n\n\n"


def run_reproducer(folder: Path, rule: ModuleType, source: str, name: str, **flags: str) -> tuple[Finding, list[str]]:
    """The finding on `name`, and the lines that its reproducer prints."""
    path = folder / f"drafts_of_{rule.CODE.lower()}_{name.lower()}.py"
    path.write_text(HEAD + textwrap.dedent(source), encoding="utf-8")
    place = Place.parse(f"{path}:{name}")
    before = list(sys.path)
    try:
        module = load(place)
        subject = make(place, module, name, getattr(module, name), {})
        with one_thread():
            subject = subject.with_contract(resolve(subject, Declared(flags))[0])
        _, findings = answer(rule, subject)
        assert [found.code for found in findings] == [rule.CODE]
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            exec(compile(findings[0].reproducer, "reproducer", "exec"), {})
    finally:
        sys.path[:] = before
    return findings[0], said.getvalue().splitlines()
