"""How the header blocks of a message become proofs. What does it stands elsewhere and is handed to the gates."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from frozen import quickly_made
from server.security.callers import Calling
from server.security.certificates import CertificateStore
from server.security.proofs import Proof
from soap import Received
from storage.marks import Mark


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class MessageProofs:
    """What the header blocks of a message prove, and the message as far as the proofs cover it.

    `received` is what goes on to validation: where there is a signature, made of the signed bytes and of nothing else.
    `marks` must be used up before the message is answered.
    """

    received: Received
    proofs: tuple[Proof, ...] = ()
    marks: tuple[Mark, ...] = ()


class MessageSecurity(Protocol):
    """Reads the header blocks that are about security."""

    async def prove(
        self, received: Received, call: Calling, *, certificates: CertificateStore, now: datetime
    ) -> MessageProofs:
        """Give what a message proves; no proof where it has no such blocks.

        Raises ServerError for blocks that are wrong in any way: a message with a wrong proof is refused, whatever else
        proves the shop.
        """
        ...
