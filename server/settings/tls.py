"""Settings of TLS."""

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from server.settings.kinds import Group


class TlsSettings(Group):
    """TLS."""

    tls_certificate_file: Path | None = Field(
        default=None,
        description="PEM file with the server's certificate and those that lead to its root. With it the SOAP "
        "services speak TLS 1.2 or later, and nothing else.",
    )
    tls_key_file: Path | None = Field(default=None, description="PEM file with the key of that certificate.")
    tls_client_authorities_file: Path | None = Field(
        default=None,
        description="PEM file with the certificates of those who may certify clients. With it a client certificate is "
        "asked for and, if one is sent, verified.",
    )
    tls_ask_client_certificate: bool = Field(
        default=False,
        description="Ask for a client certificate, so that shops can prove themselves by one that they have "
        "registered (`opendepot shop add-certificate`).",
    )
    tls_client_certificate_required: bool = Field(
        default=False, description="Let nobody in without a client certificate."
    )
    handshake_seconds: float = Field(default=5.0, gt=0, description="Time for a TLS handshake, in seconds.")

    @model_validator(mode="after")
    def _tls_is_whole(self) -> Self:
        if (self.tls_certificate_file is None) != (self.tls_key_file is None):
            raise ValueError("tls_certificate_file and tls_key_file belong together")
        if self.tls_certificate_file is None and self.tls_client_authorities_file is not None:
            raise ValueError("tls_client_authorities_file needs tls_certificate_file")
        if self.tls_ask_client_certificate and self.tls_certificate_file is None:
            raise ValueError("tls_ask_client_certificate needs tls_certificate_file")
        asked = self.tls_ask_client_certificate or self.tls_client_authorities_file is not None
        if self.tls_client_certificate_required and not asked:
            raise ValueError(
                "tls_client_certificate_required needs tls_client_authorities_file or tls_ask_client_certificate"
            )
        return self
