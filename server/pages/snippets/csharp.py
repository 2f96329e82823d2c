"""A call by .NET's HttpClient, as a file of top-level statements (C# 11)."""

from server.pages.snippets.call import KEY_VARIABLE, Call


def csharp(call: Call) -> str:
    """Give the program."""
    key = (
        'request.Headers.Authorization = new AuthenticationHeaderValue("Bearer",\n'
        f'    Environment.GetEnvironmentVariable("{KEY_VARIABLE}"));\n'
    )
    return (
        "using System;\nusing System.Net.Http;\nusing System.Net.Http.Headers;\nusing System.Text;\n\n"
        "using var http = new HttpClient();\n"
        f'using var request = new HttpRequestMessage(HttpMethod.Post, "{call.address}");\n'
        f"{key if call.identified else ''}"
        f'request.Headers.Add("SOAPAction", "\\"{call.action}\\"");\n'
        f'request.Content = new StringContent("""\n{call.xml}\n""", Encoding.UTF8, "text/xml");\n'
        "using var response = await http.SendAsync(request);\n"
        "Console.WriteLine(await response.Content.ReadAsStringAsync());"
    )
