"""What stands at which path: SOAP by POST, the documents of a service by GET (design section 4, HTTP rules)."""

from collections.abc import Iterable, Mapping
from typing import Protocol
from urllib.parse import unquote

from ipfilters import Endpoint
from observe import EventLog, Metrics
from server.dispatch import Dispatcher, Service
from server.http.answers import PLAIN, Answer, refusal
from server.http.application import Exchange, Peer
from server.http.head import Head

_XML = "text/xml; charset=utf-8"
_HTML = "text/html; charset=utf-8"
_METHODS = (("allow", "POST, GET, HEAD, OPTIONS"),)
_HINT = Answer(
    status=405,
    content_type=PLAIN,
    body=b"This is a SOAP service: POST a message here, or GET its WSDL with ?wsdl.\n",
    fields=_METHODS,
)
_OPTIONS = Answer(status=200, content_type=PLAIN, body=b"", fields=_METHODS)
_UNKNOWN = Answer(status=404, content_type=PLAIN, body=b"Nothing is here.\n")
_UNWANTED_BODY = refusal(400)


def _by_browser(head: Head) -> bool:
    return "text/html" in head.fields.get("accept", "")


class Pages(Protocol):
    """Something that answers below a path, beside the SOAP services."""

    def open(self, head: Head, peer: Peer) -> Exchange | Answer:
        """Admit a request by its head, or answer it."""
        ...


class SoapApplication:
    """The SOAP services at their paths, and `pages` below theirs."""

    def __init__(
        self,
        services: Iterable[Service],
        dispatcher: Dispatcher,
        *,
        events: EventLog,
        metrics: Metrics,
        pages: Mapping[str, Pages] | None = None,
    ) -> None:
        self._services = {service.path: service for service in services}
        self._dispatcher = dispatcher
        self._events = events
        self._metrics = metrics
        self._pages = pages or {}

    def open(self, head: Head, peer: Peer) -> Exchange | Answer:
        """Route a request by its head."""
        for prefix, pages in self._pages.items():
            if head.path.startswith(prefix):
                return pages.open(head, peer)
        return self._open(head, peer)

    def _open(self, head: Head, peer: Peer) -> Exchange | Answer:
        service, named = self._services.get(head.path), None
        if service is None:
            service, named = self._of_shop(head.path)
        if head.method == "POST":
            return _UNKNOWN if service is None else self._dispatcher.open(service, head, peer, named=named)
        if head.has_body:
            # Proxies differ in whether they pass such a body on, so it is not read as anything.
            return _UNWANTED_BODY
        if head.method == "OPTIONS" and (service is not None or head.path == "*"):
            return _OPTIONS
        return _UNKNOWN if service is None else self._read(service, head, peer, named=named)

    def _read(self, service: Service, head: Head, peer: Peer, *, named: str | None) -> Answer:
        """Give a document of a service."""
        refused = self._dispatcher.refuse_reader(service.endpoint, head, peer)
        if refused is not None:
            return refused
        if head.method in {"GET", "HEAD"} and head.query is not None and named is None:
            document = service.documents.get(head.query.lower())
            if document is not None:
                return Answer(status=200, content_type=_XML, body=document)
        if service.page is not None and not head.query and head.method in {"GET", "HEAD"} and _by_browser(head):
            page = service.page
            return Answer(status=200, content_type=_HTML, body=page.data, fields=page.fields)
        return _HINT

    def _of_shop(self, path: str) -> tuple[Service | None, str | None]:
        """Give the service of a path that ends with the name of a shop, such as /v1/sales/acme, and the name."""
        front, _, name = path.rpartition("/")
        service = self._services.get(front)
        if service is None or service.endpoint is not Endpoint.SALES or not name:
            return None, None
        return service, unquote(name)

    def refused(self, peer: Peer, *, status: int, reason: str) -> None:
        """Count and log what never became an exchange."""
        self._metrics.http_refused.labels(str(status), reason).inc()
        self._events.info("http_refused", peer=peer.address, status=status, reason=reason)
