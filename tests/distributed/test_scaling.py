"""What docs/scaling.md says is what its program prints, and what a run sends."""

import importlib.util
from functools import partial
from pathlib import Path

import pytest
import torch
from tasks import features_sent

from lossmith.torch import CLIPLoss

ROOT = Path(__file__).parents[2]
spec = importlib.util.spec_from_file_location("scaling", ROOT / "benchmarks" / "scaling.py")
scaling = importlib.util.module_from_spec(spec)
spec.loader.exec_module(scaling)


def test_the_tables_of_the_page_are_those_of_the_program():
    page = (ROOT / "docs" / "scaling.md").read_text(encoding="utf-8")
    assert scaling.table(scaling.pair_rows()) in page
    assert scaling.table(scaling.head_rows()) in page


@pytest.mark.parametrize("exchange", ["gather", "ring"])
def test_a_run_sends_what_was_worked_out(processes, exchange):
    rows, width = 6, 5
    given = [torch.randn(4 * rows, width), torch.randn(4 * rows, width)]
    sent = processes.run(features_sent, partial(CLIPLoss, exchange=exchange), given, [rows] * 4)
    assert sent == [getattr(scaling, exchange)(4, rows, width).sent] * 4
