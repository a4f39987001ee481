"""LS607 on losses that remember or draw, and on their nearest innocent neighbours."""

import itertools
import random
from typing import Any

import numpy as np
import pytest
import torch
from reproducing import run_reproducer
from ruletest import answer, printed, subject_of
from shipped import each_shipped, shipped
from torch import Tensor, nn

from lossmith.checker.memory import Snapshot
from lossmith.checker.rules import ls607_hidden_state_or_rng as rule

REAL = {"pred": "real[N,C]", "target": "real[N,C]"}
HISTORY: list[Tensor] = []
WEIGHTS: dict[Any, Tensor] = {}


class RunningScale(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = 1.0

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        loss = (pred - target).abs().mean()
        self.scale = 0.9 * self.scale + 0.1 * loss.item()
        return loss / self.scale


class InABuffer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.ones(()))

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        loss = (pred - target).abs().mean()
        self.mean.lerp_(loss.detach(), 0.1)
        return loss / self.mean


class Normalized(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(5)

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        return (self.norm(pred) - target).square().mean()


class OwnGenerator(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.generator = torch.Generator().manual_seed(3)

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        return (pred + torch.randn(pred.shape, generator=self.generator) - target).square().mean()


class Counting(nn.Module):
    """Counts its calls and does nothing with the number."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        self.calls += 1
        return (pred - target).square().mean()


class Dropped(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.dropout = nn.Dropout(0.5)

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        return self.dropout((pred - target).square()).mean()


def noisy(pred: Tensor, target: Tensor) -> Tensor:
    return (pred + 0.1 * torch.randn_like(pred) - target).square().mean()


def by_python(pred: Tensor, target: Tensor) -> Tensor:
    return (pred - target).square().mean() * (1 + random.random())


def by_numpy(pred: Tensor, target: Tensor) -> Tensor:
    return (pred - target).square().mean() * (1 + float(np.random.rand()))


def relative_to_history(pred: Tensor, target: Tensor) -> Tensor:
    loss = (pred - target).square().mean()
    HISTORY.append(loss.detach())
    return loss / torch.stack(HISTORY).sum()


def counter_of_calls() -> Any:
    ticks = itertools.count()

    def growing(pred: Tensor, target: Tensor) -> Tensor:
        return (pred - target).square().mean() * (1 + next(ticks))

    return growing


def idle_draw(pred: Tensor, target: Tensor) -> Tensor:
    torch.rand(1)
    return (pred - target).square().mean()


def cached(pred: Tensor, target: Tensor) -> Tensor:
    weight = WEIGHTS.setdefault(pred.shape, torch.ones(pred.shape))
    return (weight * (pred - target).square()).mean()


def fixed_noise(pred: Tensor, target: Tensor) -> Tensor:
    noise = torch.randn(pred.shape, generator=torch.Generator().manual_seed(0))
    return (pred + noise - target).square().mean()


@pytest.mark.parametrize(
    ("loss", "cell"), [(RunningScale(), "scale"), (InABuffer(), "mean"), (relative_to_history, "HISTORY")]
)
def test_what_is_remembered_is_named_by_setting_it_back(loss: Any, cell: str) -> None:
    status, (found,) = answer(rule, loss, **REAL)
    severity = "info" if isinstance(loss, InABuffer) else "warning"  # registered, as the statistics of a batch norm
    assert (status.status, found.code, found.severity) == ("failed", "LS607", severity)
    assert found.message.endswith("remembers earlier calls")
    assert found.evidence["first call"] != found.evidence["after another batch"]
    assert found.why == f"with {cell} set back, the first value is back"


def test_the_values_shown_are_those_of_the_first_and_third_call() -> None:
    _, (found,) = answer(rule, RunningScale(), **REAL)
    loss = RunningScale()
    numbers = [torch.tensor(eval(found.evidence[name])) for name in ("pred", "target")]
    assert float(found.evidence["first call"]) == pytest.approx(float(loss(*numbers)), rel=1e-4)


def test_the_trials_of_memory_are_undone() -> None:
    subject = subject_of(relative_to_history, **REAL)
    HISTORY.clear()
    answer(rule, subject)
    assert len(HISTORY) <= 2  # to see that it runs at all; every later call is taken back


def test_a_generator_of_its_own_is_called_that() -> None:
    _, (found,) = answer(rule, OwnGenerator(), **REAL)
    assert found.message.endswith("the loss draws from a generator of its own (generator)")


@pytest.mark.parametrize(("loss", "call"), [(noisy, "randn_like()"), (Dropped(), "dropout()")])
def test_the_global_generator_is_told_by_the_seed(loss: Any, call: str) -> None:
    _, (found,) = answer(rule, loss, **REAL)
    assert found.severity == "info"  # its name, or the call, says so
    assert "draws from the global random generator" in found.message
    assert found.evidence["value with seed 0"] != found.evidence["value with seed 1"]
    assert call in found.why


def shaken(pred: Tensor, target: Tensor) -> Tensor:
    return (pred + torch.randn_like(pred) - target).square().mean()


def shaken_with_a_guard(pred: Tensor, target: Tensor, eps: float = 1e-6) -> Tensor:
    """The root of a mean over all samples."""
    return ((pred + torch.randn_like(pred) - target).square().mean() + eps).sqrt()


def of_a_latent(pred: Tensor, target: Tensor) -> Tensor:
    eps = torch.randn_like(pred)
    return (pred + 0.1 * eps - target).square().mean()


class Negatives(nn.Module):
    def __init__(self, negatives: int = 3) -> None:
        super().__init__()
        self.negatives, self.generator = negatives, torch.Generator().manual_seed(0)

    def forward(self, users: Tensor, items: Tensor) -> Tensor:
        drawn = torch.randint(len(items), (len(users), self.negatives), generator=self.generator)
        return ((users[:, None] * items[drawn]).sum(-1) - (users * items).sum(-1, keepdim=True)).exp().mean()


def test_what_says_that_it_draws_or_remembers_is_information_and_what_does_not_is_a_warning() -> None:
    losses = (shaken, InABuffer(), RunningScale(), shaken_with_a_guard, of_a_latent)
    found = [answer(rule, loss, **REAL)[1][0] for loss in losses]
    assert [each.severity for each in found] == ["warning", "info", "warning", "warning", "info"]
    _, (own,) = answer(rule, Negatives(), users="embedding[N,D]", items="embedding[N,D]")
    assert own.severity == "info"


@pytest.mark.parametrize(("loss", "source"), [(by_python, "Python's `random`"), (by_numpy, "numpy's global generator")])
def test_other_generators_are_named_by_seeding_them(loss: Any, source: str) -> None:
    _, (found,) = answer(rule, loss, **REAL)
    assert found.why == f"with {source} seeded before each call the value stays"


def test_python_and_numpy_draw_on_as_if_nothing_had_happened() -> None:
    random.seed(5)
    np.random.seed(5)
    wanted = random.random(), np.random.rand()
    random.seed(5)
    np.random.seed(5)
    answer(rule, nn.MSELoss(), **REAL)
    assert (random.random(), np.random.rand()) == wanted


def test_batch_statistics_are_memory() -> None:
    _, (found,) = answer(rule, Normalized(), **REAL)
    assert found.severity == "warning"
    assert "norm.running_mean" in found.evidence["changed"]
    assert found.evidence["in eval mode, new"] != found.evidence["after one call in training"]


def test_a_counter_in_a_closure_is_memory() -> None:
    _, (found,) = answer(rule, counter_of_calls(), **REAL)
    assert found.severity == "warning"


def test_an_idle_draw_is_information() -> None:
    _, (found,) = answer(rule, idle_draw, **REAL)
    assert found.severity == "info"
    assert found.why == "rand() draws"


@pytest.mark.parametrize("loss", [Counting(), cached, fixed_noise, nn.HuberLoss()])
def test_what_does_not_reach_the_value_is_innocent(loss: Any) -> None:
    assert answer(rule, loss, **REAL)[0].status == "passed"


def test_a_snapshot_sees_and_undoes_a_change() -> None:
    loss = RunningScale()
    kept = Snapshot(loss)
    loss.scale = 7.0
    assert kept.changed() == ["scale"]
    kept.restore("scale")
    assert (loss.scale, kept.changed()) == (1.0, [])


def test_the_printed_text_is_stable() -> None:
    lines = printed(rule, idle_draw, **REAL).splitlines()
    assert lines[3] == "    the call moves the global random generator, though the value does not depend on it"
    assert lines[6:9] == [
        "    why     rand() draws",
        "    fix     leave the draw out: it changes every later draw of the program",
        "    allow   --ignore LS607",
    ]


def test_the_reproducer_prints_another_value_at_the_third_call(tmp_path) -> None:
    source = """
        class Remembering(nn.Module):
            def __init__(self):
                super().__init__()
                self.total = 0.0

            def forward(self, pred, target):
                loss = (pred - target).abs().mean()
                self.total += float(loss.detach())
                return loss / self.total
    """
    _, lines = run_reproducer(tmp_path, rule, source, "Remembering", **REAL)
    assert [line.split()[0] for line in lines] == ["0", "1", "2"]
    assert lines[0].split()[1] != lines[2].split()[1]


@each_shipped
def test_shipped_losses_are_clean(family: str) -> None:
    status, findings = answer(rule, shipped(family))
    assert (status.status, findings) == ("passed", [])


class Scattered(nn.Module):
    """Errors where something was observed, written into memory that may hold anything elsewhere."""

    def __init__(self, make: Any = torch.empty_like) -> None:
        super().__init__()
        self.make = make

    def forward(self, pred: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        values = torch.empty_like(pred) if self.make is torch.empty_like else torch.zeros_like(pred)
        values[mask > 0] = (pred - target)[mask > 0].square()
        return values.sum() / mask.sum()


def test_memory_that_is_never_written_is_told() -> None:
    flags = {**REAL, "mask": "mask[N,C]"}
    _, (found,) = answer(rule, Scattered(), **flags)
    assert (found.severity, found.fix) == ("warning", "zeros_like(...), or write every entry of it")
    assert "memory that was never written" in found.message
    assert answer(rule, Scattered(torch.zeros_like), **flags)[1] == []


SEEDED = {
    "the global random generator": """
        BEGUN = torch.get_rng_state()

        def torchs(pred, target):
            torch.set_rng_state(BEGUN)
            return (pred - target).square().mean()
    """,
    "numpy's global generator": """
        import numpy as np

        def numpys(pred, target):
            np.random.seed(0)
            share = float(np.random.beta(1.0, 1.0))
            return share * (pred - target).square().mean() + (1 - share) * (pred - target).abs().mean()
    """,
    "Python's `random`": """
        import random

        def pythons(pred, target):
            random.seed(0)
            return (1 + random.random()) * (pred - target).square().mean()
    """,
}


@pytest.mark.parametrize(("name", "loss"), list(zip(SEEDED, ("torchs", "numpys", "pythons"), strict=True)))
def test_a_seed_is_told_whichever_generator_it_is_of(name: str, loss: str, tmp_path) -> None:
    found, draws = run_reproducer(tmp_path, rule, SEEDED[name], loss, **REAL)
    assert (found.severity, found.message) == ("warning", f"the call sets the seed of {name}")
    assert len(draws) == 3
    assert len(set(draws)) == 1


def mixed_by_its_own(pred: Tensor, target: Tensor) -> Tensor:
    share = float(np.random.default_rng(0).beta(1.0, 1.0))
    return share * (pred - target).square().mean() + (1 - share) * (pred - target).abs().mean()


def test_a_generator_of_its_own_sets_no_seed() -> None:
    assert answer(rule, mixed_by_its_own, **REAL)[1] == []


class Counted(nn.Module):
    """A share that grows at each call; so few samples show it only later. Or a counter that nothing asks."""

    def __init__(self, used: bool) -> None:
        super().__init__()
        self.used, self.share = used, 0.5

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        each = (pred - target).abs().flatten()
        self.share = min(1.0, self.share + 0.02)
        return each.sort().values[: max(int((self.share if self.used else 0.5) * len(each)), 1)].mean()


def test_what_shows_after_several_calls_is_told():
    _, (found,) = answer(rule, Counted(used=True), **REAL)
    assert "with share set back" in found.why
    assert "range(14)" in found.reproducer or found.reproducer == ""
    assert answer(rule, Counted(used=False), **REAL)[0].status == "passed"


def shuffled(pred: Tensor, target: Tensor) -> Tensor:
    return (pred[torch.as_tensor(np.random.permutation(len(pred)))] - target).square().mean()


@pytest.mark.parametrize("seed", range(4))
def test_an_order_of_two_is_seen_whatever_comes_first(seed: int) -> None:
    np.random.seed(seed)  # a permutation of two is the same as the one before it half of the time
    _, (found,) = answer(rule, shuffled, **REAL)
    assert (found.severity, found.why) == (
        "warning",
        "with numpy's global generator seeded before each call the value stays",
    )
