"""Readings that a loss takes by accident: what was read as images and is none, a mask that belongs to no sample.

A loss of images costs the same when prediction and target are turned over, rows for columns. One that does not, and
takes arrays with an axis fewer, was made for those: `(a - b).square().sum(2).mean(1)` takes images by accident.

A mask has an entry for each entry, or for each sample. Where masks of the samples can be exchanged and nothing changes,
`mask[:, None]` has paired every mask with every sample: it has one axis fewer.

Labels of tokens are whole numbers. A loss that flattens tokens before its softmax takes 0 and 1 for each entry too,
and makes all entries of the batch the classes of one softmax.

Lengths end a sequence along the axis of its steps: along which, is seen by changing what lies behind them.

Labels that count as numbers, 0.37 more of which give another value, are none where no reading is right with them.

What was taken for a weight, and is 0 and 1, is seen in `flagged`.
"""

from collections.abc import Mapping
from dataclasses import replace
from math import isclose

import torch

from lossmith.checker.contract import Argument, Contract
from lossmith.checker.flagged import of_flags
from lossmith.checker.judge import SEEDS, accepts
from lossmith.checker.mirrors import labels_are_numbers
from lossmith.checker.sample import generator
from lossmith.checker.spoken import METRIC
from lossmith.checker.subject import Subject
from lossmith.domains import Domain

FLAT: Mapping[tuple[str, ...], Mapping[str, str]] = {
    ("N", "1", "H", "W"): {"N,1,H,W": "N,T,C"},
    ("N", "C", "H", "W"): {"N,C,H,W": "N,C,T", "N,1,H,W": "N,1,T", "N,H,W": "N,T", "N": "N", "C": "C"},
}
ALONE = {"N,1,H,W": "N,T,C", "N,C,H,W": "N,T,C"}  # what is compared with nothing has its features last


def corrected(subject: Subject, found: Contract) -> Contract:
    """The contract, or the one that it was mistaken for."""
    if found.fold is not None or found.sizes:
        return found
    ways = (
        of_flags,
        _of_no_images,
        _of_whole_samples,
        _of_each_channel,
        _steps_last,
        _of_one_softmax,
        _of_numbers,
        _of_no_vectors,
        _of_views,
    )
    return next((other for way in ways if (other := way(subject, found)) is not None), found)


def _of_no_images(subject: Subject, found: Contract) -> Contract | None:
    """The contract with one axis of places, if the loss tells height from width and takes it."""
    axes = FLAT.get(tuple(found.pred.domain.axes))
    if axes is None or found.target_kind() == "index" or not _tells_height_from_width(subject, found):
        return None  # labels of pixels are of images: one that mixes their axes tells height from width by mistake
    return _read_as(subject, found, ALONE if len(found.arguments) == 1 else axes)


def _tells_height_from_width(subject: Subject, found: Contract) -> bool:
    twin = subject.with_contract(found)
    for seed in SEEDS:
        inputs = twin.draw(seed)
        pairs = zip(found.arguments, inputs, strict=True)
        over = [value.transpose(-1, -2).contiguous() if "H" in one.domain.axes else value for one, value in pairs]
        turned = twin.run(over, grad=False)
        if not turned.ok or isclose(turned.value, twin.values(inputs), rel_tol=1e-3, abs_tol=1e-6):
            return False
    return True


def _of_whole_samples(subject: Subject, found: Contract) -> Contract | None:
    """The contract with one entry of the mask for each sample, if the masks can be exchanged and it takes that."""
    masks = [i for i, one in enumerate(found.arguments) if one.kind == "mask"]
    axes = found.pred.domain.axes
    if len(masks) != 1 or axes != ("N", "C") or found.arguments[masks[0]].domain.axes != axes:
        return None
    if not _can_be_exchanged(subject, found, masks[0]):
        return None
    made = _read_as(subject, found, {"N,C": "N,C", "N": "N"}, {masks[0]: "N"})
    return None if made is None or _can_be_exchanged(subject, made, masks[0]) else made


def _can_be_exchanged(subject: Subject, found: Contract, mask: int) -> bool:
    twin = subject.with_contract(found)
    for seed in SEEDS:
        inputs = list(twin.draw(seed))
        before = twin.values(inputs)
        inputs[mask] = torch.roll(inputs[mask], 1, 0)
        if not isclose(before, twin.values(inputs), rel_tol=1e-5):
            return False
    return True


def _steps_last(subject: Subject, found: Contract) -> Contract | None:
    """The contract with the steps behind the channels, if it is there that lengths end a sequence."""
    if found.pred.domain.axes != ("N", "T", "C") or found.kinds().count("lengths") != 1:
        return None
    twin, where = subject.with_contract(found), found.preds[0]
    for seed in SEEDS:
        inputs = list(twin.draw(seed))
        inputs[found.kinds().index("lengths")] = torch.ones_like(inputs[found.kinds().index("lengths")])
        before, pred = twin.values(inputs), inputs[where]
        later, behind = pred.clone(), pred.clone()
        later[:, 3:] += 1.0
        behind[:, :, 3:] += 1.0
        after = [twin.values([*inputs[:where], each, *inputs[where + 1 :]]) for each in (later, behind)]
        if isclose(before, after[0], rel_tol=1e-6) or not isclose(before, after[1], rel_tol=1e-6):
            return None
    return _read_as(subject, found, {"N,T,C": "N,C,T", "N,T": "N,T", "N": "N"})


def _of_one_softmax(subject: Subject, found: Contract) -> Contract | None:
    """The contract with steps and their labels, if all entries of a batch are the classes of one softmax."""
    if (found.pred.kind, found.target_kind(), found.pred.domain.axes) != ("logits", "binary", ("N", "C")):
        return None
    twin, where = subject.with_contract(found), found.preds[0]
    for seed in SEEDS:
        inputs = list(twin.draw(seed))
        before, pred = twin.values(inputs), inputs[where]
        first = pred + 3.0 * (torch.arange(len(pred)) == 0)[:, None]
        all_, one = (twin.values([*inputs[:where], v, *inputs[where + 1 :]]) for v in (pred + 3.0, first))
        if not isclose(before, all_, rel_tol=1e-5) or isclose(before, one, rel_tol=1e-4):
            return None
    label = replace(found.arguments[found.target or 0], domain=Domain.parse("index[N,T]"))
    steps = tuple(label if one.role == "target" else one for one in found.arguments)
    made = replace(found, arguments=tuple(_shaped(one, "N,T,C") if i == where else one for i, one in enumerate(steps)))
    twin = subject.with_contract(made)
    return None if len(steps) > 2 or any(accepts(twin, seed) for seed in SEEDS) else made


def _of_numbers(subject: Subject, found: Contract) -> Contract | None:
    """The contract with numbers where labels were read that are none; of features for each sample, if it takes that."""
    goal = found.target
    if goal is None or len(found.arguments) != 2 or found.target_kind() != "index":
        return None
    if found.confidence != "unsure" and found.pred.kind != "embedding":
        return None
    if not labels_are_numbers(subject.with_contract(found)):
        return None
    axes = found.arguments[goal].domain.axes
    number = replace(found.arguments[goal], domain=Domain.parse(f"real[{','.join(axes)}]"))
    shapes = ["N,D"] if found.pred.domain.axes == ("N", "T", "D") else []
    for shape in (*shapes, ",".join(found.pred.domain.axes)):
        pred = _shaped(found.pred, shape)
        made = replace(found, arguments=tuple(number if i == goal else pred for i in range(2)))
        if not any(accepts(subject.with_contract(made), seed) for seed in SEEDS):
            return made
    return None


def _of_each_channel(subject: Subject, found: Contract) -> Contract | None:
    """The contract with a weight for each channel of an image, if one for each sample weighs all samples alike.

    A mean over height and width has one value for each sample and channel; of one channel, a weight for each sample
    makes a table of it.
    """
    weights = [i for i, one in enumerate(found.arguments) if one.kind in ("weight", "mask")]
    if len(weights) != 1 or found.pred.domain.axes != ("N", "1", "H", "W"):
        return None
    if found.arguments[weights[0]].domain.axes != ("N",) or not _can_be_exchanged(subject, found, weights[0]):
        return None
    made = _read_as(subject, found, {"N,1,H,W": "N,C,H,W"}, {weights[0]: "N,C"})
    return None if made is None or _can_be_exchanged(subject, made, weights[0]) else made


def _of_no_vectors(subject: Subject, found: Contract) -> Contract | None:
    """The contract with numbers for three vectors, if turning all three together changes the loss: no distances.

    Distances along the axes change too; then the arguments are called anchor, positive and negative.
    """
    vectors = [one.kind for one in found.arguments] == ["embedding"] * 3
    if (
        not vectors
        or any(one.domain.axes != ("N", "D") for one in found.arguments)
        or all(METRIC.search(a.name.lower()) for a in found.arguments)
    ):
        return None
    twin = subject.with_contract(found)
    for seed in SEEDS:
        inputs = twin.draw(seed)
        turn = torch.linalg.qr(torch.randn(inputs[0].shape[1], inputs[0].shape[1], generator=generator(seed)))[0]
        if isclose(twin.values(inputs), twin.values([value @ turn for value in inputs]), rel_tol=1e-4, abs_tol=1e-6):
            return None
    numbers = tuple(replace(one, domain=Domain.parse("real[N]")) for one in found.arguments)
    made = replace(found, arguments=numbers)
    return None if any(accepts(subject.with_contract(made), seed) for seed in SEEDS) else made


def _of_views(subject: Subject, found: Contract) -> Contract | None:
    """The contract with several views of each sample, if the gradient by one vector of each is rounding alone.

    Vectors of one number have no direction: what flattens behind two axes takes the entries of a vector for views.
    """
    if found.kinds() != ("embedding", "index") or found.pred.domain.axes != ("N", "D"):
        return None
    made = replace(found, arguments=(_shaped(found.arguments[0], "N,T,D"), *found.arguments[1:]))
    rounds, learns = (_is_flat(subject.with_contract(each)) for each in (found, made))
    return made if rounds is True and learns is False else None


def _is_flat(subject: Subject) -> bool | None:
    """True if the gradient is what rounding leaves of 0; None if there is none."""
    trials = [subject.run(subject.draw(seed), dtype=torch.float64) for seed in SEEDS]
    if not all(trial.ok and trial.finite_grad and trial.grad is not None for trial in trials):
        return None
    sizes = [float(trial.grad.abs().max()) for trial in trials if trial.grad is not None]
    return all(size < 1e-12 * (1 + abs(trial.value)) for size, trial in zip(sizes, trials, strict=True))


def _read_as(
    subject: Subject, found: Contract, axes: Mapping[str, str], instead: Mapping[int, str] | None = None
) -> Contract | None:
    shapes = [axes.get(",".join(argument.domain.axes)) for argument in found.arguments]
    shapes = [(instead or {}).get(index, shape) for index, shape in enumerate(shapes)]
    if None in shapes:
        return None
    arguments = (_shaped(argument, shape or "") for argument, shape in zip(found.arguments, shapes, strict=True))
    made = replace(found, arguments=tuple(arguments))
    twin = subject.with_contract(made)
    return None if any(accepts(twin, seed) for seed in SEEDS) else made


def _shaped(argument: Argument, axes: str) -> Argument:
    return replace(argument, domain=Domain.parse(f"{argument.kind}[{axes}]"))
