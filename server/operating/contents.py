"""Checks that look into values: what SQL cannot open or read.

Tickets and answers are opened with the keys; steps are read and verified as a container would.
"""

import hashlib
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from containers import (
    ContainerError,
    Counter,
    State,
    StepKind,
    apply_step,
    parse_state,
    parse_step,
    read_signed_step,
    render_state,
    verify_step,
)
from licensing.errors import LicensingError
from licensing.tickets import normalise_ticket
from licensing.transfers.chain import occupied, quantities
from licensing.vault import Vault
from server.operating.scene import NotApplicable, Scene

Row = Sequence[Any]


async def unreadable_tickets(scene: Scene) -> AsyncIterator[str]:
    """Open every ticket, and look it up by its text."""
    vault = scene.keys()
    async for ticket_id, lookup, sealed in _rows(scene, "tickets_to_open"):
        try:
            text = vault.open("ticket", sealed).decode()
            found = normalise_ticket(text) == text and vault.index("ticket", text) == lookup
        except (LicensingError, UnicodeDecodeError):
            found = False
        if not found:
            yield ticket_id


@dataclass(kw_only=True, slots=True)
class _Answered:
    """An order beside its answer: each line's item, quantity, and whether somebody has changed it since."""

    order_id: str
    answer_sealed: bytes
    ticket_sealed: bytes
    lines: dict[str, tuple[str, int, bool]] = field(default_factory=dict)

    def agrees(self, vault: Vault) -> bool:
        """Whether the order is what the answer says. Pieces may be fewer only where the audit tells why."""
        try:
            answer = json.loads(vault.open("answer", self.answer_sealed))
            ticket = vault.open("ticket", self.ticket_sealed).decode()
            said = {line["license_id"]: (line["item_number"], line["quantity"]) for line in answer["licenses"]}
            named = (answer["order_id"], answer["ticket"])
        except (LicensingError, ValueError, KeyError, TypeError):
            return False
        return (
            named == (self.order_id, ticket) and said.keys() == self.lines.keys() and all(map(self._line, said.items()))
        )

    def _line(self, said: tuple[str, tuple[str, int]]) -> bool:
        license_id, (item, ordered) = said
        found, quantity, changed = self.lines[license_id]
        # Another item has taken the place of one that was renewed or replaced.
        return (found == item or changed) and (quantity == ordered or (changed and quantity < ordered))


async def differing_answers(scene: Scene) -> AsyncIterator[str]:
    """Open every answer to an order, and compare it with the order's ticket and lines."""
    vault = scene.keys()
    order: _Answered | None = None
    async for order_id, answer, ticket, license_id, item, quantity, changed in _rows(scene, "orders_with_answers"):
        if order is None or order.order_id != order_id:
            if order is not None and not order.agrees(vault):
                yield order.order_id
            order = _Answered(order_id=order_id, answer_sealed=answer, ticket_sealed=ticket)
        if license_id is not None:
            order.lines[license_id] = (item, quantity, bool(changed))
    if order is not None and not order.agrees(vault):
        yield order.order_id


async def differing_steps(scene: Scene) -> AsyncIterator[str]:
    """Read every step's content, compare it with its row, and apply it to the state before it."""
    chain: tuple[object, object] | None = None
    before: tuple[Counter, State] | None = None
    async for row in _rows(scene, "steps_in_order"):
        if chain != (row[0], row[1]):
            chain, before = (row[0], row[1]), None
        try:
            state = _agreed_state(row, before)
        except (ContainerError, _Differs):
            yield _named(row)
            before = None
        else:
            before = (Counter(row[2], row[3]), state)


def _agreed_state(row: Row, before: tuple[Counter, State] | None) -> State:
    """Give the state after a step whose row, content and state agree. Raises ContainerError or _Differs."""
    (
        serial,
        firm_code,
        epoch,
        number,
        from_epoch,
        from_number,
        kind,
        digest_before,
        digest_after,
        listing,
        content,
        _,
    ) = row
    step, state = parse_step(content), parse_state(listing)
    said = (step.serial, step.firm_code, step.to_counter, step.from_counter, step.kind.value)
    digests = (step.digest_before, step.digest_after, hashlib.sha256(listing).digest())
    if said != (serial, firm_code, Counter(epoch, number), Counter(from_epoch, from_number), kind):
        raise _Differs
    if digests != (digest_before, digest_after, digest_after):
        raise _Differs
    # What lies behind a gap cannot be applied to anything; the gap is found by another check.
    start = before[1] if before is not None and before[0] == step.from_counter else None
    if step.kind is StepKind.RESET:
        start = ()
    if start is not None and render_state(apply_step(start, step)) != listing:
        raise _Differs
    return state


class _Differs(Exception):
    """Two that should say the same do not."""


async def wrong_signatures(scene: Scene) -> AsyncIterator[str]:
    """Verify every signed step against the roots of this vendor, and that it holds the reserved content."""
    if not scene.trust:
        raise NotApplicable("the Firm Security Box is not at hand, so signatures were not verified")
    async for row in _rows(scene, "steps_in_order"):
        if row[11] is None:
            continue  # reserved, and signed by whoever asks for it next
        try:
            signed = read_signed_step(row[11])
            verify_step(signed, trust=scene.trust)
            same = signed.step == parse_step(row[10])
        except ContainerError:
            same = False
        if not same:
            yield _named(row)


async def differing_placements(scene: Scene) -> AsyncIterator[str]:
    """Work out for each container what its chain grants, and compare that with its placements."""
    async for serial, firm_code, epoch, number, confirmed in _rows(scene, "containers_in_order"):
        here = {"serial": serial, "firm_code": firm_code}
        after = await _fetch(scene, "states_after_confirmed", **here, epoch=epoch, number=number)
        try:
            states = [parse_state(confirmed), *(parse_state(row[0]) for row in after)]
        except ContainerError:
            yield f"{serial}/{firm_code}"
            continue
        granted, there = occupied(states), quantities(states[0])
        placed = {row[0]: (row[1], row[2]) for row in await _fetch(scene, "placements_in_container", **here)}
        for license_id in sorted(granted.keys() | placed.keys()):
            if placed.get(license_id, (0, 0)) != (granted.get(license_id, 0), there.get(license_id, 0)):
                yield f"{license_id} in {serial}"


async def _rows(scene: Scene, name: str) -> AsyncIterator[Row]:
    async with scene.link.snapshot(), aclosing(scene.link.stream(scene.statements[name])) as chunks:
        async for chunk in chunks:
            for row in chunk:
                yield row


async def _fetch(scene: Scene, name: str, **values: object) -> list[Row]:
    """The rows of a statement with `:name` places, each of which stands once."""
    sql = scene.statements[name]
    names = sorted(values, key=lambda value: sql.index(f":{value}"))
    for number, value in enumerate(names, start=1):
        sql = sql.replace(f":{value}", f"${number}" if scene.link.dialect == "postgres" else f"?{number}")
    return await scene.link.fetch(sql, *(values[value] for value in names))


def _named(row: Row) -> str:
    return f"{row[0]}/{row[1]} {row[2]}.{row[3]}"
