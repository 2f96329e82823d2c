"""The services of the contract, found in the package, with what the rules are checked against."""

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from lxml import etree

import wsdl
from soap import ClientEngine, Contract, Engine, Reply, Version, flattened_wsdl, load_contract
from soap.names import WSA, XML, XSD
from soap.schema import ComplexType, SimpleType
from xmlgate import Limits

FOLDER = Path(wsdl.__file__).parent / "v1"
NAMES = sorted(path.stem for path in FOLDER.glob("*.wsdl"))
ADDRESS = "https://licences.example/v1/service"
XS = f"{{{XSD}}}"


@dataclass(frozen=True, kw_only=True)
class Service:
    """A service: its files as trees, its engines, and samples of its messages with every element in them."""

    contract: Contract
    messages: ModuleType
    document: etree._Element
    schema: etree._Element
    engine: Engine
    clients: dict[Version, ClientEngine]
    flattened: bytes

    def types(self, direction: str) -> Iterator[ComplexType]:
        """All complex types that requests or answers are made of, each once."""
        seen: dict[str, ComplexType] = {}
        for operation in self.contract.operations.values():
            _collect(operation.request if direction == "requests" else operation.answer, seen)
        yield from seen.values()

    def sample(self, type_: ComplexType) -> Any:
        """A message with all elements, each list with two, each value at the lower bound of its facets."""
        values: dict[str, Any] = {}
        for field in type_.fields:
            one = self._value(field.type) if isinstance(field.type, SimpleType) else self.sample(field.type)
            values[field.attribute] = (one, one) if field.many else one
        return getattr(self.messages, type_.name)(**values)

    def _value(self, type_: SimpleType) -> Any:
        node = self.schema.find(f"{XS}simpleType[@name='{type_.name}']/{XS}restriction")
        facets = {} if node is None else {etree.QName(f).localname: str(f.get("value")) for f in node}
        return {
            "string": facets.get("enumeration", "a" * int(facets.get("minLength", 1))),
            "int": int(facets.get("minInclusive", 7)),
            "long": 6_000_010,
            "boolean": True,
            "dateTime": datetime(2026, 1, 31, 12, tzinfo=UTC),
            "base64Binary": b"\x00file\xff",
        }[type_.built_in]


def _collect(type_: ComplexType, seen: dict[str, ComplexType]) -> None:
    seen[type_.name] = type_
    for field in type_.fields:
        if isinstance(field.type, ComplexType):
            _collect(field.type, seen)


@pytest.fixture(scope="session", params=NAMES)
def service(request: pytest.FixtureRequest) -> Service:
    contract = load_contract(f"v1/{request.param}.wsdl")
    messages = importlib.import_module(f"soap.messages.{request.param}")
    return Service(
        contract=contract,
        messages=messages,
        document=contract.document,
        schema=contract.schemas[contract.namespace],
        engine=Engine(contract, messages, limits=Limits(), validate_answers=True),
        clients={version: ClientEngine(contract, messages, version=version) for version in Version},
        flattened=flattened_wsdl(contract, address=ADDRESS),
    )


@pytest.fixture(params=list(Version), ids=["soap11", "soap12"])
def version(request: pytest.FixtureRequest) -> Version:
    found: Version = request.param
    return found


@pytest.fixture(scope="session")
def structure_of_fault() -> Callable[[Reply, Version], etree._Element | None]:
    """Check a reply against the structure of a fault message and give its detail entry.

    SOAP 1.1 section 4.4 and the schema of its envelope; SOAP 1.2 part 1 section 5.4.
    """

    def check(reply: Reply, version: Version) -> etree._Element | None:
        root = etree.fromstring(reply.body)
        s = f"{{{version}}}"
        parts = list(root)
        assert (root.tag, dict(root.attrib)) == (f"{s}Envelope", {})
        header = parts.pop(0) if len(parts) == 2 else None
        (body,) = parts
        assert (body.tag, dict(body.attrib)) == (f"{s}Body", {})
        (fault,) = body
        assert (fault.tag, dict(fault.attrib)) == (f"{s}Fault", {})
        entry = _soap11(fault) if version is Version.SOAP11 else _soap12(fault, s)
        _header(header, version, s)
        return entry

    return check


def _soap11(fault: etree._Element) -> etree._Element | None:
    names = [child.tag for child in fault]
    assert names in (["faultcode", "faultstring"], ["faultcode", "faultstring", "detail"])
    prefix, _, local = str(fault[0].text).partition(":")
    assert fault[0].nsmap[prefix] in {Version.SOAP11, WSA}
    if fault[0].nsmap[prefix] == Version.SOAP11:
        assert local in {"Client", "Server", "VersionMismatch", "MustUnderstand"}
    assert fault[1].text
    assert not len(fault[0])
    assert not len(fault[1])
    if len(fault) == 2:
        return None
    (entry,) = fault[2]
    return entry


def _soap12(fault: etree._Element, s: str) -> etree._Element:
    assert [child.tag for child in fault] == [f"{s}Code", f"{s}Reason", f"{s}Detail"]
    value, subcode = fault[0]
    prefix, _, local = str(value.text).partition(":")
    assert value.tag == f"{s}Value"
    assert value.nsmap[prefix] == Version.SOAP12
    assert local in {"Sender", "Receiver", "VersionMismatch", "MustUnderstand", "DataEncodingUnknown"}
    _subcodes(subcode, s)
    (text,) = fault[1]
    assert (text.tag, dict(text.attrib)) == (f"{s}Text", {f"{{{XML}}}lang": "en"})
    assert text.text
    (entry,) = fault[2]
    return entry


def _subcodes(subcode: etree._Element, s: str) -> None:
    assert subcode.tag == f"{s}Subcode"
    assert [child.tag for child in subcode] in ([f"{s}Value"], [f"{s}Value", f"{s}Subcode"])
    assert str(subcode[0].text).partition(":")[0] in subcode.nsmap
    for inner in subcode[1:]:
        _subcodes(inner, s)


def _header(header: etree._Element | None, version: Version, s: str) -> None:
    if header is None:
        return
    assert version is Version.SOAP12
    assert header.tag == f"{s}Header"
    assert len(header)
    for block in header:
        qualified = [block] if block.tag == f"{s}NotUnderstood" else list(block)
        assert block.tag in {f"{s}NotUnderstood", f"{s}Upgrade"}
        for element in qualified:
            assert element.tag in {f"{s}NotUnderstood", f"{s}SupportedEnvelope"}
            assert set(element.attrib) == {"qname"}
            assert str(element.get("qname")).partition(":")[0] in {*element.nsmap, "xml"}
