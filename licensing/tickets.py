"""Tickets: 24 random symbols of Crockford's base 32 (120 bits) and a check symbol of the same alphabet.

The check symbol is a weighted sum over the field with 32 elements, its weights the powers of a generator. It catches
every wrong symbol and every exchange of two symbols, wherever they stand: no two of the 25 weights are equal, and none
is zero (the generator has order 31).
"""

from collections.abc import Callable

from licensing.errors import TicketUnknown

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
SYMBOLS = 25
_GROUP = 5
_READ = {
    **{symbol: value for value, symbol in enumerate(ALPHABET)},
    **{symbol.lower(): value for value, symbol in enumerate(ALPHABET)},
    **dict.fromkeys("Oo", 0),
    **dict.fromkeys("IiLl", 1),
}
_FIELD_POLYNOMIAL = 0b100101


def _times_generator(value: int) -> int:
    """Multiply by x in GF(32) with the primitive polynomial x^5 + x^2 + 1."""
    value <<= 1
    return value ^ _FIELD_POLYNOMIAL if value & 0b100000 else value


def _check(values: list[int]) -> int:
    """Give the check value: the sum that, times the generator once more, the whole ticket adds up to zero with."""
    total = 0
    for value in values:
        total = _times_generator(total ^ value)
    return total


def new_ticket(random: Callable[[int], bytes]) -> str:
    """Make a ticket, such as `7Q2MC-...`, from 15 random bytes."""
    number = int.from_bytes(random(15))
    values = [(number >> (5 * place)) & 31 for place in reversed(range(SYMBOLS - 1))]
    symbols = "".join(ALPHABET[value] for value in [*values, _check(values)])
    return "-".join(symbols[at : at + _GROUP] for at in range(0, SYMBOLS, _GROUP))


def normalise_ticket(text: str, *, path: str = "ticket") -> str:
    """Give a ticket as it was made, whatever its case, hyphens, spaces, and O for 0 or I and L for 1.

    Raises TicketUnknown for a text that no ticket can be, without asking anybody.
    """
    values = [_READ.get(symbol) for symbol in text if symbol not in "- \t\r\n"]
    known = [value for value in values if value is not None]
    if len(known) != len(values) or len(known) != SYMBOLS or _check(known[:-1]) != known[-1]:
        raise TicketUnknown("there is no such ticket; compare it symbol by symbol with the order's", path=path)
    symbols = "".join(ALPHABET[value] for value in known)
    return "-".join(symbols[at : at + _GROUP] for at in range(0, SYMBOLS, _GROUP))


def ending(ticket: str) -> str:
    """Give the last five symbols, all of a ticket that a log may show."""
    return ticket[-_GROUP:]
