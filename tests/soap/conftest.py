"""Compiled services, envelopes as text, and strategies for every message of the contract."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from types import ModuleType
from typing import Any

import pytest
from hypothesis import strategies as st
from lxml import etree

from soap import ENGINE_FAULTS, ClientEngine, Contract, Engine, Fault, SoapError, Version, load_contract
from soap.messages import depot, sales
from soap.names import XSD
from soap.schema import ComplexType, SimpleType
from xmlgate import Limits

XML_TEXT = st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff") | st.sampled_from(
    "\t\n\r\x7f\x85\u2028&<>\"']"
)
"""What XML 1.0 can carry (section 2.2), with those that writers get wrong more often."""


@dataclass(frozen=True, kw_only=True)
class Service:
    """A service of the contract from both sides, and its messages by operation as strategies."""

    contract: Contract
    messages: ModuleType
    engine: Engine
    clients: dict[Version, ClientEngine]
    requests: dict[str, st.SearchStrategy[Any]]
    answers: dict[str, st.SearchStrategy[Any]]

    def envelope(
        self,
        body: str,
        *,
        version: Version = Version.SOAP11,
        header: str = "",
        declared: str = "",
    ) -> bytes:
        """Write an envelope: prefix s for SOAP, m for the service, h for header blocks, xsi for instances."""
        return (
            f'<s:Envelope xmlns:s="{version}" xmlns:m="{self.contract.namespace}" xmlns:h="urn:opendepot:header:1"'
            f' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" {declared}>{header}<s:Body>{body}</s:Body>'
            "</s:Envelope>"
        ).encode()

    def read(self, data: bytes, *, version: Version = Version.SOAP11, soap_action: str | None = None) -> Any:
        """Open and decode a message under the Content-Type of its version."""
        received = self.engine.open(data, content_type=version.content_type, soap_action=soap_action)
        return self.engine.decode(received)

    def refusal(self, data: bytes, *, version: Version = Version.SOAP11, soap_action: str | None = None) -> SoapError:
        with pytest.raises(SoapError) as caught:
            self.read(data, version=version, soap_action=soap_action)
        return caught.value


class Strategies:
    """Strategies for the messages of a schema document, each value within its facets."""

    def __init__(self, root: etree._Element, messages: ModuleType) -> None:
        self._messages = messages
        self._types = {node.get("name"): node for node in root.iter(f"{{{XSD}}}simpleType")}
        self._most = {
            (type_.get("name"), node.get("name")): node.get("maxOccurs")
            for type_ in root.iter(f"{{{XSD}}}complexType")
            for node in type_.iter(f"{{{XSD}}}element")
        }

    def of(self, type_: ComplexType) -> st.SearchStrategy[Any]:
        """Give messages of a type."""
        values: dict[str, st.SearchStrategy[Any]] = {}
        for field in type_.fields:
            one = self.of(field.type) if isinstance(field.type, ComplexType) else self._simple(field.type)
            if field.many:
                most = str(self._most[type_.name, field.name])
                size = 3 if most == "unbounded" else min(3, int(most))
                values[field.attribute] = st.lists(one, min_size=0 if field.optional else 1, max_size=size).map(tuple)
            else:
                values[field.attribute] = st.none() | one if field.optional else one
        return st.builds(getattr(self._messages, type_.name), **values)

    def _simple(self, type_: SimpleType) -> st.SearchStrategy[Any]:
        node = self._types.get(type_.name)
        facets = {} if node is None else {etree.QName(f).localname: str(f.get("value")) for f in node[-1]}
        enumerated = [] if node is None else [str(f.get("value")) for f in node[-1] if f.tag == f"{{{XSD}}}enumeration"]
        if enumerated:
            return st.sampled_from(enumerated)
        if type_.built_in == "string":
            return _text(facets)
        least, most = int(facets.get("minLength", 0)), min(200, int(facets.get("maxLength", 200)))
        zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
        return {
            "int": st.integers(int(facets.get("minInclusive", -(2**31))), int(facets.get("maxInclusive", 2**31 - 1))),
            "long": st.integers(-(2**63), 2**63 - 1),
            "boolean": st.booleans(),
            "dateTime": st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29), timezones=zones),  # noqa: DTZ001
            "base64Binary": st.binary(min_size=least, max_size=most),
        }[type_.built_in]


def _text(facets: dict[str, str]) -> st.SearchStrategy[str]:
    least, most = int(facets.get("minLength", 0)), int(facets.get("maxLength", 40))
    if "pattern" in facets:
        return st.from_regex(f"{facets['pattern'].removesuffix('*')}{{{least},{most}}}", fullmatch=True)
    return st.text(XML_TEXT, min_size=least, max_size=most)


def _service(path: str, messages: ModuleType) -> Service:
    contract = load_contract(path)
    strategies = Strategies(contract.schemas[contract.namespace], messages)
    return Service(
        contract=contract,
        messages=messages,
        engine=Engine(contract, messages, limits=Limits(), validate_answers=True),
        clients={version: ClientEngine(contract, messages, version=version) for version in Version},
        requests={o.name: strategies.of(o.request) for o in contract.operations.values()},
        answers={o.name: strategies.of(o.answer) for o in contract.operations.values()},
    )


@pytest.fixture(scope="session")
def shop() -> Service:
    return _service("v1/sales.wsdl", sales)


@pytest.fixture(scope="session")
def store() -> Service:
    return _service("v1/depot.wsdl", depot)


@pytest.fixture(scope="session", params=["v1/sales.wsdl", "v1/depot.wsdl"])
def service(request: pytest.FixtureRequest) -> Service:
    return _service(request.param, {"v1/sales.wsdl": sales, "v1/depot.wsdl": depot}[request.param])


@pytest.fixture(params=list(Version), ids=["soap11", "soap12"])
def version(request: pytest.FixtureRequest) -> Version:
    found: Version = request.param
    return found


@pytest.fixture(scope="session")
def fault_of() -> Callable[[SoapError], Fault]:
    def make(error: SoapError) -> Fault:
        return Fault(
            code=error.code,
            kind=ENGINE_FAULTS[error.code],
            message=error.message,
            reference="0123456789abcdef",
            path=error.path,
            not_understood=error.not_understood,
            problem=error.problem,
        )

    return make


@pytest.fixture(scope="session")
def order() -> Callable[..., str]:
    """An order as text under prefix m, each part replaceable."""

    def make(
        *,
        transaction: str = "<m:transactionId>t-1</m:transactionId>",
        middle: str = "",
        item: str = "<m:itemNumber>A-1</m:itemNumber>",
        quantity: str = "<m:quantity>1</m:quantity>",
        line: str | None = None,
        attributes: str = "",
        end: str = "",
    ) -> str:
        lines = f"<m:orderLine>{item}{quantity}</m:orderLine>" if line is None else line
        return f"<m:CreateOrder{attributes}>{transaction}{middle}{lines}{end}</m:CreateOrder>"

    return make


@pytest.fixture(scope="session")
def schema_text() -> Callable[..., str]:
    """A schema document around components, with prefix t for its own namespace."""

    def make(components: str, *, form: str = 'elementFormDefault="qualified"') -> str:
        return (
            '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:t="urn:t" xmlns:other="urn:other"'
            f' targetNamespace="urn:t" {form}>{components}</xs:schema>'
        )

    return make
