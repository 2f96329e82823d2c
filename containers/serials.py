"""What a container is called, and what kind its serial says it is (design, section 5)."""

import hashlib
import re

from containers.model import ContainerError

_DIGITS = 36
"""Decimal digits of a software container's number: 10 ** 36 is just under 2 ** 120."""

_KINDS = {"1": "Dongle", "2": "Dongle", "3": "Dongle", "127": "CmAct", "128": "CmAct", "130": "Universal"}
_SERIAL = re.compile(r"([0-9]{1,3})-[0-9]{1,64}", re.ASCII)

UNIVERSAL = "Universal"
"""The kind whose serial is derived from its public key."""


def software_serial(public_key_der: bytes) -> str:
    """Return the serial that belongs to a software container's public key (SubjectPublicKeyInfo, DER).

    `130-` and 36 decimal digits, 119 bits of SHA-256 of the key, so nobody can make a second key for a serial.
    """
    digest = int.from_bytes(hashlib.sha256(public_key_der).digest(), "big")
    return f"130-{digest % 10**_DIGITS:0{_DIGITS}d}"


def kind_of(serial: str) -> str:
    """Return the kind of container: `Dongle` (1-, 2-, 3-), `CmAct` (127-, 128-) or `Universal` (130-).

    Raises ContainerError `SerialWrong` for anything else.
    """
    match = _SERIAL.fullmatch(serial)
    kind = None if match is None else _KINDS.get(match[1])
    if kind is None:
        raise ContainerError("SerialWrong", "the serial is not of a known kind of container")
    return kind
