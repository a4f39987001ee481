"""Which losses of the catalogue are derived, in how many regions and seconds of this process.

python tests/prove/derived.py            all of them
python tests/prove/derived.py huber      these
"""

import sys
import time

import lossmith.formulas  # noqa: F401  (registers them)
from lossmith.errors import LossmithError
from lossmith.prove.derive import derive
from lossmith.prove.simplify import at_most
from lossmith.spec import FORMULAS

LONGEST = 120.0


def answer(name: str) -> str:
    try:
        with at_most(LONGEST, LossmithError(f"not within {LONGEST:g} s")):
            found = derive(name)
    except LossmithError as error:
        return str(error).replace("\n", "  ")
    regions = sum(len(case.regions) for case in found.cases)
    return f"{len(found.cases)} case(s), {regions} region(s), compared at {found.checked} points"


if __name__ == "__main__":
    for name in sys.argv[1:] or sorted(FORMULAS):
        start = time.process_time()
        said = answer(name)
        print(f"{name:32}{time.process_time() - start:7.1f} s  {said}", flush=True)
