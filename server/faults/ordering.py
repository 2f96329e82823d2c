"""Error codes of the Sales interface: orders, tickets, items."""

from collections.abc import Mapping

from soap import FaultKind

ORDERING: Mapping[str, FaultKind] = {
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
    "PageTokenInvalid": FaultKind(
        element="RequestFault", meaning="The pageToken is none that an answer gave.", mend="Start again without one."
    ),
    "StateUnknown": FaultKind(
        element="RequestFault",
        meaning="There is no such state of licences.",
        mend="The message names the states; they are written as answers give them.",
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
}
