"""The largest message of each operation, made of its schema, and wrong in its last element, its first or in each.

For who is known, and, where somebody must be, for a stranger. An element that nothing declares ends each, so that none
is valid.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

from attack_cases import Attack, both

from server.settings import Settings
from soap import Contract, load_contract
from soap.contract import Operation
from soap.schema import Field, SimpleType

SERVICES = ("sales", "depot", "ozomm", "admin")
IDENTIFIED = frozenset({"sales", "admin"})
"""The services that ask who is calling, before they believe a body."""

SETTINGS = Settings()
AROUND_BYTES = 1_000
AROUND_ELEMENTS = 20
"""Room for the envelope and what ends a message."""

MANY = 1_000_000_000
INNER = (384, 100, 40, 16, 8, 4, 2, 1, 0)
"""How many entries the lists in an entry may have; what makes the most elements is taken."""

WRONG = {"int": "x", "long": "x", "boolean": "x", "dateTime": "x", "base64Binary": "@"}


@dataclass(frozen=True, kw_only=True)
class Wrong:
    """What is wrong in each element, or right: `value` in each value, `attribute` on each element, `text` between."""

    value: bool = False
    inside: str = ""
    attribute: str = ""
    text: str = ""
    absent: bool = False
    """Elements that are optional are empty."""
    nil: bool = False


RIGHT = Wrong()
EVERYWHERE = {
    "as much as may be, right but for the end": RIGHT,
    "each value wrong": Wrong(value=True),
    "an element in each value": Wrong(inside="<x/>"),
    "an attribute on each element": Wrong(attribute=" a=''"),
    "three attributes on each element and each value wrong": Wrong(attribute=" a='' b='' c=''", value=True),
    "text between all": Wrong(text="x"),
    "all that is optional absent": Wrong(absent=True),
    "all that is optional nil": Wrong(absent=True, nil=True),
    "each said not to be nil": Wrong(attribute=" xsi:nil='0'"),
    "each said to be nil": Wrong(attribute=" xsi:nil='1'"),
    "each of another type": Wrong(attribute=" xsi:type='m:x'"),
}


@dataclass(frozen=True, kw_only=True)
class Largest:
    """Writes the largest messages of one operation."""

    contract: Contract
    operation: Operation
    elements: int
    bytes: int
    least: int = 0
    """A smaller message of it has the limits of others; spaces make it larger."""

    @property
    def lists(self) -> tuple[Field, ...]:
        return tuple(each for each in self.operation.request.fields if each.many)

    def body(self, inner: str) -> str:
        name = self.operation.request_tag.rpartition("}")[2]
        declared = f'xmlns="{self.contract.namespace}" xmlns:m="{self.contract.namespace}"'
        return f"<{name} {declared}>{inner}<wrong/></{name}>{' ' * (self.least - len(inner))}"

    def everywhere(self, wrong: Wrong, *, first: Wrong | None = None) -> str:
        """Write it with this in each element, and `first` in the first entry of its list."""
        candidates = [self._filled(wrong, most, first) for most in INNER]
        return self.body(max(candidates, key=lambda text: (text.count("<"), len(text))))

    def repeated(self, piece: str) -> str:
        """Write a piece as often as it may be."""
        count = min((self.bytes - AROUND_BYTES) // len(piece), (self.elements - AROUND_ELEMENTS) // _elements(piece))
        return self.body(piece * count)

    def _filled(self, wrong: Wrong, most: int, first: Wrong | None) -> str:
        """Fill the list of a message with entries, each of whose lists has so many; '' for one that is too large."""
        out = []
        left_bytes, left_elements = self.bytes - AROUND_BYTES, self.elements - AROUND_ELEMENTS
        for each in self.operation.request.fields:
            entry = _written(each, wrong, most)
            times = min(each.most or MANY, left_bytes // len(entry), left_elements // _elements(entry))
            if not times:
                continue
            text = entry * times
            if first is not None:
                text = _written(each, first, 1) + text[len(entry) :]
            left_bytes, left_elements = left_bytes - len(text), left_elements - _elements(text)
            out.append(text)
        return "".join(out) if left_bytes >= 0 and left_elements >= 0 else ""


def _elements(text: str) -> int:
    """Count elements, or attributes where there are more of these: the limit is the same."""
    return max(1, text.count("<") - text.count("</"), text.count("="))


def _written(each: Field, wrong: Wrong, most: int) -> str:
    name, type_ = each.name, each.type
    if each.optional and wrong.absent and not each.many:
        return f"<{name} xsi:nil='1'/>" if wrong.nil else f"<{name}/>"
    if isinstance(type_, SimpleType):
        return f"<{name}{wrong.attribute}>{wrong.inside or _value(type_, wrong)}</{name}>"
    inner = (_written(one, wrong, most) * min(one.most or MANY, most if one.many else 1) for one in type_.fields)
    return f"<{name}{wrong.attribute}>{wrong.text}{wrong.text.join(inner)}</{name}>"


def _value(type_: SimpleType, wrong: Wrong) -> str:
    facets = dict(type_.facets)
    if wrong.value:
        return WRONG.get(type_.built_in, "x" if "enumeration" in facets else "")
    listed = [value for name, value in type_.facets if name == "enumeration"]
    if listed:
        return listed[0]
    return {
        "string": "a" * max(1, int(facets.get("minLength", 1))),
        "boolean": "true",
        "dateTime": "2026-01-31T12:00:00Z",
        "base64Binary": "AAAA",
    }.get(type_.built_in, facets.get("minInclusive", "1"))


def _of(largest: Largest) -> Iterator[tuple[str, partial[str]]]:
    for name, wrong in EVERYWHERE.items():
        yield name, partial(largest.everywhere, wrong)
    yield "the first value wrong", partial(largest.everywhere, RIGHT, first=Wrong(value=True))
    yield (
        "the first absent, and all that is optional absent",
        partial(largest.everywhere, Wrong(absent=True), first=Wrong(absent=True, nil=True)),
    )
    for name, piece in (("elements that nothing declares", "<x/>"), ("such elements deep", "<x><y><z/></y></x>")):
        yield name, partial(largest.repeated, piece)
    for each in largest.operation.request.fields:
        yield f"{each.name}, empty, as often as may be", partial(largest.repeated, f"<{each.name}/>")
    for each in largest.lists:
        entry = _written(each, RIGHT, 1)
        yield f"{each.name}, right, as often as may be", partial(largest.repeated, entry)
        same = entry.replace("</", "<!----></", 1)
        yield f"{each.name} with a comment, as often as may be", partial(largest.repeated, same)


def _largest(service: str) -> Iterator[Largest]:
    contract, own = load_contract(f"v1/{service}.wsdl"), SETTINGS.own_limits
    for operation in contract.operations.values():
        usual = SETTINGS.xml_limits
        limits = (own if service == "sales" else {}).get(operation.name, usual)
        least = usual.max_bytes if limits is not usual else 0
        yield Largest(
            contract=contract, operation=operation, elements=limits.elements, bytes=limits.max_bytes, least=least
        )


def attacks() -> Iterator[Attack]:
    for service in SERVICES:
        for largest in _largest(service):
            for name, body in _of(largest):
                about = f"{service}, {largest.operation.name}: {name}"
                known, _ = both(about, "SchemaViolation", body, service=service)
                yield replace(known, admin=service == "admin")
                if service in IDENTIFIED:
                    stranger, _ = both(
                        f"{about}, of a stranger", "NotIdentified", body, service=service, identified=False
                    )
                    yield replace(stranger, admin=service == "admin")
