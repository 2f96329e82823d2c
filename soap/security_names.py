"""Names that WS-Security fixes, each with its document."""

from soap.names import WSU

DSIG = "http://www.w3.org/2000/09/xmldsig#"
"""XML Signature Syntax and Processing, W3C Recommendation."""
_WSS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss"
ID = f"{{{WSU}}}Id"

EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
"""Exclusive XML Canonicalization, W3C Recommendation, without comments."""
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
"""RFC 9231, section 2.3.2."""
ECDSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"
"""RFC 9231, section 2.3.6."""

BASE64 = f"{_WSS}-soap-message-security-1.0#Base64Binary"
PASSWORD_TEXT = f"{_WSS}-username-token-profile-1.0#PasswordText"
"""Username Token Profile 1.1.1, section 3.1."""
PASSWORD_DIGEST = f"{_WSS}-username-token-profile-1.0#PasswordDigest"
X509 = f"{_WSS}-x509-token-profile-1.0#X509v3"
"""X.509 Certificate Token Profile 1.1.1, section 3.1."""
KEY_IDENTIFIER = f"{_WSS}-x509-token-profile-1.0#X509SubjectKeyIdentifier"
THUMBPRINT = "http://docs.oasis-open.org/wss/oasis-wss-soap-message-security-1.1#ThumbprintSHA1"
"""SOAP Message Security 1.1.1, section 7.3."""
