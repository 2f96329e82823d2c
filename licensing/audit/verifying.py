"""Walking the audit chain: what is missing, changed or added since it was sealed, and where it starts.

What the walk cannot see by itself is a database that was put back whole, chain and head and all. A head that was kept
elsewhere shows that, too.
"""

import asyncio
import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from licensing.audit.chain import ERASE, FIRST_LINK, details_digest, is_signed, next_link, row_digest
from storage import Storage
from storage.audit import (
    AuditEntry,
    AuditHead,
    AuditId,
    AuditLink,
    FindUnchained,
    ListAudit,
    LoadAuditHead,
    LoadUnsealed,
    WalkAudit,
)

PAGE = 1000
MOST_PROBLEMS = 100
ALL = 2**31


class Kind(StrEnum):
    """What is not as it was sealed."""

    MISSING = "missing"
    CHANGED = "changed"
    ADDED = "added"
    ERASED = "erased without a record"
    CHAIN = "chain broken"
    HEAD = "head does not fit"
    KEPT_HEAD = "kept head does not fit"


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """One thing that is not as it was sealed; `position` in the chain, None where it has none."""

    kind: Kind
    position: int | None
    audit_id: AuditId | None
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Verification:
    """What a walk found. `problems` are the first hundred, in the order of the chain, then those without a position.

    `sealed` rows stand in the chain; `unsealed` wait for the sealer (100,000 at most are counted); the details of
    `erased` ones are gone, and everything else of them still holds.
    """

    head: AuditHead
    sealed: int
    unsealed: int
    erased: int
    problems: tuple[Problem, ...]

    @property
    def whole(self) -> bool:
        """Whether everything is as it was sealed."""
        return not self.problems


@dataclass(kw_only=True, slots=True)
class _Walk:
    """How far a walk has come."""

    kept: AuditHead | None
    link: bytes = FIRST_LINK
    position: int = 0
    erased: dict[str, AuditLink] = field(default_factory=dict)
    broken: bool = False
    problems: list[Problem] = field(default_factory=list)

    def report(self, kind: Kind, message: str, *, at: AuditLink | None = None, audit_id: AuditId | None = None) -> None:
        if len(self.problems) < MOST_PROBLEMS:
            position = None if at is None else at.position
            audit_id = audit_id if at is None else at.audit_id
            self.problems.append(Problem(kind=kind, position=position, audit_id=audit_id, message=message))

    def take(self, page: Sequence[tuple[AuditLink, AuditEntry | None]]) -> None:
        for link, entry in page:
            self._step(link, entry)

    def _step(self, link: AuditLink, entry: AuditEntry | None) -> None:
        if link.position != self.position + 1:
            self.report(
                Kind.MISSING, f"positions {self.position + 1} to {link.position - 1} are not in the chain", at=link
            )
            self.broken = True
        self.position = link.position
        self.link = next_link(self.link, link.position, link.digest)
        if entry is None:
            self.report(Kind.MISSING, "the row that was sealed here is gone", at=link)
        else:
            self._compare(link, entry)
        if self.kept is not None and self.kept.position == link.position and self.kept.link != self.link:
            self.report(Kind.KEPT_HEAD, "the chain up to the kept head is not what was sealed then", at=link)

    def _compare(self, link: AuditLink, entry: AuditEntry) -> None:
        if entry.salt is not None:
            details = details_digest(entry.row, entry.salt)
        else:
            details = link.details_digest
            self.erased[str(link.audit_id)] = link
        if details != link.details_digest or row_digest(entry.row, details) != link.digest:
            self.report(Kind.CHANGED, "the row is not what was sealed here", at=link)
        elif entry.salt is None and entry.row.details != "{}":
            self.report(Kind.CHANGED, "the row has details, but they were erased", at=link)
        elif entry.seal != self.link and not self.broken:
            self.report(Kind.CHAIN, "the link here is not the one that the row bears", at=link)
            self.broken = True


async def verify_audit(
    storage: Storage, *, public_key: bytes, earlier: Iterable[bytes] = (), kept: AuditHead | None = None
) -> Verification:
    """Walk the chain up to the head of now; `public_key` is the server's own, `kept` a head that was kept elsewhere.

    `earlier`: the public keys of sealing keys that were replaced.
    """
    head = await storage.query(LoadAuditHead())
    walk = _Walk(kept=kept)
    while walk.position < head.position:
        page = await storage.query(WalkAudit(after=walk.position, limit=min(PAGE, head.position - walk.position)))
        page = tuple((link, entry) for link, entry in page if link.position <= head.position)
        if not page:
            break
        await asyncio.to_thread(walk.take, page)
    _judge_head(walk, head, {public_key, *earlier})
    # After the walk: the row that records an erasure is written together with it, so none is missed.
    await _judge_erased(storage, walk)
    for audit_id in await storage.query(FindUnchained(limit=MOST_PROBLEMS)):
        walk.report(Kind.ADDED, "the row bears a seal, but stands nowhere in the chain", audit_id=audit_id)
    tail = await storage.query(LoadUnsealed(limit=1))
    return Verification(
        head=head,
        sealed=walk.position,
        unsealed=tail.count,
        erased=len(walk.erased),
        problems=tuple(walk.problems),
    )


def _judge_head(walk: _Walk, head: AuditHead, public_keys: Collection[bytes]) -> None:
    if walk.position != head.position:
        walk.report(Kind.MISSING, f"positions {walk.position + 1} to {head.position} are not in the chain")
    elif walk.link != head.link:
        walk.report(Kind.HEAD, "the chain does not lead to the signed head")
    if head.position and not is_signed(head):
        walk.report(Kind.HEAD, "the signature of the head does not fit")
    elif head.position and head.public_key not in public_keys:
        walk.report(Kind.HEAD, "the head was signed with another key than this server's")
    kept = walk.kept
    if kept is not None and kept.position and kept.public_key not in public_keys:
        walk.report(Kind.KEPT_HEAD, "the kept head was signed with another key than this server's")
    if kept is not None and kept.position > head.position:
        walk.report(
            Kind.KEPT_HEAD, f"the chain ends at {head.position}, but went to {kept.position} when the head was kept"
        )


async def _judge_erased(storage: Storage, walk: _Walk) -> None:
    if not walk.erased:
        return
    recorded: set[str] = set()
    for entry in await storage.query(ListAudit(limit=ALL, action=ERASE)):
        try:
            recorded.update(map(str, json.loads(entry.row.details)["audit"]))
        except (ValueError, KeyError, TypeError):
            continue  # a record that was changed names nothing, and is reported as changed itself
    for audit_id, link in walk.erased.items():
        if audit_id not in recorded:
            walk.report(Kind.ERASED, "the details are gone, and no erasure says so", at=link)
