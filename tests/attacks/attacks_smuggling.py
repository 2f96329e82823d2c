"""Request smuggling and hostile heads: a request has one reading, or the connection ends with its refusal."""

from collections.abc import Iterator
from functools import partial

from attack_cases import Attack, envelope, order

GET = b"GET /v1/sales?wsdl HTTP/1.1\r\nHost: smuggled.test\r\n\r\n"
BODY = envelope(order(transaction="framed")).encode()
PLAIN = b"Content-Type: text/xml"
KEY = b"Authorization: Bearer @KEY@"
CHUNKED = b"Transfer-Encoding: chunked"


def post(
    *fields: bytes, body: bytes = BODY, line: bytes = b"POST /v1/sales HTTP/1.1", host: bytes = b"Host: x.test"
) -> bytes:
    given = [line, *([host] if host else []), PLAIN, KEY, *fields]
    return b"\r\n".join(given) + b"\r\n\r\n" + body


def length(value: bytes | int) -> bytes:
    return b"Content-Length: " + (str(value).encode() if isinstance(value, int) else value)


def chunks(*sizes: bytes, body: bytes = BODY) -> bytes:
    first = sizes[0] if sizes else b"%x" % len(body)
    return first + b"\r\n" + body + b"\r\n0\r\n\r\n"


N = len(BODY)
FRAMING = {
    "both lengths": (post(length(N), CHUNKED), 400),
    "both lengths, the other way round": (post(CHUNKED, length(N), body=chunks()), 400),
    "chunked that hides a request": (post(length(4), CHUNKED, body=b"0\r\n\r\n"), 400),
    "a length that hides a request": (post(length(N), b"Transfer-Encoding : chunked"), 400),
    "two lengths": (post(length(N), length(0)), 400),
    "two equal lengths": (post(length(N), length(N)), 400),
    "two lengths in one field": (post(length(b"%d, %d" % (N, N))), 400),
    "a length with a sign": (post(length(b"+%d" % N)), 400),
    "a negative length": (post(length(-1)), 400),
    "a length in hexadecimal": (post(length(b"0x10")), 400),
    "a length with a fraction": (post(length(b"%d.0" % N)), 400),
    "a length with a space in it": (post(length(b"1 0")), 400),
    "a length of other digits": (post(length("\u0661".encode())), 400),
    "a length of 5,000 digits": (post(length(b"9" * 5_000)), 400),
    "an empty length": (post(length(b"")), 400),
    "a length with an underscore": (post(length(b"1_0")), 400),
    "chunked twice": (post(CHUNKED, CHUNKED, body=chunks()), 400),
    "chunked and more": (post(b"Transfer-Encoding: chunked, identity", body=chunks()), 501),
    "more and chunked": (post(b"Transfer-Encoding: gzip, chunked", body=chunks()), 501),
    "a coding that looks chunked": (post(b"Transfer-Encoding: xchunked", body=chunks()), 501),
    "chunked with a tab": (post(b"Transfer-Encoding: \x0bchunked", body=chunks()), 400),
    "chunked in quotes": (post(b'Transfer-Encoding: "chunked"', body=chunks()), 501),
    "chunked in HTTP/1.0": (post(CHUNKED, body=chunks(), line=b"POST /v1/sales HTTP/1.0"), 400),
    "an obsolete fold": (post(b"Transfer-Encoding:\r\n chunked", body=chunks()), 400),
    "a space before the colon": (post(b"Content-Length : 5"), 400),
    "a tab before the colon": (post(b"Content-Length\t: 5"), 400),
    "a null in a name": (post(b"Content\0-Length: 5"), 400),
    "a null in a value": (post(b"X: a\0b"), 400),
    "a carriage return in a value": (post(b"X: a\rContent-Length: 0"), 400),
    "line feeds alone": (post(length(N)).replace(b"\r\n", b"\n", 3), 400),
    "a line feed that hides a field": (post(b"X: y\n" + CHUNKED, body=chunks()), 400),
    "a name of no letters": (post(b": x"), 400),
    "a line without a colon": (post(b"X"), 400),
    "no Host": (post(length(N), host=b""), 400),
    "two Hosts": (post(length(N), b"Host: y.test"), 400),
    "a Host with a path": (post(length(N), host=b"Host: x.test/y"), 400),
    "a Host with a space": (post(length(N), host=b"Host: x y"), 400),
    "an absolute target": (post(length(N), line=b"POST http://x.test/v1/sales HTTP/1.1"), 400),
    "a target of another host": (post(length(N), line=b"POST //other.test/ HTTP/1.1"), 404),
    "a tunnel": (post(line=b"CONNECT x.test:80 HTTP/1.1", body=b""), 400),
    "a fragment in the target": (post(length(N), line=b"POST /v1/sales#a HTTP/1.1"), 400),
    "a null in the target": (post(length(N), line=b"POST /v1/sales%00 HTTP/1.1"), 400),
    "a backslash in the target": (post(length(N), line=b"POST /v1\\sales HTTP/1.1"), 400),
    "a way up in the target": (post(length(N), line=b"POST /v1/x/../sales HTTP/1.1"), 404),
    "an encoded way up": (post(length(N), line=b"POST /v1/x/%2e%2e/sales HTTP/1.1"), 404),
    "HTTP/2 by its preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    "HTTP/0.9": (b"GET /\r\n\r\n", 400),
    "HTTP/1.2": (post(length(N), line=b"POST /v1/sales HTTP/1.2"), 505),
    "HTTP/01.1": (post(length(N), line=b"POST /v1/sales HTTP/01.1"), 400),
    "a method in small letters": (post(length(N), line=b"post /v1/sales HTTP/1.1"), 400),
    "two spaces in the line": (post(length(N), line=b"POST  /v1/sales HTTP/1.1"), 400),
    "a space at the end of the line": (post(length(N), line=b"POST /v1/sales HTTP/1.1 "), 400),
    "an upgrade to HTTP/2": (post(length(N), b"Upgrade: h2c", b"Connection: Upgrade"), 400),
    "an upgrade to WebSocket": (post(length(N), b"Upgrade: websocket"), 400),
    "an expectation that is none": (post(length(N), b"Expect: 200-maybe"), 417),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200), 400),
    "SSH": (b"SSH-2.0-OpenSSH_9.0\r\n\r\n", 400),
    "PROXY protocol from nobody": (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n" + post(length(N)), 400),
    "PROXY protocol 2 from nobody": (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + bytes(12), 400),
    "65 fields": (post(*(b"X%d: y" % n for n in range(62)), length(N)), 431),
    "5,000 fields": (post(*(b"X%d: y" % n for n in range(1_500)), length(N)), 431),
    "a head of 17 KiB": (post(b"X: " + b"x" * 17_000, length(N)), 431),
    "a head without end": (b"POST /v1/sales HTTP/1.1\r\nX: " + b"x" * 200_000, 431),
    "a target of 5 KiB": (post(length(N), line=b"POST /v1/sales?" + b"x" * 5_000 + b" HTTP/1.1"), 414),
    "a body on GET": (post(length(N), line=b"GET /v1/sales HTTP/1.1"), 400),
}
CHUNKS = {
    "a size with a sign": (chunks(b"+%x" % N), 400),
    "a size with 0x": (chunks(b"0x%x" % N), 400),
    "a size with a space in front": (chunks(b" %x" % N), 400),
    "a negative size": (chunks(b"-1"), 400),
    "an empty size": (chunks(b""), 400),
    "a size of 17 digits": (chunks(b"0" * 16 + b"1"), 400),
    "a size that goes round": (chunks(b"1" + b"0" * 15 + b"1"), 400),
    "a size without a line": (b"%x\n" % N + BODY + b"\r\n0\r\n\r\n", 400),
    "a chunk that is longer than it says": (chunks(b"5"), 400),
    "an extension of 20 KiB": (b"1;" + b"x" * 20_000 + b"\r\na\r\n0\r\n\r\n", 400),
    "no line behind a chunk": (b"1\r\na0\r\n\r\n", 400),
    "trailers without end": (chunks()[:-2] + b"X: y\r\n" * 5_000 + b"\r\n", 400),
}


def _sent(raw: bytes) -> bytes:
    return raw + GET


def attacks() -> Iterator[Attack]:
    for name, (raw, status) in FRAMING.items():
        yield Attack(name=name, make=partial(_sent, raw), statuses=(status,), code="")
    for name, (body, status) in CHUNKS.items():
        yield Attack(
            name=f"chunked: {name}", make=partial(_sent, post(CHUNKED, body=body)), statuses=(status,), code=""
        )
    large = post(length(10 * 1024**3), b"Expect: 100-continue", body=b"")
    yield Attack(name="a length of 10 GiB that asks", make=partial(_sent, large), statuses=(413,), code="TooLarge")
    large = post(length(10 * 1024**3))
    yield Attack(name="a length of 10 GiB", make=partial(_sent, large), statuses=(413,), code="TooLarge")
    yield Attack(name="chunks beyond the limit", make=_many_chunks, statuses=(413,), code="TooLarge")
    yield Attack(name="a flood of small chunks", make=_small_chunks, statuses=(400,), code="")
    yield Attack(name="a body that ends early", make=partial(post, length(N + 5)), statuses=())
    yield Attack(name="a head that ends early", make=lambda: post(length(N))[:60], statuses=())
    yield Attack(name="nothing at all", make=lambda: b"", statuses=())
    yield Attack(name="a line end and nothing", make=lambda: b"\r\n", statuses=())


def _many_chunks() -> bytes:
    return post(CHUNKED, body=(b"10000\r\n" + b"x" * 65_536 + b"\r\n") * 70)


def _small_chunks() -> bytes:
    return post(CHUNKED, body=b"1\r\n \r\n" * 60_000)
