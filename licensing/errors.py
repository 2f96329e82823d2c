"""The one vocabulary of what the rules refuse. `server.faults` says how each looks on the wire.

A message says what was wrong and how to mend it; it never holds a ticket, a key or a person's data.
"""

from typing import ClassVar


class LicensingError(Exception):
    """Base of all refusals. `path` names the element that it is about, such as `orderLine[2]/itemNumber`."""

    code: ClassVar[str]
    retry: ClassVar[bool] = False

    def __init__(self, message: str, *, path: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.path = path


class TransactionConflict(LicensingError):
    """The transactionId was used before, with other values."""

    code = "TransactionConflict"


class Erased(LicensingError):
    """The transactionId was used before; its answer was erased with the personal data."""

    code = "Erased"


class OrderNumberExists(LicensingError):
    """The order number stands on another order of this shop."""

    code = "OrderNumberExists"


class OrderUnknown(LicensingError):
    """This shop has no such order."""

    code = "OrderUnknown"


class OrderNameRequired(LicensingError):
    """Not exactly one name of an order was given."""

    code = "OrderNameRequired"


class SelectionRequired(LicensingError):
    """Not exactly one of ticket, customerNumber and firm was given."""

    code = "SelectionRequired"


class PositionInvalid(LicensingError):
    """The position is none that an answer gave."""

    code = "PositionInvalid"


class OriginalOrderUnknown(LicensingError):
    """This shop has no order under originalOrderNumber."""

    code = "OriginalOrderUnknown"


class OriginalAmbiguous(LicensingError):
    """Both originalOrderNumber and originalTicket were given."""

    code = "OriginalAmbiguous"


class OriginalRequired(LicensingError):
    """A line renews a licence, but the request names neither an original order nor a ticket."""

    code = "OriginalRequired"


class RightMissing(LicensingError):
    """The shop does not hold the right that the request needs."""

    code = "RightMissing"


class FirmCodeDiffers(LicensingError):
    """The item is for another firm code than the licence that it shall renew or replace."""

    code = "FirmCodeDiffers"


class QuantityDiffers(LicensingError):
    """The line's quantity is not that of the licence that it renews."""

    code = "QuantityDiffers"


class NotRenewable(LicensingError):
    """The item has a usage period, which cannot be renewed."""

    code = "NotRenewable"


class LicenseWithdrawn(LicensingError):
    """The licence was withdrawn."""

    code = "LicenseWithdrawn"


class RenewedSince(LicensingError):
    """A later order has renewed the licence, or another item has taken its place."""

    code = "RenewedSince"


class TooManyPieces(LicensingError):
    """The licence has fewer pieces than shall be taken back."""

    code = "TooManyPieces"


class ItemUnknown(LicensingError):
    """There is no such item, or it is no longer sold."""

    code = "ItemUnknown"


class PageTokenInvalid(LicensingError):
    """The page token is none that an answer gave."""

    code = "PageTokenInvalid"


class StateUnknown(LicensingError):
    """There is no such state of licences."""

    code = "StateUnknown"


class TicketUnknown(LicensingError):
    """There is no such ticket."""

    code = "TicketUnknown"


class LicenseUnknown(LicensingError):
    """The ticket has no such licence."""

    code = "LicenseUnknown"


class LicenseRepeated(LicensingError):
    """One licence was named twice in a request."""

    code = "LicenseRepeated"


class MixedFirmCodes(LicensingError):
    """A licence is for another firm code than the context."""

    code = "MixedFirmCodes"


class NothingFree(LicensingError):
    """Fewer pieces are free than were asked for."""

    code = "NothingFree"


class ReturnRefused(LicensingError):
    """The item's rules do not allow to give the licence back now."""

    code = "ReturnRefused"


class ContainerKindRefused(LicensingError):
    """The licence may not go into a container of this kind."""

    code = "ContainerKindRefused"


class ContainerSerialRequired(LicensingError):
    """The item is sold for one container each, and the line names none."""

    code = "ContainerSerialRequired"


class ContainerSerialInvalid(LicensingError):
    """The serial is none that a container can have."""

    code = "ContainerSerialInvalid"


class DedicatedElsewhere(LicensingError):
    """The licence is for another container."""

    code = "DedicatedElsewhere"


class TicketExpired(LicensingError):
    """The time in which the licence could be collected is over."""

    code = "TicketExpired"


class SplitRefused(LicensingError):
    """The licence is collected whole or not at all."""

    code = "SplitRefused"


class TicketInseparable(LicensingError):
    """The licences of the ticket are collected together or not at all."""

    code = "TicketInseparable"


class ContextRefused(LicensingError):
    """The context or receipt is not a valid file of a container."""

    code = "ContextRefused"


class ContainerUnregistered(LicensingError):
    """The container is not of a kind that proves its own serial."""

    code = "ContainerUnregistered"


class Contended(LicensingError):
    """The rows kept changing under the decision; nothing was written."""

    code = "Contended"
    retry = True


class ContainerUnknown(LicensingError):
    """There is no such container, or it holds nothing of the ticket."""

    code = "ContainerUnknown"


class ContainerNotMarked(LicensingError):
    """A container whose copies were not noticed has none to accept."""

    code = "ContainerNotMarked"


class ContextOld(LicensingError):
    """A copy can be accepted by a context only that nobody else can have: a new one."""

    code = "ContextOld"


class ApprovalUnknown(LicensingError):
    """There is no such approval."""

    code = "ApprovalUnknown"


class ApprovalClosed(LicensingError):
    """The approval was decided before."""

    code = "ApprovalClosed"


class ReasonRequired(LicensingError):
    """What support decides is written down with its reason."""

    code = "ReasonRequired"


class JournalUnwritable(LicensingError):
    """The journal of steps cannot be written, so nothing may be sent."""

    code = "JournalUnwritable"
    retry = True


class JournalDamaged(LicensingError):
    """A record of the journal is not as it was written."""

    code = "JournalDamaged"


class NameTaken(LicensingError):
    """A shop or item of this name exists."""

    code = "NameTaken"


class NameInvalid(LicensingError):
    """A name of a shop or item is empty, too long, or holds what XML or HTTP cannot carry."""

    code = "NameInvalid"


class RightUnknown(LicensingError):
    """There is no such right of shops."""

    code = "RightUnknown"


class ShopUnknown(LicensingError):
    """There is no shop of this name."""

    code = "ShopUnknown"


class OptionInvalid(LicensingError):
    """An option of an item is unknown or has a value that it cannot have."""

    code = "OptionInvalid"


class DataInvalid(LicensingError):
    """A field of data of an order line is given twice, or is too long."""

    code = "DataInvalid"


class RuleInvalid(LicensingError):
    """A rule of an item is unknown or has a value that it cannot have."""

    code = "RuleInvalid"


class VaultError(LicensingError):
    """Something sealed cannot be opened: another sealing key, or changed bytes."""

    code = "VaultError"


class AuditHeadInvalid(LicensingError):
    """A file is no head of the audit chain, or was changed."""

    code = "AuditHeadInvalid"


class MessageUnknown(LicensingError):
    """No such message waits in the outbox, or it is just being delivered."""

    code = "MessageUnknown"


class CustomerUnknown(LicensingError):
    """No order has such a name, or such a customer."""

    code = "CustomerUnknown"


class ExtensionUnknown(LicensingError):
    """No extension of this ticket was asked for under this transactionId."""

    code = "ExtensionUnknown"


class CentralUnavailable(LicensingError):
    """OZOMM cannot reach the licence central, or the Depot cannot reach OZOMM."""

    code = "CentralUnavailable"
    retry = True


class CredentialExists(LicensingError):
    """A credential is registered already, with this shop or another."""

    code = "CredentialExists"


class CredentialUnknown(LicensingError):
    """The shop has no such credential."""

    code = "CredentialUnknown"


class CertificateInvalid(LicensingError):
    """A certificate cannot be registered: weak, expired, or no authority's."""

    code = "CertificateInvalid"


class OverlapInvalid(LicensingError):
    """Two keys cannot hold beside each other for so long."""

    code = "OverlapInvalid"


class PolicyInvalid(LicensingError):
    """What shall prove a shop does not prove it there."""

    code = "PolicyInvalid"


class RoleUnknown(LicensingError):
    """There is no such role of administrators."""

    code = "RoleUnknown"


class AdministratorUnknown(LicensingError):
    """Nobody of this name may use the Admin interface."""

    code = "AdministratorUnknown"


class AddressInvalid(LicensingError):
    """A text is no mail address, or what is said of one is not usable."""

    code = "AddressInvalid"


class TokenInvalid(LicensingError):
    """A token to unsubscribe is not one that a mail had."""

    code = "TokenInvalid"


class CampaignInvalid(LicensingError):
    """A campaign's rules are not usable."""

    code = "CampaignInvalid"


class CampaignUnknown(LicensingError):
    """There is no campaign of this name that runs."""

    code = "CampaignUnknown"
