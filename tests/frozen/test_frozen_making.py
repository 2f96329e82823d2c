"""A frozen value that was made quickly is one like any other."""

import copy
import inspect
import pickle
from dataclasses import FrozenInstanceError, dataclass, field, replace
from datetime import UTC, datetime
from typing import get_type_hints

import pytest

from frozen import quickly_made, replaced
from storage.records import License, Order


@dataclass(frozen=True, kw_only=True, slots=True)
class Slow:
    """As it comes from the standard library."""

    number: int
    text: str = "text"
    secret: bytes = field(default=b"", repr=False)


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class Quick:
    """The same, made quickly."""

    number: int
    text: str = "text"
    secret: bytes = field(default=b"", repr=False)


def test_it_is_made_shown_compared_and_copied_as_before():
    for values in ({"number": 1}, {"number": 2, "text": "t", "secret": b"s"}):
        quick, slow = Quick(**values), Slow(**values)
        assert repr(quick).replace("Quick", "Slow") == repr(slow)
        assert type(quick) is Quick
        assert quick == Quick(**values) != Quick(number=3)
        assert hash(quick) == hash(Quick(**values)) == hash(slow)
        assert replace(quick, text="u") == Quick(**{**values, "text": "u"})
        assert copy.deepcopy(quick) == copy.copy(quick) == pickle.loads(pickle.dumps(quick)) == quick
    assert quick != slow
    match quick:
        case Quick(number=number):
            assert number == 2
    assert inspect.signature(Quick) == inspect.signature(Slow)
    assert get_type_hints(Quick.__init__) == get_type_hints(Slow.__init__)


@pytest.mark.parametrize("changes", [{}, {"number": 2}, {"text": "u", "secret": b"t"}], ids=str)
def test_another_value_is_what_the_standard_library_makes_and_the_first_stays(changes):
    quick = Quick(number=1, secret=b"s")
    other = replaced(quick, **changes)
    assert other == replace(quick, **changes)
    assert type(other) is Quick
    assert quick == Quick(number=1, secret=b"s")
    with pytest.raises(FrozenInstanceError):
        other.number = 3


def test_what_it_does_not_have_and_what_is_not_quickly_made_are_refused():
    with pytest.raises(TypeError, match="other"):
        replaced(Quick(number=1), other=2)
    with pytest.raises(KeyError):
        replaced(Slow(number=1), number=2)


@pytest.mark.parametrize("values", [{}, {"number": 1, "other": 2}], ids=["missing", "unknown"])
def test_a_wrong_call_is_refused(values):
    with pytest.raises(TypeError, match="__init__"):
        Quick(**values)
    with pytest.raises(TypeError, match="__init__"):
        Quick(1)


@pytest.mark.parametrize("name", ["number", "other", "__class__"])
def test_nothing_can_be_changed_afterwards(name):
    quick = Quick(number=1)
    with pytest.raises((FrozenInstanceError, TypeError)):
        setattr(quick, name, 2)
    with pytest.raises((FrozenInstanceError, AttributeError)):
        delattr(quick, "number")
    assert quick == Quick(number=1)


def test_the_rows_of_an_order_are_frozen():
    order = Order(
        order_id="o",
        shop_id="s",
        transaction_id="t",
        order_number=None,
        ticket_id="k",
        customer_sealed=None,
        created_at=datetime(2027, 1, 1, tzinfo=UTC),
    )
    with pytest.raises(FrozenInstanceError):
        order.order_id = "p"
    assert not hasattr(order, "__dict__")
    assert "previous" in inspect.signature(License).parameters


def test_other_classes_are_refused():
    @dataclass(kw_only=True, slots=True)
    class Open:
        number: int

    @dataclass(frozen=True, kw_only=True)
    class WithoutSlots:
        number: int

    @dataclass(frozen=True, slots=True)
    class Positional:
        number: int

    @dataclass(frozen=True, kw_only=True, slots=True)
    class Growing:
        numbers: list[int] = field(default_factory=list)

    @dataclass(frozen=True, kw_only=True, slots=True)
    class Checked:
        number: int

        def __post_init__(self):
            assert self.number

    @dataclass(frozen=True, kw_only=True, slots=True)
    class Inherited(Slow):
        more: int

    for kind in (Open, WithoutSlots, Positional, Growing, Checked, Inherited):
        with pytest.raises(TypeError):
            quickly_made(kind)
