"""Compiled services, envelopes as text, and values for every message of the contract."""

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pytest
from hypothesis import strategies as st
from message_values import SERVICES, MessageValues

from soap import ENGINE_FAULTS, ClientEngine, Contract, Engine, Fault, SoapError, Version, load_contract
from xmlgate import Limits


@dataclass(frozen=True, kw_only=True)
class Service:
    """A service of the contract from both sides, and its messages by operation as strategies.

    `patient` is an engine that takes messages as large as the schema lets them become.
    """

    contract: Contract
    messages: ModuleType
    engine: Engine
    patient: Engine
    values: MessageValues
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


def _service(name: str) -> Service:
    contract, messages = load_contract(f"v1/{name}.wsdl"), SERVICES[name]
    values = MessageValues(contract.schemas[contract.namespace], messages)
    patient = Limits(max_bytes=16 * 1024 * 1024, elements=1_000_000)
    return Service(
        contract=contract,
        messages=messages,
        engine=Engine(contract, messages, limits=Limits(), validate_answers=True),
        patient=Engine(contract, messages, limits=patient, validate_answers=True),
        values=values,
        clients={version: ClientEngine(contract, messages, version=version) for version in Version},
        requests={o.name: values.drawn(o.request) for o in contract.operations.values()},
        answers={o.name: values.drawn(o.answer) for o in contract.operations.values()},
    )


@pytest.fixture(scope="session")
def shop() -> Service:
    return _service("sales")


@pytest.fixture(scope="session")
def store() -> Service:
    return _service("depot")


@pytest.fixture(scope="session", params=["sales", "depot"])
def service(request: pytest.FixtureRequest) -> Service:
    """The two services that everybody may call."""
    return _service(request.param)


@pytest.fixture(scope="session", params=SERVICES)
def any_service(request: pytest.FixtureRequest) -> Service:
    """Each service of the contract."""
    return _service(request.param)


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
