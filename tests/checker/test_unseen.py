"""Of losses that the inference was not written on, at least 95 % get the right contract among its three readings."""

import functools
from fnmatch import fnmatch

import pytest
import torch.nn.functional as F
from unseen_frameworks import JAX, KERAS
from unseen_losses import DICTIONARIES, UNSEEN
from unseen_structures import STRUCTURES

from lossmith.checker.infer import infer, readings
from lossmith.checker.side import side_of
from lossmith.checker.spoken import spoken_of
from lossmith.checker.subject import Subject, one_thread
from lossmith.errors import ContractError


def subject(loss):
    return Subject.of(getattr(loss, "__name__", type(loss).__name__), loss)


@functools.cache
def contracts(loss):
    try:
        with one_thread():
            return readings(subject(loss))[:3]
    except ContractError:
        return []


def read(loss):
    return [", ".join(contract.kinds()) for contract in contracts(loss)]


def share(rows, first_only=False):
    right = [set(read(loss)[: 1 if first_only else 3]) & {t.strip() for t in takes.split("|")} for loss, takes in rows]
    return sum(bool(found) for found in right) / len(rows)


def fits(contract, takes):
    """Each array has a kind that its name allows, and each name of the table is there."""
    hits = [(a, next((name for name in takes if fnmatch(a.name, name)), "")) for a in contract.arguments]
    right = all(name and argument.kind in takes[name].split() for argument, name in hits)
    return right and {name for _, name in hits} == set(takes)


def missed(rows, most=3):
    return [loss for loss, takes in rows if not any(fits(each, takes) for each in contracts(loss)[:most])]


def test_ninety_five_of_a_hundred_are_among_the_first_three():
    assert len(UNSEEN) >= 40
    assert share(UNSEEN) >= 0.95
    assert share(UNSEEN, first_only=True) >= 0.9


def test_the_share_can_fail():
    turned = [(loss, ", ".join(reversed(takes.split(", "))) + ", count") for loss, takes in UNSEEN[:5]]
    assert share(turned) == 0.0
    assert len(missed([(loss, dict.fromkeys(takes, "count")) for loss, takes in STRUCTURES[:3]])) == 3


def test_dictionaries_tuples_lists_and_other_frameworks_are_read_as_well():
    rows = [*STRUCTURES, *KERAS, *JAX[2:4]]  # compiling the others takes as long as all the rest
    assert len(rows) >= 39
    assert len(missed(rows)) <= 0.05 * len(rows)
    assert len(missed(rows, most=1)) <= 0.15 * len(rows)


@pytest.mark.parametrize("loss", DICTIONARIES, ids=lambda loss: loss.__name__)
def test_the_dictionary_and_the_list_that_once_needed_an_example_are_read(loss):
    assert {argument.name.partition("_")[0] for argument in infer(subject(loss))[0].arguments} >= {
        loss.__code__.co_varnames[0]
    }


def heads_by_number(outputs, target):
    return sum(F.cross_entropy(outputs[f"head{i}"], target) for i in range(2))


def test_keys_that_are_made_while_it_runs_are_said_to_need_an_example():
    with pytest.raises(ContractError, match="def example"):
        infer(subject(heads_by_number))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("attention_mask", "mask"),
        ("input_lengths", "lengths"),
        ("w", "weight"),
        ("pos_weight", "weight"),
        ("log_var", "real"),
        ("sigma", "positive"),
        ("target", None),
        ("y_true", None),
        ("logits", None),
    ],
)
def test_a_name_says_what_an_argument_is_or_nothing(name, kind):
    side = side_of(name)
    assert (side.kind if side else None) == kind


def test_ordinary_names_settle_nothing():
    for names in (("pred", "target"), ("input", "target"), ("x", "y"), ("y_true", "y_pred"), ("a", "b")):
        assert spoken_of(names) == ()
