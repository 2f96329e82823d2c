"""TLS of the SOAP listener: 1.2 or later, and client certificates where the settings ask for them."""

import ssl
from collections.abc import Iterable
from pathlib import Path

from server.errors import SettingsError
from server.http.handshakes import AlertingContext
from server.settings import Settings


def tls_context(settings: Settings) -> ssl.SSLContext | None:
    """Make the context that the settings describe, None for a plain listener.

    Raises SettingsError for files that cannot be read or do not fit together.
    """
    if settings.tls_certificate_file is None:
        return None
    context = AlertingContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    context.set_alpn_protocols(["http/1.1"])
    certificate, key = settings.tls_certificate_file, settings.tls_key_file
    for setting, path in (("tls_certificate_file", certificate), ("tls_key_file", key)):
        _read(path, setting=setting)
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(
            f"tls_certificate_file, tls_key_file: {certificate} and {key} do not fit together or are no PEM files: "
            f"{_words(error)}"
        ) from None
    authorities = settings.tls_client_authorities_file
    if authorities is not None:
        try:
            context.load_verify_locations(authorities)
        except (OSError, ssl.SSLError) as error:
            raise SettingsError(f"tls_client_authorities_file: {authorities}: {_words(error)}") from None
    if authorities is not None or settings.tls_ask_client_certificate:
        # A shop's certificate is an anchor itself, whoever issued it; which shop's it is, is asked with each request.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        required = settings.tls_client_certificate_required
        context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_OPTIONAL
    return context


class Anchors:
    """Certificates of shops, let through the handshakes of a context. What is in it once stays until the process ends.

    That is no matter: the handshake proves who holds a key, and whose it is, is asked with each request.
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        self._known: set[bytes] = set()

    def add(self, certificates: Iterable[bytes]) -> None:
        """Let clients with these certificates (DER), and those they certify, through."""
        new = set(certificates) - self._known
        if new and self._context.verify_mode is not ssl.CERT_NONE:
            self._context.load_verify_locations(cadata=b"".join(new))
        self._known |= new


def _read(path: Path | None, *, setting: str) -> None:
    """Find out which of the files cannot be read, which the library does not tell."""
    try:
        if path is not None:
            path.read_bytes()
    except OSError as error:
        raise SettingsError(f"{setting}: cannot read {path}: {error.strerror}") from None


def _words(error: OSError) -> str:
    return error.reason if isinstance(error, ssl.SSLError) and error.reason else error.strerror or str(error)
