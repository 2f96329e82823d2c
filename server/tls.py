"""TLS of the SOAP listener: 1.2 or later, and client certificates where the settings ask for them."""

import ssl

from server.errors import SettingsError
from server.settings import Settings


def tls_context(settings: Settings) -> ssl.SSLContext | None:
    """Make the context that the settings describe, None for a plain listener.

    Raises SettingsError for files that cannot be read or do not fit together.
    """
    if settings.tls_certificate_file is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(settings.tls_certificate_file, settings.tls_key_file)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(f"tls_certificate_file, tls_key_file: {_words(error)}") from None
    authorities = settings.tls_client_authorities_file
    if authorities is not None:
        try:
            context.load_verify_locations(authorities)
        except (OSError, ssl.SSLError) as error:
            raise SettingsError(f"tls_client_authorities_file: {authorities}: {_words(error)}") from None
        required = settings.tls_client_certificate_required
        context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_OPTIONAL
    return context


def _words(error: OSError) -> str:
    return error.reason if isinstance(error, ssl.SSLError) and error.reason else error.strerror or str(error)
