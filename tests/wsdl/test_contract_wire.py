"""The rules that speak of the wire (design, section 4), with bytes through the engine, in both versions of SOAP."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import xmlschema
import zeep
from lxml import etree

from soap import ENGINE_FAULTS, Fault, Reply, SoapError, Version
from soap.messages.header import FrontClient
from soap.names import HEADER, XSI
from soap.schema import SimpleType

ADDRESS = "https://licences.example/v1/service"

Structure = Callable[[Reply, Version], etree._Element | None]


@pytest.fixture
def answered(service: Any, version: Version) -> dict[str, Reply]:
    """The reply to each operation, with every element that an answer may have."""
    return {
        operation.name: service.engine.encode(
            SimpleNamespace(operation=operation, version=version, addressing=None, mtom=False),
            service.sample(operation.answer),
        )
        for operation in service.contract.operations.values()
    }


@pytest.fixture
def foreign(service: Any, version: Version, tmp_path: Path) -> SimpleNamespace:
    """A zeep client of the flattened WSDL, bound to the port of the version."""
    path = tmp_path / "flattened.wsdl"
    path.write_bytes(service.flattened)
    client = zeep.Client(str(path), settings=zeep.Settings(strict=True))
    port = f"{service.contract.name}Soap{'11' if version is Version.SOAP11 else '12'}"
    bound = client.bind(f"{service.contract.name}Service", port)
    return SimpleNamespace(client=client, bound=bound)


def _requested(service: Any, version: Version, operation: str, *, header: str = "", inner: str | None = None) -> bytes:
    """A request as bytes: the sample of the operation, or an empty wrapper with what is given inside."""
    described = service.contract.operations[operation]
    body = service.clients[version].request(operation, service.sample(described.request)).body.decode()
    if inner is not None:
        start, end = body.index(f"<m:{operation} "), body.index("</soap:Body>")
        body = (
            f'{body[:start]}<m:{operation} xmlns:m="{service.contract.namespace}">{inner}</m:{operation}>{body[end:]}'
        )
    return body.replace("<soap:Body>", f"{header}<soap:Body>").encode()


def _operations(service: Any) -> list[str]:
    return list(service.contract.operations)


def test_r3_an_answer_on_the_wire_is_one_child_in_one_wrapper(
    service: Any, answered: dict[str, Reply], version: Version
) -> None:
    for name, reply in answered.items():
        body = etree.fromstring(reply.body)[0]
        (wrapper,) = body
        (child,) = wrapper
        assert body.tag == f"{{{version}}}Body"
        assert wrapper.tag == f"{{{service.contract.namespace}}}{name}Response"
        assert etree.QName(child).localname == service.contract.operations[name].answer.fields[0].name


def test_r3_r4_zeep_unwraps_every_answer_into_its_one_child(
    service: Any, answered: dict[str, Reply], foreign: SimpleNamespace
) -> None:
    for name, reply in answered.items():
        response = SimpleNamespace(
            status_code=reply.status, content=reply.body, headers={"Content-Type": reply.content_type}, encoding="utf-8"
        )
        operation = foreign.bound._binding.get(name)
        found = foreign.bound._binding.process_reply(foreign.client, operation, response)
        type_ = service.contract.operations[name].answer.fields[0].type
        assert set(dir(found)) == {field.name for field in type_.fields}


def test_r4_no_answer_is_empty_even_when_all_that_is_optional_is_left_out(service: Any, version: Version) -> None:
    for operation in service.contract.operations.values():
        bare = _stripped(service.sample(operation.answer), operation.answer)
        reply = service.engine.encode(
            SimpleNamespace(operation=operation, version=version, addressing=None, mtom=False), bare
        )
        child = etree.fromstring(reply.body)[0][0][0]
        assert [leaf for leaf in child if len(leaf) == 0 and leaf.text]


def _stripped(message: Any, type_: Any) -> Any:
    values = {}
    for field in type_.fields:
        value = getattr(message, field.attribute)
        if field.optional:
            value = () if field.many else None
        elif hasattr(field.type, "fields"):
            value = tuple(_stripped(v, field.type) for v in value) if field.many else _stripped(value, field.type)
        values[field.attribute] = value
    return type(message)(**values)


@pytest.mark.parametrize("code", ENGINE_FAULTS)
def test_r5_every_fault_of_the_engine_keeps_to_soap_and_to_the_schema(
    code: str, service: Any, version: Version, structure_of_fault: Structure
) -> None:
    kind = ENGINE_FAULTS[code]
    fault = Fault(
        code=code,
        kind=kind,
        message="What was wrong & how to mend <it>.",
        reference="0123456789abcdef",
        path="CreateOrder/orderLine[2]",
        not_understood=(("urn:x", "y"), ("", "z"), ("http://www.w3.org/XML/1998/namespace", "w")),
    )
    entry = structure_of_fault(service.engine.fault(fault, version=version), version)

    if entry is None:
        # SOAP 1.1, section 4.4: no detail about a header block.
        assert version is Version.SOAP11
        assert kind.about_header
    else:
        assert entry.tag == f"{{{service.contract.namespace}}}{kind.element}"
        etree.XMLSchema(service.schema).assertValid(entry)
        xmlschema.XMLSchema10(etree.tostring(service.schema, encoding="unicode"), allow="none").validate(entry)


def test_r5_zeep_finds_the_typed_detail_of_a_fault(service: Any, version: Version, foreign: SimpleNamespace) -> None:
    fault = Fault(
        code="SchemaViolation", kind=ENGINE_FAULTS["SchemaViolation"], message="Mend it.", reference="r", path="a/b"
    )
    document = etree.fromstring(service.engine.fault(fault, version=version).body)
    for name in _operations(service):
        with pytest.raises(zeep.exceptions.Fault, match=r"Mend it\.") as caught:
            foreign.bound._binding.process_error(document, foreign.bound._binding.get(name))
        detail = caught.value.detail[0]
        typed = foreign.client.wsdl.types.get_element(detail.tag).parse(detail, foreign.client.wsdl.types)
        assert (typed.code, typed.retry, typed.path) == ("SchemaViolation", "Never", "a/b")


def test_r6_a_request_at_the_bounds_of_its_facets_passes_and_an_answer_has_none(service: Any, version: Version) -> None:
    for name, operation in service.contract.operations.items():
        received = service.engine.open(
            _requested(service, version, name), content_type=version.content_type, soap_action=None
        )
        assert service.engine.decode(received) == service.sample(operation.request)
    plain = etree.XMLSchema(service.schema)
    for operation in service.contract.operations.values():
        wild = _wild(service.sample(operation.answer))
        reply = service.engine.encode(
            SimpleNamespace(operation=operation, version=version, addressing=None, mtom=False), wild
        )
        plain.assertValid(etree.fromstring(reply.body)[0][0])


def _wild(value: Any) -> Any:
    """The same answer with values that no facet would allow."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return f" {'ü' * 500}\n"
    if isinstance(value, int):
        return -1
    if isinstance(value, tuple):
        return tuple(_wild(one) for one in value)
    fields = getattr(value, "__dataclass_fields__", None)
    return value if fields is None else type(value)(**{name: _wild(getattr(value, name)) for name in fields})


def test_r8_either_version_is_answered_in_kind_at_one_engine(service: Any, version: Version) -> None:
    other = next(v for v in Version if v is not version)
    for name in _operations(service):
        body = _requested(service, version, name)
        for content_type in (version.media_type, f"{version.media_type}; charset=utf-8"):
            assert service.engine.open(body, content_type=content_type, soap_action=None).version is version
        with pytest.raises(SoapError) as caught:
            service.engine.open(body, content_type=other.media_type, soap_action=None)
        assert (caught.value.code, caught.value.version) == ("ContentTypeMismatch", version)


def test_r9_an_action_is_refused_only_when_it_names_another_operation(service: Any, version: Version) -> None:
    for name in _operations(service):
        body = _requested(service, version, name)
        for action in ["", '""', "urn:unknown", *(o.action for o in service.contract.operations.values())]:
            content_type, soap_action = version.media_type, action
            if version is Version.SOAP12:
                content_type, soap_action = f'{version.media_type}; action="{action.strip(chr(34))}"', None
            named = [o.name for o in service.contract.operations.values() if o.action == action]
            if named in ([], [name]):
                opened = service.engine.open(body, content_type=content_type, soap_action=soap_action)
                assert opened.operation.name == name
            else:
                with pytest.raises(SoapError) as caught:
                    service.engine.open(body, content_type=content_type, soap_action=soap_action)
                assert caught.value.code == "SoapActionMismatch"


@pytest.mark.parametrize("form", ["<{0}/>", "<{0}></{0}>", '<{0} i:nil="true"/>', '<{0} i:nil="1"> </{0}>'])
def test_r10_every_optional_text_may_be_sent_empty_or_nil_and_what_would_mean_all_may_not(
    form: str, service: Any, version: Version
) -> None:
    for name, operation in service.contract.operations.items():
        sample = service.sample(operation.request)
        for field in operation.request.fields:
            if not field.optional:
                continue
            text = _requested(service, version, name).decode()
            start, end = f"<m:{field.name}>", f"</m:{field.name}>"
            at, to = text.index(start), text.rindex(end) + len(end)
            absent = form.format(f"m:{field.name}").replace("i:nil", f'xmlns:i="{XSI}" i:nil')
            data = f"{text[:at]}{absent}{text[to:]}".encode()
            opened = service.engine.open(data, content_type=version.content_type, soap_action=None)
            text_of_its_own = isinstance(field.type, SimpleType) or field.name == "customer"
            if field.many or not ("nil" in form or text_of_its_own):
                with pytest.raises(SoapError) as caught:
                    service.engine.decode(opened)
                assert (caught.value.code, caught.value.path) == ("SchemaViolation", f"{name}/{field.name}")
                continue
            found = service.engine.decode(opened)
            expected = {f.attribute: getattr(sample, f.attribute) for f in operation.request.fields}
            expected[field.attribute] = None
            assert found == type(sample)(**expected)


@pytest.mark.parametrize("form", ['<m:undeclared i:nil="true"/>', "<m:undeclared/>"])
def test_r10_an_undeclared_element_stays_a_fault(form: str, service: Any, version: Version) -> None:
    for name in _operations(service):
        data = _requested(service, version, name, inner=form.replace("i:nil", f'xmlns:i="{XSI}" i:nil'))
        opened = service.engine.open(data, content_type=version.content_type, soap_action=None)
        with pytest.raises(SoapError) as caught:
            service.engine.decode(opened)
        assert (caught.value.code, caught.value.path) == ("SchemaViolation", f"{name}/undeclared")


def test_r11_the_header_block_is_read_at_every_operation_and_a_namesake_is_a_fault(
    service: Any, version: Version
) -> None:
    content = "clientAddress>192.0.2.1</"
    for name in _operations(service):
        right = f'<o:OnBehalfOf xmlns:o="{HEADER}"><o:{content}o:clientAddress></o:OnBehalfOf>'
        opened = service.engine.open(
            _requested(service, version, name, header=f"<soap:Header>{right}</soap:Header>"),
            content_type=version.content_type,
            soap_action=None,
        )
        assert opened.on_behalf_of == FrontClient(client_address="192.0.2.1")
        for namespace in ("", service.contract.namespace, "urn:opendepot:header:2"):
            wrong = f'<OnBehalfOf xmlns="{namespace}"><{content}clientAddress></OnBehalfOf>'
            with pytest.raises(SoapError) as caught:
                service.engine.open(
                    _requested(service, version, name, header=f"<soap:Header>{wrong}</soap:Header>"),
                    content_type=version.content_type,
                    soap_action=None,
                )
            assert caught.value.code == "HeaderInvalid"


def test_r11_zeep_sends_the_header_block_as_the_wsdl_declares_it(
    service: Any, version: Version, foreign: SimpleNamespace
) -> None:
    front = {"clientAddress": "2001:db8::1", "account": "ü"}
    for name, operation in service.contract.operations.items():
        values = _plain(service.sample(operation.request), operation.request)
        for headers, expected in (
            ({"OnBehalfOf": front}, FrontClient(client_address="2001:db8::1", account="ü")),
            (None, None),
        ):
            message = foreign.client.create_message(foreign.bound, name, _soapheaders=headers, **values)
            opened = service.engine.open(
                etree.tostring(message, encoding="utf-8", xml_declaration=True),
                content_type=version.content_type,
                soap_action=None,
            )
            assert opened.on_behalf_of == expected
            assert service.engine.decode(opened) == service.sample(operation.request)


def _plain(message: Any, type_: Any) -> dict[str, Any]:
    """A message as nested dicts under the names of the contract, as zeep takes it."""
    values: dict[str, Any] = {}
    for field in type_.fields:
        value = getattr(message, field.attribute)
        if hasattr(field.type, "fields"):
            value = [_plain(one, field.type) for one in value] if field.many else _plain(value, field.type)
        values[field.name] = list(value) if field.many else value
    return values
