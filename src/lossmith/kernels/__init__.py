"""What formulas say, faster or in less memory, on torch tensors.

    pairs, pair_sums   sums over the pairs of a batch, or of a batch and a list of classes, without their matrix
    hardest            the largest similarity of each row, and where it is
    contrastive, heads, metric    the losses that stand on them
    one_pass           total and gradient of any loss in one compiled kernel
    compiler           what runs where there is no C++ compiler
    devices            how large tiles are, and in which dtype they are multiplied
    ranks              what several processes that share a batch tell each other, with its gradient
    exchange, ring     the pairs of a batch over several processes
    shards             the classes of a head over several processes
    whole              formulas of sums over several processes
    blocks, slopes     the eager path of losses whose samples do not interact
    written, boxes     slopes that are compiled in place of their formula
    totals             the same, of which nothing but a total is asked; of logits in place: rows, binary
    native             totals of small batches in torch's own operations
    by_hand            the eager path of losses whose gradient is written by hand:
    structure, lovasz, overlap    SSIM and MS-SSIM; Lovász losses; Dice, Jaccard and Tversky
    regions            what the last two share
    windows            what the first compiles, and overlap_loops the third
    cpp                loops in C++
    kernel             how a formula comes to its kernel, and where it does not

A kernel computes what its formula says; tests hold it to the formula, in value and in gradient. The faces of
`lossmith.torch` use them by themselves.
"""

from lossmith.kernels import contrastive, heads, lovasz, metric, overlap, structure  # noqa: F401  (enter their kernels)
from lossmith.kernels.blocks import InBlocks
from lossmith.kernels.hardest import Hardest, hardest
from lossmith.kernels.kernel import (
    body_for,
    compiles,
    eager_of,
    freely,
    ignored_in,
    kernel_of,
    kernels,
    rows_stay,
    stays,
    written_of,
)
from lossmith.kernels.one_pass import OnePass
from lossmith.kernels.pair_sums import softplus_sum
from lossmith.kernels.pairs import ClassSums, against_classes, log_sum
from lossmith.kernels.tiles import All, AllBut, Explicit, Labelled, Others, Rule
from lossmith.kernels.totals import planned

__all__ = [
    "All",
    "AllBut",
    "ClassSums",
    "Explicit",
    "Hardest",
    "InBlocks",
    "Labelled",
    "OnePass",
    "Others",
    "Rule",
    "against_classes",
    "body_for",
    "compiles",
    "eager_of",
    "freely",
    "hardest",
    "ignored_in",
    "kernel_of",
    "kernels",
    "log_sum",
    "planned",
    "rows_stay",
    "softplus_sum",
    "stays",
    "written_of",
]
