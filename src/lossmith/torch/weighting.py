"""How several tasks are weighed; the mathematics is in `lossmith.balance`.

A weighting belongs to one `MultiTaskLoss`, which tells it the tasks once, by `start`. Called with the losses of the
tasks as one vector it gives their weights, and what is added to the weighted sum.
"""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, final

import torch
from torch import Tensor, nn

from lossmith import balance
from lossmith.errors import SettingError, message
from lossmith.ops import reader_of
from lossmith.settings import Interval, Positive, Rule, require_settings, require_word


class Weighting(nn.Module):
    """The base of a weighting."""

    def __init__(self) -> None:
        super().__init__()
        self.tasks: tuple[str, ...] = ()

    def start(self, tasks: tuple[str, ...]) -> None:
        """Take the tasks of the loss that this weighting belongs to."""
        if self.tasks:
            given = {"weighs": ", ".join(self.tasks), "asked for": ", ".join(tasks)}
            raise SettingError(message(f"{type(self).__name__} belongs to another MultiTaskLoss", given))
        self._set_up(tasks)
        self.tasks = tasks

    @abstractmethod
    def _set_up(self, tasks: tuple[str, ...]) -> None:
        """Make what depends on the number of tasks."""

    @abstractmethod
    def forward(self, losses: Tensor) -> tuple[Tensor, Tensor | float]:
        """The weights for these losses, and what is added to the weighted sum."""


@final
class FixedWeights(Weighting):
    """The weights that are given, one for each task; without any, all are 1.

    >>> FixedWeights({"seg": 1.0, "depth": 0.5})
    FixedWeights(seg=1.0, depth=0.5)
    """

    weights: Tensor

    def __init__(self, weights: Mapping[str, float] | None = None) -> None:
        super().__init__()
        if weights is not None:
            balance.require_names("FixedWeights", weights)
            _require_numbers("FixedWeights", weights)
        self.given = None if weights is None else dict(weights)

    def _set_up(self, tasks: tuple[str, ...]) -> None:
        if self.given is not None:
            balance.require_tasks("MultiTaskLoss", "weighting", tasks, self.given)
        numbers = [1.0 if self.given is None else float(self.given[task]) for task in tasks]
        self.register_buffer("weights", torch.tensor(numbers), persistent=False)

    def forward(self, losses: Tensor) -> tuple[Tensor, Tensor | float]:
        return self.weights.to(losses), 0.0

    def extra_repr(self) -> str:
        return ", ".join(f"{task}={weight}" for task, weight in (self.given or {}).items())


@final
class UncertaintyWeighting(Weighting):
    """Weights learnt as the noise of each task: exp(-s) L / 2 + s / 2, or exp(-s) L + s / 2 for a classification.

    The log-variances s are parameters: give them to the optimiser with those of the model. The total may be negative,
    and falls without bound as a loss goes to 0.

    forms     what each task is: "regression" with a squared error, or "classification" with a cross-entropy
    initial   the log-variance that each task starts with

    >>> UncertaintyWeighting({"seg": "classification", "depth": "regression"}).log_variances["seg"]
    Parameter containing:
    tensor(0., requires_grad=True)
    """

    factors: Tensor

    def __init__(self, forms: Mapping[str, balance.Form], *, initial: float = 0.0) -> None:
        super().__init__()
        balance.require_names("UncertaintyWeighting", forms, taken=dir(nn.ParameterDict))
        for task, form in forms.items():
            require_word("UncertaintyWeighting", f"the form of {task!r}", form, balance.Form)
        _require_numbers("UncertaintyWeighting", {"initial": initial})
        self.forms = dict(forms)
        self.log_variances = nn.ParameterDict(
            [(task, nn.Parameter(torch.tensor(float(initial)))) for task in self.forms]
        )

    def _set_up(self, tasks: tuple[str, ...]) -> None:
        balance.require_tasks("MultiTaskLoss", "weighting", tasks, self.forms)
        factors = torch.tensor([balance.FACTORS[self.forms[task]] for task in tasks])
        self.register_buffer("factors", factors, persistent=False)

    def forward(self, losses: Tensor) -> tuple[Tensor, Tensor | float]:
        variances = torch.stack([self.log_variances[task] for task in self.tasks]).to(losses)
        return balance.uncertainty(reader_of(losses), variances, self.factors.to(losses))

    def extra_repr(self) -> str:
        return ", ".join(f"{task}={form!r}" for task, form in self.forms.items())


@final
class DynamicWeightAverage(Weighting):
    """Weights that follow how fast each loss falls from epoch to epoch. Call `end_epoch()` after each.

    All are 1 in the first two epochs. The mean losses are buffers, saved in `state_dict`; they are gathered in
    training mode alone. Under several processes each has its own, unless you average them.

    temperature   far above 1 it evens the weights out

    >>> DynamicWeightAverage(temperature=2.0)
    DynamicWeightAverage(temperature=2.0)
    """

    sums: Tensor
    count: Tensor
    last: Tensor
    before: Tensor

    def __init__(self, temperature: float = 2.0) -> None:
        super().__init__()
        rule = Rule(Positive.__metadata__[0])  # pyright: ignore[reportAttributeAccessIssue]
        require_settings("DynamicWeightAverage", {"temperature": rule}, ("temperature",), {"temperature": temperature})
        self.temperature = temperature

    def _set_up(self, tasks: tuple[str, ...]) -> None:
        self.register_buffer("sums", torch.zeros(len(tasks)))
        self.register_buffer("count", torch.zeros(()))
        self.register_buffer("last", torch.full((len(tasks),), torch.nan))
        self.register_buffer("before", torch.full((len(tasks),), torch.nan))

    def forward(self, losses: Tensor) -> tuple[Tensor, Tensor | float]:
        if self.training:
            with torch.no_grad():
                self.sums.add_(losses.detach().to(self.sums))
                self.count.add_(1.0)
        weights = balance.dynamic_weights(reader_of(losses), self.last, self.before, self.temperature)
        return weights.to(losses), 0.0

    @torch.no_grad()
    def end_epoch(self) -> None:
        """Take the mean losses of the epoch; an epoch without a step changes nothing."""
        some = self.count > 0
        mean = self.sums / torch.clamp(self.count, min=1.0)
        self.before.copy_(torch.where(some, self.last, self.before))
        self.last.copy_(torch.where(some, mean, self.last))
        self.sums.zero_()
        self.count.zero_()

    def extra_repr(self) -> str:
        return f"temperature={self.temperature}"


@final
class RandomWeights(Weighting):
    """Weights drawn anew in each step of training; they sum to 1. In evaluation mode all are 1 / K.

    The draws come from a generator of its own, on the CPU, whose state is saved in `state_dict`; the global one is
    left alone. `torch.compile` breaks its graph at the draw.

    seed           of the generator
    distribution   normal: softmax of normal draws, as in the paper; dirichlet: even over all weights

    >>> RandomWeights(seed=1)
    RandomWeights(seed=1, distribution='normal')
    """

    def __init__(self, seed: int = 0, *, distribution: balance.Distribution = "normal") -> None:
        super().__init__()
        require_word("RandomWeights", "distribution", distribution, balance.Distribution)
        if not isinstance(seed, int):
            raise SettingError(message("RandomWeights: seed must be a whole number", {"seed": repr(seed)}))
        self.seed = seed
        self.distribution: balance.Distribution = distribution
        self.generator = torch.Generator().manual_seed(seed)

    def _set_up(self, tasks: tuple[str, ...]) -> None:
        """Nothing depends on the tasks but the number of draws."""

    def forward(self, losses: Tensor) -> tuple[Tensor, Tensor | float]:
        if not self.training:
            return torch.full_like(losses, 1.0 / len(self.tasks)), 0.0
        return balance.random_weights(reader_of(losses), _draw(self).to(losses), self.distribution), 0.0

    def get_extra_state(self) -> Tensor:
        return self.generator.get_state()

    def set_extra_state(self, state: Tensor) -> None:
        self.generator.set_state(state.cpu())

    def __getstate__(self) -> dict[str, Any]:
        """For pickle and deepcopy: a generator is its state."""
        return {**self.__dict__, "generator": self.generator.get_state()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        generator = torch.Generator()
        generator.set_state(state["generator"])
        super().__setstate__({**state, "generator": generator})

    def extra_repr(self) -> str:
        return f"seed={self.seed}, distribution={self.distribution!r}"


def _drawn(weighting: RandomWeights) -> Tensor:
    draws = torch.empty(len(weighting.tasks))
    if weighting.distribution == "normal":
        return draws.normal_(generator=weighting.generator)
    return draws.exponential_(generator=weighting.generator)


_draw: Any = torch.compiler.disable(_drawn)  # which takes no generator


def _require_numbers(caller: str, given: Mapping[str, float]) -> None:
    rule = Rule(Interval("a finite number", open_low=True, open_high=True))
    require_settings(caller, dict.fromkeys(given, rule), tuple(given), given)
