"""What every transfer does with files and rows: read a context, write a plan with one command, sign a file."""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from cryptography.x509 import Certificate

from containers import (
    ContainerError,
    Context,
    FirmSecurityBox,
    SignedStep,
    read_context,
    render_update,
    sign_step,
    software_serial,
    verify_step,
)
from frozen import replaced
from licensing.alarms import Alarms
from licensing.announcing import Announcer
from licensing.data import DATA_MARK, blocks_for
from licensing.errors import ContainerUnregistered, ContextRefused, VaultError
from licensing.transfers.journal import Journal
from licensing.transfers.planning import Plan
from licensing.vault import Vault
from storage import Storage
from storage.commands import ApplyTransfer, LoadTransfer, Moved, StoreSigned, TransferView
from storage.outbox import OutboxMessage
from storage.records import Approval, AuditRow, ContainerRow, ContextRow, Counter, Mark, StepRow, TransferRow

OFF_LOOP_BYTES = 64 * 1024
COLLECTION = "GetLicenseUpdate"
"""The action of the transfers that others may be told of."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Carrier:
    """Storage, box and clock, as transfers use them.

    `trust`: the roots by which this vendor's steps are known; `changed` is called after every write; `announcer` tells
    others of collections; `vault` opens the data of licences.
    """

    storage: Storage
    box: FirmSecurityBox
    trust: Sequence[Certificate]
    clock: Callable[[], datetime]
    alarms: Alarms
    journal: Journal | None = None
    changed: Callable[[], None] | None = None
    announcer: Announcer | None = None
    vault: Vault | None = None

    async def view(self, query: LoadTransfer, *, public_key: bytes | None = None) -> TransferView:
        """Load what a transfer is decided by, the data of licences made into blocks for the container.

        `public_key`: the container's, where it may not be known yet. Raises VaultError, and storage's errors.
        """
        view = await self.storage.query(query)
        key = view.container.public_key if view.container is not None else public_key
        if key is None or not any(DATA_MARK in use.license.options for use in view.licenses):
            return view
        if self.vault is None:
            raise VaultError("the data of a licence cannot be opened: the keys are not here")
        blocks = {
            use.license.license_id: blocks_for(
                use.license.options, license_id=use.license.license_id, public_key=key, vault=self.vault
            )
            for use in view.licenses
        }
        return replace(view, blocks=blocks)

    async def read(self, data: bytes, *, path: str) -> Context:
        """Read a context file and require that its serial is proved by its key.

        Raises ContextRefused, ContainerUnregistered.
        """
        try:
            context = await asyncio.to_thread(read_context, data) if len(data) > OFF_LOOP_BYTES else read_context(data)
        except ContainerError as error:
            raise ContextRefused(f"{error.code}: {error}", path=path) from error
        if context.serial != software_serial(context.public_key):
            raise ContainerUnregistered("the serial is not that of the container's key; ask the vendor", path=path)
        return context

    def ours(self, step: SignedStep) -> bool:
        """Return whether a step carries a signature of this vendor."""
        try:
            verify_step(step, trust=self.trust)
        except ContainerError:
            return False
        return True

    def signed(self, plan: Plan) -> Plan:
        """Give a plan with its steps signed, unless that waits for a device: one commit then reserves and stores them.

        What is signed here and cannot be written, because something has moved, has left this process for nobody.
        """
        if self.box.waits or not plan.steps:
            return plan
        steps = tuple(
            replaced(step, signed=signed)
            for step, (_, signed) in zip(plan.steps, self._signatures(plan.steps), strict=True)
        )
        return replace(plan, steps=steps)

    async def write(
        self,
        plan: Plan,
        view: TransferView,
        *,
        action: str,
        context: Context | None = None,
        transfer: TransferRow | None = None,
        approval: Approval | None = None,
        actor: str | None = None,
        reason: str | None = None,
    ) -> bool:
        """Write a plan with one command; False when something had moved.

        A plan that changes nothing, for a context that is stored already, is not written. What a step is made from must
        not have moved: every licence that is placed here, and every one whose placement changes.
        """
        unchanged = plan.container == view.container and not plan.placements and not plan.steps
        if unchanged and approval is None and (context is None or view.same_export is not None):
            return True
        depends = {placement.license_id for placement in (*plan.placements, *(view.placements if plan.steps else ()))}
        moved = view.container is not None and plan.container.mark is not view.container.mark
        said = plan.steps or plan.placements or moved or approval or actor
        command = ApplyTransfer(
            container=plan.container,
            context=None if context is None else self._context_row(context),
            license_versions={
                use.license.license_id: use.license.version
                for use in view.licenses
                if use.license.license_id in depends | set(plan.options)
            },
            placements=plan.placements,
            steps=plan.steps,
            transfer=transfer,
            audit=self._audit(plan, context, action=action, actor=actor, reason=reason) if said else None,
            movements=plan.movements,
            options=plan.options,
            rejoining=plan.rejoining,
            approval=approval,
            messages=self._messages(plan, view) if transfer is not None and transfer.action == COLLECTION else (),
        )
        if isinstance(await self.storage.execute(command), Moved):
            return False
        if self.changed is not None:
            self.changed()
        if self.journal is not None:
            if plan.rejoining:
                await self.journal.rejoined(plan.container)
            elif moved and plan.container.mark is Mark.LOST:
                await self.journal.lost(plan.container)
        return True

    def _messages(self, plan: Plan, view: TransferView) -> tuple[OutboxMessage, ...]:
        if self.announcer is None or view.ticket is None or not plan.placements:
            return ()
        return self.announcer.license_collected(
            at=self.clock(),
            ticket_id=view.ticket.ticket_id,
            container=plan.container,
            licenses=view.licenses,
            placements=plan.placements,
        )

    def audit(self, *, action: str, subject: str, actor: str, **details: object) -> AuditRow:
        """Give the audit row of something that happens now."""
        return AuditRow(at=self.clock(), actor=actor, action=action, subject=subject, details=json.dumps(details))

    async def file(self, row: ContainerRow | Context, steps: Sequence[StepRow]) -> bytes | None:
        """Give the file, what is reserved but unsigned signed first; the first bytes stored win (section 3, step 6)."""
        if not steps:
            return None
        signed: dict[Counter, bytes] = {step.counter: step.signed for step in steps if step.signed is not None}
        unsigned = [step for step in steps if step.signed is None]
        fresh = await asyncio.to_thread(self._signatures, unsigned) if self.box.waits else self._signatures(unsigned)
        if fresh:
            stored = await self.storage.execute(StoreSigned(serial=row.serial, firm_code=row.firm_code, signed=fresh))
            signed.update((counter, data) for (counter, _), data in zip(fresh, stored, strict=True))
        if self.journal is not None:
            await self.journal.sent(row, steps, [signed[step.counter] for step in steps])
        return render_update(
            serial=row.serial,
            firm_code=row.firm_code,
            signed_steps=[signed[step.counter] for step in steps],
        )

    def now(self) -> datetime:
        """Give the time in whole seconds, as files hold it."""
        return self.clock().astimezone(UTC).replace(microsecond=0)

    def milliseconds(self) -> int:
        """Give the time as epochs count it."""
        return int(self.clock().timestamp() * 1000)

    def _signatures(self, steps: Sequence[StepRow]) -> tuple[tuple[Counter, bytes], ...]:
        return tuple((step.counter, sign_step(step.content, firm_code=step.firm_code, box=self.box)) for step in steps)

    def _context_row(self, context: Context) -> ContextRow:
        return ContextRow(
            serial=context.serial,
            firm_code=context.firm_code,
            export=context.export,
            nonce=context.nonce,
            counter=context.counter,
            digest=context.digest,
            received_at=self.clock(),
        )

    def _audit(
        self, plan: Plan, context: Context | None, *, action: str, actor: str | None, reason: str | None
    ) -> AuditRow:
        row = plan.container
        details: dict[str, object] = {"mark": row.mark.value, "end": list(row.end)}
        if row.lost_at is not None:
            details["lostAt"] = row.lost_at.isoformat()
        if context is not None:
            details |= {"export": context.export, "counter": list(context.counter)}
        if reason is not None:
            details["reason"] = reason
        return self.audit(
            action=plan.event or action,
            subject=f"{row.serial}/{row.firm_code}",
            actor=actor or f"container:{row.serial}",
            **details,
        )
