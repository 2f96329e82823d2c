"""Where each service stands, and what is published of it."""

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType

import wsdl
from server.dispatch import Service
from server.faults import CATALOGUE
from server.handlers import handlers_of
from server.pages import contract_page, soapui_project
from server.settings import Settings
from soap import Contract, Engine, flattened_wsdl, load_contract, schema_locations, wsdl_apart
from soap.messages import admin, depot, ozomm, sales


@dataclass(frozen=True, kw_only=True, slots=True)
class Published:
    """Where a service stands and what it is made of."""

    wsdl: str
    messages: ModuleType
    path: str


PUBLISHED: tuple[Published, ...] = (
    Published(wsdl="v1/sales.wsdl", messages=sales, path="/v1/sales"),
    Published(wsdl="v1/depot.wsdl", messages=depot, path="/v1/depot"),
    Published(wsdl="v1/ozomm.wsdl", messages=ozomm, path="/v1/ozomm"),
)

ADMINISTERED = Published(wsdl="v1/admin.wsdl", messages=admin, path="/v1/admin")
"""What stands on a listener of its own."""


def service_of(published: Published, settings: Settings, public_url: str) -> Service:
    """Compile a service: engine, handlers, what GET answers. Raises ContractError when they do not fit."""
    contract = load_contract(published.wsdl)
    return Service(
        path=published.path,
        engine=Engine(
            contract,
            published.messages,
            limits=settings.xml_limits,
            validate_answers=settings.validate_answers,
            own_limits=settings.own_limits,
            shapes=settings.remembered_shapes,
        ),
        handlers=handlers_of(contract),
        documents=_documents(published, contract, public_url),
        page=contract_page(contract, CATALOGUE, address=public_url + published.path, send=settings.page_sends),
    )


def _documents(published: Published, contract: Contract, public_url: str) -> Mapping[str, bytes]:
    """Give what GET answers: the WSDL, flattened and apart from its schemas, and these as they are published."""
    folder = posixpath.dirname(published.wsdl)
    schemas = {f"xsd={name}": wsdl.read(f"{folder}/{name}") for name in schema_locations(contract)}
    address = public_url + published.path
    project = soapui_project(contract, address=address)
    return {
        "wsdl": flattened_wsdl(contract, address=address),
        "wsdl=apart": wsdl_apart(contract, address=address),
        "soapui": project,
        **schemas,
    }
