"""The faults of the services as exceptions: one class for each code of the fault table."""

from collections.abc import Mapping

from soap import FaultReceived


class AccessFault(FaultReceived):
    """The caller is not known, or may not do this."""


class ConflictFault(FaultReceived):
    """The request contradicts what was recorded before."""


class NotFoundFault(FaultReceived):
    """What the request names is not there."""


class RequestFault(FaultReceived):
    """The request is not what the contract says."""


class RuleFault(FaultReceived):
    """A rule does not allow it."""


class ServerFault(FaultReceived):
    """The server could not carry it out."""


class ActionUnknown(RequestFault):
    """wsa:Action is not that of the operation in the Body. Send the soapAction that the WSDL gives the operation."""


class AddressDenied(AccessFault):
    """This address may not use the service. Why is in the log, under the reference. Call from an address that was
    agreed upon, or tell the operator the reference.
    """


class AddressingMismatch(RequestFault):
    """wsa:Action and the SOAPAction differ. Send the same in both, or an empty SOAPAction."""


class AddressingNoAddress(RequestFault):
    """An endpoint reference of WS-Addressing has no address. Give it one wsa:Address."""


class AddressingNotAnonymous(RequestFault):
    """ReplyTo or FaultTo asks for an answer at another address. Use the anonymous address, or none for no answer, or
    leave the block out.
    """


class AddressingRepeated(RequestFault):
    """A header block of WS-Addressing stands more than once. Send it once."""


class AddressingRequired(RequestFault):
    """A header block that WS-Addressing requires is missing. Send wsa:Action and wsa:MessageID, or nothing of
    WS-Addressing.
    """


class AddressingTooLarge(RequestFault):
    """What the answer must repeat of WS-Addressing is too large. Send a shorter MessageID and fewer reference
    parameters.
    """


class BodyTooSlow(RequestFault):
    """The body did not arrive in time. Send the same request again after a while; the transactionId or the context
    makes that safe.
    """


class CentralUnavailable(ServerFault):
    """OZOMM and the licence central cannot reach each other. Send the same request again after a while; the
    transactionId or the context makes that safe.
    """


class CertificateInvalid(RuleFault):
    """The certificate is unreadable, weak, expired, or no authority's where one is asked for. The message says
    which; make one with an ECDSA key on P-256 or an RSA key of 2048 bits.
    """


class ClientUnknown(RequestFault):
    """A proxy in front of the server wrote something about the client that is no address. Tell the operator the
    reference; `opendepot ipfilter explain` shows how a header is read.
    """


class ContainerKindRefused(RuleFault):
    """The licence may not go into a container of this kind. Collect it into a container of a kind that the message
    names.
    """


class ContainerSerialInvalid(RuleFault):
    """The serial is none that a container can have. Send the serial as it is written on the container."""


class ContainerSerialRequired(RuleFault):
    """The item is sold for one container each, and the line names none. Send containerSerial with the line."""


class ContainerUnknown(NotFoundFault):
    """There is no such container, or it holds no licence of the ticket. Compare serial and firm code with what
    `opendepot container show` prints.
    """


class ContainerUnregistered(RuleFault):
    """The container is not of a kind that proves its own serial, and is not registered. Ask the vendor."""


class Contended(ServerFault):
    """Too many requests changed the same licences at once. Send the same request again after a while; the
    transactionId or the context makes that safe.
    """


class ContentEncodingRefused(RequestFault):
    """The body is compressed. Send it without Content-Encoding."""


class ContentTypeMismatch(RequestFault):
    """The Content-Type is of one SOAP version and the envelope of the other. Let both be of one version."""


class ContextRefused(RuleFault):
    """The context or receipt is not a valid file of a container. Export it again and send the file unchanged."""


class CredentialExists(ConflictFault):
    """The certificate or username is registered already, with this shop or another. Revoke it there first, or take
    another one.
    """


class CredentialUnknown(NotFoundFault):
    """The shop has no such credential that is not revoked. ListShops gives the ids of a shop's credentials."""


class DataInvalid(RuleFault):
    """A field of data of an order line is given twice, or has not 1 to 256 bytes. Send each field once, cut to 256
    bytes; longer data stands in several fields.
    """


class DeadlinePassed(ServerFault):
    """The exchange took too long; it may have been carried out. Send the same request again after a while; the
    transactionId or the context makes that safe.
    """


class DedicatedElsewhere(RuleFault):
    """The licence is for another container, which was named when it was ordered. Use that container; if it is lost,
    ask the vendor.
    """


class DtdForbidden(RequestFault):
    """The message has a DTD, which SOAP forbids. Send XML 1.0 without DTD and processing instructions, as UTF-8 or
    UTF-16.
    """


class EncodingStyleUnknown(RequestFault):
    """The message is encoded by rules (encodingStyle), not literal. Send document/literal, as the WSDL says; in
    Delphi set ioDocument and ioLiteral.
    """


class EncodingUnsupported(RequestFault):
    """The encoding is not UTF-8 or UTF-16, or declared otherwise. Send XML 1.0 without DTD and processing
    instructions, as UTF-8 or UTF-16.
    """


class EnvelopeInvalid(RequestFault):
    """The envelope is not built as SOAP says. Send one Header at most and one Body."""


class Erased(ConflictFault):
    """The transactionId was used before, and its answer was erased with the personal data. Take a new transactionId
    if this is a new order.
    """


class ExtensionUnknown(NotFoundFault):
    """No extension of this ticket was asked for under this transactionId. Send ExtendLicense, or the transactionId
    and the ticket that it was sent with.
    """


class FilterMoved(ConflictFault):
    """The rules have been changed since the version that the request names. Get them with GetShopFilter and change
    those.
    """


class FilterUnconfirmed(RuleFault):
    """The rules would open a service to nearly everybody, or lock out the caller. Change them, or send confirmed as
    true.
    """


class FiltersStale(ServerFault):
    """The server cannot tell whether its IP filters are the newest, and lets nobody in until it can. Send the same
    request again after a while; the transactionId or the context makes that safe.
    """


class FirmCodeDiffers(RuleFault):
    """The item is for another firm code than the licence that it shall renew or replace. Choose an item of the same
    firm code.
    """


class FrontRefused(AccessFault):
    """OnBehalfOf was sent by somebody who does not hold the right front, or by an API key alone. Leave the header
    block out; a front has the right, and a client certificate or a signature.
    """


class HeaderInvalid(RequestFault):
    """A header block of this service stands in a wrong namespace, twice, or with wrong content. Write it as the WSDL
    declares it.
    """


class IncludeInvalid(RequestFault):
    """An xop:Include does not name a part of its own in the same message. Give each Include an href of cid: and the
    Content-ID of one part, used once.
    """


class Internal(ServerFault):
    """A bug of the server, logged under the reference. Tell the reference to support."""


class ItemUnknown(NotFoundFault):
    """There is no such item, or it is no longer sold. ListItems gives those that may be sold."""


class JournalUnwritable(ServerFault):
    """The journal of steps cannot be written, so no update may leave the server. Send the same request again after a
    while; the transactionId or the context makes that safe.
    """


class LicenseRepeated(RequestFault):
    """A licence is named twice in one request. Name it once."""


class LicenseUnknown(NotFoundFault):
    """The ticket, or the shop, has no such licence. GetTicket and GetOrder list licences."""


class LicenseWithdrawn(RuleFault):
    """The licence was withdrawn. Order it anew."""


class Malformed(RequestFault):
    """The message is not well-formed XML 1.0. Escape values; the message names the line."""


class MediaTypeUnsupported(RequestFault):
    """The Content-Type is none of SOAP's. Send text/xml for SOAP 1.1 or application/soap+xml for SOAP 1.2."""


class MixedFirmCodes(RuleFault):
    """A licence is for another firm code than the context. Export one context for each firm code, and ask once for
    each.
    """


class MultipartInvalid(RequestFault):
    """The message is no MIME package that can be read in one way only. Build it as RFC 2046 and XOP say: boundary,
    header, empty line, content; start names the envelope.
    """


class NameInvalid(RequestFault):
    """A name or label has characters or a length that it cannot have. The message says what it may be."""


class NameTaken(ConflictFault):
    """The name is another's already. Take another name."""


class NetworkInvalid(RequestFault):
    """A text is no network or address, or in a form that programs read differently. Write it as the message says."""


class NotIdentified(AccessFault):
    """Nothing was sent that proves an active shop, or not what the shop's policy asks for. Send Authorization:
    Bearer with the API key, or HTTP Basic with the shop's name and the API key; or what else was agreed upon: a
    TLS client certificate, a signature.
    """


class NotRenewable(RuleFault):
    """The item has a usage period, which starts at the first use and cannot be renewed. Order it as a new licence,
    without extendsLicenseId.
    """


class NotUnderstood(RequestFault):
    """A header block with mustUnderstand is not known here. Leave it out, or drop mustUnderstand."""


class NothingFree(RuleFault):
    """The licence has fewer pieces free than were asked for. GetTicket says how many are free; return one from
    another container first.
    """


class OperationUnknown(RequestFault):
    """The child of the Body is no operation of this service. Check name, namespace and address."""


class OrderNameRequired(RequestFault):
    """Not exactly one name of an order was given. Send one of orderId, orderNumber, transactionId."""


class OrderNumberExists(ConflictFault):
    """The orderNumber stands on another order of this shop, which the message names. Ask for that order by GetOrder,
    or take another orderNumber.
    """


class OrderUnknown(NotFoundFault):
    """This shop has no such order. Check the name; an order of another shop is not visible."""


class OriginalAmbiguous(RequestFault):
    """Both originalOrderNumber and originalTicket were sent. Send the one or the other."""


class OriginalOrderUnknown(NotFoundFault):
    """This shop has no order with the originalOrderNumber. Send the orderNumber of the earlier order, or leave it
    out for a new ticket.
    """


class OriginalRequired(RequestFault):
    """A line renews a licence, but neither originalOrderNumber nor originalTicket was sent. Send the number of the
    order, or the ticket, that the licence is on.
    """


class OverlapInvalid(RequestFault):
    """Two API keys cannot hold beside each other for so long. Choose 0 to 365 days."""


class PageTokenInvalid(RequestFault):
    """The pageToken is none that an answer gave. Start again without one."""


class PolicyInvalid(RequestFault):
    """The policy is none that proves a shop at this interface. The message names those that do."""


class PositionInvalid(RequestFault):
    """The position in after is none that an answer gave. Send the position of the last update that arrived as it
    was, or start again without one.
    """


class ProcessingInstruction(RequestFault):
    """The message has a processing instruction, which SOAP forbids. Send XML 1.0 without DTD and processing
    instructions, as UTF-8 or UTF-16.
    """


class QuantityDiffers(RuleFault):
    """A line renews a licence in another quantity than the licence has. Order the quantity that the message names,
    or leave extendsLicenseId out.
    """


class QuantityExceeded(ServerFault):
    """Another request took the pieces while this one was decided; nothing was written. Send the same request again
    after a while; the transactionId or the context makes that safe.
    """


class RenewedSince(ConflictFault):
    """A later order has renewed the licence, or another item has taken its place. Cancel that order first, or
    withdraw the licence by WithdrawLicense.
    """


class ReturnRefused(RuleFault):
    """The item's rules do not allow to give the licence back now. Wait until the time that the message names, or ask
    the vendor.
    """


class RightMissing(AccessFault):
    """The shop does not hold the right that the request needs; the message names it. Ask the vendor, who gives it by
    opendepot shop rights.
    """


class RightUnknown(RequestFault):
    """There is no such right of shops. The message names the rights."""


class RoleMissing(AccessFault):
    """The administrator has no role that the operation is for; the message names the roles. Ask an administrator who
    has the role; `opendepot admin add NAME --role ROLE` gives it.
    """


class RoleUnknown(RequestFault):
    """There is no such role of administrators. The message names the roles."""


class SchemaViolation(RequestFault):
    """The message does not keep to the schema. The fault names element, line and what is allowed."""


class SecurityExpired(AccessFault):
    """The message or its certificate is too old, or from the future. The message tells how far the clocks are apart.
    Set the clock, and sign when the message is sent.
    """


class SecurityFailed(AccessFault):
    """No active key or secret fits the signature or password. What was wrong is in the log. Check that key,
    certificate or password are those that are registered, and that nothing changes the message after it was
    signed; tell the operator the reference.
    """


class SecurityInvalid(AccessFault):
    """The header block Security has not the form that is read. The message names the place;
    docs/reference/ws-security.md has the form.
    """


class SecurityReplayed(AccessFault):
    """The same signature or nonce was used before. Sign the same request again, with a new Timestamp or nonce; its
    transactionId makes that safe.
    """


class SecurityUnencrypted(AccessFault):
    """A password in plain text came over a connection without TLS. Use https, or PasswordDigest. Behind a proxy with
    TLS, list it in trusted_proxies and let it send X-Forwarded-Proto.
    """


class SecurityUnsupported(AccessFault):
    """The header block Security has an algorithm, a token or a reference that is not on the fixed list. The message
    names what may stand there; docs/reference/ws-security.md has the whole list.
    """


class SelectionRequired(RequestFault):
    """Not exactly one choice of containers was given. Send one of ticket, customerNumber, firm."""


class ShopUnknown(NotFoundFault):
    """There is no shop of this name. Check the name."""


class SoapActionMismatch(RequestFault):
    """The SOAPAction names another operation than the Body does. Send the operation's own SOAPAction, or an empty
    one.
    """


class SplitRefused(RuleFault):
    """The licence is collected whole or not at all. Ask for the quantity that the message names, or leave target
    out.
    """


class StateUnknown(RequestFault):
    """There is no such state of licences. The message names the states; they are written as answers give them."""


class StorageBusy(ServerFault):
    """The database has too much to do. Send the same request again after a while; the transactionId or the context
    makes that safe.
    """


class StorageClosed(ServerFault):
    """The server is on its way out. Send the same request again after a while; the transactionId or the context
    makes that safe.
    """


class StorageUnavailable(ServerFault):
    """The database cannot be written or read now. Send the same request again after a while; the transactionId or
    the context makes that safe.
    """


class TicketExpired(RuleFault):
    """The time in which the licence could be collected is over. Ask the vendor."""


class TicketInseparable(RuleFault):
    """The licences of the ticket are collected together into one container or not at all. Leave the licences out, so
    that all of them are collected.
    """


class TicketUnknown(NotFoundFault):
    """There is no such ticket. Compare it symbol by symbol with the order's."""


class TooComplex(RequestFault):
    """A limit of depth, elements, attributes or names is passed. Send a plainer message."""


class TooLarge(RequestFault):
    """The body is larger than the operation allows. Send less at once."""


class TooManyGuesses(AccessFault):
    """Too many wrong tickets or credentials came from the caller's address. Send the request again after a while,
    with one request at a time.
    """


class TooManyPieces(RuleFault):
    """The licence has fewer pieces than shall be taken back. The message says how many it has; leave pieces out to
    take all.
    """


class TransactionConflict(ConflictFault):
    """The transactionId was used before, with other values. Take a new transactionId for a new order; send the old
    values to get the old answer.
    """


class VersionMismatch(RequestFault):
    """The root element is no envelope of SOAP 1.1 or 1.2. Use one of the two envelope namespaces."""


BY_CODE: Mapping[str, type[FaultReceived]] = {
    "ActionUnknown": ActionUnknown,
    "AddressDenied": AddressDenied,
    "AddressingMismatch": AddressingMismatch,
    "AddressingNoAddress": AddressingNoAddress,
    "AddressingNotAnonymous": AddressingNotAnonymous,
    "AddressingRepeated": AddressingRepeated,
    "AddressingRequired": AddressingRequired,
    "AddressingTooLarge": AddressingTooLarge,
    "BodyTooSlow": BodyTooSlow,
    "CentralUnavailable": CentralUnavailable,
    "CertificateInvalid": CertificateInvalid,
    "ClientUnknown": ClientUnknown,
    "ContainerKindRefused": ContainerKindRefused,
    "ContainerSerialInvalid": ContainerSerialInvalid,
    "ContainerSerialRequired": ContainerSerialRequired,
    "ContainerUnknown": ContainerUnknown,
    "ContainerUnregistered": ContainerUnregistered,
    "Contended": Contended,
    "ContentEncodingRefused": ContentEncodingRefused,
    "ContentTypeMismatch": ContentTypeMismatch,
    "ContextRefused": ContextRefused,
    "CredentialExists": CredentialExists,
    "CredentialUnknown": CredentialUnknown,
    "DataInvalid": DataInvalid,
    "DeadlinePassed": DeadlinePassed,
    "DedicatedElsewhere": DedicatedElsewhere,
    "DtdForbidden": DtdForbidden,
    "EncodingStyleUnknown": EncodingStyleUnknown,
    "EncodingUnsupported": EncodingUnsupported,
    "EnvelopeInvalid": EnvelopeInvalid,
    "Erased": Erased,
    "ExtensionUnknown": ExtensionUnknown,
    "FilterMoved": FilterMoved,
    "FilterUnconfirmed": FilterUnconfirmed,
    "FiltersStale": FiltersStale,
    "FirmCodeDiffers": FirmCodeDiffers,
    "FrontRefused": FrontRefused,
    "HeaderInvalid": HeaderInvalid,
    "IncludeInvalid": IncludeInvalid,
    "Internal": Internal,
    "ItemUnknown": ItemUnknown,
    "JournalUnwritable": JournalUnwritable,
    "LicenseRepeated": LicenseRepeated,
    "LicenseUnknown": LicenseUnknown,
    "LicenseWithdrawn": LicenseWithdrawn,
    "Malformed": Malformed,
    "MediaTypeUnsupported": MediaTypeUnsupported,
    "MixedFirmCodes": MixedFirmCodes,
    "MultipartInvalid": MultipartInvalid,
    "NameInvalid": NameInvalid,
    "NameTaken": NameTaken,
    "NetworkInvalid": NetworkInvalid,
    "NotIdentified": NotIdentified,
    "NotRenewable": NotRenewable,
    "NotUnderstood": NotUnderstood,
    "NothingFree": NothingFree,
    "OperationUnknown": OperationUnknown,
    "OrderNameRequired": OrderNameRequired,
    "OrderNumberExists": OrderNumberExists,
    "OrderUnknown": OrderUnknown,
    "OriginalAmbiguous": OriginalAmbiguous,
    "OriginalOrderUnknown": OriginalOrderUnknown,
    "OriginalRequired": OriginalRequired,
    "OverlapInvalid": OverlapInvalid,
    "PageTokenInvalid": PageTokenInvalid,
    "PolicyInvalid": PolicyInvalid,
    "PositionInvalid": PositionInvalid,
    "ProcessingInstruction": ProcessingInstruction,
    "QuantityDiffers": QuantityDiffers,
    "QuantityExceeded": QuantityExceeded,
    "RenewedSince": RenewedSince,
    "ReturnRefused": ReturnRefused,
    "RightMissing": RightMissing,
    "RightUnknown": RightUnknown,
    "RoleMissing": RoleMissing,
    "RoleUnknown": RoleUnknown,
    "SchemaViolation": SchemaViolation,
    "SecurityExpired": SecurityExpired,
    "SecurityFailed": SecurityFailed,
    "SecurityInvalid": SecurityInvalid,
    "SecurityReplayed": SecurityReplayed,
    "SecurityUnencrypted": SecurityUnencrypted,
    "SecurityUnsupported": SecurityUnsupported,
    "SelectionRequired": SelectionRequired,
    "ShopUnknown": ShopUnknown,
    "SoapActionMismatch": SoapActionMismatch,
    "SplitRefused": SplitRefused,
    "StateUnknown": StateUnknown,
    "StorageBusy": StorageBusy,
    "StorageClosed": StorageClosed,
    "StorageUnavailable": StorageUnavailable,
    "TicketExpired": TicketExpired,
    "TicketInseparable": TicketInseparable,
    "TicketUnknown": TicketUnknown,
    "TooComplex": TooComplex,
    "TooLarge": TooLarge,
    "TooManyGuesses": TooManyGuesses,
    "TooManyPieces": TooManyPieces,
    "TransactionConflict": TransactionConflict,
    "VersionMismatch": VersionMismatch,
}


def typed(fault: FaultReceived) -> FaultReceived:
    """Give the exception of a fault's code; one that is newer than this client stays as it is."""
    kind = BY_CODE.get(fault.code)
    if kind is None:
        return fault
    return kind(
        code=fault.code,
        message=fault.message,
        reference=fault.reference,
        retry=fault.retry,
        path=fault.path,
    )
