"""What the name of one argument says of it: its kind, its role and its shape."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Side:
    """An argument of which its name says enough: its kind, its role, and whether it has the shape of a prediction."""

    kind: str
    role: str
    shape: str  # of the prediction ("pred"), one a sample ("rows"), "any" of these, one a class ("classes"), or "one"

    def shapes(self, axes: str) -> tuple[str, ...]:
        rows = axes.split(",")[0]
        if self.shape == "rows":
            return (rows,)
        if self.shape == "pred":
            return (axes,)
        if self.shape == "classes":
            return ("C",)
        if self.shape == "one":
            return ("1",)
        without = ",".join(axis for axis in axes.split(",") if axis != "C")
        return tuple(dict.fromkeys((axes, without, rows)))


# The first pattern that a name fits decides.
_SIDES = (
    (r"^num_(?:box|mask|pos|obj|inst|item|token)\w*$|^avg_factor$|^normali[sz]er$", Side("count", "other", "one")),
    (r"class_?weight|pos_?weight|weight_per_class|^cls_w", Side("weight", "other", "classes")),
    (r"mask|valid|(?:^|_)keep(?:_|$)|(?:^|_)pad(?:ding)?(?:_|$)|visib|^vis$|_vis$", Side("mask", "other", "any")),
    (r"(?:^|_)lengths?(?:_|$)|(?:^|_)lens?(?:_|$)|seq_?len", Side("lengths", "other", "rows")),
    (r"weight|(?:^|_)w(?:ts?)?$|importance", Side("weight", "other", "any")),
    (r"log_?(?:var|sigma|std|scale|beta|kappa|tau|nu$|sd|width|disp|prec|b$)", Side("real", "pred", "pred")),
    (r"^mu$|(?:^|_)(?:z|latent|q)_?(?:mu|mean)|^latent", Side("real", "pred", "pred")),
    (r"(?:^|_)var(?:iance)?(?:_|$)|sigma|(?:^|_)std(?:_|$)", Side("positive", "pred", "pred")),
    (r"teacher", Side("logits", "other", "pred")),
    (r"(?:^|_)aux(?:iliary)?(?:_|\d|$)(?!.*(?:label|target|loss|weight|coef))", Side("logits", "pred", "pred")),
    (r"advantage|^adv(?:_|$)|^returns?$|^rewards?$", Side("real", "other", "rows")),
    (r"^act(?:ion)?s?$", Side("index", "other", "rows")),
    (r"^(?:not_?)?dones?$|terminat|truncat", Side("binary", "other", "rows")),
    (r"^next_q|^q_?next|^next_state_q|^target_q_values|^q_target", Side("real", "other", "pred")),
    (r"event|censor|observed", Side("binary", "target", "rows")),
    (r"(?:^|_)(?:snrs?|areas?)(?:_|$)", Side("positive", "other", "rows")),
    (r"log_?(?:abs_?)?det|log_?jac|^s?ldj$", Side("real", "pred", "rows")),
    (r"^times?$|durations?|survival", Side("positive", "other", "rows")),
)


def side_of(name: str) -> Side | None:
    lowered = name.lower()
    return next((side for pattern, side in _SIDES if re.search(pattern, lowered)), None)
