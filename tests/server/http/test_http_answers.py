"""Answers as bytes: status line, fields, framing, and what may not stand in them."""

import asyncio
from collections.abc import AsyncGenerator
from http import HTTPStatus

import pytest
from http_cases import Read, request
from http_shell import DATE, Client, Recorder, listening, refusal_bytes, run
from hypothesis import given
from hypothesis import strategies as st

from server.http.answers import CONTINUE, PLAIN, Answer, phrase, refusal, render_head


async def pieces(*given_pieces: bytes) -> AsyncGenerator[bytes, None]:
    for piece in given_pieces:
        yield piece


def head_of(answer: Answer, *, keep_alive: bool = True, minor: int = 1) -> bytes:
    return render_head(answer, date=DATE, keep_alive=keep_alive, minor=minor)


@pytest.mark.parametrize(
    ("keep_alive", "minor", "field"),
    [
        (True, 1, b""),
        (True, 0, b"connection: keep-alive\r\n"),
        (False, 1, b"connection: close\r\n"),
        (False, 0, b"connection: close\r\n"),
    ],
)
def test_whole_bytes_have_their_length_and_the_connection_what_becomes_of_it(
    keep_alive: bool, minor: int, field: bytes
) -> None:
    answer = Answer(status=200, content_type="text/xml", body=b"<a/>", fields=(("allow", "POST"), ("x", "y")))
    assert head_of(answer, keep_alive=keep_alive, minor=minor) == (
        b"HTTP/1.1 200 OK\r\ncontent-type: text/xml\r\nallow: POST\r\nx: y\r\ndate: %b\r\ncontent-length: 4\r\n%b\r\n"
        % (DATE, field)
    )


def test_pieces_are_chunked_for_http_1_1_and_end_with_the_connection_for_http_1_0() -> None:
    answer = Answer(status=200, content_type="text/plain", body=pieces())
    assert b"transfer-encoding: chunked\r\n" in head_of(answer)
    assert b"content-length" not in head_of(answer)
    old = head_of(answer, keep_alive=False, minor=0)
    assert b"transfer-encoding" not in old
    assert b"content-length" not in old


def test_304_says_nothing_of_a_length_since_it_would_be_that_of_what_is_not_sent() -> None:
    head = head_of(Answer(status=304, content_type="text/plain", body=b""))
    assert head.startswith(b"HTTP/1.1 304 Not Modified\r\n")
    assert b"content-length" not in head


def test_an_empty_body_has_length_nought() -> None:
    assert b"content-length: 0\r\n" in head_of(Answer(status=200, content_type=PLAIN, body=b""))


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n", "\r\nx: y\r\n\r\n<evil/>"])
def test_a_line_end_in_a_field_is_a_defect_and_never_sent(end: str) -> None:
    for answer in (
        Answer(status=200, content_type=f"text/plain{end}", body=b""),
        Answer(status=200, content_type="text/plain", body=b"", fields=(("location", f"/{end}"),)),
        Answer(status=200, content_type="text/plain", body=b"", fields=((f"x{end}", "y"),)),
    ):
        with pytest.raises(ValueError, match="a line end"):
            head_of(answer)


def test_a_value_beyond_latin_1_is_a_defect_and_never_sent() -> None:
    with pytest.raises(UnicodeEncodeError):
        head_of(Answer(status=200, content_type="text/plain", body=b"", fields=(("x", "\u212a"),)))


def test_a_status_that_is_none_is_a_defect() -> None:
    with pytest.raises(ValueError, match="299"):
        head_of(Answer(status=299, content_type="text/plain", body=b""))


@given(st.sampled_from([status for status in HTTPStatus if status >= 400]))
def test_a_refusal_is_the_same_for_everybody(status: HTTPStatus) -> None:
    answer = refusal(status.value)
    assert isinstance(answer.body, bytes)
    assert head_of(answer, keep_alive=False) + answer.body == refusal_bytes(status.value, status.phrase)
    assert phrase(status.value) == status.phrase


def test_100_continue_is_a_head_without_fields() -> None:
    assert CONTINUE == b"HTTP/1.1 100 Continue\r\n\r\n"


def test_head_has_the_fields_of_the_answer_and_no_body() -> None:
    async def scenario() -> None:
        async with listening(Recorder()) as server, Client(server.address) as client:
            await client.send(request(b"HEAD /q000/it HTTP/1.1") + request(b"GET /q000/it HTTP/1.1"))
            head, get = await client.answers(["HEAD", "GET"])
            # The length is that of the answer to HEAD, which in this application names the method.
            assert int(head.fields["content-length"]) == len(get.body) + 1
            assert head.body == b""
            assert {**head.fields, "content-length": ""} == {**get.fields, "content-length": ""}

    run(scenario)


def test_head_of_an_answer_in_pieces_closes_them_unread() -> None:
    began = []

    async def counted() -> AsyncGenerator[bytes, None]:
        began.append(1)
        yield b"piece"

    def answering(_read: Read) -> Answer:
        return Answer(status=200, content_type=PLAIN, body=counted())

    async def scenario() -> None:
        async with listening(Recorder(answering=answering)) as server, Client(server.address) as client:
            await client.send(request(b"HEAD /q000/it HTTP/1.1", b"Connection: close"))
            data = await client.to_end()
            assert b"transfer-encoding: chunked\r\n" in data
            assert data.endswith(b"\r\n\r\n")
            assert data.count(b"\r\n\r\n") == 1

    run(scenario)
    assert not began


@pytest.mark.parametrize("minor", [0, 1])
def test_pieces_are_sent_as_they_become_ready_and_an_empty_one_ends_nothing(minor: int) -> None:
    def answering(_read: Read) -> Answer:
        return Answer(status=200, content_type=PLAIN, body=pieces(b"one,", b"", b"two"))

    async def scenario() -> None:
        async with listening(Recorder(answering=answering)) as server, Client(server.address) as client:
            await client.send(request(f"GET /q000/it HTTP/1.{minor}".encode(), b"Connection: close"))
            _, _, body = (await client.to_end()).partition(b"\r\n\r\n")
            assert body == (b"4\r\none,\r\n3\r\ntwo\r\n0\r\n\r\n" if minor else b"one,two")

    run(scenario)


def test_pieces_to_an_old_client_end_with_the_connection_even_if_it_wanted_to_keep_it() -> None:
    def answering(_read: Read) -> Answer:
        return Answer(status=200, content_type=PLAIN, body=pieces(b"all"))

    async def scenario() -> None:
        async with listening(Recorder(answering=answering)) as server, Client(server.address) as client:
            await client.send(request(b"GET /q000/it HTTP/1.0", b"Connection: keep-alive"))
            data = await client.to_end()
            assert b"connection: close\r\n" in data
            assert data.endswith(b"\r\n\r\nall")

    run(scenario)


def test_pieces_that_end_in_an_error_cut_the_connection_so_that_nobody_takes_them_for_the_whole() -> None:
    async def broken() -> AsyncGenerator[bytes, None]:
        yield b"begun"
        raise RuntimeError("expected")

    def answering(_read: Read) -> Answer:
        return Answer(status=200, content_type=PLAIN, body=broken())

    recorder = Recorder(answering=answering)
    told = []

    async def scenario() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: told.append(context))
        async with listening(recorder) as server, Client(server.address) as client:
            await client.send(request(b"GET /q000/it HTTP/1.1"))
            assert b"0\r\n\r\n" not in await client.to_end()

    run(scenario)
    assert [str(context["exception"]) for context in told] == ["expected"]
    assert (recorder.sent, recorder.aborted) == (0, 1)
