"""Changes of shops' credentials and of what proves them, as plans."""

from storage import rows
from storage.commands import (
    AddCredential,
    RevokeAdministrator,
    RevokeCredential,
    SetDepotPolicy,
    SetShopActive,
)
from storage.plans import Plan, written
from storage.records import AuditRow

CredentialCommand = SetDepotPolicy | SetShopActive | AddCredential | RevokeCredential | RevokeAdministrator


def plan_credential_command(command: CredentialCommand) -> Plan[bool]:
    """The plan whose result is the command's own answer: whether it changed anything."""
    match command:
        case SetDepotPolicy():
            values: rows.Parameters = {"name": command.name, "depot_policy": command.policy.value}
            return _changed("set_depot_policy", values, command.audit)
        case SetShopActive():
            return _changed("set_shop_active", {"name": command.name, "active": command.active}, command.audit)
        case AddCredential():
            return _add_credential(command)
        case RevokeCredential():
            credential: rows.Parameters = {
                "shop_id": command.shop_id,
                "credential_id": command.credential_id,
                "at": rows.from_time(command.at),
            }
            return _changed("revoke_credential", credential, command.audit)
        case RevokeAdministrator():
            name: rows.Parameters = {"name": command.name, "at": rows.from_time(command.at)}
            return _changed("revoke_administrator", name, command.audit)


def _changed(statement: str, parameters: rows.Parameters, audit: AuditRow) -> Plan[bool]:
    if (yield from written(statement, parameters)) == 0:
        return False
    yield from written("raise_data_version", {})
    yield from written("add_audit", rows.flat(audit))
    return True


def _add_credential(command: AddCredential) -> Plan[bool]:
    if (yield from written("add_credential", rows.flat(command.credential))) == 0:
        return False
    for credential_id in command.ending if command.ending_at is not None else ():
        ending: rows.Parameters = {
            "shop_id": command.credential.shop_id,
            "credential_id": credential_id,
            "until": None if command.ending_at is None else rows.from_time(command.ending_at),
        }
        yield from written("end_credential", ending)
    yield from written("raise_data_version", {})
    yield from written("add_audit", rows.flat(command.audit))
    return True
