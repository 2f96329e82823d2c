"""Canonicalisation bombs: what costs seconds where a signature is looked at before it is counted."""

from collections.abc import Iterator
from functools import partial

from attack_cases import CANARY, Attack, both, order

DS = "http://www.w3.org/2000/09/xmldsig#"
WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
METHODS = {
    "inclusive": "http://www.w3.org/TR/2001/REC-xml-c14n-20010315",
    "inclusive with comments": "http://www.w3.org/TR/2001/REC-xml-c14n-20010315#WithComments",
    "inclusive 1.1": "http://www.w3.org/2006/12/xml-c14n11",
    "version 2.0": "http://www.w3.org/2010/xml-c14n2",
    "exclusive with comments": f"{EXCLUSIVE}WithComments",
    "XPath": "http://www.w3.org/TR/1999/REC-xpath-19991116",
    "XSLT": "http://www.w3.org/TR/1999/REC-xslt-19991116",
    "unknown": f"urn:{CANARY}",
}


def _names(count: int) -> str:
    return " ".join(f'xmlns:n{n}="urn:{n}"' for n in range(count))


def _signature(method: str, *, inner: str = "", references: int = 1, transforms: str = "") -> str:
    reference = (
        f'<d:Reference URI="#body"><d:Transforms>{transforms}<d:Transform Algorithm="{EXCLUSIVE}"/></d:Transforms>'
        '<d:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/><d:DigestValue>AAAA</d:DigestValue>'
        "</d:Reference>"
    )
    return (
        f'<o:Security xmlns:o="{WSSE}" e:mustUnderstand="1"><d:Signature xmlns:d="{DS}"><d:SignedInfo>'
        f'<d:CanonicalizationMethod Algorithm="{method}">{inner}</d:CanonicalizationMethod>'
        '<d:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"/>'
        f"{reference * references}</d:SignedInfo><d:SignatureValue>AAAA</d:SignatureValue></d:Signature></o:Security>"
    )


def _under(count: int, children: int) -> str:
    return f"<x {_names(count)}>{'<y/>' * children}</x>"


def _chain(count: int) -> str:
    return "".join(f'<y xmlns:n{n}="urn:{n}">' for n in range(count)) + "</y>" * count


def _prefixes(count: int) -> str:
    names = " ".join(f"n{n}" for n in range(count))
    return f'<c:InclusiveNamespaces xmlns:c="{EXCLUSIVE}" PrefixList="{names}"/>'


def attacks() -> Iterator[Attack]:
    for count, children in ((1_000, 1_000), (2_000, 1_000), (5_000, 2_000), (65, 15_000)):
        name = f"{count} namespaces above {children} elements"
        yield from both(name, "TooComplex", order(), header=partial(_under, count, children))
        yield from both(
            f"{name}, signed",
            "TooComplex",
            order(),
            header=lambda c=count, n=children: _signature(METHODS["inclusive"]) + _under(c, n),
        )
    for count in (28, 60, 200):
        code = "SecurityInvalid" if count < 29 else "TooComplex"
        yield from both(
            f"{count} namespaces, one a level",
            code,
            order(),
            header=lambda c=count: _signature(METHODS["inclusive"]) + _chain(c),
        )
    for name, method in METHODS.items():
        yield from both(
            f"{name} above as much as may be",
            "SecurityInvalid",
            order(),
            header=lambda m=method: _signature(m) + _under(55, 12_000),
        )
    for count in (1, 16, 1_000, 20_000):
        yield from both(
            f"a list of {count} prefixes",
            "SecurityInvalid",
            order(),
            header=lambda c=count: _signature(EXCLUSIVE, inner=_prefixes(c)),
        )
    for count in (2, 6, 300, 500):
        yield from both(
            f"{count} references to the Body",
            "SecurityInvalid",
            order(),
            header=lambda c=count: _signature(EXCLUSIVE, references=c),
        )
    for count in (1, 50, 2_000):
        yield from both(
            f"{count} more transforms",
            "SecurityInvalid",
            order(),
            header=lambda c=count: _signature(
                EXCLUSIVE, transforms=f'<d:Transform Algorithm="{METHODS["XSLT"]}"/>' * c
            ),
        )
    yield from both(
        "a flood of signatures",
        "SecurityInvalid",
        order(),
        header=lambda: (
            f'<o:Security xmlns:o="{WSSE}" e:mustUnderstand="1">{"<d:Signature/>" * 5_000}</o:Security>'.replace(
                "<o:Security ", f'<o:Security xmlns:d="{DS}" ', 1
            )
        ),
    )
