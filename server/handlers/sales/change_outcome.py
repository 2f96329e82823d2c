"""What became of licences, as the contract has it."""

from licensing.vendor_actions import ChangeOutcome
from server.handlers.sales.get_order import statuses_of
from soap.messages import sales


def outcome_of(outcome: ChangeOutcome) -> sales.ChangeOutcome:
    """Give the outcome of a change."""
    return sales.ChangeOutcome(order_id=outcome.order_id, license=statuses_of(outcome.licenses))
