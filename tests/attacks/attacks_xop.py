"""XOP: an Include names one part of the same message, once. Everything else is refused, and nothing is fetched."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from attack_cases import CANARY, DEPOT, OUTSIDE, SECRET_FILE, TICKET, Attack, Message, status

from soap import Version

XOP = "http://www.w3.org/2004/08/xop/include"
HREFS = {
    "a file": f"file://{SECRET_FILE}",
    "HTTP": f"http://{OUTSIDE}/{CANARY}",
    "HTTPS": f"https://{OUTSIDE}/{CANARY}",
    "FTP": f"ftp://{OUTSIDE}/{CANARY}",
    "data": "data:,canary",
    "a message by its id": "mid:value@x",
    "a fragment": "#value",
    "a path": SECRET_FILE,
    "no scheme": "value@x",
    "nothing": "",
    "cid and nothing": "cid:",
    "two schemes": f"cid:http://{OUTSIDE}/",
    "a part that is not there": "cid:other@x",
    "the envelope itself": "cid:root@x",
    "brackets": "cid:&lt;value@x&gt;",
    "encoded twice": "cid:value%2540x",
    "a null at its end": "cid:value@x%00",
    "letters in another case": "cid:VALUE@x",
    "a long one": "cid:" + "c" * 100_000,
}
INCLUDE = f'<x:Include xmlns:x="{XOP}" href="cid:value@x"/>'


def include(href: str) -> str:
    return INCLUDE.replace("cid:value@x", href)


def update(context: str, *, more: str = "", version: Version) -> str:
    return (
        f'<e:Envelope xmlns:e="{version}" xmlns:d="{DEPOT}">{more}<e:Body><d:GetLicenseUpdate><d:ticket>{TICKET}'
        f"</d:ticket><d:context>{context}</d:context></d:GetLicenseUpdate></e:Body></e:Envelope>"
    )


def part(content: bytes, *, id_: str = "value@x", more: str = "") -> bytes:
    return f"--b\r\nContent-ID: <{id_}>\r\n{more}\r\n".encode() + content + b"\r\n"


def root(document: str, version: Version) -> bytes:
    kind = f'application/xop+xml; charset=utf-8; type="{version.media_type}"'
    return f"--b\r\nContent-Type: {kind}\r\nContent-ID: <root@x>\r\n\r\n".encode() + document.encode() + b"\r\n"


def package_type(version: Version, *, boundary: str = "b", start: str | None = "<root@x>") -> str:
    named = "" if start is None else f'; start="{start}"'
    kind = f'multipart/related; type="application/xop+xml"; boundary="{boundary}"'
    return f'{kind}{named}; start-info="{version.media_type}"'


def packaged(pieces: bytes, version: Version, *, content_type: str | None = None) -> Message:
    kind = package_type(version) if content_type is None else content_type
    return Message(body=pieces, service="depot", version=version, content_type=kind)


def _including(context: str, version: Version, *, more: str = "", parts: bytes | None = None) -> Message:
    beside = part(b"value") if parts is None else parts
    return packaged(root(update(context, more=more, version=version), version) + beside + b"--b--\r\n", version)


def case(name: str, code: str, context: str, **given: object) -> Iterator[Attack]:
    for version in Version:
        yield Attack(
            name=f"{name}, {version.name}",
            make=partial(_including, context, version, **given),  # type: ignore[arg-type]
            statuses=(status(code, version),),
            code=code,
        )


def _without_package(version: Version) -> Message:
    body = update(INCLUDE, version=version).encode()
    return Message(body=body, service="depot", version=version)


def _elsewhere(version: Version) -> Message:
    """An order, whose name is beside it."""
    sent = _including(INCLUDE, version)
    return replace(sent, service="sales")


def attacks() -> Iterator[Attack]:
    for name, href in HREFS.items():
        yield from case(f"href: {name}", "IncludeInvalid", include(href))
    yield from case("no href", "IncludeInvalid", INCLUDE.replace(' href="cid:value@x"', ""))
    yield from case("an honest one with a context that is none", "ContextRefused", INCLUDE)
    yield from case("one part twice", "IncludeInvalid", INCLUDE, more=f"<e:Header><h>{INCLUDE}</h></e:Header>")
    yield from case("two in one element", "IncludeInvalid", INCLUDE * 2)
    yield from case("text in front", "IncludeInvalid", "AAAA" + INCLUDE)
    yield from case("text behind", "IncludeInvalid", INCLUDE + "AAAA")
    yield from case("not empty", "IncludeInvalid", INCLUDE.replace("/>", "><y/></x:Include>"))
    yield from case("one in another", "IncludeInvalid", INCLUDE.replace("/>", f">{include('cid:b@x')}</x:Include>"))
    yield from case("deep in a value", "SchemaViolation", f"<y>{INCLUDE}</y>")
    yield from case("in the Header", "ContextRefused", "AAAA", more=f"<e:Header><h>{INCLUDE}</h></e:Header>")
    yield from case(
        "in the Header, to be understood",
        "NotUnderstood",
        "AAAA",
        more=(f'<e:Header><h xmlns="urn:h" e:mustUnderstand="1">{INCLUDE}</h></e:Header>'),
    )
    yield from case(
        "a flood of Includes",
        "IncludeInvalid",
        "AAAA",
        more="<e:Header>" + ("".join(f"<h>{include(f'cid:{n}@x')}</h>" for n in range(1_500)) + "</e:Header>"),
    )
    yield from case(
        "a part that names another",
        "ContextRefused",
        INCLUDE,
        parts=part(include("cid:o@x").encode()) + part(include("cid:value@x").encode(), id_="o@x"),
    )
    yield from case("a large part", "ContextRefused", INCLUDE, parts=part(b"\0" * 250_000))
    yield from case("a part with markup in it", "ContextRefused", INCLUDE, parts=part(b"</d:context><x/>"))
    yield from case("a DTD beside the envelope", "ContextRefused", INCLUDE, parts=part(b"<!DOCTYPE a>"))
    yield from case(
        "a flood of parts that nobody names",
        "ContextRefused",
        "AAAA",
        parts=b"".join(part(b"x", id_=f"{n}@x") for n in range(127)),
    )
    for version in Version:
        yield Attack(
            name=f"an Include without a package, {version.name}",
            make=partial(_without_package, version),
            statuses=(status("SchemaViolation", version),),
            code="SchemaViolation",
        )
        yield Attack(
            name=f"a package for another service, {version.name}",
            make=partial(_elsewhere, version),
            statuses=(status("OperationUnknown", version),),
            code="OperationUnknown",
        )
