"""Replacing a pepper or a sealing key while servers run, on one node or on many.

    add      a new key into the file and its id into the database; every process that serves takes it up
    activate once all of them have it: from now on it makes
    renew    what older keys have sealed is sealed anew, and what can be hashed anew is
    finish   nothing that can be renewed waits any more
    retire   a command of its own, later: the old key goes, if nothing depends on it

Each step is durable before the next one begins, and finds out for itself what is done: whoever is killed anywhere runs
the same command again.
"""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from licensing.keyring import Key, KeyRing
from licensing.rekeying import Rekeying, Renewal
from licensing.vault import Vault
from server.errors import SettingsError
from server.keys.counting import count_dependents, dependents_of
from server.keys.files import key_file, read_ring, reseal_box, write_ring
from server.keys.keeper import ALIVE, KeyKeeper, kept_text
from server.settings import Settings
from storage import Storage
from storage.keys import (
    ActivateKey,
    AddKeys,
    FinishKey,
    KeyHolder,
    KeyKind,
    KeyRow,
    KeyState,
    KeysView,
    LoadKeys,
    RetireKey,
)
from storage.maintenance.links import open_link
from storage.records import AuditRow

LOOK_SECONDS = 0.5
SERVER_STEP = {KeyKind.SEALING_KEY: "sealing key", KeyKind.PEPPER: "pepper"}

Tell = Callable[[str], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Rotated:
    """What came of a rotation. `again`: one that had been broken off was finished."""

    key_id: str
    again: bool
    renewal: Renewal


class Rotating:
    """Replaces keys of one installation. `sleep` waits seconds; `tell` is given lines for people, without keys."""

    def __init__(
        self,
        settings: Settings,
        *,
        storage: Storage,
        vault: Vault,
        keeper: KeyKeeper,
        clock: Callable[[], datetime],
        random: Callable[[int], bytes],
        tell: Tell,
        wait_seconds: float,
        actor: str = "cli",
    ) -> None:
        self._settings = settings
        self._storage = storage
        self._vault = vault
        self._keeper = keeper
        self._clock = clock
        self._random = random
        self._tell = tell
        self._wait_seconds = wait_seconds
        self._actor = actor

    async def rotate(self, kind: KeyKind) -> Rotated:
        """Replace the key of a kind, or finish what was begun.

        Raises SettingsError where the file cannot be written, or a process that serves does not get the key in time.
        """
        view = await self._storage.query(LoadKeys())
        key = _unfinished(view, kind)
        again = key is not None
        if key is None:
            key = await self._add(kind, view)
        else:
            self._tell(f"going on with {key.key_id}, which was begun {key.made_at:%Y-%m-%d %H:%M}")
        if key.state is KeyState.ADDED:
            await self._everywhere(kind, key.key_id, holding=True)
            audit = self._audit("ActivateKey", key.key_id, {"kind": kind.value})
            await self._storage.execute(ActivateKey(key_id=key.key_id, kind=kind, at=self._clock(), audit=audit))
            self._tell(f"{key.key_id} is in use")
        await self._keeper.refresh()
        await self._everywhere(kind, key.key_id, holding=False)
        renewal = await self._renew(kind, key.key_id)
        return Rotated(key_id=key.key_id, again=again, renewal=renewal)

    async def retire(self, key_id: str) -> KeyRow:
        """Take a key away on which nothing depends. Raises SettingsError, which names what still does."""
        view = await self._storage.query(LoadKeys())
        row = next((key for key in view.keys if key.key_id == key_id), None)
        if row is None:
            raise SettingsError(f"there is no key {key_id}; `opendepot keys list` shows them")
        setting, path = key_file(self._settings, row.kind)
        if row.state is not KeyState.RETIRED:
            await self._retire(row, view)
        ring = read_ring(path, setting=setting)
        if ring.find(bytes.fromhex(key_id)) is not None:
            write_ring(path, ring.without(bytes.fromhex(key_id)), setting=setting)
        return replace(row, state=KeyState.RETIRED)

    async def _add(self, kind: KeyKind, view: KeysView) -> KeyRow:
        setting, path = key_file(self._settings, kind)
        ring, now = read_ring(path, setting=setting), self._clock()
        known = {key.key_id for key in view.keys}
        # One that stands in the file alone was written by somebody who was killed before the database knew of it.
        new = next((key for key in ring if not key.first and key.name not in known), None)
        if new is None:
            ring = ring.with_new(random=self._random, now=now)
            new = ring.keys[-1]
            write_ring(path, ring, setting=setting)
        rows = [
            _row(key, kind, KeyState.ACTIVE if key.first else KeyState.ADDED) for key in ring if key.name not in known
        ]
        added = next(row for row in rows if row.key_id == new.name)
        audit = self._audit("AddKey", added.key_id, {"kind": kind.value})
        await self._storage.execute(AddKeys(keys=(*(row for row in rows if row != added), added), audit=audit))
        self._tell(f"added {SERVER_STEP[kind]} {added.key_id} to {path}")
        await self._keeper.refresh()
        return added

    async def _everywhere(self, kind: KeyKind, key_id: str, *, holding: bool) -> None:
        """Wait until every process that serves has a key, or makes with it."""
        waited, told = 0.0, False
        while lacking := _lacking(await self._alive(), kind, key_id, holding=holding):
            if waited >= self._wait_seconds:
                raise SettingsError(self._not_everywhere(kind, key_id, lacking, holding=holding))
            if not told:
                self._tell(f"waiting for {len(lacking)} processes to {'take it up' if holding else 'use it'}")
                told = True
            await asyncio.sleep(LOOK_SECONDS)
            waited += LOOK_SECONDS

    async def _alive(self) -> tuple[KeyHolder, ...]:
        view = await self._storage.query(LoadKeys())
        now = self._clock()
        return tuple(holder for holder in view.holders if now - holder.seen_at < ALIVE)

    def _not_everywhere(self, kind: KeyKind, key_id: str, lacking: Sequence[KeyHolder], *, holding: bool) -> str:
        setting, path = key_file(self._settings, kind)
        nodes = ", ".join(sorted({holder.node for holder in lacking}))
        if holding:
            return (
                f"{setting}: the new key {key_id} is not on {nodes} yet, so it is not in use; copy {path} there (where "
                "the service manager makes a copy, restart it), then run the same command again"
            )
        return (
            f"{setting}: {nodes} do not make with the key {key_id} yet, so nothing was renewed; see that they reach "
            "the database, then run the same command again"
        )

    async def _renew(self, kind: KeyKind, key_id: str) -> Renewal:
        rekeying = Rekeying(storage=self._storage, vault=self._vault)
        renewal = await rekeying.renew(kind, progress=lambda what, count: self._tell(f"renewed {count} {what}"))
        if kind is KeyKind.SEALING_KEY:
            box, ring = self._settings.firm_security_box_file, self._vault.sealing_keys
            if reseal_box(box, ring, self._vault.sealing_key, random=self._random):
                self._tell(f"sealed {box} with {key_id}")
        if renewal.unopened == 0:
            audit = self._audit("FinishKey", key_id, {"kind": kind.value, "renewed": renewal.renewed})
            await self._storage.execute(FinishKey(key_id=key_id, at=self._clock(), audit=audit))
        return renewal

    async def _retire(self, row: KeyRow, view: KeysView) -> None:
        if row.kind is KeyKind.PEPPER and row.is_first:
            raise SettingsError(
                f"the first pepper {row.key_id} is needed for ever: requests are known by it when they are repeated"
            )
        if row.state is not KeyState.OPENS:
            raise SettingsError(
                f"the key {row.key_id} is {row.state.value}; only one that merely opens can go: `opendepot keys rotate "
                f"{row.kind.value}` makes a new one"
            )
        now = self._clock()
        for holder in view.holders:
            if now - holder.seen_at < ALIVE and row.key_id in {holder.sealing_key, holder.pepper, holder.box_key}:
                raise SettingsError(
                    f"node {holder.node} still uses the key {row.key_id}; copy the Firm Security Box there from a node "
                    "where `opendepot keys rotate` has sealed it anew, and see that the node reaches the database"
                )
        await self._refuse_needed(row)
        kept = None
        if row.kind is KeyKind.SEALING_KEY:
            kept = self._vault.seal("kept", kept_text(self._vault.derived_to_keep(bytes.fromhex(row.key_id))))
        audit = self._audit("RetireKey", row.key_id, {"kind": row.kind.value})
        await self._storage.execute(self._retirement(row, audit, kept=kept))
        try:
            # Somebody may have written a value that he had read before the key was replaced: look once more.
            await self._refuse_needed(row)
        except SettingsError:
            back = self._audit("ReviveKey", row.key_id, {"kind": row.kind.value})
            await self._storage.execute(self._retirement(row, back, back=True))
            raise

    def _retirement(self, row: KeyRow, audit: AuditRow, *, kept: bytes | None = None, back: bool = False) -> RetireKey:
        key_id = bytes.fromhex(row.key_id)
        gone = row.kind is KeyKind.SEALING_KEY and not back
        fingerprint = self._vault.fingerprint_without(key_id) if gone else self._vault.fingerprint()
        return RetireKey(
            key_id=row.key_id, at=self._clock(), fingerprint=fingerprint, audit=audit, kept=kept, back=back
        )

    async def _refuse_needed(self, row: KeyRow) -> None:
        link = await open_link(self._settings.database)
        try:
            counts = await count_dependents(link)
        finally:
            await link.close()
        ring = self._vault.sealing_keys if row.kind is KeyKind.SEALING_KEY else self._vault.peppers
        found = dependents_of(counts, ring, row.kind, row.key_id)
        if found.rows:
            mend = (
                f"`opendepot keys rotate {row.kind.value}` renews them"
                if row.kind is KeyKind.SEALING_KEY
                else "they are renewed when somebody comes with them; revoke those that nobody uses any more"
            )
            raise SettingsError(f"the key {row.key_id} is still needed for {found.told()}; {mend}")

    def _audit(self, action: str, key_id: str, details: dict[str, object]) -> AuditRow:
        return AuditRow(
            at=self._clock(), actor=self._actor, action=action, subject=f"key {key_id}", details=json.dumps(details)
        )


def _unfinished(view: KeysView, kind: KeyKind) -> KeyRow | None:
    """Give the key of a rotation that was begun and is not finished."""
    for key in reversed(view.keys):
        waits = key.state is KeyState.ACTIVE and key.finished_at is None and not key.is_first
        if key.kind is kind and (key.state is KeyState.ADDED or waits):
            return key
    return None


def _lacking(holders: Sequence[KeyHolder], kind: KeyKind, key_id: str, *, holding: bool) -> list[KeyHolder]:
    if holding:
        return [holder for holder in holders if key_id not in holder.holds]
    made_with = "sealing_key" if kind is KeyKind.SEALING_KEY else "pepper"
    return [holder for holder in holders if getattr(holder, made_with) != key_id]


def _row(key: Key, kind: KeyKind, state: KeyState) -> KeyRow:
    return KeyRow(key_id=key.name, kind=kind, state=state, is_first=key.first, made_at=key.made_at)


def ring_of(vault: Vault, kind: KeyKind) -> KeyRing:
    """Give the keys of a kind that are at hand."""
    return vault.sealing_keys if kind is KeyKind.SEALING_KEY else vault.peppers
