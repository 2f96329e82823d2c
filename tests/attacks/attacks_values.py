"""Comments, CDATA sections and instructions inside values: a value is read whole, as a signature covers it, or not."""

from collections.abc import Iterator

from attack_cases import CANARY, Attack, both, order

READ = {
    "a comment in the middle": "EDI<!-- x -->TOR",
    "a comment in front": "<!-- x -->EDITOR",
    "a comment behind": "EDITOR<!-- x -->",
    "several comments": "E<!---->D<!-- -->I<!-- a -->T<!-- <b> -->O<!-- &c; -->R",
    "a CDATA section": "<![CDATA[EDITOR]]>",
    "a CDATA section in the middle": "ED<![CDATA[IT]]>OR",
    "CDATA sections and comments": "<![CDATA[ED]]><!-- x -->I<![CDATA[TOR]]>",
    "characters by number": "&#69;DIT&#x4F;R",
}
OTHER = {
    "a comment before a rest": "EDITOR<!-- x -->2",
    "a CDATA section before a rest": "EDITOR<![CDATA[2]]>",
    "a rest in front": "2<!-- x -->EDITOR",
    "a tag in a CDATA section": "<![CDATA[<a/>EDITOR]]>",
    "markup as text": "&lt;EDITOR/&gt;",
    "the end of a CDATA section in another": "EDITOR]]<![CDATA[>]]>",
}
REFUSED = {
    "an instruction": ("EDI<?a?>TOR", "ProcessingInstruction"),
    "an instruction in front": ("<?xml-a?>EDITOR", "ProcessingInstruction"),
    "an element": ("EDI<b/>TOR", "SchemaViolation"),
    "an element around": ("<b>EDITOR</b>", "SchemaViolation"),
    "two hyphens in a comment": ("EDI<!-- a -- b -->TOR", "Malformed"),
    "a comment with three hyphens": ("EDI<!-- a --->TOR", "Malformed"),
    "the end of a CDATA section": ("EDITOR]]>", "Malformed"),
    "a CDATA section in an attribute's place": ("EDITOR<![CDATA", "Malformed"),
    "a CDATA section in small letters": ("<![cdata[EDITOR]]>", "Malformed"),
    "a null": ("EDI\x00TOR", "Malformed"),
    "a bell": ("EDI\x07TOR", "Malformed"),
    "an escape": ("EDI\x1b[31mTOR", "Malformed"),
    "a noncharacter": ("EDI\ufffeTOR", "Malformed"),
    "nothing but comments": ("<!-- a --><!-- b -->", "SchemaViolation"),
}
NUMBERS = {
    "a comment in a number": ("1<!-- x -->0", ""),
    "a comment that would cut a number": ("<!-- 1 -->1", ""),
    "an instruction in a number": ("1<?a?>0", "ProcessingInstruction"),
    "an element in a number": ("1<a/>0", "SchemaViolation"),
    "a space in a number": ("1 0", "SchemaViolation"),
    "a digit of another script": ("\u0663", "SchemaViolation"),
    "a full-width digit": ("\uff11", "SchemaViolation"),
    "a sign": ("+1", ""),
    "hexadecimal": ("0x1", "SchemaViolation"),
    "an exponent": ("1e0", "SchemaViolation"),
    "an underscore": ("1_0", "SchemaViolation"),
    "a fraction": ("1.0", "SchemaViolation"),
    "infinity": ("INF", "SchemaViolation"),
    "not a number": ("NaN", "SchemaViolation"),
    "a no-break space": ("\u00a01", "SchemaViolation"),
    "a zero width space": ("\u200b1", "SchemaViolation"),
}
PLAIN_TEXT = {
    "SQL": "'; DROP TABLE licence_order; --",
    "a path": "../../../etc/passwd",
    "a template": "{{7*7}}${7*7}#{7*7}",
    "a format of Python": "{0.__class__}%s%n",
    "a command": "$(id)`id`|id",
    "LDAP": "*)(uid=*))(|(uid=*",
    "XPath": "' or '1'='1",
    "a script": "&lt;script>alert(1)&lt;/script>",
    "a line of a log": "&#10;{&quot;event&quot;: &quot;forged&quot;}",
    "a header": "&#13;&#10;Set-Cookie: a=b",
    "a serialised object": "rO0ABXNyABFqYXZhLnV0aWwuSGFzaE1hcA==",
    "marks that turn the direction": "a\u202eb\u2066c",
}


def attacks() -> Iterator[Attack]:
    for name, value in READ.items():
        yield from both(f"read whole: {name}", "", order(transaction=f"read-{len(value)}", item=value))
    for name, value in OTHER.items():
        yield from both(f"another item: {name}", "ItemUnknown", order(item=value))
    for name, (value, code) in REFUSED.items():
        yield from both(f"refused: {name}", code, order(item=value))
    for number, (name, (value, code)) in enumerate(NUMBERS.items()):
        yield from both(f"quantity: {name}", code, order(transaction=f"number-{number}", quantity=value))
    for name, value in PLAIN_TEXT.items():
        yield from both(f"only text: {name}", "ItemUnknown", order(item=value))
    yield from both(f"a comment in a name of {CANARY}", "Malformed", "<s:Create<!-- x -->Order/>")
