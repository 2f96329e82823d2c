"""Every message of every service: values made of the schema go through, and what is wrong in one place does not."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import xmlschema
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from message_values import SERVICES, XML_TEXT
from schema_mutations import Declarations, Mutation, Mutations

import wsdl
from soap import AnswerInvalid, Fault, FaultKind, FaultReceived, SoapError, Version
from soap.codec import escape
from soap.contract import Operation
from soap.names import HEADER
from soap.schema import ComplexType


class Judges:
    """Two validators that share no code: libxml2 and xmlschema."""

    def __init__(self, service: Any) -> None:
        root = service.contract.schemas[service.contract.namespace]
        self._libxml2 = etree.XMLSchema(root)
        self._xmlschema = xmlschema.XMLSchema10(etree.tostring(root, encoding="unicode"), allow="none")
        self.namespace = service.contract.namespace

    def both_find_valid(self, payload: etree._Element) -> None:
        self._libxml2.assertValid(payload)
        # From its bytes again, by the parser of the standard library.
        self._xmlschema.validate(etree.tostring(payload))

    def libxml2_finds_valid(self, payload: etree._Element) -> bool:
        return self._libxml2.validate(payload)

    def xmlschema_finds_valid(self, payload: etree._Element) -> bool:
        try:
            return bool(self._xmlschema.is_valid(etree.tostring(payload)))
        except xmlschema.XMLSchemaException:
            # What xsi:type names is not there.
            return False


@pytest.fixture(scope="session")
def judges(any_service: Any) -> Judges:
    return Judges(any_service)


def _asked(service: Any, operation: str, message: Any, version: Version) -> etree._Element:
    """Send a request to the engine, see it arrive as the equal message, and give its payload."""
    request = service.clients[version].request(operation, message)
    content_type, action = request.headers["Content-Type"], request.headers.get("SOAPAction")
    received = service.patient.open(request.body, content_type=content_type, soap_action=action)
    assert (received.operation.name, received.version) == (operation, version)
    assert service.patient.decode(received) == message
    return etree.fromstring(request.body)[-1][0]


def _answered(service: Any, operation: Operation, message: Any, version: Version) -> etree._Element:
    """Send an answer to the client, see it arrive as the equal message, and give its payload."""
    reply = service.engine.encode(_received(operation, version), message)
    assert (reply.status, reply.content_type) == (200, version.content_type)
    client = service.clients[version]
    assert client.answer(operation.name, content_type=reply.content_type, body=reply.body) == message
    return etree.fromstring(reply.body)[-1][0]


def _received(operation: Operation, version: Version) -> Any:
    return SimpleNamespace(operation=operation, version=version, addressing=None, mtom=False)


@given(data=st.data())
@pytest.mark.examples
@settings(derandomize=True, max_examples=examples(60), deadline=None)
def test_any_request_arrives_as_the_equal_message_and_is_valid(
    any_service: Any, judges: Judges, data: st.DataObject
) -> None:
    operation = data.draw(st.sampled_from(list(any_service.contract.operations)))
    message = data.draw(any_service.requests[operation])
    for version in Version:
        payload = _asked(any_service, operation, message, version)
    judges.both_find_valid(payload)


@given(data=st.data())
@pytest.mark.examples
@settings(derandomize=True, max_examples=examples(60), deadline=None)
def test_any_answer_arrives_as_the_equal_message_and_is_valid(
    any_service: Any, judges: Judges, data: st.DataObject
) -> None:
    operation = data.draw(st.sampled_from(list(any_service.contract.operations)))
    message = data.draw(any_service.answers[operation])
    for version in Version:
        payload = _answered(any_service, any_service.contract.operations[operation], message, version)
    judges.both_find_valid(payload)


def _extremes(service: Any, type_: ComplexType) -> Iterator[Any]:
    values = service.values
    yield from (values.least(type_), values.full(type_), values.greatest(type_))
    yield from values.crowded(type_)
    # Lists stand one below the response wrapper as well.
    for field in type_.fields:
        if isinstance(field.type, ComplexType) and not field.many:
            for inner in values.crowded(field.type):
                message = values.least(type_)
                others = {name: getattr(message, name) for name in message.__dataclass_fields__}
                yield type(message)(**others | {field.attribute: inner})


def test_messages_at_every_limit_arrive_as_the_equal_message_and_are_valid(
    any_service: Any, judges: Judges, version: Version
) -> None:
    for operation in any_service.contract.operations.values():
        for message in _extremes(any_service, operation.request):
            judges.both_find_valid(_asked(any_service, operation.name, message, version))
        for message in _extremes(any_service, operation.answer):
            judges.both_find_valid(_answered(any_service, operation, message, version))


def _unprefixed(element: etree._Element, default: str = "") -> str:
    """Write the same document as most clients do: in a default namespace, without prefixes for elements."""
    name = etree.QName(element)
    declared = "" if (name.namespace or "") == default else f' xmlns="{name.namespace or ""}"'
    for number, (attribute, value) in enumerate(element.attrib.items()):
        of = etree.QName(str(attribute))
        prefix = "" if of.namespace is None else f"a{number}:"
        declared += f' xmlns:a{number}="{of.namespace}"' if prefix else ""
        declared += f' {prefix}{of.localname}="{escape(str(value))}"'
    inner = escape(element.text or "") + "".join(
        _unprefixed(child, name.namespace or "") + escape(child.tail or "") for child in element
    )
    return f"<{name.localname}{declared}>{inner}</{name.localname}>"


def _enveloped(payload: bytes, version: Version) -> bytes:
    return f'<s:Envelope xmlns:s="{version}"><s:Body>'.encode() + payload + b"</s:Body></s:Envelope>"


class Refusals:
    """What the two sides say of a mutated document, as place and words."""

    def __init__(self, service: Any, fault_of: Any) -> None:
        self._service = service
        self._fault_of = fault_of

    def of_request(self, body: bytes, version: Version) -> tuple[str, str]:
        engine = self._service.patient
        received = engine.open(body, content_type=version.content_type, soap_action=None)
        try:
            return "", f"it was read as {engine.decode(received)}"
        except SoapError as error:
            reply = engine.fault(self._fault_of(error), version=version)
        detail = etree.fromstring(reply.whole).find(f".//{{{self._service.contract.namespace}}}RequestFault")
        found = {etree.QName(child).localname: child.text or "" for child in detail}
        assert found["code"] == "SchemaViolation"
        return found.get("path", ""), found["message"]

    def of_answer(self, operation: str, body: bytes, version: Version) -> tuple[str, str]:
        try:
            read = self._service.clients[version].answer(operation, content_type=version.content_type, body=body)
        except AnswerInvalid as error:
            _, _, told = str(error).partition("the answer does not keep to the contract at ")
            place, _, words = told.partition(": ")
            return place, words
        return "", f"it was read as {read}"


def _wrong(mutation: Mutation, place: str, words: str) -> list[str]:
    if place == mutation.place and mutation.words in words:
        return []
    return [f"{mutation.about}, {mutation.kind}: at {place} instead of {mutation.place}: {words}"]


def _base(service: Any, operation: Operation, *, request: bool) -> etree._Element:
    """The payload of a message with every element, two in each list."""
    if request:
        message = service.values.full(operation.request)
        body = service.clients[Version.SOAP12].request(operation.name, message).body
    else:
        body = service.engine.encode(_received(operation, Version.SOAP12), service.values.full(operation.answer)).whole
    return etree.fromstring(etree.tostring(etree.fromstring(body)[-1][0]))


@pytest.mark.parametrize("direction", ["requests", "answers"])
def test_whatever_is_wrong_in_one_place_is_refused_with_that_place(
    direction: str, any_service: Any, fault_of: Any, judges: Judges
) -> None:
    declarations = Declarations(any_service.contract.schemas[any_service.contract.namespace])
    mutations = Mutations(declarations, absence=direction == "requests")
    refusals = Refusals(any_service, fault_of)
    wrong: list[str] = []
    seen: set[tuple[str, str]] = set()
    count = 0
    for operation in any_service.contract.operations.values():
        for mutation in mutations.of(_base(any_service, operation, request=direction == "requests")):
            # Versions and ways to write a namespace take turns, and meet each kind many times.
            version = list(Version)[count % 2]
            payload = etree.tostring(mutation.root)
            if count % 4 > 1:
                payload = _unprefixed(mutation.root).encode()
            count += 1
            body = _enveloped(payload, version)
            if direction == "requests":
                wrong += _wrong(mutation, *refusals.of_request(body, version))
            else:
                wrong += _wrong(mutation, *refusals.of_answer(operation.name, body, version))
            kind = (mutation.about.rpartition("/")[2], mutation.kind)
            if mutation.by_schema and kind not in seen:
                seen.add(kind)
                if judges.libxml2_finds_valid(mutation.root) or judges.xmlschema_finds_valid(mutation.root):
                    wrong.append(f"{mutation.about}, {mutation.kind}: a validator finds it valid")
    print(f"{count} documents, {len(seen)} kinds")
    assert wrong[:20] == []
    assert count > 100


@given(data=st.data())
@pytest.mark.examples
@settings(derandomize=True, max_examples=examples(40), deadline=None)
def test_any_message_that_is_made_wrong_in_one_place_is_refused_with_that_place(
    any_service: Any, fault_of: Any, data: st.DataObject
) -> None:
    operation = data.draw(st.sampled_from(list(any_service.contract.operations)))
    version = data.draw(st.sampled_from(Version))
    request = any_service.clients[version].request(operation, data.draw(any_service.requests[operation]))
    root = etree.fromstring(etree.tostring(etree.fromstring(request.body)[-1][0]))
    declarations = Declarations(any_service.contract.schemas[any_service.contract.namespace])
    mutation = data.draw(st.sampled_from(list(Mutations(declarations, absence=True).of(root))))
    body = _enveloped(etree.tostring(mutation.root), version)
    assert _wrong(mutation, *Refusals(any_service, fault_of).of_request(body, version)) == []


FRONT = (
    f'<h:OnBehalfOf xmlns:h="{HEADER}"><h:clientAddress>192.0.2.1</h:clientAddress><h:account>a</h:account>'
    "</h:OnBehalfOf>"
)


def test_whatever_is_wrong_in_the_header_block_is_refused_with_that_place(shop: Any, fault_of: Any) -> None:
    declarations = Declarations(shop.contract.schemas[HEADER])
    wrong: list[str] = []
    for count, mutation in enumerate(Mutations(declarations, absence=False).of(etree.fromstring(FRONT))):
        version = list(Version)[count % 2]
        header = f"<s:Header>{etree.tostring(mutation.root).decode()}</s:Header>"
        error = shop.refusal(shop.envelope("<m:ListItems/>", header=header, version=version), version=version)
        place = (error.path or "").removeprefix("Envelope/Header/")
        wrong += _wrong(mutation, place, error.message)
        reply = shop.engine.fault(fault_of(error), version=version).whole.decode()
        told = f"HeaderInvalid: {escape(error.message)}" if version is Version.SOAP11 else f"path>{error.path}<"
        if error.code != "HeaderInvalid" or told not in reply:
            wrong.append(f"{mutation.about}, {mutation.kind}: {error.code}, {reply}")
    assert wrong[:20] == []
    assert count > 30


TEXT = st.text(XML_TEXT, min_size=1, max_size=60)


@given(data=st.data())
@pytest.mark.examples
@settings(derandomize=True, max_examples=examples(25), deadline=None)
def test_any_fault_arrives_with_all_that_it_has_and_is_valid(
    any_service: Any, judges: Judges, data: st.DataObject
) -> None:
    text, path = data.draw(TEXT), data.draw(st.none() | TEXT)
    later, about_header = data.draw(st.booleans()), data.draw(st.booleans())
    operation = data.draw(st.sampled_from(list(any_service.contract.operations.values())))
    element = data.draw(st.sampled_from(sorted(operation.faults)))
    kind = FaultKind(element=element, meaning="m", mend="d", retry=later, about_header=about_header)
    fault = Fault(code="Case", kind=kind, message=text, reference="0123456789abcdef", path=path)
    for version in Version:
        body = any_service.engine.fault(fault, version=version).whole
        with pytest.raises(FaultReceived) as caught:
            any_service.clients[version].answer(operation.name, content_type=version.content_type, body=body)
        found = caught.value
        assert (found.code, found.message, found.reference) == ("Case", text, "0123456789abcdef")
        if about_header and version is Version.SOAP11:
            continue
        assert (found.path, found.retry) == (path, later)
        judges.both_find_valid(next(etree.fromstring(body).iter(f"{{{judges.namespace}}}{element}")))


def test_every_service_of_the_contract_has_its_turn() -> None:
    files = {path.stem for path in Path(wsdl.__file__).parent.glob("v1/*.wsdl")}

    assert set(SERVICES) == files
