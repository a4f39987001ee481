"""Losses over a batch that several processes share, through `torch.distributed`.

    criterion = NTXentLoss(group=True)                # True: all processes; or a process group
    total = criterion(model(views1), model(views2))   # this rank's part; the total of the whole batch, on every rank
    total.backward()                                  # on every rank

The batch is the rows of all ranks, one rank after another; they may have different numbers of rows, or none. Value and
gradient are those of one process that has them all:

    value      every rank returns the total of the whole batch; reduction "none" gives the values of its own rows
    gradient   what reaches the rows of a rank is P times the slope of that total, for P ranks, so that the mean that
               DistributedDataParallel and FSDP take of the ranks' gradients is the gradient of one process. Without
               them, average the gradients yourself, as they do
    learned    the parameters of the loss (`log_scale`, `bias`) get the gradient of one process on every rank, with or
               without DDP around them; start them equal
    exchange   "gather": every rank holds the columns of all, once. "ring": the columns of a rank at a time go round,
               nobody holds more than two; no double backward. Both send (P - 1) / P of the batch to each rank
    refused    arguments that one rank refuses are an error on all ranks, as are settings, dtypes or widths that
               differ; which rank found what, it says itself

Embeddings travel as they are compared, in float32 or wider, divided by their length.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from lossmith.criterion import Evaluated, evaluate
from lossmith.errors import SettingError, ShapeError, message
from lossmith.kernels import kernel_of
from lossmith.kernels.exchange import Exchange, batch_over
from lossmith.kernels.kernel import runs
from lossmith.kernels.ranks import Ranks, ranks_of
from lossmith.kernels.whole import WholeBatch
from lossmith.ops import Ops
from lossmith.torch.loss import Face


class Grouped(Face):
    """A face whose batch may be shared by the processes of a group."""

    group: Any = None
    exchange: Exchange = "gather"

    def __call__(self, *given: Any, **more: Any) -> Any:
        return super().__call__(*given, **more) if self.group is None else self._together(*given, **more)

    @torch.compiler.disable
    def _together(self, *given: Any, **more: Any) -> Any:
        tensors = [x for x in given if isinstance(x, Tensor)]
        with self._ranks().agreeing(type(self).__name__, *self._said(tensors)):
            self._require_plain(tensors)
            with torch.no_grad():  # whatever one process would refuse is refused here, on tensors without memory
                self.forward(*tree_map(_without_memory, given), **tree_map(_without_memory, more))
        return super().__call__(*given, **more)

    def _ranks(self) -> Ranks:
        return ranks_of(type(self).__name__, self.group)

    def _said(self, given: list[Tensor]) -> list[object]:
        """What all ranks must have in common."""
        plain = {name: value for name, value in self._settings().items() if not isinstance(value, Tensor)}
        return [plain, torch.is_grad_enabled(), *((tuple(x.shape[1:]), x.dtype, x.requires_grad) for x in given)]

    def _settings(self) -> Mapping[str, Any]:
        return {name: getattr(self, name) for name in self._declared().defaults if name != "group"}

    def _require_plain(self, given: list[Tensor]) -> None:
        if not runs(*given):
            why = "the ranks talk to each other between two operations"
            fix = "the gradient by `backward`, or group=None"
            headline = f"{type(self).__name__}: over several processes there are no transforms of torch.func"
            raise SettingError(message(headline, why=why, fix=fix))

    def _evaluated(
        self, ops: Ops[Tensor], arrays: list[Tensor], mask: Tensor | None, settings: dict[str, Any]
    ) -> Evaluated[Tensor]:
        if self.group is None or arrays[0].is_meta:
            return super()._evaluated(ops, arrays, mask, settings)
        ranks = self._ranks()
        settings = {n: ranks.replicated(x) if isinstance(x, nn.Parameter) else x for n, x in settings.items()}
        return super()._evaluated(ops, arrays, mask, {**settings, "batch": batch_over(ranks, self.exchange)})

    def _adding(self, ops: Ops[Tensor], values: Tensor) -> Any:
        return ops if self.group is None or values.is_meta else WholeBatch(self._ranks())


def _without_memory(x: Any) -> Any:
    return torch.empty_like(x, device="meta") if isinstance(x, Tensor) else x
