"""Names made to collide in hash tables: those of Java, of Python 2, of FNV and of djb2. Here tables are salted."""

from collections.abc import Callable, Iterator
from functools import cache, partial
from itertools import islice, product

from attack_cases import Attack, both, order

MOST = 15_000


def _of_java() -> Iterator[str]:
    """`Aa` and `BB` have the same hash there, and so has each row of them."""
    yield from ("".join(pairs) for pairs in product(("Aa", "BB"), repeat=14))


def _of_djb2() -> Iterator[str]:
    """33 x + y stays the same where x grows by 1 and y falls by 33."""
    yield from ("n" + "".join(pairs) for pairs in product(("bA", "ab"), repeat=14))


def _hash_fnv(text: str) -> int:
    value = 0x811C9DC5
    for character in text.encode():
        value = ((value ^ character) * 0x01000193) & 0xFFFFFFFF
    return value


@cache
def _of_fnv() -> tuple[str, ...]:
    """Names in the same one of 64 buckets."""
    found = (f"a{n:x}" for n in range(400_000) if _hash_fnv(f"a{n:x}") % 64 == 7)
    return tuple(islice(found, 4_000))


def _of_one_length() -> Iterator[str]:
    """Same first and last letter, same length: the hash of old dictionaries of names."""
    yield from (f"n{n:06}z" for n in range(MOST))


TABLES: dict[str, Callable[[], Iterator[str] | tuple[str, ...]]] = {
    "Java": _of_java,
    "djb2": _of_djb2,
    "FNV": _of_fnv,
    "length and ends": _of_one_length,
}


def _elements(table: str, count: int) -> str:
    names = list(islice(TABLES[table](), count))
    made = "".join(f"<{name}/>" for name in names)
    return made[: made.rfind("<", 0, 250_000)]


def _attributes(table: str, per: int, count: int) -> str:
    names = islice(TABLES[table](), per * count)
    elements = ("<x " + " ".join(f'{name}=""' for name in islice(names, per)) + "/>" for _ in range(count))
    return "".join(elements)


def _namespaces(table: str, count: int) -> str:
    return "".join(f'<{name}:x xmlns:{name}="{name}"/>' for name in islice(TABLES[table](), count))


def attacks() -> Iterator[Attack]:
    for table in TABLES:
        yield from both(f"{table}: elements", "EnvelopeInvalid", partial(_elements, table, MOST))
        yield from both(
            f"{table}: elements in a message", "SchemaViolation", lambda t=table: order(middle=_elements(t, MOST))
        )
        yield from both(f"{table}: attributes", "EnvelopeInvalid", partial(_attributes, table, 60, 50))
        yield from both(f"{table}: attributes of one element", "TooComplex", partial(_attributes, table, 3_000, 1))
        yield from both(f"{table}: prefixes", "EnvelopeInvalid", partial(_namespaces, table, 2_000))
