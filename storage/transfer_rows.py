"""Rows of containers and transfers as the frozen values of `storage.records`, and the other way round."""

from storage.records import (
    Allowance,
    Approval,
    ContainerRow,
    ContextRow,
    Counter,
    Mark,
    Placement,
    StepRow,
    TransferRow,
)
from storage.rows import Parameters, Row, from_time, time_or_none, to_time


def _counter(name: str, value: Counter) -> Parameters:
    return {f"{name}_epoch": value[0], f"{name}_number": value[1]}


def container_parameters(record: ContainerRow) -> Parameters:
    """The columns of a container row."""
    return {
        "serial": record.serial,
        "firm_code": record.firm_code,
        "kind": record.kind,
        "public_key": record.public_key,
        "version": record.version,
        "mark": record.mark.value,
        "epoch": record.epoch,
        **_counter("base", record.base),
        **_counter("confirmed", record.confirmed),
        "confirmed_state": record.confirmed_state,
        **_counter("end", record.end),
        "end_state": record.end_state,
        "newest_export": record.newest_export,
        "newest_nonce": record.newest_nonce,
        "healing_export": record.healing_export,
        "healing_nonce": record.healing_nonce,
        "lost_at": None if record.lost_at is None else from_time(record.lost_at),
        "contact_epoch": record.contact_epoch,
    }


def context_parameters(record: ContextRow) -> Parameters:
    """The columns of a context."""
    return {
        "serial": record.serial,
        "firm_code": record.firm_code,
        "export": record.export,
        "nonce": record.nonce,
        **_counter("counter", record.counter),
        "digest": record.digest,
        "received_at": from_time(record.received_at),
    }


def step_parameters(record: StepRow) -> Parameters:
    """The columns of a step."""
    return {
        "serial": record.serial,
        "firm_code": record.firm_code,
        "epoch": record.counter[0],
        "number": record.counter[1],
        **_counter("from", record.from_counter),
        "kind": record.kind,
        "digest_before": record.digest_before,
        "digest_after": record.digest_after,
        "state_after": record.state_after,
        "content": record.content,
        "signed": record.signed,
        "issued_at": from_time(record.issued_at),
    }


def transfer_parameters(record: TransferRow) -> Parameters:
    """The columns of a request that made steps."""
    return {
        "serial": record.serial,
        "firm_code": record.firm_code,
        "key": record.key,
        "action": record.action,
        "user_sealed": record.user_sealed,
        **_counter("from", record.from_counter),
        **_counter("to", record.to_counter),
        "created_at": from_time(record.created_at),
    }


def container(row: Row) -> ContainerRow:
    """A container and firm code."""
    return ContainerRow(
        serial=row["serial"],
        firm_code=row["firm_code"],
        kind=row["kind"],
        public_key=row["public_key"],
        version=row["version"],
        mark=Mark(row["mark"]),
        epoch=row["epoch"],
        base=(row["base_epoch"], row["base_number"]),
        confirmed=(row["confirmed_epoch"], row["confirmed_number"]),
        confirmed_state=row["confirmed_state"],
        end=(row["end_epoch"], row["end_number"]),
        end_state=row["end_state"],
        newest_export=row["newest_export"],
        newest_nonce=row["newest_nonce"],
        healing_export=row["healing_export"],
        healing_nonce=row["healing_nonce"],
        lost_at=time_or_none(row["lost_at"]),
        contact_epoch=row["contact_epoch"],
    )


def context(row: Row) -> ContextRow:
    """A context that arrived."""
    return ContextRow(
        serial=row["serial"],
        firm_code=row["firm_code"],
        export=row["export"],
        nonce=row["nonce"],
        counter=(row["counter_epoch"], row["counter_number"]),
        digest=row["digest"],
        received_at=to_time(row["received_at"]),
    )


def step(row: Row) -> StepRow:
    """A step."""
    return StepRow(
        serial=row["serial"],
        firm_code=row["firm_code"],
        counter=(row["epoch"], row["number"]),
        from_counter=(row["from_epoch"], row["from_number"]),
        kind=row["kind"],
        digest_before=row["digest_before"],
        digest_after=row["digest_after"],
        state_after=row["state_after"],
        content=row["content"],
        signed=row["signed"],
        issued_at=to_time(row["issued_at"]),
    )


def transfer(row: Row) -> TransferRow:
    """A request that made steps."""
    return TransferRow(
        serial=row["serial"],
        firm_code=row["firm_code"],
        key=row["key"],
        action=row["action"],
        user_sealed=row["user_sealed"],
        from_counter=(row["from_epoch"], row["from_number"]),
        to_counter=(row["to_epoch"], row["to_number"]),
        created_at=to_time(row["created_at"]),
    )


def placement(row: Row) -> Placement:
    """A placement."""
    return Placement(
        license_id=row["license_id"],
        serial=row["serial"],
        wanted=row["wanted"],
        occupied=row["occupied"],
        confirmed=row["confirmed"],
    )


def placement_here(row: Row, serial: str) -> Placement:
    """The placement of a licence in one container, from the licence's row."""
    return Placement(
        license_id=row["license_id"],
        serial=serial,
        wanted=row["here_wanted"],
        occupied=row["here_occupied"],
        confirmed=row["here_confirmed"],
    )


def allowance(row: Row) -> Allowance:
    """A licence's rules and what was counted against them."""
    return Allowance(
        license_id=row["license_id"],
        rules=row["rules"],
        returns=row["returns"],
        returned_at=time_or_none(row["returned_at"]),
        restores=row["restores"],
        restored_at=time_or_none(row["restored_at"]),
    )


def approval(row: Row) -> Approval:
    """A loss that somebody has to decide, or has decided, about."""
    return Approval(
        approval_id=row["approval_id"],
        serial=row["serial"],
        firm_code=row["firm_code"],
        ticket_id=row["ticket_id"],
        state=row["state"],
        requested_at=to_time(row["requested_at"]),
        decided_at=time_or_none(row["decided_at"]),
        reason=row["reason"],
    )
