"""Update files by GET: /v1/updates/ and a token, with ETag, Range and If-Range (RFC 9110, sections 13 and 14)."""

import re
from collections.abc import Coroutine, Mapping
from hashlib import sha256
from typing import Any

from ipfilters import Endpoint
from licensing.linking import UpdateLinks
from observe import EventLog
from server.errors import ServerError
from server.http.answers import PLAIN, Answer, refusal
from server.http.application import Exchange, Peer, Trouble
from server.http.head import Head
from server.security.callers import Calling
from server.security.gates import Gates
from storage.errors import StorageError

DOWNLOAD_PATH = "/v1/updates/"
_OCTETS = "application/octet-stream"
_UNKNOWN = Answer(
    status=404, content_type=PLAIN, body=b"There is no such file, or its time is over: ask the service again.\n"
)
_METHODS = (("allow", "GET, HEAD"),)
_RANGE = re.compile(r"bytes=([0-9]{0,15})-([0-9]{0,15})")


class Downloads:
    """The files that tokens lead to."""

    def __init__(self, links: UpdateLinks, gates: Gates, *, events: EventLog) -> None:
        self._links = links
        self._gates = gates
        self._events = events

    def open(self, head: Head, peer: Peer) -> Exchange | Answer:
        """Pass gate A as the Depot's callers do, and open what finds the file."""
        if head.method not in {"GET", "HEAD"}:
            return Answer(status=405, content_type=PLAIN, body=b"GET a file here.\n", fields=_METHODS)
        if head.has_body:
            return refusal(400)
        try:
            client = self._gates.client(peer.address, head.fields)
            calling = Calling(endpoint=Endpoint.DEPOT, client=client, named=None, authorization=None)
            self._gates.admit_address(calling)
        except ServerError as error:
            if error.denial is not None:
                self._events.info("address_denied", **error.denial)
            return refusal(403)
        return _Download(self, head, client.address)

    async def answered(self, head: Head, address: str) -> Answer:
        """Find the file and give what of it was asked for."""
        try:
            found = await self._links.follow(head.path.removeprefix(DOWNLOAD_PATH))
        except StorageError as error:
            self._events.warning("download_failed", code=error.code)
            return Answer(
                status=503, content_type=PLAIN, body=b"Try again in a minute.\n", fields=(("retry-after", "60"),)
            )
        if found is None:
            return _UNKNOWN
        answer = ranged(found.data, head.fields, name=f"{found.serial}-{found.firm_code}.rau.xml")
        self._events.info(
            "update_downloaded",
            client=address,
            serial=found.serial,
            firm_code=found.firm_code,
            status=answer.status,
            bytes=len(answer.body) if isinstance(answer.body, bytes) else 0,
        )
        return answer


def ranged(data: bytes, fields: Mapping[str, str], *, name: str) -> Answer:
    """Give a file, one range of it, or that the client has it. Several ranges, or one of other units: the file."""
    etag = f'"{sha256(data).hexdigest()[:32]}"'
    told: tuple[tuple[str, str], ...] = (
        ("etag", etag),
        ("cache-control", "private, no-cache"),
        ("x-content-type-options", "nosniff"),
    )
    if _matches(fields.get("if-none-match"), etag):
        return Answer(status=304, content_type=_OCTETS, body=b"", fields=told)
    told = (*told, ("accept-ranges", "bytes"), ("content-disposition", f'attachment; filename="{name}"'))
    wanted = _RANGE.fullmatch(fields.get("range", "").strip())
    # A date is no strong validator of these files, so If-Range holds for the ETag alone (RFC 9110, section 13.1.5).
    if wanted is None or wanted.group() == "bytes=-" or fields.get("if-range", etag).strip() != etag:
        return Answer(status=200, content_type=_OCTETS, body=data, fields=told)
    first, last = wanted[1], wanted[2]
    start = int(first) if first else max(0, len(data) - int(last))
    end = min(int(last), len(data) - 1) if first and last else len(data) - 1
    if first and last and int(last) < int(first):
        return Answer(status=200, content_type=_OCTETS, body=data, fields=told)
    if start >= len(data):
        return Answer(
            status=416, content_type=PLAIN, body=b"", fields=(*told, ("content-range", f"bytes */{len(data)}"))
        )
    part = ("content-range", f"bytes {start}-{end}/{len(data)}")
    return Answer(status=206, content_type=_OCTETS, body=data[start : end + 1], fields=(*told, part))


def _matches(header: str | None, etag: str) -> bool:
    """Compare weakly (RFC 9110, section 13.1.2)."""
    if header is None:
        return False
    return header.strip() == "*" or etag in {tag.strip().removeprefix("W/") for tag in header.split(",")}


class _Download:
    """One GET."""

    most = 0

    def __init__(self, downloads: Downloads, head: Head, address: str) -> None:
        self._downloads = downloads
        self._head = head
        self._address = address

    def run(self, body: bytes) -> Coroutine[Any, Any, Answer]:  # noqa: ARG002  the path has said it all
        """Give the file."""
        return self._downloads.answered(self._head, self._address)

    def refuse(self, trouble: Trouble) -> Answer:  # noqa: ARG002  there is no body, so it took too long
        """Say that it took too long."""
        return refusal(503)

    def sent(self) -> None:
        """Nothing is left to be done."""

    def aborted(self) -> None:
        """The link holds for another try."""
