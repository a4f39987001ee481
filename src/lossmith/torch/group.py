"""Losses over a batch that several processes share, through `torch.distributed`.

    criterion = NTXentLoss(group=True)                # True: all processes; or a process group
    total = criterion(model(views1), model(views2))   # this rank's part; the total of the whole batch, on every rank
    total.backward()                                  # on every rank

The batch is the rows of all ranks, one rank after another; they may have different numbers of rows, or none. Value and
gradient are those of one process that has them all:

    value      every rank returns the total of the whole batch; with reduction "none" the values of its own rows
    gradient   that of the sum of what all ranks return, which is P totals for P ranks: the mean over the ranks, which
               DistributedDataParallel and FSDP take, is the gradient of one process. Where neither is used, take it
    learned    the parameters of the loss itself (`log_scale`, `bias`) get that mean at once, on every rank, with or
               without DistributedDataParallel around them; they must start equal
    refused    arguments that one rank refuses are an error on all ranks, and so are settings, dtypes or widths that
               differ; only the call of `criterion` says so, not `criterion.forward`

Every rank calls, and every rank goes backward. Under `torch.compile` this part runs as it is. `True` is copied and
pickled with the loss; a process group of torch can be neither.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from lossmith.criterion import Evaluated
from lossmith.errors import SettingError, message
from lossmith.kernels.exchange import Exchange, batch_over
from lossmith.kernels.kernel import runs
from lossmith.kernels.ranks import Ranks, ranks_of
from lossmith.kernels.whole import WholeBatch
from lossmith.ops import Ops
from lossmith.torch.loss import Face


class Grouped(Face):
    """A face whose batch may be shared by the processes of a group."""

    group: Any = None

    def __call__(self, *given: Any, **more: Any) -> Any:
        return super().__call__(*given, **more) if self.group is None else self._together(*given, **more)

    @torch.compiler.disable
    def _together(self, *given: Any, **more: Any) -> Any:
        arguments = [x for x in (*given, *map(more.get, self.takes)) if isinstance(x, Tensor)]
        named = [name for name, x in more.items() if x is not None]
        with self._ranks().agreeing(type(self).__name__, *self._said(arguments), *named):
            self._require_plain(arguments)
            self._rehearse(given, more)
        return super().__call__(*given, **more)

    def _rehearse(self, given: tuple[Any, ...], more: dict[str, Any]) -> None:
        """Refuse whatever one process would refuse, on tensors without memory; what was seen before is fine."""
        seen = self.__dict__.setdefault("_seen", set())
        shown = repr((self._plain(), tree_map(_described, (given, more))))
        if shown not in seen:
            with torch.no_grad():
                self.forward(*tree_map(_without_memory, given), **tree_map(_without_memory, more))
            seen.add(shown)

    def _ranks(self) -> Ranks:
        return ranks_of(type(self).__name__, self.group)

    def _said(self, given: Sequence[Tensor]) -> list[object]:
        """What all ranks must have in common."""
        said = [(x.ndim, *self._width(x), x.dtype, x.requires_grad) for x in given]
        return [self._plain(), torch.is_grad_enabled(), *said]

    def _width(self, x: Tensor) -> Sequence[int]:
        """The lengths of an argument that are those of all ranks: of embeddings and logits the last."""
        return x.shape[-1:] if x.is_floating_point() else ()

    def _plain(self) -> Mapping[str, Any]:
        """The settings that are no tensors."""
        settings = {name: getattr(self, name) for name in self._declared().defaults if name != "group"}
        return {name: value for name, value in settings.items() if not isinstance(value, Tensor)}

    def _require_plain(self, given: Sequence[Tensor]) -> None:
        if not runs(*given):
            headline = f"{type(self).__name__}: over several processes there are no transforms of torch.func"
            why = "the ranks talk to each other between two operations"
            raise SettingError(message(headline, why=why))

    def _adding(self, ops: Ops[Tensor], values: Tensor) -> Any:
        of_all_ranks = self.coupled and "N" not in self.formula.shapes.result  # such as the Dice of a batch
        return ops if self.group is None or values.is_meta or of_all_ranks else WholeBatch(self._ranks())

    def compile(self, *args: Any, **options: Any) -> None:
        """As without a group; with one the loss stays as it is."""
        if self.group is None:
            super().compile(*args, **options)


class PairGrouped(Grouped):
    """A face that compares the samples of a batch with each other.

    exchange   "gather": every rank holds the embeddings of all. "ring": those of one rank at a time go round, so that
               a rank holds its own and those of two others; no double backward. Embeddings travel as they are
               compared: divided by their length, in float32 or wider
    """

    exchange: Exchange = "gather"

    def _evaluated(
        self, ops: Ops[Tensor], arrays: Sequence[Tensor], mask: Tensor | None, settings: dict[str, Any]
    ) -> Evaluated[Tensor]:
        if self.group is None or arrays[0].is_meta:
            return super()._evaluated(ops, arrays, mask, settings)
        ranks = self._ranks()
        settings = {n: ranks.replicated(x) if isinstance(x, nn.Parameter) else x for n, x in settings.items()}
        return super()._evaluated(ops, arrays, mask, {**settings, "batch": batch_over(ranks, self.exchange)})

    def _require_plain(self, given: Sequence[Tensor]) -> None:
        super()._require_plain(given)
        shape = tuple(given[0].shape) if given else ()
        if len(shape) != 2 + (self.takes[-1] == "target" and len(shape) == 3):
            headline = f"{type(self).__name__}: a batch that is shared has embeddings of (N, D)"
            raise SettingError(message(headline, {self.takes[0]: shape}))


class SumGrouped(Grouped):
    """A face whose samples, or the pixels of its batch, interact by sums alone: these are taken over the ranks."""

    def _evaluated(
        self, ops: Ops[Tensor], arrays: Sequence[Tensor], mask: Tensor | None, settings: dict[str, Any]
    ) -> Evaluated[Tensor]:
        whole = self.group is not None and self.coupled and not arrays[0].is_meta
        reader: Any = WholeBatch(self._ranks()) if whole else ops
        return super()._evaluated(reader, arrays, mask, settings)


def _without_memory(x: Any) -> Any:
    return torch.empty_like(x, device="meta") if isinstance(x, Tensor) else x


def _described(x: Any) -> Any:
    return (tuple(x.shape), x.dtype) if isinstance(x, Tensor) else x
