"""A call as a command line for a shell."""

from server.pages.snippets.call import KEY_VARIABLE, Call


def curl(call: Call) -> str:
    """Give the command."""
    key = f'  -H "Authorization: Bearer ${KEY_VARIABLE}" \\\n' if call.identified else ""
    return (
        f"curl -sS '{call.address}' \\\n  -H 'Content-Type: text/xml; charset=utf-8' \\\n"
        f"  -H 'SOAPAction: \"{call.action}\"' \\\n{key}  --data-binary @- <<'XML'\n{call.xml}\nXML"
    )
