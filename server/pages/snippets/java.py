"""A call by Java's own HttpClient, as one file that `java Sample.java` runs (Java 15)."""

from server.pages.snippets.call import KEY_VARIABLE, Call


def java(call: Call) -> str:
    """Give the program."""
    quoted = call.xml.replace('"', '\\"')
    key = f'            .header("Authorization", "Bearer " + System.getenv("{KEY_VARIABLE}"))\n'
    return (
        "import java.net.URI;\nimport java.net.http.*;\n\nclass Sample {\n"
        "    public static void main(String[] arguments) throws Exception {\n"
        f'        var request = HttpRequest.newBuilder(URI.create("{call.address}"))\n'
        '            .header("Content-Type", "text/xml; charset=utf-8")\n'
        f'            .header("SOAPAction", "\\"{call.action}\\"")\n{key if call.identified else ""}'
        f'            .POST(HttpRequest.BodyPublishers.ofString("""\n{quoted}\n"""))\n            .build();\n'
        "        System.out.println(HttpClient.newHttpClient()\n"
        "            .send(request, HttpResponse.BodyHandlers.ofString()).body());\n    }\n}"
    )
