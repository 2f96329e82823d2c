"""Messages that a UsernameToken with a digest identifies, written by hand, so that they can be sent twice."""

import base64
import hashlib
import secrets
from datetime import UTC, datetime

from wire import envelope

from soap.names import WSSE, WSU

DIGEST = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordDigest"
BASE64 = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary"
LIST_ITEMS = '<ListItems xmlns="urn:opendepot:sales:1"/>'


def digest_message(username: str, secret: str, body: str = LIST_ITEMS) -> bytes:
    """A SOAP 1.1 message with a fresh nonce and a time of now."""
    nonce, created = secrets.token_bytes(16), datetime.now(UTC).isoformat(timespec="milliseconds")
    proof = hashlib.sha1(nonce + created.encode() + secret.encode()).digest()
    header = (
        f'<w:Security xmlns:w="{WSSE}" xmlns:u="{WSU}"><w:UsernameToken><w:Username>{username}</w:Username>'
        f'<w:Password Type="{DIGEST}">{base64.b64encode(proof).decode()}</w:Password>'
        f'<w:Nonce EncodingType="{BASE64}">{base64.b64encode(nonce).decode()}</w:Nonce>'
        f"<u:Created>{created}</u:Created></w:UsernameToken></w:Security>"
    )
    return envelope(body, header=header)
