"""Charset tricks: bytes that one reader takes for another document than the next. UTF-8 and UTF-16, or nothing."""

from collections.abc import Iterator
from functools import partial

from attack_cases import Attack, around, envelope, order

from soap import Version

NAMES = (
    "utf-7",
    "utf-32",
    "ucs-4",
    "iso-8859-1",
    "windows-1252",
    "ebcdic-cp-us",
    "ibm037",
    "shift_jis",
    "iso-2022-jp",
    "gb18030",
    "hz-gb-2312",
    "cesu-8",
    "scsu",
    "utf-16",
    "utf_8",
    "x",
    "utf-8-sig",
    "base64",
    "rot13",
    "zlib",
    "idna",
    "unicode_escape",
)
DECLARATIONS = {
    "two encodings": '<?xml version="1.0" encoding="utf-8" encoding="utf-16"?>',
    "no version": '<?xml encoding="utf-8"?>',
    "version 1.1": '<?xml version="1.1"?>',
    "version 2": '<?xml version="2.0"?>',
    "standalone maybe": '<?xml version="1.0" standalone="maybe"?>',
    "a name in no quotes": '<?xml version="1.0" encoding=utf-8?>',
    "an empty name": '<?xml version="1.0" encoding=""?>',
    "a long name": f'<?xml version="1.0" encoding="{"u" * 5000}"?>',
    "in capitals": '<?XML version="1.0"?>',
    "behind a space": ' <?xml version="1.0"?>',
    "twice": '<?xml version="1.0"?><?xml version="1.0"?>',
    "without an end": '<?xml version="1.0" encoding="utf-8"',
    "a slow one": f'<?xml version="1.0"{" " * 200_000}x?>',
}
BYTES = {
    "overlong slash": b"\xc0\xaf",
    "overlong less-than": b"\xc0\xbc",
    "overlong of three": b"\xe0\x80\xbc",
    "overlong of four": b"\xf0\x80\x80\xbc",
    "overlong null": b"\xc0\x80",
    "half of a surrogate pair": b"\xed\xa0\x80",
    "both halves of a surrogate pair": b"\xed\xa0\xbd\xed\xb8\x80",
    "beyond Unicode": b"\xf4\x90\x80\x80",
    "five bytes": b"\xf8\x88\x80\x80\x80",
    "a byte that begins nothing": b"\x80",
    "a byte that never stands": b"\xff",
    "a beginning alone": b"\xe2",
    "a beginning before a quote": b"\xe2<",
    "a letter of ISO 8859-1": b"\xe9",
}


def _document(version: Version, text: str = "charset") -> str:
    return envelope(order(transaction=text), version=version)


def _declared(name: str, version: Version) -> str:
    return f'<?xml version="1.0" encoding="{name}"?>{_document(version)}'


def _fronted(front: str, version: Version) -> str:
    return front + _document(version)


def _encoded(codec: str, front: bytes, version: Version) -> bytes:
    return front + _document(version).encode(codec)


def _with_bytes(data: bytes, version: Version) -> bytes:
    return _document(version, "@@").encode().replace(b"@@", b"a" + data + b"z")


def _utf16(hostile: str, version: Version) -> bytes:
    data = _document(version, "@@").encode("utf-16-le").replace("@@".encode("utf-16-le"), bytes.fromhex(hostile))
    return b"\xff\xfe" + data


def attacks() -> Iterator[Attack]:
    for name in NAMES:
        yield from around(f"declared {name}", "EncodingUnsupported", partial(_declared, name))
        code = "" if name == "utf8x" else "EncodingUnsupported"
        yield from around(f"Content-Type says {name}", code, _document, charset=name)
    for name, front in DECLARATIONS.items():
        yield from around(f"declaration: {name}", "Malformed", partial(_fronted, front))
    for name, data in BYTES.items():
        yield from around(f"UTF-8: {name}", "Malformed", partial(_with_bytes, data))
    yield from around("UTF-7 with tags", "Malformed", lambda v: "+ADw-x+AD4-" + _document(v), charset="utf-8")
    yield from around(
        "UTF-7 that says so", "EncodingUnsupported", lambda v: _declared("UTF-7", v).replace("<s:", "+ADw-s:")
    )
    for codec, front in (
        ("utf-16-le", b""),
        ("utf-16-be", b""),
        ("utf-16-le", b"\xff\xfe"),
        ("utf-16-be", b"\xfe\xff"),
    ):
        name = f"{codec}{' with a mark' if front else ' without a mark'}"
        yield from around(f"{name}, named utf-8", "EncodingUnsupported", partial(_encoded, codec, front))
        yield from around(f"{name}, named utf-16", "", partial(_encoded, codec, front), charset="utf-16")
        yield from around(f"{name}, not named", "", partial(_encoded, codec, front), charset=None)
    for codec, front in (
        ("utf-32-le", b"\xff\xfe\0\0"),
        ("utf-32-be", b"\0\0\xfe\xff"),
        ("utf-32-le", b""),
        ("utf-32-be", b""),
    ):
        name = f"{codec}{' with a mark' if front else ' without a mark'}"
        yield from around(name, "EncodingUnsupported", partial(_encoded, codec, front), charset=None)
    yield from around("EBCDIC", "Malformed", partial(_encoded, "cp037", b""), charset=None)
    yield from around("a mark of UTF-8 before UTF-16", "Malformed", partial(_encoded, "utf-16-le", b"\xef\xbb\xbf"))
    yield from around(
        "a mark of UTF-16 before UTF-8", "Malformed", partial(_encoded, "utf-8", b"\xff\xfe"), charset=None
    )
    yield from around("two marks", "Malformed", partial(_encoded, "utf-8", b"\xef\xbb\xbf" * 2))
    yield from around(
        "two marks before UTF-7", "Malformed", lambda v: b"\xef\xbb\xbf" * 2 + _declared("utf-7", v).encode()
    )
    yield from around(
        "two marks of UTF-16", "Malformed", partial(_encoded, "utf-16-le", b"\xff\xfe" * 2), charset="utf-16"
    )
    yield from around("UTF-8 named utf-16", "EncodingUnsupported", _document, charset="utf-16")
    yield from around("UTF-16: half a surrogate pair", "Malformed", partial(_utf16, "00d8"), charset="utf-16")
    yield from around(
        "UTF-16: surrogates the wrong way round", "Malformed", partial(_utf16, "00dc00d8"), charset="utf-16"
    )
    yield from around(
        "UTF-16: an odd number of bytes", "Malformed", lambda v: _utf16("6100", v) + b"<", charset="utf-16"
    )
    yield from around("UTF-16: a null", "Malformed", partial(_utf16, "0000"), charset="utf-16")
    yield from around(
        "UTF-16 that declares UTF-8",
        "EncodingUnsupported",
        lambda v: _declared("UTF-8", v).encode("utf-16"),
        charset="utf-16",
    )
    yield from around(
        "UTF-16: as large as may be",
        "SchemaViolation",
        lambda v: _document(v, "\u4e00" * 125_000).encode("utf-16"),
        charset="utf-16",
    )
    yield from around("nulls", "Malformed", lambda _: b"\0" * 250_000)
    yield from around("nulls between all letters", "EncodingUnsupported", partial(_encoded, "utf-16-le", b""))
