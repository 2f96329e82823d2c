"""What a large document is about is found before a tree is built, and never by more work than needed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xmlgate import first_below

PARENTS = {"{u}Body"}


@pytest.mark.parametrize(
    ("document", "name"),
    [
        (b'<e:E xmlns:e="u"><e:Body><m:A xmlns:m="v"/></e:Body></e:E>', "{v}A"),
        (b'<E xmlns="u"><Body> <!-- c --><A><B/></A></Body></E>', "{u}A"),
        (b'<E xmlns="u"><Header><Body><X/></Body></Header><Body><A/></Body></E>', "{u}A"),
        (b'<E xmlns="u"><Body><A xmlns=""/></Body></E>', "A"),
        (b'<E xmlns="u"><Body/></E>', None),
        (b'<E xmlns="u"><Body>text</Body><Other><A/></Other></E>', None),
        (b"<E><Body><A/></Body></E>", None),
        (b'<!DOCTYPE E><E xmlns="u"><Body><A/></Body></E>', None),
        (b'<E xmlns="u"><Body><A', None),
        (b"", None),
        (b'<E xmlns="u">' + b"<Header/>" * 2000 + b"<Body><A/></Body></E>", None),
        ('<E xmlns="u"><Body><A/></Body></E>'.encode("utf-16"), "{u}A"),
        (b'<?xml version="1.0" encoding="utf-7"?><E xmlns="u"><Body><A/></Body></E>', None),
    ],
)
def test_the_first_child_of_the_body_is_named(document: bytes, name: str | None) -> None:
    assert first_below(document, parents=PARENTS) == name


def test_nothing_behind_the_place_is_read() -> None:
    start = b'<E xmlns="u"><Body><A>'
    assert first_below(start + b"<" * 5_000_000, parents=PARENTS) == "{u}A"


@given(st.binary(max_size=300))
def test_no_bytes_raise(document: bytes) -> None:
    assert isinstance(first_below(document, parents=PARENTS), str | None)
