"""Multipart tricks: a package that could be cut in two ways is refused, and so is one that costs more than it holds."""

from collections.abc import Callable, Iterator
from functools import partial

from attack_cases import CANARY, Attack, Message, status
from attacks_xop import INCLUDE, package_type, packaged, part, root, update

from soap import Version

Pieces = Callable[[bytes, bytes], bytes]
"""The whole body, made of the envelope's part and of the value's."""

CUTS: dict[str, Pieces] = {
    "no end": lambda r, v: r + v,
    "an end without hyphens": lambda r, v: r + v + b"--b\r\n",
    "an end with one hyphen": lambda r, v: r + v + b"--b-\r\n",
    "text behind the end": lambda r, v: r + v + b"--b--\r\n" + CANARY.encode(),
    "a package behind the end": lambda r, v: (r + v + b"--b--\r\n") * 2,
    "text in front": lambda r, v: b"This is MIME.\r\n" + r + v + b"--b--\r\n",
    "line feeds alone": lambda r, v: (r + v + b"--b--\r\n").replace(b"\r\n", b"\n"),
    "carriage returns alone": lambda r, v: (r + v + b"--b--\r\n").replace(b"\r\n", b"\r"),
    "nothing": lambda _r, _v: b"",
    "nothing but the end": lambda _r, _v: b"--b--\r\n",
    "no envelope": lambda _r, v: v + b"--b--\r\n",
    "two envelopes": lambda r, v: r + r + v + b"--b--\r\n",
    "two values of one id": lambda r, v: r + v + v + b"--b--\r\n",
    "a value with the envelope's id": lambda r, v: r + part(b"x", id_="root@x") + v + b"--b--\r\n",
    "text behind a boundary": lambda r, v: r + v.replace(b"--b\r\n", b"--b x\r\n", 1) + b"--b--\r\n",
    "a boundary that goes on": lambda r, v: r + v.replace(b"--b\r\n", b"--bb\r\n", 1) + b"--b--\r\n",
    "the boundary in a value": lambda r, _v: r + part(b"x\r\n--b\r\ny") + b"--b--\r\n",
    "the end in a value": lambda r, _v: r + part(b"x\r\n--b--\r\ny") + b"--b--\r\n",
    "the boundary in the envelope": lambda r, v: (
        r.replace(b"<d:ticket>", b"<!--\r\n--b\r\n--><d:ticket>") + v + b"--b--\r\n"
    ),
    "no empty line": lambda r, _v: r + b"--b\r\nContent-ID: <value@x>\r\n--b--\r\n",
    "no line": lambda r, _v: r + b"--b--b--\r\n",
    "129 parts": lambda r, _v: r + b"".join(part(b"", id_=f"{n}@x") for n in range(128)) + b"--b--\r\n",
    "thousands of parts": lambda r, _v: r + b"--b\r\n\r\n\r\n" * 20_000 + b"--b--\r\n",
    "thousands of boundaries": lambda r, _v: r + b"\r\n--b" * 40_000 + b"--b--\r\n",
    "nothing but boundaries": lambda _r, _v: b"--b\r\n" * 50_000,
    "a package in a package": lambda r, v: r + part(r + v + b"--b--\r\n") + b"--b--\r\n",
}
FIELDS = {
    "a long header": f"X: {'x' * 5_000}\r\n",
    "a very long header": f"X: {'x' * 200_000}\r\n",
    "a flood of fields": "".join(f"X{n}: y\r\n" for n in range(10_000)),
    "folded lines without end": "X: y\r\n" + " z\r\n" * 40_000,
    "a field twice": "Content-ID: <other@x>\r\n",
    "a line without a colon": "no colon\r\n",
    "a name that is none": "a b: c\r\n",
    "a control character": "X: a\x01b\r\n",
    "a null": "X: a\0b\r\n",
    "letters that are not ASCII": "X: \u00e4\r\n",
    "quoted-printable": "Content-Transfer-Encoding: quoted-printable\r\n",
    "uuencode": "Content-Transfer-Encoding: x-uuencode\r\n",
    "gzip": "Content-Transfer-Encoding: gzip\r\n",
    "base64 that is none": "Content-Transfer-Encoding: base64\r\n",
}
TYPES: dict[str, tuple[str, Callable[[str], str]]] = {
    "no boundary": ("MultipartInvalid", lambda t: t.replace('boundary="b"; ', "")),
    "an empty boundary": ("MultipartInvalid", lambda t: t.replace('boundary="b"', 'boundary=""')),
    "a long boundary": ("MultipartInvalid", lambda t: t.replace('boundary="b"', f'boundary="{"b" * 71}"')),
    "a very long boundary": ("MultipartInvalid", lambda t: t.replace('boundary="b"', f'boundary="{"b" * 8000}"')),
    "a boundary of a pattern": ("MultipartInvalid", lambda t: t.replace('boundary="b"', 'boundary="(.*)*"')),
    "a boundary with a space at its end": ("MultipartInvalid", lambda t: t.replace('boundary="b"', 'boundary="b "')),
    "a start that is not there": ("MultipartInvalid", lambda t: t.replace("root@x", "other@x")),
    "a start that is no envelope": ("MultipartInvalid", lambda t: t.replace("root@x", "value@x")),
    "no start-info": ("MediaTypeUnsupported", lambda t: t.partition("; start-info")[0]),
    "another type": ("MediaTypeUnsupported", lambda t: t.replace("application/xop+xml", "text/xml")),
    "form-data": ("MediaTypeUnsupported", lambda t: t.replace("multipart/related", "multipart/form-data")),
    "mixed": ("MediaTypeUnsupported", lambda t: t.replace("multipart/related", "multipart/mixed")),
}


def _cut(make: Pieces, version: Version) -> Message:
    return packaged(make(root(update(INCLUDE, version=version), version), part(b"value")), version)


def _fielded(fields: str, version: Version) -> Message:
    value = part(b"@", more=fields)
    return packaged(root(update(INCLUDE, version=version), version) + value + b"--b--\r\n", version)


def _typed(change: Callable[[str], str], version: Version) -> Message:
    body = root(update(INCLUDE, version=version), version) + part(b"value") + b"--b--\r\n"
    return packaged(body, version, content_type=change(package_type(version)))


def _each(name: str, code: str, make: Callable[[Version], Message]) -> Iterator[Attack]:
    for version in Version:
        # Who cannot be told to speak SOAP 1.2 is answered in 1.1.
        spoken = Version.SOAP11 if name == "type: no start-info" else version
        yield Attack(
            name=f"{name}, {version.name}", make=partial(make, version), statuses=(status(code, spoken),), code=code
        )


def attacks() -> Iterator[Attack]:
    for name, make in CUTS.items():
        yield from _each(f"cut: {name}", "MultipartInvalid", partial(_cut, make))
    for name, fields in FIELDS.items():
        yield from _each(f"fields: {name}", "MultipartInvalid", partial(_fielded, fields))
    for name, (code, change) in TYPES.items():
        yield from _each(f"type: {name}", code, partial(_typed, change))
