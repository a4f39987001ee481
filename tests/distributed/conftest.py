"""Four processes for all tests of this folder; a smaller group is of the first of them."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from processes import Processes


@pytest.fixture(scope="session")
def processes() -> Iterator[Processes]:
    made = Processes(4)
    yield made
    made.close()
