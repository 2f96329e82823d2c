"""Error codes of the Admin interface: shops, credentials, filters, administrators."""

from collections.abc import Mapping

from soap import FaultKind

ADMINISTERING: Mapping[str, FaultKind] = {
    "FilterMoved": FaultKind(
        element="ConflictFault",
        meaning="The rules have been changed since the version that the request names.",
        mend="Get them with GetShopFilter and change those.",
    ),
    "FilterUnconfirmed": FaultKind(
        element="RuleFault",
        meaning="The rules would open a service to nearly everybody, or lock out the caller.",
        mend="Change them, or send confirmed as true.",
    ),
    "NetworkInvalid": FaultKind(
        element="RequestFault",
        meaning="A text is no network or address, or in a form that programs read differently.",
        mend="Write it as the message says.",
    ),
    "ShopUnknown": FaultKind(element="NotFoundFault", meaning="There is no shop of this name.", mend="Check the name."),
    "RoleMissing": FaultKind(
        element="AccessFault",
        meaning="The administrator has no role that the operation is for; the message names the roles.",
        mend="Ask an administrator who has the role; `opendepot admin add NAME --role ROLE` gives it.",
    ),
    "RoleUnknown": FaultKind(
        element="RequestFault",
        meaning="There is no such role of administrators.",
        mend="The message names the roles.",
    ),
    "RightUnknown": FaultKind(
        element="RequestFault", meaning="There is no such right of shops.", mend="The message names the rights."
    ),
    "NameInvalid": FaultKind(
        element="RequestFault",
        meaning="A name or label has characters or a length that it cannot have.",
        mend="The message says what it may be.",
    ),
    "NameTaken": FaultKind(
        element="ConflictFault", meaning="The name is another's already.", mend="Take another name."
    ),
    "CredentialExists": FaultKind(
        element="ConflictFault",
        meaning="The certificate or username is registered already, with this shop or another.",
        mend="Revoke it there first, or take another one.",
    ),
    "CredentialUnknown": FaultKind(
        element="NotFoundFault",
        meaning="The shop has no such credential that is not revoked.",
        mend="ListShops gives the ids of a shop's credentials.",
    ),
    "CertificateInvalid": FaultKind(
        element="RuleFault",
        meaning="The certificate is unreadable, weak, expired, or no authority's where one is asked for.",
        mend="The message says which; make one with an ECDSA key on P-256 or an RSA key of 2048 bits.",
    ),
    "OverlapInvalid": FaultKind(
        element="RequestFault",
        meaning="Two API keys cannot hold beside each other for so long.",
        mend="Choose 0 to 365 days.",
    ),
    "PolicyInvalid": FaultKind(
        element="RequestFault",
        meaning="The policy is none that proves a shop at this interface.",
        mend="The message names those that do.",
    ),
}
