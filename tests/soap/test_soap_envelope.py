from typing import Any

import pytest
from lxml import etree

from soap import SoapError, Version
from soap.envelope import MOST_NAMED, ContentType, read_content_type, read_envelope

S11, S12 = Version.SOAP11, Version.SOAP12
KINDS = {version: ContentType(version=version, charset=None, action=None) for version in Version}

ACTOR_NEXT = "http://schemas.xmlsoap.org/soap/actor/next"
ROLE_NEXT = "http://www.w3.org/2003/05/soap-envelope/role/next"
ROLE_LAST = "http://www.w3.org/2003/05/soap-envelope/role/ultimateReceiver"
ROLE_NONE = "http://www.w3.org/2003/05/soap-envelope/role/none"


def _refusal(text: str, version: Version) -> SoapError:
    with pytest.raises(SoapError) as caught:
        read_envelope(etree.fromstring(text), KINDS[version])
    return caught.value


def _envelope(inner: str, version: Version, attributes: str = "") -> str:
    return f'<s:Envelope xmlns:s="{version}" {attributes}>{inner}</s:Envelope>'


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("text/xml", ContentType(version=S11, charset=None, action=None)),
        ("application/soap+xml", ContentType(version=S12, charset=None, action=None)),
        ("TEXT/XML", ContentType(version=S11, charset=None, action=None)),
        ("  text/xml  ", ContentType(version=S11, charset=None, action=None)),
        ("text/xml;", ContentType(version=S11, charset=None, action=None)),
        ("text/xml; charset=utf-8", ContentType(version=S11, charset="utf-8", action=None)),
        ("text/xml;charset=UTF-8", ContentType(version=S11, charset="UTF-8", action=None)),
        ('text/xml; charset="utf-8"', ContentType(version=S11, charset="utf-8", action=None)),
        ("text/xml ; CharSet = utf-16 ", ContentType(version=S11, charset="utf-16", action=None)),
        ('text/xml; charset=""', ContentType(version=S11, charset="", action=None)),
        ("text/xml; charset='utf-8'", ContentType(version=S11, charset="'utf-8'", action=None)),
        (
            'application/soap+xml; charset=utf-8; action="urn:a/B"',
            ContentType(version=S12, charset="utf-8", action="urn:a/B"),
        ),
        (
            'application/soap+xml;action="urn:a/B";charset=utf-8',
            ContentType(version=S12, charset="utf-8", action="urn:a/B"),
        ),
        ("application/soap+xml; action=urn:a/B", ContentType(version=S12, charset=None, action="urn:a/B")),
        ('application/soap+xml; action=""', ContentType(version=S12, charset=None, action="")),
        ('application/soap+xml; ACTION="a;b=\\"c"', ContentType(version=S12, charset=None, action='a;b=\\"c')),
        (
            'application/soap+xml; action="x; charset=utf-7"; charset=utf-8',
            ContentType(version=S12, charset="utf-8", action="x; charset=utf-7"),
        ),
        ("text/xml; nonsense; charset=utf-8", ContentType(version=S11, charset="utf-8", action=None)),
        ("text/xml; ===; \x00; é=ü", ContentType(version=S11, charset=None, action=None)),
        ('text/xml; charset="utf-8', ContentType(version=S11, charset="", action=None)),
    ],
)
def test_a_content_type_is_read_in_all_its_spellings(header: str, expected: ContentType) -> None:
    assert read_content_type(header) == expected


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        ";charset=utf-8",
        "text/html; charset=utf-8",
        "application/xml",
        "text/xml2",
        "text /xml",
        "text/xml, text/xml",
        'multipart/related; type="application/xop+xml"; boundary=b',
        'multipart/related; type="application/xop+xml"; start-info="text/html"; boundary=b',
        "application/soap+xmlé",
        "\x00",
    ],
)
def test_another_media_type_is_refused_by_name_of_those_that_are_read(header: str | None) -> None:
    with pytest.raises(SoapError) as caught:
        read_content_type(header)

    assert (caught.value.code, caught.value.version, caught.value.path) == ("MediaTypeUnsupported", None, None)
    assert "text/xml" in caught.value.message
    assert "application/soap+xml" in caught.value.message


@pytest.mark.parametrize("tail", ['; a="', '; a=\\"', ";", " ", "; a", '; a="\\', "=", "a=;"])
def test_a_long_content_type_does_not_hold_a_worker_up(tail: str) -> None:
    header = f"text/xml;{tail * 50_000}"  # minutes, and so the time-out, if it were quadratic

    assert read_content_type(header).version is S11


@pytest.mark.parametrize(
    "root",
    [
        "<Envelope/>",
        '<s:Envelope xmlns:s="urn:other"/>',
        f'<s:envelope xmlns:s="{S11}"/>',
        f'<s:Body xmlns:s="{S12}"/>',
        f'<s:Envelope xmlns:s="{S11.upper()}"/>',
        "<html/>",
    ],
)
def test_a_root_that_is_no_envelope_of_either_version_is_a_version_mismatch(root: str, version: Version) -> None:
    error = _refusal(root, version)

    assert (error.code, error.version) == ("VersionMismatch", version)
    assert S11 in error.message
    assert S12 in error.message


def test_the_namespace_of_the_one_version_under_the_content_type_of_the_other_is_answered_in_the_envelopes() -> None:
    for envelope, content_type in ((S11, S12), (S12, S11)):
        error = _refusal(_envelope("<s:Body><a/></s:Body>", envelope), content_type)

        assert (error.code, error.version) == ("ContentTypeMismatch", envelope)
        assert envelope.media_type in error.message


@pytest.mark.parametrize(
    ("inner", "path"),
    [
        ("", "Envelope"),
        ("<s:Header/>", "Envelope"),
        ("<s:Body><a/></s:Body><s:Body><a/></s:Body>", "Envelope"),
        ("<s:Header/><s:Header/><s:Body><a/></s:Body>", "Envelope"),
        ("<s:Body><a/></s:Body><s:Header/>", "Envelope"),
        ("<s:Header/><x/><s:Body><a/></s:Body>", "Envelope"),
        ("<s:Body><a/></s:Body><x/>", "Envelope"),
        ("<Body><a/></Body>", "Envelope"),
        ('<s:Body xmlns:s="urn:other"><a/></s:Body>', "Envelope"),
        ('<Header xmlns=""/><s:Body><a/></s:Body>', "Envelope"),
        ("<a/>", "Envelope"),
        ("<s:Body/>", "Envelope/Body"),
        ("<s:Body>text</s:Body>", "Envelope/Body"),
        ("<s:Body><a/><b/></s:Body>", "Envelope/Body"),
    ],
)
def test_an_envelope_of_another_shape_is_invalid_and_told_where(inner: str, path: str, version: Version) -> None:
    error = _refusal(_envelope(f"\n{inner}", version), version)

    assert (error.code, error.path, error.version) == ("EnvelopeInvalid", path, version)
    assert error.line == (2 if path == "Envelope/Body" else 1)
    assert error.message.startswith(f"line {error.line}: ")


@pytest.mark.parametrize(
    "header", ["", "<s:Header/>", "<s:Header><x/></s:Header>", '<s:Header n:a="1"> <x/> </s:Header>']
)
def test_a_right_envelope_gives_the_child_of_its_body(header: str, version: Version) -> None:
    text = _envelope(f'{header}<s:Body n:Id="b"> <a/> </s:Body>', version, 'xmlns:n="urn:n" n:a="1"')
    envelope = read_envelope(etree.fromstring(text), KINDS[version])

    assert (envelope.version, envelope.payload.tag, dict(envelope.blocks)) == (version, "a", {})


# Which values of mustUnderstand, and which actor or role, make a block one that this service must understand.
MUST = {"1": True, "true": True, " true ": True, "0": False, "false": False, "": False, "yes": False, None: False}
ROLES = {
    None: True,
    "": True,
    ACTOR_NEXT: True,
    ROLE_NEXT: True,
    ROLE_LAST: True,
    f" {ROLE_NEXT} ": True,
    ROLE_NONE: False,
    "urn:somebody-else": False,
}


@pytest.mark.parametrize("must", MUST)
@pytest.mark.parametrize("role", ROLES)
def test_a_block_is_refused_only_if_it_is_for_us_and_must_be_understood(
    must: str | None, role: str | None, version: Version
) -> None:
    name = "actor" if version is S11 else "role"
    attributes = "" if must is None else f' s:mustUnderstand="{must}"'
    attributes += "" if role is None else f' s:{name}="{role}"'
    text = _envelope(f'<s:Header>\n<n:x xmlns:n="urn:n"{attributes}/></s:Header><s:Body><a/></s:Body>', version)

    if version is S12 and must in {"", "yes"} and ROLES[role]:
        assert _refusal(text, version).code == "EnvelopeInvalid"
    elif MUST[must] and ROLES[role]:
        error = _refusal(text, version)
        assert (error.code, error.path, error.version) == ("NotUnderstood", "Envelope/Header", version)
        assert (error.not_understood, error.line) == ((("urn:n", "x"),), 2)
    else:
        assert read_envelope(etree.fromstring(text), KINDS[version]).payload.tag == "a"


def test_the_attributes_of_the_other_version_say_nothing(version: Version) -> None:
    other = S12 if version is S11 else S11
    for attributes in (f'xmlns:o="{other}" o:mustUnderstand="1"', 'mustUnderstand="1"'):
        text = _envelope(f"<s:Header><x {attributes}/></s:Header><s:Body><a/></s:Body>", version)
        assert read_envelope(etree.fromstring(text), KINDS[version]).payload.tag == "a"

    wrong_role = 's:role="urn:else"' if version is S11 else 's:actor="urn:else"'
    text = _envelope(f'<s:Header><x s:mustUnderstand="1" {wrong_role}/></s:Header><s:Body><a/></s:Body>', version)
    assert _refusal(text, version).code == "NotUnderstood"


def test_all_blocks_that_were_not_understood_are_named_once_in_their_order(version: Version) -> None:
    blocks = '<n:b s:mustUnderstand="1"/><c/><n:b s:mustUnderstand="1"/><d s:mustUnderstand="1"/>'
    error = _refusal(_envelope(f'<s:Header xmlns:n="urn:n">{blocks}</s:Header><s:Body><a/></s:Body>', version), version)

    assert error.not_understood == (("urn:n", "b"), ("", "d"))


def test_a_message_cannot_make_its_fault_grow_by_header_blocks(version: Version) -> None:
    longest = "v" * 256
    blocks = "".join(f'<n:b{i} s:mustUnderstand="1"/>' for i in range(100))
    error = _refusal(
        _envelope(f'<s:Header xmlns:n="{longest}">{blocks}</s:Header><s:Body><a/></s:Body>', version), version
    )

    assert error.not_understood == tuple((longest, f"b{i}") for i in range(MOST_NAMED))


OURS = '<h:OnBehalfOf xmlns:h="urn:opendepot:header:1"{}><h:clientAddress>192.0.2.1</h:clientAddress></h:OnBehalfOf>'


@pytest.mark.parametrize("attributes", ["", ' s:mustUnderstand="1"', ' s:mustUnderstand="0"'])
def test_on_behalf_of_is_understood_with_or_without_must_understand(attributes: str, version: Version) -> None:
    text = _envelope(f"<s:Header><x/>{OURS.format(attributes)}</s:Header><s:Body><a/></s:Body>", version)
    envelope = read_envelope(etree.fromstring(text), KINDS[version])

    assert [block.tag for block in envelope.blocks.values()] == ["{urn:opendepot:header:1}OnBehalfOf"]


@pytest.mark.parametrize(
    "blocks",
    [
        "<OnBehalfOf/>",
        '<x:OnBehalfOf xmlns:x="urn:opendepot:sales:1"/>',
        '<x:OnBehalfOf xmlns:x="urn:opendepot:header:2"/>',
        '<x:OnBehalfOf xmlns:x="urn:opendepot:header:2" s:mustUnderstand="1"/>',
        OURS.format("") + OURS.format(""),
        OURS.format("") + "<OnBehalfOf/>",
        "<OnBehalfOf/>" + OURS.format(""),
    ],
)
def test_on_behalf_of_in_a_wrong_namespace_in_none_or_twice_is_a_fault(blocks: str, version: Version) -> None:
    error = _refusal(_envelope(f"<s:Header>{blocks}</s:Header><s:Body><a/></s:Body>", version), version)

    assert (error.code, error.path, error.version) == ("HeaderInvalid", "Envelope/Header/OnBehalfOf", version)
    assert "urn:opendepot:header:1" in error.message


def test_the_name_may_stand_outside_the_header(version: Version) -> None:
    text = _envelope("<s:Header><x><OnBehalfOf/></x></s:Header><s:Body><OnBehalfOf/></s:Body>", version)
    found: Any = read_envelope(etree.fromstring(text), KINDS[version])

    assert (found.payload.tag, dict(found.blocks)) == ("OnBehalfOf", {})
