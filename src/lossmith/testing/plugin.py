"""`pytest --lossmith losses.py`: each rule on each loss of a Python file is a test.

Files are collected that are named on the command line, or whose names match `lossmith_files` of the configuration
(`*loss*.py` by default). They run in child processes, as `lossmith check` runs them, and are configured as it is: by
comments beside a loss, `example()`, and pyproject.toml.
"""

from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("lossmith")
    group.addoption("--lossmith", action="store_true", help="Check the losses of Python files, a test for each rule.")
    group.addoption("--lossmith-strict", action="store_true", help="Warnings of lossmith fail too.")
    parser.addini("lossmith_files", "Patterns of files that hold losses.", type="args", default=["*loss*.py"])


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    if not parent.config.getoption("--lossmith") or file_path.suffix != ".py":
        return None
    named = parent.session.isinitpath(file_path) and not file_path.name.startswith("test_")
    patterns = parent.config.getini("lossmith_files")
    if not named and (
        file_path.name.startswith("test_") or not any(fnmatch(file_path.name, pattern) for pattern in patterns)
    ):
        return None
    return LossFile.from_parent(parent, path=file_path)


class LossFile(pytest.File):
    """A file of losses; collecting it examines them, each once."""

    def collect(self) -> Iterator["LossItem"]:
        from lossmith.checker.process import Options, check_target
        from lossmith.checker.rules import PROCESS_CODES
        from lossmith.errors import LossmithError

        strict = bool(self.config.getoption("--lossmith-strict"))
        try:
            reports = check_target(str(self.path), Options(strict=strict))
        except LossmithError as error:
            if "no loss found" in str(error):
                return
            raise self.CollectError(str(error)) from None
        for report in reports:
            if report.problem:
                yield LossItem.from_parent(self, name=f"{report.name}-checked", report=report, code="", strict=strict)
                continue
            for code, status in report.statuses.items():
                if code not in PROCESS_CODES or status.status == "failed":
                    yield LossItem.from_parent(
                        self, name=f"{report.name}-{_titled(code)}", report=report, code=code, strict=strict
                    )


def _titled(code: str) -> str:
    from lossmith.checker.rules import known_codes

    return f"{code}-{known_codes()[code]}"


class LossItem(pytest.Item):
    """The answer of one rule for one loss."""

    def __init__(self, *, report: Any, code: str, strict: bool, **known: Any) -> None:
        super().__init__(**known)
        self.report, self.code, self.strict = report, code, strict

    def runtest(self) -> None:
        from lossmith.testing.checks import verdict

        verdict(self.report, self.code, self.strict)

    def reportinfo(self) -> tuple[Path, int, str]:
        line = self.report.location.rpartition(":")[2]
        return self.path, int(line) - 1 if line.isdigit() else 0, f"{self.path.name}::{self.name}"
