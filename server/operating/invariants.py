"""The invariants of the data, I1 to I10, as one list of named checks: `opendepot doctor --deep` runs them all.

Each check finds what must not be, row by row, so that no table need fit into memory. A check whose table or extension
is not there says that it cannot apply. `docs/reference/invariants.md` is made of this list.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.x509 import Certificate

from licensing.vault import Vault
from server.operating import contents, integrity
from server.operating.report import SUBJECTS, Finding, Level
from server.operating.scene import NotApplicable, Progress, Scene
from storage.maintenance.links import open_link
from storage.maintenance.schema import check_statements, table_names

RESTORE = (
    "keep a copy of the database; see that `opendepot restore BACKUP --verify` is clean for the newest backup, then "
    "`opendepot restore BACKUP --replace`"
)
BY_HAND = (
    "somebody has changed the database by hand: keep a copy of it, find out who, and " + RESTORE.partition("; ")[2]
)
SUPPORT = "`opendepot ticket show TICKET` says where the pieces are; block or withdraw what is too many"

Finder = Callable[[Scene], AsyncIterator[str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One named check: what must hold, and what mends it where it does not. `find` gives the violations' subjects.

    Where `find` is None, the SQL statement of the check's name finds them. `waits_for` is a table without which the
    check cannot apply.
    """

    name: str
    invariant: str
    holds: str
    mend: str
    find: Finder | None = None
    waits_for: str | None = None


CHECKS: tuple[Check, ...] = (
    Check(name="ticket_lookup_repeated", invariant="I1", holds="every ticket is unique", mend=RESTORE),
    Check(
        name="ticket_unreadable",
        invariant="I1",
        holds="every ticket opens with the keys, is well formed, and is found by its text",
        mend=BY_HAND,
        find=contents.unreadable_tickets,
    ),
    Check(name="ticket_without_order", invariant="I2", holds="every ticket has an order", mend=RESTORE),
    Check(name="order_without_answer", invariant="I2", holds="every order has the answer that was given", mend=RESTORE),
    Check(name="answer_without_order", invariant="I2", holds="every answer has its order", mend=RESTORE),
    Check(name="order_without_line", invariant="I2", holds="every order has all its lines", mend=RESTORE),
    Check(
        name="answer_differs",
        invariant="I2",
        holds="every order is what its answer says",
        mend=BY_HAND,
        find=contents.differing_answers,
    ),
    Check(name="transaction_repeated", invariant="I3", holds="a transactionId has one order", mend=RESTORE),
    Check(name="answer_repeated", invariant="I3", holds="a transactionId has one answer", mend=RESTORE),
    Check(name="order_number_repeated", invariant="I3", holds="a shop's order number has one order", mend=RESTORE),
    Check(
        name="wanted_above_quantity",
        invariant="I4",
        holds="no more pieces are given out than a licence has",
        mend=SUPPORT,
    ),
    Check(
        name="occupied_above_quantity",
        invariant="I4",
        holds="no more pieces can be in containers than a licence has",
        mend=SUPPORT,
    ),
    Check(
        name="placement_without_container",
        invariant="I4",
        holds="occupied pieces are in known containers",
        mend=RESTORE,
    ),
    Check(name="placement_in_lost_container", invariant="I4", holds="a lost container holds nothing", mend=BY_HAND),
    Check(
        name="placement_differs",
        invariant="I4",
        holds="what is occupied and confirmed is what the chains of steps grant",
        mend=BY_HAND,
        find=contents.differing_placements,
    ),
    Check(name="step_without_predecessor", invariant="I5", holds="no chain of steps has a gap", mend=RESTORE),
    Check(name="step_skips_a_number", invariant="I5", holds="counters rise by one a step", mend=RESTORE),
    Check(name="step_breaks_the_chain", invariant="I5", holds="a step begins at the state before it", mend=RESTORE),
    Check(name="steps_fork", invariant="I5", holds="one step follows a step", mend=RESTORE),
    Check(name="step_after_the_end", invariant="I5", holds="no step lies behind the end of its chain", mend=RESTORE),
    Check(name="end_without_step", invariant="I5", holds="every chain ends with a step", mend=RESTORE),
    Check(
        name="container_state_differs",
        invariant="I5",
        holds="a container's states are those of its steps",
        mend=BY_HAND,
    ),
    Check(
        name="step_content_differs",
        invariant="I5",
        holds="every step's content, digests and state say the same",
        mend=BY_HAND,
        find=contents.differing_steps,
    ),
    Check(
        name="signature_wrong",
        invariant="I6",
        holds="every signed step is signed by this vendor, with its content",
        mend=BY_HAND,
        find=contents.wrong_signatures,
    ),
    Check(name="transfer_without_step", invariant="I6", holds="every request that acted has its steps", mend=RESTORE),
    Check(name="newest_context_unknown", invariant="I6", holds="every newest context was received", mend=RESTORE),
    Check(name="order_without_audit", invariant="I7", holds="every order has its audit row", mend=BY_HAND),
    Check(name="item_without_audit", invariant="I7", holds="every item has its audit row", mend=BY_HAND),
    Check(name="shop_without_audit", invariant="I7", holds="every shop has its audit row", mend=BY_HAND),
    Check(name="transfer_without_audit", invariant="I7", holds="every transfer has its audit row", mend=BY_HAND),
    Check(
        name="audit_chain_broken",
        invariant="I7",
        holds="the chain of audit rows is sealed without a gap",
        mend=BY_HAND,
    ),
    Check(
        name="outbox_row_lost",
        invariant="I8",
        holds="nothing that was to be sent is lost or doubled",
        mend=RESTORE,
    ),
    Check(
        name="license_on_other_ticket", invariant="I9", holds="a licence is on the ticket of its order", mend=BY_HAND
    ),
    Check(
        name="license_extends_other_ticket",
        invariant="I9",
        holds="a licence extends one of the same ticket",
        mend=BY_HAND,
    ),
    Check(
        name="database_damaged",
        invariant="I10",
        holds="the database finds no damage in itself",
        mend=RESTORE,
        find=integrity.damage,
    ),
    Check(
        name="reference_broken",
        invariant="I10",
        holds="no row refers to one that is missing",
        mend=RESTORE,
        find=integrity.broken_references,
    ),
    Check(
        name="schema_differs",
        invariant="I10",
        holds="tables, indexes, constraints and triggers are as the migrations make them",
        mend="put back what was changed; or `opendepot export` and `opendepot import` into a new database",
        find=integrity.schema,
    ),
)


async def check_invariants(
    location: str | Path,
    *,
    vault: Vault | None,
    trust: Sequence[Certificate] = (),
    progress: Progress | None = None,
    immutable: bool = False,
    checks: Sequence[Check] = CHECKS,
) -> tuple[Finding, ...]:
    """Run the checks, each on one state of the data, changing nothing; the database may be in use.

    Args:
        location: a path or an address, as `open_storage` takes it.
        vault: the keys; without them the checks of sealed values cannot apply.
        trust: the root certificates of the vendor's box; without them signatures are not verified.
        progress: called with a check's name, how many of how many checks are done.
        immutable: the file is one that nobody writes, such as a backup.
        checks: those to run.

    Raises errors of `storage.errors` where the database cannot be read at all.
    """
    link = await open_link(location, immutable=immutable)
    try:
        scene = Scene(link=link, vault=vault, trust=tuple(trust), statements=check_statements(link.dialect))
        findings = []
        for number, check in enumerate(checks):
            if progress is not None:
                progress(check.name, number, len(checks))
            findings.append(await _checked(check, scene))
        if progress is not None:
            progress("done", len(checks), len(checks))
        return tuple(findings)
    finally:
        await link.close()


async def _checked(check: Check, scene: Scene) -> Finding:
    count, subjects = 0, []
    try:
        async for subject in _violations(check, scene):
            count += 1
            if count <= SUBJECTS:
                subjects.append(subject)
    except NotApplicable as reason:
        return Finding(
            check=check.name, level=Level.NOT_APPLICABLE, message=str(reason), invariant=check.invariant, count=0
        )
    if count == 0:
        return Finding(check=check.name, level=Level.OK, message=check.holds, invariant=check.invariant)
    more = ", ..." if count > len(subjects) else ""
    return Finding(
        check=check.name,
        level=Level.PROBLEM,
        message=f"not so {count} times: {check.holds}: {', '.join(subjects)}{more}",
        mend=check.mend,
        invariant=check.invariant,
        count=count,
        subjects=tuple(subjects),
    )


async def _violations(check: Check, scene: Scene) -> AsyncIterator[str]:
    if check.waits_for is not None and check.waits_for not in await table_names(scene.link):
        raise NotApplicable(f"this schema has no table {check.waits_for} yet")
    if check.find is not None:
        async for subject in check.find(scene):
            yield subject
        return
    async with scene.link.snapshot():
        async for rows in scene.link.stream(scene.statements[check.name]):
            for row in rows:
                yield str(row[0])
