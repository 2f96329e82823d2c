"""Compressed and otherwise wrapped bodies: none is unpacked, whatever is in it."""

import gzip
import zlib
from collections.abc import Iterator
from functools import cache, partial

from attack_cases import Attack, around, envelope, order

from soap import Version

CODINGS = (
    "gzip",
    "x-gzip",
    "GZIP",
    "deflate",
    "br",
    "zstd",
    "compress",
    "gzip, gzip",
    "identity, gzip",
    "canary",
    "bzip2",
)


def _document(version: Version) -> bytes:
    return envelope(order(transaction="coded"), version=version).encode()


@cache
def _bomb(layers: int, version: Version) -> bytes:
    data = envelope(" " * 8_000_000, version=version).encode()
    for _ in range(layers):
        data = gzip.compress(data, 9, mtime=0)
    return data


def _deflated(_: Version) -> bytes:
    return zlib.compress(b" " * 8_000_000, 9)


def attacks() -> Iterator[Attack]:
    for coding in CODINGS:
        fields = {"Content-Encoding": coding}
        yield from around(f"{coding}, not compressed", "ContentEncodingRefused", _document, fields=fields)
    for layers in (1, 2):
        fields = {"Content-Encoding": ", ".join(["gzip"] * layers)}
        yield from around(f"a bomb of {layers} layers", "ContentEncodingRefused", partial(_bomb, layers), fields=fields)
    fields = {"Content-Encoding": "deflate"}
    yield from around("a bomb of deflate", "ContentEncodingRefused", _deflated, fields=fields)
    yield from around("a bomb that says nothing", "Malformed", partial(_bomb, 1))
    yield from around("gzip that says nothing", "Malformed", lambda v: gzip.compress(_document(v), mtime=0))
    for name, front in {
        "ZIP": b"PK\3\4",
        "xz": b"\xfd7zXZ\0",
        "Zstandard": b"\x28\xb5\x2f\xfd",
        "bzip2": b"BZh9",
    }.items():
        yield from around(f"{name} that says nothing", "Malformed", lambda v, f=front: f + _document(v))
    for coding in ("identity", ""):
        yield from around(f"the coding '{coding}'", "", _document, fields={"Content-Encoding": coding})
    for kind in (
        "text/plain",
        "application/json",
        "application/x-www-form-urlencoded",
        "application/octet-stream",
        "*/*",
    ):
        yield from _typed(f"media type {kind}", kind)
    yield from _typed("a media type with nothing behind", "text/")
    yield from _typed("a media type of 8,000 letters", "t" * 8_000)
    slow = "text/xml;" + 'a="\\' * 2_000
    soap11, _ = around("a media type made to be read slowly", "", _document, content_type=slow)
    yield soap11


def _typed(name: str, kind: str) -> Iterator[Attack]:
    """Nobody can tell which SOAP version such a message wants, so it is answered in 1.1."""
    soap11, _ = around(name, "MediaTypeUnsupported", _document, content_type=kind)
    yield soap11
