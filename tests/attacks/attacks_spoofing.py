"""SOAPAction and WS-Addressing: nothing but the Body says what is done, and an answer goes back or nowhere."""

from collections.abc import Iterator
from functools import partial

from attack_cases import CANARY, DEPOT, OUTSIDE, SALES, Attack, around, both, envelope, order, status

from soap import Version

ANONYMOUS = "http://www.w3.org/2005/08/addressing/anonymous"
OTHERS = ("GetOrder", "CancelOrder", "ListItems", "CreateOrders", "WithdrawLicense", "ReplaceLicense", "FindOrders")
ELSEWHERE = {
    "HTTP": f"http://{OUTSIDE}/{CANARY}",
    "HTTPS": f"https://{OUTSIDE}/{CANARY}",
    "a mail": f"mailto:{CANARY}@{OUTSIDE.partition(':')[0]}",
    "a file": f"file:///tmp/{CANARY}",
    "a queue": f"jms:{CANARY}",
    "the cloud's own": "http://169.254.169.254/latest/meta-data/",
    "itself": "http://localhost/v1/sales",
    "the anonymous of an older version": "http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous",
    "anonymous with more behind": f"{ANONYMOUS}/{CANARY}",
    "anonymous in capitals": ANONYMOUS.upper(),
    "nothing": "",
    "a long one": "http://" + "h" * 200_000,
}


def wsa(name: str, content: str) -> str:
    return f"<w:{name}>{content}</w:{name}>"


def endpoint(name: str, address: str, *, more: str = "") -> str:
    return wsa(name, wsa("Address", address) + more)


ID = wsa("MessageID", "urn:uuid:1")
ACTION = wsa("Action", f"{SALES}/CreateOrder")


def attacks() -> Iterator[Attack]:
    yield from _actions()
    yield from _addressing()


def _actions() -> Iterator[Attack]:
    for name in OTHERS:
        action = f"{SALES}/{name}"
        yield from _acting(f"the action of {name}", action, "SoapActionMismatch")
    for name, action in {
        "of nothing": f"urn:{CANARY}",
        "of another service": f"{DEPOT}/GetTicket",
        "of this operation in capitals": f"{SALES}/CREATEORDER",
        "a path": "../../admin",
        "long": "a" * 8_000,
        "a format": "{0.__class__}%n%s",
        "empty": "",
    }.items():
        yield from _acting(f"an action {name}", action, "")


def _acting(name: str, action: str, code: str) -> Iterator[Attack]:
    """An action in each version's own way; the other version's way says nothing."""

    def document(version: Version) -> str:
        return envelope(order(transaction="acting"), version=version)

    soap11, _ = around(name, code, document, soap_action=f'"{action}"')
    yield soap11
    kind = f'application/soap+xml; charset=utf-8; action="{action}"'
    _, soap12 = around(name, code, document, content_type=kind)
    yield soap12
    _, ignored = around(f"{name}, as a SOAPAction", "", document, soap_action=f'"{action}"')
    yield ignored


def _addressing() -> Iterator[Attack]:
    for name, address in ELSEWHERE.items():
        for block in ("ReplyTo", "FaultTo"):
            header = ACTION + ID + endpoint(block, address)
            yield from both(f"{block}: {name}", "AddressingNotAnonymous", order(), header=header)
    for block in ("To", "From"):
        content = f"http://{OUTSIDE}/" if block == "To" else wsa("Address", f"http://{OUTSIDE}/")
        yield from both(f"{block} elsewhere", "", order(transaction="to"), header=ACTION + ID + wsa(block, content))
    for size in (4_097, 200_000):
        header = partial(lambda n: ACTION + wsa("MessageID", "m" * n), size)
        yield from both(f"a MessageID of {size}", "AddressingTooLarge", order(), header=header)
    yield from _parameters()
    for name in OTHERS:
        action = wsa("Action", f"{SALES}/{name}")
        yield from both(f"wsa:Action of {name}", "ActionUnknown", order(), header=action + ID)
    yield from both("wsa:Action of nothing", "ActionUnknown", order(), header=wsa("Action", "urn:x") + ID)
    for block in ("Action", "MessageID"):
        yield from both(f"{block} twice", "AddressingRepeated", order(), header=ACTION + ID + wsa(block, "x"))
    yield from both(
        "ReplyTo thousands of times",
        "AddressingRepeated",
        order(),
        header=lambda: ACTION + ID + endpoint("ReplyTo", ANONYMOUS) * 2_000,
    )
    yield from both("no Action", "AddressingRequired", order(), header=ID)
    yield from both("no MessageID", "AddressingRequired", order(), header=ACTION)
    yield from both(
        "ReplyTo without an address", "AddressingNoAddress", order(), header=ACTION + ID + wsa("ReplyTo", "")
    )
    yield from both(
        "two addresses",
        "AddressingNoAddress",
        order(),
        header=ACTION + ID + wsa("ReplyTo", wsa("Address", ANONYMOUS) + wsa("Address", f"http://{OUTSIDE}/")),
    )
    yield from both(
        "an address in an element",
        "AddressingNotAnonymous",
        order(),
        header=ACTION + ID + endpoint("ReplyTo", f"<x>{ANONYMOUS}</x>"),
    )
    yield from both(
        "for the next one only",
        "",
        order(transaction="actor"),
        header=(
            '<w:ReplyTo e:actor="urn:other" e:role="urn:other"><w:Address>http://'
            + OUTSIDE
            + "/</w:Address></w:ReplyTo>"
        ),
    )
    older = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
    yield from both(
        "the version before",
        "",
        order(transaction="older"),
        header=(f'<o:ReplyTo xmlns:o="{older}"><o:Address>http://{OUTSIDE}/</o:Address></o:ReplyTo>'),
    )
    yield from both(
        "the version before, to be understood",
        "NotUnderstood",
        order(),
        header=(
            f'<o:ReplyTo xmlns:o="{older}" e:mustUnderstand="1"><o:Address>http://{OUTSIDE}/</o:Address></o:ReplyTo>'
        ),
    )
    yield from _differing()


def _parameters() -> Iterator[Attack]:
    parameters = {
        "17 parameters": "<p/>" * 17,
        "a parameter of 5,000 characters": f"<p>{'v' * 5_000}</p>",
        "a parameter that grows": f"<p>{'&lt;' * 2_000}</p>",
        "thousands of parameters": "<p/>" * 15_000,
    }
    for name, inner in parameters.items():
        for block in ("ReplyTo", "FaultTo"):
            header = ACTION + ID + endpoint(block, ANONYMOUS, more=wsa("ReferenceParameters", inner))
            yield from both(f"{block}: {name}", "AddressingTooLarge", order(), header=header)
    for name, inner in {
        "a relative namespace": '<p xmlns="rel"/>',
        "a relative namespace further in": '<p><q xmlns:r="../rel" r:a="1"/></p>',
    }.items():
        for block in ("ReplyTo", "FaultTo"):
            header = ACTION + ID + endpoint(block, ANONYMOUS, more=wsa("ReferenceParameters", inner))
            yield from both(f"{block}: {name}", "HeaderInvalid", order(), header=header)


def _differing() -> Iterator[Attack]:
    def document(version: Version) -> str:
        return envelope(order(), version=version, header=ACTION + ID)

    soap11, _ = around("wsa:Action and SOAPAction differ", "AddressingMismatch", document, soap_action="urn:x")
    yield soap11
    kind = 'application/soap+xml; charset=utf-8; action="urn:x"'
    _, soap12 = around("wsa:Action and action differ", "AddressingMismatch", document, content_type=kind)
    yield soap12
    assert status("AddressingMismatch") == 500
