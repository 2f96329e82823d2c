"""A CRM over SOAP, by its own WSDL: zeep writes and reads the messages, and nothing waits in a thread for the answer.

zeep comes with the extra `soap-crm`. It is told to refuse DTDs and entities.
"""

import asyncio
import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
from lxml import etree

from licensing.extensions.questions import Question, Unanswered, Verdict
from server.errors import SettingsError
from server.ozomm.configuration import SoapSource
from server.ozomm.http_source import read_text_secret
from server.ozomm.reading import sent, verdict_of

MOST_BYTES = 1024 * 1024


class SoapCrm:
    """Asks a CRM over SOAP. Raises SettingsError for a password that cannot be used, or where zeep is missing."""

    def __init__(self, source: SoapSource, *, folder: Path, session: aiohttp.ClientSession) -> None:
        try:
            self._zeep: Any = importlib.import_module("zeep")
            self._requests: Any = importlib.import_module("requests")
        except ImportError:
            raise SettingsError("kind = 'soap' needs the extra: pip install 'opendepot[soap-crm]'") from None
        self._source = source
        self._session = session
        self._wsdl = source.wsdl if "://" in source.wsdl else str(folder / source.wsdl)
        self._proof: dict[str, str] = {}
        if source.username is not None and source.password_file is not None:
            password = read_text_secret(folder / source.password_file, what="password_file")
            self._proof = {"Authorization": aiohttp.encode_basic_auth(source.username, password)}
        self._client: Any = None
        self._loading = asyncio.Lock()

    async def ask(self, question: Question) -> Verdict:
        """Ask once. Raises Unanswered."""
        exceptions = self._zeep.exceptions
        try:
            port = await self._loaded()
            # As zeep's own clients do, whose way over the network would hold a thread.
            binding, options = port._binding, port._binding_options
            operation = binding.get(self._source.operation)
            envelope, headers = binding._create(
                self._source.operation, (), sent(question, self._source.send), client=self._client, options=options
            )
            address = self._source.address or options["address"]
            async with self._session.post(
                address,
                data=etree.tostring(envelope, xml_declaration=True, encoding="utf-8"),
                headers={**headers, **self._proof, "Idempotency-Key": question.extension_id},
                allow_redirects=False,
            ) as response:
                body = await response.content.read(MOST_BYTES)
                found = binding.process_reply(self._client, operation, self._received(response, body))
        except exceptions.Fault as error:
            raise Unanswered("SOAP fault") from error
        except (exceptions.Error, aiohttp.ClientError, OSError, etree.LxmlError) as error:
            raise Unanswered(type(error).__name__) from error
        return verdict_of(_plain(self._zeep.helpers.serialize_object(found, dict)), self._source)

    async def _loaded(self) -> Any:
        async with self._loading:
            if self._client is None:
                self._client = await asyncio.to_thread(self._opened)
            return self._client.bind(self._source.service, self._source.port)

    def _opened(self) -> Any:
        settings = self._zeep.Settings(strict=True, forbid_dtd=True, forbid_entities=True)
        transport = self._zeep.Transport(timeout=self._source.seconds, operation_timeout=self._source.seconds)
        return self._zeep.Client(self._wsdl, settings=settings, transport=transport)

    def _received(self, response: aiohttp.ClientResponse, body: bytes) -> Any:
        """Give an answer in the form that zeep reads."""
        received = self._requests.Response()
        received.status_code = response.status
        received.headers.update(response.headers)
        received.encoding = response.charset
        received._content = body
        return received


def _plain(found: Any) -> Any:
    """Give an answer as something with fields: a bare value stands at `value`."""
    return found if isinstance(found, Mapping | list) else {"value": found}
