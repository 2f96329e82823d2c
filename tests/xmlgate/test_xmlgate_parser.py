import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

import xmlgate.parser
from xmlgate import Limits, XmlRefused, parse

Refusal = Callable[..., XmlRefused]

_PIECES = [
    b"<a>", b"</a>", b"<b/>", b"<", b">", b"&", b"&amp;", b"&x;", b"&#0;", b"&#x41;", b"<!DOCTYPE a [", b"]>",
    b"<!--",
    b"-->", b"<![CDATA[", b"]]>", b"<?xml version='1.0'?>", b"<?p", b"?>", b"<?xml version='1.0' encoding='utf-16'?>",
    b"xmlns='u'", b"xmlns:p='u'", b"<p:a ", b"x='1' ", b"\x00", b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf", b"\x80",
    b"<\x00", b"\x00<", b"<a", b" ", b"\n", b"text", b"<!ENTITY e SYSTEM 'file:///etc/hostname'>",
    b"\xc3\xa9",
]  # fmt: skip
_CHARSETS = st.sampled_from([None, "utf-8", "UTF-16", "us-ascii", "utf-7", "", "\x00", "é"])


@given(
    data=st.one_of(st.binary(), st.lists(st.sampled_from(_PIECES), max_size=12).map(b"".join)),
    charset=_CHARSETS,
)
@pytest.mark.examples
@settings(derandomize=True, max_examples=examples(500), deadline=None)
def test_any_bytes_whatever_are_an_element_or_a_refusal(data: bytes, charset: str | None) -> None:
    try:
        root = parse(data, limits=Limits(depth=3, elements=5, max_bytes=400), charset=charset)
    except XmlRefused as refused:
        assert refused.message.isascii()  # noqa: PT017  both outcomes are right
        assert refused.message.endswith(".")  # noqa: PT017
    else:
        assert root.getparent() is None


@given(cut=st.integers(0, 400), flip=st.integers(0, 7), where=st.integers(0, 399))
@pytest.mark.examples
@settings(derandomize=True, max_examples=examples(200), deadline=None)
def test_a_damaged_document_is_an_element_or_a_refusal(cut: int, flip: int, where: int) -> None:
    data = bytearray(
        b'<?xml version="1.0" encoding="UTF-8"?>\n<s:Envelope xmlns:s="urn:s"><s:Body><order xmlns="urn:o" id="7">'
        b"<line><!-- two --><item>A&amp;B</item><text>\xc3\xa9<![CDATA[<x>]]></text></line></order></s:Body>"
        b"</s:Envelope>"
    )
    data[where % len(data)] ^= 1 << flip
    try:
        parse(bytes(data[: cut or None]), limits=Limits())
    except XmlRefused as refused:
        assert refused.code in {"Malformed", "DtdForbidden", "ProcessingInstruction", "EncodingUnsupported"}  # noqa: PT017


def test_size_is_judged_on_the_bytes_received(work: SimpleNamespace, refusal: Refusal) -> None:
    data = b"<a>" + b" " * 93 + b"</a>"
    assert parse(data, limits=Limits(max_bytes=100)).tag == "a"
    refused = refusal(data + b"\n", limits=Limits(max_bytes=100))
    assert (refused.code, work.counted, len(work.built)) == ("TooLarge", [], 1)
    assert "100" in refused.message


_LAUGHS = (
    b'<!DOCTYPE l [<!ENTITY a "ha">'
    + b"".join(b'<!ENTITY %c "%b">' % (98 + i, b"&%c;" % (97 + i) * 10) for i in range(12))
    + b"]><l>&m;</l>"
)
_DTDS = {
    "billion laughs": _LAUGHS,
    "external entity": b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]><a>&x;</a>',
    "external subset": b'<!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd"><a/>',
    "parameter entity": b'<!DOCTYPE a [<!ENTITY % x SYSTEM "file:///etc/hostname"> %x;]><a/>',
    "default attribute": b'<!DOCTYPE a [<!ATTLIST a b CDATA "c">]><a/>',
    "bare": b"<!DOCTYPE a><a/>",
    "after a comment": b"<!-- c --><!DOCTYPE a><a/>",
    "utf-16": '<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>'.encode("utf-16"),
    "with a mark": b"\xef\xbb\xbf" + _LAUGHS,
}


@pytest.mark.parametrize("name", _DTDS)
def test_every_document_type_declaration_is_refused_unread(work: SimpleNamespace, refusal: Refusal, name: str) -> None:
    refused = refusal(_DTDS[name])
    assert refused.code == "DtdForbidden"
    assert work.built == []


@pytest.mark.parametrize("data", [b"<?p i?><a/>", b"<a><?p i?></a>", b"<a/><?p i?>", b"<?xml-stylesheet h='x'?><a/>"])
def test_every_processing_instruction_is_refused_unread(work: SimpleNamespace, refusal: Refusal, data: bytes) -> None:
    assert refusal(data).code == "ProcessingInstruction"
    assert work.built == []


def test_comments_go_and_the_text_around_them_is_joined() -> None:
    root = parse(b"<!-- 1 --><a>ABC<!-- x -->DEF<b/>G<!-- y -->H<!-- z --></a><!-- 2 -->", limits=Limits())
    assert root.text == "ABCDEF"
    assert root[0].tail == "GH"
    assert [child.tag for child in root] == ["b"]
    assert etree.tostring(root.getroottree()) == b"<a>ABCDEF<b/>GH</a>"


def test_a_document_type_in_cdata_is_text() -> None:
    assert parse(b"<a><![CDATA[<!DOCTYPE a>]]></a>", limits=Limits()).text == "<!DOCTYPE a>"


def test_xinclude_and_schema_hints_stay_inert(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s3cret")
    data = (
        '<a xmlns:xi="http://www.w3.org/2001/XInclude" xmlns:i="http://www.w3.org/2001/XMLSchema-instance"'
        f' i:noNamespaceSchemaLocation="file://{secret}"><xi:include href="file://{secret}" parse="text"/></a>'
    )
    root = parse(data.encode(), limits=Limits())
    assert root[0].text is None
    assert "s3cret" not in etree.tostring(root, encoding="unicode")


def test_depth_is_judged_without_an_exact_count(
    work: SimpleNamespace, refusal: Refusal, nested: Callable[[int], bytes]
) -> None:
    assert parse(nested(32), limits=Limits()).tag == "a"
    refused = refusal(nested(33))
    assert refused.code == "TooComplex"
    assert "32" in refused.message
    assert refusal(nested(257)).code == "TooComplex"
    assert work.counted == []


def test_the_depth_test_follows_the_limits_given(refusal: Refusal, nested: Callable[[int], bytes]) -> None:
    for depth in (1, 2, 100, 255):
        assert parse(nested(depth), limits=Limits(depth=depth)).tag == "a"
        assert refusal(nested(depth + 1), limits=Limits(depth=depth)).code in {"TooComplex", "Malformed"}


def test_an_element_that_is_its_own_end_counts_in_the_depth(refusal: Refusal) -> None:
    for depth in (1, 2, 31):
        data = b"<a>" * depth + b"<b/>" + b"</a>" * depth
        assert parse(data, limits=Limits(depth=depth + 1)).tag == "a"
        assert refusal(data, limits=Limits(depth=depth)).code == "TooComplex"


def test_a_tree_with_a_document_type_is_refused_even_after_the_parse() -> None:
    root = etree.fromstring(b"<!DOCTYPE a><a/>")
    with pytest.raises(XmlRefused) as caught:
        xmlgate.parser.inspect(root, limits=Limits())
    assert caught.value.code == "DtdForbidden"


def test_the_parser_underneath_would_fetch_and_resolve_nothing_either(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s3cret")
    data = f'<!DOCTYPE a [<!ENTITY x SYSTEM "file://{secret}"><!ENTITY y "s3cret">]><a>&x;&y;<?p i?><!-- c --></a>'
    root = etree.fromstring(data.encode(), xmlgate.parser._tools.parser)
    assert root.text is None
    assert [child.text for child in root] == ["&x;", "&y;"]


@pytest.mark.parametrize(
    ("data", "place", "words"),
    [
        (b"", (1, 1), "no root element"),
        (b"\n ", (2, 2), "no root element"),
        (b"<a/>\n<b/>", (2, 1), "follows the root"),
        (b"<a>\n&secret;</a>", (2, 9), "entity"),
        (b"<a>\n<secret></a>", (2, 13), "end tag"),
        (b"<a>\n", (2, 1), "ends inside"),
        (b"<a secret='1' secret='2'/>", (1, 25), "twice"),
        (b"<a>\n\n\x01</a>", (3, 1), "character"),
        (b"<secret:a/>", (1, 10), "prefix"),
        (b"<a secret=1/>", (1, 11), "not well-formed"),
    ],
)
def test_a_malformed_document_is_refused_with_its_place_and_without_its_words(
    refusal: Refusal, data: bytes, place: tuple[int, int], words: str
) -> None:
    refused = refusal(data)
    assert refused.code == "Malformed"
    assert (refused.line, refused.column) == place
    assert words in refused.message
    assert "secret" not in refused.message


def test_each_thread_has_its_own_parser_and_its_own_errors() -> None:
    threads = 4
    barrier = threading.Barrier(threads)
    parsers: list[etree.XMLParser] = []
    wrong: list[tuple[int, int | None]] = []

    def work(number: int) -> None:
        parsers.append(xmlgate.parser._tools.parser)
        barrier.wait()
        for turn in range(200):
            line = 1 + number * 1000 + turn
            try:
                parse(b"<a>" + b"\n" * (line - 1) + b"</b>", limits=Limits())
            except XmlRefused as refused:
                if refused.line != line:
                    wrong.append((line, refused.line))

    running = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    assert wrong == []
    assert len({id(parser) for parser in parsers}) == threads
    assert xmlgate.parser._tools.parser not in parsers
