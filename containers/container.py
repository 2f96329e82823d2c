"""The reference container, made of software: one file, crash-safe (transfer protocol, sections 2 and 4)."""

import hmac
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_der_private_key

from containers.blocks import HIDDEN, PROTECTED, SECRET, Fields, decrypt_block, unpack_fields
from containers.canonical import firm_code as firm_code_text
from containers.canonical import moment, whole_second
from containers.certificates import load_trust
from containers.contexts import render_context
from containers.importing import import_steps
from containers.memory import NONCE_BYTES, FirmMemory, Memory, recall, write_down
from containers.model import ContainerError, Context, Counter, Entry, Options, Poll, State
from containers.polls import render_poll
from containers.serials import kind_of, software_serial
from containers.signatures import public_key_der, sign_raw
from containers.states import state_digest
from containers.store import Store
from containers.updates import read_update

Clock = Callable[[], datetime]
"""Returns the time, aware."""

Random = Callable[[int], bytes]
"""A source of that many random bytes."""

CAPACITY = 300
"""Licences of one firm code that a container holds, unless it is opened with another number."""

LARGEST_CONTEXT = 180 * 1024
"""Bytes of a context that still fit, as base64, into a request of 256 KiB (design, section 10).

A context may hold a state twice, in the listing and in the step that led to it.
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportResult:
    """What an import did: how many steps of the file were applied and how many were there already.

    `counter` is the container's after it, and `receipt` a fresh context for the server.
    """

    firm_code: int
    applied: int
    skipped: int
    counter: Counter
    receipt: bytes


class Container:
    """A container in a file of its own, safe against being killed at any point and shared between processes.

    Every call that changes something takes the lock, reads the file again, and returns once the change is durable. The
    private key stands in the file, readable for its owner only. See section 6 of the transfer protocol for what a copy
    of that file can do.
    """

    def __init__(self, store: Store, *, clock: Clock, random: Random, capacity: int, memory: Memory) -> None:
        self._store = store
        self._clock = clock
        self._random = random
        self._capacity = capacity
        self._key = _private_key(memory.private_key)
        self._public_key = public_key_der(self._key.public_key())

    @classmethod
    def create(
        cls, path: Path, *, trust_pem: bytes, clock: Clock, random: Random, capacity: int = CAPACITY
    ) -> "Container":
        """Create a container at `path`, with a new key, that trusts the vendors whose roots stand in `trust_pem`.

        Raises ContainerError `ContainerExists` and `TrustWrong`; OSError when the disk refuses.
        """
        trusted = b"".join(root.public_bytes(Encoding.PEM) for root in load_trust(trust_pem))
        key = ec.generate_private_key(ec.SECP256R1())
        der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        memory = Memory(private_key=der, trust_pem=trusted)
        store = Store(path)
        with store.locked():
            if store.exists():
                raise ContainerError("ContainerExists", "there is a container at this path already; open it")
            store.write(write_down(memory))
        return cls(store, clock=clock, random=random, capacity=capacity, memory=memory)

    @classmethod
    def open(cls, path: Path, *, clock: Clock, random: Random, capacity: int = CAPACITY) -> "Container":
        """Open the container at `path`.

        Raises ContainerError `ContainerMissing` and `ContainerDamaged`.
        """
        store = Store(path)
        return cls(store, clock=clock, random=random, capacity=capacity, memory=recall(store.read()))

    @property
    def serial(self) -> str:
        """The serial, derived from the public key."""
        return software_serial(self._public_key)

    @property
    def public_key(self) -> bytes:
        """The public key, as SubjectPublicKeyInfo in DER."""
        return self._public_key

    def context(self, firm_code: int) -> bytes:
        """Return a fresh context file of a firm code, its export number and nonce already remembered.

        Raises ContainerError `ValueWrong` for what is no firm code; OSError when the disk refuses, and then no context.
        """
        firm_code_text(firm_code)
        with self._store.locked():
            memory = self._recall()
            firm = memory.of(firm_code).with_export(self._random(NONCE_BYTES))
            context = self._render(firm_code, firm)
            self._store.write(write_down(memory.with_firm(firm_code, firm)))
        return context

    def poll(self, firm_code: int) -> bytes:
        """Return a poll file of a firm code. Nothing in the container changes, so it costs no write.

        Raises ContainerError `ValueWrong` for what is no firm code.
        """
        poll = Poll(
            serial=self.serial,
            firm_code=firm_code,
            public_key=self._public_key,
            nonce=self._random(NONCE_BYTES),
            time=whole_second(self._clock()),
        )
        return render_poll(poll, sign=lambda data: sign_raw(self._key, data))

    def import_update(self, data: bytes) -> ImportResult:
        """Import an update file, wholly or not at all, and return the receipt. Nothing new in it is no error.

        Raises ContainerError with the codes of `read_update` and `importing.import_steps`: then nothing has changed.
        Raises OSError when the disk refuses.
        """
        update = read_update(data)
        with self._store.locked():
            memory = self._recall()
            outcome = import_steps(
                memory.of(update.firm_code),
                update,
                serial=self.serial,
                trust=load_trust(memory.trust_pem),
                capacity=self._capacity,
            )
            firm = outcome.memory.with_export(self._random(NONCE_BYTES))
            receipt = self._render(update.firm_code, firm)
            if len(receipt) > LARGEST_CONTEXT:
                raise ContainerError(
                    "ContainerFull",
                    f"the container's context would be larger than {LARGEST_CONTEXT} bytes; return some licences first",
                )
            certified = _latest(memory.certified_time, (step.issued for step in outcome.applied))
            after = replace(memory.with_firm(update.firm_code, firm), certified_time=certified)
            self._store.write(write_down(after))
        return ImportResult(
            firm_code=update.firm_code,
            applied=len(outcome.applied),
            skipped=outcome.skipped,
            counter=firm.counter,
            receipt=receipt,
        )

    def listing(self, firm_code: int) -> State:
        """Return what the container holds of a firm code."""
        return self._recall().of(firm_code).state

    def fields(self, firm_code: int, license_id: str, *, kind: str) -> Fields:
        """Return the protected or hidden data of a licence by number; nothing of one that has none, or is not here.

        Raises ContainerError `DataSecret` for secret data, which never leaves the container, and `DataUnreadable`.
        """
        if kind == SECRET:
            raise ContainerError("DataSecret", "secret data never leaves the container; let it answer a challenge")
        return self._fields(firm_code, license_id, kind)

    def answer(self, firm_code: int, license_id: str, *, number: int, challenge: bytes) -> bytes:
        """Return HMAC-SHA256 of a challenge by a field of a licence's secret data: 32 bytes that only it can give.

        Raises ContainerError `DataMissing` when there is no such field, and `DataUnreadable`.
        """
        secret = self._fields(firm_code, license_id, SECRET).get(number)
        if secret is None:
            raise ContainerError("DataMissing", "the container holds no such secret data; ask the vendor")
        return hmac.digest(secret, challenge, "sha256")

    def _fields(self, firm_code: int, license_id: str, kind: str) -> Fields:
        memory = self._recall().of(firm_code)
        options = next((entry.options for entry in memory.state if entry.license_id == license_id), Options())
        digest = {PROTECTED: options.protected_data, HIDDEN: options.hidden_data, SECRET: options.secret_data}[kind]
        if digest is None:
            return {}
        block = memory.blocks[digest]
        return unpack_fields(block if kind == PROTECTED else decrypt_block(block, kind=kind, key=self._key))

    def firm_codes(self) -> tuple[int, ...]:
        """Return the firm codes that the container was used with, sorted."""
        return tuple(sorted(self._recall().firms))

    def counter(self, firm_code: int) -> Counter:
        """Return the firm update counter of a firm code."""
        return self._recall().of(firm_code).counter

    @property
    def certified_time(self) -> datetime | None:
        """The latest time at which a vendor signed a step that was imported, None before the first."""
        return self._recall().certified_time

    def describe(self) -> dict[str, Any]:
        """Return all that may be shown of the container, as JSON values: everything but its private key."""
        memory = self._recall()
        time = memory.certified_time
        return {
            "serial": self.serial,
            "kind": kind_of(self.serial),
            "certifiedTime": None if time is None else moment(time, "certifiedTime"),
            "trust": [
                {
                    "subject": root.subject.rfc4514_string(),
                    "sha256": root.fingerprint(hashes.SHA256()).hex(),
                    "notAfter": moment(root.not_valid_after_utc, "notAfter"),
                }
                for root in load_trust(memory.trust_pem)
            ],
            "firmCodes": [_describe_firm(code, firm) for code, firm in sorted(memory.firms.items())],
        }

    def _recall(self) -> Memory:
        memory = recall(self._store.read())
        if public_key_der(_private_key(memory.private_key).public_key()) != self._public_key:
            raise ContainerError("ContainerDamaged", "another container stands at this path now; open it again")
        return memory

    def _render(self, firm_code: int, firm: FirmMemory) -> bytes:
        context = Context(
            serial=self.serial,
            firm_code=firm_code,
            public_key=self._public_key,
            export=firm.exports,
            nonce=firm.nonces[-NONCE_BYTES:],
            counter=firm.counter,
            listing=firm.state,
            digest=state_digest(firm.state),
            last_step=firm.last_step,
            time=whole_second(self._clock()),
        )
        return render_context(context, sign=lambda data: sign_raw(self._key, data))


def _private_key(der: bytes) -> ec.EllipticCurvePrivateKey:
    key = load_der_private_key(der, password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ContainerError("ContainerDamaged", "the container's file holds a key of another kind; restore it")
    return key


def _latest(known: datetime | None, issued: Iterable[datetime]) -> datetime | None:
    return max((time for time in (known, *issued) if time is not None), default=None)


def _describe_firm(firm_code: int, firm: FirmMemory) -> dict[str, Any]:
    return {
        "firmCode": firm_code,
        "counter": {"epoch": firm.counter.epoch, "number": firm.counter.number},
        "exports": firm.exports,
        "licenses": [_describe_entry(entry) for entry in firm.state],
    }


def _shown(value: object, name: str) -> object:
    if isinstance(value, datetime):
        return moment(value, name)
    return value.hex() if isinstance(value, bytes) else value


def _describe_entry(entry: Entry) -> dict[str, Any]:
    options = {}
    for name in entry.options.__dataclass_fields__:
        value = getattr(entry.options, name)
        if value is not None:
            head, *rest = name.split("_")
            camel = head + "".join(word.title() for word in rest)
            options[camel] = _shown(value, camel)
    return {
        "licenseId": entry.license_id,
        "generation": entry.generation,
        "itemNumber": entry.item_number,
        "productCode": entry.product_code,
        "quantity": entry.quantity,
        "options": options,
    }
