"""A call by PHP's own SoapClient."""

from server.pages.samples import Simple
from server.pages.snippets.call import KEY_VARIABLE, Call
from server.pages.snippets.literals import Literals


def php(call: Call) -> str:
    """Give the program."""
    key = (
        "    'stream_context' => stream_context_create(['http' => [\n"
        f"        'header' => 'Authorization: Bearer ' . getenv('{KEY_VARIABLE}'),\n    ]]),\n"
    )
    return (
        f"<?php\n$client = new SoapClient('{call.wsdl}', [\n    'soap_version' => SOAP_1_2,\n"
        f"{key if call.identified else ''}    'features' => SOAP_SINGLE_ELEMENT_ARRAYS,\n]);\n"
        f"try {{\n    print_r($client->{call.name}({_LITERALS.write(call.values, '    ')}));\n"
        "} catch (SoapFault $fault) {\n    print_r($fault->detail ?? $fault->getMessage());\n}"
    )


def _single(value: Simple) -> str:
    if isinstance(value, bool | int):
        return str(value).lower()
    # SoapClient itself writes bytes as Base64.
    text = value.decode() if isinstance(value, bytes) else value
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


_LITERALS = Literals(brackets=("[", "]"), name=lambda name: f"'{name}' => ", single=_single)
