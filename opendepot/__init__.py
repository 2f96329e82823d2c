"""The SDK: the half of OpenDepot that runs in shops and applications.

    async with DepotClient("https://licences.example.com") as depot:
        collected = await depot.collect(ticket, Container.open("container.json", clock=..., random=...))

`SalesClient` orders, `DepotClient` collects, `BlockingDepotClient` does so without asyncio. They speak the published
SOAP services and nothing else; `Container` is the reference container. `opendepot.cli` holds the verbs of the
licensee's machine.
"""

from containers import Container, ContainerError
from opendepot.blocking import BlockingDepotClient
from opendepot.depot import Collected, DepotClient, SupportNeeded
from opendepot.licence import Check, Licence
from opendepot.sales import SalesClient
from opendepot.service import ServiceUnreachable
from soap import AnswerInvalid, FaultReceived

__all__ = [
    "AnswerInvalid",
    "BlockingDepotClient",
    "Check",
    "Collected",
    "Container",
    "ContainerError",
    "DepotClient",
    "FaultReceived",
    "Licence",
    "SalesClient",
    "ServiceUnreachable",
    "SupportNeeded",
]
