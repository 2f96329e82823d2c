"""Who speaks, what proves it, and what they may do.

    proofs           one thing that a request brought and that was verified: kind and shop
    policies         what an address and a set of proofs come to under a policy. Pure
    authorization    API keys in HTTP headers
    certificates     the shops' certificates: of TLS connections, told by a proxy, or of message signatures
    messages         the protocol by which header blocks of a message become proofs
    callers          what the gates are asked about, and whom they let in
    gates            gate A before a body is read, gate B after the header blocks are read

WS-Security plugs in as a `messages.MessageSecurity`, which is handed to `gates.Gates`. Gate B calls it with each
message of Sales, and with those of the Depot that need a shop. It turns the header blocks into proofs
(`ProofKind.USERNAME`, `ProofKind.SIGNATURE`) and gives back the message with the payload that the proofs cover, which
is all that goes on to validation. Shops and secrets of usernames it finds by `Credentials.find_username` in
`licensing.credentials`, the certificates of signers in `FilterState.certificates`, as fresh as the filters are.
"""
