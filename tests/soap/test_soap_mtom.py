"""MTOM packages, written by hand and by Python's email package, and all ways in which one can be wrong."""

# ruff: noqa: ARG005  each case of a table takes what some need

from base64 import b64encode
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from soap import SoapError, Version
from soap.messages import depot
from soap.mtom import StreamedPackage
from soap.multipart import MOST_PARTS, read_parts

TICKET = "00000-00000-00000-00000-00000"
XOP = "http://www.w3.org/2004/08/xop/include"
BINARY = bytes(range(256)) + b"\r\n--b\n\r\n"
SAFE = BINARY.replace(b"\r\n--b", b"")


def _include(href: str = "cid:c1@x", inner: str = "") -> str:
    return f'<x:Include xmlns:x="{XOP}" href="{href}">{inner}</x:Include>'


def _request(context: str) -> str:
    return f"<m:GetLicenseUpdate><m:ticket>{TICKET}</m:ticket><m:context>{context}</m:context></m:GetLicenseUpdate>"


def _root(envelope: bytes, version: Version, *, head: str = "Content-ID: <root@x>\r\n") -> bytes:
    kind = f'application/xop+xml; charset=utf-8; type="{version.media_type}"'
    return f"--b\r\nContent-Type: {kind}\r\n{head}\r\n".encode() + envelope + b"\r\n"


def _part(content: bytes = SAFE, *, head: str = "Content-ID: <c1@x>\r\nContent-Transfer-Encoding: binary\r\n") -> bytes:
    return f"--b\r\n{head}\r\n".encode() + content + b"\r\n"


def _kind(version: Version, *, boundary: str = "b", start: str | None = "<root@x>") -> str:
    named = "" if start is None else f'; start="{start}"'
    kind = f'multipart/related; type="application/xop+xml"; boundary="{boundary}"'
    return f'{kind}{named}; start-info="{version.media_type}"'


def _open(store: Any, body: bytes, version: Version, content_type: str | None = None) -> Any:
    return store.engine.open(body, content_type=content_type or _kind(version), soap_action=None)


def _refusal(store: Any, body: bytes, version: Version, content_type: str | None = None) -> SoapError:
    with pytest.raises(SoapError) as caught:
        store.engine.decode(_open(store, body, version, content_type))
    assert caught.value.version is version
    return caught.value


def _message(store: Any, version: Version, context: str = _include()) -> bytes:
    data: bytes = store.envelope(_request(context), version=version)
    return data


@pytest.mark.parametrize("before", [b"", b"\r\n"])
@pytest.mark.parametrize("order", ["envelope first", "envelope last", "no start"])
def test_a_package_is_the_message_that_has_its_values_inline(
    before: bytes, order: str, store: Any, version: Version
) -> None:
    parts = [_root(_message(store, version), version), _part()]
    parts = parts[::-1] if order == "envelope last" else parts
    kind = _kind(version, start=None if order == "no start" else "<root@x>")
    received = _open(store, before + b"".join(parts) + b"--b--\r\n", version, kind)
    inline = store.read(_message(store, version, b64encode(SAFE).decode()), version=version)

    assert received.mtom
    assert store.engine.decode(received) == inline
    assert inline.context == SAFE


def test_python_s_email_package_writes_what_is_read(store: Any, version: Version) -> None:
    root, value = EmailMessage(policy=policy.SMTP), EmailMessage(policy=policy.SMTP)
    root.set_content(_message(store, version), "application", "xop+xml", cte="8bit", cid="<root@x>")
    value.set_content(BINARY, "application", "octet-stream", cte="base64", cid="<c1@x>")
    package = EmailMessage(policy=policy.SMTP)
    package.make_related()
    package.attach(root)
    package.attach(value)
    package.set_boundary("some boundary=1")
    body = package.as_bytes().partition(b"\r\n\r\n")[2]

    received = _open(store, body, version, _kind(version, boundary="some boundary=1"))
    assert store.engine.decode(received).context == BINARY


@pytest.mark.parametrize("href", ["cid:a%20b%40x", "CID:a%20b%40x", "cid:a%20b@x"])
def test_a_content_id_may_be_percent_encoded(href: str, store: Any, version: Version) -> None:
    body = _root(_message(store, version, _include(href)), version) + _part(head="content-id:  <a b@x> \r\n") + b"--b--"

    assert store.engine.decode(_open(store, body, version)).context == SAFE


def test_utf16_and_a_folded_header_are_read(store: Any) -> None:
    envelope = _message(store, Version.SOAP11).decode().encode("utf-16")
    root = b'--b\r\nContent-Type: application/xop+xml;\r\n charset=utf-16; type="text/xml"\r\n\r\n' + envelope + b"\r\n"

    assert store.engine.decode(
        _open(store, root + _part() + b"--b--", Version.SOAP11, _kind(Version.SOAP11, start=None))
    )


def test_the_action_of_soap12_may_stand_in_start_info_or_at_the_part(store: Any) -> None:
    other, version = "urn:opendepot:depot:1/GetTicket", Version.SOAP12
    body = _root(_message(store, version), version) + _part() + b"--b--"
    named = body.replace(b'type="application/soap+xml"', f'type="application/soap+xml"; action="{other}"'.encode())
    info = _kind(version).replace('info="application/soap+xml"', f'info="application/soap+xml; action=\\"{other}\\""')

    assert _refusal(store, named, version).code == "SoapActionMismatch"
    assert _refusal(store, body, version, info).code == "SoapActionMismatch"
    assert _refusal(store, body, version, f'{_kind(version)}; action="{other}"').code == "SoapActionMismatch"


WRONG_PACKAGES = {
    "no boundary in the type": (lambda root, part: root + part + b"--b--", {"boundary": ""}),
    "a boundary that is none": (lambda root, part: root + part + b"--b--", {"boundary": "b\x01"}),
    "another boundary": (lambda root, part: root + part + b"--b--", {"boundary": "c"}),
    "a preamble": (lambda root, part: b"hello\r\n" + root + part + b"--b--", {}),
    "an epilogue": (lambda root, part: root + part + b"--b--\r\nmore", {}),
    "no end": (lambda root, part: root + part, {}),
    "half an end": (lambda root, part: root + part + b"--b-", {}),
    "no parts": (lambda root, part: b"--b--", {}),
    "nothing": (lambda root, part: b"", {}),
    "an end before a part": (lambda root, part: root + b"--b--\r\n" + part + b"--b--", {}),
    "a longer boundary inside": (lambda root, part: root + part + b"--bc\r\n\r\nx\r\n--b--", {}),
    "bare line feeds": (lambda root, part: (root + part + b"--b--").replace(b"\r\n", b"\n"), {}),
    "no empty line": (lambda root, part: root + b"--b\r\nContent-ID: <c1@x>\r\n--b--", {}),
    "a part without anything": (lambda root, part: root + b"--b\r\n--b--", {}),
    "a line that is no field": (lambda root, part: root + _part(head="Content-ID <c1@x>\r\n") + b"--b--", {}),
    "a header that is not ASCII": (lambda root, part: root + _part(head="Content-ID: <é>\r\n") + b"--b--", {}),
    "a field twice": (lambda root, part: root + _part(head="Content-ID: <c1@x>\r\n" * 2) + b"--b--", {}),
    "an id twice": (lambda root, part: root + part + part + b"--b--", {}),
    "a huge header": (lambda root, part: root + _part(head=f"A: {'x' * 5000}\r\n") + b"--b--", {}),
    "an unknown transfer encoding": (
        lambda root, part: root + _part(head="Content-Transfer-Encoding: quoted-printable\r\n") + b"--b--",
        {},
    ),
    "base64 that is none": (
        lambda root, part: root + _part(b"!", head="Content-Transfer-Encoding: base64\r\n") + b"--b--",
        {},
    ),
    "a start that is not there": (lambda root, part: root + part + b"--b--", {"start": "<other@x>"}),
    "a start that is no envelope": (lambda root, part: root + part + b"--b--", {"start": "<c1@x>"}),
    "the envelope of another type": (
        lambda root, part: root.replace(b"application/xop+xml", b"text/xml") + part + b"--b--",
        {},
    ),
    "a package in the package": (
        lambda root, part: root.replace(b"application/xop+xml", b"multipart/related") + part + b"--b--",
        {},
    ),
    "too many parts": (lambda root, part: root + _part(b"", head="") * (MOST_PARTS + 1) + b"--b--", {}),
}


@pytest.mark.parametrize("case", WRONG_PACKAGES)
def test_a_package_that_can_be_read_in_no_way_or_in_two_is_refused(case: str, store: Any, version: Version) -> None:
    write, kind = WRONG_PACKAGES[case]
    body = write(_root(_message(store, version), version), _part())
    error = _refusal(store, body, version, _kind(version, **kind))

    assert error.code == "MultipartInvalid"
    assert "c1@x" not in error.message


WRONG_INCLUDES = {
    "unknown": _include("cid:c2@x"),
    "http": _include("http://192.0.2.1/x"),
    "file": _include("file:///etc/passwd"),
    "empty": _include(""),
    "itself": _include("cid:root@x"),
    "twice": _include() + _include(),
    "beside text": f"QUJD{_include()}",
    "before text": f"{_include()}QUJD",
    "with content": _include(inner="<x/>"),
}


@pytest.mark.parametrize("case", WRONG_INCLUDES)
def test_an_include_names_one_part_of_the_same_message_and_nothing_else(
    case: str, store: Any, version: Version
) -> None:
    body = _root(_message(store, version, WRONG_INCLUDES[case]), version) + _part() + b"--b--"
    error = _refusal(store, body, version)

    assert error.code == "IncludeInvalid"
    assert str(error.path).startswith("GetLicenseUpdate/context/Include")
    assert "192.0.2.1" not in error.message


def test_a_part_is_used_once(store: Any, version: Version) -> None:
    request = _request(_include()).replace(TICKET, _include())
    body = _root(store.envelope(request, version=version), version) + _part() + b"--b--"

    assert _refusal(store, body, version).code == "IncludeInvalid"


def test_an_include_in_a_plain_message_is_no_value(store: Any, version: Version) -> None:
    error = store.refusal(_message(store, version), version=version)

    assert (error.code, error.path) == ("SchemaViolation", "GetLicenseUpdate/context")


@given(parts=st.lists(st.binary(max_size=60).filter(lambda b: b"--b" not in b), min_size=1, max_size=5))
def test_any_parts_come_out_as_they_went_in_and_as_email_reads_them(parts: list[bytes]) -> None:
    body = b"".join(_part(content) for content in parts)

    assert [part.content for part in read_parts(body + b"--b--", boundary="b")] == parts
    head = b'Content-Type: multipart/related; boundary="b"\r\n\r\n'
    found: Any = message_from_bytes(head + body + b"--b--", policy=policy.HTTP)
    assert len(list(found.iter_parts())) == len(parts)


@given(
    st.lists(
        st.sampled_from(
            [b"--b", b"--b--", b"\r\n", b"\n", b"--", b"A: b", b"x", b" ", b"Content-Transfer-Encoding: base64"]
        ),
        max_size=16,
    ).map(b"".join)
)
def test_any_bytes_are_parts_or_a_refusal(body: bytes) -> None:
    code = None
    try:
        parts = read_parts(body, boundary="b")
    except SoapError as error:
        code = error.code
    if code is None:
        assert parts
        assert body.count(b"--b") >= len(parts)
    else:
        assert code == "MultipartInvalid"


UPDATE = depot.GetLicenseUpdateAnswer(result=depot.UpdateResult(state="Done", update=BINARY))


@pytest.mark.parametrize(
    "accept", [None, "text/xml, multipart/related", 'multipart/related; type="application/xop+xml"']
)
def test_an_answer_is_a_package_when_the_request_asks_for_one(accept: str | None, store: Any, version: Version) -> None:
    received = store.engine.open(
        _message(store, version, "QUJD"), content_type=version.content_type, soap_action=None, accept=accept
    )
    reply = store.engine.encode(received, UPDATE)

    assert reply.content_type.startswith("multipart/related") is (accept is not None and "xop" in accept)


@pytest.mark.parametrize("value", [BINARY, b"", b"\r\n--opendepot-part\r\n", b"--opendepot-part-1--opendepot-part"])
def test_a_request_in_mtom_is_answered_in_mtom(value: bytes, store: Any, version: Version) -> None:
    received = _open(store, _root(_message(store, version), version) + _part() + b"--b--", version)
    answer = depot.GetLicenseUpdateAnswer(result=depot.UpdateResult(state="Done", update=value))
    reply = store.engine.encode(received, answer)
    found: Any = message_from_bytes(f"Content-Type: {reply.content_type}\r\n\r\n".encode() + reply.body)
    envelope, update = found.get_payload()
    root = etree.fromstring(envelope.get_payload(decode=True))
    (include,) = root.iter(f"{{{XOP}}}Include")

    assert found.get_param("start-info") == version.media_type
    assert found.get_param("start") == envelope["Content-ID"]
    assert envelope.get_param("type") == version.media_type
    assert include.get("href") == f"cid:{update['Content-ID'][1:-1]}"
    boundary = found.get_boundary()
    assert [part.content for part in read_parts(reply.body, boundary=boundary)][1] == value


def test_a_streamed_package_is_not_ended_by_what_it_holds(version: Version) -> None:
    package = StreamedPackage(version, reference="5f0c")
    body = package.start + package.checked(b"<e/>") + b"\r\n" + package.part(1, BINARY) + package.part(2, b"")
    boundary = message_from_bytes(f"Content-Type: {package.content_type}\r\n\r\n".encode()).get_boundary()

    assert [part.content for part in read_parts(body + package.end, boundary=boundary)] == [b"<e/>", BINARY, b""]
    for write in (package.checked, lambda content: package.part(3, content)):
        with pytest.raises(ValueError, match="boundary"):
            write(f"x\r\n--{boundary}--\r\n".encode())


def test_an_operation_without_binary_values_is_answered_plainly(store: Any, version: Version) -> None:
    body = store.envelope(f"<m:GetTicket><m:ticket>{TICKET}</m:ticket></m:GetTicket>", version=version)
    received = _open(store, _root(body, version) + b"--b--", version)
    overview = depot.TicketOverview(state="Free", license=())

    assert store.engine.encode(received, depot.GetTicketAnswer(overview=overview)).content_type == version.content_type
