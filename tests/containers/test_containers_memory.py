"""What a container remembers of its exports."""

import hashlib
import json

import pytest

from containers import ContainerError, Seen
from containers.memory import FirmMemory, recall


def test_only_an_own_export_number_with_its_own_nonce_was_exported() -> None:
    nonces = [bytes([number]) * 16 for number in (1, 2, 3)]
    memory = FirmMemory(nonces=b"".join(nonces))
    for export in range(-3, 6):
        for number, nonce in enumerate(nonces, start=1):
            assert memory.exported(Seen(export=export, nonce=nonce)) == (export == number)


@pytest.mark.parametrize(
    "content",
    [
        [],
        {},
        {"privateKey": "AA==", "trust": "", "certifiedTime": "yesterday", "firmCodes": {}},
        {"privateKey": 1, "trust": "", "certifiedTime": None, "firmCodes": {}},
        {"privateKey": "AA==", "trust": "", "certifiedTime": None, "firmCodes": {"10": {}}},
        {
            "privateKey": "AA==",
            "trust": "",
            "certifiedTime": None,
            "firmCodes": {
                "10": {
                    "counter": [0, 0],
                    "base": [0, 0],
                    "listing": "<x/>",
                    "lastStep": None,
                    "applied": [],
                    "nonces": "",
                }
            },
        },
    ],
)
def test_a_right_checksum_over_wrong_content_is_told_as_damage(content: object) -> None:
    text = json.dumps(content).encode()
    data = b"OpenDepot container 1 " + hashlib.sha256(text).hexdigest().encode() + b"\n" + text
    with pytest.raises(ContainerError) as refused:
        recall(data)
    assert refused.value.code == "ContainerDamaged"
