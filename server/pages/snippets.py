"""A sample request as something to paste: curl, zeep, PHP, C#, Java. The API key is taken from the environment."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from server.pages.samples import Samples, Value
from soap.contract import Operation


@dataclass(frozen=True, kw_only=True, slots=True)
class Snippet:
    """A piece of code in one language."""

    language: str
    text: str


def snippets(samples: Samples, operation: Operation, *, address: str, identified: bool) -> tuple[Snippet, ...]:
    """Give the request of an operation in every language; `identified`: the service wants an API key."""
    xml, action, values = samples.envelope(operation), operation.action, samples.values(operation)
    name, wsdl = operation.name, f"{address}?wsdl"
    quoted = xml.replace('"', '\\"')
    curl_key = '  -H "Authorization: Bearer $OPENDEPOT_API_KEY" \\\n' if identified else ""
    python_key = (
        'session.headers["Authorization"] = f"Bearer {os.environ[\'OPENDEPOT_API_KEY\']}"\n' if identified else ""
    )
    php_key = "'Authorization: Bearer ' . getenv('OPENDEPOT_API_KEY')"
    php_context = f"'stream_context' => stream_context_create(['http' => ['header' => {php_key}]]),\n    "
    sharp_key = '("OPENDEPOT_API_KEY"));\n'
    return (
        Snippet(
            language="curl",
            text=(
                f"curl -sS '{address}' \\\n  -H 'Content-Type: text/xml; charset=utf-8' \\\n"
                f"  -H 'SOAPAction: \"{action}\"' \\\n{curl_key}  --data-binary @- <<'XML'\n{xml}\nXML"
            ),
        ),
        Snippet(
            language="Python (zeep)",
            text=(
                "import os\nimport requests\nfrom zeep import Client\nfrom zeep.transports import Transport\n\n"
                f"session = requests.Session()\n{python_key}"
                f'client = Client("{wsdl}", transport=Transport(session=session))\n'
                f"print(client.service.{name}(**{json.dumps(values, indent=4)}))"
            ),
        ),
        Snippet(
            language="PHP",
            text=(
                f"<?php\n$client = new SoapClient('{wsdl}', [\n    'soap_version' => SOAP_1_2,\n"
                f"    {php_context if identified else ''}'features' => SOAP_SINGLE_ELEMENT_ARRAYS,\n]);\n"
                f"print_r($client->{name}({_php(values, '')}));"
            ),
        ),
        Snippet(
            language="C#",
            text=(
                "using System.Net.Http;\nusing System.Net.Http.Headers;\nusing System.Text;\n\n"
                "using var http = new HttpClient();\n"
                f'using var request = new HttpRequestMessage(HttpMethod.Post, "{address}");\n'
                + (
                    'request.Headers.Authorization = new AuthenticationHeaderValue("Bearer",\n'
                    f"    Environment.GetEnvironmentVariable{sharp_key}"
                    if identified
                    else ""
                )
                + f'request.Headers.Add("SOAPAction", "\\"{action}\\"");\n'
                f'request.Content = new StringContent("""\n{xml}\n""", Encoding.UTF8, "text/xml");\n'
                "using var response = await http.SendAsync(request);\n"
                "Console.WriteLine(await response.Content.ReadAsStringAsync());"
            ),
        ),
        Snippet(
            language="Java",
            text=(
                "import java.net.URI;\nimport java.net.http.*;\n\nclass Sample {\n"
                "    public static void main(String[] arguments) throws Exception {\n"
                f'        var request = HttpRequest.newBuilder(URI.create("{address}"))\n'
                '            .header("Content-Type", "text/xml; charset=utf-8")\n'
                f'            .header("SOAPAction", "\\"{action}\\"")\n'
                + (
                    '            .header("Authorization", "Bearer " + System.getenv("OPENDEPOT_API_KEY"))\n'
                    if identified
                    else ""
                )
                + f'            .POST(HttpRequest.BodyPublishers.ofString("""\n{quoted}\n"""))\n            .build();\n'
                "        System.out.println(HttpClient.newHttpClient()\n"
                "            .send(request, HttpResponse.BodyHandlers.ofString()).body());\n    }\n}"
            ),
        ),
    )


def _php(value: Value, indent: str) -> str:
    deeper = indent + "    "
    if isinstance(value, Mapping):
        inner = "".join(f"{deeper}'{name}' => {_php(one, deeper)},\n" for name, one in value.items())
        return f"[\n{inner}{indent}]"
    if isinstance(value, list):
        inner = "".join(f"{deeper}{_php(one, deeper)},\n" for one in value)
        return f"[\n{inner}{indent}]"
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
