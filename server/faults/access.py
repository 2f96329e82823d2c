"""Error codes of who may use a service at all."""

from collections.abc import Mapping

from server.faults.again import AGAIN
from soap import Blame, FaultKind

ACCESS: Mapping[str, FaultKind] = {
    "NotIdentified": FaultKind(
        element="AccessFault",
        status=401,
        meaning="Nothing was sent that proves an active shop, or not what the shop's policy asks for.",
        mend="Send Authorization: Bearer with the API key, or HTTP Basic with the shop's name and the API key; or what "
        "else was agreed upon: a TLS client certificate, a signature.",
    ),
    "AddressDenied": FaultKind(
        element="AccessFault",
        status=403,
        meaning="This address may not use the service. Why is in the log, under the reference.",
        mend="Call from an address that was agreed upon, or tell the operator the reference.",
    ),
    "SecurityInvalid": FaultKind(
        element="AccessFault",
        meaning="The header block Security has not the form that is read.",
        mend="The message names the place; docs/reference/ws-security.md has the form.",
    ),
    "SecurityUnsupported": FaultKind(
        element="AccessFault",
        meaning="The header block Security has an algorithm, a token or a reference that is not on the fixed list.",
        mend="The message names what may stand there; docs/reference/ws-security.md has the whole list.",
    ),
    "SecurityFailed": FaultKind(
        element="AccessFault",
        meaning="No active key or secret fits the signature or password. What was wrong is in the log.",
        mend="Check that key, certificate or password are those that are registered, and that nothing changes the "
        "message after it was signed; tell the operator the reference.",
    ),
    "SecurityExpired": FaultKind(
        element="AccessFault",
        meaning="The message or its certificate is too old, or from the future.",
        mend="The message tells how far the clocks are apart. Set the clock, and sign when the message is sent.",
    ),
    "SecurityReplayed": FaultKind(
        element="AccessFault",
        meaning="The same signature or nonce was used before.",
        mend="Sign the same request again, with a new Timestamp or nonce; its transactionId makes that safe.",
    ),
    "SecurityUnencrypted": FaultKind(
        element="AccessFault",
        meaning="A password in plain text came over a connection without TLS.",
        mend="Use https, or PasswordDigest. Behind a proxy with TLS, list it in trusted_proxies and let it send "
        "X-Forwarded-Proto.",
    ),
    "ClientUnknown": FaultKind(
        element="RequestFault",
        meaning="A proxy in front of the server wrote something about the client that is no address.",
        mend="Tell the operator the reference; `opendepot ipfilter explain` shows how a header is read.",
    ),
    "FiltersStale": FaultKind(
        element="ServerFault",
        blame=Blame.RECEIVER,
        meaning="The server cannot tell whether its IP filters are the newest, and lets nobody in until it can.",
        mend=AGAIN,
        retry=True,
    ),
    "FrontRefused": FaultKind(
        element="AccessFault",
        about_header=True,
        meaning="OnBehalfOf was sent by somebody who does not hold the right front, or by an API key alone.",
        mend="Leave the header block out; a front has the right, and a client certificate or a signature.",
    ),
    "TooManyGuesses": FaultKind(
        element="AccessFault",
        status=429,
        meaning="Too many wrong tickets or credentials came from the caller's address.",
        mend="Send the request again after a while, with one request at a time.",
        retry=True,
    ),
    "RightMissing": FaultKind(
        element="AccessFault",
        meaning="The shop does not hold the right that the request needs; the message names it.",
        mend="Ask the vendor, who gives it by opendepot shop rights.",
    ),
}
