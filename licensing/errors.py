"""The one vocabulary of what the rules refuse. `server.faults` says how each looks on the wire.

A message says what was wrong and how to mend it; it never holds a ticket, a key or a person's data.
"""

from typing import ClassVar


class LicensingError(Exception):
    """Base of all refusals. `path` names the element that it is about, such as `orderLine[2]/itemNumber`.

    The code of a refusal is the name of its class.
    """

    code: ClassVar[str]
    retry: ClassVar[bool] = False

    def __init_subclass__(cls) -> None:
        cls.code = cls.__name__

    def __init__(self, message: str, *, path: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.path = path


class TransactionConflict(LicensingError):
    """The transactionId was used before, with other values."""


class Erased(LicensingError):
    """The transactionId was used before; its answer was erased with the personal data."""


class OrderNumberExists(LicensingError):
    """The order number stands on another order of this shop."""


class OrderUnknown(LicensingError):
    """This shop has no such order."""


class OrderNameRequired(LicensingError):
    """Not exactly one name of an order was given."""


class SelectionRequired(LicensingError):
    """Not exactly one of ticket, customerNumber and firm was given."""


class PositionInvalid(LicensingError):
    """The position is none that an answer gave."""


class OriginalOrderUnknown(LicensingError):
    """This shop has no order under originalOrderNumber."""


class OriginalAmbiguous(LicensingError):
    """Both originalOrderNumber and originalTicket were given."""


class OriginalRequired(LicensingError):
    """A line renews a licence, but the request names neither an original order nor a ticket."""


class RightMissing(LicensingError):
    """The shop does not hold the right that the request needs."""


class FirmCodeDiffers(LicensingError):
    """The item is for another firm code than the licence that it shall renew or replace."""


class QuantityDiffers(LicensingError):
    """The line's quantity is not that of the licence that it renews."""


class NotRenewable(LicensingError):
    """The item has a usage period, which cannot be renewed."""


class LicenseWithdrawn(LicensingError):
    """The licence was withdrawn."""


class RenewedSince(LicensingError):
    """A later order has renewed the licence, or another item has taken its place."""


class TooManyPieces(LicensingError):
    """The licence has fewer pieces than shall be taken back."""


class ItemUnknown(LicensingError):
    """There is no such item, or it is no longer sold."""


class PageTokenInvalid(LicensingError):
    """The page token is none that an answer gave."""


class StateUnknown(LicensingError):
    """There is no such state of licences."""


class TicketUnknown(LicensingError):
    """There is no such ticket."""


class LicenseUnknown(LicensingError):
    """The ticket has no such licence."""


class LicenseRepeated(LicensingError):
    """One licence was named twice in a request."""


class MixedFirmCodes(LicensingError):
    """A licence is for another firm code than the context."""


class NothingFree(LicensingError):
    """Fewer pieces are free than were asked for."""


class ReturnRefused(LicensingError):
    """The item's rules do not allow to give the licence back now."""


class ContainerKindRefused(LicensingError):
    """The licence may not go into a container of this kind."""


class ContainerSerialRequired(LicensingError):
    """The item is sold for one container each, and the line names none."""


class ContainerSerialInvalid(LicensingError):
    """The serial is none that a container can have."""


class DedicatedElsewhere(LicensingError):
    """The licence is for another container."""


class TicketExpired(LicensingError):
    """The time in which the licence could be collected is over."""


class SplitRefused(LicensingError):
    """The licence is collected whole or not at all."""


class TicketInseparable(LicensingError):
    """The licences of the ticket are collected together or not at all."""


class ContextRefused(LicensingError):
    """The context or receipt is not a valid file of a container."""


class ContainerUnregistered(LicensingError):
    """The container is not of a kind that proves its own serial."""


class Contended(LicensingError):
    """The rows kept changing under the decision; nothing was written."""

    retry = True


class ContainerUnknown(LicensingError):
    """There is no such container, or it holds nothing of the ticket."""


class ContainerNotMarked(LicensingError):
    """A container whose copies were not noticed has none to accept."""


class ContextOld(LicensingError):
    """A copy can be accepted by a context only that nobody else can have: a new one."""


class ApprovalUnknown(LicensingError):
    """There is no such approval."""


class ApprovalClosed(LicensingError):
    """The approval was decided before."""


class ReasonRequired(LicensingError):
    """What support decides is written down with its reason."""


class JournalUnwritable(LicensingError):
    """The journal of steps cannot be written, so nothing may be sent."""

    retry = True


class JournalDamaged(LicensingError):
    """A record of the journal is not as it was written."""


class NameTaken(LicensingError):
    """A shop or item of this name exists."""


class NameInvalid(LicensingError):
    """A name of a shop or item is empty, too long, or holds what XML or HTTP cannot carry."""


class RightUnknown(LicensingError):
    """There is no such right of shops."""


class ShopUnknown(LicensingError):
    """There is no shop of this name."""


class OptionInvalid(LicensingError):
    """An option of an item is unknown or has a value that it cannot have."""


class DataInvalid(LicensingError):
    """A field of data of an order line is given twice, or is too long."""


class RuleInvalid(LicensingError):
    """A rule of an item is unknown or has a value that it cannot have."""


class VaultError(LicensingError):
    """Something sealed cannot be opened: another sealing key, or changed bytes."""


class AuditHeadInvalid(LicensingError):
    """A file is no head of the audit chain, or was changed."""


class MessageUnknown(LicensingError):
    """No such message waits in the outbox, or it is just being delivered."""


class CustomerUnknown(LicensingError):
    """No order has such a name, or such a customer."""


class ExtensionUnknown(LicensingError):
    """No extension of this ticket was asked for under this transactionId."""


class CentralUnavailable(LicensingError):
    """OZOMM cannot reach the licence central, or the Depot cannot reach OZOMM."""

    retry = True


class CredentialExists(LicensingError):
    """A credential is registered already, with this shop or another."""


class CredentialUnknown(LicensingError):
    """The shop has no such credential."""


class CertificateInvalid(LicensingError):
    """A certificate cannot be registered: weak, expired, or no authority's."""


class OverlapInvalid(LicensingError):
    """Two keys cannot hold beside each other for so long."""


class PolicyInvalid(LicensingError):
    """What shall prove a shop does not prove it there."""


class RoleUnknown(LicensingError):
    """There is no such role of administrators."""


class AdministratorUnknown(LicensingError):
    """Nobody of this name may use the Admin interface."""


class AddressInvalid(LicensingError):
    """A text is no mail address, or what is said of one is not usable."""


class TokenInvalid(LicensingError):
    """A token to unsubscribe is not one that a mail had."""


class CampaignInvalid(LicensingError):
    """A campaign's rules are not usable."""


class CampaignUnknown(LicensingError):
    """There is no campaign of this name that runs."""
