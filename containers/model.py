"""The words of the transfer protocol as frozen values (transfer protocol, sections 1 and 2).

Times are aware, in UTC, whole seconds. Digests are 32 bytes (SHA-256). Nonces are 16 bytes.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple


class Counter(NamedTuple):
    """The firm update counter: an epoch (milliseconds of a wall clock) and a number that rises by one a step."""

    epoch: int
    number: int


START = Counter(0, 0)
"""Where a new container stands: no step applied."""


class StepKind(StrEnum):
    """A delta applies exactly at its from-counter and digest; a reset carries the whole state, at any lower counter."""

    DELTA = "Delta"
    RESET = "Reset"


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """What a licence grants, as absolute values (design section 5); None: not set.

    `protected_data`, `hidden_data`, `secret_data`: the digests of blocks (`containers.blocks`).
    """

    activation_time: datetime | None = None
    expiration_time: datetime | None = None
    usage_days: int | None = None
    maintenance_start: datetime | None = None
    maintenance_end: datetime | None = None
    feature_map: int | None = None
    unit_counter: int | None = None
    text: str | None = None
    customer_information: str | None = None
    checkpoint_days: int | None = None
    checkpoint_time: datetime | None = None
    protected_data: bytes | None = None
    hidden_data: bytes | None = None
    secret_data: bytes | None = None

    def blocks(self) -> tuple[bytes, ...]:
        """The digests of the blocks that belong to the licence."""
        found = (self.protected_data, self.hidden_data, self.secret_data)
        return tuple(digest for digest in found if digest is not None)


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One licence as a container holds it. A vendor state is a tuple of entries sorted by licence id."""

    license_id: str
    generation: int
    item_number: str
    product_code: int
    quantity: int
    options: Options


State = tuple[Entry, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """The context that a step was made against: export number and nonce."""

    export: int
    nonce: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One change of a container's vendor state, signed once (transfer protocol, section 1).

    `blocks`: the data that the entries of `put` name and the container may lack, sorted by digest.
    """

    serial: str
    firm_code: int
    kind: StepKind
    from_counter: Counter
    to_counter: Counter
    digest_before: bytes
    digest_after: bytes
    seen: Seen
    issued: datetime
    put: tuple[Entry, ...]
    remove: tuple[str, ...]
    blocks: tuple[bytes, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class SignedStep:
    """A step as it stands in a file, with the exact bytes of its element."""

    step: Step
    data: bytes
    certificate: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Context:
    """What a container says about one firm code, its signature already verified against `public_key`."""

    serial: str
    firm_code: int
    public_key: bytes
    export: int
    nonce: bytes
    counter: Counter
    listing: State
    digest: bytes
    last_step: SignedStep | None
    time: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Poll:
    """A container's question whether something is waiting, its signature already verified against `public_key`."""

    serial: str
    firm_code: int
    public_key: bytes
    nonce: bytes
    time: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Update:
    """An update file: stored, signed steps in order. Signatures are not verified yet."""

    serial: str
    firm_code: int
    steps: tuple[SignedStep, ...]


class ContainerError(Exception):
    """A file or a container refuses. `code` names the case, the message the place and the mend.

    `line` is the line in the file, where one is known. The message never echoes values of the file.
    """

    def __init__(self, code: str, message: str, *, line: int | None = None) -> None:
        super().__init__(message if line is None else f"line {line}: {message}")
        self.code = code
        self.line = line
