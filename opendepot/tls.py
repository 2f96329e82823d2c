"""TLS as the clients use it: TLS 1.2 or later, the server verified, a client certificate where there is one."""

import ssl
from pathlib import Path


def tls_context(
    *, authorities: Path | None = None, certificate: Path | None = None, key: Path | None = None
) -> ssl.SSLContext:
    """Give a context for `tls=` of the clients.

    `authorities`: a PEM file with those who may certify the server, instead of the system's. `certificate` and `key`:
    PEM files by which the server recognises this client (mTLS). Raises OSError, ssl.SSLError for files that are none.
    """
    context = ssl.create_default_context(cafile=None if authorities is None else str(authorities))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if certificate is not None:
        context.load_cert_chain(str(certificate), None if key is None else str(key))
    return context
