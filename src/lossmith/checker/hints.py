"""Words that speak for a kind: in the name of a loss, its parameters and its code. They rank; they never exclude."""

import re
from collections.abc import Sequence

from lossmith.checker.signature import source_of
from lossmith.checker.subject import Subject
from lossmith.domains import KINDS

_HINTS = (
    (r"log_?p(rob)?s?\b|log_prob", {"logprob": 1.2}),
    (r"\bprobs?\b|proba|probabilit", {"prob": 1.0, "simplex": 1.0}),
    (r"\bcl(ip|amp)\w*\([^()]*, *1(\.0*)? *- *", {"prob": 0.5, "simplex": 0.5}),  # from eps to 1 - eps
    (r"logit|log_softmax|\.softmax\(|sigmoid|with_logits|logsigmoid|(?<!binary_)cross_entropy\(", {"logits": 1.0}),
    (r"\A(?s:(?!.*(?:sigmoid|softmax)).*)(?:binary_cross_entropy|\bBCELoss)\(", {"prob": 2.0}),  # of what is given
    (r"\bbox|iou_loss|\bx1\b", {"boxes": 1.0}),
    (r"one_hot|\.gather\(|\.long\(\)|nll_loss|sparse", {"index": 0.5}),
    (r"embed|anchor|negative|feature", {"embedding": 0.8}),
    (r"dice|jaccard|tversky", {"binary": 2.5, "prob": 2.0, "onehot": 0.5, "index": 0.5}),
    (r"mask", {"mask": 0.6}),
    (r"weight", {"weight": 0.6}),
    (r"\bvar\b|variance|sigma", {"positive": 1.5}),
    (r"hinge|margin", {"pm1": 0.8}),
    (r"\b2(?:\.0*)?\s*\*\s*\w+(?:\.float\(\))?\s*-\s*1\b", {"binary": 1.5}),  # signs are made of 0 and 1
    (r"\A\S* p q$|\bkl|jensen|divergence", {"simplex": 1.2, "dist": 0.8, "logprob": 1.0}),
)


def hints_of(subject: Subject) -> dict[str, float]:
    """Words in the loss's name, parameters and code that speak for a kind. They rank; they never exclude."""
    source = re.sub(r'""".*?"""|#[^\n]*', "", source_of(subject.loss), flags=re.S)
    text = f"{subject.name} {' '.join(subject.parameters)}\n{source}"
    found: dict[str, float] = {}
    for pattern, kinds in _HINTS:
        if re.search(pattern, text, re.IGNORECASE | re.MULTILINE):
            for kind, weight in kinds.items():
                found[kind] = found.get(kind, 0.0) + weight
    return found


# What a parameter's name says of the kinds that it can be; a template that contradicts it is taken only for want of
# another. The first pattern that fits a name decides.
_NAMES = (
    (r"logit", {"logits"}),
    (r"log_?p(rob)?", {"logprob"}),
    (r"prob", {"prob", "simplex", "soft", "dist", "logprob"}),
    (r"teacher|student", {"logits", "real", "prob", "simplex", "dist", "logprob", "embedding"}),
    (r"box", {"boxes"}),
    (r"^emb|_emb|embed|feat|view|^z\d?$|^z_|anchor|quer|^keys?$", {"embedding", "unit"}),
    (r"^lengths?$|_lengths?$|^lens?$", {"lengths"}),
    (r"weight|^w$", {"weight"}),
    (r"log_?var|log_?sigma|log_?std", {"real"}),
    (r"^var$|variance|_var$|^sigma$|^std$|^alphas?$|evidence|concentration", {"positive"}),
    (r"^same$|^is_(?!.*(?:pad|valid|mask))|similar", {"binary", "soft"}),
    (r"one_?hot", {"onehot", "dist", "binary", "soft"}),
    (r"mask|pad(?:ding|ded)?$|valid", {"binary", "soft", "mask", "onehot", "index"}),
    (r"label|class|^cls", {"index", "binary", "soft", "onehot", "dist", "pm1", "labels", "count"}),
    (r"^target|^[yt]$|^y_?true|truth|^gt|^true", set(KINDS) - {"embedding", "unit", "mask", "weight", "lengths"}),
)


_COUNTS = re.compile(r"len|num|count|size|steps|^n_|_n$|valid|dur|^l$|ends?$")


def contradicts(names: Sequence[str], kinds: Sequence[str]) -> bool:
    """True if a parameter is called what its kind is not: `labels` that are embeddings, `logits` that are boxes."""
    for name, kind in zip(names, kinds, strict=True):
        if kind == "lengths" and not _COUNTS.search(name.lower()):
            return True
        possible = next((fit for pattern, fit in _NAMES if re.search(pattern, name.lower())), None)
        if possible is not None and kind not in possible:
            return True
    return False
