"""Framing cases: bytes on a connection, and the one reading they have.

Every path begins with `/q000/` and nearly every head has `X-Case: q000`, so that a case can be told from others on the
same listener: `Case.raw_as` puts another number in its place, of the same length. Host is `canary.test` throughout:
nothing of a refused request may be echoed, so "canary" stands in no answer to one.
"""

from dataclasses import dataclass
from enum import Enum

TOKEN = b"q000"
CANARY = b"canary"
MOST = 4096
"""The greatest body that the application of these tests admits."""

HOST = b"Host: canary.test"
MARK = b"X-Case: " + TOKEN


class Ends(Enum):
    """How the connection stands after the bytes of a case."""

    OPEN = "the next request is answered"
    CLOSED = "the server ends it, whatever comes"
    WAITS = "something has begun that is not whole; the end of the client's bytes is the end, without an answer"


@dataclass(frozen=True)
class Read:
    """One request as it reaches the application."""

    method: str
    target: str
    body: bytes = b""


@dataclass(frozen=True)
class Case:
    """Bytes, the requests that must reach the application, the answers, and what becomes of the connection."""

    name: str
    raw: bytes
    reads: tuple[Read, ...]
    statuses: tuple[int, ...]
    ends: Ends

    def raw_as(self, token: bytes) -> bytes:
        assert len(token) == len(TOKEN)
        return self.raw.replace(TOKEN, token)

    def reads_as(self, token: bytes) -> tuple[Read, ...]:
        old, new = TOKEN.decode(), token.decode()
        return tuple(
            Read(read.method, read.target.replace(old, new), read.body.replace(TOKEN, token)) for read in self.reads
        )

    @property
    def refused(self) -> bool:
        """Whether an answer is the generic one to what is no request."""
        return any(status not in {200, 413} for status in self.statuses)


def request(line: bytes = b"POST /q000/it HTTP/1.1", *fields: bytes, body: bytes = b"", host: bool = True) -> bytes:
    given = [line, *([HOST] if host else []), MARK, *fields]
    return b"\r\n".join(given) + b"\r\n\r\n" + body


GET = b"GET /q000/it HTTP/1.1"
POST = b"POST /q000/it HTTP/1.1"
OLD_GET = b"GET /q000/it HTTP/1.0"
OLD_POST = b"POST /q000/it HTTP/1.0"
CHUNKED = b"Transfer-Encoding: chunked"
ABC = b"3\r\nabc\r\n0\r\n\r\n"
AFTER = request(b"GET /q000/after HTTP/1.1")
SMUGGLED = request(b"GET /q000/smuggled HTTP/1.1")
READ_AFTER = Read("GET", "/q000/after")
READ_GET = Read("GET", "/q000/it")
READ_POST = Read("POST", "/q000/it")


def posted(body: bytes) -> Read:
    return Read("POST", "/q000/it", body)


def length(value: bytes) -> bytes:
    return b"Content-Length: " + value


def good(name: str, raw: bytes, *reads: Read) -> Case:
    """Read, and the marker after it as well."""
    every = (*reads, READ_AFTER)
    return Case(name, raw + AFTER, every, (200,) * len(every), Ends.OPEN)


def last(name: str, raw: bytes, *reads: Read) -> Case:
    """Read, and the marker not: the connection ends with the answer."""
    return Case(name, raw + AFTER, reads, (200,) * len(reads), Ends.CLOSED)


def bad(name: str, raw: bytes, status: int = 400, *reads: Read) -> Case:
    """Refused (after `reads`), and the marker is not read."""
    return Case(name, raw + AFTER, reads, (*((200,) * len(reads)), status), Ends.CLOSED)


def waits(name: str, raw: bytes, *reads: Read) -> Case:
    """Not whole after `reads`."""
    return Case(name, raw, reads, (200,) * len(reads), Ends.WAITS)


def _lengths() -> list[Case]:
    cases = [
        good("none on POST is no body", request(POST), READ_POST),
        good("zero", request(POST, length(b"0")), READ_POST),
        good("three", request(POST, length(b"3"), body=b"abc"), posted(b"abc")),
        good("name in upper case", request(POST, b"CONTENT-LENGTH: 3", body=b"abc"), posted(b"abc")),
        good("name in mixed case", request(POST, b"cOnTeNt-LeNgTh: 3", body=b"abc"), posted(b"abc")),
        good("leading zeros", request(POST, length(b"0003"), body=b"abc"), posted(b"abc")),
        good("fifteen digits", request(POST, length(b"000000000000003"), body=b"abc"), posted(b"abc")),
        good("space and tab around", request(POST, b"Content-Length: \t 3 \t ", body=b"abc"), posted(b"abc")),
        good("no space after the colon", request(POST, b"Content-Length:3", body=b"abc"), posted(b"abc")),
        good("a body that looks like a request", request(POST, length(b"%d" % len(SMUGGLED)), body=SMUGGLED),
             posted(SMUGGLED)),
        good("a body of line ends", request(POST, length(b"8"), body=b"\r\n\r\n\n\n\r\r"), posted(b"\r\n\r\n\n\n\r\r")),
        good("a body of all bytes", request(POST, length(b"256"), body=bytes(range(256))), posted(bytes(range(256)))),
        good("the greatest body", request(POST, length(b"4096"), body=b"x" * MOST), posted(b"x" * MOST)),
        good("an underscore is another name", request(POST, b"Content_Length: 3"), READ_POST),
        good("a longer name is another name", request(POST, b"X-Content-Length: 3"), READ_POST),
        good("a shorter name is another name", request(POST, b"Content-Lengt: 3"), READ_POST),
        bad("one byte more than the body has", request(POST, length(b"2"), body=b"abc"), 400, posted(b"ab")),
        bad("one more than is admitted", request(POST, length(b"4097"), body=b"x" * 4097), 413),
        bad("a million announced", request(POST, length(b"1000000"), body=b"x"), 413),
        bad("the greatest number that is read", request(POST, length(b"9" * 15), body=b"x"), 413),
        bad("twice equal", request(POST, length(b"3"), length(b"3"), body=b"abc")),
        bad("twice different", request(POST, length(b"3"), length(b"0"), body=b"abc")),
        bad("twice different, the greater last", request(POST, length(b"0"), length(b"3"), body=b"abc")),
        bad("twice in different case", request(POST, length(b"3"), b"content-length: 3", body=b"abc")),
        bad("three times", request(POST, length(b"3"), length(b"3"), length(b"3"), body=b"abc")),
        bad("space before the colon", request(POST, b"Content-Length : 3", body=b"abc")),
        bad("tab before the colon", request(POST, b"Content-Length\t: 3", body=b"abc")),
        bad("NUL before the colon", request(POST, b"Content-Length\0: 3", body=b"abc")),
        bad("space before the name", request(POST, b" Content-Length: 3", body=b"abc")),
        bad("no colon", request(POST, b"Content-Length 3", body=b"abc")),
        bad("folded", request(POST, b"Content-Length:\r\n 3", body=b"abc")),
        bad("hidden behind a bare line feed", request(POST, b"X: y\nContent-Length: 3", body=b"abc")),
        bad("hidden behind a bare carriage return", request(POST, b"X: y\rContent-Length: 3", body=b"abc")),
        bad("cut by a bare line feed", request(POST, length(b"3\n"), body=b"abc")),
        bad("cut by a bare carriage return", request(POST, length(b"3\r"), body=b"abc")),
    ]  # fmt: skip
    values = {
        "a list of equals": b"3, 3",
        "a list of different": b"3, 4",
        "a list without space": b"3,3",
        "a comma behind": b"3,",
        "a comma in front": b",3",
        "a comma alone": b",",
        "a plus": b"+3",
        "minus one": b"-1",
        "minus nought": b"-0",
        "hexadecimal": b"0x3",
        "hexadecimal in upper case": b"0X3",
        "octal": b"0o3",
        "binary": b"0b11",
        "a letter behind": b"3a",
        "a letter in front": b"a3",
        "hexadecimal digits": b"a",
        "a fraction": b"3.0",
        "an exponent": b"3e0",
        "two numbers": b"3 3",
        "two numbers and a tab": b"3\t3",
        "a parameter": b"3;q=1",
        "quoted": b'"3"',
        "in single quotes": b"'3'",
        "an underscore": b"0_3",
        "Arabic digits": "٣".encode(),
        "full-width digits": "３".encode(),
        "superscript three in latin-1": b"\xb3",
        "no-break space in front": b"\xa03",
        "next line behind": b"3\x85",
        "sixteen digits": b"0" * 15 + b"3",
        "two to the 32nd and three, padded": b"%020d" % (2**32 + 3),
        "two to the 64th": b"%d" % 2**64,
        "two to the 64th and three": b"%d" % (2**64 + 3),
        "thirty nines": b"9" * 30,
        "empty": b"",
        "spaces alone": b"   ",
        "NUL behind": b"3\0",
        "NUL in front": b"\x003",
        "vertical tab behind": b"3\x0b",
        "form feed in front": b"\x0c3",
        "a word": b"three",
        "nothing known": b"chunked",
    }
    return cases + [bad(what, request(POST, length(value), body=b"abc")) for what, value in values.items()]


def _codings() -> list[Case]:
    coded = {
        "chunked": b"Transfer-Encoding: chunked",
        "value in upper case": b"Transfer-Encoding: CHUNKED",
        "name in upper case": b"TRANSFER-ENCODING: chunked",
        "tab in front": b"Transfer-Encoding:\tchunked",
        "no space": b"Transfer-Encoding:chunked",
        "space and tab behind": b"Transfer-Encoding: chunked \t ",
    }
    cases = [good(what, request(POST, field, body=ABC), posted(b"abc")) for what, field in coded.items()]
    unknown = {
        "xchunked": b"xchunked",
        "chunkedx": b"chunkedx",
        "chunk": b"chunk",
        "chunked in a list twice": b"chunked, chunked",
        "chunked and identity": b"chunked, identity",
        "identity and chunked": b"identity, chunked",
        "gzip and chunked": b"gzip, chunked",
        "identity": b"identity",
        "gzip": b"gzip",
        "empty": b"",
        "a comma behind": b"chunked,",
        "a comma in front": b",chunked",
        "a parameter": b"chunked;q=1",
        "a semicolon": b"chunked;",
        "quoted": b'"chunked"',
        "in single quotes": b"'chunked'",
        "a space within": b"chun ked",
        "a no-break space in front": b"\xa0chunked",
        "next line behind": b"chunked\x85",
        "a Kelvin sign for the k": "chun\u212aed".encode(),
        "a number": b"3",
    }
    cases += [
        bad(what, request(POST, b"Transfer-Encoding: " + value, body=ABC), 501) for what, value in unknown.items()
    ]
    broken = {
        "vertical tab in front": b"Transfer-Encoding: \x0bchunked",
        "vertical tab behind": b"Transfer-Encoding: chunked\x0b",
        "form feed in front": b"Transfer-Encoding: \x0cchunked",
        "NUL behind": b"Transfer-Encoding: chunked\0",
        "a file separator in front": b"Transfer-Encoding: \x1cchunked",
        "bare carriage return behind": b"Transfer-Encoding: chunked\r",
        "bare line feed in front": b"Transfer-Encoding:\nchunked",
        "space before the colon": b"Transfer-Encoding : chunked",
        "tab before the colon": b"Transfer-Encoding\t: chunked",
        "vertical tab before the colon": b"Transfer-Encoding\x0b: chunked",
        "space before the name": b" Transfer-Encoding: chunked",
        "no colon": b"Transfer-Encoding chunked",
        "folded": b"Transfer-Encoding:\r\n chunked",
        "folded with a tab": b"Transfer-Encoding:\r\n\tchunked",
        "folded behind": b"Transfer-Encoding: chunked\r\n , identity",
        "hidden behind a bare line feed": b"X: y\nTransfer-Encoding: chunked",
        "hidden behind a bare carriage return": b"X: y\rTransfer-Encoding: chunked",
        "twice": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "twice, identity last": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "twice, identity first": b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
        "twice, nothing first": b"Transfer-Encoding:\r\nTransfer-Encoding: chunked",
        "with a length before": b"Content-Length: 3\r\nTransfer-Encoding: chunked",
        "with a length behind": b"Transfer-Encoding: chunked\r\nContent-Length: 3",
        "with a length of nought": b"Content-Length: 0\r\nTransfer-Encoding: chunked",
        "with an empty length": b"Content-Length:\r\nTransfer-Encoding: chunked",
        "an unknown one with a length": b"Content-Length: 3\r\nTransfer-Encoding: x",
        "identity with a length": b"Transfer-Encoding: identity\r\nContent-Length: 3",
    }
    cases += [bad(what, request(POST, field, body=ABC)) for what, field in broken.items()]
    return [
        *cases,
        good("an underscore is another name", request(POST, b"Transfer_Encoding: chunked"), READ_POST),
        good("TE is another field", request(POST, b"TE: trailers"), READ_POST),
        bad("in HTTP/1.0", request(OLD_POST, CHUNKED, body=ABC)),
        bad("in HTTP/1.0 with a length", request(OLD_POST, CHUNKED, length(b"3"), body=ABC)),
        bad("in HTTP/1.0 that is kept alive", request(OLD_POST, CHUNKED, b"Connection: keep-alive", body=ABC)),
        bad("both, the chunks holding a request",
            request(POST, length(b"5"), CHUNKED, body=b"0\r\n\r\n" + SMUGGLED)),
    ]  # fmt: skip


def _chunks() -> list[Case]:
    def chunked(body: bytes) -> bytes:
        return request(POST, CHUNKED, body=body)

    whole = {
        "one": (b"3\r\nabc\r\n0\r\n\r\n", b"abc"),
        "two": (b"3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n", b"abcdefg"),
        "none": (b"0\r\n\r\n", b""),
        "a size in upper case": (b"A\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
        "a size in lower case": (b"a\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
        "eight digits": (b"00000003\r\nabc\r\n0\r\n\r\n", b"abc"),
        "eight noughts at the end": (b"3\r\nabc\r\n00000000\r\n\r\n", b"abc"),
        "data of line ends": (b"5\r\n\r\n\n\r\n\r\n0\r\n\r\n", b"\r\n\n\r\n"),
        "data that looks like the end": (b"5\r\n0\r\n\r\n\r\n0\r\n\r\n", b"0\r\n\r\n"),
        "data that looks like a request": (b"%x\r\n%b\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED), SMUGGLED),
        "a hundred tiny ones": (b"1\r\nx\r\n" * 100 + b"0\r\n\r\n", b"x" * 100),
        "the greatest body": (b"800\r\n" + b"x" * 2048 + b"\r\n800\r\n" + b"y" * 2048 + b"\r\n0\r\n\r\n",
                              b"x" * 2048 + b"y" * 2048),
    }  # fmt: skip
    cases = [good(what, chunked(body), posted(read)) for what, (body, read) in whole.items()]
    broken = {
        "bare line feed after the size": b"3\nabc\r\n0\r\n\r\n",
        "bare carriage return after the size": b"3\rabc\r\n0\r\n\r\n",
        "two carriage returns after the size": b"3\r\r\nabc\r\n0\r\n\r\n",
        "an extension": b"3;a=b\r\nabc\r\n0\r\n\r\n",
        "an extension without a value": b"3;a\r\nabc\r\n0\r\n\r\n",
        "an empty extension": b"3;\r\nabc\r\n0\r\n\r\n",
        "an extension behind a space": b"3 ;a=b\r\nabc\r\n0\r\n\r\n",
        "an extension with a line feed in it": b"3;\nxx\r\nabc\r\n0\r\n\r\n",
        "an extension of the last": b"3\r\nabc\r\n0;a=b\r\n\r\n",
        "a quoted extension with a line end": b'3;a="\r\nabc\r\n0\r\n\r\n"\r\n',
        "space before the size": b" 3\r\nabc\r\n0\r\n\r\n",
        "space after the size": b"3 \r\nabc\r\n0\r\n\r\n",
        "tab after the size": b"3\t\r\nabc\r\n0\r\n\r\n",
        "vertical tab after the size": b"3\x0b\r\nabc\r\n0\r\n\r\n",
        "NUL after the size": b"3\0\r\nabc\r\n0\r\n\r\n",
        "a size with 0x": b"0x3\r\nabc\r\n0\r\n\r\n",
        "a size with 0X": b"0X3\r\nabc\r\n0\r\n\r\n",
        "a plus": b"+3\r\nabc\r\n0\r\n\r\n",
        "a minus": b"-3\r\nabc\r\n0\r\n\r\n",
        "minus nought": b"3\r\nabc\r\n-0\r\n\r\n",
        "an underscore": b"0_3\r\nabc\r\n0\r\n\r\n",
        "a fraction": b"3.0\r\nabc\r\n0\r\n\r\n",
        "a comma": b"3,\r\nabc\r\n0\r\n\r\n",
        "two sizes": b"3 3\r\nabc\r\n0\r\n\r\n",
        "a quoted size": b'"3"\r\nabc\r\n0\r\n\r\n',
        "an Arabic digit": "٣\r\nabc\r\n0\r\n\r\n".encode(),
        "no hexadecimal digit": b"g\r\nabc\r\n0\r\n\r\n",
        "an h for hexadecimal": b"3h\r\nabc\r\n0\r\n\r\n",
        "nine digits": b"000000003\r\nabc\r\n0\r\n\r\n",
        "nine noughts at the end": b"3\r\nabc\r\n000000000\r\n\r\n",
        "nine digits of a huge size": b"FFFFFFFF0\r\nabc\r\n0\r\n\r\n",
        "sixteen digits": b"7fffffffffffffff\r\nabc\r\n0\r\n\r\n",
        "two to the 64th and three": b"10000000000000003\r\nabc\r\n0\r\n\r\n",
        "an empty size": b"\r\nabc\r\n0\r\n\r\n",
        "an empty second size": b"3\r\nabc\r\n\r\n0\r\n\r\n",
        "no line end after the data": b"3\r\nabc0\r\n\r\n",
        "data too long": b"3\r\nabcd\r\n0\r\n\r\n",
        "data too short": b"3\r\nab\r\n0\r\n\r\n",
        "bare line feed after the data": b"3\r\nabc\n0\r\n\r\n",
        "bare carriage return after the data": b"3\r\nabc\r0\r\n\r\n",
        "two line feeds after the data": b"3\r\nabc\n\n0\r\n\r\n",
        "a trailer": b"3\r\nabc\r\n0\r\nX: y\r\n\r\n",
        "a trailer with a length": b"3\r\nabc\r\n0\r\nContent-Length: 3\r\n\r\n",
        "a trailer with another host": b"3\r\nabc\r\n0\r\nHost: other.test\r\n\r\n",
        "a trailer without a name": b"3\r\nabc\r\n0\r\n: y\r\n\r\n",
        "a request right after the last size": b"3\r\nabc\r\n0\r\n" + SMUGGLED,
        "rubbish after the last size": b"3\r\nabc\r\n0\r\nrubbish\r\n\r\n",
        "bare line feed at the end": b"3\r\nabc\r\n0\r\n\n",
        "bare line feeds at the end": b"3\r\nabc\r\n0\n\n",
        "bare line feed after the last size": b"3\r\nabc\r\n0\n\r\n",
        "bare carriage return at the end": b"3\r\nabc\r\n0\r\n\r",
        "very many tiny ones": b"1\r\nx\r\n" * 200 + b"0\r\n\r\n",
        "no size at all": b"abc",
        "a body without the coding": SMUGGLED,
    }
    cases += [bad(what, chunked(body)) for what, body in broken.items()]
    large = {
        "one that is larger than admitted": b"1001\r\n" + b"x" * 4097 + b"\r\n0\r\n\r\n",
        "two that are larger than admitted": b"800\r\n" + b"x" * 2048 + b"\r\n801\r\n" + b"x" * 2049 + b"\r\n0\r\n\r\n",
        "a size of 31 bits and more": b"80000000\r\nabc\r\n0\r\n\r\n",
        "the greatest size that is read": b"FFFFFFFF\r\nabc\r\n0\r\n\r\n",
    }
    cases += [bad(what, chunked(body), 413) for what, body in large.items()]
    return [*cases, bad("an end twice", chunked(ABC + b"0\r\n\r\n"), 400, posted(b"abc"))]


def _fields() -> list[Case]:
    fine = {
        "every character of a token": b"!#$%&'*+-.^_`|~09azAZ: v",
        "an empty value": b"X-Empty:",
        "a value of spaces": b"X-Empty:    ",
        "tab within a value": b"X-Tab: a\tb",
        "a colon within a value": b"X-Colon: a: b: c",
        "obs-text in a value": b"X-Latin: caf\xe9 \xff \x80",
        "every visible character in a value": b"X-All: " + bytes(range(0x21, 0x7F)),
        "a name of 256 letters": b"x" * 256 + b": v",
        "an unknown field twice": b"X-Twice: a\r\nX-Twice: b",
        "a usual field twice": b"Accept: a\r\nAccept: b",
        "a value of eight thousand bytes": b"X-Long: " + b"x" * 8000,
    }
    cases = [good(what, request(GET, field), READ_GET) for what, field in fine.items()]
    broken = {
        "space before the colon": b"X-Name : v",
        "tab before the colon": b"X-Name\t: v",
        "space within a name": b"X Name: v",
        "a folded line": b"X-Name: a\r\n b",
        "a line folded with a tab": b"X-Name: a\r\n\tb",
        "a line of spaces": b"X-Name: a\r\n   ",
        "a line folded into nothing": b"X-Name:\r\n : v",
        "an empty name": b": v",
        "no colon": b"X-Name",
        "no colon after a usual name": b"Accept",
        "an empty name and no value": b":",
        "NUL in a value": b"X-Name: a\0b",
        "NUL in a name": b"X\0Name: a",
        "bare carriage return in a value": b"X-Name: a\rb",
        "bare carriage return before a line end": b"X-Name: a\r",
        "bare carriage return at the start of a line": b"\rX-Name: a",
        "bare line feed in a value": b"X-Name: a\nb",
        "bare line feed as a line end": b"X-Name: a\nX-Other: b",
        "bare line feeds as an end of the head": b"X-Name: a\n\n" + SMUGGLED,
        "a line feed and a carriage return": b"X-Name: a\n\rX-Other: b",
        "a bell": b"X-Name: a\x07",
        "an escape": b"X-Name: \x1b[2J",
        "a delete": b"X-Name: a\x7f",
        "a first control character": b"X-Name: \x01",
        "a unit separator": b"X-Name: \x1f",
        "obs-text in a name": b"X-N\xe4me: v",
        "UTF-8 in a name": "X-Nämé: v".encode(),
        "a name of 257 letters": b"x" * 257 + b": v",
    }
    cases += [bad(what, request(GET, field)) for what, field in broken.items()]
    cases += [bad(f"{sign} in a name", request(GET, f"X{sign}Name: v".encode())) for sign in '"(),/;<=>?@[\\]{}']
    single = ("Authorization", "Content-Encoding", "Content-Type", "SOAPAction")
    cases += [bad(f"{name} twice", request(POST, f"{name}: a\r\n{name}: a".encode())) for name in single]
    return [
        *cases,
        bad("a fold right after the request line", GET + b"\r\n folded: v\r\n" + HOST + b"\r\n\r\n"),
        bad("a fold with a tab right after the request line", GET + b"\r\n\tfolded: v\r\n" + HOST + b"\r\n\r\n"),
        bad("a fold of the Host", GET + b"\r\nHost:\r\n canary.test\r\n\r\n"),
        bad("all lines end in a bare line feed", request(GET).replace(b"\r\n", b"\n")),
        bad("all lines end in a bare carriage return", request(GET).replace(b"\r\n", b"\r")),
        Case(
            "all lines end in a bare line feed, and no more comes",
            request(GET).replace(b"\r\n", b"\n"),
            (),
            (400,),
            Ends.CLOSED,
        ),
        bad("the empty line ends in a bare line feed", request(GET)[:-2] + b"\n"),
        bad("the request line ends in a bare line feed", request(GET).replace(b"\r\n", b"\n", 1)),
    ]


def _hosts() -> list[Case]:
    valid = {
        "a port": b"canary.test:8080",
        "an IPv4 address": b"127.0.0.1",
        "an IPv6 address": b"[::1]",
        "an IPv6 address and a port": b"[::1]:8080",
        "an IPv6 address with an IPv4 part": b"[::ffff:127.0.0.1]",
        "upper case": b"CANARY.TEST",
        "an underscore": b"canary_1.test",
        "a comma, which a name may have": b"canary.test,other",
        "a percent": b"canary%2etest",
        "a dot at the end": b"canary.test.",
    }
    cases = [good(what, request(GET, b"Host: " + value, host=False), READ_GET) for what, value in valid.items()]
    invalid = {
        "empty": b"",
        "spaces": b"   ",
        "userinfo": b"user@canary.test",
        "a path": b"canary.test/path",
        "a URL": b"http://canary.test",
        "a space within": b"canary.test other.test",
        "a list": b"canary.test, other.test",
        "a port of letters": b"canary.test:http",
        "a port that is empty": b"canary.test:",
        "a port of six digits": b"canary.test:000080",
        "a negative port": b"canary.test:-80",
        "two ports": b"canary.test:80:80",
        "an IPv6 address without brackets": b"::1",
        "an IPv6 address not closed": b"[::1",
        "an IPv6 address of no digits": b"[::g]",
        "nothing in brackets": b"[]",
        "an IPv6 address with a zone": b"[fe80::1%25eth0]",
        "rubbish after the bracket": b"[::1]x",
        "a backslash": b"canary.test\\x",
        "a question mark": b"canary.test?x",
        "a fragment": b"canary.test#x",
        "a quote": b'canary.test"',
        "obs-text": b"canary.t\xe9st",
        "NUL": b"canary.test\0",
        "256 letters": b"x" * 256,
    }
    cases += [bad(what, request(GET, b"Host: " + value, host=False)) for what, value in invalid.items()]
    return [
        *cases,
        bad("missing", request(GET, host=False)),
        bad("twice equal", request(GET, HOST)),
        bad("twice different", request(GET, b"Host: other.test")),
        bad("twice in different case", request(GET, b"HOST: canary.test")),
        bad("space before the colon", request(GET, b"Host : canary.test", host=False)),
        bad("twice, one behind a space", request(GET, b"Host : other.test")),
        last("missing in HTTP/1.0", request(OLD_GET, host=False), READ_GET),
        good("missing in HTTP/1.0, kept alive", request(OLD_GET, b"Connection: keep-alive", host=False), READ_GET),
        bad("invalid in HTTP/1.0", request(OLD_GET, b"Host: a/b", host=False)),
        bad("twice in HTTP/1.0", request(OLD_GET, HOST)),
    ]


def _request_lines() -> list[Case]:
    def read(target: bytes, method: bytes = b"GET") -> Case:
        line = b"%b %b HTTP/1.1" % (method, target)
        return good(line.decode(), request(line), Read(method.decode(), target.decode()))

    targets = (
        b"/q000/it?", b"/q000/it?a=b&c=%20", b"//q000/it", b"/q000/../it", b"/q000/%41", b"/q000/%2e%2e/it",
        b"/q000/it?a?b", b"/q000/it;a=b", b"/q000/http://other.test/", b"/q000/*", b"/q000/it?%2500", b"/q000/a+b",
        b"/q000/:80",
    )  # fmt: skip
    methods = (b"HEAD", b"PUT", b"DELETE", b"OPTIONS", b"PATCH", b"PROPFIND", b"M", b"ABCDEFGHIJKLMNOPQRSTUVWX")
    cases = [read(target) for target in targets] + [read(b"/q000/it", method) for method in methods]
    cases += [
        read(b"*", b"OPTIONS"),
        good("one empty line in front", b"\r\n" + request(GET), READ_GET),
        good("one empty line between", request(GET) + b"\r\n", READ_GET),
        good("one empty line after a body", request(POST, length(b"3"), body=b"abc") + b"\r\n", posted(b"abc")),
        bad("two empty lines in front", b"\r\n\r\n" + request(GET)),
        bad("two empty lines between", request(GET) + b"\r\n\r\n", 400, READ_GET),
        bad("three empty lines in front", b"\r\n\r\n\r\n" + request(GET)),
        bad("a bare line feed in front", b"\n" + request(GET)),
        bad("a bare carriage return in front", b"\r" + request(GET)),
        bad("a carriage return and an empty line in front", b"\r\r\n" + request(GET)),
        bad("a space in front", b" " + request(GET)),
        bad("a tab in front", b"\t" + request(GET)),
        bad("NUL in front", b"\0" + request(GET)),
        bad("a byte order mark in front", b"\xef\xbb\xbf" + request(GET)),
        bad("no request line", HOST + b"\r\n" + MARK + b"\r\n\r\n"),
    ]
    bad_lines = {
        "an absolute target": b"GET http://canary.test/q000/it HTTP/1.1",
        "an absolute target over TLS": b"GET https://canary.test/q000/it HTTP/1.1",
        "an absolute target of another host": b"GET http://other.test/q000/it HTTP/1.1",
        "an absolute target of a file": b"GET file:///q000/it HTTP/1.1",
        "an authority": b"GET canary.test:80 HTTP/1.1",
        "CONNECT with an authority": b"CONNECT canary.test:443 HTTP/1.1",
        "a star with GET": b"GET * HTTP/1.1",
        "a star and more with OPTIONS": b"OPTIONS */q000/it HTTP/1.1",
        "a relative target": b"GET q000/it HTTP/1.1",
        "a query alone": b"GET ?q000 HTTP/1.1",
        "no target": b"GET HTTP/1.1",
        "an empty target": b"GET  HTTP/1.1",
        "two spaces after the method": b"GET  /q000/it HTTP/1.1",
        "two spaces before the version": b"GET /q000/it  HTTP/1.1",
        "a tab after the method": b"GET\t/q000/it HTTP/1.1",
        "a tab before the version": b"GET /q000/it\tHTTP/1.1",
        "a vertical tab after the method": b"GET\x0b/q000/it HTTP/1.1",
        "a form feed before the version": b"GET /q000/it\x0cHTTP/1.1",
        "a space behind": b"GET /q000/it HTTP/1.1 ",
        "a tab behind": b"GET /q000/it HTTP/1.1\t",
        "a second version": b"GET /q000/it HTTP/1.1 HTTP/1.1",
        "a space within the target": b"GET /q000/a b HTTP/1.1",
        "no version": b"GET /q000/it",
        "no version but a space": b"GET /q000/it ",
        "a version without a minor": b"GET /q000/it HTTP/1",
        "a version with a dot only": b"GET /q000/it HTTP/1.",
        "a version of two digits": b"GET /q000/it HTTP/1.10",
        "a version with a nought in front": b"GET /q000/it HTTP/01.1",
        "a version without a dot": b"GET /q000/it HTTP/11",
        "a version with a comma": b"GET /q000/it HTTP/1,1",
        "a version with a sign": b"GET /q000/it HTTP/+1.1",
        "a version with a letter": b"GET /q000/it HTTP/1.x",
        "a version in lower case": b"GET /q000/it http/1.1",
        "a version in mixed case": b"GET /q000/it Http/1.1",
        "another protocol": b"GET /q000/it HTTPS/1.1",
        "yet another protocol": b"GET /q000/it ICY/1.1",
        "a space within the version": b"GET /q000/it HTTP /1.1",
        "a version in Arabic digits": "GET /q000/it HTTP/١.١".encode(),
        "a method in lower case": b"get /q000/it HTTP/1.1",
        "a method in mixed case": b"Get /q000/it HTTP/1.1",
        "a method with a digit": b"G3T /q000/it HTTP/1.1",
        "a method with a sign": b"GE-T /q000/it HTTP/1.1",
        "a method with a colon": b"GET: /q000/it HTTP/1.1",
        "a method of 25 letters": b"ABCDEFGHIJKLMNOPQRSTUVWXY /q000/it HTTP/1.1",
        "a method in quotes": b'"GET" /q000/it HTTP/1.1',
        "a method in UTF-8": "GÉT /q000/it HTTP/1.1".encode(),
        "no method": b"/q000/it HTTP/1.1",
        "a fragment": b"GET /q000/it#part HTTP/1.1",
        "a fragment in the query": b"GET /q000/it?a#part HTTP/1.1",
        "a backslash": b"GET /q000\\it HTTP/1.1",
        "a backslash first": b"GET \\q000/it HTTP/1.1",
        "an encoded NUL": b"GET /q000/%00 HTTP/1.1",
        "an encoded NUL in the query": b"GET /q000/it?a=%00 HTTP/1.1",
        "half an escape": b"GET /q000/%4 HTTP/1.1",
        "a percent alone": b"GET /q000/% HTTP/1.1",
        "an escape of no digits": b"GET /q000/%zz HTTP/1.1",
        "an escape of Unicode": b"GET /q000/%u0041 HTTP/1.1",
        "half an escape in the query": b"GET /q000/it?a=%4 HTTP/1.1",
        "NUL": b"GET /q000/\0 HTTP/1.1",
        "a control character": b"GET /q000/\x01 HTTP/1.1",
        "a delete": b"GET /q000/\x7f HTTP/1.1",
        "obs-text": b"GET /q000/\xe9 HTTP/1.1",
        "UTF-8": "GET /q000/é HTTP/1.1".encode(),
        "a no-break space": b"GET /q000/\xa0 HTTP/1.1",
        "a bare carriage return": b"GET /q000/\rit HTTP/1.1",
        "a bare carriage return behind": b"GET /q000/it HTTP/1.1\r",
        "a bare line feed": b"GET /q000/\nit HTTP/1.1",
    }
    cases += [bad(what, request(line)) for what, line in bad_lines.items()]
    versions = (b"HTTP/1.2", b"HTTP/1.9", b"HTTP/2.0", b"HTTP/3.0", b"HTTP/0.9", b"HTTP/0.0", b"HTTP/9.9")
    return cases + [bad(version.decode(), request(b"GET /q000/it " + version), 505) for version in versions]


def _limits() -> list[Case]:
    def padded(head_bytes: int) -> bytes:
        """A head of so many bytes before its empty line."""
        empty = len(request(GET, b"X-Pad: ")) - 4
        return request(GET, b"X-Pad: " + b"x" * (head_bytes - empty))

    def long_line(line_bytes: int) -> tuple[bytes, Read]:
        target = b"/q000/" + b"x" * (line_bytes - len(b"GET /q000/ HTTP/1.1"))
        return request(b"GET %b HTTP/1.1" % target), Read("GET", target.decode())

    many = [b"X-%d: v" % number for number in range(63)]
    line, line_read = long_line(4096)
    return [
        good("the most fields", request(GET, *many[:62]), READ_GET),
        good("the longest request line", line, line_read),
        good("the longest head", padded(16 * 1024), READ_GET),
        bad("one field too many", request(GET, *many), 431),
        bad("one field too many of one name", request(GET, *[b"X: v"] * 63), 431),
        bad("a thousand fields", request(GET, *[b"X: v"] * 1000), 431),
        bad("a request line one byte too long", long_line(4097)[0], 414),
        bad("a request line of 16000 bytes", long_line(16_000)[0], 414),
        bad("a head one byte too long", padded(16 * 1024 + 1), 431),
        bad("a head of 20000 bytes", padded(20_000), 431),
        bad("a request line of 20000 bytes", long_line(20_000)[0], 431),
        Case("a head that has no end", request(GET, b"X: " + b"x" * 20_000)[:-4], (), (431,), Ends.CLOSED),
        Case("a request line that has no end", b"GET /q000/" + b"x" * 20_000, (), (431,), Ends.CLOSED),
        Case("a method that has no end", b"G" * 20_000, (), (431,), Ends.CLOSED),
    ]


def _upgrades() -> list[Case]:
    socket = (b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", b"Sec-WebSocket-Version: 13")
    fields = {
        "h2c": (b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAAQAAP__"),
        "h2c without Connection": (b"Upgrade: h2c",),
        "a web socket": (b"Connection: Upgrade", b"Upgrade: websocket", *socket),
        "a web socket in upper case": (b"Connection: UPGRADE", b"UPGRADE: WEBSOCKET", *socket),
        "TLS": (b"Connection: Upgrade", b"Upgrade: TLS/1.0"),
        "an empty Upgrade": (b"Upgrade:",),
        "Connection alone": (b"Connection: upgrade",),
        "Connection alone in a list": (b"Connection: keep-alive, Upgrade",),
        "Connection alone behind close": (b"Connection: close, upgrade",),
        "Connection in a second field": (b"Connection: keep-alive", b"Connection: upgrade"),
    }
    cases = [bad(what, request(GET, *given)) for what, given in fields.items()]
    hello = bytes.fromhex("16030100a5010000a10303") + b"\r\n\r\n" + bytes(range(1, 33)) + b"\0" * 100
    return [
        *cases,
        bad("HTTP/2 with prior knowledge", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0", 505),
        bad("PRI in HTTP/1.1", request(b"PRI * HTTP/1.1")),
        bad("a TLS ClientHello", hello),
        bad("an SSL 2 hello", bytes.fromhex("802e0100020015000000100100800200800300800400800500800600800700c0")),
        bad("SOCKS 5", b"\x05\x01\x00"),
        bad("PROXY protocol version 1", b"PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n" + request(GET)),
        bad("PROXY protocol version 2", b"\r\n\r\n\0\r\nQUIT\n\x20\x11\0\0" + request(GET)),
        bad("SSH", b"SSH-2.0-canary\r\n"),
        bad("RTSP", request(b"OPTIONS /q000/it RTSP/1.0")),
        bad("mail", b"EHLO canary.test\r\nMAIL FROM:<canary@canary.test>\r\n"),
        bad("good and then TLS", request(GET) + hello, 400, READ_GET),
        good("TE and Keep-Alive are none", request(GET, b"Keep-Alive: timeout=5"), READ_GET),
        good("Connection that names something else", request(GET, b"Connection: upgraded"), READ_GET),
    ]


def _expectations() -> list[Case]:
    body = {"body": b"abc"}
    return [
        good("with the body sent at once", request(POST, length(b"3"), b"Expect: 100-continue", **body),
             posted(b"abc")),
        good("in upper case", request(POST, length(b"3"), b"EXPECT: 100-CONTINUE", **body), posted(b"abc")),
        good("with chunks", request(POST, CHUNKED, b"Expect: 100-continue", body=ABC), posted(b"abc")),
        good("without a body", request(GET, b"Expect: 100-continue"), READ_GET),
        good("with an empty body", request(POST, length(b"0"), b"Expect: 100-continue"), READ_POST),
        good("in HTTP/1.0 it is nothing",
             request(OLD_POST, length(b"3"), b"Expect: 100-continue", b"Connection: keep-alive", **body),
             posted(b"abc")),
        bad("with a body that is too large", request(POST, length(b"5000"), b"Expect: 100-continue"), 413),
        bad("another", request(POST, length(b"3"), b"Expect: 200-ok", **body), 417),
        bad("another in HTTP/1.0", request(OLD_POST, length(b"3"), b"Expect: 200-ok", **body), 417),
        bad("a list", request(POST, length(b"3"), b"Expect: 100-continue, other", **body), 417),
        bad("a parameter", request(POST, length(b"3"), b"Expect: 100-continue;q=1", **body), 417),
        bad("empty", request(POST, length(b"3"), b"Expect:", **body), 417),
        bad("twice", request(POST, length(b"3"), b"Expect: 100-continue", b"Expect: 100-continue", **body)),
    ]  # fmt: skip


def _connections() -> list[Case]:
    closing = {
        "close": (b"Connection: close",),
        "close in upper case": (b"CONNECTION: CLOSE",),
        "close behind keep-alive": (b"Connection: keep-alive, close",),
        "close before keep-alive": (b"Connection: close, keep-alive",),
        "close between empty ones": (b"Connection: ,close,,",),
        "close between tabs": (b"Connection: x,\tclose\t,y",),
        "close in a second field": (b"Connection: keep-alive", b"Connection: close"),
    }
    staying = {
        "keep-alive": (b"Connection: keep-alive",),
        "something unknown": (b"Connection: x-hop",),
        "closed is not close": (b"Connection: closed",),
        "close in quotes is not close": (b'Connection: "close"',),
        "close is not a name": (b"close: Connection",),
        "empty": (b"Connection:",),
        "Proxy-Connection is nothing": (b"Proxy-Connection: close",),
        "Host as an option": (b"Connection: host",),
    }
    named = request(POST, length(b"3"), b"Connection: content-length", body=b"abc")
    coded = request(POST, CHUNKED, b"Connection: transfer-encoding", body=ABC)
    return [
        *[last(what, request(GET, *fields), READ_GET) for what, fields in closing.items()],
        *[good(what, request(GET, *fields), READ_GET) for what, fields in staying.items()],
        good("Content-Length as an option is read all the same", named, posted(b"abc")),
        good("Transfer-Encoding as an option is read all the same", coded, posted(b"abc")),
        last("close with a body", request(POST, length(b"3"), b"Connection: close", body=b"abc"), posted(b"abc")),
        last("close with chunks", request(POST, CHUNKED, b"Connection: close", body=ABC), posted(b"abc")),
        last("HTTP/1.0", request(OLD_GET), READ_GET),
        last("HTTP/1.0 and close", request(OLD_GET, b"Connection: close"), READ_GET),
        last("HTTP/1.0, keep-alive and close", request(OLD_GET, b"Connection: keep-alive, close"), READ_GET),
        last("HTTP/1.0 and something unknown", request(OLD_GET, b"Connection: x"), READ_GET),
        good("HTTP/1.0 and keep-alive", request(OLD_GET, b"Connection: keep-alive"), READ_GET),
        good("HTTP/1.0 and keep-alive in upper case", request(OLD_GET, b"Connection: Keep-Alive"), READ_GET),
    ]


def _bodies() -> list[Case]:
    cases = []
    for method in ("GET", "HEAD", "DELETE", "OPTIONS", "PUT", "PATCH", "TRACE"):
        line = f"{method} /q000/it HTTP/1.1".encode()
        cases += [
            good(f"{method} with a length", request(line, length(b"3"), body=b"abc"), Read(method, "/q000/it", b"abc")),
            good(f"{method} with chunks", request(line, CHUNKED, body=ABC), Read(method, "/q000/it", b"abc")),
            good(
                f"{method} with a request for a body",
                request(line, length(b"%d" % len(SMUGGLED)), body=SMUGGLED),
                Read(method, "/q000/it", SMUGGLED),
            ),
        ]
    keep = b"Connection: keep-alive"
    return [
        *cases,
        bad("GET with a body that nothing announces", request(GET) + b"abc\r\n", 400, READ_GET),
        bad("POST with a body that nothing announces", request(POST) + b"a=b&c=d\r\n\r\n", 400, READ_POST),
        last("HTTP/1.0 with a length", request(OLD_POST, length(b"3"), body=b"abc"), posted(b"abc")),
        good("HTTP/1.0 with a length, kept alive", request(OLD_POST, length(b"3"), keep, body=b"abc"), posted(b"abc")),
        last("HTTP/1.0 without a length has no body", request(OLD_POST, body=b"abc"), READ_POST),
        last("HTTP/1.0 without a length, a request behind", request(OLD_POST, body=SMUGGLED), READ_POST),
        last("HTTP/1.0 HEAD", request(b"HEAD /q000/it HTTP/1.0"), Read("HEAD", "/q000/it")),
        bad("HTTP/1.0 with two lengths", request(OLD_POST, length(b"3"), length(b"3"), body=b"abc")),
    ]


def _pipelines() -> list[Case]:
    first, second = request(b"GET /q000/1 HTTP/1.1"), request(b"GET /q000/2 HTTP/1.1")
    read_first, read_second = Read("GET", "/q000/1"), Read("GET", "/q000/2")
    refused = request(POST, length(b"3"), CHUNKED, body=ABC)
    with_length = request(POST, length(b"3"), body=b"abc")
    with_chunks = request(POST, CHUNKED, body=ABC)
    many = [Read("GET", f"/q000/{number}") for number in range(100)]
    posts = [Read("POST", f"/q000/{number}", b"x" * number) for number in range(40)]
    return [
        good("good, good", first + second, read_first, read_second),
        good("a length, chunks, nothing", with_length + with_chunks + first, posted(b"abc"), posted(b"abc"),
             read_first),
        good("HEAD between", first + request(b"HEAD /q000/it HTTP/1.1") + second, read_first,
             Read("HEAD", "/q000/it"), read_second),
        good("a hundred", b"".join(request(f"GET {read.target} HTTP/1.1".encode()) for read in many), *many),
        good("forty with bodies",
             b"".join(request(f"POST {read.target} HTTP/1.1".encode(), length(b"%d" % len(read.body)), body=read.body)
                      for read in posts), *posts),
        bad("good, bad", first + refused, 400, read_first),
        bad("good, bad, good", first + refused + second, 400, read_first),
        bad("bad, good", refused + first, 400),
        bad("bad, bad", refused + refused, 400),
        bad("good, unknown coding", first + request(POST, b"Transfer-Encoding: x", body=ABC), 501, read_first),
        bad("good, too large, good", first + request(POST, length(b"9999")) + second, 413, read_first),
        bad("good with a length, rubbish", with_length + b"rubbish\r\n\r\n", 400, posted(b"abc")),
        bad("good with chunks, rubbish", with_chunks + b"\0\1\2", 400, posted(b"abc")),
        last("last, good", request(GET, b"Connection: close") + second, READ_GET),
        last("good, last, good", first + request(GET, b"Connection: close") + second, read_first, READ_GET),
        last("last, bad", request(GET, b"Connection: close") + refused, READ_GET),
        last("old, good", request(OLD_GET) + second, READ_GET),
    ]  # fmt: skip


def _ends() -> list[Case]:
    first = request(b"GET /q000/1 HTTP/1.1")
    read_first = Read("GET", "/q000/1")
    chunks = {
        "a size": b"3",
        "a size and half its line end": b"3\r",
        "a size line": b"3\r\n",
        "half the data": b"3\r\nab",
        "the data": b"3\r\nabc",
        "half the line end after the data": b"3\r\nabc\r",
        "a chunk": b"3\r\nabc\r\n",
        "the last size": b"3\r\nabc\r\n0",
        "the last size line": b"3\r\nabc\r\n0\r\n",
        "half the last line end": b"3\r\nabc\r\n0\r\n\r",
    }
    return [
        waits("nothing", b""),
        waits("a carriage return", b"\r"),
        waits("an empty line", b"\r\n"),
        waits("a letter", b"G"),
        waits("half a request line", b"GET /q000/i"),
        waits("a request line without its end", GET),
        waits("a request line", GET + b"\r\n"),
        waits("half a field", GET + b"\r\nHost: can"),
        waits("a head without its empty line", request(GET)[:-2]),
        waits("a head with half its empty line", request(GET)[:-1]),
        waits("a request and a letter", first + b"G", read_first),
        waits("a request and half a head", first + request(GET)[:-2], read_first),
        waits("a request and an empty line", first + b"\r\n", read_first),
        waits("a body not begun", request(POST, length(b"3"))),
        waits("half a body", request(POST, length(b"3"), body=b"ab")),
        waits("a request and half a body", first + request(POST, length(b"3"), body=b"ab"), read_first),
        waits("half a body in HTTP/1.0", request(OLD_POST, length(b"3"), body=b"ab")),
        waits("chunks not begun", request(POST, CHUNKED)),
        *[waits(f"chunks with {what}", request(POST, CHUNKED, body=body)) for what, body in chunks.items()],
    ]


GROUPS = {
    "length": _lengths(),
    "coding": _codings(),
    "chunks": _chunks(),
    "fields": _fields(),
    "host": _hosts(),
    "request line": _request_lines(),
    "limits": _limits(),
    "upgrade": _upgrades(),
    "expect": _expectations(),
    "connection": _connections(),
    "bodies": _bodies(),
    "pipelining": _pipelines(),
    "ends": _ends(),
}

CASES = tuple(
    Case(f"{group}: {case.name}", case.raw, case.reads, case.statuses, case.ends)
    for group, cases in GROUPS.items()
    for case in cases
)
