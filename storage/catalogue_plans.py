"""What changes the catalogue as plans: items, shops and their rights, administrators, filters."""

from storage import rows
from storage.commands import (
    AddAdministrator,
    AddItem,
    AddShop,
    Applied,
    ChangeItem,
    Moved,
    SetAccessPolicy,
    SetRights,
    StoreFilters,
)
from storage.outcomes import Withdrawn
from storage.plans import Plan, written

CatalogueCommand = AddItem | ChangeItem | AddShop | SetRights | SetAccessPolicy | AddAdministrator | StoreFilters


def plan_catalogue_command(command: CatalogueCommand) -> Plan[object]:  # noqa: PLR0911 - one for each command
    """The plan whose result is the command's own answer."""
    match command:
        case AddItem():
            return _add_item(command)
        case ChangeItem():
            return _change_item(command)
        case AddShop():
            return _add_shop(command)
        case SetRights():
            return _set_rights(command)
        case SetAccessPolicy():
            return _set_access_policy(command)
        case AddAdministrator():
            return _add_administrator(command)
        case StoreFilters():
            return _store_filters(command)


def _add_item(command: AddItem) -> Plan[bool]:
    if (yield from written("add_item", rows.flat(command.item))) == 0:
        return False
    yield from written("raise_data_version", {})
    yield from written("add_audit", rows.flat(command.audit))
    return True


def _change_item(command: ChangeItem) -> Plan[bool]:
    before = {f"before_{name}": value for name, value in rows.flat(command.before).items()}
    if (yield from written("change_item", {**rows.flat(command.item), **before})) == 0:
        return False
    yield from written("raise_data_version", {})
    yield from written("add_audit", rows.flat(command.audit))
    return True


def _add_shop(command: AddShop) -> Plan[bool]:
    if (yield from written("add_shop", rows.shop_parameters(command.shop))) == 0:
        return False
    if (yield from written("add_credential", rows.flat(command.credential))) == 0:
        raise Withdrawn(False)  # noqa: FBT003  the command's answer
    yield from written("raise_data_version", {})
    yield from written("add_audit", rows.flat(command.audit))
    return True


def _set_rights(command: SetRights) -> Plan[bool]:
    if (yield from written("set_rights", {"name": command.name, "rights": command.rights})) == 0:
        return False
    yield from written("raise_data_version", {})
    yield from written("add_audit", rows.flat(command.audit))
    return True


def _set_access_policy(command: SetAccessPolicy) -> Plan[bool]:
    parameters: rows.Parameters = {
        "name": command.name,
        "access_policy": command.policy.value,
        "older_policy": rows.older_policy(command.policy),
    }
    if (yield from written("set_access_policy", parameters)) == 0:
        return False
    yield from written("raise_data_version", {})
    yield from written("add_audit", rows.flat(command.audit))
    return True


def _add_administrator(command: AddAdministrator) -> Plan[bool]:
    if (yield from written("add_administrator", rows.flat(command.administrator))) == 0:
        return False
    yield from written("add_audit", rows.flat(command.audit))
    return True


def _store_filters(command: StoreFilters) -> Plan[Applied]:
    # The server's row comes first: two edits wait for each other there, so the second sees what the first has written.
    yield from written("raise_data_version", {})
    if (yield from written("add_filter_document", rows.flat(command.document))) == 0:
        raise Withdrawn(Moved())
    yield from written("add_audit", rows.flat(command.audit))
    if command.policy is not None and not (yield from _set_access_policy(command.policy)):
        raise Withdrawn(Moved())
    return Applied()
