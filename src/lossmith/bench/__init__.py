"""What a loss costs here: time, memory and traffic of its forward and backward, beside others and beside the machine.

    inputs     a batch for any formula, made from what it declares
    ways       the ways to compute it: as it is, compiled, by its kernel, and by other libraries
    floor      what this machine needs at least: the same bytes copied, the same matrices multiplied
    measure    all of them in turns, in one run, as ratios with their spread
    rows       a table, and lines for `benchmarks/results.csv`
    command    what the command line asks for

Times are compared within a round only, so that a busy machine widens the spread and does not shift the ratio.
"""

from lossmith.errors import missing_extra

try:
    import torch  # noqa: F401  (its absence is told here, once)
except ImportError as absent:
    if absent.name != "torch":
        raise
    raise missing_extra("lossmith bench", "torch", "torch") from absent

from lossmith.bench.measure import Options, bench
from lossmith.bench.rows import Row, append, table

__all__ = ["Options", "Row", "append", "bench", "table"]
