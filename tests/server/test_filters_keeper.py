"""The state in force: what is taken up, what happens when the database is silent, and whose fault it then is."""

import io
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ipfilters import Defaults, Endpoint, Hits, RuleSet, TrustedProxies, read_rules
from licensing.catalogue import Catalogue
from licensing.credentials import Credentials
from licensing.vault import Vault
from observe import EventLog, LogFormat, Metrics
from server.errors import AddressDenied, FiltersStale, SettingsError
from server.filters.editing import EditRefused, FilterEditor
from server.filters.hits import HitStore
from server.filters.keeper import STALE_SECONDS, FilterKeeper
from server.filters.sources import merged
from server.security.callers import Calling
from server.security.gates import Gates
from server.security.wssecurity.freshness import Window
from server.security.wssecurity.messages import WsSecurity
from storage import open_storage
from storage.commands import AddHits, LoadHits
from storage.errors import StorageError, StorageUnavailable

NOW = datetime(2027, 1, 2, tzinfo=UTC)
DENY = read_rules('format = 1\n[[global]]\ndeny = "192.0.2.0/24"\n', file="test")


class Bench:
    """A keeper over a real database, with a clock that a test moves."""

    def __init__(self, folder: Path, storage: Any, files: tuple[Path, ...]) -> None:
        self.seconds = 100.0
        self.log = io.StringIO()
        self.storage = storage
        self.metrics = Metrics(version="test")
        self.keeper = FilterKeeper(
            storage,
            files=files,
            clock=lambda: NOW,
            monotonic=lambda: self.seconds,
            events=EventLog(self.log, format=LogFormat.JSON, clock=lambda: NOW),
            metrics=self.metrics,
        )
        self.editor = FilterEditor(storage, clock=lambda: NOW)
        vault = Vault(pepper=bytes(32), sealing_key=bytes(32), random=bytes)
        catalogue = Catalogue(storage=storage, vault=vault, clock=lambda: NOW, random=bytes)
        credentials = Credentials(storage=storage, vault=vault, clock=lambda: NOW, random=bytes)
        self.gates = Gates(
            catalogue,
            credentials,
            self.keeper,
            self.metrics,
            proxies=TrustedProxies(),
            header="x-forwarded-for",
            message_security=WsSecurity(credentials, self.metrics, window=Window()),
        )

    async def put(self, rules: RuleSet) -> int:
        return (await self.editor.store(await self.editor.prepare(lambda _: rules), author="a", comment="")).version

    def calling(self, endpoint: Endpoint, address: str = "198.51.100.1") -> Calling:
        client = self.gates.client(address, {})
        return Calling(endpoint=endpoint, client=client, named=None, authorization=None)

    def events(self) -> list[str]:
        return [json.loads(line)["event"] for line in self.log.getvalue().splitlines()]


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    storage = await open_storage(tmp_path / "depot.sqlite3")
    yield Bench(tmp_path, storage, ())
    await storage.close()


async def test_nothing_is_let_in_before_the_first_look(bench: Bench) -> None:
    for endpoint in (Endpoint.SALES, Endpoint.DEPOT, Endpoint.ADMIN):
        with pytest.raises(FiltersStale):
            bench.gates.admit_address(bench.calling(endpoint))


async def test_sales_and_admin_close_when_the_database_was_silent_for_too_long_and_the_depot_goes_on(
    bench: Bench,
) -> None:
    await bench.put(DENY)
    await bench.keeper.look()
    bench.seconds += STALE_SECONDS
    for endpoint in (Endpoint.SALES, Endpoint.ADMIN, Endpoint.DEPOT):
        bench.gates.admit_address(bench.calling(endpoint))
    bench.seconds += 0.001
    await bench.storage.close()
    with pytest.raises(StorageError):
        await bench.keeper.look()
    for endpoint in (Endpoint.SALES, Endpoint.ADMIN):
        with pytest.raises(FiltersStale):
            bench.gates.admit_address(bench.calling(endpoint))
    bench.gates.admit_address(bench.calling(Endpoint.DEPOT))
    with pytest.raises(AddressDenied):
        bench.gates.admit_address(bench.calling(Endpoint.DEPOT, "192.0.2.1"))


async def test_a_look_takes_up_new_rules_and_opens_again(bench: Bench) -> None:
    await bench.keeper.look()
    bench.seconds += 2 * STALE_SECONDS
    await bench.put(DENY)
    await bench.keeper.look()
    assert bench.keeper.fresh().document_version == 1
    with pytest.raises(AddressDenied):
        bench.gates.admit_address(bench.calling(Endpoint.SALES, "192.0.2.1"))
    assert "filters_applied" in bench.events()


async def test_a_change_of_something_else_does_not_compile_the_rules_again(bench: Bench, tmp_path: Path) -> None:
    await bench.put(DENY)
    await bench.keeper.look()
    before = bench.keeper.fresh().snapshot
    vault = Vault(pepper=bytes(32), sealing_key=bytes(32), random=bytes)
    await Catalogue(storage=bench.storage, vault=vault, clock=lambda: NOW, random=bytes).add_shop("acme")
    await bench.keeper.look()
    assert "acme" in bench.keeper.fresh().shops
    assert bench.keeper.fresh().snapshot is before


async def test_a_server_does_not_start_with_a_file_that_has_mistakes_or_is_missing(tmp_path: Path) -> None:
    storage = await open_storage(tmp_path / "depot.sqlite3")
    path = tmp_path / "filters.toml"
    for text in (None, "format = 1\n[[global]]\ndeny = '10.0.0.1/24'\n"):
        if text is not None:
            path.write_text(text)
        with pytest.raises(SettingsError, match="filter_files"):
            async with Bench(tmp_path, storage, (path,)).keeper.kept():
                pass
    await storage.close()


async def test_the_second_of_two_edits_at_once_is_refused(bench: Bench) -> None:
    edits = [await bench.editor.prepare(lambda _: DENY) for _ in range(2)]
    await bench.editor.store(edits[0], author="a", comment="")
    with pytest.raises(EditRefused, match="somebody else"):
        await bench.editor.store(edits[1], author="b", comment="")


def test_rule_sets_add_up_and_a_default_counts_where_it_is_unusual() -> None:
    closed = replace(DENY, defaults=Defaults(depot=False))
    found = merged((DENY, closed, RuleSet()))
    assert [rule.id for rule in found.rules] == ["global: deny 192.0.2.0/24", "global: deny 192.0.2.0/24 #2"]
    assert found.defaults == Defaults(depot=False)
    assert merged(()) == RuleSet()
    assert merged((closed, closed)).defaults == Defaults(depot=False)


async def test_hits_are_in_the_database_once_the_keeping_ends(bench: Bench) -> None:
    await bench.put(DENY)
    async with bench.keeper.kept():
        for _ in range(3):
            with pytest.raises(AddressDenied):
                bench.gates.admit_address(bench.calling(Endpoint.DEPOT, "192.0.2.1"))
        assert await bench.storage.query(LoadHits()) == {}
    (rule,) = DENY.rules
    found = await bench.storage.query(LoadHits())
    assert {name: (hits.hits, hits.last_at) for name, hits in found.items()} == {rule.id: (3, NOW)}


async def test_hits_that_could_not_be_stored_are_kept_and_that_is_told_once(bench: Bench) -> None:
    log = EventLog(bench.log, format=LogFormat.JSON, clock=lambda: NOW)

    class Away:
        async def execute(self, _: AddHits) -> int:
            raise StorageUnavailable("away")

    hits = HitStore(Away(), events=log)  # type: ignore[arg-type]
    for _ in range(3):
        hits.add({"a": Hits(count=2, last_at=NOW)})
        await hits.finish()
    assert bench.events() == ["filter_hits_failed"]
    hits._storage = bench.storage
    await hits.finish()
    await hits.finish()
    assert {name: found.hits for name, found in (await bench.storage.query(LoadHits())).items()} == {"a": 6}
