"""Losses of two to five arguments whose names say what some of them are: a mask, lengths, a variance, a second network.

What a name says is a kind and a role for that argument alone; the arguments that are left are the prediction and the
target, and are found out by calling, as in a loss of two. A loss whose arguments all are of one kind (anchor, positive,
negative; chosen, rejected; real, fake) has nothing left to find out but that it accepts them.
"""

import re
from collections.abc import Iterator, Sequence

from lossmith.checker.heads import of_heads
from lossmith.checker.policies import ACTED, OLD, of_likelihoods, of_q_step, of_returns
from lossmith.checker.side import Side, side_of
from lossmith.checker.templates import GROUPS, Template

# Arguments of one kind: two or more names of one family, and perhaps a label.
_PREFERENCE = re.compile(
    r"(?:^|_)(?:chosen|rejected|(?:positive|pos|negative|neg)(?:_(?:scores?|logits?|preds?))|fake\w*|generated|"
    r"(?:d_)?real(?:_\w+)?|winner|loser)(?:_|$)|"
    r"^(?:(?:s|sim|similarity|scores?|logits?|preds?|out(?:put)?s?|rewards?)_?)?(?:pos|neg|positive|negative)$|^s_?[pn]$"
)
_ANSWER = {
    "logits": (r"logits?$", "logits[N,T,C]", "pred"),
    "mask": (r"mask", "mask[N,T]", "other"),
    "tokens": (r"(?:^|_)(?:ids?|labels?|tokens?|targets?)$", "index[N,T]", "target"),
}
_MIXED = re.compile(r"^(?:y|targets?|labels?)_?[ab12]$")  # of mixup: two labels for each sample
METRIC = re.compile(
    r"^(?:a|p|n|anc|anchors?|pos(?:itives?)?|neg(?:atives?)?\d?|quer(?:y|ies)|q|k|keys?)(?:_?(?:emb\w*|feat\w*|vec\w*|z|\d))?$"
)
_PAIR = re.compile(r"^(?:anc|quer)")
_SCORES = re.compile(r"scores?$|ranking|preds?$")
WORTH = re.compile(r"relevan|gains?$|grades?$|utilit")  # of the entries of a list that is ranked
_PADDING = re.compile(r"(?:attn|attention|pad(?:ding)?|loss|token|seq(?:uence)?|response|completion|valid)_?mask")
_OF_STEPS = {"mask": "mask[N,T]", "lengths": "lengths[N]"}
_QUEUE = re.compile(r"queue|memory|bank|negatives$")
# A vector for each sample, one for each class, and the labels; a distance for each pair, and whether it is one.
_VECTORS = re.compile(r"hidden|feat|emb|represent|^(?:x|z|h|inputs?)$")
_OF_CLASSES = re.compile(
    r"prox|prototyp|cent(?:er|re|roid)|class_?(?:emb|vec)|(?:^|_)(?:weights?|w|kernel)$|classifier"
)
_LABELS = re.compile(r"label|target|^y(?:_|$)|same|similar")
_GUESSED = re.compile(r"^pred(?:icted)?_|_(?:pred(?:icted|iction)?|hat|out(?:put)?)$")
_MEANT = re.compile(r"^(?:target|true|gt)_|_(?:target|true|gt|truth)$")
_OUTCOME = re.compile(r"label|target|outcome|winner|prefer|^[ty]$|higher|better")
_DISTANCES = re.compile(r"(?:^|_)(?:dist(?:ance)?s?|d)$")


def spoken_of(names: Sequence[str]) -> tuple[Template, ...]:
    """Templates in which the names have settled every argument; the first one that is accepted is right."""
    lowered = [name.lower() for name in names]
    if len(names) == 3 and _QUEUE.search(lowered[-1]) and all(METRIC.search(name) for name in lowered[:2]):
        return tuple(
            Template(9.0, ("embedding[N,D]", "embedding[N,D]", f"embedding[{axes}]"), ("pred", "pred", "other"))
            for axes in ("K,D", "D,K")
        )
    if len(names) == 2 and all(METRIC.search(name) for name in lowered) and _PAIR.search(lowered[0]):
        return (Template(9.0, ("embedding[N,D]", "embedding[N,D]"), ("pred", "pred")),)
    if len(names) >= 3 and all(METRIC.search(name) for name in lowered):
        return (Template(9.0, ("embedding[N,D]",) * len(names), ("pred",) * len(names)),)
    if all(_PREFERENCE.search(name) for name in lowered) and (found := _of_answers(lowered)):
        return found
    if all(_PREFERENCE.search(name) for name in lowered):
        roles = tuple("target" if OLD.search(name) else "pred" for name in lowered)
        if "pred" in roles:
            likely = any(re.search(r"log_?p", name) for name in lowered)
            domains = [*(f"real[{axes}]" for axes in ("N", "N,1", "N,T")), *(["logprob[N,T]"] if likely else [])]
            return tuple(Template(9.0, (domain,) * len(names), roles) for domain in domains)
    if len(names) == 3 and all(_MIXED.search(name) for name in lowered[1:]):
        return (Template(9.0, ("logits[N,C]", "index[N]", "index[N]"), ("pred", "target", "other")),)
    if len(names) in (2, 3) and (found := _against_classes(lowered) or _of_distances(lowered)):
        return found
    if len(names) == 2 and _SCORES.search(lowered[0]) and WORTH.search(lowered[1]):
        return tuple(Template(9.0, (f"real[{axes}]",) * 2) for axes in ("N,C", "N"))
    if found := of_heads(lowered) or of_q_step(lowered) or _of_two_scores(lowered):
        return found
    sides = _sides_of(names)
    if found := of_likelihoods(lowered, sides):
        return found
    if (
        len(names) == 3
        and sum("teacher" in name for name in lowered) == 1
        and re.search("label|target|^y", lowered[-1])
    ):
        student = ("pred", "other", "target") if "teacher" in lowered[1] else ("other", "pred", "target")
        return tuple(
            Template(9.0, (f"logits[{axes}]", f"logits[{axes}]", label), student)
            for axes, label in (("N,C", "index[N]"), ("N,T,C", "index[N,T]"), ("N,C,H,W", "index[N,H,W]"))
        )
    if found := _of_pairs(lowered):
        return found
    if found := of_returns(lowered, sides) or _beside_a_mask(lowered, sides):
        return found
    if found := _alone(lowered, sides):
        return found
    settled = [side for side in sides if side is not None]
    if len(settled) == len(names) and any(side.role == "pred" for side in settled):
        domains = [tuple(f"{side.kind}[{shape}]" for shape in side.shapes("N,D")) for side in settled]
        return (Template(9.0, tuple(domain[0] for domain in domains), tuple(side.role for side in settled)),)
    if len(settled) == len(names) - 1 and any(side.role == "target" for side in settled):
        domains = [f"{side.kind}[N]" if side else "real[N]" for side in sides]
        return (Template(9.0, tuple(domains), tuple(side.role if side else "pred" for side in sides)),)
    return ()


def _of_answers(names: Sequence[str]) -> tuple[Template, ...]:
    """A chosen and a rejected answer: the logits of its steps, its tokens, and perhaps a mask of them."""
    parts = [next((part for part, (p, _, _) in _ANSWER.items() if re.search(p, name)), "") for name in names]
    if "" in parts or parts.count("tokens") != 2 or parts.count("logits") not in (2, 4):
        return ()
    roles = tuple("other" if OLD.search(name) else _ANSWER[part][2] for name, part in zip(names, parts, strict=True))
    return (Template(9.0, tuple(_ANSWER[part][1] for part in parts), roles),) if "pred" in roles else ()


def _alone(names: Sequence[str], sides: Sequence[Side | None]) -> tuple[Template, ...]:
    """A sequence beside its mask or its lengths, and nothing that it is compared with."""
    mains = [i for i, side in enumerate(sides) if side is None]
    told = all(
        side is None or (side.kind == "lengths" or _PADDING.search(n)) for n, side in zip(names, sides, strict=True)
    )
    if len(mains) != 1 or len(names) < 2 or not told:
        return ()
    main = names[mains[0]]
    kind = "logits" if "logit" in main else "prob" if re.search(r"prob|att(?:n|ention)?(?:_|$)|align", main) else "real"
    roles = tuple("pred" if i in mains else "other" for i in range(len(names)))
    sequences = [
        tuple(f"{kind}[{axes}]" if s is None else _OF_STEPS[s.kind] for s in sides) for axes in ("N,T,C", "N,T")
    ]
    return tuple(Template(9.0, domains, roles) for domains in sequences)


def _of_pairs(names: Sequence[str]) -> tuple[Template, ...]:
    """box_pred, box_true, speed_pred, speed_true: two predictions, each beside its own target."""
    stems = [
        (_GUESSED.sub("", name), _GUESSED.search(name), _MEANT.sub("", name), _MEANT.search(name)) for name in names
    ]
    guesses = [stem for stem, guess, _, _ in stems if guess]
    goals = [stem for _, _, stem, goal in stems if goal]
    if len(names) != 4 or len(guesses) != 2 or sorted(guesses) != sorted(goals) or len(set(guesses)) != 2:
        return ()
    roles = tuple("pred" if guess else "target" for _, guess, _, _ in stems)
    return tuple(Template(9.0, (f"real[{axes}]",) * 4, roles) for axes in ("N,C", "N"))


def _against_classes(names: Sequence[str]) -> tuple[Template, ...]:
    """Features, class vectors and labels, in any order."""
    labels = [bool(_LABELS.search(name)) for name in names]
    classes = [bool(_OF_CLASSES.search(name)) and not label for name, label in zip(names, labels, strict=True)]
    vectors = [bool(_VECTORS.search(name)) for name in names]
    vectors = [each and not (label or of) for each, label, of in zip(vectors, labels, classes, strict=True)]
    if len(names) != 3 or (sum(labels), sum(classes), sum(vectors)) != (1, 1, 1):
        return ()
    roles = tuple("target" if label else "pred" for label in labels)
    return tuple(
        Template(9.0, tuple("index[N]" if label else matrix if of else "embedding[N,D]" for label, of in both), roles)
        for matrix in ("embedding[C,D]", "embedding[D,C]")
        for both in [tuple(zip(labels, classes, strict=True))]
    )


def _of_distances(names: Sequence[str]) -> tuple[Template, ...]:
    """A distance for each pair, and whether it is one of a kind: 0 and 1 before -1 and 1, which many read as well."""
    if len(names) != 2 or not _DISTANCES.search(names[0]) or not _LABELS.search(names[1]):
        return ()
    return tuple(
        Template(9.0, (f"positive[{axes}]", f"{label}[{axes}]")) for axes in ("N", "N,C") for label in ("binary", "pm1")
    )


def _of_two_scores(names: Sequence[str]) -> tuple[Template, ...]:
    """score_i, score_j, label_i, label_j: a pair of predictions, and what is to be higher; or one label for both."""
    scores = [
        bool(re.search(r"^(?:scores?|preds?|s|logits?|outputs?|ratings?|r|u)_?[ij12ab]$", name)) for name in names
    ]
    heads = [bool(re.search(r"^(?:logits?|outputs?|preds?|outs?)_?[12ab]$", name)) for name in names]
    if len(names) == 3 and heads == [True, True, False] and _LABELS.search(names[2]):
        return tuple(  # of classes, or of alike and unlike
            Template(9.0, (each, each, label), ("pred", "pred", "target"))
            for each, label in (("logits[N,C]", "index[N]"), ("embedding[N,D]", "binary[N]"))
        )
    if len(names) == 3 and scores == [True, True, False] and _OUTCOME.search(names[2]):
        return tuple(
            Template(9.0, (f"real[{axes}]", f"real[{axes}]", f"{label}[{axes}]"), ("pred", "pred", "target"))
            for label in ("binary", "pm1")
            for axes in ("N", "N,1")
        )
    labels = [bool(re.search(r"^(?:labels?|rel|y|targets?|grades?|t)_?[ij12ab]$", name)) for name in names]
    if len(names) != 4 or (sum(scores), sum(labels)) != (2, 2):
        return ()
    roles = tuple("pred" if score else "other" for score in scores)
    return tuple(Template(9.0, (f"real[{axes}]",) * 4, roles) for axes in ("N", "N,1"))


def _beside_a_mask(names: Sequence[str], sides: Sequence[Side | None]) -> tuple[Template, ...]:
    """A student, its teacher and a mask of tokens or pixels; the scores of a list, what each is worth, and a mask."""
    masks = [side is not None and side.kind == "mask" for side in sides]
    if len(names) != 3 or sum(masks) != 1:
        return ()
    teacher = [bool(re.search(r"teacher|(?:^|_)t_?logits", name)) for name in names]
    student = [bool(re.search(r"student|(?:^|_)s_?logits", name)) for name in names]
    if sum(teacher) == sum(student) == 1:
        roles = tuple("pred" if s else "target" if t else "other" for s, t in zip(student, teacher, strict=True))
        shapes = (("N,T,C", "N,T"), ("N,C,H,W", "N,H,W"), ("N,C", "N"))
        return tuple(
            Template(9.0, tuple(f"mask[{rows}]" if mask else f"logits[{axes}]" for mask in masks), roles)
            for axes, rows in shapes
        )
    scores = [bool(_SCORES.search(name)) for name in names]
    worth = [bool(WORTH.search(name)) for name in names]
    if sum(scores) == sum(worth) == 1 and not any(map(all, zip(scores, worth, strict=True))):
        roles = tuple("pred" if s else "target" if w else "other" for s, w in zip(scores, worth, strict=True))
        return (Template(9.0, tuple("mask[N,C]" if mask else "real[N,C]" for mask in masks), roles),)
    return ()


def groups_of(names: Sequence[str]) -> tuple[tuple[Template, ...], ...]:
    """Templates for a loss of more than two arguments: a pair that is found out, and what the names say of the rest."""
    sides = _sides_of(names)
    mains = [index for index, side in enumerate(sides) if side is None]
    if len(mains) < 2 < len(names):  # `mu` may be the prediction itself
        mains = [index for index, side in enumerate(sides) if side is None or side.role == "pred"][:1] + mains[-1:]
        mains = sorted(set(mains))
    if len(names) < 3 or len(mains) != 2:
        return ()
    ordered: Sequence[tuple[Template, ...]] = GROUPS[2]
    if any(side is not None and side.kind == "lengths" for side in sides):  # steps first: they are what has a length
        ordered = sorted(ordered, key=lambda group: "T" not in group[0].domains[0])
    return tuple(group for pairs in ordered if (group := tuple(_composed(pairs, mains, sides))))


def _sides_of(names: Sequence[str]) -> list[Side | None]:
    """What each name says beside the others.

    Beside a prediction, its target and a log-variance, `mean` is that of a latent, as `mu` is; `actions` beside
    `actions_hat` are numbers to be met, and no choice among classes.
    """
    sides = [side_of(name) for name in names]
    guessed = {re.sub(r"^pred(?:icted)?_|_(?:hat|pred)$", "", name.lower()) for name in names if side_of(name) is None}
    sides = [
        None if ACTED.search(name) and name.lower() in guessed else s for name, s in zip(names, sides, strict=True)
    ]
    goals = [bool(re.search(r"target|^gt|(?:^|_)gt_|true", name.lower())) for name in names]
    if any(goals):  # beside a target, what was observed is a mask; beside times, an event
        seen = Side("mask", "other", "any")
        sides = [seen if name.lower() == "observed" else side for name, side in zip(names, sides, strict=True)]
    classes = [i for i, name in enumerate(names) if re.search(r"^(?:labels?|class(?:es)?|cls)$", name.lower())]
    if len(names) == 3 and len(classes) == 1 and sum(goals) == 1 and not goals[classes[0]]:
        sides[classes[0]] = Side("index", "other", "rows")
    scores = [i for i, name in enumerate(names) if "logit" in name.lower() and sides[i] is None]
    labelled = sum(_LABELS.search(name.lower()) is not None for name in names) == 1
    if len(names) == 3 and len(scores) == 2 and labelled:  # those of a router, or of a second head, beside the first
        sides[scores[1]] = Side("logits", "pred", "pred")
    if sides.count(None) == 3 and any(side is not None and side.kind == "real" for side in sides):
        return [
            Side("real", "pred", "pred") if n.lower() in ("mean", "loc") else s
            for n, s in zip(names, sides, strict=True)
        ]
    return sides


def _composed(pairs: Sequence[Template], mains: Sequence[int], sides: Sequence[Side | None]) -> Iterator[Template]:
    for pair in pairs:
        axes = pair.domains[0].partition("[")[2].rstrip("]")
        for choice in range(3):
            domains, roles = ["", *[""] * (len(sides) - 1)], [""] * len(sides)
            for main, domain, role in zip(mains, pair.domains, pair.roles, strict=True):
                domains[main], roles[main] = domain, role
            last = True
            for index, side in enumerate(sides):
                if index in mains or side is None:
                    continue
                shapes = side.shapes(axes)
                last = last and choice >= len(shapes)
                domains[index] = f"{side.kind}[{shapes[min(choice, len(shapes) - 1)]}]"
                roles[index] = side.role
            if choice == 0 or not last:
                yield Template(pair.rank - 0.1 * choice, tuple(domains), tuple(roles))
