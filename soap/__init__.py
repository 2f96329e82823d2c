"""The SOAP engine, sans I/O: bytes to typed messages and back, driven by the WSDL.

schema      the allowed subset of XML Schema as frozen tables
contract    a WSDL as an operation table
generate    writes messages/ from the contract
messages/   the messages as frozen dataclasses
codec       decode and encode tables, compiled once
envelope    version, header blocks, the child of the Body
normalise   what some clients send for "absent" (rule R10)
validate    the compiled XSD, and a failure told by place and mend
faults      one fault value, one writer per version, the engine's own refusals
place       where in a message something stands
addressing  what WS-Addressing asks of the answer
exchange    the states of one exchange
multipart   MIME packages, read strictly
mtom        binary values beside the envelope
streaming   answers that are written item by item
segments    how they are written
engine      a service, seen from the server
arriving    an answer that is read item by item while it arrives
client      a service, seen from a client
signing     messages that prove who wrote them (WS-Security)
publish     the WSDL as it is served
"""

from soap.addressing import Addressing
from soap.arriving import ArrivingAnswer
from soap.client import ClientEngine, FaultReceived
from soap.contract import Contract, load_contract
from soap.engine import Engine, Received, Reply
from soap.errors import AnswerInvalid, ContractError, SoapError
from soap.exchange import Exchange, Stage
from soap.faults import ENGINE_FAULTS, Blame, Fault, FaultKind
from soap.names import Version
from soap.publish import flattened_wsdl, schema_locations, wsdl_apart
from soap.streaming import Segments, Streamed, StreamedItem

__all__ = [
    "ENGINE_FAULTS",
    "Addressing",
    "AnswerInvalid",
    "ArrivingAnswer",
    "Blame",
    "ClientEngine",
    "Contract",
    "ContractError",
    "Engine",
    "Exchange",
    "Fault",
    "FaultKind",
    "FaultReceived",
    "Received",
    "Reply",
    "Segments",
    "SoapError",
    "Stage",
    "Streamed",
    "StreamedItem",
    "Version",
    "flattened_wsdl",
    "load_contract",
    "schema_locations",
    "wsdl_apart",
]
