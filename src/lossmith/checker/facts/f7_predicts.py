"""F7 predicts

What it says
    What a model learns to predict where the target is not certain: the mean, the median, a quantile, a probability (the
    loss is then proper), or a distortion of it, with the map back.

How it is found
    The best prediction for a random target makes the expected slope 0, so the form of the slope in the target says what
    it is. That of a residual is proved; every other one is compared at points, in each piece, with every digit.

Why it matters
    Scores of an improper loss (focal, class weights, label smoothing) are no probabilities: thresholds and calibration
    need the map that is printed. A mean follows outliers, a median does not.

Declare it
    @lossmith.contract(proper=True): a prediction that is not the probability is an error.
"""

from collections.abc import Iterator

from lossmith.checker.facts.answer import Answer
from lossmith.checker.finding import Fact
from lossmith.checker.learned import Learned
from lossmith.prove.facts import Facts

CODE, NAME = "F7", "predicts"


def found(learned: Learned, facts: Facts) -> Iterator[Fact]:
    if facts.elicits is None:
        yield Fact(CODE, NAME, "not known", "open", "the slope could not be read at every target")
        return
    proper = {True: "proper: ", False: "not proper: ", None: ""}[facts.elicits.proper]
    yield Fact(CODE, NAME, f"{proper}{facts.elicits.what}", "measured", facts.elicits.inverse)


def answer(learned: Learned, facts: Facts, name: str, value: object) -> Answer:
    if facts.elicits is None or facts.elicits.proper is None:
        return Answer("open", "its target is no class whose probability could be predicted")
    if facts.elicits.proper:
        return Answer("proved", by="measured")
    return Answer("refuted", "; ".join(filter(None, (facts.elicits.what, facts.elicits.inverse))), by="measured")
