"""Reads a service's WSDL into its operation table (WSDL 1.1, document/literal wrapped)."""

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass

from lxml import etree

import wsdl
from soap.errors import ContractError
from soap.names import HEADER, WSDL, WSDL_SOAP11, XSD
from soap.schema import ComplexType, Schema, read_schema


@dataclass(frozen=True, kw_only=True, slots=True)
class Operation:
    """One operation: what its Body element is called, and the types of request and answer.

    A one-way operation has no answer: no tag, and a type without fields.
    """

    name: str
    action: str
    request_tag: str
    answer_tag: str
    request: ComplexType
    answer: ComplexType
    faults: frozenset[str]

    @property
    def one_way(self) -> bool:
        """Whether nothing is answered (WSDL 1.1, section 2.4.1)."""
        return not self.answer_tag


_NOTHING = ComplexType(name="", fields=(), documentation="")


@dataclass(frozen=True, kw_only=True, slots=True)
class Contract:
    """A service as its WSDL states it.

    `operations` is keyed by operation name. `schemas` are the parsed schema documents by namespace, the service's own
    first; `document` is the WSDL as published in the package.
    """

    name: str
    namespace: str
    operations: Mapping[str, Operation]
    schema: Schema
    header_schema: Schema
    schemas: Mapping[str, etree._Element]
    document: etree._Element


def load_contract(path: str) -> Contract:
    """Read a WSDL of the package, such as `v1/sales.wsdl`, with the schemas it imports.

    Raises ContractError when it is not document/literal wrapped or leaves the allowed subset.
    """
    document = etree.fromstring(wsdl.read(path))
    namespace = document.get("targetNamespace", "")
    schemas = {
        str(node.get("namespace")): etree.fromstring(
            wsdl.read(posixpath.join(posixpath.dirname(path), str(node.get("schemaLocation"))))
        )
        for node in document.iterfind(f"{{{WSDL}}}types/{{{XSD}}}schema/{{{XSD}}}import")
    }
    if namespace not in schemas or HEADER not in schemas:
        raise ContractError(f"{path} must import the schemas of {namespace} and of {HEADER}")
    schema = read_schema(schemas[namespace])
    return Contract(
        name=str(document.get("name")),
        namespace=namespace,
        operations=_operations(document, schema),
        schema=schema,
        header_schema=read_schema(schemas[HEADER]),
        schemas={namespace: schemas[namespace], HEADER: schemas[HEADER]},
        document=document,
    )


def _operations(document: etree._Element, schema: Schema) -> dict[str, Operation]:
    messages = {
        str(message.get("name")): [
            str(part.get("element")).rpartition(":")[2] for part in message.iterfind(f"{{{WSDL}}}part")
        ]
        for message in document.iterfind(f"{{{WSDL}}}message")
    }
    actions = {
        str(node.getparent().get("name")): str(node.get("soapAction"))  # type: ignore[union-attr]  # an element of a binding has a parent
        for node in document.iter(f"{{{WSDL_SOAP11}}}operation")
    }
    operations: dict[str, Operation] = {}
    for node in document.iterfind(f"{{{WSDL}}}portType/{{{WSDL}}}operation"):
        name = str(node.get("name"))
        request = _element(node, "input", messages)
        answer = "" if node.find(f"{{{WSDL}}}output") is None else _element(node, "output", messages)
        if request != name or request not in schema.elements or (answer and answer not in schema.elements):
            raise ContractError(f"operation {name} is not document/literal wrapped")
        if name not in actions:
            raise ContractError(f"operation {name} is not in a SOAP 1.1 binding")
        operations[name] = Operation(
            name=name,
            action=actions[name],
            request_tag=f"{{{schema.namespace}}}{request}",
            answer_tag=f"{{{schema.namespace}}}{answer}" if answer else "",
            request=schema.elements[request],
            answer=schema.elements[answer] if answer else _NOTHING,
            faults=frozenset(str(fault.get("name")) for fault in node.iterfind(f"{{{WSDL}}}fault")),
        )
    return operations


def _element(operation: etree._Element, direction: str, messages: Mapping[str, list[str]]) -> str:
    node = operation.find(f"{{{WSDL}}}{direction}")
    parts = [] if node is None else messages.get(str(node.get("message")).rpartition(":")[2], [])
    if len(parts) != 1:
        raise ContractError(f"operation {operation.get('name')}: {direction} must be one message of one part")
    return parts[0]
