"""Each attack that is a SOAP message, in the gate and the engine alone: refused with its code, and nothing else."""

from collections.abc import Mapping

import pytest
from attack_cases import Attack, Message
from attack_families import FAMILIES

from server.security.gates import gate_a
from server.settings import Settings
from soap import ENGINE_FAULTS, Engine, SoapError, load_contract
from soap.messages import admin, depot, ozomm, sales

SETTINGS = Settings()
ENGINES: Mapping[str, Engine] = {
    name: Engine(
        load_contract(f"v1/{name}.wsdl"),
        messages,
        limits=SETTINGS.xml_limits,
        validate_answers=False,
        own_limits=SETTINGS.own_limits,
    )
    for name, messages in (("sales", sales), ("depot", depot), ("ozomm", ozomm), ("admin", admin))
}


def refusal(sent: Message) -> str:
    """Give the code that gate or engine refuse a message with, '' for one that goes on to its handler."""
    engine = ENGINES[sent.service]
    coding = sent.fields.get("Content-Encoding")
    try:
        gate_a(content_type=sent.kind, content_encoding=coding, declared=len(sent.body), most=engine.most_bytes)
        received = engine.open(sent.body, content_type=sent.kind, soap_action=sent.soap_action)
        engine.decode(received)
    except SoapError as error:
        return error.code
    return ""


def expected(attack: Attack) -> str:
    """Give the code, where it is the engine's."""
    return attack.code if attack.code in ENGINE_FAULTS else ""


@pytest.mark.parametrize("family", FAMILIES)
def test_gate_and_engine_refuse_each_message_of_a_family_with_its_code(family: str) -> None:
    wrong = []
    for attack in FAMILIES[family]():
        if attack.bulk or attack.code == "NotIdentified":
            continue  # judged by the server, which knows from whom such messages are read
        sent = attack.make()
        if isinstance(sent, Message) and (found := refusal(sent)) != expected(attack):
            wrong.append((attack.name, expected(attack), found))
    assert not wrong


def test_there_are_hundreds_of_attacks_each_another() -> None:
    names = [f"{family}: {attack.name}" for family, make in FAMILIES.items() for attack in make()]
    assert len(set(names)) == len(names) >= 2_400
