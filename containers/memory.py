"""What a container remembers, and how it is written down (transfer protocol, section 2)."""

import hashlib
import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from containers.blocks import block_digest
from containers.canonical import moment
from containers.model import START, ContainerError, Counter, Seen, SignedStep, State
from containers.states import parse_state, render_state
from containers.steps import read_signed_step

NONCE_BYTES = 16

_HEAD = b"OpenDepot container 1 "


@dataclass(frozen=True, kw_only=True, slots=True)
class FirmMemory:
    """What a container remembers of one firm code.

    `base` is the counter of the last reset. `applied` holds SHA-256 of each step applied, by the counter it led to.
    `nonces` are those of all exports, one after the other, 16 bytes each, so that export e has the e-th. `blocks` holds
    the data that the licences name, by digest.
    """

    counter: Counter = START
    base: Counter = START
    state: State = ()
    last_step: SignedStep | None = None
    applied: Mapping[Counter, bytes] = field(default_factory=dict)
    nonces: bytes = b""
    blocks: Mapping[bytes, bytes] = field(default_factory=dict)

    @property
    def exports(self) -> int:
        """How many contexts were exported."""
        return len(self.nonces) // NONCE_BYTES

    def exported(self, seen: Seen) -> bool:
        """Return whether `seen` names one of the container's own exports."""
        begin = (seen.export - 1) * NONCE_BYTES
        return begin >= 0 and self.nonces[begin : begin + NONCE_BYTES] == seen.nonce

    def with_export(self, nonce: bytes) -> "FirmMemory":
        """Return the memory with one export more."""
        return replace(self, nonces=self.nonces + nonce)


@dataclass(frozen=True, kw_only=True, slots=True)
class Memory:
    """All that a container remembers: its key (PKCS #8, DER), whom it trusts (PEM), and each firm code's part.

    `certified_time` is the latest issue time of a step applied, None before the first.
    """

    private_key: bytes
    trust_pem: bytes
    certified_time: datetime | None = None
    firms: Mapping[int, FirmMemory] = field(default_factory=dict)

    def of(self, firm_code: int) -> FirmMemory:
        """Return what is remembered of a firm code; of an unknown one, that nothing happened."""
        return self.firms.get(firm_code, FirmMemory())

    def with_firm(self, firm_code: int, firm: FirmMemory) -> "Memory":
        """Return the memory with another part for one firm code."""
        return replace(self, firms={**self.firms, firm_code: firm})


def write_down(memory: Memory) -> bytes:
    """Return the bytes of a container's file: a line with the checksum, then JSON."""
    time = memory.certified_time
    content = {
        "privateKey": _base64(memory.private_key),
        "trust": memory.trust_pem.decode("ascii"),
        "certifiedTime": None if time is None else moment(time, "certifiedTime"),
        "firmCodes": {str(firm_code): _firm_text(firm) for firm_code, firm in sorted(memory.firms.items())},
    }
    text = json.dumps(content, ensure_ascii=False).encode()
    return _HEAD + hashlib.sha256(text).hexdigest().encode("ascii") + b"\n" + text


def recall(data: bytes) -> Memory:
    """Return the memory of a container's file.

    Raises ContainerError `ContainerDamaged` for bytes that `write_down` did not write.
    """
    head, _, text = data.partition(b"\n")
    if head != _HEAD + hashlib.sha256(text).hexdigest().encode("ascii"):
        raise ContainerError("ContainerDamaged", "the container's file is damaged, or is no container; restore it")
    try:
        return _memory(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError, ContainerError) as error:
        # The checksum fits, so it was written so: by another version, or by hand.
        raise ContainerError(
            "ContainerDamaged", "the container's file holds what this version does not know; use the one that wrote it"
        ) from error


def _memory(content: Mapping[str, Any]) -> Memory:
    time = content["certifiedTime"]
    return Memory(
        private_key=b64decode(content["privateKey"]),
        trust_pem=content["trust"].encode("ascii"),
        certified_time=None if time is None else datetime.fromisoformat(time),
        firms={int(firm_code): _firm(part) for firm_code, part in content["firmCodes"].items()},
    )


def _firm_text(firm: FirmMemory) -> dict[str, object]:
    return {
        "counter": firm.counter,
        "base": firm.base,
        "listing": render_state(firm.state).decode(),
        "lastStep": None if firm.last_step is None else firm.last_step.data.decode(),
        "applied": [[*counter, _base64(digest)] for counter, digest in sorted(firm.applied.items())],
        "nonces": _base64(firm.nonces),
        **({"blocks": [_base64(block) for _, block in sorted(firm.blocks.items())]} if firm.blocks else {}),
    }


def _firm(part: Mapping[str, Any]) -> FirmMemory:
    last_step = part["lastStep"]
    return FirmMemory(
        counter=Counter(*part["counter"]),
        base=Counter(*part["base"]),
        state=parse_state(part["listing"].encode()),
        last_step=None if last_step is None else read_signed_step(last_step.encode()),
        applied={Counter(epoch, number): b64decode(digest) for epoch, number, digest in part["applied"]},
        nonces=b64decode(part["nonces"]),
        blocks={block_digest(block): block for block in map(b64decode, part.get("blocks", ()))},
    )


def _base64(data: bytes) -> str:
    return b64encode(data).decode("ascii")
