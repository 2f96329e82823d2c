"""WS-Addressing 1.0: what its header blocks ask of the answer (Core and SOAP Binding, W3C Recommendations of 2006).

An answer goes back on the connection that the request came by, or nowhere: ReplyTo and FaultTo may be anonymous or
none. A MessageID only comes back in RelatesTo; it is no transactionId and makes nothing happen once.
"""

from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass

from lxml import etree

from soap.codec import escape
from soap.errors import SoapError
from soap.names import WSA, Version

ANONYMOUS = f"{WSA}/anonymous"
NONE = f"{WSA}/none"
FAULT_ACTION = f"{WSA}/fault"
"""Action of the faults of WS-Addressing itself (SOAP Binding, section 6)."""
SOAP_FAULT_ACTION = f"{WSA}/soap/fault"
"""Action of the faults that SOAP defines (SOAP Binding, section 6)."""

_ONCE = ("To", "From", "ReplyTo", "FaultTo", "Action", "MessageID")
_ENDPOINTS = ("From", "ReplyTo", "FaultTo")

MOST_REPEATED = 4096
"""How many characters of the request an answer repeats, so that a small request cannot ask for a large answer."""
MOST_PARAMETERS = 16
"""Reference parameters of an endpoint."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint:
    """Where an answer goes: back, or nowhere; `parameters` are blocks that come back with it, as text."""

    nowhere: bool = False
    parameters: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Addressing:
    """What a request's blocks ask: the message ids and where answer and fault go."""

    action: str | None
    message_id: str | None
    reply: Endpoint
    fault: Endpoint

    def header(self, action: str, *, fault: bool = False) -> str:
        """Write the header blocks of the answer, without the element Header around them."""
        relates = "" if self.message_id is None else f"{_RELATES}{escape(self.message_id)}</wsa:RelatesTo>"
        endpoint = self.fault if fault else self.reply
        return f'<wsa:Action xmlns:wsa="{WSA}">{escape(action)}</wsa:Action>{relates}{endpoint.parameters}'


_RELATES = f'<wsa:RelatesTo xmlns:wsa="{WSA}">'
_BACK = Endpoint()


def read_addressing(blocks: Iterable[etree._Element], version: Version) -> Addressing:
    """Read the blocks of a request that are for this service.

    Raises SoapError Addressing...; its `addressing` is what the fault itself goes by.
    """
    found: dict[str, etree._Element] = {}
    for block in blocks:
        name = etree.QName(block).localname
        if name in found:
            raise _refused("AddressingRepeated", f"{name} stands more than once", name, version, found)
        if name in _ONCE:
            found[name] = block
    for name in _ENDPOINTS:
        if name in found and len(found[name].findall(f"{{{WSA}}}Address")) != 1:
            raise _refused("AddressingNoAddress", f"{name} must hold one Address", name, version, found)
    asked = _asked(found, version)
    _check(asked, found, version)
    return asked


def _check(asked: Addressing, found: Mapping[str, etree._Element], version: Version) -> None:
    """Refuse what cannot be answered as it asks."""
    for name in ("ReplyTo", "FaultTo"):
        if name in found and _address(found[name]) not in {ANONYMOUS, NONE}:
            message = f"the address of {name} must be {ANONYMOUS} or {NONE}"
            raise _refused("AddressingNotAnonymous", message, name, version, found)
    if not asked.action:
        raise _refused("AddressingRequired", "Action is missing", "Action", version, found)
    if asked.message_id is None and not asked.reply.nowhere:
        raise _refused(
            "AddressingRequired", "MessageID is missing, and an answer must name it", "MessageID", version, found
        )


def _asked(found: Mapping[str, etree._Element], version: Version) -> Addressing:
    reply = _endpoint("ReplyTo", found, version) if "ReplyTo" in found else _BACK
    return Addressing(
        action=_text(found.get("Action")),
        message_id=_message_id(found, version),
        reply=reply,
        fault=_endpoint("FaultTo", found, version) if "FaultTo" in found else reply,
    )


def _message_id(found: Mapping[str, etree._Element], version: Version) -> str | None:
    message_id = _text(found.get("MessageID"))
    if message_id is not None and len(message_id) > MOST_REPEATED:
        raise _refused("AddressingTooLarge", "MessageID is too long", "MessageID", version, {})
    return message_id or None


def _endpoint(name: str, found: Mapping[str, etree._Element], version: Version) -> Endpoint:
    """Read an endpoint reference; its reference parameters become header blocks (SOAP Binding, section 3)."""
    block = found[name]
    parameters = [child for held in block.iterfind(f"{{{WSA}}}ReferenceParameters") for child in held]
    if len(parameters) > MOST_PARAMETERS:
        raise _refused("AddressingTooLarge", f"{name} has too many parameters", name, version, {})
    written = ""
    for parameter in parameters:
        copy = deepcopy(parameter)
        copy.tail = None
        copy.set(f"{{{WSA}}}IsReferenceParameter", "true")
        if _has_no_canonical_form(copy):
            message = f"a namespace in the parameters of {name} has a name that is no absolute URI"
            raise _refused("HeaderInvalid", message, name, version, {})
        written += etree.tostring(copy, encoding="unicode")
        if len(written) > MOST_REPEATED:
            raise _refused("AddressingTooLarge", f"the parameters of {name} are too long", name, version, {})
    return Endpoint(nowhere=_address(block) == NONE, parameters=written)


def _has_no_canonical_form(element: etree._Element) -> bool:
    """Whether nobody could sign an answer that repeats it (Canonical XML 1.0, section 1.3)."""
    try:
        etree.tostring(element, method="c14n", exclusive=True)
    except etree.C14NError:
        return True
    return False


def _address(block: etree._Element) -> str:
    return (block.findtext(f"{{{WSA}}}Address") or "").strip()


def _text(block: etree._Element | None) -> str | None:
    return None if block is None else (block.text or "").strip()


def _refused(
    code: str,
    message: str,
    name: str,
    version: Version,
    found: Mapping[str, etree._Element],
) -> SoapError:
    """Give the refusal; it goes back to whoever asked, and names the request where that much is known."""
    error = SoapError(
        code,
        message,
        path=f"Envelope/Header/{name}",
        line=None if name not in found else found[name].sourceline,
        version=version,
        problem=("ProblemHeaderQName", name),
    )
    message_id = _text(found.get("MessageID"))
    if message_id is not None and len(message_id) > MOST_REPEATED:
        message_id = None
    error.addressing = Addressing(action=None, message_id=message_id, reply=_BACK, fault=_BACK)
    return error


def action_of(namespace: str, *names: str) -> str:
    """Give the default action of a message of a WSDL 1.1 (Metadata, section 4.4.4)."""
    return (":" if namespace.startswith("urn:") else "/").join((namespace.rstrip("/"), *names))
