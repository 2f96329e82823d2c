"""What a Security header block may hold at most. Everything is counted before anything is computed."""

MOST_REFERENCES = 5
"""References in a signature."""
MOST_IDS = 64
"""Attributes in a message that are ids of some kind."""
MOST_ID_CHARACTERS = 128
MOST_HEADER_ELEMENTS = 200
"""Elements in a Security header block, at any depth."""
MOST_NAME_CHARACTERS = 256
"""Characters of a username, password, issuer or time."""
MOST_CERTIFICATE_BYTES = 8 * 1024
MOST_NONCE_BYTES = 64
LEAST_NONCE_BYTES = 8
MOST_SIGNATURE_BYTES = 1024
"""A signature by an RSA key of 8,192 bits."""
MOST_NAMESPACES = 64
"""Namespaces in scope at Security, and declarations in it: canonicalisation takes more than linear time in them."""
