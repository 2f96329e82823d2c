"""A call by zeep, a SOAP library for Python."""

import json

from server.pages.samples import Simple
from server.pages.snippets.call import KEY_VARIABLE, Call
from server.pages.snippets.literals import Literals


def python(call: Call) -> str:
    """Give the program."""
    system = "import os\n" if call.identified else ""
    key = f'session.headers["Authorization"] = f"Bearer {{os.environ[\'{KEY_VARIABLE}\']}}"\n'
    given = f"**{_LITERALS.write(call.values, '    ')}" if call.values else ""
    return (
        f"{system}import requests\nfrom lxml import etree\nfrom zeep import Client\nfrom zeep.exceptions import Fault\n"
        "from zeep.transports import Transport\n\n"
        f"session = requests.Session()\n{key if call.identified else ''}"
        f'client = Client("{call.wsdl}", transport=Transport(session=session))\n'
        f"try:\n    print(client.service.{call.name}({given}))\n"
        'except Fault as fault:\n    print(fault.message, etree.tostring(fault.detail, encoding="unicode"))'
    )


def _single(value: Simple) -> str:
    return json.dumps(value) if isinstance(value, str) else repr(value)


_LITERALS = Literals(brackets=("{", "}"), name=lambda name: f'"{name}": ', single=_single)
