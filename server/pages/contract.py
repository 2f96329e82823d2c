"""Makes the page of a service from its contract and the table of faults."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from jinja2 import Environment, StrictUndefined
from lxml import etree
from markupsafe import Markup, escape

from server.pages.limits import Limits
from server.pages.samples import Samples
from server.pages.scripts import COPY, SEND
from server.pages.snippets import snippets
from server.pages.style import SERVICE, named
from server.pages.template import PAGE
from soap import FaultKind
from soap.contract import Contract
from soap.names import WSDL
from soap.schema import ComplexType, Field

Fields = tuple[tuple[str, str], ...]
_IDENTIFIED = frozenset({"Sales", "Admin"})
"""Services that want an API key; a ticket identifies who calls the others."""
_QUOTED = re.compile(r"`([^`]+)`")


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """An element of a message; its path may break behind a slash."""

    path: Markup
    often: str
    type: str
    limits: str
    documentation: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """A page and the fields that it is sent with."""

    data: bytes
    fields: Fields


def contract_page(contract: Contract, faults: Mapping[str, FaultKind], *, address: str, send: bool) -> Page:
    """Give the page; `send` lets it send messages to its own server."""
    identified = contract.name in _IDENTIFIED
    samples, limits = Samples(contract), Limits(contract)
    told = {
        str(node.get("name")): (node.findtext(f"{{{WSDL}}}documentation") or "").strip()
        for node in contract.document.iterfind(f"{{{WSDL}}}portType/{{{WSDL}}}operation")
    }
    operations = [
        {
            "name": operation.name,
            "action": operation.action,
            "documentation": told[operation.name],
            "request": list(_rows(operation.request, limits)),
            "answer": list(_rows(operation.answer, limits)),
            "sample": samples.envelope(operation),
            "snippets": snippets(samples, operation, address=address, identified=identified),
            "faults": sorted(operation.faults),
        }
        for operation in contract.operations.values()
    ]
    scripts = (COPY, SEND) if send else (COPY,)
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    text = environment.from_string(PAGE).render(
        name=contract.name,
        documentation=_documentation(contract.document),
        address=address,
        operations=operations,
        faults=_by_element(faults),
        identified=identified,
        send=send,
        style=Markup(SERVICE),  # noqa: S704  a text of this program
        scripts=[Markup(script) for script in scripts],  # noqa: S704  as above
    )
    return Page(data=text.encode(), fields=_fields(scripts, send=send))


def _fields(scripts: tuple[str, ...], *, send: bool) -> Fields:
    connect = "'self'" if send else "'none'"
    policy = (
        f"default-src 'none'; style-src {named(SERVICE)}; script-src {' '.join(map(named, scripts))}; "
        f"connect-src {connect}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return (
        ("content-security-policy", policy),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("vary", "accept"),
    )


def _documentation(document: etree._Element) -> str:
    return (document.findtext(f"{{{WSDL}}}documentation") or "").strip()


def _by_element(faults: Mapping[str, FaultKind]) -> list[tuple[str, list[dict[str, str]]]]:
    found: dict[str, list[dict[str, str]]] = {}
    for code, kind in sorted(faults.items()):
        mend = _QUOTED.sub(r"<code>\1</code>", str(escape(kind.mend)))
        row = {
            "code": code,
            "meaning": kind.meaning,
            "mend": Markup(mend),  # noqa: S704  escaped above
            "retry": "Later" if kind.retry else "Never",
        }
        found.setdefault(kind.element, []).append(row)
    return sorted(found.items())


def _rows(type_: ComplexType, limits: Limits, before: tuple[str, ...] = ()) -> Iterator[Row]:
    for field in type_.fields:
        nested = isinstance(field.type, ComplexType)
        yield Row(
            path=Markup("/<wbr>").join((*before, field.name)),
            often=_often(field),
            type=field.type.name,
            limits="" if isinstance(field.type, ComplexType) else limits.words(field.type),
            documentation=field.documentation,
        )
        if nested and isinstance(field.type, ComplexType):
            yield from _rows(field.type, limits, (*before, field.name))


def _often(field: Field) -> str:
    if field.many:
        return "any number" if field.optional else "once or more"
    return "once at most" if field.optional else "once"
