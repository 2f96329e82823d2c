"""The chunked coding by itself: what is written is read, in any pieces, and what it may hold is bounded."""

import pytest
from http_reading import cut
from hypothesis import given
from hypothesis import strategies as st

from server.http.chunked import LAST_CHUNK, ChunkedReader, chunk
from server.http.refusals import BodyTooLarge, HttpRefused


def read(pieces: list[bytes], *, most: int = 1000) -> tuple[bytes | None, bytes]:
    """Give the body, or None while it is not whole, and what is left of the pieces."""
    reader, buffer, body = ChunkedReader(most=most), bytearray(), None
    for piece in pieces:
        buffer += piece
        if body is None:
            body = reader.read(buffer)
    return body, bytes(buffer)


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=5), st.lists(st.integers(0, 300), max_size=8))
def test_what_is_written_is_read_and_what_follows_is_left(body: bytes, chunks: list[int], cuts: list[int]) -> None:
    coded = b"".join(map(chunk, cut(body, chunks))) + LAST_CHUNK
    assert read([coded + b"GET"]) == (body, b"GET")
    assert read([*cut(coded, cuts), b"GET"]) == (body, b"GET")
    assert read([coded[:-1]]) == (None, b"\r")


@given(st.binary(min_size=1, max_size=100))
def test_a_chunk_is_its_size_in_hexadecimal_and_its_data(data: bytes) -> None:
    assert chunk(data) == f"{len(data):x}\r\n".encode() + data + b"\r\n"


def test_how_much_has_arrived_is_told_in_the_middle() -> None:
    reader = ChunkedReader(most=100)
    buffer = bytearray(b"5\r\nabc")
    assert reader.read(buffer) is None
    assert (reader.arrived, bytes(buffer)) == (3, b"")
    buffer += b"de\r\n2\r\nx"
    assert reader.read(buffer) is None
    assert (reader.arrived, bytes(buffer)) == (6, b"")


def test_the_body_is_given_again_when_asked_again_at_its_end() -> None:
    reader, buffer = ChunkedReader(most=10), bytearray(b"1\r\nx\r\n0\r\n\r\n")
    assert reader.read(buffer) == b"x"
    assert reader.read(buffer) == b"x"


@pytest.mark.parametrize("most", [0, 1, 15, 16, 1000])
def test_a_body_of_the_greatest_size_is_read_and_one_byte_more_is_too_large(most: int) -> None:
    coded = (chunk(b"x" * most) if most else b"") + LAST_CHUNK
    assert read([coded], most=most) == (b"x" * most, b"")
    with pytest.raises(BodyTooLarge):
        read([chunk(b"x" * (most + 1))], most=most)


def test_a_size_that_is_too_large_is_seen_before_any_of_its_data() -> None:
    with pytest.raises(BodyTooLarge):
        read([b"FFFFFFFF\r\n"])
    with pytest.raises(BodyTooLarge):
        read([chunk(b"x" * 600), b"191\r\n"])


def test_there_may_be_as_many_tiny_chunks_as_sixty_four_and_one_for_each_sixty_four_bytes() -> None:
    allowed = 64 + 6400 // 64
    assert read([chunk(b"x") * (allowed - 1) + LAST_CHUNK], most=6400) == (b"x" * (allowed - 1), b"")
    with pytest.raises(HttpRefused, match="very many tiny chunks"):
        read([chunk(b"x") * allowed + LAST_CHUNK], most=6400)


def test_a_body_that_may_be_large_has_no_more_tiny_chunks_for_it_until_its_bytes_are_there() -> None:
    most, allowed = 4 << 20, 4096
    assert read([chunk(b"x") * (allowed - 1) + LAST_CHUNK], most=most) == (b"x" * (allowed - 1), b"")
    with pytest.raises(HttpRefused, match="very many tiny chunks"):
        read([chunk(b"x") * (allowed + 100)], most=most)
    whole = chunk(b"x" * 65_536) + chunk(b"x") * (allowed + 1000)
    assert read([whole + LAST_CHUNK], most=most) == (b"x" * (65_536 + allowed + 1000), b"")


@given(st.binary(max_size=60), st.lists(st.integers(0, 60), max_size=6))
def test_any_bytes_are_a_body_or_not_whole_or_refused_and_cuts_do_not_decide_which(
    data: bytes, cuts: list[int]
) -> None:
    def outcome(pieces: list[bytes]) -> object:
        try:
            return read(pieces, most=40)[0]
        except (HttpRefused, BodyTooLarge) as error:
            return type(error)

    assert outcome([data]) == outcome(cut(data, cuts))


@given(st.text("0123456789abcdefABCDEF \t+-_xX;=\r", max_size=12))
def test_a_size_is_one_to_eight_hexadecimal_digits_and_nothing_else(size: str) -> None:
    digits = 1 <= len(size) <= 8 and not set(size) - set("0123456789abcdefABCDEF")
    line = size.encode() + b"\r\n"
    if digits:
        most = int(size, 16)
        assert read([line], most=most)[0] is None
        return
    with pytest.raises((HttpRefused, BodyTooLarge)):
        read([line + b"\0" * 100])
