"""A foreign client for wire tests: zeep in strict mode, bound to one port of a service of a running server."""

from typing import Any

import requests
import zeep
import zeep.transports
from wire import Server


def zeep_client(server: Server, service: str, version: str, api_key: str | None = None) -> Any:
    session = requests.Session()
    if api_key is not None:
        session.headers["Authorization"] = f"Bearer {api_key}"
    made = zeep.Client(
        f"{server.url}/v1/{service}?wsdl",
        transport=zeep.transports.Transport(session=session, timeout=10, operation_timeout=10),
        settings=zeep.Settings(strict=True),
    )
    return made.bind(f"{service.capitalize()}Service", f"{service.capitalize()}Soap{version}")
