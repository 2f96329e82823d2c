"""The SDK: the half of OpenDepot that runs in shops and applications.

    async with DepotClient("https://licences.example.com") as depot:
        collected = await depot.collect(ticket, Container.open("container.json", clock=..., random=...))

`SalesClient` orders, `DepotClient` collects, `OzommClient` extends what expires; `BlockingSalesClient` and
`BlockingDepotClient` do so without asyncio. They speak the published SOAP services and nothing else; `Container` is the
reference container. `faults` has an exception for each fault code. `opendepot.cli` holds the verbs of the licensee's
machine.
"""

from containers import Container, ContainerError
from opendepot import faults
from opendepot.blocking import BlockingDepotClient, BlockingSalesClient
from opendepot.credentials import ApiKey, Basic, Credential, EnvelopeHook, Signature, UsernameToken
from opendepot.depot import Collected, DepotClient, SupportNeeded
from opendepot.licence import Check, Licence
from opendepot.ozomm import OzommClient
from opendepot.sales import SalesClient
from opendepot.service import ServiceUnreachable
from opendepot.tls import tls_context
from soap import AnswerInvalid, FaultReceived
from soap.messages.header import FrontClient

__all__ = [
    "AnswerInvalid",
    "ApiKey",
    "Basic",
    "BlockingDepotClient",
    "BlockingSalesClient",
    "Check",
    "Collected",
    "Container",
    "ContainerError",
    "Credential",
    "DepotClient",
    "EnvelopeHook",
    "FaultReceived",
    "FrontClient",
    "Licence",
    "OzommClient",
    "SalesClient",
    "ServiceUnreachable",
    "Signature",
    "SupportNeeded",
    "UsernameToken",
    "faults",
    "tls_context",
]
