"""A call by PHP's own SoapClient."""

from collections.abc import Mapping

from server.pages.samples import Value
from server.pages.snippets.call import KEY_VARIABLE, Call


def php(call: Call) -> str:
    """Give the program."""
    key = (
        "    'stream_context' => stream_context_create(['http' => [\n"
        f"        'header' => 'Authorization: Bearer ' . getenv('{KEY_VARIABLE}'),\n    ]]),\n"
    )
    return (
        f"<?php\n$client = new SoapClient('{call.wsdl}', [\n    'soap_version' => SOAP_1_2,\n"
        f"{key if call.identified else ''}    'features' => SOAP_SINGLE_ELEMENT_ARRAYS,\n]);\n"
        f"try {{\n    print_r($client->{call.name}({_literal(call.values, '    ')}));\n"
        "} catch (SoapFault $fault) {\n    print_r($fault->detail ?? $fault->getMessage());\n}"
    )


def _literal(value: Value | Mapping[str, Value], indent: str) -> str:
    deeper = indent + "    "
    if isinstance(value, Mapping):
        inner = "".join(f"{deeper}'{name}' => {_literal(one, deeper)},\n" for name, one in value.items())
        return f"[\n{inner}{indent}]"
    if isinstance(value, list):
        inner = "".join(f"{deeper}{_literal(one, deeper)},\n" for one in value)
        return f"[\n{inner}{indent}]"
    if isinstance(value, bool | int):
        return str(value).lower()
    # SoapClient itself writes bytes as Base64.
    text = value.decode() if isinstance(value, bytes) else value
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
