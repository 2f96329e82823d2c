"""Documents made to hurt, over TCP: each is refused with its code, costs little, and is not echoed."""

import time
from collections.abc import Iterator, Mapping

import pytest
from wire import Server, envelope, order

from soap import Version

MOST_MILLISECONDS = 50.0
CANARY = "canary"
DOCTYPES = {
    "external entity": "<!DOCTYPE a [<!ENTITY canary SYSTEM 'file:///etc/hostname'>]>",
    "external subset": "<!DOCTYPE a SYSTEM 'http://127.0.0.1:9/canary.dtd'>",
    "public subset": "<!DOCTYPE a PUBLIC '-//canary' 'http://127.0.0.1:9/canary.dtd'>",
    "parameter entity": "<!DOCTYPE a [<!ENTITY % canary SYSTEM 'file:///etc/hostname'> %canary;]>",
    "default attribute": "<!DOCTYPE a [<!ATTLIST a canary CDATA 'x'>]>",
    "notation": "<!DOCTYPE a [<!NOTATION canary SYSTEM 'x'>]>",
}
ENCODINGS = ("utf-7", "utf-32", "iso-8859-1", "windows-1252", "ebcdic-cp-us", "shift_jis", "gb18030", "utf-16")
COUNTS = (65, 500, 2_000)
WSA = "http://www.w3.org/2005/08/addressing"


def cases() -> Iterator[tuple[str, bytes, str]]:
    """Give name, body and expected code."""
    for version in Version:
        good = envelope(order(CANARY), version=version).decode()
        soap = version.name
        for name, doctype in DOCTYPES.items():
            yield f"{soap} {name}", (doctype + good).encode(), "DtdForbidden"
            yield (
                f"{soap} {name} in UTF-16 that is named UTF-8",
                (doctype + good).encode("utf-16"),
                "EncodingUnsupported",
            )
        for encoding in ENCODINGS:
            declared = f'<?xml version="1.0" encoding="{encoding}"?>{good}'
            yield f"{soap} declared {encoding}", declared.encode(), "EncodingUnsupported"
        for target in ("canary", "xml-stylesheet", "php"):
            yield f"{soap} instruction {target}", f"<?{target} canary?>{good}".encode(), "ProcessingInstruction"
        for count in COUNTS:
            deep = f"{'<canary>' * count}{'</canary>' * count}"
            yield f"{soap} {count} deep", envelope(deep, version=version), "TooComplex"
            attributes = "".join(f' canary{number}="1"' for number in range(count))
            yield f"{soap} {count} attributes", envelope(f"<a{attributes}/>", version=version), "TooComplex"
            declared = "".join(f' xmlns:p{number}="urn:canary:{number}"' for number in range(count))
            yield f"{soap} {count} namespaces", envelope(f"<a{declared}/>", version=version), "TooComplex"
            long = "n" * (count + 256)
            yield f"{soap} name of {count + 256}", envelope(f"<{long}/>", version=version), "TooComplex"
        reply = f'<w:ReplyTo xmlns:w="{WSA}"><w:Address>http://127.0.0.1:9/canary</w:Address></w:ReplyTo>'
        yield f"{soap} answer elsewhere", envelope(order(), version=version, header=reply), "AddressingNotAnonymous"


CASES: Mapping[str, tuple[bytes, str]] = {name: (body, code) for name, body, code in cases()}


@pytest.mark.slow
async def test_each_attack_is_refused_with_its_code_costs_little_and_is_not_echoed(server: Server) -> None:
    assert (await server.post("sales", envelope(order("before")))).status == 200
    costs: dict[str, float] = {}
    for name, (body, code) in CASES.items():
        version = Version.SOAP12 if name.startswith("SOAP12") else Version.SOAP11
        tries = []
        for _ in range(3):
            begin = time.process_time()
            received = await server.post("sales", body, version=version)
            tries.append((time.process_time() - begin) * 1000)
        costs[name] = min(tries)
        text = received.body.decode()
        assert received.status in {400, 500}, name
        assert f"{code}<" in text or f"{code}:" in text, (name, text)
        assert CANARY not in text, name
        assert "Traceback" not in text, name
        assert "/etc/" not in text, name
    assert (await server.post("sales", envelope(order("after")))).status == 200
    costliest = sorted(costs.items(), key=lambda item: -item[1])[:5]
    print(f"{len(CASES)} attacks; the costliest, in ms: {costliest}")
    assert costliest[0][1] < MOST_MILLISECONDS, costliest
    assert not [event for event in server.events() if event["event"] == "internal_error"]
