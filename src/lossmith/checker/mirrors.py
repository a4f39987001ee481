"""A loss in a mirror: its sign turned, its predictions turned, its labels moved by one.

A loss that is best at the perfect prediction in no reading, while its mirror image is in an ordinary one, takes what
that reading says and has the fault that the mirror undoes. What is called a score, a reward or an adversary is meant
to be large, and is never looked at so.
"""

import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from lossmith.checker.contract import PRED_NAMES, TARGET_NAMES, Contract
from lossmith.checker.sample import class_axis
from lossmith.checker.subject import Subject, Trial

Move = Callable[[Contract, Tensor], Tensor]
CLASSES = ("index", "onehot")
SIDES = ("binary", "pm1", "soft")
# Readings that a stranger would think of first: no other one is believed on the word of a mirror.
ORDINARY = frozenset(
    {
        ("real", "real"),
        ("real", "count"),
        ("boxes", "boxes"),
        ("logits", "dist"),
        ("prob", "soft"),
        ("logits", "logits"),
    }
    | {(kind, goal) for kind in ("logits", "logprob", "simplex") for goal in CLASSES}
    | {(kind, goal) for kind in ("logits", "prob") for goal in SIDES}
)
IMAGES = re.compile(r"(im(?:g|ages?)?s?_?)[1a] \1[2b]")  # two images that are to be alike
GUESS = re.compile(
    r"pred|prob|logit|score|estimate|output|student|mean|^mu$|^loc$|rate|recon|hat$|^im(?:age|g)s?$|denois|restor"
)
GOAL = re.compile(
    r"target|label|true|truth|(?:^|_)gt(?:_|$)|teacher|mask|class|^levels?$|ordinal|rating|^gold|heat_?map|annot"
)
# What pushes away, or works against something, on purpose.
AGAINST = re.compile(
    r"complement|negative_?(?:learn|label)|unlearn|forget|ascent|advers|attack|confus|revers|reward|utility|maximi|"
    r"repuls|diversity|repel|orthogon|decorrel|entropy_?(?:reg|bonus|max)|critic|generator|discriminator|mutual|"
    r"\bmine\b|curiosity|wasserstein|wgan",
    re.I,
)
# What measures how good something is, unless its name says that it is a loss.
GOOD = re.compile(
    r"score|metric|coef|accura|similar|correl|likelihood|log_?prob|elbo|psnr|ssim|gain|agreement|iou", re.I
)
# The same of a plain function: a class of such a name is a loss.
GOOD_FUNCTION = re.compile(
    r"f1|f_?beta|precision|recall|^r2|r_?squared?|pearson|ccc|concord|auc|kappa|mcc|dice|jaccard|tversky|overlap", re.I
)
COST = re.compile(r"loss|criterion|cost|error|penalty|objective|nll|divergence|distance|^neg(?:ative)?_", re.I)
SAYS_SO = re.compile(r"(?:higher|larger|more) is better|maximi[sz]|reward|adversar|complementary|gradient ascent", re.I)


@dataclass(frozen=True)
class Mirror:
    """`move` changes the prediction before the call; `turned` changes the sign of the value after it."""

    name: str
    move: Move | None = None
    turned: bool = False

    def fits(self, contract: Contract) -> bool:
        kinds = (contract.pred.kind, contract.target_kind())
        if self.name == "turned":
            return kinds[0] in ("logits", "prob") and kinds[1] in (*SIDES, *CLASSES)
        if self.name == "mixed axes":
            laid_out = contract.pred.domain.axes in (("N", "C", "H", "W"), ("N", "T", "C"), ("N", "C", "T"))
            return laid_out and kinds[0] in ("logits", "simplex") and kinds[1] in CLASSES
        return kinds[1] in CLASSES if self.name.startswith("label") else True


def is_ordinary(contract: Contract) -> bool:
    """True for a prediction and a target that are called so, of kinds that are often seen together."""
    if contract.target is None or (contract.pred.kind, contract.target_kind()) not in ORDINARY:
        return False
    if contract.pred.kind != "real" and any(contract.arguments[i].kind == "real" for i in contract.preds):
        return False  # beside the logarithm of a width stands a mean, and no probability
    pred, target = contract.pred.name.lower(), contract.arguments[contract.target].name.lower()
    if "H" in contract.pred.domain.axes and IMAGES.fullmatch(f"{pred} {target}"):
        return True
    guess = (pred in PRED_NAMES and pred not in ("x", "z")) or GUESS.search(pred) is not None
    goal = looks_like_target(target)
    plain = len(contract.arguments) == 2 and contract.kinds() == ("real", "real") and target != "y"
    guess = guess or (plain and not GOAL.search(pred))  # what is left beside a target; of labels it may be a distance
    return goal and (guess or (pred == "x" and target != "y"))


def looks_like_target(name: str) -> bool:
    return name.lower() in TARGET_NAMES or GOAL.search(name.lower()) is not None


def _turned(contract: Contract, pred: Tensor) -> Tensor:
    return 1 - pred if contract.pred.kind == "prob" else -pred


def _rolled(step: int) -> Move:
    return lambda contract, pred: torch.roll(pred, step, class_axis(contract.pred.domain.axes))


def _mixed(contract: Contract, pred: Tensor) -> Tensor:
    """What a reshape makes of it that reads (N, H, W, C) where (N, C, H, W) is, or steps where classes are."""
    turned = pred.permute(0, 2, 3, 1) if pred.ndim == 4 else pred.transpose(1, 2)
    return turned.reshape(pred.shape)


MIRRORS = (
    Mirror("turned", _turned),
    Mirror("negated", turned=True),
    Mirror("label - 1", _rolled(-1)),
    Mirror("label + 1", _rolled(1)),
    Mirror("mixed axes", _mixed),
)


@dataclass
class Mirrored(Subject):
    """A loss that is seen in a mirror: a subject like any other, for its values alone."""

    mirror: Mirror = MIRRORS[0]

    def run(self, inputs: Sequence[Any], **how: Any) -> Trial:
        given = list(inputs)
        if self.mirror.move is not None:
            where = self.contract.preds[0]
            given[where] = self.mirror.move(self.contract, given[where])
        trial = super().run(given, **how)
        if not self.mirror.turned or trial.total is None or trial.output is None:
            return trial
        return replace(trial, total=-trial.total, output=-trial.output)


def held_up_to(subject: Subject, contract: Contract) -> list[Mirror]:
    """The mirrors that may be held up to a loss under this reading of it."""
    if on_a_scale(subject.with_contract(contract)):
        return []
    counted = contract.target_kind() == "index" and labels_are_numbers(subject.with_contract(contract))
    return [m for m in MIRRORS if m.fits(contract) and not (counted and m.name.startswith("label"))]


def on_a_scale(subject: Subject) -> bool:
    """True if labels are steps of an ordinal scale: of label y, the logits before y are high and all others low.

    Asked of one label at a time, so that no other kind of loss can pass: turning any one logit of it costs more.
    """
    contract, inputs = subject.contract, list(subject.draw(0, None if subject.contract.draw else 1))
    where, goal = contract.preds[0], contract.target or 0
    if contract.kinds() != ("logits", "index") or inputs[where].ndim != 2:
        return False
    classes = inputs[where].shape[1]
    for label in range(classes):
        inputs[goal] = torch.full_like(inputs[goal], label)
        levels = torch.where(torch.arange(classes) < label, 6.0, -6.0).expand_as(inputs[where])
        inputs[where] = levels
        best = subject.values(inputs)
        for step in range(classes):
            inputs[where] = torch.cat([levels[:, :step], -levels[:, step : step + 1], levels[:, step + 1 :]], 1)
            if not subject.values(inputs) > best + 1e-3:
                return False
    return True


def labels_are_numbers(subject: Subject) -> bool:
    """True if labels of 0.37 more and of 0.61 more are taken and give other values: nothing is looked up by them.

    Labels that are only compared with the classes meet none by either, and cost the same.
    """
    inputs, goal = list(subject.draw(0)), subject.contract.target or 0
    values = [subject.values(inputs)]
    for more in (0.37, 0.61):
        after = subject.run([old + more if i == goal else old for i, old in enumerate(inputs)], grad=False)
        if not after.ok:
            return False
        values.append(after.value)
    return len(set(values)) == len(values)


def seen_in(subject: Subject, mirror: Mirror) -> Mirrored:
    """The loss as this mirror shows it."""
    known = {name: value for name, value in vars(subject).items() if name not in ("cache", "mirror")}
    return Mirrored(**known, cache={}, mirror=mirror)


def is_metric(subject: Subject) -> bool:
    """True if its name says that it measures how good something is."""
    if COST.search(subject.name):
        return False
    plain = inspect.isroutine(subject.loss) and GOOD_FUNCTION.search(subject.name) is not None
    return plain or GOOD.search(subject.name) is not None


def meant(subject: Subject) -> bool:
    """True if its name, its arguments or its documentation say that it is no cost of being wrong."""
    function = subject.loss if inspect.isroutine(subject.loss) else type(subject.loss)
    if AGAINST.search(f"{subject.name} {' '.join(subject.parameters)}"):
        return True
    if is_metric(subject):
        return True
    return SAYS_SO.search(inspect.getdoc(function) or "") is not None if _own_words(function) else False


def _own_words(function: Any) -> bool:
    """False for the documentation that a class only inherits from torch or keras."""
    return "__doc__" in vars(function) if isinstance(function, type) else True
