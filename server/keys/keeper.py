"""Keeps the keys of one process as the database says: which are at hand, and which of them make.

The database names the keys, the files hold them. A key is first handed out to all nodes, and only when every process
that serves has it at hand does one of them begin to make with it; so nobody ever meets what it cannot open.
"""

import asyncio
import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from licensing.errors import VaultError
from licensing.keyring import KeyRing
from licensing.vault import Vault
from server.errors import SettingsError
from server.keys.files import key_file, open_box, read_rings
from server.settings import Settings
from storage import Storage
from storage.errors import StorageUnavailable
from storage.keys import KeyHolder, KeyKind, KeyRow, KeyState, KeysView, LoadKeys, ReportKeys

REPORT_EVERY = timedelta(seconds=20)
ALIVE = timedelta(seconds=60)
"""Who has said nothing for so long serves no more."""
REMEMBERED = timedelta(hours=1)

IN_FORCE = (KeyState.ACTIVE, KeyState.OPENS)

Tell = Callable[[str, Mapping[str, object]], None]


def kept_text(derived: Mapping[str, bytes]) -> bytes:
    """Give derived keys as they are sealed beside a key that is gone."""
    return json.dumps({purpose: b64encode(key).decode("ascii") for purpose, key in derived.items()}).encode()


def open_kept(vault: Vault, row: KeyRow) -> None:
    """Let a vault open what only a key that is gone could. Raises VaultError."""
    if row.kept is not None:
        found = json.loads(vault.open("kept", row.kept))
        derived = {purpose: b64decode(text) for purpose, text in found.items()}
        vault.keep(bytes.fromhex(row.key_id), derived, first=row.is_first)


def in_use(view: KeysView, kind: KeyKind) -> KeyRow | None:
    """Give the key of a kind that makes; None while there is only the first one."""
    return next((key for key in view.keys if key.kind is kind and key.state is KeyState.ACTIVE), None)


class KeyKeeper:
    """What this process knows of keys. `on_told` is called with the name and the fields of an event."""

    def __init__(
        self,
        settings: Settings,
        *,
        storage: Storage,
        vault: Vault,
        clock: Callable[[], datetime],
        process: str,
        node: str,
    ) -> None:
        self._settings = settings
        self._storage = storage
        self._vault = vault
        self._clock = clock
        self._process = process
        self._node = node
        self._reported: tuple[object, ...] = ()
        self._reported_at: datetime | None = None
        self._box_seen: tuple[int, tuple[str, ...]] = (0, ())
        self._box_sealed_with = ""
        self._told: set[tuple[str, str]] = set()
        self._refreshing = asyncio.Lock()
        self.view = KeysView(keys=(), holders=())
        self.missing: tuple[KeyRow, ...] = ()
        self.on_told: Tell = lambda _name, _fields: None

    async def refresh(self) -> None:
        """Do as the database says. Raises errors of `storage.errors`."""
        # Of two at a time the older view could come last, and a key that is in use now would not be used here.
        async with self._refreshing:
            self._take_up(await self._storage.query(LoadKeys()))

    def _take_up(self, view: KeysView) -> None:
        self.view = view
        named = {key.key_id for key in self.view.keys if key.state is not KeyState.RETIRED}
        before = self._held()
        if not named <= before:
            self._read_files()
        self.missing = tuple(key for key in self.view.keys if key.key_id not in self._held() and key.state in IN_FORCE)
        if self._held() != before:
            self.on_told("keys_taken_up", {"keys": sorted(self._held() - before)})
        self._tell_missing()
        for row in self.view.keys:
            try:
                open_kept(self._vault, row)
            except VaultError as error:
                self._tell_once("kept_unreadable", key=row.key_id, reason=str(error))
        if not self.missing:
            self._use()

    def refuse_missing(self) -> None:
        """Raise SettingsError, which names the mend, unless every key in force is at hand."""
        for key in self.missing:
            setting, path = key_file(self._settings, key.kind)
            raise SettingsError(
                f"{setting}: the key {key.key_id} is not in {path}, but the database has values that it made; copy the "
                "file from a node that has it, or put back the copy that you keep. `opendepot keys list` shows which "
                "keys may go, and `opendepot keys retire` takes them away"
            )

    async def ready(self) -> None:
        """Raise StorageUnavailable unless every key in force is at hand: the check of readiness."""
        if self.missing:
            names = ", ".join(key.key_id for key in self.missing)
            raise StorageUnavailable(f"keys that are in force are not in this node's files: {names}")

    async def turn(self) -> None:
        """Look for keys that are still to come, and say what is at hand. Raises errors of `storage.errors`."""
        named = {key.key_id for key in self.view.keys if key.state is not KeyState.RETIRED}
        if not named <= self._held():
            await self.refresh()
        now = self._clock()
        holder = KeyHolder(
            process=self._process,
            node=self._node,
            holds=tuple(sorted(self._held())),
            sealing_key=self._vault.sealing_key.name,
            pepper=self._vault.pepper.name,
            box_key=self._box_key(),
            seen_at=now,
        )
        said = (holder.holds, holder.sealing_key, holder.pepper, holder.box_key)
        fresh = self._reported_at is not None and now - self._reported_at < REPORT_EVERY
        if fresh and said == self._reported:
            return
        await self._storage.execute(ReportKeys(holder=holder, forget_before=now - REMEMBERED))
        self._reported, self._reported_at = said, now

    def age(self, kind: KeyKind) -> float | None:
        """Give for how many seconds the key of a kind has been in use; None while it is the first one."""
        key = in_use(self.view, kind)
        since = None if key is None or key.is_first else key.active_at
        return None if since is None else (self._clock() - since).total_seconds()

    def _tell_missing(self) -> None:
        for key in self.missing:
            self._tell_once("key_missing", key=key.key_id, kind=key.kind.value)

    def _tell_once(self, name: str, **fields: str) -> None:
        """Tell of what stays so until somebody mends it, but not each second."""
        said = (name, json.dumps(fields))
        if said not in self._told:
            self._told.add(said)
            self.on_told(name, fields)

    def _held(self) -> set[str]:
        return {*self._vault.peppers.names, *self._vault.sealing_keys.names}

    def _read_files(self) -> None:
        try:
            rings = read_rings(self._settings)
        except SettingsError as error:
            self._tell_once("keys_unreadable", reason=str(error))
            return
        # A key that has been at hand stays so until the process ends, whatever became of the file.
        self._vault.take_up(
            pepper=_joined(self._vault.peppers, rings[KeyKind.PEPPER]),
            sealing_key=_joined(self._vault.sealing_keys, rings[KeyKind.SEALING_KEY]),
        )

    def _use(self) -> None:
        pepper, sealing = in_use(self.view, KeyKind.PEPPER), in_use(self.view, KeyKind.SEALING_KEY)
        before = (self._vault.pepper, self._vault.sealing_key)
        self._vault.use(
            pepper=before[0].key_id if pepper is None else bytes.fromhex(pepper.key_id),
            sealing_key=before[1].key_id if sealing is None else bytes.fromhex(sealing.key_id),
        )
        after = (self._vault.pepper, self._vault.sealing_key)
        if after != before:
            self.on_told("keys_in_use", {"pepper": after[0].name, "sealing_key": after[1].name})

    def _box_key(self) -> str:
        """Give the key that the file of the Firm Security Box is sealed with, looked at when the file has changed."""
        path, ring = self._settings.firm_security_box_file, self._vault.sealing_keys
        try:
            seen = (path.stat().st_mtime_ns, ring.names)
            if seen != self._box_seen:
                self._box_sealed_with = open_box(path, ring)[1].name
                self._box_seen = seen
        except (OSError, SettingsError):
            return ""  # `opendepot keys check` tells of it; the box of this process is open
        return self._box_sealed_with


def _joined(old: KeyRing, new: KeyRing) -> KeyRing:
    """Give all keys of two rings, those of the new one in its order, the others before them."""
    gone = [key for key in old if new.find(key.key_id) is None]
    return KeyRing(keys=(*gone, *new.keys))
