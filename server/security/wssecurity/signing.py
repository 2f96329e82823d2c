"""Answers and faults signed by the server's own key: the Body, a Timestamp and every other header block.

A client that verifies what it gets finds the certificate in a BinarySecurityToken, and must know it beforehand: a key
that comes with a message proves nothing of it.
"""

from collections.abc import Callable
from datetime import datetime

from cryptography import x509
from lxml import etree

from server.security.wssecurity.answers import SignAnswers
from server.security.wssecurity.keys import usable_key
from server.security.wssecurity.names import DSIG
from soap.signing import MessageSigner, SigningKeyWrong

__all__ = ["AnswerSigner", "SigningKeyWrong"]

_SIGNATURE = f"{{{DSIG}}}Signature"


class AnswerSigner:
    """Signs messages with one key."""

    def __init__(
        self,
        *,
        certificate_pem: bytes,
        key_pem: bytes,
        which: SignAnswers,
        lifetime_seconds: float,
        clock: Callable[[], datetime],
    ) -> None:
        """Read certificate and key. Raises SigningKeyWrong."""
        self.which = which
        try:
            usable_key(x509.load_pem_x509_certificate(certificate_pem))
        except ValueError as error:
            raise SigningKeyWrong(f"certificate and key must be PEM, the key not encrypted: {error}") from None
        self._signer = MessageSigner(
            certificate_pem=certificate_pem, key_pem=key_pem, lifetime_seconds=lifetime_seconds, clock=clock
        )

    def wanted(self, security: etree._Element | None) -> bool:
        """Whether the answer to a message with this Security header block is signed."""
        return self.which is SignAnswers.ALL or (security is not None and security.find(_SIGNATURE) is not None)

    def sign(self, message: bytes) -> bytes:
        """Give a message that this server wrote, signed."""
        return self._signer.sign(message)
