"""F2 convex

What it says
    Whether the loss is convex in its prediction on the interval that is shown, for every target that is held.

How it is found
    Branch and bound on an enclosure of the second derivative between kinks, and of the jump of the slope at each. What
    is refuted is refuted by three numbers; what stays open says how far it was tried. A loss of rows of classes, at
    three classes, and a loss of a whole batch, at a small one, are read by rules of composition.

Why it matters
    A convex loss has no bad valley of its own: what is hard about training is then the model. A loss that looks convex
    and is not (focal, Tukey, a Huber joined badly) has places from which descent leads away.

Declare it
    @lossmith.contract(convex=True): then a counterexample is an error.
"""

from collections.abc import Iterator

from lossmith.checker.facts.answer import Answer, held, of_statement
from lossmith.checker.finding import Fact
from lossmith.checker.learned import Learned
from lossmith.prove.composition import Shown
from lossmith.prove.facts import Facts

CODE, NAME = "F2", "convex"


WORDS = {"proved": "convex", "refuted": "not convex", "open": "not known"}


def found(learned: Learned, facts: Facts) -> Iterator[Fact]:
    answer = of_statement(facts, "convex")
    yield Fact(CODE, NAME, WORDS[answer.verdict], answer.grade, "; ".join(filter(None, (held(facts), answer.because))))


def found_of_several(shape: Shown) -> Fact:
    answer = answer_of_several(shape)
    return Fact(CODE, NAME, WORDS[answer.verdict], answer.grade, f"{shape.where}; {answer.because}")


def answer_of_several(shape: Shown) -> Answer:
    return Answer(shape.verdict, shape.because)


def answer(learned: Learned, facts: Facts, name: str, value: object) -> Answer:
    return of_statement(facts, "convex")
