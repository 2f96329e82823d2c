from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xmlgate import Limits, XmlRefused, parse

Refusal = Callable[..., XmlRefused]

_TEXT = "Ünïcødé – 試験 – 😀"
_CODECS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"]


def _document(declared: str | None) -> str:
    declaration = "" if declared is None else f'<?xml version="1.0" encoding="{declared}"?>\n'
    return f"{declaration}<a>{_TEXT}</a>"


def _named(codec: str) -> str:
    return "UTF-16" if "16" in codec else "UTF-8"


@pytest.mark.parametrize("codec", _CODECS)
@pytest.mark.parametrize("case", [str.upper, str.lower, None], ids=["upper", "lower", "absent"])
@pytest.mark.parametrize("over_http", [True, False])
def test_utf_8_and_utf_16_are_read_with_and_without_mark_and_names(
    codec: str, case: Callable[[str], str] | None, over_http: bool
) -> None:
    name = None if case is None else case(_named(codec))
    root = parse(_document(name).encode(codec), limits=Limits(), charset=name if over_http else None)
    assert root.text == _TEXT


def test_big_endian_utf_16_with_a_mark_is_read() -> None:
    assert parse(b"\xfe\xff" + _document("UTF-16").encode("utf-16-be"), limits=Limits()).text == _TEXT


@pytest.mark.parametrize(
    ("name", "codec"),
    [("UTF8", "utf-8"), ("utf8", "utf-8-sig"), ("UTF-16LE", "utf-16-le"), ("utf-16be", "utf-16-be")],
)
def test_other_names_of_the_same_encodings_are_read(name: str, codec: str) -> None:
    data = _document(name).encode(codec)

    assert parse(data, limits=Limits()).text == _TEXT
    assert parse(_document(None).encode(codec), limits=Limits(), charset=name).text == _TEXT


@given(text=st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="￾￿<&")))
@settings(derandomize=True)
def test_all_encodings_of_a_text_give_the_same_tree(text: str) -> None:
    document = f"<a>{text}</a>"
    read = {parse(document.encode(codec), limits=Limits()).text for codec in _CODECS}
    assert read == {text or None}


@pytest.mark.parametrize(
    ("data", "charset"),
    [
        (b'<?xml version="1.0" encoding="UTF-7"?><a>+ADw-b/+AD4-</a>', None),
        (b"<a>+ADw-b/+AD4-</a>", "utf-7"),
        (b'<?xml version="1.0" encoding="ISO-8859-1"?><a>\xe9</a>', None),
        (b'<?xml version="1.0" encoding="windows-1252"?><a/>', None),
        (b'<?xml version="1.0" encoding="UTF-32"?><a/>', None),
        (b"<a/>", "iso-8859-15"),
        (b"<a>\xe9</a>", "iso-8859-1"),
        (b"<a/>", ""),
        ("<a/>".encode("utf-32"), None),
        ("<a/>".encode("utf-32-le"), None),
        ("<a/>".encode("utf-32-be"), None),
    ],
)
def test_other_encodings_are_refused(refusal: Refusal, data: bytes, charset: str | None) -> None:
    refused = refusal(data, charset=charset)
    assert refused.code == "EncodingUnsupported"
    assert "UTF-8" in refused.message


@pytest.mark.parametrize(
    ("data", "charset"),
    [
        (_document("UTF-16").encode(), None),
        (_document(None).encode(), "utf-16"),
        (_document("UTF-8").encode("utf-16"), None),
        (_document(None).encode("utf-16"), "utf-8"),
        (_document("UTF-8").encode(), "utf-16"),
        (_document("UTF-8").encode("utf-16-le"), "utf-16"),
        (_document("US-ASCII").encode(), None),
        (_document(None).encode(), "us-ascii"),
        ("<a/>".encode("utf-16"), "us-ascii"),
    ],
)
def test_a_name_that_contradicts_the_bytes_is_refused(refusal: Refusal, data: bytes, charset: str | None) -> None:
    assert refusal(data, charset=charset).code == "EncodingUnsupported"


def test_us_ascii_is_read_where_the_bytes_are() -> None:
    data = b"<?xml version='1.0' encoding='us-ascii' standalone='no' ?><a>b</a>"
    assert parse(data, limits=Limits(), charset="US-ASCII").text == "b"


@pytest.mark.parametrize(
    "data",
    [
        b"<a>\n\n\xff</a>",
        b"<a>\n\n\xed\xa0\x80</a>",
        b"<a>\n\n\xc0\x80</a>",
        b"<a>\n\n\xf4\x90\x80\x80</a>",
    ],
)
def test_bytes_that_are_no_utf_8_are_malformed_at_their_line(refusal: Refusal, data: bytes) -> None:
    refused = refusal(data)
    assert (refused.code, refused.message, refused.line) == ("Malformed", "The document is not valid UTF-8.", 3)


@pytest.mark.parametrize("data", [b"\xff\xfe<\x00a\x00/\x00>", b"<\x00a\x00\x00\xd8/\x00>\x00"])
def test_bytes_that_are_no_utf_16_are_malformed(refusal: Refusal, data: bytes) -> None:
    refused = refusal(data)
    assert (refused.code, refused.message) == ("Malformed", "The document is not valid UTF-16.")


@pytest.mark.parametrize(
    "declaration",
    [
        b'<?xml version="1.1"?>',
        b'<?xml version="1.1" encoding="UTF-8"?>',
        b'<?xml version="2.0"?>',
        b'<?xml encoding="UTF-8"?>',
        b"<?xml version='1.0\"?>",
        b'<?xml version="1.0" encoding="8"?>',
        b'<?xml version="1.0" standalone="maybe"?>',
        b'<?xml version="1.0" encoding="' + b"x" * 41 + b'"?>',
        b"<?xml?>",
        b'<?xml\tversion="1.0"',
    ],
)
def test_a_declaration_that_xml_1_0_does_not_know_is_malformed(refusal: Refusal, declaration: bytes) -> None:
    refused = refusal(declaration + b"<a/>")
    assert (refused.code, refused.line, refused.column) == ("Malformed", 1, 1)
