"""Heads whose class vectors are dealt out to the processes of a group.

    criterion = ArcFaceLoss(10_000_000, 512, group=True)     # after init_process_group, with the same seed or not
    optimizer = SGD([*model.parameters(), *criterion.parameters()])
    criterion(model(images), labels).backward()              # every rank: its own images, labels of all classes

`criterion.weight` holds the vectors of `criterion.classes`, of which every rank has another part. Value and gradient
are those of one process with all vectors and the whole batch, as `lossmith.torch.group` says; the gradient of `weight`
is whole as it is. So leave the criterion out of DistributedDataParallel and FSDP: they would make the parts equal, and
average what belongs to different classes.

`load_state_dict` takes the part of a rank, or all classes, of which each rank picks its own: `whole_state_dict()`
gathers them, so that what P processes have saved any other number can load.

Partial FC: with `sample_rate` below 1 a training step compares with that share of the classes of a rank, those that the
batch has among them; the value is that of the classes drawn, and the gradient of the others is 0. `eval()` takes all.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lossmith.criterion import Evaluated
from lossmith.errors import SettingError, message
from lossmith.kernels.shards import Shard
from lossmith.ops import Ops
from lossmith.torch.group import Grouped


class Sharded(Grouped):
    """A face whose class vectors may be dealt out to the processes of a group."""

    num_classes: int
    embedding_dim: int
    sample_rate = 1.0  # a setting of the faces that say so

    @property
    def classes(self) -> range:
        """The classes whose vectors are here."""
        if self.group is None:
            return range(self.num_classes)
        ranks = self._ranks()
        if self.num_classes < ranks.size:
            given = {"num_classes": self.num_classes, "ranks": ranks.size}
            raise SettingError(message(f"{type(self).__name__}: every rank needs a class of its own", given))
        here = ranks.part(self.num_classes)
        return range(here.start, here.stop)

    def whole_state_dict(self) -> dict[str, Tensor]:
        """`state_dict` with the vectors of all classes, on every rank, to be called on every rank."""
        if self.group is None:
            return self.state_dict()
        ranks = self._ranks()
        return {name: ranks.gathered(x, ranks.sizes(len(x), x)) for name, x in self.state_dict().items()}

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *more: Any, **named: Any) -> None:
        """As every module does; of vectors of all classes, those that are here."""
        here = self.classes
        for name, _ in self.named_parameters(recurse=False):
            given = state_dict.get(prefix + name)
            if given is not None and len(given) == self.num_classes:
                state_dict[prefix + name] = given[here.start : here.stop]
        super()._load_from_state_dict(state_dict, prefix, *more, **named)

    def _generator(self) -> torch.Generator | None:
        """What draws the vectors: other ones on every rank, though all may have one seed."""
        if self.group is None:
            return None
        seed = int(torch.randint(2**31, ()))
        return torch.Generator(next(self.parameters()).device).manual_seed(seed + self._ranks().rank)

    def _evaluated(
        self, ops: Ops[Tensor], arrays: Sequence[Tensor], mask: Tensor | None, settings: dict[str, Any]
    ) -> Evaluated[Tensor]:
        rate = self.sample_rate if self.training else 1.0
        if arrays[0].is_meta or (self.group is None and rate >= 1.0):
            return super()._evaluated(ops, arrays, mask, settings)
        self._require_plain(arrays)
        if self.group is None:
            return super()._evaluated(ops, arrays, mask, {**settings, "shard": Shard(sample_rate=rate)})
        ranks, held = self._ranks(), self._declared().held
        labels = arrays[self.formula.arguments.index("target")]
        sizes = ranks.sizes(labels.numel(), labels)
        named = zip(self.formula.arguments, arrays, strict=True)
        arrays = [ranks.held_apart(x) if name in held else x for name, x in named]
        settings = {n: ranks.held_apart(x) if isinstance(x, nn.Parameter) else x for n, x in settings.items()}
        shard = Shard(self.num_classes, self.classes.start, ranks, sizes, rate)
        return super()._evaluated(ops, arrays, mask, {**settings, "shard": shard})
