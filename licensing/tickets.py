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


# Written two symbols at a time.
_PAIRS = tuple(first + second for first in ALPHABET for second in ALPHABET)
_PAIR_PLACES = tuple(range(5 * (SYMBOLS - 3), -1, -10))


def _values(number: int) -> list[int]:
    """Give the symbols of a ticket before its check, as values, of their 120 bits."""
    return [(number >> place) & 31 for place in range(5 * (SYMBOLS - 2), -1, -5)]


def _check_mask(check_bit: int) -> int:
    """Give the bits of a ticket that a bit of the check depends on: it is their sum, since the check is linear."""
    return sum(1 << bit for bit in range(5 * (SYMBOLS - 1)) if _check(_values(1 << bit)) >> check_bit & 1)


_CHECK_4, _CHECK_3, _CHECK_2, _CHECK_1, _CHECK_0 = (_check_mask(bit) for bit in (4, 3, 2, 1, 0))


def new_ticket(random: Callable[[int], bytes]) -> str:
    """Make a ticket, such as `7Q2MC-...`, from 15 random bytes."""
    number = int.from_bytes(random(15))
    check = (
        ((number & _CHECK_4).bit_count() & 1) << 4
        | ((number & _CHECK_3).bit_count() & 1) << 3
        | ((number & _CHECK_2).bit_count() & 1) << 2
        | ((number & _CHECK_1).bit_count() & 1) << 1
        | (number & _CHECK_0).bit_count() & 1
    )
    return _grouped("".join([_PAIRS[number >> place & 1023] for place in _PAIR_PLACES]) + ALPHABET[check])


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
