"""A head by itself: what is in it, what of it decides, and that it is read whole or not at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.http.head import Head, HeadLimits, HeadReader, read_head
from server.http.proxied import SIGNATURE
from server.http.refusals import HttpRefused
from server.http.requests import RequestReader

LIMITS = HeadLimits()


def head(line: str = "GET / HTTP/1.1", *fields: str, host: bool = True) -> Head:
    return read_head("\r\n".join([line, *(["Host: a"] if host else []), *fields]).encode("latin-1"), limits=LIMITS)


def test_a_head_has_its_parts_and_names_in_lower_case() -> None:
    read = head("POST /v1/sales?wsdl=1&x HTTP/1.1", "X-Some: A b", "CONTENT-TYPE:text/xml", "Content-Length: 12")
    assert read == Head(
        method="POST",
        path="/v1/sales",
        query="wsdl=1&x",
        minor=1,
        fields={"host": "a", "x-some": "A b", "content-type": "text/xml", "content-length": "12"},
        length=12,
        chunked=False,
        keep_alive=True,
        expects_continue=False,
    )
    assert read.has_body


@pytest.mark.parametrize(("target", "path", "query"), [("/a", "/a", None), ("/a?", "/a", ""), ("/a?b?c", "/a", "b?c")])
def test_a_query_begins_at_the_first_question_mark_and_may_be_empty(target: str, path: str, query: str | None) -> None:
    read = head(f"GET {target} HTTP/1.1")
    assert (read.path, read.query) == (path, query)


def test_the_target_is_given_as_it_was_sent_and_never_decoded() -> None:
    assert head("GET /%2e%2E/%41//b?%3f HTTP/1.1").path == "/%2e%2E/%41//b"


def test_values_of_a_repeated_field_are_joined_in_order() -> None:
    read = head("GET / HTTP/1.1", "X: a", "Accept: b", "x: c", "accept:", "X:  d ")
    assert (read.fields["x"], read.fields["accept"]) == ("a, c, d", "b, ")


def test_obs_text_in_a_value_is_latin_1() -> None:
    assert head("GET / HTTP/1.1", "X: caf\xe9").fields["x"] == "caf\xe9"


@pytest.mark.parametrize(
    ("fields", "length", "chunked", "has_body"),
    [
        ((), None, False, False),
        (("Content-Length: 0",), 0, False, False),
        (("Content-Length: 7",), 7, False, True),
        (("Transfer-Encoding: chunked",), None, True, True),
    ],
)
def test_whether_a_body_follows(fields: tuple[str, ...], length: int | None, chunked: bool, has_body: bool) -> None:
    read = head("POST / HTTP/1.1", *fields)
    assert (read.length, read.chunked, read.has_body) == (length, chunked, has_body)


@pytest.mark.parametrize(
    ("minor", "connection", "kept"),
    [
        (1, None, True), (1, "close", False), (1, "keep-alive", True), (1, "x, CLOSE ,y", False), (1, "", True),
        (0, None, False), (0, "keep-alive", True), (0, "Keep-Alive, x", True), (0, "keep-alive, close", False),
        (0, "x", False),
    ],
)  # fmt: skip
def test_whether_the_connection_is_kept(minor: int, connection: str | None, kept: bool) -> None:
    fields = () if connection is None else (f"Connection: {connection}",)
    assert head(f"GET / HTTP/1.{minor}", *fields).keep_alive is kept


@pytest.mark.parametrize(("minor", "expects"), [(1, True), (0, False)])
def test_100_continue_is_for_http_1_1_only(minor: int, expects: bool) -> None:
    assert head(f"POST / HTTP/1.{minor}", "Expect: 100-Continue").expects_continue is expects


@pytest.mark.parametrize(
    "name",
    ["Authorization", "Content-Encoding", "Content-Length", "Content-Type", "Expect", "Host", "SOAPAction",
     "Transfer-Encoding"],
)  # fmt: skip
def test_a_field_that_decides_something_may_stand_once(name: str) -> None:
    value = {"Content-Length": "1", "Transfer-Encoding": "chunked", "Expect": "100-continue"}.get(name, "a")
    assert head("POST / HTTP/1.1", f"{name}: {value}", host=name != "Host").fields[name.lower()] == value
    with pytest.raises(HttpRefused) as refused:
        head("POST / HTTP/1.1", f"{name}: {value}", f"{name.upper()}: {value}", host=name != "Host")
    assert (refused.value.status, refused.value.reason) == (400, "a field that may stand once stands twice")


def test_the_limits_are_those_that_were_given() -> None:
    limits = HeadLimits(head_bytes=50, line_bytes=20, fields=2)
    read_head(b"GET /" + b"x" * 6 + b" HTTP/1.1\r\nHost: a\r\nX: y", limits=limits)
    for data, status in (
        (b"GET /" + b"x" * 7 + b" HTTP/1.1\r\nHost: a", 414),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\nZ: y", 431),
    ):
        with pytest.raises(HttpRefused) as refused:
            read_head(data, limits=limits)
        assert refused.value.status == status


def test_a_refusal_names_status_and_reason() -> None:
    assert str(HttpRefused(400, "no Host")) == "400: no Host"


FIXED = "GET POST HTTP/1.1 / \r\n :Host:aContent-Length10Transfer-Encoding chunked\t\0\x7f\xe9"


@given(st.binary(max_size=80) | st.text(FIXED, max_size=80).map(lambda text: text.encode("latin-1")))
def test_any_bytes_are_a_head_or_refused_with_a_client_error_or_an_unknown_thing(data: bytes) -> None:
    refused = None
    try:
        read = read_head(data, limits=LIMITS)
    except HttpRefused as error:
        refused = error
    if refused is None:
        assert read.path.startswith(("/", "*"))
    else:
        assert refused.status in {400, 414, 417, 431, 501, 505}


# Heads that are remembered


def test_a_head_that_is_remembered_is_that_which_was_read_and_another_is_another() -> None:
    heads = HeadReader(LIMITS)
    for _ in range(2):
        for number in range(3):
            data = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d" % number
            assert heads.read(data) == read_head(data, limits=LIMITS)
            assert heads.read(data).length == number


def test_a_head_that_is_refused_is_refused_again() -> None:
    heads = HeadReader(LIMITS)
    for _ in range(2):
        with pytest.raises(HttpRefused, match="no Host"):
            heads.read(b"GET / HTTP/1.1")


def test_long_heads_are_read_anew_so_that_memory_is_bounded() -> None:
    heads = HeadReader(LIMITS)
    short = b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 1900
    assert heads.read(short) is heads.read(short)
    assert heads.read(short + b"x" * 200) is not heads.read(short + b"x" * 200)


# The reader around it


def reader_of(data: bytes) -> RequestReader:
    reader = RequestReader(HeadReader(LIMITS))
    reader.feed(data)
    return reader


def test_the_reader_never_takes_more_than_the_request_it_was_asked_for() -> None:
    request = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n"
    reader = reader_of(request + b"abc" + request + b"defGET")
    for body, left in ((b"abc", len(request) + 6), (b"def", 3)):
        read = reader.next_head()
        assert read is not None
        reader.expect_body(read, most=3)
        assert reader.next_body() == body
        assert reader.waiting == left


def test_how_much_of_a_body_has_arrived_is_told_for_both_framings() -> None:
    for framing, data in (("Content-Length: 9", b"abc"), ("Transfer-Encoding: chunked", b"9\r\nabc")):
        reader = reader_of(f"POST / HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n".encode())
        read = reader.next_head()
        assert read is not None
        reader.expect_body(read, most=9)
        assert reader.next_body() is None
        assert reader.arrived == 0
        reader.feed(data)
        assert reader.next_body() is None
        assert reader.arrived == 3


def test_a_proxy_header_is_taken_off_the_front_once_it_is_whole() -> None:
    header = SIGNATURE + b"\x20\0\0\0"
    reader = reader_of(header[:-1])
    assert reader.next_proxy_header() is None
    assert reader.waiting == len(header) - 1
    reader.feed(header[-1:] + b"GET")
    taken = reader.next_proxy_header()
    assert taken is not None
    assert (taken.client, taken.taken, reader.waiting) == (None, len(header), 3)
