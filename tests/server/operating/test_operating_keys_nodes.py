"""Keys on two nodes with files of their own: whoever lacks a key is waited for, takes it up, and is told of."""

import asyncio
import secrets
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from installations import Installed

from server.cli.initialise import CONFIG
from server.core import Core, opened_core, utc_now
from server.errors import SettingsError
from server.keys.files import key_file, read_ring, write_ring
from server.keys.rotating import Rotating
from server.operating.doctor import inspect
from server.operating.report import Level
from server.settings import Settings, load_settings
from storage.errors import StorageUnavailable
from storage.keys import KeyKind, KeyState, LoadKeys

SEALING, PEPPER = KeyKind.SEALING_KEY, KeyKind.PEPPER
SECRETS = ("pepper", "sealing-key", "firm-security-box")


def other_node(depot: Installed, folder: Path) -> Settings:
    """The settings of a node with files of its own on the same database."""
    folder.mkdir()
    for name in SECRETS:
        shutil.copy(depot.folder / "secrets" / name, folder / name)
    own = {f"{name.replace('-', '_')}_file": folder / name for name in SECRETS}
    return load_settings(depot.config, admin_port=0, **own)


class Node:
    """A process that serves, as far as keys are concerned; `events` is what it has told."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self.events: list[tuple[str, Any]] = []
        core.keys.on_told = lambda name, fields: self.events.append((name, dict(fields)))

    def told(self, name: str) -> list[Any]:
        return [fields for found, fields in self.events if found == name]

    async def works(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await self.core.keys.turn()
            await asyncio.sleep(0.02)


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[Node]:
    async with opened_core(settings) as core:
        node, stop = Node(core), asyncio.Event()
        work = asyncio.create_task(node.works(stop))
        try:
            await node.core.keys.turn()
            yield node
        finally:
            stop.set()
            await work


def rotating(depot: Installed, core: Core, *, wait: float) -> Rotating:
    return Rotating(
        depot.settings,
        storage=core.storage,
        vault=core.vault,
        keeper=core.keys,
        clock=utc_now,
        random=secrets.token_bytes,
        tell=lambda _line: None,
        wait_seconds=wait,
    )


async def state_of(core: Core, key_id: str) -> KeyState:
    return next(key.state for key in (await core.storage.query(LoadKeys())).keys if key.key_id == key_id)


@pytest.mark.parametrize("kind", [SEALING, PEPPER])
async def test_a_node_without_the_new_key_is_waited_for_and_opens_everything_all_the_time(
    depot: Installed, tmp_path: Path, kind: KeyKind
) -> None:
    far_settings = other_node(depot, tmp_path / "far")
    async with serving(depot.settings) as near, serving(far_settings) as far, opened_core(depot.settings) as core:
        _, api_key = await core.catalogue.add_shop("keyed")
        with pytest.raises(SettingsError, match="run the same command again"):
            await rotating(depot, core, wait=1.0).rotate(kind)
        added = read_ring(key_file(depot.settings, kind)[1], setting="").keys[-1]
        assert await state_of(core, added.name) is KeyState.ADDED
        assert near.told("keys_taken_up") == [{"keys": [added.name]}]
        assert far.told("keys_taken_up") == []
        assert near.told("keys_in_use") == []
        report = await inspect(depot.settings, config=depot.config)
        (lacking,) = [
            found for found in report.findings if found.level is Level.WARNING and "does not have" in found.message
        ]
        assert added.name in lacking.message
        assert (lacking.mend or "").startswith("copy ")
        shutil.copy(key_file(depot.settings, kind)[1], key_file(far_settings, kind)[1])
        done = await rotating(depot, core, wait=20.0).rotate(kind)
        assert (done.again, done.key_id) == (True, added.name)
        for node in (near, far):
            assert node.told("keys_in_use")[-1][kind.value.replace("-", "_")] == added.name
            assert await node.core.credentials.find_api_key(api_key) is not None
            sealed = near.core.vault.seal("ticket", b"x")
            assert node.core.vault.open("ticket", sealed) == b"x"
            assert node.told("key_missing") == []


async def test_a_node_that_comes_late_is_refused_until_it_has_the_key(depot: Installed, tmp_path: Path) -> None:
    late = other_node(depot, tmp_path / "late")
    async with opened_core(depot.settings) as core:
        done = await rotating(depot, core, wait=0.0).rotate(SEALING)
    with pytest.raises(SettingsError, match=rf"{done.key_id} is not in .*late.*copy the file from a node that has it"):
        async with opened_core(late):
            raise AssertionError("it opened without a key in force")
    shutil.copy(depot.settings.sealing_key_file, late.sealing_key_file)
    async with serving(late) as node:
        # Its Firm Security Box is still sealed with the old key, which therefore cannot go.
        first = node.core.vault.sealing_keys.keys[0].name
        async with opened_core(depot.settings) as core:
            with pytest.raises(SettingsError, match="copy the Firm Security Box there"):
                await rotating(depot, core, wait=0.0).retire(first)
            shutil.copy(depot.settings.firm_security_box_file, late.firm_security_box_file)
            await asyncio.sleep(0.1)
            await rotating(depot, core, wait=0.0).retire(first)
        assert node.core.vault.open("ticket", node.core.vault.seal("ticket", b"x")) == b"x"
    report = await inspect(late, config=depot.config)
    (left,) = [found for found in report.findings if "was retired" in found.message]
    assert (left.mend or "").endswith(f"keys retire {first} --config {depot.config}")


async def test_a_process_that_loses_a_key_in_force_is_not_ready_and_says_so_once(
    depot: Installed, tmp_path: Path
) -> None:
    far_settings = other_node(depot, tmp_path / "far")
    async with opened_core(depot.settings) as core, opened_core(far_settings) as silent:
        node = Node(silent)
        # It has not said that it is there, so nobody waits for it: as after a cut of the network.
        done = await rotating(depot, core, wait=0.0).rotate(SEALING)
        for _ in range(3):
            await silent.keys.refresh()
        assert node.told("key_missing") == [{"key": done.key_id, "kind": "sealing-key"}]
        with pytest.raises(StorageUnavailable, match=done.key_id):
            await silent.keys.ready()
        far_settings.sealing_key_file.write_bytes(b"nothing")
        await silent.keys.refresh()
        assert len(node.told("keys_unreadable")) == 1
        shutil.copy(depot.settings.sealing_key_file, far_settings.sealing_key_file)
        far_settings.sealing_key_file.chmod(0o600)
        await silent.keys.turn()
        await silent.keys.ready()
        assert silent.vault.sealing_key.name == done.key_id


async def test_what_systemd_hands_over_may_be_a_ring_and_a_copy_is_not_written(
    depot: Installed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handed = tmp_path / "credentials"
    handed.mkdir()
    async with opened_core(depot.settings) as core:
        done = await rotating(depot, core, wait=0.0).rotate(SEALING)
    for name in SECRETS:
        (depot.folder / "secrets" / name).rename(handed / name)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(handed))
    settings = load_settings(depot.folder / CONFIG, admin_port=0)
    assert settings.sealing_key_file == handed / "sealing-key"
    async with opened_core(settings) as core:
        assert core.vault.sealing_key.name == done.key_id
    monkeypatch.delenv("CREDENTIALS_DIRECTORY")
    monkeypatch.setenv("OPENDEPOT_SEALING_KEY_FILE", str(handed / "sealing-key"))
    monkeypatch.setenv("OPENDEPOT_PEPPER_FILE", str(handed / "pepper"))
    monkeypatch.setenv("OPENDEPOT_FIRM_SECURITY_BOX_FILE", str(handed / "firm-security-box"))
    async with opened_core(load_settings(depot.folder / CONFIG, admin_port=0)) as core:
        assert core.vault.sealing_key.name == done.key_id


def test_a_file_of_keys_must_be_there_private_and_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "pepper"
    with pytest.raises(SettingsError, match="pepper_file: cannot read"):
        read_ring(path, setting="pepper_file")
    path.write_bytes(bytes(31))
    path.chmod(0o644)
    with pytest.raises(SettingsError, match="chmod 600"):
        read_ring(path, setting="pepper_file")
    path.chmod(0o600)
    with pytest.raises(SettingsError, match="exactly 32"):
        read_ring(path, setting="pepper_file")
    path.write_bytes(bytes(range(32)))
    (key,) = read_ring(path, setting="pepper_file").keys
    path.chmod(0o440)  # as systemd shows a file that an access list opens for the service's user
    with pytest.raises(SettingsError, match="chmod 600"):
        read_ring(path, setting="pepper_file")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert read_ring(path, setting="pepper_file").keys == (key,)
    path.chmod(0o444)
    with pytest.raises(SettingsError, match="chmod 600"):
        read_ring(path, setting="pepper_file")
    path.chmod(0o600)
    assert key.material == bytes(range(32))
    longer = read_ring(path, setting="pepper_file").with_new(random=secrets.token_bytes, now=utc_now())
    write_ring(path, longer, setting="pepper_file")
    assert read_ring(path, setting="pepper_file") == longer
    assert path.stat().st_mode & 0o777 == 0o600
    assert [found.name for found in tmp_path.iterdir()] == ["pepper"]
