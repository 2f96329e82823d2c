"""What a request brought and what was verified of it."""

from dataclasses import dataclass
from enum import Enum

from frozen import quickly_made
from storage.records import Shop


class ProofKind(Enum):
    """How a shop has shown who it is."""

    API_KEY = "api-key"
    USERNAME = "username"
    CERTIFICATE = "certificate"
    SIGNATURE = "signature"


STRONG = frozenset({ProofKind.CERTIFICATE, ProofKind.SIGNATURE})
"""Proofs that hold a key which never travels: what a front must bring."""


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class Proof:
    """A shop's credential that was verified. Nothing makes one of a credential that does not hold now."""

    kind: ProofKind
    shop: Shop
    credential_id: str
