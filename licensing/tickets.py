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


# Two symbols at a time take a third of the time: what a pair reads as, what it adds to the check, and what the check of
# all before it becomes behind two more symbols.
_PAIRS = tuple(first + second for first in ALPHABET for second in ALPHABET)
_PAIR_CHECKS = bytes(_check([first, second]) for first in range(32) for second in range(32))
_TWICE = bytes(_times_generator(_times_generator(value)) for value in range(32))
_PAIR_PLACES = tuple(range(5 * (SYMBOLS - 3), -1, -10))


def new_ticket(random: Callable[[int], bytes]) -> str:
    """Make a ticket, such as `7Q2MC-...`, from 15 random bytes."""
    number = int.from_bytes(random(15))
    pairs = [(number >> place) & 1023 for place in _PAIR_PLACES]
    check = 0
    for pair in pairs:
        check = _TWICE[check] ^ _PAIR_CHECKS[pair]
    return _grouped("".join([_PAIRS[pair] for pair in pairs]) + ALPHABET[check])


def _grouped(symbols: str) -> str:
    return f"{symbols[:5]}-{symbols[5:10]}-{symbols[10:15]}-{symbols[15:20]}-{symbols[20:]}"


def normalise_ticket(text: str, *, path: str = "ticket") -> str:
    """Give a ticket as it was made, whatever its case, hyphens, spaces, and O for 0 or I and L for 1.

    Raises TicketUnknown for a text that no ticket can be, without asking anybody.
    """
    values = [_READ.get(symbol) for symbol in text if symbol not in "- \t\r\n"]
    known = [value for value in values if value is not None]
    if len(known) != len(values) or len(known) != SYMBOLS or _check(known[:-1]) != known[-1]:
        raise TicketUnknown("there is no such ticket; compare it symbol by symbol with the order's", path=path)
    return _grouped("".join([ALPHABET[value] for value in known]))


def ending(ticket: str) -> str:
    """Give the last five symbols, all of a ticket that a log may show."""
    return ticket[-_GROUP:]
