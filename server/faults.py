"""THE table: every error code there is, and how it looks on the wire. `docs/reference/fault-codes.md` is made of it."""

from collections.abc import Mapping

from licensing.errors import LicensingError
from server.errors import ServerError
from soap import ENGINE_FAULTS, Blame, Fault, FaultKind, SoapError
from storage.errors import StorageError

_AGAIN = "Send the same request again after a while; the transactionId or the context makes that safe."

CATALOGUE: Mapping[str, FaultKind] = {
    **ENGINE_FAULTS,
    "BodyTooSlow": FaultKind(
        element="RequestFault", status=408, meaning="The body did not arrive in time.", mend=_AGAIN, retry=True
    ),
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
        mend=_AGAIN,
        retry=True,
    ),
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
    "TransactionConflict": FaultKind(
        element="ConflictFault",
        meaning="The transactionId was used before, with other values.",
        mend="Take a new transactionId for a new order; send the old values to get the old answer.",
    ),
    "Erased": FaultKind(
        element="ConflictFault",
        meaning="The transactionId was used before, and its answer was erased with the personal data.",
        mend="Take a new transactionId if this is a new order.",
    ),
    "OrderNumberExists": FaultKind(
        element="ConflictFault",
        meaning="The orderNumber stands on another order of this shop, which the message names.",
        mend="Ask for that order by GetOrder, or take another orderNumber.",
    ),
    "OrderUnknown": FaultKind(
        element="NotFoundFault",
        meaning="This shop has no such order.",
        mend="Check the name; an order of another shop is not visible.",
    ),
    "OriginalOrderUnknown": FaultKind(
        element="NotFoundFault",
        meaning="This shop has no order with the originalOrderNumber.",
        mend="Send the orderNumber of the earlier order, or leave it out for a new ticket.",
    ),
    "OriginalAmbiguous": FaultKind(
        element="RequestFault",
        meaning="Both originalOrderNumber and originalTicket were sent.",
        mend="Send the one or the other.",
    ),
    "OriginalRequired": FaultKind(
        element="RequestFault",
        meaning="A line renews a licence, but neither originalOrderNumber nor originalTicket was sent.",
        mend="Send the number of the order, or the ticket, that the licence is on.",
    ),
    "RightMissing": FaultKind(
        element="AccessFault",
        meaning="The shop does not hold the right that the request needs; the message names it.",
        mend="Ask the vendor, who gives it by opendepot shop rights.",
    ),
    "FirmCodeDiffers": FaultKind(
        element="RuleFault",
        meaning="The item is for another firm code than the licence that it shall renew or replace.",
        mend="Choose an item of the same firm code.",
    ),
    "QuantityDiffers": FaultKind(
        element="RuleFault",
        meaning="A line renews a licence in another quantity than the licence has.",
        mend="Order the quantity that the message names, or leave extendsLicenseId out.",
    ),
    "DataInvalid": FaultKind(
        element="RuleFault",
        meaning="A field of data of an order line is given twice, or has not 1 to 256 bytes.",
        mend="Send each field once, cut to 256 bytes; longer data stands in several fields.",
    ),
    "NotRenewable": FaultKind(
        element="RuleFault",
        meaning="The item has a usage period, which starts at the first use and cannot be renewed.",
        mend="Order it as a new licence, without extendsLicenseId.",
    ),
    "LicenseWithdrawn": FaultKind(
        element="RuleFault",
        meaning="The licence was withdrawn.",
        mend="Order it anew.",
    ),
    "RenewedSince": FaultKind(
        element="ConflictFault",
        meaning="A later order has renewed the licence, or another item has taken its place.",
        mend="Cancel that order first, or withdraw the licence by WithdrawLicense.",
    ),
    "TooManyPieces": FaultKind(
        element="RuleFault",
        meaning="The licence has fewer pieces than shall be taken back.",
        mend="The message says how many it has; leave pieces out to take all.",
    ),
    "ItemUnknown": FaultKind(
        element="NotFoundFault",
        meaning="There is no such item, or it is no longer sold.",
        mend="ListItems gives those that may be sold.",
    ),
    "OrderNameRequired": FaultKind(
        element="RequestFault",
        meaning="Not exactly one name of an order was given.",
        mend="Send one of orderId, orderNumber, transactionId.",
    ),
    "SelectionRequired": FaultKind(
        element="RequestFault",
        meaning="Not exactly one choice of containers was given.",
        mend="Send one of ticket, customerNumber, firm.",
    ),
    "PositionInvalid": FaultKind(
        element="RequestFault",
        meaning="The position in after is none that an answer gave.",
        mend="Send the position of the last update that arrived as it was, or start again without one.",
    ),
    "PageTokenInvalid": FaultKind(
        element="RequestFault", meaning="The pageToken is none that an answer gave.", mend="Start again without one."
    ),
    "StateUnknown": FaultKind(
        element="RequestFault",
        meaning="There is no such state of licences.",
        mend="The message names the states; they are written as answers give them.",
    ),
    "TicketUnknown": FaultKind(
        element="NotFoundFault",
        meaning="There is no such ticket.",
        mend="Compare it symbol by symbol with the order's.",
    ),
    "ExtensionUnknown": FaultKind(
        element="NotFoundFault",
        meaning="No extension of this ticket was asked for under this transactionId.",
        mend="Send ExtendLicense, or the transactionId and the ticket that it was sent with.",
    ),
    "CentralUnavailable": FaultKind(
        element="ServerFault",
        blame=Blame.RECEIVER,
        meaning="OZOMM and the licence central cannot reach each other.",
        mend=_AGAIN,
        retry=True,
    ),
    "LicenseUnknown": FaultKind(
        element="NotFoundFault",
        meaning="The ticket, or the shop, has no such licence.",
        mend="GetTicket and GetOrder list licences.",
    ),
    "LicenseRepeated": FaultKind(
        element="RequestFault", meaning="A licence is named twice in one request.", mend="Name it once."
    ),
    "MixedFirmCodes": FaultKind(
        element="RuleFault",
        meaning="A licence is for another firm code than the context.",
        mend="Export one context for each firm code, and ask once for each.",
    ),
    "NothingFree": FaultKind(
        element="RuleFault",
        meaning="The licence has fewer pieces free than were asked for.",
        mend="GetTicket says how many are free; return one from another container first.",
    ),
    "ContainerUnknown": FaultKind(
        element="NotFoundFault",
        meaning="There is no such container, or it holds no licence of the ticket.",
        mend="Compare serial and firm code with what `opendepot container show` prints.",
    ),
    "ReturnRefused": FaultKind(
        element="RuleFault",
        meaning="The item's rules do not allow to give the licence back now.",
        mend="Wait until the time that the message names, or ask the vendor.",
    ),
    "ContainerKindRefused": FaultKind(
        element="RuleFault",
        meaning="The licence may not go into a container of this kind.",
        mend="Collect it into a container of a kind that the message names.",
    ),
    "ContainerSerialRequired": FaultKind(
        element="RuleFault",
        meaning="The item is sold for one container each, and the line names none.",
        mend="Send containerSerial with the line.",
    ),
    "ContainerSerialInvalid": FaultKind(
        element="RuleFault",
        meaning="The serial is none that a container can have.",
        mend="Send the serial as it is written on the container.",
    ),
    "DedicatedElsewhere": FaultKind(
        element="RuleFault",
        meaning="The licence is for another container, which was named when it was ordered.",
        mend="Use that container; if it is lost, ask the vendor.",
    ),
    "TicketExpired": FaultKind(
        element="RuleFault",
        meaning="The time in which the licence could be collected is over.",
        mend="Ask the vendor.",
    ),
    "SplitRefused": FaultKind(
        element="RuleFault",
        meaning="The licence is collected whole or not at all.",
        mend="Ask for the quantity that the message names, or leave target out.",
    ),
    "TicketInseparable": FaultKind(
        element="RuleFault",
        meaning="The licences of the ticket are collected together into one container or not at all.",
        mend="Leave the licences out, so that all of them are collected.",
    ),
    "ContextRefused": FaultKind(
        element="RuleFault",
        meaning="The context or receipt is not a valid file of a container.",
        mend="Export it again and send the file unchanged.",
    ),
    "ContainerUnregistered": FaultKind(
        element="RuleFault",
        meaning="The container is not of a kind that proves its own serial, and is not registered.",
        mend="Ask the vendor.",
    ),
    "Contended": FaultKind(
        element="ServerFault",
        blame=Blame.RECEIVER,
        meaning="Too many requests changed the same licences at once.",
        mend=_AGAIN,
        retry=True,
    ),
    "JournalUnwritable": FaultKind(
        element="ServerFault",
        blame=Blame.RECEIVER,
        meaning="The journal of steps cannot be written, so no update may leave the server.",
        mend=_AGAIN,
        retry=True,
    ),
    "QuantityExceeded": FaultKind(
        element="ServerFault",
        blame=Blame.RECEIVER,
        meaning="Another request took the pieces while this one was decided; nothing was written.",
        mend=_AGAIN,
        retry=True,
    ),
    "StorageBusy": FaultKind(
        element="ServerFault", blame=Blame.RECEIVER, meaning="The database has too much to do.", mend=_AGAIN, retry=True
    ),
    "StorageUnavailable": FaultKind(
        element="ServerFault",
        blame=Blame.RECEIVER,
        meaning="The database cannot be written or read now.",
        mend=_AGAIN,
        retry=True,
    ),
    "StorageClosed": FaultKind(
        element="ServerFault",
        blame=Blame.RECEIVER,
        meaning="The server is on its way out.",
        mend=_AGAIN,
        retry=True,
    ),
    "DeadlinePassed": FaultKind(
        element="ServerFault",
        blame=Blame.RECEIVER,
        meaning="The exchange took too long; it may have been carried out.",
        mend=_AGAIN,
        retry=True,
    ),
    "Internal": FaultKind(
        element="ServerFault",
        blame=Blame.RECEIVER,
        meaning="A bug of the server, logged under the reference.",
        mend="Tell the reference to support.",
    ),
}

_INTERNAL = "the server failed at this request; tell support the reference"


def fault_for(error: BaseException, *, reference: str) -> Fault:
    """Give the fault that an error is answered with. What the table does not have is Internal, its text withheld."""
    path: str | None = None
    not_understood: tuple[tuple[str, str], ...] = ()
    problem: tuple[str, str] | None = None
    match error:
        case SoapError():
            problem = error.problem
            code, message, path, not_understood = error.code, error.message, error.path, error.not_understood
        case LicensingError():
            code, message, path = error.code, error.message, error.path
        case ServerError():
            code, message = error.code, error.message
        case StorageError():
            code, message = error.code, str(error)
        case _:
            code, message = "Internal", _INTERNAL
    kind = CATALOGUE.get(code)
    if kind is None:
        code, kind, message, path = "Internal", CATALOGUE["Internal"], _INTERNAL, None
    return Fault(
        code=code,
        kind=kind,
        message=message,
        reference=reference,
        path=path,
        not_understood=not_understood,
        problem=problem,
    )
