"""Names that WS-Security fixes, as the engine has them."""

from soap.security_names import (
    BASE64,
    DSIG,
    ECDSA_SHA256,
    EXCLUSIVE,
    ID,
    KEY_IDENTIFIER,
    PASSWORD_DIGEST,
    PASSWORD_TEXT,
    RSA_SHA256,
    SHA256,
    THUMBPRINT,
    X509,
)

__all__ = [
    "BASE64",
    "DSIG",
    "ECDSA_SHA256",
    "EXCLUSIVE",
    "ID",
    "KEY_IDENTIFIER",
    "PASSWORD_DIGEST",
    "PASSWORD_TEXT",
    "RSA_SHA256",
    "SHA256",
    "THUMBPRINT",
    "X509",
]
