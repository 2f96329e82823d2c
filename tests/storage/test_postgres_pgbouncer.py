"""A real PgBouncer that lends connections for single transactions stands between, with fewer of them than clients."""

import asyncio
import shutil
import socket
import subprocess
import time
from contextlib import closing

import pytest
from order_ledger import OrderLedger

from storage import open_storage
from storage.commands import FindOrder, FindShop, ListItems, LoadServer

PGBOUNCER = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
START_SECONDS = 10
CONFIG = """\
[databases]
* = host={folder} user=depot
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 3
max_client_conn = 200
"""


@pytest.fixture
def pooled(place):
    """The address of the database under test behind a PgBouncer."""
    if PGBOUNCER is None:
        pytest.skip("no pgbouncer on this machine; install the system package")
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    config = place.server.folder / f"pgbouncer-{port}.ini"
    config.write_text(CONFIG.format(folder=place.server.folder, port=port))
    config.chmod(0o644)
    process = subprocess.Popen(
        [PGBOUNCER, "-q", config], **place.server._identity, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
            except OSError:
                time.sleep(0.02)
            else:
                break
        yield f"postgresql://depot@127.0.0.1:{port}/{place.name}?sslmode=disable"
    finally:
        process.kill()
        process.wait()


async def test_two_nodes_behind_pgbouncer_in_transaction_mode_with_no_kept_statements(
    stocked, make, place, pooled, tmp_path
):
    nodes = [await open_storage(pooled, statement_cache_size=0, batch_limit=4, reader_count=8) for _ in range(2)]
    ledger = OrderLedger(path=tmp_path / "ledger")
    queries = [LoadServer(), FindShop(lookup=b"key of acme"), ListItems(after="", limit=9)]
    queries += [FindOrder(shop_id="shop-acme", transaction_id="T-1")]
    expected = [type(await stocked.query(query)) for query in queries[:3]]

    async def ask(node, number):
        return type(await node.query(queries[number % 3])) is expected[number % 3]

    for round_number in range(10):
        names = [f"T-{round_number}-{number // 2}" for number in range(12)]
        answers = await asyncio.gather(
            *(ask(nodes[number % 2], number) for number in range(48)),
            *(
                ledger.place(nodes[number % 2], make.order(transaction=name), tries=20)
                for number, name in enumerate(names)
            ),
        )
        assert all(answer is not False for answer in answers)
    for node in nodes:
        await node.ready()
        await node.close()
    assert ledger.refused == 0
    assert ledger.violations(place.run) == []
