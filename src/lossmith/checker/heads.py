"""Losses of several outputs of one network, of which their names say what each is and what it is to meet.

pred_logits, pred_boxes, labels, boxes      the classes and the boxes of what was detected
gamma, nu, alpha, beta, y                   the normal-inverse-gamma distribution of a number (evidential regression)
heatmaps, keypoints                         a map for each joint, and where the joint is
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
_MAPS = re.compile(r"heat_?maps?$|hms?$|heat$")
_POINTS = re.compile(r"joint|key_?point|landmark|coord|point|kpt|pose")


def of_heads(names: Sequence[str]) -> tuple[Template, ...]:
    return _of_detections(names) or _of_evidence(names) or _of_maps(names)


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
    found = [next((i for i, (pattern, _, _) in enumerate(_EVIDENCE) if re.search(pattern, n)), -1) for n in names]
    if sorted(found) != list(range(len(_EVIDENCE))):
        return ()
    roles = tuple(_EVIDENCE[i][2] for i in found)
    return tuple(Template(9.0, tuple(f"{_EVIDENCE[i][1]}[{axes}]" for i in found), roles) for axes in ("N", "N,1"))


def _of_maps(names: Sequence[str]) -> tuple[Template, ...]:
    maps = [_MAPS.search(name) is not None for name in names]
    if len(names) != 2 or sum(maps) != 1 or not _POINTS.search(names[maps.index(False)]):
        return ()
    roles = tuple("pred" if each else "target" for each in maps)
    return tuple(
        Template(9.0, tuple("real[N,C,H,W]" if each else goal for each in maps), roles)
        for goal in ("real[N,C,2]", "real[N,C]")
    )
