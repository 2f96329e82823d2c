"""Tickets: the check symbol catches every wrong symbol and every exchange of two, and reading is forgiving."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from licensing.errors import TicketUnknown
from licensing.tickets import ALPHABET, ending, new_ticket, normalise_ticket

TICKETS = [new_ticket(random.Random(seed).randbytes) for seed in range(5)]


def test_a_ticket_has_five_groups_of_the_alphabet_and_120_bits() -> None:
    assert new_ticket(bytes) == "00000-00000-00000-00000-00000"
    assert set("".join(TICKETS)) <= {*ALPHABET, "-"}
    assert [len(group) for group in TICKETS[0].split("-")] == [5, 5, 5, 5, 5]


@pytest.mark.parametrize("ticket", TICKETS)
def test_every_single_wrong_symbol_is_caught(ticket: str) -> None:
    for place, right in enumerate(ticket):
        if right != "-":
            for wrong in set(ALPHABET) - {right}:
                with pytest.raises(TicketUnknown):
                    normalise_ticket(ticket[:place] + wrong + ticket[place + 1 :])


@pytest.mark.parametrize("ticket", TICKETS)
def test_every_exchange_of_two_different_symbols_is_caught(ticket: str) -> None:
    symbols = ticket.replace("-", "")
    for first in range(25):
        for second in range(first):
            if symbols[first] != symbols[second]:
                swapped = list(symbols)
                swapped[first], swapped[second] = swapped[second], swapped[first]
                with pytest.raises(TicketUnknown):
                    normalise_ticket("".join(swapped))


@given(st.binary(min_size=15, max_size=15))
def test_reading_forgives_case_hyphens_spaces_and_look_alikes(data: bytes) -> None:
    ticket = new_ticket(lambda _: data)
    for text in (ticket, ticket.lower(), ticket.replace("-", ""), f" {ticket.replace('-', ' ')}\n"):
        assert normalise_ticket(text) == ticket
    assert normalise_ticket(ticket.replace("0", "O").replace("1", "l")) == ticket
    assert normalise_ticket(ticket.replace("0", "o").replace("1", "I")) == ticket
    assert ending(ticket) == ticket[-5:]


@given(st.text(max_size=60))
def test_any_text_is_a_ticket_or_unknown_and_is_never_echoed(text: str) -> None:
    said = ""
    try:
        normalise_ticket(text)
    except TicketUnknown as refused:
        said = refused.message
    assert len(text) < 5 or text not in said
