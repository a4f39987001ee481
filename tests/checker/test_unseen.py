"""Of losses that the inference was not written on, at least 95 % get the right contract among its three readings."""

import pytest
from unseen_losses import DICTIONARIES, UNSEEN

from lossmith.checker.infer import infer, readings
from lossmith.checker.spoken import side_of, spoken_of
from lossmith.checker.subject import Subject
from lossmith.errors import ContractError


def subject(loss):
    return Subject.of(getattr(loss, "__name__", type(loss).__name__), loss)


def read(loss):
    try:
        return [", ".join(contract.kinds()) for contract in readings(subject(loss))[:3]]
    except ContractError:
        return []


def share(rows, first_only=False):
    right = [set(read(loss)[: 1 if first_only else 3]) & {t.strip() for t in takes.split("|")} for loss, takes in rows]
    return sum(bool(found) for found in right) / len(rows)


def test_ninety_five_of_a_hundred_are_among_the_first_three():
    assert len(UNSEEN) >= 40
    assert share(UNSEEN) >= 0.95
    assert share(UNSEEN, first_only=True) >= 0.9


def test_the_share_can_fail():
    turned = [(loss, ", ".join(reversed(takes.split(", "))) + ", count") for loss, takes in UNSEEN[:5]]
    assert share(turned) == 0.0


@pytest.mark.parametrize("loss", DICTIONARIES, ids=lambda loss: loss.__name__)
def test_what_takes_a_dictionary_or_a_list_is_said_to_need_an_example(loss):
    with pytest.raises(ContractError, match="def example"):
        infer(subject(loss))


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
