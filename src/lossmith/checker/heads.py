"""Losses of several outputs of one network, of which their names say what each is and what it is to meet.

pred_logits, pred_boxes, labels, boxes      the classes and the boxes of what was detected
gamma, nu, alpha, beta, y                   the normal-inverse-gamma distribution of a number (evidential regression)
heatmaps, keypoints                         a map for each joint, and where the joint is
pi, sigma, mu, y                            a mixture of Gaussians, and the number that it is to explain
mean, dispersion, pi, counts                a negative binomial with more zeros than it has
student, teacher, center                    what a teacher says, moved by a mean of what it said before
q1, q2, target_q                            two critics of one action
"""

import re
from collections.abc import Sequence

from lossmith.checker.templates import Template

_BOX = re.compile(r"box|(?:^|_)loc(?:s|ation)?s?(?:_|$)|(?:^|_)reg(?:ression)?(?:_|$)")
_CLASS = re.compile(r"logit|cls|class|score|label|conf")
_GUESS = re.compile(
    r"^(?:pred(?:icted)?s?|out(?:put)?s?)_|_(?:pred(?:icted|iction)?s?|logits?|hat|out(?:puts?)?)$|logit"
)
_GOAL = re.compile(r"target|(?:^|_)gts?(?:_|$)|true|truth|label")
_EVIDENCE = (
    (r"^(?:gamma|mu|mean|loc|pred)$", "real", "pred"),
    (r"^(?:nu|v|lam(?:bda)?_?|kappa)$", "positive", "pred"),
    (r"^alpha$", "positive", "pred"),
    (r"^beta$", "positive", "pred"),
    (r"^y$|target|true|label|^gt", "real", "target"),
)
# A mixture of Gaussians: its shares, means and widths, and what they are to explain.
_MIXTURE = (
    (r"^(?:log_?)?pis?(?:_logits?)?$|mix|^weights?$|^coef", "logits[N,K]"),
    (r"^mus?$|means?|^loc", "real[N,K]"),
    (r"log_?(?:sigma|std|var|scale)", "real[N,K]"),
    (r"sigma|std|scale", "positive[N,K]"),
    (r"^y$|target|true|^x$|label", "real[N]"),
)
_ZEROS = (
    (r"^(?:pi|zero\w*|drop\w*)$", "prob", "pred"),
    (r"^(?:mu|mean|rate|lam(?:bda)?_?)$", "positive", "pred"),
    (r"^(?:disp\w*|theta|alpha|r)$", "positive", "pred"),
    (r"^(?:x|y|counts?)$|target|true", "count", "target"),
)
_CENTRED = ((r"student", "logits", "pred"), (r"teacher", "logits", "target"), (r"^cent(?:er|re)$", "real", "other"))
_CRITIC = re.compile(r"^(?:current_|pred_)?q(?:_?values?|f)?_?[12ab]$")
_BACKUP = re.compile(r"target|expected|backup|^(?:y|td)$")
_MAPS = re.compile(r"heat_?maps?$|hms?$|heat$")
_POINTS = re.compile(r"joint|key_?point|landmark|coord|point|kpt|pose")


def of_heads(names: Sequence[str]) -> tuple[Template, ...]:
    ways = (_of_detections, _of_evidence, _of_maps, _of_mixture, _of_zeros, _of_centre, _of_critics)
    return next((found for way in ways if (found := way(names))), ())


def _of_detections(names: Sequence[str]) -> tuple[Template, ...]:
    parts = [("box" if _BOX.search(n) else "class" if _CLASS.search(n) else "", _role(n)) for n in names]
    if sorted(parts) != [("box", "pred"), ("box", "target"), ("class", "pred"), ("class", "target")]:
        return ()
    roles = tuple(role for _, role in parts)
    kinds = {
        ("class", "pred"): "logits[{},C]",
        ("class", "target"): "index[{}]",
        ("box", "pred"): "boxes[{},4]",
        ("box", "target"): "boxes[{},4]",
    }
    return tuple(Template(9.0, tuple(kinds[part].format(axes) for part in parts), roles) for axes in ("N,T", "N"))


def _role(name: str) -> str:
    return "pred" if _GUESS.search(name) else "target" if _GOAL.search(name) else ""


def _of_evidence(names: Sequence[str]) -> tuple[Template, ...]:
    parts = _each_once(names, _EVIDENCE)
    roles = tuple(role for _, role in parts)
    return tuple(Template(9.0, tuple(f"{k}[{axes}]" for k, _ in parts), roles) for axes in ("N", "N,1") if parts)


def _of_zeros(names: Sequence[str]) -> tuple[Template, ...]:
    parts = _each_once(names, _ZEROS)
    roles = tuple(role for _, role in parts)
    return tuple(Template(9.0, tuple(f"{k}[{axes}]" for k, _ in parts), roles) for axes in ("N,C", "N") if parts)


def _of_centre(names: Sequence[str]) -> tuple[Template, ...]:
    parts = _each_once(names, _CENTRED)
    roles = tuple(role for _, role in parts)
    return tuple(
        Template(9.0, tuple(f"{k}[{centre if role == 'other' else 'N,C'}]" for k, role in parts), roles)
        for centre in ("1,C", "C")
        if parts
    )


def _each_once(names: Sequence[str], table: Sequence[tuple[str, str, str]]) -> list[tuple[str, str]]:
    """Kind and role of each name, if each row of the table fits one; else none."""
    found = [next((i for i, (pattern, _, _) in enumerate(table) if re.search(pattern, n)), -1) for n in names]
    return [table[i][1:] for i in found] if sorted(found) == list(range(len(table))) else []


def _of_critics(names: Sequence[str]) -> tuple[Template, ...]:
    critics = [_CRITIC.search(name) is not None for name in names]
    if critics != [True, True, False] or not _BACKUP.search(names[2]):
        return ()
    return tuple(Template(9.0, (f"real[{axes}]",) * 3, ("pred", "pred", "target")) for axes in ("N", "N,1"))


def _of_maps(names: Sequence[str]) -> tuple[Template, ...]:
    maps = [_MAPS.search(name) is not None for name in names]
    if len(names) != 2 or sum(maps) != 1 or not _POINTS.search(names[maps.index(False)]):
        return ()
    roles = tuple("pred" if each else "target" for each in maps)
    return tuple(
        Template(9.0, tuple("real[N,C,H,W]" if each else goal for each in maps), roles)
        for goal in ("real[N,C,2]", "real[N,C]")
    )


def _of_mixture(names: Sequence[str]) -> tuple[Template, ...]:
    """Shares, means and widths of Gaussians, and the number that they are to explain."""
    found = [next((i for i, (p, _) in enumerate(_MIXTURE) if re.search(p, name)), -1) for name in names]
    if len(names) != 4 or not {0, 1, 4} <= set(found) or not {2, 3} & set(found):
        return ()
    roles = tuple("target" if i == 4 else "pred" for i in found)
    plain = tuple(_MIXTURE[i][1] for i in found)
    column = tuple("real[N,1]" if i == 4 else domain for i, domain in zip(found, plain, strict=True))
    deep = tuple(
        "real[N,D]" if i == 4 else d if i == 0 else d.replace("K", "K,D") for i, d in zip(found, plain, strict=True)
    )
    shares = [
        tuple("simplex[N,C]" if i == 0 else d.replace("K", "C") for i, d in zip(found, each, strict=True))
        for each in (plain, column, deep)
    ]
    return tuple(Template(9.0, domains, roles) for domains in (plain, column, deep, *shares))
