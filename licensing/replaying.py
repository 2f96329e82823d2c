"""Replaying the journal into a database that was restored from a backup (transfer protocol, section 5).

What the database has already is left alone, so a replay may be repeated and may be interrupted. Orders that the backup
does not have are not in the journal: licences of theirs stay in the containers, and no record is about them.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from containers import Counter as Point
from containers import StepKind, kind_of, parse_state, parse_step, render_state
from licensing.errors import Contended
from licensing.transfers.carrying import Carrier
from licensing.transfers.chain import Wanted, quantities, states_from_confirmed
from licensing.transfers.journal import LOST, REJOINED, STEP, Record
from licensing.transfers.losing import plan_loss
from licensing.transfers.planning import Plan, settled
from licensing.transfers.rejoining import newer_options
from storage.commands import FindContainer, LoadTransfer, StoreSigned, TransferView
from storage.records import ContainerRow, Counter, Mark, StepRow

MOST_TRIES = 20
_START: Counter = (0, 0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Replayed:
    """What a replay did: records brought back, records that were there, and steps that the database contradicts.

    A contradiction means that the server went on before the replay; the containers concerned will be noticed as ahead
    of the server at their next contact.
    """

    applied: int = 0
    known: int = 0
    contradicted: int = 0


class Replaying:
    """Brings records of a journal back into the database. Nobody else may change it meanwhile."""

    def __init__(self, *, carrier: Carrier) -> None:
        # What comes from the journal is in it already.
        self._carrier = replace(carrier, journal=None)
        self._storage = carrier.storage

    async def replay(self, records: Iterable[Record]) -> Replayed:
        """Apply records in their order. Raises JournalDamaged (from reading them), Contended, and storage's errors."""
        done = Replayed()
        for record in records:
            result = await self._one(record)
            done = replace(done, **{result: getattr(done, result) + 1})
        return done

    async def _one(self, record: Record) -> str:
        for _ in range(MOST_TRIES):
            state = record.octets("stateAfter") if record.kind == STEP else b""
            listed = tuple(entry.license_id for entry in parse_state(state)) if state else ()
            if record.kind == REJOINED:
                listed = tuple(entry.license_id for entry in parse_state(record.octets("confirmedState")))
            view = await self._storage.query(
                LoadTransfer(
                    serial=record.serial,
                    firm_code=record.firm_code,
                    context_counter=record.counter("counter") if record.kind == STEP else _START,
                    export=0,
                    license_ids=listed,
                )
            )
            planned = await self._planned(record, view)
            if isinstance(planned, str):
                return planned
            if await self._carrier.write(planned, view, action="Replayed", actor="journal"):
                return "applied"
        raise Contended("somebody changes the database while the journal is replayed; stop the server first")

    async def _planned(self, record: Record, view: TransferView) -> Plan | str:
        if record.kind == STEP:
            return await self._step(record, view)
        if record.kind == REJOINED:
            return self._rejoined(record, view)
        if record.kind == LOST and view.container is not None:
            return await self._lost(record, view, view.container)
        return "known"

    async def _step(self, record: Record, view: TransferView) -> Plan | str:
        counter, content, signed = record.counter("counter"), record.octets("content"), record.octets("signed")
        if view.at_context is not None:
            if view.at_context.content != content:
                return "contradicted"
            if view.at_context.signed is None:
                # The backup was made between reserving and signing: these are the bytes that were sent.
                await self._storage.execute(
                    StoreSigned(serial=record.serial, firm_code=record.firm_code, signed=((counter, signed),))
                )
                return "applied"
            return "known"
        container = view.container or _unknown(record)
        reset = record.values["stepKind"] == StepKind.RESET
        if counter <= container.end or (not reset and record.counter("fromCounter") != container.end):
            return "contradicted"
        row = _extended(container, record, reset=reset)
        step = StepRow(
            serial=record.serial,
            firm_code=record.firm_code,
            counter=counter,
            from_counter=record.counter("fromCounter"),
            kind=record.values["stepKind"],
            digest_before=record.octets("digestBefore"),
            digest_after=record.octets("digestAfter"),
            state_after=row.end_state,
            content=content,
            signed=signed,
            issued_at=record.moment("issuedAt"),
        )
        return _with_records(row, view, steps=(step,))

    def _rejoined(self, record: Record, view: TransferView) -> Plan | str:
        confirmed = record.counter("confirmed")
        container = view.container or _unknown(record)
        if confirmed <= container.end:
            return "known"
        listing = record.octets("confirmedState")
        row = replace(
            container,
            mark=Mark.OK,
            base=confirmed,
            epoch=confirmed[0],
            confirmed=confirmed,
            confirmed_state=listing,
            end=confirmed,
            end_state=listing,
        )
        # Without its number a context that was delayed since before would not be known as an older one.
        if record.values.get("export", 0) > row.newest_export:
            row = replace(row, newest_export=record.values["export"], newest_nonce=record.octets("nonce"))
        return _with_records(row, view, steps=())

    async def _lost(self, record: Record, view: TransferView, container: ContainerRow) -> Plan | str:
        histories = await self._storage.query(FindContainer(serial=record.serial))
        lost_at = record.moment("lostAt")
        told = f'"lostAt": "{lost_at.isoformat()}"'
        known = (audit for one in histories if one.container.firm_code == record.firm_code for audit in one.audit)
        if any(told in audit.details for audit in known):
            return "known"
        return plan_loss(container, view, now=lost_at)


def _with_records(row: ContainerRow, view: TransferView, *, steps: tuple[StepRow, ...]) -> Plan:
    """Let what is at the end of the chain be what is wanted, whatever the sums are: it was sent."""
    state = parse_state(row.end_state)
    known = {use.license.license_id for use in view.licenses}
    wanted = {license_id: quantity for license_id, quantity in quantities(state).items() if license_id in known}
    if row.mark is Mark.LOST:
        return Plan(container=row, steps=steps, rejoining=True)
    states = [*states_from_confirmed(row, view.steps), *(parse_state(step.state_after) for step in steps)]
    return Plan(
        container=row,
        steps=steps,
        placements=Wanted(quantities=wanted).placements(
            serial=row.serial, states=states, before=view.placements, known=view.licenses
        ),
        options=newer_options(view, {entry.license_id: entry for entry in state}),
        rejoining=True,
    )


def _extended(container: ContainerRow, record: Record, *, reset: bool) -> ContainerRow:
    counter = record.counter("counter")
    seen = parse_step(record.octets("content")).seen
    row = replace(container, end=counter, end_state=record.octets("stateAfter"))
    if seen.export > row.newest_export or reset:
        row = replace(row, newest_export=seen.export, newest_nonce=seen.nonce)
    if reset:
        row = replace(row, base=counter, epoch=counter[0])
    if reset and row.mark in {Mark.MARKED, Mark.LOST}:
        # Only an accepted copy, or the removal from a lost container, brings a reset to such a container.
        mark = Mark.HEALING if row.mark is Mark.MARKED else Mark.LOST
        row = replace(row, mark=mark, healing_export=seen.export, healing_nonce=seen.nonce)
    if row.mark is Mark.LOST and parse_state(row.end_state):
        # A lost container is sent its removal and nothing else: one that was sent a licence again had confirmed that.
        row = replace(settled(row), confirmed=container.end, confirmed_state=container.end_state)
    return row


def _unknown(record: Record) -> ContainerRow:
    empty, start = render_state(()), Point(0, 0)
    return ContainerRow(
        serial=record.serial,
        firm_code=record.firm_code,
        kind=kind_of(record.serial),
        public_key=record.public_key,
        version=0,
        mark=Mark.OK,
        epoch=0,
        base=start,
        confirmed=start,
        confirmed_state=empty,
        end=start,
        end_state=empty,
        newest_export=0,
        newest_nonce=b"",
    )
