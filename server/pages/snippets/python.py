"""A call by zeep, a SOAP library for Python."""

import json
from collections.abc import Mapping

from server.pages.samples import Value
from server.pages.snippets.call import KEY_VARIABLE, Call


def python(call: Call) -> str:
    """Give the program."""
    system = "import os\n" if call.identified else ""
    key = f'session.headers["Authorization"] = f"Bearer {{os.environ[\'{KEY_VARIABLE}\']}}"\n'
    given = f"**{_literal(call.values, '    ')}" if call.values else ""
    return (
        f"{system}import requests\nfrom lxml import etree\nfrom zeep import Client\nfrom zeep.exceptions import Fault\n"
        "from zeep.transports import Transport\n\n"
        f"session = requests.Session()\n{key if call.identified else ''}"
        f'client = Client("{call.wsdl}", transport=Transport(session=session))\n'
        f"try:\n    print(client.service.{call.name}({given}))\n"
        'except Fault as fault:\n    print(fault.message, etree.tostring(fault.detail, encoding="unicode"))'
    )


def _literal(value: Value | Mapping[str, Value], indent: str) -> str:
    deeper = indent + "    "
    if isinstance(value, Mapping):
        inner = "".join(f'{deeper}"{name}": {_literal(one, deeper)},\n' for name, one in value.items())
        return f"{{\n{inner}{indent}}}"
    if isinstance(value, list):
        inner = "".join(f"{deeper}{_literal(one, deeper)},\n" for one in value)
        return f"[\n{inner}{indent}]"
    return json.dumps(value) if isinstance(value, str) else repr(value)
