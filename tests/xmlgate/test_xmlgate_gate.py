import time
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from xmlgate import Limits, XmlRefused, parse
from xmlgate.gate import count_exactly, within_bounds

Refusal = Callable[..., XmlRefused]

_SMALL = Limits(depth=4, elements=8, attributes=3, namespaces=4, name_bytes=6)

_names = st.sampled_from(["a", "bb", "éé", "c:d", "sixsix", "seven77", "éééé"])
_texts = st.sampled_from(
    ["", "text", " = ", "==", "a=b", "xmlns", "x" * 9, "<![CDATA[<!DOCTYPE a><?p?>]]>", "<!-- <b c='d'> -->"]
)
_attributes = st.dictionaries(
    st.sampled_from(["x", "y", "zz", "seven77", "ééé", "xmlns", "xmlns:a", "xmlns:b", "xmlns:c", "xmlnsa"]),
    st.sampled_from(["", "v", "x=y", "xmlns"]),
    max_size=5,
)


@st.composite
def _elements(draw: st.DrawFn, depth: int = 0) -> str:
    name = draw(_names)
    space = draw(st.sampled_from(["=", " = ", "\n="]))
    inside = "".join(
        draw(st.one_of(_texts, _elements(depth + 1) if depth < 5 else _texts)) for _ in range(draw(st.integers(0, 3)))
    )
    head = name + "".join(f' {key}{space}"{value}"' for key, value in draw(_attributes).items())
    return f"<{head}>{inside}</{name}>" if inside else f"<{head}/>"


_documents = st.builds(
    "".join,
    st.tuples(
        st.sampled_from(["", "", "<?xml version='1.0'?>"]),
        st.sampled_from(["", "", "<!DOCTYPE a>", "<?p i?>", "<!-- c -->"]),
        _elements(),
        st.sampled_from(["", "", "<?p?>", "\n"]),
    ),
).map(str.encode)


def _exact(data: bytes, limits: Limits) -> str | None:
    try:
        count_exactly(data, limits=limits)
    except XmlRefused as refused:
        return refused.code if "deeper" not in refused.message else None
    return None


@given(data=_documents)
@pytest.mark.examples
@settings(derandomize=True, max_examples=examples(250))
def test_what_the_bounds_accept_the_exact_count_accepts_but_for_depth(data: bytes) -> None:
    declaration = data.find(b"?>") + 2 if data.startswith(b"<?xml ") else 0
    if within_bounds(data, declaration=declaration, limits=_SMALL):
        assert _exact(data, _SMALL) is None


@given(data=_documents)
@pytest.mark.examples
@settings(derandomize=True, max_examples=examples(150))
def test_the_exact_count_alone_decides(data: bytes) -> None:
    try:
        parse(data, limits=_SMALL)
        answer = None
    except XmlRefused as refused:
        answer = refused.code if "deeper" not in refused.message else None
    expected = _exact(data, _SMALL)
    # A prefix that is not declared is found by the parser alone.
    assert answer == expected or (expected is None and answer == "Malformed")


@pytest.mark.parametrize(
    ("data", "limits"),
    [
        (b"<a>" + b"<b/>" * 20 + b"</a>", Limits(elements=21)),
        (b"<a " + b" ".join(b'x%d=""' % i for i in range(5)) + b"/>", Limits(attributes=5)),
        (b"<a " + b" ".join(b'xmlns:x%d="u"' % i for i in range(5)) + b"/>", Limits(namespaces=5)),
        (b"<" + b"n" * 40 + b" " + b"m" * 40 + b"=''/>", Limits(name_bytes=40)),
        (b"<a xmlns:b = '" + b"u" * 40 + b"'/>", Limits(name_bytes=40)),
        (b"<a><b/><c xmlns='" + b"u" * 40 + b"'/></a>", Limits(name_bytes=40)),
        (b"<a>" * 5 + b"</a>" * 5, Limits(depth=5)),
        (b"<a>" * 5 + b"<![CDATA[</</</</</</</]]>" + b"</a>" * 5, Limits(depth=5)),
        (b"<a>" * 5 + b"<!-- </</</</</</</ -->" + b"</a>" * 5, Limits(depth=5)),
    ],
    ids=[
        "elements",
        "attributes",
        "namespaces",
        "name",
        "namespace name",
        "namespace name further in",
        "depth",
        "depth behind end tags in CDATA",
        "depth behind end tags in a comment",
    ],
)
def test_each_limit_itself_is_allowed_and_one_more_is_not(refusal: Refusal, data: bytes, limits: Limits) -> None:
    parse(data, limits=limits)
    changed = {name: getattr(limits, name) for name in Limits.__slots__}
    for name, value in changed.items():
        if value != getattr(Limits(), name):
            refused = refusal(data, limits=Limits(**{**changed, name: value - 1}))
            assert refused.code == "TooComplex"
            assert str(value - 1) in refused.message


@pytest.mark.parametrize(
    "data",
    [
        b"<a>" + b"\n" * 1000 + b'<!-- = --><b x = "1"/>' + b"=" * 200 + b"</a>",
        b"<a><![CDATA[<!DOCTYPE a [<!ENTITY b 'c'>]><?p i?>]]></a>",
        b"<a>" + b"".join(b"<b xmlns='u'/>" for _ in range(200)) + b"</a>",
        b"<a>xmlns" + b" xmlns=" * 100 + b"</a>",
    ],
    ids=["equals", "cdata", "siblings", "text"],
)
def test_what_only_looks_excessive_is_counted_and_read(work: SimpleNamespace, data: bytes) -> None:
    parse(data, limits=Limits())
    assert sum(work.counted) == len(data)
    assert work.built == [len(data)]


def test_an_ordinary_document_meets_no_exact_count(work: SimpleNamespace) -> None:
    data = b'<?xml version="1.0"?><a xmlns="u"><b c="d">' + b"QUJD/+" * 100 + b"==</b></a>"
    parse(data, limits=Limits())
    assert work.counted == []


def test_end_tags_are_no_elements_and_meet_no_exact_count(work: SimpleNamespace) -> None:
    parse(b"<a>" + b"<b></b>" * 19_999 + b"</a>", limits=Limits())
    assert work.counted == []
    with pytest.raises(XmlRefused, match="more than 20000 elements"):
        parse(b"<a>" + b"<b></b>" * 20_000 + b"</a>", limits=Limits())


def test_what_looks_like_end_tags_makes_no_room_for_elements(work: SimpleNamespace, refusal: Refusal) -> None:
    """It is not well-formed, but a tree of all before it would be built until that is found."""
    assert refusal(b"<a>" + b"<b/>" * 20_000 + b"</" * 40_000, limits=Limits()).code == "TooComplex"
    assert work.built == []


_BOMBS = {
    "attribute flood": (b"<a " + b" ".join(b'a%d=""' % i for i in range(20_000)) + b"/>", "attributes"),
    "namespace flood": (b"<a " + b" ".join(b'xmlns:a%d="u"' % i for i in range(65)) + b"/>", "attributes"),
    "nested namespaces": (
        b"".join(b'<a xmlns:a%d="u" xmlns:b%d="u" xmlns:c%d="u">' % (i, i, i) for i in range(30)) + b"</a>" * 30,
        "namespace declarations in scope",
    ),
    "elements": (b"<a>" + b"<b/>" * 20_000 + b"</a>", "more than 20000 elements"),
    "deep and wide": (b"<a>" * 5000 + b"<!-- -->" + b"</a>" * 5000, "nested deeper than 32"),
    "element name": (b"<" + b"n" * 200_000 + b"/>", "a name longer"),
    "namespace name": (b"<a xmlns='" + b"n" * 200_000 + b"'/>", "a name longer"),
    "attribute name": (b"<a " + b"n" * 200_000 + b"=''/>", "a name longer"),
    "spaced attribute name": (b"<a " + b"n" * 257 + b" " * 1000 + b"=''/>", "a name longer"),
}


@pytest.mark.parametrize("name", _BOMBS)
def test_a_bomb_is_refused_before_a_tree_is_built(work: SimpleNamespace, refusal: Refusal, name: str) -> None:
    data, what = _BOMBS[name]
    refused = refusal(data)
    assert refused.code == "TooComplex"
    assert what in refused.message
    assert work.built == []
    assert sum(work.counted) <= len(data)


@pytest.mark.parametrize(
    ("head", "code"),
    [
        (b"<!DOCTYPE a><a>", "DtdForbidden"),
        (b"<a><?p i?>", "ProcessingInstruction"),
        (b"<a>" * 33, "TooComplex"),
        (b"<a>" + b"<b/>" * 20_000, "TooComplex"),
        (b"<a></b>", "Malformed"),
    ],
)
def test_the_exact_count_stops_within_a_chunk_of_what_it_refuses(
    work: SimpleNamespace, refusal: Refusal, head: bytes, code: str
) -> None:
    data = head + b"<!-- rest --><c/>" * 8000
    assert refusal(data).code == code
    assert sum(work.counted) <= len(head) + 16 * 1024 < len(data) / 1.3
    assert work.built == []


def test_a_long_token_is_not_scanned_again_with_each_chunk(work: SimpleNamespace) -> None:
    data = b"<a>" + b"<!--" + b"-x" * (1 << 20) + b"--></a>"
    parse(data, limits=Limits(max_bytes=1 << 22))
    assert sum(work.counted) == len(data)
    assert len(work.counted) <= 12


_REPEATED = [
    "xmlns",
    "xmlns ",
    "xmlns:a",
    "<a>xmlns</a>",
    "x",
    " ",
    "&lt;",
    "\n",
    ">",
    "]]",
    "é",
    "'",
    '"',
    "+/",
    "<a/>",
]


@pytest.mark.parametrize("inner", _REPEATED)
@pytest.mark.parametrize("outer", ["{}", "={}", " a='{}' ", "xmlns{}", "xmlns ={} '"])
def test_the_byte_counts_take_time_in_proportion_whatever_a_document_repeats(inner: str, outer: str) -> None:
    """Processor time, the least of three tries; what is not linear takes seconds here."""
    size = Limits().max_bytes
    texts = [outer.format(inner * (size // len(inner))), outer.format(inner * 300) * (size // 300 // len(inner) + 1)]
    for text in texts:
        data = f"<a>{text}</a>".encode()[:size]
        assert min(_seconds(data) for _ in range(3)) < 0.1


def _seconds(data: bytes) -> float:
    begin = time.process_time()
    within_bounds(data, declaration=0, limits=Limits())
    return time.process_time() - begin


def test_the_bounds_accept_many_attributes_in_all_where_no_element_has_many() -> None:
    limits = Limits(attributes=8, elements=1_000, namespaces=64)
    many = b"<a>" + b"<b " + b" ".join(b'a%d=""' % n for n in range(8)) + b"/>"
    assert within_bounds(many * 100 + b"</a>" * 100, declaration=0, limits=limits)
    assert not within_bounds(many.replace(b"/>", b' b=""/>'), declaration=0, limits=limits)
    assert not within_bounds(many * 126, declaration=0, limits=limits)


def test_refusals_say_where(refusal: Refusal) -> None:
    refused = refusal(b"<a>\n  <b>\n   <?p i?></b></a>")
    assert (refused.line, refused.column) == (3, 4)
    refused = refusal(b"<a>\n <!-- --></b>")
    assert (refused.code, refused.line, refused.column) == ("Malformed", 2, 12)
