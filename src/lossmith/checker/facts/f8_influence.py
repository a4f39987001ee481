"""F8 influence

What it says
    What happens far from the target: how value and slope grow, and so what an outlier does to training. And where the
    slope is exactly 0 although the value is not the smallest.

How it is found
    Value and slope at seven places from 2^40 to 2^60, with every digit; flat pieces are proved.

Why it matters
    A slope that grows lets one outlier outweigh a batch; one that levels off bounds it; one that falls (redescending)
    lets go of it, and of every prediction that is still far away.
"""

from collections.abc import Iterator

from lossmith.checker.finding import Fact
from lossmith.checker.learned import Learned
from lossmith.prove.facts import Facts
from lossmith.report.facts import far_out, number

CODE, NAME = "F8", "influence"


def found(learned: Learned, facts: Facts) -> Iterator[Fact]:
    for _, words in far_out(facts):
        where, _, what = words.partition(": ")
        yield Fact(CODE, NAME, what, "measured", where)
    for given, start, end in facts.flat:
        yield Fact(CODE, "no gradient", f"from {number(start)} to {number(end)}", "proved", given)
