"""`opendepot keys`: a pepper or a sealing key is replaced, also after it was broken off, and the old one taken away."""

import asyncio
import base64
import json
import os
import re
import secrets
import shutil
from datetime import timedelta
from typing import Any

import pytest
import typer.testing
from installations import Installed, ordered

from licensing.audit import SealingKey, read_head, render_head, verify_audit
from licensing.orders import Customer
from server.cli import main as cli
from server.core import Core, opened_core, utc_now
from server.errors import SettingsError
from server.keys.counting import count_dependents
from server.keys.files import open_box, read_ring
from server.keys.rotating import Rotating
from server.operating.doctor import inspect
from server.operating.report import Finding, Level
from storage import Storage
from storage.audit import LoadAuditHead
from storage.keys import ActivateKey, FinishKey, KeyHolder, KeyKind, KeyState, LoadKeys, ReportKeys, RetireKey
from storage.maintenance.links import open_link

RUNNER = typer.testing.CliRunner()
SEALING, PEPPER = KeyKind.SEALING_KEY, KeyKind.PEPPER


def rotating(depot: Installed, core: Core, *, wait: float = 0.0, storage: Any = None) -> Rotating:
    return Rotating(
        depot.settings,
        storage=storage or core.storage,
        vault=core.vault,
        keeper=core.keys,
        clock=utc_now,
        random=secrets.token_bytes,
        tell=lambda _line: None,
        wait_seconds=wait,
    )


async def problems(depot: Installed) -> list[Finding]:
    report = await inspect(depot.settings, config=depot.config, deep=True)
    return [finding for finding in report.problems if finding.check != "durability"]  # the server here does not fsync


async def counted(depot: Installed) -> dict[tuple[KeyKind, str], dict[str, int]]:
    link = await open_link(depot.settings.database)
    try:
        return {key: dict(found.places) for key, found in (await count_dependents(link)).items()}
    finally:
        await link.close()


async def filled(depot: Installed) -> dict[str, str]:
    """What has a secret of every kind in it; the secrets that must go on to work."""
    async with opened_core(depot.settings) as core:
        shop, api_key = await core.catalogue.add_shop("keyed")
        username = await core.credentials.add_username("keyed", "machine")
        administrator = await core.catalogue.add_administrator("ops")
        await core.catalogue.add_item(
            item_number="DATA", firm_code=6000010, product_code=9, data={"secret": {0: b"hush"}}
        )
        receipt = await ordered(
            core, shop, "k-1", [("DATA", 1)], customer=Customer(name="A", email="a@example.com", customer_number="77")
        )
        await core.addresses.record_consent("a@example.com", source="test", actor="test")
        await core.depot.get_license_update(
            ticket=receipt.ticket, targets=(), context=depot.container("c").context(6000010), user="staff"
        )
        gone = await ordered(core, shop, "k-2", [("DATA", 1)])
        await core.vendor_actions.withdraw_license(
            shop=shop, transaction_id="w-1", license_id=gone.licenses[0].license_id, reason="burnt"
        )
        await core.sealer.seal()
        head = await core.storage.query(LoadAuditHead())
    return {
        "api_key": api_key,
        "username": username.secret,
        "admin": administrator,
        "ticket": receipt.ticket,
        "withdrawn": gone.ticket,
        "head": render_head(head),
    }


async def all_work(depot: Installed, known: dict[str, str]) -> None:
    async with opened_core(depot.settings) as core:
        assert await core.credentials.find_api_key(known["api_key"], "keyed")
        found = await core.credentials.find_username("machine")
        assert found is not None
        assert found.secret.decode() == known["username"]
        assert await core.catalogue.find_administrator(known["admin"], "ops")
        assert await core.depot.get_ticket(tickets=(known["ticket"],))
        life = await core.tracer.trace(known["withdrawn"])
        assert "burnt" in {happening.reason for happening in life.history}
        await core.sealer.seal()
        earlier = [SealingKey(seed).public_key for seed in core.vault.seeds("audit")]
        verified = await verify_audit(
            core.storage, public_key=core.audit_key.public_key, earlier=earlier, kept=read_head(known["head"])
        )
        assert verified.whole, verified.problems
        shop = (await core.credentials.show("keyed")).shop
        again = await ordered(
            core, shop, "k-1", [("DATA", 1)], customer=Customer(name="A", email="a@example.com", customer_number="77")
        )
        assert again.ticket == known["ticket"], "a repeated order is the same order"


async def test_rotated_and_retired_everything_works_and_nothing_is_of_the_old_key(depot: Installed) -> None:
    known = await filled(depot)
    old = read_ring(depot.settings.sealing_key_file, setting="s").keys[0]
    async with opened_core(depot.settings) as core:
        done = await rotating(depot, core).rotate(SEALING)
    assert done.renewal.unopened == 0
    places = await counted(depot)
    assert (SEALING, "") not in places, places
    assert {"tickets", "answers", "customers", "users", "usernames", "consents", "items", "licenses"} <= places[
        SEALING, done.key_id
    ].keys()
    await all_work(depot, known)
    _, sealed_with = open_box(
        depot.settings.firm_security_box_file, read_ring(depot.settings.sealing_key_file, setting="s")
    )
    assert sealed_with.name == done.key_id
    async with opened_core(depot.settings) as core:
        retired = await rotating(depot, core).retire(old.name)
    assert retired.state is KeyState.RETIRED
    (left,) = read_ring(depot.settings.sealing_key_file, setting="s").keys
    assert left.name == done.key_id
    await all_work(depot, known)
    assert await problems(depot) == []
    async with opened_core(depot.settings) as core:
        again = await rotating(depot, core).rotate(SEALING)
        assert not again.again
        await rotating(depot, core).retire(done.key_id)
    await all_work(depot, known)


async def test_hashes_are_renewed_at_their_next_use_and_counted_until_then(depot: Installed) -> None:
    known = await filled(depot)
    async with opened_core(depot.settings) as core:
        done = await rotating(depot, core).rotate(PEPPER)
    before = await counted(depot)
    assert before[PEPPER, ""]["credentials"] == 4  # two shops of the installation, the API key and the username
    assert before[PEPPER, ""]["administrators"] == 1
    assert (PEPPER, done.key_id) not in before
    await all_work(depot, known)
    after = await counted(depot)
    assert after[PEPPER, done.key_id] == {"credentials": 2, "administrators": 1}
    assert after[PEPPER, ""]["credentials"] == 2
    assert "administrators" not in after[PEPPER, ""]
    await all_work(depot, known)
    async with opened_core(depot.settings) as core:
        with pytest.raises(SettingsError, match="needed for ever"):
            await rotating(depot, core).retire(read_ring(depot.settings.pepper_file, setting="p").keys[0].name)
        second = await rotating(depot, core).rotate(PEPPER)
        with pytest.raises(SettingsError, match=r"still needed for .*2 credentials"):
            await rotating(depot, core).retire(done.key_id)
    await all_work(depot, known)
    async with opened_core(depot.settings) as core:
        await rotating(depot, core).retire(done.key_id)
    assert read_ring(depot.settings.pepper_file, setting="p").names[-1] == second.key_id
    await all_work(depot, known)


async def test_a_username_that_an_older_pepper_hashed_cannot_be_taken_again(depot: Installed) -> None:
    await filled(depot)
    async with opened_core(depot.settings) as core:
        await rotating(depot, core).rotate(PEPPER)
        with pytest.raises(Exception, match="registered already"):
            await core.credentials.add_username("one", "machine")


class Killed(Exception):
    """The process is killed: nothing of it runs any more."""


class Cut:
    """A storage that is lost with the first change, before or after it, like a process that was killed there."""

    def __init__(self, storage: Storage, *, after: bool) -> None:
        self._storage, self._after = storage, after

    async def execute(self, command: Any) -> Any:
        if self._after and not isinstance(command, FinishKey):
            await self._storage.execute(command)
        if self._after and isinstance(command, FinishKey):
            return await self._storage.execute(command)
        raise Killed

    async def query(self, query: Any) -> Any:
        return await self._storage.query(query)


@pytest.mark.slow
async def test_killed_after_each_change_it_goes_on_where_it_stopped(depot: Installed) -> None:
    known = await filled(depot)
    made = None
    kills = 0
    while made is None:
        async with opened_core(depot.settings) as core:
            # The first one is killed when the key stands in the file and the database does not know of it.
            cut = Cut(core.storage, after=kills > 0)
            try:
                made = await rotating(depot, core, storage=cut).rotate(SEALING)
            except Killed:
                kills += 1
        if kills % 5 == 1:
            await all_work(depot, known)
    assert kills > 8, "the key, its use, and each of the columns"
    assert made.again
    assert len(read_ring(depot.settings.sealing_key_file, setting="s").names) == 2, "one new key, however often killed"
    assert (SEALING, "") not in await counted(depot)
    await all_work(depot, known)
    assert await problems(depot) == []


async def test_a_key_that_went_too_early_is_refused_at_the_start_with_the_mend(depot: Installed) -> None:
    await filled(depot)
    path = depot.settings.sealing_key_file
    kept = path.read_bytes()
    async with opened_core(depot.settings) as core:
        done = await rotating(depot, core).rotate(SEALING)
    whole = path.read_bytes()
    for without in (kept, b"\n".join(line for line in whole.splitlines() if b" first " not in line) + b"\n"):
        path.write_bytes(without)
        with pytest.raises(SettingsError, match=r"copy the|put back") as refused:
            async with opened_core(depot.settings):
                raise AssertionError("it opened without a key that is in force")
        assert "sealing_key_file" in str(refused.value)
        report = await inspect(depot.settings, config=depot.config)
        assert any("copy" in (finding.mend or "") or "put back" in (finding.mend or "") for finding in report.problems)
    path.write_bytes(whole)
    async with opened_core(depot.settings) as core:
        assert core.vault.sealing_key.name == done.key_id


async def test_a_key_is_not_used_before_every_process_that_serves_has_it(depot: Installed) -> None:
    async with opened_core(depot.settings) as core:
        far = KeyHolder(
            process="far:1", node="far", holds=(), sealing_key="x", pepper="y", box_key="z", seen_at=utc_now()
        )
        await core.storage.execute(ReportKeys(holder=far, forget_before=utc_now() - timedelta(hours=1)))
        with pytest.raises(SettingsError, match=r"is not on far yet.*copy .*sealing-key.*run the same command again"):
            await rotating(depot, core).rotate(SEALING)
        (_, added) = (await core.storage.query(LoadKeys())).keys
        assert added.state is KeyState.ADDED
        assert core.vault.sealing_key.first
        report = await inspect(depot.settings, config=depot.config)
        assert {finding.level for finding in report.findings if finding.check == "key_rows"} == {Level.WARNING}
        silent = far.seen_at - timedelta(minutes=2)
        gone = KeyHolder(
            process="far:1", node="far", holds=(), sealing_key="x", pepper="y", box_key="z", seen_at=silent
        )
        await core.storage.execute(ReportKeys(holder=gone, forget_before=silent))
        done = await rotating(depot, core).rotate(SEALING)
        assert done.again
        assert done.key_id == added.key_id


class Late:
    """A storage into which somebody writes a value of an old key just when that is retired."""

    def __init__(self, core: Core, depot: Installed, sealed: bytes) -> None:
        self._core, self._depot, self._sealed = core, depot, sealed

    async def execute(self, command: Any) -> Any:
        answer = await self._core.storage.execute(command)
        if isinstance(command, RetireKey) and not command.back:
            literal = f"x'{self._sealed.hex()}'" if self._depot.backend == "sqlite" else f"'\\x{self._sealed.hex()}'"
            self._depot.run(
                f"UPDATE tickets SET sealed = {literal} WHERE ticket_id = (SELECT min(ticket_id) FROM tickets)"
            )
        return answer

    async def query(self, query: Any) -> Any:
        return await self._core.storage.query(query)


async def test_a_value_of_the_old_key_that_comes_late_keeps_it(depot: Installed) -> None:
    known = await filled(depot)
    path = depot.settings.sealing_key_file
    sealed = bytes(depot.run("SELECT sealed FROM tickets ORDER BY ticket_id LIMIT 1")[0][0])
    old = read_ring(path, setting="s").keys[0]
    async with opened_core(depot.settings) as core:
        done = await rotating(depot, core).rotate(SEALING)
        with pytest.raises(SettingsError, match="still needed for 1 tickets"):
            await rotating(depot, core, storage=Late(core, depot, sealed)).retire(old.name)
        states = {key.key_id: key.state for key in (await core.storage.query(LoadKeys())).keys}
        assert states == {old.name: KeyState.OPENS, done.key_id: KeyState.ACTIVE}
    assert read_ring(path, setting="s").names == (old.name, done.key_id)
    await all_work(depot, known)
    assert await problems(depot) == []


async def test_a_view_of_the_keys_that_was_asked_for_first_never_counts_last(
    depot: Installed, monkeypatch: pytest.MonkeyPatch
) -> None:
    await filled(depot)
    async with opened_core(depot.settings) as core:
        asked, may_answer, query = asyncio.Event(), asyncio.Event(), core.keys._storage.query
        looking: list[asyncio.Task[None]] = []

        async def late(question: Any) -> Any:
            answer = await query(question)
            if looking and isinstance(question, LoadKeys):
                if asked.is_set():
                    may_answer.set()
                else:
                    asked.set()
                    await may_answer.wait()
            return answer

        class LookingMeanwhile:
            """Begins to look when a key is about to be used; that look may answer once somebody else has looked."""

            async def execute(self, command: Any) -> Any:
                if isinstance(command, ActivateKey):
                    looking.append(asyncio.create_task(core.keys.refresh()))
                    await asked.wait()
                    asyncio.get_running_loop().call_later(1, may_answer.set)
                return await core.storage.execute(command)

            async def query(self, question: Any) -> Any:
                return await query(question)

        monkeypatch.setattr(core.keys._storage, "query", late)
        done = await rotating(depot, core, storage=LookingMeanwhile()).rotate(SEALING)
        await asyncio.gather(*looking)
        assert core.vault.sealing_key.name == done.key_id
        assert done.renewal.renewed > 0


async def test_a_row_that_no_key_opens_is_named_and_the_others_are_renewed(depot: Installed) -> None:
    await filled(depot)
    ticket = str(depot.run("SELECT min(ticket_id) FROM tickets")[0][0])
    zero = "zeroblob(40)" if depot.backend == "sqlite" else "decode(repeat('00', 40), 'hex')"
    depot.run(f"UPDATE tickets SET sealed = {zero} WHERE ticket_id = '{ticket}'")
    async with opened_core(depot.settings) as core:
        done = await rotating(depot, core).rotate(SEALING)
        assert (done.renewal.unopened, done.renewal.named) == (1, [f"tickets {ticket}"])
        (_, new) = (await core.storage.query(LoadKeys())).keys
        assert new.finished_at is None
    result = await asyncio.to_thread(RUNNER.invoke, cli.app, ["keys", "check", "--config", str(depot.config)])
    assert result.exit_code == 3, result.output
    assert f"tickets {ticket}" in result.output
    assert "mend:" in result.output


def test_the_command_line_rotates_lists_checks_and_retires_and_never_shows_a_key(depot: Installed) -> None:
    secrets_before = [depot.settings.pepper_file.read_bytes(), depot.settings.sealing_key_file.read_bytes()]
    shutil.copy(depot.settings.sealing_key_file, depot.folder / "kept")
    words = ["--config", str(depot.config)]
    said = ""
    for verb in (["rotate"], ["list"], ["check"], ["rotate", "pepper"], ["list", "--json"], ["check", "--json"]):
        result = RUNNER.invoke(cli.app, ["keys", *verb, *words])
        assert result.exit_code == 0, result.output
        said += result.output
    listed = json.loads(RUNNER.invoke(cli.app, ["keys", "list", "--json", *words]).output)
    states = {(key["kind"], key["state"]) for key in listed["keys"]}
    assert states == {("sealing-key", "opens"), ("sealing-key", "active"), ("pepper", "opens"), ("pepper", "active")}
    old = next(key for key in listed["keys"] if (key["kind"], key["state"]) == ("sealing-key", "opens"))
    assert (old["rows"], old["days"]) == (0, None)
    result = RUNNER.invoke(cli.app, ["keys", "retire", old["key"], *words])
    assert result.exit_code == 0, result.output
    said += result.output
    result = RUNNER.invoke(cli.app, ["audit", "list", *words])
    said += result.output
    for action in ("AddKey", "ActivateKey", "FinishKey", "RetireKey"):
        assert action in result.output
    rings = [read_ring(path, setting="") for path in (depot.settings.pepper_file, depot.settings.sealing_key_file)]
    for material in [*secrets_before, *(key.material for ring in rings for key in ring)]:
        assert material.hex() not in said
        assert base64.b64encode(material).decode() not in said
    assert not re.search(r"[0-9a-f]{64}", said)
    for path in (depot.settings.pepper_file, depot.settings.sealing_key_file):
        assert path.stat().st_mode & 0o777 == 0o600
        assert not path.with_name(path.name + ".new").exists()


async def test_a_file_that_cannot_be_written_is_told_before_anything_is_changed(
    depot: Installed, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = os.open

    def refuse(path: Any, *arguments: Any) -> int:
        if str(path).endswith(".new"):
            raise PermissionError(13, "Permission denied")
        return opened(path, *arguments)

    monkeypatch.setattr("server.keys.files.os.open", refuse)
    async with opened_core(depot.settings) as core:
        with pytest.raises(SettingsError, match=r"cannot write .*where the file itself stands"):
            await rotating(depot, core).rotate(SEALING)
        assert (await core.storage.query(LoadKeys())).keys == ()
