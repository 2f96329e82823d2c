"""Document type declarations and processing instructions, which SOAP forbids, and what only looks like one."""

from collections.abc import Iterator
from functools import partial

from attack_cases import CANARY, OUTSIDE, SECRET_FILE, Attack, around, both, envelope, order

from soap import Version

DOCTYPES = {
    "the shortest": "<!DOCTYPE a>",
    "of the envelope": "<!DOCTYPE e:Envelope>",
    "an empty subset": "<!DOCTYPE a []>",
    "a file": f'<!DOCTYPE a SYSTEM "file://{SECRET_FILE}">',
    "HTTP": f'<!DOCTYPE a SYSTEM "http://{OUTSIDE}/{CANARY}.dtd">',
    "public": f'<!DOCTYPE a PUBLIC "-//{CANARY}//EN" "http://{OUTSIDE}/{CANARY}.dtd">',
    "of HTML": '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "http://www.w3.org/TR/xhtml1.dtd">',
    "an element": "<!DOCTYPE a [<!ELEMENT a ANY>]>",
    "a default attribute": '<!DOCTYPE a [<!ATTLIST a b CDATA "c">]>',
    "a default namespace": f'<!DOCTYPE a [<!ATTLIST e:Envelope xmlns CDATA #FIXED "urn:{CANARY}">]>',
    "a notation": '<!DOCTYPE a [<!NOTATION n SYSTEM "n">]>',
    "a comment in it": "<!DOCTYPE a [<!-- ] > -->]>",
    "an instruction in it": "<!DOCTYPE a [<?a b?>]>",
    "line ends in it": "<!DOCTYPE\n\n\n a\n>",
    "behind a comment": "<!-- x --><!DOCTYPE a>",
    "behind a declaration": '<?xml version="1.0" encoding="UTF-8"?><!DOCTYPE a>',
    "behind a line": "\n<!DOCTYPE a>",
}
NOT_WELL_FORMED = {
    "in small letters": "<!doctype a>",
    "in mixed letters": "<!DocType a>",
    "without a name": "<!DOCTYPE>",
    "a conditional section": "<![INCLUDE[<!DOCTYPE a>]]>",
    "an element outside": "<!ELEMENT a ANY>",
    "an entity outside": '<!ENTITY x "y">',
}
INSTRUCTIONS = {
    "a style sheet": f'<?xml-stylesheet href="http://{OUTSIDE}/{CANARY}.xsl" type="text/xsl"?>',
    "of PHP": f"<?php system('{CANARY}'); ?>",
    "empty": "<?a?>",
    "a catalogue": f'<?oasis-xml-catalog catalog="http://{OUTSIDE}/{CANARY}.xml"?>',
    "a schema": f'<?xml-model href="http://{OUTSIDE}/{CANARY}.rng"?>',
}
LARGE = 200_000


def _before(front: str, version: Version) -> str:
    return front + envelope(order(), version=version)


def _after(end: str, version: Version) -> str:
    return envelope(order(), version=version) + end


def _utf16(front: str, version: Version) -> bytes:
    return _before(front, version).encode("utf-16")


def _marked(front: str, version: Version) -> bytes:
    return b"\xef\xbb\xbf" + _before(front, version).encode()


def attacks() -> Iterator[Attack]:
    for name, doctype in DOCTYPES.items():
        yield from around(f"doctype: {name}", "DtdForbidden", partial(_before, doctype))
    yield from around("doctype behind a byte order mark", "DtdForbidden", partial(_marked, "<!DOCTYPE a>"))
    yield from around("doctype in UTF-16", "DtdForbidden", partial(_utf16, "<!DOCTYPE a>"), charset="utf-16")
    for name, doctype in NOT_WELL_FORMED.items():
        yield from around(f"no doctype: {name}", "Malformed", partial(_before, doctype))
    yield from both("a doctype in the Body", "Malformed", "<!DOCTYPE a>" + order())
    yield from around("a doctype behind the envelope", "Malformed", partial(_after, "<!DOCTYPE a>"))
    yield from around("a doctype that does not end", "DtdForbidden", partial(_before, "<!DOCTYPE a ["))
    yield from around(
        "a doctype of many declarations",
        "DtdForbidden",
        lambda v: _before(f"<!DOCTYPE a [{'<!ELEMENT a ANY>' * 12_000}]>", v),
    )
    yield from around("a doctype with a long name", "DtdForbidden", lambda v: _before(f"<!DOCTYPE {'n' * LARGE}>", v))
    yield from around("a doctype of spaces", "DtdForbidden", lambda v: _before(f"<!DOCTYPE a{' ' * LARGE}>", v))
    for name, instruction in INSTRUCTIONS.items():
        yield from around(f"instruction: {name}, in front", "ProcessingInstruction", partial(_before, instruction))
        yield from both(
            f"instruction: {name}, in a value", "ProcessingInstruction", order(transaction=f"a{instruction}")
        )
    yield from around("an instruction behind the envelope", "ProcessingInstruction", partial(_after, "<?a?>"))
    yield from around("a flood of instructions", "ProcessingInstruction", lambda v: _before("<?a?>" * 45_000, v))
    yield from around("an instruction that does not end", "Malformed", partial(_before, f"<?a {CANARY}"))
    yield from around("a long instruction", "ProcessingInstruction", lambda v: _before(f"<?a {'x' * LARGE}?>", v))
    yield from both("a second declaration inside", "Malformed", '<?xml version="1.0"?>' + order())
    yield from both("a doctype in a comment is none", "", "<!-- <!DOCTYPE a> -->" + order(transaction="commented"))
    yield from both(
        "a doctype in a CDATA section is text", "SchemaViolation", order(transaction="<![CDATA[<!DOCTYPE a>]]>")
    )
    yield from both("an instruction in a CDATA section is text", "", order(transaction="<![CDATA[<?a?>]]>"))
