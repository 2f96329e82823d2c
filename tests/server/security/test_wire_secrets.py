"""No secret and no ticket of a run stands in logs, faults, metrics, the database file or a backup."""

import asyncio
import base64
from datetime import timedelta
from pathlib import Path

from filtered import ask, core_of
from test_wire_rights import known
from typer.testing import CliRunner
from wire import Server, Start, envelope, order

from server.cli.initialise import CONFIG
from server.cli.main import app

DEPOT = "urn:opendepot:depot:1"


def forms(secret: bytes) -> dict[str, bytes]:
    """How a secret could be written by somebody who should not write it."""
    found = {"as it is": secret, "hex": secret.hex().encode(), "base64": base64.b64encode(secret).rstrip(b"=")[:-2]}
    if b"-" in secret:
        found["without hyphens"] = secret.replace(b"-", b"")
    return found


def files(folder: Path, backup: Path) -> dict[str, bytes]:
    """The database and what lies beside it, but not the keys, and the backup."""
    found = [*folder.iterdir(), *(backup.rglob("*") if backup.is_dir() else [backup])]
    return {str(file): file.read_bytes() for file in found if file.is_file()}


async def test_no_secret_stands_anywhere(start: Start, tmp_path: Path) -> None:
    server: Server = await start(admin_soap_port=0)
    shop, answers = server.extra["shop"], []
    async with core_of(server) as core:
        rotated, _ = await core.credentials.rotate_key(shop, overlap=timedelta(hours=1))
        username = await core.credentials.add_username(shop, "machine")
        admin_key = await core.catalogue.add_administrator("ops")
    await known(server)
    placed = await server.post("sales", envelope(order("s-1")))
    (element,) = placed.payload.iter("{urn:opendepot:sales:1}ticket")
    ticket = element.text or ""
    wrong_ticket = "AAAAA-AAAAA-AAAAA-AAAAA-AAAAA"
    for text in (ticket, wrong_ticket, ticket[:-1], f"{ticket}<"):
        got = await server.post("depot", envelope(f'<GetTicket xmlns="{DEPOT}"><ticket>{text}</ticket></GetTicket>'))
        answers.append(b"" if got.status == 200 else got.body)
    extra = f"<originalTicket>{ticket}</originalTicket>"
    answers.append((await server.post("sales", envelope(order("s-2", extra=extra)))).body)
    answers += [(await ask(server, key=key)).body for key in (rotated.secret, "od_" + "w" * 43, admin_key)]
    basic = "Basic " + base64.b64encode(f"nobody:{server.api_key}".encode()).decode()
    answers.append((await ask(server, key=None, Authorization=basic)).body)
    metrics = server.up.application.metrics.exposition()
    backup = tmp_path / "backup"
    words = ["backup", str(backup), "--config", str(server.folder / CONFIG)]
    result = await asyncio.to_thread(CliRunner().invoke, app, words)
    assert result.exit_code == 0, result.output

    secrets = {
        "API key": server.api_key.encode(),
        "rotated key": rotated.secret.encode(),
        "wrong key": b"od_" + b"w" * 43,
        "administrator's key": admin_key.encode(),
        "username's secret": username.secret.encode(),
        "ticket": ticket.encode(),
        "wrong ticket": wrong_ticket.encode(),
        "pepper": (server.folder / "secrets" / "pepper").read_bytes(),
        "sealing key": (server.folder / "secrets" / "sealing-key").read_bytes(),
    }
    places = {"log": server.log.getvalue().encode(), "metrics": metrics, "output": result.output.encode()}
    places |= {f"answer {number}": answer for number, answer in enumerate(answers)}
    places |= await asyncio.to_thread(files, server.folder, backup)
    assert any("sqlite3" in name for name in places), places.keys()
    assert any("backup" in name for name in places), places.keys()
    found = [
        (what, form, place)
        for what, secret in secrets.items()
        for form, text in forms(secret).items()
        for place, content in places.items()
        if text in content
    ]
    assert found == []


async def test_the_search_would_find_one(server: Server) -> None:
    secret = b"od_0123456789-0123456789"
    assert all(text in base64.b64encode(secret) for name, text in forms(secret).items() if name == "base64")
    assert {name for name, text in forms(secret).items() if text in secret + secret.hex().encode()} >= {"hex"}
